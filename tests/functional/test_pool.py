"""Pooling against its definitions."""

import numpy as np
import oracles
import pytest
from oracles import assert_exact, assert_same_bits, distinct, integers, normals

from cnnkit.functional import (
    avg_pool2d,
    avg_pool2d_backward,
    global_avg_pool2d,
    global_avg_pool2d_backward,
    max_pool2d,
    max_pool2d_backward,
)

DTYPES = ["float32", "float64"]
CHANNELS = [1, 2, 3, 5, 10, 15, 16, 17, 31, 32, 33, 48, 65]
POOLS = [2, (3, 2), (2, 5)]
STRIDES = [None, 1, (2, 3), (3, 1)]
PADDINGS = ["valid", "same", 1, (0, 1), ((1, 0), (0, 1)), ((0, 1), (1, 0))]
GEOMETRY = oracles.paired(POOLS, STRIDES, PADDINGS, [False, True])
FEW = [
    (2, None, 0, False),
    (2, None, 0, True),
    ((3, 2), (2, 1), "same", False),
    ((3, 4), (2, 3), ((1, 0), (2, 1)), True),
]

both_dtypes = pytest.mark.parametrize("dtype", DTYPES)
each_geometry = pytest.mark.parametrize(
    ("pool", "stride", "padding", "ceil_mode"), GEOMETRY, ids=str
)
few_geometries = pytest.mark.parametrize(("pool", "stride", "padding", "ceil_mode"), FEW, ids=str)
pad_counts = pytest.mark.parametrize("count_include_pad", [False, True])


def assert_near(got, want, dtype):
    """Means of whole numbers are off by their rounding only."""
    assert (got.dtype, got.shape) == (dtype, want.shape)
    np.testing.assert_allclose(got, want, rtol=0, atol=40 * np.finfo(dtype).eps)


def check_max(dtype, shape, *geometry):
    x = integers(*shape)
    y = oracles.max_pool2d(x, *geometry)
    dy = integers(*y.shape, seed=1)
    dx = oracles.max_pool2d_backward(dy, x, *geometry)
    x, dy = x.astype(dtype), dy.astype(dtype)
    assert_exact(max_pool2d(x, *geometry), y, dtype)
    assert_exact(max_pool2d_backward(dy, x, *geometry), dx, dtype)


def check_avg(dtype, shape, *geometry):
    x = integers(*shape)
    y = oracles.avg_pool2d(x, *geometry)
    dy = integers(*y.shape, seed=1)
    dx = oracles.avg_pool2d_backward(dy, shape, *geometry)
    assert_near(avg_pool2d(x.astype(dtype), *geometry), y, dtype)
    assert_near(avg_pool2d_backward(dy.astype(dtype), shape, *geometry), dx, dtype)


# Against the definitions


@both_dtypes
@each_geometry
def test_max_geometry(pool, stride, padding, ceil_mode, dtype):
    check_max(dtype, (2, 7, 9, 3), pool, stride, padding, ceil_mode)


@both_dtypes
@few_geometries
@pytest.mark.parametrize("channels", CHANNELS)
def test_max_channel_counts(channels, pool, stride, padding, ceil_mode, dtype):
    check_max(dtype, (2, 5, 6, channels), pool, stride, padding, ceil_mode)


@both_dtypes
@each_geometry
@pad_counts
def test_avg_geometry(pool, stride, padding, ceil_mode, count_include_pad, dtype):
    geometry = (pool, stride, padding, ceil_mode, count_include_pad)
    check_avg(dtype, (2, 7, 9, 3), *geometry)


@both_dtypes
@few_geometries
@pytest.mark.parametrize("channels", CHANNELS)
def test_avg_channel_counts(channels, pool, stride, padding, ceil_mode, dtype):
    check_avg(dtype, (2, 5, 6, channels), pool, stride, padding, ceil_mode)


@both_dtypes
@pytest.mark.parametrize("channels", CHANNELS)
@pytest.mark.parametrize("size", [(1, 1), (1, 7), (5, 3), (13, 17)], ids=str)
def test_global_avg(size, channels, dtype):
    x, dy = integers(3, *size, channels), integers(3, channels, seed=1)
    assert_near(global_avg_pool2d(x.astype(dtype)), x.mean((1, 2)), dtype)
    spread = np.broadcast_to(dy[:, None, None] / (size[0] * size[1]), x.shape)
    assert_near(global_avg_pool2d_backward(dy.astype(dtype), x.shape), spread, dtype)


@few_geometries
def test_max_gradient_is_the_slope(pool, stride, padding, ceil_mode):
    geometry = (pool, stride, padding, ceil_mode)
    x = distinct(2, 5, 6, 3)
    dy = normals(*max_pool2d(x, *geometry).shape)
    slopes = oracles.numeric_gradient(lambda x: np.vdot(dy, max_pool2d(x, *geometry)), x)
    np.testing.assert_allclose(max_pool2d_backward(dy, x, *geometry), slopes, rtol=0, atol=1e-6)


