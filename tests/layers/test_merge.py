"""Add, Multiply and Concat, given symbols and given branches."""

import numpy as np
import pytest
from layer_oracles import bound, check, step
from oracles import normals
from seeded import generator

from cnnkit import (
    Add,
    Concat,
    Conv,
    Conv1x1,
    Flatten,
    GlobalAvgPool,
    Input,
    MatMul,
    MaxPool,
    Multiply,
    Network,
    ReLU,
    Sequential,
    Sigmoid,
)

CHANNELS = [1, 3, 5, 15, 16, 17, 33]
BRANCHES = {
    "two": [Conv1x1(4), Conv(4, 3)],
    "lists": [[Conv1x1(4), ReLU()], [Conv(4, 3), ReLU(), Conv(4, (1, 2))]],
    "named": [("left", Conv1x1(4)), ("right", [MaxPool(3, stride=1, padding=1), Conv1x1(4)])],
    "nested": [Conv1x1(4), Add([Conv1x1(4), [Conv1x1(4), ReLU()]])],
}


@pytest.mark.parametrize("count", [2, 3, 5])
@pytest.mark.parametrize("channels", CHANNELS)
def test_add(channels, count):
    check(Add(), *[(2, 3, channels)] * count, batch=2, n=1)


def test_add_of_rows():
    check(Add(), (7,), (7,))


@pytest.mark.parametrize("channels", CHANNELS)
@pytest.mark.parametrize(
    "parts",
    [
        ("whole", "whole"),
        ("whole", "row"),
        ("row", "whole"),
        ("whole", "pixel"),
        ("pixel", "whole"),
        ("row", "pixel"),
        ("pixel", "row"),
        ("row", "row"),
    ],
    ids=str,
)
def test_multiply(parts, channels):
    shapes = {"whole": (2, 3, channels), "row": (channels,), "pixel": (1, 1, channels)}
    shapes = [shapes[part] for part in parts]
    check(Multiply(), *shapes, batch=2, n=1)
    biggest = "whole" if "whole" in parts else parts[0]
    assert Multiply().output_shape(*shapes) == shapes[parts.index(biggest)]


@pytest.mark.parametrize(
    "channels", [(1, 3), (5, 1, 15), (16, 17), (33, 1, 1, 3), (5, 5, 5)], ids=str
)
@pytest.mark.parametrize("n", [0, 1, 3])
def test_concat(channels, n):
    check(Concat(), *[(2, 3, c) for c in channels], n=n)
    check(Concat(), *[(c,) for c in channels], n=n)


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("branches", BRANCHES.values(), ids=BRANCHES)
@pytest.mark.parametrize("merge", [Add, Multiply, Concat])
def test_branches(merge, branches, training):
    check(merge(branches), (3, 4, 3), training=training)


@pytest.mark.parametrize("merge", [Add, Multiply, Concat])
@pytest.mark.parametrize("training", [True, False])
def test_the_same_array_twice(merge, training):
    check(lambda x: merge()(x, x), (3, 2, 5), training=training)
    check(lambda x: Conv1x1(2)(merge()(*[Conv(3, 2)(x)] * 2)), (3, 2, 5), training=training)


def test_branches_are_the_graph_they_stand_for():
    block = Concat([Conv1x1(4), ("deep", [Conv1x1(2), ReLU(), Conv(6, 3)])])
    names = [name for name, _, _ in Sequential([("block", block)]).flattened()]
    assert names == [
        "block/branch1",
        "block/deep/conv1x1_1",
        "block/deep/relu1",
        "block/deep/conv1",
        "block/merge",
    ]
    assert block.output_shape((5, 4, 3)) == (5, 4, 10)


