"""im2col, convolution, and dense layers as 1x1 convolutions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from cnnkit._native.threads import one_blas_thread
from cnnkit.functional.layout import (
    as_given,
    channels_last,
    columns_as_given,
    columns_last,
    gradient_like,
    last_shape,
)
from cnnkit.validate import shapes
from cnnkit.validate.arrays import as_reals, empty_bytes

if TYPE_CHECKING:
    from cnnkit.validate.shapes import Windows

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

    from cnnkit.typing import Algorithm, DataFormat, Floats, IntPair, Padding


def im2col(
    x: ArrayLike,
    kernel_size: IntPair,
    stride: IntPair = 1,
    padding: Padding = 0,
    dilation: IntPair = 1,
    *,
    data_format: DataFormat = "channels_last",
) -> Floats:
    """Lay out every window of a batch of images as one row of a matrix.

    A convolution is then one matrix product, ``cols @ w.reshape(-1, F)``, or with channels first
    ``cols @ w.reshape(F, -1).T`` (Chellapilla et al., 2006, "High performance convolutional neural
    networks for document processing").

    Parameters
    ----------
    x : array of shape (N, H, W, C)
        Images, or (N, C, H, W) with channels first.
    kernel_size : int or pair of ints
        Rows and columns of a window, KH and KW.
    stride : int or pair of ints, default=1
        Rows and columns from one window to the next.
    padding : int, pair, pair of pairs, "valid" or "same", default=0
        Zeros around the image: one number for all sides, (vertical, horizontal), or ((top,
        bottom), (left, right)). "valid" is 0; "same" gives ``ceil(H / stride)`` rows of windows.
    dilation : int or pair of ints, default=1
        Rows and columns from one pixel of a window to the next; 1 leaves no gaps.
    data_format : {"channels_last", "channels_first"}, default="channels_last"
        Order of the axes of `x`, and of the columns.

    Returns
    -------
    cols : array of shape (N * OH * OW, KH * KW * C)
        Columns in the order of the weights: (kh, kw, c), or with channels first (c, kh, kw).
        Numbers outside of the image are zero.

    Raises
    ------
    ValueError, TypeError
        If a size does not fit; the error names the argument and its value.

    Examples
    --------
    >>> import numpy as np
    >>> from cnnkit.functional import im2col
    >>> im2col(np.arange(9.0).reshape(1, 3, 3, 1), 2)
    array([[0., 1., 3., 4.],
           [1., 2., 4., 5.],
           [3., 4., 6., 7.],
           [4., 5., 7., 8.]])
    """
    from cnnkit._native import im2col as native

    owner = "im2col"
    (x,) = as_reals(owner, x=x)
    x = channels_last(x, "x", data_format, owner)
    windows = shapes.windows(x.shape, kernel_size, stride, padding, dilation, owner=owner)
    cols = np.empty(windows.cols_shape, x.dtype)
    native.im2col(windows, x, cols)
    return columns_as_given(cols, x.shape[3], data_format)


def col2im(
    cols: ArrayLike,
    input_shape: Sequence[int],
    kernel_size: IntPair,
    stride: IntPair = 1,
    padding: Padding = 0,
    dilation: IntPair = 1,
    *,
    data_format: DataFormat = "channels_last",
) -> Floats:
    """Add every row of an im2col matrix to the pixels from which it was taken.

    It is the exact adjoint of `im2col`: ``(im2col(x) * cols).sum() == (x * col2im(cols)).sum()``.
    Values of overlapping windows are summed.

    Parameters
    ----------
    cols : array of shape (N * OH * OW, KH * KW * C)
        Columns in the order that `im2col` has for `data_format`.
    input_shape : tuple of 4 ints
        Shape of the images, laid out as `data_format` says.
    kernel_size : int or pair of ints
        As given to `im2col`.
    stride : int or pair of ints, default=1
        As given to `im2col`.
    padding : int, pair, pair of pairs, "valid" or "same", default=0
        As given to `im2col`.
    dilation : int or pair of ints, default=1
        As given to `im2col`.
    data_format : {"channels_last", "channels_first"}, default="channels_last"
        Order of the axes of the images, and of the columns.

    Returns
    -------
    x : array of shape `input_shape`
        For every pixel, the sum of the numbers of `cols` that come from it.

    Raises
    ------
    ValueError, TypeError
        If a size does not fit; the error names the argument and its value.

    Examples
    --------
    >>> import numpy as np
    >>> from cnnkit.functional import col2im
    >>> col2im(np.ones((4, 4)), (1, 3, 3, 1), 2)[0, :, :, 0]
    array([[1., 2., 1.],
           [2., 4., 2.],
           [1., 2., 1.]])
    """
    from cnnkit._native import im2col as native

    owner = "col2im"
    (cols,) = as_reals(owner, cols=cols)
    input_shape = last_shape(input_shape, data_format, owner)
    windows = shapes.windows(input_shape, kernel_size, stride, padding, dilation, owner=owner)
    shapes.check_shape(cols, windows.cols_shape, "cols", owner)
    x = np.empty(input_shape, cols.dtype)
    native.col2im(windows, columns_last(cols, input_shape[3], data_format), x)
    return as_given(x, data_format)


def conv2d(
    x: ArrayLike,
    w: ArrayLike,
    b: ArrayLike | None = None,
    *,
    stride: IntPair = 1,
    padding: Padding = 0,
    dilation: IntPair = 1,
    groups: int = 1,
    algorithm: Algorithm = "auto",
    out: Floats | None = None,
    data_format: DataFormat = "channels_last",
) -> Floats:
    """Convolve a batch of images (cross-correlation, as in all deep-learning libraries).

    ``y[n, i, j, f] = b[f] + sum over kh, kw, c of
    x[n, i * stride + kh * dilation - pad, j * stride + kw * dilation - pad, c] * w[kh, kw, c, f]``

    Parameters
    ----------
    x : array of shape (N, H, W, C)
        Images; with channels first (N, C, H, W).
    w : array of shape (KH, KW, C / groups, F)
        Kernels; with channels first (F, C / groups, KH, KW).
    b : array of shape (F,), default=None
        What is added to each filter; None adds nothing.
    stride : int or pair of ints, default=1
        Rows and columns from one window to the next.
    padding : int, pair, pair of pairs, "valid" or "same", default=0
        Zeros around the image: one number for all sides, (vertical, horizontal), or ((top,
        bottom), (left, right)). "valid" is 0; "same" gives ``ceil(H / stride)`` rows.
    dilation : int or pair of ints, default=1
        Rows and columns from one pixel of a window to the next; 1 leaves no gaps.
    groups : int, default=1
        Filters and channels are divided into so many groups; a filter reads only its own group.
    algorithm : {"auto", "exact", "direct", "im2col", "winograd"}, default="auto"
        "direct" reads the pixels in place. "im2col" multiplies blocks of the im2col matrix by
        BLAS. "winograd" computes 3x3 kernels with stride 1, without dilation or groups, by
        Winograd's algorithm, and all others as "direct". "auto" chooses the fastest for the shape
        of an image: "winograd" for most 3x3 kernels that it can compute, but for few channels or
        filters or tiny images, "direct" for others, and "im2col" with the portable instruction
        set. "exact" chooses the fastest without Winograd's algorithm. The notes give the error of
        each.
    out : array of shape (N, OH, OW, F), default=None
        Array for the result, with its dtype, C-contiguous in the given layout.
    data_format : {"channels_last", "channels_first"}, default="channels_last"
        Order of the axes of `x`, `w` and `y`.

    Returns
    -------
    y : array of shape (N, OH, OW, F)
        With channels first (N, F, OH, OW). In float64 if `x` is, else in float32.

    Raises
    ------
    ValueError, TypeError
        If shapes and sizes do not fit together; the error names the argument and its value.

    Notes
    -----
    In float32 the error of every number is below 1e-5 of the sum of the magnitudes of its terms. If
    signs are random and all data have one scale, it is below 1e-5 of the root mean square of the
    result.

    Winograd's algorithm computes tiles of 4x4 outputs from 6x6 pixels (Lavin & Gray, 2016, "Fast
    algorithms for convolutional neural networks"). Its error is below 2e-5 of the sum of magnitudes
    that would result if every pixel were as large as the largest pixel of its channel in the tile
    (for the gradient to w, also if every number of `dy` were as large as the largest in its tile).
    For data of one scale this is below 5e-5 of the root mean square of the result, and 2e-4 for the
    gradient to w. A pixel that is much larger than its neighbours makes all outputs of its tiles
    less exact, and a NaN or infinity spreads over its tiles: choose "exact" if single pixels or
    channels are thousands of times larger than others.

    Examples
    --------
    >>> import numpy as np
    >>> from cnnkit.functional import conv2d
    >>> x = np.arange(9.0).reshape(1, 3, 3, 1)
    >>> conv2d(x, np.ones((2, 2, 1, 1)))[0, :, :, 0]
    array([[ 8., 12.],
           [20., 24.]])
    """
    owner = "conv2d"
    x, w, b = as_reals(owner, x=x, w=w, b=b, optional="b")
    x, w, windows, groups = _conv_sizes(x, w, stride, padding, dilation, groups, data_format, owner)
    F = w.shape[3]
    if b is not None:
        shapes.check_shape(b, (F,), "b", owner)
    shape = (windows.N, windows.OH, windows.OW, F)
    shapes.check_product(shape, "w", w.shape, owner)
    y = np.empty(shape, x.dtype)
    if out is not None:
        _check_out(out, as_given(y, data_format), owner)
        apart = not any(np.may_share_memory(out, a) for a in (x, w, b) if a is not None)
        if data_format == "channels_last" and apart:
            y = out
    op = _conv_op(owner, windows, groups, x, w, b, y, algorithm=algorithm)
    with one_blas_thread(op.uses_blas):
        op.forward(windows.N)
    if out is None:
        return as_given(y, data_format)
    if y is not out:
        out[...] = as_given(y, data_format)
    return out


def conv2d_backward(
    dy: ArrayLike,
    x: ArrayLike,
    w: ArrayLike,
    *,
    stride: IntPair = 1,
    padding: Padding = 0,
    dilation: IntPair = 1,
    groups: int = 1,
    algorithm: Algorithm = "auto",
    data_format: DataFormat = "channels_last",
) -> tuple[Floats, Floats, Floats]:
    """Return the gradients of the sum of `conv2d`'s output, weighted by `dy`.

    Parameters
    ----------
    dy : array of shape (N, OH, OW, F)
        Gradient of the output, in the order of axes of the output.
    x : array of shape (N, H, W, C)
        As given to `conv2d`.
    w : array of shape (KH, KW, C / groups, F)
        As given to `conv2d`.
    stride : int or pair of ints, default=1
        As given to `conv2d`.
    padding : int, pair, pair of pairs, "valid" or "same", default=0
        As given to `conv2d`.
    dilation : int or pair of ints, default=1
        As given to `conv2d`.
    groups : int, default=1
        As given to `conv2d`.
    algorithm : {"auto", "exact", "direct", "im2col", "winograd"}, default="auto"
        As for `conv2d`.
    data_format : {"channels_last", "channels_first"}, default="channels_last"
        Order of the axes of `dy`, `x` and `w`.

    Returns
    -------
    dx : array of the shape of `x`
        Gradient of the images.
    dw : array of the shape of `w`
        Gradient of the kernels.
    db : array of shape (F,)
        Gradient of the bias: sums of `dy` over images and pixels.

    Raises
    ------
    ValueError, TypeError
        If shapes and sizes do not fit together; the error names the argument and its value.

    Examples
    --------
    >>> import numpy as np
    >>> from cnnkit.functional import conv2d_backward
    >>> x, w = np.arange(9.0).reshape(1, 3, 3, 1), np.ones((2, 2, 1, 1))
    >>> dx, dw, db = conv2d_backward(np.ones((1, 2, 2, 1)), x, w)
    >>> dw[:, :, 0, 0]
    array([[ 8., 12.],
           [20., 24.]])
    """
    owner = "conv2d_backward"
    dy, x, w = as_reals(owner, dy=dy, x=x, w=w)
    x, w, windows, groups = _conv_sizes(x, w, stride, padding, dilation, groups, data_format, owner)
    dy = gradient_like(dy, (windows.N, windows.OH, windows.OW, w.shape[3]), data_format, owner)
    dx, dw, db = np.empty_like(x), np.empty_like(w), np.empty(w.shape[3], w.dtype)
    op = _conv_op(owner, windows, groups, x, w, None, None, dy, dx, dw, db, algorithm=algorithm)
    with one_blas_thread(op.uses_blas):
        op.backward(windows.N)
    if data_format == "channels_first":
        dw = np.ascontiguousarray(dw.transpose(3, 2, 0, 1))
    return as_given(dx, data_format), dw, db


def _conv_sizes(
    x: Floats,
    w: Floats,
    stride: IntPair,
    padding: Padding,
    dilation: IntPair,
    groups: int,
    data_format: DataFormat,
    owner: str,
) -> tuple[Floats, Floats, Windows, int]:
    x = channels_last(x, "x", data_format, owner)
    if w.ndim != 4:
        raise ValueError(f"{owner}: w must have 4 dimensions, got shape {w.shape}.")
    if data_format == "channels_first":
        w = np.ascontiguousarray(w.transpose(2, 3, 1, 0))
    if 0 in w.shape or x.shape[3] == 0:
        raise ValueError(
            f"{owner}: w and the channels of x must not be empty, got {w.shape} and {x.shape}."
        )
    windows = shapes.windows(x.shape, w.shape[:2], stride, padding, dilation, owner=owner)
    groups = shapes.check_groups(groups, x.shape[3], w.shape[3], owner)
    if w.shape[2] * groups != x.shape[3]:
        raise ValueError(
            f"{owner}: w must have C / groups = {x.shape[3]} / {groups} channels, "
            f"got {w.shape[2]} (channels last: {w.shape})."
        )
    return x, w, windows, groups


def _conv_op(owner, windows, groups, *arrays, algorithm):
    from cnnkit._native.conv import ALGORITHMS, ConvOp

    if algorithm not in ALGORITHMS:
        raise ValueError(f"{owner}: algorithm must be one of {ALGORITHMS}, got {algorithm!r}.")
    op = ConvOp(windows, groups, *arrays, algorithm=algorithm, owner=owner)
    op.attach(empty_bytes(op.scratch_bytes))
    return op


def _check_out(out, like, owner):
    if not isinstance(out, np.ndarray):
        raise TypeError(f"{owner}: out must be an array, got {type(out).__name__}.")
    shapes.check_shape(out, like.shape, "out", owner)
    if out.dtype != like.dtype or not out.flags.c_contiguous or not out.flags.writeable:
        raise ValueError(
            f"{owner}: out must be a writable C-contiguous array of {like.dtype}, got {out.dtype}"
            f" with C_CONTIGUOUS={out.flags.c_contiguous}, WRITEABLE={out.flags.writeable}."
        )


def dense(x: ArrayLike, w: ArrayLike, b: ArrayLike | None = None) -> Floats:
    """Return ``x @ w + b``, a fully connected layer.

    It is computed as a 1x1 convolution of images of one pixel.

    Parameters
    ----------
    x : array of shape (N, K)
        Rows of numbers.
    w : array of shape (K, F)
        Weights.
    b : array of shape (F,), default=None
        What is added to each row; None adds nothing.

    Returns
    -------
    y : array of shape (N, F)
        In float64 if `x` is, else in float32.

    Raises
    ------
    ValueError, TypeError
        If shapes do not fit together; the error names the argument.

    Examples
    --------
    >>> import numpy as np
    >>> from cnnkit.functional import dense
    >>> dense(np.ones((1, 3)), np.ones((3, 2)), np.array([0.0, 1.0]))
    array([[3., 4.]])
    """
    owner = "dense"
    x, w, b = as_reals(owner, x=x, w=w, b=b, optional="b")
    pixels, kernel = _dense_sizes(x, w, owner)
    if b is not None:
        shapes.check_shape(b, w.shape[1:], "b", owner)
    return conv2d(pixels, kernel, b).reshape(len(x), w.shape[1])


def dense_backward(dy: ArrayLike, x: ArrayLike, w: ArrayLike) -> tuple[Floats, Floats, Floats]:
    """Return the gradients of the sum of `dense`'s output, weighted by `dy`.

    Parameters
    ----------
    dy : array of shape (N, F)
        Gradient of the output.
    x : array of shape (N, K)
        As given to `dense`.
    w : array of shape (K, F)
        As given to `dense`.

    Returns
    -------
    dx : array of shape (N, K)
        ``dy @ w.T``.
    dw : array of shape (K, F)
        ``x.T @ dy``.
    db : array of shape (F,)
        Sums of `dy` over the rows.

    Raises
    ------
    ValueError, TypeError
        If shapes and sizes do not fit together; the error names the argument and its value.

    Examples
    --------
    >>> import numpy as np
    >>> from cnnkit.functional import dense_backward
    >>> x, w = np.array([[1.0, 2.0]]), np.array([[3.0], [4.0]])
    >>> dense_backward(np.array([[10.0]]), x, w)
    (array([[30., 40.]]), array([[10.],
           [20.]]), array([10.]))
    """
    owner = "dense_backward"
    dy, x, w = as_reals(owner, dy=dy, x=x, w=w)
    pixels, kernel = _dense_sizes(x, w, owner)
    shapes.check_shape(dy, (len(x), w.shape[1]), "dy", owner)
    dx, dw, db = conv2d_backward(dy.reshape(len(x), 1, 1, w.shape[1]), pixels, kernel)
    return dx.reshape(x.shape), dw.reshape(w.shape), db


def _dense_sizes(x: Floats, w: Floats, owner: str) -> tuple[Floats, Floats]:
    if x.ndim != 2 or w.ndim != 2 or x.shape[1] != w.shape[0] or 0 in w.shape:
        raise ValueError(
            f"{owner}: x must be (N, K) and w (K, F), K and F at least 1, "
            f"got {x.shape} and {w.shape}."
        )
    return x.reshape(len(x), 1, 1, x.shape[1]), w.reshape(1, 1, *w.shape)
