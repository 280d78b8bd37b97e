"""When training ends, what is recorded on the way, and which weights it leaves."""

from dataclasses import dataclass
from time import perf_counter

import numpy as np

from cnnkit.prediction import inference_network, predict
from cnnkit.weights import Weights


@dataclass(frozen=True)
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
    weights : Weights
        What prediction would use now, by path; they change as training goes on.
    """

    number: int
    loss: float
    learning_rate: float | None
    seconds: float
    validation_loss: float | None
    validation_score: float | None
    weights: Weights

    def figures(self):
        """Return everything but the weights as a dict, by name."""
        return {name: value for name, value in vars(self).items() if name != "weights"}


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
    listeners : list, default=()
        Each with ``begin()``, and ``end(epoch)`` that returns whether to stop.

    Attributes
    ----------
    losses, scores : list of float
        Validation loss and score of every epoch.
    best_score : float or None
        With `early_stopping`.
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
        listeners=(),
    ):
        self.tol = tol
        self.patience = patience
        self.validation = validation
        self.early_stopping = early_stopping
        self.listeners = list(listeners)
        self.losses = []
        self.scores = []
        self.best_score = None
        self.deadline = None if max_time is None else perf_counter() + max_time
        self._lowest = np.inf
        self._waited = 0
        self._best = None

    def start(self, network, weights):
        """Learn which network trains, and with which weights it would predict."""
        self._weights = weights
        if self.validation is not None:
            self.validation.start(network, weights)

    def begin(self):
        """Note that an epoch begins."""
        self._began = perf_counter()
        for listener in self.listeners:
            listener.begin()

    def end(self, number, loss, learning_rate):
        """Record an epoch; say whether to stop."""
        seconds = perf_counter() - self._began
        validation_loss = score = None
        watched = loss
        if self.validation is not None:
            validation_loss, score = self.validation.measure()
            self.losses.append(validation_loss)
            self.scores.append(score)
        if self.early_stopping:
            watched = -score
            # of equal scores the lower loss is the better net: few images give coarse scores
            if self._best is None or (score, -validation_loss) > self._best[:2]:
                self._best = (score, -validation_loss, self._weights.flat.copy())
                self.best_score = score
        self._waited = self._waited + 1 if watched > self._lowest - self.tol else 0
        self._lowest = min(self._lowest, watched)
        epoch = Epoch(number, loss, learning_rate, seconds, validation_loss, score, self._weights)
        told = [bool(listener.end(epoch)) for listener in self.listeners]
        tired = self.patience is not None and self._waited >= self.patience
        late = self.deadline is not None and perf_counter() >= self.deadline
        return any(told) or tired or late

    def restore(self):
        """Put the best weights back, where they were kept."""
        if self._best is not None:
            self._weights.flat[:] = self._best[2]


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
        total = None if self.weights is None else self.weights.sum()
        loss = self.loss(outputs, self.targets, None, self.weights, total)
        return loss, self.loss.score(outputs, self.targets, self.weights)
