"""Dense and Flatten."""

import numpy as np
import pytest
from oracles import assert_close, assert_same_bits, check_gradients, normals

from cnnkit import Conv, Dense, Flatten, Identity, Network, ReLU, Sequential
from cnnkit.layers.base import WeightSpec


@pytest.mark.parametrize("algorithm", ["direct", "im2col"])
@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("units", [1, 3, 17])
@pytest.mark.parametrize("features", [1, 5, 18])
def test_gradients(features, units, bias, algorithm):
    layers = [Dense(units, bias=bias), ReLU(), Dense(2, bias=bias)]
    check_gradients(layers, (features,), batch=40, algorithm=algorithm)


@pytest.mark.parametrize("shape", [(1, 1, 3), (3, 5, 1), (4, 3, 2)], ids=str)
def test_gradients_through_flatten(shape):
    check_gradients([Conv(3, (2, 1)), Flatten(), Dense(5), Flatten(), Dense()], shape)


def test_dense_shapes():
    dense = Dense(10)
    assert dense.output_shape((64,)) == (10,)
    assert dense.multiply_adds((64,)) == 640
    specs = {"w": WeightSpec((64, 10), 64, decay=True), "b": WeightSpec((10,))}
    assert dense.weight_specs((64,)) == specs
    assert Dense(10, bias=False).weight_specs((64,)).keys() == {"w"}


@pytest.mark.parametrize("shape", [(4, 5, 3), (7,), (2, 3)], ids=str)
def test_flatten_shapes(shape):
    (size,) = Flatten().output_shape(shape)
    assert size == {(4, 5, 3): 60, (7,): 7, (2, 3): 6}[shape]
    assert Flatten().weight_specs(shape) == {}
    assert Flatten().multiply_adds(shape) == 0


@pytest.mark.parametrize(
    ("units", "shape", "message"),
    [
        (4, (5, 4, 3), r"Dense: input must be flat, put Flatten\(\) or .*got shape \(5, 4, 3\)"),
        (None, (5,), "Dense: units must be a positive int, got None"),
        (0, (5,), "Dense: units must be a positive int, got 0"),
        (2.0, (5,), r"Dense: units must be a positive int, got 2\.0"),
        (True, (5,), "Dense: units must be a positive int, got True"),
        (2**31, (5,), "Dense: units must be an int from 1 to 2147483647, got 2147483648"),
        (2**30, (2**20,), "Dense: units must lead to sizes whose product is at most"),
    ],
)
def test_refusals(units, shape, message):
    with pytest.raises((ValueError, TypeError), match=f"^{message}"):
        Dense(units).weight_specs(shape)


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("units", [1, 8, 33, 300])
@pytest.mark.parametrize("features", [7, 700])
def test_a_row_is_the_same_in_any_batch(features, units, dtype, packed):
    graph = Sequential([Dense(units), ReLU()])
    trained = Network(graph, (features,), units, dtype=dtype)
    trained.weights["dense1/w"] = normals(features, units, seed=1)
    trained.weights["dense1/b"] = normals(units, seed=2)
    network = trained.resized(500, packed=packed)
    x = normals(500, features, seed=3).astype(dtype)
    network.x[...] = x
    want = network.forward(500).copy()
    truth = np.maximum(x @ trained.weights["dense1/w"] + trained.weights["dense1/b"], 0)
    assert_close(want, truth, dtype)
    for n in (1, 2, 4, 5, 15, 30):
        network.x[:n] = x[:n]
        assert_same_bits(network.forward(n), want[:n])


@pytest.mark.parametrize("shape", [(4, 5, 3), (7,)], ids=str)
def test_identity(shape):
    assert Identity().output_shape(shape) == shape
    assert Identity().weight_specs(shape) == {}
    if len(shape) == 3:
        check_gradients(
            [Identity(), Conv(3, (2, 1)), Identity(), ReLU(), Flatten(), Dense()], shape
        )
