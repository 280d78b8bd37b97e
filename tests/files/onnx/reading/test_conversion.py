"""Graphs and weights of ONNX files, against ONNX Runtime."""

import pickle
import re

import numpy as np
import pytest
from seeded import generator
from sklearn.base import clone

pytest.importorskip("onnx", reason="needs onnx: pip install 'cnnkit[onnx]'")
from onnx import TensorProto, helper, numpy_helper
from onnx_cases import run

from cnnkit import CNNClassifier, CNNFeatures, Conv, Dense, GlobalAvgPool, gap_head, onnx
from cnnkit.exceptions import ModelFormatError

node = helper.make_node


def model(nodes, constants=(), x=("N", 3, 8, 8), y=None, opset=13, ir_version=8, kind=1):
    """A model that reads x, or several inputs of a dict, and gives y, or several outputs."""
    inputs = x if isinstance(x, dict) else {"x": x}
    graph = helper.make_graph(
        nodes,
        "test",
        [helper.make_tensor_value_info(name, kind, shape) for name, shape in inputs.items()],
        [helper.make_tensor_value_info(name, kind, None) for name in y or ["y"]],
        [
            numpy_helper.from_array(np.asarray(array), name)
            for name, array in dict(constants).items()
        ],
    )
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)])
    made.ir_version = ir_version
    return made


def weights(*shape, seed=0):
    return generator(seed).standard_normal(shape).astype(np.float32)


def agrees(made, sizes=None, batch=3, **options):
    """Run a model here and by ONNX Runtime on random numbers; the outputs must agree."""
    runtime = pytest.importorskip("onnxruntime", reason="needs onnxruntime")
    data = made.SerializeToString()
    session = runtime.InferenceSession(data, providers=["CPUExecutionProvider"])
    sizes = sizes or {}
    arrays = {}
    for entry in session.get_inputs():
        shape = sizes.get(entry.name, [batch, *entry.shape[1:]])
        arrays[entry.name] = weights(*shape, seed=5)
    wanted = session.run(None, arrays)
    got = run(data, arrays, **options)
    for entry, want in zip(session.get_outputs(), wanted, strict=True):
        assert got[entry.name].shape == want.shape
        assert abs(got[entry.name] - want).max() <= 1e-5 * abs(want).max()


CONV = node("Conv", ["x", "w"], ["c"], pads=[1, 1, 1, 1], name="/features/conv")
NETWORKS = {
    "flatten": [CONV, node("Flatten", ["c"], ["f"]), node("Gemm", ["f", "dense", "b"], ["y"])],
    "reshape": [
        CONV,
        node("Shape", ["c"], ["s"]),
        node("Slice", ["s", "zero", "one"], ["n"]),
        node("Concat", ["n", "rest"], ["t"], axis=0),
        node("Reshape", ["c", "t"], ["f"]),
        node("MatMul", ["f", "dense"], ["y"]),
    ],
    "shuffle": [
        CONV,
        node("Reshape", ["c", "grouped"], ["g"]),
        node("Transpose", ["g"], ["p"], perm=[0, 2, 1, 3, 4]),
        node("Reshape", ["p", "back"], ["q"]),
        node("Conv", ["q", "w2"], ["y"]),
    ],
    "attention": [
        CONV,
        node("GlobalAveragePool", ["c"], ["g"]),
        node("Conv", ["g", "pointwise"], ["h"]),
        node("Sigmoid", ["h"], ["s"]),
        node("Mul", ["c", "s"], ["y"]),
    ],
    "mask": [
        CONV,
        node("ReduceMean", ["c"], ["m"], axes=[1], keepdims=1),
        node("Sigmoid", ["m"], ["s"]),
        node("Mul", ["s", "c"], ["y"]),
    ],
    "channels": [
        CONV,
        node("Split", ["c", "two"], ["a", "d"], axis=1),
        node("Concat", ["d", "a", "a"], ["e"], axis=1),
        node("Slice", ["e", "one", "five", "one"], ["y"]),
    ],
    "blocks": [
        CONV,
        node("SpaceToDepth", ["c"], ["s"], blocksize=2),
        node("DepthToSpace", ["s"], ["d"], blocksize=2, mode="CRD"),
        node("Relu", ["d"], ["y"]),
    ],
    "constants": [
        CONV,
        node("Sub", ["c", "per_channel"], ["a"]),
        node("Mul", ["a", "per_row"], ["d"]),
        node("Div", ["two_", "d"], ["e"]),
        node("Clip", ["e", "low", "high"], ["y"]),
    ],
    "rows": [CONV, node("Reshape", ["c", "lines"], ["l"]), node("Softmax", ["l"], ["y"], axis=1)],
    "bias": [CONV, node("Add", ["c", "per_channel"], ["y"])],
    "even": [CONV, node("Resize", ["c", "", "", "larger"], ["y"], mode="linear")],
}
CONSTANTS = {
    "w": weights(6, 3, 3, 3),
    "w2": weights(4, 6, 1, 1),
    "pointwise": weights(6, 6, 1, 1),
    "dense": weights(6 * 8 * 8, 5),
    "b": weights(5),
    "zero": np.array([0]),
    "one": np.array([1]),
    "five": np.array([5]),
    "two": np.array([2, 4]),
    "two_": np.float32(2),
    "rest": np.array([-1]),
    "grouped": np.array([0, 2, 3, 8, 8]),
    "back": np.array([0, 6, 8, 8]),
    "lines": np.array([0, 12, 32]),
    "per_channel": weights(6, 1, 1),
    "per_row": weights(1, 1, 8, 1) + 3,
    "low": np.float32(-1.5),
    "high": np.float32(0.5),
    "larger": np.array([1, 6, 13, 9]),
}


