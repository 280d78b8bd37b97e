"""GELU as files write it before opset 20."""

import itertools

import numpy as np
import pytest
from seeded import generator

pytest.importorskip("onnx", reason="needs onnx: pip install 'cnnkit[onnx]'")
from onnx import TensorProto, helper, numpy_helper
from onnx_cases import run

from cnnkit import GELU, Conv, Dense, Flatten, Network, Sequential, onnx
from cnnkit.exceptions import ModelFormatError
from cnnkit.files.onnx.reading.conversion import convert

node = helper.make_node
INNER = {
    "div": node("Div", ["r", "root"], ["i"]),
    "mul": node("Mul", ["r", "inverse"], ["i"]),
    "mul, turned": node("Mul", ["inverse", "r"], ["i"]),
}
ADD = {"one last": ["e", "one"], "one first": ["one", "e"]}
ENDS = {  # from a, 1 + erf, to y
    "x, then half": [node("Mul", ["r", "a"], ["b"]), node("Mul", ["b", "half"], ["y"])],
    "half, then x": [node("Mul", ["half", "a"], ["b"]), node("Mul", ["b", "r"], ["y"])],
    "half of x": [node("Mul", ["r", "half"], ["b"]), node("Mul", ["b", "a"], ["y"])],
    "half of x, turned": [node("Mul", ["half", "r"], ["b"]), node("Mul", ["a", "b"], ["y"])],
    "half by division": [node("Mul", ["a", "r"], ["b"]), node("Div", ["b", "two"], ["y"])],
}
NUMBERS = {"root": 2**0.5, "inverse": 0.5**0.5, "one": 1, "half": 0.5, "two": 2}


def model(nodes, numbers=NUMBERS, outputs=("y",), nodes_for_numbers=False):
    """A model of a ReLU of x, r, and nodes."""
    value = helper.make_tensor_value_info
    tensors = [numpy_helper.from_array(np.float32(v), name) for name, v in numbers.items()]
    front = [node("Relu", ["x"], ["r"])]
    if nodes_for_numbers:
        front += [node("Constant", [], [tensor.name], value=tensor) for tensor in tensors]
    graph = helper.make_graph(
        front + nodes,
        "gelu",
        [value("x", TensorProto.FLOAT, ["N", 3, 4, 5])],
        [value(name, TensorProto.FLOAT, None) for name in outputs],
        [] if nodes_for_numbers else tensors,
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)


def chain(inner="div", add="one last", end="x, then half"):
    middle = [node("Erf", ["i"], ["e"]), node("Add", ADD[add], ["a"])]
    return [INNER[inner], *middle, *ENDS[end]]


def layers(made):
    return [type(layer).__name__ for _, layer, _ in convert(made.SerializeToString()).graph.nodes]


@pytest.mark.parametrize(("inner", "add", "end"), itertools.product(INNER, ADD, ENDS))
@pytest.mark.parametrize("nodes_for_numbers", [False, True])
def test_orders_of_factors(inner, add, end, nodes_for_numbers):
    made = model(chain(inner, add, end), nodes_for_numbers=nodes_for_numbers)
    assert layers(made) == ["ReLU", "GELU"]


def test_numbers_are_those_of_onnx_runtime():
    runtime = pytest.importorskip("onnxruntime", reason="needs onnxruntime")
    data = model(chain()).SerializeToString()
    x = generator(0).standard_normal((2, 3, 4, 5)).astype(np.float32)
    session = runtime.InferenceSession(data, providers=["CPUExecutionProvider"])
    (wanted,) = session.run(None, {"x": x})
    np.testing.assert_allclose(run(data, {"x": x})["y"], wanted, atol=1e-6)


@pytest.mark.parametrize("missing", ["half", "one", "root"])
@pytest.mark.parametrize("change", [1.001, 0.9])
def test_other_numbers_are_no_gelu(missing, change):
    made = model(chain(), NUMBERS | {missing: NUMBERS[missing] * change})
    with pytest.raises(ModelFormatError, match=r"\(Erf\): the operator must be one of those"):
        layers(made)


@pytest.mark.parametrize("kept", ["i", "e", "a", "b"])
def test_what_is_read_elsewhere_stays(kept):
    with pytest.raises(ModelFormatError, match=r"\(Erf\)"):
        layers(model(chain(), outputs=("y", kept)))
    more = [node("Relu", [kept], ["z"])]
    with pytest.raises(ModelFormatError, match=r"\(Erf\)"):
        layers(model([*chain(), *more], outputs=("y", "z")))


@pytest.mark.parametrize(
    "nodes",
    [
        [node("Erf", ["r"], ["y"])],
        [INNER["div"], node("Erf", ["i"], ["y"])],
        [*chain()[:3], node("Mul", ["a", "a"], ["y"])],
        [*chain()[:3], node("Mul", ["a", "r"], ["b"]), node("Mul", ["b", "r"], ["y"])],
        [node("Div", ["r", "root"], ["i"], domain="else"), *chain()[1:]],
        [chain()[0], node("Erf", ["i"], ["e", "f"]), *chain()[2:]],
    ],
)
def test_half_a_pattern_is_refused(nodes):
    with pytest.raises(ModelFormatError, match=r"\(Erf\)"):
        layers(model(nodes))


def test_a_network_comes_back(tmp_path):
    network = Network(Sequential([Conv(4), GELU(), Flatten(), Dense(3)]), (6, 7, 2), 3)
    network.weights.initialise(generator(0))
    for opset in (13, 17, 19, 21):
        onnx.write(network, tmp_path / "net.onnx", opset=opset, data_format="channels_first")
        back = onnx.load(tmp_path / "net.onnx")
        kinds = [type(layer).__name__ for _, layer, _ in back.graph.nodes]
        assert kinds == ["Conv", "GELU", "Flatten", "Dense"]
