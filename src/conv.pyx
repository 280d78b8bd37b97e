"""The convolution op: which algorithm does what, scratch memory, and the sum over units.

direct   src/direct.pxd: forward, and both gradients where the stride is 1.
im2col   src/im2col_conv.pxd: anything, and the gradient to x of a strided convolution.

A unit of work writes outputs of its own, or adds to one of at most 8 partial sums that are added
in a fixed order: the bits do not depend on the number of threads.
"""

from libc.string cimport memcpy, memset

from arrays cimport pointer, real_code, real_of, rows_pointer, size_of
from direct cimport bias_unit, count_panels, direct, direct_weights_unit, panel_bytes
from im2col_conv cimport cols_rows, im2col_forward, im2col_input, im2col_weights
from simd cimport PRODUCT_ADD, PRODUCT_RELU, Dispatch, Kernels, load_dispatch
from units cimport SHARES, Conv, Job, Unit, ceil_div, count_units, load_unit, locate_unit, plan
from windows cimport Windows, load_windows

cdef const Dispatch* dispatch = load_dispatch()

cdef enum:
    PARTIALS = 4 << 20      # bytes of all partial weight gradients together
    SMALL = 1 << 20         # multiply-adds under which a second thread costs more than it brings

ALGORITHMS = ("direct", "im2col")


