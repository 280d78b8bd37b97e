"""What `onnx.write` wrote, read back: the same network, its weights to the bit."""

import numpy as np
import pytest
from seeded import generator

pytest.importorskip("onnx", reason="needs onnx: pip install 'cnnkit[onnx]'")

from cnnkit import Conv, Flatten, GroupNorm, Network, ReLU, Sequential, models, onnx

SHAPE = (64, 64, 3)


@pytest.mark.parametrize("name", sorted(models.MODELS))
def test_models_come_back(name, tmp_path):
    network = Network(models.MODELS[name](7, SHAPE, width=0.1), SHAPE, 7)
    network.weights.initialise(generator(0))
    onnx.write(network, tmp_path / "net.onnx", data_format="channels_first")
    back = onnx.load(tmp_path / "net.onnx")
    network.x[:] = back.x[:] = generator(1).random((1, *SHAPE)).astype(np.float32)
    wanted = network.forward(1)
    assert abs(back.forward(1) - wanted).max() <= 1e-6 * abs(wanted).max()
    found = {array.tobytes() for array in back.weights.values()}
    assert all(network.weights[path].tobytes() in found for path in network.weights)
    assert not any(type(layer).__name__ == "Permute" for _, layer, _ in back.graph.flattened())


@pytest.mark.parametrize("groups", [1, 2, 4, 8])
@pytest.mark.parametrize("data_format", ["channels_first", "channels_last"])
def test_group_norm_comes_back(groups, data_format, tmp_path):
    """As layers, not as what they are written with; its weights to the bit."""
    layers = [Conv(8), GroupNorm(groups), ReLU(), Conv(4), GroupNorm(min(groups, 4))]
    network = Network(Sequential(layers), (5, 6, 3), None)
    rng = generator(0)
    for path in network.weights:
        network.weights[path] = rng.random(network.weights[path].shape) + 0.5
    onnx.write(network, tmp_path / "net.onnx", data_format=data_format)
    back = onnx.load(tmp_path / "net.onnx")
    kinds = [type(layer).__name__ for _, layer, _ in back.graph.nodes]
    assert kinds == ["Conv", "GroupNorm", "ReLU", "Conv", "GroupNorm"]
    network.x[:] = back.x[:] = rng.random((1, 5, 6, 3)).astype(np.float32)
    wanted = network.forward(1)
    assert abs(back.forward(1) - wanted).max() <= 1e-6 * abs(wanted).max()
    found = {array.tobytes() for array in back.weights.values()}
    assert all(network.weights[path].tobytes() in found for path in network.weights)


def test_what_is_flattened_last_comes_back(tmp_path):
    network = Network(Sequential([ReLU(), Flatten()]), (5, 6, 3), None)
    onnx.write(network, tmp_path / "net.onnx", data_format="channels_first")
    back = onnx.load(tmp_path / "net.onnx")
    assert [type(layer).__name__ for _, layer, _ in back.graph.nodes] == ["ReLU", "Flatten"]
    network.x[:] = back.x[:] = generator(0).random((1, 5, 6, 3)).astype(np.float32)
    assert (back.forward(1) == network.forward(1)).all()
