"""The convolution op, also of dense layers: arrays, algorithms and scratch memory.

src/conv/choice.pxd says which algorithm computes what; the others of that folder are the
algorithms. A unit of work writes outputs of its own, or adds to one of at most 8 partial sums that
are added in a fixed order: the bits do not depend on the number of threads.
"""

from libc.limits cimport INT_MAX

from common.arithmetic cimport ceil_div
from common.arrays cimport pointer, real_code, real_of, rows_pointer, scratch_pointer, size_of
from common.simd cimport PRODUCT_RELU, Kernels
from common.windows cimport Windows, load_windows
from conv.choice cimport (
    DIRECT, IM2COL, SCATTER, WINOGRAD, blas_wins, choose, choose_for_input)
from conv.dense cimport dense_bytes
from conv.direct cimport direct, direct_own_bytes
from conv.im2col cimport (
    block_bytes, im2col_forward, im2col_input, plan_blocks, rows_alike, turned_bytes)
from conv.job cimport ConvJob
from conv.panels cimport count_panels, pack_panels, panel_bytes, panels_of_chunk
from conv.scatter cimport (
    scatter, scatter_columns, scatter_panel_bytes, scatter_panels, scatter_rows)
from conv.units cimport Conv, plan
from conv.weights cimport (
    PARTIALS, WeightsJob, WeightsPlan, plan_weights, weights_backward, weights_own_bytes,
    weights_shared_bytes)
from conv.winograd cimport (
    transformed_bytes, transformed_of_chunk, winograd, winograd_own_bytes, winograd_pack)
from threads.dispatch cimport Dispatch, load_dispatch

from cnnkit._native.threads import one_blas_thread

cdef const Dispatch* dispatch = load_dispatch()

cdef enum:
    SMALL = 1 << 20         # multiply-adds under which a second thread costs more than it brings

ALGORITHMS = ("auto", "exact", "direct", "im2col", "winograd")
NAMES = {DIRECT: "direct", SCATTER: "scatter", IM2COL: "im2col", WINOGRAD: "winograd"}


def check_matrices(sizes, owner):
    """Raise if one of `sizes`, a dict by name, is too large for BLAS, which counts in C ints."""
    for name, size in sizes.items():
        if size > INT_MAX:
            raise ValueError(
                f"{owner}: {name} must be at most 2**31 - 1 for algorithm 'im2col', got {size}."
            )


