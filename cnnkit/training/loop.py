"""The training loop."""

from copy import deepcopy
from functools import partial
from math import isfinite
from time import perf_counter

import numpy as np

from cnnkit.data.reading import read_ahead
from cnnkit.exceptions import DivergenceError, overflow_allowed
from cnnkit.network.prediction import gives_finite
from cnnkit.training.stopping import Watch
from cnnkit.validate.arrays import fill, pieces


class Training:
    """Training of a network, epoch after epoch: weights, optimizer and loss curve.

    Parameters
    ----------
    network : Network
        A network with ``training=True``; its capacity is the batch size.
    loss : Loss
    optimizer : Optimizer
    rng : numpy.random.Generator or None
        Draws the order of the samples in every epoch; None keeps their order.
    rates : object, default=None
        Result of a schedule's `bind`: ``rate(step)`` is the learning rate of a step.
    augment : Augmenter, default=None
    clip_norm : float, default=None
        Largest norm of the gradient of the loss.
    ema_decay : float, default=None
        Predict with an average of the weights: see `Average`.

    Attributes
    ----------
    loss_curve : list of float
        Mean loss of the samples in every epoch so far.
    """

    def __init__(
        self,
        network,
        loss,
        optimizer,
        rng,
        *,
        rates=None,
        augment=None,
        clip_norm=None,
        ema_decay=None,
    ):
        self.network = network
        self.loss = loss
        self.optimizer = optimizer
        self.rng = rng
        self.rates = rates
        self.augment = augment
        self.clip_norm = clip_norm
        self.average = None if ema_decay is None else Average(network.weights, ema_decay)
        self.loss_curve = []

    @property
    def weights(self):
        """The weights for prediction."""
        return self.network.weights if self.average is None else self.average.weights

    @property
    def steps(self):
        """Number of steps taken."""
        return self.optimizer.steps

    def run(self, X, targets, rows=None, weights=None, *, epochs, watch=None):
        """Train for `epochs` epochs, or until `watch` ends it.

        Parameters
        ----------
        X : array of shape (n, ...)
            Images in any real dtype; see `Network.load`.
        targets : array of shape (n, ...)
        rows : array of indices, default=None
            Samples to train on; None means all.
        weights : array of shape (n,), default=None
            Weights of the samples. The loss of a batch is divided by its number of samples times
            the mean weight of all samples, so that a step is an unbiased estimate of the step over
            all samples.
        epochs : int
        watch : Watch, default=None
        """
        watch = Watch() if watch is None else watch
        watch.start(self)
        unit = 1.0
        if weights is not None:
            unit = float(np.mean(weights if rows is None else weights[rows]))
        sound = partial(self.sound, X, rows)
        stop = watch.tired  # patience may have ended before a checkpoint
        while not stop and len(watch.epochs) < epochs:
            watch.begin()
            try:
                mean, whole = self._epoch(X, targets, rows, weights, unit, watch.deadline)
            except DivergenceError as error:
                if watch.diverged(error, sound):
                    break
                raise
            self.loss_curve.append(mean)
            stop = watch.end(len(self.loss_curve), mean, self.optimizer.learning_rate, whole)
            self._report(watch.epochs[-1])
        watch.finish(sound)

    def renew_statistics(self, X, rows=None):
        """Compute the running statistics of batch norms anew, for the weights of prediction.

        Running statistics lag behind the weights, and never belong to averaged weights. Every
        statistic becomes the mean over at most a hundred batches of the training set, without
        augmentation.
        """
        network, weights = self.network, self.weights
        count = len(X) if rows is None else len(rows)
        order = np.arange(count) if self.rng is None else self.rng.permutation(count)
        order = order if rows is None else rows[order]
        if weights is not network.weights:
            fill(network.weights.flat, weights.flat)
        network.run_anew(X, order)
        trained = weights.trained
        weights.flat[trained:] = network.weights.flat[trained:]

    def sound(self, X, rows=None):
        """Say whether the final weights predict finite numbers for the training set."""
        state = None if self.rng is None else self.rng.bit_generator.state
        self.renew_statistics(X, rows)
        if self.rng is not None:  # so that the end of training draws the same order
            self.rng.bit_generator.state = state
        return gives_finite(self.network, self.weights, X, rows)

    def _report(self, epoch):
        """Report the loss of an epoch to the schedule."""
        if self.rates is not None:
            validated = epoch.validation_loss is not None
            self.rates.report(epoch.validation_loss if validated else epoch.loss)

    def _epoch(self, X, targets, rows, weights, unit, deadline):
        """Take one step for every batch until the deadline.

        Return the mean loss of the samples, and whether all samples were used.
        """
        count = len(X) if rows is None else len(rows)
        order = np.arange(count) if self.rng is None else self.rng.permutation(count)
        order = order if rows is None else rows[order]
        total = seen = 0.0
        with read_ahead(X, order) as images:
            for start in range(0, count, self.network.batch_size):
                batch = order[start : start + self.network.batch_size]
                mass = len(batch) * unit
                total += mass * self.step(images, targets, batch, weights, mass)
                seen += mass
                if deadline is not None and perf_counter() >= deadline:
                    break
        self._check_finite("a weight", mass, *self.network.weights.extremes())
        return total / seen, start + len(batch) == count

    def step(self, X, targets, batch, weights, mass):
        """Take a step with the rows `batch`; return its loss, divided by `mass`."""
        network, optimizer = self.network, self.optimizer
        wanted, change = targets[batch], None
        if self.augment is not None:
            wanted, change = self.augment(wanted)
        n = network.load(X, batch, change)
        share = None if weights is None else weights[batch]
        with overflow_allowed():
            loss = self.loss(network.forward(n), wanted, network.doutput[:n], share, mass)
        self._check_finite("the loss", mass, loss)
        network.backward(n)
        if self.clip_norm is not None:
            clip(network.grads, self.clip_norm)
        if self.rates is not None:
            optimizer.learning_rate = self.rates.rate(optimizer.steps)
        optimizer.step(network.grads, mass)
        if self.average is not None:
            self.average.update(network.weights, optimizer.steps)
        return loss

    def _check_finite(self, name, mass, *values):
        strange = [value for value in values if not isfinite(value)]
        if strange:
            optimizer = self.optimizer
            penalty = optimizer.penalty(mass)
            strong = penalty > 1 and penalty * optimizer.learning_rate > 1
            alpha = f", or alpha, now {optimizer.alpha}" if strong else ""
            raise DivergenceError(
                f"Training diverged in epoch {len(self.loss_curve) + 1}: {name} is {strange[0]}. "
                f"Scale X or lower learning_rate_init, now {optimizer.learning_rate}{alpha}."
            )

    def check(self, weights):
        """Raise a ValueError unless all parts are of one network, with weights like `weights`."""
        flat = self.network.weights.flat
        like = {name: (array.shape, array.dtype) for name, array in self.arrays().items()}
        if (
            not self.network.training
            or self.weights.specs != weights.specs
            or self.optimizer.weights is not self.network.weights
            or len(self.optimizer.moments) != self.optimizer.n_moments
            or set(like.values()) != {(flat.shape, flat.dtype)}
        ):
            raise ValueError(f"Training: its parts must be of one network, got {like}.")

    def apart(self):
        """Return a copy of this training, which steps of this one do not change.

        Both share the network if its weights are the weights for prediction: the caller that goes
        on fills them first. If an average predicts, they do not share it.
        """
        found = object.__new__(type(self))
        shared = (self.network, self.network.weights) if self.average is None else ()
        vars(found).update(deepcopy(vars(self), {id(part): part for part in shared}))
        return found

    def arrays(self):
        """Return all vectors that steps change, by name; training can go on from them."""
        found = {"weights": self.network.weights.flat}
        found |= {f"moment {i}": moment for i, moment in enumerate(self.optimizer.moments)}
        if self.average is not None:
            found["average"] = self.average.weights.flat
        return found

    def generators(self):
        """Return the random generators, by name."""
        found = {"order": self.rng, "dropout": self.network.rng}
        if self.augment is not None:
            found["augmentation"] = self.augment.rng
        return {name: rng for name, rng in found.items() if rng is not None}

    def resume(self, steps, losses, epochs):
        """Go on from a checkpoint: set the progress, after `arrays` and `generators` were restored.

        Parameters
        ----------
        steps : int
        losses : list of float
            The `loss_curve`.
        epochs : list of Epoch
            The epochs that are reported to the schedule.
        """
        self.optimizer.steps = steps
        self.loss_curve = list(losses)
        for epoch in epochs:
            self._report(epoch)


