"""Checks of X, y and weights: images are not copied, indices of rows say which are used."""

from __future__ import annotations

from math import prod
from typing import TYPE_CHECKING, Any

import numpy as np
from sklearn.base import is_classifier
from sklearn.utils.validation import (
    _check_sample_weight,
    check_array,
    check_consistent_length,
    check_X_y,
    validate_data,
)

from cnnkit.data import images
from cnnkit.data.reading import Batches, opened
from cnnkit.data.scaling import TARGETS, Statistics, kept, put_targets, to_standard
from cnnkit.data.stream import Stream
from cnnkit.estimators.groups import group_numbers, split_groups
from cnnkit.estimators.image_targets import check_sizes
from cnnkit.estimators.input_kinds import explaining
from cnnkit.estimators.scoring import shown_targets
from cnnkit.estimators.snapshot import snapshot
from cnnkit.estimators.warnings import warn_of_layout, warn_of_one_hot
from cnnkit.exceptions import overflow_allowed
from cnnkit.validate.arrays import check_range, check_unmasked, real_dtype

if TYPE_CHECKING:
    from numpy.typing import DTypeLike

    from cnnkit.typing import Array

FAR = 100  # weights of samples more than 2**FAR away from 1 are rescaled


def shape_of(X):
    """Return the shape of X; no other attribute of a foreign array type is used."""
    return tuple(X.shape if hasattr(X, "ndim") else np.asarray(X).shape)


def check_training_data(estimator, X, y, fitted_shape=None):
    """Return X, y, the shape of one image, and the attributes that follow from X.

    The shape must be `fitted_shape`, if given. The estimator is not changed. The y is a copy and X
    a new view: what is checked is what is used, even if a thread writes to y or reshapes X
    meanwhile.
    """
    estimator = snapshot(estimator)  # scikit-learn's checks set attributes
    owner = type(estimator).__name__
    check_unmasked(X, "X", owner)
    estimator._check_given(y)
    options = estimator._target_options
    X = opened(X, owner)
    with explaining(X, owner):
        if fitted_shape is not None:
            images.check_axis(shape_of(X), fitted_shape, owner)
        if estimator._has_image_targets:
            X, y = check_image_targets(estimator, X, y, fitted_shape)
        elif isinstance(X, Batches):
            _, y = check_X_y(_as_many_rows(X), y, estimator=estimator, **options)
            vars(estimator).pop("feature_names_in_", None)
        elif len(shape_of(X)) > 2:
            X, y = check_X_y(X, y, allow_nd=True, estimator=estimator, **options)
            vars(estimator).pop("feature_names_in_", None)
        else:
            X, y = validate_data(estimator, X, y, reset=fitted_shape is None, **options)
    X, y = _view(X), y.copy()
    real_dtype(X.dtype, "X", owner)
    y = estimator._check_y(y)
    if fitted_shape is None:
        shape = images.input_shape(X, estimator.image_shape, owner)
        estimator.n_features_in_ = prod(shape)
    else:
        shape = fitted_shape
        images.check_input_shape(X, shape, owner)
    if estimator._has_image_targets:
        check_sizes(y, shape, owner)
    names = ("n_features_in_", "feature_names_in_")
    return X, y, shape, {name: vars(estimator)[name] for name in names if name in vars(estimator)}


def check_image_targets(estimator, X, y, fitted_shape):
    """Return X and y, images of any number of axes, after scikit-learn's checks of each."""
    if y is None:
        raise ValueError(f"{type(estimator).__name__} requires y to be passed, but y is None.")
    y = check_array(y, dtype=None, ensure_2d=False, allow_nd=True, input_name="y")
    if isinstance(X, Batches):
        check_array(_as_many_rows(X), estimator=estimator, input_name="X")
        vars(estimator).pop("feature_names_in_", None)
    elif len(shape_of(X)) == 2:
        X = validate_data(estimator, X, reset=fitted_shape is None)
    else:
        X = check_array(X, allow_nd=True, estimator=estimator, input_name="X")
        vars(estimator).pop("feature_names_in_", None)
    check_consistent_length(X, y)
    return X, y


def check_images(estimator: Any, X: Any, dtype: DTypeLike) -> Array:
    """Return X, which must have the shape of training and be finite in the network's type."""
    owner = type(estimator).__name__
    check_unmasked(X, "X", owner)
    X = opened(X, owner)
    with explaining(X, owner):
        shape = shape_of(X)
        if isinstance(X, Batches):
            check_array(_as_many_rows(X), estimator=estimator, input_name="X")
        elif len(shape) > 2:
            X = check_array(X, allow_nd=True, estimator=estimator, input_name="X")
        else:
            images.check_axis(shape, estimator.input_shape_, owner)
            X = validate_data(estimator, X, reset=False)
    X = _view(X)
    real_dtype(X.dtype, "X", owner)
    images.check_input_shape(X, estimator.input_shape_, owner)
    check_images_range(X, dtype, "X", owner)
    return X


