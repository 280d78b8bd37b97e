"""What training makes small."""

import numpy as np
import oracles
import pytest
from oracles import normals

from cnnkit.losses import SoftmaxCrossEntropy

both_dtypes = pytest.mark.parametrize("dtype", ["float32", "float64"])


@both_dtypes
@pytest.mark.parametrize(("n", "k"), [(1, 1), (1, 4), (7, 2), (32, 10), (5, 100)])
def test_mean_and_gradient(n, k, dtype):
    logits = (3 * normals(n, k)).astype(dtype)
    targets = np.random.default_rng(0).integers(0, k, n)
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