class Augmenter:
    """An augmentation of training batches, with its random generator.

    Parameters
    ----------
    augmentation : Augmentation
    loss : Loss
        Makes the targets dense if the augmentation mixes them.
    rng : numpy.random.Generator
    """

    def __init__(self, augmentation, loss, rng):
        self.augmentation = augmentation
        self.loss = loss
        self.rng = rng

    def __call__(self, targets):
        """Return targets, and a function that changes their images, and the targets, in place."""
        if self.augmentation.mixes_targets:
            targets = self.loss.dense(targets)
        return targets, partial(self.augmentation.apply, targets=targets, rng=self.rng)


class Average:
    """Exponential moving average of weights (Polyak & Juditsky, 1992).

    ``average += (1 - d) (weights - average)`` after every step t = 1, 2, ..., with
    ``d = min(decay, (1 + t) / (10 + t))``, so that the first, hardly trained weights are soon
    forgotten. Running statistics are averages already and are copied.

    Parameters
    ----------
    weights : Weights
    decay : float
    """

    def __init__(self, weights, decay):
        self.weights = weights.copy()
        self.decay = decay

    def update(self, weights, step):
        """Add the weights after a step to the average; the first step is 1."""
        decay = min(self.decay, (1 + step) / (10 + step))
        trained, average = weights.trained, self.weights.flat
        for piece in pieces(trained):
            change = weights.flat[piece] - average[piece]
            change *= change.dtype.type(1 - decay)
            average[piece] += change
        average[trained:] = weights.flat[trained:]


def clip(grads, norm):
    """Scale the gradient down to the norm `norm`, if it is longer (Pascanu et al., 2013)."""
    trained = grads.flat[: grads.trained]
    # Not np.linalg.norm: the order of BLAS's sums may depend on the number of threads.
    squares = [np.square(trained[piece], dtype=np.float64).sum() for piece in pieces(len(trained))]
    found = float(np.sqrt(sum(squares)))
    if found > norm:
        for piece in pieces(len(trained)):
            trained[piece] *= trained.dtype.type(norm / found)
