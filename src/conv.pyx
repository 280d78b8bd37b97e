"""Convolution, forward and backward, by two algorithms.

direct   The product of simd/kernels.h reads its pixels in place: stride, padding and kernel size
         only say where a row of pixels starts and how long its runs are. An image that needs
         padding is copied, zero-bordered, a few rows at a time (a slab that stays in L2).
         Gradient to x: the same with the kernel turned round and channels and filters exchanged.
         Gradient to w: the same with weights as the rows and pixels as the sum.
im2col   Blocks of the im2col matrix that stay in L2, multiplied by BLAS. Always right; the
         oracle of the other, and what gives the gradient to x where the stride is not 1.

Work is cut into units whose size depends on the shape alone. A unit writes outputs of its own, or
adds to one of at most 8 partial sums that are added in a fixed order: the bits do not depend on
the number of threads.
"""

from cython.parallel cimport prange, threadid
from libc.string cimport memcpy, memset

from arrays cimport pointer, real_code, real_of, size_of
from blas cimport gemm
from im2col cimport col2im_rows, im2col_rows
from simd cimport PRODUCT_ADD, PRODUCT_RELU, Dispatch, Kernels, Product, load_dispatch
from windows cimport Windows, load_windows

cdef const Dispatch* dispatch = load_dispatch()

cdef enum:
    BLOCK = 384 << 10       # bytes of a slab, or of a block of cols: it shares L2 with a panel
    PARTIALS = 4 << 20      # bytes of all partial weight gradients together
    PIXELS = 2048           # most output pixels of a unit
    CHUNK = 224             # pixels of a unit when every pixel stands alone: 16 tiles of 14
    SHARES = 8              # pieces of work to aim for when an operation has few large ones
    SMALL = 1 << 18         # multiply-adds under which a second thread costs more than it brings

ALGORITHMS = ("direct", "im2col")


cdef struct Conv:
    Windows g
    Py_ssize_t F            # filters
    Py_ssize_t groups
    bint flat               # 1x1, stride 1, no padding: the batch is one row of lone pixels
    Py_ssize_t rows         # output rows and columns of a unit
    Py_ssize_t cols
    Py_ssize_t slab         # bytes of a unit's padded input


cdef inline Py_ssize_t ceil_div(Py_ssize_t a, Py_ssize_t b) noexcept nogil:
    return (a + b - 1) // b


cdef inline Py_ssize_t reach(Py_ssize_t out, Py_ssize_t stride, Py_ssize_t kernel,
                             Py_ssize_t dilation) noexcept nogil:
    """Input pixels under `out` neighbouring windows, along one side."""
    return (out - 1) * stride + (kernel - 1) * dilation + 1


