"""Slow twins of whole layers, and networks whose inputs have gradients too."""

import numpy as np
from layer_cases import TWINS
from oracles import numeric_slopes
from seeded import generator

from cnnkit import Graph, Input, Layer, Network
from cnnkit.layers import Op
from cnnkit.layers.base import WeightSpec


class Source(Layer):
    """An input that is a weight: its gradient is the dx of what reads it."""

    def __init__(self, shape, batch):
        self.shape = shape
        self.batch = batch

    def output_shape(self, input_shape):
        return tuple(self.shape)

    def weight_specs(self, input_shape):
        return {"x": WeightSpec((self.batch, *self.shape))}

    def bind(self, slots):
        return SourceOp(slots)


class SourceOp(Op):
    """y = x and dx = dy; dx is 0 past the samples asked for."""

    def __init__(self, slots):
        self.slots = slots

    def forward(self, n):
        self.slots.y[:n] = self.slots.weights["x"][:n]

    def backward(self, n):
        dx = self.slots.grads["x"]
        dx[:n], dx[n:] = self.slots.dy[:n], 0


def bound(
    build, *shapes, batch=3, dtype="float64", training=True, seed=0, draws=generator, **options
):
    """A network of sources x0, x1, ... and of what `build` makes of them, all weights drawn.

    `build` is a layer or any function of symbols that returns one or several; `draws` makes a
    generator from an int.
    """
    given = Input()
    sources = [Source(shape, batch)(given, name=f"x{i}") for i, shape in enumerate(shapes)]
    network = Network(
        Graph.from_outputs(build(*sources)),
        (1, 1, 1),
        3,
        batch_size=batch,
        dtype=dtype,
        training=training,
        rng=draws(5),
        **options,
    )
    rng = draws(seed)
    for path, spec in network.weights.specs.items():
        values = rng.standard_normal(spec.shape)
        network.weights[path] = abs(values) + 0.5 if path.endswith("/var") else values
    return network


def sources(weights):
    """The arrays of x0, x1, ... among weights or gradients."""
    return [array for path, array in weights.items() if path.endswith("/x")]


def step(network, n=None, seed=9):
    """Outputs of a step over the first `n` samples; rows past them are NaN, gradients drawn."""
    n = network.batch_size if n is None else n
    for x in sources(network.weights):
        x[n:] = np.nan
    network.forward(n)
    ys = [output[:n].copy() for output in network.outputs]
    rng = generator(seed)
    for doutput in network.doutputs:
        doutput[:n], doutput[n:] = rng.standard_normal(doutput[:n].shape), np.nan
    if network.training:
        network.backward(n)
    return ys


def check_slopes(network, n=None, seed=9):
    """Every gradient, those to the sources included, against the slope of <outputs, doutputs>."""
    n = network.batch_size if n is None else n
    weights, draws = network.weights, network.rng.bit_generator.state
    trained = slice(weights.trained)
    rng = generator(seed)
    dys = [rng.standard_normal(output[:n].shape) for output in network.outputs]

    def loss(flat):
        network.rng.bit_generator.state = draws
        weights.flat[trained] = flat
        network.forward(n)
        return sum(np.vdot(y[:n], dy) for y, dy in zip(network.outputs, dys, strict=True))

    start = weights.flat.copy()
    step(network, n, seed)
    grads = network.grads.flat[trained].copy()
    slopes, doubts = numeric_slopes(loss, weights.flat[trained].copy())
    weights.flat[:] = start
    network.rng.bit_generator.state = draws
    assert slopes.any() or n == 0
    within = 1e-6 * max(1, np.sqrt(np.mean(slopes**2)))
    np.testing.assert_array_less(abs(grads - slopes), within + 1.1 * doubts)
    assert n == 0 or np.mean(doubts > 100 * within) < 0.1  # kinks are few
    assert not network.grads.flat[weights.trained :].any()


def check(layer, *shapes, batch=3, n=2, training=True, **options):
    """A layer on sources: output by its slow twin, slopes if training, for `n` of `batch`."""
    network = bound(layer, *shapes, batch=batch, training=training, **options)
    wanted = compute(network, n)
    if training:
        check_slopes(network, n)
    for y, want in zip(step(network, n), wanted, strict=True):
        assert y.shape == want.shape
        np.testing.assert_allclose(y, want, rtol=1e-11, atol=1e-11)


def compute(network, n, rng=None):
    """What `forward` should give for each output, node by node in float64."""
    values = {"input": network.x[:n].astype(np.float64)}
    for name, layer, inputs in network.resolved.nodes:
        weights = {key: w.astype(np.float64) for key, w in network.weights.of(name).items()}
        twin = (TWINS | {"Source": source})[type(layer).__name__]
        context = {"training": network.training, "rng": rng, "n": n}
        values[name] = twin(layer, weights, context, *map(values.get, inputs))
    return [values[path] for path in network.resolved.outputs]


def source(layer, w, context, x):
    return w["x"][: context["n"]]


def output_of(layer, x, **options):
    """The output of a layer on one batch, without training."""
    network = bound(layer, x.shape[1:], batch=len(x), training=False, **options)
    network.weights["x0/x"] = x
    return step(network)[0]


def same_bits_on_any_number_of_threads(make):
    """Whether `make()`, a tuple of arrays, has the same bytes on 1, 2, 3, 4 and 8 threads."""
    from cnnkit import set_num_threads

    try:
        found = set()
        for threads in (1, 2, 3, 4, 8):
            set_num_threads(threads)
            found.add(b"".join(array.tobytes() for array in make()))
    finally:
        set_num_threads(None)
    return len(found) == 1