cdef class ConvOp:
    """y = conv(x, w) + b, clipped at zero with `relu`; backward fills dx, dw and db.

    Bound once to its arrays, run for the first n images of them. dx may be None where nobody asks
    for it; dy, dw and db may be None for inference. `scratch_bytes` of memory, any content, must
    be attached before the first run; several ops may share it.
    """

    cdef:
        Conv forward_plan, turned_plan, gradient_plan
        const Kernels* kernels
        Py_ssize_t size, K, block, partials, splits
        bint direct_forward, direct_input, relu
        int threads
        char *x
        char *w
        char *b
        char *scale
        char *y
        char *dy
        char *dx
        char *dw
        char *db
        char *shared
        char *own
        Py_ssize_t shared_bytes, own_bytes
        list keep
    cdef readonly Py_ssize_t scratch_bytes
    cdef readonly bint uses_blas

    def __init__(
        self,
        windows,
        groups,
        x,                  # (N, H, W, C)
        w,                  # (KH, KW, C / groups, F)
        b,                  # (F,) or None
        y,                  # (N, OH, OW, F), or a slice of channels; None for backward alone
        dy=None,            # likewise
        dx=None,
        dw=None,
        db=None,
        algorithm="auto",
        relu=False,
        scale=None,         # (F,), with b: y = scale conv(x, w) + b, forward only
    ):
        if algorithm not in ("auto", *ALGORITHMS):
            raise ValueError(f"algorithm must be 'auto' or one of {ALGORITHMS}, got {algorithm!r}.")
        cdef int real = real_of(x)
        cdef str code = real_code(real)
        cdef Windows g = load_windows(windows)
        cdef Windows turned = g
        *_, F = w.shape
        w_shape = (g.KH, g.KW, g.C // groups, F)
        y_shape = (g.N, g.OH, g.OW, F)
        if scale is not None and b is None:
            raise ValueError("scale needs b.")
        self.keep = keep = []
        self.x = pointer(x, windows.input_shape, code, False, keep)
        self.w = pointer(w, w_shape, code, False, keep)
        self.b = pointer(b, (F,), code, False, keep)
        self.scale = pointer(scale, (F,), code, False, keep)
        cdef Py_ssize_t y_pixel, dy_pixel
        self.y = rows_pointer(y, y_shape, code, True, keep, &y_pixel)
        self.dy = rows_pointer(dy, y_shape, code, False, keep, &dy_pixel)
        self.dx = pointer(dx, windows.input_shape, code, True, keep)
        self.dw = pointer(dw, w_shape, code, True, keep)
        self.db = pointer(db, (F,), code, True, keep)

        self.kernels = dispatch.real[real]
        self.size = size_of(real)
        self.threads = dispatch.threads()
        self.relu = relu
        self.K = g.KH * g.KW * (g.C // groups)
        self.forward_plan = plan(g, F, groups, self.size)
        self.gradient_plan = self.forward_plan
        self.forward_plan.y_pixel = y_pixel
        self.gradient_plan.y_pixel = dy_pixel
        self.direct_forward = algorithm != "im2col"
        # stride 1: dx is a convolution of dy, padded so that every pixel of x is reached
        self.direct_input = self.direct_forward and g.SH == 1 and g.SW == 1
        self.uses_blas = not self.direct_forward or (dx is not None and not self.direct_input)
        turned.H, turned.W, turned.C = g.OH, g.OW, F
        turned.OH, turned.OW = g.H, g.W
        turned.PT = g.DH * (g.KH - 1) - g.PT    # may be negative: the border of dy is cut off
        turned.PB = g.DH * (g.KH - 1) - g.PB
        turned.PL = g.DW * (g.KW - 1) - g.PL
        turned.PR = g.DW * (g.KW - 1) - g.PR
        self.turned_plan = plan(turned, g.C, groups, self.size)
        self.turned_plan.x_pixel = dy_pixel
        self.plan_scratch()

    cdef void plan_scratch(self):
        cdef:
            Conv* conv = &self.forward_plan
            Conv* turned = &self.turned_plan
            Py_ssize_t weights = self.K * conv.F * self.size, edge = 0, packed = 0
        self.block = cols_rows(conv, self.size) * self.K * self.size
        self.partials = self.splits = 1
        if self.dw != NULL:
            self.partials = max(1, min(SHARES, PARTIALS // max(1, weights),
                                       count_units(conv, conv.g.N)))
            if conv.groups > 1:
                self.splits = min(conv.groups, ceil_div(SHARES, self.partials))
            else:
                self.splits = min(ceil_div(conv.g.C, 16), ceil_div(SHARES, self.partials))
            edge = conv.rows * conv.cols * 2 * self.kernels.lanes * self.size
        if self.direct_forward:
            packed = count_panels(conv, self.kernels) * panel_bytes(conv, self.kernels, self.size)
        if self.direct_input and self.dx != NULL:
            packed = max(packed, count_panels(turned, self.kernels)
                         * panel_bytes(turned, self.kernels, self.size))
        self.shared_bytes = max(packed, self.partials * (weights + conv.F * self.size))
        self.own_bytes = max(conv.slab + edge, turned.slab)
        if self.uses_blas:
            self.own_bytes = max(self.own_bytes, self.block)
        self.shared_bytes = ceil_div(self.shared_bytes, 64) * 64
        self.own_bytes = ceil_div(self.own_bytes, 64) * 64
        self.scratch_bytes = self.shared_bytes + self.threads * self.own_bytes

    def attach(self, scratch):
        """Use `scratch`, an array of at least `scratch_bytes` bytes."""
        self.shared = pointer(scratch, scratch.shape, "B", True, self.keep)
        if scratch.shape[0] < self.scratch_bytes:
            raise ValueError(f"scratch must be {self.scratch_bytes} bytes, got {scratch.shape[0]}.")
        self.own = self.shared + self.shared_bytes

    cdef int workers(self, Py_ssize_t n) noexcept nogil:
        cdef Windows* g = &self.forward_plan.g
        if n * g.OH * g.OW * self.K * self.forward_plan.F // self.forward_plan.groups < SMALL:
            return 1
        return min(self.threads, dispatch.threads())

    cdef int check(self, Py_ssize_t n) except -1:
        if not 0 <= n <= self.forward_plan.g.N:
            raise ValueError(f"n must be from 0 to {self.forward_plan.g.N}, got {n}.")
        if self.shared == NULL and self.scratch_bytes:
            raise ValueError("attach scratch before the first run.")

    cdef Job job(self, const Conv* conv, Py_ssize_t n) noexcept nogil:
        cdef Job job
        job.dispatch = dispatch
        job.kernels = self.kernels
        job.conv = conv
        job.size = self.size
        job.n = n
        job.x = self.x
        job.w = self.w
        job.turned = False
        job.scale = job.b = NULL
        job.flags = 0
        job.y = self.y
        job.panels = self.shared
        job.own = self.own
        job.own_bytes = self.own_bytes
        job.threads = self.workers(n)
        return job

    def forward(self, Py_ssize_t n):
        """Fill the first `n` images of y."""
        cdef Job job
        self.check(n)
        with nogil:
            job = self.job(&self.forward_plan, n)
            job.scale = self.scale
            job.b = self.b
            job.flags = PRODUCT_RELU if self.relu else 0
            if self.direct_forward:
                direct(&job)
            else:
                im2col_forward(&job)

    def backward(self, Py_ssize_t n):
        """Fill dw and db, and the first `n` images of dx, from those of dy."""
        cdef Job job
        self.check(n)
        with nogil:
            if self.dw != NULL:
                self.weights_backward(n)
            if self.dx != NULL:
                job = self.job(&self.turned_plan if self.direct_input else &self.gradient_plan, n)
                job.x = self.dy
                job.y = self.dx
                job.turned = self.direct_input
                if self.direct_input:
                    direct(&job)
                else:
                    im2col_input(&job)

    cdef void weights_backward(self, Py_ssize_t n) noexcept nogil:
        """Partial sums over ranges of units, then their sum in order."""
        cdef:
            Conv* conv = &self.gradient_plan
            WeightsJob job
            Py_ssize_t weights = self.K * conv.F, step = (weights + conv.F) * self.size, i
            char* sums = self.shared
        job.op = <void*> self
        job.n = n
        job.units = count_units(conv, n)
        job.partials = min(self.partials, job.units)
        job.splits = self.splits if self.direct_forward else 1
        if not job.units:
            memset(self.dw, 0, weights * self.size)
            if self.db != NULL:
                memset(self.db, 0, conv.F * self.size)
            return
        dispatch.run(weights_item, &job, job.partials * job.splits, self.workers(n))
        memcpy(self.dw, sums, weights * self.size)
        for i in range(1, job.partials):
            self.kernels.axpy(weights, 1.0, sums + i * step, self.dw)
        if self.db != NULL:
            memcpy(self.db, sums + weights * self.size, conv.F * self.size)
            for i in range(1, job.partials):
                self.kernels.axpy(conv.F, 1.0, sums + i * step + weights * self.size, self.db)

    cdef void partial_weights(
        self,
        Py_ssize_t n,
        Py_ssize_t first,   # units first <= i < last
        Py_ssize_t last,
        Py_ssize_t part,    # which partial sum, in scratch: (KH, KW, C / groups, F), then (F,)
        Py_ssize_t split,   # which share of the channels, of how many
        Py_ssize_t splits,
        int thread,
    ) noexcept nogil:
        cdef:
            Conv* conv = &self.gradient_plan
            Py_ssize_t C = conv.g.C // conv.groups, i
            Py_ssize_t g0 = 0, g1 = 1, c0 = 0, cn = C
            int flags
            Unit unit
            char* own = self.own + thread * self.own_bytes
            char* edge = own + conv.slab
            char* dw = self.shared + part * (self.K + 1) * conv.F * self.size
            char* db = dw + self.K * conv.F * self.size
        if conv.groups > 1:
            g0 = conv.groups * split // splits
            g1 = conv.groups * (split + 1) // splits
        else:
            c0 = C * split // splits
            cn = C * (split + 1) // splits - c0
        for i in range(first, last):
            flags = PRODUCT_ADD if i > first else 0
            unit = locate_unit(conv, n, i)
            if self.direct_forward:
                load_unit(conv, self.size, &unit, g0 * C + c0, (g1 - g0) * cn, self.x, own)
                direct_weights_unit(conv, self.kernels, self.size, &unit, g0, g1, c0, cn, flags,
                                    self.dy, edge, dw)
            else:
                im2col_weights(conv, self.size, &unit, flags, self.x, self.dy, own, dw)
            if split == 0:
                bias_unit(conv, self.kernels, self.size, &unit, flags, self.dy, db)


cdef struct WeightsJob:
    void* op
    Py_ssize_t n, units, partials, splits


cdef void weights_item(void* context, Py_ssize_t i, int thread) noexcept nogil:
    """One share of the channels in one range of the units."""
    cdef:
        WeightsJob* job = <WeightsJob*> context
        Py_ssize_t part = i // job.splits
    (<ConvOp> job.op).partial_weights(
        job.n, job.units * part // job.partials, job.units * (part + 1) // job.partials, part,
        i % job.splits, job.splits, thread)
