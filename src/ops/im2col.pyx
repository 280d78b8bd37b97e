"""im2col and col2im as whole-array functions."""

from libc.string cimport memset

from common.arrays cimport pointer, real_code, real_of, size_of
from common.simd cimport Kernels
from common.windows cimport Windows, load_windows
from conv.columns cimport col2im_rows, im2col_rows
from threads.dispatch cimport Dispatch, load_dispatch

cdef const Dispatch* dispatch = load_dispatch()
cdef enum:
    SMALL = 1 << 16         # numbers under which a second thread costs more than it brings


cdef struct ColumnsJob:
    Windows g
    const Kernels* kernels
    Py_ssize_t size
    char* x
    char* cols


cdef void im2col_image(void* context, Py_ssize_t n, int thread) noexcept nogil:
    cdef:
        ColumnsJob* job = <ColumnsJob*> context
        Windows* g = &job.g
        Py_ssize_t rows = g.OH * g.OW, row = g.KH * g.KW * g.C * job.size
    im2col_rows(g, job.size, 0, g.C, n * rows, (n + 1) * rows, job.x, job.cols + n * rows * row)


cdef void col2im_image(void* context, Py_ssize_t n, int thread) noexcept nogil:
    cdef:
        ColumnsJob* job = <ColumnsJob*> context
        Windows* g = &job.g
        Py_ssize_t rows = g.OH * g.OW, row = g.KH * g.KW * g.C * job.size
        Py_ssize_t image = g.H * g.W * g.C * job.size
    memset(job.x + n * image, 0, image)
    col2im_rows(g, job.kernels, job.size, 0, g.C, n * rows, (n + 1) * rows, 0, g.H,
                job.cols + n * rows * row, job.x)


cdef int run(bint adjoint, object windows, object x, object cols) except -1:
    cdef:
        ColumnsJob job
        list keep = []
        int real = real_of(x), threads = dispatch.threads()
    job.g = load_windows(windows)
    job.kernels = dispatch.real[real]
    job.size = size_of(real)
    job.x = pointer(x, windows.input_shape, real_code(real), adjoint, keep)
    job.cols = pointer(cols, windows.cols_shape, real_code(real), not adjoint, keep)
    if job.g.N * job.g.OH * job.g.OW * job.g.KH * job.g.KW * job.g.C < SMALL:
        threads = 1
    with nogil:
        dispatch.run(col2im_image if adjoint else im2col_image, &job, job.g.N, threads)
    return 0


def im2col(
    object windows,
    object x,               # IN   (N, H, W, C)
    object cols,            # OUT  (N * OH * OW, KH * KW * C)
):
    run(False, windows, x, cols)


def col2im(
    object windows,
    object cols,            # IN   (N * OH * OW, KH * KW * C)
    object x,               # OUT  (N, H, W, C)
):
    run(True, windows, x, cols)
