"""Softmax, and its cross-entropy with the gradient in one pass."""

from libc.math cimport log

from arrays cimport DOUBLE, FLOAT
from blas cimport real_t
from simd cimport Dispatch, Softmax, load_dispatch

cdef const Dispatch* dispatch = load_dispatch()


def softmax(
    const real_t[:, ::1] x,         # IN   (n, k)
    real_t[:, ::1] y,               # OUT  (n, k), may be x
):
    """y[i, j] = exp(x[i, j] - max_i) / sum_j exp(x[i, j] - max_i)"""
    cdef:
        Py_ssize_t i, j
        double top, total
        real_t share
        Softmax exponentials = dispatch.real[FLOAT if real_t is float else DOUBLE].softmax[0]
    if x.shape[0] != y.shape[0] or x.shape[1] != y.shape[1] or x.shape[1] == 0:
        raise ValueError("x and y must have the same shape, with at least one column.")
    with nogil:
        for i in range(x.shape[0]):
            total = exponentials(x.shape[1], &x[i, 0], &y[i, 0], &top)
            share = <real_t> (1 / total)
            for j in range(x.shape[1]):
                y[i, j] *= share


def cross_entropy(
    const real_t[:, ::1] logits,    # IN   (n, k)
    const Py_ssize_t[::1] targets,  # IN   (n,) class indices, each from 0 to k - 1
    const double[::1] weights,      # IN   (n,), or None for ones
    real_t[:, ::1] dlogits,         # OUT  (n, k), or None
):
    """Return sum_i w_i (log sum_j exp(l_ij) - l_it); dlogits is its gradient.

    The caller divides both by the sum of weights.
    """
    cdef:
        Py_ssize_t i, j, n = logits.shape[0], k = logits.shape[1]
        double top, total, loss = 0, w = 1
        real_t share
        bint weighted = weights is not None, gradient = dlogits is not None
        Softmax exponentials = dispatch.real[FLOAT if real_t is float else DOUBLE].softmax[0]
    if targets.shape[0] != n or (weighted and weights.shape[0] != n) or k == 0 or (
        gradient and (dlogits.shape[0] != n or dlogits.shape[1] != k)
    ):
        raise ValueError("logits, targets, weights and dlogits must have the same number of rows.")
    with nogil:
        for i in range(n):
            if not 0 <= targets[i] < k:
                with gil:
                    raise ValueError(f"targets must be from 0 to {k - 1}, got {targets[i]}.")
            if weighted:
                w = weights[i]
            total = exponentials(k, &logits[i, 0], &dlogits[i, 0] if gradient else NULL, &top)
            loss += w * (log(total) - (logits[i, targets[i]] - top))
            if gradient:
                share = <real_t> (w / total)
                for j in range(k):
                    dlogits[i, j] *= share
                dlogits[i, targets[i]] -= <real_t> w
    return loss