def named(nodes):
    read = {name for entry in nodes for name in entry.input}
    return {name: array for name, array in CONSTANTS.items() if name in read}


@pytest.mark.parametrize("name", NETWORKS)
def test_networks(name):
    sizes = {"x": [1, 3, 8, 8]} if name == "even" else None
    shape = (1, 3, 8, 8) if name == "even" else ("N", 3, 8, 8)
    agrees(model(NETWORKS[name], named(NETWORKS[name]), shape), sizes)


def test_channels_last_inputs():
    nodes = [
        node("Transpose", ["x"], ["t"], perm=[0, 3, 1, 2]),
        node("Conv", ["t", "w"], ["c"]),
        node("Transpose", ["c"], ["y"], perm=[0, 2, 3, 1]),
    ]
    made = model(nodes, named(nodes), ("N", 8, 7, 3))
    agrees(made)
    found = {type(layer).__name__ for _, layer, _ in read(made)[0].nodes}
    assert found == {"Conv"}


def test_several_inputs_and_outputs():
    nodes = [node("Add", ["a", "b"], ["s"]), node("Relu", ["s"], ["y"])]
    made = model(nodes, x={"a": ("N", 3, 4, 4), "b": ("N", 3, 4, 4)}, y=["s", "y"])
    agrees(made)
    assert read(made)[0].inputs_read() == ("a", "b")


def read(made, tmp_path=None, **options):
    import tempfile

    with tempfile.NamedTemporaryFile(suffix=".onnx") as file:
        file.write(made.SerializeToString())
        file.flush()
        return onnx.read(file.name, **options)


@pytest.fixture
def path(tmp_path):
    nodes = [
        CONV,
        node("Relu", ["c"], ["r"], name="/features/relu"),
        node("GlobalAveragePool", ["r"], ["g"]),
        node("Flatten", ["g"], ["f"]),
        node("Gemm", ["f", "last", "b"], ["y"], name="classifier"),
    ]
    constants = {"w": CONSTANTS["w"], "b": CONSTANTS["b"], "last": weights(6, 5)}
    found = tmp_path / "net.onnx"
    found.write_bytes(model(nodes, constants).SerializeToString())
    return found


def test_names_and_weights(path):
    graph, found = onnx.read(path)
    assert [entry[0] for entry in graph.nodes][:2] == ["features.conv", "features.relu"]
    np.testing.assert_array_equal(found["features.conv/w"], CONSTANTS["w"].transpose(2, 3, 1, 0))
    assert not found["features.conv/w"].flags.writeable


def test_fine_tuning(path):
    graph, found = onnx.read(path)
    graph = graph.with_head(gap_head())
    assert [entry[0] for entry in graph.nodes] == ["features.conv", "features.relu", "head"]
    X = generator(0).random((12, 8, 8, 3))
    clf = CNNClassifier(
        graph, initial_weights=found, frozen=["features.conv"], max_iter=2, batch_size=4,
        random_state=0,
    )  # fmt: skip
    assert clone(clf).initial_weights is found
    clf.fit(X, np.arange(12) % 2)
    trained = clf.network_.weights
    np.testing.assert_array_equal(trained["features.conv/w"], found["features.conv/w"])
    assert (trained["input/scale"] == 1).all()


