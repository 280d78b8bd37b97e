"""One fused update over a stretch of the flat weights vector."""

from common.arrays cimport pointer, real_code, real_of, size_of
from common.simd cimport Kernels
from threads.dispatch cimport Dispatch, load_dispatch

cdef const Dispatch* dispatch = load_dispatch()
cdef enum:
    PIECE = 1 << 13         # weights of one piece of work


cdef struct UpdateJob:
    const Kernels* kernels
    Py_ssize_t n, size
    char* w
    char* g
    char* first             # moments
    char* second
    double rate, beta1, beta2, epsilon, l2, decay
    bint nesterov


cdef void adam_item(void* context, Py_ssize_t i, int thread) noexcept nogil:
    cdef UpdateJob* job = <UpdateJob*> context
    cdef Py_ssize_t at = i * PIECE * job.size
    job.kernels.adam(min(PIECE, job.n - i * PIECE), job.rate, job.beta1, job.beta2, job.epsilon,
                     job.l2, job.decay, job.g + at, job.first + at, job.second + at, job.w + at)


cdef void sgd_item(void* context, Py_ssize_t i, int thread) noexcept nogil:
    cdef UpdateJob* job = <UpdateJob*> context
    cdef Py_ssize_t at = i * PIECE * job.size
    job.kernels.sgd(min(PIECE, job.n - i * PIECE), job.rate, job.beta1, job.nesterov, job.l2,
                    job.g + at, job.first + at, job.w + at)


cdef UpdateJob bind(object weights, object grads, object first, object second, list keep) except *:
    cdef:
        UpdateJob job
        int real = real_of(weights)
        str code = real_code(real)
        tuple shape = weights.shape
    job.kernels = dispatch.real[real]
    job.size = size_of(real)
    job.n = shape[0]
    job.w = pointer(weights, shape, code, True, keep)
    job.g = pointer(grads, shape, code, False, keep)
    job.first = pointer(first, shape, code, True, keep)
    job.second = pointer(second, shape, code, True, keep)
    return job


cdef inline Py_ssize_t count_pieces(const UpdateJob* job) noexcept nogil:
    return (job.n + PIECE - 1) // PIECE


cdef inline int workers(Py_ssize_t pieces) noexcept nogil:
    return 1 if pieces < 4 else dispatch.threads()


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
    cdef list keep = []
    cdef UpdateJob job = bind(weights, grads, m, v, keep)
    job.rate, job.beta1, job.beta2, job.epsilon = rate, beta1, beta2, epsilon
    job.l2, job.decay = l2, decay
    with nogil:
        dispatch.run(adam_item, &job, count_pieces(&job), workers(count_pieces(&job)))


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
    cdef list keep = []
    cdef UpdateJob job = bind(weights, grads, velocity, None, keep)
    job.rate, job.beta1, job.nesterov, job.l2 = rate, momentum, nesterov, l2
    with nogil:
        dispatch.run(sgd_item, &job, count_pieces(&job), workers(count_pieces(&job)))
