"""What can listen to training: give them to ``estimator.set_callbacks(...)``.

Write your own as a subclass of `Callback`. From scikit-learn 1.9 on they stand beside those of
`sklearn.callback`, such as its nested progress bars, and `clone` hands them on by reference.
"""

import csv
import io
import json
import multiprocessing
import threading
from pathlib import Path
from time import perf_counter

import numpy as np
from sklearn import config_context

from cnnkit.files import atomic
from cnnkit.training import checkpoints
from cnnkit.validate import shapes


class Callback:
    """Base class: the moments of `fit`, each to be overridden or not.

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

    def on_fit_begin(self, estimator):
        """Hear that `estimator` begins to train."""

    def on_epoch_end(self, estimator, epoch):
        """Hear of an epoch, a `cnnkit.training.stopping.Epoch`; return True to end training."""

    def on_fit_end(self, estimator):
        """Hear that training has ended, also by an error."""

    def on_resume(self, estimator, epochs):
        """Hear, after `on_fit_begin`, of the epochs before the checkpoint that `fit` goes on from.

        They are told as they were, but without their weights.
        """

    # scikit-learn's protocol (sklearn.callback.FitCallback), in which an epoch is a task

    def setup(self, estimator, context):
        """Call `on_fit_begin`."""
        self.on_fit_begin(estimator)

    def on_fit_task_begin(self, estimator, context):
        """Do nothing: `on_epoch_end` is called with more than scikit-learn passes on."""

    def on_fit_task_end(self, estimator, context):
        """Do nothing: `on_epoch_end` is called with more than scikit-learn passes on."""

    def teardown(self, estimator, context):
        """Call `on_fit_end`."""
        self.on_fit_end(estimator)


class Checkpoint(Callback):
    """Write all that training consists of to a file after every epoch, or after every best one.

    That is weights, the optimizer's averages, random numbers and curves: a fit that goes on from
    the file ends with the same bits as one that was never interrupted. Whatever happens while it
    is written, the old file or the new one is there, whole.

    Parameters
    ----------
    path : str or path-like
    monitor : {"loss", "validation_loss", "validation_score"}, default="loss"
        What decides which epoch is best.
    best_only : bool, default=False
        Write only when `monitor` is better than in the epoch written last.
    every : int, default=1
        Epochs from one writing to the next.
    resume : bool, default=False
        Let `fit` go on from the file, where there is one. Not with solver="lbfgs".

    Notes
    -----
    The same bits take the same instruction set and the same versions of cnnkit, NumPy and SciPy. A
    checkpoint does not hold which: on another machine of a cluster the fit goes on, and ends with
    other bits than it would have on either. `CNNKIT_INSTRUCTION_SET` in the environment forces one
    that all machines have.

    An epoch that `max_time` cuts short is not written: a fit that goes on trains it from its start.

    The file must be of the same fit: an estimator of the same class, the same data, weights to
    start from and hyper-parameters but `max_iter` (with ``learning_rate="constant"``), `max_time`,
    `n_iter_no_change`, `test_time_augmentation` and `verbose`; another fit is a ValueError.
    Layers, schedules and augmentations of one's own are told apart by class and `get_params`, or
    where they have none by ``repr``.

    A fit with `warm_start` that starts from what was learnt before goes on from the file if the fit
    in it started from that, too: it is the same fit, interrupted. Otherwise it begins anew, and
    the file of the fit before is overwritten.

    `clone` hands callbacks on by reference (scikit-learn 1.9), so that all fits of a grid search or
    a cross-validation write to one file: with `resume` the second ends with the error that it is
    another fit.

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

    def __init__(self, path, *, monitor="loss", best_only=False, every=1, resume=False):
        self.path = path
        self.monitor = monitor
        self.best_only = best_only
        self.every = every
        self.resume = resume

    def weights(self):
        """Return what prediction would use: good for `initial_weights`.

        Returns
        -------
        weights : dict of arrays
            By path, such as ``"conv1/w"``.

        Raises
        ------
        ModelFormatError
            If the file is no checkpoint.
        FileNotFoundError
        """
        return checkpoints.read_weights(self.path)

    def read(self):
        """Return the `cnnkit.training.checkpoints.State` in the file, None where there is no file.

        What is wrong with the file is a ModelFormatError.
        """
        path = Path(atomic.file_name(self.path, "Checkpoint"))
        return checkpoints.read(path) if path.exists() else None

    def on_fit_begin(self, estimator):
        if self.monitor not in self.MONITORS:
            raise ValueError(
                f"Checkpoint: monitor must be one of {self.MONITORS}, got {self.monitor!r}."
            )
        shapes.as_int(self.every, "every", "Checkpoint")
        atomic.check(self.path, "Checkpoint")
        self._best = -np.inf

    def on_resume(self, estimator, epochs):
        for epoch in epochs:
            self._is_due(epoch)

    def on_epoch_end(self, estimator, epoch):
        if epoch.state and self._is_due(epoch):
            checkpoints.write(self.path, epoch.state())

    def _is_due(self, epoch):
        """Say whether an epoch is one to write, and if so, note how good it is."""
        found = getattr(epoch, self.monitor) * (1 if self.monitor == "validation_score" else -1)
        if epoch.number % self.every or (self.best_only and not found > self._best):
            return False
        self._best = found
        return True


