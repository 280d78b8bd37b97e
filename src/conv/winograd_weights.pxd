"""The gradient to w by Winograd's algorithm, for blocks of 64 channels x 64 filters.

    x --B'..B--> V: 36 x (tiles, 64)
                                         sum over tiles of V' D: 36 x (64, 64)  --G'..G--> dw
    dy --A..A'--> D: 36 x (tiles, 64)
"""

from libc.string cimport memcpy, memset

from common.arithmetic cimport ceil_div
from common.simd cimport PRODUCT_ADD, WINOGRAD_IN, WINOGRAD_POINTS, Kernels, Product
from conv.sums cimport parts_of_block
from conv.units cimport Conv
from conv.winograd cimport (
    SIDE, multiply_points, padded, tiles_of_block, transform_dy, transform_x)
from threads.dispatch cimport Dispatch


cdef inline Py_ssize_t gradient_tiles(const Conv* conv, const Kernels* kernels,
                                      Py_ssize_t size) noexcept nogil:
    """Tiles of a block of V and D."""
    return tiles_of_block(kernels, min(SIDE, conv.g.C) + min(SIDE, conv.F), size)


cdef inline Py_ssize_t gradient_own_bytes(
    const Conv* conv, const Kernels* kernels, Py_ssize_t size
) noexcept nogil:
    """Scratch of a thread: zeros, db, V, D, and the sum of their products and of a block of them.
    """
    cdef Py_ssize_t C = padded(kernels, min(SIDE, conv.g.C)), F = padded(kernels, min(SIDE, conv.F))
    cdef Py_ssize_t T = gradient_tiles(conv, kernels, size)
    return (max(C, F) + 2 * F + WINOGRAD_POINTS * (T * (C + F) + 2 * C * F)) * size


cdef inline Py_ssize_t count_sides(const Conv* conv) noexcept nogil:
    """Blocks of channels x filters of the gradient to w."""
    return ceil_div(conv.g.C, SIDE) * ceil_div(conv.F, SIDE)


cdef struct Side:               # a block of channels x filters
    Py_ssize_t c0, cn           # channels c0 <= c < c0 + cn
    Py_ssize_t f0, fn           # and filters f0 <= f < f0 + fn,
    Py_ssize_t C, F             # how many of each in whole vectors


cdef inline Side locate_side(
    const Conv* conv, const Kernels* kernels, Py_ssize_t index
) noexcept nogil:
    cdef Side side
    cdef Py_ssize_t across = ceil_div(conv.F, SIDE)
    side.c0 = index // across * SIDE
    side.f0 = index % across * SIDE
    side.cn = min(SIDE, conv.g.C - side.c0)
    side.fn = min(SIDE, conv.F - side.f0)
    side.C = padded(kernels, side.cn)
    side.F = padded(kernels, side.fn)
    return side


cdef inline void winograd_weights(
    const Dispatch* dispatch,
    int thread,
    const Conv* conv,
    const Kernels* kernels,
    Py_ssize_t size,
    Py_ssize_t first,           # tiles first <= t < last of the batch
    Py_ssize_t last,
    Py_ssize_t index,           # which block of channels x filters
    const char* x,              # IN   (N, H, W, C)
    const char* dy,             # IN   (N, OH, OW, F)
    char* own,                  # scratch
    char* dw,                   # OUT  (3, 3, C, F), this block of it
    char* db,                   # OUT  (F,), this block of it
) noexcept nogil:
    """dw = G' [ sum over tiles of V' D ] G"""
    cdef:
        Side side = locate_side(conv, kernels, index)
        Py_ssize_t T = gradient_tiles(conv, kernels, size), points = side.C * side.F
        char* zeros = own
        char* sums = zeros + max(side.C, side.F) * size
        char* V = sums + 2 * side.F * size
        char* total = V + WINOGRAD_POINTS * T * (side.C + side.F) * size
        Py_ssize_t c
    memset(zeros, 0, max(side.C, side.F) * size)
    memset(sums, 0, 2 * side.fn * size)
    sum_tiles(dispatch, thread, conv, kernels, size, first, last, &side, x, dy, zeros, V, sums,
              total)
    if side.c0 == 0:
        memcpy(db + side.f0 * size, sums, side.fn * size)
    for c in range(side.cn):
        kernels.winograd_sum(side.fn, total + c * side.F * size, points, NULL, 0,
                             dw + ((side.c0 + c) * conv.F + side.f0) * size, conv.g.C * conv.F)


cdef inline void sum_tiles(
    const Dispatch* dispatch,
    int thread,
    const Conv* conv,
    const Kernels* kernels,
    Py_ssize_t size,
    Py_ssize_t first,           # tiles first <= t < last of the batch
    Py_ssize_t last,
    const Side* side,
    const char* x,              # IN   (N, H, W, C)
    const char* dy,             # IN   (N, OH, OW, F)
    const char* zeros,          # IN   as many as channels or filters
    char* V,                    # scratch for V and D of some tiles
    char* sums,                 # OUT  (2, fn), a total of src/simd/sums.c: db
    char* total,                # OUT  (36, C, F); behind it scratch for a block of a long sum
) noexcept nogil:
    """total = sum over tiles of V' D, some tiles at a time, in blocks where these are many."""
    cdef:
        Py_ssize_t C = side.C, F = side.F, points = WINOGRAD_POINTS * C * F
        Py_ssize_t T = gradient_tiles(conv, kernels, size), tiles, i = 0
        Py_ssize_t blocks = ceil_div(last - first, T), block = parts_of_block(blocks)
        char* D = V + WINOGRAD_POINTS * T * C * size
        char* part = total + points * size if block < blocks else total
        Product p
    p.runs = 1
    p.a_row = 1
    p.a_step = C
    p.a_run = p.b_run = 0
    p.b_step = p.c_row = F
    while first < last and not dispatch.dropped(thread):
        tiles = min(T, last - first)
        transform_x(conv, kernels, size, first, tiles, side.c0, side.cn, x, zeros, V)
        transform_dy(conv, kernels, size, first, tiles, side.f0, side.fn, dy, zeros, D)
        if side.c0 == 0:        # at the points (1, 1), D is the sum of the tile
            kernels.sum_values(tiles, side.fn, D + (WINOGRAD_IN + 1) * tiles * F * size, F, NULL,
                               sums)
        p.length = tiles
        multiply_points(kernels, size, &p, side.cn, side.fn, V, tiles * C, D, tiles * F,
                        PRODUCT_ADD if i % block else 0, part, C * F)
        first += tiles
        i += 1
        if part != total and (i % block == 0 or first == last):
            if i <= block:
                memset(total, 0, points * size)
            kernels.axpy(points, 1.0, part, total)
