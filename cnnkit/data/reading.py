"""Lazy arrays as training and prediction see them: batches are checked, and read ahead by threads.

`Batches` stands in the place of an array: ``X[rows]`` reads. A loop over batches that knows their
order says so by `read_ahead`, whose result gives the same batches, read beside the computation.
"""

import contextlib
from collections import deque
from concurrent.futures import ThreadPoolExecutor
from math import prod

import numpy as np

from cnnkit.data.containers import is_container
from cnnkit.data.lazy import LazyArray
from cnnkit.validate.arrays import check_range

AHEAD = 32 << 20  # bytes that are read ahead, or two tasks of each thread if they have fewer
TASK = 1 << 19  # bytes, or one row, that a thread reads at once


def opened(X, owner, name="X"):
    """Return X, or the `Batches` of an array that is no NumPy array."""
    if isinstance(X, Batches) or not is_container(X):
        return X
    return Batches(X if isinstance(X, LazyArray) else LazyArray(X), owner, name)


class Batches:
    """A lazy array, of which some rows are read at a time, and must be finite numbers.

    Parameters
    ----------
    array : LazyArray
    owner, name : str
        Start of errors, and name of the argument in them.

    Attributes
    ----------
    limit : dtype
        Type in which the numbers must be finite; at first their own.
    """

    def __init__(self, array, owner, name):
        self.array = array
        self.owner, self.name = owner, name
        self.shape, self.dtype, self.ndim = array.shape, array.dtype, array.ndim
        self.limit = array.dtype

    def __len__(self):
        return self.shape[0]

    def __getitem__(self, rows):
        found = self.array.read(rows)
        if found.dtype.kind == "f":
            check_range(found, self.limit, self.name, self.owner, always=True)
        return found

    def __array__(self, dtype=None, copy=None):
        return self.array.__array__(dtype, copy)


@contextlib.contextmanager
def read_ahead(X, rows=None):
    """Return a context for a loop that asks X for `rows` in their order, some at a time.

    Of `Batches` it gives an object that has read the next ones when they are asked for; another X
    is given back. None means all rows.
    """
    if not isinstance(X, Batches):
        yield X
        return
    ahead = Ahead(X, np.arange(len(X)) if rows is None else np.asarray(rows))
    try:
        yield ahead
    finally:
        ahead.close()


class Ahead:
    """Rows of `Batches` in a known order, read by threads before they are asked for."""

    def __init__(self, batches, rows):
        self.batches, self.rows = batches, rows
        self.shape, self.dtype, self.ndim = batches.shape, batches.dtype, batches.ndim
        self._at = self._asked = 0  # rows that were given, and those that are being read
        self._tasks = deque()
        self._left = None  # images of a task that were not yet given
        each = max(1, prod(self.shape[1:]) * self.dtype.itemsize)
        readers = batches.array.n_jobs
        self._size = max(1, TASK // each)
        self._most = max(2 * readers, AHEAD // (self._size * each))
        self._threads = ThreadPoolExecutor(readers, "cnnkit-reader")
        self._read_on()

    def __len__(self):
        return self.shape[0]

    def __getitem__(self, rows):
        wanted = np.arange(len(self))[rows] if isinstance(rows, slice) else np.asarray(rows)
        end = self._at + len(wanted)
        if not np.array_equal(wanted, self.rows[self._at : end]):
            return self.batches[rows]  # as for the rows at which a warning looks
        self._at = end
        found = []
        missing = len(wanted)
        while missing:
            part = self._tasks.popleft().result() if self._left is None else self._left
            self._left = part[missing:] if len(part) > missing else None
            found.append(part[:missing])
            missing -= len(found[-1])
            self._read_on()
        if len(found) == 1:
            return found[0]
        return np.concatenate(found) if found else self.batches[rows]

    def _read_on(self):
        while len(self._tasks) < self._most and self._asked < len(self.rows):
            part = self.rows[self._asked : self._asked + self._size]
            self._asked += len(part)
            self._tasks.append(self._threads.submit(self.batches.__getitem__, part))

    def close(self):
        """End the threads; what they are reading is read to its end."""
        self._threads.shutdown(cancel_futures=True)
