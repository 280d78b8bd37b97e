"""The same bits on any number of threads, and for a row in any batch."""

import layer_cases
import numpy as np
import pytest
from layer_oracles import bound, same_bits_on_any_number_of_threads, step
from oracles import assert_same_bits

from cnnkit import CNNClassifier, Graph, Input, Residual, Sequential, models, set_num_threads
from cnnkit.augmentation import Flip, Noise, Shift
from cnnkit.blocks import (
    basic_block,
    bottleneck,
    channel_attention,
    depthwise_separable,
    feature_pyramid,
    fire,
    inception,
    mlpconv,
)
from cnnkit.layers import (
    Add,
    AvgPool,
    BatchNorm,
    Concat,
    Conv,
    Conv1x1,
    Dense,
    DepthwiseConv,
    Dropout,
    Flatten,
    GlobalAvgPool,
    GlobalMaxPool,
    HardSwish,
    Identity,
    LeakyReLU,
    LocalResponseNorm,
    MaxPool,
    Pad,
    ReLU,
    ReLU6,
    Reshape,
    Sigmoid,
    SiLU,
    Softmax,
    Tanh,
    UpSample,
)

BATCHES = (1, 2, 3, 7, 32, 100, 300)  # the last is predicted by a packed network
FILTERS = (1, 3, 8, 16, 17, 32)
ACTIVATIONS = (ReLU, ReLU6, LeakyReLU, Sigmoid, Tanh, SiLU, HardSwish, Identity)


def pick(rng, choices):
    return choices[rng.integers(len(choices))]


# Parts of a network, each a layer for images of a shape


def conv(rng, shape):
    """A convolution of any kind, perhaps normalised, and an activation."""
    H, W, C = shape
    filters, groups = pick(rng, FILTERS), 1
    if rng.random() < 0.3:
        groups = int(pick(rng, [d for d in range(1, C + 1) if C % d == 0]))
        filters = groups * int(rng.integers(1, 5))
    layer = Conv(
        filters,
        tuple(int(k) for k in rng.integers(1, 4, 2)) if rng.random() < 0.4 else 3,
        stride=int(pick(rng, [1, 1, 2])),
        padding=pick(rng, ["same", 1, ((0, 1), (2, 0))]),
        dilation=int(pick(rng, [1, 1, 2])) if min(H, W) > 6 else 1,
        groups=groups,
        bias=bool(rng.integers(2)),
    )
    norm = [BatchNorm()] if rng.random() < 0.5 else []
    return Sequential([layer, *norm, pick(rng, ACTIVATIONS)()])


def depthwise(rng, shape):
    stride, multiplier = int(pick(rng, [1, 1, 2])), int(pick(rng, [1, 1, 2]))
    size = int(pick(rng, [3, 5]))
    return DepthwiseConv(size, stride=stride, padding="same", depth_multiplier=multiplier)


def pool(rng, shape):
    layer, stride = pick(rng, [MaxPool, AvgPool]), int(pick(rng, [1, 2]))
    return layer(int(pick(rng, [2, 3])), stride=stride, padding="same")


def between(rng, shape):
    layers = [BatchNorm(), LocalResponseNorm(), Dropout(0.2), Softmax(), Pad(1)]
    return pick(rng, [*layers, Reshape((shape[1], shape[0], shape[2]))])


def residual(rng, shape):
    body = [Conv(8, 3), BatchNorm(), ReLU(), Conv(shape[2], 3)]
    return Residual(body, pick(rng, [None, [Conv1x1(shape[2])]]))


def concat(rng, shape):
    """Branches, some of which share what they read."""
    pooled = [MaxPool(3, stride=1, padding="same"), Conv1x1(5)]
    return Concat([Conv1x1(8), ReLU(), [Conv1x1(4), ReLU(), Conv(16, 3)], pooled])


def attention(rng, shape):
    return channel_attention(shape[2], ratio=min(4, shape[2]))


def upsample(rng, shape):
    if max(shape[:2]) > 16:
        return AvgPool(2)
    return UpSample(2, method=pick(rng, ["nearest", "bilinear"]))


def pyramid(rng, shape):
    """One map of a feature pyramid over two stages."""
    x = Input()
    larger = Conv(8, 3)(x)
    if shape[0] % 2 or shape[1] % 2:
        return Graph.from_outputs(Add()(ReLU()(larger), larger))
    smaller = MaxPool(2)(larger)
    first, second = feature_pyramid([larger, smaller], 12)
    return Graph.from_outputs(Concat()(first, UpSample(2)(second)))


