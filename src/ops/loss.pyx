"""Softmax, and its cross-entropy with the gradient in one pass."""

import numpy as np

from libc.math cimport log

from common.arrays cimport DOUBLE, FLOAT, pointer, real_code, real_of, size_of
from common.blas cimport real_t
from common.simd cimport Kernels
from threads.dispatch cimport Dispatch, load_dispatch

cdef const Dispatch* dispatch = load_dispatch()
cdef str INTP = np.dtype(np.intp).char


def softmax(
    object x,               # IN   (n, k)
    object y,               # OUT  (n, k), may be x
):
    """y[i, j] = exp(x[i, j] - max_i) / sum_j exp(x[i, j] - max_i)"""
    cdef:
        int real = real_of(x)
        tuple shape = x.shape
        list keep = []
        const Kernels* kernels = dispatch.real[real]
        Py_ssize_t i, n, k, size = size_of(real)
        double top, total
        char* source
        char* to
    if len(shape) != 2 or y.shape != shape or shape[1] == 0:
        raise ValueError("x and y must have the same shape, with at least one column.")
    n, k = shape
    source = pointer(x, shape, real_code(real), False, keep)
    to = pointer(y, shape, real_code(real), True, keep)
    with nogil:
        for i in range(n):
            total = kernels.softmax(k, source + i * k * size, to + i * k * size, &top)
            kernels.scale(k, 1 / total, to + i * k * size)


def cross_entropy(
    object logits,          # IN   (n, k)
    object targets,         # IN   (n,) class indices, each from 0 to k - 1
    object weights,         # IN   (n,), or None for ones
    object dlogits,         # OUT  (n, k), or None
):
    """Return sum_i w_i (log sum_j exp(l_ij) - l_it); dlogits is its gradient.

    The caller divides both by the sum of weights.
    """
    cdef:
        int real = real_of(logits)
        tuple shape = logits.shape
        # copies that nobody else has: what is checked is what is used, whoever writes to `targets`
        object places = np.array(targets)
        object shares = None if weights is None else np.array(weights)
        list keep = []
        const Py_ssize_t* at
        const double* w
        char* source
        char* to
        Py_ssize_t i, n, k
        double loss
    if len(shape) != 2 or shape[1] == 0:
        raise ValueError(f"logits must have a row each and a column or more, got shape {shape}.")
    n, k = shape
    at = <const Py_ssize_t*> pointer(places, (n,), INTP, False, keep)
    w = <const double*> pointer(shares, (n,), "d", False, keep)
    for i in range(n):
        if not 0 <= at[i] < k:
            raise ValueError(f"targets must be from 0 to {k - 1}, got {at[i]}.")
    source = pointer(logits, shape, real_code(real), False, keep)
    to = pointer(dlogits, shape, real_code(real), True, keep)
    with nogil:
        if real == FLOAT:
            loss = add_up[float](n, k, <const float*> source, at, w, <float*> to)
        else:
            loss = add_up[double](n, k, <const double*> source, at, w, <double*> to)
    return loss


cdef double add_up(
    Py_ssize_t n,
    Py_ssize_t k,
    const real_t* logits,       # IN   (n, k)
    const Py_ssize_t* targets,  # IN   (n,)
    const double* weights,      # IN   (n,), or NULL
    real_t* dlogits,            # OUT  (n, k), or NULL
) noexcept nogil:
    cdef:
        const Kernels* kernels = dispatch.real[FLOAT if real_t is float else DOUBLE]
        Py_ssize_t i
        double top, total, loss = 0, w = 1
    for i in range(n):
        if weights != NULL:
            w = weights[i]
        total = kernels.softmax(k, logits, dlogits, &top)
        loss += w * (log(total) - (logits[targets[i]] - top))
        if dlogits != NULL:
            kernels.scale(k, w / total, dlogits)
            dlogits[targets[i]] -= <real_t> w
            dlogits += k
        logits += k
    return loss
