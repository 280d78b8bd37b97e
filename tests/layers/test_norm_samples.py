"""GroupNorm and LayerNorm: statistics of one sample."""

import numpy as np
import pytest
from layer_oracles import bound, check, output_of, step
from oracles import assert_same_bits, normals
from seeded import generator

from cnnkit import GroupNorm, LayerNorm, Network, Sequential

both_dtypes = pytest.mark.parametrize("dtype", ["float32", "float64"])


@pytest.mark.parametrize("groups", [1, 2, 3, 6])
@pytest.mark.parametrize("shape", [(3, 2, 6), (1, 1, 12), (12,)], ids=str)
def test_groups(groups, shape):
    check(GroupNorm(groups, eps=0.1), shape)


@pytest.mark.parametrize("shape", [(3, 2, 1), (1, 1, 5), (7,)], ids=str)
def test_layer_norm(shape):
    check(LayerNorm(eps=0.1), shape)


def test_one_group_of_one_pixel_is_layer_norm():
    x = normals(4, 1, 1, 9)
    assert_same_bits(output_of(GroupNorm(1), x), output_of(LayerNorm(), x))


@pytest.mark.parametrize("layer", [GroupNorm(2), LayerNorm()], ids=str)
def test_prediction_is_as_training(layer):
    train, predict = (bound(layer, (3, 4, 6), training=t) for t in (True, False))
    assert_same_bits(step(train), step(predict))


@pytest.mark.parametrize("layer", [GroupNorm(1), LayerNorm()], ids=str)
def test_a_large_mean_costs_float32_no_variance(layer):
    x = 4096 + generator(0).integers(-8, 9, (2, 8, 9, 32))
    axes = -1 if isinstance(layer, LayerNorm) else (1, 2, 3)
    network = Network(Sequential([layer]), x.shape[1:], 1, batch_size=2)
    network.weights.initialise(generator(0))
    network.x[...] = x
    want = (x - x.mean(axes, keepdims=True)) / x.std(axes, keepdims=True)
    np.testing.assert_allclose(network.forward(2), want, atol=1e-5)


@both_dtypes
def test_long_sums(dtype):
    """Gradients in float32 are within 1e-5 of the sum of magnitudes."""
    layer, shape = GroupNorm(2), (160, 150, 4)
    network = bound(layer, shape, batch=1, dtype=dtype)
    network.weights["x0/x"] = 3 + 0.1 * normals(1, *shape)
    step(network)
    double = bound(layer, shape, batch=1)
    for path in network.weights:
        double.weights[path] = network.weights[path]
    step(double)
    magnitudes = {"gamma": 160 * 150, "beta": 160 * 150}
    for name, size in magnitudes.items():
        path = f"groupnorm1/{name}"
        assert abs(network.grads[path] - double.grads[path]).max() <= 1e-5 * size


@pytest.mark.parametrize("layer", [GroupNorm(2), LayerNorm()], ids=str)
def test_nan_stays_in_its_sample(layer):
    x = normals(3, 3, 2, 6)
    x[1, 2, 1, 4] = np.nan
    found = np.isnan(output_of(layer, x))
    assert found[1].any()
    assert not found[[0, 2]].any()


@pytest.mark.parametrize("layer", [GroupNorm(2), LayerNorm()], ids=str)
def test_weights(layer):
    specs = layer.weight_specs((3, 2, 6))
    assert {name: (spec.shape, spec.start) for name, spec in specs.items()} == {
        "gamma": ((6,), 1),
        "beta": ((6,), 0),
    }
    assert not any(spec.decay or spec.fan_in for spec in specs.values())


@pytest.mark.parametrize(
    ("layer", "message"),
    [
        (GroupNorm(4), "GroupNorm: groups must divide the 6 channels, got 4"),
        (GroupNorm(0), "GroupNorm: groups must be a positive int, got 0"),
        (GroupNorm(2.0), "GroupNorm: groups must be a positive int, got 2.0"),
        (GroupNorm(2, eps=0), "GroupNorm: eps must be a positive number, got 0"),
        (LayerNorm(eps=-1), "LayerNorm: eps must be a positive number, got -1"),
        (LayerNorm(eps=True), "LayerNorm: eps must be a positive number, got True"),
        (LayerNorm(eps=np.nan), "LayerNorm: eps must be a positive number, got nan"),
        (LayerNorm(eps="1"), "LayerNorm: eps must be a positive number, got '1'"),
    ],
    ids=str,
)
def test_refusals(layer, message):
    with pytest.raises((ValueError, TypeError), match=rf"^{message}\.$"):
        layer.output_shape((3, 2, 6))
