"""Activations, number by number; x and y may be the same array, and dy and dx."""

from arrays cimport pointer, real_code, real_of, size_of
from simd cimport HARD_SWISH, LEAKY_RELU, RELU, RELU6, Activation, Dispatch, load_dispatch

cdef const Dispatch* dispatch = load_dispatch()
cdef enum:
    PIECE = 1 << 14         # numbers of one piece of work
    SMALL = 16              # pieces under which a second thread costs more than it brings

KINDS = {"relu": RELU, "relu6": RELU6, "leaky_relu": LEAKY_RELU, "hard_swish": HARD_SWISH}


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

    cdef int run(self, Py_ssize_t n, bint backward) except -1:
        cdef ActivationJob job
        cdef Py_ssize_t pieces
        job.op = <void*> self
        job.numbers = self.count(n)
        job.backward = backward
        pieces = (job.numbers + PIECE - 1) // PIECE
        with nogil:
            dispatch.run(activation_item, &job, pieces,
                         1 if pieces < SMALL else dispatch.threads())
        return 0

    def forward(self, Py_ssize_t n):
        """Fill the first `n` samples of y."""
        self.run(n, False)

    def backward(self, Py_ssize_t n):
        """Fill the first `n` samples of dx from those of dy."""
        if self.dx != NULL:
            self.run(n, True)

    cdef void piece(self, Py_ssize_t first, Py_ssize_t numbers, bint backward) noexcept nogil:
        cdef Py_ssize_t at = first * self.size
        if backward:
            self.f.backward(numbers, self.alpha, self.saved + at, self.dy + at, self.dx + at)
        else:
            self.f.forward(numbers, self.alpha, self.x + at, self.y + at)


cdef struct ActivationJob:
    void* op
    Py_ssize_t numbers
    bint backward


cdef void activation_item(void* context, Py_ssize_t i, int thread) noexcept nogil:
    cdef ActivationJob* job = <ActivationJob*> context
    (<ActivationOp> job.op).piece(i * PIECE, min(PIECE, job.numbers - i * PIECE), job.backward)
