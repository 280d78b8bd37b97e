"""Batches that a user's function makes, epoch after epoch, as an array that is read in order."""

from collections.abc import Iterable

import numpy as np

from cnnkit.validate.arrays import check_range
from cnnkit.validate.values import short

MAKES = "a callable that returns an iterator of batches (images, y), or an iterable of them"


def makes_batches(X):
    """Say whether X makes batches: it is called, or iterated over, and is no array or list."""
    if isinstance(X, (str, bytes, list, tuple, dict, np.ndarray)) or hasattr(X, "shape"):
        return False
    return callable(X) or (isinstance(X, Iterable) and not hasattr(X, "__array__"))


class Stream:
    """The images of an epoch of batches; where rows are asked for again, an epoch begins.

    The first epoch is read once to learn what there is. Later ones have as many samples, whatever
    the sizes of their batches: an iterator that ends before is begun anew.

    Parameters
    ----------
    source : callable or iterable
    steps : int or None
        Batches of an epoch; None means all of an iterator.
    owner : str
        Start of errors.

    Attributes
    ----------
    shape : tuple
        (n, ...) of the images of an epoch.
    dtype : numpy.dtype
    limit : numpy.dtype or None
        Type in which the numbers must be finite; None means their own.
    size : int
        Samples of the first batch.
    y : array of shape (n, ...)
        Targets of the first epoch.
    """

    def __init__(self, source, steps, owner):
        self.source, self.owner = source, owner
        self._iterator = None
        targets, self.size = [], None
        self.shape = self.dtype = self.limit = None
        for images, y in self._batches(steps):
            if self.size is None:
                self.size, self.shape, self.dtype = len(images), images.shape, images.dtype
            targets.append(y)
        if not targets:
            raise ValueError(f"{owner}: X must give at least one batch, got none from {source!r}.")
        if steps is not None and len(targets) < steps:
            raise ValueError(
                f"{owner}: steps_per_epoch must be at most the batches that X gives, "
                f"{len(targets)}, got {steps}."
            )
        self.y = np.concatenate(targets)
        self.shape = (len(self.y), *self.shape[1:])
        self.ndim = len(self.shape)
        self._restart()

    def __len__(self):
        return self.shape[0]

    def __getitem__(self, rows):
        return self.read(rows, 0)

    def read(self, rows, part):
        """Return the images (`part` 0) or targets (1) of increasing rows.

        Both of the same rows are of the same batches: whichever is asked for first reads them.
        """
        rows = np.arange(len(self))[rows]
        if not len(rows):
            return self._window[part][:0]
        first, end = int(rows[0]), int(rows[-1]) + 1
        if not (self._given[part] <= first and end <= self._end):
            self._fetch(first, end)
        self._given[part] = end
        return self._window[part][rows - self._start]

    def _restart(self):
        self._rest = (self._blank(), self.y[:0])
        self._window = self._rest
        self._start = self._end = 0
        self._given = [0, 0]
        self._epoch = self._endless()

    def _blank(self):
        return np.empty((0, *self.shape[1:]), self.dtype)

    def _fetch(self, first, end):
        """Read on until the window has the rows from `first` to `end`."""
        if first < self._end:
            self._restart()
        parts, there = [self._rest], self._end + len(self._rest[1])
        while there < end:
            parts.append(next(self._epoch))
            there += len(parts[-1][1])
        images, y = (np.concatenate(arrays) for arrays in zip(*parts, strict=True))
        left, right = first - self._end, end - self._end
        self._window = images[left:right], y[left:right]
        self._rest = images[right:], y[right:]
        self._start, self._end, self._given = first, end, [first, first]

    def _endless(self):
        """Yield batches, beginning an iterator anew where it ends."""
        while True:
            count = 0
            for batch in self._batches(None):
                count += 1
                yield batch
            if not count:
                raise ValueError(
                    f"{self.owner}: X must give {len(self)} samples in every epoch as in the "
                    f"first, got no batch: give a callable that makes a new iterator."
                )

    def _batches(self, most):
        """Yield at most so many batches of a new iterator, checked."""
        found = self.source() if callable(self.source) else self.source
        if not isinstance(found, Iterable):
            raise ValueError(f"{self.owner}: X must be {MAKES}, got one that gives {short(found)}.")
        for k, batch in enumerate(found):
            if not isinstance(batch, (tuple, list)) or len(batch) != 2:
                raise ValueError(
                    f"{self.owner}: batches of X must be pairs (images, y), got "
                    f"{short(batch) if np.ndim(batch) == 0 else type(batch).__name__}."
                )
            yield self._checked(*batch, k)
            if k + 1 == most:
                break

    def _checked(self, images, y, k):
        images, y = np.asarray(images), np.asarray(y)
        if images.ndim < 2 or len(images) != len(np.atleast_1d(y)) or not len(images):
            raise ValueError(
                f"{self.owner}: a batch of X must have as many images as targets, at least one, "
                f"got shapes {images.shape} and {y.shape} in batch {k}."
            )
        if self.dtype is not None:
            if images.shape[1:] != self.shape[1:]:
                raise ValueError(
                    f"{self.owner}: batches of X must hold images of shape {self.shape[1:]} as the "
                    f"first does, got {images.shape[1:]} in batch {k}."
                )
            if images.dtype != self.dtype:
                raise ValueError(
                    f"{self.owner}: batches of X must have the dtype {self.dtype} as the first "
                    f"does, got {images.dtype} in batch {k}."
                )
        if images.dtype.kind == "f":
            check_range(images, self.limit or images.dtype, "X", self.owner, always=True)
        return images, y


class StreamTargets:
    """The targets that belong to the images of a `Stream`, in the form that the loss takes.

    Parameters
    ----------
    stream : Stream
    encode : callable
        Returns targets in that form.
    like : array of shape (n, ...)
        The encoded targets of the first epoch.
    """

    def __init__(self, stream, encode, like):
        self.stream, self.encode = stream, encode
        self.shape, self.dtype, self.ndim = like.shape, like.dtype, like.ndim

    def __len__(self):
        return self.shape[0]

    def __getitem__(self, rows):
        return self.encode(self.stream.read(rows, 1))
