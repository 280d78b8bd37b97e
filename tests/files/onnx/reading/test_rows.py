"""Matrices behind flattened images: right, and without a second copy of them."""

import tracemalloc

import numpy as np
import pytest
from seeded import generator

pytest.importorskip("onnx", reason="needs onnx: pip install 'cnnkit[onnx]'")
from onnx import TensorProto, helper, numpy_helper
from onnx_cases import run

from cnnkit import onnx
from cnnkit.exceptions import ModelFormatError
from cnnkit.files.onnx.reading import conversion

node = helper.make_node
RELU, FLAT = node("Relu", ["x"], ["r"]), node("Flatten", ["r"], ["f"])
TURNED = [node("Transpose", ["r"], ["t"], perm=[0, 1, 3, 2]), node("Flatten", ["t"], ["g"])]


def model(nodes, constants, shape=(5, 4, 3), outputs=("y",)):
    value = helper.make_tensor_value_info
    graph = helper.make_graph(
        nodes,
        "rows",
        [value("x", TensorProto.FLOAT, ["N", *shape])],
        [value(name, TensorProto.FLOAT, None) for name in outputs],
        [numpy_helper.from_array(array, name) for name, array in constants.items()],
    )
    opsets = [helper.make_opsetid("", 13)]
    return helper.make_model(graph, opset_imports=opsets, ir_version=8).SerializeToString()


def matrix(*shape):
    return generator(0).standard_normal(shape).astype(np.float32)


MODELS = {
    "by columns": ([node("MatMul", ["f", "w"], ["y"])], matrix(60, 7)),
    "by rows": ([node("Gemm", ["f", "w"], ["y"], transB=1)], matrix(7, 60)),
    "by a factor": ([node("Gemm", ["f", "w"], ["y"], alpha=0.5)], matrix(60, 7)),
    "one column": ([node("MatMul", ["f", "w"], ["y"])], matrix(60, 1)),
    "the same twice": (
        [
            node("MatMul", ["f", "w"], ["a"]),
            node("MatMul", ["f", "w"], ["b"]),
            node("Mul", ["a", "b"], ["y"]),
        ],
        matrix(60, 7),
    ),
    "in two orders": (
        [
            *TURNED,
            node("MatMul", ["f", "w"], ["a"]),
            node("MatMul", ["g", "w"], ["b"]),
            node("Mul", ["a", "b"], ["y"]),
        ],
        matrix(60, 7),
    ),
    "in part": (
        [
            node("Slice", ["w", "zero", "four", "one"], ["v"]),
            node("MatMul", ["f", "w"], ["a"]),
            node("Sigmoid", ["f"], ["s"]),
            node("MatMul", ["s", "v"], ["b"]),
            node("Concat", ["a", "b"], ["y"], axis=1),
        ],
        matrix(60, 7),
    ),
    "as rows, too": (
        [
            node("MatMul", ["f", "w"], ["a"]),
            node("Transpose", ["w"], ["v"], perm=[1, 0]),
            node("MatMul", ["a", "v"], ["y"]),
        ],
        matrix(60, 7),
    ),
}
INTS = {"zero": np.array([0]), "four": np.array([4]), "one": np.array([1])}


@pytest.mark.parametrize(("nodes", "w"), MODELS.values(), ids=MODELS)
@pytest.mark.parametrize("part", [1, 100, 1 << 20])
def test_numbers_are_those_of_onnx_runtime(nodes, w, part, tmp_path, monkeypatch):
    runtime = pytest.importorskip("onnxruntime", reason="needs onnxruntime")
    monkeypatch.setattr("cnnkit.files.onnx.reading.rows.PART", part)
    data = model([RELU, FLAT, *nodes], {"w": w, **INTS})
    x = generator(1).standard_normal((3, 5, 4, 3)).astype(np.float32)
    session = runtime.InferenceSession(data, providers=["CPUExecutionProvider"])
    (wanted,) = session.run(None, {"x": x})
    (tmp_path / "net.onnx").write_bytes(data)
    network = onnx.load(tmp_path / "net.onnx").resized(3)  # from a file, whose bytes may change
    network.load(x.transpose(0, 2, 3, 1), slice(None))
    np.testing.assert_allclose(network.forward(3), wanted, atol=1e-4)
    np.testing.assert_allclose(run(data, {"x": x})["y"], wanted, atol=1e-4)  # from bytes
    assert data == model([RELU, FLAT, *nodes], {"w": w, **INTS})


@pytest.mark.parametrize("by_rows", [True, False])
def test_memory_is_that_of_the_file(tmp_path, by_rows):
    w = np.ones((600, 16 * 32 * 32) if by_rows else (16 * 32 * 32, 600), np.float32)
    product = node("Gemm", ["f", "w"], ["y"], transB=int(by_rows))
    path = tmp_path / "net.onnx"
    path.write_bytes(model([RELU, FLAT, product], {"w": w}, (16, 32, 32)))
    onnx.read(path)
    tracemalloc.start()
    try:
        onnx.read(path)
        assert tracemalloc.get_traced_memory()[1] < path.stat().st_size + (4 << 20)
    finally:
        tracemalloc.stop()


def test_copies_are_limited(monkeypatch):
    monkeypatch.setattr(conversion, "MOST_MADE", 1000)
    for count, fits in ((1, True), (2, False)):
        nodes = MODELS["in two orders"][0] if count == 2 else MODELS["by columns"][0]
        data = model([RELU, FLAT, *nodes], {"w": matrix(60, 4)})
        if fits:
            conversion.convert(data)
            continue
        with pytest.raises((ModelFormatError, ValueError), match="must take less memory"):
            conversion.convert(data)
