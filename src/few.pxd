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
from panels cimport count_panels, pack_panel
from simd cimport PRODUCT_ADD, PRODUCT_RELU, RELU, Kernels, Product
from units cimport (
    ADDS, CHUNK, LINE, SHARES, TERMS, Conv, Job, add_block, ceil_div, copy_pixels, parts_of_block)
from windows cimport clip

cdef enum:
    STRIPE = 8              # most panels of a stripe
    FEW = 4                 # most pixels for which weights are not packed at all


cdef inline Py_ssize_t count_stripes(const Conv* conv, const Kernels* kernels) noexcept nogil:
    cdef Py_ssize_t panels = count_panels(conv, kernels)
    return ceil_div(panels, clip(panels // SHARES, 1, STRIPE))


cdef inline void stripe_item(void* context, Py_ssize_t i, int thread) noexcept nogil:
    """A stripe of panels for all pixels, which are few: parts of it are packed and used in L2.

    Weights are read as they lie, a few rows at a time, as wide as the stripe.
    """
    cdef:
        Job* job = <Job*> context
        const Conv* conv = job.conv
        const Kernels* kernels = job.kernels
        Py_ssize_t C = conv.g.C // conv.groups, F = conv.F // conv.groups, size = job.size
        Py_ssize_t wide = 2 * kernels.lanes, per_group = ceil_div(F, wide)
        Py_ssize_t panels = count_panels(conv, kernels), stripes = count_stripes(conv, kernels)
        Py_ssize_t start = panels * i // stripes, end = panels * (i + 1) // stripes
        Py_ssize_t step = min(TERMS, C) * wide * size, k, row, rows, cols, first, j
        Py_ssize_t pixels = job.n * conv.g.H * conv.g.W, pitch = TERMS * size + LINE
        char* own = job.own + thread * job.own_bytes
        char* copy = own + ceil_div(panels, stripes) * step
        char* blocks = copy + copy_bytes(conv, size)
        Py_ssize_t parts = ceil_div(C, TERMS), part, block = parts_of_block(parts)
        int flags
        const char* x
        char* y
        char* sums
        Product p
    p.runs = 1
    p.a_run = p.b_run = 0
    p.a_row = pitch // size if conv.gathers else conv.x_pixel
    p.a_step = 1
    for part in range(parts):
        k = part * TERMS
        p.length = min(TERMS, C - k)
        p.c_row = conv.y_pixel if part < block else wide
        flags = job.flags if part == parts - 1 else 0
        row = 0
        while row < p.length:
            rows = min(8, p.length - row)
            for j in range(start, end):
                cols = min(wide, F - j % per_group * wide)
                pack_panel(conv, kernels, size, j, k + row, rows, job.turned, job.w, job.scale,
                           own + (j - start) * step
                           + row * (wide if cols > kernels.lanes else kernels.lanes) * size)
            row += rows
        for j in range(start, end):
            cols = min(wide, F - j % per_group * wide)
            first = j // per_group * F + j % per_group * wide
            p.b_step = wide if cols > kernels.lanes else kernels.lanes
            x = job.x + (j // per_group * C + k) * size
            if conv.gathers:
                if j == start or j % per_group == 0:
                    copy_pixels(pixels, p.length * size, x, conv.x_pixel * size, copy, pitch)
                x = copy
            y = job.y + first * size
            sums = blocks + (j - start) * pixels * wide * size
            kernels.product(&p, pixels, cols, x, own + (j - start) * step,
                            job.b + first * size if job.b != NULL and part == 0 else NULL,
                            (PRODUCT_ADD if part % block else 0) | (flags if part < block else 0),
                            y if part < block else sums)
            if part >= block and (part % block == block - 1 or part == parts - 1):
                add_block(kernels, size, pixels, cols, sums, wide, flags, y, conv.y_pixel)


cdef inline void row_item(void* context, Py_ssize_t i, int thread) noexcept nogil:
    """One of SHARES ranges of filters for very few pixels: weights are read once, as they lie."""
    cdef:
        Job* job = <Job*> context
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


cdef inline Py_ssize_t few_bytes(
    const Conv* conv, const Kernels* kernels, Py_ssize_t size
) noexcept nogil:
    """Scratch of a thread where pixels are few: a stripe's panels, or a range of filters.

    Where sums are long, also blocks of them.
    """
    cdef:
        Py_ssize_t panels = ceil_div(count_panels(conv, kernels), count_stripes(conv, kernels))
        Py_ssize_t C = conv.g.C // conv.groups, wide = panels * 2 * kernels.lanes
        Py_ssize_t rows = ceil_div(conv.F, SHARES)
        Py_ssize_t blocks = ceil_div(C, TERMS) > ADDS
    return max(wide * (min(TERMS, C) + blocks * 2 * CHUNK) * size + copy_bytes(conv, size),
               rows * (1 + blocks * FEW) * size)


cdef inline bint has_few_pixels(const Job* job) noexcept nogil:
    """Whether to share out stripes of panels alone: few pixels, as in a dense layer."""
    return (job.conv.flat and not job.packed
            and job.n * job.conv.g.H * job.conv.g.W <= 2 * CHUNK)


cdef inline bint reads_rows(const Job* job) noexcept nogil:
    return (has_few_pixels(job) and job.conv.groups == 1 and not job.turned and job.scale == NULL
            and job.n * job.conv.g.H * job.conv.g.W <= FEW)


cdef inline void few_pixels(Job* job) noexcept nogil:
    if reads_rows(job):
        job.dispatch.run(row_item, job, SHARES, job.threads)
    else:
        job.dispatch.run(stripe_item, job, count_stripes(job.conv, job.kernels), job.threads)
