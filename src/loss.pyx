"""Softmax, and its cross-entropy with the gradient in one pass."""

from libc.math cimport INFINITY, exp, log

from blas cimport real_t


def softmax(
    const real_t[:, ::1] x,         # IN   (n, k)
    real_t[:, ::1] y,               # OUT  (n, k)
):
    """y[i, j] = exp(x[i, j] - max_i) / sum_j exp(x[i, j] - max_i)"""
    cdef:
        Py_ssize_t i, j
        double top, total
    with nogil:
        for i in range(x.shape[0]):
            top = -INFINITY
            total = 0
            for j in range(x.shape[1]):
                top = max(top, x[i, j])
            for j in range(x.shape[1]):
                y[i, j] = <real_t> exp(x[i, j] - top)
                total += y[i, j]
            for j in range(x.shape[1]):
                y[i, j] = <real_t> (y[i, j] / total)


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
        double top, total, share, loss = 0, w = 1
        bint weighted = weights is not None, gradient = dlogits is not None
    if targets.shape[0] != n or (weighted and weights.shape[0] != n) or (
        gradient and (dlogits.shape[0] != n or dlogits.shape[1] != k)
    ):
        raise ValueError("logits, targets, weights and dlogits must have the same number of rows.")
    with nogil:
        for i in range(n):
            if not 0 <= targets[i] < k:
                with gil:
                    raise ValueError(f"targets must be from 0 to {k - 1}, got {targets[i]}.")
            top = -INFINITY
            total = 0
            if weighted:
                w = weights[i]
            for j in range(k):
                top = max(top, logits[i, j])
            for j in range(k):
                share = exp(logits[i, j] - top)
                total += share
                if gradient:
                    dlogits[i, j] = <real_t> share
            loss += w * (log(total) - (logits[i, targets[i]] - top))
            if gradient:
                for j in range(k):
                    dlogits[i, j] = <real_t> (w * dlogits[i, j] / total)
                dlogits[i, targets[i]] -= <real_t> w
    return loss