class _Log(Callback):
    """One line a record in a text file, begun anew by every `fit` unless told to append."""

    def __init__(self, path, *, append=False):
        self.path = path
        self.append = append

    def on_fit_begin(self, estimator):
        self._fresh = not (self.append and Path(self.path).exists())
        if self._fresh:
            Path(self.path).write_text("")

    def on_resume(self, estimator, epochs):
        for epoch in epochs[self._go_on(epochs) :]:
            self.on_epoch_end(estimator, epoch)

    def _go_on(self, epochs):
        """Return how many of the epochs are in the file, and take out what follows them there."""
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
            file.truncate(size)  # half a line
        return 0

    def on_epoch_end(self, estimator, epoch):
        text = self._line(epoch.figures(), self._fresh)
        self._fresh = False
        with open(self.path, "a") as file:  # opened for every line: what is written is safe
            file.write(text)


class CSVLog(_Log):
    """Write the figures of every epoch as a line of a CSV file.

    Columns: number, loss, learning_rate, seconds, validation_loss, validation_score; empty where
    there is none.

    Parameters
    ----------
    path : str or path-like
    append : bool, default=False
        Go on with the file there is. Where `fit` goes on from a checkpoint, lines of epochs that
        are trained again are taken out.

    Examples
    --------
    >>> from cnnkit.callbacks import CSVLog
    >>> log = CSVLog("training.csv")
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
    append : bool, default=False
        Go on with the file there is. Where `fit` goes on from a checkpoint, lines of epochs that
        are trained again are taken out.

    Examples
    --------
    >>> from cnnkit.callbacks import JSONLog
    >>> log = JSONLog("training.jsonl", append=True)
    """

    def _line(self, figures, fresh):
        return json.dumps(figures) + "\n"


class Timer(Callback):
    """Take the time of training.

    Attributes
    ----------
    epochs : list of float
        Seconds of every epoch of the last `fit`, without validation; also of those before a
        checkpoint that it went on from.
    total : float
        Seconds of that `fit`, with everything.

    Examples
    --------
    >>> from cnnkit.callbacks import Timer
    >>> timer = Timer()
    """

    def on_fit_begin(self, estimator):
        self.epochs = []
        self._began = perf_counter()

    def on_resume(self, estimator, epochs):
        self.epochs += [epoch.seconds for epoch in epochs]

    def on_epoch_end(self, estimator, epoch):
        self.epochs.append(epoch.seconds)

    def on_fit_end(self, estimator):
        self.total = perf_counter() - self._began


class Lines(Callback):
    """Print what is trained, and a line for every epoch: ``verbose=1``.

    In a process or thread of a search, every line begins with its name: lines of several fits mix.

    Parameters
    ----------
    settings : Settings, default=None
        What "auto" stands for in this fit, to be printed first.
    """

    def __init__(self, settings=None):
        self.settings = settings

    def on_fit_begin(self, estimator):
        say(title(estimator))
        if self.settings is not None:
            say(str(self.settings))

    def on_epoch_end(self, estimator, epoch):
        say(epoch_line(epoch))


class Bar(Callback):
    """Show a progress bar with the time left: ``verbose=2``.

    A notebook without ipywidgets, with which rich draws there, gets a line for every epoch.

    Parameters
    ----------
    epochs : int
        How many there will be at most.
    """

    def __init__(self, epochs):
        self.epochs = epochs

    def on_fit_begin(self, estimator):
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

    def on_resume(self, estimator, epochs):
        if self._progress is not None:
            self._progress.update(self._task, advance=len(epochs))

    def on_epoch_end(self, estimator, epoch):
        if self._progress is None:
            say(epoch_line(epoch))
        else:
            self._progress.update(self._task, advance=1, figures=describe(epoch))

    def on_fit_end(self, estimator):
        if self._progress is not None:
            self._progress.stop()


def _has_widgets():
    """Say whether rich can draw in a notebook."""
    try:
        import ipywidgets  # noqa: F401
    except ImportError:
        return False
    return True


def title(estimator):
    """Return an estimator, with what of it is not by default, on one line."""
    with config_context(print_changed_only=True):
        return " ".join(repr(estimator).split())


def say(text):
    """Print a line, after the name of the process and thread where they are not the main ones."""
    process, thread = multiprocessing.current_process(), threading.current_thread()
    names = [process.name] if process.name != "MainProcess" else []
    names += [thread.name] if thread is not threading.main_thread() else []
    print(": ".join([*names, text]), flush=True)  # whole: others may print meanwhile


def epoch_line(epoch):
    """Return the number and figures of an epoch as text."""
    return f"Epoch {epoch.number}, {describe(epoch)}"


def describe(epoch):
    """Return the loss, and the validation loss and score where there are, as text."""
    text = f"loss = {epoch.loss:.6f}"
    if epoch.validation_loss is not None:
        text += f", validation loss = {epoch.validation_loss:.6f}"
        text += f", validation score = {epoch.validation_score:.6f}"
    return text
