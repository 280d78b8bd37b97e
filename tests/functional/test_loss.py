"""Cross-entropy; arrays of every kind, and refusals, of all that works on rows."""

import numpy as np
import oracles
import pytest
from oracles import assert_same_bits, normals, says
from scipy.sparse import csr_array
from seeded import generator

from cnnkit._native import loss as native
from cnnkit.functional import (
    dense,
    dense_backward,
    relu,
    relu_backward,
    softmax,
    softmax_backward,
    softmax_cross_entropy,
    softmax_cross_entropy_backward,
)

DTYPES = ["float32", "float64"]
ROUNDING = {"float32": 1e-6, "float64": 1e-14}

both_dtypes = pytest.mark.parametrize("dtype", DTYPES)


# Cross-entropy

LABELS = np.array([2, 0, 4, 4, 1, 3, 0])
WEIGHTS = np.array([1.0, 0, 2.5, 1, 0.125, 3, 1])


def probabilities(rows, classes):
    """Rows that sum to one."""
    p = generator(5).random((rows, classes))
    return p / p.sum(1, keepdims=True)


TARGETS = {"labels": LABELS, "probabilities": probabilities(7, 5)}
each_target = pytest.mark.parametrize("targets", TARGETS.values(), ids=TARGETS)
each_weight = pytest.mark.parametrize("weight", [None, WEIGHTS], ids=["equal", "weighted"])


@both_dtypes
@each_target
@each_weight
def test_cross_entropy(targets, weight, dtype):
    logits = normals(7, 5).astype(dtype)
    p = np.eye(5)[targets] if targets.ndim == 1 else targets
    want = oracles.softmax_cross_entropy(logits, p, np.ones(7) if weight is None else weight)
    loss = softmax_cross_entropy(logits, targets, weight)
    assert isinstance(loss, float)
    assert loss == pytest.approx(want, rel=4 * ROUNDING[dtype])


@each_target
@each_weight
def test_cross_entropy_gradient_is_the_slope(targets, weight):
    logits = normals(7, 5)
    slopes = oracles.numeric_gradient(lambda z: softmax_cross_entropy(z, targets, weight), logits)
    got = softmax_cross_entropy_backward(logits, targets, weight)
    assert (got.dtype, got.shape) == ("float64", (7, 5))
    np.testing.assert_allclose(got, slopes, rtol=0, atol=1e-6)


@both_dtypes
@each_target
@each_weight
def test_cross_entropy_gradient_in_either_dtype(targets, weight, dtype):
    logits = normals(7, 5).astype(dtype)
    weight = None if weight is None else weight.astype(dtype)
    if targets.ndim == 2:
        targets = targets.astype(dtype)
    got = softmax_cross_entropy_backward(logits, targets, weight)
    want = softmax_cross_entropy_backward(logits.astype("float64"), targets, weight)
    assert got.dtype == dtype
    np.testing.assert_allclose(got, want, rtol=0, atol=ROUNDING[dtype])


def test_weights_count_repeated_rows():
    logits, counts = normals(7, 5), np.array([1, 0, 2, 1, 3, 1, 1])
    again = np.repeat(np.arange(7), counts)
    want = softmax_cross_entropy(logits[again], LABELS[again])
    assert softmax_cross_entropy(logits, LABELS, counts) == pytest.approx(want, rel=1e-6)
    got = softmax_cross_entropy_backward(logits, LABELS, counts)
    each = softmax_cross_entropy_backward(logits[again], LABELS[again])
    summed = np.zeros((7, 5))
    np.add.at(summed, again, each)
    np.testing.assert_allclose(got, summed, rtol=0, atol=1e-6)


def test_scale_of_weights_does_not_matter():
    logits = normals(7, 5)
    assert_same_bits(
        softmax_cross_entropy(logits, LABELS, 4 * WEIGHTS),
        softmax_cross_entropy(logits, LABELS, WEIGHTS),
    )


@pytest.mark.parametrize("dtype", ["int8", "uint8", "int32", "uint64", "int64"])
def test_labels_of_any_integer_dtype(dtype):
    logits = normals(7, 5)
    for f in (softmax_cross_entropy, softmax_cross_entropy_backward):
        assert_same_bits(f(logits, LABELS.astype(dtype)), f(logits, LABELS))


@both_dtypes
@pytest.mark.parametrize("large", [1e2, 1e4, 1e30])
def test_cross_entropy_of_large_logits(large, dtype):
    logits = np.array([[large, -large], [large, -large]], dtype)
    for targets in (np.array([1, 0]), np.eye(2)[::-1]):
        targets = targets.astype(dtype) if targets.ndim == 2 else targets
        loss = softmax_cross_entropy(logits, targets)
        assert loss == pytest.approx(large, rel=ROUNDING[dtype])
        got = softmax_cross_entropy_backward(logits, targets)
        np.testing.assert_allclose(got, [[0.5, -0.5], [0, 0]], atol=ROUNDING[dtype])


