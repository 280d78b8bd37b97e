"""SpatialDropout."""

import numpy as np
import pytest
from layer_oracles import bound, compute, step
from seeded import generator

from cnnkit import CNNClassifier, Conv, GlobalAvgPool, Network, Sequential, SpatialDropout


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_whole_channels_are_dropped_and_the_mean_kept(dtype):
    network = Network(
        Sequential([SpatialDropout(0.25)]),
        (3, 5, 400),
        1,
        batch_size=4,
        dtype=dtype,
        training=True,
        rng=generator(0),
    )
    network.x[...] = 1
    y = network.forward(4).copy()
    assert (y == y[:, :1, :1]).all()
    assert set(np.unique(y)) == {0, np.dtype(dtype).type(1 / 0.75)}
    assert abs((y[:, 0, 0] == 0).mean() - 0.25) < 0.05
    assert (network.forward(4) != y).any()


def test_it_is_its_definition():
    network = bound(SpatialDropout(0.4), (3, 4, 50), draws=generator)
    state = network.rng.bit_generator.state
    (y,) = step(network, 2)
    rng = generator(0)
    rng.bit_generator.state = state
    (want,) = compute(network, 2, rng)
    np.testing.assert_allclose(y, want, rtol=1e-12)


def test_prediction_leaves_it_out():
    network = bound(SpatialDropout(), (3, 4, 5), training=False)
    np.testing.assert_array_equal(step(network)[0], network.weights["x0/x"])


def test_refusals():
    with pytest.raises(ValueError, match=r"^SpatialDropout: rate must be a number of at least 0 "):
        SpatialDropout(1).output_shape((3, 4, 5))
    with pytest.raises(ValueError, match=r"^SpatialDropout: input must be images \(H, W, C\), got"):
        SpatialDropout().output_shape((5,))
    with pytest.raises(ValueError, match=r"^SpatialDropout: training needs a random generator"):
        Network(Sequential([SpatialDropout()]), (4, 4, 1), 2, training=True)
    layers = [Conv(2), SpatialDropout(), Conv(), GlobalAvgPool()]
    with pytest.raises(ValueError, match="must hold no Dropout with solver='lbfgs'"):
        CNNClassifier(layers, solver="lbfgs").fit(np.zeros((4, 4, 4)), [0, 1, 0, 1])
