"""Bound graphs against the same layers one by one on arrays of their own."""

import copy
import pickle
from decimal import Decimal
from math import prod

import numpy as np
import pytest
from oracles import assert_same_bits, normals, python
from seeded import generator

from cnnkit import (
    Conv,
    Conv1x1,
    Dense,
    Dropout,
    Flatten,
    GlobalAvgPool,
    Graph,
    MaxPool,
    Network,
    ReLU,
    Sequential,
    functional,
    set_num_threads,
)

SHAPE = (9, 11, 3)
NETS = {
    "pooled head": [
        *(Conv(5, 3), ReLU(), Conv(17, (2, 3), stride=(1, 2)), ReLU(), MaxPool(2)),
        *(Conv1x1(), GlobalAvgPool()),
    ],
    "dense head": [
        *(Conv(4, (3, 2), stride=(2, 1), padding=1), ReLU(), Flatten()),
        *(Dense(7), ReLU(), Dropout(0.3), Dense()),
    ],
    "in place and not": [
        *(ReLU(), Dropout(0.2), Conv1x1(6, groups=3, stride=2), Dropout(0.1), ReLU(), Dropout(0.2)),
        *(MaxPool(3, stride=1, padding=1), ReLU(), Dropout(0.3), Flatten(), Dropout(0.3), Dense()),
    ],
    "dense alone": [Flatten(), ReLU(), Dense(8), ReLU(), ReLU(), Dense(bias=False)],
    "nested": [
        Sequential([Conv(4, 3, bias=False), Sequential([ReLU(), Conv(6, 3, groups=2)])]),
        Graph([("r", ReLU(), ("input",)), ("p", MaxPool(3, ceil_mode=True), ("r",))]),
        *(Flatten(), Dense()),
    ],
    "pools first": [
        *(MaxPool(2), GlobalAvgPool(), Dense(5), ReLU(), Dense()),
    ],
    "widening and narrowing": [
        *(Conv1x1(33), ReLU(), Conv(2, 3, dilation=2), Conv1x1(40), Conv1x1(1), ReLU()),
        *(Conv(20, 3, padding="valid"), MaxPool((2, 3)), Conv1x1(), GlobalAvgPool()),
    ],
    "no weights after": [Conv(), ReLU(), MaxPool(3), GlobalAvgPool(), ReLU(), Dropout(0.5)],
    "no weights at all": [ReLU(), GlobalAvgPool(), Flatten()],
}
each_net = pytest.mark.parametrize("layers", NETS.values(), ids=NETS)
both_dtypes = pytest.mark.parametrize("dtype", ["float32", "float64"])


@pytest.fixture
def threads():
    yield set_num_threads
    set_num_threads(None)


def make(layers, *, batch_size=4, shape=SHAPE, **options):
    options = {"training": True, "rng": generator(0)} | options
    network = Network(Sequential(layers), shape, 3, batch_size=batch_size, **options)
    network.weights.flat[:] = normals(network.weights.flat.size)
    return network


def forward(network, n=None, *, scale=1, past=0):
    """Outputs for the first n samples of a batch of normals; `past` fills the other rows."""
    n = network.batch_size if n is None else n
    network.x[:n] = scale * normals(*network.x.shape, seed=1)[:n]
    network.x[n:] = past
    return network.forward(n).copy()


def step(network, n=None, *, scale=1, past=0):
    """Outputs and flat gradients of a step over the first n samples."""
    n = network.batch_size if n is None else n
    y = forward(network, n, scale=scale, past=past)
    network.doutput[:n] = scale * normals(*network.doutput.shape, seed=2)[:n]
    network.doutput[n:] = past
    network.backward(n)
    return y, network.grads.flat.copy()


