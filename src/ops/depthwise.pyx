"""Depthwise convolution: every channel with a kernel of its own, as loops along channels."""

from libc.string cimport memcpy, memset

from common.arithmetic cimport ceil_div
from common.arrays cimport pointer, real_code, real_of, scratch_pointer, size_of
from common.simd cimport PRODUCT_RELU, Depthwise, Kernels
from common.windows cimport Windows, load_windows
from threads.dispatch cimport SHARES, Dispatch, load_dispatch

cdef const Dispatch* dispatch = load_dispatch()
cdef enum:
    STRETCH = 256           # outputs, about, whose sum for a gradient is one part of it
    SMALL = 1 << 18         # multiply-adds under which a second thread costs more than it brings


cdef struct Taps:
    Py_ssize_t first, count     # kernel positions that meet a pixel, along one side
    Py_ssize_t at               # the pixel the first of them meets


cdef inline Taps taps_of_output(Py_ssize_t start, Py_ssize_t size, Py_ssize_t kernel,
                                Py_ssize_t dilation) noexcept nogil:
    """Kernel positions whose pixel, start + k * dilation, lies in 0 <= pixel < size."""
    cdef Taps taps
    taps.first = ceil_div(-start, dilation) if start < 0 else 0
    taps.at = start + taps.first * dilation
    taps.count = min(kernel, ceil_div(size - start, dilation)) - taps.first if taps.at < size else 0
    taps.count = max(0, taps.count)
    return taps


cdef struct Side:
    Py_ssize_t out, kernel, stride, dilation, pad
    Py_ssize_t step             # from one kernel position that meets an output to the next
    Py_ssize_t out_step         # and how far back that output lies


cdef inline Side side(Py_ssize_t out, Py_ssize_t kernel, Py_ssize_t stride, Py_ssize_t dilation,
                      Py_ssize_t pad) noexcept nogil:
    cdef Side s
    cdef Py_ssize_t a = stride, b = dilation
    s.out, s.kernel, s.stride, s.dilation, s.pad = out, kernel, stride, dilation, pad
    while b:
        a, b = b, a % b
    s.step = stride // a
    s.out_step = dilation // a
    return s


