"""Activations."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from cnnkit._native import loss as native
from cnnkit._native.activation import ActivationOp
from cnnkit.validate import shapes
from cnnkit.validate.arrays import as_reals

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

    from cnnkit.typing import Floats


def relu(x: ArrayLike) -> Floats:
    """Return max(x, 0) for every number; NaN stays NaN.

    Parameters
    ----------
    x : array of any shape
        Real numbers.

    Returns
    -------
    y : array of the shape of `x`
        In float64 if `x` is, else in float32.

    Raises
    ------
    TypeError
        If `x` does not hold real numbers.

    Examples
    --------
    >>> import numpy as np
    >>> from cnnkit.functional import relu
    >>> relu(np.array([-1.0, 2.0]))
    array([0., 2.])
    """
    (x,) = as_reals("relu", x=x)
    y = np.empty_like(x)
    ActivationOp("relu", x.reshape(1, -1), y.reshape(1, -1)).forward(1)
    return y


def relu_backward(dy: ArrayLike, y: ArrayLike) -> Floats:
    """Return `dy` where `y`, the output of `relu`, is positive, and 0 elsewhere.

    Parameters
    ----------
    dy : array of any shape
        Gradient of the output.
    y : array of the same shape
        Output of `relu`.

    Returns
    -------
    dx : array of the same shape
        Gradient of the input.

    Raises
    ------
    ValueError, TypeError
        If the shapes differ, or an array does not hold real numbers.

    Examples
    --------
    >>> import numpy as np
    >>> from cnnkit.functional import relu_backward
    >>> relu_backward(np.array([5.0, 6.0]), np.array([0.0, 2.0]))
    array([0., 6.])
    """
    dy, y = as_reals("relu_backward", dy=dy, y=y)
    shapes.check_shape(dy, y.shape, "dy", "relu_backward")
    dx = np.empty_like(dy)
    saved, dy, flat = (array.reshape(1, -1) for array in (y, dy, dx))
    ActivationOp("relu", None, None, saved, dy, flat).backward(1)
    return dx


def softmax(x: ArrayLike) -> Floats:
    """Return ``exp(x) / sum(exp(x))`` over the last axis, shifted so that nothing overflows.

    Parameters
    ----------
    x : array of shape (..., k)
        Logits.

    Returns
    -------
    y : array of the shape of `x`
        Probabilities: from 0 to 1, with a sum of 1 over the last axis.

    Raises
    ------
    ValueError, TypeError
        If `x` does not hold real numbers, or has no last axis.

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
    native.softmax(x.reshape(-1, x.shape[-1]), y.reshape(-1, x.shape[-1]))
    return y


def softmax_backward(dy: ArrayLike, y: ArrayLike) -> Floats:
    """Return ``y * (dy - sum(dy * y))`` over the last axis; `y` is the output of `softmax`.

    Parameters
    ----------
    dy : array of shape (..., k)
        Gradient of the output.
    y : array of the same shape
        Output of `softmax`.

    Returns
    -------
    dx : array of the same shape
        Gradient of the input.

    Raises
    ------
    ValueError, TypeError
        If the shapes differ, or an array does not hold real numbers.

    Examples
    --------
    >>> import numpy as np
    >>> from cnnkit.functional import softmax_backward
    >>> softmax_backward(np.array([[1.0, 0.0]]), np.array([[0.5, 0.5]]))
    array([[ 0.25, -0.25]])
    """
    dy, y = as_reals("softmax_backward", dy=dy, y=y)
    shapes.check_shape(dy, y.shape, "dy", "softmax_backward")
    return y * (dy - (dy * y).sum(axis=-1, keepdims=True))
