"""Training data that a user's function makes, batch after batch."""

from math import prod

import numpy as np
from sklearn.base import is_classifier
from sklearn.utils.validation import check_array, check_X_y

from cnnkit.data import images
from cnnkit.data.scaling import to_standard
from cnnkit.data.stream import Stream, StreamTargets, makes_batches
from cnnkit.estimators.defaults import is_auto
from cnnkit.estimators.image_targets import check_sizes
from cnnkit.estimators.inputs import TrainingData
from cnnkit.estimators.warnings import warn_of_layout, warn_of_one_hot
from cnnkit.validate import shapes
from cnnkit.validate.arrays import check_range, real_dtype
from cnnkit.validate.values import short


def are_batches(estimator, X, y, sample_weight, steps_per_epoch):
    """Say whether X, given to `fit`, makes batches; raise where other arguments do not suit it."""
    if y is not None or not makes_batches(X):
        if steps_per_epoch is not None:
            raise ValueError(
                f"{type(estimator).__name__}: steps_per_epoch must be None unless X makes batches "
                f"and y is None, got {steps_per_epoch!r}."
            )
        return False
    if sample_weight is not None:
        raise ValueError(
            f"{type(estimator).__name__}: sample_weight must be None where X makes batches, got "
            f"{short(sample_weight)}."
        )
    return True


class StreamData(TrainingData):
    """Samples and targets of a call of `fit` with batches: see `TrainingData`.

    The first epoch is read to learn the classes or the scale of targets; labels of later epochs
    must be of the same classes. Batches come in an order of their own, so `estimator` gets the
    values of `batch_size`, if it is "auto", and of `shuffle` that suit them.
    """

    def __init__(self, estimator, source, steps, *, again=False):
        owner = type(estimator).__name__
        _refuse(estimator)
        if steps is not None:
            shapes.as_int(steps, "steps_per_epoch", owner, 1)
        stream = Stream(source, steps, owner)
        estimator.shuffle = False
        if is_auto(estimator.batch_size):
            estimator.batch_size = stream.size
        real_dtype(stream.dtype, "X", owner)
        y = _as_targets(estimator, stream.y)
        if again:
            self.shape = estimator.input_shape_
            images.check_input_shape(stream, self.shape, owner)
        else:
            self.shape = images.input_shape(stream, estimator.image_shape, owner)
            warn_of_layout(stream, estimator.image_shape, owner)
            if is_classifier(estimator):
                warn_of_one_hot(y, owner)
        if estimator._has_image_targets:
            check_sizes(y, self.shape, owner)
        self.X, self.y = stream, y
        self.weights = self.sample_weight = self.rows = self.groups = self._held = None
        self.learnt = {"n_features_in_": prod(self.shape)} | estimator._learn(y)
        if again:
            estimator._check_learnt(self.learnt)
        self._encode(estimator, y)
        self._first, self._estimator, self._scale = self.targets, estimator, None
        self.targets = StreamTargets(stream, self._encoded, self._first)

    def _encoded(self, y):
        """Return the targets of a batch as the loss takes them."""
        owner = type(self._estimator).__name__
        found = self._estimator._encode(_as_targets(self._estimator, y), self.learnt)
        if self._scale is not None:
            found = to_standard(found, self._scale)
            check_range(found, self._scale.flat.dtype, "standardised y", owner, always=True)
        return found

    @property
    def known_targets(self):
        """The targets of the first epoch."""
        return self._first

    def _standardise(self, weights):
        self._scale, self._first = weights, to_standard(self._first, weights)

    def _hold(self, estimator, X_val, y_val, rng):
        if self.groups is not None:
            raise ValueError(
                f"{type(estimator).__name__}: groups must be None where X makes batches, which "
                f"are not split, got {short(self.groups)}."
            )
        if X_val is None and y_val is None and estimator.early_stopping:
            raise ValueError(
                f"{type(estimator).__name__}: X_val and y_val must be given for early_stopping "
                f"where X makes batches, got None."
            )
        return super()._hold(estimator, X_val, y_val, rng)


def _as_targets(estimator, y):
    """Return y of some samples after the checks of scikit-learn and of the estimator."""
    estimator._check_given(y)
    if estimator._has_image_targets:
        y = check_array(y, dtype=None, ensure_2d=False, allow_nd=True, input_name="y")
    else:
        rows = np.zeros((len(y), 1))
        _, y = check_X_y(rows, y, estimator=estimator, **estimator._target_options)
    return estimator._check_y(y)


def _refuse(estimator):
    """Raise if hyper-parameters need all samples at once."""
    wrong = {
        "solver": estimator.solver == "lbfgs",
        "class_weight": getattr(estimator, "class_weight", None) is not None,
        "return_train_score": estimator.return_train_score,
    }
    for name, refused in wrong.items():
        if refused:
            raise ValueError(
                f"{type(estimator).__name__}: {name} must be one that needs no sample twice where "
                f"X makes batches, got {getattr(estimator, name)!r}."
            )