def check_images_range(X, dtype, name, owner):
    """Raise unless images are finite in a type; those in files are checked as they are read."""
    if isinstance(X, (Batches, Stream)):
        X.limit = dtype
    else:
        check_range(X, dtype, name, owner)


def _as_many_rows(X):
    """Return numbers for the checks of scikit-learn, in the place of images that are not read."""
    return np.zeros((len(X), 1))


def _view(X):
    """Return a view, whose shape nobody changes, of an array."""
    return X if isinstance(X, Batches) else X[...]


class TrainingData:
    """Samples, targets and weights of a call of `fit`, or of `partial_fit` if `part`.

    With `again`, images and targets must have the shapes and classes of the last fit.

    Attributes
    ----------
    X, y : arrays
        The arguments of `fit`.
    shape : tuple
        (H, W, C) of one image.
    learnt : dict
        Attributes of the fitted estimator that follow from X and y: about inputs and outputs.
    rows : array of indices or None
        Samples to train on: those of positive weight that are not for validation; None means all.
    targets, weights : arrays of shape (n, ...)
        In the form that the loss takes; weights may be None.
    sample_weight : array of shape (n,) or None
        The weights without those of classes.
    groups : array of shape (n,) or None
        The groups of the samples, as numbers.
    for_loss : dict
        What the loss must know of the targets besides `learnt`.
    """

    def __init__(self, estimator, X, y, sample_weight, *, again=False, classes=None, part=False):
        fitted_shape = estimator.input_shape_ if again else None
        X, y, shape, learnt = check_training_data(estimator, X, y, fitted_shape)
        if not again:
            warn_of_layout(X, estimator.image_shape, type(estimator).__name__)
            if is_classifier(estimator):
                warn_of_one_hot(y, type(estimator).__name__)
        self.X = X
        self.y = y
        self.shape = shape
        self.weights = self.sample_weight = self.rows = self.groups = self._held = None
        if sample_weight is not None:
            check_unmasked(sample_weight, "sample_weight", type(estimator).__name__)
            self._weigh(sample_weight, estimator)
        used = y if self.rows is None else y[self.rows]
        self.learnt = learnt | estimator._learn(used, classes, part)
        if again:
            estimator._check_learnt(self.learnt)
        self._encode(estimator, used)

    @property
    def count(self):
        """Number of samples that training uses."""
        return len(self.X) if self.rows is None else len(self.rows)

    @property
    def known_targets(self):
        """The targets of all samples, an array."""
        return self.targets

    @property
    def samples(self):
        """The first arguments of `Training.run`: X, targets, rows and weights."""
        return self.X, self.targets, self.rows, self.weights

    def _weigh(self, sample_weight, estimator):
        """Fill `weights`, and leave out samples of weight zero."""
        owner = type(estimator).__name__
        weights = np.array(_check_sample_weight(sample_weight, self.X, dtype=np.float64))
        if (weights < 0).any():
            raise ValueError(f"{owner}: sample_weight must not be negative, got {weights.min()}.")
        if not weights.any():  # the message of scikit-learn from 1.9 on
            raise ValueError("Sample weights must contain at least one non-zero number.")
        if not weights.all():
            self.rows = np.flatnonzero(weights)
        self.weights = self.sample_weight = near_one(weights, "sample_weight", estimator)

    def _encode(self, estimator, used):
        """Fill `targets`, and multiply the weights by those of the classes."""
        targets = estimator._encode(used, self.learnt)
        self.targets = targets
        if self.rows is not None:
            self.targets = np.zeros((len(self.y), *targets.shape[1:]), targets.dtype)
            self.targets[self.rows] = targets
        rows = slice(None) if self.rows is None else self.rows
        weights = None if self.weights is None else self.weights[rows]
        self.for_loss = estimator._for_loss(targets, self.learnt, weights)
        factors = estimator._class_weights(used, targets, self.learnt, weights)
        if factors is None:
            return
        self.weights = np.ones(len(self.y)) if self.weights is None else self.weights.copy()
        self.weights[rows] *= near_one(factors, "class_weight", estimator)
        if not self.weights.any():
            raise ValueError(
                f"{type(estimator).__name__}: class_weight must leave a sample whose weight "
                f"is not zero, got {estimator.class_weight!r}."
            )
        if not self.weights.all():  # a class may have weight zero
            self.rows = np.flatnonzero(self.weights)

    @property
    def validated(self):
        """Whether samples are set aside for validation."""
        return self._held is not None

    def validation(self, estimator, X_val, y_val, rng, groups=None):
        """Return the arguments of a `Validation`, or None; split samples are removed from `rows`.

        The targets are standardised together with those of training.
        """
        if groups is not None:
            self.groups = group_numbers(groups, self.X, type(estimator).__name__)
        self._held = self._hold(estimator, X_val, y_val, rng)
        return self._held

    def _hold(self, estimator, X_val, y_val, rng):
        if (X_val is None) != (y_val is None):
            raise ValueError(
                f"{type(estimator).__name__}: X_val and y_val must be given together, "
                f"got {'X_val' if y_val is None else 'y_val'} alone."
            )
        if X_val is not None:
            return self._given_validation(estimator, X_val, y_val)
        if not estimator.early_stopping:
            return None
        rows = np.arange(len(self.X)) if self.rows is None else self.rows
        if self.groups is None:
            self.rows, kept = split(estimator, rows, self.targets, rng)
        else:
            self.rows, kept = split_groups(estimator, rows, self.targets, self.groups, rng)
        return self.measured() | {"rows": kept}

    def measured(self):
        """Return the arguments of a `Validation` for the samples of training."""
        return {
            "X": self.X,
            "targets": self.targets,
            "rows": self.rows,
            "weights": self.weights,
            "y": shown_targets(self.y),
            "sample_weight": self.sample_weight,
        }

    def _given_validation(self, estimator, X_val, y_val):
        owner = type(estimator).__name__
        check_unmasked(X_val, "X_val", owner)
        estimator._check_given(y_val, "y_val")
        X_val = opened(X_val, owner, "X_val")
        with explaining(X_val, owner, "X_val"):
            if isinstance(X_val, Batches):
                check_array(_as_many_rows(X_val), estimator=estimator, input_name="X_val")
            else:
                X_val = check_array(X_val, allow_nd=True, estimator=estimator, input_name="X_val")
        X_val = _view(X_val)
        real_dtype(X_val.dtype, "X_val", owner)
        images.check_input_shape(X_val, self.shape, owner, "X_val", "as X does")
        deep = {"allow_nd": estimator._has_image_targets}
        y_val = check_array(y_val, ensure_2d=False, dtype=None, input_name="y_val", **deep).copy()
        check_consistent_length(X_val, y_val)
        y_val = estimator._check_y(y_val)
        if estimator._has_image_targets:
            check_sizes(y_val, self.shape, owner, "y_val")
        targets = estimator._encode(y_val, self.learnt, "y_val")
        weights = estimator._class_weights(y_val, targets, self.learnt, None)
        if weights is not None:
            weights = near_one(weights, "class_weight", estimator)
        return {"X": X_val, "targets": targets, "weights": weights, "y": shown_targets(y_val)}

    def check_range(self, dtype, owner):
        """Raise unless images, and targets that are floats, are finite in a network's type."""
        check_images_range(self.X, dtype, "X", owner)
        given = {"y": self.known_targets}
        if self._held is not None and self._held["targets"] is not self.targets:
            check_images_range(self._held["X"], dtype, "X_val", owner)
            given["y_val"] = self._held["targets"]
        for name, targets in given.items():
            check_range(targets, dtype, name, owner)

    def put_statistics(self, weights, standardize):
        """Put the statistics of the samples into the weights of a network, and return them."""
        found = Statistics(self.X, self.shape[-1], self.rows, self.weights)
        found.put(weights, standardize, self.X.dtype)
        if TARGETS in kept(weights):
            link = self.learnt.get("link_")
            put_targets(weights, self.known_targets, self.rows, self.weights, link)
        return found

    def standardise_targets(self, weights, owner):
        """Standardise all targets by the scale in the weights of a network."""
        if TARGETS not in kept(weights):
            return
        with overflow_allowed():
            self._standardise(weights)
            if self._held is not None:
                self._held["targets"] = to_standard(self._held["targets"], weights)
        found = self.known_targets
        check_range(found, weights.flat.dtype, "standardised y", owner, always=True)

    def _standardise(self, weights):
        self.targets = to_standard(self.targets, weights)


