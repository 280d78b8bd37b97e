"""What a loss is: the contract of all losses, and losses of the user's own."""

from __future__ import annotations

from typing import Any, ClassVar, Literal

import numpy as np

from cnnkit.exceptions import overflow_allowed
from cnnkit.validate.pickles import Checked


class Loss(Checked):
    """Base class of all losses, which training minimises; also of your own.

    A loss is a parameter object like a layer: it has only hyper-parameters, and can be cloned,
    printed and searched over. A subclass defines `loss_gradient`; ``CNNRegressor(loss=...)`` and
    ``CNNClassifier(loss=...)`` take an instance of it. docs/guides/write_a_loss.md shows how.

    Attributes
    ----------
    link : {"identity", "log"}, default="identity"
        Of a regressor: what the outputs of the network are of the prediction. With "log" the
        prediction is exp(output), always positive.

    Examples
    --------
    >>> import numpy as np
    >>> from cnnkit import CNNRegressor
    >>> from cnnkit.losses import Loss
    >>> class LogCosh(Loss):
    ...     def loss_gradient(self, outputs, targets):
    ...         residual = outputs - targets
    ...         return np.logaddexp(residual, -residual) - np.log(2), np.tanh(residual)
    >>> X = np.random.default_rng(0).random((200, 6, 6))
    >>> y = X.mean(axis=(1, 2))
    >>> CNNRegressor(loss=LogCosh(), random_state=0).fit(X, y).score(X, y) > 0.8
    True
    """

    link: ClassVar[Literal["identity", "log"]] = "identity"

    def loss_gradient(
        self, outputs: np.ndarray, targets: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return the losses of a batch, and their derivatives by the outputs.

        Parameters
        ----------
        outputs : array of shape (n, n_outputs), float32 or float64
            Outputs of the network; those of a classifier are logits, any numbers. Read only.
        targets : array of shape (n, n_outputs), float64
            For a regressor y, two-dimensional also for one target, and standardised unless
            ``standardize_targets=False``; with a log link y divided by its mean. For a classifier
            the share of every class: 1 for the class of the sample and 0 elsewhere, unless
            `label_smoothing` or mixed images change it. For a multilabel y, 1 for every label of
            the sample. Read only.

        Returns
        -------
        losses : array of shape (n,), or (n, n_outputs) to be added up over the outputs
            Without the weights of samples or classes, which training applies.
        gradient : array of shape (n, n_outputs)
            Derivative of a sample's loss by each of its outputs.

        Examples
        --------
        >>> import numpy as np
        >>> from cnnkit.losses import SquaredError
        >>> SquaredError().loss_gradient(np.array([[3.0]]), np.array([[1.0]]))
        (array([[2.]]), array([[2.]]))
        """
        raise NotImplementedError(f"{type(self).__name__} has no loss_gradient")

    def __call__(
        self,
        outputs: np.ndarray,
        targets: np.ndarray,
        doutputs: np.ndarray | None,
        weights: np.ndarray | None = None,
        total: float | None = None,
    ) -> float:
        """Return the mean loss of a batch, and write its gradient.

        Parameters
        ----------
        outputs : array of shape (n, n_outputs)
            As for `loss_gradient`.
        targets : array of shape (n, n_outputs)
            As for `loss_gradient`; losses of classes take class indices (n,), too.
        doutputs : array of shape (n, n_outputs) or None
            Array for the gradient.
        weights : array of shape (n,), default=None
            Factors for the losses of samples.
        total : float, default=None
            Divisor of their sum; None means the number of samples.

        Returns
        -------
        loss : float
            Sum of the weighted losses, divided by `total`.

        Examples
        --------
        >>> import numpy as np
        >>> from cnnkit.losses import SquaredError
        >>> outputs, doutputs = np.array([[3.0], [1.0]]), np.empty((2, 1))
        >>> SquaredError()(outputs, np.ones((2, 1)), doutputs)
        1.0
        >>> doutputs
        array([[1.],
               [0.]])
        """
        costs, slopes = self.loss_gradient(outputs, targets)
        scale = self._scale(outputs) / (len(outputs) if total is None else total)
        if weights is not None:
            rows = weights.astype(outputs.dtype)[:, None]
            costs, slopes = costs.reshape(len(costs), -1) * rows, slopes * rows
        if doutputs is not None:
            np.multiply(slopes, outputs.dtype.type(scale), out=doutputs)
        return float(costs.sum(dtype=np.float64)) * scale

    def dense(self, targets: np.ndarray) -> np.ndarray:
        """Return targets of a batch as floats (n, n_outputs) that may be changed in place.

        Parameters
        ----------
        targets : array of shape (n,) or (n, n_outputs)
            Targets as training keeps them, such as class indices.

        Returns
        -------
        dense : array of shape (n, n_outputs)
            A copy, in which images can be mixed.

        Examples
        --------
        >>> import numpy as np
        >>> from cnnkit.losses import SoftmaxCrossEntropy
        >>> SoftmaxCrossEntropy(n_classes=3).dense(np.array([2, 0]))
        array([[0., 0., 1.],
               [1., 0., 0.]])
        """
        return np.array(targets)

    def score(
        self, outputs: np.ndarray, targets: np.ndarray, weights: np.ndarray | None = None
    ) -> float:
        """Return the score for `early_stopping`, by default minus the mean loss; more is better.

        Parameters
        ----------
        outputs : array of shape (n, n_outputs)
            Outputs of the network.
        targets : array of shape (n, n_outputs)
            As for `loss_gradient`.
        weights : array of shape (n,), default=None
            Factors for the samples; None means 1.

        Returns
        -------
        score : float
            Minus the weighted mean loss, unless a subclass has another.

        Examples
        --------
        >>> import numpy as np
        >>> from cnnkit.losses import Loss
        >>> class Square(Loss):
        ...     def loss_gradient(self, outputs, targets):
        ...         return (outputs - targets) ** 2, 2 * (outputs - targets)
        >>> Square().score(np.array([[3.0], [1.0]]), np.ones((2, 1)))
        -2.0
        """
        return -self(outputs, targets, None, weights, None if weights is None else weights.sum())

    def _scale(self, outputs: np.ndarray) -> float:
        """Return the factor for the sum over the outputs of a sample."""
        return 1.0


class OwnLoss(Loss):
    """A loss from the user, used instead of the estimator's loss.

    Parameters
    ----------
    loss : Loss
        What computes losses and gradients.
    default : Loss
        The loss of the estimator, which makes targets dense and computes the score.

    Examples
    --------
    >>> import numpy as np
    >>> from cnnkit.losses import Huber, OwnLoss, SquaredError
    >>> loss = OwnLoss(Huber(0.5), SquaredError())
    >>> loss(np.array([[3.0]]), np.array([[1.0]]), None)
    0.875
    """

    def __init__(self, loss: Loss, default: Loss) -> None:
        self.loss = loss
        self.default = default

    def __call__(
        self,
        outputs: np.ndarray,
        targets: np.ndarray,
        doutputs: np.ndarray | None,
        weights: np.ndarray | None = None,
        total: float | None = None,
    ) -> float:
        if targets.ndim == 1 or targets.dtype == bool:  # class indices, or labels
            targets = self.default.dense(targets)
        return super().__call__(read_only(outputs), read_only(targets), doutputs, weights, total)

    def loss_gradient(
        self, outputs: np.ndarray, targets: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        return checked(self.loss.loss_gradient(outputs, targets), outputs, type(self.loss).__name__)

    def _scale(self, outputs):
        return self.loss._scale(outputs)

    def dense(self, targets: np.ndarray) -> np.ndarray:
        return self.default.dense(targets)

    def score(
        self, outputs: np.ndarray, targets: np.ndarray, weights: np.ndarray | None = None
    ) -> float:
        return self.default.score(inverse_link(self.loss.link, outputs), targets, weights)


def inverse_link(link: str, outputs: np.ndarray) -> np.ndarray:
    """Return the predictions, in the scale of training, that belong to outputs of a network.

    Parameters
    ----------
    link : {"identity", "log"}
        See `Loss`.
    outputs : array
        Outputs of the network.

    Returns
    -------
    predictions : array of the shape of `outputs`
        The outputs themselves, or exp(outputs).

    Examples
    --------
    >>> import numpy as np
    >>> from cnnkit.losses import inverse_link
    >>> inverse_link("log", np.array([[0.0]]))
    array([[1.]])
    """
    if link == "identity":
        return outputs
    with overflow_allowed():
        return np.exp(outputs)


def checked(found: Any, outputs: np.ndarray, owner: str) -> tuple[np.ndarray, np.ndarray]:
    """Return two arrays that `Loss.loss_gradient` gave for `outputs`, or raise.

    Built-in losses are not checked: a step of a small network takes little longer than the check.
    """
    if not isinstance(found, tuple) or len(found) != 2:
        raise TypeError(
            f"{owner}: loss_gradient must return two arrays, losses and their gradient, "
            f"got {type(found).__name__}."
        )
    costs, slopes = map(np.asarray, found)
    if costs.shape not in (outputs.shape, outputs.shape[:1]):
        raise ValueError(
            f"{owner}: losses must have shape {outputs.shape[:1]} or {outputs.shape}, "
            f"got {costs.shape}."
        )
    if slopes.shape != outputs.shape:
        raise ValueError(
            f"{owner}: the gradient must have shape {outputs.shape}, as the outputs, "
            f"got {slopes.shape}."
        )
    for name, array in (("losses", costs), ("the gradient", slopes)):
        if array.dtype.kind not in "biuf":
            raise TypeError(f"{owner}: {name} must be real numbers, got {array.dtype}.")
    return costs, slopes


def read_only(array: np.ndarray) -> np.ndarray:
    """Return a view of an array that cannot be written to."""
    view = array[...]
    view.flags.writeable = False
    return view
