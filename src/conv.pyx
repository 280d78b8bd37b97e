"""The convolution op: which algorithm does what, scratch memory, and the sum over units.

direct     src/direct.pxd: forward, the gradient to w, and that to x where the stride is 1.
scatter    src/scatter.pxd: the gradient to x where it is not, or where channels are few.
im2col     src/im2col_conv.pxd: anything, by BLAS: the reference, and what runs by default where our
           loops are the portable ones.
winograd   src/winograd.pxd: all three, of 3x3 kernels with stride 1.

A unit of work writes outputs of its own, or adds to one of at most 8 partial sums that are added
in a fixed order: the bits do not depend on the number of threads. Nor do they depend on the batch,
since an algorithm is chosen by the shape of one image.
"""

from libc.string cimport memcpy, memset

from arrays cimport pointer, real_code, real_of, rows_pointer, scratch_pointer, size_of
from direct cimport direct, direct_own_bytes
from direct_weights cimport add_weights, bias_unit, direct_weights_unit, parts_of_unit
from few cimport few_bytes
from im2col_conv cimport (
    block_bytes, count_parts, im2col_forward, im2col_input, im2col_weights, locate_part,
    plan_blocks, rows_alike, turned_bytes)
from panels cimport count_panels, pack_item, panel_bytes, panels_of_chunk
from scatter cimport (
    scatter, scatter_columns, scatter_panel_bytes, scatter_panels, scatter_rows)
from simd cimport PRODUCT_ADD, PRODUCT_RELU, Dispatch, Kernels, load_dispatch
from units cimport (
    ADDS, SHARES, TERMS, Conv, Job, Unit, ceil_div, count_units, load_unit, locate_unit,
    parts_of_block, plan)
from windows cimport Windows, load_windows
from winograd cimport (
    count_tiles, transformed_bytes, transformed_of_chunk, winograd, winograd_own_bytes,
    winograd_pack)
from winograd_weights cimport count_sides, gradient_own_bytes, winograd_weights

from cnnkit.validate import shapes
from cnnkit._native.runtime import INSTRUCTION_SETS
from cnnkit._native.threads import one_blas_thread

cdef const Dispatch* dispatch = load_dispatch()

cdef enum:
    PARTIALS = 4 << 20      # bytes of all partial weight gradients together, and of one's share
    SMALL = 1 << 20         # multiply-adds under which a second thread costs more than it brings

cdef bint blas_is_wide = "avx2" in INSTRUCTION_SETS     # whatever set our loops are to use

ALGORITHMS = ("auto", "exact", "direct", "im2col", "winograd")

cdef enum:
    DIRECT
    SCATTER
    IM2COL
    WINOGRAD
    FEWEST_TILES = 32       # of a partial sum
    FEW = 4                 # channels of an image below which the gradient to it is scattered

NAMES = {DIRECT: "direct", SCATTER: "scatter", IM2COL: "im2col", WINOGRAD: "winograd"}


cdef int choose(str algorithm, const Conv* conv) except -1:
    """The algorithm of forward and of the gradient to w; `conv` turned, of the gradient to x.

    "auto" takes Winograd's where it was measured to be faster, in Gflop/s of the definition on one
    core (Zen 4, AVX-512), against the direct product: 16 -> 32 filters at 8x8 220 against 106,
    64 -> 128 at 32x32 320 against 110, 256 -> 256 at 96x96 356 against 106, 512 -> 32 at 12x12
    190 against 99; but 1 -> 16 at 8x8 7 against 43: transforms of few channels cost more than
    they save.
    """
    cdef const Windows* g = &conv.g
    cdef bint fits = (g.KH == g.KW == 3 and g.SH == g.SW == g.DH == g.DW == 1
                      and conv.groups == 1)
    if algorithm == "im2col":
        return IM2COL
    if fits and (algorithm == "winograd" or (algorithm == "auto" and min(g.C, conv.F) >= 16)):
        return WINOGRAD
    return DIRECT


