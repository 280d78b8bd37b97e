"""Pooling layers."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from cnnkit._native import pool as native
from cnnkit.layers.base import Layer, Slots, image_input
from cnnkit.layers.op import Op
from cnnkit.validate import shapes

if TYPE_CHECKING:
    from cnnkit.typing import IntPair, Padding, Shape


class MaxPool(Layer):
    """Largest pixel of every window in each channel.

    Parameters
    ----------
    pool_size : int or pair of ints, default=2
        Rows and columns of a window; one number stands for both.
    stride : int or pair of ints, default=None
        Rows and columns from one window to the next; `pool_size` when None.
    padding : int, pair, ((top, bottom), (left, right)), "valid" or "same", default="valid"
        Smaller than `pool_size`; padding is never the largest pixel.
    ceil_mode : bool, default=False
        Whether the number of windows is rounded up rather than down.
    dilation : int or pair of ints, default=1
        Distance between the pixels of a window.

    Raises
    ------
    ValueError, TypeError
        By `output_shape`, for sizes that do not fit together, or an input that is no images.

    Notes
    -----
    The gradient goes to the first of several largest pixels.

    Examples
    --------
    >>> from cnnkit import MaxPool
    >>> MaxPool(2).output_shape((8, 8, 32))
    (4, 4, 32)
    """

    keeps_bounds = True

    def __init__(
        self,
        pool_size: IntPair = 2,
        *,
        stride: IntPair | None = None,
        padding: Padding = "valid",
        ceil_mode: bool = False,
        dilation: IntPair = 1,
    ) -> None:
        self.pool_size = pool_size
        self.stride = stride
        self.padding = padding
        self.ceil_mode = ceil_mode
        self.dilation = dilation

    def output_shape(self, input_shape: Shape) -> Shape:
        windows = pool_windows(self, input_shape)
        return windows.OH, windows.OW, windows.C

    def bind(self, slots: Slots) -> Op:
        windows = pool_windows(self, slots.x.shape[1:], len(slots.x))
        where = None if slots.dy is None else slots.keep(slots.y.shape, np.int32)
        if (windows.DH, windows.DW) != (1, 1):
            return DilatedMaxOp(windows, slots, where)
        return MaxPoolOp(windows, slots.x, slots.y, where, slots.dy, slots.dx)


class AvgPool(Layer):
    """Mean of every window in each channel.

    Parameters
    ----------
    pool_size : int or pair of ints, default=2
        Rows and columns of a window; one number stands for both.
    stride : int or pair of ints, default=None
        Rows and columns from one window to the next; `pool_size` when None.
    padding : int, pair, ((top, bottom), (left, right)), "valid" or "same", default="valid"
        Smaller than `pool_size`.
    ceil_mode : bool, default=False
        Whether the number of windows is rounded up rather than down.
    count_include_pad : bool, default=False
        Whether a sum is divided by all pixels of the window, as by default in PyTorch, or by those
        inside the image, as in TensorFlow and ONNX.
    dilation : int or pair of ints, default=1
        Distance between the pixels of a window.

    Raises
    ------
    ValueError, TypeError
        By `output_shape`, for sizes that do not fit together, or an input that is no images.

    Examples
    --------
    >>> from cnnkit import AvgPool
    >>> AvgPool(3, stride=1, padding="same").output_shape((8, 8, 32))
    (8, 8, 32)
    """

    keeps_bounds = True

    def __init__(
        self,
        pool_size: IntPair = 2,
        *,
        stride: IntPair | None = None,
        padding: Padding = "valid",
        ceil_mode: bool = False,
        count_include_pad: bool = False,
        dilation: IntPair = 1,
    ) -> None:
        self.pool_size = pool_size
        self.stride = stride
        self.padding = padding
        self.ceil_mode = ceil_mode
        self.dilation = dilation
        self.count_include_pad = count_include_pad

    def output_shape(self, input_shape: Shape) -> Shape:
        if not isinstance(self.count_include_pad, bool):
            raise TypeError(
                f"AvgPool: count_include_pad must be a bool, got {self.count_include_pad!r}."
            )
        windows = pool_windows(self, input_shape)
        return windows.OH, windows.OW, windows.C

    def bind(self, slots: Slots) -> Op:
        windows = pool_windows(self, slots.x.shape[1:], len(slots.x))
        if (windows.DH, windows.DW) != (1, 1):
            return DilatedAvgOp(windows, slots, self.count_include_pad)
        return AvgPoolOp(windows, slots.x, slots.y, self.count_include_pad, slots.dy, slots.dx)


class MaxPoolOp(native.MaxPoolOp, Op):
    """The op of `MaxPool` and `GlobalMaxPool`."""


class AvgPoolOp(native.AvgPoolOp, Op):
    """The op of `AvgPool` and `GlobalAvgPool`."""


def pool_windows(layer, input_shape, batch=1):
    """Return the `Windows` of a pooling layer over `batch` images."""
    shape = (batch, *image_input(layer, input_shape))
    return shapes.pool_windows(
        shape,
        layer.pool_size,
        layer.stride,
        layer.padding,
        layer.ceil_mode,
        layer.owner,
        layer.dilation,
    )


class DilatedPixels:
    """What dilated poolings share: for every pixel of a window, where it meets the image.

    It is found when it is first used, so that a network that is only made takes no memory for it.
    """

    def __init__(self, windows, slots):
        self.windows = windows
        self.slots = slots

    @cached_property
    def pixels(self):
        """Pairs of a place in y and the same place in x, each a pair of slices."""
        windows = self.windows
        rows = self._line(windows.H, windows.KH, windows.SH, windows.DH, windows.PT, windows.OH)
        cols = self._line(windows.W, windows.KW, windows.SW, windows.DW, windows.PL, windows.OW)
        return [((r[0], c[0]), (r[1], c[1])) for r in rows for c in cols]

    @staticmethod
    def _line(side, kernel, stride, dilation, before, outs):
        """Return for every place in the kernel the windows in which it is a pixel, and which."""
        found = []
        for k in range(kernel):
            start = k * dilation - before
            first = max(0, -(start // stride))
            last = min(outs, (side - 1 - start) // stride + 1)
            if first < last:
                begin = first * stride + start
                inside = slice(begin, begin + (last - first - 1) * stride + 1, stride)
                found.append((slice(first, last), inside))
        return found


class DilatedMaxOp(DilatedPixels, Op):
    """y = max over the window; `where` says which of its pixels won, the first of equals."""

    def __init__(self, windows, slots, where):
        super().__init__(windows, slots)
        self.where = where

    def forward(self, n):
        y = self.slots.y[:n]
        y[:] = -np.inf
        if self.where is not None:
            self.where[:n] = -1
        for k, (out, inside) in enumerate(self.pixels):
            x, best = self.slots.x[:n][:, *inside], y[:, *out]
            if self.where is not None:
                where = self.where[:n][:, *out]
                where[(x > best) | (where < 0)] = k
            np.maximum(best, x, out=best)

    def backward(self, n):
        if self.slots.dx is None:
            return
        dx, dy, where = self.slots.dx[:n], self.slots.dy[:n], self.where[:n]
        dx[:] = 0
        for k, (out, inside) in enumerate(self.pixels):
            dx[:, *inside] += np.where(where[:, *out] == k, dy[:, *out], 0)


class DilatedAvgOp(DilatedPixels, Op):
    """y = mean of a window's pixels in the image; in its padding too with `count_include_pad`."""

    def __init__(self, windows, slots, count_include_pad):
        super().__init__(windows, slots)
        self.count_include_pad = count_include_pad

    @cached_property
    def share(self):
        """One over the number of pixels of every window."""
        windows = self.windows
        counts = np.zeros((windows.OH, windows.OW, 1))
        if self.count_include_pad:  # what ceil_mode adds past the padding is not counted
            rows = np.arange(windows.OH)[:, None] * windows.SH + np.arange(windows.KH) * windows.DH
            cols = np.arange(windows.OW)[:, None] * windows.SW + np.arange(windows.KW) * windows.DW
            high = (rows < windows.H + windows.PT + windows.PB).sum(axis=1)
            wide = (cols < windows.W + windows.PL + windows.PR).sum(axis=1)
            counts[..., 0] = np.outer(high, wide)
        else:
            for out, _ in self.pixels:
                counts[out] += 1
        return (1 / np.maximum(counts, 1)).astype(self.slots.y.dtype)

    def forward(self, n):
        y = self.slots.y[:n]
        y[:] = 0
        for out, inside in self.pixels:
            y[:, *out] += self.slots.x[:n][:, *inside]
        y *= self.share

    def backward(self, n):
        if self.slots.dx is None:
            return
        self.slots.dx[:n] = 0
        for out, inside in self.pixels:
            self.slots.dx[:n][:, *inside] += self.slots.dy[:n][:, *out] * self.share[out]


