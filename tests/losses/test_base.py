"""Loss functions and their scores."""

import numpy as np
import oracles
import pytest
from oracles import normals
from seeded import generator
from sklearn.metrics import r2_score

from cnnkit.losses import (
    AbsoluteError,
    GammaDeviance,
    Huber,
    Pinball,
    PoissonDeviance,
    SigmoidCrossEntropy,
    SigmoidFocal,
    SoftmaxCrossEntropy,
    SoftmaxFocal,
    SquaredError,
)

both_dtypes = pytest.mark.parametrize("dtype", ["float32", "float64"])


@both_dtypes
@pytest.mark.parametrize(("n", "k"), [(1, 1), (1, 4), (7, 2), (32, 10), (5, 100)])
def test_mean_and_gradient(n, k, dtype):
    logits = (3 * normals(n, k)).astype(dtype)
    targets = generator(0).integers(0, k, n)
    dlogits = np.full_like(logits, np.nan)
    mean = SoftmaxCrossEntropy()(logits, targets, dlogits)
    one_hot = np.eye(k)[targets]
    within = 1e-6 if dtype == "float32" else 1e-14
    assert mean == pytest.approx(
        oracles.softmax_cross_entropy(logits, one_hot, np.ones(n)), rel=0, abs=10 * within
    )
    expected = (oracles.softmax(logits) - one_hot) / n
    np.testing.assert_allclose(dlogits, expected, rtol=0, atol=within)


def test_gradient_is_the_slope():
    logits, targets = normals(3, 4), np.array([0, 3, 1])
    dlogits, loss = np.empty((3, 4)), SoftmaxCrossEntropy()
    slopes = oracles.numeric_gradient(lambda x: loss(x, targets, np.empty((3, 4))), logits)
    loss(logits, targets, dlogits)
    np.testing.assert_allclose(dlogits, slopes, rtol=0, atol=1e-8)


def test_part_of_a_larger_gradient_is_filled():
    dlogits = np.full((5, 4), 7.0)
    SoftmaxCrossEntropy()(normals(3, 4), np.array([0, 3, 1]), dlogits[:3])
    assert (dlogits[3:] == 7).all()
    np.testing.assert_allclose(dlogits[:3].sum(1), 0, atol=1e-15)


@both_dtypes
def test_large_logits_do_not_overflow(dtype):
    logits = np.array([[1e4, -1e4], [0, 3e4]], dtype)
    dlogits = np.empty_like(logits)
    assert SoftmaxCrossEntropy()(logits, np.array([0, 0]), dlogits) == 1.5e4
    assert dlogits.tolist() == [[0, 0], [-0.5, 0.5]]


@pytest.mark.parametrize("bad", [-1, 4])
def test_targets_out_of_range(bad):
    with pytest.raises(ValueError, match=f"^targets must be from 0 to 3, got {bad}"):
        SoftmaxCrossEntropy()(normals(2, 4), np.array([0, bad]), np.empty((2, 4)))


@both_dtypes
def test_outputs_are_probabilities(dtype):
    logits = (5 * normals(6, 4)).astype(dtype)
    out = np.empty_like(logits)
    SoftmaxCrossEntropy().outputs(logits, out)
    within = 1e-6 if dtype == "float32" else 1e-15
    np.testing.assert_allclose(out, oracles.softmax(logits), rtol=0, atol=within)


# Dense targets, labels, regression

FACTORS = np.array([[1.0, 0.5, 2.0, 0.0], [3.0, 1.0, 0.0, 0.25]])
LOSSES = [
    SoftmaxCrossEntropy(4),
    SoftmaxCrossEntropy(4, smoothing=0.2),
    SigmoidCrossEntropy(),
    SigmoidCrossEntropy(smoothing=0.1),
    SquaredError(),
    AbsoluteError(),
    Huber(0.7),
    SoftmaxFocal(4),
    SoftmaxFocal(4, smoothing=0.2, gamma=0.5),
    SigmoidCrossEntropy(0.1, FACTORS),
    SigmoidFocal(),
    SigmoidFocal(0.1, FACTORS, gamma=0.5),
    Pinball(0.9),
    PoissonDeviance(),
    GammaDeviance(),
]


def targets_of(loss, n):
    rng = generator(5)
    if isinstance(loss, SoftmaxCrossEntropy):
        return rng.integers(0, 4, n)
    if isinstance(loss, SigmoidCrossEntropy):
        return rng.random((n, 4)) < 0.4
    if isinstance(loss, (PoissonDeviance, GammaDeviance)):
        return rng.random((n, 4)) + 0.1
    return rng.standard_normal((n, 4))


