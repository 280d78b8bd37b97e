"""Figures and worked examples of the texts the package follows."""

import re
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from oracles import BOUNDS, assert_close, generator, normals

from cnnkit import Conv, Conv1x1, GlobalAvgPool, Network, Sequential, blocks, models
from cnnkit.functional import col2im, conv2d, conv2d_backward, im2col, max_pool2d

each_algorithm = pytest.mark.parametrize("algorithm", ["auto", "direct", "im2col"])


def test_227_by_227_by_3_under_11_by_11_at_stride_4():
    x = np.arange(227 * 227 * 3, dtype="float32").reshape(1, 227, 227, 3)
    cols = im2col(x, 11, stride=4)
    assert cols.shape == (3025, 363) == (55 * 55, 11 * 11 * 3)
    assert (cols[0] == x[0, :11, :11].ravel()).all()
    assert (cols[-1] == x[0, 216:, 216:].ravel()).all()


@each_algorithm
def test_96_filters_give_55_by_55_by_96(algorithm):
    x, w = np.ones((1, 227, 227, 3), "float32"), np.ones((11, 11, 3, 96), "float32")
    y = conv2d(x, w, stride=4, algorithm=algorithm)
    assert y.shape == (1, 55, 55, 96)
    assert (y == 363).all()


def test_4_by_4_by_3_under_one_2_by_2_filter():
    x = np.arange(48.0).reshape(1, 4, 4, 3)
    cols = im2col(x, 2)
    assert cols.shape == (9, 12)
    y = conv2d(x, np.ones((2, 2, 3, 1)))
    assert (y.reshape(9) == cols.sum(1)).all()


@each_algorithm
def test_printed_map_of_a_1_by_1_convolution(algorithm):
    x = np.linspace(-0.1, 0.5, num=500).reshape(1, 20, 5, 5)
    w = np.linspace(-0.2, 0.3, num=20).reshape(1, 20, 1, 1)
    b = np.linspace(-0.1, 0.2, num=1)
    printed = [
        [0.612, 0.613, 0.614, 0.615, 0.616],
        [0.618, 0.619, 0.620, 0.621, 0.622],
        [0.624, 0.625, 0.626, 0.627, 0.628],
        [0.630, 0.631, 0.632, 0.633, 0.634],
        [0.636, 0.637, 0.638, 0.639, 0.640],
    ]
    y = conv2d(x, w, b, algorithm=algorithm, data_format="channels_first")
    assert y.shape == (1, 1, 5, 5)
    assert y[0, 0].round(3).tolist() == printed
    last = conv2d(x.transpose(0, 2, 3, 1), w.transpose(2, 3, 1, 0), b, algorithm=algorithm)
    assert last[0, :, :, 0].round(3).tolist() == printed


@each_algorithm
def test_a_1_by_1_filter_weighs_two_planes(algorithm):
    m = np.array([[[1.0, 2], [3, 4]], [[5, 6], [7, 8]]])
    w = np.array([[[2.0]], [[3.0]]])
    y = conv2d(m[None], w[None], algorithm=algorithm, data_format="channels_first")
    assert y.tolist() == [[[[17, 22], [27, 32]]]]
    last = conv2d(m.transpose(1, 2, 0)[None], w.reshape(1, 1, 2, 1), algorithm=algorithm)
    assert last[0, :, :, 0].tolist() == [[17, 22], [27, 32]]


# A 3x3 image and a 2x2 kernel

X = np.arange(1.0, 10).reshape(1, 3, 3, 1)
W = np.arange(1.0, 5).reshape(2, 2, 1, 1)


def test_3_by_3_under_2_by_2_in_columns():
    cols = im2col(X, 2)
    assert cols.tolist() == [[1, 2, 4, 5], [2, 3, 5, 6], [4, 5, 7, 8], [5, 6, 8, 9]]
    summed = [[1, 4, 3], [8, 20, 12], [7, 16, 9]]
    assert col2im(cols, X.shape, 2)[0, :, :, 0].tolist() == summed


@each_algorithm
def test_3_by_3_under_2_by_2_forward_and_backward(algorithm):
    assert conv2d(X, W, algorithm=algorithm)[0, :, :, 0].tolist() == [[37, 47], [67, 77]]
    dy = np.arange(1.0, 5).reshape(1, 2, 2, 1)
    dx, dw, db = conv2d_backward(dy, X, W, algorithm=algorithm)
    assert dx[0, :, :, 0].tolist() == [[1, 4, 4], [6, 20, 16], [9, 24, 16]]
    assert dw[:, :, 0, 0].tolist() == [[37, 47], [67, 77]]
    assert db.tolist() == [10]


def test_convolution_rounds_sizes_down_and_pooling_can_round_up():
    x = np.arange(30.0).reshape(1, 5, 6, 1)
    assert conv2d(x, np.ones((2, 3, 1, 1)), stride=2).shape == (1, 2, 2, 1)
    assert max_pool2d(x, (2, 3), stride=2).shape == (1, 2, 2, 1)
    assert max_pool2d(x, (2, 3), stride=2, ceil_mode=True).shape == (1, 3, 3, 1)


@pytest.mark.parametrize(("layer", "weights"), [(Conv1x1(32), 16_416), (Conv(32, 3), 147_488)])
def test_512_by_12_by_12_to_32_channels(layer, weights):
    summary = Sequential([layer]).summary((12, 12, 512))
    assert summary.weights == weights
    assert summary.rows[0].output_shape == (12, 12, 32)
    assert f"{weights:,}" in str(summary)


