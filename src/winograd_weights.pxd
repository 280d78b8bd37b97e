"""The gradient to w by Winograd's algorithm, for blocks of 64 channels x 64 filters.

    x --B'..B--> V: 36 x (tiles, 64)
                                         sum over tiles of V' D: 36 x (64, 64)  --G'..G--> dw
    dy --A..A'--> D: 36 x (tiles, 64)
"""

from libc.string cimport memset
from simd cimport (
    PRODUCT_ADD, WINOGRAD_IN, WINOGRAD_POINTS, WINOGRAD_TILE, Dispatch, Kernels, Product)
from units cimport Conv, ceil_div
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
    """Scratch of a thread: zeros, V, D and their product."""
    cdef Py_ssize_t C = padded(kernels, min(SIDE, conv.g.C)), F = padded(kernels, min(SIDE, conv.F))
    cdef Py_ssize_t T = gradient_tiles(conv, kernels, size)
    return (max(C, F) + WINOGRAD_POINTS * (T * (C + F) + C * F)) * size


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
        Py_ssize_t T = gradient_tiles(conv, kernels, size), tiles, t, c, start = first
        Py_ssize_t pixel = conv.y_pixel * size
        char* zeros = own
        char* V = zeros + max(C, F) * size
        char* D = V + WINOGRAD_POINTS * T * C * size
        char* total = D + WINOGRAD_POINTS * T * F * size
        const void* pixels[16]
        char* points
        Product p
        Tile tile
    memset(zeros, 0, max(C, F) * size)
    if c0 == 0:
        memset(db + f0 * size, 0, fn * size)
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
            points = D + t * F * size
            kernels.winograd.gradient(fn, pixels, 0, NULL, 0, points, tiles * F)
            if c0 == 0:         # at the points (1, 1), D is the sum of the tile
                kernels.axpy(fn, 1.0, points + (WINOGRAD_IN + 1) * tiles * F * size,
                             db + f0 * size)
        p.length = tiles
        multiply(kernels, size, &p, cn, fn, V, tiles * C, D, tiles * F,
                 PRODUCT_ADD if start > first else 0, total, C * F)
        start += tiles
    for c in range(cn):
        kernels.winograd.sum(fn, total + c * F * size, C * F, NULL, 0,
                             dw + ((c0 + c) * conv.F + f0) * size, g.C * conv.F)
