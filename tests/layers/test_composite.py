"""Layers that stand for others, and what follows from an input shape."""

import numpy as np
import pytest

from cnnkit import (
    Add,
    CNNClassifier,
    Concat,
    Conv,
    Conv1x1,
    Dense,
    GlobalAvgPool,
    Graph,
    Layer,
    Network,
    ReLU,
    Sequential,
    load,
    save,
)
from cnnkit.layers.composite import Composite

NET = Sequential([Concat([Conv1x1(4), [Conv(2, 3), ReLU()]]), GlobalAvgPool(), Dense(None)])


def test_all_that_follows():
    found = NET.resolve((6, 5, 3), 7)
    assert found.graph is NET
    assert found.n_outputs == 7
    assert found.inputs == ("input",)
    assert found.outputs == ("dense1",)
    assert found.nodes == NET.flattened(7)
    assert found.shapes["concat1/branch2/conv1"] == (6, 5, 2)
    assert found.shapes["concat1/merge"] == (6, 5, 6)
    assert found.output_shapes == ((7,),)
    assert found.input_shape == (6, 5, 3)
    assert {path: spec.shape for path, spec in found.weight_specs.items()} == {
        "concat1/branch1/w": (1, 1, 3, 4),
        "concat1/branch1/b": (4,),
        "concat1/branch2/conv1/w": (3, 3, 3, 2),
        "concat1/branch2/conv1/b": (2,),
        "dense1/w": (6, 7),
        "dense1/b": (7,),
    }
    assert found.specs["concat1/merge"] == {}


def test_several_inputs_and_outputs():
    nodes = [("a", Conv(2), "left"), ("b", Conv(3), "right"), ("c", Concat(), ("a", "b"))]
    graph = Graph(nodes, outputs=["c", "a"], input_names=["left", "right"])
    shapes = {"left": (4, 4, 1), "right": (4, 4, 2)}
    found = graph.resolve(shapes)
    assert found.inputs == ("left", "right")
    assert found.input_shape == shapes
    assert found.output_shapes == ((4, 4, 5), (4, 4, 2))


class Unweighable(Layer):
    def weight_specs(self, *input_shapes):
        raise ValueError("Unweighable: too much.")


@pytest.mark.parametrize(
    ("graph", "message"),
    [
        (Sequential([Add([Conv(2), Conv(3)])]), r"Add: inputs .*\(node 'add1/merge'\)$"),
        (Sequential([Add([[], None])]), "Sequential: layers must"),
        (Sequential([("deep", Sequential([Unweighable()]))]), r"\(node 'deep/unweighable1'\)$"),
    ],
    ids=["shapes", "lists", "weights"],
)
def test_errors_name_the_node(graph, message):
    with pytest.raises(ValueError, match=message):
        graph.resolve((4, 4, 3))


def test_the_input_shape_is_that_of_whoever_asks():
    with pytest.raises(TypeError, match=r"^Network: input shape must be"):
        NET.resolve(3, 7, "Network")
    with pytest.raises(TypeError, match=r"^Network: input shape must be"):
        Network(NET)


def test_a_network_of_a_resolved_graph():
    whole = Network(NET, (6, 5, 3), 7, batch_size=2)
    network = Network(NET.resolve((6, 5, 3), 7), batch_size=2)
    assert network.graph is NET
    assert network.input_shape == (6, 5, 3)
    assert network.n_outputs == 7
    for each in (whole, network):
        each.weights.initialise(np.random.default_rng(0))
        each.x[...] = np.random.default_rng(1).random(each.x.shape)
    assert (whole.forward(2) == network.forward(2)).all()
    assert network.summary().rows == whole.summary().rows


def test_a_graph_is_resolved_once(monkeypatch, tmp_path):
    """A fit resolves its graph once; a load that of the file and that of the layers."""
    asked, resolve = [], Composite.resolve

    def counting(self, *given):
        asked.append(self)
        return resolve(self, *given)

    monkeypatch.setattr(Composite, "resolve", counting)
    clf = CNNClassifier(NET, max_iter=1, random_state=0)
    clf.fit(np.random.default_rng(0).random((12, 6, 5, 3)), np.arange(12) % 3)
    assert len(asked) == 1
    clf.summary()
    assert len(asked) == 1
    save(clf, tmp_path / "model")
    asked.clear()
    load(tmp_path / "model").predict(np.zeros((2, 6, 5, 3)))
    assert len(asked) == 2
