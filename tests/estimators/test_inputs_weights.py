"""Weights of samples and classes, and smoothed labels."""

import numpy as np
import pytest
from estimator_data import NUMBERS, STEADY, X, Y, regressor, small, weights
from oracles import assert_same_bits
from seeded import generator
from sklearn.base import clone
from sklearn.utils.class_weight import compute_sample_weight

COUNTS = generator(0).integers(0, 4, 120)
ROWS = np.repeat(np.arange(120), COUNTS)
both = pytest.mark.parametrize(("make", "y"), [(small, Y), (regressor, NUMBERS)], ids=["C", "R"])


@both
def test_weights_are_repetitions(make, y):
    options = {"batch_size": 1000, "max_iter": 8}
    weighted = make(**options).fit(X, y, sample_weight=COUNTS)
    repeated = make(**options).fit(X[ROWS], y[ROWS])
    np.testing.assert_allclose(weights(weighted), weights(repeated), rtol=0, atol=1e-11)
    np.testing.assert_allclose(weighted.loss_curve_, repeated.loss_curve_, rtol=1e-10)


@both
def test_ones_change_nothing_but_rounding(make, y):
    plain, ones = make().fit(X, y), make().fit(X, y, sample_weight=np.ones(120))
    np.testing.assert_allclose(weights(ones), weights(plain), rtol=0, atol=1e-12)


@both
def test_the_unit_of_weights_counts_for_alpha_alone(make, y):
    """Of "adamw", whose decay does not follow the loss, not even for that."""
    many = (COUNTS, COUNTS * 1e3)
    a, b = (make(solver="adam", alpha=0).fit(X, y, sample_weight=w) for w in many)
    np.testing.assert_allclose(weights(a), weights(b), rtol=0, atol=1e-9)
    a, b = (make(solver="adam", alpha=30.0).fit(X, y, sample_weight=w) for w in many)
    assert abs(weights(a) - weights(b)).max() > 1e-4
    a, b = (make(alpha=30.0).fit(X, y, sample_weight=w) for w in many)
    np.testing.assert_allclose(weights(a), weights(b), rtol=0, atol=1e-9)


@both
def test_samples_that_weigh_nothing_are_not_there(make, y):
    keep = COUNTS > 0
    weighted = make(batch_size=16).fit(X, y, sample_weight=keep)
    without = make(batch_size=16).fit(X[keep], y[keep], sample_weight=np.ones(keep.sum()))
    assert_same_bits(weights(weighted), weights(without))


def test_classes_that_weigh_nothing_are_not_learnt():
    clf = small().fit(X, Y, sample_weight=Y < 4)
    assert clf.classes_.tolist() == [0, 1, 2, 3]


@both
def test_weights_stay_as_they_are(make, y):
    given = COUNTS.astype(float)
    given.flags.writeable = False
    make().fit(X, y, sample_weight=given)
    if make is small:
        make(class_weight="balanced").fit(X, y, sample_weight=given)
    assert (given == COUNTS).all()


@both
@pytest.mark.parametrize(
    ("given", "message"),
    [
        (np.zeros(120), "Sample weights must contain at least one non-zero number"),
        (-np.ones(120), r"sample_weight must not be negative, got -1\.0"),
        (np.ones(7), r"sample_weight.shape == \(7,\), expected \(120,\)"),
        (np.full(120, np.nan), "Input sample_weight contains NaN"),
    ],
)
def test_bad_weights(make, y, given, message):
    with pytest.raises(ValueError, match=message):
        make().fit(X, y, sample_weight=given)


def test_partial_fit_with_weights():
    whole, parts = small(max_iter=2, **STEADY), small(**STEADY)
    whole.fit(X, Y, sample_weight=COUNTS)
    for _ in range(2):
        parts.partial_fit(X, Y, classes=range(10), sample_weight=COUNTS)
    assert_same_bits(weights(parts), weights(whole))


@pytest.mark.parametrize("class_weight", ["balanced", {0: 3.0, 6: 0.5, 7: 1, 8: 1, 9: 2}])
def test_class_weights_are_sample_weights(class_weight):
    y = np.where(Y < 6, 0, Y)
    expected = compute_sample_weight(class_weight, y)
    a = small(class_weight=class_weight).fit(X, y)
    b = small().fit(X, y, sample_weight=expected)
    np.testing.assert_allclose(weights(a), weights(b), rtol=0, atol=1e-12)


def test_balanced_knows_sample_weights():
    options = {"class_weight": "balanced", "batch_size": 1000}
    weighted = small(**options).fit(X, Y, sample_weight=COUNTS)
    repeated = small(**options).fit(X[ROWS], Y[ROWS])
    np.testing.assert_allclose(weights(weighted), weights(repeated), rtol=0, atol=1e-11)


