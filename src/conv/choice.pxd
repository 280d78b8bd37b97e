"""Which algorithm computes a convolution and each of its gradients.

direct     the product, which reads pixels in place: forward, the gradient to w, and that to x where
           the stride is 1
scatter    the gradient to x where it is not, or where channels are few
im2col     anything, by BLAS: the reference, and what runs by default where our loops are the
           portable ones
winograd   all three, of 3x3 kernels with stride 1

An algorithm is chosen by the shape of one image, so that bits do not depend on the batch.
"""

from common.simd cimport Kernels
from common.windows cimport Windows
from conv.sums cimport ADDS, TERMS
from conv.units cimport Conv

cdef enum:
    DIRECT
    SCATTER
    IM2COL
    WINOGRAD

cdef enum:
    SCATTERED = 4           # most channels of an image the gradient to which is scattered


cdef inline int choose(str algorithm, const Conv* conv) except -1:
    """The algorithm of forward and of the gradient to w; `conv` turned, of the gradient to x.

    "auto" takes Winograd's where it was measured to be faster, in Gflop/s of the definition on one
    core (Zen 4, AVX-512), against the direct product: 16 -> 32 filters at 8x8 220 against 106,
    64 -> 128 at 32x32 320 against 110, 256 -> 256 at 96x96 356 against 106, 512 -> 32 at 12x12
    190 against 99; but 1 -> 16 at 8x8 7 against 43: transforms of few channels cost more than
    they save.
    """
    cdef const Windows* g = &conv.g
    cdef bint fits = (g.KH == g.KW == 3 and g.SH == g.SW == g.DH == g.DW == 1
                      and conv.groups == 1)
    if algorithm == "im2col":
        return IM2COL
    if fits and (algorithm == "winograd" or (algorithm == "auto" and min(g.C, conv.F) >= 16)):
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


cdef inline int choose_for_input(str algorithm, const Conv* conv, const Conv* turned) except -1:
    """The algorithm of the gradient to x, `turned` being the convolution that it is at stride 1."""
    cdef const Windows* g = &conv.g
    cdef int by = choose(algorithm, turned)
    if by == DIRECT and (g.SH > 1 or g.SW > 1 or g.C // conv.groups <= SCATTERED):
        return SCATTER
    return by
