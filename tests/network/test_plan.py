"""Networks of any shape: every graph against its nodes one by one, and its slopes."""

import copy

import numpy as np
import pytest
from layer_oracles import bound, check, check_slopes, compute, step
from oracles import assert_same_bits, check_gradients, normals
from seeded import generator

from cnnkit import (
    Add,
    AvgPool,
    BatchNorm,
    Concat,
    Conv,
    Conv1x1,
    Dense,
    DepthwiseConv,
    Dropout,
    Flatten,
    GlobalAvgPool,
    Graph,
    HardSwish,
    LeakyReLU,
    LocalResponseNorm,
    MaxPool,
    Multiply,
    Network,
    Pad,
    ReLU,
    ReLU6,
    Reshape,
    Sequential,
    Sigmoid,
    SiLU,
    Softmax,
    Tanh,
    UpSample,
)
from cnnkit.network.plan import Plan

SHAPE = (4, 3, 5)


def shared(x):
    y = Conv(5, 2)(x)
    return Add()(ReLU()(y), y, Tanh()(y))


def shared_by_those_in_place(x):
    y = Conv(5, 2)(x)
    return [ReLU6()(y), LeakyReLU()(y), Sigmoid()(y), Dropout()(y), Reshape((5, 12))(y)]


def ladder(x):
    for _ in range(4):
        x = Add()(x, Conv(5, 2)(ReLU()(x)))
    return x


def ladder_the_other_way(x):
    for _ in range(4):
        x = Add()(Conv1x1(5)(ReLU()(x)), x)
    return x


def dense_block(x):
    for _ in range(3):
        x = Concat()(x, ReLU()(BatchNorm()(Conv(3, 3)(x))))
    return x


def gates(x):
    y = SiLU()(Conv1x1(6)(x))
    gate = Sigmoid()(Dense(6)(ReLU()(Dense(2)(GlobalAvgPool()(y)))))
    return Add()(Multiply()(y, gate), Multiply()(y, y), Multiply()(Reshape((1, 1, 6))(gate), y))


def adds_in_place(x):
    a, b, c = (Conv1x1(5)(x) for _ in range(3))
    return ReLU()(Add()(Add()(a, b), Add()(c, Add()(x, x, x))))


def reshapes(x):
    flat = Flatten()(Conv1x1(5)(x))
    image = Reshape(SHAPE)(ReLU()(Reshape((12, 5))(flat)))
    return [Dense(3)(flat), Conv(2, 2)(image), Softmax()(image)]


def outputs_that_others_read(x):
    a = Conv(5, 2)(x)
    b = ReLU()(a)
    c = BatchNorm()(b)
    return [c, a, Add()(c, b), b]


def output_and_its_reshape(x):
    y = ReLU()(Conv(5, 2)(x))
    flat = Flatten()(y)
    return [flat, y, Tanh()(flat)]


def dropout_in_branches(x):
    y = ReLU()(Conv(5, 2)(Dropout(0.3)(x)))
    left, right = Dropout(0.4)(Conv1x1(5)(y)), Dropout(0.2)(Dropout(0.3)(y))
    return Add()(left, Dropout(0.5)(Add()(left, right, Dropout(0.1)(y))))


def pyramid(x):
    small = MaxPool(2, ceil_mode=True)(ReLU()(Conv(4, 3)(x)))
    top = Conv1x1(4)(small)
    merged = Add()(Conv1x1(4)(Pad(((0, 0), (0, 1)))(x)), UpSample(2)(top))
    return [top, Conv(4, 3)(merged), AvgPool(2)(merged)]


def norms_everywhere(x):
    y = BatchNorm()(BatchNorm()(LocalResponseNorm()(x)))
    return Add()(HardSwish()(y), BatchNorm()(DepthwiseConv(2)(y)), BatchNorm()(y))


GRAPHS = [
    *(shared, shared_by_those_in_place, ladder, ladder_the_other_way, dense_block, gates),
    *(adds_in_place, reshapes, outputs_that_others_read, output_and_its_reshape, pyramid),
    *(norms_everywhere, dropout_in_branches),
]
each_graph = pytest.mark.parametrize("build", GRAPHS, ids=lambda build: build.__name__)


