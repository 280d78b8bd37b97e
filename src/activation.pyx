"""Activations, number by number; the flat arrays may be the same one (in place)."""

from cython.parallel cimport prange

from arrays cimport pointer, real_code, real_of, size_of
from simd cimport Dispatch, Kernels, load_dispatch

cdef const Dispatch* dispatch = load_dispatch()
cdef enum:
    PIECE = 1 << 14         # numbers of one piece of work: four fill the L2 of a core


cdef class ReLUOp:
    """y = max(x, 0); dx = dy where y > 0."""

    cdef:
        const Kernels* kernels
        Py_ssize_t size, N, row     # numbers of one sample
        char *x
        char *y
        char *dy
        char *dx
        list keep

    def __init__(self, x, y, dy=None, dx=None):
        cdef int real = real_of(y)
        cdef str code = real_code(real)
        self.keep = []
        self.kernels = dispatch.real[real]
        self.size = size_of(real)
        self.N = y.shape[0]
        self.row = y.size // max(1, self.N)
        self.x = pointer(x, y.shape, code, False, self.keep)
        self.y = pointer(y, y.shape, code, x is not None, self.keep)
        self.dy = pointer(dy, y.shape, code, False, self.keep)
        self.dx = pointer(dx, y.shape, code, True, self.keep)

    cdef Py_ssize_t count(self, Py_ssize_t n) except -1:
        if not 0 <= n <= self.N:
            raise ValueError(f"n must be from 0 to {self.N}, got {n}.")
        return n * self.row

    def forward(self, Py_ssize_t n):
        """Fill the first `n` samples of y."""
        cdef Py_ssize_t numbers = self.count(n), pieces = (numbers + PIECE - 1) // PIECE, i
        cdef Py_ssize_t step = PIECE * self.size
        for i in prange(pieces, nogil=True, num_threads=1 if pieces < 2 else dispatch.threads()):
            self.kernels.relu(min(PIECE, numbers - i * PIECE), self.x + i * step, self.y + i * step)

    def backward(self, Py_ssize_t n):
        """Fill the first `n` samples of dx from those of dy."""
        cdef Py_ssize_t numbers = self.count(n), pieces = (numbers + PIECE - 1) // PIECE, i
        cdef Py_ssize_t step = PIECE * self.size
        if self.dx == NULL:
            return
        for i in prange(pieces, nogil=True, num_threads=1 if pieces < 2 else dispatch.threads()):
            self.kernels.relu_backward(min(PIECE, numbers - i * PIECE), self.y + i * step,
                                       self.dy + i * step, self.dx + i * step)