def apply(layer, x, w, rng):
    """Output of one layer on arrays of its own, and dy -> (dx, gradients of its weights)."""
    if isinstance(layer, Conv):
        names = ("stride", "padding", "dilation", "groups")
        options = {name: getattr(layer, name) for name in names}

        def back(dy):
            dx, dw, db = functional.conv2d_backward(dy, x, w["w"], **options)
            return dx, {"w": dw, "b": db}

        return functional.conv2d(x, w["w"], w.get("b"), **options), back
    if isinstance(layer, Dense):

        def back(dy):
            dx, dw, db = functional.dense_backward(dy, x, w["w"])
            return dx, {"w": dw, "b": db}

        return functional.dense(x, w["w"], w.get("b")), back
    if isinstance(layer, MaxPool):
        options = layer.get_params()
        assert options.pop("dilation") == 1  # the functions have none
        back = lambda dy: (functional.max_pool2d_backward(dy, x, **options), {})  # noqa: E731
        return functional.max_pool2d(x, **options), back
    if isinstance(layer, GlobalAvgPool):
        back = lambda dy: (functional.global_avg_pool2d_backward(dy, x.shape), {})  # noqa: E731
        return functional.global_avg_pool2d(x), back
    if isinstance(layer, ReLU):
        y = functional.relu(x)
        return y, lambda dy: (functional.relu_backward(dy, y), {})
    if isinstance(layer, Dropout):
        if rng is None:
            return x, None
        kept = rng.random(x.shape, dtype=x.dtype) >= layer.rate
        mask = (kept / (1 - layer.rate)).astype(x.dtype)
        return x * mask, lambda dy: (dy * mask, {})
    assert isinstance(layer, Flatten)
    return x.reshape(len(x), prod(x.shape[1:])), lambda dy: (dy.reshape(x.shape), {})


def one_by_one(network, n, rng):
    """What `step` should give, every layer on arrays of its own; without rng nothing is dropped."""
    x = normals(*network.x.shape, seed=1)[:n].astype(network.dtype)
    backs = []
    for name, layer, _ in network.graph.flattened(network.n_outputs):
        x, back = apply(layer, x, network.weights.of(name), rng)
        backs.insert(0, (name, back))
    if not network.training:
        return x, None
    dy = normals(*network.output.shape, seed=2)[:n].astype(network.dtype)
    grads = network.weights.like()
    for name, back in backs:
        dy, found = back(dy)
        for weight in network.weights.of(name):
            grads[f"{name}/{weight}"] = found[weight]
    return x, grads.flat


def assert_near(got, want):
    assert got.shape == want.shape
    assert got.dtype == want.dtype
    if want.size:
        within = 2e-5 if got.dtype == "float32" else 1e-13
        some = want[want != 0] if want.any() else want  # behind a dead ReLU all is zero
        np.testing.assert_allclose(got, want, rtol=within, atol=np.sqrt(np.mean(some**2)) * within)


@pytest.mark.parametrize("algorithm", ["auto", "im2col"])
@pytest.mark.parametrize("n", [0, 1, 3, 4])
@both_dtypes
@each_net
def test_training_step_is_that_of_the_layers(layers, dtype, n, algorithm):
    network = make(layers, dtype=dtype, algorithm=algorithm)
    expected = one_by_one(network, n, generator(0))
    y, grads = step(network, n)
    assert_near(y, expected[0])
    assert_near(grads, expected[1])
    assert n > 0 or not grads.any()


@pytest.mark.parametrize("n", [0, 1, 3, 4])
@both_dtypes
@each_net
def test_inference_is_that_of_the_layers(layers, dtype, n):
    network = make(layers, dtype=dtype, training=False, rng=None)
    assert_near(forward(network, n), one_by_one(network, n, None)[0])


def undropped(layers):
    return [layer for layer in layers if not isinstance(layer, Dropout)]


@each_net
def test_training_and_inference_give_the_same_bits(layers):
    layers = undropped(layers)
    assert_same_bits(forward(make(layers, training=False)), forward(make(layers)))


@each_net
def test_nothing_is_left_from_the_batch_before(layers):
    layers = undropped(layers)
    network = make(layers)
    step(network, scale=1e3)
    step(network, 2, scale=-10)
    assert_same_bits(step(network), step(make(layers)))


