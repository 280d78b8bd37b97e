"""Blocks: shapes, weights, what they compute, and their gradients."""

import numpy as np
import pytest
from seeded import generator
from sklearn.base import clone

from cnnkit import BatchNorm, Conv, Conv1x1, Graph, Input, Network, ReLU, Sequential
from cnnkit.blocks import (
    add_depth,
    basic_block,
    bottleneck,
    channel_attention,
    depthwise_separable,
    dimension_reduction,
    feature_fusion,
    feature_pyramid,
    fire,
    inception,
    inverted_residual,
    mlpconv,
)
from cnnkit.functional import conv2d
from cnnkit.layers.base import count_weights

BLOCKS = {
    "dimension_reduction": (dimension_reduction(8, 3), (6, 5, 2)),
    "feature_fusion": (feature_fusion(), (6, 5, 1)),
    "add_depth": (add_depth(8, 3), (6, 5, 8)),
    "mlpconv": (mlpconv([4, 7, 3], (5, 3), stride=(2, 1)), (3, 5, 3)),
    "fire": (fire(3, 4, 5), (6, 5, 9)),
    "inception": (inception(3, 2, 5, 1, 4, 2), (6, 5, 14)),
    "bottleneck": (bottleneck(2), (6, 5, 8)),
    "projected bottleneck": (bottleneck(3, projection=True), (6, 5, 12)),
    "strided bottleneck": (bottleneck(3, stride=2), (3, 3, 12)),
    "bottleneck from 8 channels": (bottleneck(3, channels=8), (6, 5, 12)),
    "bottleneck as Keras has it": (
        bottleneck(3, 2, bias=True, norm=BatchNorm(momentum=0.01, eps=1e-3)),
        (3, 3, 12),
    ),
    "basic_block": (basic_block(8), (6, 5, 8)),
    "basic_block from 8 channels": (basic_block(3, channels=8, bias=True), (6, 5, 3)),
    "strided basic_block": (basic_block(5, stride=2), (3, 3, 5)),
    "depthwise_separable": (depthwise_separable(5), (6, 5, 5)),
    "inverted_residual": (inverted_residual(5, 2, channels=8, kernel_size=5), (3, 3, 5)),
    "strided depthwise_separable": (depthwise_separable(5, stride=2), (3, 3, 5)),
    "depthwise_separable with biases": (depthwise_separable(5, bias=True), (6, 5, 5)),
    "channel_attention": (channel_attention(8, 3), (6, 5, 8)),
}
each_block = pytest.mark.parametrize(("block", "output_shape"), BLOCKS.values(), ids=BLOCKS)


X = generator(0).standard_normal((3, 6, 5, 8))


def bound(graph, input_shape=X.shape[1:], training=False):
    """The network of a graph in float64, all its weights drawn at random."""
    graph = graph if isinstance(graph, Graph) else Sequential([graph])
    network = Network(graph, input_shape, 1, batch_size=len(X), dtype=np.float64, training=training)
    rng = generator(1)
    network.weights.initialise(rng)
    trained = network.weights.flat[: network.weights.trained]
    trained += 0.1 * rng.standard_normal(trained.shape)
    return network


def forward(network, x=X):
    network.x[:] = x
    return network.forward(len(x))


def weights_of(block, input_shape):
    return count_weights(Sequential([block]).weight_specs(input_shape), trained=True)


@each_block
def test_shape(block, output_shape):
    assert forward(bound(block)).shape == (3, *output_shape)
    assert block.output_shape((6, 5, 8)) == output_shape


@each_block
def test_gradients(block, output_shape):
    network = bound(block, training=True)
    rng = generator(2)
    doutput = rng.standard_normal(network.output.shape)
    middle = np.vdot(forward(network), doutput)
    network.doutput[:] = doutput
    network.backward(3)
    grads = network.grads.flat[: network.weights.trained].copy()
    weights = network.weights.flat[: network.weights.trained]
    direction, step = rng.standard_normal(weights.shape), 1e-6
    weights += step * direction
    above = np.vdot(forward(network), doutput)
    weights -= 2 * step * direction
    below = np.vdot(forward(network), doutput)
    slope = (above - below) / (2 * step)
    doubt = abs(above - 2 * middle + below) / (2 * step)  # much where there is a kink between
    assert abs(grads @ direction - slope) < 1e-5 * abs(slope) + doubt < 0.1 * abs(slope)


