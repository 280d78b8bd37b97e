"""A test of learning rates: `lr_find`."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from sklearn.base import clone

from cnnkit.estimators.base import BaseCNN
from cnnkit.estimators.inputs import TrainingData
from cnnkit.estimators.setup import begin, choose, draw_seed, generators
from cnnkit.exceptions import DivergenceError
from cnnkit.validate import shapes
from cnnkit.validate.values import as_real

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

    from cnnkit.typing import Estimator

HOPELESS = 4  # training ends when the loss is so many times the lowest
SMOOTHING = 0.9  # decay of the moving average of losses


class RateRange(NamedTuple):
    """Result of `lr_find`.

    Attributes
    ----------
    learning_rates : array of shape (n_steps,)
        Rising by a constant factor.
    losses : array of shape (n_steps,)
        Smoothed losses of the batches, before the steps at those rates.
    suggestion : float
        A tenth of the rate at which the loss is lowest: at this rate the loss still falls.
    """

    learning_rates: np.ndarray
    losses: np.ndarray
    suggestion: float

    def __repr__(self) -> str:
        low, high = self.learning_rates[[0, -1]]
        return (
            f"RateRange(suggestion={self.suggestion:.3g}, {len(self.learning_rates)} rates from "
            f"{low:.3g} to {high:.3g})"
        )


def lr_find(
    estimator: Estimator,
    X: ArrayLike,
    y: ArrayLike,
    *,
    low: float = 1e-5,
    high: float = 1.0,
    steps: int = 100,
    sample_weight: ArrayLike | None = None,
) -> RateRange:
    """Train for some steps at rising learning rates, and record the losses.

    Smith (2017), "Cyclical learning rates for training neural networks", section 3.3. The
    steps end before `high` if the loss becomes 4 times its lowest.

    Parameters
    ----------
    estimator : CNNClassifier or CNNRegressor
        It is not changed. Its solver must not be "lbfgs".
    X : array of shape (n, H, W, C), (n, H, W) or (n, features)
        As for its `fit`.
    y : array of shape (n,), or as for its `fit`
        As for its `fit`.
    low : float, default=1e-5
        First learning rate.
    high : float, default=1.0
        Last learning rate.
    steps : int, default=100
        Number of rates, at least 2.
    sample_weight : array of shape (n,), default=None
        As for its `fit`.

    Returns
    -------
    found : RateRange
        ``learning_rates``, ``losses`` and a ``suggestion``.

    Raises
    ------
    ValueError, TypeError
        If `estimator` is none of cnnkit that trains by steps, or a rate is out of range.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from cnnkit import CNNClassifier, lr_find
    >>> X, y = load_digits(return_X_y=True)
    >>> found = lr_find(CNNClassifier(image_shape=(8, 8), random_state=0), X / 16, y)
    >>> 1e-4 < found.suggestion < 0.1
    True
    """
    for name, rate in (("low", low), ("high", high)):
        as_real(rate, name, "lr_find")
    if not 0 < low < high:
        raise ValueError(f"lr_find: low must be above 0 and below high, got {low} and {high}.")
    steps = shapes.as_int(steps, "steps", "lr_find", 2)
    if not isinstance(estimator, BaseCNN):
        raise TypeError(
            f"lr_find: estimator must be a CNNClassifier or a CNNRegressor, got {estimator!r}."
        )
    estimator = clone(estimator)._begun()
    if estimator.solver == "lbfgs":
        raise ValueError("lr_find: solver must be one with a learning rate, got 'lbfgs'.")
    data = TrainingData(estimator, X, y, sample_weight)
    rngs = generators(draw_seed(estimator.random_state))
    settings = choose(estimator, data.shape, data.learnt["n_outputs_"], data.count)
    run = begin(estimator, data, settings, rngs)
    run.rates = None
    rates = np.geomspace(low, high, steps)
    smoothed: list[float] = []
    smooth = 0.0
    images, targets, rows, weights = data.samples
    rows = np.arange(len(images)) if rows is None else rows
    unit = 1.0 if weights is None else float(weights[rows].mean())
    for rate, batch in zip(rates, batches(rows, run.network.batch_size, run.rng), strict=False):
        run.optimizer.learning_rate = float(rate)
        try:
            loss = run.step(images, targets, batch, weights, len(batch) * unit)
        except DivergenceError:
            break
        smooth = SMOOTHING * smooth + (1 - SMOOTHING) * loss
        smoothed.append(smooth / (1 - SMOOTHING ** (len(smoothed) + 1)))
        if smoothed[-1] > HOPELESS * min(smoothed):
            break
    if len(smoothed) < 2:
        raise ValueError(f"lr_find: low must be a rate that can be trained with, got {low}.")
    tried, losses = rates[: len(smoothed)], np.array(smoothed)
    return RateRange(tried, losses, float(tried[losses.argmin()]) / 10)


def batches(rows, size, rng):
    """Yield the rows of one batch after another, over as many epochs as needed."""
    while True:
        order = rows if rng is None else rows[rng.permutation(len(rows))]
        for start in range(0, len(rows), size):
            yield order[start : start + size]
