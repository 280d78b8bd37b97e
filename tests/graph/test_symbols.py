"""The functional form."""

import numpy as np
import pytest
from seeded import generator

from cnnkit import (
    Add,
    Concat,
    Conv,
    Conv1x1,
    Dense,
    GlobalAvgPool,
    Graph,
    Input,
    Multiply,
    Network,
    ReLU,
    Residual,
    Sequential,
    Sigmoid,
)


def names(graph):
    return [(name, inputs) for name, _, inputs in graph.nodes]


def test_a_chain():
    x = Input()
    graph = Graph.from_outputs(GlobalAvgPool()(ReLU()(Conv(16)(x))))
    assert names(graph) == [
        ("conv1", ("input",)),
        ("relu1", ("conv1",)),
        ("globalavgpool1", ("relu1",)),
    ]
    assert graph.output_names() == ("globalavgpool1",)
    assert graph.output_shape((8, 8, 1)) == (16,)


def test_names_given_and_automatic():
    x = Input()
    y = Conv(4)(x, name="stem")
    graph = Graph.from_outputs(Add()(Conv(4)(y), Conv(4)(y, name="side")))
    assert names(graph) == [
        ("stem", ("input",)),
        ("conv1", ("stem",)),
        ("side", ("stem",)),
        ("add1", ("conv1", "side")),
    ]


def test_the_same_name_twice():
    x = Input()
    graph = Graph.from_outputs(Conv(4)(Conv(4)(x, name="a"), name="a"))
    with pytest.raises(ValueError, match="names of nodes must be unique, got 'a' twice"):
        graph.output_shape((4, 4, 1))


def test_several_outputs():
    x = Input()
    y = ReLU()(Conv(4)(x))
    graph = Graph.from_outputs([GlobalAvgPool()(y), Conv(2)(y), y])
    assert graph.output_names() == ("globalavgpool1", "conv2", "relu1")
    assert graph.output_shape((8, 6, 1)) == ((4,), (8, 6, 2), (8, 6, 4))
    network = Network(graph, (8, 6, 1), 1, batch_size=2)
    network.weights.initialise(generator(0))
    network.x[:] = generator(1).random(network.x.shape)
    network.forward(2)
    pooled, _, y = network.outputs
    np.testing.assert_allclose(pooled, y.mean(axis=(1, 2)), rtol=1e-5)


def test_an_input_read_many_times():
    x = Input()
    graph = Graph.from_outputs(Concat()(x, x, ReLU()(x), Conv1x1(2)(x)))
    assert names(graph)[-1] == ("concat1", ("input", "input", "relu1", "conv1x1_1"))
    assert graph.output_shape((4, 4, 3)) == (4, 4, 11)


def test_a_symbol_read_many_times_is_one_node():
    x = Input()
    y = Conv(3)(x)
    assert names(Graph.from_outputs(Multiply()(y, Sigmoid()(y)))) == [
        ("conv1", ("input",)),
        ("sigmoid1", ("conv1",)),
        ("multiply1", ("conv1", "sigmoid1")),
    ]


def test_every_use_of_a_layer_has_weights_of_its_own():
    x, conv = Input(), Conv(3)
    graph = Graph.from_outputs(conv(conv(x)))
    assert list(graph.weight_specs((4, 4, 3))) == ["conv1/w", "conv1/b", "conv2/w", "conv2/b"]
    network = Network(graph, (4, 4, 3), 1)
    network.weights.initialise(generator(0))
    assert (network.weights["conv1/w"] != network.weights["conv2/w"]).any()


def test_graphs_and_lists_as_layers():
    x = Input()
    y = Residual([Conv(4), ReLU()])(Sequential([Conv(4), ReLU()])(x), name="block")
    graph = Graph.from_outputs(Concat([Conv(2), Conv(3)])(y))
    assert [name for name, _ in names(graph)] == ["sequential1", "block", "concat1"]
    assert graph.output_shape((4, 4, 1)) == (4, 4, 5)
    assert "block/body/conv1/w" in graph.weight_specs((4, 4, 1))


def test_unused_symbols_are_left_out():
    x = Input()
    y = Conv(4)(x)
    ReLU()(y)
    assert names(Graph.from_outputs(y)) == [("conv1", ("input",))]


def test_long_chains():
    y = Input()
    for _ in range(3000):
        y = ReLU()(y)
    assert len(Graph.from_outputs(y).nodes) == 3000


def test_same_graph_as_sequential():
    x = Input()
    graph = Graph.from_outputs(Dense(3)(GlobalAvgPool()(Conv(4)(x))))
    layers = Sequential([Conv(4), GlobalAvgPool(), Dense(3)])
    assert graph.flattened() == layers.flattened()


