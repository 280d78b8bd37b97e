"""The models by im2col and BLAS, beside the default's exact algorithms."""

import pytest
from oracles import BOUNDS, assert_close, generator, normals

from cnnkit import Conv1x1, GlobalAvgPool, Network, Sequential, blocks, models

NETWORKS = {name: models.small(name, (32, 32, 3), 10) for name in models.MODELS}
NETWORKS["bottleneck"] = Sequential([Conv1x1(32), blocks.bottleneck(8)])
NETWORKS["depthwise separable"] = Sequential([blocks.depthwise_separable(12), GlobalAvgPool()])


@pytest.mark.parametrize("name", NETWORKS)
def test_networks_run_on_im2col_and_blas(name):
    """Outputs and gradients are those of the default's exact algorithms, but for rounding."""
    found = {}
    for algorithm in ("im2col", "direct"):
        network = Network(
            NETWORKS[name],
            (32, 32, 3),
            10,
            batch_size=3,
            dtype="float64",
            training=True,
            algorithm=algorithm,
            rng=generator(2),
        )
        network.weights.initialise(generator(0))
        network.x[...] = normals(*network.x.shape, seed=1)
        y = network.forward(3).copy()
        network.doutput[...] = normals(*network.doutput.shape, seed=3)
        network.backward(3)
        found[algorithm] = y, network.grads.flat.copy()
        names = {name for row in network.summary().rows for name in row.algorithms}
        assert names - {"-"} <= ({"im2col"} if algorithm == "im2col" else {"direct", "scatter"})
    for got, want in zip(found["im2col"], found["direct"], strict=True):
        assert_close(got, want, "float64", BOUNDS["im2col"][0] * 1e3)
