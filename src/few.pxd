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
from units cimport CHUNK, LINE, SHARES, TERMS, Conv, Job, ceil_div, copy_pixels
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
        Py_ssize_t step = min(TERMS, C) * wide * size, k = 0, row, rows, cols, first, j
        Py_ssize_t pixels = job.n * conv.g.H * conv.g.W, pitch = TERMS * size + LINE
        char* own = job.own + thread * job.own_bytes
        char* copy = own + ceil_div(panels, stripes) * step
        const char* x
        Product p
    p.runs = 1
    p.a_run = p.b_run = 0
    p.a_row = pitch // size if conv.gathers else conv.x_pixel
    p.a_step = 1
    p.c_row = conv.y_pixel
    while k < C:
        p.length = min(TERMS, C - k)
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
            kernels.product(&p, pixels, cols, x, own + (j - start) * step,
                            job.b + first * size if job.b != NULL else NULL,
                            (PRODUCT_ADD if k else 0) | (job.flags if k + p.length == C else 0),
                            job.y + first * size)
        k += p.length


cdef inline void row_item(void* context, Py_ssize_t i, int thread) noexcept nogil:
    """One of SHARES ranges of filters for very few pixels: weights are read once, as they lie."""
    cdef:
        Job* job = <Job*> context
        const Conv* conv = job.conv
        const Kernels* kernels = job.kernels
        Py_ssize_t size = job.size, F = conv.F, start = i * F // SHARES, pixel, k = 0, terms
        Py_ssize_t cols = (i + 1) * F // SHARES - start
        char* part = job.own + thread * job.own_bytes
        char* y
    while k < conv.g.C:
        terms = min(TERMS, conv.g.C - k)
        for pixel in range(job.n * conv.g.H * conv.g.W):
            y = job.y + (pixel * conv.y_pixel + start) * size
            if k or job.b == NULL:
                memset(part, 0, cols * size)
            else:
                memcpy(part, job.b + start * size, cols * size)
            kernels.row_product(terms, cols, job.x + (pixel * conv.x_pixel + k) * size,
                                job.w + (k * F + start) * size, F, part)
            if k:
                kernels.axpy(cols, 1.0, part, y)
            else:
                memcpy(y, part, cols * size)
            if k + terms == conv.g.C and job.flags & PRODUCT_RELU:
                kernels.activations[RELU].forward(cols, 0, y, y)
        k += terms


cdef inline Py_ssize_t few_bytes(
    const Conv* conv, const Kernels* kernels, Py_ssize_t size
) noexcept nogil:
    """Scratch of a thread where pixels are few: a stripe's panels, or a range of filters."""
    cdef Py_ssize_t panels = ceil_div(count_panels(conv, kernels), count_stripes(conv, kernels))
    cdef Py_ssize_t stripe = panels * min(TERMS, conv.g.C // conv.groups) * 2 * kernels.lanes
    cdef Py_ssize_t copy = 2 * CHUNK * (TERMS * size + LINE) if conv.gathers else 0
    return max(stripe, ceil_div(conv.F, SHARES)) * size + copy


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