# Listings for Keras

PAGE = Path(__file__).parents[2] / "docs" / "keras_listings.md"
NORM = 4  # numbers for each channel


def keras_conv(C, F, size=1):
    return size * size * C * F + F


def keras_bottleneck(C, F):
    convolutions = keras_conv(C, F) + keras_conv(F, F, 3) + keras_conv(F, 4 * F)
    return convolutions + NORM * 6 * F + keras_conv(C, 4 * F) + NORM * 4 * F


def keras_separable(C, F):
    return 10 * C + NORM * C + keras_conv(C, F) + NORM * F


def keras_fire(C, squeeze, expand):
    return keras_conv(C, squeeze) + keras_conv(squeeze, expand) + keras_conv(squeeze, expand, 3)


def keras_chain(*channels):
    return sum(keras_conv(a, b) for a, b in pairwise(channels))


FIRES = [(16, 64), (16, 64), (32, 128), (32, 128), (48, 192), (48, 192), (64, 256), (64, 256)]
KERAS = {
    "pointwise_conv": keras_conv(64, 32),
    "dimension_reduction": keras_conv(64, 32),
    "the Sequential model": keras_conv(64, 32),
    "feature_fusion": keras_conv(3, 1),
    "add_depth": 3 * keras_conv(64, 64),
    "inception_module": 4 * keras_conv(192, 64) + keras_conv(64, 64, 3) + keras_conv(64, 64, 5),
    "resnet_bottleneck_block": keras_bottleneck(256, 128),
    "resnet_bottleneck_block, 64 to 256": keras_bottleneck(64, 64),
    "depthwise_separable_conv": keras_separable(3, 32) + keras_separable(32, 64),
    "channel_attention": keras_chain(64, 4, 64),
    "feature_pyramid_network": sum(
        keras_conv(C, 256) + keras_conv(256, 256, 3) for C in (256, 512, 1024, 2048)
    ),
    "Network in Network": keras_conv(3, 192, 5)
    + keras_chain(192, 160, 96, 96, 192, 192, 192, 192, 192, 10),
    "SqueezeNet-like": keras_conv(3, 96, 7)
    + sum(
        keras_fire(C, *fire)
        for C, fire in zip([96, *(2 * e for _, e in FIRES)], FIRES, strict=False)
    )
    + keras_conv(512, 1000),
}


def blocks_of(text):
    return "\n".join(re.findall(r"```python\n(.*?)```", text, re.DOTALL))


@pytest.mark.skipif(not PAGE.exists(), reason="docs are not installed")
def test_the_page_of_keras_listings(capsys):
    text = PAGE.read_text()
    table = re.findall(r"^\| (.+?) \| (.+?) \| ([\d,]+) \| ([\d,]+) \|$", text, re.MULTILINE)
    rows = {name: (shape, theirs, ours) for name, shape, theirs, ours in table}
    before, *sections = re.split(r"^### (.+)$", text, flags=re.MULTILINE)
    assert sections[::2] == list(rows)
    names = {}
    exec(compile(blocks_of(before), str(PAGE), "exec"), names)
    for name, section in zip(sections[::2], sections[1::2], strict=True):
        exec(compile(blocks_of(section), f"{PAGE}: {name}", "exec"), names)
        shape, theirs, ours = rows[name]
        shape = names["maps"] if shape == "four maps" else tuple(map(int, shape.split(" x ")))
        assert f"{names['net'].summary(shape).weights:,}" == ours, name
        listing = name.replace("`", "").removesuffix(", by default")
        assert f"{KERAS[listing]:,}" == theirs, name
        assert (ours == theirs) != name.endswith(", by default"), name
    assert "2,080" in capsys.readouterr().out


def test_listings_of_known_counts():
    assert KERAS["resnet_bottleneck_block"] == 383_232
    assert KERAS["depthwise_separable_conv"] == 3_114
    assert KERAS["Network in Network"] == 239_018
    assert KERAS["SqueezeNet-like"] == 1_248_424
    assert KERAS["feature_pyramid_network"] == 3_344_384


NETWORKS = {name: models.small(name, (32, 32, 3), 10) for name in models.MODELS}
NETWORKS["bottleneck"] = Sequential([Conv1x1(32), blocks.bottleneck(8)])
NETWORKS["depthwise separable"] = Sequential([blocks.depthwise_separable(12), GlobalAvgPool()])


@pytest.mark.parametrize("name", NETWORKS)
def test_networks_run_on_im2col_and_blas(name):
    """Outputs and gradients are those of the default's exact algorithms, but for rounding."""
    found = {}
    for algorithm in ("im2col", "direct"):
        network = Network(
            NETWORKS[name],
            (32, 32, 3),
            10,
            batch_size=3,
            dtype="float64",
            training=True,
            algorithm=algorithm,
            rng=generator(2),
        )
        network.weights.initialise(generator(0))
        network.x[...] = normals(*network.x.shape, seed=1)
        y = network.forward(3).copy()
        network.doutput[...] = normals(*network.doutput.shape, seed=3)
        network.backward(3)
        found[algorithm] = y, network.grads.flat.copy()
        names = {name for row in network.summary().rows for name in row.algorithms}
        assert names - {"-"} <= ({"im2col"} if algorithm == "im2col" else {"direct", "scatter"})
    for got, want in zip(found["im2col"], found["direct"], strict=True):
        assert_close(got, want, "float64", BOUNDS["im2col"][0] * 1e3)