def check_outputs(network, n):
    """Each output by its nodes one by one, dropout drawing the same numbers."""
    wanted = compute(network, n, copy.deepcopy(network.rng))
    for y, want in zip(step(network, n), wanted, strict=True):
        np.testing.assert_allclose(y, want, rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("n", [1, 3])
@each_graph
def test_training(build, n):
    network = bound(build, SHAPE)
    check_slopes(network, n)
    check_outputs(network, n)


@pytest.mark.parametrize("n", [0, 1, 3])
@each_graph
def test_inference(build, n):
    check_outputs(bound(build, SHAPE, training=False), n)


@each_graph
def test_inference_takes_less_memory(build):
    training, inference = (bound(build, SHAPE, training=t).activation_bytes for t in (True, False))
    assert inference < training


@each_graph
def test_inference_after_training_shares_weights_and_statistics(build):
    network = bound(build, SHAPE)
    step(network)
    small = network.resized(2)
    step(small)
    whole = bound(build, SHAPE, training=False)
    whole.weights.flat[:] = network.weights.flat
    step(whole)
    for y, want in zip(small.outputs, whole.outputs, strict=True):
        np.testing.assert_allclose(y, want[:2], rtol=1e-12, atol=1e-12)


@each_graph
def test_nothing_is_left_from_the_batch_before(build):
    used, fresh = bound(build, SHAPE), bound(build, SHAPE)
    start, draws = used.weights.flat.copy(), used.rng.bit_generator.state
    step(used, 2, seed=3)
    used.weights.flat[:] = start
    used.rng.bit_generator.state = draws
    assert_same_bits(tuple(step(used)), tuple(step(fresh)))
    assert_same_bits(used.grads.flat, fresh.grads.flat)


def random_graph(rng):
    """A function of symbols that grows a graph node by node, all images of one height and width.

    Late nodes are read more often than early ones, so that the graph is deep as well as wide.
    """

    def build(x0, x1):
        pool = [(x0, 5), (x1, 3)]
        singles = [
            *(ReLU(), ReLU6(), LeakyReLU(0.2), Tanh(), SiLU(), Sigmoid(), HardSwish()),
            *(BatchNorm(), BatchNorm(), Dropout(0.3), MaxPool(3, stride=1, padding=1)),
            *(DepthwiseConv((2, 3)), AvgPool(3, stride=1, padding="same"), Softmax()),
        ]
        for _ in range(rng.integers(6, 16)):
            at = len(pool) - 1 - min(int(rng.geometric(0.4)) - 1, len(pool) - 1)
            x, channels = pool[at]
            kind = rng.choice(["single", "conv", "norm", "add", "multiply", "concat", "reshape"])
            alike = [y for y, c in pool if c == channels]
            other = alike[rng.integers(len(alike))]
            if kind == "single":
                x = singles[rng.integers(len(singles))](x)
            elif kind == "conv":
                channels = int(rng.choice([3, 5]))
                x = Conv(channels, (int(rng.integers(1, 3)), 2), bias=bool(rng.integers(2)))(x)
            elif kind == "norm":
                x = ReLU()(BatchNorm()(Conv1x1(channels)(x)))
            elif kind == "add":
                x = Add()(x, other) if rng.integers(2) else Add()(other, x, other)
            elif kind == "multiply":
                x = Multiply()(Tanh()(x), Sigmoid()(GlobalAvgPool()(other)))
            elif kind == "concat" and channels <= 8:
                y, more = pool[rng.integers(len(pool))]
                x, channels = Concat()(x, y), channels + more
            else:
                x = Reshape((4, 3, channels))(Flatten()(x))
            pool.append((x, channels))
        grown = pool[2:]
        extra = [y for y, _ in grown[:-1] if rng.random() < 0.15]
        return [grown[-1][0], *extra]

    return build


@pytest.mark.parametrize("seed", range(40))
def test_random_graphs(seed):
    def make(**options):
        return bound(random_graph(generator(seed)), SHAPE, (4, 3, 3), **options)

    network = make(batch=2)
    check_slopes(network, 2)
    check_outputs(network, 1 + seed % 2)
    inference = make(training=False)
    check_outputs(inference, 2 + seed % 2)
    assert inference.activation_bytes <= make().activation_bytes


def wide(x):
    return Concat()(*[ReLU()(Conv(3, 3)(x)) for _ in range(3)])


def test_an_unread_node_changes_nothing():
    nodes = [("a", Conv(3), "input"), ("unread", ReLU(), "a"), ("b", Conv(3), "a")]
    graphs = [Graph(nodes, outputs="b"), Graph([nodes[0], nodes[2]])]
    found = []
    for graph in graphs:
        network = Network(graph, (4, 5, 2), 1, batch_size=2, dtype="float64", training=True)
        network.weights.flat[:] = normals(network.weights.flat.size)
        network.x[...] = normals(2, 4, 5, 2)
        y = network.forward(2).copy()
        network.doutput[...] = normals(*y.shape, seed=1)
        network.backward(2)
        found.append((y, network.grads.flat.copy()))
    assert_same_bits(*found)


def test_what_no_weight_leads_to_needs_no_gradient():
    graph = Graph([("a", Tanh(), "input"), ("b", Conv(2, 2), "a")], ["a", "b"])
    network = Network(graph, (3, 4, 2), 1, batch_size=3, training=True)
    network.x[...] = normals(3, 3, 4, 2)
    network.forward(3)
    network.doutputs[0][...], network.doutputs[1][...] = np.nan, 1
    network.backward(3)
    assert network.grads["b/b"].tolist() == [36, 36]
    assert np.isfinite(network.grads["b/w"]).all()


@pytest.mark.parametrize("n", [-1, 4])
@pytest.mark.parametrize("layer", [Tanh(), Reshape((-1,)), BatchNorm(), Conv(2)], ids=str)
def test_more_samples_than_there_is_room_for(layer, n):
    network = Network(Sequential([layer]), (3, 4, 2), 1, batch_size=3)
    with pytest.raises(ValueError, match=f"n must be an int from 0 to 3, got {n}"):
        network.forward(n)


def test_the_branches_of_a_concat():
    check(wide, (3, 4, 2))
    check(wide, (3, 4, 2), training=False)


def inception(*last):
    branches = [
        [Conv(3, 1), ReLU()],
        [Conv(2, 1), ReLU(), Conv(5, 3), ReLU()],
        [MaxPool(3, stride=1, padding="same"), Conv(17, 1)],
        Tanh(),
    ]
    return Sequential([Conv(4, 3), ReLU(), Concat(branches), *last])


@pytest.mark.parametrize("training", [False, True])
def test_convolutions_write_straight_into_a_concat(training):
    network = Network(
        inception(Conv(3, 2, stride=2)), (5, 6, 2), 1, batch_size=2, training=training
    )
    plan = Plan(network.resolved, training)
    (concat,) = [step for step in plan.steps if isinstance(step.node.layer, Concat)]
    places = [(x.place == concat.y.place, x.part) for x in concat.xs]
    assert places == [(True, (0, 29)), (True, (3, 29)), (True, (8, 29)), (False, None)]
    if training:
        assert [dx.place == concat.dy.place for dx in concat.dxs] == [True, True, True, False]


@pytest.mark.parametrize("algorithm", ["direct", "im2col"])
@pytest.mark.parametrize("shape", [(5, 6, 2), (1, 1, 3), (9, 1, 1)])
def test_gradients_through_slices(shape, algorithm):
    check_gradients([inception(Tanh(), Conv(3, 3))], shape, batch=3, algorithm=algorithm)


def test_slices_of_dense_rows_are_copied():
    branches = [[Dense(3), ReLU()], Dense(4)]
    check_gradients([Flatten(), Concat(branches), Tanh()], (2, 3, 1))


def test_concat_of_concat():
    inner = Concat([[Conv(3, 1), ReLU()], Conv(2, 3)])
    check_gradients([Conv(2, 1), Concat([inner, [Conv(4, 3), ReLU()]]), Tanh()], (4, 3, 2))
