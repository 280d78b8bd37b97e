"""Where arrays with known lifetimes lie in one block of memory."""

from typing import NamedTuple

from cnnkit.arrays import ALIGNMENT


class Lifetime(NamedTuple):
    """An array of `size` bytes in use from step `first` to step `last`, both included."""

    size: int
    first: int
    last: int


def place(lifetimes):
    """Return an offset for every lifetime and the size of the block that holds them all.

    Arrays in use at the same step never overlap. Largest first, each at the lowest free place
    (Pisarchyk & Lee, 2020, "Efficient memory management for deep neural net inference").

    Parameters
    ----------
    lifetimes : dict of Lifetime

    Returns
    -------
    offsets : dict of int
    size : int
    """
    offsets, placed = {}, []
    for key, life in sorted(lifetimes.items(), key=lambda item: -item[1].size):
        size = -(-life.size // ALIGNMENT) * ALIGNMENT
        offset = 0
        for start, end, other in placed:
            if other.first > life.last or other.last < life.first:
                continue
            if offset + size <= start:
                break
            offset = max(offset, end)
        offsets[key] = offset
        placed.append((offset, offset + size, life))
        placed.sort(key=lambda item: item[:2])
    return offsets, max((end for _, end, _ in placed), default=0)
