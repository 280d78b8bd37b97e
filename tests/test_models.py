"""Models: published counts, sizes, a step of training, and the digits."""

import inspect

import numpy as np
import pytest
from seeded import generator
from sklearn.base import clone
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

import cnnkit
from cnnkit import CNNClassifier, Network, models
from cnnkit.layers.base import count_weights
from cnnkit.losses import SoftmaxCrossEntropy
from cnnkit.training.optimizers import SGD

TORCHVISION = "torchvision's documentation, models and pre-trained weights"
COUNTS = [
    # 3x3 convolutions and two numbers a filter of their batch norms, 10 (64 + 1)
    (
        "default",
        10,
        9 * (16 + 16 * 16 + 16 * 32 + 32 * 32 + 32 * 64 + 64 * 64) + 2 * 2 * (16 + 32 + 64) + 650,
        "from its layers",
    ),
    ("lenet5", 10, 61_706, "PyTorch's tutorial 'Neural networks', class Net"),
    # 3 (9 + 1), 8 (27 + 1), 8 (8 + 1), 10 (8 + 1)
    ("convnet", 10, 30 + 224 + 72 + 90, "from its layers"),
    # 192 (75 + 1), 160 x 193, 96 x 161, 96 x 97, 192 x 97, four of 192 x 193, 10 x 193
    (
        "network_in_network",
        10,
        14_592 + 30_880 + 15_456 + 9_312 + 18_624 + 4 * 37_056 + 1_930,
        "from its layers",
    ),
    ("alexnet", 1000, 61_100_840, TORCHVISION),
    ("vgg16", 1000, 138_357_544, TORCHVISION + "; Keras Applications"),
    ("vgg19", 1000, 143_667_240, TORCHVISION + "; Keras Applications"),
    ("squeezenet_1_0", 1000, 1_248_424, TORCHVISION + "; Iandola et al., table 1"),
    ("squeezenet_1_1", 1000, 1_235_496, TORCHVISION),
    ("googlenet", 1000, 6_998_552, "Caffe's model zoo, bvlc_googlenet, without loss1 and loss2"),
    ("resnet18", 1000, 11_689_512, TORCHVISION),
    ("resnet50", 1000, 25_557_032, TORCHVISION),
    ("mobilenet_v1", 1000, 4_231_976, "Keras Applications, MobileNet, trainable"),
    ("mobilenet_v2", 1000, 3_504_872, TORCHVISION),
    ("efficientnet_lite0", 1000, 4_652_008, "timm's results, efficientnet_lite0"),
]
MULTIPLY_ADDS = [  # in 10^9, at 224 x 224
    ("vgg16", 15.47, TORCHVISION),
    ("vgg19", 19.63, TORCHVISION),
    ("alexnet", 0.71, TORCHVISION),
    ("resnet18", 1.81, TORCHVISION),
    ("squeezenet_1_0", 0.82, TORCHVISION),
    ("squeezenet_1_1", 0.35, TORCHVISION),
    ("mobilenet_v1", 0.57, "Howard et al. (2017), table 4"),
    ("mobilenet_v2", 0.30, TORCHVISION),
]
NATIVE = {
    name: inspect.signature(model).parameters["image_shape"].default
    for name, model in models.MODELS.items()
}
# A step of VGG takes 3 GB and, on a busy machine, 20 seconds: weights, gradients and momentum.
TRAINED = [name for name in NATIVE if not name.startswith("vgg")]


@pytest.fixture(autouse=True)
def one_thread():
    cnnkit.set_num_threads(1)
    yield
    cnnkit.set_num_threads(None)


def n_classes(name):
    return 1000 if NATIVE[name] == models.IMAGENET else 10


