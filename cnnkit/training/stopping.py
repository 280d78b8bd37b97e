"""When training ends, what is recorded on the way, and which weights it leaves."""

from collections.abc import Callable
from dataclasses import dataclass, fields, replace
from functools import partial
from math import isnan
from time import perf_counter
from typing import ClassVar

import numpy as np

from cnnkit.exceptions import DivergenceError, overflow_allowed
from cnnkit.network.prediction import inference_network, predict
from cnnkit.network.weights import Weights
from cnnkit.validate.arrays import fill


@dataclass(frozen=True, slots=True)
class Epoch:
    """What is known at the end of an epoch (of an iteration of L-BFGS).

    Attributes
    ----------
    number : int
        From 1, over all calls of `fit` and `partial_fit` that went on from one another.
    loss : float
        Mean training loss of the epoch.
    learning_rate : float or None
        That of the last step; None for L-BFGS.
    seconds : float
        What training took, without validation.
    validation_loss, validation_score : float or None
    weights : Weights or None
        What prediction would use now, by path; they change as training goes on. None once the
        epoch is over.
    state : callable or None
        Returns all that training would go on with: see `cnnkit.training.checkpoints.State`. None
        where `max_time` cut the epoch short: it could not be gone on with.
    """

    number: int
    loss: float
    learning_rate: float | None
    seconds: float
    validation_loss: float | None
    validation_score: float | None
    weights: Weights | None = None
    state: Callable | None = None

    LIVE: ClassVar = ("weights", "state")  # what is of the moment

    def figures(self):
        """Return everything but the weights and the state as a dict, by name."""
        names = (field.name for field in fields(self))
        return {name: getattr(self, name) for name in names if name not in self.LIVE}


