"""Standardisation of images and targets: statistics of the training set, kept as weights.

The statistics lie beside a network's other weights and are not trained. So a file, a pickle, a
checkpoint or the start of another fit holds them too::

    input/mean, input/scale      (C,)          x = (X - mean) / scale, channel by channel
    input/range                  (2,)          the least and the greatest number of X
    targets/mean, targets/scale  (n_outputs,)  y = output * scale + mean
"""

import warnings
from contextlib import suppress
from math import prod

import numpy as np

from cnnkit.data.reading import read_ahead
from cnnkit.exceptions import overflow_allowed
from cnnkit.layers.base import WeightSpec
from cnnkit.validate.values import short

INPUT, TARGETS = "input", "targets"
# sets of arrays that a network may scale
SETS: tuple[list[str], ...] = ([], [INPUT], [INPUT, TARGETS])
RANGE = "input/range"
LEAST = float(np.finfo(np.float32).tiny)  # smallest divisor
MOST_NUMBERS = 1 << 26  # numbers for statistics; of more, samples at equal distances are used
BLOCK = 1 << 18  # numbers that are processed at once
ALIKE = 10  # largest ratio of the deviations of channels that share a unit
LOOKED_AT = 256  # samples whose range is compared with the range in training
FEW = 32  # the same if they are read from files
# X has another scale if more than SHARE of its numbers lie outside of the range of training by more
# than BEYOND times its width, or if its own range is smaller by a factor of WITHIN: the first
# factor is for fewer than SEVERAL images, the second for more
BEYOND, SHARE = 1.0, 0.01
WITHIN, SEVERAL = (50, 12), 8

AS_IN_FIT = "predictions mean nothing unless X is scaled as in fit"
PREPROCESSING = {  # mean and scale of images with numbers from 0 to 255
    "imagenet": (
        (255 * 0.485, 255 * 0.456, 255 * 0.406),
        (255 * 0.229, 255 * 0.224, 255 * 0.225),
    ),
    "inception": (127.5, 127.5),  # -1 to 1
    "lite": (127, 128),  # EfficientNet-Lite
    "unit": (0, 255),  # 0 to 1
}


def fixed(preprocessing, channels, owner):
    """Return arrays by path for a fixed mean and scale of images with numbers from 0 to 255.

    `preprocessing` is a word of `PREPROCESSING`, or a mean and a scale: numbers, or one per
    channel.
    """
    known = isinstance(preprocessing, str) and preprocessing in PREPROCESSING
    pair = PREPROCESSING[preprocessing] if known else preprocessing
    found = None
    if not isinstance(pair, str):
        with suppress(TypeError, ValueError):
            mean, scale = (np.broadcast_to(np.asarray(x, np.float64), channels) for x in pair)
            found = mean, scale
    if found is None or not np.isfinite(found).all() or not (found[1] >= LEAST).all():
        raise ValueError(
            f"{owner}: preprocessing must be one of {list(PREPROCESSING)}, or (mean, scale) with "
            f"numbers or one for each of {channels} channels, got {short(preprocessing)}."
        )
    arrays = {f"{INPUT}/mean": found[0].copy(), f"{INPUT}/scale": found[1].copy()}
    return arrays | {RANGE: np.array([0.0, 255.0])}


def specs(scales, channels, n_outputs):
    """Return a `WeightSpec` by path for each statistic that `scales` names."""
    found = {}
    sizes = {INPUT: channels, TARGETS: n_outputs}
    for name in scales:
        shape = (sizes[name],)
        found[f"{name}/mean"] = WeightSpec(shape, trained=False)
        found[f"{name}/scale"] = WeightSpec(shape, start=1.0, trained=False, least=LEAST)
    if INPUT in scales:
        found[RANGE] = WeightSpec((2,), trained=False)
    return found


def kept(paths):
    """Return which arrays are scaled, given the paths of the weights."""
    return tuple(name for name in (INPUT, TARGETS) if f"{name}/scale" in paths)


def standardise(images, weights, unit):
    """Standardise, in place, images that were divided by `unit` before."""
    mean, scale = _rows(images, weights, unit)
    flat = images.reshape(len(images), -1)
    with overflow_allowed():
        flat -= mean
        flat *= scale