def take_step(graph, image_shape, n_outputs, batch_size):
    """Train on one batch; return the loss and the share of weight arrays that have a gradient."""
    rng = generator(0)
    network = Network(graph, image_shape, n_outputs, batch_size=batch_size, training=True, rng=rng)
    network.weights.initialise(rng)
    network.x[:] = rng.standard_normal(network.x.shape)
    loss = SoftmaxCrossEntropy()(
        network.forward(batch_size), np.arange(batch_size), network.doutput
    )
    network.backward(batch_size)
    paths = [path for path, spec in network.weights.specs.items() if spec.trained]
    moved = np.mean([network.grads[path].any() for path in paths])
    first = network.weights[paths[0]]
    before = first.copy()
    SGD(network.weights, 1e-3).step(network.grads, batch_size)
    assert np.any(first != before)
    return loss, moved


@pytest.mark.parametrize(("name", "n_outputs", "count", "source"), COUNTS)
def test_published_weights(name, n_outputs, count, source):
    specs = models.MODELS[name](n_outputs).weight_specs(NATIVE[name])
    assert count_weights(specs, trained=True) == count, source


def test_every_model_is_counted():
    assert [name for name, *_ in COUNTS] == list(models.MODELS)


@pytest.mark.parametrize(("name", "billions", "source"), MULTIPLY_ADDS)
def test_published_multiply_adds(name, billions, source):
    network = models.MODELS[name](1000)
    assert round(network.multiply_adds(models.IMAGENET) / 1e9, 2) == billions, source


@pytest.mark.parametrize("name", NATIVE)
def test_native_forward(name):
    network = Network(models.MODELS[name](), NATIVE[name], n_classes(name))
    network.x[:] = 1
    assert network.forward(1).shape == (1, n_classes(name))


@pytest.mark.parametrize("name", TRAINED)
def test_native_step(name):
    loss, moved = take_step(models.MODELS[name](), NATIVE[name], n_classes(name), 1)
    assert np.isfinite(loss)
    assert moved > 0.9


@pytest.mark.parametrize("image_shape", [(8, 8, 1), (28, 28, 1), (9, 31, 2)], ids=str)
@pytest.mark.parametrize("name", NATIVE)
def test_small_step(name, image_shape):
    graph = models.small(name, image_shape)
    loss, moved = take_step(graph, image_shape, 10, 4)
    assert np.isfinite(loss)
    assert moved > 0.9


@pytest.mark.parametrize(
    "name", sorted(set(NATIVE) - {"default", "vgg16", "vgg19", "alexnet", "lenet5"})
)
def test_width_and_image_shape_leave_all_layers_but_poolings(name):
    large = {node.name for node in models.MODELS[name]().flattened(10)}
    little = {node.name for node in models.small(name).flattened(10)}
    assert little <= large
    assert {path.split("/")[-1][:4] for path in large - little} <= {"pool"}


def test_first_strides_are_left_out():
    def sizes(side):
        shape = (side, side, 3)
        found = models.resnet18(10, shape).shapes(shape)
        names = ["conv1", *(f"conv{stage}_1/relu1" for stage in (2, 3, 4, 5))]
        return [found[name][0] for name in names]

    assert sizes(224) == [112, 56, 28, 14, 7]
    assert sizes(32) == [32, 16, 8, 4, 2]
    assert sizes(28) == [28, 28, 14, 7, 4]
    assert sizes(8) == [8, 8, 8, 4, 2]
    assert sizes(1) == [1, 1, 1, 1, 1]


def test_first_kernel_is_small_where_its_stride_is_left_out():
    assert models.resnet18(10, (64, 64, 3)).weight_specs((64, 64, 3))["conv1/w"].shape[:2] == (7, 7)
    assert models.resnet18(10, (28, 28, 1)).weight_specs((28, 28, 1))["conv1/w"].shape[:2] == (3, 3)


