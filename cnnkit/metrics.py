"""Scores of predicted images: labels or numbers of pixels.

Scikit-learn's scores take one number or label per sample. Those here take arrays of any shape whose
first axis is the samples, and become scorers by ``sklearn.metrics.make_scorer``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from cnnkit.exceptions import overflow_allowed
from cnnkit.validate.arrays import check_unmasked
from cnnkit.validate.values import short

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

__all__ = [
    "mean_iou",
    "pixel_accuracy",
    "pixel_r2",
]


def pixel_accuracy(
    y_true: ArrayLike,
    y_pred: ArrayLike,
    *,
    ignore_label: Any = None,
    sample_weight: ArrayLike | None = None,
) -> float:
    """Return the share of pixels whose label is right.

    Parameters
    ----------
    y_true : array of shape (n, H, W), or any other
        True labels: numbers, or texts.
    y_pred : array of the same shape
        Predicted labels of the same kind.
    ignore_label : label, default=None
        Pixels that have it in `y_true` do not count.
    sample_weight : array of shape (n,), default=None
        Weights of the images' pixels.

    Returns
    -------
    score : float
        From 0 to 1.

    Raises
    ------
    ValueError
        If shapes or kinds of labels differ, or no pixel counts.

    Examples
    --------
    >>> from cnnkit.metrics import pixel_accuracy
    >>> pixel_accuracy([[[0, 1], [1, 255]]], [[[0, 1], [0, 0]]], ignore_label=255)
    0.6666666666666666
    """
    true, predicted, weights = _labels(
        y_true, y_pred, ignore_label, sample_weight, "pixel_accuracy"
    )
    return float(np.average(true == predicted, weights=weights))


def mean_iou(
    y_true: ArrayLike,
    y_pred: ArrayLike,
    *,
    labels: ArrayLike | None = None,
    ignore_label: Any = None,
    average: Literal["macro"] | None = "macro",
    sample_weight: ArrayLike | None = None,
) -> Any:
    """Return the intersection over union of predicted and true pixels, the mean over the labels.

    Of a label it is the number of pixels that have it in both arrays, divided by the number of
    those that have it in at least one (Jaccard, 1912). All pixels of all images are counted
    together, as in Everingham et al. (2010), "The Pascal visual object classes challenge".

    Parameters
    ----------
    y_true : array of shape (n, H, W), or any other
        True labels: numbers, or texts.
    y_pred : array of the same shape
        Predicted labels of the same kind.
    labels : array of shape (n_labels,), default=None
        Labels to be averaged, in the order of the result; None means all that occur, in order.
    ignore_label : label, default=None
        Pixels that have it in `y_true` do not count.
    average : "macro" or None, default="macro"
        "macro" is the mean over the labels that occur, None an array of shape (n_labels,), NaN for
        a label that does not occur.
    sample_weight : array of shape (n,), default=None
        Weights of the images' pixels.

    Returns
    -------
    score : float, or array of floats
        From 0 to 1; an array if `average` is None.

    Raises
    ------
    ValueError
        If shapes or kinds of labels differ, or no pixel counts.

    Examples
    --------
    >>> from cnnkit.metrics import mean_iou
    >>> y_true, y_pred = [[[0, 0], [1, 1]]], [[[0, 1], [1, 1]]]
    >>> mean_iou(y_true, y_pred, average=None).round(2).tolist()
    [0.5, 0.67]
    >>> from sklearn.metrics import make_scorer
    >>> scorer = make_scorer(mean_iou, ignore_label=255)  # for cross_val_score, GridSearchCV
    """
    if average not in ("macro", None):
        raise ValueError(f"mean_iou: average must be 'macro' or None, got {short(average)}.")
    true, predicted, weights = _labels(y_true, y_pred, ignore_label, sample_weight, "mean_iou")
    known = np.union1d(true, predicted)
    wanted = known if labels is None else np.asarray(labels)
    if wanted.ndim != 1 or not len(wanted) or _is_text(wanted) != _is_text(known):
        raise ValueError(
            f"mean_iou: labels must be a list of labels such as {known[0]!r}, got {short(labels)}."
        )
    true, predicted = (np.searchsorted(known, y) for y in (true, predicted))
    right = np.where(true == predicted, 1.0 if weights is None else weights, 0.0)
    both = np.bincount(true, right, len(known))
    either = sum(np.bincount(y, weights, len(known)) for y in (true, predicted)) - both
    found = np.full(len(known), np.nan)
    np.divide(both, either, out=found, where=either > 0)
    places = np.searchsorted(known, wanted).clip(max=len(known) - 1)
    found = np.where(known[places] == wanted, found[places], np.nan)
    if average is None:
        return found
    if np.isnan(found).all():
        raise ValueError(f"mean_iou: labels must occur in y_true or y_pred, got {short(labels)}.")
    return float(np.nanmean(found))


def pixel_r2(
    y_true: ArrayLike, y_pred: ArrayLike, *, sample_weight: ArrayLike | None = None
) -> float:
    """Return R^2 over all pixels: the mean over the channels.

    Parameters
    ----------
    y_true : array of shape (n, H, W) or (n, H, W, C)
        True numbers; NaN do not count.
    y_pred : array of the same shape
        Predicted numbers.
    sample_weight : array of shape (n,), default=None
        Weights of the images' pixels.

    Returns
    -------
    score : float
        At most 1.

    Raises
    ------
    ValueError
        If shapes differ, or no pixel counts.

    Examples
    --------
    >>> from cnnkit.metrics import pixel_r2
    >>> pixel_r2([[[0.0, 1.0], [2.0, 3.0]]], [[[0.0, 1.0], [2.0, 2.0]]])
    0.8
    """
    images, given = _alike(y_true, y_pred, "pixel_r2")
    if images.ndim not in (3, 4) or not {images.dtype.kind, given.dtype.kind} <= set("biuf"):
        raise ValueError(
            f"pixel_r2: y_true must be numbers (n, H, W) or (n, H, W, C), got {images.dtype} of "
            f"shape {images.shape}."
        )
    weights = _of_pixels(sample_weight, images.shape[:3], "pixel_r2")
    channels = images.shape[3] if images.ndim == 4 else 1
    a, b = (y.reshape(-1, channels).T for y in (images, given))
    return float(np.mean([_r2(*pair, weights) for pair in zip(a, b, strict=True)]))


def _r2(wanted, given, weights):
    """Return R^2 of vectors; that of a constant is 1 or 0, as in scikit-learn."""
    counts = ~np.isnan(wanted)
    wanted, given = (y[counts].astype(np.float64) for y in (wanted, given))
    weights = None if weights is None else weights[counts]
    if not wanted.size or (weights is not None and not weights.any()):
        raise ValueError("pixel_r2: y_true must have a pixel that counts, got none.")
    with overflow_allowed():
        residual = np.average((wanted - given) ** 2, weights=weights)
        spread = np.average((wanted - np.average(wanted, weights=weights)) ** 2, weights=weights)
    return float(residual == 0) if spread == 0 else float(1 - residual / spread)


def _alike(y_true, y_pred, owner):
    """Return two arrays, which must have one shape and no masked values."""
    for name, y in (("y_true", y_true), ("y_pred", y_pred)):
        check_unmasked(y, name, owner)
    y_true, y_pred = np.asarray(y_true), np.asarray(y_pred)
    if y_true.shape != y_pred.shape or not y_true.ndim:
        raise ValueError(
            f"{owner}: y_true and y_pred must have one shape, got {y_true.shape} and "
            f"{y_pred.shape}."
        )
    return y_true, y_pred


def _labels(y_true, y_pred, ignore_label, sample_weight, owner):
    """Return labels and weights of the pixels that count, as vectors."""
    y_true, y_pred = _alike(y_true, y_pred, owner)
    if _is_text(y_true) != _is_text(y_pred):
        raise ValueError(
            f"{owner}: y_true and y_pred must be labels of one kind, got {y_true.dtype} and "
            f"{y_pred.dtype}."
        )
    weights = _of_pixels(sample_weight, y_true.shape, owner)
    y_true, y_pred = y_true.reshape(-1), y_pred.reshape(-1)
    if ignore_label is not None:
        if isinstance(ignore_label, str) != _is_text(y_true):
            raise ValueError(
                f"{owner}: ignore_label must be a label such as {y_true[:1]}, got {ignore_label!r}."
            )
        counts = y_true != ignore_label
        y_true, y_pred = y_true[counts], y_pred[counts]
        weights = None if weights is None else weights[counts]
    if not len(y_true) or (weights is not None and not weights.any()):
        raise ValueError(f"{owner}: y_true must have a pixel that counts, got none.")
    return y_true, y_pred, weights


def _of_pixels(sample_weight, shape, owner):
    """Return the weights of samples for all their pixels, as a vector, or None."""
    if sample_weight is None:
        return None
    check_unmasked(sample_weight, "sample_weight", owner)
    weights = np.asarray(sample_weight, np.float64)
    if weights.shape != shape[:1] or not np.isfinite(weights).all() or (weights < 0).any():
        raise ValueError(
            f"{owner}: sample_weight must be one number for each of {shape[0]} images, finite and "
            f"not negative, got {short(sample_weight)}."
        )
    return np.repeat(weights, int(np.prod(shape[1:])))


def _is_text(labels):
    """Say whether labels are texts; those of dtype object are, if the first is."""
    if labels.dtype.kind == "O" and labels.size:
        return isinstance(labels.reshape(-1)[0], str)
    return labels.dtype.kind in "OU"
