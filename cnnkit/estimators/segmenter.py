"""The segmenter."""

from __future__ import annotations

from math import prod
from numbers import Integral
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Self, Unpack

import numpy as np
from scipy.special import log_softmax
from sklearn.base import clone
from sklearn.utils._param_validation import StrOptions
from sklearn.utils.class_weight import compute_class_weight

from cnnkit.estimators.base import BaseCNN
from cnnkit.estimators.classifier import for_steps
from cnnkit.estimators.image_targets import BLOCK, ImageTargets, blocks_of
from cnnkit.estimators.labels import check_labels, is_numeric, shown
from cnnkit.estimators.options import Reals, Shared, extends
from cnnkit.estimators.snapshot import of_one_moment
from cnnkit.estimators.warnings import refuse_probabilities
from cnnkit.functional import softmax
from cnnkit.losses import Loss, OwnLoss, SoftmaxCrossEntropy
from cnnkit.metrics import pixel_accuracy
from cnnkit.validate.values import as_real, short

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

    from cnnkit.graph.graph import Graph
    from cnnkit.typing import Array, Floats, Layers, Model


@extends(BaseCNN)
class CNNSegmenter(ImageTargets, BaseCNN):
    """Convolutional network that gives every pixel of an image a class.

    The loss is softmax cross-entropy, averaged over the pixels that count.

    Parameters
    ----------
    {parameters}
    class_weight : dict of class to weight, "balanced" or None, default=None
        Factors for the weights of a class's pixels; "balanced" gives all classes the same total
        weight.
    ignore_label : label, default=None
        Pixels with this label do not count, in training and in `score`, such as 255 at the borders
        of things. It is not among the classes.
    label_smoothing : float, default=0
        Share of every target that is spread over all classes.
    loss : "log_loss" or Loss, default="log_loss"
        The loss that is averaged over pixels: cross-entropy, or your own loss of logits, an
        instance of `cnnkit.losses.Loss`, whose samples are the pixels and which `save` refuses.

    Attributes
    ----------
    classes_ : array of shape (n_classes,)
        Labels of the classes in order, which is that of channels of probabilities.
    n_outputs_ : int
        Number of classes.
    {attributes}

    Notes
    -----
    The network must end in maps as large as the images, one per class, as `cnnkit.models.unet` and
    `cnnkit.models.fcn` do; ``layers=None`` means `cnnkit.models.default_unet`.

    Augmentations move the labels with the images; what they bring in from outside of an image does
    not count. With `test_time_augmentation` the outputs of moved copies are moved back.

    To scikit-learn it is no classifier, since its targets are images: splits are not stratified,
    and scores are those of `cnnkit.metrics`, by ``make_scorer(mean_iou)`` in searches.

    Examples
    --------
    >>> import numpy as np
    >>> from cnnkit import CNNSegmenter
    >>> rng = np.random.default_rng(0)
    >>> y = np.zeros((40, 16, 16), int)
    >>> for mask, (i, j) in zip(y, rng.integers(0, 10, (40, 2))):
    ...     mask[i : i + 6, j : j + 6] = 1
    >>> X = y + rng.normal(0, 0.5, y.shape)
    >>> seg = CNNSegmenter(max_iter=10, random_state=0).fit(X[:30], y[:30])
    >>> seg.score(X[30:], y[30:]) > 0.9
    True
    >>> seg.predict_proba(X[30:]).shape
    (10, 16, 16, 2)
    """

    classes_: Array
    n_outputs_: int

    _parameter_constraints: ClassVar[dict[str, Any]] = {
        **BaseCNN._parameter_constraints,
        "class_weight": [StrOptions({"balanced"}), dict, None],
        "ignore_label": [None, Integral, str],
        "label_smoothing": [Reals(0, 1, closed="left")],
        "loss": [StrOptions({"log_loss"}), Loss],
    }
    _output_word = "class"
    _learned_of_targets = ("classes_",)
    _labels_pixels = True

    def __init__(
        self,
        layers: Layers | Graph | Model | None = None,
        *,
        class_weight: dict[Any, float] | Literal["balanced"] | None = None,
        ignore_label: int | str | None = None,
        label_smoothing: float = 0.0,
        loss: Literal["log_loss"] | Loss = "log_loss",
        **shared: Unpack[Shared],
    ) -> None:
        super().__init__(layers, **shared)
        self.class_weight = class_weight
        self.ignore_label = ignore_label
        self.label_smoothing = label_smoothing
        self.loss = loss

    @for_steps
    def partial_fit(
        self,
        X: ArrayLike,
        y: ArrayLike,
        classes: ArrayLike | None = None,
        sample_weight: ArrayLike | None = None,
    ) -> Self:
        """Train for one epoch over the samples given, starting from the present weights.

        Early ends of training (`early_stopping`, `tol`, `max_time`) and callbacks are for `fit`
        only. If an error or Ctrl-C ends the call, the estimator is as it was before.

        Parameters
        ----------
        X : array of shape (n, H, W, C), (n, H, W) or (n, features)
            As in `fit`.
        y : array of shape (n, H, W)
            As in `fit`.
        classes : array of shape (n_classes,), default=None
            All classes, of this and of later parts; needed in the first call on a new estimator.
        sample_weight : array of shape (n,), default=None
            As in `fit`.

        Returns
        -------
        self : CNNSegmenter
            The estimator itself.

        Examples
        --------
        >>> import numpy as np
        >>> from cnnkit import CNNSegmenter
        >>> rng, seg = np.random.default_rng(0), CNNSegmenter(random_state=0)
        >>> for part in range(2):
        ...     images = rng.random((10, 8, 8))
        ...     seg = seg.partial_fit(images, images > 0.5, classes=[False, True])
        >>> seg.n_iter_
        2
        """
        if isinstance(self.class_weight, str):
            raise ValueError(
                f"CNNSegmenter: class_weight must be a dict or None for partial_fit, which does "
                f"not see all pixels, got {self.class_weight!r}."
            )
        return self._partial_fit(X, y, sample_weight, classes)

    # Prediction

    @of_one_moment
    def decision_function(self, X: ArrayLike) -> Floats:
        """Return a number for every pixel and class, before softmax.

        Parameters
        ----------
        X : array of shape (n, H, W, C), (n, H, W) or (n, features)
            Images of the shape given to `fit`.

        Returns
        -------
        decision : array of shape (n, H, W, n_classes)
            The larger, the more probable.

        Raises
        ------
        NotFittedError
            If the estimator is not fitted.
        ValueError, TypeError
            If X is no array of finite real numbers of a shape that the network takes.

        Examples
        --------
        >>> import numpy as np
        >>> from cnnkit import CNNSegmenter
        >>> X = np.random.default_rng(0).random((20, 8, 8))
        >>> y = np.where(X > 0.5, "light", "dark")
        >>> seg = CNNSegmenter(max_iter=2, random_state=0).fit(X, y)
        >>> seg.decision_function(X[:3]).shape
        (3, 8, 8, 2)
        """
        return self._outputs(X)

    @of_one_moment
    def predict_proba(self, X: ArrayLike) -> Floats:
        """Return the probability of every class for every pixel.

        Parameters
        ----------
        X : array of shape (n, H, W, C), (n, H, W) or (n, features)
            Images of the shape given to `fit`.

        Returns
        -------
        probabilities : array of shape (n, H, W, n_classes)
            From 0 to 1, with a sum of 1 for each pixel.

        Raises
        ------
        NotFittedError
            If the estimator is not fitted.
        ValueError, TypeError
            If X is no array of finite real numbers of a shape that the network takes.

        Examples
        --------
        >>> import numpy as np
        >>> from cnnkit import CNNSegmenter
        >>> X = np.random.default_rng(0).random((20, 8, 8))
        >>> y = np.where(X > 0.5, "light", "dark")
        >>> seg = CNNSegmenter(max_iter=2, random_state=0).fit(X, y)
        >>> seg.predict_proba(X[:3]).shape
        (3, 8, 8, 2)
        """
        outputs = self._outputs(X)
        return softmax(outputs.reshape(-1, outputs.shape[-1])).reshape(outputs.shape)

    @of_one_moment
    def predict_log_proba(self, X: ArrayLike) -> Floats:
        """Return the logarithm of `predict_proba`, finite where the probability underflows.

        Parameters
        ----------
        X : array of shape (n, H, W, C), (n, H, W) or (n, features)
            Images of the shape given to `fit`.

        Returns
        -------
        log_probabilities : array of shape (n, H, W, n_classes)
            Natural logarithms, at most 0.

        Raises
        ------
        NotFittedError
            If the estimator is not fitted.
        ValueError, TypeError
            If X is no array of finite real numbers of a shape that the network takes.

        Examples
        --------
        >>> import numpy as np
        >>> from cnnkit import CNNSegmenter
        >>> X = np.random.default_rng(0).random((20, 8, 8))
        >>> y = np.where(X > 0.5, "light", "dark")
        >>> seg = CNNSegmenter(max_iter=2, random_state=0).fit(X, y)
        >>> bool(seg.predict_log_proba(X[:3]).max() <= 0)
        True
        """
        return log_softmax(self._outputs(X), axis=-1)

    @of_one_moment
    def predict(self, X: ArrayLike) -> Array:
        """Return the most probable class of every pixel.

        Parameters
        ----------
        X : array of shape (n, H, W, C), (n, H, W) or (n, features)
            Images of the shape given to `fit`.

        Returns
        -------
        y : array of shape (n, H, W)
            Labels from `classes_`.

        Raises
        ------
        NotFittedError
            If the estimator is not fitted.
        ValueError, TypeError
            If X is no array of finite real numbers of a shape that the network takes.

        Examples
        --------
        >>> import numpy as np
        >>> from cnnkit import CNNSegmenter
        >>> X = np.random.default_rng(0).random((20, 8, 8))
        >>> y = np.where(X > 0.5, "light", "dark")
        >>> seg = CNNSegmenter(max_iter=2, random_state=0).fit(X, y)
        >>> masks = seg.predict(X[:3])
        >>> masks.shape, seg.classes_.tolist()
        ((3, 8, 8), ['dark', 'light'])
        """
        outputs = self._outputs(X)
        return self.classes_[outputs.argmax(axis=-1)]

    @of_one_moment
    def score(self, X: ArrayLike, y: ArrayLike, sample_weight: ArrayLike | None = None) -> float:
        """Return the share of pixels whose class is right, without those of `ignore_label`.

        Parameters
        ----------
        X : array of shape (n, H, W, C), (n, H, W) or (n, features)
            Images of the shape given to `fit`.
        y : array of shape (n, H, W)
            True labels.
        sample_weight : array of shape (n,), default=None
            Weights of the images' pixels.

        Returns
        -------
        score : float
            From 0 to 1: see `cnnkit.metrics.pixel_accuracy`.

        Examples
        --------
        >>> import numpy as np
        >>> from cnnkit import CNNSegmenter
        >>> X = np.random.default_rng(0).random((20, 8, 8))
        >>> y = np.where(X > 0.5, "light", "dark")
        >>> seg = CNNSegmenter(max_iter=2, random_state=0).fit(X, y)
        >>> 0 <= seg.score(X, y) <= 1
        True
        """
        return pixel_accuracy(
            y, self.predict(X), ignore_label=self.ignore_label, sample_weight=sample_weight
        )

    # Targets

    def _check_given(self, y, name="y"):
        super()._check_given(y, name)
        if isinstance(y, (list, tuple)) and not any(hasattr(mask, "dtype") for mask in y):
            labels = np.array(y, dtype=object)  # as NumPy would change labels of mixed kinds
            check_labels(labels.reshape(-1).tolist(), name, type(self).__name__)
        elif isinstance(y, np.ndarray) and y.dtype.kind == "O":
            check_labels(y.reshape(-1), name, type(self).__name__)

    def _check_y(self, y):
        y = np.asarray(y)
        if y.ndim != 3:
            raise ValueError(
                f"CNNSegmenter: y must be a label for every pixel, (n, H, W), got shape "
                f"{y.shape}{_advice(y.shape)}."
            )
        if y.dtype.kind == "f" and (y != np.floor(y)).any():
            strange = y[y != np.floor(y)][0]
            raise ValueError(f"CNNSegmenter: y must be labels, not numbers, got {strange}.")
        if y.dtype.kind not in "biufUO":
            raise ValueError(f"CNNSegmenter: y must be labels, got {y.dtype}.")
        ignored = self.ignore_label
        if ignored is not None and isinstance(ignored, str) == is_numeric(y):
            raise ValueError(
                f"CNNSegmenter: ignore_label must be a label as those of y, such as "
                f"{shown(y.reshape(-1)[:1])}, got {ignored!r}."
            )
        return y

    def _learn(self, y, classes=None, part=False):
        if part:
            first = not hasattr(self, "classes_")
            check_labels(classes, "classes", "CNNSegmenter")
            if first and classes is None:
                raise ValueError("CNNSegmenter: classes must be given in the first partial_fit.")
            known = self._counted(classes) if first else self.classes_
        else:
            known = self._counted(y)
        if classes is not None and not np.array_equal(self._counted(classes), known):
            raise ValueError(
                f"CNNSegmenter: classes must be {shown(known)}, as in the first call, "
                f"got {short(classes)}."
            )
        if not len(known):
            raise ValueError(
                f"CNNSegmenter: y must have a label besides ignore_label, got "
                f"{self.ignore_label!r} alone."
            )
        return {"classes_": known, "n_outputs_": len(known)}

    def _counted(self, labels):
        """Return the labels that occur, in order, without the one that is ignored."""
        labels = np.asarray(labels)
        parts = [np.unique(labels[some]) for some in blocks_of(labels)]
        found = np.unique(np.concatenate(parts)) if parts else labels
        return found if self.ignore_label is None else found[found != self.ignore_label]

    def _check_learnt(self, learnt):
        if not np.array_equal(learnt["classes_"], self.classes_):
            raise ValueError(
                f"CNNSegmenter: y must be of the classes {shown(self.classes_)}, as before, "
                f"got {shown(learnt['classes_'])}."
            )

    def _encode(self, y, learnt, name="y"):
        known = learnt["classes_"]
        found = np.empty(y.shape, np.min_scalar_type(-len(known)))
        for some in blocks_of(y):
            found[some] = self._indices(y[some], known, name)
        if name != "y" and not (found >= 0).any():
            raise ValueError(
                f"CNNSegmenter: {name} must have a label besides ignore_label, got "
                f"{self.ignore_label!r} alone."
            )
        return found

    def _indices(self, y, known, name):
        """Return the class indices of pixels, -1 for those that do not count."""
        if is_numeric(y) != is_numeric(known):  # NumPy would compare numbers and texts as texts
            strange = y.reshape(-1)[:1]
        else:
            places = np.searchsorted(known, y).clip(max=len(known) - 1)
            right = known[places] == y
            ignored = np.zeros(y.shape, bool)
            if self.ignore_label is not None:
                ignored = y == self.ignore_label
            places[ignored] = -1
            if (right | ignored).all():
                return places
            strange = np.unique(y[~(right | ignored)])
        raise ValueError(
            f"CNNSegmenter: {name} must be of the classes {shown(known)}, got {shown(strange)}."
        )

    def _pixel_weights(self, data):
        classes, rows = data.learnt["classes_"], data.rows
        rows = np.arange(len(data.targets)) if rows is None else rows
        counts, total = np.zeros(len(classes)), 0.0
        pixels = prod(data.targets.shape[1:])
        step = max(1, BLOCK // pixels)
        for start in range(0, len(rows), step):
            batch = rows[start : start + step]
            shares = np.ones(len(batch)) if data.weights is None else data.weights[batch]
            shares, targets = np.repeat(shares, pixels), data.targets[batch].reshape(-1)
            total += shares.sum()
            inside = targets >= 0
            counts += np.bincount(targets[inside], shares[inside], len(classes))
        factors = self._factors(counts, classes)
        mean = float((counts if factors is None else counts * factors).sum() / total)
        if mean == 0:
            raise ValueError(
                f"CNNSegmenter: y must have a pixel for training whose weight is not zero, with "
                f"class_weight={self.class_weight!r} and ignore_label={self.ignore_label!r}."
            )
        return factors, mean

    def _factors(self, counts, classes):
        """Return factors for the weights of the pixels of every class, or None for none."""
        if self.class_weight is None:
            return None
        if self.class_weight == "balanced":
            present = counts > 0
            shares = np.where(present, counts.sum() / np.where(present, counts, 1), 0)
            return shares / max(1, present.sum())
        for label, weight in self.class_weight.items():
            as_real(weight, f"class_weight of {label!r}", "CNNSegmenter", least=0)
        return compute_class_weight(self.class_weight, classes=classes, y=classes)

    def _check_ending(self, graph):
        refuse_probabilities(graph, type(self).__name__)

    def _loss(self, learnt, weights):
        default = SoftmaxCrossEntropy(learnt["n_outputs_"], self.label_smoothing)
        return OwnLoss(clone(self.loss), default) if isinstance(self.loss, Loss) else default

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.target_tags.single_output = False
        return tags


def _advice(shape):
    """Return what to do with masks that have an axis for channels or classes."""
    if len(shape) != 4:
        return ""
    if shape[3] == 1 or shape[1] == 1:
        return f": give {'y[..., 0]' if shape[3] == 1 else 'y[:, 0]'}"
    first = shape[1] < min(shape[2:])
    return f": of one map per class, give y.argmax(axis={1 if first else -1})"
