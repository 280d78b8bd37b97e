"""What `onnx.write` wrote, read back: the same network, its weights to the bit."""

import numpy as np
import pytest
from seeded import generator

pytest.importorskip("onnx", reason="needs onnx: pip install 'cnnkit[onnx]'")

from cnnkit import Network, models, onnx

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
