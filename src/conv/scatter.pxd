"""The gradient to x as a product and its adjoint copy: dx = col2im(dy W').

For strides above 1, where windows leave gaps in dx, and for images of few channels, where the
product of direct.pxd would fill only some lanes of a vector. An image is cut into bands of rows;
the thread that has a band adds up what the windows above it send there, in their order:

     dy                    dcols                      dx
    +-----------+         +-------------------+      +-----------+
    |===========|  x W'   | (kh, kw, c)       |  +=  |   band    |
    |===========|  -->    | of every pixel    |  --> |===========|
    +-----------+         +-------------------+      +-----------+
"""

from libc.string cimport memset

from common.arithmetic cimport ceil_div, clip
from common.simd cimport PRODUCT_ADD, Kernels, Product
from common.windows cimport Windows
from conv.columns cimport col2im_rows
from conv.job cimport ConvJob
from conv.sums cimport TERMS
from conv.units cimport BLOCK, Conv
from threads.dispatch cimport SHARES


cdef inline Py_ssize_t scatter_columns(const Conv* conv) noexcept nogil:
    """Numbers a pixel of dy sends to dx, of one group."""
    return conv.g.KH * conv.g.KW * (conv.g.C // conv.groups)


cdef inline Py_ssize_t scatter_panels(const Conv* conv, const Kernels* k) noexcept nogil:
    """Panels of W' of one group."""
    return ceil_div(scatter_columns(conv), 2 * k.lanes)


cdef inline Py_ssize_t scatter_panel_bytes(
    const Conv* conv, const Kernels* k, Py_ssize_t size
) noexcept nogil:
    return conv.F // conv.groups * 2 * k.lanes * size


cdef inline Py_ssize_t scatter_rows(const Conv* conv, Py_ssize_t size) noexcept nogil:
    """Pixels of dy of a block, within an image."""
    return clip(BLOCK // (scatter_columns(conv) * size), 1, conv.g.OH * conv.g.OW)


cdef inline void scatter_pack_item(void* context, Py_ssize_t i, int thread) noexcept nogil:
    """One panel of W': all filters of a group in rows, 2 vectors of (kh, kw, c) in columns"""
    cdef:
        ConvJob* job = <ConvJob*> context
        const Conv* conv = job.conv
        Py_ssize_t wide = 2 * job.kernels.lanes, count = scatter_panels(conv, job.kernels)
        Py_ssize_t F = conv.F // conv.groups, j = i % count * wide
        Py_ssize_t cols = min(wide, scatter_columns(conv) - j)
    job.kernels.pack(F, cols, job.w + (j * conv.F + i // count * F) * job.size, 1, conv.F, NULL,
                     job.panels + i * scatter_panel_bytes(conv, job.kernels, job.size))


cdef inline void scatter_product(ConvJob* job, Py_ssize_t group, Py_ssize_t first, Py_ssize_t last,
                                 char* cols) noexcept nogil:
    """dcols = dy W' for pixels first <= p < last of dy"""
    cdef:
        const Conv* conv = job.conv
        const Kernels* kernels = job.kernels
        Py_ssize_t size = job.size, F = conv.F // conv.groups, columns = scatter_columns(conv)
        Py_ssize_t wide = 2 * kernels.lanes, count = scatter_panels(conv, kernels), j, k, width
        const char* panel
        Product p
    p.runs = 1
    p.a_run = p.b_run = 0
    p.a_row = conv.y_pixel
    p.a_step = 1
    p.c_row = columns
    for j in range(count):
        width = min(wide, columns - j * wide)
        p.b_step = wide if width > kernels.lanes else kernels.lanes
        panel = (job.panels
                 + (group * count + j) * scatter_panel_bytes(conv, kernels, size))
        k = 0
        while k < F:
            p.length = min(TERMS, F - k)
            kernels.product(&p, last - first, width,
                            job.x + (first * conv.y_pixel + group * F + k) * size,
                            panel + k * p.b_step * size, NULL, PRODUCT_ADD if k else 0,
                            cols + j * wide * size)
            k += p.length


cdef inline void scatter_item(void* context, Py_ssize_t i, int thread) noexcept nogil:
    """One band of one image; job.x is dy and job.y is dx"""
    cdef:
        ConvJob* job = <ConvJob*> context
        const Conv* conv = job.conv
        const Windows* g = &conv.g
        Py_ssize_t size = job.size, C = g.C // conv.groups, image = i // job.shares
        Py_ssize_t band = i % job.shares, group, rows = scatter_rows(conv, size), first, last, end
        Py_ssize_t top = g.H * band // job.shares, bottom = g.H * (band + 1) // job.shares
        Py_ssize_t above = top + g.PT - (g.KH - 1) * g.DH   # the first window that reaches it
        Py_ssize_t oh = ceil_div(above, g.SH) if above > 0 else 0
        Py_ssize_t below = clip((bottom - 1 + g.PT) // g.SH + 1, 0, g.OH)
        char* cols = job.own + thread * job.own_bytes
    memset(job.y + (image * g.H + top) * g.W * g.C * size, 0, (bottom - top) * g.W * g.C * size)
    first = (image * g.OH + oh) * g.OW
    end = (image * g.OH + below) * g.OW
    while first < end:
        last = min(first + rows, end)
        for group in range(conv.groups):
            scatter_product(job, group, first, last, cols)
            col2im_rows(g, job.kernels, size, group * C, C, first, last, top, bottom, cols, job.y)
        first = last


cdef inline void scatter(ConvJob* job) noexcept nogil:
    cdef Py_ssize_t bands = job.conv.g.H // (4 * job.conv.g.KH * job.conv.g.DH)
    cdef Py_ssize_t panels = job.conv.groups * scatter_panels(job.conv, job.kernels)
    job.shares = clip(ceil_div(SHARES, max(1, job.n)), 1, max(1, bands))
    job.dispatch.run(scatter_pack_item, job, panels, 1)
    job.dispatch.run(scatter_item, job, job.n * job.shares, job.threads)
