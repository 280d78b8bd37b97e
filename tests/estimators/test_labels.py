"""What is given is used as it is or refused: labels, masked values, complex numbers, weights."""

import numpy as np
import pytest
from estimator_data import NUMBERS, X, Y, regressor, small, weights
from oracles import assert_same_bits

from cnnkit import CNNFeatures, Graph, Network, functional
from cnnkit.layers import BatchNorm, Conv, Dense, Flatten, GlobalAvgPool, ReLU
from cnnkit.losses import SigmoidCrossEntropy, SoftmaxCrossEntropy

MIXED = r"CNNClassifier: y must be all numbers or all text, got "
KEPT = "CNNClassifier: y must be labels that one dtype of NumPy holds, got "
LARGE = "CNNClassifier: y must be integers that one dtype of NumPy holds, of 64 bits at most, got "
BAD_LABELS = {
    "number and text": ([1, "a", 2], MIXED + "1 and 'a'"),
    "objects": (np.array([1, "a", 2], object), MIXED + "1 and 'a'"),
    "text and bytes": (["a", b"b", "a"], MIXED + "'a' and b'b'"),
    "none": ([None, "a", "b"], MIXED + "None and 'a'"),
    "none alone": (np.array([None] * 3), MIXED + "None"),
    "nan and text": (np.array([np.nan, "a", "b"], object), MIXED + "nan and 'a'"),
    "nan": ([np.nan, 1.0, 2.0], "Input y contains NaN"),
    "bytes": ([b"a", b"b", b"c"], MIXED + "b'a'"),
    "integers of 71 bits": ([1, 2**70, 3], LARGE + "1 to an int of 71 bits"),
    "of both signs": ([-1, 2**63, 3], LARGE + "-1 to an int of 64 bits"),
    "rounded": ([1.0, 2**60 + 1, 3.0], KEPT + "1152921504606846977, which becomes"),
    "ends in zero": (["a", "b\0", "c"], KEPT + r"'b\\x00', which becomes 'b'"),
    "too wide": (["a", "b", "c" * (1 << 25)], "must be texts that take at most 1024 MiB, each as"),
}


@pytest.mark.parametrize("kind", BAD_LABELS)
def test_labels_that_would_become_others(kind):
    labels, message = BAD_LABELS[kind]
    repeated = np.resize(labels, 120) if isinstance(labels, np.ndarray) else list(labels) * 40
    with pytest.raises((TypeError, ValueError), match=message):
        small().fit(X, repeated)
    if kind not in ("nan", "too wide"):
        with pytest.raises(ValueError, match=message.replace(": y ", ": classes ")):
            small().partial_fit(X, Y % 3, classes=labels)


@pytest.mark.parametrize("first", [["a", "b", "c"], [0, 1, 2]])
def test_labels_of_another_kind_than_before(first):
    other = ["0", "1", "2"] if first[0] == 0 else [1, 2, 3]
    y, strange = np.array(first)[Y % 3], np.array(other)[Y % 3]
    clf = small().partial_fit(X, y, classes=first)
    with pytest.raises(ValueError, match="CNNClassifier: y must be of the classes "):
        clf.partial_fit(X, strange)
    with pytest.raises(ValueError, match="CNNClassifier: y_val must be "):
        small().fit(X, y, X_val=X, y_val=strange)
    mixed = strange.tolist()[:-1] + y.tolist()[-1:]
    with pytest.raises(ValueError, match="CNNClassifier: y_val must be all numbers or all text"):
        small().fit(X, y, X_val=X, y_val=mixed)


@pytest.mark.parametrize(
    "labels",
    [
        ["a", "bc", "d"],
        [True, 2, 3],
        [1, 2.0, 3],
        [np.int8(1), 2, np.float32(3)],
        ["", "é", "\x01"],
    ],
    ids=str,
)
def test_labels_come_back(labels):
    y = [labels[i % 3] for i in range(120)]
    clf = small().fit(X, y)
    assert clf.classes_.tolist() == sorted(labels)
    assert set(clf.predict(X).tolist()) <= set(labels)


HIDDEN = np.ma.masked_array(X, np.zeros(X.shape, bool))
HIDDEN[3, 0, 0, 0] = np.ma.masked
ONE = "must have no masked values, got 1: fill them"


def masked(array):
    found = np.ma.masked_array(array, np.zeros(np.shape(array), bool))
    found[3] = np.ma.masked
    return found


def test_masked_values_are_not_data():
    clf, reg = small().fit(X, Y), regressor().fit(X, NUMBERS)
    refused = {
        "X": [
            lambda: small().fit(HIDDEN, Y),
            lambda: small().fit(list(HIDDEN), Y),
            lambda: small().partial_fit(HIDDEN, Y, classes=range(10)),
            lambda: clf.predict(HIDDEN),
            lambda: reg.predict(HIDDEN),
            lambda: clf.network_.activations(HIDDEN, "conv1"),
            lambda: CNNFeatures(small()).fit(X, Y).transform(HIDDEN),
        ],
        "y": [lambda: small().fit(X, masked(Y)), lambda: regressor().fit(X, masked(NUMBERS))],
        "sample_weight": [lambda: small().fit(X, Y, sample_weight=masked(np.ones(120)))],
        "X_val": [lambda: small().fit(X, Y, X_val=HIDDEN, y_val=Y)],
        "y_val": [lambda: regressor().fit(X, NUMBERS, X_val=X, y_val=masked(NUMBERS))],
        "x": [lambda: functional.relu(HIDDEN)],
        "targets": [lambda: functional.softmax_cross_entropy(np.ones((9, 3)), masked([0] * 9))],
    }
    for name, calls in refused.items():
        for call in calls:
            with pytest.raises(ValueError, match=f": {name} {ONE}"):
                call()


