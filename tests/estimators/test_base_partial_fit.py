"""partial_fit: an epoch of fit, from where the last one ended; what fails is undone."""

import pickle

import joblib
import numpy as np
import pytest
from estimator_data import DROPPING, STEADY, X, Y, small, weights
from oracles import assert_same_bits
from sklearn.base import clone

from cnnkit.network.weights import Weights
from cnnkit.schedules import ReduceOnPlateau
from cnnkit.training.checkpoints import State
from cnnkit.training.loop import Training


def mapped(clf, path):
    """What joblib reads, or sends to a process: arrays are mapped from a file, read-only."""
    joblib.dump(clf, path / "model")
    return joblib.load(path / "model", mmap_mode="r")


def test_partial_fit_is_an_epoch_of_fit():
    whole, parts = small(max_iter=3, **STEADY).fit(X, Y), small(**STEADY)
    for _ in range(3):
        parts.partial_fit(X, Y, classes=range(10))
    assert_same_bits(weights(parts), weights(whole))
    assert parts.loss_curve_ == whole.loss_curve_
    assert parts.n_iter_ == 3


def test_partial_fit_of_some_classes_at_a_time():
    names = np.array(["a", "b", "c"])
    clf = small().partial_fit(X[:10], names[Y[:10] % 2], classes=["c", "a", "b"])
    clf.partial_fit(X[10:13], ["c"] * 3).partial_fit(X[:1], ["b"], classes=names)
    assert clf.classes_.tolist() == ["a", "b", "c"]
    assert clf.predict_proba(X).shape == (120, 3)
    assert clf.n_iter_ == 3


def test_partial_fit_goes_on_after_fit_and_fit_starts_anew():
    clf = small().fit(X, Y)
    before = weights(clf)
    clf.partial_fit(X, Y)
    assert 0 < abs(weights(clf) - before).max() < 0.1
    assert_same_bits(weights(clf.fit(X, Y)), before)
    assert clf.n_iter_ == 2


def test_partial_fit_starts_from_weights_that_were_set():
    clf = small(solver="sgd", learning_rate_init=1e-12).fit(X, Y)
    clf.network_.weights["conv1/w"] = 0.25
    clf.partial_fit(X, Y)
    np.testing.assert_allclose(clf.network_.weights["conv1/w"], 0.25, rtol=1e-6)


@pytest.mark.parametrize("again", [lambda c, path: pickle.loads(pickle.dumps(c)), mapped])
@pytest.mark.parametrize("options", [{"ema_decay": 0.9}, {"solver": "sgd"}])
def test_partial_fit_goes_on_after_pickle(again, options, tmp_path):
    straight, broken = (
        small(DROPPING, **options).partial_fit(X, Y, classes=range(10)) for _ in range(2)
    )
    straight.partial_fit(X, Y)
    broken = again(broken, tmp_path).partial_fit(X, Y)
    assert_same_bits(weights(broken), weights(straight))
    assert broken.loss_curve_ == straight.loss_curve_


@pytest.mark.parametrize("name", ["copy", "apply"])
def test_what_partial_fit_goes_on_with_is_never_lost(name, monkeypatch):
    clf = small().partial_fit(X, Y, classes=range(10))
    run = clf._training

    def fail(*args):
        raise OSError(name)

    monkeypatch.setattr(State, name, fail)
    monkeypatch.setattr(Training, "_epoch", fail)
    with pytest.raises(OSError, match=name):
        clf.partial_fit(X, Y)
    assert clf._training is run


@pytest.mark.parametrize("learning_rate", ["constant", ReduceOnPlateau(0.5, patience=2, tol=0.9)])
def test_partial_fit_leaves_what_is_too_large_to_copy(monkeypatch, learning_rate):
    clf = small(learning_rate=learning_rate, max_iter=3)
    clf, other = (clone(clf).partial_fit(X, Y, classes=range(10)) for _ in range(2))
    before = weights(clf)

    def fail(weights):
        raise MemoryError

    with monkeypatch.context() as patched:
        patched.setattr(Weights, "copy", fail)
        with pytest.raises(MemoryError):
            clf.partial_fit(X, Y)
    assert_same_bits(weights(clf), before)
    for _ in range(4):
        assert_same_bits(weights(clf.partial_fit(X, Y)), weights(other.partial_fit(X, Y)))


@pytest.mark.parametrize("start", ["fit", "partial_fit"])
@pytest.mark.parametrize(("first", "second"), [("float32", "float64"), ("float64", "uint8")])
def test_partial_fit_with_another_dtype(first, second, start):
    clf = small()
    options = {"classes": range(10)} if start == "partial_fit" else {}
    getattr(clf, start)(X.astype(first), Y, **options)
    clf.partial_fit((X * 16).astype(second), Y)
    assert clf.network_.dtype == first
    assert clf.predict(X).shape == (120,)


@pytest.mark.parametrize(
    ("rows", "y", "classes", "message"),
    [
        (X, Y + 5, None, r"y must be of the classes \[0 1 .*\], got \[10 11 12 13 14\]"),
        (X, Y, [1, 2], r"classes must be \[0 1 .*\], as in the first call, got \[1, 2\]"),
        (X[:, :7], Y, None, r"X must hold images of shape \(8, 8, 1\), as in fit, got shape \(120"),
    ],
)
def test_partial_fit_refusals(rows, y, classes, message):
    clf = small().partial_fit(X, Y, classes=range(10))
    before = weights(clf)
    with pytest.raises(ValueError, match=f"^CNNClassifier: {message}"):
        clf.partial_fit(rows, y, classes)
    assert_same_bits(weights(clf), before)


def test_the_first_partial_fit_needs_all_classes():
    with pytest.raises(
        ValueError, match=r"^CNNClassifier: classes must be given in the first part"
    ):
        small().partial_fit(X, Y)
    with pytest.raises(ValueError, match=r"y must be of the classes \[0 1\], got \[2 3 4 5 6 7 8"):
        small().partial_fit(X, Y, classes=[0, 1])


@pytest.mark.parametrize("ema_decay", [None, 0.9])
def test_a_state_stays_while_the_estimator_goes_on(ema_decay):
    """As a pickle's, that another thread writes meanwhile."""
    clf, other = (small(ema_decay=ema_decay, **STEADY) for _ in range(2))
    for estimator in (clf, other):
        estimator.partial_fit(X, Y, classes=range(10))
    state = clf.__getstate__()
    clf.partial_fit(X[:50], Y[:50])
    later = small()
    later.__setstate__(state)
    for estimator in (later, other):
        estimator.partial_fit(X[50:], Y[50:])
    assert later.loss_curve_ == other.loss_curve_
    assert_same_bits(weights(later), weights(other))
