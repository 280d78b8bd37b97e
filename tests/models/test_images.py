"""U-Net and FCN: published counts, sizes, forms of images, a step of training."""

import re

import numpy as np
import pytest
from seeded import generator

from cnnkit import Network, models
from cnnkit.graph.graph import Graph
from cnnkit.layers import BatchNorm, ConvTranspose
from cnnkit.layers.base import count_weights
from cnnkit.losses import Pixelwise, SoftmaxCrossEntropy

SHAPES = [(64, 64, 3), (50, 41, 1), (8, 8, 1), (9, 31, 2), (5, 3, 1), (1, 100, 2), (1, 1, 4)]
each_shape = pytest.mark.parametrize("shape", SHAPES, ids=str)
each_model = pytest.mark.parametrize("name", models.IMAGE_MODELS)


def at_every_size(channels, filters):
    """The weights of a U-Net, added up as its figure shows it."""
    total, before = 0, channels
    for number in filters:  # down, and the bottom
        total += 9 * before * number + number + 9 * number * number + number
        before = number
    for number in filters[-2::-1]:  # up: 2x2, then two convolutions, the first of both maps
        total += 4 * 2 * number * number + number
        total += 9 * 2 * number * number + number + 9 * number * number + number
    return total


class TestPublished:
    def test_weights_of_the_u_net(self):
        """Ronneberger et al. (2015), figure 1, grey images and two classes: 31,030,658."""
        graph = models.unet(2)
        count = count_weights(graph.weight_specs((572, 572, 1)), trained=True)
        assert count == at_every_size(1, [64, 128, 256, 512, 1024]) + 2 * (64 + 1) == 31_030_658
        convolutions = [layer for _, layer, _ in graph.flattened(2) if "Conv" in repr(layer)]
        assert len(convolutions) == 23  # "in total the network has 23 convolutional layers"

    def test_weights_of_the_fcn(self):
        """VGG-16 without its last layer, 134,260,544 ("134M", Long et al., table 1), and scores."""
        vgg = 138_357_544 - 1000 * 4097
        scores = 21 * (4097 + 513 + 257)
        up = 21 * 21 * (4 * 4 + 4 * 4 + 16 * 16)
        count = count_weights(models.fcn(21).weight_specs((500, 500, 3)), trained=True)
        assert count == vgg + scores + up == 134_489_759

    @pytest.mark.parametrize(("stride", "number"), [(8, 3), (16, 2), (32, 1)])
    def test_the_three_fcns(self, stride, number):
        graph = models.fcn(21, (64, 64, 3), stride=stride)
        up = [layer for _, layer, _ in graph.flattened(21) if isinstance(layer, ConvTranspose)]
        assert [layer.stride for layer in up] == [2] * (number - 1) + [stride]

    def test_convolutions_of_the_fcn_take_the_weights_of_vgg16(self):
        ours, theirs = models.fcn(5, width=1 / 8), models.vgg16(5, (500, 500, 3), width=1 / 8)
        ours, theirs = (graph.weight_specs((500, 500, 3)) for graph in (ours, theirs))
        shared = [path for path in theirs if path.startswith("conv")]
        assert len(shared) == 26
        assert {path: ours[path].shape for path in shared} == {
            path: theirs[path].shape for path in shared
        }


class TestShapes:
    @each_model
    @each_shape
    def test_maps_are_as_large_as_the_image(self, name, shape):
        graph = models.IMAGE_MODELS[name](None, shape, width=1 / 16)
        assert isinstance(graph, Graph)
        assert graph.resolve(shape, 3).output_shapes == ((*shape[:2], 3),)

    @pytest.mark.parametrize("stride", [16, 32])
    @each_shape
    def test_so_are_those_of_other_fcns(self, shape, stride):
        graph = models.fcn(3, shape, width=1 / 16, stride=stride)
        assert graph.output_shape(shape) == (*shape[:2], 3)

    @pytest.mark.parametrize("depth", range(6))
    def test_depth(self, depth):
        shapes = models.unet(3, (40, 40), depth=depth, width=1 / 16).resolve((40, 40, 1), 3).shapes
        assert f"pool{depth}" in shapes or depth in (0, 5)
        assert f"pool{depth + 1}" not in shapes
        side = shapes["bottom/relu2"][0]
        assert side == [40, 20, 10, 5, 3, 3][depth]

    def test_norm(self):
        def norms(graph):
            return sum(isinstance(layer, BatchNorm) for _, layer, _ in graph.flattened(2))

        small = {"width": 1 / 16, "depth": 2}
        assert norms(models.unet(2, (16, 16), **small)) == 0
        assert norms(models.unet(2, (16, 16), norm=True, **small)) == 10

    def test_signals_have_kernels_of_one_row(self):
        graph = models.default_unet(2, (1, 64, 2))
        assert graph.weight_specs((1, 64, 2))["down1/conv1/w"].shape == (1, 3, 2, 16)

    def test_the_default_is_the_u_net_with_norms_and_a_quarter_of_the_filters(self):
        shape = (64, 64, 3)
        ours = models.default_unet(4, shape).weight_specs(shape)
        unet = models.unet(4, shape, width=1 / 4, norm=True).weight_specs(shape)
        assert {path: spec.shape for path, spec in ours.items()} == {
            path: spec.shape for path, spec in unet.items()
        }


@each_model
@pytest.mark.parametrize("shape", [(8, 8, 1), (17, 9, 2)], ids=str)
def test_a_step_reaches_all_weights(name, shape):
    rng = generator(0)
    graph = models.IMAGE_MODELS[name](None, shape, width=1 / 16)
    network = Network(graph, shape, 3, batch_size=4, training=True, rng=rng)
    network.weights.initialise(rng)
    network.x[:] = rng.standard_normal(network.x.shape)
    targets = rng.integers(0, 3, (4, *shape[:2]))
    loss = Pixelwise(SoftmaxCrossEntropy(3))(network.forward(4), targets, network.doutput)
    assert np.isfinite(loss)
    network.backward(4)
    paths = [path for path, spec in network.weights.specs.items() if spec.trained]
    assert np.mean([network.grads[path].any() for path in paths]) > 0.9


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("unet", {"depth": -1}, "unet: depth must be an int from 0 to 10, got -1."),
        ("unet", {"depth": 11}, "unet: depth must be an int from 0 to 10, got 11."),
        ("unet", {"norm": 1}, "unet: norm must be a bool, got 1."),
        ("unet", {"width": 0}, "unet: width must be a positive number, got 0."),
        ("default_unet", {"width": "1"}, "default_unet: width must be a positive number, got '1'"),
        ("fcn", {"stride": 4}, "fcn: stride must be 8, 16 or 32, got 4."),
        ("fcn", {"stride": True}, "fcn: stride must be 8, 16 or 32, got True."),
        ("fcn", {"stride": "8"}, "fcn: stride must be 8, 16 or 32, got '8'."),
        ("fcn", {"stride": [8]}, "fcn: stride must be 8, 16 or 32, got [8]."),
    ],
)
def test_refused(name, options, message):
    with pytest.raises((TypeError, ValueError), match=f"^{re.escape(message)}"):
        models.IMAGE_MODELS[name](2, (64, 64), **options)


def test_a_name_finds_them_and_those_of_one_number_per_output_are_others():
    assert models.find("unet") is models.find(models.unet) is models.unet
    assert not models.IMAGE_MODELS.keys() & models.MODELS.keys()
    with pytest.raises(ValueError, match=r"^small: name must be one of"):
        models.small("unet")