cdef class ConvOp:
    """y = conv(x, w) + b, clipped at zero with `relu`; backward fills dx, dw and db.

    Bound once to its arrays, run for the first n images of them. dx may be None where it is not
    needed; dy, dw and db may be None for inference. `scratch_bytes` of memory, any content, must
    be attached before the first run; several ops may share it.
    """

    cdef:
        Conv forward_plan, turned_plan, gradient_plan
        WeightsPlan weights_plan
        const Kernels* kernels
        Py_ssize_t size, K, y_pixel, dy_pixel
        int forward_by, input_by, weights_by
        bint relu
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
        char *packed
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
        owner="Conv",
    ):
        if algorithm not in ALGORITHMS:
            raise ValueError(f"algorithm must be one of {ALGORITHMS}, got {algorithm!r}.")
        if scale is not None and b is None:
            raise ValueError("scale needs b.")
        cdef int real = real_of(x)
        cdef str code = real_code(real)
        cdef list keep = []
        *_, F = w.shape
        w_shape = (windows.KH, windows.KW, windows.C // groups, F)
        y_shape = (windows.N, windows.OH, windows.OW, F)
        self.keep = keep
        self.x = pointer(x, windows.input_shape, code, False, keep)
        self.w = pointer(w, w_shape, code, False, keep)
        self.b = pointer(b, (F,), code, False, keep)
        self.scale = pointer(scale, (F,), code, False, keep)
        self.y = rows_pointer(y, y_shape, code, True, keep, &self.y_pixel)
        self.dy = rows_pointer(dy, y_shape, code, False, keep, &self.dy_pixel)
        self.dx = pointer(dx, windows.input_shape, code, True, keep)
        self.dw = pointer(dw, w_shape, code, True, keep)
        self.db = pointer(db, (F,), code, True, keep)
        self.kernels = dispatch.real[real]
        self.size = size_of(real)
        self.threads = dispatch.threads()
        self.relu = relu
        self.plan_units(load_windows(windows), F, groups)
        self.choose_algorithms(algorithm)
        if self.uses_blas:
            self.plan_blas(owner)
        self.plan_scratch()

    cdef void plan_units(self, Windows g, Py_ssize_t F, Py_ssize_t groups) noexcept:
        cdef Windows turned = g
        self.K = g.KH * g.KW * (g.C // groups)
        self.forward_plan = plan(g, F, groups, self.size)
        self.gradient_plan = self.forward_plan
        self.forward_plan.y_pixel = self.y_pixel
        self.gradient_plan.y_pixel = self.dy_pixel
        # stride 1: dx is a convolution of dy, padded so that every pixel of x is reached
        turned.H, turned.W, turned.C = g.OH, g.OW, F
        turned.OH, turned.OW = g.H, g.W
        turned.PT = g.DH * (g.KH - 1) - g.PT    # may be negative: the border of dy is cut off
        turned.PB = g.DH * (g.KH - 1) - g.PB
        turned.PL = g.DW * (g.KW - 1) - g.PL
        turned.PR = g.DW * (g.KW - 1) - g.PR
        self.turned_plan = plan(turned, g.C, groups, self.size)
        self.turned_plan.x_pixel = self.dy_pixel

    cdef int choose_algorithms(self, str algorithm) except -1:
        cdef const Conv* conv = &self.forward_plan
        self.forward_by = self.weights_by = choose(algorithm, conv, self.kernels)
        self.input_by = choose_for_input(algorithm, conv, &self.turned_plan, self.kernels)
        if algorithm in ("auto", "exact"):
            if self.leaves_to_blas(self.forward_by):
                self.forward_by = IM2COL
            # its parts are smaller than ours: of many, sums of blocks would be kept besides
            if self.K * conv.F * self.size <= PARTIALS and self.leaves_to_blas(self.weights_by):
                self.weights_by = IM2COL
            if self.leaves_to_blas(self.input_by):
                self.input_by = IM2COL
        self.uses_blas = (self.forward_by == IM2COL
                          or (self.dx != NULL and self.input_by == IM2COL)
                          or (self.dw != NULL and self.weights_by == IM2COL))
        return 0

    cdef bint leaves_to_blas(self, int by) noexcept:
        return blas_wins(&self.forward_plan, self.kernels, self.size, dispatch.widest, by)

    cdef int plan_blas(self, str owner) except -1:
        """Choose blocks of the im2col matrix that BLAS can multiply."""
        check_matrices({"kernel_size times the channels of a group": self.K,
                        "filters": self.forward_plan.F,
                        "channels of the output": max(self.y_pixel, self.dy_pixel)}, owner)
        with one_blas_thread():
            alike = rows_alike(self.size)
        plan_blocks(&self.forward_plan, self.size, alike)
        plan_blocks(&self.gradient_plan, self.size, alike)
        return 0

    cdef void plan_scratch(self) noexcept:
        cdef const Conv* conv = &self.gradient_plan
        self.shared_bytes = self.own_bytes = 0
        self.need_scratch(&self.forward_plan, self.forward_by)
        if self.dx != NULL:
            self.need_scratch(conv if self.input_by in (SCATTER, IM2COL) else &self.turned_plan,
                              self.input_by)
        if self.dw != NULL:
            self.weights_plan = plan_weights(conv, self.size, self.weights_by)
            self.shared_bytes = max(self.shared_bytes,
                                    weights_shared_bytes(conv, &self.weights_plan, self.size))
            self.own_bytes = max(
                self.own_bytes,
                weights_own_bytes(conv, &self.weights_plan, self.kernels, self.size))
        self.shared_bytes = ceil_div(self.shared_bytes, 64) * 64
        self.own_bytes = ceil_div(self.own_bytes, 64) * 64
        self.scratch_bytes = self.shared_bytes + self.threads * self.own_bytes

    cdef void need_scratch(self, const Conv* conv, int by) noexcept:
        cdef Py_ssize_t shared = 0, own = 0
        if by == IM2COL:
            shared = turned_bytes(conv, self.size)
            own = block_bytes(conv, self.size)
        elif by == DIRECT:
            shared = (panels_of_chunk(conv, self.kernels, self.size)
                      * panel_bytes(conv, self.kernels, self.size))
            own = direct_own_bytes(conv, self.kernels, self.size)
            if conv.flat:
                own = max(own, dense_bytes(conv, self.kernels, self.size))
        elif by == SCATTER:
            shared = (conv.groups * scatter_panels(conv, self.kernels)
                      * scatter_panel_bytes(conv, self.kernels, self.size))
            own = scatter_rows(conv, self.size) * scatter_columns(conv) * self.size
        elif by == WINOGRAD:
            shared = (transformed_of_chunk(conv, self.kernels, self.size)
                      * transformed_bytes(conv, self.kernels, self.size))
            own = winograd_own_bytes(conv, self.kernels, self.size)
        self.shared_bytes = max(self.shared_bytes, shared)
        self.own_bytes = max(self.own_bytes, own)

    @property
    def algorithms(self):
        """What computes y, and what dx and dw where they are asked for, by name."""
        return NAMES[self.forward_by], NAMES[self.input_by], NAMES[self.weights_by]

    def attach(self, scratch):
        """Use `scratch`, an array of at least `scratch_bytes` bytes."""
        self.shared = scratch_pointer(scratch, self.scratch_bytes, self.keep)
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

    cdef ConvJob job(self, const Conv* conv, Py_ssize_t n) noexcept nogil:
        cdef ConvJob job
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
        job.panel = job.count = job.blocks = job.shares = 0
        job.packed = False
        return job

    cdef void run(self, ConvJob* job, int by) noexcept nogil:
        if by == DIRECT:
            direct(job)
        elif by == WINOGRAD:
            winograd(job)
        else:
            im2col_forward(job)

    @property
    def packed_bytes(self):
        """Bytes of the weights as `prepack` packs them; 0 where they are read in place."""
        cdef const Conv* conv = &self.forward_plan
        if self.forward_by == IM2COL or (conv.flat and conv.g.H * conv.g.W == 1):
            return 0
        return count_panels(conv, self.kernels) * self.panel_step()

    cdef Py_ssize_t panel_step(self) noexcept nogil:
        if self.forward_by == WINOGRAD:
            return transformed_bytes(&self.forward_plan, self.kernels, self.size)
        return panel_bytes(&self.forward_plan, self.kernels, self.size)

    def prepack(self, memory):
        """Pack the weights as they are now into `packed_bytes` of memory, once for all runs."""
        cdef ConvJob job = self.job(&self.forward_plan, self.forward_plan.g.N)
        if not self.packed_bytes:
            return
        self.packed = pointer(memory, (self.packed_bytes,), "B", True, self.keep)
        job.panels = self.packed
        job.scale = self.scale
        job.count = count_panels(&self.forward_plan, self.kernels)
        with nogil:
            if self.forward_by == WINOGRAD:
                winograd_pack(&job)
            else:
                pack_panels(&job, job.threads)

    def forward(self, Py_ssize_t n):
        """Fill the first `n` images of y."""
        cdef ConvJob job
        self.check(n)
        with nogil:
            job = self.job(&self.forward_plan, n)
            job.scale = self.scale
            job.b = self.b
            job.flags = PRODUCT_RELU if self.relu else 0
            if self.packed != NULL:
                job.packed = True
                job.panels = self.packed
            self.run(&job, self.forward_by)

    def backward(self, Py_ssize_t n):
        """Fill dw and db, and the first `n` images of dx, from those of dy."""
        cdef ConvJob job
        self.check(n)
        with nogil:
            if self.dw != NULL:
                self.backward_weights(n)
            if self.dx != NULL:
                job = self.job(&self.gradient_plan, n)
                job.x = self.dy
                job.y = self.dx
                if self.input_by == IM2COL:
                    im2col_input(&job)
                elif self.input_by == SCATTER:
                    scatter(&job)
                else:
                    job.conv = &self.turned_plan
                    job.turned = True
                    self.run(&job, self.input_by)

    cdef void backward_weights(self, Py_ssize_t n) noexcept nogil:
        cdef WeightsJob job
        job.dispatch = dispatch
        job.kernels = self.kernels
        job.conv = &self.gradient_plan
        job.plan = &self.weights_plan
        job.size = self.size
        job.n = n
        job.x = self.x
        job.dy = self.dy
        job.dw = self.dw
        job.db = self.db
        job.shared = self.shared
        job.own = self.own
        job.own_bytes = self.own_bytes
        job.threads = self.workers(n)
        weights_backward(&job)