def test_class_weights_move_predictions():
    y = (Y > 7).astype(int)
    options = {"max_iter": 4, "learning_rate_init": 0.05}
    plain, rare = (small(class_weight=w, **options).fit(X, y) for w in (None, {0: 1, 1: 50}))
    assert rare.predict_proba(X)[:, 1].mean() > plain.predict_proba(X)[:, 1].mean() + 0.5


@pytest.mark.parametrize(
    ("class_weight", "y", "message"),
    [
        ({99: 2.0}, Y, r"The classes, \[.*\], are not in class_weight|99"),
        (
            {0: -1.0},
            Y,
            "CNNClassifier: class_weight of 0 must be a finite number at least 0, ",
        ),
        ({0: np.nan}, Y, "class_weight of 0 must be a finite number at least 0, got nan"),
        ({0: 1, 3: np.inf}, Y, "class_weight of 3 must be a finite number at least 0, got inf"),
        (dict.fromkeys(range(10), 0), Y, "class_weight must leave a sample whose weight"),
        ({1: 2}, np.c_[Y % 2, Y > 4], "class_weight must be 'balanced' or a list of a dict such"),
        ("even", Y, "The 'class_weight' parameter of CNNClassifier must be"),
    ],
)
def test_bad_class_weights(class_weight, y, message):
    with pytest.raises(ValueError, match=message):
        small(class_weight=class_weight).fit(X, y)


def test_parts_cannot_be_balanced():
    with pytest.raises(ValueError, match="class_weight must be a dict or None for partial_fit, wh"):
        small(class_weight="balanced").partial_fit(X, Y, classes=range(10))
    weighted = small(class_weight={c: 1 + c for c in range(10)}, **STEADY)
    for _ in range(2):
        weighted.partial_fit(X, Y, classes=range(10))
    assert_same_bits(weights(weighted), weights(clone(weighted).fit(X, Y)))


def test_smoothing_keeps_probabilities_from_the_ends():
    sharp, smooth = (
        small(max_iter=30, learning_rate_init=0.03, label_smoothing=s).fit(X, Y) for s in (0, 0.4)
    )
    surest = [clf.predict_proba(X).max(axis=1).mean() for clf in (smooth, sharp)]
    assert surest[0] < surest[1]
    assert smooth.loss_ > sharp.loss_
    with pytest.raises(ValueError, match="'label_smoothing' parameter of CNNClassifier must be"):
        small(label_smoothing=1.0).fit(X, Y)


@both
@pytest.mark.parametrize("dtype", ["f4", "f8"])
@pytest.mark.parametrize("unit", [2.0**-1040, 1e-40, 1e40, 1.5e308])
def test_only_proportions_of_weights_count(make, y, dtype, unit):
    """However large or small they are."""
    images = X.astype(dtype)
    shares = (1 + COUNTS) / 4
    options = {"learning_rate_init": 1e-3}
    wanted = make(**options).fit(images, y, sample_weight=shares)
    found = make(**options).fit(images, y, sample_weight=shares * unit)
    np.testing.assert_allclose(weights(found), weights(wanted), rtol=0, atol=1e-5)
    np.testing.assert_allclose(found.loss_, wanted.loss_, rtol=1e-5)
    parts = make(**options).partial_fit(images, y, sample_weight=shares * unit, **first(make))
    assert np.isfinite(parts.partial_fit(images, y, sample_weight=shares * 1e200).predict(X)).all()


def first(make):
    return {"classes": range(10)} if make is small else {}


@pytest.mark.parametrize("unit", [1e-320, 1e-300, 1e300])
def test_only_proportions_of_class_weights_count(unit):
    shares = {c: 1.0 + c for c in range(10)}
    many = {c: unit * share for c, share in shares.items()}
    a, b = (
        small(class_weight=w, **STEADY).fit(X, Y, sample_weight=np.full(120, s), X_val=X, y_val=Y)
        for w, s in ((shares, 1.0), (many, 1e300))
    )
    np.testing.assert_allclose(weights(a), weights(b), rtol=0, atol=1e-4)
    np.testing.assert_allclose(a.validation_loss_curve_, b.validation_loss_curve_, rtol=1e-3)


@pytest.mark.parametrize("solver", ["adam", "sgd", "lbfgs"])
@pytest.mark.parametrize("unit", [1e-320, 1e308])
def test_weights_that_alpha_cannot_be_divided_by(solver, unit):
    given = np.full(120, unit)
    message = "sample_weight must have a largest weight from 8e-31 to 1e.30 with solver='"
    with pytest.raises(ValueError, match=f"CNNClassifier: {message}{solver}', which divides alp"):
        small(solver=solver).fit(X, Y, sample_weight=given)
    wanted = small(solver=solver, alpha=0).fit(X, Y, sample_weight=np.ones(120)).loss_
    found = small(solver=solver, alpha=0).fit(X, Y, sample_weight=given).loss_
    assert found == pytest.approx(wanted, rel=1e-6)
