"""Convolution by blocks of the im2col matrix that stay in L2, multiplied by BLAS.

Always right: the oracle of the direct algorithm, and what gives the gradient to x where the stride
is not 1.
"""

from cython.parallel cimport prange, threadid
from libc.string cimport memcpy, memset
from blas cimport gemm
from im2col cimport col2im_rows, im2col_rows
from simd cimport PRODUCT_RELU, RELU, Kernels
from units cimport BLOCK, Conv, Unit, ceil_div
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


cdef inline void im2col_forward(
    const Conv* conv,
    const Kernels* kernels,
    Py_ssize_t size,
    Py_ssize_t n,
    const char* x,
    const char* w,
    const char* scale,      # IN   (F,) or NULL
    const char* b,
    int flags,
    char* y,
    char* blocks,           # scratch, one block of cols a thread
    Py_ssize_t block,
    int threads,
) noexcept nogil:
    """y = scale cols W + b, a block of rows at a time"""
    cdef:
        const Windows* g = &conv.g
        Py_ssize_t C = g.C // conv.groups, F = conv.F // conv.groups, K = g.KH * g.KW * C
        Py_ssize_t pixels = g.OH * g.OW, rows = cols_rows(conv, size)
        Py_ssize_t per_image = ceil_div(pixels, rows), i, first, last, group, p
        char* cols
    for i in prange(n * per_image, num_threads=threads, schedule="dynamic"):
        cols = blocks + threadid() * block
        first = i // per_image * pixels + i % per_image * rows
        last = min(first + rows, (i // per_image + 1) * pixels)
        for group in range(conv.groups):
            im2col_rows(g, size, group * C, C, first, last, x, cols)
            product(False, False, last - first, F, K, size, cols, K, w + group * F * size, conv.F,
                    0, y + (first * conv.F + group * F) * size, conv.F)
        for p in range(first, last):
            if scale != NULL:
                kernels.affine(conv.F, scale, b, y + p * conv.F * size, y + p * conv.F * size)
            elif b != NULL:
                kernels.axpy(conv.F, 1.0, b, y + p * conv.F * size)
        if flags & PRODUCT_RELU:
            kernels.activations[RELU].forward((last - first) * conv.F, 0,
                                              y + first * conv.F * size,
                                              y + first * conv.F * size)


cdef inline void im2col_input(
    const Conv* conv,
    const Kernels* kernels,
    Py_ssize_t size,
    Py_ssize_t n,
    const char* dy,
    const char* w,
    char* dx,
    char* blocks,
    Py_ssize_t block,
    int threads,
) noexcept nogil:
    """dx = col2im(dy W'), an image at a time since its windows overlap"""
    cdef:
        const Windows* g = &conv.g
        Py_ssize_t C = g.C // conv.groups, F = conv.F // conv.groups, K = g.KH * g.KW * C
        Py_ssize_t pixels = g.OH * g.OW, rows = cols_rows(conv, size), i, first, last, group
        Py_ssize_t image = g.H * g.W * g.C * size
        char* cols
    for i in prange(n, num_threads=threads, schedule="dynamic"):
        cols = blocks + threadid() * block
        memset(dx + i * image, 0, image)
        first = i * pixels
        while first < (i + 1) * pixels:
            last = min(first + rows, (i + 1) * pixels)
            for group in range(conv.groups):
                product(False, True, last - first, K, F, size,
                        dy + (first * conv.F + group * F) * size, conv.F,
                        w + group * F * size, conv.F, 0, cols, K)
                col2im_rows(g, kernels, size, group * C, C, first, last, cols, dx)
            first = last


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
    """dw (+)= cols' dy, over the pixels of a unit"""
    cdef:
        Py_ssize_t C = conv.g.C // conv.groups, F = conv.F // conv.groups, group
        Py_ssize_t K = conv.g.KH * conv.g.KW * C, rows = cols_rows(conv, size)
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
                        dy + (first * conv.F + group * F) * size, conv.F,
                        1 if flags or first > unit.first else 0, dw + group * F * size, conv.F)
            first = last
