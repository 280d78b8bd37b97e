"""Arguments that nobody should give: values to draw from for any parameter."""

from decimal import Decimal
from fractions import Fraction

import numpy as np

import cnnkit
from cnnkit import layers

BIG = [2**20, 2**24, 2**31 - 1, 2**31, 2**46, 2**55, 2**63 - 1, 2**63, 2**64, 10**30, 10**400]


class Refuses:
    """An object whose every conversion raises."""

    def __index__(self):
        raise TypeError("no index")

    __int__ = __float__ = __len__ = __array__ = __index__


class Lies:
    """An object that says it is a number and is not."""

    def __index__(self):
        return "7"

    def __float__(self):
        return "7"

    def __len__(self):
        return -1


def deep(depth):
    """Lists in lists in lists."""
    found = []
    for _ in range(depth):
        found = [found]
    return found


def itself():
    """A list that holds itself."""
    found = []
    found.append(found)
    return found


NUMBERS = [
    *(0, 1, 2, 3, 7, -1, -2, *BIG, *(-n for n in BIG)),
    *(0.0, -0.0, 0.5, 1.0, 2.0, -1.5, 1e-320, 1e-300, 1e300, np.nan, np.inf, -np.inf),
    *(True, False, np.True_, 1j, Decimal("NaN"), Decimal(2), Fraction(1, 3), Fraction(2)),
    *(np.int8(-3), np.uint8(200), np.int64(2**62), np.uint64(2**64 - 1), np.float16(np.nan)),
    *(np.float32(2.5), np.longdouble(2), np.datetime64("2020-01-01"), np.timedelta64(2, "s")),
]
OTHERS = [
    *("", "a", "same", "valid", "auto", "conv1", "input", "a/b", "conv1__filters", "\0", "\ud800"),
    *("x" * 10_000, b"same", bytearray(3), None, Ellipsis, NotImplemented, object(), type, int),
    *((), (1,), (1, 2), (2, 3, 4), [], [1], [3, 2], ((1, 0), (0, 1)), ((1,), (2,)), (None, None)),
    *(("a", "b"), [[1, 2], [3]], {}, {"a": 1}, {1, 2}, range(2), range(2**40), slice(2)),
    *(np.array(3), np.array([1, 2]), np.array([]), np.zeros((0, 3)), np.array("a"), np.array(None)),
    *(lambda *args: None, len, np.float32, np.dtype("f4"), Refuses(), Lies(), memoryview(b"abc")),
    *(
        layers.Conv(2),
        layers.Conv,
        layers.Add(),
        cnnkit.Input(),
        deep(50),
        itself(),
        np.random.default_rng(0),
    ),
]
ARRAYS = [
    *(np.zeros(shape, "f4") for shape in [(), (0,), (3,), (2, 0), (1, 2, 3), (1, 1, 1, 1)]),
    *(np.full((2, 5, 5, 2), value) for value in (np.nan, np.inf, -np.inf, 1e300, 1e-320)),
    *(np.ones((2, 5, 5, 2), dtype) for dtype in ("f2", "g", "D", "O", "?", "u1", "i8", "U1")),
    *(np.ones((2, 5, 5, 2), dtype) for dtype in ("M8[s]", "m8[s]", "V4", "f4,i4", ">f8")),
    *(np.zeros((2**40, 0)), np.zeros((0, 2**31, 2, 2)), np.zeros((2, 5, 5, 2), order="F")),
    *(np.ma.masked_array(np.ones((2, 5, 5, 2)), True), np.ones((4, 4)).view(np.matrix)),
    *([[1, 2], [3, 4]], [[[[1.0]]]], [["a"]], [None], "text", range(3)),
]
# One number as many, which nobody can copy; but scikit-learn adds up all of them
ENDLESS = [
    np.broadcast_to(np.float32(1), shape)
    for shape in [(2**31, 2**20), (1, 2**15, 2**15, 1), (2**40,), (2**15, 2**15)]
]


def hostile(rng, arrays=False, endless=False):
    """Anything: an array where there should be one, a number or a pair of them, something else."""
    which = rng.random()
    if arrays and which < 0.7:
        if which < 0.3:
            return rng.standard_normal(rng.integers(0, 6, rng.integers(0, 6)))
        pool = ARRAYS + ENDLESS if endless else ARRAYS
        return pool[rng.integers(len(pool))]
    pool = NUMBERS if which < 0.85 else OTHERS
    value = pool[rng.integers(len(pool))]
    if rng.random() < 0.2:
        others = [value, *(NUMBERS[i] for i in rng.integers(len(NUMBERS), size=rng.integers(3)))]
        return tuple(others) if rng.random() < 0.7 else others
    return value
