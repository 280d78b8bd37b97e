"""`cnnkit.validate.shapes.Windows` as a C struct."""

cdef struct Windows:
    Py_ssize_t N, H, W, C
    Py_ssize_t KH, KW, SH, SW, DH, DW
    Py_ssize_t PT, PB, PL, PR
    Py_ssize_t OH, OW


cdef inline Windows load_windows(object windows) except *:
    cdef Windows g
    (g.N, g.H, g.W, g.C, g.KH, g.KW, g.SH, g.SW, g.DH, g.DW, g.PT, g.PB, g.PL, g.PR,
     g.OH, g.OW) = windows
    return g


cdef inline Py_ssize_t clip(Py_ssize_t value, Py_ssize_t low, Py_ssize_t high) noexcept nogil:
    return low if value < low else high if value > high else value
