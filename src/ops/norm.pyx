"""Batch normalisation over the pixels of a batch; at inference an affine map of every channel."""

from math import prod

from libc.math cimport sqrt
from libc.string cimport memset

from common.arrays cimport aligned_bytes, pointer, real_code, real_of, scratch_pointer, size_of
from common.blas cimport real_t
from common.simd cimport Kernels
from threads.dispatch cimport SHARES, Dispatch, load_dispatch

cdef const Dispatch* dispatch = load_dispatch()
cdef enum:
    SMALL = 1 << 18         # numbers under which a second thread costs more than it brings
    MEAN = 0                # vectors of C numbers an op keeps from forward to backward
    LOW = 1                 # what the mean is more than MEAN, which is rounded
    INVERSE = 2             # 1 / deviation
    A = 3                   # y = a (x - mean) + b, later dx = a dy + b (x - mean) + c
    B = 4
    C0 = 5
    VECTORS = 6


cdef enum Phase:
    ADD_UP                  # differences from the first pixel
    ADD_SQUARES             # differences from MEAN, and their squares
    SCALE
    ADD_UP_GRADIENTS
    SCALE_GRADIENTS


cdef struct Pass:
    void* op
    Phase phase
    Py_ssize_t pixels


cdef class ChannelsOp:
    """What both ops share: samples as pixels of C channels."""

    cdef:
        const Kernels* kernels
        Py_ssize_t size, N, area, C
        char *x
        char *y
        list keep

    def __init__(self, x, y):
        cdef int real = real_of(x)
        cdef str code = real_code(real)
        cdef tuple shape = x.shape
        *_, C = shape
        self.keep = []
        self.kernels = dispatch.real[real]
        self.size = size_of(real)
        self.N = shape[0]
        self.C = C
        self.area = prod(shape[1:-1])
        self.x = pointer(x, shape, code, False, self.keep)
        self.y = pointer(y, shape, code, True, self.keep)

    cdef int check_count(self, Py_ssize_t n) except -1:
        if not 0 <= n <= self.N:
            raise ValueError(f"n must be from 0 to {self.N}, got {n}.")

    cdef int workers(self, Py_ssize_t pixels) noexcept nogil:
        return 1 if pixels * self.C < SMALL else dispatch.threads()


