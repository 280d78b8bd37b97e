"""Activations, number by number; x and y may be the same array, and dy and dx."""

from math import prod

from libc.string cimport memset

from common.arrays cimport (
    pointer, real_code, real_of, rows_pointer, scratch_pointer, size_of,
)
from common.blas cimport real_t
from common.simd cimport ACTIVATION_COUNT, Activation, Kernels
from threads.dispatch cimport SHARES, Dispatch, load_dispatch

cdef const Dispatch* dispatch = load_dispatch()
cdef enum:
    PIECE = 1 << 14         # numbers of one piece of work
    SMALL = 1 << 18         # numbers under which a second thread costs more than it brings

# places in src/simd/activation_list.h by name
PLACES = {dispatch.real[0].activations[i].name.decode(): i for i in range(ACTIVATION_COUNT)}


cdef class ActivationOp:
    """y = f(x); dx = f'(saved) dy, where saved is x or y, as src/simd/kernels.h says of each f."""

    cdef:
        const Activation* f
        double alpha
        Py_ssize_t size, N
        Py_ssize_t area, width      # rows of a sample, and numbers of a row
        bint whole
        Py_ssize_t pitches[5]       # of x, y, saved, dy and dx: numbers from row to row
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
        self.f = &dispatch.real[real].activations[<int> PLACES[kind]]
        self.alpha = alpha
        self.size = size_of(real)
        self.N = shape[0]
        *_, width = shape
        self.width = width
        self.area = prod(shape[1:-1])
        self.x = rows_pointer(x, shape, code, False, self.keep, &self.pitches[0])
        self.y = rows_pointer(y, shape, code, True, self.keep, &self.pitches[1])
        self.saved = rows_pointer(saved, shape, code, False, self.keep, &self.pitches[2])
        self.dy = rows_pointer(dy, shape, code, False, self.keep, &self.pitches[3])
        self.dx = rows_pointer(dx, shape, code, True, self.keep, &self.pitches[4])
        self.whole = all([pitch == self.width for pitch in self.pitches])
        if self.whole:                  # no gaps: any stretch of numbers will do
            self.area *= self.width
            self.width = 1
            self.pitches = [1] * 5

    cdef Py_ssize_t count(self, Py_ssize_t n) except -1:
        if not 0 <= n <= self.N:
            raise ValueError(f"n must be from 0 to {self.N}, got {n}.")
        return n * self.area

    cdef int run(self, Py_ssize_t n, bint backward) except -1:
        cdef ActivationJob job
        cdef Py_ssize_t pieces
        job.op = <void*> self
        job.rows = self.count(n)
        job.step = max(1, PIECE // max(1, self.width))
        job.backward = backward
        pieces = (job.rows + job.step - 1) // job.step
        with nogil:
            dispatch.run(activation_item, &job, pieces,
                         1 if job.rows * self.width < SMALL else dispatch.threads())
        return 0

    def forward(self, Py_ssize_t n):
        """Fill the first `n` samples of y."""
        self.run(n, False)

    def backward(self, Py_ssize_t n):
        """Fill the first `n` samples of dx from those of dy."""
        if self.dx != NULL:
            self.run(n, True)

    cdef void rows(self, Py_ssize_t first, Py_ssize_t last, bint backward) noexcept nogil:
        cdef Py_ssize_t i, count = self.width
        if self.whole:
            count = last - first
            last = min(last, first + 1)
        for i in range(first, last):
            if backward:
                self.f.backward(count, self.alpha, self.saved + i * self.pitches[2] * self.size,
                                self.dy + i * self.pitches[3] * self.size,
                                self.dx + i * self.pitches[4] * self.size)
            else:
                self.f.forward(count, self.alpha, self.x + i * self.pitches[0] * self.size,
                               self.y + i * self.pitches[1] * self.size)


cdef struct ActivationJob:
    void* op
    Py_ssize_t rows, step
    bint backward


cdef void activation_item(void* context, Py_ssize_t i, int thread) noexcept nogil:
    cdef ActivationJob* job = <ActivationJob*> context
    (<ActivationOp> job.op).rows(i * job.step, min(job.rows, (i + 1) * job.step), job.backward)


cdef class PReLUOp:
    """y = x where it is positive, else slope x, a slope for each channel.

    dslope = sum of dy min(x, 0), taken in SHARES parts, whatever the threads.
    """

    cdef:
        const Kernels* kernels
        Py_ssize_t size, N, area, C
        char *x
        char *slope
        char *y
        char *dy
        char *dx
        char *dslope
        char *sums                  # (SHARES, 2, C): sums, and what rounding took from them
        list keep
    cdef readonly Py_ssize_t scratch_bytes

    def __init__(self, x, slope, y, dy=None, dx=None, dslope=None):
        cdef int real = real_of(x)
        cdef str code = real_code(real)
        cdef tuple shape = x.shape
        *_, C = shape
        self.keep = []
        self.kernels = dispatch.real[real]
        self.size = size_of(real)
        self.N = shape[0]
        self.area = prod(shape[1:-1])
        self.C = C
        self.x = pointer(x, shape, code, False, self.keep)
        self.slope = pointer(slope, (C,), code, False, self.keep)
        self.y = pointer(y, shape, code, True, self.keep)
        self.dy = pointer(dy, shape, code, False, self.keep)
        self.dx = pointer(dx, shape, code, True, self.keep)
        self.dslope = pointer(dslope, (C,), code, True, self.keep)
        self.scratch_bytes = 2 * SHARES * C * self.size if self.dslope != NULL else 0

    def attach(self, scratch):
        """Use `scratch`, an array of at least `scratch_bytes` bytes."""
        self.sums = scratch_pointer(scratch, self.scratch_bytes, self.keep)

    cdef int run(self, Py_ssize_t n, bint backward) except -1:
        cdef PReLUJob job
        if not 0 <= n <= self.N:
            raise ValueError(f"n must be from 0 to {self.N}, got {n}.")
        job.op = <void*> self
        job.pixels = n * self.area
        job.backward = backward
        with nogil:
            dispatch.run(prelu_item, &job, SHARES,
                         1 if job.pixels * self.C < SMALL else dispatch.threads())
        return 0

    def forward(self, Py_ssize_t n):
        """Fill the first `n` samples of y."""
        self.run(n, False)

    def backward(self, Py_ssize_t n):
        """Fill dslope, and the first `n` samples of dx, from those of dy."""
        if self.dslope != NULL and self.sums == NULL:
            raise ValueError("attach scratch before the first run.")
        if self.dx == NULL and self.dslope == NULL:
            return
        self.run(n, True)
        if self.dslope == NULL:
            return
        if self.size == sizeof(float):
            add_parts[float](self.C, <float*> self.sums, <float*> self.dslope)
        else:
            add_parts[double](self.C, <double*> self.sums, <double*> self.dslope)

    cdef void one_part(self, Py_ssize_t part, Py_ssize_t pixels, bint backward) noexcept nogil:
        cdef:
            Py_ssize_t row = self.C * self.size, first = pixels * part // SHARES
            Py_ssize_t rows = pixels * (part + 1) // SHARES - first
            char* sums = NULL
        if not backward:
            self.kernels.prelu(rows, self.C, self.slope, self.x + first * row, self.y + first * row)
            return
        if self.dslope != NULL:
            sums = self.sums + part * 2 * row
            memset(sums, 0, 2 * row)
        self.kernels.prelu_backward(rows, self.C, self.slope, self.x + first * row,
                                    self.dy + first * row,
                                    self.dx + first * row if self.dx != NULL else NULL, sums)


cdef struct PReLUJob:
    void* op
    Py_ssize_t pixels
    bint backward


cdef void prelu_item(void* context, Py_ssize_t part, int thread) noexcept nogil:
    cdef PReLUJob* job = <PReLUJob*> context
    (<PReLUOp> job.op).one_part(part, job.pixels, job.backward)


cdef void add_parts(
    Py_ssize_t C,
    const real_t* sums,         # IN   (SHARES, 2, C)
    real_t* total,              # OUT  (C,)
) noexcept nogil:
    """Sums of every channel over the parts, in their order."""
    cdef double found
    cdef Py_ssize_t c, part
    for c in range(C):
        found = 0
        for part in range(SHARES):
            found += sums[2 * part * C + c]
        total[c] = <real_t> found
