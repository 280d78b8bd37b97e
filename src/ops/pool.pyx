"""Max, average and global average pooling, by rows of y; dx image by image."""

from libc.stdint cimport int32_t
from libc.string cimport memset

from common.arrays cimport pointer, real_code, real_of, size_of
from common.simd cimport Kernels
from common.windows cimport Windows, load_windows
from threads.dispatch cimport Dispatch, load_dispatch

cdef const Dispatch* dispatch = load_dispatch()
cdef enum:
    SMALL = 1 << 18         # numbers under which a second thread costs more than it brings


cdef inline void clip_window(
    const Windows* g, Py_ssize_t oh, Py_ssize_t ow,
    Py_ssize_t* top, Py_ssize_t* bottom, Py_ssize_t* left, Py_ssize_t* right,
) noexcept nogil:
    """The pixels of a window that lie in the image."""
    top[0] = max(oh * g.SH - g.PT, 0)
    bottom[0] = min(oh * g.SH - g.PT + g.KH, g.H)
    left[0] = max(ow * g.SW - g.PL, 0)
    right[0] = min(ow * g.SW - g.PL + g.KW, g.W)


cdef class PoolOp:
    """What the poolings share: windows, arrays of images, and the loop over them."""

    cdef:
        Windows g
        const Kernels* kernels
        Py_ssize_t size
        char *x
        char *y
        char *dy
        char *dx
        list keep

    def __init__(self, windows, x, y, dy=None, dx=None):
        some = x if x is not None else dy
        cdef int real = real_of(some)
        cdef str code = real_code(real)
        cdef tuple y_shape = (windows.N, windows.OH, windows.OW, windows.C)
        self.keep = []
        self.g = load_windows(windows)
        self.kernels = dispatch.real[real]
        self.size = size_of(real)
        self.x = pointer(x, windows.input_shape, code, False, self.keep)
        self.y = pointer(y, y_shape, code, True, self.keep)
        self.dy = pointer(dy, y_shape, code, False, self.keep)
        self.dx = pointer(dx, windows.input_shape, code, True, self.keep)

    cdef void forward_row(self, Py_ssize_t row) noexcept nogil:
        pass

    cdef void backward_image(self, Py_ssize_t n) noexcept nogil:
        pass

    cdef int check(self, Py_ssize_t n) except -1:
        if not 0 <= n <= self.g.N:
            raise ValueError(f"n must be from 0 to {self.g.N}, got {n}.")

    cdef int workers(self, Py_ssize_t n) noexcept nogil:
        return 1 if n * self.g.H * self.g.W * self.g.C < SMALL else dispatch.threads()

    def forward(self, Py_ssize_t n):
        """Fill the first `n` images of y."""
        self.check(n)
        with nogil:
            dispatch.run(forward_item, <void*> self, n * self.g.OH, self.workers(n))

    def backward(self, Py_ssize_t n):
        """Fill the first `n` images of dx from those of dy."""
        self.check(n)
        if self.dx != NULL:
            with nogil:
                dispatch.run(backward_item, <void*> self, n, self.workers(n))


cdef void forward_item(void* op, Py_ssize_t row, int thread) noexcept nogil:
    (<PoolOp> op).forward_row(row)


cdef void backward_item(void* context, Py_ssize_t n, int thread) noexcept nogil:
    cdef Py_ssize_t image = (<PoolOp> context).g.H * (<PoolOp> context).g.W
    image *= (<PoolOp> context).g.C * (<PoolOp> context).size
    memset((<PoolOp> context).dx + n * image, 0, image)
    (<PoolOp> context).backward_image(n)


cdef class MaxPoolOp(PoolOp):
    """y = max over the window; `where` keeps which pixel of its image won, the first of equals.

    backward needs it; without it, forward is faster.
    """

    cdef int32_t* where

    def __init__(self, windows, x, y, where, dy=None, dx=None):
        super().__init__(windows, x, y, dy, dx)
        self.where = <int32_t*> pointer(
            where, (windows.N, windows.OH, windows.OW, windows.C), "i", True, self.keep
        )

    cdef void forward_row(self, Py_ssize_t row) noexcept nogil:
        cdef:
            Windows* g = &self.g
            Py_ssize_t ow, top, bottom, left, right, out = row * g.OW * g.C
            char* image = self.x + row // g.OH * g.H * g.W * g.C * self.size
        for ow in range(g.OW):
            clip_window(g, row % g.OH, ow, &top, &bottom, &left, &right)
            self.kernels.max_window(
                g.C, bottom - top, right - left, g.W, <int32_t> (top * g.W + left),
                image + (top * g.W + left) * g.C * self.size, self.y + out * self.size,
                self.where + out if self.where != NULL else NULL)
            out += g.C

    cdef void backward_image(self, Py_ssize_t n) noexcept nogil:
        cdef:
            Windows* g = &self.g
            Py_ssize_t oh, ow, top, bottom, left, right, out = n * g.OH * g.OW * g.C
            char* image = self.dx + n * g.H * g.W * g.C * self.size
        for oh in range(g.OH):
            for ow in range(g.OW):
                clip_window(g, oh, ow, &top, &bottom, &left, &right)
                self.kernels.max_window_backward(
                    g.C, bottom - top, right - left, g.W, <int32_t> (top * g.W + left),
                    self.where + out, self.dy + out * self.size,
                    image + (top * g.W + left) * g.C * self.size)
                out += g.C


cdef class AvgPoolOp(PoolOp):
    """y = mean of a window's pixels in the image; in its padding too with `count_include_pad`."""

    cdef bint count_include_pad

    def __init__(self, windows, x, y, count_include_pad, dy=None, dx=None):
        super().__init__(windows, x, y, dy, dx)
        self.count_include_pad = count_include_pad

    cdef double share(self, Py_ssize_t oh, Py_ssize_t ow, Py_ssize_t inside) noexcept nogil:
        """One over the number of pixels counted; what ceil_mode adds past the padding is not."""
        cdef Windows* g = &self.g
        if not self.count_include_pad:
            return 1.0 / inside
        return 1.0 / (min(g.KH, g.H + g.PT + g.PB - oh * g.SH)
                      * min(g.KW, g.W + g.PL + g.PR - ow * g.SW))

    cdef void forward_row(self, Py_ssize_t row) noexcept nogil:
        cdef:
            Windows* g = &self.g
            Py_ssize_t oh = row % g.OH, ow, top, bottom, left, right
            char* image = self.x + row // g.OH * g.H * g.W * g.C * self.size
            char* out = self.y + row * g.OW * g.C * self.size
        for ow in range(g.OW):
            clip_window(g, oh, ow, &top, &bottom, &left, &right)
            self.kernels.mean_window(
                g.C, bottom - top, right - left, g.W,
                self.share(oh, ow, (bottom - top) * (right - left)),
                image + (top * g.W + left) * g.C * self.size, out)
            out += g.C * self.size

    cdef void backward_image(self, Py_ssize_t n) noexcept nogil:
        cdef:
            Windows* g = &self.g
            Py_ssize_t oh, ow, ih, iw, top, bottom, left, right
            double share
            char* image = self.dx + n * g.H * g.W * g.C * self.size
            char* dy = self.dy + n * g.OH * g.OW * g.C * self.size
        for oh in range(g.OH):
            for ow in range(g.OW):
                clip_window(g, oh, ow, &top, &bottom, &left, &right)
                share = self.share(oh, ow, (bottom - top) * (right - left))
                for ih in range(top, bottom):
                    for iw in range(left, right):
                        self.kernels.axpy(g.C, share, dy, image + (ih * g.W + iw) * g.C * self.size)
                dy += g.C * self.size
