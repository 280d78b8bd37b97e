"""Losses of classes and of labels, and accuracy."""

from __future__ import annotations

import numpy as np
from scipy.special import expit, log_expit, log_softmax

from cnnkit._native.loss import cross_entropy, softmax
from cnnkit.losses.base import Loss
from cnnkit.validate.values import as_real


class SoftmaxCrossEntropy(Loss):
    """``-log softmax(logits)[target]``, for class indices or dense probabilities of classes.

    Parameters
    ----------
    n_classes : int, default=None
        Needed by `dense`, and where class indices are smoothed.
    smoothing : float, default=0
        Share of a target that is distributed over all classes (Szegedy et al., 2016, "Rethinking
        the inception architecture", section 7).

    Examples
    --------
    >>> import numpy as np
    >>> from cnnkit.losses import SoftmaxCrossEntropy
    >>> logits = np.log([[0.5, 0.25, 0.25]])
    >>> loss = SoftmaxCrossEntropy()(logits, np.array([0]), None)
    >>> round(float(np.exp(-loss)), 3)  # the probability of class 0
    0.5
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
        """Write the probabilities that belong to the logits to `out`.

        Parameters
        ----------
        logits : array of shape (n, n_classes)
            Outputs of the network.
        out : array of shape (n, n_classes)
            Array for the probabilities; it may be `logits`.

        Examples
        --------
        >>> import numpy as np
        >>> from cnnkit.losses import SoftmaxCrossEntropy
        >>> logits = np.zeros((1, 4))
        >>> SoftmaxCrossEntropy().outputs(logits, logits)
        >>> logits
        array([[0.25, 0.25, 0.25, 0.25]])
        """
        softmax(logits, out)

    def score(
        self, logits: np.ndarray, targets: np.ndarray, weights: np.ndarray | None = None
    ) -> float:
        """Return the accuracy: the share of samples whose class has the largest logit.

        Parameters
        ----------
        logits : array of shape (n, n_outputs)
            Outputs of the network.
        targets : array of shape (n,) or (n, n_classes)
            As for `loss_gradient`.
        weights : array of shape (n,), default=None
            Factors for the samples; None means 1.

        Returns
        -------
        score : float
            From 0 to 1.

        Examples
        --------
        >>> import numpy as np
        >>> from cnnkit.losses import SoftmaxCrossEntropy
        >>> SoftmaxCrossEntropy().score(np.array([[1.0, 2.0], [4.0, 3.0]]), np.array([1, 1]))
        0.5
        """
        return float(np.average(logits.argmax(axis=1) == targets, weights=weights))


class SoftmaxFocal(SoftmaxCrossEntropy):
    """``-(1 - p)^gamma log p`` for the probability p of the target's class: softmax of the logits.

    Samples that are right already count less (Lin et al., 2017, "Focal loss for dense object
    detection"). Dense targets weigh the terms of all classes.

    Parameters
    ----------
    n_classes : int, default=None
        Needed where targets are class indices.
    smoothing : float, default=0
        As for `SoftmaxCrossEntropy`.
    gamma : float, default=2
        The larger, the less a sample counts that is right; 0 is cross-entropy.

    Examples
    --------
    >>> import numpy as np
    >>> from cnnkit.losses import SoftmaxCrossEntropy, SoftmaxFocal
    >>> logits, target = np.log([[0.9, 0.1]]), np.array([0])
    >>> parts = SoftmaxFocal(2, gamma=2)(logits, target, None)
    >>> round(parts / SoftmaxCrossEntropy()(logits, target, None), 3)  # (1 - 0.9) ** 2
    0.01
    """

    def __init__(
        self, n_classes: int | None = None, smoothing: float = 0.0, gamma: float = 2.0
    ) -> None:
        super().__init__(n_classes, smoothing)
        self.gamma = gamma

    def __call__(
        self,
        logits: np.ndarray,
        targets: np.ndarray,
        doutputs: np.ndarray | None,
        weights: np.ndarray | None = None,
        total: float | None = None,
    ) -> float:
        targets = targets if targets.ndim > 1 else self.dense(targets)
        return super().__call__(logits, targets, doutputs, weights, total)

    def loss_gradient(
        self, logits: np.ndarray, targets: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        logs = log_softmax(logits, axis=1)
        shares, rest = np.exp(logs), -np.expm1(logs)
        weight = targets * rest**self.gamma
        # (log p) / (1 - p) tends to -1 as p tends to 1
        ratio = np.divide(logs, rest, out=np.full_like(logs, -1), where=rest > 0)
        inner = weight * (self.gamma * shares * ratio - 1)  # the slope by log p
        return -weight * logs, inner - shares * inner.sum(axis=1, keepdims=True)


class SigmoidCrossEntropy(Loss):
    """Cross-entropy of independent labels, ``-t log p - (1 - t) log(1 - p)``, summed over labels.

    Parameters
    ----------
    smoothing : float, default=0
        Moves targets from 0 and 1 towards a half.
    label_weights : array of shape (2, n_labels), default=None
        Factors for the terms of 1 - t and t; None means 1.

    Examples
    --------
    >>> import numpy as np
    >>> from cnnkit.losses import SigmoidCrossEntropy
    >>> loss = SigmoidCrossEntropy()(np.zeros((1, 3)), np.array([[1, 0, 1]]), None)
    >>> round(float(loss / np.log(2)), 3)  # three labels with probability 1 / 2
    3.0
    """

    def __init__(self, smoothing: float = 0.0, label_weights: np.ndarray | None = None) -> None:
        self.label_weights = label_weights
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
        if self.label_weights is not None:
            no, yes = self._terms(targets)
            costs, found = np.logaddexp(0, logits), expit(logits)
            return no * costs + yes * (costs - logits), (no + yes) * found - yes
        costs = np.maximum(logits, 0) - logits * targets + np.log1p(np.exp(-np.abs(logits)))
        return costs, expit(logits) - targets

    def _terms(self, targets):
        """Return the factors of ``-log(1 - p)`` and of ``-log p``."""
        no, yes = (1, 1) if self.label_weights is None else self.label_weights
        return no * (1 - targets), yes * targets

    def score(
        self, logits: np.ndarray, targets: np.ndarray, weights: np.ndarray | None = None
    ) -> float:
        """Return the share of samples whose labels are all right.

        Parameters
        ----------
        logits : array of shape (n, n_outputs)
            Outputs of the network.
        targets : array of shape (n, n_outputs)
            As for `loss_gradient`.
        weights : array of shape (n,), default=None
            Factors for the samples; None means 1.

        Returns
        -------
        score : float
            From 0 to 1.

        Examples
        --------
        >>> import numpy as np
        >>> from cnnkit.losses import SigmoidCrossEntropy
        >>> logits, labels = np.array([[1.0, -1.0], [1.0, 1.0]]), np.array([[1, 0], [1, 0]])
        >>> SigmoidCrossEntropy().score(logits, labels)
        0.5
        """
        return float(np.average(((logits > 0) == targets).all(axis=1), weights=weights))


class SigmoidFocal(SigmoidCrossEntropy):
    """Focal loss of labels, ``-t (1 - p)^gamma log p - (1 - t) p^gamma log(1 - p)``, summed.

    Lin et al., 2017, "Focal loss for dense object detection".

    Parameters
    ----------
    smoothing : float, default=0
        As for `SigmoidCrossEntropy`.
    label_weights : array of shape (2, n_labels), default=None
        As for `SigmoidCrossEntropy`.
    gamma : float, default=2
        The larger, the less a label counts that is right; 0 is cross-entropy.

    Examples
    --------
    >>> import numpy as np
    >>> from cnnkit.losses import SigmoidCrossEntropy, SigmoidFocal
    >>> logits, labels = np.zeros((1, 1)), np.array([[1]])
    >>> loss = SigmoidFocal(gamma=2)(logits, labels, None)
    >>> round(loss / SigmoidCrossEntropy()(logits, labels, None), 3)  # (1 - 0.5) ** 2
    0.25
    """

    def __init__(
        self,
        smoothing: float = 0.0,
        label_weights: np.ndarray | None = None,
        gamma: float = 2.0,
    ) -> None:
        super().__init__(smoothing, label_weights)
        self.gamma = gamma

    def loss_gradient(
        self, logits: np.ndarray, targets: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        no, yes = self._terms(targets)
        p, q = expit(logits), expit(-logits)
        log_p, log_q = log_expit(logits), log_expit(-logits)
        no, yes = no * p**self.gamma, yes * q**self.gamma
        slopes = no * (p - self.gamma * q * log_q) + yes * (self.gamma * p * log_p - q)
        return -no * log_q - yes * log_p, slopes
