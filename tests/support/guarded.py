"""Memory next to pages that may not be touched: a read or a write past its end ends the process."""

import ctypes
import mmap
from math import prod

import numpy as np

PAGE = mmap.PAGESIZE
NOTHING, READ = 0, 1  # PROT_NONE and PROT_READ


def protect(address, size, access):
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.mprotect(ctypes.c_void_p(address), ctypes.c_size_t(size), access):
        raise OSError(ctypes.get_errno(), "mprotect")


class Guarded:
    """Memory as `Plain` gives it, next to pages that may not be touched."""

    def __init__(self, rng):
        self.rng = rng

    def place(self, size):
        """Bytes that begin after a protected page or end before one, and their pages."""
        pages = -(-size // PAGE) * PAGE
        memory = np.frombuffer(mmap.mmap(-1, pages + 2 * PAGE), np.uint8)
        start = memory.ctypes.data
        protect(start, PAGE, NOTHING)
        protect(start + PAGE + pages, PAGE, NOTHING)
        first = PAGE if self.rng.random() < 0.5 else PAGE + pages - size
        return memory[first : first + size], (start + PAGE, pages)

    def empty(self, shape, dtype):
        dtype = np.dtype(dtype)
        memory, _ = self.place(prod(shape) * dtype.itemsize)
        memory[:] = 255
        return memory.view(dtype).reshape(shape)

    def given(self, array):
        memory, pages = self.place(array.nbytes)
        memory[:] = np.ascontiguousarray(array).reshape(-1).view(np.uint8)
        if pages[1]:
            protect(*pages, READ)
        return memory.view(array.dtype).reshape(array.shape)
