"""Convolution by the product of simd/kernels.h, which reads its pixels in place.

Stride, padding and kernel size only say where a row of pixels starts and how long its runs are:

    y[pixel, f] = sum over kh, (kw, c) of x[pixel + kh * row + (kw, c)] * w[kh, (kw, c), f]

The gradient to x is the same with the kernel turned round and channels and filters exchanged; the
gradient to w is the same product with weights as its rows and pixels as its sum.
"""

from libc.string cimport memset
from simd cimport PRODUCT_ADD, Kernels, Product
from units cimport SHARES, TERMS, Conv, Job, Unit, ceil_div, count_units, load_unit, locate_unit
from windows cimport Windows

cdef enum:
    PACK = 256 << 10        # bytes of packed weights under which a second thread costs more


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
    p.a_row = g.SW * unit.pixel
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
                    kernels.product(&p, unit.cols, cols, a + r * g.SH * unit.row * size,
                                    panel + ((line * runs + run) * length + k) * width * size,
                                    bias, add | (flags if last else 0),
                                    to + r * unit.stretch * conv.y_pixel * size)
                add = PRODUCT_ADD
                k += p.length
            run += p.runs


cdef inline void pack_item(void* context, Py_ssize_t j, int thread) noexcept nogil:
    cdef Job* job = <Job*> context
    pack_panel(job.conv, job.kernels, job.size, j, 0, job.conv.g.C // job.conv.groups, job.turned,
               job.w, job.scale, job.panels + j * panel_bytes(job.conv, job.kernels, job.size))


cdef inline Py_ssize_t count_shares(const Job* job) noexcept nogil:
    """Into how many the panels are shared out where there are few units."""
    cdef Py_ssize_t units = count_units(job.conv, job.n)
    return min(count_panels(job.conv, job.kernels), ceil_div(SHARES, max(1, units)))


cdef inline void direct_item(void* context, Py_ssize_t i, int thread) noexcept nogil:
    cdef:
        Job* job = <Job*> context
        const Conv* conv = job.conv
        Py_ssize_t count = count_panels(conv, job.kernels), shares = count_shares(job), j
        Py_ssize_t step = panel_bytes(conv, job.kernels, job.size), share = i % shares
        Unit unit = locate_unit(conv, job.n, i // shares)
    load_unit(conv, job.size, &unit, 0, conv.g.C, job.x, job.own + thread * job.own_bytes)
    for j in range(share * count // shares, (share + 1) * count // shares):
        direct_unit(conv, job.kernels, job.size, &unit, j, job.panels + j * step, job.b, job.flags,
                    job.y)


cdef inline void direct(Job* job) noexcept nogil:
    cdef:
        Py_ssize_t count = count_panels(job.conv, job.kernels)
        bint small = count * panel_bytes(job.conv, job.kernels, job.size) < PACK
    job.dispatch.run(pack_item, job, count, 1 if small else job.threads)
    job.dispatch.run(direct_item, job, count_units(job.conv, job.n) * count_shares(job),
                     job.threads)


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
    p.a_step = g.SW * unit.pixel
    p.a_run = g.SH * unit.row
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