cdef class BatchNormOp(ChannelsOp):
    """y = gamma (x - mean) / sqrt(var + eps) + beta, with the batch's mean and variance.

    `running_mean` and `running_var` move towards the batch's by `momentum`, the variance by the
    unbiased estimate. Sums over pixels are taken in at most 8 parts, whatever the threads. They
    are sums of differences, and the mean is kept to twice the digits, so that channels far from
    zero that hardly vary lose nothing: y is `beta` where a channel is constant.
    """

    cdef public double momentum
    cdef:
        double eps
        char *gamma
        char *beta
        char *running_mean
        char *running_var
        char *dy
        char *dx
        char *dgamma
        char *dbeta
        char *sums
        char *vectors
    cdef readonly Py_ssize_t scratch_bytes

    def __init__(self, x, gamma, beta, running_mean, running_var, y, double momentum, double eps,
                 dy=None, dx=None, dgamma=None, dbeta=None):
        super().__init__(x, y)
        cdef str code = real_code(real_of(x))
        cdef tuple shape = x.shape
        cdef list keep = self.keep
        cdef Py_ssize_t C = self.C
        self.momentum = momentum
        self.eps = eps
        self.gamma = pointer(gamma, (C,), code, False, keep)
        self.beta = pointer(beta, (C,), code, False, keep)
        self.running_mean = pointer(running_mean, (C,), code, True, keep)
        self.running_var = pointer(running_var, (C,), code, True, keep)
        self.dy = pointer(dy, shape, code, False, keep)
        self.dx = pointer(dx, shape, code, True, keep)
        self.dgamma = pointer(dgamma, (C,), code, True, keep)
        self.dbeta = pointer(dbeta, (C,), code, True, keep)
        self.vectors = aligned_bytes(VECTORS * C * self.size, keep)
        self.scratch_bytes = 4 * SHARES * C * self.size

    def attach(self, scratch):
        """Use `scratch`, an array of at least `scratch_bytes` bytes."""
        self.sums = scratch_pointer(scratch, self.scratch_bytes, self.keep)

    cdef int check(self, Py_ssize_t n) except -1:
        self.check_count(n)
        if self.sums == NULL:
            raise ValueError("attach scratch before the first run.")

    cdef inline char* vector(self, Py_ssize_t i) noexcept nogil:
        return self.vectors + i * self.C * self.size

    cdef void run(self, Phase phase, Py_ssize_t pixels) noexcept nogil:
        """One pass over the pixels, in parts."""
        cdef Pass job
        job.op = <void*> self
        job.phase = phase
        job.pixels = pixels
        dispatch.run(pass_item, &job, SHARES, self.workers(pixels))

    def forward(self, Py_ssize_t n):
        """Fill the first `n` samples of y and move the running statistics."""
        self.check(n)
        cdef Py_ssize_t pixels = n * self.area
        if not pixels:
            return
        with nogil:
            self.run(ADD_UP, pixels)
            self.settle(ADD_UP, pixels)
            self.run(ADD_SQUARES, pixels)
            self.settle(ADD_SQUARES, pixels)
            self.run(SCALE, pixels)

    def backward(self, Py_ssize_t n):
        """Fill dgamma and dbeta, and the first `n` samples of dx, from those of dy."""
        self.check(n)
        cdef Py_ssize_t pixels = n * self.area
        if not pixels:
            memset(self.dgamma, 0, self.C * self.size)
            memset(self.dbeta, 0, self.C * self.size)
            return
        with nogil:
            self.run(ADD_UP_GRADIENTS, pixels)
            self.settle(ADD_UP_GRADIENTS, pixels)
            if self.dx != NULL:
                self.run(SCALE_GRADIENTS, pixels)

    cdef void one_pass(self, Phase phase, Py_ssize_t part, Py_ssize_t pixels) noexcept nogil:
        """This part of the pixels: its sums, of 4 C numbers for every part, or its outputs."""
        cdef:
            Py_ssize_t i, row = self.C * self.size, first = pixels * part // SHARES
            Py_ssize_t last = pixels * (part + 1) // SHARES
            char* x = self.x + first * row
            char* sums = self.sums + part * 4 * row
        if phase == SCALE:
            for i in range(first, last):
                self.kernels.normalise(self.C, self.vector(MEAN), self.vector(A), self.vector(B),
                                       self.x + i * row, self.y + i * row)
            return
        if phase == SCALE_GRADIENTS:
            for i in range(first, last):
                self.kernels.normalise_backward(
                    self.C, self.vector(MEAN), self.vector(A), self.vector(B), self.vector(C0),
                    self.dy + i * row, self.x + i * row, self.dx + i * row)
            return
        memset(sums, 0, 4 * row)
        if phase == ADD_UP:
            self.kernels.sum_values(last - first, self.C, x, self.C, self.x, sums)
        else:
            self.kernels.sum_moments(last - first, self.C, x,
                                     self.dy + first * row if phase == ADD_UP_GRADIENTS else NULL,
                                     self.vector(MEAN), sums)

    cdef void settle(self, Phase phase, Py_ssize_t pixels) noexcept nogil:
        """What follows from the sums of a pass."""
        if self.size == sizeof(float):
            if phase == ADD_UP:
                settle_mean[float](pixels, self.C, <float*> self.x, <float*> self.sums,
                                   <float*> self.vectors)
            elif phase == ADD_SQUARES:
                settle_forward[float](
                    pixels, self.C, self.momentum, self.eps, <float*> self.gamma,
                    <float*> self.beta, <float*> self.sums, <float*> self.vectors,
                    <float*> self.running_mean, <float*> self.running_var)
            else:
                settle_backward[float](pixels, self.C, <float*> self.sums, <float*> self.vectors,
                                       <float*> self.dgamma, <float*> self.dbeta)
        elif phase == ADD_UP:
            settle_mean[double](pixels, self.C, <double*> self.x, <double*> self.sums,
                                <double*> self.vectors)
        elif phase == ADD_SQUARES:
            settle_forward[double](
                pixels, self.C, self.momentum, self.eps, <double*> self.gamma,
                <double*> self.beta, <double*> self.sums, <double*> self.vectors,
                <double*> self.running_mean, <double*> self.running_var)
        else:
            settle_backward[double](pixels, self.C, <double*> self.sums, <double*> self.vectors,
                                    <double*> self.dgamma, <double*> self.dbeta)


