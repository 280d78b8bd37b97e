"""The end of training: records of epochs, early stopping, and the choice of the final weights."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields, replace
from functools import cached_property, partial
from math import isnan
from time import perf_counter
from typing import ClassVar

import numpy as np

from cnnkit.data.reading import Batches
from cnnkit.exceptions import DivergenceError, overflow_allowed
from cnnkit.network.prediction import inference_network, predict
from cnnkit.network.weights import Weights
from cnnkit.validate.arrays import fill

USUAL = "validation_score"  # the name of the score where `scoring` says nothing


@dataclass(frozen=True, slots=True)
class Epoch:
    """The figures at the end of an epoch, or of an iteration of L-BFGS.

    Attributes
    ----------
    number : int
        Counted from 1 over all calls of `fit` and `partial_fit` that continued one another.
    loss : float
        Mean training loss of the epoch.
    learning_rate : float or None
        Rate of the last step; None for L-BFGS.
    seconds : float
        Time of training, without validation.
    validation_loss, validation_score : float or None
        The score is the first of `scoring`.
    named : dict of float or None
        All scores by name, if there are others than the usual one.
    weights : Weights or None
        Weights for prediction at this moment, by path; later steps change them. None after the
        callbacks were called.
    state : callable or None
        Returns the `cnnkit.training.checkpoints.State` from which training can go on. None if
        `max_time` cut the epoch short: then training cannot go on.
    """

    number: int
    loss: float
    learning_rate: float | None
    seconds: float
    validation_loss: float | None
    validation_score: float | None
    named: dict[str, float] | None = None
    weights: Weights | None = None
    state: Callable | None = None

    LIVE: ClassVar = ("weights", "state")  # valid only during the callbacks

    def figures(self) -> dict[str, float | None]:
        """Return a dict of all attributes but the weights and the state, and of all scores."""
        return {name: getattr(self, name) for name in self.names()} | self.scores

    @property
    def scores(self) -> dict[str, float]:
        """All scores by name, such as ``"validation_f1"`` and ``"train_f1"``."""
        usual = {} if self.validation_score is None else {USUAL: self.validation_score}
        return usual if self.named is None else self.named

    @classmethod
    def names(cls) -> list[str]:
        """Return the names of the figures that every epoch has."""
        live = ("named", *cls.LIVE)
        return [entry.name for entry in fields(cls) if entry.name not in live]


class Watch:
    """Ends training, and keeps the best weights.

    Parameters
    ----------
    tol : float, default=0
        By how much the loss must fall, or the validation score rise, to count.
    patience : int, default=None
        Training ends after so many epochs in a row without a change that counts; None means never.
    validation : Validation, default=None
    trained : Validation, default=None
        Training samples whose scores are recorded, too.
    early_stopping : bool, default=False
        Watch the validation score instead of the training loss, and restore the best weights.
    max_time : float, default=None
        Seconds after which training ends, also in the middle of an epoch.
    keep_finite : bool, default=False
        If training diverges, end it with a `warning`, and with the weights of the last epoch, or of
        the one before, that give finite numbers for the training set.
    listeners : list, default=()
        Objects with ``resume(epochs)``, ``begin()``, and ``end(epoch)``, which returns whether to
        stop.
    state : callable, default=None
        Called with the run and this watch, it returns the state of an `Epoch`.

    Attributes
    ----------
    epochs : list of Epoch
        Epochs of this run of training, without weights and state.
    best_score : float or None
        Best validation score, with `early_stopping`.
    warning : str or None
        Warning for the user if training diverged and was ended.
    deadline : float or None
        End of `max_time` on the clock of `time.perf_counter`.
    """

    def __init__(
        self,
        *,
        tol=0.0,
        patience=None,
        validation=None,
        trained=None,
        early_stopping=False,
        max_time=None,
        keep_finite=False,
        listeners=(),
        state=None,
    ):
        self.tol = tol
        self.patience = patience
        self.validation = validation
        self.trained = trained
        self.early_stopping = early_stopping
        self.keep_finite = keep_finite
        self.listeners = list(listeners)
        self.state = state
        self.epochs = []
        self.best_score = None
        self.warning = None
        self.deadline = None if max_time is None else perf_counter() + max_time
        self.best = None
        self._good = []  # weights of the last two epochs, and the numbers of the epochs
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
    def score_names(self):
        """The names of all scores, that which decides first."""
        kinds = {"validation": self.validation, "train": self.trained}
        return [
            f"{kind}_{name}"
            for kind, samples in kinds.items()
            if samples is not None
            for name in samples.names
        ]

    @property
    def curves(self):
        """All scores of every epoch, as lists by name; None if there are none."""
        names = self.score_names if self.epochs else []
        return {name: [epoch.scores[name] for epoch in self.epochs] for name in names} or None

    @property
    def tired(self):
        """Whether patience has ended."""
        return self.patience is not None and self._waited >= self.patience

    def resume(self, epochs, best):
        """Record the epochs before a checkpoint, and the best weights until then."""
        for epoch in epochs:
            self._note(epoch)
        self.best = best
        if self.deadline is not None:
            self.deadline -= sum(epoch.seconds for epoch in epochs)

    def start(self, run):
        """Start to watch a run."""
        self._run = run
        self._weights = run.weights
        for samples in (self.validation, self.trained):
            if samples is not None:
                samples.start(run.network, run.weights)
        if self.epochs:
            for listener in self.listeners:
                listener.resume(list(self.epochs))
            self._keep()

    def begin(self):
        """Record that an epoch begins."""
        self._began = perf_counter()
        for listener in self.listeners:
            listener.begin()

    def end(self, number, loss, learning_rate, whole=True):
        """Record an epoch, which may not be `whole`; say whether to stop."""
        seconds = perf_counter() - self._began
        rate = None if learning_rate is None else float(learning_rate)
        epoch = Epoch(number, float(loss), rate, seconds, *self._measure())
        if self._note(epoch):
            self.best = self._weights.copy().flat
        self._keep()
        state = partial(self.state, self._run, self) if self.state and whole else None
        live = replace(epoch, weights=self._weights, state=state)
        told = [bool(listener.end(live)) for listener in self.listeners]
        late = self.deadline is not None and perf_counter() >= self.deadline
        return any(told) or self.tired or late

    def _measure(self):
        """Return the validation loss, the score that decides, and all scores by name."""
        loss, first, found = None, None, []
        if self.validation is not None:
            loss, found = self.validation.measure()
            first = found[0]
        if self.trained is not None:
            found = found + self.trained.measure()[1]
        names = self.score_names
        named = None if names in ([], [USUAL]) else dict(zip(names, found, strict=True))
        return loss, first, named

    def _note(self, epoch):
        """Add an epoch to `epochs`; say whether its weights are the best."""
        self.epochs.append(epoch)
        watched, better = epoch.loss, False
        if self.early_stopping:
            watched = -epoch.validation_score
            # With equal scores the lower loss is better: scores of few images are coarse.
            key = (epoch.validation_score, -epoch.validation_loss)
            known = not isnan(epoch.validation_loss) and not isnan(epoch.validation_score)
            better = known and (self._key is None or key > self._key)
            if better:
                self._key, self.best_score = key, epoch.validation_score
        improved = watched <= self._lowest - self.tol  # NaN has not
        self._waited = 0 if improved else self._waited + 1
        self._lowest = min(self._lowest, watched)
        return better

    def _keep(self):
        if self.keep_finite:
            del self._good[:-1]  # so that there are never three
            self._good.append((self.epochs[-1].number, self._weights.copy().flat))

    def diverged(self, error, sound):
        """Restore the last good weights; return whether there are any.

        ``sound()`` says whether the network gives finite numbers with its present weights.
        """
        for number, weights in reversed(self._good):
            fill(self._weights.flat, weights)
            if sound():
                self.warning = f"{error} What was learnt until epoch {number} is kept."
                return True
        return False

    def finish(self, sound):
        """Restore the best weights if they were kept; check them if `keep_finite`."""
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
    """Samples whose loss and scores are measured: as a rule validation samples.

    Parameters
    ----------
    X, targets : arrays
        In the form for training.
    loss : Loss
    rows : array of indices, default=None
        Indices of the samples of `X` and `targets`; None means all.
    weights : array of shape (n,), default=None
        Weights of the samples of `X`, for the loss and the usual score.
    y, sample_weight : arrays, default=None
        Targets and weights of the samples of `X` as the user gave them, for the `scorers`.
    scorers : callable, default=None
        ``scorers(outputs, self)`` returns a list of scores, whose names are ``scorers.names``;
        ``scorers.start(network, weights)`` comes first. None stands for the usual score of the
        loss.
    """

    def __init__(
        self,
        X,
        targets,
        loss,
        rows=None,
        weights=None,
        y=None,
        sample_weight=None,
        scorers=None,
    ):
        self.X = X
        self.rows = rows
        self.targets = self._mine(targets)
        self.weights = self._mine(weights)
        self.loss = loss
        self.y = self._mine(y)
        self.sample_weight = self._mine(sample_weight)
        self.scorers = scorers

    def _mine(self, array):
        return array if array is None or self.rows is None else array[self.rows]

    @property
    def names(self):
        """The names of the scores."""
        return ["score"] if self.scorers is None else self.scorers.names

    @cached_property
    def images(self):
        """The samples as an array, a copy where they are rows of `X`; a lazy one stays lazy."""
        return self._mine(self.X.array if isinstance(self.X, Batches) else self.X)

    def start(self, network, weights):
        """Bind `network` for inference with `weights`."""
        self._network = inference_network(network, len(self.targets), weights, changing=True)
        if self.scorers is not None:
            self.scorers.start(network, weights)

    def measure(self):
        """Return the loss, and a list of scores, of the weights as they are now."""
        outputs = predict(self._network, self.X, self.rows)
        with overflow_allowed():
            total = None if self.weights is None else self.weights.sum()
            loss = self.loss(outputs, self.targets, None, self.weights, total)
        if self.scorers is not None:
            return loss, self.scorers(outputs, self)
        return loss, [self.loss.score(outputs, self.targets, self.weights)]