def load_standardised(batch, weights, out):
    """Write a batch of a user's images to `out`, standardised."""
    mean, scale = _rows(out, weights, 1)
    flat = out.reshape(len(out), -1)
    with overflow_allowed():
        # Integers may be too long for the network's floats, but the difference is not.
        np.subtract(batch.reshape(flat.shape), mean, out=flat, casting="unsafe")
        flat *= scale


def _rows(images, weights, unit):
    """Return the numbers to subtract from one image, and those to multiply it with."""
    mean, scale = weights["input/mean"], weights["input/scale"]
    if unit != 1:
        mean, scale = mean / mean.dtype.type(unit), scale / scale.dtype.type(unit)
    with overflow_allowed():
        scale = 1 / scale
    if len(mean) > 1:  # one long loop is faster than many short loops over channels
        pixels = prod(images.shape[1:-1])
        mean, scale = np.tile(mean, pixels), np.tile(scale, pixels)
    return mean, scale


class Statistics:
    """Mean, deviation and range of the channels of images, in one pass over a part at a time.

    Parameters
    ----------
    X : array of shape (n, ...)
    channels : int
    rows : array of indices, default=None
        Samples to use; None means all.
    weights : array of shape (n,), default=None
        Weights of the samples.

    Attributes
    ----------
    mean, scale : arrays of shape (channels,)
        `scale` is the standard deviation, or 1 for a constant channel. If the largest deviation is
        at most 10 times the smallest, the channels are assumed to share a unit, and all have the
        square root of their mean variance.
    constant : array of bool, shape (channels,)
    low, high : float
        The smallest and the largest number.
    pixels : int
        Number of pixels of one sample.
    blank : float
        Share of the samples whose numbers are all equal.
    """

    def __init__(self, X, channels, rows=None, weights=None):
        each = max(1, prod(X.shape[1:]))
        self.pixels = each // channels
        count = len(X) if rows is None else len(rows)
        stride = -(-count * each // MOST_NUMBERS)
        places = np.arange(0, count, stride)
        rows = places if rows is None else rows[places]
        step = max(1, BLOCK // each)
        self.low, self.high, blank = np.inf, -np.inf, 0
        self._shift = None
        self._mass = 0.0
        self._sums, self._squares = np.zeros((2, channels))
        with read_ahead(X, rows) as ahead:
            for start in range(0, len(rows), step):
                part = rows[start : start + step]
                images = ahead[part].reshape(len(part), -1)
                least, most = images.min(axis=1), images.max(axis=1)
                self.low = min(self.low, float(least.min()))
                self.high = max(self.high, float(most.max()))
                blank += int((least == most).sum())
                with overflow_allowed():
                    self._add(images.astype(np.float64), None if weights is None else weights[part])
        self.blank = blank / len(rows)
        with overflow_allowed():
            self._settle()

    def _add(self, images, weights):
        """Add images to the sums of differences from `_shift`, a first estimate of the mean."""
        pixels = images.shape[1] // len(self._sums)
        if self._shift is None:
            self._shift = self._by_channel(images.mean(axis=0)) / pixels
        images -= np.tile(self._shift, pixels)
        factor = 1.0 if weights is None else weights[:, None]
        self._mass += pixels * (len(images) if weights is None else float(weights.sum()))
        self._sums += self._by_channel((images * factor).sum(axis=0))
        np.square(images, out=images)
        self._squares += self._by_channel((images * factor).sum(axis=0))

    def _by_channel(self, numbers):
        return numbers.reshape(-1, len(self._sums)).sum(axis=0)

    def _settle(self):
        distance = self._sums / self._mass
        variance = np.maximum(self._squares / self._mass - distance**2, 0)
        self.mean = self._shift + distance
        # a deviation that is due to rounding counts as zero
        deviation = np.sqrt(variance)
        self.constant = deviation <= 1e-7 * np.abs(self.mean)
        varying = ~self.constant
        self.scale = np.where(varying, deviation, 1.0)
        if varying.any() and self.scale[varying].max() <= ALIKE * self.scale[varying].min():
            self.scale[:] = np.sqrt(variance[varying].mean())
        if not np.isfinite(self.scale).all():  # squares of numbers may be too large for float64
            self.scale = np.full(len(self.scale), max(-self.low, self.high))
            self.mean = np.zeros(len(self.scale))

    def put(self, weights, standardize, dtype):
        """Put the statistics into the weights of a network, for images of a dtype."""
        numbers = np.finfo(weights.flat.dtype)
        if standardize:
            weights["input/mean"] = np.clip(self.mean, numbers.min, numbers.max)
            weights["input/scale"] = np.clip(self.scale, LEAST, numbers.max)
        else:  # the scale of images that are not standardised
            weights["input/mean"] = 0
            weights["input/scale"] = 255 if dtype == np.uint8 else 1
        weights[RANGE] = np.clip((self.low, self.high), numbers.min, numbers.max)


def put_targets(weights, targets, rows, sample_weights, link=None):
    """Put mean and deviation of targets, of shape (n, ..., n_outputs), into a network's weights.

    Of images, the numbers of all pixels count; of very many, images at equal distances are used.
    With ``link="log"`` they become 0 and the mean: targets stay positive.
    """
    if targets.ndim > 2:
        rows = np.arange(len(targets)) if rows is None else rows
        rows = rows[:: -(-len(rows) * prod(targets.shape[1:]) // MOST_NUMBERS)]
    targets = targets if rows is None else targets[rows]
    if sample_weights is not None:
        sample_weights = sample_weights if rows is None else sample_weights[rows]
        sample_weights = np.repeat(sample_weights, prod(targets.shape[1:-1]))
    targets = targets.reshape(-1, targets.shape[-1]).astype(np.float64, copy=False)
    size = np.maximum(np.abs(targets).max(axis=0), LEAST)  # squares of quotients are finite
    shares = targets / size
    mean = np.average(shares, axis=0, weights=sample_weights)
    scale = np.sqrt(np.average((shares - mean) ** 2, axis=0, weights=sample_weights))
    constant = scale <= 1e-12 * np.abs(mean)
    if link == "log":
        mean, scale, constant = np.zeros_like(mean), mean, mean <= 0
    numbers = np.finfo(weights.flat.dtype)
    weights["targets/mean"] = np.clip(mean * size, numbers.min, numbers.max)
    scale = np.where(constant, 1.0, np.clip(scale * size, LEAST, numbers.max))
    weights["targets/scale"] = scale


def to_standard(targets, weights):
    """Return targets in the scale in which the network is trained."""
    if TARGETS not in kept(weights):
        return targets
    mean, scale = (weights[f"targets/{name}"].astype(np.float64) for name in ("mean", "scale"))
    return ((targets - mean) / scale).astype(targets.dtype, copy=False)


def from_standard(outputs, weights):
    """Return a network's outputs in the units of the targets; it may change `outputs`."""
    if TARGETS in kept(weights):
        outputs *= weights["targets/scale"]
        outputs += weights["targets/mean"]
    return outputs


def warn_of_another_scale(X, weights, owner, stacklevel, advice=AS_IN_FIT):
    """Warn if images have another scale than those with which weights were trained."""
    if INPUT not in kept(weights) or not len(X):
        return
    first = X[: LOOKED_AT if isinstance(X, np.ndarray) else FEW]
    low, high = float(first.min()), float(first.max())
    least, most = (float(number) for number in weights[RANGE])
    span = most - least
    far = least - BEYOND * span, most + BEYOND * span
    beyond = low < far[0] or high > far[1]
    beyond = beyond and ((first < far[0]) | (first > far[1])).mean() > SHARE
    small = span / WITHIN[len(first) >= SEVERAL]
    within = 0 < high - low < small and max(-low, high) < small
    if span > 0 and (beyond or within):
        warnings.warn(
            f"{owner}: X has numbers from {low:.4g} to {high:.4g}, training had {least:.4g} to "
            f"{most:.4g}: {advice}.",
            UserWarning,
            stacklevel=stacklevel,
        )
