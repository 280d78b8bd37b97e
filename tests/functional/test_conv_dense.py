"""Dense layers as functions, against their definition."""

import numpy as np
import oracles
import pytest
from oracles import assert_exact, integers, normals

from cnnkit.functional import (
    dense,
    dense_backward,
)

DTYPES = ["float32", "float64"]
WIDTHS = [1, 2, 3, 5, 10, 15, 16, 17, 31, 32, 33, 48, 65]

both_dtypes = pytest.mark.parametrize("dtype", DTYPES)


# Dense


@both_dtypes
@pytest.mark.parametrize("units", WIDTHS)
@pytest.mark.parametrize("inputs", WIDTHS)
def test_dense_is_exact_on_whole_numbers(inputs, units, dtype):
    x, w = integers(7, inputs, seed=1), integers(inputs, units, seed=2)
    b, dy = integers(units, seed=3), integers(7, units, seed=4)
    y, gradients = x @ w, (dy @ w.T, x.T @ dy, dy.sum(0))
    x, w, b, dy = (a.astype(dtype) for a in (x, w, b, dy))
    assert_exact(dense(x, w, b), y + b, dtype)
    assert_exact(dense(x, w), y, dtype)
    for got, one in zip(dense_backward(dy, x, w), gradients, strict=True):
        assert_exact(got, one, dtype)


@both_dtypes
@pytest.mark.parametrize("rows", [1, 2, 3, 14, 15, 29, 300])
def test_dense_batch_sizes(rows, dtype):
    x, w, b = integers(rows, 11), integers(11, 19, seed=1), integers(19, seed=2)
    assert_exact(dense(*(a.astype(dtype) for a in (x, w, b))), x @ w + b, dtype)


def test_dense_gradients_are_slopes():
    x, w, b, dy = normals(3, 5), normals(5, 4, seed=1), normals(4, seed=2), normals(3, 4, seed=3)
    dx, dw, db = dense_backward(dy, x, w)
    for gradient, f, at in [
        (dx, lambda a: np.vdot(dy, dense(a, w, b)), x),
        (dw, lambda a: np.vdot(dy, dense(x, a, b)), w),
        (db, lambda a: np.vdot(dy, dense(x, w, a)), b),
    ]:
        slopes = oracles.numeric_gradient(f, at)
        np.testing.assert_allclose(gradient, slopes, rtol=0, atol=1e-6)


@both_dtypes
def test_dense_empty_batch(dtype):
    x, w = np.zeros((0, 5), dtype), np.ones((5, 3), dtype)
    y = dense(x, w, np.ones(3, dtype))
    assert_exact(y, np.zeros((0, 3)), dtype)
    dx, dw, db = dense_backward(y, x, w)
    assert_exact(dx, np.zeros((0, 5)), dtype)
    assert_exact(dw, np.zeros((5, 3)), dtype)
    assert_exact(db, np.zeros(3), dtype)


def test_dense_nan_stays_in_its_row():
    x = np.ones((4, 5))
    x[2, 3] = np.nan
    assert np.isnan(dense(x, np.ones((5, 3)))).all(1).tolist() == [False, False, True, False]
