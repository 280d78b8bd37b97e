"""DepthwiseConv, and Conv with one group for each channel."""

import itertools

import numpy as np
import pytest
from layer_oracles import bound, check, output_of, same_bits_on_any_number_of_threads, step
from oracles import normals

from cnnkit import Conv, DepthwiseConv, ReLU

GEOMETRY = list(
    itertools.product(
        [1, (3, 2), (2, 4)],
        [1, (2, 1), (2, 3)],
        ["valid", "same", ((1, 0), (2, 3))],
        [1, (2, 1), (3, 2)],
    )
)
GEOMETRY = [case for case in GEOMETRY if case[0] != (2, 4) or case[3] != (3, 2)]
both_dtypes = pytest.mark.parametrize("dtype", ["float32", "float64"])


@pytest.mark.parametrize(("kernel", "stride", "padding", "dilation"), GEOMETRY, ids=str)
def test_geometry(kernel, stride, padding, dilation):
    layer = DepthwiseConv(kernel, stride=stride, padding=padding, dilation=dilation)
    check(layer, (7, 6, 3), batch=2, n=1)


@pytest.mark.parametrize(
    "options",
    [
        {"kernel_size": 3, "padding": 5},
        {"kernel_size": 2, "padding": 7, "stride": 4, "dilation": 3},
        {"kernel_size": 1, "stride": 5},
        {"kernel_size": 3, "stride": (4, 6), "dilation": (6, 4), "padding": 9},
        {"kernel_size": (4, 5), "stride": (6, 4), "dilation": (4, 6), "padding": 14},
        {"kernel_size": (5, 1), "padding": ((4, 0), (0, 3)), "stride": (3, 2)},
        {"kernel_size": 3, "stride": 2, "bias": False},
    ],
    ids=str,
)
def test_windows_that_hold_few_pixels_or_none(options):
    check(DepthwiseConv(**options), (5, 6, 3), batch=2)


@pytest.mark.parametrize("multiplier", [1, 2, 3])
@pytest.mark.parametrize("channels", [1, 3, 5, 15, 16, 17, 33])
def test_channels_and_multipliers(channels, multiplier):
    layer = DepthwiseConv((2, 3), stride=(1, 2), depth_multiplier=multiplier)
    check(layer, (3, 4, channels), batch=2, n=1)


@pytest.mark.parametrize("algorithm", ["direct", "im2col"])
@pytest.mark.parametrize("multiplier", [1, 2])
def test_other_algorithms(multiplier, algorithm):
    layer = DepthwiseConv((2, 3), stride=(1, 2), depth_multiplier=multiplier)
    check(layer, (4, 5, 5), algorithm=algorithm)


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("multiplier", [1, 2])
def test_relu_after_it(multiplier, training):
    layer = DepthwiseConv((2, 3), depth_multiplier=multiplier)
    check(lambda x: ReLU()(layer(x)), (4, 5, 17), n=3, training=training)


@pytest.mark.parametrize("n", [0, 1, 4])
def test_partial_batches(n):
    check(DepthwiseConv(3, stride=2), (5, 4, 5), batch=4, n=n)


def test_a_conv_with_a_group_for_each_channel_gives_the_same_bits():
    options = {"kernel_size": (3, 2), "stride": (2, 1), "dilation": (1, 2)}
    found = []
    for layer in (DepthwiseConv(**options), Conv(17, groups=17, **options)):
        network = bound(layer, (7, 6, 17))
        (y,) = step(network)
        found.append((y.tobytes(), network.grads.flat.tobytes()))
    assert found[0] == found[1]


@both_dtypes
@pytest.mark.parametrize(("channels", "stride"), [(33, 1), (64, (2, 1)), (16, 2)])
def test_same_bits_on_any_number_of_threads(channels, stride, dtype):
    def make():
        network = bound(DepthwiseConv(3, stride=stride), (24, 23, channels), batch=5, dtype=dtype)
        return (*step(network), network.grads.flat)

    assert same_bits_on_any_number_of_threads(make)


@pytest.mark.parametrize("relu", [False, True])
@pytest.mark.parametrize("channels", [5, 33])
def test_nan_stays_in_the_windows_and_the_channel_that_hold_it(channels, relu):
    layer = DepthwiseConv((3, 2), padding=((1, 1), (0, 1)))
    x = normals(2, 6, 5, channels)
    x[1, 2, 3, channels - 1] = np.nan
    y = output_of(lambda given: ReLU()(layer(given)) if relu else layer(given), x)
    expected = np.zeros(y.shape, bool)
    expected[1, 1:4, 2:4, channels - 1] = True
    assert (np.isnan(y) == expected).all()


def test_nan_in_a_gradient_stays_in_its_windows():
    network = bound(DepthwiseConv((3, 2), padding=((1, 1), (0, 1))), (6, 5, 17), batch=2)
    step(network)
    network.doutput[...] = 1
    network.doutput[1, 2, 3, 16] = np.nan
    network.backward(2)
    dx = network.grads["x0/x"]
    expected = np.zeros(dx.shape, bool)
    expected[1, 1:4, 3:5, 16] = True
    assert (np.isnan(dx) == expected).all()
    assert np.isnan(network.grads["depthwiseconv1/b"]).nonzero()[0].tolist() == [16]


def test_shapes_weights_and_multiply_adds():
    layer = DepthwiseConv((3, 2), stride=(2, 1), depth_multiplier=2)
    assert layer.output_shape((7, 6, 5)) == (4, 6, 10)
    specs = layer.weight_specs((7, 6, 5))
    assert (specs["w"].shape, specs["w"].fan_in, specs["w"].decay) == ((3, 2, 1, 10), 6, True)
    assert (specs["b"].shape, specs["b"].decay) == ((10,), False)
    assert DepthwiseConv(bias=False).weight_specs((7, 6, 5)).keys() == {"w"}
    assert layer.multiply_adds((7, 6, 5)) == 4 * 6 * 10 * 6
    assert layer.resolved(9) is layer


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"depth_multiplier": 0}, "depth_multiplier must be a positive int, got 0"),
        ({"depth_multiplier": None}, "depth_multiplier must be a positive int, got None"),
        ({"kernel_size": 0}, "kernel_size must be a positive int or a pair of them, got 0"),
        ({"stride": (1, 0)}, r"stride must be a positive int or a pair of them, got \(1, 0\)"),
        ({"dilation": 1.5}, "dilation must be a positive int or a pair of them, got 1.5"),
        ({"padding": "full"}, "padding must be .* 'valid' or 'same', got 'full'"),
        ({"kernel_size": 9, "padding": 0}, r"kernel_size \(9, 9\) .* must fit the padded image"),
        ({"depth_multiplier": 2**31 - 1, "kernel_size": 200}, "filters must lead to sizes whose"),
    ],
    ids=str,
)
def test_refusals(options, message):
    with pytest.raises((ValueError, TypeError), match=f"^DepthwiseConv: {message}"):
        DepthwiseConv(**options).weight_specs((7, 6, 5))


@pytest.mark.parametrize("n", [-1, 4])
def test_more_samples_than_there_is_room_for(n):
    with pytest.raises(ValueError, match=f"n must be an int from 0 to 3, got {n}"):
        bound(DepthwiseConv(), (5, 4, 5)).forward(n)
