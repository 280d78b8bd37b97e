"""What ONNX files say about themselves."""

import numpy as np
import pytest
from seeded import generator

pytest.importorskip("onnx", reason="needs onnx: pip install 'cnnkit[onnx]'")
from onnx import TensorProto, helper, numpy_helper

from cnnkit import CNNClassifier, onnx
from cnnkit.exceptions import ModelFormatError
from cnnkit.files.onnx.reading.about import about

X = generator(0).random((12, 4, 4))


@pytest.mark.parametrize(
    ("classes", "wanted"),
    [
        (["ant", "b\u00e9e", "cat"], ["ant", "b\u00e9e", "cat"]),
        ([5, 7, 9], [5, 7, 9]),
        ([0, 1, 2], None),
    ],
)
def test_labels_of_a_classifier(tmp_path, classes, wanted):
    clf = CNNClassifier(max_iter=1).fit(X, np.array(classes)[np.arange(12) % 3])
    onnx.write(clf, tmp_path / "model.onnx")
    said = about(tmp_path / "model.onnx", "test")
    assert (said.producer, said.outputs) == ("cnnkit", ["probabilities"])
    assert (said.labels if wanted is None else said.labels.tolist()) == wanted


def model(nodes, kind=TensorProto.STRING, names=("ant", "bee")):
    value = helper.make_tensor_value_info
    graph = helper.make_graph(
        nodes,
        "test",
        [value("x", TensorProto.FLOAT, ["N", 2])],
        [value("label", kind, ["N"]), value("p", TensorProto.FLOAT, ["N", 2])],
        [numpy_helper.from_array(np.array(names, object), "names")],
    )
    return helper.make_model(graph)


def test_labels_behind_other_operators(tmp_path):
    nodes = [
        helper.make_node("Softmax", ["x"], ["p"]),
        helper.make_node("ArgMax", ["p"], ["best"], axis=1),
        helper.make_node("ArrayFeatureExtractor", ["names", "best"], ["t"], domain="ai.onnx.ml"),
        helper.make_node("Identity", ["t"], ["label"]),
    ]
    path = tmp_path / "model.onnx"
    path.write_bytes(model(nodes).SerializeToString())
    assert about(path, "test").labels.tolist() == ["ant", "bee"]
    nodes[3] = helper.make_node("Identity", ["label"], ["label"])  # a circle
    path.write_bytes(model(nodes).SerializeToString())
    assert about(path, "test").labels is None


def test_damaged_files_are_named(tmp_path):
    path = tmp_path / "model.onnx"
    for data, message in ((b"\x08\x08", "must have a graph"), (b"\xff", "a number must end")):
        path.write_bytes(data)
        with pytest.raises(ModelFormatError, match=f"^test: '.*model.onnx': .*{message}"):
            about(path, "test")