def pixel(array):
    """Return rows (N, C) as images of one pixel."""
    return None if array is None else array.reshape(len(array), 1, 1, -1)


class GlobalMaxPool(Layer):
    """Largest pixel of every channel over the whole image: (H, W, C) to (C,).

    Raises
    ------
    ValueError
        By `output_shape`, for an input that is no images.

    Examples
    --------
    >>> from cnnkit import GlobalMaxPool
    >>> GlobalMaxPool().output_shape((4, 4, 10))
    (10,)
    """

    keeps_bounds = True

    def output_shape(self, input_shape: Shape) -> Shape:
        return image_input(self, input_shape)[2:]

    def bind(self, slots: Slots) -> Op:
        windows = shapes.global_windows(slots.x.shape, self.owner)
        y, dy = pixel(slots.y), pixel(slots.dy)
        where = None if dy is None else slots.keep(y.shape, np.int32)
        return MaxPoolOp(windows, slots.x, y, where, dy, slots.dx)


class GlobalAvgPool(Layer):
    """Mean of every channel over the whole image: (H, W, C) to (C,).

    After a `Conv1x1` with one filter per class it is a head without weights (Lin et al., 2013,
    "Network in network").

    Raises
    ------
    ValueError
        By `output_shape`, for an input that is no images.

    Examples
    --------
    >>> from cnnkit import GlobalAvgPool
    >>> GlobalAvgPool().output_shape((4, 4, 10))
    (10,)
    """

    keeps_bounds = True

    def output_shape(self, input_shape: Shape) -> Shape:
        return image_input(self, input_shape)[2:]

    def bind(self, slots: Slots) -> Op:
        windows = shapes.global_windows(slots.x.shape, self.owner)
        return AvgPoolOp(windows, slots.x, pixel(slots.y), False, pixel(slots.dy), slots.dx)
