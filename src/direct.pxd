"""Convolution by the product of simd/kernels.h, which reads its pixels in place.

Stride, padding and kernel size only say where a row of pixels starts and how long its runs are:

    y[pixel, f] = sum over kh, (kw, c) of x[pixel + kh * row + (kw, c)] * w[kh, (kw, c), f]

The gradient to x is the same with the kernel turned round and channels and filters exchanged.
"""

from few cimport few_pixels, has_few_pixels
from panels cimport count_panels, pack_item, panel_bytes, panels_of_chunk
from simd cimport PRODUCT_ADD, Kernels, Product
from units cimport SHARES, TERMS, Conv, Job, Unit, ceil_div, count_units, load_unit, locate_unit
from windows cimport Windows

cdef enum:
    PACK = 256 << 10        # bytes of packed weights under which a second thread costs more


cdef inline void direct_unit(
    const Conv* conv,
    const Kernels* kernels,
    Py_ssize_t size,
    const Unit* unit,
    Py_ssize_t index,       # panel
    const char* panel,      # IN
    const char* b,          # IN   (F,) or NULL
    int flags,
    char* y,                # OUT  (N, OH, OW, F)
) noexcept nogil:
    """Filters of one panel for the pixels of one unit.

    A sum is cut into parts of about TERMS terms that round apart: the error grows with the square
    root of TERMS, not of all terms, and a part of the panel stays in L1 for all rows of the unit.
    """
    cdef:
        const Windows* g = &conv.g
        Py_ssize_t C = g.C // conv.groups, F = conv.F // conv.groups
        Py_ssize_t per_group = ceil_div(F, 2 * kernels.lanes)
        Py_ssize_t group = index // per_group, j = index % per_group * 2 * kernels.lanes
        Py_ssize_t cols = min(2 * kernels.lanes, F - j), first = group * F + j
        Py_ssize_t width = 2 * kernels.lanes if cols > kernels.lanes else kernels.lanes
        bint whole = C == unit.pixel and g.DW == 1      # a kernel row is one run
        Py_ssize_t lines = 1 if whole else g.KH
        Py_ssize_t runs = g.KH if whole else g.KW, length = g.KW * C if whole else C
        Py_ssize_t some = max(1, TERMS // length), most = min(length, TERMS), r, line, run, k
        bint last
        const char* x = unit.x + group * C * size
        const char* a
        char* to = y + (unit.first * conv.y_pixel + first) * size
        const char* bias = b + first * size if b != NULL else NULL
        int add = 0
        Product p
    p.a_row = unit.across
    p.a_run = g.DH * unit.row if whole else g.DW * unit.pixel
    p.a_step = 1
    p.b_run = length * width
    p.b_step = width
    p.c_row = conv.y_pixel
    for line in range(lines):
        run = 0
        while run < runs:
            p.runs = min(some, runs - run)
            k = 0
            while k < length:
                p.length = min(most, length - k)
                last = line == lines - 1 and run + p.runs == runs and k + p.length == length
                a = x + (line * g.DH * unit.row + run * p.a_run + k) * size
                for r in range(unit.rows):
                    kernels.product(&p, unit.cols, cols, a + r * unit.down * size,
                                    panel + ((line * runs + run) * length + k) * width * size,
                                    bias, add | (flags if last else 0),
                                    to + r * unit.stretch * conv.y_pixel * size)
                add = PRODUCT_ADD
                k += p.length
            run += p.runs


cdef inline void direct_item(void* context, Py_ssize_t i, int thread) noexcept nogil:
    """One unit, for a share of the panels that are packed"""
    cdef:
        Job* job = <Job*> context
        const Conv* conv = job.conv
        Py_ssize_t step = panel_bytes(conv, job.kernels, job.size), share = i % job.shares, j
        Unit unit = locate_unit(conv, job.n, i // job.shares)
    load_unit(conv, job.size, &unit, 0, conv.g.C, job.x, job.own + thread * job.own_bytes)
    for j in range(share * job.count // job.shares, (share + 1) * job.count // job.shares):
        direct_unit(conv, job.kernels, job.size, &unit, job.panel + j, job.panels + j * step, job.b,
                    job.flags, job.y)


cdef inline void direct(Job* job) noexcept nogil:
    cdef:
        const Conv* conv = job.conv
        Py_ssize_t panels = count_panels(conv, job.kernels), units = count_units(conv, job.n)
        Py_ssize_t step = panel_bytes(conv, job.kernels, job.size)
        bint small = panels * step < PACK
    if not units:
        return
    if has_few_pixels(job):
        few_pixels(job)
        return
    job.panel = 0
    while job.panel < panels:
        if job.packed:
            job.count = panels
        else:
            job.count = min(panels_of_chunk(conv, job.kernels, job.size), panels - job.panel)
            job.dispatch.run(pack_item, job, job.count, 1 if small else job.threads)
        job.shares = min(job.count, ceil_div(SHARES, units))
        job.dispatch.run(direct_item, job, units * job.shares, job.threads)
        job.panel += job.count
