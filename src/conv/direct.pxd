"""Convolution by the product of src/simd/product.c, which reads its pixels in place.

Stride, padding and kernel size only say where a row of pixels starts and how long its runs are:

    y[pixel, f] = sum over kh, (kw, c) of x[pixel + kh * row + (kw, c)] * w[kh, (kw, c), f]

The gradient to x is the same with the kernel turned round and channels and filters exchanged.
"""

from common.arithmetic cimport ceil_div
from common.simd cimport PRODUCT_ADD, Kernels, Product
from conv.dense cimport dense, is_dense
from conv.job cimport ConvJob
from conv.panels cimport (
    Panel, count_panels, is_few, locate_panel, pack_panels, panel_bytes, panels_of_chunk)
from conv.slabs cimport load_unit
from conv.sums cimport ADDS, TERMS, Cut, add_block, cut_sum
from conv.units cimport Conv, Unit, count_units, locate_unit
from threads.dispatch cimport SHARES

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
    const Panel* panel,
    const char* packed,     # IN   the panel
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
        Py_ssize_t C = conv.g.C // conv.groups, k, line, run, part = 0
        bint run_on = C == unit.pixel and conv.g.DW == 1    # a kernel row is one run
        const Cut* cut = &conv.whole if run_on else &conv.apart
        const char* x = unit.x + panel.group * C * size
        char* to = y + (unit.first * conv.y_pixel + panel.first) * size
        bint few = is_few(conv, kernels)
        Py_ssize_t width = 1 if few else panel.width    # numbers of the panel for one term
        Cut lanes                                       # each lane is a sum of its own
        Product p
    if few:
        lanes = (cut_sum(1, conv.g.KH, conv.g.KW * C, TERMS * kernels.lanes) if run_on
                 else cut_sum(conv.g.KH, conv.g.KW, C, TERMS * kernels.lanes))
        cut = &lanes
    p.a_row = unit.across
    p.a_run = conv.g.DH * unit.row if run_on else conv.g.DW * unit.pixel
    p.a_step = 1
    p.b_run = cut.length * width
    p.b_step = conv.g.KH * conv.g.KW * C if few else width
    for line in range(cut.lines):
        run = k = 0
        while run < cut.runs:
            p.runs = min(cut.some, cut.runs - run)
            p.length = min(cut.most, cut.length - k)
            p.c_row = conv.y_pixel if part < cut.block else panel.cols
            direct_part(kernels, size, few, unit, panel, &p, cut, part,
                        x + (line * conv.g.DH * unit.row + run * p.a_run + k) * size,
                        packed + ((line * cut.runs + run) * cut.length + k) * width * size,
                        b + panel.first * size if b != NULL and part == 0 else NULL, flags, block,
                        to, conv.y_pixel)
            part += 1
            k += p.length
            if k == cut.length:
                k = 0
                run += p.runs


cdef inline void direct_part(
    const Kernels* kernels,
    Py_ssize_t size,
    bint few,               # columns
    const Unit* unit,
    const Panel* panel,
    const Product* p,
    const Cut* cut,
    Py_ssize_t part,
    const char* x,          # IN   the first number of the part
    const char* packed,     # IN   and its weights
    const char* b,          # IN   for the first part
    int flags,              # for the last part
    char* block,            # scratch, for parts from the second block on
    char* y,                # OUT  the first number of the unit
    Py_ssize_t y_pixel,
) noexcept nogil:
    """One part of the sum, for one row of the unit after the other."""
    cdef:
        bint last = part == cut.parts - 1, in_y = part < cut.block
        bint ends = last or part % cut.block == cut.block - 1
        int when = (PRODUCT_ADD if part % cut.block else 0) | (flags if last and in_y else 0)
        Py_ssize_t pitch = (unit.stretch * y_pixel if in_y else unit.cols * panel.cols) * size, r
        const char* a = x
        char* c = y if in_y else block
    for r in range(unit.rows):
        if few:
            kernels.few_product(p, unit.cols, panel.cols, a, packed, b, when, c)
        else:
            kernels.product(p, unit.cols, panel.cols, a, packed, b, when, c)
        a += unit.down * size
        c += pitch
        if ends and not in_y:
            add_block(kernels, size, unit.cols, panel.cols, block + r * pitch, panel.cols,
                      flags if last else 0, y + r * unit.stretch * y_pixel * size, y_pixel)


cdef inline void direct_item(void* context, Py_ssize_t i, int thread) noexcept nogil:
    """One unit, for a share of the panels that are packed"""
    cdef:
        ConvJob* job = <ConvJob*> context
        const Conv* conv = job.conv
        Py_ssize_t step = panel_bytes(conv, job.kernels, job.size), share = i % job.shares, j
        Unit unit = locate_unit(conv, job.n, i // job.shares)
        Panel panel
        char* own = job.own + thread * job.own_bytes
    load_unit(conv, job.size, &unit, 0, conv.g.C, job.x, own)
    for j in range(share * job.count // job.shares, (share + 1) * job.count // job.shares):
        panel = locate_panel(conv, job.kernels, job.panel + j)
        direct_unit(conv, job.kernels, job.size, &unit, &panel, job.panels + j * step, job.b,
                    job.flags, own + conv.slab, job.y)


cdef inline void direct(ConvJob* job) noexcept nogil:
    cdef:
        const Conv* conv = job.conv
        Py_ssize_t panels = count_panels(conv, job.kernels), units = count_units(conv, job.n)
        Py_ssize_t step = panel_bytes(conv, job.kernels, job.size)
        bint small = panels * step < PACK
    if not units:
        return
    if is_dense(job) and not is_few(conv, job.kernels):
        dense(job)
        return
    job.panel = 0
    while job.panel < panels:
        if job.packed:
            job.count = panels
        else:
            job.count = min(panels_of_chunk(conv, job.kernels, job.size), panels - job.panel)
            pack_panels(job, 1 if small else job.threads)
        job.shares = min(job.count, ceil_div(SHARES, units))
        job.dispatch.run(direct_item, job, units * job.shares, job.threads)
        job.panel += job.count
