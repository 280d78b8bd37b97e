"""Graphs as plain data: names, nesting, checks, tables."""

import pickle
import re

import pytest
from sklearn.base import clone

from cnnkit import Conv, Conv1x1, Dense, Flatten, GlobalAvgPool, Graph, MaxPool, ReLU, Sequential
from cnnkit.layers.nodes import Node

INPUT = ("input",)


def names(graph):
    return [node.name for node in graph.flattened()]


def test_layers_are_named_by_class_and_count():
    layers = [Conv(2), ReLU(), ("head", Conv(3)), Conv(4), Conv1x1(2), Conv1x1(2), GlobalAvgPool()]
    assert names(Sequential(layers)) == [
        *("conv1", "relu1", "head", "conv2", "conv1x1_1", "conv1x1_2", "globalavgpool1")
    ]


def test_nested_graphs_have_paths():
    inner = Sequential([Conv(2), ("twice", Sequential([ReLU(), ReLU()]))])
    graph = Graph([("a", inner, INPUT), ("b", inner, ["a"]), ("c", Flatten(), ("b",))])
    nodes = graph.flattened()
    assert [(node.name, node.inputs) for node in nodes] == [
        ("a/conv1", ("input",)),
        ("a/twice/relu1", ("a/conv1",)),
        ("a/twice/relu2", ("a/twice/relu1",)),
        ("b/conv1", ("a/twice/relu2",)),
        ("b/twice/relu1", ("b/conv1",)),
        ("b/twice/relu2", ("b/twice/relu1",)),
        ("c", ("b/twice/relu2",)),
    ]
    assert graph.output_shape((4, 5, 3)) == (40,)


def test_sequential_is_the_graph_it_stands_for():
    graph = Graph([("conv1", Conv(2), INPUT), ("relu1", ReLU(), ("conv1",))])
    short = Sequential([Conv(2), ReLU()])
    assert short.flattened() == graph.flattened()
    assert short.weight_specs((4, 5, 3)) == graph.weight_specs((4, 5, 3))
    assert graph.wiring()[0] == Node("conv1", Conv(2), ("input",))


def test_one_per_output_layers_are_set_where_the_graph_is_wired():
    graph = Sequential([Conv(), ("deep", Sequential([GlobalAvgPool(), Dense()])), Dense(4)])
    assert [node.layer for node in graph.flattened(7)][::2] == [Conv(7), Dense(7)]
    assert [node.layer for node in graph.flattened()][::2] == [Conv(), Dense()]


def test_clone_pickle_and_equality():
    graph = Sequential([("first", Conv(2)), Sequential([ReLU(), MaxPool()]), Flatten(), Dense()])
    for copy in (clone(graph), pickle.loads(pickle.dumps(graph))):
        assert copy == graph
        assert copy.layers[0][1] is not graph.layers[0][1]
    assert graph != Sequential(graph.layers[:-1])
    assert repr(Sequential([Conv(2)])) == "Sequential(layers=[Conv(filters=2)])"


def test_shapes_by_path():
    graph = Sequential([Conv(2, 3, stride=2), ("s", Sequential([MaxPool(), Flatten()]))])
    shapes = {"input": (8, 10, 3), "conv1": (4, 5, 2), "s/maxpool1": (2, 2, 2), "s/flatten1": (8,)}
    assert graph.shapes((8, 10, 3)) == shapes


def test_weights_by_path():
    graph = Sequential([Conv(2, 3), ("s", Sequential([Conv1x1(5, bias=False), Flatten()]))])
    specs = graph.weight_specs((8, 10, 3))
    shapes = {"conv1/w": (3, 3, 3, 2), "conv1/b": (2,), "s/conv1x1_1/w": (1, 1, 2, 5)}
    assert {path: spec.shape for path, spec in specs.items()} == shapes


