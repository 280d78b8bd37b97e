"""Dense and Flatten."""

import pytest
from oracles import check_gradients

from cnnkit import Conv, Dense, Flatten, ReLU
from cnnkit.layers.base import WeightSpec


@pytest.mark.parametrize("algorithm", ["direct", "im2col"])
@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("units", [1, 3, 17])
@pytest.mark.parametrize("features", [1, 5, 18])
def test_gradients(features, units, bias, algorithm):
    layers = [Dense(units, bias=bias), ReLU(), Dense(2, bias=bias)]
    check_gradients(layers, (features,), batch=5, algorithm=algorithm)


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
        (2**31, (5,), "Dense: units must be a positive int, got 2147483648"),
        (2**30, (2**20,), "Dense: units must lead to sizes whose product is at most"),
    ],
)
def test_refusals(units, shape, message):
    with pytest.raises((ValueError, TypeError), match=f"^{message}"):
        Dense(units).weight_specs(shape)
