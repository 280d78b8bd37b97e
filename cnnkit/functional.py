"""Stateless functions on arrays: every operation of the layers, forward and backward.

Images are (N, H, W, C); `data_format="channels_first"` takes and gives (N, C, H, W), and
convolution weights (F, C / groups, KH, KW) for (KH, KW, C / groups, F). float64 stays float64;
float32 and every other real dtype is computed in float32. Sizes are ints or pairs
``(vertical, horizontal)``; padding is an int, a pair, ``((top, bottom), (left, right))``, "valid"
or "same" (TensorFlow's, which is ONNX's SAME_UPPER).
"""

import numpy as np
from scipy.special import log_softmax

from cnnkit import shapes
from cnnkit._native import loss as native_loss
from cnnkit._native.activation import ReLUOp
from cnnkit._native.pool import AvgPoolOp, MaxPoolOp
from cnnkit.arrays import as_reals, empty_bytes
from cnnkit.threads import one_blas_thread

__all__ = [
    "avg_pool2d",
    "avg_pool2d_backward",
    "col2im",
    "conv2d",
    "conv2d_backward",
    "dense",
    "dense_backward",
    "global_avg_pool2d",
    "global_avg_pool2d_backward",
    "im2col",
    "max_pool2d",
    "max_pool2d_backward",
    "relu",
    "relu_backward",
    "softmax",
    "softmax_backward",
    "softmax_cross_entropy",
    "softmax_cross_entropy_backward",
]


def im2col(x, kernel_size, stride=1, padding=0, dilation=1, *, data_format="channels_last"):
    """Lay out every window of a batch of images as one row of a matrix.

    A convolution is then one matrix product, ``cols @ w.reshape(-1, F)`` (Chellapilla et al.,
    2006, "High performance convolutional neural networks for document processing").

    Parameters
    ----------
    x : array of shape (N, H, W, C)
    kernel_size, stride, dilation : int or pair of ints
    padding : int, pair, pair of pairs, "valid" or "same"
    data_format : {"channels_last", "channels_first"}, default="channels_last"
        How `x` is laid out; the columns are (kh, kw, c) either way.

    Returns
    -------
    cols : array of shape (N * OH * OW, KH * KW * C)
        Column order (kh, kw, c); zeros where a window reaches outside the image.

    Raises
    ------
    ValueError, TypeError
        For a size that does not fit, naming the argument and its value.

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
    x = _channels_last(x, "x", data_format, owner)
    windows = shapes.windows(x.shape, kernel_size, stride, padding, dilation, owner=owner)
    cols = np.empty(windows.cols_shape, x.dtype)
    native.im2col(windows, x, cols)
    return cols


def col2im(
    cols, input_shape, kernel_size, stride=1, padding=0, dilation=1, *, data_format="channels_last"
):
    """Add every row of an im2col matrix back to the pixels it was taken from.

    The exact adjoint of `im2col`: ``(im2col(x) * cols).sum() == (x * col2im(cols)).sum()``. Where
    windows overlap their values are summed.

    Parameters
    ----------
    cols : array of shape (N * OH * OW, KH * KW * C)
    input_shape : tuple of 4 ints
        Shape of the images, laid out as `data_format` says.
    kernel_size, stride, padding, dilation, data_format :
        As given to `im2col`.

    Returns
    -------
    x : array of shape `input_shape`

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
    input_shape = _input_shape(input_shape, data_format, owner)
    windows = shapes.windows(input_shape, kernel_size, stride, padding, dilation, owner=owner)
    shapes.check_shape(cols, windows.cols_shape, "cols", owner)
    x = np.empty(input_shape, cols.dtype)
    native.col2im(windows, cols, x)
    return _as_given(x, data_format)


