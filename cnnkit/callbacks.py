"""Callbacks: they listen to training. Set them by ``estimator.set_callbacks(...)``.

Your own callback is a subclass of `Callback`. From scikit-learn 1.9 on, the callbacks of
`sklearn.callback` can be used too, such as its nested progress bars, and `clone` passes callbacks
on by reference.
"""

from __future__ import annotations

import csv
import io
import json
import multiprocessing
import threading
from os import PathLike
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from sklearn import config_context

from cnnkit.files import atomic
from cnnkit.training import checkpoints
from cnnkit.validate import shapes

if TYPE_CHECKING:
    from cnnkit.estimators.defaults import Settings
    from cnnkit.training.checkpoints import State
    from cnnkit.training.stopping import Epoch
    from cnnkit.typing import Estimator, FilePath

__all__ = [
    "CSVLog",
    "Callback",
    "Checkpoint",
    "JSONLog",
    "Timer",
]


class Callback:
    """Base class of callbacks; a subclass overrides the methods that it needs.

    Examples
    --------
    >>> from cnnkit.callbacks import Callback
    >>> class StopAt(Callback):
    ...     def __init__(self, loss):
    ...         self.loss = loss
    ...
    ...     def on_epoch_end(self, estimator, epoch):
    ...         return epoch.loss < self.loss
    """

    def on_fit_begin(self, estimator: Estimator) -> None:
        """Called when `estimator` begins to train.

        Parameters
        ----------
        estimator : estimator
            The one that is fitted.

        Examples
        --------
        >>> import numpy as np
        >>> from cnnkit import CNNClassifier
        >>> from cnnkit.callbacks import Callback
        >>> class Announce(Callback):
        ...     def on_fit_begin(self, estimator):
        ...         print("solver:", estimator.solver)
        >>> X, y = np.random.default_rng(0).random((20, 8, 8)), np.repeat([0, 1], 10)
        >>> clf = CNNClassifier(max_iter=2, random_state=0).set_callbacks(Announce()).fit(X, y)
        solver: adamw
        """

    def on_epoch_end(self, estimator: Estimator, epoch: Epoch) -> bool | None:
        """Called after each `cnnkit.training.stopping.Epoch`; return True to end training.

        Parameters
        ----------
        estimator : estimator
            The one that is fitted.
        epoch : cnnkit.training.stopping.Epoch
            Its number, losses, scores, seconds, learning rate and weights.

        Returns
        -------
        stop : bool or None
            True ends training.

        Examples
        --------
        >>> import numpy as np
        >>> from cnnkit import CNNClassifier
        >>> from cnnkit.callbacks import Callback
        >>> class StopAfter(Callback):
        ...     def on_epoch_end(self, estimator, epoch):
        ...         return epoch.number == 1
        >>> X, y = np.random.default_rng(0).random((20, 8, 8)), np.repeat([0, 1], 10)
        >>> clf = CNNClassifier(max_iter=2, random_state=0).set_callbacks(StopAfter()).fit(X, y)
        >>> clf.n_iter_
        1
        """

    def on_fit_end(self, estimator: Estimator) -> None:
        """Called when training has ended, also by an error.

        Parameters
        ----------
        estimator : estimator
            The one that is fitted.

        Examples
        --------
        >>> import numpy as np
        >>> from cnnkit import CNNClassifier
        >>> from cnnkit.callbacks import Callback
        >>> class Announce(Callback):
        ...     def on_fit_end(self, estimator):
        ...         print("trained")
        >>> X, y = np.random.default_rng(0).random((20, 8, 8)), np.repeat([0, 1], 10)
        >>> clf = CNNClassifier(max_iter=2, random_state=0).set_callbacks(Announce()).fit(X, y)
        trained
        """

    def on_resume(self, estimator: Estimator, epochs: list[Epoch]) -> None:
        """Called after `on_fit_begin` if `fit` goes on from a checkpoint, with the epochs before.

        The epochs have all their figures, but no weights.

        Parameters
        ----------
        estimator : estimator
            The one that is fitted.
        epochs : list of cnnkit.training.stopping.Epoch
            The epochs that the checkpoint has.

        Examples
        --------
        >>> from cnnkit.callbacks import Callback
        >>> class Count(Callback):
        ...     def on_resume(self, estimator, epochs):
        ...         self.before = len(epochs)
        """

    # scikit-learn's protocol (sklearn.callback.FitCallback), in which an epoch is a task

    def setup(self, estimator: Estimator, context: Any) -> None:
        """Call `on_fit_begin`.

        Parameters
        ----------
        estimator : estimator
            The one that is fitted.
        context : object
            The context that scikit-learn hands to callbacks.
        """
        self.on_fit_begin(estimator)

    def on_fit_task_begin(self, estimator: Estimator, context: Any) -> None:
        """Do nothing: `on_epoch_end` is called with more than scikit-learn passes on.

        Parameters
        ----------
        estimator : estimator
            The one that is fitted.
        context : object
            The context that scikit-learn hands to callbacks.
        """

    def on_fit_task_end(self, estimator: Estimator, context: Any) -> None:
        """Do nothing: `on_epoch_end` is called with more than scikit-learn passes on.

        Parameters
        ----------
        estimator : estimator
            The one that is fitted.
        context : object
            The context that scikit-learn hands to callbacks.
        """

    def teardown(self, estimator: Estimator, context: Any) -> None:
        """Call `on_fit_end`.

        Parameters
        ----------
        estimator : estimator
            The one that is fitted.
        context : object
            The context that scikit-learn hands to callbacks.
        """
        self.on_fit_end(estimator)


