"""Networks whose weights are packed once."""

import copy
import pickle

import numpy as np
import pytest
from oracles import assert_same_bits, normals
from seeded import generator

from cnnkit import (
    BatchNorm,
    Conv,
    Conv1x1,
    Dense,
    DepthwiseConv,
    Flatten,
    GlobalAvgPool,
    Network,
    ReLU,
    ReLU6,
    Sequential,
)

SHAPE = (9, 11, 3)


def make(layers, *, batch_size=4, shape=SHAPE, **options):
    options = {"training": True, "rng": generator(0)} | options
    network = Network(Sequential(layers), shape, 3, batch_size=batch_size, **options)
    network.weights.flat[:] = normals(network.weights.flat.size)
    return network


def forward(network, n=None, *, scale=1, past=0):
    """Outputs for the first n samples of a batch of normals; `past` fills the other rows."""
    n = network.batch_size if n is None else n
    network.x[:n] = scale * normals(*network.x.shape, seed=1)[:n]
    network.x[n:] = past
    return network.forward(n).copy()


PACKABLE = {
    "winograd": [Conv(20, 3), BatchNorm(), ReLU(), Conv(33, 3), BatchNorm(), GlobalAvgPool()],
    "direct": [Conv(20, 5, stride=2), BatchNorm(), ReLU(), Conv1x1(), BatchNorm(), GlobalAvgPool()],
    "depthwise": [DepthwiseConv(3), BatchNorm(), ReLU6(), Flatten(), Dense(), BatchNorm()],
}


def make_packable(name, **options):
    network = make(PACKABLE[name], **options)
    for path, array in network.weights.items():
        if path.endswith("/var"):
            array[...] = np.abs(array) + 0.1
    return network


@pytest.mark.parametrize("algorithm", ["auto", "exact", "im2col", "winograd"])
@pytest.mark.parametrize("name", PACKABLE)
def test_packed_weights_give_the_same_bits(name, algorithm):
    trained = make_packable(name, algorithm=algorithm)
    assert_same_bits(forward(trained.resized(3, packed=True)), forward(trained.resized(3)))
    trained.weights.flat[:] *= 2
    assert_same_bits(forward(trained.resized(3, packed=True)), forward(trained.resized(3)))


@pytest.mark.parametrize("again", [copy.deepcopy, lambda n: pickle.loads(pickle.dumps(n))])
def test_copies_of_a_packed_network_are_packed(again):
    packed = make_packable("winograd", algorithm="winograd").resized(3, packed=True)
    other = again(packed)
    assert other.packed
    assert_same_bits(forward(other), forward(packed))
    other.weights["conv1/w"][...] = 0  # packed before
    assert_same_bits(forward(other), forward(packed))