def near_one(weights, name, estimator):
    """Return weights, scaled near to 1 by a power of two if float32 could not compute with them.

    Only the ratios of weights matter, except where `alpha` is divided by their sum.
    """
    largest = weights.max(initial=0)
    exponent = int(np.frexp(largest)[1])
    if abs(exponent) <= FAR or largest == 0:
        return weights
    if estimator.solver != "adamw" and estimator.alpha != 0:
        raise ValueError(
            f"{type(estimator).__name__}: {name} must have a largest weight from {2.0**-FAR:.1g} "
            f"to {2.0**FAR:.1g} with solver={estimator.solver!r}, which divides alpha by the sum "
            f"of weights, got {largest:.4g}: multiply all by a constant."
        )
    return np.ldexp(weights, -exponent)


def split(estimator, rows, targets, rng):
    """Return rows for training and rows for validation, with equal shares of the classes."""
    from sklearn.model_selection import train_test_split

    try:
        train, kept = train_test_split(
            rows,
            test_size=estimator.validation_fraction,
            random_state=int(rng.integers(2**31)),
            stratify=targets[rows] if targets.ndim == 1 else None,
        )
    except ValueError as error:
        raise ValueError(
            f"{type(estimator).__name__}: validation_fraction must leave samples of every class "
            f"on both sides, got {estimator.validation_fraction}: {error}"
        ) from None
    return np.sort(train), np.sort(kept)
