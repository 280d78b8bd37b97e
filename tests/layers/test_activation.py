"""ReLU, alone, in place and fused into the layer before."""

import numpy as np
import pytest
from oracles import assert_same_bits, check_gradients, normals

from cnnkit import Conv, Conv1x1, Dense, Flatten, MaxPool, Network, ReLU, Sequential

PLACES = {
    "fused into Conv": [Conv(3, (2, 3)), ReLU(), Conv1x1(2)],
    "fused into a strided Conv": [Conv(3, (2, 3), stride=2), ReLU(), Conv1x1(2)],
    "fused into Dense": [Flatten(), Dense(7), ReLU(), Dense()],
    "in place": [Conv(3, 2), MaxPool(2, stride=1), ReLU(), Conv1x1(2)],
    "twice": [Conv(3, 2), ReLU(), ReLU(), Conv1x1(2)],
    "last": [Conv(3, 2), ReLU()],
    "first": [ReLU(), Conv(3, 2)],
    "before what reshapes": [Conv(3, 2), ReLU(), Flatten(), Dense()],
    "after what reshapes": [Conv(3, 2), Flatten(), ReLU(), Dense()],
}


@pytest.mark.parametrize("algorithm", ["direct", "im2col"])
@pytest.mark.parametrize("layers", PLACES.values(), ids=PLACES)
def test_gradients(layers, algorithm):
    check_gradients(layers, (3, 4, 2), algorithm=algorithm)


@pytest.mark.parametrize("algorithm", ["direct", "im2col"])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("training", [True, False])
def test_fused_or_not_gives_the_same_bits(training, dtype, algorithm):
    options = {"batch_size": 3, "dtype": dtype, "training": training, "algorithm": algorithm}
    alone = Network(Sequential([("c", Conv(17, 3))]), (5, 6, 3), 2, **options)
    fused = Network(Sequential([("c", Conv(17, 3)), ReLU()]), (5, 6, 3), 2, **options)
    for network in (alone, fused):
        network.weights.flat[:] = normals(network.weights.flat.size)
        network.x[...] = normals(3, 5, 6, 3)
    assert_same_bits(fused.forward(3), np.maximum(alone.forward(3), 0))


def test_the_input_is_left_alone():
    network = Network(Sequential([ReLU()]), (2, 3, 1), 1, training=True)
    network.x[...] = normals(1, 2, 3, 1)
    before = network.x.copy()
    assert (network.forward(1) == np.maximum(before, 0)).all()
    assert (network.x == before).all()


@pytest.mark.parametrize("layers", [[Conv1x1(2), ReLU()], [ReLU()], [MaxPool(1), ReLU()]], ids=str)
def test_nan_stays_nan(layers):
    network = Network(Sequential(layers), (1, 2, 2), 1)
    network.weights.flat[:] = 1
    network.x[...] = [[[[np.nan, -1], [-1, -1]]]]
    assert np.isnan(network.forward(1)[0, 0, 0]).any()
    assert (network.output[0, 0, 1] == 0).all()


def test_shape():
    assert ReLU().output_shape((3, 4, 5)) == (3, 4, 5)
    assert ReLU().get_params() == {}
    assert ReLU().weight_specs((3,)) == {}
