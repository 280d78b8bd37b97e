"""The gradient to w by the product of simd/kernels.h, weights being its rows, pixels its sum."""

from libc.string cimport memset
from simd cimport Kernels, Product
from units cimport Conv, Unit
from windows cimport Windows


cdef inline void direct_weights_unit(
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
    p.a_step = unit.across
    p.a_run = unit.down
    p.c_row = conv.F
    for group in range(g0, g1):
        x = unit.x + (group - g0) * C * size
        j = 0
        while j < F:
            cols = min(2 * kernels.lanes, F - j)
            width = 2 * kernels.lanes if cols > kernels.lanes else kernels.lanes
            right = dy + (unit.first * conv.y_pixel + group * F + j) * size
            p.b_step = conv.y_pixel
            p.b_run = unit.stretch * conv.y_pixel
            if cols < width:
                p.b_step = width
                p.b_run = unit.cols * width
                for r in range(unit.rows):
                    kernels.pack(unit.cols, cols, right + r * unit.stretch * conv.y_pixel * size,
                                 conv.y_pixel, 1, NULL, edge + r * p.b_run * size)
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


cdef inline void bias_unit(
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
            kernels.axpy(conv.F, 1.0, dy + i * conv.y_pixel * size, db)
