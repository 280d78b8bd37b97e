"""Pooling layers."""

from __future__ import annotations

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
    stride : int or pair of ints, default=None
        `pool_size` when None.
    padding : int, pair, ((top, bottom), (left, right)), "valid" or "same", default="valid"
        Smaller than `pool_size`; padding is never the largest pixel.
    ceil_mode : bool, default=False
        Whether the number of windows is rounded up rather than down.

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
    ) -> None:
        self.pool_size = pool_size
        self.stride = stride
        self.padding = padding
        self.ceil_mode = ceil_mode

    def output_shape(self, input_shape: Shape) -> Shape:
        windows = pool_windows(self, input_shape)
        return windows.OH, windows.OW, windows.C

    def bind(self, slots: Slots) -> Op:
        windows = pool_windows(self, slots.x.shape[1:], len(slots.x))
        where = None if slots.dy is None else slots.keep(slots.y.shape, np.int32)
        return MaxPoolOp(windows, slots.x, slots.y, where, slots.dy, slots.dx)


class AvgPool(Layer):
    """Mean of every window in each channel.

    Parameters
    ----------
    pool_size, stride, padding, ceil_mode :
        As for `MaxPool`.
    count_include_pad : bool, default=False
        Whether a sum is divided by all pixels of the window, as by default in PyTorch, or by those
        inside the image, as in TensorFlow and ONNX.

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
    ) -> None:
        self.pool_size = pool_size
        self.stride = stride
        self.padding = padding
        self.ceil_mode = ceil_mode
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
        return AvgPoolOp(windows, slots.x, slots.y, self.count_include_pad, slots.dy, slots.dx)


class MaxPoolOp(native.MaxPoolOp, Op):
    """The op of `MaxPool` and `GlobalMaxPool`."""


class AvgPoolOp(native.AvgPoolOp, Op):
    """The op of `AvgPool` and `GlobalAvgPool`."""


def pool_windows(layer, input_shape, batch=1):
    """Return the `Windows` of a pooling layer over `batch` images."""
    shape = (batch, *image_input(layer, input_shape))
    return shapes.pool_windows(
        shape, layer.pool_size, layer.stride, layer.padding, layer.ceil_mode, layer.owner
    )


def pixel(array):
    """Return rows (N, C) as images of one pixel."""
    return None if array is None else array.reshape(len(array), 1, 1, -1)


class GlobalMaxPool(Layer):
    """Largest pixel of every channel over the whole image: (H, W, C) to (C,).

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
