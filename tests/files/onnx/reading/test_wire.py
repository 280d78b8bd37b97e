"""Messages of a file, against those that the onnx package finds; and what is refused."""

import numpy as np
import pytest
from seeded import generator

from cnnkit import onnx
from cnnkit.exceptions import ModelFormatError
from cnnkit.files.onnx.reading import tensors, wire

pytest.importorskip("onnx", reason="needs onnx: pip install 'cnnkit[onnx]'")
from hostile_onnx import chain
from onnx import AttributeProto, TensorProto, helper, numpy_helper

DTYPES = ["f4", "u1", "i1", "u2", "i2", "i4", "i8", "?", "f2", "f8", "u4", "u8"]


@pytest.mark.parametrize("raw", [True, False])
@pytest.mark.parametrize("dtype", DTYPES)
def test_tensors(dtype, raw):
    array = (generator(0).standard_normal((2, 3, 4)) * 50).astype(dtype)
    tensor = numpy_helper.from_array(array, "w")
    if not raw:
        values = array.reshape(-1)
        values = values.view(np.uint16).tolist() if dtype == "f2" else values.tolist()
        values = array.reshape(-1) if dtype == "f2" else values
        tensor = helper.make_tensor("w", tensor.data_type, array.shape, values)
    found = tensors.array(wire.parse(tensor.SerializeToString(), wire.TENSOR))
    assert found.dtype == array.dtype
    np.testing.assert_array_equal(found, array)


def test_tensors_are_views_of_the_file():
    array = generator(0).standard_normal((100, 100)).astype("f4")
    data = numpy_helper.from_array(array).SerializeToString()
    found = tensors.array(wire.parse(data, wire.TENSOR))
    assert np.may_share_memory(found, np.frombuffer(data, np.uint8))


def test_a_model():
    made = chain(generator(0))
    found = wire.parse(made.SerializeToString())
    assert found.ir_version == made.ir_version
    assert [entry.op_type for entry in found.graph.node] == [n.op_type for n in made.graph.node]
    assert [list(e.input) for e in found.graph.node] == [list(n.input) for n in made.graph.node]
    (pads,) = found.graph.node[0].attribute
    assert (pads.name, pads.ints, pads.type) == ("pads", [1, 1, 1, 1], 7)
    assert found.graph.input[0].type.tensor_type.shape.dim[0].param == "N"
    assert found.functions == ()
    assert found.graph.node[0].domain is None


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"\x08", "a number must end after 10 bytes"),
        (b"\x08" + b"\xff" * 11, "a number must end after 10 bytes"),
        (b"\x3a\x05\x00", "a field must end in the file, got 4 more"),
        (b"\x0b", "a field must be of wire type 0, 1, 2 or 5, got 3"),
        (b"\x38\x01", "graph must be a message, got wire type 0"),
        (b"\x3a\x00" * 200_000, "a file must have at most 500000 fields"),
    ],
)
def test_damage(data, says):
    with pytest.raises(ModelFormatError, match=says):
        wire.parse(data)


def changed(change):
    made = chain(generator(0))
    change(made)
    return made.SerializeToString()


def external(made):
    tensor = made.graph.initializer[0]
    tensor.ClearField("raw_data")
    tensor.data_location = TensorProto.EXTERNAL
    entry = tensor.external_data.add()
    entry.key, entry.value = "location", "/etc/passwd"


def subgraph(made):
    attribute = made.graph.node[1].attribute.add()
    attribute.name, attribute.type = "then_branch", AttributeProto.GRAPH
    attribute.g.name = "branch"


def sized(made, *dims):
    made.graph.initializer[0].dims[:] = dims


def domain(made):
    made.graph.node[1].domain = "com.microsoft"


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (external, "must lie in the file itself, got external data"),
        (subgraph, "attribute 'then_branch' must be a number, text, tensor .* got type 5"),
        (domain, "the domain must be ONNX's own, got 'com.microsoft'"),
        (lambda made: sized(made, 1 << 45, 1), "must have at most 16 sizes of at least 0"),
        (lambda made: sized(made, 1 << 30, 3, 3, 3), "must hold 28991029248 numbers of float32"),
        (lambda made: sized(made, -4, 3, 3, 3), "must have at most 16 sizes of at least 0"),
        (lambda made: made.functions.add(), "a model must have no functions"),
        (lambda made: made.training_info.add(), "a model must have no training_info"),
        (lambda made: setattr(made.opset_import[0], "version", 9999), r"7 to 28, got \[9999\]"),
        (lambda made: setattr(made.opset_import[0], "version", 6), r"7 to 28, got \[6\]"),
        (lambda made: setattr(made, "ir_version", 2), "IR version 3 to 15, got 2"),
        (lambda made: made.graph.ClearField("input"), "there must be 1 to 64 inputs, got 0"),
        (lambda made: made.graph.sparse_initializer.add(), "tensors must be dense"),
        (lambda made: made.graph.node[3].input.append("t"), "a node must read what is there"),
    ],
)
def test_what_is_no_model_of_layers_alone(change, says, tmp_path):
    path = tmp_path / "model.onnx"
    path.write_bytes(changed(change))
    with pytest.raises(ModelFormatError, match=says):
        onnx.read(path)


def test_weights_of_one_number(tmp_path):
    """A small file may stand for many weights: they take memory when a network is made."""
    nodes = [
        helper.make_node("Flatten", ["x"], ["f"]),
        helper.make_node("ConstantOfShape", ["s"], ["w"]),
        helper.make_node("Gemm", ["f", "w"], ["y"]),
    ]
    shape = numpy_helper.from_array(np.array([192, 1 << 20]), "s")
    value = helper.make_tensor_value_info
    graph = helper.make_graph(
        nodes, "g", [value("x", 1, ["N", 3, 8, 8])], [value("y", 1, None)], [shape]
    )
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)])
    path = tmp_path / "model.onnx"
    path.write_bytes(made.SerializeToString())
    _, found = onnx.read(path)
    assert found["gemm3/w"].strides == (0, 0)
    with pytest.raises(ModelFormatError, match="weights must be in the file, got 805306368 bytes"):
        onnx.load(path)
