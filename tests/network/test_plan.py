"""Networks of any shape: every graph against its nodes one by one, and its slopes."""

import copy

import numpy as np
import pytest
from layer_oracles import TWINS, bound, check, check_slopes, compute, step
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
    Residual,
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


def folds(network):
    """The batch norms that an inference plan folds into the layer before."""
    plan = Plan(network.graph.resolve(network.input_shape, 3), network.training)
    return [step.fused_norm.name for step in plan.steps if step.fused_norm is not None]


HOSTS = {
    "Conv": Conv(7, (2, 3), stride=(2, 1)),
    "Conv without bias": Conv(7, 3, bias=False),
    "Conv1x1": Conv1x1(33),
    "Conv with groups": Conv(10, 2, groups=5),
    "DepthwiseConv": DepthwiseConv((2, 3)),
    "DepthwiseConv without bias": DepthwiseConv(3, bias=False),
    "DepthwiseConv with multiplier": DepthwiseConv(2, depth_multiplier=3),
}
TAILS = {
    "alone": (lambda x: BatchNorm(eps=0.1)(x), ["batchnorm1"]),
    "ReLU": (lambda x: ReLU()(BatchNorm()(x)), ["batchnorm1"]),
    "ReLU6": (lambda x: ReLU6()(BatchNorm()(x)), ["batchnorm1"]),
    "another": (lambda x: ReLU()(BatchNorm()(BatchNorm()(x))), ["batchnorm1"]),
    "dropout between": (lambda x: ReLU()(Dropout()(BatchNorm()(x))), ["batchnorm1"]),
    "ReLU before": (lambda x: BatchNorm()(ReLU()(x)), []),
    "shared": (lambda x: Add()(ReLU()(BatchNorm()(x)), x), []),
    "two readers": (lambda x: Add()(BatchNorm()(x), BatchNorm()(x)), []),
    "shared after": (lambda x: Add()(*[BatchNorm()(x)] * 2), ["batchnorm1"]),
    "norm and ReLU": (lambda x: (lambda y: Add()(ReLU()(y), y))(BatchNorm()(x)), ["batchnorm1"]),
    "an output": (lambda x: [BatchNorm()(x), x], []),
}


@pytest.mark.parametrize("algorithm", ["auto", "im2col"])
@pytest.mark.parametrize("tail", TAILS)
@pytest.mark.parametrize("host", HOSTS)
def test_folding(host, tail, algorithm):
    build, folded = TAILS[tail]
    network = bound(lambda x: build(HOSTS[host](x)), (4, 5, 5), training=False, algorithm=algorithm)
    assert folds(network) == folded
    check_outputs(network, 2)


@pytest.mark.parametrize("tail", TAILS)
@pytest.mark.parametrize("bias", [True, False])
def test_folding_into_dense(tail, bias):
    build, folded = TAILS[tail]
    network = bound(lambda x: build(Dense(17, bias=bias)(x)), (6,), training=False)
    assert folds(network) == folded
    check_outputs(network, 2)


@pytest.mark.parametrize("tail", TAILS)
def test_nothing_is_folded_in_training(tail):
    network = bound(lambda x: TAILS[tail][0](Conv(4, 2)(x)), (4, 5, 5))
    assert folds(network) == []
    check_outputs(network, 2)


def test_folding_follows_the_weights():
    network = bound(lambda x: BatchNorm()(Conv(4, 2)(x)), (4, 5, 5), training=False)
    for seed in range(3):
        flat = network.weights.flat
        flat[:] = np.abs(normals(flat.size, seed=seed)) + 0.5
        before = flat.copy()
        check_outputs(network, 3)
        assert_same_bits(flat, before)


def test_folding_costs_no_memory():
    folded, plain = (
        bound(build, (8, 9, 5), training=False).activation_bytes
        for build in (lambda x: ReLU()(BatchNorm()(Conv(9, 3)(x))), Conv(9, 3))
    )
    assert folded == plain


def wide(x):
    return Concat()(*[ReLU()(Conv(3, 3)(x)) for _ in range(3)])


