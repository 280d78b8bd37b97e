"""Loss functions, and the scores that go with them."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy.special import expit

from cnnkit._native.loss import cross_entropy, softmax
from cnnkit.exceptions import overflow_allowed
from cnnkit.validate.pickles import Checked
from cnnkit.validate.slopes import is_slope, slope
from cnnkit.validate.values import as_real


class Loss(Checked):
    """Base class of all losses, which training minimises; also of your own.

    A loss is a parameter object like a layer: it has only hyper-parameters, and can be cloned,
    printed and searched over. A subclass defines `loss_gradient`; ``CNNRegressor(loss=...)`` and
    ``CNNClassifier(loss=...)`` take an instance of it. docs/write_a_loss.md shows how.

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
            ``standardize_targets=False``. For a classifier the share of every class: 1 for the
            class of the sample and 0 elsewhere, unless `label_smoothing` or mixed images change
            it. For a multilabel y, 1 for every label of the sample. Read only.

        Returns
        -------
        losses : array of shape (n,), or (n, n_outputs) to be added up over the outputs
            Without the weights of samples or classes, which training applies.
        gradient : array of shape (n, n_outputs)
            Derivative of a sample's loss by each of its outputs.
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
        outputs, targets : arrays
            As for `loss_gradient`.
        doutputs : array of shape (n, n_outputs) or None
            Array for the gradient.
        weights : array of shape (n,), default=None
            Factors for the losses of samples.
        total : float, default=None
            Divisor of their sum; None means the number of samples.
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
        """Return targets of a batch as floats (n, n_outputs) that may be changed in place."""
        return np.array(targets)

    def score(
        self, outputs: np.ndarray, targets: np.ndarray, weights: np.ndarray | None = None
    ) -> float:
        """Return the score for `early_stopping`, by default minus the mean loss; more is better."""
        return -self(outputs, targets, None, weights, None if weights is None else weights.sum())

    def _scale(self, outputs: np.ndarray) -> float:
        """Return the factor for the sum over the outputs of a sample."""
        return 1.0