def test_summary():
    graph = Sequential([Conv(16, 3), ReLU(), MaxPool(2), ("s", Sequential([Flatten(), Dense()]))])
    summary = graph.summary((8, 10, 1), n_outputs=7)
    assert [tuple(row)[:5] for row in summary.rows] == [
        ("conv1", "Conv", (8, 10, 16), 160, 8 * 10 * 9 * 16),
        ("relu1", "ReLU", (8, 10, 16), 0, 0),
        ("maxpool1", "MaxPool", (4, 5, 16), 0, 0),
        ("s/flatten1", "Flatten", (320,), 0, 0),
        ("s/dense1", "Dense", (7,), 2247, 2240),
    ]
    assert (summary.weights, summary.multiply_adds) == (2407, 13760)
    assert repr(summary).splitlines() == [
        "name        layer           output shape  weights  multiply-adds",
        "----------------------------------------------------------------",
        "conv1       Conv 16, 3 x 3  8 x 10 x 16       160         11,520",
        "relu1       ReLU            8 x 10 x 16         0              0",
        "maxpool1    MaxPool 2 x 2   4 x 5 x 16          0              0",
        "s/flatten1  Flatten         320                 0              0",
        "s/dense1    Dense 7         7               2,247          2,240",
        "----------------------------------------------------------------",
        "total                                       2,407         13,760",
    ]


def test_multiply_adds_of_a_graph_are_those_of_its_layers():
    conv, dense = Conv(5, (3, 2), stride=2), Dense(4)
    graph = Sequential([conv, Sequential([GlobalAvgPool(), dense])])
    adds = conv.multiply_adds((7, 6, 3)) + dense.multiply_adds((5,))
    assert graph.multiply_adds((7, 6, 3)) == adds == 4 * 3 * 6 * 3 * 5 + 20


@pytest.mark.parametrize(
    ("graph", "message"),
    [
        (Sequential([]), r"Sequential: layers must be a list of at least one layer, got \[\]"),
        (Sequential(ReLU()), r"Sequential: layers must be a list .*, got ReLU\(\)"),
        (Sequential(["relu"]), "Graph: node 'str1' must be a layer such as .*, got 'relu'"),
        (Sequential([ReLU]), "Graph: node .* must be a layer such as .*, got <class"),
        (Sequential([("a", 3)]), "Graph: node 'a' must be a layer such as .*, got 3"),
        (Sequential([("a/b", ReLU())]), "Graph: a node's name must be text without '/', got 'a/b'"),
        (Sequential([("", ReLU())]), "Graph: a node's name must be text without '/', got ''"),
        (Sequential([(1, ReLU())]), "Graph: a node's name must be text without '/', got 1"),
        (Sequential([("input", ReLU())]), "Graph: names of nodes must be unique, got 'input' twi"),
        (Sequential([("relu1", ReLU())] * 2), "Graph: names .* unique, got 'relu1' twice"),
        (Graph([]), "Graph: nodes must hold at least one node, got none"),
        (Graph([("a", ReLU(), ())]), r"Graph: node 'a' \(ReLU\) must read 1 inputs, got \(\)"),
        (
            Graph([("a", ReLU(), ("b",))]),
            "Graph: node 'a' must read nodes of .*, got",
        ),
        (
            Graph([("a", ReLU(), INPUT), ("b", ReLU(), ("input", "a"))]),
            r"Graph: node 'b' \(ReLU\) must read 1 inputs, got \('input', 'a'\)",
        ),
        (
            Graph([("a", ReLU(), INPUT), ("b", ReLU(), INPUT)]),
            r"Graph: every node but the last must be read, .*, got \['a'\] unread",
        ),
    ],
    ids=str,
)
def test_refusals(graph, message):
    with pytest.raises((ValueError, TypeError), match=f"^{message}"):
        graph.flattened()


def test_errors_of_a_layer_name_its_node():
    graph = Sequential([Flatten(), ("s", Sequential([ReLU(), Conv(3)]))])
    with pytest.raises(ValueError, match=r"^Conv: input must be images .*\(node 's/conv1'\)$"):
        graph.output_shape((4, 5, 3))


@pytest.mark.parametrize(
    "shape", [(), (4, 0, 3), (4, -1, 3), (2**31, 1, 1), (4, 4.0, 3), (4, None), 4, range(2**40)]
)
def test_refusals_of_input_shapes(shape):
    message = f"Graph: input shape must be sizes from 1 to 2147483647, got {shape!r}."
    with pytest.raises((ValueError, TypeError), match=f"^{re.escape(message)}$"):
        Sequential([ReLU()]).output_shape(shape)


def test_a_layer_is_resolved_whatever_else_is_wrong_with_it():
    """scikit-learn's clone, for one, follows a list into itself until the stack is full."""
    endless = []
    endless.append(endless)
    resolved = Conv(padding=endless).resolved(3)
    assert (resolved.filters, resolved.padding) == (3, endless)