@pytest.mark.parametrize("n", [0, 1, 3])
@each_net
def test_rows_past_the_batch_do_not_matter(layers, n):
    assert_same_bits(step(make(layers), n, past=np.nan), step(make(layers), n))


@pytest.mark.parametrize("algorithm", ["auto", "im2col"])
@both_dtypes
@each_net
def test_a_row_has_the_same_bits_in_any_batch(layers, dtype, algorithm):
    network = make(layers, dtype=dtype, batch_size=20, training=False, algorithm=algorithm)
    whole, x = forward(network), normals(*network.x.shape, seed=1)
    for size in (1, 3, 7):
        small = network.resized(size)
        for start in range(0, 20, size):
            n = len(x[start : start + size])
            small.x[:n] = x[start : start + size]
            assert_same_bits(small.forward(n), whole[start : start + size])


@pytest.mark.parametrize("algorithm", ["direct", "im2col"])
@both_dtypes
@pytest.mark.parametrize("name", ["pooled head", "dense head", "nested", "in place and not"])
def test_the_number_of_threads_does_not_change_a_bit(name, dtype, algorithm, threads):
    options = {"batch_size": 13, "shape": (22, 23, 16), "dtype": dtype, "algorithm": algorithm}
    layers = [Conv(24, 3), ReLU(), Conv(24, 3, stride=2), *NETS[name]]
    results = []
    for n in (1, 2, 3, 4, 8):
        threads(n)
        inferred = forward(make(layers, training=False, **options))
        results.append((*step(make(layers, **options)), inferred))
    for result in results[1:]:
        assert_same_bits(result, results[0])


def test_the_number_of_threads_may_change_between_steps(threads):
    layers = [Conv(24, 3), ReLU(), Conv(24, 3), GlobalAvgPool(), Dense()]
    threads(2)
    network = make(layers, shape=(22, 23, 16))
    expected = step(network)
    for n in (1, 8, 3):
        threads(n)
        assert_same_bits(step(network), expected)


@each_net
def test_inference_takes_less_memory(layers):
    training, inference = make(layers), make(layers, training=False)
    if any(isinstance(layer, Conv) for layer in layers):
        assert inference.activation_bytes < training.activation_bytes
    assert inference.activation_bytes <= training.activation_bytes
    assert make(layers, batch_size=40).activation_bytes > 5 * training.activation_bytes


def test_memory_of_a_deep_net_at_inference_is_that_of_two_layers():
    shallow, deep = (make([Conv(8)] * depth, training=False).activation_bytes for depth in (2, 20))
    assert deep <= 1.1 * shallow


def test_resized_shares_the_weights():
    network = make(NETS["dense head"])
    small = network.resized(2)
    assert (small.training, small.batch_size, small.grads) == (False, 2, None)
    assert small.weights is network.weights
    before = forward(small)
    network.weights["dense2/b"] += 1
    np.testing.assert_allclose(forward(small), before + 1, rtol=1e-4)


@pytest.mark.parametrize("again", [copy.deepcopy, lambda n: pickle.loads(pickle.dumps(n))])
@each_net
def test_copies_are_equal_and_separate(layers, again):
    network = make(layers)
    other = again(network)
    assert_same_bits(other.weights.flat, network.weights.flat)
    assert_same_bits(step(other), step(network))
    assert_same_bits(forward(again(network.resized(3))), forward(network.resized(3)))
    for mine, its in [(network.weights, other.weights), (network.grads, other.grads)]:
        its.flat[:] = 7
        assert not (mine.flat == 7).any()


def test_attributes():
    network = make(NETS["pooled head"], dtype="float64")
    assert network.x.shape == (4, *SHAPE)
    assert network.output.shape == network.doutput.shape == (4, 3)
    assert {a.dtype for a in (network.x, network.output, network.weights.flat)} == {
        np.dtype("float64")
    }
    assert network.summary().weights == network.weights.flat.size
    assert np.may_share_memory(network.forward(3), network.output)
    assert not np.may_share_memory(network.output, network.doutput)


