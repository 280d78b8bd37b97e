"""How the work of a convolution is cut into units.

A unit is a few output rows of one image, or part of a long row; its size depends on the shape
alone, never on the number of threads.
"""

from common.arithmetic cimport ceil_div
from common.arrays cimport LINE
from common.windows cimport Windows
from conv.sums cimport TERMS, Cut, cut_sum
from threads.dispatch cimport SHARES

cdef enum:
    BLOCK = 384 << 10       # bytes of a slab, or of a block of cols: it shares L2 with a panel
    PIXELS = 2048           # most output pixels of a unit
    TALLEST = 14            # rows of the tallest tile of the product
    CHUNK = 16 * TALLEST    # pixels of a unit when every pixel stands alone
    WAY = 4096              # bytes of L1 in one way: pixels so far apart share 8 places in it


cdef struct Conv:
    Windows g
    Py_ssize_t F            # filters
    Py_ssize_t groups
    Py_ssize_t x_pixel      # numbers from one pixel of x, and of y, to the next: C and F, or more
    Py_ssize_t y_pixel      # where x or y is a slice of the channels of a wider array
    bint flat               # 1x1, stride 1, no padding: the batch is one row of lone pixels
    bint gathers            # 1x1, pixels multiples of WAY apart: their copies lie a LINE further
    Py_ssize_t rows         # output rows and columns of a unit
    Py_ssize_t cols
    Py_ssize_t slab         # bytes of a unit's padded input
    Py_ssize_t block        # rows of a block of the im2col matrix
    bint alone              # and whether they are of one image alone
    Cut whole               # where a kernel row is one run of x,
    Cut apart               # and where it is not


cdef inline Py_ssize_t reach(Py_ssize_t out, Py_ssize_t stride, Py_ssize_t kernel,
                             Py_ssize_t dilation) noexcept nogil:
    """Input pixels under `out` neighbouring windows, along one side."""
    return (out - 1) * stride + (kernel - 1) * dilation + 1


cdef inline Py_ssize_t fitting(Py_ssize_t room, Py_ssize_t stride, Py_ssize_t kernel,
                               Py_ssize_t dilation, Py_ssize_t most) noexcept nogil:
    """Neighbouring windows, 1 to `most`, whose reach is at most `room` pixels."""
    return max(1, min(most, (room - (kernel - 1) * dilation - 1) // stride + 1))


cdef inline Conv plan(Windows g, Py_ssize_t F, Py_ssize_t groups, Py_ssize_t size) noexcept nogil:
    """Cut a convolution into units: a few output rows of one image, or part of a long row."""
    cdef Conv conv
    cdef Py_ssize_t pixel = g.C * size, width
    conv.g = g
    conv.F = F
    conv.groups = groups
    conv.x_pixel = g.C
    conv.y_pixel = F
    conv.block = 0
    conv.alone = False
    conv.whole = cut_sum(1, g.KH, g.KW * (g.C // groups), TERMS)
    conv.apart = cut_sum(g.KH, g.KW, g.C // groups, TERMS)
    conv.flat = (g.KH == g.KW == g.SH == g.SW == 1 and g.PT == g.PL == 0
                 and g.OH == g.H and g.OW == g.W)
    conv.gathers = (g.KH == g.KW == 1 and g.PT == g.PB == g.PL == g.PR == 0
                    and g.SW * pixel % WAY == 0)
    if conv.flat:
        conv.rows = 1
        conv.cols = CHUNK
        if conv.gathers:
            conv.cols = max(1, min(CHUNK, BLOCK // (pixel + LINE)) // TALLEST) * TALLEST
        conv.slab = conv.cols * (pixel + LINE) if conv.gathers else 0
        return conv
    conv.cols = fitting(BLOCK // pixel // reach(1, g.SH, g.KH, g.DH), g.SW, g.KW, g.DW,
                        min(g.OW, PIXELS))
    width = reach(conv.cols, g.SW, g.KW, g.DW)
    conv.rows = fitting(BLOCK // pixel // width, g.SH, g.KH, g.DH,
                        min(g.OH, max(1, PIXELS // conv.cols), ceil_div(g.N * g.OH, 2 * SHARES)))
    conv.slab = reach(conv.rows, g.SH, g.KH, g.DH) * width * pixel
    if conv.gathers:
        conv.slab = conv.rows * conv.cols * (pixel + LINE)
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
    Py_ssize_t across           # and from one window to the next, and to the next row of them
    Py_ssize_t down


cdef inline Unit locate_unit(const Conv* conv, Py_ssize_t n, Py_ssize_t index) noexcept nogil:
    cdef:
        Unit unit
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
    unit.pixel = unit.row = unit.across = unit.down = 0
    return unit