def test_squeeze_and_excitation_by_branches():
    gate = [GlobalAvgPool(), Sigmoid()]
    network = Network(Sequential([Multiply([Conv1x1(4), [Conv1x1(4), *gate]])]), (3, 2, 4), 1)
    network.weights.initialise(generator(0))
    network.x[...] = x = normals(1, 3, 2, 4)
    w = [network.weights[f"multiply1/branch{path}/w"][0, 0] for path in ("1", "2/conv1x1_1")]
    want = (x @ w[0]) / (1 + np.exp(-(x @ w[1]).mean((1, 2), keepdims=True)))
    np.testing.assert_allclose(network.forward(1), want, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(
    ("merge", "spoilt"),
    [(Add, np.s_[1, 2, 0, 4]), (Multiply, np.s_[1, 2, 0, 4]), (Concat, np.s_[1, 2, 0, 10])],
)
def test_nan_stays_where_it_is(merge, spoilt):
    network = bound(merge(), (3, 2, 6), (3, 2, 6), training=False)
    network.weights["x1/x"][1, 2, 0, 4] = np.nan
    (y,) = step(network)
    expected = np.zeros(y.shape, bool)
    expected[spoilt] = True
    assert (np.isnan(y) == expected).all()


@pytest.mark.parametrize(
    ("merge", "shapes", "message"),
    [
        (Add(), [(3, 2, 5), (3, 2, 4)], r"Add: inputs .* \(1, 1, C\), got \(\(3, 2, 5\), \(3"),
        (Add(), [(5,), (3, 2, 5)], "Add: inputs must have one shape, or those after the first"),
        (MatMul(), [(2, 3), (2, 3)], r"MatMul: inputs must be matrices .* got \(2, 3\), \(2, 3\)"),
        (MatMul(), [(4, 2, 3), (5, 3, 2)], "MatMul: axes before the last two must be the same"),
        (Multiply(), [(3, 2, 5), (4,)], r"Multiply: inputs .* \(C,\) or \(1, 1, C\), got \(3, 2,"),
        (Multiply(), [(3, 2, 5), (3, 1, 5)], "Multiply: inputs must have one shape, or one of"),
        (Multiply(), [(3, 2, 5), (3, 2, 1)], "Multiply: inputs must have one shape, or one of"),
        (Concat(), [(3, 2, 5), (2, 3, 5)], "Concat: inputs must have one shape but for their cha"),
        (Concat(), [(3, 2, 5), (5,)], "Concat: inputs must have one shape but for their channels"),
        (Add([Conv1x1(4), Conv1x1(5)]), [(3, 2, 5)], "Add: .* got .*node 'merge'"),
        (Add([Conv1x1(4)]), [(3, 2, 5)], "Add: branches must be a list of at least two, got"),
        (Concat(Conv(3)), [(3, 2, 5)], "Concat: branches must be a list of at least two, got"),
        (Multiply([Flatten()] * 3), [(3, 2, 5)], "Graph: node .merge. .* must read .*2 inputs"),
    ],
    ids=str,
)
def test_refusals(merge, shapes, message):
    with pytest.raises((ValueError, TypeError), match=f"^{message}"):
        merge.output_shape(*shapes)


@pytest.mark.parametrize("merge", [Add, Multiply, Concat])
def test_one_input_is_refused(merge):
    with pytest.raises(ValueError, match=rf"^Graph: node 'm' \({merge.__name__}\) must read .*got"):
        Sequential([("m", merge())]).flattened()


def test_only_symbols_can_be_merged():
    with pytest.raises(TypeError, match=r"^Add: inputs must be symbols such as Input\(\), got 3"):
        Add()(Input(), 3)


@pytest.mark.parametrize("shape", [(5,), (1, 1, 5)])
def test_add_spreads_what_comes_after(shape):
    check(Add(), (3, 2, 5), shape, (3, 2, 5))
    check(Add(), (3, 2, 5), shape, shape)


@pytest.mark.parametrize("shapes", [((2, 3), (3, 4)), ((5, 2, 3), (5, 3, 1)), ((2, 3), (4, 3, 2))])
def test_matrices(shapes):
    check(MatMul(), *shapes)