def test_graphs_of_one_layer_that_computes_nothing():
    network = make([Flatten()], shape=(1, 1, 3))
    assert_same_bits(forward(network), network.x.reshape(4, 3))


@pytest.mark.parametrize("n", [-1, 5, 2**40])
@pytest.mark.parametrize("name", ["pooled head", "dense head", "no weights at all"])
def test_more_samples_than_there_is_room_for(name, n):
    network = make(undropped(NETS[name]))
    with pytest.raises(ValueError, match=f"n must be an int from 0 to 4, got {n}"):
        network.forward(n)


def test_backward_needs_training():
    with pytest.raises(ValueError, match=r"^Network: backward needs a network made with training="):
        make([Conv(2)], training=False).backward(1)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"batch_size": 0}, "Network: batch_size must be a positive int, got 0"),
        ({"batch_size": 1.5}, "Network: batch_size must be a positive int, got 1.5"),
        ({"batch_size": 2**31 - 1, "shape": (999, 999, 3)}, "Network: batch_size at 'input' must"),
        ({"shape": (5, 4)}, r"Conv: input must be images .*\(5, 4\)\. \(node 'conv1'\)"),
        ({"weights": {}}, r"Network: weights must be those of a network, got \{\}"),
        ({"dtype": "int32"}, ".*float32 or float64, got"),
        ({"dtype": "float16"}, ".*float32 or float64, got"),
        ({"frozen": ["c"]}, r"Network: frozen must be paths of layers \['conv1'\], got \['c'\]"),
        ({"companions": -1}, "Network: companions must be an int of at least 0, got -1"),
        ({"companions": Decimal("NaN")}, "Network: companions must be an int of at least 0, got D"),
        ({"algorithm": "fft"}, r".*algorithm must be one of .*'winograd'.*, got 'fft'"),
    ],
    ids=str,
)
def test_refusals(options, message):
    with pytest.raises((ValueError, TypeError), match=f"^{message}"):
        make([Conv(2)], **options)


def test_a_network_is_of_a_graph():
    message = r"^Network: graph must be one, such as Sequential\(\[...\]\), got \[Conv"
    with pytest.raises(TypeError, match=message):
        Network([Conv(2)], (4, 4, 3), 2)


@pytest.mark.parametrize("X", ["images", None, [[1j] * 60]])
def test_activations_of_what_holds_no_real_numbers(X):
    network = make([Conv(2)])
    with pytest.raises(TypeError, match=r"^Network: X must hold real numbers, got dtype"):
        network.activations(X, "conv1")


def test_images_without_pixels_or_channels_are_refused():
    """In a process of its own: this once divided by zero in native code."""
    code = """if True:
        from cnnkit import *
        cases = [([Conv(2), GlobalAvgPool()], (3, 4, 0)), ([Flatten(), Dense(2)], (0, 4, 3))]
        for layers, shape in cases:
            try:
                Network(Sequential(layers), shape, 2, training=True).forward(1)
            except ValueError as error:
                print("refused:", error)
    """
    done = python(code)
    assert done.stdout.count("refused: ") == 2, (done.returncode, done.stderr)


@pytest.mark.parametrize("batch", [1, 40])
@pytest.mark.parametrize(
    ("layer", "shape"),
    [
        (Conv(512, 3), (7, 9, 512)),
        (Conv(512, 3, stride=2), (14, 14, 256)),
        (Conv1x1(1000), (13, 13, 512)),
        (Conv1x1(512, stride=2), (8, 8, 1024)),
        (Dense(1500), (9216,)),
    ],
    ids=str,
)
def test_scratch_is_at_most_8_mb_whatever_the_batch(layer, shape, batch):
    set_num_threads(1)
    try:
        network = make([layer], shape=shape, batch_size=batch)
        ops = [*network._forward, *network._backward]
    finally:
        set_num_threads(None)
    assert max(op.scratch_bytes for op in ops) <= 8 << 20
