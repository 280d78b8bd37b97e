"""Max, average and global average pooling."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from cnnkit._native.pool import AvgPoolOp, MaxPoolOp
from cnnkit.functional.layout import as_given, channels_last, gradient_like, last_shape
from cnnkit.validate import shapes
from cnnkit.validate.arrays import as_reals

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

    from cnnkit.typing import DataFormat, Floats, IntPair, Padding


def max_pool2d(
    x: ArrayLike,
    pool_size: IntPair,
    stride: IntPair | None = None,
    padding: Padding = 0,
    ceil_mode: bool = False,
    *,
    data_format: DataFormat = "channels_last",
) -> Floats:
    """Return the largest pixel of every window in each channel.

    NaN counts as the largest; padding is never taken.

    Parameters
    ----------
    x : array of shape (N, H, W, C)
        Images; with channels first (N, C, H, W).
    pool_size : int or pair of ints
        Rows and columns of a window; one number stands for both.
    stride : int or pair of ints, default=None
        Rows and columns from one window to the next; `pool_size` when None.
    padding : int, pair, pair of pairs, "valid" or "same", default=0
        Smaller than `pool_size`.
    ceil_mode : bool, default=False
        Whether the number of windows is rounded up: the last window may reach past the image, but
        starts inside it or its leading padding.
    data_format : {"channels_last", "channels_first"}, default="channels_last"
        Order of the axes of `x` and `y`.

    Returns
    -------
    y : array of shape (N, OH, OW, C)
        With channels first (N, C, OH, OW).

    Raises
    ------
    ValueError, TypeError
        If a size does not fit; the error names the argument and its value.

    Examples
    --------
    >>> import numpy as np
    >>> from cnnkit.functional import max_pool2d
    >>> max_pool2d(np.arange(16.0).reshape(1, 4, 4, 1), 2)[0, :, :, 0]
    array([[ 5.,  7.],
           [13., 15.]])
    """
    owner = "max_pool2d"
    (x,) = as_reals(owner, x=x)
    x = channels_last(x, "x", data_format, owner)
    windows = shapes.pool_windows(x.shape, pool_size, stride, padding, ceil_mode, owner)
    y = np.empty((windows.N, windows.OH, windows.OW, windows.C), x.dtype)
    MaxPoolOp(windows, x, y, None).forward(windows.N)
    return as_given(y, data_format)


def max_pool2d_backward(
    dy: ArrayLike,
    x: ArrayLike,
    pool_size: IntPair,
    stride: IntPair | None = None,
    padding: Padding = 0,
    ceil_mode: bool = False,
    *,
    data_format: DataFormat = "channels_last",
) -> Floats:
    """Return the gradient of `max_pool2d`: each number of `dy` goes to its window's first maximum.

    Parameters
    ----------
    dy : array of shape (N, OH, OW, C)
        Gradient of the output, in the order of axes of the output.
    x : array of shape (N, H, W, C)
        As given to `max_pool2d`.
    pool_size : int or pair of ints
        As given to `max_pool2d`.
    stride : int or pair of ints, default=None
        As given to `max_pool2d`.
    padding : int, pair, pair of pairs, "valid" or "same", default=0
        As given to `max_pool2d`.
    ceil_mode : bool, default=False
        As given to `max_pool2d`.
    data_format : {"channels_last", "channels_first"}, default="channels_last"
        Order of the axes of `dy` and `x`.

    Returns
    -------
    dx : array of the shape of `x`
        Gradient of the images.

    Raises
    ------
    ValueError, TypeError
        If shapes and sizes do not fit together; the error names the argument and its value.

    Examples
    --------
    >>> import numpy as np
    >>> from cnnkit.functional import max_pool2d_backward
    >>> x = np.arange(16.0).reshape(1, 4, 4, 1)
    >>> max_pool2d_backward(np.ones((1, 2, 2, 1)), x, 2)[0, :, :, 0]
    array([[0., 0., 0., 0.],
           [0., 1., 0., 1.],
           [0., 0., 0., 0.],
           [0., 1., 0., 1.]])
    """
    owner = "max_pool2d_backward"
    dy, x = as_reals(owner, dy=dy, x=x)
    x = channels_last(x, "x", data_format, owner)
    windows = shapes.pool_windows(x.shape, pool_size, stride, padding, ceil_mode, owner)
    y = np.empty((windows.N, windows.OH, windows.OW, windows.C), x.dtype)
    dy = gradient_like(dy, y.shape, data_format, owner)
    dx = np.empty_like(x)
    op = MaxPoolOp(windows, x, y, np.empty(y.shape, np.int32), dy, dx)
    op.forward(windows.N)
    op.backward(windows.N)
    return as_given(dx, data_format)


def avg_pool2d(
    x: ArrayLike,
    pool_size: IntPair,
    stride: IntPair | None = None,
    padding: Padding = 0,
    ceil_mode: bool = False,
    count_include_pad: bool = False,
    *,
    data_format: DataFormat = "channels_last",
) -> Floats:
    """Return the mean of every window in each channel.

    Parameters
    ----------
    x : array of shape (N, H, W, C)
        Images; with channels first (N, C, H, W).
    pool_size : int or pair of ints
        As for `max_pool2d`.
    stride : int or pair of ints, default=None
        As for `max_pool2d`.
    padding : int, pair, pair of pairs, "valid" or "same", default=0
        As for `max_pool2d`.
    ceil_mode : bool, default=False
        As for `max_pool2d`.
    count_include_pad : bool, default=False
        Whether a sum is divided by all pixels of the window, as by default in PyTorch, or by those
        inside the image, as in TensorFlow and ONNX.
    data_format : {"channels_last", "channels_first"}, default="channels_last"
        Order of the axes of `x` and `y`.

    Returns
    -------
    y : array of shape (N, OH, OW, C)
        With channels first (N, C, OH, OW).

    Raises
    ------
    ValueError, TypeError
        If a size does not fit; the error names the argument and its value.

    Examples
    --------
    >>> import numpy as np
    >>> from cnnkit.functional import avg_pool2d
    >>> avg_pool2d(np.arange(16.0).reshape(1, 4, 4, 1), 2)[0, :, :, 0]
    array([[ 2.5,  4.5],
           [10.5, 12.5]])
    """
    owner = "avg_pool2d"
    (x,) = as_reals(owner, x=x)
    x = channels_last(x, "x", data_format, owner)
    windows = shapes.pool_windows(x.shape, pool_size, stride, padding, ceil_mode, owner)
    _check_bool(count_include_pad, "count_include_pad", owner)
    y = np.empty((windows.N, windows.OH, windows.OW, windows.C), x.dtype)
    AvgPoolOp(windows, x, y, count_include_pad).forward(windows.N)
    return as_given(y, data_format)


def avg_pool2d_backward(
    dy: ArrayLike,
    input_shape: Sequence[int],
    pool_size: IntPair,
    stride: IntPair | None = None,
    padding: Padding = 0,
    ceil_mode: bool = False,
    count_include_pad: bool = False,
    *,
    data_format: DataFormat = "channels_last",
) -> Floats:
    """Return the gradient of `avg_pool2d`: each number of `dy` is divided evenly over its window.

    Parameters
    ----------
    dy : array of shape (N, OH, OW, C)
        Gradient of the output, in the order of axes of the output.
    input_shape : tuple of 4 ints
        Shape of the images, laid out as `data_format` says.
    pool_size : int or pair of ints
        As given to `avg_pool2d`.
    stride : int or pair of ints, default=None
        As given to `avg_pool2d`.
    padding : int, pair, pair of pairs, "valid" or "same", default=0
        As given to `avg_pool2d`.
    ceil_mode : bool, default=False
        As given to `avg_pool2d`.
    count_include_pad : bool, default=False
        As given to `avg_pool2d`.
    data_format : {"channels_last", "channels_first"}, default="channels_last"
        Order of the axes of `dy` and `dx`.

    Returns
    -------
    dx : array of shape `input_shape`
        Gradient of the images.

    Raises
    ------
    ValueError, TypeError
        If shapes and sizes do not fit together; the error names the argument and its value.

    Examples
    --------
    >>> import numpy as np
    >>> from cnnkit.functional import avg_pool2d_backward
    >>> avg_pool2d_backward(np.ones((1, 1, 2, 1)), (1, 2, 4, 1), 2)[0, :, :, 0]
    array([[0.25, 0.25, 0.25, 0.25],
           [0.25, 0.25, 0.25, 0.25]])
    """
    owner = "avg_pool2d_backward"
    (dy,) = as_reals(owner, dy=dy)
    input_shape = last_shape(input_shape, data_format, owner)
    windows = shapes.pool_windows(input_shape, pool_size, stride, padding, ceil_mode, owner)
    _check_bool(count_include_pad, "count_include_pad", owner)
    dy = gradient_like(dy, (windows.N, windows.OH, windows.OW, windows.C), data_format, owner)
    dx = np.empty(input_shape, dy.dtype)
    AvgPoolOp(windows, None, None, count_include_pad, dy, dx).backward(windows.N)
    return as_given(dx, data_format)


def _check_bool(value, name, owner):
    if not isinstance(value, bool):
        raise TypeError(f"{owner}: {name} must be True or False, got {value!r}.")


def global_avg_pool2d(x: ArrayLike, *, data_format: DataFormat = "channels_last") -> Floats:
    """Return the mean of every channel over the whole image: (N, H, W, C) -> (N, C).

    Lin et al. (2013), "Network in network".

    Parameters
    ----------
    x : array of shape (N, H, W, C)
        Images; with channels first (N, C, H, W).
    data_format : {"channels_last", "channels_first"}, default="channels_last"
        Order of the axes of `x`.

    Returns
    -------
    y : array of shape (N, C)
        Means over rows and columns.

    Raises
    ------
    ValueError, TypeError
        If shapes and sizes do not fit together; the error names the argument and its value.

    Examples
    --------
    >>> import numpy as np
    >>> from cnnkit.functional import global_avg_pool2d
    >>> global_avg_pool2d(np.arange(8.0).reshape(1, 2, 2, 2))
    array([[3., 4.]])
    """
    owner = "global_avg_pool2d"
    (x,) = as_reals(owner, x=x)
    x = channels_last(x, "x", data_format, owner)
    windows = shapes.global_windows(x.shape, owner)
    y = np.empty((windows.N, 1, 1, windows.C), x.dtype)
    AvgPoolOp(windows, x, y, False).forward(windows.N)
    return y.reshape(windows.N, windows.C)


def global_avg_pool2d_backward(
    dy: ArrayLike, input_shape: Sequence[int], *, data_format: DataFormat = "channels_last"
) -> Floats:
    """Divide each number of `dy` evenly over its channel in images of `input_shape`.

    Parameters
    ----------
    dy : array of shape (N, C)
        Gradient of the output of `global_avg_pool2d`.
    input_shape : tuple of 4 ints
        Shape of the images, laid out as `data_format` says.
    data_format : {"channels_last", "channels_first"}, default="channels_last"
        Order of the axes of `dx`.

    Returns
    -------
    dx : array of shape `input_shape`
        Gradient of the images.

    Raises
    ------
    ValueError, TypeError
        If shapes and sizes do not fit together; the error names the argument and its value.

    Examples
    --------
    >>> import numpy as np
    >>> from cnnkit.functional import global_avg_pool2d_backward
    >>> global_avg_pool2d_backward(np.array([[4.0]]), (1, 2, 2, 1))[0, :, :, 0]
    array([[1., 1.],
           [1., 1.]])
    """
    owner = "global_avg_pool2d_backward"
    (dy,) = as_reals(owner, dy=dy)
    input_shape = last_shape(input_shape, data_format, owner)
    windows = shapes.global_windows(input_shape, owner)
    shapes.check_shape(dy, (windows.N, windows.C), "dy", owner)
    dx = np.empty(input_shape, dy.dtype)
    dy = dy.reshape(windows.N, 1, 1, windows.C)
    AvgPoolOp(windows, None, None, False, dy, dx).backward(windows.N)
    return as_given(dx, data_format)
