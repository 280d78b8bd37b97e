"""Softmax cross-entropy."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy.special import log_softmax

from cnnkit._native import loss as native
from cnnkit.validate import shapes
from cnnkit.validate.arrays import as_reals, check_unmasked, for_native

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

    from cnnkit.typing import Floats


def softmax_cross_entropy(
    logits: ArrayLike, targets: ArrayLike, sample_weight: ArrayLike | None = None
) -> float:
    """Return the weighted mean of ``-log softmax(logits)[target]`` over the rows.

    Parameters
    ----------
    logits : array of shape (n, k)
        Any numbers, one for each class.
    targets : array of shape (n,) or (n, k)
        Class indices, or a probability for each class.
    sample_weight : array of shape (n,), default=None
        Not negative, with a positive sum.

    Returns
    -------
    loss : float
        ``log(k)`` where all logits of a row are equal.

    Raises
    ------
    ValueError, TypeError
        If shapes do not fit together, or a target is no class.

    Examples
    --------
    >>> import numpy as np
    >>> from cnnkit.functional import softmax_cross_entropy
    >>> round(softmax_cross_entropy(np.zeros((3, 10)), np.array([0, 4, 9])), 4)
    2.3026
    """
    loss, _ = _cross_entropy(logits, targets, sample_weight, "softmax_cross_entropy", False)
    return loss


def softmax_cross_entropy_backward(
    logits: ArrayLike, targets: ArrayLike, sample_weight: ArrayLike | None = None
) -> Floats:
    """Return the gradient of `softmax_cross_entropy` with respect to `logits`.

    Parameters
    ----------
    logits : array of shape (n, k)
        As given to `softmax_cross_entropy`.
    targets : array of shape (n,) or (n, k)
        As given to `softmax_cross_entropy`.
    sample_weight : array of shape (n,), default=None
        As given to `softmax_cross_entropy`.

    Returns
    -------
    dlogits : array of shape (n, k)
        Probabilities minus targets, times the share of a row in all weights.

    Raises
    ------
    ValueError, TypeError
        As for `softmax_cross_entropy`.

    Examples
    --------
    >>> import numpy as np
    >>> from cnnkit.functional import softmax_cross_entropy_backward
    >>> softmax_cross_entropy_backward(np.zeros((2, 2)), np.array([0, 1]))
    array([[-0.25,  0.25],
           [ 0.25, -0.25]])
    """
    owner = "softmax_cross_entropy_backward"
    _, dlogits = _cross_entropy(logits, targets, sample_weight, owner, True)
    return dlogits


def _cross_entropy(logits, targets, sample_weight, owner, gradient):
    (logits,) = as_reals(owner, logits=logits)
    check_unmasked(targets, "targets", owner)
    if logits.ndim != 2 or 0 in logits.shape:
        raise ValueError(f"{owner}: logits must be (n, k), not empty, got shape {logits.shape}.")
    n, k = logits.shape
    targets = np.asarray(targets)
    if targets.ndim == 1:
        targets = targets.copy()  # a copy: what is checked is what is used
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
        targets = for_native(targets, np.intp)
        loss = native.cross_entropy(logits, targets, sample_weight, dlogits)
    else:
        (targets,) = as_reals(owner, targets=targets)
        rows = np.ones(n) if sample_weight is None else sample_weight
        log_probabilities = log_softmax(logits, axis=1)
        # 0 * -inf is 0 here: an impossible class with target 0 adds nothing to the loss
        costs = np.where(targets == 0, 0, targets * log_probabilities)
        # Not rows @ costs: the order of BLAS's sums may depend on the number of threads.
        loss = -(rows * costs.sum(axis=1)).sum()
        if gradient:
            mass = targets.sum(axis=1, keepdims=True)
            dlogits[...] = rows[:, None] * (mass * np.exp(log_probabilities) - targets)
    if gradient:
        dlogits /= dlogits.dtype.type(total)
    return float(loss / total), dlogits
