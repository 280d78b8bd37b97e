"""Arrays in any layout and of any type: the bits of a contiguous copy, or a clear error."""

import array
from collections import Counter

import numpy as np
import pytest
from oracles import assert_same_bits

from cnnkit import CNNClassifier, CNNRegressor, Conv1x1, GlobalAvgPool, functional

pytestmark = pytest.mark.filterwarnings("ignore:the matrix subclass")
REALS = ["f2", "f4", "f8", "i1", "u1", "i2", "u2", "i4", "u4", "i8", "u8", "?"]
REFUSED = ["g", "F", "D", "G", "O", "U3", "S3", "M8[s]", "m8[s]", "f4,f4", "V4"]
LAYOUTS = {}


def layout(function):
    """Register a way of holding the numbers of an array, a function of it and a generator."""
    LAYOUTS[function.__name__] = function
    return function


@layout
def contiguous(a, rng):
    return a.copy()


@layout
def read_only(a, rng):
    a = a.copy()
    a.flags.writeable = False
    return a


@layout
def fortran(a, rng):
    return np.asfortranarray(a)


@layout
def axes_in_another_order(a, rng):
    order = rng.permutation(a.ndim)
    return np.ascontiguousarray(a.transpose(order)).transpose(np.argsort(order))


@layout
def strided(a, rng):
    """Every second or third number of a wider array, forwards or backwards."""
    steps = rng.integers(1, 4, a.ndim) * rng.choice([-1, 1], a.ndim)
    wide = np.zeros([n * abs(step) for n, step in zip(a.shape, steps, strict=True)], a.dtype)
    view = wide[tuple(slice(None, None, int(step)) for step in steps)]
    view[...] = a
    return view


@layout
def byte_swapped(a, rng):
    return a.astype(a.dtype.newbyteorder())


@layout
def unaligned(a, rng):
    if a.dtype.hasobject:  # never unaligned
        return a
    offset = int(rng.integers(1, 8))
    buffer = bytes(offset) + a.tobytes()
    return np.frombuffer(buffer, a.dtype, a.size, offset).reshape(a.shape)


@layout
def field(a, rng):
    """One field of a packed structured array."""
    records = np.zeros(a.shape, np.dtype([("before", "i1"), ("a", a.dtype), ("after", "i2")]))
    records["a"] = a
    return records["a"]


@layout
def repeated(a, rng):
    """The first numbers along an axis, again and again: a stride of 0."""
    if not a.ndim:
        return a
    axis = int(rng.integers(a.ndim))
    return np.broadcast_to(a.take([0], axis), a.shape)


@layout
def memory_mapped(a, rng, folder):
    if a.dtype.hasobject:
        return a
    path = folder / f"{rng.integers(2**62)}.npy"
    np.save(path, a)
    return np.load(path, mmap_mode="r")


@layout
def matrix(a, rng):
    return np.matrix(a) if a.ndim == 2 else a


@layout
def masked(a, rng):
    return np.ma.masked_array(a, np.zeros(a.shape, bool))


class Strange(np.ndarray):
    """A subclass that forbids arithmetic."""

    def __array_ufunc__(self, *args, **kwargs):
        raise AssertionError("computed with a subclass")

    def __array_function__(self, *args, **kwargs):
        raise AssertionError("computed with a subclass")


@layout
def subclass(a, rng):
    return a.copy().view(Strange)


class ArrayLike:
    """What has `__array__` and nothing else."""

    def __init__(self, a):
        self.a = a

    def __array__(self, dtype=None, copy=None):
        return self.a if dtype is None else self.a.astype(dtype)


@layout
def array_like(a, rng):
    return ArrayLike(a)


class Interface:
    """What has `__array_interface__` and nothing else."""

    def __init__(self, a):
        self.a = a
        self.__array_interface__ = a.__array_interface__


@layout
def interface(a, rng):
    return Interface(a.copy())


@layout
def lists(a, rng):
    """Lists of numbers; in Python these are bool, int and float."""
    return a.tolist()


@layout
def buffer(a, rng):
    """Other things of numbers: an `array.array`, a `memoryview`."""
    if a.dtype == np.float64 and a.ndim == 1:
        return array.array("d", a)
    return memoryview(a) if a.dtype.kind in "fiub" else a


def laid_out(rng, numbers, folder, dtypes=REALS):
    """Numbers in a dtype and layout drawn, their native contiguous copy, and how they lie."""
    dtype = np.dtype(str(rng.choice(dtypes)))
    name = str(rng.choice([*LAYOUTS]))
    options = {"folder": folder} if name == "memory_mapped" else {}
    given = LAYOUTS[name](numbers.astype(dtype), rng, **options)
    copy = np.array(given, order="C", copy=True, subok=False)
    copy = np.array(copy, copy.dtype.newbyteorder("="))
    return given, copy, f"{dtype} {name}"


def bytes_of(given):
    """The numbers of an argument, to see whether they have changed."""
    return np.array(given, copy=True, subok=False).tobytes()


