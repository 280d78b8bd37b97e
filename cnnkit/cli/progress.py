"""Progress: one line that is overwritten on a terminal, a line for every step elsewhere."""

import sys
import time

from cnnkit.callbacks import Callback

BAR = 20  # characters


class Progress:
    """Progress through `total` steps.

    Parameters
    ----------
    total : int
    noun : str
        Name of a step, such as ``epoch``.
    stream : text file, default=sys.stdout
    """

    def __init__(self, total, noun, stream=None):
        self.total = total
        self.noun = noun
        self.stream = sys.stdout if stream is None else stream
        self.on_terminal = self.stream.isatty()
        self.start = time.monotonic()
        self.width = 0

    def step(self, done, text):
        """Show that `done` steps are done, and `text` about the last one."""
        if not self.on_terminal:
            print(f"{self.noun} {done}/{self.total}  {text}", file=self.stream, flush=True)
            return
        left = (time.monotonic() - self.start) / done * (self.total - done)
        bar = "#" * (BAR * done // self.total)
        line = f"{self.noun} {done}/{self.total} [{bar:<{BAR}}] {text}"
        if done < self.total:
            line += f"  {duration(left)} left"
        print(f"\r{line:<{self.width}}", end="", file=self.stream, flush=True)
        self.width = len(line)

    def close(self):
        """End the line."""
        if self.on_terminal and self.width:
            print(file=self.stream)


class EpochProgress(Callback):
    """Progress of a fit, with the figures of every epoch.

    Parameters
    ----------
    epochs : int
        Largest number of epochs.
    """

    def __init__(self, epochs):
        self.epochs = epochs

    def on_fit_begin(self, estimator):
        self.progress = Progress(self.epochs, "epoch")

    def on_epoch_end(self, estimator, epoch):
        text = f"loss {epoch.loss:.4f}"
        for name, score in epoch.scores.items():
            name = "accuracy" if name == "validation_score" else name.removeprefix("validation_")
            text += f"  validation {name} {score:.4f}"
        self.progress.step(epoch.number, text)

    def on_fit_end(self, estimator):
        self.progress.close()


def duration(seconds):
    """Return seconds as ``12 s``, ``3 min 20 s`` or ``2 h 5 min``."""
    seconds = round(seconds)
    if seconds < 60:
        return f"{seconds} s"
    if seconds < 3600:
        return f"{seconds // 60} min {seconds % 60} s"
    return f"{seconds // 3600} h {seconds % 3600 // 60} min"