def conv2d(
    x,
    w,
    b=None,
    *,
    stride=1,
    padding=0,
    dilation=1,
    groups=1,
    algorithm="auto",
    out=None,
    data_format="channels_last",
):
    """Convolve a batch of images (cross-correlation, as all deep-learning libraries have it).

    ``y[n, i, j, f] = b[f] + sum over kh, kw, c of
    x[n, i * stride + kh * dilation - pad, j * stride + kw * dilation - pad, c] * w[kh, kw, c, f]``

    Parameters
    ----------
    x : array of shape (N, H, W, C)
    w : array of shape (KH, KW, C / groups, F)
    b : array of shape (F,), default=None
    stride, dilation : int or pair of ints, default=1
    padding : int, pair, pair of pairs, "valid" or "same", default=0
    groups : int, default=1
        Filters and channels are cut into this many groups that do not see one another.
    algorithm : {"auto", "direct", "im2col"}, default="auto"
        "direct" reads the pixels in place; "im2col" multiplies blocks of the im2col matrix by
        BLAS. "auto" takes "direct", and im2col for the gradient to x of a strided convolution.
    out : array of shape (N, OH, OW, F), default=None
        Where to write the result, of its dtype and C-contiguous in the given layout.
    data_format : {"channels_last", "channels_first"}, default="channels_last"

    Returns
    -------
    y : array of shape (N, OH, OW, F)

    Raises
    ------
    ValueError, TypeError
        For shapes and sizes that do not fit together, naming the argument and its value.

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
        _check_out(out, _as_given(y, data_format), owner)
        apart = not any(np.may_share_memory(out, a) for a in (x, w, b) if a is not None)
        if data_format == "channels_last" and apart:
            y = out
    op = _conv_op(owner, windows, groups, x, w, b, y, algorithm=algorithm)
    with one_blas_thread(op.uses_blas):
        op.forward(windows.N)
    if out is None:
        return _as_given(y, data_format)
    if y is not out:
        out[...] = _as_given(y, data_format)
    return out


def conv2d_backward(
    dy,
    x,
    w,
    *,
    stride=1,
    padding=0,
    dilation=1,
    groups=1,
    algorithm="auto",
    data_format="channels_last",
):
    """Return the gradients of a sum over `conv2d`'s output weighted by `dy`.

    Parameters
    ----------
    dy : array of shape (N, OH, OW, F)
    x, w, stride, padding, dilation, groups, algorithm, data_format :
        As given to `conv2d`.

    Returns
    -------
    dx : array of the shape of `x`
    dw : array of the shape of `w`
    db : array of shape (F,)

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
    dy = _gradient(dy, (windows.N, windows.OH, windows.OW, w.shape[3]), data_format, owner)
    dx, dw, db = np.empty_like(x), np.empty_like(w), np.empty(w.shape[3], w.dtype)
    op = _conv_op(owner, windows, groups, x, w, None, None, dy, dx, dw, db, algorithm=algorithm)
    with one_blas_thread(op.uses_blas):
        op.backward(windows.N)
    if data_format == "channels_first":
        dw = np.ascontiguousarray(dw.transpose(3, 2, 0, 1))
    return _as_given(dx, data_format), dw, db


def _conv_sizes(x, w, stride, padding, dilation, groups, data_format, owner):
    x = _channels_last(x, "x", data_format, owner)
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

    if algorithm not in ("auto", *ALGORITHMS):
        raise ValueError(
            f"{owner}: algorithm must be 'auto' or one of {ALGORITHMS}, got {algorithm!r}."
        )
    op = ConvOp(windows, groups, *arrays, algorithm=algorithm)
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