class Watch:
    """Ends training, and keeps the weights that did best.

    Parameters
    ----------
    tol : float, default=0
        By how much the loss must fall, or the validation score rise, to count.
    patience : int, default=None
        End after so many epochs in a row in which it did not; never, when None.
    validation : Validation, default=None
    early_stopping : bool, default=False
        Watch the validation score in the place of the training loss, and restore the best weights.
    max_time : float, default=None
        Seconds after which training ends, in the midst of an epoch too.
    keep_finite : bool, default=False
        Where training diverges, end it with a `warning` and the weights of the last epoch, or of
        the one before, with which the network gives finite numbers for the training set.
    listeners : list, default=()
        Each with ``resume(epochs)``, ``begin()``, and ``end(epoch)`` that returns whether to stop.
    state : callable, default=None
        Given the run and this watch, it returns what epochs offer as their state.

    Attributes
    ----------
    epochs : list of Epoch
        Of this run of training, without what is of the moment.
    best_score : float or None
        With `early_stopping`.
    warning : str or None
        What the user is to be told where training diverged and was ended.
    deadline : float or None
        On the clock of `time.perf_counter`.
    """

    def __init__(
        self,
        *,
        tol=0.0,
        patience=None,
        validation=None,
        early_stopping=False,
        max_time=None,
        keep_finite=False,
        listeners=(),
        state=None,
    ):
        self.tol = tol
        self.patience = patience
        self.validation = validation
        self.early_stopping = early_stopping
        self.keep_finite = keep_finite
        self.listeners = list(listeners)
        self.state = state
        self.epochs = []
        self.best_score = None
        self.warning = None
        self.deadline = None if max_time is None else perf_counter() + max_time
        self.best = None
        self._good = []  # weights of the last two epochs, and their numbers
        self._key = None
        self._lowest = np.inf
        self._waited = 0

    @property
    def losses(self):
        """Validation loss of every epoch."""
        return [epoch.validation_loss for epoch in self.epochs]

    @property
    def scores(self):
        """Validation score of every epoch."""
        return [epoch.validation_score for epoch in self.epochs]

    @property
    def tired(self):
        """Whether patience is at its end."""
        return self.patience is not None and self._waited >= self.patience

    def resume(self, epochs, best):
        """Take note of epochs before a checkpoint, and of the best weights until then."""
        for epoch in epochs:
            self._note(epoch)
        self.best = best
        if self.deadline is not None:
            self.deadline -= sum(epoch.seconds for epoch in epochs)

    def start(self, run):
        """Learn which run it is: its network trains, and with its weights it would predict."""
        self._run = run
        self._weights = run.weights
        if self.validation is not None:
            self.validation.start(run.network, run.weights)
        if self.epochs:
            for listener in self.listeners:
                listener.resume(list(self.epochs))
            self._keep()

    def begin(self):
        """Note that an epoch begins."""
        self._began = perf_counter()
        for listener in self.listeners:
            listener.begin()

    def end(self, number, loss, learning_rate, whole=True):
        """Record an epoch, `whole` or cut short; say whether to stop."""
        seconds = perf_counter() - self._began
        found = (None, None) if self.validation is None else self.validation.measure()
        rate = None if learning_rate is None else float(learning_rate)
        epoch = Epoch(number, float(loss), rate, seconds, *found)
        if self._note(epoch):
            self.best = self._weights.copy().flat
        self._keep()
        state = partial(self.state, self._run, self) if self.state and whole else None
        live = replace(epoch, weights=self._weights, state=state)
        told = [bool(listener.end(live)) for listener in self.listeners]
        late = self.deadline is not None and perf_counter() >= self.deadline
        return any(told) or self.tired or late

    def _note(self, epoch):
        """Add an epoch to those there were; say whether its weights did best."""
        self.epochs.append(epoch)
        watched, better = epoch.loss, False
        if self.early_stopping:
            watched = -epoch.validation_score
            # of equal scores the lower loss is the better net: few images give coarse scores
            key = (epoch.validation_score, -epoch.validation_loss)
            better = not isnan(epoch.validation_loss) and (self._key is None or key > self._key)
            if better:
                self._key, self.best_score = key, epoch.validation_score
        self._waited = self._waited + 1 if watched > self._lowest - self.tol else 0
        self._lowest = min(self._lowest, watched)
        return better

    def _keep(self):
        if self.keep_finite:
            del self._good[:-1]  # before there is a third
            self._good.append((self.epochs[-1].number, self._weights.copy().flat))

    def diverged(self, error, sound):
        """End with the last good weights, if there are any, and say whether there are.

        ``sound()`` says whether the network gives finite numbers with the weights as they are.
        """
        for number, weights in reversed(self._good):
            fill(self._weights.flat, weights)
            if sound():
                self.warning = f"{error} What was learnt until epoch {number} is kept."
                return True
        return False

    def finish(self, sound):
        """Put the best weights back, where they were kept; see that they are good, if asked to."""
        if self.best is not None:
            fill(self._weights.flat, self.best)
        unseen = self.warning is None or self.best is not None
        if self.keep_finite and unseen and not sound():
            error = DivergenceError(
                f"Training diverged: after epoch {self.epochs[-1].number} the network gives "
                f"numbers that are not finite. Scale X or lower learning_rate_init."
            )
            if not self.diverged(error, sound):
                raise error


class Validation:
    """Samples that are not trained on.

    Parameters
    ----------
    X, targets : arrays
        As for training.
    loss : Loss
    rows : array of indices, default=None
        Which samples of `X` and `targets`; all, when None.
    weights : array of shape (n,), default=None
        Of the samples of `X`.
    """

    def __init__(self, X, targets, loss, rows=None, weights=None):
        self.X = X
        self.rows = rows
        self.targets = targets if rows is None else targets[rows]
        self.weights = weights if weights is None or rows is None else weights[rows]
        self.loss = loss

    def start(self, network, weights):
        """Bind `network` for inference with `weights`."""
        self._network = inference_network(network, len(self.targets), weights, changing=True)

    def measure(self):
        """Return the loss and the score of the weights as they are now."""
        outputs = predict(self._network, self.X, self.rows)
        with overflow_allowed():
            total = None if self.weights is None else self.weights.sum()
            loss = self.loss(outputs, self.targets, None, self.weights, total)
        return loss, self.loss.score(outputs, self.targets, self.weights)
