"""The augmentations inside fit: training batches change, nothing else does."""

import pickle

import numpy as np
import pytest
from estimator_data import FLAT, NUMBERS, SMALL, X, Y, flat, regressor, small, weights
from oracles import assert_same_bits
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV, cross_val_score

from cnnkit import set_num_threads
from cnnkit.augmentation import Augment, Cutout, Flip, Mixup, Noise, Rotate, Scale, Shift

ALL = [Flip(), Shift(1), Rotate(10), Scale(0.9), Noise(0.1), Cutout(2), Mixup(0.5)]
LABELS = np.c_[Y % 2, Y > 4, Y == 3].astype(int)


def ids(value):
    return str(value) if not isinstance(value, np.ndarray) else f"y{value.ndim}"


@pytest.mark.parametrize("augmentation", [*ALL, ALL, Augment(ALL)], ids=ids)
@pytest.mark.parametrize(("make", "y"), [(small, Y), (small, LABELS), (regressor, NUMBERS)])
def test_every_augmentation(make, y, augmentation):
    given = X.copy()
    options = {"max_iter": 6, "learning_rate_init": 0.01, "random_state": 0}
    estimator = make(augmentation=augmentation, **options).fit(given, y)
    assert (given == X).all()
    assert estimator.loss_ < estimator.loss_curve_[0]
    plain = make(**options).fit(X, y)
    assert (weights(estimator) != weights(plain)).any()
    again = make(augmentation=clone(augmentation, safe=False), **options).fit(X, y)
    assert_same_bits(weights(again), weights(estimator))


def test_a_list_is_an_augment():
    found = [small(augmentation=a).fit(X, Y) for a in (ALL, tuple(ALL), Augment(ALL))]
    assert_same_bits(weights(found[0]), weights(found[1]))
    assert_same_bits(weights(found[0]), weights(found[2]))
    assert_same_bits(weights(small(augmentation=[]).fit(X, Y)), weights(small().fit(X, Y)))


@pytest.mark.parametrize("options", [{"sample_weight": np.arange(1, 121)}, {}], ids=str)
@pytest.mark.parametrize("smoothing", [0, 0.1])
def test_mixed_targets_with_weights_and_smoothing(options, smoothing):
    clf = small(augmentation=Mixup(1.0), label_smoothing=smoothing, max_iter=8, random_state=0)
    clf.fit(X, Y, **options)
    assert clf.loss_ < clf.loss_curve_[0]


class Spy(Flip):
    """Turns all images over, and counts them."""

    seen = 0

    def change(self, images, targets, rng):
        Spy.seen += len(images)
        images[...] = images[:, ::-1]


def test_validation_and_prediction_see_images_as_they_are(monkeypatch):
    monkeypatch.setattr(Spy, "seen", 0)
    clf = small(augmentation=Spy(), early_stopping=True, validation_fraction=0.25).fit(X, Y)
    assert Spy.seen == 2 * 90
    clf.predict(X)
    clf.score(X, Y)
    small(augmentation=Spy()).fit(X[:50], Y[:50], X_val=X[50:], y_val=Y[50:])
    assert Spy.seen == 2 * 90 + 2 * 50


def test_cross_validation_scores_images_as_they_are(monkeypatch):
    monkeypatch.setattr(Spy, "seen", 0)
    found = cross_val_score(flat(augmentation=Spy(), max_iter=1), FLAT, Y, cv=3)
    assert Spy.seen == 2 * 120
    turned = FLAT.reshape(120, 8, 8)[:, ::-1].reshape(120, 64)
    by_hand = []
    for test in np.split(np.arange(120), 3):
        train = np.setdiff1d(np.arange(120), test)
        by_hand.append(flat(max_iter=1).fit(turned[train], Y[train]).score(FLAT[test], Y[test]))
    from sklearn.model_selection import KFold

    found = cross_val_score(flat(augmentation=Spy(), max_iter=1), FLAT, Y, cv=KFold(3))
    np.testing.assert_array_equal(found, by_hand)


# At test time


