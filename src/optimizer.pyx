"""One fused update over a stretch of the flat weights vector."""

from cython.parallel cimport prange

from arrays cimport pointer, real_code, real_of, size_of
from simd cimport Dispatch, Kernels, load_dispatch

cdef const Dispatch* dispatch = load_dispatch()
cdef enum:
    PIECE = 1 << 13         # weights of one piece of work


def adam(
    object weights,         # OUT  (n,)
    object grads,           # IN   (n,)
    object m,               # OUT  (n,) running mean of the gradient
    object v,               # OUT  (n,) and of its square
    double rate,
    double beta1,
    double beta2,
    double epsilon,
    double l2,
    double decay,
):
    """g += l2 w; m, v <- running means of g, g^2; w <- (1 - decay) w - rate m / (sqrt v + eps)"""
    cdef:
        list keep = []
        int real = real_of(weights)
        str code = real_code(real)
        tuple shape = weights.shape
        const Kernels* kernels = dispatch.real[real]
        char* w = pointer(weights, shape, code, True, keep)
        char* g = pointer(grads, shape, code, False, keep)
        char* mean = pointer(m, shape, code, True, keep)
        char* square = pointer(v, shape, code, True, keep)
        Py_ssize_t n = shape[0], pieces = (n + PIECE - 1) // PIECE, i
        Py_ssize_t step = PIECE * size_of(real)
        int threads = 1 if pieces < 4 else dispatch.threads()
    for i in prange(pieces, nogil=True, num_threads=threads):
        kernels.adam(min(PIECE, n - i * PIECE), rate, beta1, beta2, epsilon, l2, decay,
                     g + i * step, mean + i * step, square + i * step, w + i * step)


def sgd(
    object weights,         # OUT  (n,)
    object grads,           # IN   (n,)
    object velocity,        # OUT  (n,)
    double rate,
    double momentum,
    bint nesterov,
    double l2,
):
    """g += l2 w; u <- momentum u - rate g; w <- w + u, or w + momentum u - rate g for nesterov"""
    cdef:
        list keep = []
        int real = real_of(weights)
        str code = real_code(real)
        tuple shape = weights.shape
        const Kernels* kernels = dispatch.real[real]
        char* w = pointer(weights, shape, code, True, keep)
        char* g = pointer(grads, shape, code, False, keep)
        char* u = pointer(velocity, shape, code, True, keep)
        Py_ssize_t n = shape[0], pieces = (n + PIECE - 1) // PIECE, i
        Py_ssize_t step = PIECE * size_of(real)
        int threads = 1 if pieces < 4 else dispatch.threads()
    for i in prange(pieces, nogil=True, num_threads=threads):
        kernels.sgd(min(PIECE, n - i * PIECE), rate, momentum, nesterov, l2,
                    g + i * step, u + i * step, w + i * step)
