"""How a unit of a convolution reads its image: in place, or from a copy.

An image that needs padding is copied, zero-bordered, for one unit at a time: a slab that stays in
L2.

         W
    +---------+          slab of a unit of 2 output rows, 3x3, padding 1
    |         |          . . . . . . . . .
    |=========| rows     . ============= .      reach(2, stride 1, kernel 3) = 4 input rows
    |=========|    -->   . ============= .
    |         |          . ............. .
    +---------+          . . . . . . . . .
"""

from libc.string cimport memcpy, memset

from common.arrays cimport LINE
from common.windows cimport Windows
from conv.units cimport Conv, Unit, reach


cdef inline void load_unit(
    const Conv* conv,
    Py_ssize_t size,
    Unit* unit,             # OUT  x, and the steps through it
    Py_ssize_t c0,          # first input channel, and how many
    Py_ssize_t cn,
    const char* x,          # IN   (N, H, W, C)
    char* slab,             # OUT  the input as a copy, where the image cannot be read in place
) noexcept nogil:
    cdef:
        const Windows* g = &conv.g
        Py_ssize_t top = unit.oh * g.SH - g.PT, left = unit.ow * g.SW - g.PL
        bint inside = (top >= 0 and left >= 0
                       and top + reach(unit.rows, g.SH, g.KH, g.DH) <= g.H
                       and left + reach(unit.cols, g.SW, g.KW, g.DW) <= g.W)
    if conv.gathers:
        gather_unit(conv, size, unit, c0, cn, x, slab)
        return
    if not conv.flat and not inside:
        pad_unit(conv, size, unit, top, left, c0, cn, x, slab)
        return
    unit.pixel = conv.x_pixel
    unit.row = g.W * conv.x_pixel
    unit.across = g.SW * unit.pixel
    unit.down = g.SH * unit.row
    if conv.flat:
        unit.x = x + (unit.first * conv.x_pixel + c0) * size
    else:
        unit.x = x + (((unit.image * g.H + top) * g.W + left) * conv.x_pixel + c0) * size


cdef inline void pad_unit(
    const Conv* conv,
    Py_ssize_t size,
    Unit* unit,             # OUT  as for load_unit
    Py_ssize_t top,         # the first input row and column, which may be outside the image
    Py_ssize_t left,
    Py_ssize_t c0,
    Py_ssize_t cn,
    const char* x,
    char* slab,             # OUT  the input with zeros around it
) noexcept nogil:
    cdef:
        const Windows* g = &conv.g
        Py_ssize_t height = reach(unit.rows, g.SH, g.KH, g.DH)
        Py_ssize_t width = reach(unit.cols, g.SW, g.KW, g.DW), pixel = cn * size, r
        Py_ssize_t low = max(0, min(-left, width))      # columns low <= j < high are image
        Py_ssize_t high = max(low, min(g.W - left, width))
        const char* source = x + (unit.image * g.H * g.W * conv.x_pixel + c0) * size
        char* to = slab
    unit.x = slab
    unit.pixel = cn
    unit.row = width * cn
    unit.across = g.SW * unit.pixel
    unit.down = g.SH * unit.row
    for r in range(top, top + height):
        if r < 0 or r >= g.H or low == high:
            memset(to, 0, width * pixel)
        else:
            memset(to, 0, low * pixel)
            copy_pixels(high - low, pixel, source + (r * g.W + left + low) * conv.x_pixel * size,
                        conv.x_pixel * size, to + low * pixel, pixel)
            memset(to + high * pixel, 0, (width - high) * pixel)
        to += width * pixel


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