@pytest.mark.parametrize(
    "augmentation",
    [Noise(0.2), [Flip(), Mixup()], Augment([Shift(1), Mixup(), Augment([Mixup(), Rotate(5)])])],
    ids=str,
)
@pytest.mark.parametrize(("make", "y"), [(small, Y), (regressor, NUMBERS)])
def test_test_time_augmentation_leaves_mixing_out(make, y, augmentation):
    estimator = make(augmentation=augmentation, test_time_augmentation=4).fit(X, y)
    found = estimator.predict(X)
    assert_same_bits(found, estimator.predict(X))
    assert_same_bits(found, pickle.loads(pickle.dumps(estimator)).predict(X))
    plain = make(augmentation=augmentation).fit(X, y)
    assert_same_bits(weights(plain), weights(estimator))
    assert (plain._outputs(X) != estimator._outputs(X)).any()


@pytest.mark.parametrize("augmentation", [Mixup(), [Mixup()], Augment([Augment([Mixup()])]), []])
def test_nothing_but_mixing(augmentation):
    with pytest.raises(
        ValueError, match="test_time_augmentation must be 0 without an augmentation"
    ):
        small(augmentation=augmentation, test_time_augmentation=1).fit(X, Y)


def test_without_mixing():
    assert Mixup().without_mixing() is None
    assert Flip().without_mixing() == Flip()
    assert Augment([Mixup(), Augment([Mixup()])]).without_mixing() is None
    found = Augment([Flip(), Augment([Mixup(), Noise()])]).without_mixing()
    assert found == Augment([Flip(), Augment([Noise()])])


# As hyper-parameters


@pytest.mark.parametrize(
    ("augmentation", "message"),
    [
        (Shift(9), r"Shift: .*\(8, 8\)"),
        ([Flip(), Cutout(9)], r"Cutout: size must be at most the image's size \(8, 8\), got 9"),
        (Augment(Flip()), r"Augment: steps must be a list, got Flip\(\)"),
        (Mixup(0), "Mixup: alpha must be a finite number above 0, got 0"),
    ],
    ids=str,
)
def test_augmentations_that_do_not_fit(augmentation, message):
    with pytest.raises((ValueError, TypeError), match=message):
        small(augmentation=augmentation).fit(X, Y)


def test_changed_after_fit_to_what_does_not_fit():
    clf = small(augmentation=Cutout(2), test_time_augmentation=1).fit(X, Y)
    clf.set_params(augmentation__size=9)
    with pytest.raises(ValueError, match="Cutout: size must be at most"):
        clf.predict(X)


def test_lbfgs_takes_images_as_they_are():
    with pytest.raises(ValueError, match="augmentation must be None with solver='lbfgs', got Flip"):
        small(augmentation=Flip(), solver="lbfgs").fit(X, Y)


def test_search_clone_and_pickle():
    grid = {"augmentation": [None, Flip(), [Shift(1), Mixup()], Augment([Noise()])]}
    search = GridSearchCV(flat(), grid, cv=2, error_score="raise").fit(FLAT, Y)
    assert list(search.cv_results_["param_augmentation"]) == grid["augmentation"]
    deep = {"augmentation__alpha": [0.1, 1.0]}
    found = GridSearchCV(flat(augmentation=Mixup()), deep, cv=2).fit(FLAT, Y)
    assert found.best_estimator_.augmentation.alpha in (0.1, 1.0)
    clf = small(augmentation=ALL).fit(X, Y)
    assert clone(clf).augmentation == ALL
    assert_same_bits(pickle.loads(pickle.dumps(clf)).predict_proba(X), clf.predict_proba(X))


def test_the_number_of_threads_does_not_change_a_bit():
    found = []
    try:
        for n in (1, 2, 4):
            set_num_threads(n)
            clf = small(SMALL, augmentation=ALL, test_time_augmentation=2).fit(X, Y)
            found.append((weights(clf), clf.predict_proba(X)))
    finally:
        set_num_threads(None)
    assert_same_bits(found[0], found[1])
    assert_same_bits(found[0], found[2])