NET = Sequential(
    [
        *(("stem", Conv(5, 3)), ReLU()),
        ("block", Residual([Conv(5, 3), BatchNorm(), ReLU(), Dropout(0.4), Conv1x1(5)])),
        *(("pool", MaxPool(2)), Concat([Conv1x1(4), [Conv(3, 3), ReLU()]]), GlobalAvgPool()),
        ("head", Dense()),
    ]
)


def trained(**options):
    network = Network(NET, (6, 7, 2), 3, dtype="float64", **options)
    network.weights.initialise(generator(0))
    for path in network.weights:
        if "batchnorm" in path:
            network.weights[path] = generator(1).uniform(0.5, 2, 5)
    return network


ALL_NODES = [name for name, _, _ in NET.flattened(3)]


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("count", [0, 1, 63, 64, 130])
def test_activations_are_slices_of_a_full_run(count, training):
    network = trained(training=training, rng=generator(2))
    x = normals(count, 6, 7, 2)
    found = network.activations(x, ALL_NODES)
    values = {"input": x}
    for name, layer, inputs in NET.flattened(3):
        weights = network.weights.of(name)
        context = {"training": False, "rng": None, "n": count}
        twin = TWINS[type(layer).__name__]
        values[name] = twin(layer, weights, context, *map(values.get, inputs))
    assert list(found) == ALL_NODES
    for name in ALL_NODES:
        assert found[name].shape == values[name].shape
        np.testing.assert_allclose(found[name], values[name], rtol=1e-11, atol=1e-11)


def test_activations_one_at_a_time_are_those_together():
    network, x = trained(), normals(5, 6, 7, 2)
    together = network.activations(x, ALL_NODES)
    for name in ALL_NODES:
        alone = network.activations(x, [name])[name]
        np.testing.assert_allclose(alone, together[name], rtol=1e-12, atol=1e-12)


def test_activations_of_bytes_and_of_flat_rows():
    network = trained()
    x = generator(0).integers(0, 256, (4, 6, 7, 2), np.uint8)
    want = network.activations(x / 255, ["pool"])["pool"]
    for given in (x, x.reshape(4, -1)):
        got = network.activations(given, ["pool"])["pool"]
        np.testing.assert_allclose(got, want, rtol=1e-12, atol=1e-14)


def test_a_path_may_be_asked_for_twice():
    network, x = trained(), normals(3, 6, 7, 2)
    assert list(network.activations(x, ["pool", "stem", "pool"])) == ["pool", "stem"]


@pytest.mark.parametrize("paths", [["pool", "no such"], ["block"], [], ["input"]], ids=str)
def test_unknown_paths_are_refused(paths):
    with pytest.raises(ValueError, match=r"^Network: outputs must be nodes of \['stem', .*, got"):
        trained().activations(normals(2, 6, 7, 2), paths)
    with pytest.raises(ValueError, match=r"^Network: outputs must be nodes of \['stem', .*, got"):
        trained().resized(2, paths)


def test_images_of_another_shape_are_refused():
    with pytest.raises(ValueError, match=r"^Network: X must hold images of shape \(6, 7, 2\)"):
        trained().activations(normals(2, 7, 6, 2), ["stem"])


def test_resized_to_other_outputs_leaves_out_what_they_do_not_need():
    network = trained(training=True, batch_size=8, rng=generator(0))
    whole, early = network.resized(8), network.resized(8, ("relu1", "stem"))
    assert early.activation_bytes < whole.activation_bytes
    assert [output.shape for output in early.outputs] == [(8, 6, 7, 5)] * 2
    assert early.weights is network.weights
    early.x[...] = normals(8, 6, 7, 2)
    early.forward(8)
    np.testing.assert_array_equal(early.outputs[0], np.maximum(early.outputs[1], 0))
    assert (early.outputs[1] < 0).any()


def test_resizing_again_keeps_the_outputs():
    early = trained().resized(2, ("pool",)).resized(5)
    assert early.output.shape == (5, 3, 3, 5)
    assert early.batch_size == 5


@pytest.mark.parametrize("again", [copy.copy, copy.deepcopy])
def test_copies_keep_the_outputs(again):
    early = trained().resized(2, ("pool",))
    other = again(early)
    for network in (early, other):
        network.x[...] = normals(2, 6, 7, 2)
        network.forward(2)
    assert_same_bits(other.output, early.output)


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
