"""Targets of a regressor are standardised, and predicted in their own units."""

import numpy as np
import pytest
from estimator_data import (
    NUMBERS,
    STEADY,
    Shuffle,
    X,
    regressor,
)

from cnnkit import (
    Dense,
    Dropout,
    Flatten,
    ReLU,
    Sigmoid,
)
from cnnkit.losses import Huber

HEAD = [Flatten(), Dense()]


@pytest.mark.parametrize("factor", [1e-30, 1e-6, 1, 1e6, 1e30])
@pytest.mark.parametrize("loss", ["squared_error", "absolute_error", "huber"])
def test_targets_of_any_scale(loss, factor):
    options = {"loss": loss, "random_state": 0, "max_iter": 4}
    delta = {"huber_delta": 0.5 * factor} if loss == "huber" else {}
    wanted = regressor(**options, **({"huber_delta": 0.5} if delta else {})).fit(X, NUMBERS)
    reg = regressor(**options, **delta).fit(X, NUMBERS * factor)
    np.testing.assert_allclose(reg.predict(X), wanted.predict(X) * factor, rtol=1e-6)
    np.testing.assert_allclose(reg.loss_curve_, wanted.loss_curve_, rtol=1e-6)


def test_targets_far_from_zero():
    wanted, reg = (regressor(max_iter=4, random_state=0) for _ in range(2))
    found = reg.fit(X, NUMBERS + 1e4).predict(X) - 1e4
    np.testing.assert_allclose(found, wanted.fit(X, NUMBERS).predict(X), rtol=0, atol=1e-5)


def test_targets_of_different_scales():
    """Each is learnt as well as it is beside others of its own scale."""
    other = X[:, :4].mean(axis=(1, 2, 3))
    like = np.c_[NUMBERS, other]
    options = {"random_state": 0, "max_iter": 10}
    wanted = regressor(HEAD, **options).fit(X, like)
    reg = regressor(HEAD, **options).fit(X, like * [1e-6, 1e6] + [0, 5e6])
    np.testing.assert_allclose(
        (reg.predict(X) - [0, 5e6]) / [1e-6, 1e6], wanted.predict(X), rtol=0, atol=1e-6
    )
    np.testing.assert_allclose(reg.network_.weights["targets/scale"][0], NUMBERS.std() * 1e-6)


@pytest.mark.parametrize("number", [0, 5, -1e6, 1e-9, 0.1])
def test_a_constant_target(number):
    reg = regressor(HEAD, max_iter=10).fit(X, np.full(120, number, float))
    assert reg.network_.weights["targets/scale"] == 1
    assert reg.network_.weights["targets/mean"] == pytest.approx(number)
    assert abs(reg.predict(X).mean() - number) < 1


@pytest.mark.parametrize(
    ("ending", "standard"),
    [
        ([Dense()], True),
        ([Dense(), ReLU()], False),
        ([Dense(), Sigmoid()], False),
        ([Dense(), ReLU(), Dropout(0.1)], False),
    ],
    ids=str,
)
def test_a_network_that_gives_some_numbers_alone(ending, standard):
    """What a ReLU gives is never negative, as half of what is standardised is."""
    layers = [Flatten(), *ending]
    reg = regressor(layers, max_iter=40, random_state=0).fit(X, NUMBERS)
    assert ("targets/mean" in reg.network_.weights) == standard
    assert "input/mean" in reg.network_.weights
    if "ReLU" in str(ending):
        assert (reg.predict(X) >= 0).all()


def test_standardisation_of_targets_is_an_option():
    reg = regressor(standardize_targets=False).fit(X, NUMBERS)
    assert "targets/mean" not in reg.network_.weights
    residuals = reg.predict(X) - NUMBERS
    one = regressor(
        standardize_targets=False, initial_weights=reg, learning_rate_init=1e-30, alpha=0
    ).fit(X, NUMBERS)
    assert one.loss_ == pytest.approx((residuals**2).mean() / 2)


def test_losses_are_of_standardised_targets():
    still = STEADY | {"learning_rate_init": 1e-30, "alpha": 0, "max_iter": 1}
    start = regressor(max_iter=5).fit(X, NUMBERS * 100)
    reg = regressor(initial_weights=start, **still)
    reg.fit(X, NUMBERS * 100, X_val=X[:30], y_val=NUMBERS[:30] * 100)
    shares = (reg.predict(X) - NUMBERS * 100) / (NUMBERS.std() * 100)
    assert reg.loss_ == pytest.approx((shares**2).mean() / 2)
    assert reg.validation_loss_curve_[0] == pytest.approx((shares[:30] ** 2).mean() / 2)


def test_delta_is_in_units_of_y():
    y = np.c_[NUMBERS, NUMBERS * 50]
    delta = 20.0
    still = STEADY | {"learning_rate_init": 1e-30, "alpha": 0, "max_iter": 1}
    reg = regressor(HEAD, loss="huber", huber_delta=delta, random_state=0, **still).fit(X, y)
    scale = y.std(axis=0)
    residuals = np.abs(reg.predict(X) - y)
    # both branches are there, in the second target
    assert 0 < (residuals[:, 1] > delta).mean() < 1
    quadratic, linear = residuals**2 / 2, delta * (residuals - delta / 2)
    wanted = np.where(residuals <= delta, quadratic, linear) / scale**2
    assert reg.loss_ == pytest.approx(wanted.mean())
    assert isinstance(reg._loss({}, reg.network_.weights), Huber)


def test_mixed_targets_are_standardised_ones():
    before = NUMBERS.copy()
    reg = regressor(augmentation=Shuffle(), max_iter=5, random_state=0).fit(X, NUMBERS * 1e6)
    assert reg.loss_ < reg.loss_curve_[0]
    assert abs(reg.predict(X).mean() / NUMBERS.mean() / 1e6 - 1) < 0.2
    assert (before == NUMBERS).all()
