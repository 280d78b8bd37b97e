"""Arrays that another process writes to, without a pause, while they are in use."""

import os
import signal
import warnings
from contextlib import contextmanager
from math import prod

import numpy as np
from guarded import Guarded

# An index in the neighbourhood, one far away, and what is negative where the other half is read
INDICES = [-1, -2, 1, 2, 3, 6, 100, 2**12, 2**20, 2**31 - 1, -(2**31), 2**40, -(2**40), 2**62]
REALS = [np.nan, np.inf, -np.inf, 1e30, -1e30, 1e-40, -1.0, 0.0, 1e6, 0.5]
BYTES = [0, 255, 127, 128, 1]
ROUND = 1000  # changes that are drawn at a time
STEPS = 1000  # most steps of a loop for which what is strange stays


class Disturbed(Guarded):
    """Memory that `disturbance` changes, next to pages that may not be touched.

    It is shared with a forked child, which waits for no lock of this process.
    """

    def __init__(self, rng):
        super().__init__(rng)
        self.arrays = []

    def given(self, array):
        found = self.empty(array.shape, array.dtype)
        found[...] = array
        return found

    def empty(self, shape, dtype):
        found = super().empty(shape, dtype)
        if prod(found.shape):
            self.arrays.append(found)
        return found

    @contextmanager
    def disturbance(self):
        """Have what lies in this memory changed, and put back, for as long as this lasts."""
        parent, seed = os.getpid(), int(self.rng.integers(2**63))
        begun, begin = os.pipe()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of a fork beside threads: the child needs none
            child = os.fork()
        if not child:
            try:
                self._disturb(parent, np.random.default_rng(seed), begin)
            finally:
                os._exit(0)
        os.close(begin)
        try:
            os.read(begun, 1)
            yield
        finally:
            os.close(begun)
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)

    def _disturb(self, parent, rng, begin):
        flat = [array.reshape(-1) for array in self.arrays]
        right = [array.copy() for array in flat]
        strange = [_strange(array.dtype) for array in flat]
        os.write(begin, b"!")
        while os.getppid() == parent:
            whose = rng.integers(len(flat), size=ROUND).tolist()
            where = rng.random(ROUND).tolist()
            lengths = rng.choice([1, 1, 10, 1000], ROUND).tolist()
            waits = rng.integers(STEPS, size=ROUND).tolist()
            for which, share, length, wait in zip(whose, where, lengths, waits, strict=True):
                array, values = flat[which], strange[which]
                first = int(share * len(array))
                some = slice(first, first + length)
                array[some] = values[wait % len(values)]
                for _ in range(wait):
                    pass
                array[some] = right[which][some]


def _strange(dtype):
    """Return numbers of a type that nobody expects, as an array of it."""
    if dtype == np.uint8:
        return np.array(BYTES, dtype)
    return np.array(INDICES if dtype.kind == "i" else REALS).astype(dtype)