@pytest.mark.parametrize("loss", LOSSES, ids=lambda loss: f"{type(loss).__name__}{vars(loss)}")
@pytest.mark.parametrize("weights", [None, np.array([0.5, 2.0, 1.25])], ids=["", "weighted"])
@pytest.mark.parametrize("dense", [False, True])
def test_gradients_are_slopes(loss, weights, dense):
    outputs, targets = normals(3, 4), targets_of(loss, 3)
    targets = loss.dense(targets) if dense else targets
    total = None if weights is None else weights.sum()
    slopes = oracles.numeric_gradient(lambda x: loss(x, targets, None, weights, total), outputs)
    gradient = np.empty_like(outputs)
    found = loss(outputs, targets, gradient, weights, total)
    np.testing.assert_allclose(gradient, slopes, rtol=0, atol=1e-7)
    narrow = np.empty((3, 4), "float32")
    assert loss(outputs.astype("float32"), targets, narrow, weights, total) == pytest.approx(
        found, rel=1e-5
    )
    np.testing.assert_allclose(narrow, gradient, rtol=0, atol=1e-5)


@pytest.mark.parametrize("loss", LOSSES, ids=lambda loss: f"{type(loss).__name__}{vars(loss)}")
def test_weights_are_repetitions(loss):
    outputs, targets, weights = normals(3, 4), targets_of(loss, 3), np.array([2, 1, 3])
    weighted = loss(outputs, targets, None, weights.astype(float), 6)
    repeated = loss(outputs.repeat(weights, 0), targets.repeat(weights, 0), None)
    assert weighted == pytest.approx(repeated, rel=1e-14)
    assert loss.score(outputs, targets, weights) == pytest.approx(
        loss.score(outputs.repeat(weights, 0), targets.repeat(weights, 0)), rel=1e-12
    )


@pytest.mark.parametrize("loss", LOSSES, ids=lambda loss: f"{type(loss).__name__}{vars(loss)}")
def test_dense_targets_may_be_changed(loss):
    targets = targets_of(loss, 3)
    before = targets.copy()
    dense = loss.dense(targets)
    assert (dense.shape, dense.dtype) == ((3, 4), np.dtype("float64"))
    dense[...] = 0
    assert (targets == before).all()


def test_sizes_and_scores():
    outputs, targets = np.array([[1.0, 4.0], [0.0, 2.0]]), np.array([[0.0, 1.0], [0.5, 2.0]])
    assert SquaredError()(outputs, targets, None) == (1 + 9 + 0.25) / 2 / 4
    assert AbsoluteError()(outputs, targets, None) == (1 + 3 + 0.5) / 4
    assert Huber(1.0)(outputs, targets, None) == (0.5 + 2.5 + 0.125) / 4
    expected = r2_score(targets, outputs)
    assert SquaredError().score(outputs, targets) == pytest.approx(expected)
    assert SquaredError().score(np.ones((3, 1)), np.ones((3, 1))) == 1
    labels = np.array([[True, False], [False, True]])
    logits = np.array([[2.0, -1.0], [1.0, 1.0]])
    assert SigmoidCrossEntropy().score(logits, labels) == 0.5
    expected = np.log1p(np.exp([-2.0, -1.0, 1.0, -1.0])).sum() / 2
    assert SigmoidCrossEntropy()(logits, labels, None) == pytest.approx(expected)
    big = np.array([[1e4, -1e4]])
    assert SigmoidCrossEntropy()(big, np.array([[True, False]]), None) == 0
    assert SoftmaxCrossEntropy().score(logits, np.array([0, 0])) == 1


@both_dtypes
@pytest.mark.parametrize("scale", [2.0**1000, 2.0**-1000, 1e200, 1e-200, 4e307])
@pytest.mark.parametrize("weights", [None, np.arange(1.0, 10)])
def test_scores_of_numbers_of_any_size(scale, weights, dtype):
    targets = normals(9, 2) / 8
    outputs = targets + normals(9, 2).astype(dtype) / 32
    wanted = r2_score(targets, outputs, sample_weight=weights)
    found = SquaredError().score(outputs * scale, targets * scale, weights)
    assert found == pytest.approx(wanted, rel=1e-12)


@pytest.mark.parametrize(
    ("outputs", "targets", "wanted"),
    [
        ([1.0, 1.0], [1e-200, 2e-200], -np.inf),
        ([1e308, -1e308], [1.0, 2.0], -np.inf),
        ([1e150, 1e150, 1e150], [1.0, 2.0, 3.0], -1.5e300),
        ([1e155, 1e155, 1e155], [1.0, 2.0, 3.0], -np.inf),
        ([1e200, 1e-200], [0.0, 0.0], 0),
        ([1.0, 2.0], [1e200, -1e200], 0),
        ([1e200, 1e200], [1e200, 1e200], 1),
        ([np.inf, 1.0], [1.0, 2.0], -np.inf),
        ([np.nan, 1.0], [1e200, 2e200], np.nan),
    ],
)
def test_scores_of_wild_outputs(outputs, targets, wanted):
    found = SquaredError().score(np.array([outputs]).T, np.array([targets]).T)
    assert found == pytest.approx(wanted, nan_ok=True)