class Checkpoint(Callback):
    """Write the state of training to a file after every epoch, or after every best epoch.

    The state is the weights, the optimizer's averages, the state of the random generators and the
    loss curves. A fit that goes on from the file ends with the same bits as one that was never
    interrupted. The file is replaced whole or not at all, whatever happens while it is written.

    Parameters
    ----------
    path : str or path-like
        The file, which need not exist.
    monitor : {"loss", "validation_loss", "validation_score"}, default="loss"
        The figure that decides which epoch is best. The score is the first of `scoring`.
    best_only : bool, default=False
        Write only when `monitor` is better than in the epoch written last.
    every : int, default=1
        Number of epochs between two writes.
    resume : bool, default=False
        Whether `fit` goes on from the file, if it exists. Not possible with solver="lbfgs".

    Notes
    -----
    The same bits need the same instruction set and the same versions of cnnkit, NumPy and SciPy. A
    checkpoint does not record them: on another machine of a cluster the fit goes on, but ends with
    other bits than on either machine alone. The environment variable `CNNKIT_INSTRUCTION_SET`
    forces an instruction set that all machines have.

    An epoch that `max_time` cuts short is not written: a fit that goes on repeats it.

    The file must be of the same fit; otherwise a ValueError is raised. The same are the class of
    the estimator, the data, the initial weights and all hyper-parameters except `max_iter` (with
    ``learning_rate="constant"``), `max_time`, `n_iter_no_change`, `test_time_augmentation` and
    `verbose`. Your own layers, schedules and augmentations are compared by class and `get_params`,
    or by ``repr`` if they have no `get_params`.

    A fit with `warm_start` goes on from the file only if the fit in the file started from the same
    learnt weights: then it is the same fit, interrupted. Otherwise it begins anew and overwrites
    the file.

    `clone` passes callbacks on by reference (scikit-learn 1.9), so all fits of a grid search or a
    cross-validation write to one file: with `resume` the second fit raises the error that the file
    is of another fit.

    Examples
    --------
    >>> import tempfile
    >>> from sklearn.datasets import load_digits
    >>> from cnnkit import CNNClassifier
    >>> from cnnkit.callbacks import Checkpoint
    >>> X, y = load_digits(return_X_y=True)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     checkpoint = Checkpoint(f"{folder}/digits.checkpoint", resume=True)
    ...     clf = CNNClassifier("lenet5", image_shape=(8, 8), learning_rate="constant", max_iter=2)
    ...     clf = clf.set_callbacks(checkpoint).fit(X, y)
    ...     longer = clf.set_params(max_iter=3).fit(X, y)  # trains one epoch more
    ...     sorted(checkpoint.weights())[:4]
    ['conv1/b', 'conv1/w', 'conv2/b', 'conv2/w']
    """

    MONITORS = ("loss", "validation_loss", "validation_score")

    def __init__(
        self,
        path: FilePath,
        *,
        monitor: Literal["loss", "validation_loss", "validation_score"] = "loss",
        best_only: bool = False,
        every: int = 1,
        resume: bool = False,
    ) -> None:
        self.path = path
        self.monitor = monitor
        self.best_only = best_only
        self.every = every
        self.resume = resume

    def weights(self) -> dict[str, np.ndarray]:
        """Return the weights for prediction, which can be used as `initial_weights`.

        Returns
        -------
        weights : dict of arrays
            By path, such as ``"conv1/w"``.

        Raises
        ------
        ModelFormatError
            If the file is not a checkpoint.
        FileNotFoundError
            If there is no file.
        """
        return checkpoints.read_weights(self.path)

    def read(self) -> State | None:
        """Return the `cnnkit.training.checkpoints.State` in the file, or None if there is no file.

        A damaged file raises a ModelFormatError.
        """
        path = Path(atomic.file_name(self.path, "Checkpoint"))
        return checkpoints.read(path) if path.exists() else None

    def on_fit_begin(self, estimator: Estimator) -> None:
        if self.monitor not in self.MONITORS:
            raise ValueError(
                f"Checkpoint: monitor must be one of {self.MONITORS}, got {self.monitor!r}."
            )
        shapes.as_int(self.every, "every", "Checkpoint")
        atomic.check(self.path, "Checkpoint")
        self._best = -np.inf

    def on_resume(self, estimator: Estimator, epochs: list[Epoch]) -> None:
        for epoch in epochs:
            self._is_due(epoch)

    def on_epoch_end(self, estimator: Estimator, epoch: Epoch) -> None:
        if epoch.state and self._is_due(epoch):
            checkpoints.write(self.path, epoch.state())

    def _is_due(self, epoch):
        """Say whether an epoch is to be written; if so, remember how good it is."""
        found = getattr(epoch, self.monitor) * (1 if self.monitor == "validation_score" else -1)
        if epoch.number % self.every or (self.best_only and not found > self._best):
            return False
        self._best = found
        return True


