"""Training that leaves the finite numbers: an error or a warning, and never a spoilt estimator."""

import numpy as np
import pytest
from estimator_data import NUMBERS, STEADY, X, Y, regressor, small, weights
from oracles import assert_same_bits
from sklearn.exceptions import ConvergenceWarning

from cnnkit.callbacks import Callback
from cnnkit.exceptions import DivergenceError


class Spoil(Callback):
    """Make the weights too large at the end of an epoch, for the next one."""

    def __init__(self, number=1e30, epoch=2):
        self.number = number
        self.epoch = epoch

    def on_epoch_end(self, estimator, epoch):
        if epoch.number == self.epoch:
            epoch.weights.flat[:] = self.number


RAW = {"standardize": False, "standardize_targets": False}


def wild(**options):
    steep = {"solver": "sgd", "learning_rate_init": 1e30, "max_iter": 5}
    return regressor(**STEADY | steep | options)


@pytest.mark.parametrize("solver", ["adam", "sgd", "adamw", "lbfgs"])
def test_an_error_that_says_what_to_do(solver):
    numbers = NUMBERS * 1e200
    clf = wild(solver=solver, **RAW)
    with pytest.raises(DivergenceError, match=r"Training diverged.* Scale "):
        clf.fit(X * 1e30, numbers)
    assert not hasattr(clf, "network_")


def test_huge_numbers_are_tamed():
    """Those that diverge without `standardize`."""
    reg = regressor(learning_rate_init=0.01, max_iter=20, random_state=0)
    huge = reg.fit(X * 1e30, NUMBERS * 1e200).predict(X * 1e30)
    assert reg.loss_ < reg.loss_curve_[0]
    wanted = reg.fit(X, NUMBERS).predict(X)
    np.testing.assert_allclose(huge / 1e200, wanted, rtol=1e-6)


def test_the_last_step_counts_too():
    """Its weights no loss is computed of."""
    clf = wild(learning_rate_init=1e39, batch_size=len(X), max_iter=1)
    with pytest.raises(DivergenceError, match=r"in epoch 1: a weight is -?(inf|nan)"):
        clf.fit(X.astype(np.float32), NUMBERS)


@pytest.mark.parametrize("options", [{}, {"early_stopping": True}, {"solver": "sgd"}])
@pytest.mark.parametrize("number", [1e38, np.nan])
def test_stop_keeps_the_last_good_weights(options, number):
    X32 = X.astype(np.float32)
    steady = STEADY | options
    clf = small(max_iter=6, on_divergence="stop", **steady).set_callbacks(Spoil(number))
    found = small(max_iter=6, **steady).set_callbacks(Spoil(number))
    with pytest.raises(DivergenceError):
        found.fit(X32, Y)
    with pytest.warns(ConvergenceWarning, match=r"in epoch 3: .* until epoch 2 is kept\.$") as told:
        clf.fit(X32, Y)
    assert [warning.filename for warning in told] == [__file__]
    assert clf.n_iter_ == len(clf.loss_curve_) == 2
    assert_same_bits(weights(clf), weights(small(max_iter=2, **steady).fit(X32, Y)))
    assert np.isfinite(clf.predict_proba(X32)).all()


def test_there_must_be_good_weights():
    with pytest.raises(DivergenceError, match="in epoch 1"):
        wild(on_divergence="stop").fit(X, NUMBERS)


def test_lbfgs_stops_too():
    clf = regressor(solver="lbfgs", max_iter=9, on_divergence="stop", tol=0)

    class Scale(Callback):
        def on_epoch_end(self, estimator, epoch):
            if epoch.number == 2:
                epoch.weights["input/mean"] = np.inf

    clf.set_callbacks(Scale())
    with pytest.warns(ConvergenceWarning, match="until epoch 2 is kept") as told:
        clf.fit(X, NUMBERS)
    assert [warning.filename for warning in told] == [__file__]
    assert_same_bits(
        weights(clf), weights(regressor(solver="lbfgs", max_iter=2, tol=0).fit(X, NUMBERS))
    )


@pytest.mark.parametrize("policy", ["raise", "stop"])
def test_partial_fit_leaves_what_there_was(policy):
    options = {"on_divergence": policy, "solver": "sgd", "momentum": 0.5, "random_state": 0}
    clf, other = small(**options), small(**options)
    for estimator in (clf, other):
        estimator.partial_fit(X, Y, classes=range(10)).partial_fit(X, Y)
    before = weights(clf)
    huge = X * 1e300
    if policy == "raise":
        with pytest.raises(DivergenceError, match="in epoch 3"):
            clf.partial_fit(huge, Y)
    else:
        with pytest.warns(ConvergenceWarning, match="in epoch 3.* It is left out") as told:
            assert clf.partial_fit(huge, Y) is clf
        assert [warning.filename for warning in told] == [__file__]
    assert_same_bits(weights(clf), before)
    assert clf.n_iter_ == len(clf.loss_curve_) == 2
    for estimator in (clf, other):
        estimator.partial_fit(X, Y)
    assert_same_bits(weights(clf), weights(other))


def test_a_first_partial_fit_that_diverges():
    for policy in ("raise", "stop"):
        clf = wild(on_divergence=policy)
        with pytest.raises(DivergenceError):
            clf.partial_fit(X, NUMBERS)
        assert not hasattr(clf, "network_")


def test_warm_start_keeps_the_fit_before():
    clf = wild(warm_start=True, learning_rate_init=1e-3).fit(X, NUMBERS)
    before = weights(clf)
    with pytest.raises(DivergenceError):
        clf.set_params(learning_rate_init=1e30).fit(X, NUMBERS)
    assert_same_bits(weights(clf), before)
    assert clf.n_iter_ == 5


def test_a_warning_that_is_an_error_loses_nothing():
    """As warnings are in these tests."""
    clf = small(max_iter=6, on_divergence="stop").set_callbacks(Spoil(np.nan))
    with pytest.raises(ConvergenceWarning):
        clf.fit(X, Y)
    assert clf.n_iter_ == 2
