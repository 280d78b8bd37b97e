"""Rows of the im2col matrix, and their adjoint: what the public functions and Conv share.

Row p of cols is output pixel p = (n * OH + oh) * OW + ow laid out as (kh, kw, c):

    cols[p, kh, kw, c] = x[n, oh * SH - PT + kh * DH, ow * SW - PL + kw * DW, c], 0 outside
"""

from libc.string cimport memcpy, memset

from common.arithmetic cimport clip
from common.simd cimport Kernels
from common.windows cimport Windows

cdef enum:
    RUN = 256               # bytes above which memcpy is worth its call


cdef inline void copy_run(char* to, const char* x, Py_ssize_t bytes) noexcept nogil:
    """memcpy of at least one number: short runs are most of im2col, and its call their cost.

    Pieces of a known size are single moves; the last may overlap the one before.
    """
    cdef Py_ssize_t i = 0
    if bytes > RUN:
        memcpy(to, x, bytes)
    elif bytes >= 16:
        while i + 16 < bytes:
            memcpy(to + i, x + i, 16)
            i += 16
        memcpy(to + bytes - 16, x + bytes - 16, 16)
    elif bytes >= 8:
        memcpy(to, x, 8)
        memcpy(to + bytes - 8, x + bytes - 8, 8)
    else:
        memcpy(to, x, 4)


cdef inline void copy_padded(char* to, const char* x, Py_ssize_t low, Py_ssize_t high,
                             Py_ssize_t bytes) noexcept nogil:
    """Bytes low <= i < high of `to` are those of x, the others zeros."""
    if low > 0:
        memset(to, 0, low)
    if high > low:
        copy_run(to + low, x, high - low)
    if high < bytes:
        memset(to + high, 0, bytes - high)


cdef inline void copy_taps(
    const Windows* g,
    Py_ssize_t iw,          # the first column, which may be outside the image
    Py_ssize_t step,        # bytes from one pixel to the next,
    Py_ssize_t bytes,       # and how many of each
    const char* x,          # IN   a row of the image
    char* to,               # OUT  (KW, bytes)
) noexcept nogil:
    """The pixels under one kernel row, one by one."""
    cdef Py_ssize_t _
    for _ in range(g.KW):
        if 0 <= iw < g.W:
            copy_run(to, x + iw * step, bytes)
        else:
            memset(to, 0, bytes)
        iw += g.DW
        to += bytes


cdef inline void im2col_rows(
    const Windows* g,
    Py_ssize_t size,        # bytes of a number
    Py_ssize_t c0,          # first channel, and how many
    Py_ssize_t cn,
    Py_ssize_t first,       # rows first <= p < last
    Py_ssize_t last,
    const char* x,          # IN   (N, H, W, C)
    char* cols,             # OUT  (last - first, KH, KW, cn)
) noexcept nogil:
    cdef:
        Py_ssize_t _, kh, ih, iw, low, high, pixel = cn * size
        Py_ssize_t n = first // (g.OH * g.OW), oh = first // g.OW % g.OH, ow = first % g.OW
        bint run = g.DW == 1 and cn == g.C     # KW neighbours are one run of numbers
        const char* row
    for _ in range(first, last):
        iw = ow * g.SW - g.PL
        low = clip(-iw, 0, g.KW)
        high = clip(g.W - iw, low, g.KW)
        for kh in range(g.KH):
            ih = oh * g.SH - g.PT + kh * g.DH
            if ih < 0 or ih >= g.H:
                memset(cols, 0, g.KW * pixel)
                cols += g.KW * pixel
                continue
            row = x + ((n * g.H + ih) * g.W * g.C + c0) * size
            if run:
                copy_padded(cols, row + (iw + low) * pixel, low * pixel, high * pixel,
                            g.KW * pixel)
            else:
                copy_taps(g, iw, g.C * size, pixel, row, cols)
            cols += g.KW * pixel
        ow += 1
        if ow == g.OW:
            ow = 0
            oh += 1
            if oh == g.OH:
                oh = 0
                n += 1


cdef inline void col2im_rows(
    const Windows* g,
    const Kernels* kernels,
    Py_ssize_t size,
    Py_ssize_t c0,
    Py_ssize_t cn,
    Py_ssize_t first,
    Py_ssize_t last,
    Py_ssize_t top,         # rows top <= h < bottom of x alone are added to
    Py_ssize_t bottom,
    const char* cols,       # IN   (last - first, KH, KW, cn)
    char* x,                # OUT  (N, H, W, C), added to
) noexcept nogil:
    cdef:
        Py_ssize_t _, kh, ih, iw, up, down, low, high
        Py_ssize_t oh = first // g.OW % g.OH, ow = first % g.OW
        bint run = g.DW == 1 and cn == g.C
        char* image = x + first // (g.OH * g.OW) * g.H * g.W * g.C * size
        char* to
    for _ in range(first, last):
        ih = oh * g.SH - g.PT
        iw = ow * g.SW - g.PL
        up = first_inside(ih, g.DH, top, g.KH)
        down = first_inside(ih, g.DH, bottom, g.KH)
        low = first_inside(iw, g.DW, 0, g.KW)
        high = first_inside(iw, g.DW, g.W, g.KW)
        to = image + (((ih + up * g.DH) * g.W + iw + low * g.DW) * g.C + c0) * size
        if run:
            kernels.add_runs(down - up, (high - low) * cn, cols + (up * g.KW + low) * cn * size,
                             g.KW * cn, to, g.DH * g.W * g.C)
        else:
            for kh in range(up, down):
                kernels.add_runs(high - low, cn, cols + (kh * g.KW + low) * cn * size, cn,
                                 to + (kh - up) * g.DH * g.W * g.C * size, g.DW * g.C)
        cols += g.KH * g.KW * cn * size
        ow += 1
        if ow == g.OW:
            ow = 0
            oh += 1
            if oh == g.OH:
                oh = 0
                image += g.H * g.W * g.C * size


cdef inline Py_ssize_t first_inside(Py_ssize_t start, Py_ssize_t step, Py_ssize_t edge,
                                    Py_ssize_t count) noexcept nogil:
    """The first k <= count for which start + k * step >= edge."""
    if step == 1:
        return clip(edge - start, 0, count)
    return clip((edge - start + step - 1) // step if edge > start else 0, 0, count)
