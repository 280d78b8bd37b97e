"""Packed weights: panels of two vectors of filters, as src/simd/product.c reads them.

     w: (KH, KW, C, F)                    panels: (KH, KW, C, 32) each
    +----+----+----+---+                 +----+  +----+  +----+  +---+
    |    |    |    |   |   K rows  -->   |    |  |    |  |    |  |   | 0 where there is no filter
    +----+----+----+---+                 +----+  +----+  +----+  +---+
"""

from common.arithmetic cimport ceil_div, clip
from common.simd cimport PRODUCT_FEW, Kernels
from conv.job cimport ConvJob
from conv.units cimport Conv

cdef enum:
    CHUNK_BYTES = 5 << 20   # most packed weights at a time
    ROWS = 8                # of w, of 8 panels or more, that are packed together
    SHORT = 24              # terms for each of few filters


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


cdef inline void pack_tap(
    const Conv* conv,
    const Kernels* kernels,
    Py_ssize_t size,
    Py_ssize_t index,       # of the panel
    Py_ssize_t tap,
    Py_ssize_t c0,          # channels c0 <= c < c0 + cn of each group
    Py_ssize_t cn,
    bint turned,            # w is that of the convolution whose gradient to x this one is
    const char* w,          # IN   (KH, KW, C / groups, F), or (KH, KW, F / groups, C) when turned
    const char* scale,      # IN   (F,) or NULL for ones
    char* to,               # OUT  (cn, width)
) noexcept nogil:
    cdef:
        Panel panel = locate_panel(conv, kernels, index)
        Py_ssize_t C = conv.g.C // conv.groups, F = conv.F // conv.groups
        Py_ssize_t taps = conv.g.KH * conv.g.KW, f = panel.first - panel.group * F
    if turned:
        kernels.pack(cn, panel.cols,
                     w + (((taps - 1 - tap) * F + f) * conv.g.C + panel.group * C + c0) * size,
                     1, conv.g.C, NULL, to)
    else:
        kernels.pack(cn, panel.cols, w + ((tap * C + c0) * conv.F + panel.first) * size, conv.F, 1,
                     scale + panel.first * size if scale != NULL else NULL, to)


cdef inline void pack_panel(
    const Conv* conv,
    const Kernels* kernels,
    Py_ssize_t size,
    Py_ssize_t index,
    Py_ssize_t c0,          # as for pack_tap
    Py_ssize_t cn,
    bint turned,
    const char* w,
    const char* scale,
    char* to,               # OUT  (KH, KW, cn, width)
) noexcept nogil:
    cdef Py_ssize_t step = cn * locate_panel(conv, kernels, index).width * size, tap
    for tap in range(conv.g.KH * conv.g.KW):
        pack_tap(conv, kernels, size, index, tap, c0, cn, turned, w, scale, to + tap * step)


cdef inline Py_ssize_t panels_of_chunk(
    const Conv* conv, const Kernels* kernels, Py_ssize_t size
) noexcept nogil:
    return clip(CHUNK_BYTES // panel_bytes(conv, kernels, size), 1, count_panels(conv, kernels))


cdef inline bint is_few(const Conv* conv, const Kernels* kernels) noexcept nogil:
    """Whether filters are so few that vectors run along channels, and panels are (F, KH, KW, C).

    The lanes of every result are added up at its end, which short sums do not pay for.
    """
    cdef Py_ssize_t C = conv.g.C // conv.groups, F = conv.F // conv.groups
    return (F <= PRODUCT_FEW and conv.g.KH * conv.g.KW * C >= SHORT * F
            and (C >= kernels.lanes
                 or (conv.groups == 1 and conv.g.DW == 1 and conv.g.KW * C >= 2 * kernels.lanes)))


cdef inline Py_ssize_t rows_together(const ConvJob* job) noexcept nogil:
    return max(ROWS, 8 * ROWS // job.count)


cdef inline void pack_few_panel(const ConvJob* job, Py_ssize_t i) noexcept nogil:
    cdef:
        const Conv* conv = job.conv
        Panel panel = locate_panel(conv, job.kernels, job.panel + i)
        Py_ssize_t C = conv.g.C // conv.groups, F = conv.F // conv.groups, size = job.size, tap
        Py_ssize_t taps = conv.g.KH * conv.g.KW
        char* to = job.panels + i * panel_bytes(conv, job.kernels, size)
    for tap in range(taps):
        if job.turned:
            job.kernels.pack_few(
                C, panel.cols,
                job.w + ((taps - 1 - tap) * F * conv.g.C + panel.group * C) * size, 1, conv.g.C,
                NULL, to + tap * C * size, taps * C)
        else:
            job.kernels.pack_few(
                C, panel.cols, job.w + (tap * C * conv.F + panel.first) * size, conv.F, 1,
                job.scale + panel.first * size if job.scale != NULL else NULL,
                to + tap * C * size, taps * C)


cdef inline void pack_item(void* context, Py_ssize_t i, int thread) noexcept nogil:
    """Some rows of w, or when it is turned one panel of them, for all panels that are packed.

    A row is read across the panels, as it lies in memory: panel by panel, rows that lie a page
    apart were read at 1 GB/s.
    """
    cdef:
        ConvJob* job = <ConvJob*> context
        const Conv* conv = job.conv
        Py_ssize_t C = conv.g.C // conv.groups, step = panel_bytes(conv, job.kernels, job.size)
        Py_ssize_t rows = rows_together(job), pieces = ceil_div(C, rows)
        Py_ssize_t tap = i // pieces, c0 = i % pieces * rows, cn = min(rows, C - c0), j
        Panel panel
    if is_few(conv, job.kernels):
        pack_few_panel(job, i)
        return
    if job.turned:
        pack_panel(conv, job.kernels, job.size, job.panel + i, 0, C, True, job.w, job.scale,
                   job.panels + i * step)
        return
    for j in range(job.count):
        panel = locate_panel(conv, job.kernels, job.panel + j)
        pack_tap(conv, job.kernels, job.size, job.panel + j, tap, c0, cn, False, job.w, job.scale,
                 job.panels + j * step + (tap * C + c0) * panel.width * job.size)


cdef inline void pack_panels(ConvJob* job, int threads) noexcept nogil:
    """Panels job.panel <= j < job.panel + job.count"""
    cdef const Conv* conv = job.conv
    cdef Py_ssize_t taps = conv.g.KH * conv.g.KW
    cdef Py_ssize_t pieces = taps * ceil_div(conv.g.C // conv.groups, rows_together(job))
    if job.turned or is_few(conv, job.kernels):
        pieces = job.count
    job.dispatch.run(pack_item, job, pieces, threads)
