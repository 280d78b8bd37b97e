"""Every activation, number by number or, as Softmax, row by row."""

import layer_cases
import numpy as np
import pytest
from layer_oracles import bound, check, output_of, same_bits_on_any_number_of_threads, step
from oracles import normals
from seeded import generator

from cnnkit import (
    ELU,
    GELU,
    SELU,
    Conv,
    Conv1x1,
    Dropout,
    Flatten,
    HardSwish,
    LeakyReLU,
    Mish,
    PReLU,
    ReLU6,
    Reshape,
    Sigmoid,
    SiLU,
    Softmax,
    Softplus,
    Tanh,
)
from cnnkit.layers.activation import _Compiled
from cnnkit.layers.activation_smooth import _Formula

LAYERS = [layer for kind in (_Compiled, _Formula) for layer, _ in layer_cases.small(kind)]
each_layer = pytest.mark.parametrize("layer", LAYERS, ids=str)
PLACES = {
    "alone": lambda layer, x: layer(x),
    "after Conv": lambda layer, x: Conv(2, 1)(layer(Conv(5, 2)(x))),
    "twice": lambda layer, x: layer(layer(x)),
    "before dropout": lambda layer, x: Dropout(0)(layer(Dropout(0)(x))),
    "around what reshapes": lambda layer, x: layer(Flatten()(layer(Reshape((4, 3, 5))(x)))),
    "read twice": lambda layer, x: [layer(x), Conv1x1(2)(x)],
}


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("place", PLACES)
@each_layer
def test_places(layer, place, training):
    network = bound(lambda x: PLACES[place](layer, x), (3, 4, 5))
    network.weights.flat[:] *= 3
    if place == "before dropout" and training:
        ys, wanted = (step(bound(b, (3, 4, 5))) for b in (layer, lambda x: Dropout(0)(layer(x))))
        np.testing.assert_array_equal(ys, wanted)
        return
    check(lambda x: PLACES[place](layer, x), (3, 4, 5), training=training)


@each_layer
@pytest.mark.parametrize("shape", [(1, 1, 2), (3, 2, 3), (2, 3, 17), (33,)], ids=str)
def test_shapes(layer, shape):
    check(layer, shape, batch=20, n=19)  # so many that some slope is not 0
    assert layer.output_shape(shape) == shape
    assert layer.weight_specs(shape) == {}


def row(numbers):
    return np.array(numbers, float)[None]


def twin(layer, x):
    """The definition of an activation without weights."""
    return layer_cases.TWINS[type(layer).__name__](layer, {}, {}, x)


@pytest.mark.parametrize(
    ("layer", "x", "y", "slope"),
    [
        (ReLU6(), [-2, 0, 3, 6, 7], [0, 0, 3, 6, 6], [0, 0, 1, 0, 0]),
        (LeakyReLU(0.25), [-2, 0, 3], [-0.5, 0, 3], [0.25, 0.25, 1]),
        (HardSwish(), [-4, -3.5, 0, 1.5, 4], [0, 0, 0, 1.125, 4], [0, 0, 0.5, 1, 1]),
        (Sigmoid(), [0, np.log(3), -np.log(3)], [0.5, 0.75, 0.25], [0.25, 0.1875, 0.1875]),
        (Tanh(), [0, np.log(3)], [0, 0.8], [1, 0.36]),
        (SiLU(), [0, np.log(3)], [0, 0.75 * np.log(3)], [0.5, 0.75 + 0.1875 * np.log(3)]),
    ],
    ids=str,
)
def test_known_values_and_slopes(layer, x, y, slope):
    network = bound(layer, (len(x),), batch=1)
    network.weights["x0/x"] = row(x)
    np.testing.assert_allclose(step(network)[0], row(y), rtol=1e-14, atol=1e-16)
    network.doutput[...] = 1
    network.backward(1)
    np.testing.assert_allclose(network.grads["x0/x"], row(slope), rtol=1e-14, atol=1e-16)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@each_layer
def test_large_numbers_stay_finite(layer, dtype):
    network = bound(layer, (4,), batch=1, dtype=dtype)
    network.weights["x0/x"] = row([-1e4, -200, 200, 1e4])
    (y,) = step(network)
    np.testing.assert_allclose(y, twin(layer, row([-1e4, -200, 200, 1e4])), rtol=1e-6, atol=1e-30)
    assert np.isfinite(network.grads["x0/x"]).all()


@each_layer
@pytest.mark.parametrize("channels", [5, 33])
def test_nan_stays_nan_and_alone(layer, channels):
    x = normals(2, 3, 2, channels)
    x[1, 2, 1, 4] = np.nan
    assert (np.isnan(output_of(layer, x)) == np.isnan(twin(layer, x))).all()