class OwnLoss(Loss):
    """A loss from the user, used instead of the estimator's loss.

    Parameters
    ----------
    loss : Loss
    default : Loss
        The loss of the estimator, which makes targets dense and computes the score.
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
        return self.default.score(outputs, targets, weights)


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


class SoftmaxCrossEntropy(Loss):
    """``-log softmax(logits)[target]``, for class indices or dense probabilities of classes.

    Parameters
    ----------
    n_classes : int, default=None
        Only needed by `dense`.
    smoothing : float, default=0
        Share of a target that is distributed over all classes (Szegedy et al., 2016, "Rethinking
        the inception architecture", section 7).
    """

    def __init__(self, n_classes: int | None = None, smoothing: float = 0.0) -> None:
        self.n_classes = n_classes
        self.smoothing = as_real(smoothing, "smoothing", "SoftmaxCrossEntropy", least=0, below=1)

    def __call__(
        self,
        logits: np.ndarray,
        targets: np.ndarray,
        doutputs: np.ndarray | None,
        weights: np.ndarray | None = None,
        total: float | None = None,
    ) -> float:
        if targets.ndim > 1:
            return super().__call__(logits, targets, doutputs, weights, total)
        total = len(logits) if total is None else total
        targets = targets.copy()  # a copy: the indices that are checked are those that are used
        loss = cross_entropy(logits, targets, weights, doutputs)
        if self.smoothing:
            loss += self._soften(logits, targets, doutputs, weights)
        if doutputs is not None:
            doutputs *= doutputs.dtype.type(1 / total)
        return loss / total

    def _soften(self, logits, targets, doutputs, weights):
        """Return the change of the loss if a share s of the targets is distributed over K classes.

        For every sample it is ``s (l_t - mean of l)``, as the log of softmax's sum cancels. Its
        gradient, ``s (1 for t) - s / K``, is added to `doutputs`.
        """
        rows = np.arange(len(targets))
        share = self.smoothing if weights is None else self.smoothing * weights
        if doutputs is not None:
            doutputs[rows, targets] += share
            doutputs -= np.reshape(share, (-1, 1)) / self.n_classes
        means = logits.mean(axis=1, dtype=np.float64)  # a sum may be too large for float32
        return float((share * (logits[rows, targets] - means)).sum())

    def dense(self, targets: np.ndarray) -> np.ndarray:
        targets = targets.copy()  # NumPy reads an index twice, too
        assert self.n_classes is not None
        found = np.full((len(targets), self.n_classes), self.smoothing / self.n_classes)
        found[np.arange(len(targets)), targets] += 1 - self.smoothing
        return found

    def loss_gradient(
        self, logits: np.ndarray, targets: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        # not scipy's log_softmax: for a small batch its overhead takes longer than the numbers
        logs = logits - logits.max(axis=1, keepdims=True)
        shares = np.exp(logs)
        total = shares.sum(axis=1, keepdims=True)
        logs -= np.log(total)
        return -targets * logs, targets.sum(axis=1, keepdims=True) * (shares / total) - targets

    def outputs(self, logits: np.ndarray, out: np.ndarray) -> None:
        """Write the probabilities that belong to the logits to `out`."""
        softmax(logits, out)

    def score(
        self, logits: np.ndarray, targets: np.ndarray, weights: np.ndarray | None = None
    ) -> float:
        """Return the accuracy: the share of samples whose class has the largest logit."""
        return float(np.average(logits.argmax(axis=1) == targets, weights=weights))


class SigmoidCrossEntropy(Loss):
    """Cross-entropy of independent labels, ``-t log p - (1 - t) log(1 - p)``, summed over labels.

    Parameters
    ----------
    smoothing : float, default=0
        Moves targets from 0 and 1 towards a half.
    """

    def __init__(self, smoothing: float = 0.0) -> None:
        self.smoothing = as_real(smoothing, "smoothing", "SigmoidCrossEntropy", least=0, below=1)

    def __call__(
        self,
        logits: np.ndarray,
        targets: np.ndarray,
        doutputs: np.ndarray | None,
        weights: np.ndarray | None = None,
        total: float | None = None,
    ) -> float:
        # indicators stay bool until a batch needs numbers
        targets = self.dense(targets) if targets.dtype == bool else targets
        return super().__call__(logits, targets, doutputs, weights, total)

    def dense(self, targets: np.ndarray) -> np.ndarray:
        return targets * (1 - self.smoothing) + self.smoothing / 2

    def loss_gradient(
        self, logits: np.ndarray, targets: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        costs = np.maximum(logits, 0) - logits * targets + np.log1p(np.exp(-np.abs(logits)))
        return costs, expit(logits) - targets

    def score(
        self, logits: np.ndarray, targets: np.ndarray, weights: np.ndarray | None = None
    ) -> float:
        """Return the share of samples whose labels are all right."""
        return float(np.average(((logits > 0) == targets).all(axis=1), weights=weights))


class Regression(Loss):
    """Base class of losses of ``outputs - targets``, averaged over the targets of a sample."""

    def _scale(self, outputs):
        return 1 / outputs.shape[1]

    def score(
        self, outputs: np.ndarray, targets: np.ndarray, weights: np.ndarray | None = None
    ) -> float:
        """Return R^2, averaged over the targets; that of a constant target is 1 or 0.

        Targets and outputs are divided by a power of two before they are squared, which changes no
        bit of R^2. Outputs whose squares are too large for float64 give -inf.
        """
        outputs, targets = outputs.astype(np.float64), targets.astype(np.float64)
        shift = -1 - np.frexp(np.abs(targets).max(axis=0))[1]  # scales to less than a half
        with overflow_allowed():
            outputs, targets = np.ldexp(outputs, shift), np.ldexp(targets, shift)
            residual = np.average((outputs - targets) ** 2, axis=0, weights=weights)
            centred = targets - np.average(targets, axis=0, weights=weights)
            spread = np.average(centred**2, axis=0, weights=weights)
            varies = spread > 0
            found = np.where(varies, 1 - residual / np.where(varies, spread, 1), residual == 0)
            return float(found.mean())


class SquaredError(Regression):
    """Half the square of the residual."""

    def loss_gradient(
        self, outputs: np.ndarray, targets: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        residual = outputs - targets
        return residual * residual / 2, residual


class AbsoluteError(Regression):
    """Absolute value of the residual; its slope at 0 is 0."""

    def loss_gradient(
        self, outputs: np.ndarray, targets: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        residual = outputs - targets
        return np.abs(residual), np.sign(residual)


class Huber(Regression):
    """Half the square of the residual up to `delta`, a straight line beyond (Huber, 1964).

    Parameters
    ----------
    delta : float, default=1
    """

    def __init__(self, delta: float = 1.0) -> None:
        self.delta = delta

    def loss_gradient(
        self, outputs: np.ndarray, targets: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        residual = outputs - targets
        slope = np.clip(residual, -self.delta, self.delta)
        return slope * (residual - slope / 2), slope


def check_gradient(loss: Loss, outputs: Any, targets: Any, *, tolerance: float = 1e-6) -> None:
    """Raise unless the gradient of a loss is the slope of its losses.

    Parameters
    ----------
    loss : Loss
    outputs, targets : arrays of shape (n, n_outputs)
        Values at which the gradient is checked, in float64: see `Loss.loss_gradient`.
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
