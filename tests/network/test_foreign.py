"""Weights of other libraries: names, axes, what is missing, and preprocessing."""

import warnings

import numpy as np
import pytest
from seeded import generator

from cnnkit import (
    BatchNorm,
    CNNClassifier,
    Conv,
    Dense,
    DepthwiseConv,
    Flatten,
    GlobalAvgPool,
    MaxPool,
    Network,
    ReLU,
    io,
    models,
)
from cnnkit.models.foreign_names import has_weights, tables

KERAS = {"w": "kernel", "b": "bias", "gamma": "gamma", "beta": "beta"}
KERAS |= {"mean": "moving_mean", "var": "moving_variance"}
TORCH = {"w": "weight", "b": "bias", "gamma": "weight", "beta": "bias"}
TORCH |= {"mean": "running_mean", "var": "running_var"}
TABLES = {
    f"{model}, {word}": (model, word, source, names) for model, word, source, names in tables()
}
SHAPE = (64, 64, 3)


def network_of(model, source, shape=SHAPE):
    """A narrow network of a model that suits the weights of a source."""
    options = {"width": 1 / 8}
    if model == "resnet50":
        options["strided"] = "3x3"
    for name, wanted in source.needs.values():
        if name == "padding":
            options["padding"] = "same" if wanted == "same" else "symmetric"
    return models.MODELS[model](None, shape, **options)


def drawn(graph, shape, n_outputs):
    """A network with weights at random, none of them alike."""
    network = Network(graph, shape, n_outputs)
    network.weights.flat[:] = generator(0).random(len(network.weights.flat)) + 0.5
    return network


def there(network, names, keras):
    """The weights of a network under the names and with the axes of another library."""
    found = {}
    nodes = {node.name: node for node in network.resolved.nodes}
    for path, array in network.weights.items():
        leaf, _, part = path.rpartition("/")
        if keras:
            if isinstance(nodes[leaf].layer, DepthwiseConv):
                found[f"{names[leaf]}/depthwise_kernel:0"] = array.transpose(0, 1, 3, 2)
            else:
                found[f"{names[leaf]}/{KERAS[part]}:0"] = array
            continue
        if array.ndim == 4:
            array = array.transpose(3, 2, 0, 1)
        elif array.ndim == 2:
            before = nodes.get(nodes[leaf].inputs[0])
            while before and not isinstance(before.layer, (Flatten, Dense, GlobalAvgPool)):
                before = nodes.get(before.inputs[0])
            if isinstance(before.layer, Flatten):
                image = network.resolved.shapes[before.inputs[0]]
                array = array.reshape(*image, -1).transpose(2, 0, 1, 3).reshape(array.shape)
            array = array.T
        found[f"{names[leaf]}.{TORCH[part]}"] = array
        if part == "var":
            found[f"{names[leaf]}.num_batches_tracked"] = np.array(3)
    return found


@pytest.mark.parametrize("table", TABLES)
def test_weights_come_back(table):
    model, word, source, names = TABLES[table]
    graph = network_of(model, source)
    network = drawn(graph, SHAPE, 7)
    mapping = there(network, names, word == "Keras")
    found = io.convert_weights(dict(reversed(mapping.items())), graph, SHAPE)
    assert found.keys() == network.weights.keys()
    for path, array in network.weights.items():
        if not path.endswith("/gamma"):
            np.testing.assert_array_equal(found[path], array, err_msg=path)
    for node in network.resolved.nodes:
        if isinstance(node.layer, BatchNorm) and source.eps is not None:
            var, ours, theirs = network.weights[f"{node.name}/var"], node.layer.eps, source.eps
            scale = network.weights[f"{node.name}/gamma"] / np.sqrt(var + theirs)
            wanted = scale * np.sqrt(var + ours)
            np.testing.assert_allclose(found[f"{node.name}/gamma"], wanted, 1e-6)


@pytest.mark.parametrize("table", TABLES)
def test_preprocessing_by_the_names(table):
    model, word, source, names = TABLES[table]
    graph = network_of(model, source)
    mapping = there(drawn(graph, SHAPE, 7), names, word == "Keras")
    if table in ("vgg16, Keras", "vgg19, Keras", "efficientnet_lite0, timm"):
        assert source.preprocessing is None
        with pytest.raises(ValueError, match=r"preprocessing must .* names do not say it, got 'au"):
            io.convert_weights(mapping, graph, SHAPE, preprocessing="auto")
        return
    found = io.convert_weights(mapping, graph, SHAPE, preprocessing="auto")
    wanted = {"Keras": 127.5, "EfficientNet-PyTorch": 127}.get(word, 255 * 0.406)
    np.testing.assert_allclose(found["input/mean"][2], wanted)


