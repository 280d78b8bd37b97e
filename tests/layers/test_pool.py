"""MaxPool and GlobalAvgPool."""

import pytest
from oracles import check_gradients

from cnnkit import Conv, Conv1x1, GlobalAvgPool, MaxPool

POOLS = [
    {"pool_size": 2},
    {"pool_size": (3, 2)},
    {"pool_size": (2, 3), "stride": 1},
    {"pool_size": 3, "stride": (2, 1), "padding": "same"},
    {"pool_size": 3, "stride": 2, "padding": 1},
    {"pool_size": (2, 3), "padding": ((1, 0), (0, 2))},
    {"pool_size": 2, "ceil_mode": True},
    {"pool_size": (3, 2), "stride": (2, 3), "padding": (1, 0), "ceil_mode": True},
]


@pytest.mark.parametrize("channels", [1, 5, 17])
@pytest.mark.parametrize("options", POOLS, ids=lambda options: "-".join(map(str, options.values())))
def test_gradients_of_max_pool(options, channels):
    layers = [Conv(channels, (2, 3)), MaxPool(**options), Conv1x1(2)]
    check_gradients(layers, (5, 7, 2))


@pytest.mark.parametrize("shape", [(1, 1, 3), (1, 6, 2), (5, 3, 1)], ids=str)
@pytest.mark.parametrize("channels", [1, 5, 17])
def test_gradients_of_global_avg_pool(channels, shape):
    check_gradients([Conv(channels, (1, 2)), GlobalAvgPool()], shape, batch=3)


@pytest.mark.parametrize(
    ("options", "output"),
    [
        ({}, (3, 4, 5)),
        ({"ceil_mode": True}, (4, 4, 5)),
        ({"pool_size": (3, 2)}, (2, 4, 5)),
        ({"pool_size": 3, "stride": 1}, (5, 6, 5)),
        ({"pool_size": 3, "stride": (2, 3), "padding": "same"}, (4, 3, 5)),
        ({"pool_size": 3, "stride": (2, 3), "padding": (1, 0)}, (4, 2, 5)),
    ],
)
def test_output_shape(options, output):
    pool = MaxPool(**options)
    assert pool.output_shape((7, 8, 5)) == output
    assert pool.weight_specs((7, 8, 5)) == {}
    assert pool.multiply_adds((7, 8, 5)) == 0


def test_global_shapes():
    assert GlobalAvgPool().output_shape((7, 8, 5)) == (5,)
    assert GlobalAvgPool().weight_specs((7, 8, 5)) == {}


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"pool_size": 0}, "pool_size must be a positive int or a pair of them, got 0"),
        ({"pool_size": None}, "pool_size must be a positive int or a pair of them, got None"),
        ({"stride": (2, 0)}, r"stride must be a positive int or a pair of them, got \(2, 0\)"),
        ({"padding": "full"}, "padding must be .*, got 'full'"),
        ({"padding": 2}, r"padding must be smaller than pool_size \(2, 2\), got 2"),
        ({"ceil_mode": 1}, "ceil_mode must be True or False, got 1"),
        ({"pool_size": 8}, r"pool_size \(8, 8\) .*must fit the padded image, got .*\(7, 6\)"),
    ],
)
def test_refusals(options, message):
    with pytest.raises((ValueError, TypeError), match=f"^MaxPool: {message}"):
        MaxPool(**options).output_shape((7, 6, 2))
