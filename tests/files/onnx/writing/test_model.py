"""What networks, random graphs and fitted estimators give in ONNX is what they give here."""

import warnings

import numpy as np
import pytest
from onnx_runs import assert_labels, assert_near, check, defined, images, network_of, outputs
from seeded import generator

from cnnkit import (
    ELU,
    GELU,
    SELU,
    Add,
    AvgPool,
    BatchNorm,
    ChannelShuffle,
    CNNClassifier,
    CNNFeatures,
    CNNRegressor,
    Concat,
    Conv,
    Conv1x1,
    ConvTranspose,
    Dense,
    DepthwiseConv,
    Dropout,
    Flatten,
    GlobalAvgPool,
    GlobalMaxPool,
    GroupNorm,
    HardSigmoid,
    HardSwish,
    LayerNorm,
    LeakyReLU,
    LocalResponseNorm,
    MaxPool,
    Mish,
    Multiply,
    Pad,
    PReLU,
    ReLU,
    ReLU6,
    Reshape,
    Residual,
    Sequential,
    Sigmoid,
    SiLU,
    Softmax,
    Softplus,
    SpatialDropout,
    Tanh,
    UpSample,
    models,
    onnx,
)

SHAPES = {"alexnet": (67, 67, 3), "googlenet": (64, 64, 3), "nin": (48, 48, 3)}
POINTWISE = (
    *(ReLU, ReLU6, LeakyReLU, PReLU, ELU, SELU, GELU, Mish, Softplus, Sigmoid, HardSigmoid, Tanh),
    *(SiLU, HardSwish, Softmax, BatchNorm, LayerNorm, Dropout, SpatialDropout),
)


@pytest.mark.parametrize("name", sorted(models.MODELS))
def test_networks_of_the_literature(name, tmp_path):
    shape, rng = SHAPES.get(name, (32, 32, 3)), generator(0)
    network = network_of(models.MODELS[name](5, shape, width=0.25), shape, rng, n_outputs=5)
    check(network, images(shape, rng), tmp_path / "model.onnx", data_format="channels_first")


def choice(rng, things):
    return things[rng.integers(len(things))]


def image_layer(rng, channels):
    """Return a layer that reads images of any size and so many channels."""
    padding = choice(rng, ["same", ((1, 0), (0, 1)), 1])
    filters = int(rng.integers(1, 7))
    match rng.integers(12):
        case 0 | 1:
            kernel, stride = (int(k) for k in rng.integers(1, 4, 2)), int(rng.integers(1, 3))
            return Conv(filters, tuple(kernel), stride=stride, padding="same")
        case 2:
            return Conv(channels, 2, padding=1, groups=channels, bias=bool(rng.integers(2)))
        case 3:
            return DepthwiseConv(3, stride=int(rng.integers(1, 3)), depth_multiplier=2)
        case 4:
            return choice(rng, [MaxPool, AvgPool])(2, stride=2, padding=padding, ceil_mode=True)
        case 5:
            return AvgPool(3, stride=2, padding=1, ceil_mode=True, count_include_pad=True)
        case 6:
            return LocalResponseNorm(int(rng.integers(1, 6)), alpha=0.3)
        case 7:
            return UpSample((1, 2), method=choice(rng, ["nearest", "bilinear"]))
        case 8:
            return Pad(((0, 1), (1, 0)))
        case 9:
            return ConvTranspose(filters, 2, stride=int(rng.integers(1, 3)))
        case 10:
            return choice(rng, [GroupNorm, ChannelShuffle])(choice(rng, [1, channels]))
    return choice(rng, POINTWISE)()


