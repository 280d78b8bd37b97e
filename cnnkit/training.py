"""The training loop."""

import numpy as np

from cnnkit.images import load_batch


class Training:
    """A network on its way: weights, optimizer and curve, epoch after epoch.

    Parameters
    ----------
    network : Network
        Made with ``training=True``; its capacity is the batch size.
    loss : SoftmaxCrossEntropy
    optimizer : Optimizer
    rng : numpy.random.Generator or None
        Draws the order of the samples of every epoch; None keeps the order they have.

    Attributes
    ----------
    loss_curve : list of float
        Mean loss of the samples in every epoch so far.
    """

    def __init__(self, network, loss, optimizer, rng):
        self.network = network
        self.loss = loss
        self.optimizer = optimizer
        self.rng = rng
        self.loss_curve = []

    def run(self, X, targets, *, epochs, tol=0.0, patience=None, verbose=False):
        """Train for `epochs` epochs, or until the loss has not fallen for `patience` of them.

        Parameters
        ----------
        X : array of shape (n, ...)
            Images in any real dtype; see `cnnkit.images.load_batch`.
        targets : array of shape (n, ...)
        epochs : int
        tol : float, default=0
            What counts as falling.
        patience : int, default=None
        verbose : bool, default=False
            Print the loss of every epoch.
        """
        best, waited = np.inf, 0
        for _ in range(epochs):
            mean = self._epoch(X, targets)
            self.loss_curve.append(mean)
            if verbose:
                print(f"Epoch {len(self.loss_curve)}, loss = {mean:.6f}")
            waited = waited + 1 if mean > best - tol else 0
            best = min(best, mean)
            if patience is not None and waited >= patience:
                break

    def _epoch(self, X, targets):
        """Take one step for every batch; return the mean loss of the samples."""
        network = self.network
        order = np.arange(len(X)) if self.rng is None else self.rng.permutation(len(X))
        total = 0.0
        for start in range(0, len(X), network.batch_size):
            rows = order[start : start + network.batch_size]
            n = load_batch(X, rows, network.x)
            outputs = network.forward(n)
            mean = self.loss(outputs, targets[rows], network.doutput[:n])
            if not np.isfinite(mean):
                raise ValueError(
                    f"Training diverged in epoch {len(self.loss_curve) + 1}: the loss is {mean}. "
                    f"Scale X or lower learning_rate_init, now {self.optimizer.learning_rate}."
                )
            network.backward(n)
            self.optimizer.step(network.grads, n)
            total += n * mean
        return total / len(X)


def predict(network, X):
    """Return the network's outputs for every sample of `X`, a batch at a time."""
    outputs = np.empty((len(X), *network.output.shape[1:]), network.dtype)
    for start in range(0, len(X), network.batch_size):
        rows = slice(start, start + network.batch_size)
        n = load_batch(X, rows, network.x)
        outputs[rows] = network.forward(n)
    return outputs
