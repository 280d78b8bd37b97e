"""Convolution by the product of simd/kernels.h, which reads its pixels in place.

Stride, padding and kernel size only say where a row of pixels starts and how long its runs are:

    y[pixel, f] = sum over kh, (kw, c) of x[pixel + kh * row + (kw, c)] * w[kh, (kw, c), f]

The gradient to x is the same with the kernel turned round and channels and filters exchanged.
"""

from few cimport few_pixels, has_few_pixels
from panels cimport count_panels, pack_item, panel_bytes, panels_of_chunk
from simd cimport PRODUCT_ADD, Kernels, Product
from units cimport (
    ADDS, SHARES, Conv, Cut, Job, Unit, add_block, ceil_div, count_units, load_unit, locate_unit)

cdef enum:
    PACK = 256 << 10        # bytes of packed weights under which a second thread costs more


cdef inline Py_ssize_t direct_own_bytes(
    const Conv* conv, const Kernels* kernels, Py_ssize_t size
) noexcept nogil:
    """Scratch of a thread: a slab, and a block of long sums of a unit's pixels and a panel."""
    cdef Py_ssize_t block = conv.rows * conv.cols * 2 * kernels.lanes * size
    return conv.slab + (block if conv.apart.parts > ADDS or conv.whole.parts > ADDS else 0)


cdef inline void direct_unit(
    const Conv* conv,
    const Kernels* kernels,
    Py_ssize_t size,
    const Unit* unit,
    Py_ssize_t index,       # panel
    const char* panel,      # IN
    const char* b,          # IN   (F,) or NULL
    int flags,
    char* block,            # scratch
    char* y,                # OUT  (N, OH, OW, F)
) noexcept nogil:
    """Filters of one panel for the pixels of one unit.

    A sum is cut into parts of about TERMS terms that round apart, and parts are added up in blocks
    where there are many: a part of the panel stays in L1 for all rows of the unit.
    """
    cdef:
        Py_ssize_t C = conv.g.C // conv.groups, F = conv.F // conv.groups
        Py_ssize_t per_group = ceil_div(F, 2 * kernels.lanes)
        Py_ssize_t group = index // per_group, j = index % per_group * 2 * kernels.lanes
        Py_ssize_t cols = min(2 * kernels.lanes, F - j), first = group * F + j
        Py_ssize_t width = 2 * kernels.lanes if cols > kernels.lanes else kernels.lanes
        Py_ssize_t r, k, line, run, part = 0, row = unit.cols * width
        bint run_on = C == unit.pixel and conv.g.DW == 1    # a kernel row is one run
        const Cut* cut = &conv.whole if run_on else &conv.apart
        bint last, in_y
        const char* x = unit.x + group * C * size
        const char* a
        char* to = y + (unit.first * conv.y_pixel + first) * size
        Py_ssize_t pitch = unit.stretch * conv.y_pixel * size
        Product p
    p.a_row = unit.across
    p.a_run = conv.g.DH * unit.row if run_on else conv.g.DW * unit.pixel
    p.a_step = 1
    p.b_run = cut.length * width
    p.b_step = width
    for line in range(cut.lines):
        run = k = 0
        while run < cut.runs:
            p.runs = min(cut.some, cut.runs - run)
            p.length = min(cut.most, cut.length - k)
            a = x + (line * conv.g.DH * unit.row + run * p.a_run + k) * size
            last = part == cut.parts - 1
            in_y = part < cut.block
            p.c_row = conv.y_pixel if in_y else width
            for r in range(unit.rows):
                kernels.product(
                    &p, unit.cols, cols, a + r * unit.down * size,
                    panel + ((line * cut.runs + run) * cut.length + k) * width * size,
                    b + first * size if b != NULL and part == 0 else NULL,
                    (PRODUCT_ADD if part % cut.block else 0) | (flags if last and in_y else 0),
                    to + r * pitch if in_y else block + r * row * size)
                if not in_y and (last or part % cut.block == cut.block - 1):
                    add_block(kernels, size, unit.cols, cols, block + r * row * size, width,
                              flags if last else 0, to + r * pitch, conv.y_pixel)
            part += 1
            k += p.length
            if k == cut.length:
                k = 0
                run += p.runs


cdef inline void direct_item(void* context, Py_ssize_t i, int thread) noexcept nogil:
    """One unit, for a share of the panels that are packed"""
    cdef:
        Job* job = <Job*> context
        const Conv* conv = job.conv
        Py_ssize_t step = panel_bytes(conv, job.kernels, job.size), share = i % job.shares, j
        Unit unit = locate_unit(conv, job.n, i // job.shares)
        char* own = job.own + thread * job.own_bytes
    load_unit(conv, job.size, &unit, 0, conv.g.C, job.x, own)
    for j in range(share * job.count // job.shares, (share + 1) * job.count // job.shares):
        direct_unit(conv, job.kernels, job.size, &unit, job.panel + j, job.panels + j * step, job.b,
                    job.flags, own + conv.slab, job.y)


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
