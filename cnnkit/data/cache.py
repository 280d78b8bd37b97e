"""Caches of rows that were read from a container: in memory, or in one file.

A file has a page of text that says what is in it, one byte for each row that is 1 once the row is
there, and then the rows as they lie in an array, from the next whole page on.
"""

import json
import os
from math import prod
from pathlib import Path
from uuid import uuid4

import numpy as np

from cnnkit.data.containers import read
from cnnkit.files import atomic
from cnnkit.validate.available_memory import check_memory
from cnnkit.validate.values import short

PAGE = 4096
MAGIC = b"cnnkit cache of images\n"


def cached(container, cache):
    """Return a container of the same rows, which keeps what was read where `cache` says."""
    if cache is None:
        return container
    if cache == "memory":
        size = prod(container.shape) * container.dtype.itemsize
        check_memory({"the cache": size}, "LazyArray")
        return InMemory(container)
    if not isinstance(cache, (str, os.PathLike)):
        raise TypeError(f'LazyArray: cache must be "memory", a path or None, got {short(cache)}.')
    return InFile(container, cache)


class InMemory:
    """Rows of a container, kept in memory; a pickle has none of them."""

    def __init__(self, container):
        self.container = container
        self.shape, self.dtype = tuple(container.shape), np.dtype(container.dtype)
        self._begin()

    def _begin(self):
        self._rows = np.empty(self.shape, self.dtype)  # its memory is taken as it is filled
        self._there = np.zeros(self.shape[0], np.uint8)

    def __getitem__(self, key):
        there, kept = self._there, self._rows
        missing = np.arange(self.shape[0])[key]
        missing = missing[there[missing] == 0]
        if len(missing):
            kept[missing] = read(self.container, missing)
            there[missing] = 1  # two threads may read a row twice: it is the same
        return kept[key]

    def __getstate__(self):
        return {"container": self.container, "shape": self.shape, "dtype": self.dtype}

    def __setstate__(self, state):
        vars(self).update(state)
        self._begin()


class InFile(InMemory):
    """Rows of a container, kept in a file that is mapped to memory."""

    def __init__(self, container, path):
        self.path = Path(os.path.abspath(path))
        named = getattr(container, "fingerprint", None)
        self.fingerprint = uuid4().hex if named is None else named()
        super().__init__(container)

    def _begin(self):
        count, start = self.shape[0], self._start
        if not _begins_with(self.path, self._head, self._size):
            atomic.replace(self.path, self._reserve, "LazyArray")
        kept = np.memmap(self.path, np.uint8, "r+", shape=(self._size,))
        self._there = kept[PAGE : PAGE + count]
        self._rows = kept[start:].view(self.dtype).reshape(self.shape)

    @property
    def _start(self):
        return PAGE + -(-self.shape[0] // PAGE) * PAGE

    @property
    def _size(self):
        return self._start + prod(self.shape) * self.dtype.itemsize

    @property
    def _head(self):
        said = {"dtype": self.dtype.str, "shape": self.shape, "source": self.fingerprint}
        return (MAGIC + json.dumps(said).encode()).ljust(PAGE)

    def _reserve(self, file):
        """Write an empty cache, with room for all rows."""
        if hasattr(os, "posix_fallocate"):  # a full disk is an error now, not a crash later
            os.posix_fallocate(file.fileno(), 0, self._size)
        else:
            file.truncate(self._size)
        file.write(self._head)

    def __getstate__(self):
        return super().__getstate__() | {"path": self.path, "fingerprint": self.fingerprint}


def _begins_with(path, head, size):
    """Say whether a file is the cache with this head; raise if it is no cache at all."""
    if not path.exists():
        return False
    with open(path, "rb") as file:
        found = file.read(PAGE)
    if not found.startswith(MAGIC):
        raise ValueError(
            f"LazyArray: cache must be a path of a cache, or of no file yet, got {str(path)!r}, "
            f"a file of another kind."
        )
    return found == head and path.stat().st_size == size