@each_block
def test_copies_are_equal(block, output_shape):
    assert clone(block) == block


def test_weights_of_the_papers_tables():
    # Iandola et al. (2016), table 1: fire2, parameters before pruning
    assert weights_of(fire(16, 64, 64), (55, 55, 96)) == 11_920
    # Szegedy et al. (2015), table 1: 3a has 159K, of 1024, without biases
    assert weights_of(inception(64, 96, 128, 16, 32, 32), (28, 28, 192)) == 163_328 + 368
    # torchvision's ResNet-50, layer1.1, and ResNet-18, layer2.0
    assert weights_of(bottleneck(64), (56, 56, 256)) == 70_400
    assert weights_of(basic_block(128, stride=2), (56, 56, 64)) == 230_144


def test_network_in_network_of_the_paper():
    # Lin et al. (2013) for CIFAR-10, as in Caffe's model zoo: 966,986 weights
    parts = [((192, 160, 96), 5, 3), ((192, 192, 192), 5, 96), ((192, 192, 10), 3, 192)]
    counts = [weights_of(mlpconv(f, kernel), (8, 8, C)) for f, kernel, C in parts]
    assert sum(counts) == 966_986


def test_one_number_gives_all_branches_as_many_filters():
    assert inception(64) == inception(64, 64, 64, 64, 64, 64)
    assert fire(16, 64) == fire(16, 64, 64)


def test_mlpconv_is_a_perceptron_at_every_pixel():
    network = bound(mlpconv([5, 4]))
    w = network.weights
    hidden = np.maximum(X @ w["conv1/w"][0, 0] + w["conv1/b"], 0)
    expected = np.maximum(hidden @ w["conv2/w"][0, 0] + w["conv2/b"], 0)
    np.testing.assert_allclose(forward(network), expected, rtol=1e-12, atol=1e-14)


def test_fire_expands_what_it_squeezed():
    network = bound(fire(3, 4, 5))
    w = network.weights
    squeezed = np.maximum(X @ w["squeeze/w"][0, 0] + w["squeeze/b"], 0)
    branch = "expand/expand_1x1/conv1x1_1/"
    expanded = np.maximum(squeezed @ w[branch + "w"][0, 0] + w[branch + "b"], 0)
    np.testing.assert_allclose(forward(network)[..., :4], expanded, rtol=1e-12, atol=1e-14)


def test_channel_attention_weighs_channels():
    network = bound(channel_attention(8, 2))
    w = network.weights
    squeezed = X.mean(axis=(1, 2)) @ w["squeeze/w"] + w["squeeze/b"]
    excited = np.maximum(squeezed, 0) @ w["excite/w"] + w["excite/b"]
    expected = X / (1 + np.exp(-excited))[:, None, None]
    np.testing.assert_allclose(forward(network), expected, rtol=1e-12)


@pytest.mark.parametrize("block", [bottleneck(2), basic_block(8)], ids=["bottleneck", "basic"])
def test_relu_follows_the_sum(block):
    network = bound(block)
    for path in network.weights:
        if path.endswith(("gamma", "beta")):
            network.weights[path] = 0
    np.testing.assert_array_equal(forward(network), np.maximum(X, 0))


def test_feature_pyramid_has_the_sizes_it_was_given():
    C2 = ReLU()(Conv(3, 3)(Input()))
    C3 = Conv(4, 3, stride=2)(C2)
    C4 = Conv(5, 3, stride=2)(C3)
    C5 = Conv(6, 3, stride=2)(C4)
    graph = Graph.from_outputs(feature_pyramid([C2, C3, C4, C5], 7))
    assert graph.output_shape((16, 8, 2)) == ((16, 8, 7), (8, 4, 7), (4, 2, 7), (2, 1, 7))


