"""The classifier."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Self, TypeVar, Unpack

import numpy as np
from scipy.special import expit, log_expit, log_softmax
from sklearn.base import ClassifierMixin, clone
from sklearn.utils import column_or_1d
from sklearn.utils._param_validation import StrOptions
from sklearn.utils.class_weight import compute_class_weight
from sklearn.utils.metaestimators import available_if
from sklearn.utils.multiclass import check_classification_targets, type_of_target

from cnnkit.estimators.base import BaseCNN
from cnnkit.estimators.label_weights import label_weights
from cnnkit.estimators.labels import check_labels, is_numeric, shown
from cnnkit.estimators.options import Reals, Shared, extends
from cnnkit.estimators.snapshot import of_one_moment
from cnnkit.estimators.warnings import refuse_probabilities
from cnnkit.functional import softmax
from cnnkit.losses import (
    Loss,
    OwnLoss,
    SigmoidCrossEntropy,
    SigmoidFocal,
    SoftmaxCrossEntropy,
    SoftmaxFocal,
)
from cnnkit.validate.values import as_real, short

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

    from cnnkit.graph.graph import Graph
    from cnnkit.typing import Array, ClassWeight, Floats, Layers, Model


F = TypeVar("F", bound=Callable[..., Any])


def takes_steps(estimator):
    """Return True if the solver takes steps, so that training can go on; raise if not."""
    if estimator.solver == "lbfgs":
        raise AttributeError("partial_fit is not there with solver='lbfgs', which needs all data.")
    return True


def for_steps(method: F) -> F:
    """Return a method that only estimators have whose solver takes steps."""
    return available_if(takes_steps)(method)


@extends(BaseCNN)
class CNNClassifier(ClassifierMixin, BaseCNN):
    """Convolutional network classifier: one class of several, or several labels, for every image.

    The loss is softmax cross-entropy, or for a multilabel indicator y the cross-entropy of each
    label. Hyper-parameters have the names of scikit-learn's MLPClassifier.

    Parameters
    ----------
    {parameters}
    class_weight : dict of class to weight, list of dict, "balanced" or None, default=None
        Factors for the weights of a class's samples; "balanced" gives all classes the same total
        weight. For a multilabel y it is "balanced", or a list with a dict for every label: factors
        for the losses of that label alone where it is not there (0), and where it is (1).
    label_smoothing : float, default=0
        Share of every target that is spread over all classes.
    loss : {"log_loss", "focal"} or Loss, default="log_loss"
        The loss that is averaged over samples: cross-entropy; "focal" (Lin et al., 2017), which
        counts samples less that are right already; or your own loss of logits, an instance of
        `cnnkit.losses.Loss`, which `save` refuses. The score, and the probabilities that
        `predict_proba` computes from logits, do not depend on it.
    focal_gamma : float, default=2.0
        For "focal" only: the loss is ``(1 - p) ** focal_gamma`` times cross-entropy, where p is the
        probability of the sample's class; for a multilabel y, of each label's value.

    Attributes
    ----------
    classes_ : array of shape (n_classes,)
        Labels of the classes in order, which is that of columns of probabilities.
    multilabel_ : bool
        Whether y was an indicator of labels.
    n_outputs_ : int
        Number of classes or labels.
    {attributes}

    Notes
    -----
    X may be (n, H, W, C), (n, H, W) or flat rows, in any real dtype and scale: it is standardised
    inside, a batch at a time, unless ``standardize=False``. Weights and arithmetic are float64 if X
    is float64, else float32. The same `random_state` gives the same bits on any number of threads.

    Threads may share an estimator: each call uses the model that was learnt when the call began,
    whatever other threads fit or set meanwhile. If the network gives no finite numbers for a
    sample, prediction raises a `cnnkit.exceptions.DivergenceError`.

    Data that do not fit into memory can come in parts, from any iterable:
    ``for images, labels in parts: clf.partial_fit(images, labels, classes=classes)``.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from cnnkit import CNNClassifier, Conv, Conv1x1, GlobalAvgPool, MaxPool, ReLU
    >>> digits = load_digits()
    >>> X, y = digits.images, digits.target  # (1797, 8, 8), from 0 to 16
    >>> clf = CNNClassifier(random_state=0).fit(X[:1400], y[:1400])
    >>> clf.score(X[1400:], y[1400:]) > 0.95
    True

    A network of your own:

    >>> clf = CNNClassifier(
    ...     [Conv(16, 3), ReLU(), Conv(32, 3), ReLU(), MaxPool(2), Conv1x1(None), GlobalAvgPool()],
    ...     random_state=0,
    ... )
    >>> clf.fit(X[:1400], y[:1400]).score(X[1400:], y[1400:]) > 0.9
    True
    """

    classes_: Array
    multilabel_: bool
    n_outputs_: int

    _parameter_constraints: ClassVar[dict[str, Any]] = {
        **BaseCNN._parameter_constraints,
        "class_weight": [StrOptions({"balanced"}), dict, list, tuple, None],
        "label_smoothing": [Reals(0, 1, closed="left")],
        "loss": [StrOptions({"log_loss", "focal"}), Loss],
        "focal_gamma": [Reals(0, None, closed="left")],
    }
    _target_options: ClassVar[dict[str, Any]] = {"multi_output": True}
    _output_word = "class"
    _learned_of_targets = ("classes_", "multilabel_")
    _dropout = 0.2

    def __init__(
        self,
        layers: Layers | Graph | Model | None = None,
        *,
        class_weight: ClassWeight = None,
        label_smoothing: float = 0.0,
        loss: Literal["log_loss", "focal"] | Loss = "log_loss",
        focal_gamma: float = 2.0,
        **shared: Unpack[Shared],
    ) -> None:
        super().__init__(layers, **shared)
        self.class_weight = class_weight
        self.label_smoothing = label_smoothing
        self.loss = loss
        self.focal_gamma = focal_gamma

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
        y : array of shape (n,) or (n, n_labels)
            As in `fit`.
        classes : array of shape (n_classes,), default=None
            All classes, of this and of later parts; needed in the first call on a new estimator.
        sample_weight : array of shape (n,), default=None
            As in `fit`.

        Returns
        -------
        self : CNNClassifier
            The estimator itself.

        Raises
        ------
        ValueError, TypeError
            As in `fit`; also if classes are missing in the first call or others later.

        Examples
        --------
        >>> import numpy as np
        >>> from cnnkit import CNNClassifier
        >>> rng = np.random.default_rng(0)
        >>> parts = ((rng.random((20, 8, 8)), rng.integers(0, 3, 20)) for _ in range(4))
        >>> clf = CNNClassifier(random_state=0)
        >>> for images, labels in parts:
        ...     clf = clf.partial_fit(images, labels, classes=[0, 1, 2])
        >>> clf.n_iter_
        4
        """
        if isinstance(self.class_weight, str):
            raise ValueError(
                f"CNNClassifier: class_weight must be a dict or None for partial_fit, which does "
                f"not see all samples, got {self.class_weight!r}."
            )
        return self._partial_fit(X, y, sample_weight, classes)

    if TYPE_CHECKING:  # scikit-learn has no annotations

        def score(
            self, X: ArrayLike, y: ArrayLike, sample_weight: ArrayLike | None = None
        ) -> float: ...

    # Targets

    def _check_given(self, y, name="y"):
        super()._check_given(y, name)
        check_labels(y, name, type(self).__name__)

    def _check_y(self, y):
        check_classification_targets(y)
        kind = type_of_target(y, input_name="y")
        if kind == "multiclass-multioutput":
            raise ValueError(
                "CNNClassifier: y must hold one class a sample or be a multilabel indicator, "
                "got multiclass-multioutput: put the estimator in "
                "sklearn.multioutput.MultiOutputClassifier."
            )
        if kind == "multilabel-indicator":
            return np.asarray(y.toarray() if hasattr(y, "toarray") else y) != 0
        return column_or_1d(y, warn=True)

    def _learn(self, y, classes=None, part=False):
        multilabel = y.ndim == 2
        if multilabel:
            known = np.arange(y.shape[1])
        elif part:
            first = not hasattr(self, "classes_")
            check_labels(classes, "classes", type(self).__name__)
            if first and classes is None:
                raise ValueError("CNNClassifier: classes must be given in the first partial_fit.")
            known = np.unique(classes) if first else self.classes_
        else:
            known = np.unique(y)
        if classes is not None and not np.array_equal(np.unique(classes), known):
            raise ValueError(
                f"CNNClassifier: classes must be {shown(known)}, as in the first call, "
                f"got {short(classes)}."
            )
        return {"classes_": known, "multilabel_": multilabel, "n_outputs_": len(known)}

    def _check_learnt(self, learnt):
        same = learnt["multilabel_"] == self.multilabel_
        if not same or not np.array_equal(learnt["classes_"], self.classes_):
            raise ValueError(
                f"CNNClassifier: y must be of the classes {shown(self.classes_)}, as before, "
                f"got {shown(learnt['classes_'])}."
            )

    def _encode(self, y, learnt, name="y"):
        if y.ndim == 2 or learnt["multilabel_"]:
            if y.shape[1:] != (learnt["n_outputs_"],) or not learnt["multilabel_"]:
                raise ValueError(
                    f"CNNClassifier: {name} must have {learnt['n_outputs_']} columns of labels "
                    f"or classes as y has, got shape {y.shape}."
                )
            return y
        known = learnt["classes_"]
        if is_numeric(y) != is_numeric(known):  # NumPy would compare numbers and texts as texts
            raise ValueError(
                f"CNNClassifier: {name} must be of the classes {shown(known)}, got {shown(y[:1])}."
            )
        strange = np.setdiff1d(y, known)
        if len(strange):
            raise ValueError(
                f"CNNClassifier: {name} must be of the classes {shown(known)}, "
                f"got {shown(strange)}."
            )
        return np.searchsorted(known, y)

    def _for_loss(self, targets, learnt, weights):
        if self.class_weight is None or not learnt["multilabel_"]:
            return {}
        if isinstance(self.loss, Loss):
            raise ValueError(
                f"CNNClassifier: class_weight must be None for a multilabel y with a loss of your "
                f"own, got {short(self.class_weight)}."
            )
        return {"label_weights": label_weights(self.class_weight, targets, weights)}

    def _class_weights(self, y, targets, learnt, weights):
        if self.class_weight is None or learnt["multilabel_"]:
            return None
        if isinstance(self.class_weight, (list, tuple)):
            raise ValueError(
                f"CNNClassifier: class_weight must be a dict or 'balanced' unless y is multilabel, "
                f"got {short(self.class_weight)}."
            )
        if self.class_weight == "balanced":
            # As compute_class_weight, which takes sample weights from scikit-learn 1.8 on only.
            counts = np.bincount(targets, weights, len(learnt["classes_"]))
            present = counts > 0
            shares = np.where(present, counts.sum() / np.where(present, counts, 1), 0)
            return (shares / present.sum())[targets]
        for label, weight in self.class_weight.items():
            as_real(weight, f"class_weight of {label!r}", "CNNClassifier", least=0)
        factors = compute_class_weight(self.class_weight, classes=learnt["classes_"], y=y)
        return factors[targets]

    def _check_ending(self, graph):
        refuse_probabilities(graph, type(self).__name__)

    def _loss(self, learnt, weights):
        options, focal = {"smoothing": self.label_smoothing}, self.loss == "focal"
        if focal:
            options["gamma"] = self.focal_gamma
        if learnt["multilabel_"]:
            kind = SigmoidFocal if focal else SigmoidCrossEntropy
            default = kind(label_weights=learnt.get("label_weights"), **options)
        else:
            kind = SoftmaxFocal if focal else SoftmaxCrossEntropy
            default = kind(learnt["n_outputs_"], **options)
        return OwnLoss(clone(self.loss), default) if isinstance(self.loss, Loss) else default

    # Prediction

    @of_one_moment
    def decision_function(self, X: ArrayLike) -> Floats:
        """Return a number for every class, before softmax; the larger, the more probable.

        Parameters
        ----------
        X : array of shape (n, H, W, C), (n, H, W) or (n, features)
            Images of the shape given to `fit`.

        Returns
        -------
        decision : array of shape (n, n_classes)
            For two classes the shape is (n,): positive if the second class is more probable.

        Raises
        ------
        NotFittedError
            If the estimator is not fitted.
        ValueError, TypeError
            If X is no array of finite real numbers of a shape that the network takes.

        Examples
        --------
        >>> from sklearn.datasets import load_digits
        >>> from cnnkit import CNNClassifier
        >>> X, y = load_digits().images, load_digits().target
        >>> clf = CNNClassifier(max_iter=1, random_state=0).fit(X[:200], y[:200])
        >>> decision = clf.decision_function(X[200:])
        >>> bool((clf.classes_[decision.argmax(axis=1)] == clf.predict(X[200:])).all())
        True
        """
        outputs = self._outputs(X)
        if self.multilabel_ or outputs.shape[1] != 2:
            return outputs
        return outputs[:, 1] - outputs[:, 0]

    @of_one_moment
    def predict_proba(self, X: ArrayLike) -> Floats:
        """Return the probability of every class or label.

        Parameters
        ----------
        X : array of shape (n, H, W, C), (n, H, W) or (n, features)
            Images of the shape given to `fit`.

        Returns
        -------
        probabilities : array of shape (n, n_classes)
            From 0 to 1; those of classes have a sum of 1 for each image.

        Raises
        ------
        NotFittedError
            If the estimator is not fitted.
        ValueError, TypeError
            If X is no array of finite real numbers of a shape that the network takes.

        Examples
        --------
        >>> from sklearn.datasets import load_digits
        >>> from cnnkit import CNNClassifier
        >>> X, y = load_digits().images, load_digits().target
        >>> clf = CNNClassifier(max_iter=1, random_state=0).fit(X[:200], y[:200])
        >>> probabilities = clf.predict_proba(X[200:210])
        >>> probabilities.shape, bool(abs(probabilities.sum(axis=1) - 1).max() < 1e-5)
        ((10, 10), True)
        """
        outputs = self._outputs(X)
        return expit(outputs) if self.multilabel_ else softmax(outputs)

    @of_one_moment
    def predict_log_proba(self, X: ArrayLike) -> Floats:
        """Return the logarithm of `predict_proba`, finite where the probability underflows.

        Parameters
        ----------
        X : array of shape (n, H, W, C), (n, H, W) or (n, features)
            Images of the shape given to `fit`.

        Returns
        -------
        log_probabilities : array of shape (n, n_classes)
            Natural logarithms, at most 0.

        Raises
        ------
        NotFittedError
            If the estimator is not fitted.
        ValueError, TypeError
            If X is no array of finite real numbers of a shape that the network takes.

        Examples
        --------
        >>> from sklearn.datasets import load_digits
        >>> from cnnkit import CNNClassifier
        >>> X, y = load_digits().images, load_digits().target
        >>> clf = CNNClassifier(max_iter=1, random_state=0).fit(X[:200], y[:200])
        >>> bool(clf.predict_log_proba(X[200:210]).max() <= 0)
        True
        """
        outputs = self._outputs(X)
        return log_expit(outputs) if self.multilabel_ else log_softmax(outputs, axis=1)

    @of_one_moment
    def predict(self, X: ArrayLike) -> Array:
        """Return the most probable class of every image, or its labels as 0 and 1.

        Parameters
        ----------
        X : array of shape (n, H, W, C), (n, H, W) or (n, features)
            Images of the shape given to `fit`.

        Returns
        -------
        y : array of shape (n,) or (n, n_labels)
            Labels from `classes_`; of a multilabel y integers.

        Raises
        ------
        NotFittedError
            If the estimator is not fitted.
        ValueError, TypeError
            If X is no array of finite real numbers of a shape that the network takes.

        Examples
        --------
        >>> from sklearn.datasets import load_digits
        >>> from cnnkit import CNNClassifier
        >>> X, y = load_digits().images, load_digits().target
        >>> clf = CNNClassifier(max_iter=10, random_state=0).fit(X[:400], y[:400])
        >>> bool((clf.predict(X[:400]) == y[:400]).mean() > 0.9)
        True
        """
        outputs = self._outputs(X)
        if self.multilabel_:
            return (outputs > 0).astype(int)
        return self.classes_[outputs.argmax(axis=1)]

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.classifier_tags.multi_label = True
        return tags
