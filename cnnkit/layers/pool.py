"""Pooling."""

import numpy as np

from cnnkit import shapes
from cnnkit._native.pool import AvgPoolOp, MaxPoolOp
from cnnkit.layers.base import Layer, image_input


class MaxPool(Layer):
    """Largest pixel of every window, channel by channel.

    Parameters
    ----------
    pool_size : int or pair of ints, default=2
    stride : int or pair of ints, default=None
        `pool_size` when None.
    padding : int, pair, ((top, bottom), (left, right)), "valid" or "same", default="valid"
        Smaller than `pool_size`; never the largest.
    ceil_mode : bool, default=False
        Round the number of windows up rather than down.

    Notes
    -----
    The gradient goes to the first of equal pixels.

    Examples
    --------
    >>> from cnnkit import MaxPool
    >>> MaxPool(2).output_shape((8, 8, 32))
    (4, 4, 32)
    """

    def __init__(self, pool_size=2, *, stride=None, padding="valid", ceil_mode=False):
        self.pool_size = pool_size
        self.stride = stride
        self.padding = padding
        self.ceil_mode = ceil_mode

    def _windows(self, input_shape, batch=1):
        shape = (batch, *image_input(self, input_shape))
        return shapes.pool_windows(
            shape, self.pool_size, self.stride, self.padding, self.ceil_mode, self.owner
        )

    def output_shape(self, input_shape):
        windows = self._windows(input_shape)
        return windows.OH, windows.OW, windows.C

    def bind(self, slots):
        windows = self._windows(slots.x.shape[1:], len(slots.x))
        where = np.empty(slots.y.shape, np.int32)
        return MaxPoolOp(windows, slots.x, slots.y, where, slots.dy, slots.dx)


class GlobalAvgPool(Layer):
    """Mean of every channel over the whole image: (H, W, C) to (C,).

    After a `Conv1x1` with one filter per class it makes a head without weights of its own (Lin et
    al., 2013, "Network in network").

    Examples
    --------
    >>> from cnnkit import GlobalAvgPool
    >>> GlobalAvgPool().output_shape((4, 4, 10))
    (10,)
    """

    def output_shape(self, input_shape):
        return image_input(self, input_shape)[2:]

    def bind(self, slots):
        def image(array):
            return None if array is None else array.reshape(len(array), 1, 1, -1)

        windows = shapes.global_windows(slots.x.shape, self.owner)
        return AvgPoolOp(windows, slots.x, image(slots.y), False, image(slots.dy), slots.dx)
