"""Arrays in files, which reopen their files in other processes.

A container is anything with a ``shape``, a NumPy ``dtype``, and ``container[rows]`` for a slice or
an increasing array of indices.
"""

import hashlib
import os
from math import prod

import numpy as np

from cnnkit.validate.values import short


def is_container(X):
    """Say whether X is an array that is no NumPy array: it is read a batch at a time."""
    return (
        not isinstance(X, (np.ndarray, np.generic))
        and isinstance(getattr(X, "dtype", None), np.dtype)
        and isinstance(getattr(X, "shape", None), tuple)
        and len(X.shape) >= 2
        and hasattr(X, "__getitem__")
        and not hasattr(X, "toarray")  # sparse matrices
    )


def container_of(X):
    """Return X, or an object that holds X and reopens its file where it is unpickled."""
    if isinstance(X, np.memmap) and X.filename is not None:
        return MemoryMap.of(X) or X
    if type(X).__module__.partition(".")[0] == "h5py" and hasattr(X, "file"):
        return HDF5(X)
    return X


def read(container, rows):
    """Return rows of a container as an array; `rows` are in any order, and may repeat.

    A container is asked for increasing indices alone, or for a slice if they follow one another.
    """
    if not len(rows):
        return np.empty((0, *container.shape[1:]), container.dtype)
    wanted, places = rows, None
    if (np.diff(rows) <= 0).any():
        wanted, places = np.unique(rows, return_inverse=True)
    first, last = int(wanted[0]), int(wanted[-1])
    if last - first + 1 == len(wanted):
        found = container[first : last + 1]
    else:  # zarr's arrays take indices of one axis by this attribute
        found = getattr(container, "oindex", container)[wanted]
    found = np.asarray(found)
    if found.shape != (len(wanted), *container.shape[1:]):
        raise ValueError(
            f"LazyArray: source[rows] must have the shape {(len(wanted), *container.shape[1:])} "
            f"for {len(wanted)} rows, got {found.shape} from {short(container)}."
        )
    return found if places is None else found[places]


def state_of(path):
    """Return what changes when a file changes, or None if there is none."""
    try:
        found = os.stat(path)
    except OSError:
        return None
    return found.st_size, found.st_mtime_ns


def fingerprint_of(*parts):
    """Return a text that is the same for the same parts, in all processes."""
    return hashlib.sha256(repr(parts).encode(errors="surrogateescape")).hexdigest()


class Reopened:
    """A container that is opened when it is first read, in every process anew."""

    def __init__(self, shape, dtype):
        self.shape = tuple(map(int, shape))
        self.dtype = np.dtype(dtype)
        self._opened = self._process = None

    def __getitem__(self, rows):
        if self._process != os.getpid():  # handles of files are not shared with a parent
            found = self._open()
            if found.shape != self.shape or found.dtype != self.dtype:
                raise ValueError(
                    f"LazyArray: {self} must hold {self.dtype} of shape {self.shape} as before, "
                    f"got {found.dtype} of shape {found.shape}."
                )
            self._opened, self._process = found, os.getpid()
        return self._opened[rows]

    def __getstate__(self):
        return vars(self) | {"_opened": None, "_process": None}

    def fingerprint(self):
        """Return a text that is another one if the file has changed, or another array is meant."""
        return fingerprint_of(type(self).__name__, self.__getstate__(), state_of(self.path))

    def _open(self):
        raise NotImplementedError


class MemoryMap(Reopened):
    """A memory map of a whole array in a file."""

    def __init__(self, path, dtype, shape, offset, order):
        super().__init__(shape, dtype)
        self.path, self.offset, self.order = path, offset, order

    @classmethod
    def of(cls, array):
        """Return the memory map of an array, or None if the array is a part of another's."""
        import mmap

        contiguous = array.flags.c_contiguous or array.flags.f_contiguous
        if not isinstance(array.base, mmap.mmap) or not contiguous:
            return None
        order = "C" if array.flags.c_contiguous else "F"
        path = os.path.abspath(array.filename)
        found = cls(path, array.dtype, array.shape, array.offset, order)
        found._opened, found._process = array, os.getpid()
        return found

    def _open(self):
        needed = self.offset + prod(self.shape) * self.dtype.itemsize
        if os.path.getsize(self.path) < needed:
            raise ValueError(f"LazyArray: {self} must hold {needed} bytes, got fewer.")
        return np.memmap(self.path, self.dtype, "r", self.offset, self.shape, self.order)

    def __repr__(self):
        return f"memory map of {self.path!r}"


class HDF5(Reopened):
    """A data set of h5py."""

    def __init__(self, dataset):
        super().__init__(dataset.shape, dataset.dtype)
        self.path, self.name = os.path.abspath(dataset.file.filename), dataset.name
        self._opened, self._process = dataset, os.getpid()

    def _open(self):
        import h5py

        return h5py.File(self.path, "r")[self.name]

    def __repr__(self):
        return f"{self.name!r} in {self.path!r}"


class Concatenated:
    """Containers one after another.

    Parameters
    ----------
    parts : list of (container, array of indices)
    """

    def __init__(self, parts):
        self.parts = parts
        sizes = [len(rows) for _, rows in parts]
        self.starts = np.concatenate([[0], np.cumsum(sizes)])
        self.shape = (int(self.starts[-1]), *parts[0][0].shape[1:])
        self.dtype = np.result_type(*(container.dtype for container, _ in parts))

    def __getitem__(self, key):
        rows = np.arange(self.shape[0])[key]
        found = np.empty((len(rows), *self.shape[1:]), self.dtype)
        part = np.searchsorted(self.starts, rows, side="right") - 1
        for k in np.unique(part):
            container, held = self.parts[k]
            places = part == k
            found[places] = read(container, held[rows[places] - self.starts[k]])
        return found
