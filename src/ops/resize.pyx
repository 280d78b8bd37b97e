"""Images enlarged by whole numbers, by rows of y; dx by its rows, no number of dy kept twice."""

from libc.string cimport memcpy

from common.arrays cimport DOUBLE, pointer, real_code, real_of, size_of
from common.blas cimport real_t
from threads.dispatch cimport Dispatch, load_dispatch

cdef const Dispatch* dispatch = load_dispatch()
cdef enum:
    SMALL = 1 << 16         # numbers of y under which a second thread costs more than it brings
    CHANNELS = 64           # summed up at a time


cdef struct Axis:
    Py_ssize_t size         # pixels of x, each of which becomes `scale` of y
    Py_ssize_t scale
    double unit             # 1 / (2 scale): half a pixel of y
    bint bilinear


cdef inline double mixed(const Axis* axis, Py_ssize_t pixel, Py_ssize_t k,
                         Py_ssize_t* other) noexcept nogil:
    """The share of a second pixel of x in the k-th of those that `pixel` becomes, and which it is.

    Centres of pixels are half a pixel from the edge; past it there is none to have a share.
    """
    cdef Py_ssize_t apart = 2 * k + 1 - axis.scale      # from centre to centre, in units
    other[0] = pixel + (1 if apart > 0 else -1)
    if not axis.bilinear or apart == 0 or other[0] < 0 or other[0] == axis.size:
        other[0] = pixel
        return 0.0
    return (apart if apart > 0 else -apart) * axis.unit


cdef struct Reach:
    Py_ssize_t first, last  # pixels of y that a pixel of x has a share in, the last not included


cdef inline Reach reach(const Axis* axis, Py_ssize_t pixel) noexcept nogil:
    cdef Reach found
    found.first = pixel * axis.scale
    found.last = found.first + axis.scale
    if axis.bilinear and pixel > 0:
        found.first -= axis.scale // 2
    if axis.bilinear and pixel < axis.size - 1:
        found.last += axis.scale // 2
    return found


cdef inline double weight(const Axis* axis, Py_ssize_t pixel, Py_ssize_t out) noexcept nogil:
    """The share of a pixel of x in one of y, of those that are in its reach."""
    cdef Py_ssize_t k = out - pixel * axis.scale, other
    if k < 0:
        return mixed(axis, pixel - 1, k + axis.scale, &other)
    if k >= axis.scale:
        return mixed(axis, pixel + 1, k - axis.scale, &other)
    return 1.0 - mixed(axis, pixel, k, &other)


cdef class ResampleOp:
    """y = R x, where every row of R takes one pixel, or the mean of up to four; dx = R' dy.

    x and y are of shapes (N, H, W, C) and (N, H * scale, W * scale, C). NaN stays with the pixels
    it reaches.
    """

    cdef:
        Axis vertical, horizontal
        Py_ssize_t N, C, size
        int real
        char *x
        char *y
        char *dy
        char *dx
        list keep

    def __init__(self, scale, bint bilinear, x, y, dy=None, dx=None):
        self.N, self.vertical.size, self.horizontal.size, self.C = x.shape
        self.vertical.scale, self.horizontal.scale = scale
        self.vertical.unit, self.horizontal.unit = [1 / (2 * each) for each in scale]
        self.vertical.bilinear = self.horizontal.bilinear = bilinear
        self.real = real_of(x)
        self.size = size_of(self.real)
        self.keep = []
        cdef str code = real_code(self.real)
        cdef tuple whole = (
            self.N, self.vertical.size * scale[0], self.horizontal.size * scale[1], self.C
        )
        self.x = pointer(x, x.shape, code, False, self.keep)
        self.y = pointer(y, whole, code, True, self.keep)
        self.dy = pointer(dy, whole, code, False, self.keep)
        self.dx = pointer(dx, x.shape, code, True, self.keep)

    cdef void run(self, Py_ssize_t n, Py_ssize_t rows, bint backward) except *:
        if not 0 <= n <= self.N:
            raise ValueError(f"n must be from 0 to {self.N}, got {n}.")
        cdef Py_ssize_t pixels = self.vertical.size * self.vertical.scale
        pixels *= self.horizontal.size * self.horizontal.scale
        with nogil:
            dispatch.run(backward_item if backward else forward_item, <void*> self, n * rows,
                         1 if n * pixels * self.C < SMALL else dispatch.threads())

    def forward(self, Py_ssize_t n):
        """Fill the first `n` images of y."""
        self.run(n, self.vertical.size * self.vertical.scale, False)

    def backward(self, Py_ssize_t n):
        """Fill the first `n` images of dx from those of dy."""
        if self.dx != NULL:
            self.run(n, self.vertical.size, True)