class _Log(Callback):
    """A text file with one line for each record; every `fit` starts it anew unless `append`."""

    def __init__(self, path: str | PathLike[str], *, append: bool = False) -> None:
        self.path = path
        self.append = append

    def _line(self, figures: dict[str, Any], fresh: bool) -> str:
        """Return the text for the figures of an epoch; `fresh` says whether the file is empty."""
        raise NotImplementedError(f"{type(self).__name__} has no _line")

    def on_fit_begin(self, estimator: Estimator) -> None:
        self._fresh = not (self.append and Path(self.path).exists())
        if self._fresh:
            Path(self.path).write_text("")

    def on_resume(self, estimator: Estimator, epochs: list[Epoch]) -> None:
        for epoch in epochs[self._go_on(epochs) :]:
            self.on_epoch_end(estimator, epoch)

    def _go_on(self, epochs):
        """Return how many of the epochs are in the file, and remove the lines after them."""
        ends, size = {}, 0
        with open(self.path, "rb+") as file:
            for line in file:
                if line.endswith(b"\n"):
                    size += len(line)
                    ends[line] = size
            for count in range(len(epochs), 0, -1):
                line = self._line(epochs[count - 1].figures(), False).encode()
                if line in ends:
                    file.truncate(ends[line])
                    return count
            file.truncate(size)  # removes an incomplete line
        return 0

    def on_epoch_end(self, estimator: Estimator, epoch: Epoch) -> None:
        text = self._line(epoch.figures(), self._fresh)
        self._fresh = False
        with open(self.path, "a") as file:  # opened for every line: a line that is written is safe
            file.write(text)


