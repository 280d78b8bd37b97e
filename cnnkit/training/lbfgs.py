"""Training by L-BFGS, for small data: it needs no learning rate and ends in a minimum."""

from functools import partial

import numpy as np

from cnnkit._native.threads import one_blas_thread
from cnnkit.data.reading import read_ahead
from cnnkit.exceptions import DivergenceError, overflow_allowed
from cnnkit.network.prediction import gives_finite
from cnnkit.training.stopping import Watch

MAX_EVALUATIONS = 15_000  # evaluations of the loss, as in MLPClassifier
VECTORS = 30  # float64, as long as the weights: ten iterations in SciPy, and ours


class BatchTraining:
    """Training of a network over all samples at once, by L-BFGS (Liu & Nocedal, 1989).

    The loss and its gradient are summed over batches, always in the same order, in float64.

    Parameters
    ----------
    network : Network
        A network with ``training=True``, without layers that draw random numbers.
    loss : Loss
    alpha : float
        L2 regularisation ``alpha / 2 * ||w||^2``, divided by the sum of the samples' weights.
    tol : float
        Largest component of the gradient at which training ends.
    rng : numpy.random.Generator, default=None
        Draws the order of the samples, once: batch norms need mixed batches, and samples may be
        sorted. None keeps their order.

    Attributes
    ----------
    loss_curve : list of float
        Mean loss after every iteration so far, without the regularisation.
    """

    steps = 0  # a run cannot go on from an iteration, which depends on all before

    def __init__(self, network, loss, alpha, tol, rng=None):
        self.network = network
        self.loss = loss
        self.alpha = alpha
        self.tol = tol
        self.rng = rng
        self.loss_curve = []
        self._rows = None

    @property
    def weights(self):
        """The weights for prediction."""
        return self.network.weights

    def arrays(self):
        """Return all vectors that training changes, by name."""
        return {"weights": self.network.weights.flat}

    def renew_statistics(self, X, rows=None):
        """Compute the running statistics of batch norms anew: see `Training.renew_statistics`."""
        self.network.run_anew(X, self._rows)

    def sound(self, X, rows=None):
        """Say whether the final weights predict finite numbers for the training set."""
        self.renew_statistics(X)
        return gives_finite(self.network, self.weights, X, self._rows)

    def generators(self):
        """Return an empty dict: L-BFGS needs no random numbers."""
        return {}

    def run(self, X, targets, rows=None, weights=None, *, epochs, watch=None):
        """Train for `epochs` iterations, or until `watch` or the gradient ends it.

        The parameters are those of `Training.run`.
        """
        from scipy.optimize import minimize

        watch = Watch() if watch is None else watch
        rows = np.arange(len(X)) if rows is None else rows
        self._rows = rows if self.rng is None else rows[self.rng.permutation(len(rows))]
        objective = Objective(self.network, self.loss, self.alpha, X, targets, self._rows, weights)
        sound = partial(self.sound, X)
        watch.start(self)
        trained = self.network.weights.flat[: self.network.weights.trained]
        before = len(self.loss_curve)

        def iterated(intermediate_result):
            trained[:] = intermediate_result.x
            watch.begin()
            self.loss_curve.append(objective.data_loss(intermediate_result))
            if watch.end(len(self.loss_curve), self.loss_curve[-1], None):
                raise StopIteration

        try:
            with one_blas_thread():  # sums of BLAS must not depend on the number of threads
                found = minimize(
                    objective,
                    trained.astype(np.float64),
                    jac=True,
                    method="L-BFGS-B",
                    callback=iterated,
                    options={"maxiter": epochs, "maxfun": MAX_EVALUATIONS, "gtol": self.tol},
                )
        except DivergenceError as error:
            if not watch.diverged(error, sound):
                raise
        else:
            trained[:] = found.x
            if len(self.loss_curve) == before:  # no iteration improved the loss
                self.loss_curve.append(objective.data_loss(found))
        watch.finish(sound)


class Objective:
    """The regularised loss over all samples and its gradient, as functions of the flat weights."""

    def __init__(self, network, loss, alpha, X, targets, rows, weights):
        self.network = network
        self.loss = loss
        self.X = X
        self.targets = targets
        self.rows = rows
        self.weights = weights
        self.total = len(rows) if weights is None else float(weights[rows].sum())
        self.l2 = alpha / self.total

    def __call__(self, w):
        network = self.network
        flat = network.weights.flat[: network.weights.trained]
        flat[:] = w
        gradient = np.zeros(len(flat))
        value = 0.0
        with read_ahead(self.X, self.rows) as images:
            for start in range(0, len(self.rows), network.batch_size):
                batch = self.rows[start : start + network.batch_size]
                n = network.load(images, batch)
                share = None if self.weights is None else self.weights[batch]
                doutput, targets = network.doutput[:n], self.targets[batch]
                with overflow_allowed():
                    value += self.loss(network.forward(n), targets, doutput, share, self.total)
                network.backward(n)
                gradient += network.grads.flat[: len(flat)]
        if not np.isfinite(value):
            alpha = " or lower alpha" if self.l2 > 1 else ""
            raise DivergenceError(f"Training diverged: the loss is {value}. Scale X{alpha}.")
        decayed = w[: network.weights.decayed]
        gradient[: len(decayed)] += self.l2 * decayed
        return value + self._penalty(w), gradient

    def data_loss(self, result):
        """Return the loss without the regularisation, for a result of SciPy's optimizer."""
        return float(result.fun) - self._penalty(result.x)

    def _penalty(self, w):
        return self.l2 / 2 * float(np.square(w[: self.network.weights.decayed]).sum())
