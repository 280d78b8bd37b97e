"""Training by L-BFGS."""

import numpy as np
import pytest
from estimator_data import NUMBERS, SMALL, Brighten, Halving, X, Y, regressor, small, weights
from oracles import assert_same_bits
from seeded import generator
from sklearn.linear_model import LogisticRegression, Ridge

from cnnkit import Dense, Dropout, Flatten, set_num_threads

HEAD = [Flatten(), Dense()]


def test_a_linear_network_is_a_logistic_regression():
    clf = small(HEAD, solver="lbfgs", alpha=1.0, max_iter=1000, tol=1e-10, standardize=False).fit(
        X, Y
    )
    model = LogisticRegression(C=1.0, tol=1e-8, max_iter=2000).fit(X.reshape(120, -1), Y)
    np.testing.assert_allclose(
        clf.predict_proba(X), model.predict_proba(X.reshape(120, -1)), rtol=0, atol=5e-4
    )


def test_a_linear_network_is_a_ridge():
    plain = {"standardize": False, "standardize_targets": False}
    reg = regressor(HEAD, solver="lbfgs", alpha=2.0, max_iter=1000, tol=1e-9, **plain)
    reg.fit(X, NUMBERS)
    model = Ridge(alpha=2.0).fit(X.reshape(120, -1), NUMBERS)
    np.testing.assert_allclose(reg.predict(X), model.predict(X.reshape(120, -1)), atol=1e-3)


def test_the_loss_falls_in_every_iteration():
    clf = small(solver="lbfgs", max_iter=40).fit(X, Y)
    assert (np.diff(clf.loss_curve_) < 1e-4).all()
    assert clf.n_iter_ == len(clf.loss_curve_) == 40


def test_it_learns():
    """From a start where forty iterations are enough: they are not from all."""
    clf = small(solver="lbfgs", max_iter=40, random_state=0).fit(X, Y)
    assert clf.loss_curve_[-1] < clf.loss_curve_[0] / 3
    assert clf.score(X, Y) > 0.7


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_the_number_of_threads_does_not_change_a_bit(dtype):
    found = []
    try:
        for n in (1, 2, 4):
            set_num_threads(n)
            found.append(weights(small(solver="lbfgs", max_iter=10).fit(X.astype(dtype), Y)))
    finally:
        set_num_threads(None)
    assert_same_bits(found[0], found[1])
    assert_same_bits(found[0], found[2])


def test_weights_are_repetitions():
    counts = generator(0).integers(0, 4, 120)
    rows = np.repeat(np.arange(120), counts)
    weighted = small(solver="lbfgs", max_iter=15).fit(X, Y, sample_weight=counts)
    repeated = small(solver="lbfgs", max_iter=15).fit(X[rows], Y[rows])
    np.testing.assert_allclose(weights(weighted), weights(repeated), rtol=0, atol=1e-6)


def test_early_stopping_and_warm_start():
    clf = small(solver="lbfgs", max_iter=60, early_stopping=True, n_iter_no_change=3).fit(X, Y)
    assert len(clf.validation_scores_) == clf.n_iter_ < 60
    assert clf.best_validation_score_ == max(clf.validation_scores_)
    a = small(solver="lbfgs", max_iter=5, warm_start=True).fit(X, Y)
    first = a.loss_
    assert a.fit(X, Y).loss_ < first
    assert a.n_iter_ == 10


def test_nothing_to_improve():
    clf = small(solver="lbfgs").fit(X, ["one"] * 120)
    assert clf.n_iter_ >= 1
    assert clf.loss_ == 0


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"layers": [*HEAD, Dropout(0.1)]}, r"layers must hold no Dropout .* got \['dropout1'\]"),
        ({"augmentation": Brighten()}, "augmentation must be None with solver='lbfgs', got Brigh"),
        ({"learning_rate": Halving()}, "learning_rate must be 'constant' with solver='lbfgs'"),
        ({"clip_norm": 1.0}, r"clip_norm must be None with solver='lbfgs', got 1\.0"),
        ({"ema_decay": 0.9}, r"ema_decay must be None with solver='lbfgs', got 0\.9"),
    ],
    ids=["dropout", "augmentation", "schedule", "clip", "ema"],
)
def test_what_needs_steps_is_refused(options, message):
    with pytest.raises(ValueError, match=f"^CNNClassifier: {message}"):
        small(**{"layers": SMALL} | options, solver="lbfgs").fit(X, Y)


def test_partial_fit_is_not_there():
    assert not hasattr(small(solver="lbfgs"), "partial_fit")
    assert not hasattr(regressor(solver="lbfgs"), "partial_fit")
    with pytest.raises(AttributeError, match="has no attribute 'partial_fit'"):
        small(solver="lbfgs").partial_fit(X, Y, classes=range(10))


def test_divergence():
    huge = X.astype("float32") * 1e30
    with pytest.raises(ValueError, match=r"^Training diverged: the loss is (nan|inf)"):
        regressor(solver="lbfgs", standardize=False).fit(huge, NUMBERS)
    assert np.isfinite(regressor(solver="lbfgs").fit(huge, NUMBERS).loss_)
