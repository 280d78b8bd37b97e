"""Packed weights: panels of two vectors of filters, as src/simd/product.c reads them.

     w: (KH, KW, C, F)                    panels: (KH, KW, C, 32) each
    +----+----+----+---+                 +----+  +----+  +----+  +---+
    |    |    |    |   |   K rows  -->   |    |  |    |  |    |  |   | 0 where there is no filter
    +----+----+----+---+                 +----+  +----+  +----+  +---+
"""

from common.arithmetic cimport ceil_div, clip
from common.simd cimport Kernels
from conv.job cimport ConvJob
from conv.units cimport Conv

cdef enum:
    CHUNK_BYTES = 5 << 20   # most packed weights at a time


cdef inline Py_ssize_t panel_bytes(
    const Conv* conv, const Kernels* k, Py_ssize_t size
) noexcept nogil:
    """Bytes of one panel of packed weights: K rows of 2 * lanes filters."""
    return conv.g.KH * conv.g.KW * (conv.g.C // conv.groups) * 2 * k.lanes * size


cdef inline Py_ssize_t count_panels(const Conv* conv, const Kernels* k) noexcept nogil:
    return conv.groups * ceil_div(conv.F // conv.groups, 2 * k.lanes)


cdef struct Panel:
    Py_ssize_t group        # of channels and filters,
    Py_ssize_t first        # its first filter, of all of them
    Py_ssize_t cols         # how many it has,
    Py_ssize_t width        # and those with the zeros beside them: one vector or two


cdef inline Panel locate_panel(
    const Conv* conv, const Kernels* kernels, Py_ssize_t index
) noexcept nogil:
    cdef:
        Panel panel
        Py_ssize_t F = conv.F // conv.groups, wide = 2 * kernels.lanes
        Py_ssize_t per_group = ceil_div(F, wide), f = index % per_group * wide
    panel.group = index // per_group
    panel.first = panel.group * F + f
    panel.cols = min(wide, F - f)
    panel.width = wide if panel.cols > kernels.lanes else kernels.lanes
    return panel


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
    char* to,               # OUT  (KH, KW, cn, width)
) noexcept nogil:
    cdef:
        Panel panel = locate_panel(conv, kernels, index)
        Py_ssize_t C = conv.g.C // conv.groups, F = conv.F // conv.groups
        Py_ssize_t taps = conv.g.KH * conv.g.KW, tap, step = cn * panel.width * size
        Py_ssize_t f = panel.first - panel.group * F
    for tap in range(taps):
        if turned:
            kernels.pack(cn, panel.cols,
                         w + (((taps - 1 - tap) * F + f) * conv.g.C + panel.group * C + c0) * size,
                         1, conv.g.C, NULL, to + tap * step)
        else:
            kernels.pack(cn, panel.cols, w + ((tap * C + c0) * conv.F + panel.first) * size,
                         conv.F, 1, scale + panel.first * size if scale != NULL else NULL,
                         to + tap * step)


cdef inline Py_ssize_t panels_of_chunk(
    const Conv* conv, const Kernels* kernels, Py_ssize_t size
) noexcept nogil:
    return clip(CHUNK_BYTES // panel_bytes(conv, kernels, size), 1, count_panels(conv, kernels))


cdef inline void pack_item(void* context, Py_ssize_t i, int thread) noexcept nogil:
    cdef ConvJob* job = <ConvJob*> context
    pack_panel(job.conv, job.kernels, job.size, job.panel + i, 0, job.conv.g.C // job.conv.groups,
               job.turned, job.w, job.scale,
               job.panels + i * panel_bytes(job.conv, job.kernels, job.size))
