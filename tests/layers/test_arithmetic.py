"""Affine, Power and Clip."""

import numpy as np
import pytest
from layer_oracles import bound, check, step

from cnnkit import Affine, Clip, Network, Power, Sequential


@pytest.mark.parametrize("axes", [(-1,), (), (0,), (0, 2), (0, 1, 2), (-3, -1)])
@pytest.mark.parametrize("parts", [{}, {"scale": False}, {"shift": False}])
def test_affine(axes, parts):
    check(Affine(axes, **parts), (2, 3, 5))


def test_affine_of_rows():
    check(Affine(), (7,))


def test_constants_are_not_trained():
    network = Network(Sequential([Affine(trained=False)]), (2, 3, 5), None, training=True)
    assert network.weights.trained == 0
    check(Affine((), trained=False), (2, 3, 5))


@pytest.mark.parametrize(
    ("layer", "says"),
    [
        (Affine((3,)), r"Affine: axes must be a tuple of axes .* got \(3,\)\."),
        (Affine(-1), "Affine: axes must be a tuple"),
        (Affine(scale=False, shift=False), "Affine: scale or shift must be True"),
        (Affine(scale=1), "Affine: scale must be a bool, got 1"),
        (Power("a"), "Power: exponent must be a finite number, got 'a'"),
        (Clip(np.nan), "Clip: minimum must be a finite number, got nan"),
    ],
)
def test_arguments(layer, says):
    with pytest.raises((TypeError, ValueError), match=says):
        layer.output_shape((2, 3, 5))


@pytest.mark.parametrize("exponent", [1.0, 2.0, 3.0])
def test_power(exponent):
    check(Power(exponent), (2, 3, 5))


@pytest.mark.parametrize("exponent", [0.5, -1.0])
def test_power_of_positive_numbers(exponent):
    check(lambda x: Power(exponent)(Clip(0.5, 3)(x)), (2, 3, 5))


@pytest.mark.parametrize("bounds", [(-0.5, 0.25), (None, 0.5), (-1, None), (None, None), (1, -1)])
def test_clip(bounds):
    network = bound(Clip(*bounds), (2, 3, 5))
    x = network.weights["x0/x"].copy()
    (y,) = step(network)
    low, high = (-np.inf if bounds[0] is None else bounds[0]), bounds[1]
    np.testing.assert_array_equal(
        y, np.minimum(np.maximum(x, low), np.inf if high is None else high)
    )
    inside = (x >= low) & (x <= (np.inf if high is None else high))
    assert (network.grads["x0/x"][~inside] == 0).all()


def test_nan_stays():
    network = bound(Clip(0, 1), (2,), training=False, batch=1)
    network.weights["x0/x"] = np.nan
    network.forward(1)
    assert np.isnan(network.output).all()