def test_masks_that_hide_nothing():
    plain = np.ma.masked_array(X, np.zeros(X.shape, bool))
    assert_same_bits(weights(small().fit(plain, Y)), weights(small().fit(X, Y)))


NORMED = [Conv(4, 3), BatchNorm(), ReLU(), GlobalAvgPool(), Dense()]


@pytest.mark.parametrize(
    ("path", "array", "message"),
    [
        ("conv1/b", np.full(4, 1j), "must hold real numbers, got dtype complex128"),
        ("conv1/b", np.array(["1"] * 4), "must hold real numbers, got dtype <U1"),
        ("conv1/b", np.array([1.0] * 4, object), "must hold real numbers, got dtype object"),
        ("conv1/b", masked(np.ones(4)), ONE),
        ("conv1/b", [0, 0, np.nan, 0], "must be finite in float32, from -3.4e"),
        ("conv1/b", [0, 0, np.inf, 0], "must be finite in float32, from -3.4e"),
        ("conv1/b", [0, 0, 1e39, 0], "must be finite in float32, from -3.4e"),
        ("batchnorm1/var", [1, 1, -1, 1], "must be at least 0.0, got -1"),
        ("conv1/b", np.ones(5), r"must have shape \(4,\), got \(5,\)"),
    ],
)
def test_initial_weights(path, array, message):
    clf = small(NORMED, initial_weights={path: array})
    with pytest.raises((TypeError, ValueError), match=f"initial_weights of '{path}' {message}"):
        clf.fit(X.astype("f4"), Y)


@pytest.mark.parametrize("array", [np.full(6, 1j), np.full(6, 1e39), masked(np.ones(6)), ["a"] * 6])
def test_weights_that_are_assigned(array):
    clf = small().fit(X.astype("f4"), Y)
    before = weights(clf)
    with pytest.raises((TypeError, ValueError), match="Weights: conv1/b must "):
        clf.network_.weights["conv1/b"] = array
    assert_same_bits(weights(clf), before)


BODY = [("body", Conv(4), ("input",)), ("flat", Flatten(), ("body",))]
HEADS = [("one", Dense(), ("flat",)), ("two", Dense(), ("flat",))]


@pytest.mark.parametrize("make", [small, regressor])
def test_several_outputs(make):
    y = Y if make is small else NUMBERS
    forked = Graph(BODY + HEADS, outputs=("one", "two"))
    message = r"layers must have one output, .*, got 2 outputs: name one, Graph\(nodes, outputs="
    for call in ("fit", "partial_fit"):
        given = {"classes": range(10)} if (make, call) == (small, "partial_fit") else {}
        with pytest.raises(ValueError, match=message):
            getattr(make(forked), call)(X, y, **given)
    make(Graph(BODY + HEADS, outputs="one")).fit(X, y)


def test_gradients_that_nobody_fills_are_zero():
    """Those of another output of one network."""
    rng = np.random.default_rng(0)
    forked, alone = (
        Network(Graph(nodes, outputs=outputs), (5, 6, 2), 3, batch_size=4, training=True)
        for nodes, outputs in ((BODY + HEADS, ("one", "two")), (BODY + HEADS[:1], "one"))
    )
    forked.weights.initialise(rng)
    for path in alone.weights:
        alone.weights[path] = forked.weights[path]
    for _ in range(3):
        images = rng.random((4, 5, 6, 2))
        slopes = rng.random((4, 3))
        for network in (forked, alone):
            network.x[...] = images
            network.forward(4)
            network.doutput[...] = slopes
            network.backward(4)
        for path in alone.weights:
            np.testing.assert_allclose(forked.grads[path], alone.grads[path], rtol=1e-6)
        assert not forked.grads["two/w"].any()


@pytest.mark.parametrize("kind", [SoftmaxCrossEntropy, SigmoidCrossEntropy])
@pytest.mark.parametrize("smoothing", [1.0, -0.1, 3e38, np.nan, "a"])
def test_smoothing_is_a_share(kind, smoothing):
    with pytest.raises((TypeError, ValueError), match=f"{kind.__name__}: smoothing must be a fin"):
        kind(smoothing=smoothing)


def test_smoothing_of_large_logits():
    logits = np.full((2, 4), 3e38, np.float32)
    loss = SoftmaxCrossEntropy(4, smoothing=0.1)(logits, np.array([0, 1]), None)
    assert loss == pytest.approx(np.log(4))