cdef bint blas_wins(const Conv* conv, const Kernels* kernels, Py_ssize_t size, int by) noexcept:
    """Whether "auto" and "exact" leave to im2col and BLAS what algorithm `by` would compute.

    With vectors of 256 bits or more our product is as fast as BLAS, and copies nothing. With those
    of the portable kernels it is not where BLAS has loops of its own for AVX2 or better, and hardly
    where it has not. Nanoseconds a pixel on one core (Intel, AVX-512, OpenBLAS 0.3.30; without AVX2
    that of Nehalem), from the 16 cases of benchmarks/convolutions.py.
    """
    cdef:
        double K = conv.g.KH * conv.g.KW * (conv.g.C // conv.groups), F = conv.F // conv.groups
        double own = K * F / (20 if by == WINOGRAD else 8)
        double blas = K * F / (32 if blas_is_wide else 9.5)
    if kernels.lanes * size > 16 or F < 8 or max(K, F) > TERMS * ADDS:     # BLAS adds up in turn
        return False
    if by != SCATTER and not conv.flat:     # what scatters copies as much
        blas += 5 * conv.g.KH + 0.17 * K
    return blas < own


cdef class ConvOp:
    """y = conv(x, w) + b, clipped at zero with `relu`; backward fills dx, dw and db.

    Bound once to its arrays, run for the first n images of them. dx may be None where nobody asks
    for it; dy, dw and db may be None for inference. `scratch_bytes` of memory, any content, must
    be attached before the first run; several ops may share it.
    """

    cdef:
        Conv forward_plan, turned_plan, gradient_plan
        const Kernels* kernels
        Py_ssize_t size, K, partials, splits
        int forward_by, input_by, weights_by
        bint relu, blocked     # whether sums over pixels are so long that they are in blocks
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
        # stride 1: dx is a convolution of dy, padded so that every pixel of x is reached
        turned.H, turned.W, turned.C = g.OH, g.OW, F
        turned.OH, turned.OW = g.H, g.W
        turned.PT = g.DH * (g.KH - 1) - g.PT    # may be negative: the border of dy is cut off
        turned.PB = g.DH * (g.KH - 1) - g.PB
        turned.PL = g.DW * (g.KW - 1) - g.PL
        turned.PR = g.DW * (g.KW - 1) - g.PR
        self.turned_plan = plan(turned, g.C, groups, self.size)
        self.turned_plan.x_pixel = dy_pixel
        self.forward_by = self.weights_by = choose(algorithm, &self.forward_plan)
        self.input_by = choose(algorithm, &self.turned_plan)
        if self.input_by == DIRECT and (g.SH > 1 or g.SW > 1 or g.C // groups <= FEW):
            self.input_by = SCATTER
        if algorithm in ("auto", "exact"):
            if blas_wins(&self.forward_plan, self.kernels, self.size, self.forward_by):
                self.forward_by = IM2COL
            # its parts are smaller than ours: of many, sums of blocks would be kept besides
            if self.K * F * self.size <= PARTIALS and blas_wins(
                    &self.forward_plan, self.kernels, self.size, self.weights_by):
                self.weights_by = IM2COL
            if blas_wins(&self.forward_plan, self.kernels, self.size, self.input_by):
                self.input_by = IM2COL
        self.uses_blas = (self.forward_by == IM2COL
                          or (dx is not None and self.input_by == IM2COL)
                          or (dw is not None and self.weights_by == IM2COL))
        if self.uses_blas:
            shapes.check_matrices({"kernel_size times the channels of a group": self.K,
                                   "filters": F,
                                   "channels of the output": max(y_pixel, dy_pixel)}, owner)
            with one_blas_thread():
                alike = rows_alike(self.size)
            plan_blocks(&self.forward_plan, self.size, alike)
            plan_blocks(&self.gradient_plan, self.size, alike)
        self.plan_scratch()

    cdef void plan_scratch(self):
        cdef:
            Conv* conv = &self.forward_plan
            Py_ssize_t weights = self.K * conv.F * self.size, units
        self.shared_bytes = self.own_bytes = 0
        self.need_scratch(conv, self.forward_by)
        if self.dx != NULL:
            self.need_scratch(conv if self.input_by in (SCATTER, IM2COL) else &self.turned_plan,
                              self.input_by)
        self.partials = self.splits = 1
        self.blocked = False
        if self.dw != NULL:
            self.partials = max(1, min(SHARES, PARTIALS // max(1, weights)))
            if self.weights_by == WINOGRAD:
                self.splits = count_sides(conv)
                self.partials = min(self.partials, ceil_div(SHARES, self.splits),
                                    ceil_div(conv.g.N * count_tiles(conv), FEWEST_TILES))
                self.partials = max(1, self.partials)
                self.own_bytes = max(self.own_bytes,
                                     gradient_own_bytes(conv, self.kernels, self.size))
            else:
                units = self.count(conv.g.N)
                self.partials = max(1, min(self.partials, units))
                self.blocked = ceil_div(units, self.partials) * self.parts() > ADDS
                self.need_scratch(conv, self.weights_by)
                if self.weights_by == DIRECT:
                    self.own_bytes += conv.rows * conv.cols * 2 * self.kernels.lanes * self.size
                if self.weights_by == IM2COL and (conv.groups > 1 or not conv.flat):
                    self.splits = 1     # cols are copied once
                elif conv.groups > 1:
                    self.splits = min(conv.groups, ceil_div(SHARES, self.partials))
                else:
                    self.splits = min(ceil_div(conv.g.C, 16),
                                      max(ceil_div(SHARES, self.partials),
                                          ceil_div(weights, PARTIALS)))
            self.shared_bytes = max(
                self.shared_bytes,
                self.partials * 2 * conv.F * self.size
                + (self.partials * (1 + self.blocked) - 1) * weights)
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
                own = max(own, few_bytes(conv, self.kernels, self.size))
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
        job.panel = job.count = job.blocks = job.shares = 0
        job.packed = False
        return job

    cdef void run(self, Job* job, int by) noexcept nogil:
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
        cdef Job job = self.job(&self.forward_plan, self.forward_plan.g.N)
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
                dispatch.run(pack_item, &job, job.count, job.threads)

    def forward(self, Py_ssize_t n):
        """Fill the first `n` images of y."""
        cdef Job job
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
        cdef Job job
        self.check(n)
        with nogil:
            if self.dw != NULL:
                self.weights_backward(n)
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

    cdef Py_ssize_t count(self, Py_ssize_t n) noexcept nogil:
        """Units of the sum over the pixels of n images."""
        if self.weights_by == WINOGRAD:
            return n * count_tiles(&self.gradient_plan)
        if self.weights_by == IM2COL:
            return count_parts(&self.gradient_plan, n)
        return count_units(&self.gradient_plan, n)

    cdef Py_ssize_t parts(self) noexcept nogil:
        """Parts of one of them that round apart."""
        return 1 if self.weights_by == IM2COL else parts_of_unit(&self.gradient_plan)

    cdef void weights_backward(self, Py_ssize_t n) noexcept nogil:
        """Partial sums over ranges of units, then their sum in order.

        In scratch: db of each with what rounding took from it; dw of all but the first; and, where
        sums are in blocks, dw of a block of each.
        """
        cdef:
            Conv* conv = &self.gradient_plan
            WeightsJob job
            Py_ssize_t weights = self.K * conv.F, i
        job.op = <void*> self
        job.n = n
        job.units = self.count(n)
        job.partials = min(self.partials, job.units)
        job.splits = self.splits
        if not job.units:
            memset(self.dw, 0, weights * self.size)
            if self.db != NULL:
                memset(self.db, 0, conv.F * self.size)
            return
        dispatch.run(weights_item, &job, job.partials * job.splits, self.workers(n))
        for i in range(1, job.partials):
            self.kernels.axpy(conv.F, 1.0, self.partial_db(i), self.shared)
            self.kernels.axpy(weights, 1.0, self.partial_dw(i), self.dw)
        if self.db != NULL:
            memcpy(self.db, self.shared, conv.F * self.size)

    cdef inline char* partial_db(self, Py_ssize_t part) noexcept nogil:
        return self.shared + part * 2 * self.gradient_plan.F * self.size

    cdef inline char* partial_dw(self, Py_ssize_t part) noexcept nogil:
        """Of a partial sum; after those of all, of a block."""
        if part == 0:
            return self.dw
        return (self.partial_db(self.partials)
                + (part - 1) * self.K * self.gradient_plan.F * self.size)

    cdef void partial_weights(
        self,
        Py_ssize_t n,
        Py_ssize_t first,   # units (tiles, for winograd) first <= i < last
        Py_ssize_t last,
        Py_ssize_t part,    # which partial sum: the first in dw, db in scratch
        Py_ssize_t split,   # which share of the channels, of how many
        Py_ssize_t splits,
        int thread,
    ) noexcept nogil:
        cdef:
            Conv* conv = &self.gradient_plan
            Py_ssize_t C = conv.g.C // conv.groups, i, block = last - first, at
            Py_ssize_t g0 = 0, g1 = 1, c0 = 0, cn = C
            int flags
            Unit unit
            char* own = self.own + thread * self.own_bytes
            char* edge = own + conv.slab
            char* db = self.partial_db(part)
            char* dw = self.partial_dw(part)
            char* to = dw
        if self.weights_by == WINOGRAD:
            winograd_weights(dispatch, thread, conv, self.kernels, self.size, first, last, split,
                             self.x, self.dy, own, dw, db)
            return
        if conv.groups > 1:
            g0 = conv.groups * split // splits
            g1 = conv.groups * (split + 1) // splits
        else:
            c0 = C * split // splits
            cn = C * (split + 1) // splits - c0
        if split == 0:
            memset(db, 0, 2 * conv.F * self.size)
        if self.blocked:
            block = ceil_div(parts_of_block(block * self.parts()), self.parts())
            to = self.partial_dw(self.partials + part)
        for i in range(first, last):
            if dispatch.dropped(thread):
                return
            at = (i - first) % block
            flags = PRODUCT_ADD if at else 0
            if self.weights_by == DIRECT:
                unit = locate_unit(conv, n, i)
                load_unit(conv, self.size, &unit, g0 * C + c0, (g1 - g0) * cn, self.x, own)
                direct_weights_unit(conv, self.kernels, self.size, &unit, g0, g1, c0, cn, flags,
                                    self.dy, edge, to)
            else:
                unit = locate_part(conv, n, i)
                im2col_weights(conv, self.size, &unit, c0, cn, flags, self.x, self.dy, own, to)
            if self.blocked and (at == block - 1 or i == last - 1):
                add_weights(conv, self.kernels, self.size, g0, g1, c0, cn,
                            PRODUCT_ADD if i - first >= block else 0, to, dw)
            if split == 0:
                bias_unit(conv, self.kernels, self.size, &unit, self.dy, db)


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
