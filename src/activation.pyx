"""Activations, number by number; x and y may be the same array, and dy and dx."""

from cython.parallel cimport prange

from arrays cimport pointer, real_code, real_of, size_of
from simd cimport HARD_SWISH, LEAKY_RELU, RELU, RELU6, Activation, Dispatch, load_dispatch

cdef const Dispatch* dispatch = load_dispatch()
cdef enum:
    PIECE = 1 << 14         # numbers of one piece of work
    SMALL = 16              # pieces under which a second thread costs more than it brings

KINDS = {"relu": RELU, "relu6": RELU6, "leaky_relu": LEAKY_RELU, "hard_swish": HARD_SWISH}


cdef inline int workers(Py_ssize_t pieces) noexcept nogil:
    return 1 if pieces < SMALL else dispatch.threads()


cdef class ActivationOp:
    """y = f(x); dx = f'(saved) dy, where saved is x or y, as simd/kernels.h says of each f."""

    cdef:
        const Activation* f
        double alpha
        Py_ssize_t size, N, row     # numbers of one sample
        char *x
        char *y
        char *saved
        char *dy
        char *dx
        list keep

    def __init__(self, str kind, x, y, saved=None, dy=None, dx=None, double alpha=0):
        some = y if y is not None else saved
        cdef int real = real_of(some)
        cdef str code = real_code(real)
        cdef tuple shape = some.shape
        self.keep = []
        self.f = &dispatch.real[real].activations[<int> KINDS[kind]]
        self.alpha = alpha
        self.size = size_of(real)
        self.N = shape[0]
        self.row = some.size // max(1, self.N)
        self.x = pointer(x, shape, code, False, self.keep)
        self.y = pointer(y, shape, code, True, self.keep)
        self.saved = pointer(saved, shape, code, False, self.keep)
        self.dy = pointer(dy, shape, code, False, self.keep)
        self.dx = pointer(dx, shape, code, True, self.keep)

    cdef Py_ssize_t count(self, Py_ssize_t n) except -1:
        if not 0 <= n <= self.N:
            raise ValueError(f"n must be from 0 to {self.N}, got {n}.")
        return n * self.row

    def forward(self, Py_ssize_t n):
        """Fill the first `n` samples of y."""
        cdef Py_ssize_t numbers = self.count(n), pieces = (numbers + PIECE - 1) // PIECE, i
        cdef Py_ssize_t step = PIECE * self.size
        for i in prange(pieces, nogil=True, num_threads=workers(pieces)):
            self.f.forward(min(PIECE, numbers - i * PIECE), self.alpha, self.x + i * step,
                           self.y + i * step)

    def backward(self, Py_ssize_t n):
        """Fill the first `n` samples of dx from those of dy."""
        cdef Py_ssize_t numbers = self.count(n), pieces = (numbers + PIECE - 1) // PIECE, i
        cdef Py_ssize_t step = PIECE * self.size
        if self.dx == NULL:
            return
        for i in prange(pieces, nogil=True, num_threads=workers(pieces)):
            self.f.backward(min(PIECE, numbers - i * PIECE), self.alpha, self.saved + i * step,
                            self.dy + i * step, self.dx + i * step)
