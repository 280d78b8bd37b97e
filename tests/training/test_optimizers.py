"""Each update against its published equations, written out in NumPy."""

import numpy as np
import pytest
from oracles import assert_same_bits, normals

from cnnkit import set_num_threads
from cnnkit.layers.base import WeightSpec
from cnnkit.network.weights import Weights
from cnnkit.training.optimizers import SGD, Adam, AdamW

SAMPLES = 16


def sgd(w, g, state, t, *, rate, l2, alpha, momentum, nesterov):
    """Sutskever et al. (2013), equations 1 to 4 with the look-ahead as the weights kept."""
    g = g + l2 * w
    state["v"] = momentum * state.get("v", 0) - rate * g
    return w + momentum * state["v"] - rate * g if nesterov else w + state["v"]


def adam(w, g, state, t, *, rate, l2, alpha, beta_1, beta_2, epsilon):
    """Kingma & Ba (2015), algorithm 1 in the order of section 2's last paragraph."""
    g = g + l2 * w
    state["m"] = beta_1 * state.get("m", 0) + (1 - beta_1) * g
    state["v"] = beta_2 * state.get("v", 0) + (1 - beta_2) * g**2
    rate = rate * np.sqrt(1 - beta_2**t) / (1 - beta_1**t)
    return w - rate * state["m"] / (np.sqrt(state["v"]) + epsilon)


def adamw(w, g, state, t, *, rate, l2, alpha, **options):
    """Loshchilov & Hutter (2019), algorithm 2: decay apart from the gradient."""
    return adam(w, g, state, t, rate=rate, l2=0, alpha=0, **options) - rate * alpha * w


BETAS = {"beta_1": 0.9, "beta_2": 0.999, "epsilon": 1e-8}
CASES = {
    "sgd": (SGD, sgd, {"momentum": 0.0, "nesterov": False}),
    "momentum": (SGD, sgd, {"momentum": 0.9, "nesterov": False}),
    "nesterov": (SGD, sgd, {"momentum": 0.7, "nesterov": True}),
    "adam": (Adam, adam, BETAS),
    "other betas": (Adam, adam, {"beta_1": 0.5, "beta_2": 0.8, "epsilon": 1e-2}),
    "no betas": (Adam, adam, {"beta_1": 0.0, "beta_2": 0.0, "epsilon": 0.5}),
    "adamw": (AdamW, adamw, BETAS),
}
each_case = pytest.mark.parametrize(("kind", "rule", "options"), CASES.values(), ids=CASES)
SIZES = {"few": (3, 5), "many": (41, 1000)}


def weights_of(shape, dtype):
    specs = {"a/b": WeightSpec(shape[1:]), "a/w": WeightSpec(shape, 3, True)}
    weights = Weights(specs, dtype)
    weights.flat[:] = normals(weights.flat.size)
    return weights


@pytest.fixture
def threads():
    yield set_num_threads
    set_num_threads(None)


@pytest.mark.parametrize("alpha", [0, 0.3])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("shape", SIZES.values(), ids=SIZES)
@each_case
def test_steps(kind, rule, options, shape, dtype, alpha):
    weights = weights_of(shape, dtype)
    optimizer = kind(weights, 0.02, alpha, **options)
    expected = {path: array.astype("float64") for path, array in weights.items()}
    states = {path: {} for path in expected}
    for t in range(1, 7):
        grads = weights.like()
        grads.flat[:] = normals(grads.flat.size, seed=t)
        optimizer.step(grads, SAMPLES)
        for path, w in expected.items():
            decay = alpha if path == "a/w" else 0.0
            rates = {"rate": 0.02, "l2": decay / SAMPLES, "alpha": decay}
            g = grads[path].astype("float64")
            expected[path] = rule(w, g, states[path], t, **rates, **options)
    assert optimizer.steps == 6
    within = 3e-6 if dtype == "float32" else 1e-14
    for path, w in expected.items():
        assert weights[path].dtype == dtype
        errors = np.abs(weights[path] - w)
        # where a gradient all but vanishes, Adam's direction hangs on how its sum was rounded
        assert (errors > within).sum() <= w.size // 10_000
        assert errors.max() <= 100 * within


@each_case
def test_gradients_are_read_only(kind, rule, options):
    weights = weights_of((3, 5), "float32")
    grads = weights.like()
    grads.flat[:] = before = normals(20).astype("float32")
    kind(weights, 0.1, 0.5, **options).step(grads, SAMPLES)
    assert_same_bits(grads.flat, before)


@each_case
def test_biases_do_not_decay(kind, rule, options):
    weights = weights_of((3, 5), "float64")
    before = weights.flat.copy()
    kind(weights, 0.1, 0.5, **options).step(weights.like(), SAMPLES)
    assert_same_bits(weights["a/b"], before[15:])
    assert (weights["a/w"].ravel() != before[:15]).all()


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@each_case
def test_the_number_of_threads_does_not_change_a_bit(kind, rule, options, dtype, threads):
    results = []
    for n in (1, 2, 3, 8):
        threads(n)
        weights = weights_of((41, 1000), dtype)
        optimizer = kind(weights, 0.02, 0.3, **options)
        for t in range(2):
            grads = weights.like()
            grads.flat[:] = normals(grads.flat.size, seed=t)
            optimizer.step(grads, SAMPLES)
        results.append(weights.flat)
    for result in results[1:]:
        assert_same_bits(result, results[0])


@each_case
def test_networks_without_weights_take_steps_too(kind, rule, options):
    weights = Weights({}, "float32")
    kind(weights, 0.1, 0.5, **options).step(weights.like(), SAMPLES)
    assert weights.flat.size == 0