def max_pool2d(
    x, pool_size, stride=None, padding=0, ceil_mode=False, *, data_format="channels_last"
):
    """Take the largest pixel of every window, channel by channel; NaN wins, padding never does.

    Parameters
    ----------
    x : array of shape (N, H, W, C)
    pool_size : int or pair of ints
    stride : int or pair of ints, default=None
        `pool_size` when None.
    padding : int, pair, pair of pairs, "valid" or "same", default=0
        Smaller than `pool_size`.
    ceil_mode : bool, default=False
        Round the number of windows up: the last may reach past the image, but starts inside it or
        its leading padding.
    data_format : {"channels_last", "channels_first"}, default="channels_last"

    Returns
    -------
    y : array of shape (N, OH, OW, C)

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
    x = _channels_last(x, "x", data_format, owner)
    windows = shapes.pool_windows(x.shape, pool_size, stride, padding, ceil_mode, owner)
    y = np.empty((windows.N, windows.OH, windows.OW, windows.C), x.dtype)
    MaxPoolOp(windows, x, y, np.empty(y.shape, np.int32)).forward(windows.N)
    return _as_given(y, data_format)


def max_pool2d_backward(
    dy, x, pool_size, stride=None, padding=0, ceil_mode=False, *, data_format="channels_last"
):
    """Return `max_pool2d`'s gradient: each number of `dy` goes to its window's first maximum.

    Parameters
    ----------
    dy : array of shape (N, OH, OW, C)
    x, pool_size, stride, padding, ceil_mode, data_format :
        As given to `max_pool2d`.

    Returns
    -------
    dx : array of the shape of `x`
    """
    owner = "max_pool2d_backward"
    dy, x = as_reals(owner, dy=dy, x=x)
    x = _channels_last(x, "x", data_format, owner)
    windows = shapes.pool_windows(x.shape, pool_size, stride, padding, ceil_mode, owner)
    y = np.empty((windows.N, windows.OH, windows.OW, windows.C), x.dtype)
    dy = _gradient(dy, y.shape, data_format, owner)
    dx = np.empty_like(x)
    op = MaxPoolOp(windows, x, y, np.empty(y.shape, np.int32), dy, dx)
    op.forward(windows.N)
    op.backward(windows.N)
    return _as_given(dx, data_format)


def avg_pool2d(
    x,
    pool_size,
    stride=None,
    padding=0,
    ceil_mode=False,
    count_include_pad=False,
    *,
    data_format="channels_last",
):
    """Take the mean of every window, channel by channel.

    Parameters
    ----------
    x : array of shape (N, H, W, C)
    pool_size, stride, padding, ceil_mode, data_format :
        As for `max_pool2d`.
    count_include_pad : bool, default=False
        Divide by all pixels of a window (PyTorch's default) rather than by those in the image
        (TensorFlow's and ONNX's).

    Returns
    -------
    y : array of shape (N, OH, OW, C)

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
    x = _channels_last(x, "x", data_format, owner)
    windows = shapes.pool_windows(x.shape, pool_size, stride, padding, ceil_mode, owner)
    _check_bool(count_include_pad, "count_include_pad", owner)
    y = np.empty((windows.N, windows.OH, windows.OW, windows.C), x.dtype)
    AvgPoolOp(windows, x, y, count_include_pad).forward(windows.N)
    return _as_given(y, data_format)


def avg_pool2d_backward(
    dy,
    input_shape,
    pool_size,
    stride=None,
    padding=0,
    ceil_mode=False,
    count_include_pad=False,
    *,
    data_format="channels_last",
):
    """Return `avg_pool2d`'s gradient: each number of `dy` is shared out evenly over its window.

    Parameters
    ----------
    dy : array of shape (N, OH, OW, C)
    input_shape : tuple of 4 ints
        Shape of the images, laid out as `data_format` says.
    pool_size, stride, padding, ceil_mode, count_include_pad, data_format :
        As given to `avg_pool2d`.

    Returns
    -------
    dx : array of shape `input_shape`
    """
    owner = "avg_pool2d_backward"
    (dy,) = as_reals(owner, dy=dy)
    input_shape = _input_shape(input_shape, data_format, owner)
    windows = shapes.pool_windows(input_shape, pool_size, stride, padding, ceil_mode, owner)
    _check_bool(count_include_pad, "count_include_pad", owner)
    dy = _gradient(dy, (windows.N, windows.OH, windows.OW, windows.C), data_format, owner)
    dx = np.empty(input_shape, dy.dtype)
    AvgPoolOp(windows, None, None, count_include_pad, dy, dx).backward(windows.N)
    return _as_given(dx, data_format)


def global_avg_pool2d(x, *, data_format="channels_last"):
    """Take the mean of every channel over the whole image: (N, H, W, C) -> (N, C).

    Lin et al. (2013), "Network in network".
    """
    owner = "global_avg_pool2d"
    (x,) = as_reals(owner, x=x)
    x = _channels_last(x, "x", data_format, owner)
    windows = shapes.global_windows(x.shape, owner)
    y = np.empty((windows.N, 1, 1, windows.C), x.dtype)
    AvgPoolOp(windows, x, y, False).forward(windows.N)
    return y.reshape(windows.N, windows.C)


def global_avg_pool2d_backward(dy, input_shape, *, data_format="channels_last"):
    """Share each number of `dy` (N, C) out evenly over its channel of images `input_shape`."""
    owner = "global_avg_pool2d_backward"
    (dy,) = as_reals(owner, dy=dy)
    input_shape = _input_shape(input_shape, data_format, owner)
    windows = shapes.global_windows(input_shape, owner)
    shapes.check_shape(dy, (windows.N, windows.C), "dy", owner)
    dx = np.empty(input_shape, dy.dtype)
    dy = dy.reshape(windows.N, 1, 1, windows.C)
    AvgPoolOp(windows, None, None, False, dy, dx).backward(windows.N)
    return _as_given(dx, data_format)


def dense(x, w, b=None):
    """Return ``x @ w + b``: x (N, K), w (K, F), b (F,) or None.

    A dense layer is a 1x1 convolution of images of one pixel, and is computed as one.

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


def dense_backward(dy, x, w):
    """Return ``(dx, dw, db)`` of `dense` for a gradient `dy` (N, F)."""
    owner = "dense_backward"
    dy, x, w = as_reals(owner, dy=dy, x=x, w=w)
    pixels, kernel = _dense_sizes(x, w, owner)
    shapes.check_shape(dy, (len(x), w.shape[1]), "dy", owner)
    dx, dw, db = conv2d_backward(dy.reshape(len(x), 1, 1, w.shape[1]), pixels, kernel)
    return dx.reshape(x.shape), dw.reshape(w.shape), db


def _dense_sizes(x, w, owner):
    if x.ndim != 2 or w.ndim != 2 or x.shape[1] != w.shape[0] or 0 in w.shape:
        raise ValueError(
            f"{owner}: x must be (N, K) and w (K, F), K and F at least 1, "
            f"got {x.shape} and {w.shape}."
        )
    return x.reshape(len(x), 1, 1, x.shape[1]), w.reshape(1, 1, *w.shape)


def relu(x):
    """Return max(x, 0), number by number; NaN stays NaN."""
    (x,) = as_reals("relu", x=x)
    y = np.empty_like(x)
    ReLUOp(x.reshape(1, -1), y.reshape(1, -1)).forward(1)
    return y


def relu_backward(dy, y):
    """Return `dy` where `y`, the output of `relu`, is positive, and 0 elsewhere."""
    dy, y = as_reals("relu_backward", dy=dy, y=y)
    shapes.check_shape(dy, y.shape, "dy", "relu_backward")
    dx = np.empty_like(dy)
    ReLUOp(None, y.reshape(1, -1), dy.reshape(1, -1), dx.reshape(1, -1)).backward(1)
    return dx


def softmax(x):
    """Return ``exp(x) / sum(exp(x))`` over the last axis, shifted so that nothing overflows.

    Examples
    --------
    >>> import numpy as np
    >>> from cnnkit.functional import softmax
    >>> softmax(np.array([[1000.0, 1000.0]]))
    array([[0.5, 0.5]])
    """
    (x,) = as_reals("softmax", x=x)
    if x.ndim == 0 or x.shape[-1] == 0:
        raise ValueError(f"softmax: x must have a last axis of at least 1, got shape {x.shape}.")
    y = np.empty_like(x)
    native_loss.softmax(x.reshape(-1, x.shape[-1]), y.reshape(-1, x.shape[-1]))
    return y


def softmax_backward(dy, y):
    """Return ``y * (dy - sum(dy * y))`` over the last axis; `y` is the output of `softmax`."""
    dy, y = as_reals("softmax_backward", dy=dy, y=y)
    shapes.check_shape(dy, y.shape, "dy", "softmax_backward")
    return y * (dy - (dy * y).sum(axis=-1, keepdims=True))


def softmax_cross_entropy(logits, targets, sample_weight=None):
    """Return the weighted mean of ``-log softmax(logits)[target]`` over the rows.

    Parameters
    ----------
    logits : array of shape (n, k)
    targets : array of shape (n,) of class indices, or (n, k) of probabilities
    sample_weight : array of shape (n,), default=None
        Not negative, with a positive sum.

    Returns
    -------
    loss : float

    Examples
    --------
    >>> import numpy as np
    >>> from cnnkit.functional import softmax_cross_entropy
    >>> round(softmax_cross_entropy(np.zeros((3, 10)), np.array([0, 4, 9])), 4)
    2.3026
    """
    loss, _ = _cross_entropy(logits, targets, sample_weight, "softmax_cross_entropy", False)
    return loss


def softmax_cross_entropy_backward(logits, targets, sample_weight=None):
    """Return the gradient of `softmax_cross_entropy` with respect to `logits`."""
    owner = "softmax_cross_entropy_backward"
    _, dlogits = _cross_entropy(logits, targets, sample_weight, owner, True)
    return dlogits


def _cross_entropy(logits, targets, sample_weight, owner, gradient):
    (logits,) = as_reals(owner, logits=logits)
    if logits.ndim != 2 or 0 in logits.shape:
        raise ValueError(f"{owner}: logits must be (n, k), not empty, got shape {logits.shape}.")
    n, k = logits.shape
    targets = np.asarray(targets)
    if targets.ndim == 1 and targets.dtype.kind not in "iu":
        raise TypeError(f"{owner}: targets must be class indices, got dtype {targets.dtype}.")
    shapes.check_shape(targets, (n,) if targets.ndim == 1 else (n, k), "targets", owner)
    if targets.ndim == 1 and ((targets < 0) | (targets >= k)).any():
        bad = targets[(targets < 0) | (targets >= k)][0]
        raise ValueError(f"{owner}: targets must be from 0 to {k - 1}, got {bad}.")

    total = float(n)
    if sample_weight is not None:
        (sample_weight,) = as_reals(owner, sample_weight=sample_weight)
        sample_weight = sample_weight.astype(np.float64)
        shapes.check_shape(sample_weight, (n,), "sample_weight", owner)
        total = sample_weight.sum()
        if not (sample_weight >= 0).all() or not 0 < total < np.inf:
            raise ValueError(
                f"{owner}: sample_weight must not be negative and have a positive finite sum, "
                f"got a sum of {total}."
            )
    dlogits = np.empty_like(logits) if gradient else None
    if targets.ndim == 1:
        targets = np.ascontiguousarray(targets, np.intp)
        loss = native_loss.cross_entropy(logits, targets, sample_weight, dlogits)
    else:
        (targets,) = as_reals(owner, targets=targets)
        rows = np.ones(n) if sample_weight is None else sample_weight
        log_probabilities = log_softmax(logits, axis=1)
        # 0 * -inf is 0 here: an impossible class nobody asked for costs nothing
        costs = np.where(targets == 0, 0, targets * log_probabilities)
        loss = -(rows @ costs.sum(axis=1))
        if gradient:
            mass = targets.sum(axis=1, keepdims=True)
            dlogits[...] = rows[:, None] * (mass * np.exp(log_probabilities) - targets)
    if gradient:
        dlogits /= dlogits.dtype.type(total)
    return float(loss / total), dlogits


def _check_format(data_format, owner):
    if data_format not in ("channels_last", "channels_first"):
        raise ValueError(
            f"{owner}: data_format must be 'channels_last' or 'channels_first', "
            f"got {data_format!r}."
        )


def _channels_last(x, name, data_format, owner):
    _check_format(data_format, owner)
    if x.ndim != 4:
        raise ValueError(f"{owner}: {name} must have 4 dimensions, got shape {x.shape}.")
    if data_format == "channels_last":
        return x
    return np.ascontiguousarray(x.transpose(0, 2, 3, 1))


def _gradient(dy, shape, data_format, owner):
    if data_format == "channels_first":
        shape = (shape[0], shape[3], shape[1], shape[2])
    shapes.check_shape(dy, shape, "dy", owner)
    return _channels_last(dy, "dy", data_format, owner)


def _as_given(y, data_format):
    if data_format == "channels_last":
        return y
    return np.ascontiguousarray(y.transpose(0, 3, 1, 2))


def _input_shape(input_shape, data_format, owner):
    _check_format(data_format, owner)
    if not isinstance(input_shape, (tuple, list)) or len(input_shape) != 4:
        raise ValueError(f"{owner}: input_shape must be 4 ints, got {input_shape!r}.")
    sizes = tuple(shapes.as_int(size, "input_shape", owner, 0) for size in input_shape)
    shapes.check_product(sizes, "input_shape", input_shape, owner)
    return sizes if data_format == "channels_last" else (sizes[0], *sizes[2:], sizes[1])


def _check_bool(value, name, owner):
    if not isinstance(value, bool):
        raise TypeError(f"{owner}: {name} must be True or False, got {value!r}.")