@pytest.mark.parametrize(
    ("build", "error", "message"),
    [
        (lambda x: Conv(3)(3), TypeError, r"Conv: inputs must be symbols such as Input\(\), got 3"),
        (lambda x: Conv(3)(np.ones(3)), TypeError, "Conv: inputs must be symbols"),
        (lambda x: Add()([x, x]), TypeError, "Add: inputs must be symbols"),
        (lambda x: Conv(3), TypeError, r"outputs must be symbols, got Conv\(filters=3\)"),
        (lambda x: 3, TypeError, "outputs must be symbols, got 3"),
        (lambda x: x, ValueError, "outputs must be those of layers, got the input itself"),
        (lambda x: [], ValueError, r"follow from an Input\(\), got none"),
        (lambda x: Conv(3)(), ValueError, r"^Conv: inputs must be symbols .* got none"),
        (
            lambda x: Add()(Conv(3)(x), Conv(3)(Input(name="b"))),
            ValueError,
            r"inputs must have names of their own, .* got \[Input\(\), Input\(name='b'\)\]",
        ),
        (lambda x: Add()(*(Conv(3)(Input(name="b")) for _ in "ab")), ValueError, "of their own"),
    ],
)
def test_faults(build, error, message):
    with pytest.raises(error, match=message):
        Graph.from_outputs(build(Input()))


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda x: Add()(x), r"node 'add1' \(Add\) must read at least 2 inputs, got \('input',\)"),
        (lambda x: Conv(3)(x, x), r"node 'conv1' \(Conv\) must read 1 inputs, got \('input', 'in"),
        (lambda x: Multiply()(x, x, x), r"node 'multiply1' \(Multiply\) must read"),
        (lambda x: Sequential([ReLU()])(x, x), r"node 'sequential1' \(Sequential\) must read 1"),
        (lambda x: Add()(x, Conv(3)(x)), r"\(4, 4, 1\), \(4, 4, 3\).*\(node 'add1'\)"),
    ],
)
def test_faults_of_the_graph(build, message):
    graph = Graph.from_outputs(build(Input()))
    with pytest.raises(ValueError, match=message):
        graph.output_shape((4, 4, 1))


def test_repr():
    x = Input()
    assert repr(x) == "Input()"
    assert repr(ReLU()(x)) == "<output of ReLU()>"
    assert repr(Input([4, 4, 1])) == "Input((4, 4, 1))"


# Shapes


def test_shapes_of_symbols():
    x = Input((8, 6, 4))
    assert x.shape == (8, 6, 4)
    y = Conv(x.shape[-1] // 2, 3, stride=2)(x)
    assert y.shape == (4, 3, 2)
    assert Concat()(y, y, name="both").shape == (4, 3, 4)
    assert GlobalAvgPool()(y).shape == (2,)
    assert Residual([Conv(4), ReLU()])(x).shape == (8, 6, 4)
    assert Concat([Conv(2), Conv(3)])(x).shape == (8, 6, 5)
    graph = Graph.from_outputs(y)
    assert graph.output_shape((8, 6, 4)) == y.shape
    assert graph.output_shape((16, 6, 4)) == (8, 3, 2)


def test_shapes_that_are_not_known():
    assert Input().shape is None
    assert Conv(3)(Input()).shape is None
    x = Input((8, 6, 4))
    assert Add()(x, Conv(4)(Input())).shape is None
    for last in (Conv1x1(None), Dense(None), Sequential([Conv(3), Residual([Conv1x1(None)])])):
        y = GlobalAvgPool()(last(x))
        assert y.shape is None
        assert Graph.from_outputs(y).flattened(5)


def test_a_layer_that_does_not_take_its_input_fails_where_it_is_called():
    x = Input((8, 6, 4))
    with pytest.raises(ValueError, match="Add: inputs must have one shape"):
        Add()(x, Conv(3)(x))
    with pytest.raises(ValueError, match=r"^Conv: a call must read 1 inputs, got \[\(8, 6"):
        Conv(3)(x, x)
    with pytest.raises(ValueError, match=r"^Add: a call must read at least 2 inputs, got"):
        Add()(x)
    with pytest.raises(ValueError, match="Conv: filters must be"):
        Conv(0)(x)
    with pytest.raises(ValueError, match="Conv: input must be images"):
        Conv(3)(GlobalAvgPool()(x))


@pytest.mark.parametrize(
    ("shape", "error"),
    [(3, TypeError), ("888", TypeError), ((), ValueError), ((8, 0, 1), ValueError)],
)
def test_faults_of_the_shape(shape, error):
    with pytest.raises(error, match="Input: input shape must be sizes from 1"):
        Input(shape)