@pytest.mark.parametrize("table", TABLES)
def test_every_name_is_another(table):
    model, _, _, names = TABLES[table]
    leaves = [n.name for n in models.MODELS[model]().flattened(1) if has_weights(n.layer)]
    assert list(names) == leaves
    assert len(set(names.values())) == len(names)


def test_published_names():
    found = {table: names for table, (*_, names) in TABLES.items()}
    assert found["vgg16, torchvision"]["conv5_3"] == "features.28"
    assert found["vgg16, torchvision"]["fc8"] == "classifier.6"
    assert found["alexnet, torchvision"]["conv5"] == "features.10"
    assert found["alexnet, torchvision"]["fc6"] == "classifier.1"
    names = found["squeezenet_1_1, torchvision"]
    assert names["fire9/expand/expand_3x3/conv1"] == "features.12.expand3x3"
    assert names["conv10"] == "classifier.1"
    names = found["resnet50, torchvision"]
    assert names["conv3_1/residual/shortcut/conv1"] == "layer2.0.downsample.0"
    names = found["mobilenet_v2, torchvision"]
    assert names["block1/depthwise"] == "features.1.conv.0.0"
    assert names["block17/project_norm"] == "features.17.conv.3"
    assert found["mobilenet_v2, timm"]["block5/residual/body/expand"] == "blocks.2.1.conv_pw"
    assert found["mobilenet_v2, Keras"]["block2/expand_norm"] == "block_1_expand_BN"


def test_another_head():
    model, _, source, names = TABLES["resnet18, torchvision"]
    graph = network_of(model, source)
    mapping = there(drawn(graph, SHAPE, 7), names, False)
    found = io.convert_weights(mapping, graph, SHAPE, head=False)
    assert "dense1/w" not in found
    without = {name: array for name, array in mapping.items() if not name.startswith("fc.")}
    assert io.convert_weights(without, graph, SHAPE, head=False).keys() == found.keys()
    X, y = generator(1).random((4, *SHAPE)), [0, 1, 0, 1]
    clf = CNNClassifier(graph, initial_weights=found, frozen=["conv1"], max_iter=1, random_state=0)
    weights = clf.fit(X, y).network_.weights
    np.testing.assert_array_equal(weights["conv1/w"], found["conv1/w"])


CHAIN = [Conv(4, 3), ReLU(), MaxPool(2), Conv(5, 3), Flatten(), Dense(6), ReLU(), Dense(3)]


def chain(axes=(3, 2, 0, 1)):
    rng = generator(2)
    shapes = {"a": (3, 3, 3, 4), "b": (3, 3, 4, 5), "c": (80, 6), "d": (6, 3)}
    found = {}
    for name, shape in shapes.items():
        array = rng.random(shape)
        found[f"{name}.weight"] = array.transpose(axes) if array.ndim == 4 else array.T
        found[f"{name}.bias"] = rng.random(shape[-1])
    return found


def test_unknown_names_by_shape():
    mapping = chain()
    found = io.convert_weights(mapping, CHAIN, (8, 8, 3))
    np.testing.assert_array_equal(found["conv2/w"], mapping["b.weight"].transpose(2, 3, 1, 0))
    rows = mapping["c.weight"].reshape(6, 5, 4, 4).transpose(2, 3, 1, 0).reshape(80, 6)
    np.testing.assert_array_equal(found["dense1/w"], rows)


def test_channels_last():
    mapping = chain((3, 0, 1, 2))
    found = io.convert_weights(mapping, CHAIN, (8, 8, 3))
    np.testing.assert_array_equal(found["conv1/w"], mapping["a.weight"].transpose(1, 2, 3, 0))
    np.testing.assert_array_equal(found["dense1/w"], mapping["c.weight"].T)


