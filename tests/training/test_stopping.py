"""When training ends: validation, early stopping, time."""

from time import perf_counter

import numpy as np
import pytest
from estimator_data import DIGITS, LABELS, NUMBERS, SMALL, STEADY, X, Y, regressor, small, weights
from oracles import assert_same_bits
from sklearn.metrics import accuracy_score, log_loss, r2_score

IMAGES = (DIGITS[:500] / 16).reshape(-1, 8, 8, 1)


def test_validation_samples_of_the_users():
    clf = small(max_iter=4).fit(X, Y, X_val=IMAGES[120:200], y_val=LABELS[120:200])
    assert len(clf.validation_scores_) == len(clf.validation_loss_curve_) == 4
    p = clf.predict_proba(IMAGES[120:200])
    assert clf.validation_scores_[-1] == accuracy_score(LABELS[120:200], p.argmax(1))
    expected = log_loss(LABELS[120:200], p, labels=range(10))
    assert clf.validation_loss_curve_[-1] == pytest.approx(expected, rel=1e-6)
    assert clf.best_validation_score_ is None
    assert_same_bits(weights(clf), weights(small(max_iter=4).fit(X, Y)))


def test_validation_of_a_regressor():
    y = IMAGES.mean(axis=(1, 2, 3))
    val = {"X_val": IMAGES[120:200], "y_val": y[120:200]}
    for standardised in (False, True):
        reg = regressor(max_iter=3, standardize_targets=standardised).fit(X, y[:120], **val)
        found = reg.predict(IMAGES[120:200])
        assert reg.validation_scores_[-1] == pytest.approx(r2_score(y[120:200], found))
        residuals = (found - y[120:200]) / (y[:120].std() if standardised else 1)
        assert reg.validation_loss_curve_[-1] == pytest.approx((residuals**2).mean() / 2)


def test_validation_targets_of_any_size():
    reg = regressor(early_stopping=True).fit(X, NUMBERS, X_val=X[:9], y_val=NUMBERS[:9] * 1e200)
    wanted = r2_score(NUMBERS[:9], np.zeros(9))  # what the targets are measured by
    assert reg.best_validation_score_ == pytest.approx(wanted)


def test_without_validation_there_is_none():
    clf = small().fit(X, Y)
    found = (clf.validation_scores_, clf.validation_loss_curve_, clf.best_validation_score_)
    assert found == (None, None, None)


def test_the_best_weights_are_restored():
    options = STEADY | {"learning_rate_init": 0.3, "random_state": 0}
    val = {"X_val": IMAGES[120:300], "y_val": LABELS[120:300]}
    clf = small(max_iter=30, early_stopping=True, n_iter_no_change=4, **options).fit(X, Y, **val)
    assert clf.n_iter_ < 30
    assert clf.best_validation_score_ == max(clf.validation_scores_) > clf.validation_scores_[-1]
    assert clf.score(IMAGES[120:300], LABELS[120:300]) == clf.best_validation_score_
    best = np.lexsort((clf.validation_loss_curve_, -np.array(clf.validation_scores_)))[0]
    short = small(max_iter=best + 1, **options).fit(X, Y)
    assert_same_bits(weights(short), weights(clf))


def test_early_stopping_waits_as_told():
    clf = small(max_iter=30, early_stopping=True, tol=2.0, n_iter_no_change=3).fit(X, Y)
    assert clf.n_iter_ == 4


def test_the_split_is_stratified_and_apart(monkeypatch):
    from cnnkit.estimators import inputs

    seen = {}
    inner = inputs.split

    def spy(estimator, rows, targets, rng):
        train, kept = inner(estimator, rows, targets, rng)
        seen.update(train=train, kept=kept)
        return train, kept

    monkeypatch.setattr(inputs, "split", spy)
    labels = LABELS[:500]
    small(early_stopping=True, validation_fraction=0.2).fit(IMAGES, labels)
    assert sorted([*seen["train"], *seen["kept"]]) == list(range(500))
    assert len(seen["kept"]) == 100
    counts = np.bincount(labels[seen["kept"]])
    assert (abs(counts - np.bincount(labels) / 5) <= 1).all()
    weighted = np.arange(500) % 3 > 0
    small(early_stopping=True).fit(IMAGES, labels, sample_weight=weighted)
    assert weighted[seen["kept"]].all()
    assert weighted[seen["train"]].all()
    regressor(early_stopping=True).fit(IMAGES, IMAGES.mean(axis=(1, 2, 3)))
    assert len(seen["kept"]) == 50


def test_a_class_of_one_sample_cannot_be_split():
    message = r"^CNNClassifier: validation_fraction must leave samples of every class .*0\.1: "
    with pytest.raises(ValueError, match=message):
        small(early_stopping=True).fit(X, np.r_[99, Y[1:]])


@pytest.mark.parametrize(
    ("val", "message"),
    [
        ({"X_val": X}, "CNNClassifier: X_val and y_val must be given together, got X_val alone"),
        ({"y_val": Y}, "CNNClassifier: X_val and y_val must be given together, got y_val alone"),
        (
            {"X_val": X[:, :5], "y_val": Y},
            r"CNNClassifier: X_val must hold images of shape \(8, 8, 1\), as X does, got .*\(120",
        ),
        ({"X_val": X, "y_val": Y[:3]}, r"inconsistent numbers of samples: \[120, 3\]"),
        ({"X_val": X, "y_val": Y + 90}, r"y_val must be of the classes \[0 .*got \[90 91"),
        ({"X_val": X * np.nan, "y_val": Y}, "Input X_val contains NaN"),
        ({"X_val": X, "y_val": np.c_[Y % 2, Y > 4]}, "y_val must have 10 columns"),
    ],
)
def test_bad_validation_samples(val, message):
    with pytest.raises(ValueError, match=message):
        small().fit(X, Y, **val)


def test_bad_validation_targets_of_a_regressor():
    with pytest.raises(ValueError, match="CNNRegressor: y_val must have 1 targets as y has, got"):
        regressor().fit(X, NUMBERS, X_val=X, y_val=np.c_[NUMBERS, NUMBERS])


@pytest.mark.parametrize("solver", ["adam", "lbfgs"])
def test_time_is_kept(solver):
    began = perf_counter()
    clf = small(SMALL, max_iter=100_000, max_time=0.3, tol=0, solver=solver).fit(X, Y)
    assert 0.2 < perf_counter() - began < 3
    assert clf.n_iter_ < 100_000


def test_time_ends_an_epoch():
    images = np.resize(X, (20_000, 8, 8, 1))
    began = perf_counter()
    clf = small(max_time=0.05, batch_size=1).fit(images, np.resize(Y, 20_000))
    assert perf_counter() - began < 1.5
    assert (clf.n_iter_, np.isfinite(clf.loss_)) == (1, True)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *(("max_time", 0), ("max_time", "1s"), ("early_stopping", 1.5), ("warm_start", "no")),
        *(("validation_fraction", 0.0), ("validation_fraction", 1), ("clip_norm", 0)),
        *(("ema_decay", 1.0), ("ema_decay", 0), ("test_time_augmentation", -1), ("verbose", 3)),
        *(("test_time_augmentation", 1.5), ("label_smoothing", -0.1)),
    ],
)
def test_bad_parameters(name, value):
    message = rf"^The '{name}' parameter of CNNClassifier must be .* Got {value!r} instead[.:]"
    with pytest.raises(ValueError, match=f"(?s){message}"):
        small(**{name: value}).fit(X, Y)
