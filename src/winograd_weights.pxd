"""The gradient to w by Winograd's algorithm, for blocks of 64 channels x 64 filters.

    x --B'..B--> V: 36 x (tiles, 64)
                                         sum over tiles of V' D: 36 x (64, 64)  --G'..G--> dw
    dy --A..A'--> D: 36 x (tiles, 64)
"""

from libc.string cimport memcpy, memset
from simd cimport (
    PRODUCT_ADD, WINOGRAD_IN, WINOGRAD_POINTS, WINOGRAD_TILE, Dispatch, Kernels, Product)
from units cimport Conv, ceil_div, parts_of_block
from windows cimport Windows
from winograd cimport (
    SIDE, Tile, locate_tile, multiply, padded, point_at, tiles_of_block, transform_x)


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


cdef inline void winograd_weights(
    const Dispatch* dispatch,
    int thread,
    const Conv* conv,
    const Kernels* kernels,
    Py_ssize_t size,
    Py_ssize_t first,           # tiles first <= t < last of the batch
    Py_ssize_t last,
    Py_ssize_t side,            # which block of channels x filters
    const char* x,              # IN   (N, H, W, C)
    const char* dy,             # IN   (N, OH, OW, F)
    char* own,                  # scratch
    char* dw,                   # OUT  (3, 3, C, F), this block of it
    char* db,                   # OUT  (F,), this block of it
) noexcept nogil:
    """dw = G' [ sum over tiles of V' D ] G"""
    cdef:
        const Windows* g = &conv.g
        Py_ssize_t across = ceil_div(conv.F, SIDE)
        Py_ssize_t c0 = side // across * SIDE, f0 = side % across * SIDE
        Py_ssize_t cn = min(SIDE, g.C - c0), fn = min(SIDE, conv.F - f0)
        Py_ssize_t C = padded(kernels, cn), F = padded(kernels, fn)
        Py_ssize_t T = gradient_tiles(conv, kernels, size), tiles, t, c, start = first, i = 0
        Py_ssize_t blocks = ceil_div(last - first, T), block = parts_of_block(blocks)
        Py_ssize_t pixel = conv.y_pixel * size
        char* zeros = own
        char* sums = zeros + max(C, F) * size
        char* V = sums + 2 * F * size
        char* D = V + WINOGRAD_POINTS * T * C * size
        char* total = D + WINOGRAD_POINTS * T * F * size
        char* part = total + WINOGRAD_POINTS * C * F * size if block < blocks else total
        const void* pixels[16]
        Product p
        Tile tile
    memset(zeros, 0, max(C, F) * size)
    memset(sums, 0, 2 * fn * size)
    p.runs = 1
    p.a_row = 1
    p.a_step = C
    p.a_run = p.b_run = 0
    p.b_step = p.c_row = F
    while start < last and not dispatch.dropped(thread):
        tiles = min(T, last - start)
        transform_x(conv, kernels, size, start, tiles, c0, cn, x, zeros, V)
        for t in range(tiles):
            tile = locate_tile(conv, start + t)
            point_at(dy + tile.image * g.OH * g.OW * pixel + f0 * size, g.OH, g.OW, pixel,
                     tile.oh, tile.ow, WINOGRAD_TILE, zeros, pixels)
            kernels.winograd.gradient(fn, pixels, 0, NULL, 0, D + t * F * size, tiles * F)
        if c0 == 0:             # at the points (1, 1), D is the sum of the tile
            kernels.sums.values(tiles, fn, D + (WINOGRAD_IN + 1) * tiles * F * size, F, NULL, sums)
        p.length = tiles
        multiply(kernels, size, &p, cn, fn, V, tiles * C, D, tiles * F,
                 PRODUCT_ADD if i % block else 0, part, C * F)
        start += tiles
        i += 1
        if part != total and (i % block == 0 or start == last):
            if i <= block:
                memset(total, 0, WINOGRAD_POINTS * C * F * size)
            kernels.axpy(WINOGRAD_POINTS * C * F, 1.0, part, total)
    if c0 == 0:
        memcpy(db + f0 * size, sums, fn * size)
    for c in range(cn):
        kernels.winograd.sum(fn, total + c * F * size, C * F, NULL, 0,
                             dw + ((c0 + c) * conv.F + f0) * size, g.C * conv.F)