cdef class AffineOp(ChannelsOp):
    """y = a (x - mean) + b, one mean, a and b for each channel."""

    cdef:
        Py_ssize_t pixels
        char *mean
        char *a
        char *b

    def __init__(self, x, mean, a, b, y):
        super().__init__(x, y)
        cdef str code = real_code(real_of(x))
        self.mean = pointer(mean, (self.C,), code, False, self.keep)
        self.a = pointer(a, (self.C,), code, False, self.keep)
        self.b = pointer(b, (self.C,), code, False, self.keep)

    def forward(self, Py_ssize_t n):
        """Fill the first `n` samples of y."""
        self.check_count(n)
        self.pixels = n * self.area
        with nogil:
            dispatch.run(affine_item, <void*> self, SHARES, self.workers(self.pixels))

    cdef void one_part(self, Py_ssize_t part) noexcept nogil:
        cdef Py_ssize_t i, row = self.C * self.size
        for i in range(self.pixels * part // SHARES, self.pixels * (part + 1) // SHARES):
            self.kernels.normalise(self.C, self.mean, self.a, self.b, self.x + i * row,
                                   self.y + i * row)


cdef void affine_item(void* context, Py_ssize_t part, int thread) noexcept nogil:
    (<AffineOp> context).one_part(part)


cdef void pass_item(void* context, Py_ssize_t part, int thread) noexcept nogil:
    cdef Pass* job = <Pass*> context
    (<BatchNormOp> job.op).one_pass(job.phase, part, job.pixels)


cdef inline double total(const real_t* sums, Py_ssize_t C, Py_ssize_t which,
                         Py_ssize_t c) noexcept nogil:
    """A sum of channel c over the parts, in their order: the first, or the second."""
    cdef double found = 0
    cdef Py_ssize_t part
    for part in range(SHARES):
        found += sums[(4 * part + 2 * which) * C + c]
    return found


cdef void settle_mean(
    Py_ssize_t pixels,
    Py_ssize_t C,
    const real_t* first,        # IN   (C,), the first pixel
    const real_t* sums,         # IN   (SHARES, 4, C), of differences from it
    real_t* vectors,            # OUT  (VECTORS, C)
) noexcept nogil:
    """A first guess at the mean."""
    cdef Py_ssize_t c
    for c in range(C):
        vectors[MEAN * C + c] = <real_t> (first[c] + total(sums, C, 0, c) / pixels)


cdef void settle_forward(
    Py_ssize_t pixels,
    Py_ssize_t C,
    double momentum,
    double eps,
    const real_t* gamma,        # IN   (C,)
    const real_t* beta,         # IN   (C,)
    const real_t* sums,         # IN   (SHARES, 4, C), of differences and of their squares
    real_t* vectors,            # IN   MEAN, a guess; OUT all, for y = a (x - mean) + b
    real_t* running_mean,       # OUT  (C,)
    real_t* running_var,        # OUT  (C,)
) noexcept nogil:
    """Mean and 1 / deviation, and running statistics.

    mean = guess + mean d, variance = mean d^2 - (mean d)^2, for differences d from the guess.
    """
    cdef:
        Py_ssize_t c
        double guess, off, mean, variance, unbiased = pixels / (pixels - 1.0) if pixels > 1 else 1.0
    for c in range(C):
        guess = vectors[MEAN * C + c]
        off = total(sums, C, 0, c) / pixels
        mean = guess + off
        variance = total(sums, C, 1, c) / pixels - off * off
        variance = 0 if variance < 0 else variance
        running_mean[c] += <real_t> (momentum * (mean - running_mean[c]))
        running_var[c] += <real_t> (momentum * (unbiased * variance - running_var[c]))
        vectors[MEAN * C + c] = <real_t> mean
        vectors[LOW * C + c] = <real_t> (off - (vectors[MEAN * C + c] - guess))
        vectors[INVERSE * C + c] = <real_t> (1 / sqrt(variance + eps))
        vectors[A * C + c] = gamma[c] * vectors[INVERSE * C + c]
        vectors[B * C + c] = beta[c] - vectors[LOW * C + c] * vectors[A * C + c]


cdef void settle_backward(
    Py_ssize_t pixels,
    Py_ssize_t C,
    const real_t* sums,         # IN   (SHARES, 4, C), of dy and of (x - MEAN) dy
    real_t* vectors,            # IN   those of forward; OUT B and C0
    real_t* dgamma,             # OUT  (C,)
    real_t* dbeta,              # OUT  (C,)
) noexcept nogil:
    """dx = a (dy - dbeta / P - (x - mean) / deviation dgamma / P) = a dy + b (x - MEAN) + c"""
    cdef:
        Py_ssize_t i
        double up, low, a, b, inverse
    for i in range(C):
        up = total(sums, C, 0, i)
        low = vectors[LOW * C + i]
        a = vectors[A * C + i]
        inverse = vectors[INVERSE * C + i]
        dbeta[i] = <real_t> up
        dgamma[i] = <real_t> ((total(sums, C, 1, i) - low * up) * inverse)
        b = -a * inverse * dgamma[i] / pixels
        vectors[B * C + i] = <real_t> b
        vectors[C0 * C + i] = <real_t> (-a * up / pixels - b * low)
