"""What wiring is accepted, and what the refusals say."""

import numpy as np
import pytest
from seeded import generator

from cnnkit import (
    Add,
    Concat,
    Conv,
    Dense,
    GlobalAvgPool,
    Graph,
    Layer,
    Multiply,
    Network,
    ReLU,
    Residual,
    Sequential,
)

DIAMOND = [
    ("stem", Conv(4), "input"),
    ("left", Conv(3), "stem"),
    ("right", ReLU(), "stem"),
    ("join", Concat(), ("left", "right")),
    ("head", GlobalAvgPool(), "join"),
]


@pytest.mark.parametrize("seed", range(6))
def test_nodes_in_any_order(seed):
    nodes = [DIAMOND[i] for i in generator(seed).permutation(len(DIAMOND))]
    graph = Graph(nodes, outputs="head")
    done = {"input"}
    for name, _, inputs in graph.wiring():
        assert done.issuperset(inputs)
        done.add(name)
    assert graph.nodes == nodes
    assert graph.output_shape((8, 8, 1)) == (7,)
    found, expected = graph.shapes((8, 8, 1)), Graph(DIAMOND).shapes((8, 8, 1))
    assert found == expected
    assert found["input"] == (8, 8, 1)


def test_nodes_in_order_stay_as_they_are():
    assert [node.name for node in Graph(DIAMOND).wiring()] == [name for name, _, _ in DIAMOND]


def test_the_order_does_not_change_what_is_computed():
    outputs = []
    for nodes in (DIAMOND, DIAMOND[::-1]):
        network = Network(Graph(nodes, "head"), (8, 8, 1), 1)
        for part in ("stem/w", "left/w"):
            shape = network.weights[part].shape
            network.weights[part][:] = generator(len(part)).normal(size=shape)
        network.x[:] = generator(3).random(network.x.shape)
        network.forward(1)
        outputs.append(network.output.copy())
    np.testing.assert_array_equal(*outputs)


@pytest.mark.parametrize(
    ("nodes", "message"),
    [
        ([("a", ReLU(), "b"), ("b", ReLU(), "a")], r"cycle, got \[\('a', \('b',\)\), \('b', "),
        ([("a", ReLU(), "a")], r"cycle, got \[\('a', \('a',\)\)\]"),
        (
            [("x", ReLU(), "input"), ("a", Add(), ("x", "c")), ("c", ReLU(), "a")],
            r"cycle, got \[\('a', \('x', 'c'\)\), \('c', \('a',\)\)\]",
        ),
        ([("a", ReLU(), "b")], r"'a' must read nodes of \['a', 'input'\], got \['b'\]"),
        ([("a", ReLU(), "input"), ("a", ReLU(), "a")], "must be unique, got 'a' twice"),
        ([("input", ReLU(), "input")], "must be unique, got 'input' twice"),
        ([("a/b", ReLU(), "input")], "must be text without '/', got 'a/b'"),
        ([("", ReLU(), "input")], "must be text without '/', got ''"),
        ([(3, ReLU(), "input")], "must be text without '/', got 3"),
        ([("a", ReLU())], r"a node must be \(name, layer, inputs\), got \('a', ReLU\(\)\)"),
        ([["a", ReLU(), "input"]], r"a node must be \(name, layer, inputs\), got \["),
        ([], "must hold at least one node, got none"),
        ([("a", ReLU(), ())], r"'a' \(ReLU\) must read 1 inputs, got \(\)"),
        ([("a", ReLU(), ("input", "input"))], r"'a' \(ReLU\) must read 1 inputs"),
        ([("a", Add(), "input")], r"'a' \(Add\) must read at least 2 inputs, got \('input',\)"),
        ([("a", Multiply(), "input")], r"'a' \(Multiply\) must read"),
        ([("a", Residual(ReLU()), ("input", "input"))], r"'a' \(Residual\) must read 1 inputs"),
    ],
)
def test_refused_wiring(nodes, message):
    with pytest.raises(ValueError, match=message):
        Graph(nodes).output_shape((8, 8, 1))