def test_equal_names_before_shapes():
    layers = [("x", Conv(3, 3)), ("y", Conv(3, 3)), GlobalAvgPool()]
    rng = generator(3)
    mapping = {
        f"{n}.{part}": rng.random(shape)
        for n in "yx"
        for part, shape in (("weight", (3, 3, 3, 3)), ("bias", 3))
    }
    found = io.convert_weights(mapping, layers, (8, 8, 3))
    np.testing.assert_array_equal(found["y/b"], mapping["y.bias"])
    unnamed = [Conv(3, 3), Conv(3, 3), GlobalAvgPool()]
    with pytest.raises(ValueError, match=r"missing \['conv1', 'conv2'\]; left over \['x', 'y'\]"):
        io.convert_weights(mapping, unnamed, (8, 8, 3))


def test_all_faults_are_listed():
    model, _, source, names = TABLES["resnet18, torchvision"]
    graph = network_of(model, source)
    mapping = there(drawn(graph, SHAPE, 7), names, False)
    for part in ("weight", "bias", "running_mean", "running_var"):
        del mapping[f"layer4.1.bn2.{part}"]
    mapping["conv1.weight"] = mapping["conv1.weight"][:, :2]
    mapping["extra.weight"] = np.zeros(3)
    message = (
        r"missing \['conv5_2/residual/body/batchnorm2 \(layer4.1.bn2\)'\]; left over \['extra'\]; "
        r"wrong \['conv1 from conv1: w must have shape \(7, 7, 3, 8\), got \(7, 7, 2, 8\)'\]"
    )
    with pytest.raises(ValueError, match=message):
        io.convert_weights(mapping, graph, SHAPE)


@pytest.mark.parametrize(
    ("table", "options", "message"),
    [
        ("resnet50, torchvision", {"strided": "1x1"}, "need stride=1 of conv3_1/residual/body"),
        ("mobilenet_v2, Keras", {"padding": "symmetric"}, "need padding='same' of block2"),
        ("mobilenet_v2, torchvision", {"padding": "same"}, "need padding=1 of block2/depthwise"),
    ],
)
def test_networks_that_compute_something_else_are_refused(table, options, message):
    model, word, _, names = TABLES[table]
    graph = models.MODELS[model](None, SHAPE, width=1 / 8, **options)
    mapping = there(drawn(graph, SHAPE, 3), names, word == "Keras")
    with pytest.raises(ValueError, match=message):
        io.convert_weights(mapping, graph, SHAPE)


@pytest.mark.parametrize(
    ("arguments", "options", "message"),
    [
        (({}, CHAIN), {}, "image_shape must be given"),
        (([1], CHAIN), {}, "mapping must have arrays by name"),
        (({"x": np.ones(3)}, CHAIN, (8, 8, 3)), {}, r"names must end in one of .*got \['x'\]"),
        ((chain(), CHAIN, (8, 8, 3)), {"preprocessing": "image"}, "preprocessing must be one of"),
        ((chain(), CHAIN, (8, 8, 3)), {"preprocessing": (0, 0)}, "preprocessing must be one of"),
        (
            (chain(), CHAIN, (8, 8, 3)),
            {"preprocessing": "auto"},
            "preprocessing must .* say it, got 'auto'",
        ),
        (
            (chain(), CHAIN, (8, 8, 3)),
            {"preprocessing": ((1, 2), 1)},
            "preprocessing must .* of 3 channels",
        ),
    ],
)
def test_refusals(arguments, options, message):
    with pytest.raises((ValueError, TypeError), match=f"convert_weights: {message}"):
        io.convert_weights(*arguments, **options)


class TestPreprocessing:
    """A mean and a scale that come with weights, in the place of the training set's."""

    X = generator(4).integers(0, 256, (12, 8, 8, 3)).astype("u1")
    y = np.arange(12) % 3

    def fitted(self, X, **options):
        weights = io.convert_weights(chain(), CHAIN, (8, 8, 3), preprocessing="imagenet")
        clf = CNNClassifier(CHAIN, initial_weights=weights, max_iter=1, random_state=0, **options)
        return clf.fit(X, self.y)

    @pytest.mark.parametrize("standardize", [True, False])
    def test_it_is_used_and_kept(self, standardize):
        weights = self.fitted(self.X, standardize=standardize).network_.weights
        np.testing.assert_allclose(weights["input/mean"], [123.675, 116.28, 103.53], 1e-6)
        np.testing.assert_allclose(weights["input/scale"], [58.395, 57.12, 57.375], 1e-6)

    def test_images_of_another_scale(self):
        message = "X has numbers from 0 to 1, training had 0 to 255: scale X as the images of"
        with pytest.warns(UserWarning, match=message):
            self.fitted(self.X / 255)
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            self.fitted(self.X.astype("f4"))
