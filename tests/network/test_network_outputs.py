"""Outputs of nodes inside a network."""

import copy

import numpy as np
import pytest
from layer_oracles import TWINS
from oracles import assert_same_bits, normals
from seeded import generator

from cnnkit import (
    BatchNorm,
    Concat,
    Conv,
    Conv1x1,
    Dense,
    Dropout,
    GlobalAvgPool,
    MaxPool,
    Network,
    ReLU,
    Residual,
    Sequential,
)

NET = Sequential(
    [
        *(("stem", Conv(5, 3)), ReLU()),
        ("block", Residual([Conv(5, 3), BatchNorm(), ReLU(), Dropout(0.4), Conv1x1(5)])),
        *(("pool", MaxPool(2)), Concat([Conv1x1(4), [Conv(3, 3), ReLU()]]), GlobalAvgPool()),
        ("head", Dense()),
    ]
)


def trained(**options):
    network = Network(NET, (6, 7, 2), 3, dtype="float64", **options)
    network.weights.initialise(generator(0))
    for path in network.weights:
        if "batchnorm" in path:
            network.weights[path] = generator(1).uniform(0.5, 2, 5)
    return network


ALL_NODES = [name for name, _, _ in NET.flattened(3)]


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("count", [0, 1, 63, 64, 130])
def test_activations_are_slices_of_a_full_run(count, training):
    network = trained(training=training, rng=generator(2))
    x = normals(count, 6, 7, 2)
    found = network.activations(x, ALL_NODES)
    values = {"input": x}
    for name, layer, inputs in NET.flattened(3):
        weights = network.weights.of(name)
        context = {"training": False, "rng": None, "n": count}
        twin = TWINS[type(layer).__name__]
        values[name] = twin(layer, weights, context, *map(values.get, inputs))
    assert list(found) == ALL_NODES
    for name in ALL_NODES:
        assert found[name].shape == values[name].shape
        np.testing.assert_allclose(found[name], values[name], rtol=1e-11, atol=1e-11)


def test_activations_one_at_a_time_are_those_together():
    network, x = trained(), normals(5, 6, 7, 2)
    together = network.activations(x, ALL_NODES)
    for name in ALL_NODES:
        alone = network.activations(x, [name])[name]
        np.testing.assert_allclose(alone, together[name], rtol=1e-12, atol=1e-12)


def test_activations_of_bytes_and_of_flat_rows():
    network = trained()
    x = generator(0).integers(0, 256, (4, 6, 7, 2), np.uint8)
    want = network.activations(x / 255, ["pool"])["pool"]
    for given in (x, x.reshape(4, -1)):
        got = network.activations(given, ["pool"])["pool"]
        np.testing.assert_allclose(got, want, rtol=1e-12, atol=1e-14)


def test_a_path_may_be_asked_for_twice():
    network, x = trained(), normals(3, 6, 7, 2)
    assert list(network.activations(x, ["pool", "stem", "pool"])) == ["pool", "stem"]


@pytest.mark.parametrize("paths", [["pool", "no such"], ["block"], [], ["input"]], ids=str)
def test_unknown_paths_are_refused(paths):
    with pytest.raises(ValueError, match=r"^Network: outputs must be nodes of \['stem', .*, got"):
        trained().activations(normals(2, 6, 7, 2), paths)
    with pytest.raises(ValueError, match=r"^Network: outputs must be nodes of \['stem', .*, got"):
        trained().resized(2, paths)


def test_images_of_another_shape_are_refused():
    with pytest.raises(ValueError, match=r"^Network: X must hold images of shape \(6, 7, 2\)"):
        trained().activations(normals(2, 7, 6, 2), ["stem"])


def test_resized_to_other_outputs_leaves_out_what_they_do_not_need():
    network = trained(training=True, batch_size=8, rng=generator(0))
    whole, early = network.resized(8), network.resized(8, ("relu1", "stem"))
    assert early.activation_bytes < whole.activation_bytes
    assert [output.shape for output in early.outputs] == [(8, 6, 7, 5)] * 2
    assert early.weights is network.weights
    early.x[...] = normals(8, 6, 7, 2)
    early.forward(8)
    np.testing.assert_array_equal(early.outputs[0], np.maximum(early.outputs[1], 0))
    assert (early.outputs[1] < 0).any()


def test_resizing_again_keeps_the_outputs():
    early = trained().resized(2, ("pool",)).resized(5)
    assert early.output.shape == (5, 3, 3, 5)
    assert early.batch_size == 5


@pytest.mark.parametrize("again", [copy.copy, copy.deepcopy])
def test_copies_keep_the_outputs(again):
    early = trained().resized(2, ("pool",))
    other = again(early)
    for network in (early, other):
        network.x[...] = normals(2, 6, 7, 2)
        network.forward(2)
    assert_same_bits(other.output, early.output)
