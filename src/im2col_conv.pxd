"""Convolution by blocks of the im2col matrix that stay in L2, multiplied by BLAS.

Always right, on any processor: what the other algorithms are held against.
"""

from libc.string cimport memset
from blas cimport gemm
from im2col cimport col2im_rows, im2col_rows
from simd cimport PRODUCT_RELU, RELU, Kernels
from units cimport BLOCK, TERMS, Conv, Job, Unit, ceil_div
from windows cimport Windows


cdef inline void product(
    bint transpose_a, bint transpose_b, Py_ssize_t M, Py_ssize_t N, Py_ssize_t K,
    Py_ssize_t size, const char* A, Py_ssize_t lda, const char* B, Py_ssize_t ldb, double beta,
    char* C, Py_ssize_t ldc,
) noexcept nogil:
    if size == sizeof(float):
        gemm[float](transpose_a, transpose_b, M, N, K, <const float*> A, lda, <const float*> B, ldb,
                    <float> beta, <float*> C, ldc)
    else:
        gemm[double](transpose_a, transpose_b, M, N, K, <const double*> A, lda, <const double*> B,
                     ldb, beta, <double*> C, ldc)


cdef inline Py_ssize_t cols_rows(const Conv* conv, Py_ssize_t size) noexcept nogil:
    """Rows of a block of cols, never of more than one image."""
    cdef Py_ssize_t row = conv.g.KH * conv.g.KW * (conv.g.C // conv.groups) * size
    return max(1, min(BLOCK // row, conv.g.OH * conv.g.OW))


cdef inline Py_ssize_t count_blocks(const Conv* conv, Py_ssize_t size) noexcept nogil:
    return ceil_div(conv.g.OH * conv.g.OW, cols_rows(conv, size))


cdef inline void forward_item(void* context, Py_ssize_t i, int thread) noexcept nogil:
    """y = scale cols W + b, for one block of rows"""
    cdef:
        Job* job = <Job*> context
        const Conv* conv = job.conv
        const Kernels* kernels = job.kernels
        const Windows* g = &conv.g
        Py_ssize_t size = job.size, pixels = g.OH * g.OW, rows = cols_rows(conv, size)
        Py_ssize_t C = g.C // conv.groups, F = conv.F // conv.groups, K = g.KH * g.KW * C
        Py_ssize_t per_image = count_blocks(conv, size), group, p
        Py_ssize_t first = i // per_image * pixels + i % per_image * rows
        Py_ssize_t last = min(first + rows, (i // per_image + 1) * pixels)
        char* cols = job.own + thread * job.own_bytes
        char* y = job.y + first * conv.y_pixel * size
        char* row
    for group in range(conv.groups):
        im2col_rows(g, size, group * C, C, first, last, job.x, cols)
        product(False, False, last - first, F, K, size, cols, K, job.w + group * F * size, conv.F,
                0, y + group * F * size, conv.y_pixel)
    for p in range(last - first):
        row = y + p * conv.y_pixel * size
        if job.scale != NULL:
            kernels.affine(conv.F, job.scale, job.b, row, row)
        elif job.b != NULL:
            kernels.axpy(conv.F, 1.0, job.b, row)
        if job.flags & PRODUCT_RELU:
            kernels.activations[RELU].forward(conv.F, 0, row, row)


cdef inline void im2col_forward(Job* job) noexcept nogil:
    job.dispatch.run(forward_item, job, job.n * count_blocks(job.conv, job.size), job.threads)


cdef inline void input_item(void* context, Py_ssize_t i, int thread) noexcept nogil:
    """dx = col2im(dy W') for one image; here x is dy and y is dx"""
    cdef:
        Job* job = <Job*> context
        const Conv* conv = job.conv
        const Windows* g = &conv.g
        Py_ssize_t size = job.size, pixels = g.OH * g.OW, rows = cols_rows(conv, size)
        Py_ssize_t C = g.C // conv.groups, F = conv.F // conv.groups, K = g.KH * g.KW * C
        Py_ssize_t image = g.H * g.W * g.C * size, first = i * pixels, last, group
        char* cols = job.own + thread * job.own_bytes
    memset(job.y + i * image, 0, image)
    while first < (i + 1) * pixels:
        last = min(first + rows, (i + 1) * pixels)
        for group in range(conv.groups):
            product(False, True, last - first, K, F, size,
                    job.x + (first * conv.y_pixel + group * F) * size, conv.y_pixel,
                    job.w + group * F * size, conv.F, 0, cols, K)
            col2im_rows(g, job.kernels, size, group * C, C, first, last, 0, g.H, cols, job.y)
        first = last


cdef inline void im2col_input(Job* job) noexcept nogil:
    """An image at a time, since its windows overlap."""
    job.dispatch.run(input_item, job, job.n, job.threads)


cdef inline void im2col_weights(
    const Conv* conv,
    Py_ssize_t size,
    const Unit* unit,
    int flags,              # not 0 to add to dw
    const char* x,
    const char* dy,
    char* cols,             # scratch, one block of cols
    char* dw,               # OUT  (KH, KW, C / groups, F)
) noexcept nogil:
    """dw (+)= cols' dy, over the pixels of a unit, in parts that round apart"""
    cdef:
        Py_ssize_t C = conv.g.C // conv.groups, F = conv.F // conv.groups, group
        Py_ssize_t K = conv.g.KH * conv.g.KW * C, rows = min(cols_rows(conv, size), TERMS)
        bint whole = unit.cols == unit.stretch
        Py_ssize_t stretches = 1 if whole else unit.rows
        Py_ssize_t length = unit.rows * unit.cols if whole else unit.cols
        Py_ssize_t r, first, last, end
    for r in range(stretches):
        first = unit.first + r * unit.stretch
        end = first + length
        while first < end:
            last = min(first + rows, end)
            for group in range(conv.groups):
                im2col_rows(&conv.g, size, group * C, C, first, last, x, cols)
                product(True, False, K, F, last - first, size, cols, K,
                        dy + (first * conv.y_pixel + group * F) * size, conv.y_pixel,
                        1 if flags or first > unit.first else 0, dw + group * F * size, conv.F)
            first = last