def test_features_need_no_training(path):
    network = onnx.load(path)
    X = generator(0).integers(0, 256, (5, 8, 8, 3), dtype=np.uint8)
    features = CNNFeatures(network, node="features.relu").fit(X)
    assert clone(features).estimator is network
    got = features.transform(X)
    assert got.shape == (5, 8 * 8 * 6)
    np.testing.assert_array_equal(got, features.transform(X.astype(np.float32)))
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(features)).transform(X), got)
    assert CNNFeatures(network).fit(X).transform(X).shape == (5, 6)


def test_sizes_that_a_file_leaves_open():
    made = model([CONV, node("Relu", ["c"], ["y"])], named([CONV]), ("N", 3, "H", "W"))
    with pytest.raises(ModelFormatError, match=r"input_shape must be given.*\(3, any, any\)"):
        read(made)
    graph, _ = read(made, input_shape=(5, 6, 3))
    assert graph.output_shape((5, 6, 3)) == (5, 6, 6)
    with pytest.raises(ModelFormatError, match=r"must fit that of 'x' .* got \(5, 6, 4\)\."):
        read(made, input_shape=(5, 6, 4))


def test_everything_that_is_not_supported_is_named():
    nodes = [
        node("Conv", ["x", "w"], ["a"], name="first", auto_pad="ODD"),
        node("Relu", ["a"], ["b"]),
        node("Einsum", ["b", "b"], ["c"], name="second", equation="i,i"),
        node("Transpose", ["x"], ["d"], name="third", perm=[1, 0, 2, 3]),
        node("Sum", ["c", "d"], ["y"]),
    ]
    with pytest.raises(ModelFormatError) as raised:
        read(model(nodes, named(nodes)))
    text = re.sub(r"'/.*?\.onnx'", "FILE", str(raised.value))
    assert text == (
        "onnx.read: FILE: every node must be one that layers express, got 3 that are not:\n"
        "  node 'first' (Conv): auto_pad must be one of ONNX's, got 'ODD'\n"
        "  node 'second' (Einsum): the operator must be one of those that layers express, got "
        "another\n"
        "  node 'third' (Transpose): perm must leave the batch where it is, got [1, 0, 2, 3]"
    )


def test_an_attribute_that_nobody_knows_is_refused():
    with pytest.raises(
        ModelFormatError, match=r"\(Relu\): attribute 'odd' must not be there, got 3"
    ):
        read(model([node("Relu", ["x"], ["y"], odd=3)]))


def test_doubles():
    made = model([node("Relu", ["x"], ["y"])], kind=TensorProto.DOUBLE)
    assert read(made)[1]["input/mean"].dtype == np.float64


def test_outputs_that_are_wanted(tmp_path):
    """Labels of text cannot be read; the probabilities beside them are."""
    X = weights(12, 6, 6, 1)
    clf = CNNClassifier([Conv(3), GlobalAvgPool(), Dense()], max_iter=1, random_state=0)
    clf.fit(X, np.tile(["no", "yes"], 6))
    onnx.write(clf, tmp_path / "net.onnx")
    with pytest.raises(ModelFormatError, match="got string"):
        onnx.load(tmp_path / "net.onnx", outputs="label")
    for outputs in (None, "probabilities", ["probabilities"]):
        network = onnx.load(tmp_path / "net.onnx", outputs=outputs)
        network.x[:] = X[:1]
        assert abs(network.forward(1) - clf.predict_proba(X[:1])).max() < 1e-6


@pytest.mark.parametrize("outputs", [[], ["label", "label"], "z", [["label"]], [1]])
def test_outputs_that_are_not_there(tmp_path, outputs):
    made = model([CONV], {"w": weights(4, 3, 3, 3)}, y=["c"])
    (tmp_path / "net.onnx").write_bytes(made.SerializeToString())
    with pytest.raises(ModelFormatError, match=r"outputs must be some of \['c'\], each once, got"):
        onnx.load(tmp_path / "net.onnx", outputs=outputs)
