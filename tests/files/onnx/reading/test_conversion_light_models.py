"""The nine light models of the onnx package, with random weights, against ONNX Runtime.

In the files every weight is 0.02, which hides a wrong order of axes.
"""

import os

import numpy as np
import pytest
from seeded import generator

pytest.importorskip("onnx", reason="needs onnx: pip install 'cnnkit[onnx]'")
pytest.importorskip("onnxruntime", reason="needs onnxruntime")
import onnx
import onnxruntime as runtime
from onnx import numpy_helper
from onnx_cases import run

FOLDER = os.path.join(os.path.dirname(onnx.__file__), "backend", "test", "data", "light")
QUICK = ["squeezenet", "shufflenet", "inception_v2"]
OTHERS = ["bvlc_alexnet", "densenet121", "inception_v1", "resnet50", "vgg19", "zfnet512"]


def drawn(name):
    """The model of a file with weights drawn, and its logits as output."""
    model = onnx.load(os.path.join(FOLDER, f"light_{name}.onnx"))
    rng, graph = generator(0), model.graph
    shapes = {entry.name: numpy_helper.to_array(entry) for entry in graph.initializer}
    for node in [entry for entry in graph.node if entry.op_type == "ConstantOfShape"]:
        shape = shapes[node.input[0]]
        if len(shape) > 1:
            weights = rng.standard_normal(shape) * np.sqrt(2 / np.prod(shape[1:]))
        else:
            weights = rng.uniform(0.5, 1.5, shape)
        array = numpy_helper.from_array(weights.astype(np.float32), node.output[0])
        graph.initializer.append(array)
        graph.node.remove(node)
    last = graph.node[-1]
    if last.op_type == "Softmax":
        graph.output[0].name = last.input[0]
        graph.output[0].type.tensor_type.ClearField("shape")
        del graph.node[-1]
    return model.SerializeToString()


@pytest.mark.parametrize("name", QUICK + OTHERS)
def test_logits(name, request):
    if name in OTHERS and not request.config.getoption("--full"):
        pytest.skip("takes long: --full runs it")
    data = drawn(name)
    options = runtime.SessionOptions()
    options.log_severity_level = 3
    session = runtime.InferenceSession(data, options, providers=["CPUExecutionProvider"])
    entry = session.get_inputs()[0]
    x = generator(1).standard_normal(entry.shape).astype(np.float32)
    (want,) = session.run(None, {entry.name: x})
    (got,) = run(data, {entry.name: x}).values()
    assert abs(got - want).max() <= 1e-5 * abs(want).max()