class CSVLog(_Log):
    """Write the figures of every epoch as a line of a CSV file.

    Columns: number, loss, learning_rate, seconds, validation_loss, validation_score. A cell is
    empty if there is no such figure.

    Parameters
    ----------
    path : str or path-like
        The file; an existing one is overwritten, unless `append`.
    append : bool, default=False
        Whether lines are added to an existing file. If `fit` goes on from a checkpoint, the lines
        of epochs that are trained again are removed.

    Examples
    --------
    >>> import tempfile, numpy as np
    >>> from cnnkit import CNNClassifier
    >>> from cnnkit.callbacks import CSVLog
    >>> X, y = np.random.default_rng(0).random((20, 8, 8)), np.repeat([0, 1], 10)
    >>> with tempfile.NamedTemporaryFile("r") as file:
    ...     log = CSVLog(file.name)
    ...     clf = CNNClassifier(max_iter=2, random_state=0).set_callbacks(log).fit(X, y)
    ...     print(file.readline().strip())
    number,loss,learning_rate,seconds,validation_loss,validation_score
    """

    def _line(self, figures, fresh):
        text = io.StringIO()
        writer = csv.DictWriter(text, list(figures), lineterminator="\n")
        if fresh:
            writer.writeheader()
        writer.writerow(figures)
        return text.getvalue()


class JSONLog(_Log):
    """Write the figures of every epoch as a JSON object on a line of its own.

    Parameters
    ----------
    path : str or path-like
        The file; an existing one is overwritten, unless `append`.
    append : bool, default=False
        Whether lines are added to an existing file. If `fit` goes on from a checkpoint, the lines
        of epochs that are trained again are removed.

    Examples
    --------
    >>> import json, tempfile, numpy as np
    >>> from cnnkit import CNNClassifier
    >>> from cnnkit.callbacks import JSONLog
    >>> X, y = np.random.default_rng(0).random((20, 8, 8)), np.repeat([0, 1], 10)
    >>> with tempfile.NamedTemporaryFile("r") as file:
    ...     log = JSONLog(file.name)
    ...     clf = CNNClassifier(max_iter=2, random_state=0).set_callbacks(log).fit(X, y)
    ...     [json.loads(line)["number"] for line in file]
    [1, 2]
    """

    def _line(self, figures, fresh):
        return json.dumps(figures) + "\n"


class Timer(Callback):
    """Measure the time of training.

    Attributes
    ----------
    epochs : list of float
        Seconds of every epoch of the last `fit`, without validation. If it went on from a
        checkpoint, the epochs before are included.
    total : float
        Seconds of the whole `fit`.

    Examples
    --------
    >>> import numpy as np
    >>> from cnnkit import CNNClassifier
    >>> from cnnkit.callbacks import Timer
    >>> X, y = np.random.default_rng(0).random((20, 8, 8)), np.repeat([0, 1], 10)
    >>> timer = Timer()
    >>> clf = CNNClassifier(max_iter=2, random_state=0).set_callbacks(timer).fit(X, y)
    >>> len(timer.epochs), timer.total >= sum(timer.epochs)
    (2, True)
    """

    def on_fit_begin(self, estimator: Estimator) -> None:
        self.epochs: list[float] = []
        self._began = perf_counter()

    def on_resume(self, estimator: Estimator, epochs: list[Epoch]) -> None:
        self.epochs += [epoch.seconds for epoch in epochs]

    def on_epoch_end(self, estimator: Estimator, epoch: Epoch) -> None:
        self.epochs.append(epoch.seconds)

    def on_fit_end(self, estimator: Estimator) -> None:
        self.total = perf_counter() - self._began