@pytest.mark.parametrize("targets", [np.array([0, 1]), np.eye(2)], ids=["labels", "probabilities"])
def test_sure_and_right_costs_nothing(targets):
    logits = np.array([[800.0, -800], [-800, 800]])
    assert softmax_cross_entropy(logits, targets) == 0
    assert not softmax_cross_entropy_backward(logits, targets).any()


def test_cross_entropy_keeps_small_losses():
    logits = np.array([[40.0, 0]])
    assert softmax_cross_entropy(logits, np.array([0])) == pytest.approx(np.exp(-40.0), rel=1e-10)


@both_dtypes
def test_class_ruled_out_by_minus_infinity(dtype):
    logits, labels = np.array([[0, -np.inf, 0], [1, 1, -np.inf]], dtype), np.array([0, 1])
    assert softmax_cross_entropy(logits, labels) == pytest.approx(np.log(2), rel=ROUNDING[dtype])
    got = softmax_cross_entropy_backward(logits, labels)
    np.testing.assert_allclose(got, [[-0.25, 0, 0.25], [0.25, -0.25, 0]], atol=ROUNDING[dtype])


def test_nan_logits_give_a_nan_loss():
    assert np.isnan(softmax_cross_entropy(np.array([[0, np.nan], [0, 1.0]]), np.array([0, 1])))


# Arrays of every kind

CALLS = {
    "dense": (dense, [(7, 5), (5, 9), (9,)]),
    "dense_backward": (dense_backward, [(7, 9), (7, 5), (5, 9)]),
    "relu": (relu, [(2, 5, 6, 3)]),
    "relu_backward": (relu_backward, [(2, 5, 6, 3), (2, 5, 6, 3)]),
    "softmax": (softmax, [(7, 5)]),
    "softmax_backward": (softmax_backward, [(7, 5), (7, 5)]),
    "softmax_cross_entropy": (softmax_cross_entropy, [(7, 5), (7, 5), (7,)]),
    "softmax_cross_entropy_backward": (softmax_cross_entropy_backward, [(7, 5), (7, 5), (7,)]),
}
each_call = pytest.mark.parametrize(("call", "shapes"), CALLS.values(), ids=CALLS)


def positives(shapes, dtype):
    return [np.abs(normals(*shape, seed=n) * 3).astype(dtype) for n, shape in enumerate(shapes)]


@both_dtypes
@pytest.mark.parametrize("layout", oracles.LAYOUTS)
@each_call
def test_layout_of_memory_does_not_matter(call, shapes, layout, dtype, tmp_path):
    arrays = positives(shapes, dtype)
    given = [oracles.laid_out(a, layout, tmp_path) for a in arrays]
    assert_same_bits(call(*given), call(*arrays))
    assert all(map(np.array_equal, given, arrays))


@pytest.mark.parametrize("layout", oracles.LAYOUTS)
def test_layout_of_labels_does_not_matter(layout, tmp_path):
    logits, labels = normals(7, 5), oracles.laid_out(LABELS, layout, tmp_path)
    for f in (softmax_cross_entropy, softmax_cross_entropy_backward):
        assert_same_bits(f(logits, labels), f(logits, LABELS))


def test_labels_reach_native_code_aligned(tmp_path, monkeypatch):
    given = []
    monkeypatch.setattr(native, "cross_entropy", lambda _, labels, *rest: given.append(labels) or 0)
    softmax_cross_entropy(normals(7, 5), oracles.laid_out(LABELS, "unaligned", tmp_path))
    assert given[0].flags.aligned


@pytest.mark.parametrize("dtype", ["int8", "uint8", "int32", "int64", "bool", "float16"])
@each_call
def test_other_numbers_are_taken_as_float32(call, shapes, dtype):
    arrays = positives(shapes, dtype)
    assert_same_bits(call(*arrays), call(*(a.astype("float32") for a in arrays)))


@pytest.mark.parametrize("name", [name for name in CALLS if "cross_entropy" not in name])
def test_one_float64_makes_all_float64(name):
    call, shapes = CALLS[name]
    arrays = positives(shapes, "float32")
    for wide in range(len(arrays)):
        given = [a.astype("float64") if n == wide else a for n, a in enumerate(arrays)]
        assert_same_bits(call(*given), call(*(a.astype("float64") for a in arrays)))


# Refusals

