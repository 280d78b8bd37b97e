"""Permute and Slice."""

from itertools import permutations

import numpy as np
import pytest
from layer_oracles import bound, check, step

from cnnkit import Permute, Reshape, Slice


@pytest.mark.parametrize("order", permutations(range(3)))
def test_permute(order):
    check(Permute(order), (2, 3, 5))


def test_channel_shuffle():
    def shuffle(x):
        return Reshape((2, 3, 6))(Permute((0, 1, 3, 2))(Reshape((2, 3, 2, 3))(x)))

    network = bound(shuffle, (2, 3, 6), batch=1, training=False)
    (y,) = step(network)
    x = network.weights["x0/x"]
    np.testing.assert_array_equal(y, x[..., [0, 3, 1, 4, 2, 5]])


@pytest.mark.parametrize(
    "part",
    [
        Slice(1, 4),
        Slice(None, None, 2),
        Slice(step=-1),
        Slice(-2, None, axis=0),
        Slice(4, None, -2),
        Slice(0, 100, axis=1),
    ],
    ids=str,
)
def test_slice(part):
    check(part, (2, 3, 5))


@pytest.mark.parametrize(
    ("layer", "says"),
    [
        (Permute((0, 1)), r"Permute: order must hold every axis .* 0 to 2, got \(0, 1\)"),
        (Permute("201"), "Permute: order must be a tuple of axes, got '201'"),
        (Slice(3, 3), "Slice: start, stop and step must leave a part of the 5 along axis 2"),
        (Slice(axis=3), "Slice: axis must be an int from -3 to 2, got 3"),
        (Slice(step=0), "Slice: step must not be 0, got 0"),
        (Slice(1.0), "Slice: start must be"),
    ],
)
def test_arguments(layer, says):
    with pytest.raises((TypeError, ValueError), match=says):
        layer.output_shape((2, 3, 5))
