"""Validation splits that keep groups whole."""

import numpy as np
import pytest
from estimator_data import LABELS, NUMBERS, STEADY, X, Y, regressor, small, weights
from oracles import assert_same_bits
from seeded import generator
from sklearn import config_context
from sklearn.base import clone
from sklearn.metrics import get_scorer
from sklearn.model_selection import GridSearchCV, GroupKFold, cross_validate
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

from cnnkit.callbacks import Checkpoint
from cnnkit.estimators import inputs
from cnnkit.estimators.groups import split_groups

GROUPS = np.array([f"patient {number}" for number in np.arange(120) // 4])


@pytest.fixture
def seen(monkeypatch):
    """The groups, and rows to train on and to validate with, of every split."""
    found = []

    def spy(estimator, rows, targets, groups, rng):
        found.append((groups, *split_groups(estimator, rows, targets, groups, rng)))
        return found[-1][1:]

    monkeypatch.setattr(inputs, "split_groups", spy)
    return found


def assert_whole(seen, count):
    for groups, train, kept in seen:
        assert not set(groups[train]) & set(groups[kept])
        assert sorted([*train, *kept]) == list(range(count))
        assert len(kept)


@pytest.mark.parametrize("fraction", [0.1, 0.3, 0.5])
def test_groups_are_whole_and_classes_have_their_shares(fraction, seen):
    clf = small(early_stopping=True, validation_fraction=fraction, max_iter=1)
    clf.fit(X, Y, groups=GROUPS)
    assert_whole(seen, 120)
    _, train, kept = seen[0]
    assert len(kept) / 120 == pytest.approx(fraction, abs=0.05)
    assert set(Y[train]) == set(Y)
    shares = np.bincount(Y[kept], minlength=10) / np.bincount(Y)
    assert np.abs(shares - fraction).mean() < 0.15


@pytest.mark.parametrize("y", [NUMBERS, np.c_[NUMBERS, Y], np.c_[Y > 4, Y % 2 == 0]])
def test_groups_of_numbers_and_labels(y, seen):
    make = small if y.dtype == bool else regressor
    make(early_stopping=True, max_iter=1).fit(X, y, groups=GROUPS)
    assert_whole(seen, 120)
    assert len(seen[0][2]) == pytest.approx(12, abs=4)


def test_shares_of_many_unequal_groups():
    rng = generator(0)
    groups, targets = rng.integers(0, 200, 3000), LABELS[np.arange(3000) % 1797] % 3
    rows = np.flatnonzero(rng.random(3000) < 0.9)
    train, kept = split_groups(small(validation_fraction=0.2), rows, targets, groups, rng)
    assert sorted([*train, *kept]) == rows.tolist()
    assert not set(groups[train]) & set(groups[kept])
    shares = np.bincount(targets[kept]) / np.bincount(targets[rows])
    np.testing.assert_allclose(shares, 0.2, atol=0.02)


def test_a_class_of_one_group_is_trained_on(seen):
    y = np.where(GROUPS == "patient 7", "rare", "usual")
    y[::2] = "other"
    for number in range(5):
        small(early_stopping=True, max_iter=1, random_state=number).fit(X, y, groups=GROUPS)
    assert all("rare" in y[train] for _, train, _ in seen)


@pytest.mark.parametrize("count", [2, 5])
def test_few_groups(count, seen):
    groups = np.arange(120) % count
    small(early_stopping=True, max_iter=1).fit(X, Y % 3, groups=groups)
    assert_whole(seen, 120)
    assert len(seen[0][2]) == 120 // count


def test_groups_of_classes_cannot_be_split():
    with pytest.raises(ValueError, match=r"must leave groups of every class to train on, got 0\.1"):
        small(early_stopping=True).fit(X, Y, groups=Y)
    with pytest.raises(ValueError, match="of 1 groups, none of which can be held back"):
        regressor(early_stopping=True).fit(X, NUMBERS, groups=np.zeros(120))


def test_groups_matter_only_to_the_split():
    plain = small().fit(X, Y)
    assert_same_bits(weights(plain), weights(small().fit(X, Y, groups=GROUPS)))
    given = {"X_val": X[:9], "y_val": Y[:9]}
    first = small(early_stopping=True).fit(X, Y, **given)
    other = small(early_stopping=True).fit(X, Y, groups=GROUPS, **given)
    assert_same_bits(weights(first), weights(other))


def test_the_same_seed_gives_the_same_split(seen):
    for _ in range(2):
        small(early_stopping=True, max_iter=1).fit(X, Y, groups=GROUPS)
    assert (seen[0][2] == seen[1][2]).all()


def test_samples_without_weight_are_in_no_group(seen):
    small(early_stopping=True).fit(X, Y, np.arange(120) % 3 > 0, groups=GROUPS)
    _, train, kept = seen[0]
    assert (np.r_[train, kept] % 3 > 0).all()


@pytest.mark.parametrize(
    ("groups", "said"),
    [
        (GROUPS[:5], r"inconsistent numbers of samples: \[120, 5\]"),
        (np.c_[GROUPS, GROUPS], r"CNNClassifier: groups must be one label .*got shape \(120, 2\)"),
        (np.full(120, np.nan), "Input groups contains NaN"),
        ([None, "a"] * 60, r"groups must be all numbers or all text, got \['NoneType', 'str'\]"),
    ],
)
def test_bad_groups(groups, said):
    with pytest.raises(ValueError, match=said):
        small(early_stopping=True).fit(X, Y, groups=groups)


def test_a_fit_with_other_groups_is_another_fit(tmp_path):
    options = {"early_stopping": True, **STEADY}
    path = Checkpoint(tmp_path / "state", resume=True)
    small(max_iter=1, **options).set_callbacks(path).fit(X, Y, groups=GROUPS)
    found = small(max_iter=3, **options).set_callbacks(path).fit(X, Y, groups=GROUPS)
    assert_same_bits(weights(found), weights(small(max_iter=3, **options).fit(X, Y, groups=GROUPS)))
    for other in (GROUPS[::-1], None):
        with pytest.raises(ValueError, match="of the same fit, got another"):
            small(max_iter=3, **options).set_callbacks(path).fit(X, Y, groups=other)


def test_a_search_passes_groups_on(seen):
    clf = small(early_stopping=True, max_iter=1)
    pipe = make_pipeline(FunctionTransformer(), clf)
    with config_context(enable_metadata_routing=True):
        search = GridSearchCV(pipe, {"cnnclassifier__max_iter": [1]}, cv=GroupKFold(3))
        search.fit(X, Y % 3, groups=GROUPS)
        assert len(seen) == 4  # three folds, and all
        assert_whole(seen[:3], 80)
        assert_whole(seen[3:], 120)
        seen.clear()
        alone = clone(clf).set_fit_request(groups=False)
        cross_validate(alone, X, Y % 3, cv=GroupKFold(3), params={"groups": GROUPS})
        assert not seen
        weighted = clone(clf).set_fit_request(sample_weight=True)
        weighted.set_score_request(sample_weight=False)
        given = {"groups": GROUPS, "sample_weight": np.linspace(1, 2, 120)}
        cross_validate(weighted, X, Y % 3, cv=GroupKFold(3), params=given)
        assert len(seen) == 3
    search = GridSearchCV(clf, {"max_iter": [1]}, cv=GroupKFold(3)).fit(X, Y % 3, groups=GROUPS)
    assert len(seen) == 3  # without routing, groups are for the folds alone
    assert get_scorer("accuracy")(search, X, Y % 3) >= 0
