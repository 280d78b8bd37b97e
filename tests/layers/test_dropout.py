"""Dropout."""

import numpy as np
import pytest
from oracles import assert_same_bits, check_gradients, normals
from seeded import generator

from cnnkit import Conv, Conv1x1, Dense, Dropout, Flatten, MaxPool, Network, ReLU, Sequential

PLACES = {
    "after Conv": [Conv(3, 2), Dropout(0.4), Conv1x1(2)],
    "after a kept ReLU": [Conv(3, 2), ReLU(), Dropout(0.4), Conv1x1(2)],
    "before ReLU": [Conv(3, 2), Dropout(0.4), ReLU(), Conv1x1(2)],
    "in place": [Conv(3, 2), MaxPool(2, stride=1), Dropout(0.2), Dropout(0.3), Conv1x1(2)],
    "first": [Dropout(0.3), Conv(3, 2)],
    "around what reshapes": [Conv(3, 2), Dropout(0.2), Flatten(), Dropout(0.3), Dense()],
    "last": [Flatten(), Dense(12), Dropout(0.2)],
    "nothing dropped": [Conv(3, 2), Dropout(0), Conv1x1(2)],
}


@pytest.mark.parametrize("layers", PLACES.values(), ids=PLACES)
def test_gradients(layers):
    check_gradients(layers, (3, 4, 2))


def dropout(rate, training=True, dtype="float32", seed=0, layers=()):
    rng = generator(seed)
    network = Network(
        Sequential([Dropout(rate), *layers]),
        (30, 31, 3),
        2,
        batch_size=4,
        dtype=dtype,
        training=training,
        rng=rng,
    )
    network.x[...] = 1
    return network


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("rate", [0.1, 0.5, 0.9])
def test_a_share_is_dropped_and_the_mean_kept(rate, dtype):
    y = dropout(rate, dtype=dtype).forward(4)
    assert set(np.unique(y)) == {0, np.dtype(dtype).type(1 / (1 - rate))}
    assert abs((y == 0).mean() - rate) < 0.03
    assert abs(y.mean() - 1) < 0.2


def test_masks_are_drawn_anew_and_from_the_generator():
    one, same, other = dropout(0.5), dropout(0.5), dropout(0.5, seed=1)
    first = one.forward(4).copy()
    assert_same_bits(same.forward(4), first)
    assert (other.forward(4) != first).any()
    assert (one.forward(4) != first).any()


@pytest.mark.parametrize("n", [0, 1, 3])
def test_rows_not_asked_for_draw_nothing(n):
    few = dropout(0.5)
    few.forward(n)
    spent = generator(0)
    spent.random((n, 30, 31, 3), dtype="float32")
    assert few.rng.random() == spent.random()


def test_inference_leaves_it_out():
    y = dropout(0.5, training=False).forward(4)
    assert (y == 1).all()


def test_inference_of_a_trained_network_needs_no_generator():
    network = dropout(0.5, layers=[Conv1x1(2)]).resized(1)
    network.weights.flat[:] = normals(network.weights.flat.size)
    network.x[...] = 1
    expected = network.weights["conv1x1_1/w"].sum((0, 1, 2)) + network.weights["conv1x1_1/b"]
    np.testing.assert_allclose(network.forward(1)[0, 3, 4], expected, rtol=0, atol=1e-6)


def test_training_without_a_generator_is_refused_by_name():
    with pytest.raises((ValueError, TypeError), match="rng"):
        Network(Sequential([Dropout(), Conv(2)]), (4, 4, 1), 2, training=True).forward(1)


@pytest.mark.parametrize("rate", [1, 1.0, -0.1, 2, np.nan, True, "0.5", None], ids=repr)
def test_bad_rate(rate):
    message = r"^Dropout: rate must be a number of at least 0 and below 1, got "
    with pytest.raises(ValueError, match=message):
        Dropout(rate).output_shape((3, 4, 5))


@pytest.mark.parametrize("rate", [0, 0.0, 0.999, np.float32(0.5)], ids=repr)
def test_good_rate(rate):
    assert Dropout(rate).output_shape((3, 4, 5)) == (3, 4, 5)
    assert Dropout(rate).weight_specs((3, 4, 5)) == {}
