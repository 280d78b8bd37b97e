"""Dense layers, and 1x1 convolutions of few pixels: work is shared out by filters alone.

Weights are many numbers for each pixel here, so what counts is how they are read: as they lie in
memory, wide, and once.

    w: (C, F)    stripe
                +------+
                |      |  TERMS rows: packed, then multiplied by all pixels while in L2
                |------|
                |      |
                +------+
"""

from libc.string cimport memcpy, memset

from common.arithmetic cimport ceil_div, clip
from common.arrays cimport LINE
from common.simd cimport PRODUCT_ADD, PRODUCT_RELU, RELU, Kernels, Product
from conv.job cimport ConvJob
from conv.panels cimport Panel, count_panels, locate_panel, pack_panel
from conv.slabs cimport copy_pixels
from conv.sums cimport ADDS, TERMS, add_block, parts_of_block
from conv.units cimport CHUNK, Conv
from threads.dispatch cimport SHARES

cdef enum:
    STRIPE = 8              # most panels of a stripe
    UNPACKED = 4            # most pixels for which weights are not packed at all


cdef inline Py_ssize_t count_stripes(const Conv* conv, const Kernels* kernels) noexcept nogil:
    cdef Py_ssize_t panels = count_panels(conv, kernels)
    return ceil_div(panels, clip(panels // SHARES, 1, STRIPE))


cdef struct Stripe:
    Py_ssize_t start, end   # panels start <= j < end
    Py_ssize_t step         # bytes from one packed panel to the next
    char* packed            # scratch: one part of the panels,
    char* copy              # of the pixels, where they are gathered,
    char* blocks            # and blocks of long sums


cdef inline Stripe locate_stripe(const ConvJob* job, Py_ssize_t index, char* own) noexcept nogil:
    cdef:
        Stripe stripe
        const Conv* conv = job.conv
        Py_ssize_t panels = count_panels(conv, job.kernels)
        Py_ssize_t stripes = count_stripes(conv, job.kernels)
    stripe.start = panels * index // stripes
    stripe.end = panels * (index + 1) // stripes
    stripe.step = min(TERMS, conv.g.C // conv.groups) * 2 * job.kernels.lanes * job.size
    stripe.packed = own
    stripe.copy = own + ceil_div(panels, stripes) * stripe.step
    stripe.blocks = stripe.copy + copy_bytes(conv, job.size)
    return stripe


cdef inline void pack_stripe(
    const ConvJob* job, const Stripe* stripe, Py_ssize_t first, Py_ssize_t terms
) noexcept nogil:
    """Rows first <= k < first + terms of w, a few at a time, as wide as the stripe."""
    cdef Py_ssize_t row = 0, rows, j
    cdef Panel panel
    while row < terms:
        rows = min(8, terms - row)
        for j in range(stripe.start, stripe.end):
            panel = locate_panel(job.conv, job.kernels, j)
            pack_panel(job.conv, job.kernels, job.size, j, first + row, rows, job.turned, job.w,
                       job.scale, stripe.packed + (j - stripe.start) * stripe.step
                       + row * panel.width * job.size)
        row += rows


cdef inline void multiply_stripe(
    const ConvJob* job, const Stripe* stripe, Py_ssize_t part, Py_ssize_t parts
) noexcept nogil:
    """One part of the sum, of TERMS terms or fewer, for all pixels."""
    cdef:
        const Conv* conv = job.conv
        const Kernels* kernels = job.kernels
        Py_ssize_t C = conv.g.C // conv.groups, size = job.size, wide = 2 * kernels.lanes
        Py_ssize_t pixels = job.n * conv.g.H * conv.g.W, pitch = TERMS * size + LINE
        Py_ssize_t block = parts_of_block(parts), group = -1, j
        bint in_y = part < block, last = part == parts - 1
        int flags = job.flags if last else 0
        int when = (PRODUCT_ADD if part % block else 0) | (flags if in_y else 0)
        Panel panel
        const char* x
        char* y
        char* sums
        Product p
    p.runs = 1
    p.length = min(TERMS, C - part * TERMS)
    p.a_run = p.b_run = 0
    p.a_row = pitch // size if conv.gathers else conv.x_pixel
    p.a_step = 1
    p.c_row = conv.y_pixel if in_y else wide
    for j in range(stripe.start, stripe.end):
        panel = locate_panel(conv, kernels, j)
        p.b_step = panel.width
        x = job.x + (panel.group * C + part * TERMS) * size
        if conv.gathers:
            if panel.group != group:
                copy_pixels(pixels, p.length * size, x, conv.x_pixel * size, stripe.copy, pitch)
            x = stripe.copy
        group = panel.group
        y = job.y + panel.first * size
        sums = stripe.blocks + (j - stripe.start) * pixels * wide * size
        kernels.product(&p, pixels, panel.cols, x, stripe.packed + (j - stripe.start) * stripe.step,
                        job.b + panel.first * size if job.b != NULL and part == 0 else NULL, when,
                        y if in_y else sums)
        if not in_y and (part % block == block - 1 or last):
            add_block(kernels, size, pixels, panel.cols, sums, wide, flags, y, conv.y_pixel)


cdef inline void stripe_item(void* context, Py_ssize_t i, int thread) noexcept nogil:
    """A stripe of panels for all pixels, which are few: parts of it are packed and used in L2."""
    cdef:
        ConvJob* job = <ConvJob*> context
        Stripe stripe = locate_stripe(job, i, job.own + thread * job.own_bytes)
        Py_ssize_t C = job.conv.g.C // job.conv.groups, parts = ceil_div(C, TERMS), part
    for part in range(parts):
        pack_stripe(job, &stripe, part * TERMS, min(TERMS, C - part * TERMS))
        multiply_stripe(job, &stripe, part, parts)


cdef inline void row_item(void* context, Py_ssize_t i, int thread) noexcept nogil:
    """One of SHARES ranges of filters for very few pixels: weights are read once, as they lie."""
    cdef:
        ConvJob* job = <ConvJob*> context
        const Conv* conv = job.conv
        const Kernels* kernels = job.kernels
        Py_ssize_t size = job.size, F = conv.F, start = i * F // SHARES, pixel, k, part
        Py_ssize_t cols = (i + 1) * F // SHARES - start, parts = ceil_div(conv.g.C, TERMS)
        Py_ssize_t block = parts_of_block(parts)
        char* own = job.own + thread * job.own_bytes
        char* y
        char* to
    for part in range(parts):
        k = part * TERMS
        for pixel in range(job.n * conv.g.H * conv.g.W):
            y = job.y + (pixel * conv.y_pixel + start) * size
            to = y if part < block else own + (1 + pixel) * cols * size
            if part or job.b == NULL:
                memset(own, 0, cols * size)
            else:
                memcpy(own, job.b + start * size, cols * size)
            kernels.row_product(min(TERMS, conv.g.C - k), cols,
                                job.x + (pixel * conv.x_pixel + k) * size,
                                job.w + (k * F + start) * size, F, own)
            if part % block:
                kernels.axpy(cols, 1.0, own, to)
            else:
                memcpy(to, own, cols * size)
            if to != y and (part % block == block - 1 or part == parts - 1):
                kernels.axpy(cols, 1.0, to, y)
            if part == parts - 1 and job.flags & PRODUCT_RELU:
                kernels.activations[RELU].forward(cols, 0, y, y)


cdef inline Py_ssize_t copy_bytes(const Conv* conv, Py_ssize_t size) noexcept nogil:
    return 2 * CHUNK * (TERMS * size + LINE) if conv.gathers else 0


cdef inline Py_ssize_t dense_bytes(
    const Conv* conv, const Kernels* kernels, Py_ssize_t size
) noexcept nogil:
    """Scratch of a thread for a dense layer: a stripe's panels, or a range of filters.

    Where sums are long, also blocks of them.
    """
    cdef:
        Py_ssize_t panels = ceil_div(count_panels(conv, kernels), count_stripes(conv, kernels))
        Py_ssize_t C = conv.g.C // conv.groups, wide = panels * 2 * kernels.lanes
        Py_ssize_t rows = ceil_div(conv.F, SHARES)
        Py_ssize_t blocks = ceil_div(C, TERMS) > ADDS
    return max(wide * (min(TERMS, C) + blocks * 2 * CHUNK) * size + copy_bytes(conv, size),
               rows * (1 + blocks * UNPACKED) * size)


cdef inline bint is_dense(const ConvJob* job) noexcept nogil:
    """Whether pixels are so few that work is shared out by filters alone."""
    return (job.conv.flat and not job.packed
            and job.n * job.conv.g.H * job.conv.g.W <= 2 * CHUNK)


cdef inline bint reads_rows(const ConvJob* job) noexcept nogil:
    return (is_dense(job) and job.conv.groups == 1 and not job.turned and job.scale == NULL
            and job.n * job.conv.g.H * job.conv.g.W <= UNPACKED)


cdef inline void dense(ConvJob* job) noexcept nogil:
    if reads_rows(job):
        job.dispatch.run(row_item, job, SHARES, job.threads)
    else:
        job.dispatch.run(stripe_item, job, count_stripes(job.conv, job.kernels), job.threads)