@few_geometries
@pad_counts
def test_avg_gradient_is_the_slope(pool, stride, padding, ceil_mode, count_include_pad):
    geometry = (pool, stride, padding, ceil_mode, count_include_pad)
    x = normals(2, 5, 6, 3)
    dy = normals(*avg_pool2d(x, *geometry).shape)
    slopes = oracles.numeric_gradient(lambda x: np.vdot(dy, avg_pool2d(x, *geometry)), x)
    dx = avg_pool2d_backward(dy, x.shape, *geometry)
    np.testing.assert_allclose(dx, slopes, rtol=0, atol=1e-6)


def test_global_avg_gradient_is_the_slope():
    x, dy = normals(2, 5, 6, 3), normals(2, 3)
    slopes = oracles.numeric_gradient(lambda x: np.vdot(dy, global_avg_pool2d(x)), x)
    dx = global_avg_pool2d_backward(dy, x.shape)
    np.testing.assert_allclose(dx, slopes, rtol=0, atol=1e-6)


# Rules


@pytest.mark.parametrize(
    ("size", "pool", "stride", "padding", "floor", "ceil"),
    [
        (4, 2, 2, 0, 2, 2),
        (5, 2, 2, 0, 2, 3),
        (5, 2, 3, 0, 2, 2),
        (6, 3, 2, 0, 2, 3),
        # a last window would start in the trailing padding
        (5, 2, 3, 1, 2, 2),
        (3, 2, 2, 1, 2, 2),
        (4, 3, 3, 1, 2, 2),
        (7, 3, 3, ((1, 0), (0, 0)), 2, 3),
    ],
)
def test_ceil_mode_adds_a_window_that_starts_before_the_trailing_padding(
    size, pool, stride, padding, floor, ceil
):
    x = np.ones((1, size, 9, 1))
    for ceil_mode, outputs in [(False, floor), (True, ceil)]:
        options = {"stride": (stride, 1), "padding": padding, "ceil_mode": ceil_mode}
        if isinstance(padding, int):
            options["padding"] = (padding, 0)
        assert max_pool2d(x, (pool, 1), **options).shape[1] == outputs
        assert avg_pool2d(x, (pool, 1), **options).shape[1] == outputs


def test_stride_is_the_pool_by_default():
    x = normals(1, 6, 9, 2)
    for pool in (max_pool2d, avg_pool2d):
        assert_same_bits(pool(x, (2, 3)), pool(x, (2, 3), stride=(2, 3)))


def test_padding_is_in_no_mean_unless_asked_for():
    x = np.ones((1, 3, 4, 1))
    assert (avg_pool2d(x, (2, 3), stride=1, padding=1) == 1).all()
    y = avg_pool2d(x, (2, 3), stride=1, padding=1, count_include_pad=True)
    np.testing.assert_allclose(y[0, :2, :2, 0], [[1 / 3, 1 / 2], [2 / 3, 1]], rtol=1e-15)


def test_pixels_past_the_padding_are_in_no_mean():
    y = avg_pool2d(np.ones((1, 5, 4, 1)), 2, ceil_mode=True, count_include_pad=True)
    assert_exact(y, np.ones((1, 3, 2, 1)), "float64")


@both_dtypes
@pytest.mark.parametrize("low", [-np.inf, -1.0, -3e38])
def test_padding_never_wins(low, dtype):
    x = np.full((1, 3, 4, 17), low, dtype)
    geometry = (3, (2, 1), 1, True)
    y = max_pool2d(x, *geometry)
    assert_exact(y, np.full(y.shape, x.flat[0]), dtype)
    dy = integers(*y.shape)
    want = oracles.max_pool2d_backward(dy, x, *geometry)
    assert_exact(max_pool2d_backward(dy.astype(dtype), x, *geometry), want, dtype)


def test_first_of_equal_maxima_gets_the_gradient():
    x = np.array([[0.0, 7, 7, 7], [7, 7, 0, 7]]).reshape(1, 2, 4, 1)
    dx = max_pool2d_backward(np.array([[[[3.0], [5.0]]]]), x, 2)
    assert dx.reshape(2, 4).tolist() == [[0, 3, 5, 0], [0, 0, 0, 0]]


@both_dtypes
@pytest.mark.parametrize("place", [(0, 0), (1, 2), (3, 4), (4, 5)])
def test_nan_wins(place, dtype):
    x = integers(1, 5, 6, 17).astype(dtype)
    x[0, *place, 3::5] = np.nan
    geometry = ((3, 2), 1, 1)
    y = max_pool2d(x, *geometry)
    assert np.isnan(y).any()
    assert_exact(y, oracles.max_pool2d(x, *geometry), dtype)
    dy = integers(*y.shape).astype(dtype)
    want = oracles.max_pool2d_backward(dy, x, *geometry)
    assert_exact(max_pool2d_backward(dy, x, *geometry), want, dtype)


