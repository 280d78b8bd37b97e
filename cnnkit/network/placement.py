"""Placement of arrays with known lifetimes in one block of memory."""

from typing import NamedTuple

import numpy as np

from cnnkit.validate.arrays import ALIGNMENT

MOST_BYTES = 1 << 62


class Lifetime(NamedTuple):
    """An array of `size` bytes in use from step `first` to step `last`, both included."""

    size: int
    first: int
    last: int


def place(lifetimes):
    """Return an offset for every lifetime and the size of the block that holds them all.

    Arrays in use at the same step never overlap. The largest array is placed first, each at the
    lowest free place (Pisarchyk & Lee, 2020, "Efficient memory management for deep neural net
    inference").

    Parameters
    ----------
    lifetimes : dict of Lifetime

    Returns
    -------
    offsets : dict of int
    size : int
    """
    offsets, placed = {}, Placed(len(lifetimes))
    for key, life in sorted(lifetimes.items(), key=lambda item: -item[1].size):
        size = -(-life.size // ALIGNMENT) * ALIGNMENT
        offsets[key] = placed.add(size, life)
    return offsets, placed.end


class Placed:
    """Arrays that have a place, at most `most`, in the order of their offsets.

    Attributes
    ----------
    end : int
        End of the last array.
    """

    def __init__(self, most):
        self.end = 0
        self._count = 0
        self._table = np.empty((4, most), np.int64)  # offsets, ends, first and last steps

    def add(self, size, life):
        """Add an array at the lowest place that is free during its life; return the place.

        All places are examined in one NumPy call, so thousands of layers take only seconds.
        """
        table = self._table[:, : self._count]
        meets = (table[2] <= life.last) & (table[3] >= life.first)
        starts, ends = table[0, meets], table[1, meets]
        behind = np.maximum.accumulate(np.concatenate(([0], ends)))
        fits = np.flatnonzero(starts - behind[:-1] >= size)
        offset = int(behind[fits[0] if len(fits) else -1])
        end = offset + size
        if end >= MOST_BYTES:
            raise MemoryError(f"Network: memory must hold its arrays, got {end} bytes of them.")
        at = np.searchsorted(table[0], offset)
        self._table[:, at + 1 : self._count + 1] = table[:, at:]
        self._table[:, at] = offset, end, life.first, life.last
        self._count += 1
        self.end = max(self.end, end)
        return offset
