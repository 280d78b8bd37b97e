"""What training makes small, and the score its users know it by.

A loss is called with a batch's outputs and targets; it returns the sum of the samples' losses over
`total` and writes the gradient of that to `doutputs`. `weights` multiply the samples' losses;
`total`, their sum, is the number of samples by default. Targets that are dense (as `dense` makes
them) have the shape of the outputs.
"""

import numpy as np
from scipy.special import expit

from cnnkit._native.loss import cross_entropy, softmax
from cnnkit.exceptions import overflow_allowed
from cnnkit.validate.values import as_real


class Loss:
    """A loss of dense targets: subclasses say `_elements`."""

    def __call__(self, outputs, targets, doutputs, weights=None, total=None):
        """Return the weighted mean over the samples; write its gradient, if that is not None."""
        costs, slopes = self._elements(outputs, targets)
        scale = self._scale(outputs) / (len(outputs) if total is None else total)
        if weights is not None:
            rows = weights.astype(outputs.dtype)[:, None]
            costs, slopes = costs * rows, slopes * rows
        if doutputs is not None:
            np.multiply(slopes, outputs.dtype.type(scale), out=doutputs)
        return float(costs.sum(dtype=np.float64)) * scale

    def dense(self, targets):
        """Return targets of a batch as floats that may be changed in place."""
        return np.array(targets)

    def _scale(self, outputs):
        return 1.0

    def _elements(self, outputs, targets):
        """Return the loss of every output, and its derivative."""
        raise NotImplementedError


class SoftmaxCrossEntropy(Loss):
    """``-log softmax(logits)[target]``, for class indices or dense probabilities of classes.

    Parameters
    ----------
    n_classes : int, default=None
        Needed by `dense` alone.
    smoothing : float, default=0
        Share of a target spread over all classes (Szegedy et al., 2016, "Rethinking the inception
        architecture", section 7).
    """

    def __init__(self, n_classes=None, smoothing=0.0):
        self.n_classes = n_classes
        self.smoothing = as_real(smoothing, "smoothing", "SoftmaxCrossEntropy", least=0, below=1)

    def __call__(self, logits, targets, doutputs, weights=None, total=None):
        if targets.ndim > 1:
            return super().__call__(logits, targets, doutputs, weights, total)
        total = len(logits) if total is None else total
        targets = targets.copy()  # nobody else's: indices that are checked are those that are used
        loss = cross_entropy(logits, targets, weights, doutputs)
        if self.smoothing:
            loss += self._soften(logits, targets, doutputs, weights)
        if doutputs is not None:
            doutputs *= doutputs.dtype.type(1 / total)
        return loss / total

    def _soften(self, logits, targets, doutputs, weights):
        """Return what a share s of the targets, spread over K classes, adds to the loss.

        That is ``s (l_t - mean of l)`` for every sample, as the log of softmax's sum cancels; its
        gradient, ``s (1 for t) - s / K``, is added to `doutputs`.
        """
        rows = np.arange(len(targets))
        share = self.smoothing if weights is None else self.smoothing * weights
        if doutputs is not None:
            doutputs[rows, targets] += share
            doutputs -= np.reshape(share, (-1, 1)) / self.n_classes
        means = logits.mean(axis=1, dtype=np.float64)  # a sum of float32 may be too large for it
        return float((share * (logits[rows, targets] - means)).sum())

    def dense(self, targets):
        targets = targets.copy()  # NumPy, too, reads an index twice
        found = np.full((len(targets), self.n_classes), self.smoothing / self.n_classes)
        found[np.arange(len(targets)), targets] += 1 - self.smoothing
        return found

    def _elements(self, logits, targets):
        # not scipy's log_softmax: for a small batch its wrappers take longer than the numbers
        logs = logits - logits.max(axis=1, keepdims=True)
        shares = np.exp(logs)
        total = shares.sum(axis=1, keepdims=True)
        logs -= np.log(total)
        return -targets * logs, targets.sum(axis=1, keepdims=True) * (shares / total) - targets

    def outputs(self, logits, out):
        """Write the probabilities the logits stand for to `out`."""
        softmax(logits, out)

    def score(self, logits, targets, weights=None):
        """Return the share of samples whose class is the most probable one."""
        return float(np.average(logits.argmax(axis=1) == targets, weights=weights))


class SigmoidCrossEntropy(Loss):
    """Cross-entropy of independent labels, ``-t log p - (1 - t) log(1 - p)``, summed over them.

    Parameters
    ----------
    smoothing : float, default=0
        Moves targets from 0 and 1 towards a half.
    """

    def __init__(self, smoothing=0.0):
        self.smoothing = as_real(smoothing, "smoothing", "SigmoidCrossEntropy", least=0, below=1)

    def __call__(self, logits, targets, doutputs, weights=None, total=None):
        # indicators are bool until a batch needs them as numbers
        targets = self.dense(targets) if targets.dtype == bool else targets
        return super().__call__(logits, targets, doutputs, weights, total)

    def dense(self, targets):
        return targets * (1 - self.smoothing) + self.smoothing / 2

    def _elements(self, logits, targets):
        costs = np.maximum(logits, 0) - logits * targets + np.log1p(np.exp(-np.abs(logits)))
        return costs, expit(logits) - targets

    def score(self, logits, targets, weights=None):
        """Return the share of samples of which every label is right."""
        return float(np.average(((logits > 0) == targets).all(axis=1), weights=weights))


class Regression(Loss):
    """A loss of the residual ``outputs - targets``, its mean over the targets of a sample."""

    def _scale(self, outputs):
        return 1 / outputs.shape[1]

    def score(self, outputs, targets, weights=None):
        """Return R^2, its mean over the targets; that of a constant target is 1 or 0.

        A power of two makes targets small before they are squared, and the outputs with them: it
        changes no bit of R^2. Outputs whose squares are too large for float64 give -inf.
        """
        outputs, targets = outputs.astype(np.float64), targets.astype(np.float64)
        shift = -1 - np.frexp(np.abs(targets).max(axis=0))[1]  # to less than a half
        with overflow_allowed():
            outputs, targets = np.ldexp(outputs, shift), np.ldexp(targets, shift)
            residual = np.average((outputs - targets) ** 2, axis=0, weights=weights)
            centred = targets - np.average(targets, axis=0, weights=weights)
            spread = np.average(centred**2, axis=0, weights=weights)
            varies = spread > 0
            found = np.where(varies, 1 - residual / np.where(varies, spread, 1), residual == 0)
            return float(found.mean())


class SquaredError(Regression):
    """Half the squared residual."""

    def _elements(self, outputs, targets):
        residual = outputs - targets
        return residual * residual / 2, residual


class AbsoluteError(Regression):
    """The size of the residual; its slope is 0 where the residual is."""

    def _elements(self, outputs, targets):
        residual = outputs - targets
        return np.abs(residual), np.sign(residual)


class Huber(Regression):
    """Half the square of a residual up to `delta`, a straight line beyond (Huber, 1964).

    Parameters
    ----------
    delta : float, default=1
    """

    def __init__(self, delta=1.0):
        self.delta = delta

    def _elements(self, outputs, targets):
        residual = outputs - targets
        slope = np.clip(residual, -self.delta, self.delta)
        return slope * (residual - slope / 2), slope
