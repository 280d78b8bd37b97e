"""im2col and col2im as whole-array functions."""

from cython.parallel cimport prange
from libc.string cimport memset

from arrays cimport pointer, real_code, real_of, size_of
from im2col cimport col2im_rows, im2col_rows
from simd cimport Dispatch, Kernels, load_dispatch
from windows cimport Windows, load_windows

cdef const Dispatch* dispatch = load_dispatch()
cdef enum:
    SMALL = 1 << 14         # numbers under which a second thread costs more than it brings


def im2col(
    object windows,
    object x,               # IN   (N, H, W, C)
    object cols,            # OUT  (N * OH * OW, KH * KW * C)
):
    cdef:
        Windows g = load_windows(windows)
        list keep = []
        int real = real_of(x), threads = dispatch.threads()
        Py_ssize_t size = size_of(real), n, rows = g.OH * g.OW, row = g.KH * g.KW * g.C * size
        char* from_ = pointer(x, windows.input_shape, real_code(real), False, keep)
        char* to = pointer(cols, windows.cols_shape, real_code(real), True, keep)
    if g.N * rows * row < SMALL * size:
        threads = 1
    for n in prange(g.N, nogil=True, num_threads=threads):
        im2col_rows(&g, size, 0, g.C, n * rows, (n + 1) * rows, from_, to + n * rows * row)


def col2im(
    object windows,
    object cols,            # IN   (N * OH * OW, KH * KW * C)
    object x,               # OUT  (N, H, W, C)
):
    cdef:
        Windows g = load_windows(windows)
        list keep = []
        int real = real_of(x), threads = dispatch.threads()
        const Kernels* kernels = dispatch.real[real]
        Py_ssize_t size = size_of(real), n, rows = g.OH * g.OW, row = g.KH * g.KW * g.C * size
        Py_ssize_t image = g.H * g.W * g.C * size
        char* from_ = pointer(cols, windows.cols_shape, real_code(real), False, keep)
        char* to = pointer(x, windows.input_shape, real_code(real), True, keep)
    if g.N * rows * row < SMALL * size:
        threads = 1
    for n in prange(g.N, nogil=True, num_threads=threads):
        memset(to + n * image, 0, image)
        col2im_rows(&g, kernels, size, 0, g.C, n * rows, (n + 1) * rows, from_ + n * rows * row, to)