def block(rng, shape):
    C = shape[2]
    made = [
        fire(4, 8),
        mlpconv([8, 6], 3),
        depthwise_separable(16, 2),
        basic_block(16, 2),
        bottleneck(4, projection=True),
        inception(4, 8, 8, 4, 4, 4),
    ]
    return Sequential([BatchNorm(), pick(rng, made)]) if C > 1 else Conv(6, 3)


PARTS = [conv, conv, conv, depthwise, pool, between, residual, concat, attention, upsample, pyramid]
PARTS += [block, block]


def head(rng, shape):
    dense = [Flatten(), Dense(16), ReLU(), Dense()]
    global_pool = pick(rng, [GlobalAvgPool, GlobalMaxPool])()
    return pick(rng, [dense, [Conv1x1(), GlobalAvgPool()], [global_pool, Dense()]])


def network(rng, shape):
    """Layers one after another, and the shape of the images."""
    found = []
    for _ in range(rng.integers(2, 7)):
        part = pick(rng, PARTS)(rng, shape)
        found.append(part)
        shape = part.output_shape(shape)
    return found + head(rng, shape)


def architecture(number, rng):
    """Layers and the shape of their images: a network of the literature, or any other."""
    if number % 4 == 3:
        name = sorted(models.MODELS)[number // 4 % len(models.MODELS)]
        return models.small(name, (16, 16, 3)), (16, 16, 3)
    shape = (*(int(n) for n in rng.integers(8, 25, 2)), int(rng.integers(1, 5)))
    return network(rng, shape), shape


def options(rng, graph):
    """Hyper-parameters of a fit of two epochs."""
    drops = any(isinstance(layer, Dropout) for _, layer, _ in Sequential(graph).flattened())
    found = {"max_iter": 2, "batch_size": 16, "random_state": int(rng.integers(1000))}
    solver = pick(rng, ["adam", "sgd", "adamw"] + ([] if drops else ["lbfgs"]))
    if solver == "lbfgs":
        return found | {"solver": solver}
    changes = {
        "solver": solver,
        "clip_norm": pick(rng, [None, 0.5]),
        "ema_decay": pick(rng, [None, 0.9]),
        "augmentation": pick(rng, [None, [Flip(), Shift(1), Noise()]]),
        "algorithm": pick(rng, ["auto", "auto", "exact", "im2col"]),
    }
    return found | changes


@pytest.fixture
def threads():
    yield set_num_threads
    set_num_threads(None)


def test_networks(trials, threads):
    """Fits on 1, 2, 3, 4 and 8 threads; predictions of all of them, in batches of any size."""
    for rng in trials(quick=8, full=50):
        layers, shape = architecture(trials.number, rng)
        dtype = pick(rng, ["float32", "float64"])
        X = rng.standard_normal((300, *shape)).astype(dtype)
        y = np.arange(300) % 3
        given = options(rng, layers if isinstance(layers, list) else [layers])

        def fitted(n, layers=layers, given=given, X=X, y=y):
            threads(n)
            return CNNClassifier(layers, **given).fit(X[:40], y[:40])

        def learnt(clf):
            return clf.network_.weights.flat, np.array(clf.loss_curve_)

        clf = fitted(1)
        assert np.isfinite(clf.loss_)
        outputs = clf.decision_function(X)
        for n in (2, 3, 4, 8):
            other = fitted(n)
            assert_same_bits(learnt(other), learnt(clf))
            assert_same_bits(other.decision_function(X), outputs)
        for size in BATCHES[:-1]:
            threads(int(rng.integers(1, 5)))
            packed = clf.network_.resized(size, packed=True)
            for start in (0, 299 - size):
                rows = slice(start, start + size)
                assert_same_bits(clf.decision_function(X[rows]), outputs[rows])
                assert_same_bits(packed.forward(packed.load(X, rows)), outputs[rows])


# Every layer on its own


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize(("layer", "shapes"), layer_cases.large(), ids=str)
class TestLayers:
    def test_on_any_number_of_threads(self, layer, shapes, dtype):
        def make():
            network = bound(layer, *shapes, batch=12, dtype=dtype)
            return (*step(network, 11), network.grads.flat)

        assert same_bits_on_any_number_of_threads(make)

    def test_in_any_batch(self, layer, shapes, dtype):
        whole = bound(layer, *shapes, batch=12, dtype=dtype, training=False)
        wanted = step(whole)[0]
        for size in (1, 2, 3, 7):
            small = bound(layer, *shapes, batch=size, dtype=dtype, training=False)
            for path, array in whole.weights.items():
                small.weights[path] = array[4 : 4 + size] if path.endswith("/x") else array
            assert_same_bits(step(small)[0], wanted[4 : 4 + size])
