"""Convolution of 3x3 kernels by Winograd's algorithm: the algebra is in src/simd/winograd.c.

Images are cut into tiles of 4x4 outputs, which need 6x6 inputs and so overlap. A block of tiles,
over images, is taken to 36 matrices V that stay in L2; each is multiplied by its panel of packed
weights U; and what comes out, M, is taken to the outputs:

     x                V: 36 x (tiles, C)      M: 36 x (tiles, 32)       y
    +--------+          +---+                    +--+                 +--------+
    | 6x6    |  -->     |   |+     x U: 36 x     |  |+      -->       |  4x4   |
    |  tiles |          |   ||     (C, 32)       |  ||                |  tiles |
    +--------+          +---+|                   +--+|                +--------+
                         +---+                    +--+

The gradient to x is the same with the kernel turned round.
"""

from libc.string cimport memset

from common.arithmetic cimport ceil_div, clip
from common.simd cimport PRODUCT_ADD, WINOGRAD_IN, WINOGRAD_POINTS, WINOGRAD_TILE, Kernels, Product
from common.windows cimport Windows
from conv.job cimport ConvJob
from conv.panels cimport CHUNK_BYTES, count_panels, pack_panel
from conv.sums cimport TERMS
from conv.units cimport TALLEST, WAY, Conv
from threads.dispatch cimport SHARES

cdef enum:
    V_BYTES = 512 << 10     # of a block's V: it shares L2 with a panel
    MOST_TILES = 56         # of a block
    SIDE = 64               # channels, and filters, of a block of weights or of their gradient


cdef inline Py_ssize_t padded(const Kernels* kernels, Py_ssize_t numbers) noexcept nogil:
    """Rounded up to whole vectors."""
    return ceil_div(numbers, kernels.lanes) * kernels.lanes


