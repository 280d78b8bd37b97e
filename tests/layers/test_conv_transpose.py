"""ConvTranspose."""

import numpy as np
import pytest
from layer_oracles import bound, output_of, step
from oracles import normals

from cnnkit import Conv, ConvTranspose, Network, Sequential
from cnnkit.functional import conv2d_backward


@pytest.mark.parametrize("algorithm", ["auto", "exact", "direct", "im2col", "winograd"])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize(
    ("layer", "channels"),
    [
        (ConvTranspose(17, 3), 16),
        (ConvTranspose(5, 4, stride=2), 3),
        (ConvTranspose(6, (2, 5), stride=(3, 1), padding=(0, 2), groups=3), 9),
    ],
    ids=str,
)
def test_it_is_the_gradient_of_a_convolution(layer, channels, dtype, algorithm):
    network = bound(layer, (7, 6, channels), dtype=dtype, algorithm=algorithm)
    (y,) = step(network)
    x, w = network.weights["x0/x"], network.weights["convtranspose1/w"]
    options = {"stride": layer.stride, "padding": layer.padding, "groups": layer.groups}
    want, _, _ = conv2d_backward(x, np.zeros_like(y), w, **options, algorithm="exact")
    want += network.weights["convtranspose1/b"]
    within = {"float32": 1e-4, "float64": 1e-12}[dtype]
    np.testing.assert_allclose(y, want, rtol=within, atol=within * abs(want).max())


@pytest.mark.parametrize(
    ("options", "size"),
    [
        ({}, (7, 6)),
        ({"stride": 2}, (14, 12)),
        ({"stride": (2, 5), "kernel_size": 2}, (14, 30)),
        ({"stride": 2, "padding": "valid"}, (15, 13)),
        ({"stride": 2, "padding": 1}, (13, 11)),
        ({"stride": 2, "padding": 1, "output_padding": 1}, (14, 12)),
        ({"stride": 3, "padding": ((1, 0), (0, 2)), "output_padding": (2, 0)}, (22, 16)),
        ({"stride": 2, "padding": 0, "dilation": (2, 3)}, (17, 17)),
    ],
    ids=str,
)
def test_sizes(options, size):
    layer = ConvTranspose(**{"filters": 4, "kernel_size": 3} | options)
    assert layer.output_shape((7, 6, 2)) == (*size, 4)
    back = {name: value for name, value in layer.get_params().items() if name != "output_padding"}
    assert Conv(**back | {"filters": 2}).output_shape((*size, 4)) == (7, 6, 2)


def test_weights_and_multiply_adds():
    layer = ConvTranspose(6, (4, 2), stride=2, groups=2)
    specs = layer.weight_specs((5, 3, 8))
    assert {name: (spec.shape, spec.fan_in, spec.decay) for name, spec in specs.items()} == {
        "w": ((4, 2, 3, 8), 8, True),
        "b": ((6,), 0, False),
    }
    assert layer.multiply_adds((5, 3, 8)) == 5 * 3 * 4 * 2 * 3 * 8
    assert ConvTranspose(6, bias=False).weight_specs((5, 3, 8)).keys() == {"w"}
    assert Sequential([layer]).summary((5, 3, 8)).weights == 4 * 2 * 3 * 8 + 6


def test_filters_are_one_per_output():
    network = Network(Sequential([ConvTranspose()]), (4, 4, 3), 7)
    assert network.output.shape == (1, 4, 4, 7)


def test_a_stride_beyond_the_kernel_leaves_pixels_at_the_bias():
    y = output_of(ConvTranspose(1, 1, stride=3, bias=False), normals(1, 2, 2, 1))
    assert y.shape == (1, 6, 6, 1)
    assert np.count_nonzero(y) == 4


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"filters": 0}, "filters must be a positive int, got 0"),
        ({"kernel_size": (3, 0)}, "kernel_size must be a positive int or a pair of them"),
        ({"stride": 1.5}, "stride must be a positive int or a pair of them, got 1.5"),
        ({"groups": 4}, "groups must divide the 6 input channels and the 8 filters, got 4"),
        ({"padding": "SAME"}, "padding must be .*, got 'SAME': write 'same'"),
        (
            {"padding": 9},
            r"padding must leave at least one .*, got 9, which leaves \(-9, -9\)",
        ),
        (
            {"stride": 2, "padding": 0, "output_padding": 2},
            r"output_padding must be smaller than stride \(2, 2\), and 0 with .*, got 2",
        ),
        (
            {"stride": 2, "output_padding": 1},
            r"output_padding must be smaller than stride .*, and 0 with padding='same', got 1",
        ),
        ({"output_padding": -1}, "output_padding must be an int of at least 0 or a pair"),
        ({"stride": 2**30}, "stride must lead to sizes whose product is at most"),
    ],
    ids=str,
)
def test_refusals(options, message):
    layer = ConvTranspose(**{"filters": 8} | options)
    with pytest.raises((ValueError, TypeError), match=rf"^ConvTranspose: {message}"):
        layer.output_shape((7, 7, 6))


def test_images_are_asked_for():
    with pytest.raises(ValueError, match=r"^ConvTranspose: input must be images \(H, W, C\), got"):
        ConvTranspose(3).output_shape((5,))
