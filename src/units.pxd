"""How the work of a convolution is cut into units, and how a unit reads its image.

A unit is a few output rows of one image, or part of a long row; its size depends on the shape
alone, never on the number of threads. An image that needs padding is copied, zero-bordered, for
one unit at a time: a slab that stays in L2.

         W
    +---------+          slab of a unit of 2 output rows, 3x3, padding 1
    |         |          . . . . . . . . .
    |=========| rows     . ============= .      reach(2, stride 1, kernel 3) = 4 input rows
    |=========|    -->   . ============= .
    |         |          . ............. .
    +---------+          . . . . . . . . .
"""

from libc.string cimport memcpy, memset
from simd cimport PRODUCT_RELU, RELU, Dispatch, Kernels
from windows cimport Windows

cdef enum:
    BLOCK = 384 << 10       # bytes of a slab, or of a block of cols: it shares L2 with a panel
    PIXELS = 2048           # most output pixels of a unit
    CHUNK = 224             # pixels of a unit when every pixel stands alone: 16 tiles of 14
    TILE = 14
    WAY = 4096              # bytes of L1 in one way: pixels so far apart share 8 places in it
    LINE = 64               # bytes that part them
    TERMS = 256             # most terms of a sum that is not cut: parts of it round apart
    ADDS = 64               # most parts that are added to one number in turn
    SHARES = 8              # pieces of work to aim for when an operation has few large ones


cdef struct Cut:            # how the sum over a kernel and its channels is cut into parts
    Py_ssize_t lines, runs, length      # of the sum
    Py_ssize_t some, most               # runs of a part, and terms of each
    Py_ssize_t parts, block             # and how many are added up in turn


cdef struct Conv:
    Windows g
    Py_ssize_t F            # filters
    Py_ssize_t groups
    Py_ssize_t x_pixel      # numbers from one pixel of x, and of y, to the next: C and F, or more
    Py_ssize_t y_pixel      # where x or y is a slice of the channels of a wider array
    bint flat               # 1x1, stride 1, no padding: the batch is one row of lone pixels
    bint gathers            # 1x1, pixels multiples of WAY apart: copied to lie a LINE further apart
    Py_ssize_t rows         # output rows and columns of a unit
    Py_ssize_t cols
    Py_ssize_t slab         # bytes of a unit's padded input
    Py_ssize_t block        # rows of a block of the im2col matrix
    bint alone              # and whether they are of one image alone
    Cut whole               # where a kernel row is one run of x,
    Cut apart               # and where it is not


cdef inline Py_ssize_t ceil_div(Py_ssize_t a, Py_ssize_t b) noexcept nogil:
    return (a + b - 1) // b


cdef inline Py_ssize_t parts_of_block(Py_ssize_t parts) noexcept nogil:
    """How many parts of a sum to add up in turn, in blocks that are added up in turn.

    All of them where they are few, else about the square root: blocks are as many as their parts.
    """
    cdef Py_ssize_t some = ADDS
    if parts <= ADDS:
        return max(1, parts)
    while some * some < parts:
        some += 1
    return some