def block(rng, shape, depth):
    """Return a layer that reads images: some in a row, or side by side."""
    if depth == 0 or rng.random() < 0.4:
        return image_layer(rng, shape[-1])
    same = [Conv(shape[-1], int(rng.integers(1, 4))), choice(rng, POINTWISE)()]
    match rng.integers(5):
        case 0:
            return Residual(same)
        case 1:
            return Concat([same, None, Conv1x1(int(rng.integers(1, 4)))])
        case 2:
            return Add([same, None, DepthwiseConv()])
        case 3:
            gate = [choice(rng, [GlobalAvgPool, GlobalMaxPool])(), Dense(shape[-1]), Sigmoid()]
            gate += [Reshape((1, 1, -1))] * int(rng.integers(2))
            return Multiply([None, gate])
    return stack(rng, shape, depth - 1)


def stack(rng, shape, depth):
    """Return up to four blocks in a row."""
    found = []
    for _ in range(rng.integers(1, 5)):
        found.append(block(rng, shape, depth))
        shape = found[-1].output_shape(shape)
    return Sequential(found)


def head(rng):
    """Return layers that make numbers of images."""
    one = [Flatten(), *[BatchNorm()] * int(rng.integers(2)), ReLU()]
    match rng.integers(5):
        case 0:
            return [GlobalAvgPool(), Dense()]
        case 1:
            return [*one, Dense(4), Tanh(), Dense()]
        case 2:
            return [Concat([one, [GlobalMaxPool()], [Conv1x1(2), Flatten()]]), Dense()]
        case 3:
            return [Reshape((-1,)), Reshape((1, 1, -1)), Conv1x1(), Flatten()]
    return [Flatten()]


def random_graph(rng):
    """Return a graph and the shape of its input."""
    shape = (*(int(side) for side in rng.integers(5, 12, 2)), int(rng.integers(1, 5)))
    return Sequential([stack(rng, shape, 2), *head(rng)]), shape


def test_random_graphs(trials, tmp_path):
    for rng in trials(15, 200):
        graph, shape = random_graph(rng)
        dtype = "float64" if trials.number % 5 == 4 else "float32"
        network = network_of(graph, shape, rng, dtype)
        data_format = choice(rng, ["channels_last", "channels_first"])
        X = images(shape, rng, dtype)
        check(network, X, tmp_path / "model.onnx", dtype, data_format)


def fitted(rng, dtype):
    """Return a fitted estimator and images."""
    graph, shape = random_graph(rng)
    layers = [*graph.layers[:1], GlobalAvgPool(), Dense()]
    X = rng.normal(rng.integers(-50, 50), rng.integers(1, 50), (30, *shape)).astype(dtype)
    kind = choice(rng, [CNNClassifier, CNNRegressor, CNNFeatures])
    params = {"max_iter": 2, "random_state": 0, "standardize": bool(rng.integers(2))}
    y = rng.integers(0, 3, 30)
    if kind is CNNRegressor:
        y = rng.normal(100, 10, (30, int(rng.integers(1, 3))))
        y = y[:, 0] if y.shape[1] == 1 else y
    elif rng.random() < 0.3:
        y = rng.integers(0, 2, (30, 3))
    elif rng.random() < 0.5:
        y = np.array(["ant", "bee", "cow"])[y]
    if kind is CNNFeatures:
        return CNNFeatures(CNNClassifier(layers, **params)).fit(X, y), X
    return kind(layers, **params).fit(X, y), X


def test_fitted_estimators(trials, tmp_path):
    path = tmp_path / "model.onnx"
    for rng in trials(5, 50):
        dtype = choice(rng, ["float32", "float64"])
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # two epochs teach little
            model, X = fitted(rng, dtype)
        onnx.write(model, path, dtype=dtype)
        found = (outputs if dtype == "float32" else defined)(path, X)
        if isinstance(model, CNNClassifier):
            assert_near(found["probabilities"], model.predict_proba(X), dtype)
            assert_labels(found["label"], model, X)
        elif isinstance(model, CNNRegressor):
            assert_near(found["prediction"], model.predict(X), dtype)
        else:
            assert_near(found["features"], model.transform(X), dtype)
