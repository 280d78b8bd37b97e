"""How long sums are cut into parts, so that no rounding error grows with the number of terms.

A part is added up from zero, so that parts round apart: the error of one does not depend on the
others. Parts are added up in turn; where they are many, in blocks, and blocks in turn.
"""

from common.arithmetic cimport ceil_div
from common.simd cimport PRODUCT_RELU, RELU, Kernels

cdef enum:
    TERMS = 256             # most terms of a sum that is not cut: parts of it round apart
    ADDS = 64               # most parts that are added to one number in turn


cdef struct Cut:                        # of the sum over a kernel and its channels
    Py_ssize_t lines, runs, length      # of the sum: lines of runs of so many terms
    Py_ssize_t some, most               # runs of a part, and terms of each
    Py_ssize_t parts, block             # and how many are added up in turn


cdef inline Py_ssize_t parts_of_block(Py_ssize_t parts) noexcept nogil:
    """How many parts of a sum make a block.

    All of them where they are few, else about the square root of their number, so that there are
    about as many blocks as parts in a block.
    """
    cdef Py_ssize_t some = ADDS
    if parts <= ADDS:
        return max(1, parts)
    while some * some < parts:
        some += 1
    return some


cdef inline Cut cut_sum(
    Py_ssize_t lines,
    Py_ssize_t runs,
    Py_ssize_t length,
    Py_ssize_t terms,       # most of a part
) noexcept nogil:
    cdef Cut cut
    cut.lines, cut.runs, cut.length = lines, runs, length
    cut.some = max(1, terms // length)
    cut.most = min(length, terms)
    cut.parts = lines * ceil_div(runs, cut.some) * ceil_div(length, cut.most)
    cut.block = parts_of_block(cut.parts)
    return cut


cdef inline void add_block(
    const Kernels* kernels,
    Py_ssize_t size,
    Py_ssize_t pixels,
    Py_ssize_t cols,
    const char* block,      # IN   (pixels, cols)
    Py_ssize_t block_row,   # numbers from one pixel to the next
    int flags,              # PRODUCT_RELU to clip at zero
    char* y,                # OUT  (pixels, cols)
    Py_ssize_t y_row,
) noexcept nogil:
    """y += block"""
    cdef Py_ssize_t i
    kernels.add_runs(pixels, cols, block, block_row, y, y_row)
    if flags & PRODUCT_RELU:
        for i in range(pixels):
            kernels.activations[RELU].forward(cols, 0, y + i * y_row * size, y + i * y_row * size)
