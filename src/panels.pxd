"""Packed weights: panels of two vectors of filters, as the product of simd/kernels.h reads them.

     w: (KH, KW, C, F)                    panels: (KH, KW, C, 32) each
    +----+----+----+---+                 +----+  +----+  +----+  +---+
    |    |    |    |   |   K rows  -->   |    |  |    |  |    |  |   | 0 where there is no filter
    +----+----+----+---+                 +----+  +----+  +----+  +---+
"""

from simd cimport Kernels
from units cimport Conv, Job, ceil_div
from windows cimport clip

cdef enum:
    CHUNK_BYTES = 5 << 20   # most packed weights at a time


cdef inline Py_ssize_t panel_bytes(
    const Conv* conv, const Kernels* k, Py_ssize_t size
) noexcept nogil:
    """Bytes of one panel of packed weights: K rows of 2 * lanes filters."""
    return conv.g.KH * conv.g.KW * (conv.g.C // conv.groups) * 2 * k.lanes * size


cdef inline Py_ssize_t count_panels(const Conv* conv, const Kernels* k) noexcept nogil:
    return conv.groups * ceil_div(conv.F // conv.groups, 2 * k.lanes)


cdef inline void pack_panel(
    const Conv* conv,
    const Kernels* kernels,
    Py_ssize_t size,
    Py_ssize_t index,
    Py_ssize_t c0,          # channels c0 <= c < c0 + cn of each group
    Py_ssize_t cn,
    bint turned,            # w is that of the convolution whose gradient to x this one is
    const char* w,          # IN   (KH, KW, C / groups, F), or (KH, KW, F / groups, C) when turned
    const char* scale,      # IN   (F,) or NULL for ones
    char* panel,            # OUT  (KH, KW, cn, width)
) noexcept nogil:
    cdef:
        Py_ssize_t C = conv.g.C // conv.groups, F = conv.F // conv.groups
        Py_ssize_t per_group = ceil_div(F, 2 * kernels.lanes)
        Py_ssize_t group = index // per_group, j = index % per_group * 2 * kernels.lanes
        Py_ssize_t cols = min(2 * kernels.lanes, F - j), taps = conv.g.KH * conv.g.KW, tap
        Py_ssize_t step = cn * size * (2 * kernels.lanes if cols > kernels.lanes else kernels.lanes)
    for tap in range(taps):
        if turned:
            kernels.pack(cn, cols,
                         w + (((taps - 1 - tap) * F + j) * conv.g.C + group * C + c0) * size,
                         1, conv.g.C, NULL, panel + tap * step)
        else:
            kernels.pack(cn, cols, w + ((tap * C + c0) * conv.F + group * F + j) * size,
                         conv.F, 1, scale + (group * F + j) * size if scale != NULL else NULL,
                         panel + tap * step)


cdef inline Py_ssize_t panels_of_chunk(
    const Conv* conv, const Kernels* kernels, Py_ssize_t size
) noexcept nogil:
    return clip(CHUNK_BYTES // panel_bytes(conv, kernels, size), 1, count_panels(conv, kernels))


cdef inline void pack_item(void* context, Py_ssize_t i, int thread) noexcept nogil:
    cdef Job* job = <Job*> context
    pack_panel(job.conv, job.kernels, job.size, job.panel + i, 0, job.conv.g.C // job.conv.groups,
               job.turned, job.w, job.scale,
               job.panels + i * panel_bytes(job.conv, job.kernels, job.size))
