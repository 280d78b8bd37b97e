"""AvgPool, GlobalAvgPool and GlobalMaxPool."""

import numpy as np
import pytest
from layer_oracles import bound, check, output_of, same_bits_on_any_number_of_threads, step
from oracles import avg_pool2d, distinct, max_pool2d, normals

from cnnkit import AvgPool, Conv1x1, GlobalAvgPool, GlobalMaxPool

POOLS = [
    {"pool_size": 2},
    {"pool_size": (3, 2)},
    {"pool_size": (2, 3), "stride": 1},
    {"pool_size": 3, "stride": (2, 1), "padding": "same"},
    {"pool_size": 3, "stride": 2, "padding": 1},
    {"pool_size": (2, 3), "padding": ((1, 0), (0, 2))},
    {"pool_size": 2, "stride": (3, 5)},
    {"pool_size": 2, "ceil_mode": True},
    {"pool_size": (3, 2), "stride": (2, 3), "padding": (1, 0), "ceil_mode": True},
    {"pool_size": (4, 3), "stride": 2, "padding": ((0, 3), (2, 0)), "ceil_mode": True},
]
CHANNELS = [1, 3, 5, 15, 16, 17, 33]
both_counts = pytest.mark.parametrize("counted", [False, True])
both_dtypes = pytest.mark.parametrize("dtype", ["float32", "float64"])
each_global = pytest.mark.parametrize("pool", [GlobalAvgPool(), GlobalMaxPool()], ids=str)


@both_counts
@pytest.mark.parametrize("options", POOLS, ids=str)
def test_geometry(options, counted):
    check(AvgPool(**options, count_include_pad=counted), (5, 7, 3), n=2)


@both_counts
@pytest.mark.parametrize("channels", CHANNELS)
def test_channels(channels, counted):
    pool = AvgPool((3, 2), stride=(1, 2), padding=1, count_include_pad=counted)
    check(pool, (3, 4, channels), batch=2, n=1)


@both_dtypes
@both_counts
@pytest.mark.parametrize("padding", [1, "same"])
@pytest.mark.parametrize("ceil_mode", [False, True])
def test_numbers_of_both_types(padding, ceil_mode, counted, dtype):
    options = {"pool_size": 3, "stride": 2, "padding": padding, "ceil_mode": ceil_mode}
    x = normals(2, 6, 9, 17)
    y = output_of(AvgPool(**options, count_include_pad=counted), x, dtype=dtype)
    within = 1e-6 if dtype == "float32" else 1e-14
    want = avg_pool2d(x, **options, count_include_pad=counted)
    np.testing.assert_allclose(y, want, rtol=within, atol=within)


def test_only_counting_the_padding_makes_edges_smaller():
    x = np.ones((1, 4, 5, 1))
    inside, counted = (
        output_of(AvgPool(3, stride=1, padding="same", count_include_pad=count), x)
        for count in (False, True)
    )
    np.testing.assert_allclose(inside, x, rtol=1e-15)
    np.testing.assert_allclose(counted[0, 0, :3, 0], [4 / 9, 6 / 9, 6 / 9], rtol=1e-15)


@pytest.mark.parametrize(
    "shape", [(1, 1, 3), (1, 6, 2), (5, 3, 1), (3, 4, 17), (2, 3, 33)], ids=str
)
@pytest.mark.parametrize("n", [1, 3])
@each_global
def test_global_pools(pool, n, shape):
    check(pool, shape, n=n)
    check(lambda x: pool(Conv1x1(4)(x)), shape, n=n)
    assert pool.output_shape(shape) == shape[2:]
    assert pool.weight_specs(shape) == {}


def test_the_gradient_of_a_maximum_goes_to_the_first_of_equals():
    network = bound(GlobalMaxPool(), (3, 4, 2), batch=1)
    network.weights["x0/x"] = 1
    step(network)
    network.doutput[...] = [[5, 7]]
    network.backward(1)
    want = np.zeros((1, 3, 4, 2))
    want[0, 0, 0] = 5, 7
    np.testing.assert_array_equal(network.grads["x0/x"], want)


def test_global_max_is_a_max_pool_as_large_as_the_image():
    x = distinct(3, 5, 4, 17)
    np.testing.assert_array_equal(output_of(GlobalMaxPool(), x), max_pool2d(x, (5, 4))[:, 0, 0])


@pytest.mark.parametrize("counted", [True, False])
def test_nan_stays_in_the_windows_and_the_channel_that_hold_it(counted):
    x = normals(2, 6, 5, 17)
    x[1, 2, 3, 16] = np.nan
    y = output_of(AvgPool(3, stride=1, padding=1, count_include_pad=counted), x)
    expected = np.zeros(y.shape, bool)
    expected[1, 1:4, 2:5, 16] = True
    assert (np.isnan(y) == expected).all()


@pytest.mark.parametrize("at", [(0, 0), (2, 3), (4, 2)], ids=str)
@each_global
def test_nan_stays_in_its_channel(pool, at):
    x = normals(2, 5, 4, 17)
    x[1, *at, 3] = np.nan
    expected = np.zeros((2, 17), bool)
    expected[1, 3] = True
    assert (np.isnan(output_of(pool, x)) == expected).all()


@both_dtypes
@pytest.mark.parametrize(
    "pool", [AvgPool(3, stride=2, padding=1), GlobalAvgPool(), GlobalMaxPool()], ids=str
)
def test_same_bits_on_any_number_of_threads(pool, dtype):
    def make():
        network = bound(pool, (19, 17, 33), batch=5, dtype=dtype)
        return (*step(network), network.grads.flat)

    assert same_bits_on_any_number_of_threads(make)


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"pool_size": 0}, ValueError, "pool_size must be a positive int or a pair of them, got 0"),
        ({"stride": 0.5}, TypeError, "stride must be a positive int or a pair of them, got 0.5"),
        ({"padding": 2}, ValueError, r"padding must be smaller than pool_size \(2, 2\), got 2"),
        ({"ceil_mode": 1}, TypeError, "ceil_mode must be True or False, got 1"),
        ({"count_include_pad": 1}, TypeError, "count_include_pad must be a bool, got 1"),
        ({"count_include_pad": None}, TypeError, "count_include_pad must be a bool, got None"),
        ({"pool_size": 8}, ValueError, r"pool_size \(8, 8\) .*must fit the padded image, got .*"),
    ],
    ids=str,
)
def test_refusals(options, error, message):
    with pytest.raises(error, match=rf"^AvgPool: {message}"):
        AvgPool(**options).output_shape((7, 6, 2))


@pytest.mark.parametrize("pool", [AvgPool(), GlobalAvgPool(), GlobalMaxPool()], ids=str)
def test_images_are_asked_for(pool):
    message = rf"^{type(pool).__name__}: input must be images \(H, W, C\), got shape \(5,\)\.$"
    with pytest.raises(ValueError, match=message):
        pool.output_shape((5,))