cdef inline Cut cut_sum(Py_ssize_t lines, Py_ssize_t runs, Py_ssize_t length) noexcept nogil:
    cdef Cut cut
    cut.lines, cut.runs, cut.length = lines, runs, length
    cut.some = max(1, TERMS // length)
    cut.most = min(length, TERMS)
    cut.parts = lines * ceil_div(runs, cut.some) * ceil_div(length, cut.most)
    cut.block = parts_of_block(cut.parts)
    return cut


cdef inline void add_block(
    const Kernels* kernels,
    Py_ssize_t size,
    Py_ssize_t pixels,
    Py_ssize_t cols,
    const char* block,      # IN   (pixels, cols)
    Py_ssize_t block_row,   # numbers from one pixel to the next
    int flags,              # PRODUCT_RELU to clip at zero
    char* y,                # OUT  (pixels, cols)
    Py_ssize_t y_row,
) noexcept nogil:
    """y += block"""
    cdef Py_ssize_t i
    kernels.add_runs(pixels, cols, block, block_row, y, y_row)
    if flags & PRODUCT_RELU:
        for i in range(pixels):
            kernels.activations[RELU].forward(cols, 0, y + i * y_row * size, y + i * y_row * size)


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
    conv.whole = cut_sum(1, g.KH, g.KW * (g.C // groups))
    conv.apart = cut_sum(g.KH, g.KW, g.C // groups)
    conv.flat = (g.KH == g.KW == g.SH == g.SW == 1 and g.PT == g.PL == 0
                 and g.OH == g.H and g.OW == g.W)
    conv.gathers = (g.KH == g.KW == 1 and g.PT == g.PB == g.PL == g.PR == 0
                    and g.SW * pixel % WAY == 0)
    if conv.flat:
        conv.rows = 1
        conv.cols = CHUNK
        if conv.gathers:
            conv.cols = max(1, min(CHUNK, BLOCK // (pixel + LINE)) // TILE) * TILE
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


cdef inline void load_unit(
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
    if conv.gathers:
        gather_unit(conv, size, unit, c0, cn, x, slab)
        return
    unit.pixel = conv.x_pixel
    unit.row = g.W * conv.x_pixel
    unit.across = g.SW * unit.pixel
    unit.down = g.SH * unit.row
    if conv.flat:
        unit.x = x + (unit.first * conv.x_pixel + c0) * size
        return
    top = unit.oh * g.SH - g.PT
    left = unit.ow * g.SW - g.PL
    height = reach(unit.rows, g.SH, g.KH, g.DH)
    width = reach(unit.cols, g.SW, g.KW, g.DW)
    source = x + (unit.image * g.H * g.W * conv.x_pixel + c0) * size
    if top >= 0 and left >= 0 and top + height <= g.H and left + width <= g.W:
        unit.x = source + (top * g.W + left) * conv.x_pixel * size
        return

    unit.x = slab
    unit.pixel = cn
    unit.row = width * cn
    unit.across = g.SW * unit.pixel
    unit.down = g.SH * unit.row
    low = max(0, min(-left, width))                     # columns low <= j < high are image
    high = max(low, min(g.W - left, width))
    for r in range(top, top + height):
        if r < 0 or r >= g.H or low == high:
            memset(to, 0, width * cn * size)
        else:
            memset(to, 0, low * cn * size)
            copy_pixels(high - low, cn * size,
                        source + (r * g.W + left + low) * conv.x_pixel * size,
                        conv.x_pixel * size, to + low * cn * size, cn * size)
            memset(to + high * cn * size, 0, (width - high) * cn * size)
        to += width * cn * size


cdef inline void gather_unit(
    const Conv* conv,
    Py_ssize_t size,
    Unit* unit,             # OUT  as for load_unit
    Py_ssize_t c0,
    Py_ssize_t cn,
    const char* x,
    char* slab,             # OUT  the pixels that are used, side by side
) noexcept nogil:
    cdef:
        const Windows* g = &conv.g
        Py_ssize_t pitch = cn * size + LINE, pixel = conv.x_pixel * size, r, first
    unit.x = slab
    unit.pixel = unit.across = pitch // size
    unit.row = unit.down = unit.cols * unit.pixel
    for r in range(unit.rows):
        if conv.flat:
            first = unit.first
        else:
            first = (unit.image * g.H + (unit.oh + r) * g.SH) * g.W + unit.ow * g.SW
        copy_pixels(unit.cols, cn * size, x + first * pixel + c0 * size, g.SW * pixel,
                    slab + r * unit.cols * pitch, pitch)


cdef inline void copy_pixels(Py_ssize_t count, Py_ssize_t bytes, const char* x, Py_ssize_t step,
                             char* to, Py_ssize_t to_step) noexcept nogil:
    cdef Py_ssize_t j
    if step == bytes and to_step == bytes:
        memcpy(to, x, count * bytes)
        return
    for j in range(count):
        memcpy(to + j * to_step, x + j * step, bytes)


# A convolution of the first n images: what all its units share.
cdef struct Job:
    const Dispatch* dispatch
    const Kernels* kernels
    const Conv* conv
    Py_ssize_t size         # bytes of a number
    Py_ssize_t n
    const char* x           # IN   (n, H, W, C)
    const char* w           # IN   (KH, KW, C / groups, F)
    bint turned             # w is (KH, KW, F / groups, C), to be turned round
    const char* scale       # IN   (F,) or NULL for ones
    const char* b           # IN   (F,) or NULL for zeros
    int flags               # PRODUCT_RELU to clip at zero
    char* y                 # OUT  (n, OH, OW, F)
    char* panels            # scratch the threads share: packed weights
    char* own               # scratch of each thread, own_bytes apart
    Py_ssize_t own_bytes
    int threads
    bint packed                 # `panels` holds all weights, packed before
    Py_ssize_t panel, count     # else those it holds at present,
    Py_ssize_t shares           # which are shared out to so many
    Py_ssize_t blocks           # winograd: blocks of tiles