@pytest.mark.parametrize("nodes", [None, 3, "conv", {"a": ReLU()}])
def test_nodes_must_be_a_list(nodes):
    with pytest.raises(TypeError, match="nodes must be a list, got"):
        Graph(nodes).output_shape((8, 8, 1))


@pytest.mark.parametrize("layer", [None, "relu", ReLU, [ReLU()]])
def test_nodes_must_hold_layers(layer):
    with pytest.raises(TypeError, match="node 'a' must be a layer such as"):
        Graph([("a", layer, "input")]).output_shape((8, 8, 1))


@pytest.mark.parametrize("outputs", ["b", ["a", "b"], [], "input"])
def test_outputs_must_be_nodes(outputs):
    with pytest.raises(ValueError, match="outputs must be names of nodes, got"):
        Graph([("a", ReLU(), "input")], outputs).output_shape((8, 8, 1))


@pytest.mark.parametrize(
    ("nodes", "message"),
    [
        (
            [("a", Conv(3), "input"), ("b", Conv(4), "input"), ("sum", Add(), ("a", "b"))],
            r"Add: .*\(8, 8, 3\), \(8, 8, 4\).*\(node 'sum'\)",
        ),
        (
            [("a", Conv(3, stride=2), "input"), ("both", Concat(), ("a", "input"))],
            r"Concat: .*\(4, 4, 3\), \(8, 8, 1\).*\(node 'both'\)",
        ),
        ([("flat", Dense(3), "input")], r"Dense: .*\(8, 8, 1\).*\(node 'flat'\)"),
        (
            [("block", Sequential([GlobalAvgPool(), ("deep", Conv(3))]), "input")],
            r"Conv: .*\(1,\).*\(node 'block/deep'\)",
        ),
        (
            [("block", Residual([Conv(2)]), "input")],
            r"Add: .*\(8, 8, 2\), \(8, 8, 1\).*\(node 'block/add'\)",
        ),
    ],
)
def test_shapes_that_do_not_fit(nodes, message):
    with pytest.raises(ValueError, match=message):
        Graph(nodes).output_shape((8, 8, 1))


def test_nested_graphs():
    inner = Graph([("b", Conv(2), "a"), ("a", ReLU(), "input")])
    outer = Graph([("in", inner, "input"), ("again", inner, "in"), ("sum", Add(), ("in", "again"))])
    assert [(node.name, node.inputs) for node in outer.flattened()] == [
        ("in/a", ("input",)),
        ("in/b", ("in/a",)),
        ("again/a", ("in/b",)),
        ("again/b", ("again/a",)),
        ("sum", ("in/b", "again/b")),
    ]
    assert outer.output_shape((8, 8, 1)) == (8, 8, 2)
    assert {path.split("/")[0] for path in outer.weight_specs((8, 8, 1))} == {"in", "again"}


def test_a_nested_graph_has_one_output():
    inner = Graph([("a", ReLU(), "input"), ("b", ReLU(), "input")], outputs=["a", "b"])
    with pytest.raises(ValueError, match=r"must have one output, got \('a', 'b'\)"):
        Sequential([inner, ReLU()]).output_shape((8, 8, 1))


def test_branches_are_named():
    layer = Concat([("narrow", Conv(1)), [ReLU(), Conv(2)], Residual(ReLU())])
    assert [name for name, _, _ in Sequential([layer]).flattened()] == [
        "concat1/narrow",
        "concat1/branch2/relu1",
        "concat1/branch2/conv1",
        "concat1/branch3/body",
        "concat1/branch3/add",
        "concat1/merge",
    ]


def test_a_layer_of_ones_own():
    class Twice(Layer):
        def output_shape(self, input_shape):
            return (*input_shape[:-1], 2 * input_shape[-1])

    assert Sequential([Twice(), Twice()]).output_shape((4, 4, 3)) == (4, 4, 12)
