"""Random convolutions, poolings and im2col matrices against their definitions in loops."""

from collections import Counter

import numpy as np
import oracles
import pytest
from conv_problems import Plain, number, padding, problem, run_layer, sides
from oracles import assert_exact

from cnnkit import set_num_threads
from cnnkit.functional import (
    avg_pool2d,
    avg_pool2d_backward,
    col2im,
    conv2d,
    conv2d_backward,
    im2col,
    max_pool2d,
    max_pool2d_backward,
)


@pytest.fixture(autouse=True)
def _threads_as_before():
    yield
    set_num_threads(None)


def run_functions(rng, conv, operands):
    """y, dx, dw and db by `cnnkit.functional`, and what to do to a plain convolution to get y."""
    x, w, b, dy, _ = operands
    b = None if rng.random() < 0.3 else b
    options = {"algorithm": conv.algorithm, **conv.geometry}
    gradients = conv2d_backward(dy, x, w, **options)
    return (
        conv2d(x, w, b, **options),
        *gradients,
    ), lambda y, power=1: y if b is None else y + b**power


def assert_within(conv, got, want, squares, bounds):
    """Errors are within the bounds, relative to the rms that numbers have where signs are drawn.

    What is a sum of nothing but padding does not count: there is no error in it.
    """
    for array, wanted, square, bound in zip(got, want, squares, bounds, strict=True):
        assert array.shape == wanted.shape
        assert array.dtype == conv.dtype
        if array.size:
            rms = np.sqrt(square[square > 0].mean()) if square.any() else 0
            allowed = rms * (bound if conv.dtype == "float32" else bound / 1e8)
            assert np.abs(array - wanted).max() <= allowed, conv


def by_definition(conv, finish, operands, power=1):
    """y, dx, dw and db in loops; with power=2, the mean squares they have by chance."""
    x, w, _, dy, _ = (a.astype(np.float64) ** power for a in operands)
    y = finish(oracles.conv2d(x, w, None, **conv.geometry), power)
    return (y, *oracles.conv2d_backward(dy, x, w, **conv.geometry))


def test_convolutions_are_what_they_are_defined_as(trials):
    found = Counter()
    for rng in trials(quick=300, full=35_000):
        conv = problem(rng)
        set_num_threads(number(rng, 1, 4))
        exact = not conv.uses_winograd and rng.random() < 0.75
        operands = conv.draw(rng, "integers" if exact else "normals")
        operands = [a.astype(conv.dtype) for a in operands]
        if rng.random() < 0.5:
            got, finish = run_functions(rng, conv, operands)
        else:
            got, finish = run_layer(rng, conv, operands, Plain())
        want = by_definition(conv, finish, operands)
        if exact:
            for array, wanted in zip(got, want, strict=True):
                assert_exact(array, wanted, conv.dtype)
        else:
            squares = by_definition(conv, finish, operands, power=2)
            squares[0][squares[0] == finish(np.zeros(squares[0].shape), 2)] = 0
            bounds = oracles.BOUNDS["winograd" if conv.uses_winograd else "exact"]
            assert_within(conv, got, want, squares, bounds)
        found["exact" if exact else "within bounds"] += 1
    trials.found = ", ".join(f"{count:,} {what}" for what, count in found.items())


def geometry(rng):
    """Shape of the images, and kernel, stride, padding and dilation of windows that fit them."""
    while True:
        shape = (number(rng, 0, 4), *(number(rng, 1, 11) for _ in "HW"), number(rng, 1, 40))
        kernel, stride, around = sides(rng, 1, 4), sides(rng, 1, 4), padding(rng)
        dilation = sides(rng, 1, 3)
        found = oracles.windows(shape, kernel, stride, around, dilation)[2]
        if 0 < len(found) <= 100:
            return shape, kernel, stride, around, dilation


def test_im2col_and_its_adjoint(trials):
    for rng in trials(quick=150, full=5_000):
        shape, *windows = geometry(rng)
        dtype = str(rng.choice(["float32", "float64"]))
        x = rng.integers(-9, 10, shape).astype(np.float64)
        cols = oracles.im2col(x, *windows)
        assert_exact(im2col(x.astype(dtype), *windows), cols, dtype)
        cols = rng.integers(-9, 10, cols.shape).astype(np.float64)
        want = oracles.col2im(cols, shape, *windows)
        assert_exact(col2im(cols.astype(dtype), shape, *windows), want, dtype)
        x, first = rng.integers(-9, 10, x.transpose(0, 3, 1, 2).shape), "channels_first"
        w = rng.integers(-9, 10, (2, x.shape[1], *np.broadcast_to(windows[0], 2)))
        cols = im2col(x.astype(dtype), *windows, data_format=first)
        last = oracles.im2col(x.transpose(0, 2, 3, 1), *windows)
        w_last = w.transpose(2, 3, 1, 0).reshape(-1, 2)
        assert_exact(cols @ w.reshape(2, -1).T.astype(dtype), last @ w_last, dtype)
        back = col2im(cols, x.shape, *windows, data_format=first)
        assert_exact(back.transpose(0, 2, 3, 1), oracles.col2im(last, shape, *windows), dtype)


def pooling(rng):
    """Shape of the images and the arguments of a pooling whose windows all hold a pixel."""
    while True:
        shape = (number(rng, 0, 4), *(number(rng, 1, 11) for _ in "HW"), number(rng, 1, 40))
        pool, stride = sides(rng, 1, 4), None if rng.random() < 0.3 else sides(rng, 1, 4)
        around = padding(rng)
        ceil_mode = bool(rng.random() < 0.5)
        size = oracles.pair(pool)
        amounts = oracles.sides(around, shape[1:3], size, oracles.pair(stride or pool))
        room = [n + sum(side) - k for n, side, k in zip(shape[1:3], amounts, size, strict=True)]
        if min(room) >= 0 and all(max(a) < k for a, k in zip(amounts, size, strict=True)):
            return shape, (pool, stride, around, ceil_mode)


def test_poolings_are_what_they_are_defined_as(trials):
    for rng in trials(quick=150, full=5_000):
        shape, windows = pooling(rng)
        dtype = str(rng.choice(["float32", "float64"]))
        set_num_threads(number(rng, 1, 4))
        x = rng.integers(-3, 4, shape).astype(np.float64)  # many equal: the first is the largest
        y = oracles.max_pool2d(x, *windows)
        assert_exact(max_pool2d(x.astype(dtype), *windows), y, dtype)
        dy = rng.integers(-9, 10, y.shape).astype(np.float64)
        want = oracles.max_pool2d_backward(dy, x, *windows)
        assert_exact(max_pool2d_backward(dy.astype(dtype), x.astype(dtype), *windows), want, dtype)

        pad = bool(rng.random() < 0.5)
        bound = 3e-6 if dtype == "float32" else 3e-15
        got = avg_pool2d(x.astype(dtype), *windows, pad)
        np.testing.assert_allclose(got, oracles.avg_pool2d(x, *windows, pad), rtol=0, atol=bound)
        got = avg_pool2d_backward(dy.astype(dtype), shape, *windows, pad)
        want = oracles.avg_pool2d_backward(dy, shape, *windows, pad)
        np.testing.assert_allclose(got, want, rtol=0, atol=10 * bound)
