"""The one door to BLAS: row-major matrix products for float and double.

BLAS counts from columns, so a row-major C = A B is asked for as C' = B' A'.
"""

from scipy.linalg.cython_blas cimport dgemm, sgemm

# SciPy's BLAS counts in C ints; the calls below stop compiling the day that changes.
ctypedef int blas_int

ctypedef fused real_t:
    float
    double


cdef inline void gemm(
    bint transpose_a,
    bint transpose_b,
    Py_ssize_t M,
    Py_ssize_t N,
    Py_ssize_t K,
    const real_t* A,        # IN   (M, K), or (K, M) when transposed
    Py_ssize_t lda,
    const real_t* B,        # IN   (K, N), or (N, K) when transposed
    Py_ssize_t ldb,
    real_t beta,
    real_t* C,              # OUT  (M, N)
    Py_ssize_t ldc,
) noexcept nogil:
    """C = op(A) op(B) + beta C"""
    cdef:
        char* ta = b"t" if transpose_a else b"n"
        char* tb = b"t" if transpose_b else b"n"
        blas_int m = <blas_int> M, n = <blas_int> N, k = <blas_int> K
        blas_int a = <blas_int> lda, b = <blas_int> ldb, c = <blas_int> ldc
        real_t one = 1
    if M == 0 or N == 0:
        return
    if real_t is float:
        sgemm(tb, ta, &n, &m, &k, &one, <float*> B, &b, <float*> A, &a, &beta, C, &c)
    else:
        dgemm(tb, ta, &n, &m, &k, &one, <double*> B, &b, <double*> A, &a, &beta, C, &c)


cdef inline void multiply(
    bint transpose_a,
    bint transpose_b,
    Py_ssize_t M,
    Py_ssize_t N,
    Py_ssize_t K,
    Py_ssize_t size,        # bytes of a number, which says its type; else as for gemm
    const char* A,
    Py_ssize_t lda,
    const char* B,
    Py_ssize_t ldb,
    double beta,
    char* C,
    Py_ssize_t ldc,
) noexcept nogil:
    if size == sizeof(float):
        gemm[float](transpose_a, transpose_b, M, N, K, <const float*> A, lda, <const float*> B, ldb,
                    <float> beta, <float*> C, ldc)
    else:
        gemm[double](transpose_a, transpose_b, M, N, K, <const double*> A, lda, <const double*> B,
                     ldb, beta, <double*> C, ldc)