cdef inline Py_ssize_t fitting(Py_ssize_t room, Py_ssize_t stride, Py_ssize_t kernel,
                               Py_ssize_t dilation, Py_ssize_t most) noexcept nogil:
    """Neighbouring windows, 1 to `most`, whose reach is at most `room` pixels."""
    return max(1, min(most, (room - (kernel - 1) * dilation - 1) // stride + 1))


cdef Conv plan(Windows g, Py_ssize_t F, Py_ssize_t groups, Py_ssize_t size) noexcept nogil:
    """Cut a convolution into units: a few output rows of one image, or part of a long row."""
    cdef Conv conv
    cdef Py_ssize_t pixel = g.C * size, width
    conv.g = g
    conv.F = F
    conv.groups = groups
    conv.flat = (g.KH == g.KW == g.SH == g.SW == 1 and g.PT == g.PL == 0
                 and g.OH == g.H and g.OW == g.W)
    if conv.flat:
        conv.rows = 1
        conv.cols = CHUNK
        conv.slab = 0
        return conv
    conv.cols = fitting(BLOCK // pixel // reach(1, g.SH, g.KH, g.DH), g.SW, g.KW, g.DW,
                        min(g.OW, PIXELS))
    width = reach(conv.cols, g.SW, g.KW, g.DW)
    conv.rows = fitting(BLOCK // pixel // width, g.SH, g.KH, g.DH,
                        min(g.OH, max(1, PIXELS // conv.cols), ceil_div(g.N * g.OH, 2 * SHARES)))
    conv.slab = reach(conv.rows, g.SH, g.KH, g.DH) * width * pixel
    return conv


cdef inline Py_ssize_t count_units(const Conv* conv, Py_ssize_t n) noexcept nogil:
    if conv.flat:
        return ceil_div(n * conv.g.H * conv.g.W, conv.cols)
    return n * ceil_div(conv.g.OH, conv.rows) * ceil_div(conv.g.OW, conv.cols)


cdef struct Unit:
    Py_ssize_t image, oh, ow    # its first output pixel
    Py_ssize_t rows, cols       # output pixels: `rows` stretches of `cols` neighbours,
    Py_ssize_t first            # the first of them counted over the batch,
    Py_ssize_t stretch          # and from one stretch to the next
    const char* x               # input pixel under kernel position (0, 0) of the first
    Py_ssize_t pixel            # numbers from one input pixel to the next, and to the next row
    Py_ssize_t row


cdef Unit locate_unit(const Conv* conv, Py_ssize_t n, Py_ssize_t index) noexcept nogil:
    cdef:
        Unit unit
        Py_ssize_t images = 1 if conv.flat else n
        Py_ssize_t height = 1 if conv.flat else conv.g.OH
        Py_ssize_t width = n * conv.g.H * conv.g.W if conv.flat else conv.g.OW
        Py_ssize_t down = ceil_div(height, conv.rows), across = ceil_div(width, conv.cols)
    unit.image = index // (down * across)
    unit.oh = index // across % down * conv.rows
    unit.ow = index % across * conv.cols
    unit.rows = min(conv.rows, height - unit.oh)
    unit.cols = min(conv.cols, width - unit.ow)
    unit.first = (unit.image * height + unit.oh) * width + unit.ow
    unit.stretch = width
    unit.x = NULL
    unit.pixel = unit.row = 0
    return unit


cdef void load_unit(
    const Conv* conv,
    Py_ssize_t size,
    Unit* unit,             # OUT  x, pixel and row
    Py_ssize_t c0,          # first input channel, and how many
    Py_ssize_t cn,
    const char* x,          # IN   (N, H, W, C)
    char* slab,             # OUT  the padded input, where the image cannot be read in place
) noexcept nogil:
    cdef:
        const Windows* g = &conv.g
        Py_ssize_t top, left, height, width, r, low, high
        const char* source
        char* to = slab
    unit.pixel = g.C
    unit.row = g.W * g.C
    if conv.flat:
        unit.x = x + (unit.first * g.C + c0) * size
        return
    top = unit.oh * g.SH - g.PT
    left = unit.ow * g.SW - g.PL
    height = reach(unit.rows, g.SH, g.KH, g.DH)
    width = reach(unit.cols, g.SW, g.KW, g.DW)
    source = x + (unit.image * g.H * g.W * g.C + c0) * size
    if top >= 0 and left >= 0 and top + height <= g.H and left + width <= g.W:
        unit.x = source + (top * g.W + left) * g.C * size
        return

    unit.x = slab
    unit.pixel = cn
    unit.row = width * cn
    low = max(0, min(-left, width))                     # columns low <= j < high are image
    high = max(low, min(g.W - left, width))
    for r in range(top, top + height):
        if r < 0 or r >= g.H or low == high:
            memset(to, 0, width * cn * size)
        else:
            memset(to, 0, low * cn * size)
            copy_pixels(high - low, cn * size, source + (r * g.W + left + low) * g.C * size,
                        g.C * size, to + low * cn * size)
            memset(to + high * cn * size, 0, (width - high) * cn * size)
        to += width * cn * size


cdef inline void copy_pixels(Py_ssize_t count, Py_ssize_t pixel, const char* x, Py_ssize_t step,
                             char* to) noexcept nogil:
    cdef Py_ssize_t j
    if step == pixel:
        memcpy(to, x, count * pixel)
        return
    for j in range(count):
        memcpy(to + j * pixel, x + j * step, pixel)


# ---- direct ---------------------------------------------------------------------------------

cdef inline Py_ssize_t panel_bytes(const Conv* conv, const Kernels* k, Py_ssize_t size) noexcept nogil:
    """Bytes of one panel of packed weights: K rows of 2 * lanes filters."""
    return conv.g.KH * conv.g.KW * (conv.g.C // conv.groups) * 2 * k.lanes * size


cdef inline Py_ssize_t count_panels(const Conv* conv, const Kernels* k) noexcept nogil:
    return conv.groups * ceil_div(conv.F // conv.groups, 2 * k.lanes)


cdef void pack_panel(
    const Conv* conv,
    const Kernels* kernels,
    Py_ssize_t size,
    Py_ssize_t index,
    bint turned,            # w is that of the convolution whose gradient to x this one is
    const char* w,          # IN   (KH, KW, C / groups, F), or (KH, KW, F / groups, C) when turned
    char* panel,            # OUT  (KH, KW, C / groups, width)
) noexcept nogil:
    cdef:
        Py_ssize_t C = conv.g.C // conv.groups, F = conv.F // conv.groups
        Py_ssize_t per_group = ceil_div(F, 2 * kernels.lanes)
        Py_ssize_t group = index // per_group, j = index % per_group * 2 * kernels.lanes
        Py_ssize_t cols = min(2 * kernels.lanes, F - j), taps = conv.g.KH * conv.g.KW, tap
        Py_ssize_t step = C * size * (2 * kernels.lanes if cols > kernels.lanes else kernels.lanes)
    for tap in range(taps):
        if turned:
            kernels.pack(C, cols, w + (((taps - 1 - tap) * F + j) * conv.g.C + group * C) * size,
                         1, conv.g.C, panel + tap * step)
        else:
            kernels.pack(C, cols, w + (tap * C * conv.F + group * F + j) * size,
                         conv.F, 1, panel + tap * step)


cdef void direct_unit(
    const Conv* conv,
    const Kernels* kernels,
    Py_ssize_t size,
    const Unit* unit,
    Py_ssize_t index,       # panel
    const char* panel,      # IN
    const char* b,          # IN   (F,) or NULL
    int flags,
    char* y,                # OUT  (N, OH, OW, F)
) noexcept nogil:
    """Filters of one panel for the pixels of one unit."""
    cdef:
        const Windows* g = &conv.g
        Py_ssize_t C = g.C // conv.groups, F = conv.F // conv.groups
        Py_ssize_t per_group = ceil_div(F, 2 * kernels.lanes)
        Py_ssize_t group = index // per_group, j = index % per_group * 2 * kernels.lanes
        Py_ssize_t cols = min(2 * kernels.lanes, F - j), first = group * F + j
        Py_ssize_t width = 2 * kernels.lanes if cols > kernels.lanes else kernels.lanes
        Py_ssize_t r, kh
        const char* x = unit.x + group * C * size
        char* to = y + (unit.first * conv.F + first) * size
        const char* bias = b + first * size if b != NULL else NULL
        Product p
    p.a_row = g.SW * unit.pixel
    p.a_step = 1
    p.b_step = width
    p.c_row = conv.F
    if C == unit.pixel and g.DW == 1:                   # a kernel row is one run
        p.runs = g.KH
        p.length = g.KW * C
        p.a_run = g.DH * unit.row
        p.b_run = p.length * width
        for r in range(unit.rows):
            kernels.product(&p, unit.cols, cols, x + r * g.SH * unit.row * size, panel, bias,
                            flags, to + r * unit.stretch * conv.F * size)
        return
    p.runs = g.KW
    p.length = C
    p.a_run = g.DW * unit.pixel
    p.b_run = C * width
    for r in range(unit.rows):
        for kh in range(g.KH):
            kernels.product(&p, unit.cols, cols,
                            x + (r * g.SH + kh * g.DH) * unit.row * size,
                            panel + kh * g.KW * C * width * size,
                            bias,
                            (PRODUCT_ADD if kh else 0) | (flags if kh == g.KH - 1 else 0),
                            to + r * unit.stretch * conv.F * size)


cdef void direct(
    const Conv* conv,
    const Kernels* kernels,
    Py_ssize_t size,
    Py_ssize_t n,
    const char* x,          # IN   (n, H, W, C)
    const char* w,          # IN   see pack_panel
    bint turned,
    const char* b,          # IN   (F,) or NULL
    int flags,
    char* y,                # OUT  (n, OH, OW, F)
    char* panels,           # scratch shared by the threads
    char* slabs,            # scratch, conv.slab bytes a thread
    int threads,
) noexcept nogil:
    cdef:
        Py_ssize_t units = count_units(conv, n), count = count_panels(conv, kernels), i, j
        Py_ssize_t step = panel_bytes(conv, kernels, size)
        # few units: share out the panels too
        Py_ssize_t shares = min(count, ceil_div(SHARES, units)) if units else 1
        Unit unit
    for j in prange(count, num_threads=threads, schedule="static"):
        pack_panel(conv, kernels, size, j, turned, w, panels + j * step)
    for i in prange(units * shares, num_threads=threads, schedule="dynamic"):
        unit = locate_unit(conv, n, i // shares)
        load_unit(conv, size, &unit, 0, conv.g.C, x, slabs + threadid() * conv.slab)
        for j in range(i % shares * count // shares, (i % shares + 1) * count // shares):
            direct_unit(conv, kernels, size, &unit, j, panels + j * step, b, flags, y)


cdef void direct_weights_unit(
    const Conv* conv,
    const Kernels* kernels,
    Py_ssize_t size,
    const Unit* unit,
    Py_ssize_t g0,          # groups g0 <= g < g1 of which `unit` holds the channels
    Py_ssize_t g1,
    Py_ssize_t c0,          # channels c0 <= c < c0 + cn of each
    Py_ssize_t cn,
    int flags,
    const char* dy,         # IN   (N, OH, OW, F)
    char* edge,             # scratch for a panel of dy narrower than a vector
    char* dw,               # OUT  (KH, KW, C / groups, F)
) noexcept nogil:
    """dw[kh, kw, c, f] (+)= sum over the unit's pixels of x[pixel + (kh, kw), c] dy[pixel, f]"""
    cdef:
        const Windows* g = &conv.g
        Py_ssize_t C = g.C // conv.groups, F = conv.F // conv.groups
        Py_ssize_t group, j, cols, width, r, kh, kw
        bint run = g.DW == 1 and cn == C and cn == unit.pixel
        const char* x
        const char* right
        Product p
    p.runs = unit.rows
    p.length = unit.cols
    p.a_row = 1
    p.a_step = g.SW * unit.pixel
    p.a_run = g.SH * unit.row
    p.c_row = conv.F
    for group in range(g0, g1):
        x = unit.x + (group - g0) * C * size
        j = 0
        while j < F:
            cols = min(2 * kernels.lanes, F - j)
            width = 2 * kernels.lanes if cols > kernels.lanes else kernels.lanes
            right = dy + (unit.first * conv.F + group * F + j) * size
            p.b_step = conv.F
            p.b_run = unit.stretch * conv.F
            if cols < width:
                p.b_step = width
                p.b_run = unit.cols * width
                for r in range(unit.rows):
                    kernels.pack(unit.cols, cols, right + r * unit.stretch * conv.F * size, conv.F,
                                 1, edge + r * p.b_run * size)
                right = edge
            for kh in range(g.KH):
                if run:                                 # (kw, c) are neighbours in x and in dw
                    kernels.product(&p, g.KW * C, cols, x + kh * g.DH * unit.row * size, right,
                                    NULL, flags,
                                    dw + (kh * g.KW * C * conv.F + group * F + j) * size)
                    continue
                for kw in range(g.KW):
                    kernels.product(
                        &p, cn, cols,
                        x + (kh * g.DH * unit.row + kw * g.DW * unit.pixel) * size, right,
                        NULL, flags,
                        dw + (((kh * g.KW + kw) * C + c0) * conv.F + group * F + j) * size)
            j += cols


cdef void bias_unit(
    const Conv* conv,
    const Kernels* kernels,
    Py_ssize_t size,
    const Unit* unit,
    int flags,
    const char* dy,         # IN   (N, OH, OW, F)
    char* db,               # OUT  (F,)
) noexcept nogil:
    """db[f] (+)= sum over the unit's pixels of dy[pixel, f]"""
    cdef Py_ssize_t r, i
    if not flags:
        memset(db, 0, conv.F * size)
    for r in range(unit.rows):
        for i in range(unit.first + r * unit.stretch, unit.first + r * unit.stretch + unit.cols):
            kernels.axpy(conv.F, 1.0, dy + i * conv.F * size, db)


# ---- im2col and BLAS ------------------------------------------------------------------------

cdef inline void product(
    bint transpose_a, bint transpose_b, Py_ssize_t M, Py_ssize_t N, Py_ssize_t K,
    Py_ssize_t size, const char* A, Py_ssize_t lda, const char* B, Py_ssize_t ldb, double beta,
    char* C, Py_ssize_t ldc,
) noexcept nogil:
    if size == sizeof(float):
        gemm[float](transpose_a, transpose_b, M, N, K, <const float*> A, lda, <const float*> B, ldb,
                    <float> beta, <float*> C, ldc)
    else:
        gemm[double](transpose_a, transpose_b, M, N, K, <const double*> A, lda, <const double*> B,
                     ldb, beta, <double*> C, ldc)


cdef inline Py_ssize_t cols_rows(const Conv* conv, Py_ssize_t size) noexcept nogil:
    """Rows of a block of cols, never of more than one image."""
    cdef Py_ssize_t row = conv.g.KH * conv.g.KW * (conv.g.C // conv.groups) * size
    return max(1, min(BLOCK // row, conv.g.OH * conv.g.OW))


cdef void im2col_forward(
    const Conv* conv,
    const Kernels* kernels,
    Py_ssize_t size,
    Py_ssize_t n,
    const char* x,
    const char* w,
    const char* b,
    int flags,
    char* y,
    char* blocks,           # scratch, one block of cols a thread
    Py_ssize_t block,
    int threads,
) noexcept nogil:
    """y = cols W + b, a block of rows at a time"""
    cdef:
        const Windows* g = &conv.g
        Py_ssize_t C = g.C // conv.groups, F = conv.F // conv.groups, K = g.KH * g.KW * C
        Py_ssize_t pixels = g.OH * g.OW, rows = cols_rows(conv, size)
        Py_ssize_t per_image = ceil_div(pixels, rows), i, first, last, group, p
        char* cols
    for i in prange(n * per_image, num_threads=threads, schedule="dynamic"):
        cols = blocks + threadid() * block
        first = i // per_image * pixels + i % per_image * rows
        last = min(first + rows, (i // per_image + 1) * pixels)
        for group in range(conv.groups):
            im2col_rows(g, size, group * C, C, first, last, x, cols)
            if b != NULL:
                for p in range(first, last):
                    memcpy(y + (p * conv.F + group * F) * size, b + group * F * size, F * size)
            product(False, False, last - first, F, K, size, cols, K, w + group * F * size, conv.F,
                    1 if b != NULL else 0, y + (first * conv.F + group * F) * size, conv.F)
        if flags & PRODUCT_RELU:
            kernels.relu((last - first) * conv.F, y + first * conv.F * size,
                         y + first * conv.F * size)


cdef void im2col_input(
    const Conv* conv,
    const Kernels* kernels,
    Py_ssize_t size,
    Py_ssize_t n,
    const char* dy,
    const char* w,
    char* dx,
    char* blocks,
    Py_ssize_t block,
    int threads,
) noexcept nogil:
    """dx = col2im(dy W'), an image at a time since its windows overlap"""
    cdef:
        const Windows* g = &conv.g
        Py_ssize_t C = g.C // conv.groups, F = conv.F // conv.groups, K = g.KH * g.KW * C
        Py_ssize_t pixels = g.OH * g.OW, rows = cols_rows(conv, size), i, first, last, group
        Py_ssize_t image = g.H * g.W * g.C * size
        char* cols
    for i in prange(n, num_threads=threads, schedule="dynamic"):
        cols = blocks + threadid() * block
        memset(dx + i * image, 0, image)
        first = i * pixels
        while first < (i + 1) * pixels:
            last = min(first + rows, (i + 1) * pixels)
            for group in range(conv.groups):
                product(False, True, last - first, K, F, size,
                        dy + (first * conv.F + group * F) * size, conv.F,
                        w + group * F * size, conv.F, 0, cols, K)
                col2im_rows(g, kernels, size, group * C, C, first, last, cols, dx)
            first = last


# ---- the op ---------------------------------------------------------------------------------

cdef class ConvOp:
    """y = conv(x, w) + b, clipped at zero with `relu`; backward fills dx, dw and db.

    Bound once to its arrays, run for the first n images of them. dx may be None where nobody asks
    for it; dy, dw and db may be None for inference. `scratch_bytes` of memory, any content, must
    be attached before the first run; several ops may share it.
    """

    cdef:
        Conv forward_plan, turned_plan
        const Kernels* kernels
        Py_ssize_t size, K, block, partials, splits
        bint direct_forward, direct_input, relu
        int threads
        char *x
        char *w
        char *b
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
        y,                  # (N, OH, OW, F); None for backward alone
        dy=None,
        dx=None,
        dw=None,
        db=None,
        algorithm="auto",
        relu=False,
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
        self.keep = keep = []
        self.x = pointer(x, windows.input_shape, code, False, keep)
        self.w = pointer(w, w_shape, code, False, keep)
        self.b = pointer(b, (F,), code, False, keep)
        self.y = pointer(y, y_shape, code, True, keep)
        self.dy = pointer(dy, y_shape, code, False, keep)
        self.dx = pointer(dx, windows.input_shape, code, True, keep)
        self.dw = pointer(dw, w_shape, code, True, keep)
        self.db = pointer(db, (F,), code, True, keep)

        self.kernels = dispatch.real[real]
        self.size = size_of(real)
        self.threads = dispatch.threads()
        self.relu = relu
        self.K = g.KH * g.KW * (g.C // groups)
        self.forward_plan = plan(g, F, groups, self.size)
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

    def forward(self, Py_ssize_t n):
        """Fill the first `n` images of y."""
        cdef int threads, flags = PRODUCT_RELU if self.relu else 0
        self.check(n)
        with nogil:
            threads = self.workers(n)
            if self.direct_forward:
                direct(&self.forward_plan, self.kernels, self.size, n, self.x, self.w, False, self.b,
                       flags, self.y, self.shared, self.own, threads)
            else:
                im2col_forward(&self.forward_plan, self.kernels, self.size, n, self.x, self.w, self.b,
                               flags, self.y, self.own, self.own_bytes, threads)

    def backward(self, Py_ssize_t n):
        """Fill dw and db, and the first `n` images of dx, from those of dy."""
        cdef int threads
        self.check(n)
        with nogil:
            threads = self.workers(n)
            if self.dw != NULL:
                self.weights_backward(n, threads)
            if self.dx == NULL:
                pass
            elif self.direct_input:
                direct(&self.turned_plan, self.kernels, self.size, n, self.dy, self.w, True, NULL,
                       0, self.dx, self.shared, self.own, threads)
            else:
                im2col_input(&self.forward_plan, self.kernels, self.size, n, self.dy, self.w,
                             self.dx, self.own, self.own_bytes, threads)

    cdef void weights_backward(self, Py_ssize_t n, int threads) noexcept nogil:
        """Partial sums over ranges of units, then their sum in order."""
        cdef:
            Conv* conv = &self.forward_plan
            Py_ssize_t weights = self.K * conv.F, units = count_units(conv, n)
            Py_ssize_t partials = min(self.partials, units), splits = self.splits, i
            Py_ssize_t step = (weights + conv.F) * self.size
            char* sums = self.shared
        if not self.direct_forward:
            splits = 1
        if not units:
            memset(self.dw, 0, weights * self.size)
            if self.db != NULL:
                memset(self.db, 0, conv.F * self.size)
            return
        for i in prange(partials * splits, num_threads=threads, schedule="dynamic"):
            self.partial_weights(n, units * (i // splits) // partials,
                                 units * (i // splits + 1) // partials, i % splits, splits,
                                 sums + i // splits * step, self.own + threadid() * self.own_bytes)
        memcpy(self.dw, sums, weights * self.size)
        for i in range(1, partials):
            self.kernels.axpy(weights, 1.0, sums + i * step, self.dw)
        if self.db != NULL:
            memcpy(self.db, sums + weights * self.size, conv.F * self.size)
            for i in range(1, partials):
                self.kernels.axpy(conv.F, 1.0, sums + i * step + weights * self.size, self.db)

    cdef void partial_weights(
        self,
        Py_ssize_t n,
        Py_ssize_t first,   # units first <= i < last
        Py_ssize_t last,
        Py_ssize_t split,   # which share of the channels, of how many
        Py_ssize_t splits,
        char* dw,           # OUT  (KH, KW, C / groups, F), then (F,) for db
        char* own,
    ) noexcept nogil:
        cdef:
            Conv* conv = &self.forward_plan
            Py_ssize_t C = conv.g.C // conv.groups, i
            Py_ssize_t g0 = 0, g1 = 1, c0 = 0, cn = C
            int flags
            Unit unit
            char* edge = own + conv.slab
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
                self.im2col_weights(&unit, flags, dw, own)
            if split == 0:
                bias_unit(conv, self.kernels, self.size, &unit, flags, self.dy, db)

    cdef void im2col_weights(self, const Unit* unit, int flags, char* dw, char* cols) noexcept nogil:
        """dw (+)= cols' dy, over the pixels of a unit"""
        cdef:
            Conv* conv = &self.forward_plan
            Py_ssize_t C = conv.g.C // conv.groups, F = conv.F // conv.groups, group
            bint whole = unit.cols == unit.stretch
            Py_ssize_t stretches = 1 if whole else unit.rows
            Py_ssize_t length = unit.rows * unit.cols if whole else unit.cols
            Py_ssize_t rows = self.block // (self.K * self.size), r, first, last, end
        for r in range(stretches):
            first = unit.first + r * unit.stretch
            end = first + length
            while first < end:
                last = min(first + rows, end)
                for group in range(conv.groups):
                    im2col_rows(&conv.g, self.size, group * C, C, first, last, self.x, cols)
                    product(True, False, self.K, F, last - first, self.size, cols, self.K,
                            self.dy + (first * conv.F + group * F) * self.size, conv.F,
                            1 if flags or first > unit.first else 0,
                            dw + group * F * self.size, conv.F)
                first = last
