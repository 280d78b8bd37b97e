"""lr_find."""

import numpy as np
import pytest
from estimator_data import NUMBERS, SMALL, Brighten, Halving, X, Y, regressor, small
from oracles import assert_same_bits
from sklearn.linear_model import Ridge

from cnnkit import lr_find
from cnnkit.estimators.lr_find import RateRange


def test_rates_and_losses():
    found = lr_find(small(random_state=0), X, Y, low=1e-4, high=1.0, steps=60)
    rates, losses, suggestion = found
    assert len(rates) == len(losses) <= 60
    np.testing.assert_allclose(np.diff(np.log(rates)), np.log(1e4) / 59)
    assert rates[0] == pytest.approx(1e-4)
    assert losses.min() < losses[0]
    assert suggestion == rates[losses.argmin()] / 10
    assert_same_bits(lr_find(small(random_state=0), X, Y, low=1e-4, steps=60).losses, losses)


def test_it_prints_on_one_line():
    found = RateRange(np.geomspace(1e-5, 0.16, 57), np.ones(57), 0.012345)
    assert repr(found) == "RateRange(suggestion=0.0123, 57 rates from 1e-05 to 0.16)"
    assert str(found) == repr(found)


def test_it_ends_where_there_is_no_hope():
    found = lr_find(regressor(solver="sgd"), X, NUMBERS * 50, low=1e-3, high=1e9)
    assert found.learning_rates[-1] < 1e6
    assert np.isfinite(found.losses).all()


def test_the_estimator_stays_as_it_is():
    schedule = Halving()
    clf = small(SMALL, learning_rate=schedule, augmentation=Brighten(), class_weight="balanced")
    before = dict(vars(clf))
    weighted = lr_find(clf, X, Y, sample_weight=Y < 5, steps=5)
    assert vars(clf) == before
    assert len(weighted.losses) == 5


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"high": float("nan")}, "high must be a finite number, got nan"),
        ({"low": "a"}, "low must be a finite number, got 'a'"),
        ({"low": 0}, r"low must be above 0 and below high, got 0 and 1\.0"),
        ({"low": 2}, r"low must be above 0 and below high, got 2 and 1\.0"),
        ({"steps": 1}, "steps must be an int of at least 2, got 1"),
        ({"steps": 9.5}, r"steps must be an int of at least 2, got 9\.5"),
    ],
)
def test_refusals(options, message):
    with pytest.raises((ValueError, TypeError), match=f"^lr_find: {message}"):
        lr_find(small(solver="sgd"), X, Y, **options)


def test_other_estimators():
    with pytest.raises(TypeError, match=r"^lr_find: estimator must be a CNNClassifier or .*Ridge"):
        lr_find(Ridge(), X, NUMBERS)


def test_lbfgs_has_no_rate():
    with pytest.raises(ValueError, match=r"^lr_find: solver must be one with a learning rate, got"):
        lr_find(small(solver="lbfgs"), X, Y)


def test_no_rate_is_low_enough():
    with pytest.raises(ValueError, match=r"low must be a rate that can be trained with, got 1e"):
        lr_find(regressor(solver="sgd"), X.astype("float32"), NUMBERS, low=1e37, high=1e38)
