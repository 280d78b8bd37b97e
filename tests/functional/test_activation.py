"""ReLU and softmax against their definitions."""

import numpy as np
import oracles
import pytest
from oracles import assert_exact, distinct, integers, normals

from cnnkit.functional import (
    relu,
    relu_backward,
    softmax,
    softmax_backward,
)

DTYPES = ["float32", "float64"]
ROUNDING = {"float32": 1e-6, "float64": 1e-14}

both_dtypes = pytest.mark.parametrize("dtype", DTYPES)


# ReLU


@both_dtypes
@pytest.mark.parametrize("shape", [(1,), (7,), (3, 33), (2, 5, 6, 3)], ids=str)
def test_relu(shape, dtype):
    x, dy = integers(*shape, seed=1).astype(dtype), integers(*shape, seed=2).astype(dtype)
    y = relu(x)
    assert_exact(y, np.where(x > 0, x, 0), dtype)
    assert_exact(relu_backward(dy, y), np.where(x > 0, dy, 0), dtype)


def test_relu_gradient_is_the_slope():
    x, dy = distinct(4, 5), normals(4, 5)
    slopes = oracles.numeric_gradient(lambda x: np.vdot(dy, relu(x)), x)
    np.testing.assert_allclose(relu_backward(dy, relu(x)), slopes, rtol=0, atol=1e-6)


@both_dtypes
def test_relu_keeps_nan_and_infinity(dtype):
    x = np.tile(np.array([np.nan, np.inf, -np.inf, -1, 0, 2], dtype), 7)
    y = relu(x)
    assert_exact(y, np.tile([np.nan, np.inf, 0, 0, 0, 2], 7), dtype)
    assert_exact(relu_backward(np.ones_like(y), y), np.tile([0, 1, 0, 0, 0, 1], 7), dtype)


@both_dtypes
def test_relu_empty_batch(dtype):
    x = np.zeros((0, 5, 6, 3), dtype)
    assert_exact(relu(x), x, dtype)
    assert_exact(relu_backward(x, x), x, dtype)


def test_relu_leaves_its_input_alone():
    x = np.array([-1.0, 2.0])
    relu(x)
    assert x.tolist() == [-1, 2]


# Softmax


@both_dtypes
@pytest.mark.parametrize("shape", [(5,), (3, 1), (4, 10), (3, 33), (2, 3, 4, 5)], ids=str)
def test_softmax(shape, dtype):
    x = normals(*shape).astype(dtype)
    p = softmax(x)
    assert (p.dtype, p.shape) == (dtype, shape)
    np.testing.assert_allclose(p, oracles.softmax(x), rtol=4 * ROUNDING[dtype])


@both_dtypes
@pytest.mark.parametrize("large", [1e2, 1e4, 1e30, -1e2, -1e4, -1e30])
def test_softmax_of_large_numbers(large, dtype):
    x = np.array([[large, large, large], [large, 0, -large], [-large, large, 0]], dtype)
    p = softmax(x)
    top = int(large < 0)
    want = [[1 / 3] * 3, np.eye(3)[2 * top], np.eye(3)[1 - top]]
    np.testing.assert_allclose(p, want, atol=ROUNDING[dtype])


@both_dtypes
def test_softmax_of_minus_infinity_is_zero(dtype):
    p = softmax(np.array([[-np.inf, 0, 0, -np.inf]], dtype))
    assert_exact(p, np.array([[0, 0.5, 0.5, 0]]), dtype)


def test_softmax_nan_stays_in_its_row():
    x = np.zeros((3, 4))
    x[1, 2] = np.nan
    assert np.isnan(softmax(x)).all(1).tolist() == [False, True, False]


@pytest.mark.parametrize("shape", [(5,), (4, 10), (2, 3, 4, 5)], ids=str)
def test_softmax_gradient_is_the_slope(shape):
    x, dy = normals(*shape), normals(*shape, seed=1)
    slopes = oracles.numeric_gradient(lambda x: np.vdot(dy, softmax(x)), x)
    np.testing.assert_allclose(softmax_backward(dy, softmax(x)), slopes, rtol=0, atol=1e-6)


@both_dtypes
def test_softmax_empty_batch(dtype):
    x = np.zeros((0, 4), dtype)
    assert_exact(softmax(x), x, dtype)
    assert_exact(softmax_backward(x, x), x, dtype)