@each_layer
def test_the_input_is_left_alone_where_others_read_it(layer):
    network = bound(lambda x: [layer(x), Dropout()(x)], (3, 2, 5), training=False)
    np.testing.assert_array_equal(step(network)[1], network.weights["x0/x"])


def test_softmax_sums_to_one_at_every_pixel():
    y = output_of(Softmax(), normals(2, 3, 4, 7) * 30)
    np.testing.assert_allclose(y.sum(-1), np.ones((2, 3, 4)), rtol=1e-14)


@each_layer
def test_same_bits_on_any_number_of_threads(layer):
    def make():
        network = bound(layer, (41, 43, 16))
        return (*step(network), network.grads.flat)

    assert same_bits_on_any_number_of_threads(make)


@pytest.mark.parametrize("slope", [0, -0.1, np.nan, None, "0.1"], ids=repr)
def test_bad_slope(slope):
    message = rf"^LeakyReLU: negative_slope must be positive, got {slope!r}\.$"
    with pytest.raises((ValueError, TypeError), match=message):
        LeakyReLU(slope).output_shape((5,))


@pytest.mark.parametrize(
    ("layer", "message"),
    [
        (ELU(0), "ELU: alpha must be a positive number, got 0"),
        (ELU(np.inf), "ELU: alpha must be a positive number, got inf"),
        (ELU(True), "ELU: alpha must be a positive number, got True"),
        (Softplus(-1), "Softplus: beta must be a positive number, got -1"),
        (Softplus("1"), "Softplus: beta must be a positive number, got '1'"),
        (GELU("erf"), "GELU: approximate must be 'none' or 'tanh', got 'erf': use 'none'"),
        (PReLU(np.nan), "PReLU: init must be a finite number, got nan"),
        (PReLU(None), "PReLU: init must be a finite number, got None"),
    ],
    ids=str,
)
def test_refusals(layer, message):
    with pytest.raises(ValueError, match=f"^{message}[.]$"):
        layer.output_shape((5,))


@pytest.mark.parametrize("layer", [a for a in LAYERS if isinstance(a, _Compiled)], ids=str)
def test_float32_is_as_exact_as_it_can_be(layer):
    """Values and slopes within a few roundings of those in float64, and the same in every place."""
    x = np.concatenate([np.linspace(-12, 12, 1500), 10.0 ** -np.arange(1, 21), [0.0]])[:-1]
    found = {}
    for dtype in ("float32", "float64"):
        network = bound(layer, (len(x),), batch=1, dtype=dtype)
        network.weights["x0/x"] = row(x.astype("float32"))
        (y,) = step(network)
        network.doutput[...] = 1
        network.backward(1)
        found[dtype] = y.ravel(), network.grads["x0/x"].ravel().copy()
    (y, slope), (y_want, slope_want) = found.values()
    assert (abs(y - y_want) <= 1e-6 * (abs(y_want) + 1e-3 * abs(x))).all()
    away = abs(abs(x) - 3) > 1e-5  # of the kinks of lines
    assert (abs(slope - slope_want) <= 3e-6 * (0.1 + abs(slope_want)))[away].all()


@pytest.mark.parametrize("layer", [ELU(), SELU(), Softplus(), GELU(), Mish()], ids=str)
def test_small_numbers_keep_their_digits(layer):
    x = np.array([-1e-3, -1e-6, 1e-12, -1e-12])
    y = output_of(layer, x[None], dtype="float64")
    np.testing.assert_allclose(y, twin(layer, x[None]), rtol=1e-14)


@pytest.mark.parametrize(
    ("layer", "end"), [(ELU(0.5), -0.5), (SELU(), -1.7580993), (Mish(), np.nan)]
)
def test_infinities(layer, end):
    y = output_of(layer, row([np.inf, -np.inf]))
    np.testing.assert_allclose(y, row([np.inf, end]), rtol=1e-6)


def test_slopes_of_prelu_are_trained():
    network = bound(PReLU(), (3, 2, 5), batch=4)
    x = network.weights["x0/x"].copy()
    step(network, seed=9)
    dy = generator(9).standard_normal(x.shape)
    want = (dy * np.minimum(x, 0)).sum((0, 1, 2))
    np.testing.assert_allclose(network.grads["prelu1/slope"], want, rtol=1e-12)
    spec = PReLU().weight_specs((3, 2, 5))["slope"]
    assert (spec.start, spec.decay, spec.trained) == (0.25, False, True)