def test_nan_stays_in_the_means_of_its_windows():
    x = integers(1, 5, 6, 17)
    x[0, 2, 3, 4] = np.nan
    y = avg_pool2d(x, 2, 1, count_include_pad=True)
    assert np.argwhere(np.isnan(y)).tolist() == [[0, i, j, 4] for i in (1, 2) for j in (2, 3)]
    assert np.argwhere(np.isnan(global_avg_pool2d(x))).tolist() == [[0, 4]]


@both_dtypes
def test_empty_batch(dtype):
    x, y = np.zeros((0, 5, 6, 3), dtype), np.zeros((0, 2, 3, 3), dtype)
    assert_exact(max_pool2d(x, 2), y, dtype)
    assert_exact(avg_pool2d(x, 2), y, dtype)
    assert_exact(global_avg_pool2d(x), np.zeros((0, 3)), dtype)
    assert_exact(max_pool2d_backward(y, x, 2), x, dtype)
    assert_exact(avg_pool2d_backward(y, x.shape, 2), x, dtype)
    assert_exact(global_avg_pool2d_backward(x[:, 0, 0], x.shape), x, dtype)


# Arrays of every kind

CALLS = {
    "max_pool2d": (lambda x: max_pool2d(x, (2, 3), 1, 1), [(2, 5, 6, 3)]),
    "max_pool2d_backward": (
        lambda dy, x: max_pool2d_backward(dy, x, (2, 3), 1, 1),
        [(2, 6, 6, 3), (2, 5, 6, 3)],
    ),
    "avg_pool2d": (lambda x: avg_pool2d(x, (2, 3), 1, 1), [(2, 5, 6, 3)]),
    "avg_pool2d_backward": (
        lambda dy: avg_pool2d_backward(dy, (2, 5, 6, 3), (2, 3), 1, 1),
        [(2, 6, 6, 3)],
    ),
    "global_avg_pool2d": (global_avg_pool2d, [(2, 5, 6, 3)]),
    "global_avg_pool2d_backward": (
        lambda dy: global_avg_pool2d_backward(dy, (2, 5, 6, 3)),
        [(2, 3)],
    ),
}
each_call = pytest.mark.parametrize(("call", "shapes"), CALLS.values(), ids=CALLS)


@both_dtypes
@pytest.mark.parametrize("layout", oracles.LAYOUTS)
@each_call
def test_layout_of_memory_does_not_matter(call, shapes, layout, dtype, tmp_path):
    arrays = [normals(*shape, seed=n).astype(dtype) for n, shape in enumerate(shapes)]
    given = [oracles.laid_out(a, layout, tmp_path) for a in arrays]
    assert_same_bits(call(*given), call(*arrays))
    assert all(map(np.array_equal, given, arrays))


@pytest.mark.parametrize("dtype", ["int8", "uint8", "int32", "int64", "bool", "float16"])
@each_call
def test_other_numbers_are_taken_as_float32(call, shapes, dtype):
    arrays = [np.abs(normals(*shape, seed=n) * 3).astype(dtype) for n, shape in enumerate(shapes)]
    assert_same_bits(call(*arrays), call(*(a.astype("float32") for a in arrays)))


def test_one_float64_makes_all_float64():
    dy, x = integers(2, 6, 6, 3, seed=1), normals(2, 5, 6, 3)
    want = max_pool2d_backward(dy, x.astype("float32").astype("float64"), (2, 3), 1, 1)
    assert_same_bits(max_pool2d_backward(dy, x.astype("float32"), (2, 3), 1, 1), want)
    want = max_pool2d_backward(dy, x, (2, 3), 1, 1)
    assert_same_bits(max_pool2d_backward(dy.astype("float32"), x, (2, 3), 1, 1), want)


def first(a):
    """Channels last to channels first, contiguous again."""
    return np.ascontiguousarray(np.moveaxis(a, -1, 1))


@both_dtypes
def test_channels_first(dtype):
    x, dy = normals(2, 5, 6, 3).astype(dtype), normals(2, 3, 4, 3).astype(dtype)
    means = normals(2, 3).astype(dtype)
    options = {"stride": (2, 1), "padding": ((1, 0), (0, 0)), "ceil_mode": False}
    there = {**options, "data_format": "channels_first"}
    shape = first(x).shape
    for got, want in [
        (max_pool2d(first(x), (2, 3), **there), max_pool2d(x, (2, 3), **options)),
        (avg_pool2d(first(x), (2, 3), **there), avg_pool2d(x, (2, 3), **options)),
        (
            max_pool2d_backward(first(dy), first(x), (2, 3), **there),
            max_pool2d_backward(dy, x, (2, 3), **options),
        ),
        (
            avg_pool2d_backward(first(dy), shape, (2, 3), **there),
            avg_pool2d_backward(dy, x.shape, (2, 3), **options),
        ),
        (
            global_avg_pool2d_backward(means, shape, data_format="channels_first"),
            global_avg_pool2d_backward(means, x.shape),
        ),
    ]:
        assert_same_bits(got, first(want))
    pooled = global_avg_pool2d(first(x), data_format="channels_first")
    assert_same_bits(pooled, global_avg_pool2d(x))
