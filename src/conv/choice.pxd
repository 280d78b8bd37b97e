"""Which algorithm computes a convolution and each of its gradients.

direct     the product, which reads pixels in place: forward, the gradient to w, and that to x where
           the stride is 1
scatter    the gradient to x where it is not, or where channels are few
im2col     anything, by BLAS: the reference, and what runs by default where our vectors have 128
           bits
winograd   all three, of 3x3 kernels with stride 1

An algorithm is chosen by the shape of one image, so that bits do not depend on the batch.
"""

from common.arithmetic cimport ceil_div
from common.simd cimport WINOGRAD_POINTS, WINOGRAD_TILE, Kernels
from common.windows cimport Windows
from conv.panels cimport is_few
from conv.sums cimport ADDS, TERMS
from conv.units cimport Conv

cdef enum:
    DIRECT
    SCATTER
    IM2COL
    WINOGRAD

cdef enum:
    SCATTERED = 4           # most channels of an image the gradient to which is scattered
    TOGETHER = 8            # images that the packing of weights is shared out to


cdef inline bint winograd_wins(const Conv* conv, const Kernels* kernels) noexcept nogil:
    """Whether Winograd's algorithm is expected to beat the product, for a 3x3 kernel with stride 1.

    It multiplies a quarter as often, but transforms the 36 points of each tile for every channel
    and every filter, and tiles at the edge are part empty. Nanoseconds an image, in float32, fitted
    to 393 random shapes on one core (Zen 3, AVX2). The batch does not count, since bits must not
    depend on it: the weights are taken to be packed for TOGETHER images.
    """
    cdef:
        const Windows* g = &conv.g
        double C = g.C, F = ceil_div(conv.F, kernels.lanes) * kernels.lanes
        double pixels = g.OH * g.OW, own_F = 2 * conv.F if is_few(conv, kernels) else F
        double tiles = ceil_div(g.OH, WINOGRAD_TILE) * ceil_div(g.OW, WINOGRAD_TILE)
        double own = (0.024 * 9 * pixels * C * own_F + 0.8 * g.H * g.W * C + 0.13 * pixels * F
                      + 0.34 * 9 * C * F / TOGETHER)
        double winograd = WINOGRAD_POINTS * (0.029 * tiles * C * F + 0.37 * tiles * (C + F)
                                             + 0.36 * C * F / TOGETHER)
    return winograd < own


cdef inline int choose(str algorithm, const Conv* conv, const Kernels* kernels) except -1:
    """The algorithm of forward and of the gradient to w; `conv` turned, of the gradient to x."""
    cdef const Windows* g = &conv.g
    cdef bint fits = (g.KH == g.KW == 3 and g.SH == g.SW == g.DH == g.DW == 1
                      and conv.groups == 1)
    if algorithm == "im2col":
        return IM2COL
    if fits and (algorithm == "winograd"
                 or (algorithm == "auto" and winograd_wins(conv, kernels))):
        return WINOGRAD
    return DIRECT


cdef inline bint blas_wins(
    const Conv* conv,
    const Kernels* kernels,
    Py_ssize_t size,
    Py_ssize_t widest,      # bytes of the widest vectors the processor has, and BLAS with it
    int by,
) noexcept nogil:
    """Whether "auto" and "exact" leave to im2col and BLAS what algorithm `by` would compute.

    With vectors of 256 bits or more our product is as fast as BLAS, and copies nothing. With those
    of the portable kernels it is not where BLAS has loops of its own for AVX2 or better, and hardly
    where it has not. Nanoseconds a pixel on one core (Intel, AVX-512, OpenBLAS 0.3.30; without AVX2
    that of Nehalem), from the 16 cases of benchmarks/convolutions.py.
    """
    cdef:
        double K = conv.g.KH * conv.g.KW * (conv.g.C // conv.groups), F = conv.F // conv.groups
        double own = K * F / (20 if by == WINOGRAD else 8)
        double blas = K * F / (32 if widest > 16 else 9.5)
    if kernels.lanes * size > 16 or F < 8 or max(K, F) > TERMS * ADDS:     # BLAS adds up in turn
        return False
    if by != SCATTER and not conv.flat:     # what scatters copies as much
        blas += 5 * conv.g.KH + 0.17 * K
    return blas < own


cdef inline int choose_for_input(
    str algorithm, const Conv* conv, const Conv* turned, const Kernels* kernels
) except -1:
    """The algorithm of the gradient to x, `turned` being the convolution that it is at stride 1."""
    cdef const Windows* g = &conv.g
    cdef int by = choose(algorithm, turned, kernels)
    if by == DIRECT and (g.SH > 1 or g.SW > 1 or g.C // conv.groups <= SCATTERED):
        return SCATTER
    return by
