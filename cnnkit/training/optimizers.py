"""Optimizers: a step is one fused update over the flat vector of weights.

L2 regularisation `alpha` adds ``alpha * w`` to the gradient of weights, but not of biases.
"""

import sys
from math import inf, sqrt

import numpy as np

from cnnkit._native import optimizer as native
from cnnkit.exceptions import ModelFormatError
from cnnkit.validate.arrays import extremes
from cnnkit.validate.pickles import checking, stamped

FINITE = (-sys.float_info.max, sys.float_info.max)


class Optimizer:
    """Base class of optimizers: steps over `Weights`, with `n_moments` arrays of their layout.

    Parameters
    ----------
    weights : Weights
    learning_rate : float
    alpha : float, default=0
    """

    n_moments = 0
    bounds: tuple[tuple[float, float], ...] = ()  # (least, most) of the numbers in each of them

    def __init__(self, weights, learning_rate, alpha=0.0):
        self.weights = weights
        self.learning_rate = learning_rate
        self.alpha = alpha
        self.moments = [
            np.zeros(weights.flat.shape, weights.flat.dtype) for _ in range(self.n_moments)
        ]
        self.steps = 0

    def step(self, grads, samples):
        """Change the weights by a batch's gradients, which are means over `samples` samples."""
        self.steps += 1
        decayed, trained = self.weights.decayed, self.weights.trained
        for part, alpha in ((slice(decayed), self.alpha), (slice(decayed, trained), 0.0)):
            arrays = [a[part] for a in (self.weights.flat, grads.flat, *self.moments)]
            self._update(*arrays, alpha=alpha, samples=samples)

    def penalty(self, samples):
        """Return the factor of a weight in its gradient, for a step over `samples` samples."""
        return self.alpha / samples

    def check_moments(self, owner):
        """Raise unless the running arrays can result from steps with finite gradients."""
        for i, (moment, (low, high)) in enumerate(zip(self.moments, self.bounds, strict=True)):
            least, greatest = extremes(moment)
            if not low <= least <= greatest <= high:
                raise ModelFormatError(
                    f"{owner}: moment {i} must be from {low:.3g} to {high:.3g}, got {least:.4g} to "
                    f"{greatest:.4g}."
                )

    def _update(self, w, g, *moments, alpha, samples):
        raise NotImplementedError

    def __getstate__(self):
        return stamped(vars(self))

    def __setstate__(self, state):
        with checking(state, "Optimizer") as parts:
            vars(self).update(parts)
            # joblib may map arrays from a file, which are read-only
            self.moments = [np.require(moment, requirements="W") for moment in self.moments]


class SGD(Optimizer):
    """Stochastic gradient descent with momentum (Sutskever et al., 2013).

    Parameters
    ----------
    weights, learning_rate, alpha :
        See `Optimizer`. The penalty is ``alpha / 2 * ||w||^2`` over the samples of the batch, as
        in scikit-learn's MLPClassifier.
    momentum : float, default=0.9
    nesterov : bool, default=True
    """

    n_moments = 1
    bounds = (FINITE,)

    def __init__(self, weights, learning_rate, alpha=0.0, *, momentum=0.9, nesterov=True):
        super().__init__(weights, learning_rate, alpha)
        self.momentum = momentum
        self.nesterov = nesterov

    def _update(self, w, g, velocity, *, alpha, samples):
        native.sgd(
            w, g, velocity, self.learning_rate, self.momentum, self.nesterov, alpha / samples
        )


class Adam(Optimizer):
    """Adam (Kingma & Ba, 2015, algorithm 1, with the bias corrections in the rate).

    Parameters
    ----------
    weights, learning_rate, alpha :
        As for `SGD`.
    beta_1, beta_2 : float, default=0.9, 0.999
    epsilon : float, default=1e-8
    """

    n_moments = 2
    bounds = (FINITE, (0.0, inf))  # the square of a finite gradient may be infinite

    def __init__(
        self, weights, learning_rate, alpha=0.0, *, beta_1=0.9, beta_2=0.999, epsilon=1e-8
    ):
        super().__init__(weights, learning_rate, alpha)
        self.beta_1 = beta_1
        self.beta_2 = beta_2
        self.epsilon = epsilon

    def _update(self, w, g, m, v, *, alpha, samples):
        self._adam(w, g, m, v, l2=alpha / samples, decay=0.0)

    def _adam(self, w, g, m, v, *, l2, decay):
        rate = self.learning_rate * sqrt(1 - self.beta_2**self.steps)
        rate /= 1 - self.beta_1**self.steps
        native.adam(w, g, m, v, rate, self.beta_1, self.beta_2, self.epsilon, l2, decay)


class AdamW(Adam):
    """Adam with decoupled decay, ``w -= learning_rate * alpha * w`` (Loshchilov & Hutter, 2019)."""

    def penalty(self, samples):
        return self.alpha

    def _update(self, w, g, m, v, *, alpha, samples):
        self._adam(w, g, m, v, l2=0.0, decay=self.learning_rate * alpha)
