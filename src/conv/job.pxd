"""What all units of one run of a convolution share."""

from common.simd cimport Kernels
from conv.units cimport Conv
from threads.dispatch cimport Dispatch


cdef struct ConvJob:            # a convolution of the first n images
    const Dispatch* dispatch
    const Kernels* kernels
    const Conv* conv
    Py_ssize_t size             # bytes of a number
    Py_ssize_t n
    const char* x               # IN   (n, H, W, C)
    const char* w               # IN   (KH, KW, C / groups, F)
    bint turned                 # w is (KH, KW, F / groups, C), to be turned round
    const char* scale           # IN   (F,) or NULL for ones
    const char* b               # IN   (F,) or NULL for zeros
    int flags                   # PRODUCT_RELU to clip at zero
    char* y                     # OUT  (n, OH, OW, F)
    char* panels                # scratch the threads share: packed weights
    char* own                   # scratch of each thread, own_bytes apart
    Py_ssize_t own_bytes
    int threads
    bint packed                 # `panels` holds all weights, packed before
    Py_ssize_t panel, count     # else those it holds at present,
    Py_ssize_t shares           # which are shared out to so many
    Py_ssize_t blocks           # winograd: blocks of tiles