FUNCTIONS = {name: call for name, (call, _) in CALLS.items()}
GOOD = {
    "dense": {"x": np.ones((7, 5)), "w": np.ones((5, 9)), "b": np.ones(9)},
    "dense_backward": {"dy": np.ones((7, 9)), "x": np.ones((7, 5)), "w": np.ones((5, 9))},
    "relu": {"x": np.ones((7, 5))},
    "relu_backward": {"dy": np.ones((7, 5)), "y": np.ones((7, 5))},
    "softmax": {"x": np.ones((7, 5))},
    "softmax_backward": {"dy": np.ones((7, 5)), "y": np.ones((7, 5))},
    **{
        name: {"logits": np.ones((7, 5)), "targets": LABELS, "sample_weight": WEIGHTS}
        for name in ("softmax_cross_entropy", "softmax_cross_entropy_backward")
    },
}
losses = pytest.mark.parametrize(
    "function", ["softmax_cross_entropy", "softmax_cross_entropy_backward"]
)


def refuses(function, *words, errors=ValueError, **arguments):
    with pytest.raises(errors, match=says(function, *words)):
        FUNCTIONS[function](**{**GOOD[function], **arguments})


@pytest.mark.parametrize("function", FUNCTIONS)
def test_arguments_of_these_refusals_are_good_alone(function):
    FUNCTIONS[function](**GOOD[function])


@pytest.mark.parametrize(
    ("function", "argument", "shape"),
    [
        *(("dense", "x", shape) for shape in [(), (5,), (1, 7, 5)]),
        *(("dense", "w", shape) for shape in [(), (5,), (4, 9), (9, 5), (1, 5, 9)]),
        *(("dense", "b", shape) for shape in [(), (1,), (8,), (1, 9)]),
        *(("dense_backward", "x", shape) for shape in [(), (5,), (1, 7, 5)]),
        *(("dense_backward", "w", shape) for shape in [(), (5,), (4, 9), (1, 5, 9)]),
        *(("dense_backward", "dy", shape) for shape in [(), (9,), (7, 8), (6, 9), (1, 9)]),
        *(("relu_backward", "dy", shape) for shape in [(), (5,), (7, 1), (5, 7)]),
        *(("softmax_backward", "dy", shape) for shape in [(), (5,), (7, 1), (5, 7)]),
        ("softmax", "x", ()),
    ],
    ids=str,
)
def test_arrays_of_another_shape(function, argument, shape):
    refuses(function, argument, shape, **{argument: np.ones(shape)})


@pytest.mark.parametrize("shape", [(), (5,), (1, 7, 5)], ids=str)
@losses
def test_logits_have_two_axes(function, shape):
    refuses(function, "logits", shape, logits=np.ones(shape))


@pytest.mark.parametrize("shape", [(), (6,), (8,), (7, 4), (6, 5), (7, 1), (1, 7, 5)], ids=str)
@losses
def test_targets_of_another_shape(function, shape):
    refuses(function, "targets", shape, targets=np.ones(shape, "int64"))


@pytest.mark.parametrize("label", [-1, 5, 2**40])
@losses
def test_labels_outside_the_classes(function, label):
    targets = LABELS.copy()
    targets[3] = label
    refuses(function, "targets", label, targets=targets)


@losses
def test_labels_that_are_no_integers(function):
    refuses(function, "targets", errors=(ValueError, TypeError), targets=LABELS + 0.5)


@pytest.mark.parametrize("shape", [(), (1,), (6,), (7, 1), (7, 5)], ids=str)
@losses
def test_weights_of_another_shape(function, shape):
    refuses(function, "sample_weight", shape, sample_weight=np.ones(shape))


@pytest.mark.parametrize(
    "weight", [np.zeros(7), -WEIGHTS, WEIGHTS - 1, np.full(7, np.inf)], ids=str
)
@losses
def test_weights_that_give_no_mean(function, weight):
    refuses(function, "sample_weight", sample_weight=weight)


@losses
def test_no_rows_have_no_mean(function):
    none = {"logits": np.ones((0, 5)), "targets": LABELS[:0], "sample_weight": None}
    refuses(function, "logits", (0, 5), **none)


@pytest.mark.parametrize(
    ("function", "argument"),
    [
        (name, argument)
        for name, given in GOOD.items()
        for argument in given
        if argument not in ("b", "sample_weight")
    ],
)
def test_only_bias_and_weights_may_be_none(function, argument):
    refuses(function, argument, errors=(ValueError, TypeError), **{argument: None})


@pytest.mark.parametrize("function", ["dense", "relu", "softmax"])
def test_sparse_arrays(function):
    refuses(function, "x", errors=TypeError, x=csr_array(np.ones((7, 5))))


@pytest.mark.parametrize("dtype", ["complex64", "object", "U1", "S1", "M8[s]"])
@pytest.mark.parametrize(
    ("function", "argument"),
    [(name, argument) for name, given in GOOD.items() for argument in given],
)
def test_arrays_that_are_no_real_numbers(function, argument, dtype):
    wrong = np.zeros(GOOD[function][argument].shape, dtype)
    refuses(function, argument, np.dtype(dtype), errors=TypeError, **{argument: wrong})
