"""`check_gradient`: the gradient of a loss beside slopes."""

from __future__ import annotations

from typing import Any

import numpy as np

from cnnkit.losses.base import Loss, OwnLoss
from cnnkit.validate.slopes import is_slope, slope


def check_gradient(loss: Loss, outputs: Any, targets: Any, *, tolerance: float = 1e-6) -> None:
    """Raise unless the gradient of a loss is the slope of its losses.

    Parameters
    ----------
    loss : Loss
        A loss of your own, or one of this module.
    outputs : array of shape (n, n_outputs)
        Values at which the gradient is checked, in float64.
    targets : array of shape (n, n_outputs)
        As in `Loss.loss_gradient`.
    tolerance : float, default=1e-6
        Largest difference between a gradient and the slope, for slopes up to 1; relative above.
        Across a kink it is larger by the difference of both sides.

    Raises
    ------
    AssertionError
        If a gradient is not the slope; the error names the number.
    TypeError, ValueError
        If `loss` is not a loss, or returns arrays of another shape.

    Examples
    --------
    >>> import numpy as np
    >>> from cnnkit.losses import Huber, check_gradient
    >>> rng = np.random.default_rng(0)
    >>> check_gradient(Huber(0.5), rng.standard_normal((4, 2)), rng.standard_normal((4, 2)))
    """
    if not isinstance(loss, Loss):
        raise TypeError(f"check_gradient: loss must be a cnnkit.losses.Loss, got {loss!r}.")
    outputs, targets = np.array(outputs, np.float64), np.array(targets, np.float64)
    if outputs.ndim != 2 or targets.shape != outputs.shape:
        raise ValueError(
            f"check_gradient: outputs and targets must be of one shape (n, n_outputs), "
            f"got {outputs.shape} and {targets.shape}."
        )
    own, gradient = OwnLoss(loss, loss), np.empty(outputs.shape)
    own(outputs, targets, gradient, total=1)
    for place in np.ndindex(outputs.shape):
        wanted, doubt = slope(lambda: own(outputs, targets, None, total=1), outputs, place)
        if not is_slope(gradient[place], wanted, doubt, tolerance):
            where = ", ".join(map(str, place))
            raise AssertionError(
                f"{type(loss).__name__}: gradient[{where}] must be the slope {wanted:.9g}, "
                f"got {gradient[place]:.9g}."
            )