cdef void forward_item(void* context, Py_ssize_t row, int thread) noexcept nogil:
    if (<ResampleOp> context).real == DOUBLE:
        forward_row[double](<ResampleOp> context, row, <double*> NULL)
    else:
        forward_row[float](<ResampleOp> context, row, <float*> NULL)


cdef void backward_item(void* context, Py_ssize_t row, int thread) noexcept nogil:
    if (<ResampleOp> context).real == DOUBLE:
        backward_row[double](<ResampleOp> context, row, <double*> NULL)
    else:
        backward_row[float](<ResampleOp> context, row, <float*> NULL)


cdef void forward_row(ResampleOp op, Py_ssize_t row, real_t* kind) noexcept nogil:
    """Fill one row of y."""
    cdef:
        Axis *v = &op.vertical
        Axis *h = &op.horizontal
        Py_ssize_t C = op.C, height = v.size * v.scale, width = h.size * C
        Py_ssize_t c, k, pixel, across, below, ih = row % height // v.scale
        double share, part = mixed(v, ih, row % height % v.scale, &below)
        real_t first, second, g, f = <real_t> part
        const real_t* image = <const real_t*> op.x + row // height * v.size * width
        const real_t* a = image + ih * width
        const real_t* b = image + below * width
        real_t* y = <real_t*> op.y + row * h.scale * width
    for pixel in range(h.size):
        for k in range(h.scale):
            share = mixed(h, pixel, k, &across)
            g = <real_t> share
            across = (across - pixel) * C
            if share == 0 and part == 0:
                memcpy(y, a, C * sizeof(real_t))
            elif share == 0:
                for c in range(C):
                    y[c] = (1 - f) * a[c] + f * b[c]
            elif part == 0:
                for c in range(C):
                    y[c] = (1 - g) * a[c] + g * a[across + c]
            else:
                for c in range(C):
                    first = (1 - g) * a[c] + g * a[across + c]
                    second = (1 - g) * b[c] + g * b[across + c]
                    y[c] = (1 - f) * first + f * second
            y += C
        a += C
        b += C


cdef void backward_row(ResampleOp op, Py_ssize_t row, real_t* kind) noexcept nogil:
    """Fill one row of dx: every pixel gathers its shares of dy, in float64."""
    cdef:
        Axis *v = &op.vertical
        Axis *h = &op.horizontal
        Reach down = reach(v, row % v.size)
        Reach across
        Py_ssize_t C = op.C, width = h.size * h.scale * C
        Py_ssize_t c, piece, first, some, pixel, oh, ow
        double part
        double share
        double sums[CHANNELS]
        const real_t* image = <const real_t*> op.dy + row // v.size * v.size * v.scale * width
        const real_t* dy
        real_t* dx = <real_t*> op.dx + row * h.size * C
    for pixel in range(h.size):
        across = reach(h, pixel)
        for piece in range((C + CHANNELS - 1) // CHANNELS):
            first = piece * CHANNELS
            some = min(CHANNELS, C - first)
            for c in range(some):
                sums[c] = 0
            for oh in range(down.first, down.last):
                part = weight(v, row % v.size, oh)
                dy = image + oh * width + across.first * C + first
                for ow in range(across.first, across.last):
                    share = part * weight(h, pixel, ow)
                    for c in range(some):
                        sums[c] += share * dy[c]
                    dy += C
            for c in range(some):
                dx[first + c] = <real_t> sums[c]
        dx += C
