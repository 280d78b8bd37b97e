"""Windows that slide over images, of a convolution or pooling, as a C struct."""

cdef struct Windows:
    Py_ssize_t N, H, W, C               # images
    Py_ssize_t KH, KW, SH, SW, DH, DW   # kernel, stride, dilation
    Py_ssize_t PT, PB, PL, PR           # padding: top, bottom, left, right
    Py_ssize_t OH, OW                   # windows down and across an image


cdef inline Windows load_windows(object windows) except *:
    """From a tuple of the same numbers, checked by whoever made it."""
    cdef Windows g
    (g.N, g.H, g.W, g.C, g.KH, g.KW, g.SH, g.SW, g.DH, g.DW, g.PT, g.PB, g.PL, g.PR,
     g.OH, g.OW) = windows
    return g
