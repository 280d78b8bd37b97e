"""The gradient to w by the product of src/simd/product.c: its rows are weights, its sum is pixels.
"""

from libc.string cimport memcpy

from common.arithmetic cimport ceil_div
from common.simd cimport PRODUCT_ADD, Kernels, Product
from common.windows cimport Windows
from conv.sums cimport TERMS
from conv.units cimport Conv, Unit


cdef inline Py_ssize_t parts_of_unit(const Conv* conv) noexcept nogil:
    """How many parts, of at most TERMS pixels, the sum over a unit is cut into."""
    if conv.cols > TERMS:
        return conv.rows * ceil_div(conv.cols, TERMS)
    return ceil_div(conv.rows, TERMS // conv.cols)


cdef inline void direct_weights_unit(
    const Conv* conv,
    const Kernels* kernels,
    Py_ssize_t size,
    const Unit* unit,
    Py_ssize_t g0,          # groups g0 <= g < g1 of which `unit` holds the channels
    Py_ssize_t g1,
    Py_ssize_t c0,          # channels c0 <= c < c0 + cn of each
    Py_ssize_t cn,
    int flags,
    const char* dy,         # IN   (N, OH, OW, F)
    char* edge,             # scratch for a panel of dy narrower than a vector
    char* dw,               # OUT  (KH, KW, C / groups, F)
) noexcept nogil:
    """dw[kh, kw, c, f] (+)= sum over the unit's pixels of x[pixel + (kh, kw), c] dy[pixel, f]"""
    cdef:
        Py_ssize_t C = conv.g.C // conv.groups, F = conv.F // conv.groups, group, f, cols
        const char* x
        const char* right
        Product p
    p.a_row = 1
    p.a_step = unit.across
    p.a_run = unit.down
    p.c_row = conv.F
    for group in range(g0, g1):
        x = unit.x + (group - g0) * C * size
        f = group * F
        while f < (group + 1) * F:
            cols = min(2 * kernels.lanes, (group + 1) * F - f)
            right = whole_vectors(conv, kernels, size, unit, f, cols, dy, edge, &p)
            direct_weights_panel(conv, kernels, size, unit, &p, cols, c0, cn, flags, x, right,
                                 dw + f * size)
            f += cols


cdef inline const char* whole_vectors(
    const Conv* conv,
    const Kernels* kernels,
    Py_ssize_t size,
    const Unit* unit,
    Py_ssize_t f,           # filters f <= i < f + cols
    Py_ssize_t cols,
    const char* dy,
    char* edge,             # OUT  the filters and zeros, of all pixels of the unit, where copied
    Product* p,             # OUT  b_step and b_run: how the result lies
) noexcept nogil:
    """Return dy for some filters, in whole vectors."""
    cdef Py_ssize_t width = 2 * kernels.lanes if cols > kernels.lanes else kernels.lanes, r
    dy += (unit.first * conv.y_pixel + f) * size
    p.b_step = conv.y_pixel
    p.b_run = unit.stretch * conv.y_pixel
    if cols == width:
        return dy
    p.b_step = width
    p.b_run = unit.cols * width
    for r in range(unit.rows):
        kernels.pack(unit.cols, cols, dy + r * unit.stretch * conv.y_pixel * size, conv.y_pixel, 1,
                     NULL, edge + r * p.b_run * size)
    return edge


cdef inline void direct_weights_panel(
    const Conv* conv,
    const Kernels* kernels,
    Py_ssize_t size,
    const Unit* unit,
    Product* p,
    Py_ssize_t cols,        # filters
    Py_ssize_t c0,
    Py_ssize_t cn,
    int flags,
    const char* x,          # IN   the first pixel of the unit
    const char* dy,         # IN   and its gradient
    char* dw,               # OUT  its first filter
) noexcept nogil:
    """Some filters of dw, in parts of at most TERMS pixels of the unit"""
    cdef:
        Py_ssize_t some = max(1, TERMS // unit.cols), most = min(unit.cols, TERMS)
        Py_ssize_t across = ceil_div(unit.cols, most), i, r, k
    for i in range(ceil_div(unit.rows, some) * across):
        r = i // across * some
        k = i % across * most
        p.runs = min(some, unit.rows - r)
        p.length = min(most, unit.cols - k)
        direct_weights_part(conv, kernels, size, unit, p, cols, c0, cn,
                            PRODUCT_ADD if i else flags,
                            x + (r * unit.down + k * unit.across) * size,
                            dy + (r * p.b_run + k * p.b_step) * size, dw)


cdef inline void direct_weights_part(
    const Conv* conv,
    const Kernels* kernels,
    Py_ssize_t size,
    const Unit* unit,
    const Product* p,       # which pixels
    Py_ssize_t cols,        # filters
    Py_ssize_t c0,
    Py_ssize_t cn,
    int flags,
    const char* x,          # IN   the first of the pixels
    const char* dy,         # IN   and its gradient
    char* dw,               # OUT  its first filter
) noexcept nogil:
    """Some filters of dw, over some pixels of a unit"""
    cdef:
        const Windows* g = &conv.g
        Py_ssize_t C = g.C // conv.groups, kh, kw
    for kh in range(g.KH):
        if g.DW == 1 and cn == C and cn == unit.pixel:  # (kw, c) are neighbours in x and in dw
            kernels.product(p, g.KW * C, cols, x + kh * g.DH * unit.row * size, dy, NULL, flags,
                            dw + kh * g.KW * C * conv.F * size)
            continue
        for kw in range(g.KW):
            kernels.product(p, cn, cols,
                            x + (kh * g.DH * unit.row + kw * g.DW * unit.pixel) * size, dy,
                            NULL, flags, dw + ((kh * g.KW + kw) * C + c0) * conv.F * size)


cdef inline void add_weights(
    const Conv* conv,
    const Kernels* kernels,
    Py_ssize_t size,
    Py_ssize_t g0,          # of the groups and channels that direct_weights_unit has
    Py_ssize_t g1,
    Py_ssize_t c0,
    Py_ssize_t cn,
    int flags,
    const char* block,      # IN   (KH, KW, C / groups, F)
    char* dw,               # OUT  likewise
) noexcept nogil:
    """dw (+)= block"""
    cdef:
        Py_ssize_t C = conv.g.C // conv.groups, runs = conv.g.KH * conv.g.KW
        Py_ssize_t run = C * conv.F, first = c0 * conv.F, n = cn * conv.F, r
    if conv.groups > 1:
        runs *= C
        run = conv.F
        first = g0 * (conv.F // conv.groups)
        n = (g1 - g0) * (conv.F // conv.groups)
    if flags:
        kernels.add_runs(runs, n, block + first * size, run, dw + first * size, run)
        return
    for r in range(runs):
        memcpy(dw + (first + r * run) * size, block + (first + r * run) * size, n * size)


cdef inline void bias_unit(
    const Conv* conv,
    const Kernels* kernels,
    Py_ssize_t size,
    const Unit* unit,
    const char* dy,         # IN   (N, OH, OW, F)
    char* db,               # OUT  (2, F), a total of src/simd/sums.c
) noexcept nogil:
    """db[f] += sum over the unit's pixels of dy[pixel, f]"""
    cdef Py_ssize_t r, stretches = unit.rows, length = unit.cols
    if unit.cols == unit.stretch:
        stretches = 1
        length = unit.rows * unit.cols
    for r in range(stretches):
        kernels.sum_values(length, conv.F,
                           dy + (unit.first + r * unit.stretch) * conv.y_pixel * size,
                           conv.y_pixel, NULL, db)