IMAGES, CONV_W, CONV_DY = (2, 5, 6, 4), (3, 2, 2, 6), (2, 3, 5, 6)
CONV = {"groups": 2}
FUNCTIONS = {
    "avg_pool2d": ({"x": IMAGES}, {"pool_size": 2}),
    "avg_pool2d_backward": ({"dy": (2, 2, 3, 4)}, {"input_shape": IMAGES, "pool_size": 2}),
    "col2im": ({"cols": (30, 24)}, {"input_shape": IMAGES, "kernel_size": (3, 2)}),
    "conv2d": ({"x": IMAGES, "w": CONV_W, "b": (6,)}, CONV),
    "conv2d_backward": ({"dy": CONV_DY, "x": IMAGES, "w": CONV_W}, CONV),
    "dense": ({"x": (5, 7), "w": (7, 3), "b": (3,)}, {}),
    "dense_backward": ({"dy": (5, 3), "x": (5, 7), "w": (7, 3)}, {}),
    "global_avg_pool2d": ({"x": IMAGES}, {}),
    "global_avg_pool2d_backward": ({"dy": (2, 4)}, {"input_shape": IMAGES}),
    "im2col": ({"x": IMAGES}, {"kernel_size": (3, 2)}),
    "max_pool2d": ({"x": IMAGES}, {"pool_size": 2}),
    "max_pool2d_backward": ({"dy": (2, 2, 3, 4), "x": IMAGES}, {"pool_size": 2}),
    "relu": ({"x": (5, 7)}, {}),
    "relu_backward": ({"dy": (5, 7), "y": (5, 7)}, {}),
    "softmax": ({"x": (5, 7)}, {}),
    "softmax_backward": ({"dy": (5, 7), "y": (5, 7)}, {}),
    "softmax_cross_entropy": ({"logits": (5, 7), "targets": (5,), "sample_weight": (5,)}, {}),
    "softmax_cross_entropy_backward": (
        {"logits": (5, 7), "targets": (5,), "sample_weight": (5,)},
        {},
    ),
}


def test_all_functions_are_tried():
    assert set(FUNCTIONS) == set(functional.__all__)


def drawn(rng, name, shape):
    """Numbers that every dtype holds; weights of samples are not all zero."""
    return rng.integers(1 if name == "sample_weight" else 0, 2, shape)


@pytest.mark.parametrize("name", FUNCTIONS)
def test_functions_take_any_layout(name, trials, tmp_path):
    function = getattr(functional, name)
    shapes, options = FUNCTIONS[name]
    for rng in trials(quick=40, full=2_000):
        given, copies, hows = {}, {}, []
        for key, shape in shapes.items():
            dtypes = [d for d in REALS if np.dtype(d).kind in "iu"] if key == "targets" else REALS
            a, copies[key], how = laid_out(rng, drawn(rng, key, shape), tmp_path, dtypes)
            if key != "targets" and copies[key].dtype != np.float64:
                copies[key] = copies[key].astype(np.float32)
            given[key] = a
            hows.append(f"{key} {how}")
        before = {key: bytes_of(a) for key, a in given.items()}
        try:
            assert_same_bits(function(**given, **options), function(**copies, **options))
            assert {key: bytes_of(a) for key, a in given.items()} == before
        except Exception as error:
            error.add_note(", ".join(hows))
            raise


@pytest.mark.parametrize("name", FUNCTIONS)
def test_functions_refuse_what_holds_no_real_numbers(name, trials, tmp_path):
    function = getattr(functional, name)
    shapes, options = FUNCTIONS[name]
    for rng in trials(quick=10, full=500):
        given = {key: np.ones(shape) for key, shape in shapes.items()}
        if "targets" in given:
            given["targets"] = np.ones(5, int)
        key = str(rng.choice([*shapes]))
        given[key], copy, _ = laid_out(rng, drawn(rng, key, shapes[key]), tmp_path, REFUSED)
        if copy.dtype.char in "?lqdB":  # a list of numbers after all
            continue
        with pytest.raises((TypeError, ValueError), match=rf"^{name}: {key}"):
            function(**given, **options)


LAYERS = [Conv1x1(4), Conv1x1(), GlobalAvgPool()]
X = (12, 3, 4, 2)


def outcome(kind, X, y, sample_weight, batch):
    """Weights and predictions of a fit, or the error."""
    estimator = kind(LAYERS, max_iter=2, batch_size=5, random_state=0)
    estimator.fit(X, y, sample_weight=sample_weight)
    labels = estimator.predict(batch)  # in the byte order of y
    return estimator.network_.weights.flat.copy(), labels.astype(labels.dtype.newbyteorder("="))


@pytest.mark.parametrize("kind", [CNNClassifier, CNNRegressor])
def test_estimators_take_any_layout(kind, trials, tmp_path):
    for rng in trials(quick=30, full=2_000):
        numbers = rng.integers(0, 2, X), np.arange(12) % 2, rng.integers(1, 3, 12)
        parts = [laid_out(rng, a, tmp_path) for a in (*numbers, rng.integers(0, 2, X))]
        given, copies, hows = zip(*parts, strict=True)
        before = list(map(bytes_of, given))
        try:
            found = outcome(kind, *given)
            assert_same_bits(found, outcome(kind, *copies))
            assert list(map(bytes_of, given)) == before
        except Exception as error:
            error.add_note(", ".join(hows))
            raise


@pytest.mark.parametrize("kind", [CNNClassifier, CNNRegressor])
def test_estimators_refuse_images_that_hold_no_real_numbers(kind, trials, tmp_path):
    found = Counter()
    for rng in trials(quick=30, full=500):
        images, _, how = laid_out(rng, rng.integers(0, 2, X), tmp_path, REFUSED)
        try:
            outcome(kind, images, np.arange(12) % 2, None, images)
        except (TypeError, ValueError):
            found["refused"] += 1
        else:
            # text and objects that are numbers are taken as scikit-learn takes them
            assert how.split()[0] in ("object", "<U3", "|S3", "longdouble") or "list" in how, how
            found["taken as numbers"] += 1
    trials.found = ", ".join(f"{count} {what}" for what, count in found.items())
