"""Fits on batches that a function makes."""

import numpy as np
import pytest

from cnnkit import CNNClassifier, CNNRegressor
from cnnkit.augmentation import Shift
from cnnkit.callbacks import Checkpoint

RNG = np.random.default_rng(0)
Y = np.arange(64) % 3
X = RNG.random((64, 5, 6)) + Y[:, None, None]


def batches(size=16, y=Y):
    return lambda: ((X[k : k + size], y[k : k + size]) for k in range(0, 64, size))


def classifier(**params):
    return CNNClassifier(**{"max_iter": 3, "random_state": 0} | params)


@pytest.mark.parametrize("params", [{}, {"augmentation": [Shift(1)]}, {"ema_decay": 0.9}], ids=repr)
def test_batches_train_as_an_array_in_their_order(params):
    found = classifier(**params).fit(batches())
    wanted = classifier(batch_size=16, shuffle=False, **params).fit(X, Y)
    np.testing.assert_array_equal(found.predict_proba(X), wanted.predict_proba(X))
    assert found.loss_curve_ == wanted.loss_curve_
    assert found.n_features_in_ == 30
    assert found.batch_size == "auto"


def test_labels_may_be_texts_or_several_and_targets_numbers():
    names = np.array(["a", "b", "c"])[Y]
    assert set(classifier().fit(batches(y=names)).predict(X)) <= {"a", "b", "c"}
    labels = np.stack([Y == 1, Y > 0], axis=1)
    assert classifier().fit(batches(y=labels)).predict(X).shape == (64, 2)
    targets = Y * 1000.0 - 7
    found = CNNRegressor(max_iter=3, random_state=0).fit(batches(y=targets))
    wanted = CNNRegressor(max_iter=3, random_state=0, batch_size=16, shuffle=False).fit(X, targets)
    np.testing.assert_array_equal(found.predict(X), wanted.predict(X))


def test_endless_batches_with_a_validation_set_that_ends_training():
    rng = np.random.default_rng(1)

    def endless():
        while True:
            rows = rng.integers(0, 64, 32)
            yield X[rows], Y[rows]

    clf = classifier(max_iter=12, early_stopping=True)
    clf.fit(endless, steps_per_epoch=8, X_val=X, y_val=Y)
    assert len(clf.validation_scores_) == clf.n_iter_
    assert clf.best_validation_score_ == max(clf.validation_scores_) > 0.8
    assert clf.score(X, Y) > 0.8  # statistics of batch norms are renewed at the end
    clf.set_params(warm_start=True, max_iter=1)
    assert clf.fit(endless(), steps_per_epoch=3, X_val=X, y_val=Y).n_iter_ > clf.max_iter


def test_a_fit_goes_on_from_a_checkpoint(tmp_path):
    path = tmp_path / "run.checkpoint"
    params = {"learning_rate": "constant", "learning_rate_init": 0.01}
    classifier(max_iter=2, **params).set_callbacks(Checkpoint(path)).fit(batches())
    again = classifier(max_iter=4, **params).set_callbacks(Checkpoint(path, resume=True))
    again.fit(batches())
    whole = classifier(max_iter=4, **params).fit(batches())
    np.testing.assert_array_equal(again.predict_proba(X), whole.predict_proba(X))
    other = classifier(max_iter=4, **params).set_callbacks(Checkpoint(path, resume=True))
    with pytest.raises(ValueError, match="must be of the same fit, got another"):
        other.fit(X, Y)


def test_a_label_that_the_first_epoch_did_not_have_is_named():
    epochs = iter([Y % 2, Y % 2, Y, Y])
    clf = classifier(standardize=False)
    with pytest.raises(ValueError, match=r"y must be of the classes \[0 1\], got \[2\]"):
        clf.fit(lambda: iter([(X, next(epochs))]))
    assert not hasattr(clf, "network_")


@pytest.mark.parametrize(
    ("params", "given", "said"),
    [
        ({"solver": "lbfgs"}, {}, "solver must be one that needs no sample twice"),
        ({"class_weight": "balanced"}, {}, "class_weight must be one that needs no sample twice"),
        ({"return_train_score": True}, {}, "return_train_score must be one that"),
        ({"early_stopping": True}, {}, "X_val and y_val must be given for early_stopping"),
        ({}, {"sample_weight": Y}, "sample_weight must be None where X makes batches"),
        ({}, {"groups": Y}, "groups must be None where X makes batches"),
        ({}, {"steps_per_epoch": 0}, "steps_per_epoch must be a positive int, got 0"),
        ({}, {"steps_per_epoch": 1.5}, "steps_per_epoch must be"),
        ({}, {"X": X, "y": Y, "steps_per_epoch": 2}, "steps_per_epoch must be None unless"),
    ],
    ids=lambda value: str(value)[:40],
)
def test_what_batches_cannot_do_is_said(params, given, said):
    with pytest.raises((ValueError, TypeError), match=f"CNNClassifier: {said}"):
        classifier(**params).fit(**{"X": batches()} | given)