cdef inline Taps taps_of_input(const Side* s, Py_ssize_t pixel) noexcept nogil:
    """Kernel positions first + j * step that saw the input `pixel`, and the first one's output."""
    cdef Taps taps
    cdef Py_ssize_t k = 0, skip
    taps.first = taps.at = taps.count = 0
    while k < s.step and (pixel + s.pad - k * s.dilation) % s.stride:
        k += 1
    if k == s.step or k >= s.kernel or pixel + s.pad < k * s.dilation:
        return taps
    taps.at = (pixel + s.pad - k * s.dilation) // s.stride
    skip = ceil_div(taps.at - s.out + 1, s.out_step) if taps.at >= s.out else 0
    taps.at -= skip * s.out_step
    taps.first = k + skip * s.step
    if taps.at >= 0 and taps.first < s.kernel:
        taps.count = min(ceil_div(s.kernel - taps.first, s.step), taps.at // s.out_step + 1)
    return taps


cdef class DepthwiseOp:
    """y[., c] = b[c] + sum over (kh, kw) of x[. + (kh, kw), c] w[kh, kw, c]"""

    cdef:
        Windows g
        const Kernels* kernels
        Py_ssize_t size, partials
        bint relu, stretched   # whether sums over outputs are so long that they are in parts
        char *x
        char *w
        char *b
        char *scale
        char *y
        char *dy
        char *dx
        char *dw
        char *db
        char *sums
        list keep
    cdef readonly Py_ssize_t scratch_bytes

    algorithms = ("depthwise", "depthwise", "depthwise")

    def __init__(
        self,
        windows,
        x,                  # (N, H, W, C)
        w,                  # (KH, KW, 1, C)
        b,                  # (C,) or None
        y,                  # (N, OH, OW, C)
        dy=None,
        dx=None,
        dw=None,
        db=None,
        relu=False,
        scale=None,         # (C,): y = scale conv(x, w) + b, forward only
    ):
        cdef int real = real_of(x)
        cdef str code = real_code(real)
        cdef Windows g = load_windows(windows)
        cdef tuple w_shape = (g.KH, g.KW, 1, g.C)
        cdef tuple y_shape = (g.N, g.OH, g.OW, g.C)
        cdef list keep = []
        self.keep = keep
        self.g = g
        self.kernels = dispatch.real[real]
        self.size = size_of(real)
        self.relu = relu
        self.x = pointer(x, windows.input_shape, code, False, keep)
        self.w = pointer(w, w_shape, code, False, keep)
        self.b = pointer(b, (g.C,), code, False, keep)
        self.scale = pointer(scale, (g.C,), code, False, keep)
        self.y = pointer(y, y_shape, code, True, keep)
        self.dy = pointer(dy, y_shape, code, False, keep)
        self.dx = pointer(dx, windows.input_shape, code, True, keep)
        self.dw = pointer(dw, w_shape, code, True, keep)
        self.db = pointer(db, (g.C,), code, True, keep)
        self.partials = min(SHARES, max(1, g.N * g.OH))
        self.stretched = ceil_div(g.N * g.OH, self.partials) * g.OW > STRETCH
        self.scratch_bytes = 0
        if scale is not None:
            self.scratch_bytes = g.KH * g.KW * g.C * self.size
        if dw is not None:
            self.scratch_bytes = self.partials * self.part_numbers() * self.size

    def attach(self, scratch):
        """Use `scratch`, an array of at least `scratch_bytes` bytes."""
        self.sums = scratch_pointer(scratch, self.scratch_bytes, self.keep)

    cdef Py_ssize_t part_numbers(self) noexcept nogil:
        """Numbers of scratch for a part of dw and db."""
        return (3 if self.stretched else 1) * (self.g.KH * self.g.KW + 1) * self.g.C

    cdef int workers(self, Py_ssize_t n) noexcept nogil:
        cdef Windows* g = &self.g
        cdef Py_ssize_t work = n * g.OH * g.OW * g.C * g.KH * g.KW
        return 1 if work < SMALL else dispatch.threads()

    cdef int check(self, Py_ssize_t n) except -1:
        if not 0 <= n <= self.g.N:
            raise ValueError(f"n must be from 0 to {self.g.N}, got {n}.")
        if self.scratch_bytes and self.sums == NULL:
            raise ValueError("attach scratch before the first run.")

    def forward(self, Py_ssize_t n):
        """Fill the first `n` images of y."""
        self.check(n)
        with nogil:
            if self.scale != NULL:
                self.scale_weights()
            dispatch.run(forward_item, <void*> self, n * self.g.OH, self.workers(n))

    cdef void scale_weights(self) noexcept nogil:
        cdef Py_ssize_t tap, row = self.g.C * self.size
        for tap in range(self.g.KH * self.g.KW):
            memset(self.sums + tap * row, 0, row)
            self.kernels.muladd(self.g.C, self.scale, self.w + tap * row, self.sums + tap * row)

    cdef Py_ssize_t line(self, Py_ssize_t ow, Taps* across) noexcept nogil:
        """How many outputs from `ow` on meet the same kernel positions, and which."""
        cdef:
            Windows* g = &self.g
            Py_ssize_t start = ow * g.SW - g.PL, right = (g.KW - 1) * g.DW
        across[0] = taps_of_output(start, g.W, g.KW, g.DW)
        if across.count < g.KW:
            return 1
        return min(g.OW - ow, (g.W - 1 - start - right) // g.SW + 1)

    cdef Depthwise steps(self, const Taps* down, const Taps* across) noexcept nogil:
        cdef:
            Windows* g = &self.g
            Depthwise d
        d.C = d.w_col = d.y_step = g.C
        d.rows = down.count
        d.cols = across.count
        d.x_step = g.SW * g.C
        d.x_row = g.DH * g.W * g.C
        d.x_col = g.DW * g.C
        d.w_row = g.KW * g.C
        return d

    cdef void forward_row(self, Py_ssize_t row) noexcept nogil:
        cdef:
            Windows* g = &self.g
            Py_ssize_t n = row // g.OH, oh = row % g.OH, ow = 0, count, pixel = g.C * self.size
            Taps down = taps_of_output(oh * g.SH - g.PT, g.H, g.KH, g.DH), across
            char* y = self.y + row * g.OW * pixel
            char* w = self.w if self.scale == NULL else self.sums
            Depthwise d
        while ow < g.OW:
            count = self.line(ow, &across)
            d = self.steps(&down, &across)
            self.kernels.depthwise(
                &d, count, self.x + ((n * g.H + down.at) * g.W + across.at) * pixel,
                w + (down.first * g.KW + across.first) * pixel, self.b,
                PRODUCT_RELU if self.relu else 0, y + ow * pixel)
            ow += count

    def backward(self, Py_ssize_t n):
        """Fill dw and db, and the first `n` images of dx, from those of dy."""
        cdef:
            Windows* g = &self.g
            Py_ssize_t i, weights = g.KH * g.KW * g.C
            Py_ssize_t step = self.part_numbers() * self.size
            Py_ssize_t partials
            WeightsJob job
        self.check(n)
        job.op = <void*> self
        job.rows = n * g.OH
        job.partials = partials = min(self.partials, max(1, job.rows))
        if self.dw != NULL:
            with nogil:
                dispatch.run(weights_item, &job, partials, self.workers(n))
            for i in range(1, partials):
                self.kernels.axpy(weights + g.C, 1.0, self.sums + i * step, self.sums)
            memcpy(self.dw, self.sums, weights * self.size)
            if self.db != NULL:
                memcpy(self.db, self.sums + weights * self.size, g.C * self.size)
        if self.dx != NULL:
            with nogil:
                dispatch.run(input_item, <void*> self, n * g.H, self.workers(n))

    cdef void partial_weights(
        self, Py_ssize_t part, Py_ssize_t first, Py_ssize_t last
    ) noexcept nogil:
        """Sums over output rows first <= row < last, in scratch: dw, then db.

        Of many outputs they are a total of src/simd/sums.c, and after it those of one stretch.
        """
        cdef:
            Windows* g = &self.g
            Py_ssize_t row, n, oh, ow, count, seen = 0, pixel = g.C * self.size
            Py_ssize_t numbers = (g.KH * g.KW + 1) * g.C
            Taps down, across
            char* total = self.sums + part * self.part_numbers() * self.size
            char* dw = total + 2 * numbers * self.size if self.stretched else total
            char* dy = self.dy + first * g.OW * pixel
            Depthwise d
        memset(total, 0, self.part_numbers() * self.size)
        for row in range(first, last):
            n = row // g.OH
            oh = row % g.OH
            down = taps_of_output(oh * g.SH - g.PT, g.H, g.KH, g.DH)
            ow = 0
            while ow < g.OW:
                count = min(self.line(ow, &across), STRETCH)
                d = self.steps(&down, &across)
                self.kernels.depthwise_weights(
                    &d, count, self.x + ((n * g.H + down.at) * g.W + across.at) * pixel, dy,
                    dw + (down.first * g.KW + across.first) * pixel,
                    dw + g.KH * g.KW * pixel)
                dy += count * pixel
                ow += count
                seen += count
                if self.stretched and (seen >= STRETCH or (row == last - 1 and ow == g.OW)):
                    self.kernels.sum_vector(numbers, dw, total)
                    memset(dw, 0, numbers * self.size)
                    seen = 0

    cdef void input_row(self, Py_ssize_t row) noexcept nogil:
        """dx[ih, iw, c] = sum over (kh, kw) that saw it of dy[oh, ow, c] w[kh, kw, c]

        Every SW-th pixel was seen by the same kernel positions, but for those at the edges.
        """
        cdef:
            Windows* g = &self.g
            Py_ssize_t n = row // g.H, ih = row % g.H, iw, next, start, pixel = g.C * self.size
            Side vertical = side(g.OH, g.KH, g.SH, g.DH, g.PT)
            Side horizontal = side(g.OW, g.KW, g.SW, g.DW, g.PL)
            Taps down = taps_of_input(&vertical, ih), across, other
            char* dx = self.dx + row * g.W * pixel
            Depthwise d
        d.C = d.x_step = g.C
        d.rows = down.count
        d.x_row = -vertical.out_step * g.OW * g.C
        d.x_col = -horizontal.out_step * g.C
        d.w_row = vertical.step * g.KW * g.C
        d.w_col = horizontal.step * g.C
        d.y_step = g.SW * g.C
        for start in range(min(g.SW, g.W)):
            iw = start
            while iw < g.W:
                across = taps_of_input(&horizontal, iw)
                next = iw + g.SW
                while next < g.W:
                    other = taps_of_input(&horizontal, next)
                    if other.first != across.first or other.count != across.count:
                        break
                    next += g.SW
                d.cols = across.count
                self.kernels.depthwise(
                    &d, (next - iw) // g.SW,
                    self.dy + ((n * g.OH + down.at) * g.OW + across.at) * pixel,
                    self.w + (down.first * g.KW + across.first) * pixel, NULL, 0,
                    dx + iw * pixel)
                iw = next


cdef struct WeightsJob:
    void* op
    Py_ssize_t rows, partials


cdef void forward_item(void* op, Py_ssize_t row, int thread) noexcept nogil:
    (<DepthwiseOp> op).forward_row(row)


cdef void input_item(void* op, Py_ssize_t row, int thread) noexcept nogil:
    (<DepthwiseOp> op).input_row(row)


cdef void weights_item(void* context, Py_ssize_t i, int thread) noexcept nogil:
    cdef WeightsJob* job = <WeightsJob*> context
    (<DepthwiseOp> job.op).partial_weights(
        i, job.rows * i // job.partials, job.rows * (i + 1) // job.partials)
