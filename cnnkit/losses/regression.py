"""Losses of numbers, and R^2."""

from __future__ import annotations

from typing import ClassVar, Literal

import numpy as np
from scipy.special import xlogy

from cnnkit.exceptions import overflow_allowed
from cnnkit.losses.base import Loss, inverse_link


class Regression(Loss):
    """Base class of losses of outputs beside targets, averaged over the targets of a sample.

    Examples
    --------
    >>> import numpy as np
    >>> from cnnkit.losses import Regression
    >>> class Cubic(Regression):
    ...     def loss_gradient(self, outputs, targets):
    ...         residual = outputs - targets
    ...         return abs(residual) ** 3, 3 * residual * abs(residual)
    >>> Cubic().score(np.array([[1.0], [3.0]]), np.array([[1.0], [3.0]]))
    1.0
    """

    def _scale(self, outputs):
        return 1 / outputs.shape[1]

    def score(
        self, outputs: np.ndarray, targets: np.ndarray, weights: np.ndarray | None = None
    ) -> float:
        """Return R^2 of the predictions, averaged over the targets; of a constant one it is 1 or 0.

        Targets and outputs are divided by a power of two before they are squared, which changes no
        bit of R^2. Outputs whose squares are too large for float64 give -inf.

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
            At most 1.

        Examples
        --------
        >>> import numpy as np
        >>> from cnnkit.losses import SquaredError
        >>> SquaredError().score(np.array([[1.0], [2.0], [2.0]]), np.array([[1.0], [2.0], [3.0]]))
        0.5
        """
        outputs = inverse_link(self.link, outputs.astype(np.float64))
        targets = targets.astype(np.float64)
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
    """Half the square of the residual.

    Examples
    --------
    >>> import numpy as np
    >>> from cnnkit.losses import SquaredError
    >>> losses, slopes = SquaredError().loss_gradient(np.array([[3.0]]), np.array([[1.0]]))
    >>> losses.item(), slopes.item()
    (2.0, 2.0)
    """

    def loss_gradient(
        self, outputs: np.ndarray, targets: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        residual = outputs - targets
        return residual * residual / 2, residual


class AbsoluteError(Regression):
    """Absolute value of the residual; its slope at 0 is 0.

    Examples
    --------
    >>> import numpy as np
    >>> from cnnkit.losses import AbsoluteError
    >>> losses, slopes = AbsoluteError().loss_gradient(np.array([[3.0]]), np.array([[1.0]]))
    >>> losses.item(), slopes.item()
    (2.0, 1.0)
    """

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
        Residual where the straight line begins, in the scale of training.

    Examples
    --------
    >>> import numpy as np
    >>> from cnnkit.losses import Huber
    >>> outputs = np.array([[1.0], [4.0]])
    >>> losses, slopes = Huber(2.0).loss_gradient(outputs, np.zeros((2, 1)))
    >>> losses.ravel(), slopes.ravel()
    (array([0.5, 6. ]), array([1., 2.]))
    """

    def __init__(self, delta: float = 1.0) -> None:
        self.delta = delta

    def loss_gradient(
        self, outputs: np.ndarray, targets: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        residual = outputs - targets
        slope = np.clip(residual, -self.delta, self.delta)
        return slope * (residual - slope / 2), slope


class Pinball(Regression):
    """``q (y - output)`` where the output is too low, ``(1 - q) (output - y)`` where too high.

    It is least at the q quantile of y (Koenker & Bassett, 1978, "Regression quantiles").

    Parameters
    ----------
    quantile : float, default=0.5
        Share of the targets that lie below the outputs, above 0 and below 1.

    Examples
    --------
    >>> import numpy as np
    >>> from cnnkit.losses import Pinball
    >>> outputs, targets = np.array([[0.0], [2.0]]), np.ones((2, 1))  # too low, too high
    >>> losses, slopes = Pinball(0.75).loss_gradient(outputs, targets)
    >>> losses.ravel(), slopes.ravel()
    (array([0.75, 0.25]), array([-0.75,  0.25]))
    """

    score = Loss.score  # R^2 would be best at the mean

    def __init__(self, quantile: float = 0.5) -> None:
        self.quantile = quantile

    def loss_gradient(
        self, outputs: np.ndarray, targets: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        residual = outputs - targets
        slope = np.where(residual < 0, -self.quantile, 1 - self.quantile)
        return slope * residual, slope.astype(residual.dtype)


class PoissonDeviance(Regression):
    """Half the deviance of a Poisson distribution, ``y log(y / mu) - y + mu`` for mu = exp(output).

    For counts and rates, not negative (McCullagh & Nelder, 1989, "Generalized linear models").

    Examples
    --------
    >>> import numpy as np
    >>> from cnnkit.losses import PoissonDeviance
    >>> losses, slopes = PoissonDeviance().loss_gradient(np.log([[2.0]]), np.array([[0.0]]))
    >>> round(losses.item(), 3), round(slopes.item(), 3)  # mu, where y is 0
    (2.0, 2.0)
    """

    link: ClassVar[Literal["identity", "log"]] = "log"

    def loss_gradient(
        self, outputs: np.ndarray, targets: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        means = np.exp(outputs)
        return xlogy(targets, targets) - targets * outputs - targets + means, means - targets


class GammaDeviance(Regression):
    """Half the deviance of a gamma distribution, ``log(mu / y) + y / mu - 1`` for mu = exp(output).

    For positive numbers whose deviation grows with their mean, such as costs and durations.

    Examples
    --------
    >>> import numpy as np
    >>> from cnnkit.losses import GammaDeviance
    >>> losses, slopes = GammaDeviance().loss_gradient(np.log([[2.0]]), np.array([[1.0]]))
    >>> round(losses.item(), 3), round(slopes.item(), 3)  # log 2 - 1 / 2, 1 - 1 / 2
    (0.193, 0.5)
    """

    link: ClassVar[Literal["identity", "log"]] = "log"

    def loss_gradient(
        self, outputs: np.ndarray, targets: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        ratios = targets * np.exp(-outputs)
        return outputs - np.log(targets) + ratios - 1, 1 - ratios
