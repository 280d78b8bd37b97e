"""The training loop."""

import numpy as np
import pytest
from oracles import assert_same_bits, normals
from seeded import generator

from cnnkit import Dense, Dropout, Flatten, Network, Sequential
from cnnkit.losses import SoftmaxCrossEntropy
from cnnkit.network.prediction import predict
from cnnkit.training.loop import Training
from cnnkit.training.optimizers import SGD
from cnnkit.training.stopping import Watch

X, TARGETS = normals(11, 2, 3, 1), generator(0).integers(0, 3, 11)


def training(loss=None, *, rng=None, batch_size=4, rate=0.1, layers=()):
    network = Network(
        Sequential([Flatten(), *layers, Dense()]),
        (2, 3, 1),
        3,
        batch_size=batch_size,
        dtype="float64",
        training=True,
        rng=generator(7),
    )
    network.weights.initialise(generator(1))
    return Training(network, loss or SoftmaxCrossEntropy(), SGD(network.weights, rate), rng)


class Script:
    """A loss with the values given, one a batch, that records the targets it saw."""

    def __init__(self, *values):
        self.values = list(values)
        self.seen = []

    def __call__(self, outputs, targets, dlogits, weights=None, total=None):
        assert len(outputs) == len(targets) == len(dlogits)
        self.seen.append(targets.tolist())
        dlogits[...] = 0
        return self.values.pop(0)


def test_batches_in_order_the_last_one_smaller():
    loss = Script(1.0, 2.0, 5.0)
    run = training(loss)
    run.run(X, np.arange(11), epochs=1)
    assert loss.seen == [[0, 1, 2, 3], [4, 5, 6, 7], [8, 9, 10]]
    assert run.loss_curve == [(4 * 1 + 4 * 2 + 3 * 5) / 11]
    assert run.optimizer.steps == 3


def test_a_new_order_for_every_epoch():
    loss = Script(*[1.0] * 6)
    training(loss, rng=generator(0)).run(X, np.arange(11), epochs=2)
    first, second = np.concatenate(loss.seen[:3]), np.concatenate(loss.seen[3:])
    assert sorted(first) == sorted(second) == list(range(11))
    assert (first != second).any()
    assert (first != np.arange(11)).any()


def test_rows_and_targets_stay_together():
    run = training(rng=generator(0))
    seen = []
    inner = run.loss

    def loss(outputs, targets, dlogits, *weights):
        seen.extend(zip(run.network.x[:, 0, 0, 0].tolist(), targets.tolist(), strict=False))
        return inner(outputs, targets, dlogits, *weights)

    run.loss = loss
    run.run(X, TARGETS, epochs=2)
    pairs = list(zip(X[:, 0, 0, 0].tolist(), TARGETS.tolist(), strict=True))
    assert sorted(seen) == sorted(pairs * 2)


def test_an_epoch_is_one_step_for_every_batch():
    run = training()
    w, b = (run.network.weights[path].copy() for path in ("dense1/w", "dense1/b"))
    velocity_w, velocity_b = np.zeros_like(w), np.zeros_like(b)
    for start in (0, 4, 8):
        x = X[start : start + 4].reshape(-1, 6)
        e = np.exp(x @ w + b)
        d = e / e.sum(1, keepdims=True) - np.eye(3)[TARGETS[start : start + 4]]
        dw, db = x.T @ d / len(x), d.mean(0)
        velocity_w, velocity_b = 0.9 * velocity_w - 0.1 * dw, 0.9 * velocity_b - 0.1 * db
        w, b = w + 0.9 * velocity_w - 0.1 * dw, b + 0.9 * velocity_b - 0.1 * db
    run.run(X, TARGETS, epochs=1)
    np.testing.assert_allclose(run.network.weights["dense1/w"], w, rtol=0, atol=1e-13)
    np.testing.assert_allclose(run.network.weights["dense1/b"], b, rtol=0, atol=1e-13)


@pytest.mark.parametrize(
    ("losses", "tol", "patience", "epochs"),
    [
        ([5, 4, 3, 2, 1], 0.0, 1, 5),
        ([5, 5, 5, 5, 5], 0.0, None, 5),
        ([5, 5, 5, 5, 5], 0.1, None, 5),
        ([5, 5, 5, 5, 5], 0.1, 2, 3),
        ([5, 6, 4, 6, 5], 0.0, 2, 5),
        ([5, 6, 4, 6, 5], 0.0, 1, 2),
        ([5, 4.95, 4.9, 4.85, 4.8], 0.1, 3, 4),
        ([5, 4.8, 4.6, 4.4, 4.2], 0.1, 1, 5),
        ([5, 6, 5.5, 5.2, 5.1], 0.0, 3, 4),
    ],
)
def test_patience(losses, tol, patience, epochs):
    run = training(Script(*map(float, losses)), batch_size=11)
    run.run(X, TARGETS, epochs=5, watch=Watch(tol=tol, patience=patience))
    assert run.loss_curve == losses[:epochs]


def test_epochs_of_two_runs_are_those_of_one():
    one, two = (training(rng=generator(3), layers=[Dropout(0.2)]) for _ in range(2))
    one.run(X, TARGETS, epochs=5)
    two.run(X, TARGETS, epochs=2)
    two.run(X, TARGETS, epochs=3)
    assert one.loss_curve == two.loss_curve
    assert_same_bits(one.network.weights.flat, two.network.weights.flat)
    assert one.loss_curve[-1] < one.loss_curve[0]


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_divergence_stops_training(bad):
    run = training(Script(1.0, bad), batch_size=11, rate=0.125)
    message = (
        rf"^Training diverged in epoch 2: the loss is {bad}\. "
        r"Scale X or lower learning_rate_init, now 0\.125\.$"
    )
    with pytest.raises(ValueError, match=message):
        run.run(X, TARGETS, epochs=3)
    assert run.loss_curve == [1.0]


@pytest.mark.parametrize("batch_size", [1, 4, 11, 50])
def test_predict_takes_all_rows(batch_size):
    network = training().network.resized(batch_size)
    outputs = predict(network, X)
    weights = network.weights
    expected = X.reshape(11, 6) @ weights["dense1/w"] + weights["dense1/b"]
    np.testing.assert_allclose(outputs, expected, rtol=0, atol=1e-14)
    assert not np.may_share_memory(outputs, network.output)