class Lines(Callback):
    """Print the estimator, and a line for every epoch: ``verbose=1``.

    In a process or thread of a search, every line begins with the name of the process or thread,
    since lines of several fits are mixed.

    Parameters
    ----------
    settings : Settings, default=None
        The values of "auto" in this fit, which are printed first.
    """

    def __init__(self, settings: Settings | None = None) -> None:
        self.settings = settings

    def on_fit_begin(self, estimator: Estimator) -> None:
        say(title(estimator))
        if self.settings is not None:
            say(str(self.settings))

    def on_epoch_end(self, estimator: Estimator, epoch: Epoch) -> None:
        say(epoch_line(epoch))


class Bar(Callback):
    """Show a progress bar with the time left: ``verbose=2``.

    In a notebook rich needs ipywidgets; without it, a line is printed for every epoch.

    Parameters
    ----------
    epochs : int
        Largest number of epochs.
    """

    def __init__(self, epochs: int) -> None:
        self.epochs = epochs

    def on_fit_begin(self, estimator: Estimator) -> None:
        self._progress = None
        try:
            from rich import get_console, progress
        except ImportError:
            raise ImportError(
                f"{type(estimator).__name__}: verbose=2 needs rich, pip install 'cnnkit[progress]'."
            ) from None
        say(title(estimator))
        if get_console().is_jupyter and not _has_widgets():
            say("A line for every epoch: a bar in a notebook needs pip install ipywidgets.")
            return
        self._progress = progress.Progress(
            progress.TextColumn("{task.description}"),
            progress.BarColumn(),
            progress.MofNCompleteColumn(),
            progress.TimeElapsedColumn(),
            progress.TimeRemainingColumn(),
            progress.TextColumn("{task.fields[figures]}"),
        )
        self._task = self._progress.add_task(
            type(estimator).__name__, total=self.epochs, figures=""
        )
        self._progress.start()

    def on_resume(self, estimator: Estimator, epochs: list[Epoch]) -> None:
        if self._progress is not None:
            self._progress.update(self._task, advance=len(epochs))

    def on_epoch_end(self, estimator: Estimator, epoch: Epoch) -> None:
        if self._progress is None:
            say(epoch_line(epoch))
        else:
            self._progress.update(self._task, advance=1, figures=describe(epoch))

    def on_fit_end(self, estimator: Estimator) -> None:
        if self._progress is not None:
            self._progress.stop()


def _has_widgets():
    """Say whether rich can draw in a notebook."""
    try:
        import ipywidgets  # noqa: F401
    except ImportError:
        return False
    return True


def title(estimator: Estimator) -> str:
    """Return an estimator on one line, with its parameters that are not the default."""
    with config_context(print_changed_only=True):
        return " ".join(repr(estimator).split())


def say(text: str) -> None:
    """Print a line; the name of the process and thread comes first if it is not the main one."""
    process, thread = multiprocessing.current_process(), threading.current_thread()
    names = [process.name] if process.name != "MainProcess" else []
    names += [thread.name] if thread is not threading.main_thread() else []
    print(": ".join([*names, text]), flush=True)  # one call: others may print, too


def epoch_line(epoch: Epoch) -> str:
    """Return the number and figures of an epoch as text."""
    return f"Epoch {epoch.number}, {describe(epoch)}"


def describe(epoch: Epoch) -> str:
    """Return the loss, and the validation loss and all scores if there are any, as text."""
    text = f"loss = {epoch.loss:.6f}"
    if epoch.validation_loss is not None:
        text += f", validation loss = {epoch.validation_loss:.6f}"
    for name, score in epoch.scores.items():
        text += f", {name.replace('_', ' ', 1)} = {score:.6f}"
    return text
