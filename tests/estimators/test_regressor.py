"""CNNRegressor."""

import numpy as np
import pytest
from estimator_data import DIGITS, FLAT, NUMBERS, SMALL, STEADY, X, Y, regressor, weights
from oracles import assert_same_bits
from sklearn.base import is_regressor

from cnnkit import CNNRegressor, Dense, Flatten

IMAGES = (DIGITS[:400] / 16).reshape(-1, 8, 8, 1)
HALVES = np.c_[IMAGES[:, :, :4].mean(axis=(1, 2, 3)), IMAGES[:, :, 4:].mean(axis=(1, 2, 3))] * 5


@pytest.mark.parametrize("loss", ["squared_error", "absolute_error", "huber"])
def test_one_target_and_several_are_learnt(loss):
    options = {"loss": loss, "max_iter": 25, "learning_rate_init": 0.01, "random_state": 0}
    one = regressor(**options).fit(IMAGES, HALVES.sum(1))
    assert one.score(IMAGES, HALVES.sum(1)) > 0.7
    assert one.predict(IMAGES).shape == (400,)
    several = regressor([*SMALL[:2], Flatten(), Dense()], **options).fit(IMAGES, HALVES)
    assert several.predict(IMAGES).shape == (400, 2)
    assert (several.n_outputs_, several.loss_curve_[-1] < several.loss_curve_[0] / 4) == (2, True)


def test_attributes():
    reg = regressor().fit(X, NUMBERS)
    assert is_regressor(reg)
    assert (reg.n_outputs_, reg.n_iter_, reg.input_shape_) == (1, 2, (8, 8, 1))
    assert not hasattr(reg, "classes_")
    assert not hasattr(reg, "decision_function")


def test_outliers_move_the_squared_error_most():
    y = NUMBERS.copy()
    y[::10] += 100
    medians = [
        np.median(regressor(loss=loss, max_iter=30, learning_rate_init=0.02).fit(X, y).predict(X))
        for loss in ("absolute_error", "huber", "squared_error")
    ]
    assert medians[0] < 3
    assert medians[1] < 4
    assert medians[2] > 5


def test_a_wide_huber_is_the_squared_error():
    huber, squared = (regressor(loss=loss, huber_delta=1e6) for loss in ("huber", "squared_error"))
    np.testing.assert_allclose(
        weights(huber.fit(X, NUMBERS)), weights(squared.fit(X, NUMBERS)), rtol=1e-9
    )


def test_flat_and_four_dimensional():
    a, b = regressor(image_shape=(8, 8)).fit(FLAT, NUMBERS), regressor().fit(X, NUMBERS)
    assert_same_bits(weights(a), weights(b))
    assert_same_bits(a.predict(X), b.predict(FLAT))


def test_a_column_is_one_target():
    a, b = regressor().fit(X, NUMBERS), regressor()
    with pytest.warns(UserWarning, match="column-vector y was passed"):
        b.fit(X, NUMBERS[:, None])
    assert b.predict(X).shape == (120,)
    assert_same_bits(weights(a), weights(b))


def test_partial_fit_is_an_epoch_of_fit():
    whole, parts = regressor(max_iter=3, **STEADY).fit(X, NUMBERS), regressor(**STEADY)
    for _ in range(3):
        parts.partial_fit(X, NUMBERS)
    assert_same_bits(weights(parts), weights(whole))
    with pytest.raises(ValueError, match="y must have 1 targets, as before, got 2"):
        parts.partial_fit(X, np.c_[NUMBERS, NUMBERS])


@pytest.mark.parametrize(
    ("name", "value"), [("loss", "tweedie"), ("huber_delta", 0), ("huber_delta", "1")]
)
def test_bad_parameters(name, value):
    message = rf"^The '{name}' parameter of CNNRegressor must be .* Got {value!r} instead\.$"
    with pytest.raises(ValueError, match=f"(?s){message}"):
        regressor(**{name: value}).fit(X, NUMBERS)


@pytest.mark.parametrize(
    ("y", "message"),
    [
        (np.where(Y == 3, np.nan, NUMBERS), "Input y contains NaN"),
        (NUMBERS[:5], "inconsistent numbers of samples"),
        (None, "y cannot be None|requires y"),
    ],
)
def test_bad_y(y, message):
    with pytest.raises(ValueError, match=message):
        regressor().fit(X, y)


def test_layers_end_in_one_number_per_target():
    with pytest.raises(ValueError, match="layers must end in 1 numbers, one per target, got"):
        CNNRegressor(SMALL[:1]).fit(X, NUMBERS)
