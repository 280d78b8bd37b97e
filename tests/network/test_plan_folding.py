"""Batch norms folded into the layer before."""

import copy

import numpy as np
import pytest
from layer_oracles import bound, compute, step
from oracles import assert_same_bits, normals

from cnnkit import (
    Add,
    BatchNorm,
    Conv,
    Conv1x1,
    Dense,
    DepthwiseConv,
    Dropout,
    ReLU,
    ReLU6,
)
from cnnkit.network.plan import Plan


def check_outputs(network, n):
    """Each output by its nodes one by one, dropout drawing the same numbers."""
    wanted = compute(network, n, copy.deepcopy(network.rng))
    for y, want in zip(step(network, n), wanted, strict=True):
        np.testing.assert_allclose(y, want, rtol=1e-10, atol=1e-10)


def folds(network):
    """The batch norms that an inference plan folds into the layer before."""
    plan = Plan(network.graph.resolve(network.input_shape, 3), network.training)
    return [step.fused_norm.name for step in plan.steps if step.fused_norm is not None]


HOSTS = {
    "Conv": Conv(7, (2, 3), stride=(2, 1)),
    "Conv without bias": Conv(7, 3, bias=False),
    "Conv1x1": Conv1x1(33),
    "Conv with groups": Conv(10, 2, groups=5),
    "DepthwiseConv": DepthwiseConv((2, 3)),
    "DepthwiseConv without bias": DepthwiseConv(3, bias=False),
    "DepthwiseConv with multiplier": DepthwiseConv(2, depth_multiplier=3),
}
TAILS = {
    "alone": (lambda x: BatchNorm(eps=0.1)(x), ["batchnorm1"]),
    "ReLU": (lambda x: ReLU()(BatchNorm()(x)), ["batchnorm1"]),
    "ReLU6": (lambda x: ReLU6()(BatchNorm()(x)), ["batchnorm1"]),
    "another": (lambda x: ReLU()(BatchNorm()(BatchNorm()(x))), ["batchnorm1"]),
    "dropout between": (lambda x: ReLU()(Dropout()(BatchNorm()(x))), ["batchnorm1"]),
    "ReLU before": (lambda x: BatchNorm()(ReLU()(x)), []),
    "shared": (lambda x: Add()(ReLU()(BatchNorm()(x)), x), []),
    "two readers": (lambda x: Add()(BatchNorm()(x), BatchNorm()(x)), []),
    "shared after": (lambda x: Add()(*[BatchNorm()(x)] * 2), ["batchnorm1"]),
    "norm and ReLU": (lambda x: (lambda y: Add()(ReLU()(y), y))(BatchNorm()(x)), ["batchnorm1"]),
    "an output": (lambda x: [BatchNorm()(x), x], []),
}


@pytest.mark.parametrize("algorithm", ["auto", "im2col"])
@pytest.mark.parametrize("tail", TAILS)
@pytest.mark.parametrize("host", HOSTS)
def test_folding(host, tail, algorithm):
    build, folded = TAILS[tail]
    network = bound(lambda x: build(HOSTS[host](x)), (4, 5, 5), training=False, algorithm=algorithm)
    assert folds(network) == folded
    check_outputs(network, 2)


@pytest.mark.parametrize("tail", TAILS)
@pytest.mark.parametrize("bias", [True, False])
def test_folding_into_dense(tail, bias):
    build, folded = TAILS[tail]
    network = bound(lambda x: build(Dense(17, bias=bias)(x)), (6,), training=False)
    assert folds(network) == folded
    check_outputs(network, 2)


@pytest.mark.parametrize("tail", TAILS)
def test_nothing_is_folded_in_training(tail):
    network = bound(lambda x: TAILS[tail][0](Conv(4, 2)(x)), (4, 5, 5))
    assert folds(network) == []
    check_outputs(network, 2)


def test_folding_follows_the_weights():
    network = bound(lambda x: BatchNorm()(Conv(4, 2)(x)), (4, 5, 5), training=False)
    for seed in range(3):
        flat = network.weights.flat
        flat[:] = np.abs(normals(flat.size, seed=seed)) + 0.5
        before = flat.copy()
        check_outputs(network, 3)
        assert_same_bits(flat, before)


def test_folding_costs_no_memory():
    folded, plain = (
        bound(build, (8, 9, 5), training=False).activation_bytes
        for build in (lambda x: ReLU()(BatchNorm()(Conv(9, 3)(x))), Conv(9, 3))
    )
    assert folded == plain
