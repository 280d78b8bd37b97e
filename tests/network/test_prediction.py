"""Prediction in batches: weights packed once where there are several, never while they change."""

import numpy as np
import pytest
from oracles import assert_same_bits, normals
from seeded import generator

from cnnkit import BatchNorm, Conv, GlobalAvgPool, Network, ReLU, Residual, Sequential
from cnnkit.network import prediction
from cnnkit.network.prediction import inference_network, predict

GRAPH = Sequential(
    [Conv(8), BatchNorm(), ReLU(), Residual([Conv(8), BatchNorm()]), Conv(None), GlobalAvgPool()]
)


@pytest.fixture(params=["float32", "float64"])
def network(request):
    network = Network(GRAPH, (9, 7, 2), 3, dtype=request.param)
    network.weights.initialise(generator(0))
    return network


@pytest.fixture
def few(monkeypatch):
    monkeypatch.setattr(prediction, "PREDICT_BATCH", 4)


@pytest.mark.parametrize(
    ("samples", "options", "packed"),
    [
        (4, {}, False),
        (5, {}, True),
        (4, {"passes": 2}, True),
        (1, {"passes": 9}, True),
        (5, {"changing": True}, False),
        (5, {"node": "relu1"}, True),
        (0, {}, False),
    ],
)
def test_packed_where_it_pays(network, few, samples, options, packed):
    found = inference_network(network, samples, **options)
    assert (found.packed, found.batch_size) == (packed, max(1, min(samples, 4)))


@pytest.mark.parametrize("node", [None, "relu1", "residual1/add"])
def test_the_same_bits_packed_or_not(network, few, node):
    X = normals(11, 9, 7, 2)
    found = [
        predict(inference_network(network, len(X), node=node, changing=changing), X)
        for changing in (False, True)
    ]
    assert_same_bits(*found)
    one = np.stack([predict(inference_network(network, 1, node=node), x[None])[0] for x in X])
    assert_same_bits(found[0], one)


def test_validation_sees_weights_that_change(network, few):
    X = normals(11, 9, 7, 2)
    bound = inference_network(network, len(X), changing=True)
    before = predict(bound, X)
    network.weights.flat[:] *= 2
    assert (predict(bound, X) != before).any()
    assert_same_bits(predict(bound, X), predict(inference_network(network, len(X)), X))
