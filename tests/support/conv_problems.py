"""Random convolutions, drawn so that every way the native code has of computing them is taken."""

from dataclasses import dataclass
from math import prod

import numpy as np
import oracles

from cnnkit import Conv
from cnnkit.layers.base import Slots

ALGORITHMS = ("auto", "exact", "direct", "im2col", "winograd")
KINDS = {}


class Plain:
    """Memory for operands and for results, which are NaN until they are written."""

    def given(self, array):
        return array

    def empty(self, shape, dtype):
        array = np.empty(shape, dtype)
        array.view(np.uint8)[...] = 255
        return array


@dataclass
class Problem:
    """A convolution: shapes, geometry, and how it is to be computed."""

    shape: tuple  # (N, H, W, C)
    kernel: tuple
    filters: int
    stride: tuple | int = 1
    padding: object = 0
    dilation: tuple | int = 1
    groups: int = 1
    dtype: str = "float32"
    algorithm: str = "auto"

    @property
    def geometry(self):
        """The arguments that every convolution function takes."""
        return {
            "stride": self.stride,
            "padding": self.padding,
            "dilation": self.dilation,
            "groups": self.groups,
        }

    @property
    def w_shape(self):
        return (*self.kernel, self.shape[3] // self.groups, self.filters)

    @property
    def y_shape(self):
        _, size, found = oracles.windows(
            self.shape, self.kernel, self.stride, self.padding, self.dilation
        )
        return (self.shape[0], *size, self.filters) if found else None

    @property
    def uses_winograd(self):
        """Whether results may round as Winograd's algorithm does, forward or backward."""
        fits = (
            self.kernel == (3, 3)
            and oracles.pair(self.stride) == oracles.pair(self.dilation) == (1, 1)
            and self.groups == 1
        )
        return fits and self.algorithm in ("winograd", "auto")

    def draw(self, rng, numbers):
        """Operands x, w, b, dy and scale, as float64; `numbers` is "integers" or "normals"."""
        found = (self.shape, self.w_shape, (self.filters,), self.y_shape, (self.filters,))
        if numbers == "integers":
            return [rng.integers(-4, 5, shape).astype(np.float64) for shape in found]
        return [rng.standard_normal(shape) for shape in found]

    def layer(self):
        return Conv(self.filters, self.kernel, **self.geometry)


def kind(draw):
    """Register a kind of problems: a function from a generator to fields of `Problem`."""
    KINDS[draw.__name__] = draw
    return draw


def problem(rng, name=None):
    """Draw a problem of the kind `name`, or of any; its windows fit and are few."""
    name = rng.choice(list(KINDS)) if name is None else name
    while True:
        fields = {"dtype": str(rng.choice(["float32", "float64"])), **KINDS[name](rng)}
        fields.setdefault("algorithm", str(rng.choice(ALGORITHMS)))
        found = Problem(**fields)
        y_shape = found.y_shape
        if y_shape and prod(y_shape[1:3]) * found.groups <= 1500:
            return found


def ints(rng, low, high, n):
    return tuple(map(int, rng.integers(low, high + 1, n)))


def number(rng, low, high):
    return int(rng.integers(low, high + 1))


def sides(rng, low, high):
    """One number for both axes, or one for each."""
    return number(rng, low, high) if rng.random() < 0.3 else ints(rng, low, high, 2)


def padding(rng, most=3):
    return [
        lambda: "valid",
        lambda: "same",
        lambda: number(rng, 0, most),
        lambda: ints(rng, 0, most, 2),
        lambda: (ints(rng, 0, most, 2), ints(rng, 0, most, 2)),
    ][rng.integers(5)]()


@kind
def any_kernel(rng):
    groups = number(rng, 1, 3)
    return {
        "shape": (number(rng, 0, 5), *ints(rng, 1, 9, 2), groups * number(rng, 1, 8)),
        "kernel": ints(rng, 1, 5, 2),
        "filters": groups * number(rng, 1, 20),
        "stride": sides(rng, 1, 3),
        "padding": padding(rng),
        "dilation": sides(rng, 1, 3),
        "groups": groups,
    }


@kind
def many_channels(rng):
    """Several panels of filters, sums in several parts."""
    return {
        "shape": (number(rng, 1, 3), *ints(rng, 1, 6, 2), number(rng, 60, 300)),
        "kernel": ints(rng, 1, 3, 2),
        "filters": number(rng, 1, 70),
        "stride": sides(rng, 1, 2),
        "padding": padding(rng, 2),
        "dilation": sides(rng, 1, 2),
    }


@kind
def few_channels(rng):
    """The gradient to x is scattered, in several bands of a tall image."""
    return {
        "shape": (number(rng, 1, 4), number(rng, 3, 33), number(rng, 3, 12), number(rng, 1, 4)),
        "kernel": ints(rng, 1, 4, 2),
        "filters": number(rng, 1, 40),
        "padding": padding(rng),
        "algorithm": str(rng.choice(["auto", "exact", "direct"])),
    }


@kind
def strided(rng):
    """Likewise, with windows that leave gaps."""
    return {
        "shape": (number(rng, 1, 4), *ints(rng, 4, 24, 2), number(rng, 5, 20)),
        "kernel": ints(rng, 1, 4, 2),
        "filters": number(rng, 1, 40),
        "stride": ints(rng, 2, 4, 2),
        "padding": padding(rng),
        "dilation": sides(rng, 1, 2),
    }


@kind
def pointwise(rng):
    """1x1: the batch is one row of pixels, in several units."""
    return {
        "shape": (number(rng, 1, 5), *ints(rng, 3, 14, 2), number(rng, 1, 70)),
        "kernel": (1, 1),
        "filters": number(rng, 1, 70),
        "algorithm": str(rng.choice(["auto", "direct", "exact", "im2col"])),
    }


@kind
def few_pixels(rng):
    groups = number(rng, 1, 2)
    return {
        "shape": (number(rng, 0, 5), *ints(rng, 1, 3, 2), groups * number(rng, 1, 400)),
        "kernel": (1, 1),
        "filters": groups * number(rng, 1, 160),
        "groups": groups,
    }


@kind
def dense_like(rng):
    """One pixel: up to four of them read the weights as they lie."""
    return {
        "shape": (number(rng, 1, 12), 1, 1, number(rng, 1, 700)),
        "kernel": (1, 1),
        "filters": number(rng, 1, 300),
    }


@kind
def clashing_pixels(rng):
    """1x1 with pixels a multiple of 4096 bytes apart, which are gathered."""
    double = rng.random() < 0.5
    stride = int(rng.choice([1, 2, 4, 8]))
    return {
        "shape": (number(rng, 1, 3), *ints(rng, stride, 2 * stride + 2, 2),
                  (512 if double else 1024) // stride * number(rng, 1, 2)),
        "kernel": (1, 1),
        "filters": number(rng, 1, 40),
        "stride": (number(rng, 1, 3), stride) if stride > 1 else 1,
        "dtype": "float64" if double else "float32",
        "algorithm": str(rng.choice(["auto", "exact", "direct"])),
    }  # fmt: skip


@kind
def depthwise(rng):
    channels = number(rng, 1, 40)
    return {
        "shape": (number(rng, 0, 4), *ints(rng, 1, 6, 2), channels),
        "kernel": ints(rng, 1, 5, 2),
        "filters": channels * (1 if rng.random() < 0.7 else number(rng, 2, 3)),
        "stride": sides(rng, 1, 3),
        "padding": padding(rng),
        "dilation": sides(rng, 1, 3),
        "groups": channels,
        "algorithm": str(rng.choice(["auto", "auto", "auto", "direct", "im2col"])),
    }


@kind
def depthwise_lines(rng):
    """Several outputs of a line at a time, whole vectors of channels."""
    channels = number(rng, 8, 40)
    return {
        "shape": (number(rng, 1, 2), number(rng, 1, 2), number(rng, 8, 18), channels),
        "kernel": (number(rng, 1, 3), number(rng, 1, 5)),
        "filters": channels,
        "stride": (number(rng, 1, 3), number(rng, 1, 3)),
        "padding": ((0, number(rng, 0, 2)), ints(rng, 0, 2, 2)),
        "dilation": (1, number(rng, 1, 2)),
        "groups": channels,
        "algorithm": "auto",
    }


@kind
def winograd(rng):
    """3x3 with stride 1: tiles over images, blocks of channels and of filters."""
    return {
        "shape": (number(rng, 0, 5), *ints(rng, 1, 10, 2), number(rng, 1, 140)),
        "kernel": (3, 3),
        "filters": number(rng, 1, 140),
        "padding": padding(rng, 4),
        "algorithm": str(rng.choice(["winograd", "auto"])),
    }


@kind
def long_rows(rng):
    """A row of the image does not fit a unit and is cut."""
    return {
        "shape": (1, number(rng, 3, 5), number(rng, 60, 90), number(rng, 250, 300)),
        "kernel": (number(rng, 4, 5), number(rng, 1, 3)),
        "filters": number(rng, 1, 4),
        "padding": ((1, 1), ints(rng, 0, 2, 2)),
        "dtype": "float64",
        "algorithm": str(rng.choice(["direct", "exact", "im2col"])),
    }


@kind
def shared_out(rng):
    """Large enough for several threads: more than 2**20 multiply-adds."""
    return {
        "shape": (number(rng, 2, 4), *ints(rng, 7, 10, 2), number(rng, 24, 40)),
        "kernel": ints(rng, 2, 3, 2),
        "filters": number(rng, 40, 80),
        "stride": sides(rng, 1, 2),
        "padding": "same",
    }


def run_layer(rng, conv, operands, memory):
    """y, dx, dw and db by the op of a layer, and what was done to a plain convolution to get y.

    For the first n images of a batch, clipped, scaled and packed as at inference, and in slices of
    wider arrays; results and scratch start as NaN.
    """
    x, w, b, dy, scale = operands
    n, batch = len(x), len(x) + number(rng, 0, 2)
    relu, scaled, packed, *sliced = rng.random(5) < 0.5
    fields = {"y": sliced[0], "dy": sliced[1]} if conv.layer().writes_slices else {}
    around = ints(rng, 0, 3, 2)

    def batch_of(array, name):
        """Room for a batch, perhaps as a slice of wider pixels, and `array` at its start."""
        sides, channels = array.shape[1:-1], array.shape[-1]
        before, after = around if fields.get(name) else (0, 0)
        whole = memory.empty((batch, *sides, before + channels + after), conv.dtype)
        whole[:n, ..., before : before + channels] = array
        return (whole if name == "y" else memory.given(whole))[..., before : before + channels]

    empty = memory.empty(dy.shape, conv.dtype)
    x, y, dy = batch_of(x, "x"), batch_of(empty, "y"), batch_of(dy, "dy")
    dx, dw, db = (memory.empty(a.shape, conv.dtype) for a in (x, w, b))
    w, b, scale = map(memory.given, (w, b, scale))

    def op(**options):
        weights = {"w": w, "b": b}
        op = conv.layer().bind(
            Slots(xs=[x], y=y, weights=weights, algorithm=conv.algorithm, **options)
        )
        op.attach(memory.empty((op.scratch_bytes,), np.uint8))
        return op

    op(dxs=[dx], dy=dy, grads={"w": dw, "b": db}).backward(n)
    forward = op(relu=bool(relu), **({"scale": scale, "shift": b} if scaled else {}))
    if packed:
        forward.prepack(memory.empty((forward.packed_bytes,), np.uint8))
    forward.forward(n)
    assert np.isnan(y[n:]).all()
    assert np.isnan(dx[n:]).all()

    def finish(y, power=1):
        y = (scale**power * y if scaled else y) + b**power
        return np.maximum(y, 0) if relu else y

    return (y[:n], dx[:n], dw, db), finish