cdef inline Py_ssize_t pitch_of_V(const Kernels* kernels, Py_ssize_t channels,
                                  Py_ssize_t size) noexcept nogil:
    """Numbers from one tile to the next: whole vectors, and not a multiple of half a WAY."""
    cdef Py_ssize_t C = padded(kernels, channels)
    return C + kernels.lanes if C * size % (WAY // 2) == 0 else C


cdef inline Py_ssize_t count_tiles(const Conv* conv) noexcept nogil:
    """Tiles of one image."""
    return ceil_div(conv.g.OH, WINOGRAD_TILE) * ceil_div(conv.g.OW, WINOGRAD_TILE)


cdef inline Py_ssize_t tiles_of_block(const Kernels* kernels, Py_ssize_t channels,
                                      Py_ssize_t size) noexcept nogil:
    """A multiple of the rows of the tallest tile of the product."""
    cdef Py_ssize_t V = WINOGRAD_POINTS * padded(kernels, channels) * size
    return clip(V_BYTES // V // TALLEST, 1, MOST_TILES // TALLEST) * TALLEST


cdef inline Py_ssize_t transformed_bytes(
    const Conv* conv, const Kernels* kernels, Py_ssize_t size
) noexcept nogil:
    """Bytes of one panel of transformed weights."""
    return WINOGRAD_POINTS * conv.g.C * 2 * kernels.lanes * size


cdef inline Py_ssize_t transformed_of_chunk(
    const Conv* conv, const Kernels* kernels, Py_ssize_t size
) noexcept nogil:
    return max(1, min(count_panels(conv, kernels),
                      CHUNK_BYTES // transformed_bytes(conv, kernels, size)))


cdef inline Py_ssize_t winograd_own_bytes(
    const Conv* conv, const Kernels* kernels, Py_ssize_t size
) noexcept nogil:
    """Scratch of a thread: nothing but zeros, a spare place, V and M; or a panel to transform."""
    cdef Py_ssize_t wide = 2 * kernels.lanes, C = pitch_of_V(kernels, conv.g.C, size)
    cdef Py_ssize_t T = tiles_of_block(kernels, conv.g.C, size)
    return max(C + wide + WINOGRAD_POINTS * T * (C + wide), 9 * SIDE * wide) * size


cdef struct Tile:
    Py_ssize_t image, oh, ow    # its first output pixel


cdef inline Tile locate_tile(const Conv* conv, Py_ssize_t index) noexcept nogil:
    cdef Tile tile
    cdef Py_ssize_t across = ceil_div(conv.g.OW, WINOGRAD_TILE), count = count_tiles(conv)
    tile.image = index // count
    tile.oh = index % count // across * WINOGRAD_TILE
    tile.ow = index % across * WINOGRAD_TILE
    return tile


cdef inline void point_at(
    const char* array,          # pixels of an image (H, W), `pixel` bytes each
    Py_ssize_t H, Py_ssize_t W, Py_ssize_t pixel,
    Py_ssize_t top, Py_ssize_t left,
    Py_ssize_t side,            # of a tile
    const char* outside,        # stands for pixels outside the image
    const void** pointers,      # OUT  (side, side)
) noexcept nogil:
    cdef Py_ssize_t i, j
    for i in range(top, top + side):
        for j in range(left, left + side):
            pointers[0] = (array + (i * W + j) * pixel if 0 <= i < H and 0 <= j < W else outside)
            pointers += 1


cdef inline void transform_x(
    const Conv* conv,
    const Kernels* kernels,
    Py_ssize_t size,
    Py_ssize_t first,           # tiles first <= t < first + tiles of the batch
    Py_ssize_t tiles,
    Py_ssize_t c0,              # channels c0 <= c < c0 + cn
    Py_ssize_t cn,
    const char* x,              # IN   (N, H, W, C)
    const char* zeros,          # IN   cn numbers
    char* V,                    # OUT  (36, tiles, pitch_of_V)
) noexcept nogil:
    cdef:
        const Windows* g = &conv.g
        Py_ssize_t t, row = pitch_of_V(kernels, cn, size), pixel = conv.x_pixel * size
        const void* pixels[WINOGRAD_POINTS]
        Tile tile
    for t in range(tiles):
        tile = locate_tile(conv, first + t)
        point_at(x + tile.image * g.H * g.W * pixel + c0 * size, g.H, g.W, pixel,
                 tile.oh - g.PT, tile.ow - g.PL, WINOGRAD_IN, zeros, pixels)
        kernels.winograd_input(cn, pixels, 0, NULL, 0, V + t * row * size, tiles * row)


cdef inline void transform_dy(
    const Conv* conv,
    const Kernels* kernels,
    Py_ssize_t size,
    Py_ssize_t first,           # tiles first <= t < first + tiles of the batch
    Py_ssize_t tiles,
    Py_ssize_t f0,              # filters f0 <= f < f0 + fn
    Py_ssize_t fn,
    const char* dy,             # IN   (N, OH, OW, F)
    const char* zeros,          # IN   fn numbers
    char* D,                    # OUT  (36, tiles, fn in whole vectors)
) noexcept nogil:
    cdef:
        const Windows* g = &conv.g
        Py_ssize_t t, row = padded(kernels, fn), pixel = conv.y_pixel * size
        const void* pixels[16]
        Tile tile
    for t in range(tiles):
        tile = locate_tile(conv, first + t)
        point_at(dy + tile.image * g.OH * g.OW * pixel + f0 * size, g.OH, g.OW, pixel,
                 tile.oh, tile.ow, WINOGRAD_TILE, zeros, pixels)
        kernels.winograd_gradient(fn, pixels, 0, NULL, 0, D + t * row * size, tiles * row)


cdef inline void transform_M(
    const Conv* conv,
    const Kernels* kernels,
    Py_ssize_t size,
    Py_ssize_t first,           # tiles first <= t < first + tiles of the batch
    Py_ssize_t tiles,
    Py_ssize_t f0,              # filters f0 <= f < f0 + fn
    Py_ssize_t fn,
    const char* M,              # IN   (36, tiles, fn in whole vectors)
    const char* b,              # IN   (F,) or NULL for zeros
    int flags,
    char* spare,                # OUT  what lies outside the image
    char* y,                    # OUT  (N, OH, OW, F)
) noexcept nogil:
    cdef:
        const Windows* g = &conv.g
        Py_ssize_t t, row = padded(kernels, fn), pixel = conv.y_pixel * size
        const char* bias = b + f0 * size if b != NULL else NULL
        const void* pixels[16]
        Tile tile
    for t in range(tiles):
        tile = locate_tile(conv, first + t)
        point_at(y + tile.image * g.OH * g.OW * pixel + f0 * size, g.OH, g.OW, pixel,
                 tile.oh, tile.ow, WINOGRAD_TILE, spare, pixels)
        kernels.winograd_output(fn, M + t * row * size, tiles * row, bias, flags, pixels, 0)


cdef inline void multiply_points(
    const Kernels* kernels,
    Py_ssize_t size,
    const Product* p,
    Py_ssize_t rows,
    Py_ssize_t cols,            # any number
    const char* a,
    Py_ssize_t a_step,          # numbers from one point's matrix to the next
    const char* b,
    Py_ssize_t b_step,
    int flags,
    char* c,
    Py_ssize_t c_step,
) noexcept nogil:
    """The 36 products, in parts of TERMS terms that round apart."""
    cdef Py_ssize_t wide = 2 * kernels.lanes, k, j, i, first
    cdef Product part = p[0]
    for k in range(WINOGRAD_POINTS):
        for i in range(ceil_div(p.length, TERMS)):
            first = i * TERMS
            part.length = min(TERMS, p.length - first)
            for j in range(ceil_div(cols, wide)):
                kernels.product(&part, rows, min(cols - j * wide, wide),
                                a + (k * a_step + first * p.a_step) * size,
                                b + (k * b_step + first * p.b_step + j * wide) * size, NULL,
                                PRODUCT_ADD if first else flags,
                                c + (k * c_step + j * wide) * size)


cdef inline void winograd_pack_item(void* context, Py_ssize_t i, int thread) noexcept nogil:
    """U = G w G' for some channels of one panel"""
    cdef:
        ConvJob* job = <ConvJob*> context
        const Conv* conv = job.conv
        const Kernels* kernels = job.kernels
        Py_ssize_t size = job.size, pieces = ceil_div(conv.g.C, SIDE), c0 = i % pieces * SIDE
        Py_ssize_t cn = min(SIDE, conv.g.C - c0), j = job.panel + i // pieces
        Py_ssize_t width = padded(kernels, min(2 * kernels.lanes, conv.F - j * 2 * kernels.lanes))
        char* U = job.panels + i // pieces * transformed_bytes(conv, kernels, size)
        char* taps = job.own + thread * job.own_bytes
    pack_panel(conv, kernels, size, j, c0, cn, job.turned, job.w, job.scale, taps)
    kernels.winograd_weights(cn * width, taps, cn * width, NULL, 0, U + c0 * width * size,
                             conv.g.C * width)


cdef inline void winograd_item(void* context, Py_ssize_t i, int thread) noexcept nogil:
    """One block of tiles, for a share of the panels that are packed"""
    cdef:
        ConvJob* job = <ConvJob*> context
        const Conv* conv = job.conv
        const Kernels* kernels = job.kernels
        Py_ssize_t size = job.size, wide = 2 * kernels.lanes
        Py_ssize_t C = pitch_of_V(kernels, conv.g.C, size)
        Py_ssize_t total = job.n * count_tiles(conv), block = i // job.shares
        Py_ssize_t first = total * block // job.blocks, share = i % job.shares
        Py_ssize_t tiles = total * (block + 1) // job.blocks - first, j, f, cols
        char* zeros = job.own + thread * job.own_bytes
        char* spare = zeros + C * size
        char* V = spare + wide * size
        char* M = V + WINOGRAD_POINTS * tiles * C * size
        const char* panel
        Product p
    memset(zeros, 0, C * size)
    transform_x(conv, kernels, size, first, tiles, 0, conv.g.C, job.x, zeros, V)
    p.runs = 1
    p.length = conv.g.C
    p.a_row = C
    p.a_step = 1
    p.a_run = p.b_run = 0
    for j in range(job.count * share // job.shares, job.count * (share + 1) // job.shares):
        panel = job.panels + j * transformed_bytes(conv, kernels, size)
        f = (job.panel + j) * wide
        cols = min(wide, conv.F - f)
        p.b_step = p.c_row = padded(kernels, cols)
        multiply_points(kernels, size, &p, tiles, cols, V, tiles * C, panel, conv.g.C * p.b_step,
                        0, M, tiles * p.c_row)
        transform_M(conv, kernels, size, first, tiles, f, cols, M, job.b, job.flags, spare, job.y)


cdef inline void winograd_pack(ConvJob* job) noexcept nogil:
    """Panels job.panel <= j < job.panel + job.count"""
    job.dispatch.run(winograd_pack_item, job, job.count * ceil_div(job.conv.g.C, SIDE), job.threads)


cdef inline void winograd(ConvJob* job) noexcept nogil:
    """A chunk of panels after another, so that each stays in cache for all tiles."""
    cdef:
        const Conv* conv = job.conv
        Py_ssize_t panels = count_panels(conv, job.kernels), total = job.n * count_tiles(conv)
        Py_ssize_t chunk = transformed_of_chunk(conv, job.kernels, job.size)
        Py_ssize_t most = tiles_of_block(job.kernels, conv.g.C, job.size) // TALLEST
        char* packed = job.panels
    job.blocks = ceil_div(total, clip(total // (SHARES * TALLEST), 1, most) * TALLEST)
    if job.packed and job.blocks <= SHARES:
        chunk = panels
    job.panel = 0
    while job.panel < panels and total:
        job.count = min(chunk, panels - job.panel)
        job.shares = min(job.count, ceil_div(SHARES, job.blocks))
        if job.packed:
            job.panels = packed + job.panel * transformed_bytes(conv, job.kernels, job.size)
        else:
            winograd_pack(job)
        job.dispatch.run(winograd_item, job, job.blocks * job.shares, job.threads)
        job.panel += job.count
