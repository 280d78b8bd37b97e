"""Native code stays inside its arrays, writes all of its results and reads nothing unwritten.

Arrays lie between two pages of memory that may not be touched, ending exactly where one begins or
beginning where one ends; operands may not be written to. Results and scratch start as NaN.
"""

import ctypes
import platform
from collections import Counter
from contextlib import contextmanager
from unittest.mock import patch

import children
import layer_cases
import numpy as np
import pytest
from conv_problems import Plain, number, padding, problem, run_layer, sides
from guarded import PAGE, Guarded
from oracles import assert_same_bits

from cnnkit import Network, models, num_threads, set_num_threads
from cnnkit._native import im2col as columns
from cnnkit._native import loss, optimizer
from cnnkit._native.activation import ActivationOp
from cnnkit._native.norm import AffineOp, BatchNormOp
from cnnkit._native.pool import AvgPoolOp, MaxPoolOp
from cnnkit.layers.activation import _Compiled
from cnnkit.validate import shapes

pytestmark = pytest.mark.skipif(platform.system() != "Linux", reason="needs Linux's mprotect")


def one_past_the_end(rng, note):
    """Read past the end of a guarded array, which must end the process."""
    array = Guarded(rng).empty((PAGE,), np.uint8)
    note("one past the end")
    ctypes.string_at(array.ctypes.data + PAGE, 1)


def test_a_guard_page_stops_what_passes_the_end(trials):
    with pytest.raises(AssertionError, match=r"^exit code -?[0-9]+, last tried: one past the end"):
        children.alone(one_past_the_end, trials, quick=1, full=1, timeout=120)


def threads(rng):
    set_num_threads(number(rng, 1, 4))


def same_in(memories, run, seed):
    """Run an op in each kind of memory: the same bits, and no number that was never written."""
    first, second = (tuple(run(np.random.default_rng(seed), memory)) for memory in memories)
    assert all(np.isfinite(array).all() for array in first)
    assert_same_bits(first, second)


def convolution(rng, dtype):
    conv = problem(rng)
    operands = [a.astype(conv.dtype) for a in conv.draw(rng, "normals")]
    return conv, lambda rng, memory: run_layer(rng, conv, operands, memory)[0]


def pooling(rng, dtype):
    while True:
        shape = (number(rng, 0, 3), number(rng, 1, 9), number(rng, 1, 9), number(rng, 1, 70))
        options = sides(rng, 1, 4), sides(rng, 1, 4), padding(rng), bool(rng.random() < 0.5)
        try:
            windows = shapes.pool_windows(shape, *options, "test")
            break
        except ValueError:
            continue
    x = rng.standard_normal(shape).astype(dtype)
    y_shape = (windows.N, windows.OH, windows.OW, windows.C)
    dy = rng.standard_normal(y_shape).astype(dtype)
    largest, count_include_pad = rng.random(2) < 0.5

    def run(rng, memory):
        y, dx = memory.empty(y_shape, dtype), memory.empty(shape, dtype)
        arrays = memory.given(x), y
        if largest:
            where = memory.empty(y_shape, np.int32)
            op = MaxPoolOp(windows, *arrays, where, memory.given(dy), dx)
        else:
            op = AvgPoolOp(windows, *arrays, bool(count_include_pad), memory.given(dy), dx)
        op.forward(windows.N)
        op.backward(windows.N)
        return y, dx

    return (shape, options, "max" if largest else "mean"), run


def matrix(rng, dtype):
    while True:
        shape = (number(rng, 0, 3), number(rng, 1, 9), number(rng, 1, 9), number(rng, 1, 40))
        options = sides(rng, 1, 4), sides(rng, 1, 3), padding(rng), sides(rng, 1, 3)
        try:
            windows = shapes.windows(shape, *options, owner="test")
            break
        except ValueError:
            continue
    x = rng.standard_normal(shape).astype(dtype)

    def run(rng, memory):
        cols, back = memory.empty(windows.cols_shape, dtype), memory.empty(shape, dtype)
        columns.im2col(windows, memory.given(x), cols)
        columns.col2im(windows, memory.given(cols), back)
        return cols, back

    return (shape, options), run


def rows(rng):
    return number(rng, 0, 6), number(rng, 1, 300)


COMPILED = [layer for layer, _ in layer_cases.small(_Compiled)]


def activation(rng, dtype):
    layer = COMPILED[rng.integers(len(COMPILED))]
    shape = rows(rng)
    x, dy = (4 * rng.standard_normal((2, *shape))).astype(dtype)

    def run(rng, memory):
        x_, dy_ = memory.given(x), memory.given(dy)
        y, dx = memory.empty(shape, dtype), memory.empty(shape, dtype)
        saved = x_ if layer.keeps_input else y
        op = ActivationOp(layer.kind, x_, y, saved, dy_, dx, layer.alpha)
        op.forward(len(x))
        op.backward(len(x))
        return y, dx

    return (layer, shape), run


def softmax(rng, dtype):
    n, k = rows(rng)
    logits = rng.standard_normal((n, k)).astype(dtype)
    targets = rng.integers(0, k, n)
    weights = rng.random(n) + 0.5 if rng.random() < 0.5 else None

    def run(rng, memory):
        y, dlogits = memory.empty((n, k), dtype), memory.empty((n, k), dtype)
        loss.softmax(memory.given(logits), y)
        sample_weight = None if weights is None else memory.given(weights)
        total = loss.cross_entropy(
            memory.given(logits), memory.given(targets), sample_weight, dlogits
        )
        return y, dlogits, np.array(total)

    return (n, k), run