def test_maps_of_googlenet():
    # Szegedy et al. (2015), table 1
    found = models.googlenet(1000).shapes(models.IMAGENET)
    assert found["conv1"] == (112, 112, 64)
    assert found["pool1"] == (56, 56, 64)
    assert found["pool2"] == (28, 28, 192)
    assert found["inception_3a/merge"] == (28, 28, 256)
    assert found["inception_4e/merge"] == (14, 14, 832)
    assert found["inception_5b/merge"] == (7, 7, 1024)


@pytest.mark.parametrize(
    ("width", "trained", "others", "millions"),
    [(0.75, 2_585_560, 16_416, 325), (0.5, 1_331_592, 10_944, 149), (0.25, 470_072, 5_472, 41)],
)
def test_width_is_the_multiplier_of_mobilenet(width, trained, others, millions):
    # Weights: Keras Applications. Multiply-adds: Howard et al. (2017), table 6.
    network = models.mobilenet_v1(1000, width=width)
    specs = network.weight_specs(models.IMAGENET)
    assert count_weights(specs, trained=True) == trained
    assert count_weights(specs, trained=False) == others
    assert round(network.multiply_adds(models.IMAGENET) / 1e6) == millions


@pytest.mark.parametrize(("width", "millions"), [(0.5, 1.97), (1.4, 6.11)])
def test_widths_of_mobilenet_v2(width, millions):
    # timm's results, mobilenetv2_050 and mobilenetv2_140
    specs = models.mobilenet_v2(1000, width=width).weight_specs(models.IMAGENET)
    assert round(count_weights(specs, trained=True) / 1e6, 2) == millions


def test_paddings_of_mobilenet_v2():
    def padding(network):
        found = {node.name: node.layer.padding for node in network.flattened(10)[:1]}
        return found | {
            node.name: node.layer.padding
            for node in network.flattened(10)
            if node.name == "block2/depthwise"
        }

    assert padding(models.mobilenet_v2()) == {"conv1": 1, "block2/depthwise": 1}
    assert padding(models.mobilenet_v2(padding="same")) == {
        "conv1": "same",
        "block2/depthwise": "same",
    }


def test_the_stride_of_a_bottleneck():
    for strided, conv in (("1x1", "conv1"), ("3x3", "conv2")):
        nodes = {node.name: node.layer for node in models.resnet50(strided=strided).flattened()}
        strides = [nodes[f"conv3_1/residual/body/conv{i}"].stride for i in (1, 2, 3)]
        assert strides == [1 + (conv == f"conv{i}") for i in (1, 2, 3)]


@pytest.mark.parametrize("name", NATIVE)
def test_copies_are_equal(name):
    network = models.MODELS[name]()
    assert clone(network) == network


@pytest.mark.parametrize(
    ("name", "accuracy"),
    [("lenet5", 0.9), ("network_in_network", 0.7), ("resnet18", 0.9), ("squeezenet_1_0", 0.7)],
)
def test_small_forms_learn_the_digits(name, accuracy):
    X, y = load_digits(return_X_y=True)
    X_train, X_test, y_train, y_test = train_test_split(
        (X / 16).astype(np.float32), y, stratify=y, random_state=0
    )
    clf = CNNClassifier(
        models.small(name),
        image_shape=(8, 8, 1),
        max_iter=8,
        learning_rate_init=0.002,
        random_state=0,
    )
    assert clf.fit(X_train, y_train).score(X_test, y_test) > accuracy


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: models.resnet18(width=0), "resnet18: width must be a positive number, got 0."),
        (
            lambda: models.mobilenet_v2(padding=1),
            "mobilenet_v2: padding must be 'symmetric' or 'same', got 1.",
        ),
        (lambda: models.resnet50(strided=3), "bottleneck: strided must be '1x1' or '3x3', got 3."),
        (lambda: models.vgg16(10, (8,)), r"vgg16: image_shape must be \(H, W\) or \(H, W, C\)"),
        (lambda: models.small("resnet"), "small: name must be one of .*'resnet50'.*got 'resnet'"),
    ],
)
def test_errors(make, message):
    with pytest.raises(ValueError, match=message):
        make()
