"""Batch normalisation over the pixels of a batch, channel by channel; at inference y = a x + b."""

from math import prod

from libc.math cimport sqrt
from libc.string cimport memset

from arrays cimport pointer, real_code, real_of, scratch_pointer, size_of
from blas cimport real_t
from simd cimport Dispatch, Kernels, load_dispatch
from units cimport SHARES

cdef const Dispatch* dispatch = load_dispatch()
cdef enum:
    SMALL = 1 << 18         # numbers under which a second thread costs more than it brings
    MEAN = 0                # vectors of C numbers an op keeps from forward to backward
    INVERSE = 1             # 1 / deviation
    A = 2                   # y = a x + b, later dx = a dy + b x + c
    B = 3
    C0 = 4
    VECTORS = 5


cdef enum Phase:
    ADD_UP
    ADD_SQUARES
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
    unbiased estimate. Sums over pixels are taken in at most 8 parts, whatever the threads.
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
    cdef object own

    def __init__(self, x, gamma, beta, running_mean, running_var, y, double momentum, double eps,
                 dy=None, dx=None, dgamma=None, dbeta=None):
        from cnnkit.arrays import empty_bytes

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
        self.own = empty_bytes(VECTORS * C * self.size)
        self.vectors = pointer(self.own, self.own.shape, "B", True, keep)
        self.scratch_bytes = 2 * SHARES * C * self.size

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
            self.total(1.0 / pixels, self.sums, self.vector(MEAN))
            self.run(ADD_SQUARES, pixels)
            self.total(1.0 / pixels, self.sums, self.vector(INVERSE))
            self.settle(pixels, True)
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
            self.total(1, self.sums, self.dbeta)
            self.total(1, self.moments(), self.dgamma)
            self.settle(pixels, False)
            if self.dx != NULL:
                self.run(SCALE_GRADIENTS, pixels)

    cdef inline char* moments(self) noexcept nogil:
        """The second half of `sums`."""
        return self.sums + SHARES * self.C * self.size

    cdef void one_pass(self, Phase phase, Py_ssize_t part, Py_ssize_t pixels) noexcept nogil:
        if phase == ADD_UP:
            self.add_values(part, pixels, self.x, self.sums)
        elif phase == ADD_SQUARES:
            self.add_moments(part, pixels, NULL, self.sums)
        elif phase == SCALE:
            self.scale_values(part, pixels)
        elif phase == ADD_UP_GRADIENTS:
            self.add_values(part, pixels, self.dy, self.sums)
            self.add_moments(part, pixels, self.dy, self.moments())
        else:
            self.scale_gradients(part, pixels)

    cdef void add_values(self, Py_ssize_t part, Py_ssize_t pixels, const char* x,
                         char* sums) noexcept nogil:
        """sums[part] = sum of x over this part of the pixels"""
        cdef Py_ssize_t i, row = self.C * self.size
        memset(sums + part * row, 0, row)
        for i in range(pixels * part // SHARES, pixels * (part + 1) // SHARES):
            self.kernels.axpy(self.C, 1.0, x + i * row, sums + part * row)

    cdef void add_moments(self, Py_ssize_t part, Py_ssize_t pixels, const char* dy,
                          char* sums) noexcept nogil:
        """sums[part] = sum of (x - mean) dy over this part, or of (x - mean)^2 without dy"""
        cdef Py_ssize_t i, row = self.C * self.size
        memset(sums + part * row, 0, row)
        for i in range(pixels * part // SHARES, pixels * (part + 1) // SHARES):
            self.kernels.moment(self.C, self.vector(MEAN), self.x + i * row,
                                dy + i * row if dy != NULL else NULL, sums + part * row)

    cdef void total(self, double share, const char* sums, char* out) noexcept nogil:
        """out = share times the sum over the parts, in their order"""
        cdef Py_ssize_t part
        memset(out, 0, self.C * self.size)
        for part in range(SHARES):
            self.kernels.axpy(self.C, 1.0, sums + part * self.C * self.size, out)
        self.kernels.scale(self.C, share, out)

    cdef void settle(self, Py_ssize_t pixels, bint forward) noexcept nogil:
        cdef:
            char* mean = self.vector(MEAN)
            char* inverse = self.vector(INVERSE)
            char* a = self.vector(A)
            char* b = self.vector(B)
            char* c = self.vector(C0)
        if self.size == sizeof(float):
            if forward:
                settle_forward[float](
                    pixels, self.C, self.momentum, self.eps, <float*> self.gamma,
                    <float*> self.beta, <float*> mean, <float*> inverse, <float*> a, <float*> b,
                    <float*> self.running_mean, <float*> self.running_var)
            else:
                settle_backward[float](
                    pixels, self.C, <float*> mean, <float*> inverse, <float*> a,
                    <float*> self.dgamma, <float*> self.dbeta, <float*> b, <float*> c)
        elif forward:
            settle_forward[double](
                pixels, self.C, self.momentum, self.eps, <double*> self.gamma,
                <double*> self.beta, <double*> mean, <double*> inverse, <double*> a, <double*> b,
                <double*> self.running_mean, <double*> self.running_var)
        else:
            settle_backward[double](
                pixels, self.C, <double*> mean, <double*> inverse, <double*> a,
                <double*> self.dgamma, <double*> self.dbeta, <double*> b, <double*> c)

    cdef void scale_values(self, Py_ssize_t part, Py_ssize_t pixels) noexcept nogil:
        cdef Py_ssize_t i, row = self.C * self.size
        for i in range(pixels * part // SHARES, pixels * (part + 1) // SHARES):
            self.kernels.affine(self.C, self.vector(A), self.vector(B), self.x + i * row,
                                self.y + i * row)

    cdef void scale_gradients(self, Py_ssize_t part, Py_ssize_t pixels) noexcept nogil:
        cdef Py_ssize_t i, row = self.C * self.size
        for i in range(pixels * part // SHARES, pixels * (part + 1) // SHARES):
            self.kernels.affine2(self.C, self.vector(A), self.vector(B), self.vector(C0),
                                 self.dy + i * row, self.x + i * row, self.dx + i * row)


cdef class AffineOp(ChannelsOp):
    """y = a x + b, one a and b for each channel."""

    cdef:
        Py_ssize_t pixels
        char *a
        char *b

    def __init__(self, x, a, b, y):
        super().__init__(x, y)
        cdef str code = real_code(real_of(x))
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
            self.kernels.affine(self.C, self.a, self.b, self.x + i * row, self.y + i * row)


cdef void affine_item(void* context, Py_ssize_t part, int thread) noexcept nogil:
    (<AffineOp> context).one_part(part)


cdef void pass_item(void* context, Py_ssize_t part, int thread) noexcept nogil:
    cdef Pass* job = <Pass*> context
    (<BatchNormOp> job.op).one_pass(job.phase, part, job.pixels)


cdef void settle_forward(
    Py_ssize_t pixels,
    Py_ssize_t C,
    double momentum,
    double eps,
    const real_t* gamma,        # IN   (C,)
    const real_t* beta,         # IN   (C,)
    const real_t* mean,         # IN   (C,)
    real_t* inverse,            # IN   (C,) variance; OUT 1 / deviation
    real_t* a,                  # OUT  (C,)
    real_t* b,                  # OUT  (C,)
    real_t* running_mean,       # OUT  (C,)
    real_t* running_var,        # OUT  (C,)
) noexcept nogil:
    """From the variance: 1 / deviation, running statistics, and y = a x + b."""
    cdef:
        Py_ssize_t c
        double variance, unbiased = pixels / (pixels - 1.0) if pixels > 1 else 1.0
    for c in range(C):
        variance = inverse[c]
        running_mean[c] += <real_t> (momentum * (mean[c] - running_mean[c]))
        running_var[c] += <real_t> (momentum * (unbiased * variance - running_var[c]))
        inverse[c] = <real_t> (1 / sqrt(variance + eps))
        a[c] = gamma[c] * inverse[c]
        b[c] = beta[c] - mean[c] * a[c]


cdef void settle_backward(
    Py_ssize_t pixels,
    Py_ssize_t C,
    const real_t* mean,         # IN   (C,)
    const real_t* inverse,      # IN   (C,)
    const real_t* a,            # IN   (C,)
    real_t* dgamma,             # IN   (C,) sum of (x - mean) dy; OUT divided by the deviation
    const real_t* dbeta,        # IN   (C,)
    real_t* b,                  # OUT  (C,)
    real_t* c,                  # OUT  (C,)
) noexcept nogil:
    """dx = a (dy - dbeta / P - (x - mean) / deviation dgamma / P) = a dy + b x + c"""
    cdef Py_ssize_t i
    for i in range(C):
        dgamma[i] *= inverse[i]
        b[i] = -a[i] * inverse[i] * dgamma[i] / pixels
        c[i] = -a[i] * dbeta[i] / pixels - b[i] * mean[i]
