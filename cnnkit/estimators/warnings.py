"""Warnings of silent mistakes: data in another layout, training without progress.

Every warning says what to do, and is given once in a call of `fit`.
"""

import warnings
from collections.abc import Mapping
from math import isqrt, prod

import numpy as np
from sklearn.exceptions import ConvergenceWarning

from cnnkit.data import scaling
from cnnkit.layers import BatchNorm, Sigmoid, Softmax

SMALLEST_SIDE = 8  # flat rows may be images with sides of at least so many pixels
NARROW = 16  # most values of a signal at one time
LONG = 4  # an array so many times as long as wide is rather a signal than an image
MOST_CHANNELS = 4  # most channels of images whose channels may come first
DARK = 32  # uint8 images with all pixels below this use an eighth of their range
BLANK = 0.1  # share of images without any contrast
STILL = 1e-3  # a change below this part of the first loss is none
STILL_EPOCHS = 5
FEW_PIXELS = 8  # least pixels of a channel in a batch for a mean and a deviation


def warn_of_layout(X, image_shape, owner):
    """Warn if X looks like images or signals in another layout than assumed."""
    if image_shape is not None:
        return
    said = _say_of_layout(X.shape)
    if said:
        _warn(f"{owner}: X of shape {X.shape} {said}", stacklevel=6)


def _say_of_layout(shape):
    sizes = shape[1:]
    if len(sizes) == 1:
        return _say_of_rows(sizes[0])
    if len(sizes) == 2 and sizes[1] <= NARROW and sizes[0] >= LONG * sizes[1]:
        return (
            f"is taken for grey images of {sizes[0]}x{sizes[1]} pixels. If these are signals with "
            f"{sizes[1]} numbers at a time, say image_shape={(1, *sizes)}; if they are images, say "
            f"image_shape={(*sizes, 1)}."
        )
    if len(sizes) == 3 and sizes[0] <= MOST_CHANNELS < min(sizes[1:]):
        return (
            f"is taken for images of {sizes[0]}x{sizes[1]} pixels and {sizes[2]} channels, which "
            f"come last. If channels come first, give np.moveaxis(X, 1, -1); if not, say "
            f"image_shape={tuple(sizes)}."
        )
    return None


def _say_of_rows(length):
    for channels in (1, 3):
        side = isqrt(length // channels)
        if side >= SMALLEST_SIDE and side * side * channels == length:
            return (
                f"is taken for a table, {length} channels of one pixel. If the rows are images, "
                f"say image_shape={(side, side, channels)}; if signals, "
                f"image_shape={(1, length, 1)}; if a table, image_shape={(1, 1, length)}."
            )
    return None


def warn_of_one_hot(y, owner):
    """Warn if an indicator has one label in every row: it may be one-hot classes."""
    if y.ndim == 2 and y.shape[1] > 1 and len(y) > y.shape[1] and (y.sum(axis=1) == 1).all():
        _warn(
            f"{owner}: y has one label in every row, and is taken for a multilabel indicator: one "
            f"yes or no for each label. If every sample has one class, give y.argmax(axis=1).",
            stacklevel=6,
        )


def warn_of_data(found, dtype, standardize, owner):
    """Warn if the `Statistics` of a training set show images without contrast."""
    if found.constant.all():
        _warn(
            f"{owner}: X is constant in every channel, from {found.low:.4g} to {found.high:.4g}: "
            f"there is nothing to tell samples apart by.",
            stacklevel=6,
        )
    elif found.pixels > 1 and found.blank >= BLANK:
        _warn(
            f"{owner}: {found.blank:.0%} of the images in X are blank, all their numbers the same: "
            f"were they read as they should be?",
            stacklevel=6,
        )
    if dtype == np.uint8 and not standardize and 0 < found.high < DARK:
        _warn(
            f"{owner}: X is uint8 with numbers up to {found.high:.0f}, which standardize=False "
            f"divides by 255: give X / {found.high:.0f}, or leave standardize=True.",
            stacklevel=6,
        )


def warn_of_unused_scoring(estimator):
    """Warn that `scoring` scores nothing."""
    _warn(
        f"{type(estimator).__name__}: scoring={estimator.scoring!r} scores nothing: give fit X_val "
        f"and y_val, or set early_stopping=True or return_train_score=True.",
        stacklevel=6,
    )


def warn_of_small_batches(network, owner):
    """Warn if a batch norm has too few pixels in a batch for a mean and a deviation."""
    for node in network.resolved.nodes:
        if not isinstance(node.layer, BatchNorm) or node.name in network.frozen:
            continue
        pixels = network.batch_size * prod(network.resolved.shapes[node.name][:-1])
        if pixels < FEW_PIXELS:
            _warn(
                f"{owner}: {node.name!r} takes mean and deviation of {pixels} numbers a channel, "
                f"in batches of {network.batch_size} samples: give more samples, a larger "
                f"batch_size, or layers without BatchNorm.",
                stacklevel=6,
            )
            return


def warn_of_no_progress(estimator, losses):
    """Warn if the loss has not changed in several epochs."""
    change = max(losses, default=0.0) - min(losses, default=0.0)
    if len(losses) >= STILL_EPOCHS and losses[0] > STILL and change <= STILL * losses[0]:
        _warn(
            f"{type(estimator).__name__}: not learning: the loss was {losses[0]:.4g} in the first "
            f"of {len(losses)} epochs and {losses[-1]:.4g} in the last. Try another "
            f"learning_rate_init (lr_find(estimator, X, y).suggestion), standardize=True, layers "
            f"with BatchNorm, and look at X and y.",
            ConvergenceWarning,
            stacklevel=5,
        )


def last_layer(graph):
    """Return the last layer that changes numbers: it determines the range of the outputs.

    `graph` is a `Resolved`, or its `Leaves`.
    """
    nodes = {node.name: node for node in graph.nodes}
    node = nodes[graph.outputs[0]]
    while node.layer.keeps_bounds and node.inputs[0] in nodes:
        node = nodes[node.inputs[0]]
    return node.layer


def gives_any_number(graph):
    """Say whether the outputs of a graph can be any number, as no activation bounds them."""
    return not last_layer(graph).bounds_output


def refuse_probabilities(graph, owner):
    """Raise if a classifier's graph ends in probabilities: its loss needs logits."""
    found = last_layer(graph)
    if isinstance(found, (Softmax, Sigmoid)):
        raise ValueError(
            f"{owner}: layers must end in logits, any numbers, got {found!r} at the end: leave it "
            f"out, the loss and predict_proba turn logits into probabilities."
        )


def _warn(text, category=UserWarning, *, stacklevel):
    warnings.warn(text, category, stacklevel=stacklevel)


def warn_of_initial_scale(source, X, owner):
    """Warn if X has another scale than the images of initial weights, where those say it."""
    if isinstance(source, Mapping) and {f"{scaling.INPUT}/scale", scaling.RANGE} <= source.keys():
        advice = (
            "scale X as the images of initial_weights, whose input/mean and input/scale it gets"
        )
        scaling.warn_of_another_scale(X, source, owner, 6, advice)
