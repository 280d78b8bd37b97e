"""The loss of images: another loss of every pixel."""

from math import nan, prod

import numpy as np

from cnnkit.losses.base import Loss


class Pixelwise(Loss):
    """The loss of a network that ends in images: another loss of every pixel, averaged.

    Pixels with a class index below 0 do not count, nor do those with a NaN among their numbers.

    Parameters
    ----------
    loss : Loss
        The loss of one pixel; its samples are the pixels.
    factors : array of shape (n_classes,), default=None
        Factors for the pixels of a class; only for targets that are class indices.
    mean : float, default=1
        Mean weight of a pixel of the training set, of those that do not count, too. A batch is
        divided by it, so that its loss is an unbiased estimate of the mean over pixels that count.

    Examples
    --------
    >>> import numpy as np
    >>> from cnnkit.losses import Pixelwise, SoftmaxCrossEntropy
    >>> masks = np.array([[[0, 1], [-1, -1]]])  # two pixels do not count
    >>> loss = Pixelwise(SoftmaxCrossEntropy())(np.zeros((1, 2, 2, 2)), masks, None)
    >>> round(float(loss / np.log(2)), 3)
    1.0
    """

    def __init__(self, loss: Loss, factors: np.ndarray | None = None, mean: float = 1.0) -> None:
        self.loss = loss
        self.factors = factors
        self.mean = mean

    def __call__(
        self,
        outputs: np.ndarray,
        targets: np.ndarray,
        doutputs: np.ndarray | None,
        weights: np.ndarray | None = None,
        total: float | None = None,
    ) -> float:
        pixels = prod(outputs.shape[1:-1])
        flat, targets, shares = self._of_pixels(outputs, targets, weights)
        if doutputs is None:  # the exact mean
            mass = shares.sum()
            return self.loss(flat, targets, None, shares, mass) if mass else nan
        slopes = np.empty(flat.shape, doutputs.dtype)
        total = (len(outputs) if total is None else total) * pixels * self.mean
        loss = self.loss(flat, targets, slopes, shares, total)
        doutputs[...] = slopes.reshape(doutputs.shape)
        return loss

    def dense(self, targets: np.ndarray) -> np.ndarray:
        return np.array(targets)

    def score(
        self, outputs: np.ndarray, targets: np.ndarray, weights: np.ndarray | None = None
    ) -> float:
        """Return the score of pixels, such as their accuracy, over those that count.

        Parameters
        ----------
        outputs : array of shape (n, H, W, n_outputs)
            Outputs of the network.
        targets : array of shape (n, H, W) or (n, H, W, n_outputs)
            As for `loss_gradient`.
        weights : array of shape (n,), default=None
            Factors for the samples; None means 1.

        Returns
        -------
        score : float
            That of `loss`; NaN if no pixel counts.

        Examples
        --------
        >>> import numpy as np
        >>> from cnnkit.losses import Pixelwise, SoftmaxCrossEntropy
        >>> maps, masks = np.array([[[[1.0, 0.0], [1.0, 0.0]]]]), np.array([[[0, 1]]])
        >>> Pixelwise(SoftmaxCrossEntropy()).score(maps, masks)
        0.5
        """
        flat, targets, shares = self._of_pixels(outputs, targets, weights)
        return self.loss.score(flat, targets, shares) if shares.any() else nan

    def _of_pixels(self, outputs, targets, weights):
        """Return outputs, targets and weights of all pixels, one row for each."""
        flat = outputs.reshape(-1, outputs.shape[-1])
        shares = np.ones(targets.shape[:3]) if weights is None else _repeated(weights, targets)
        if targets.dtype.kind == "f":
            counts = ~np.isnan(targets).any(axis=-1)
            targets = np.where(counts[..., None], targets, 0).reshape(flat.shape)
        else:
            counts = targets >= 0
            targets = np.where(counts, targets, 0).reshape(-1).astype(np.intp)
        shares = (shares * counts).reshape(-1)
        if self.factors is not None:
            shares *= self.factors[targets]
        return flat, targets, shares


def _repeated(weights, targets):
    """Return the weights of samples for all pixels of their targets."""
    return np.broadcast_to(weights[:, None, None], targets.shape[:3])