def test_feature_pyramid_adds_the_enlarged_smaller_map():
    C4 = Conv1x1(2)(Input(), name="C4")
    C5 = Conv1x1(3, stride=2)(C4, name="C5")
    P4, P5 = feature_pyramid([C4, C5], 4)
    for name, symbol in {"smooth4": P4, "smooth5": P5, "sum": P4.inputs[0]}.items():
        symbol.name = name
    lateral5, lateral4 = P5.inputs[0], P4.inputs[0].inputs[1]
    lateral5.name, lateral4.name = "lateral5", "lateral4"
    x = X[:, :4, :4]
    network = bound(Graph.from_outputs([P4, P5]), x.shape[1:])
    found = network.activations(x, ["lateral4", "lateral5", "sum", "smooth4", "smooth5"])
    enlarged = found["lateral5"].repeat(2, axis=1).repeat(2, axis=2)
    np.testing.assert_allclose(found["sum"], found["lateral4"] + enlarged, rtol=1e-12, atol=1e-14)
    w, b = network.weights["smooth5/w"], network.weights["smooth5/b"]
    np.testing.assert_allclose(
        found["smooth5"], conv2d(found["lateral5"], w, b, padding="same"), rtol=1e-12
    )
    forward(network, x)
    assert [y.shape for y in network.outputs] == [(3, 4, 4, 4), (3, 2, 2, 4)]


def test_feature_pyramid_trains():
    C4 = Conv1x1(2)(Input())
    maps = feature_pyramid([C4, Conv1x1(3, stride=2)(C4)], 4)
    x = X[:, :4, :4]
    network = bound(Graph.from_outputs(maps), x.shape[1:], training=True)
    rng = generator(2)
    doutputs = [rng.standard_normal(y.shape) for y in network.outputs]
    weights = network.weights.flat
    direction, step = rng.standard_normal(weights.shape), 1e-6

    def total():
        forward(network, x)
        return sum(map(np.vdot, network.outputs, doutputs))

    total()
    for dy, value in zip(network.doutputs, doutputs, strict=True):
        dy[:] = value
    network.backward(3)
    slope = network.grads.flat @ direction
    weights += step * direction
    above = total()
    weights -= 2 * step * direction
    np.testing.assert_allclose(slope, (above - total()) / (2 * step), rtol=1e-6)


@pytest.mark.parametrize(("block", "expansion"), [(bottleneck, 4), (basic_block, 1)])
def test_a_shortcut_is_projected_where_it_must_be(block, expansion):
    same, other = 3 * expansion, 3 * expansion + 1
    for stride, channels, projects in [
        *((1, None, False), (1, same, False), (1, other, True)),
        *((2, None, True), (2, same, True), (2, other, True)),
    ]:
        made = block(3, stride, channels=channels)
        assert made == block(3, stride, projection=projects)
        assert made.output_shape((6, 5, channels or same))[-1] == same
    assert block(3, projection=True, channels=same) == block(3, projection=True)


def test_every_normalisation_is_the_one_given():
    norm = BatchNorm(momentum=0.01, eps=1e-3)
    for block in (
        bottleneck(3, 2, bias=True, norm=norm),
        basic_block(3, 2, bias=True, norm=norm),
        depthwise_separable(3, bias=True, norm=norm),
    ):
        layers = [layer for _, layer, _ in block.flattened()]
        assert all(layer == norm for layer in layers if isinstance(layer, BatchNorm))
        assert all(getattr(layer, "bias", True) for layer in layers)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: bottleneck(3, channels=0), "bottleneck: channels must be a positive int, got 0"),
        (lambda: basic_block(3, channels=-1), "basic_block: channels must be a positive int, got"),
        (lambda: dimension_reduction(8, 9), "dimension_reduction: factor must be at most the 8 "),
        (lambda: dimension_reduction(8, 0), "dimension_reduction: factor must be a positive int"),
        (lambda: channel_attention(8), "channel_attention: ratio must be at most the 8 channels"),
        (lambda: add_depth(8, 0), "add_depth: n_layers must be an int from 1 to 1000, got 0"),
        (lambda: add_depth(8, 10**9), "add_depth: n_layers must be an int from 1 to 1000, got 1"),
        (lambda: mlpconv([]), "mlpconv: filters must be a list of at least one int"),
        (lambda: bottleneck(0), "bottleneck: filters must be a positive int, got 0"),
        (lambda: feature_pyramid([]), "feature_pyramid: symbols must be a list of symbols"),
        (lambda: bottleneck(3).output_shape((6, 5, 8)), "Add: inputs must have one shape"),
        (lambda: channel_attention(9, 3).output_shape((6, 5, 8)), "Multiply: inputs must have"),
    ],
)
def test_errors(make, message):
    with pytest.raises(ValueError, match=message):
        make()