def batch_norm(rng, dtype):
    shape = (number(rng, 0, 3), number(rng, 1, 6), number(rng, 1, 6), number(rng, 1, 70))
    x, dy = rng.standard_normal((2, *shape)).astype(dtype)
    gamma, beta, mean, var = (rng.random((4, shape[-1])) + 0.5).astype(dtype)

    def run(rng, memory):
        y, dx, scaled = (memory.empty(shape, dtype) for _ in range(3))
        dgamma, dbeta = (memory.empty(gamma.shape, dtype) for _ in range(2))
        running = [memory.empty(gamma.shape, dtype) for _ in range(2)]
        running[0][:], running[1][:] = mean, var
        scale, shift = memory.given(gamma), memory.given(beta)
        images = memory.given(x)
        grads = memory.given(dy), dx, dgamma, dbeta
        with patch(
            "cnnkit.validate.arrays.empty_bytes", lambda size: memory.empty((size,), np.uint8)
        ):
            op = BatchNormOp(images, scale, shift, *running, y, 0.1, 1e-5, *grads)
        op.attach(memory.empty((op.scratch_bytes,), np.uint8))
        op.forward(len(x))
        op.backward(len(x))
        AffineOp(images, memory.given(mean), scale, shift, scaled).forward(len(x))
        return y, dx, dgamma, dbeta, *running, scaled

    return shape, run


def update(rng, dtype):
    n = int(2 ** rng.uniform(0, 16))
    w, g, m, v = np.abs(rng.standard_normal((4, n))).astype(dtype)

    def run(rng, memory):
        moved = [memory.empty((n,), dtype) for _ in range(4)]
        for array, start in zip(moved, (w, m, v, w), strict=True):
            array[:] = start
        grads = memory.given(g)
        optimizer.adam(moved[0], grads, moved[1], moved[2], 0.1, 0.9, 0.99, 1e-8, 0.01, 0.01)
        optimizer.sgd(moved[3], grads, moved[1], 0.1, 0.9, True, 0.01)
        return moved

    return n, run


OPS = [convolution] * 4 + [pooling, matrix, activation, softmax, batch_norm, update]


def bound_to_guarded_arrays(rng, note):
    """Forward and backward of one op, in memory of every kind."""
    dtype = str(rng.choice(["float32", "float64"]))
    made = OPS[rng.integers(len(OPS))]
    what, run = made(rng, dtype)
    threads(rng)
    note(f"{made.__name__} {dtype} {what}, {num_threads()} threads")
    same_in((Guarded(rng), Plain()), run, number(rng, 0, 2**31))
    COUNTS[made.__name__] += 1


COUNTS = Counter()
bound_to_guarded_arrays.found = lambda: ", ".join(f"{n:,} {name}" for name, n in COUNTS.items())


def test_native_ops_stay_inside_their_arrays(trials):
    children.alone(bound_to_guarded_arrays, trials, quick=200, full=5_000, timeout=1200)


IMAGES = {"lenet5": (8, 8, 1), "convnet": (8, 8, 3)}


def small_network(rng, note):
    """Two steps of training and inference of a network of the literature, in guarded memory."""
    name = sorted(models.MODELS)[number(rng, 0, len(models.MODELS) - 1)]
    shape = IMAGES.get(name, (number(rng, 8, 12), number(rng, 8, 12), 3))
    dtype = str(rng.choice(["float32", "float64"]))
    batch = number(rng, 1, 3)
    n = number(rng, 1, batch)
    algorithm = str(rng.choice(["auto", "exact", "direct", "im2col", "winograd"]))
    threads(rng)
    width = float(rng.choice([0.02, 0.1, 0.25]))
    note(f"{name} {width} {shape} {dtype} {algorithm}, {n} of {batch}, {num_threads()} threads")
    graph = models.MODELS[name](3, shape, width=width)
    x = rng.standard_normal((n, *shape))
    dy = rng.standard_normal((n, 3))

    def run():
        draws = np.random.default_rng(7)
        network = Network(
            graph, shape, 3, batch_size=batch, dtype=dtype, training=True, algorithm=algorithm,
            rng=draws,
        )  # fmt: skip
        network.weights.initialise(draws)
        return two_steps(network, x, dy)

    want = run()
    assert all(np.isfinite(array).all() for array in want)
    with all_memory_of(Guarded(rng)):
        assert_same_bits(run(), want)


def two_steps(network, x, dy):
    """Return outputs and gradients of two steps, and outputs of networks for inference."""
    n, found = len(x), []
    for _ in range(2):
        network.x[:n] = x
        found.append(network.forward(n).copy())
        network.doutput[:n] = dy
        network.backward(n)
        found.append(network.grads.flat.copy())
    for packed in (False, True):
        other = network.resized(network.batch_size, packed=packed)
        other.x[:n] = x
        found.append(other.forward(n).copy())
    return tuple(found)


@contextmanager
def all_memory_of(memory):
    """Let networks take their memory from `memory`."""

    def empty(size):
        return memory.empty((size,), np.uint8)

    def zero(size):
        found = empty(size)
        found[:] = 0
        return found

    with (
        patch("cnnkit.network.network.empty_bytes", empty),
        patch("cnnkit.network.weights.zero_bytes", zero),
        patch("cnnkit.validate.arrays.empty_bytes", empty),
    ):
        yield


def test_networks_stay_inside_their_memory_and_read_nothing_unwritten(trials):
    children.alone(small_network, trials, quick=15, full=500, timeout=1200)


if __name__ == "__main__":
    children.main(globals())
