"""Losses of classes and labels: focal, and with weights of labels."""

import numpy as np
import pytest
from estimator_data import DIGITS as ROWS
from estimator_data import LABELS, X, Y, small, trained
from oracles import assert_same_bits, normals
from seeded import generator
from sklearn.metrics import log_loss
from sklearn.utils.class_weight import compute_sample_weight

from cnnkit import load, save
from cnnkit.augmentation import Mixup
from cnnkit.losses import (
    SigmoidCrossEntropy,
    SigmoidFocal,
    SoftmaxCrossEntropy,
    SoftmaxFocal,
    check_gradient,
)

MANY = np.c_[LABELS % 2 == 0, LABELS > 7, LABELS == 3]
STILL = {"learning_rate_init": 1e-30, "learning_rate": "constant", "alpha": 0, "max_iter": 1}


@pytest.mark.parametrize("gamma", [0.0, 0.5, 1.0, 2.0, 5.0])
@pytest.mark.parametrize("size", [0.1, 3.0, 40.0])
def test_gradients_of_focal_losses(gamma, size):
    logits = size * normals(6, 3)
    shares = generator(0).dirichlet(np.ones(3), 6)
    check_gradient(SoftmaxFocal(3, gamma=gamma), logits, shares)
    check_gradient(SigmoidFocal(gamma=gamma), logits, shares)


def test_focal_losses_by_their_definitions():
    logits, targets = normals(5, 3), np.array([0, 2, 1, 1, 0])
    p = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    p = p[np.arange(5), targets]
    wanted = (-((1 - p) ** 2) * np.log(p)).mean()
    assert SoftmaxFocal(3)(logits, targets, None) == pytest.approx(wanted)
    labels = generator(1).random((5, 3)) < 0.5
    p = 1 / (1 + np.exp(-logits))
    p = np.where(labels, p, 1 - p)
    wanted = (-((1 - p) ** 2) * np.log(p)).sum() / 5
    assert SigmoidFocal()(logits, labels, None) == pytest.approx(wanted)


def test_two_classes_are_the_binary_form():
    """Softmax of two logits is the sigmoid of their difference."""
    logits, targets = 3 * normals(7, 2), np.arange(7) % 2
    one = SigmoidFocal()((logits[:, 1] - logits[:, 0])[:, None], targets[:, None] > 0, None)
    assert SoftmaxFocal(2)(logits, targets, None) == pytest.approx(one)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("gamma", [0.0, 0.3, 2.0])
def test_focal_losses_of_sure_logits_are_finite(dtype, gamma):
    logits = np.array([[1e4, -1e4], [-1e4, 1e4]], dtype)
    for loss, targets in ((SoftmaxFocal(2, gamma=gamma), np.array([0, 0])),):
        gradient = np.empty_like(logits)
        assert loss(logits, targets, gradient) == pytest.approx(1e4)
        np.testing.assert_allclose(gradient, [[0, 0], [-0.5, 0.5]], atol=1e-12)
    gradient = np.empty_like(logits)
    assert SigmoidFocal(gamma=gamma)(logits, logits > 0, gradient) == 0
    assert (gradient == 0).all()
    wrong = SigmoidFocal(gamma=gamma)(logits, logits < 0, gradient)
    assert wrong == pytest.approx(2e4)


def test_gamma_0_is_cross_entropy():
    logits, targets = normals(5, 3), np.array([0, 2, 1, 1, 0])
    labels = generator(1).random((5, 3)) < 0.5
    for focal, plain, wanted in (
        (SoftmaxFocal(3, 0.1, 0.0), SoftmaxCrossEntropy(3, 0.1), targets),
        (SigmoidFocal(0.1, gamma=0.0), SigmoidCrossEntropy(0.1), labels),
    ):
        found, other = np.empty((5, 3)), np.empty((5, 3))
        assert focal(logits, wanted, found) == pytest.approx(plain(logits, wanted, other))
        np.testing.assert_allclose(found, other, atol=1e-14)


@pytest.mark.parametrize("y", [Y, Y > 4, MANY[:120]], ids=["classes", "two", "labels"])
def test_a_classifier_with_focal_loss(y, tmp_path):
    clf = small(loss="focal", focal_gamma=1.5, max_iter=8).fit(X, y)
    assert clf.loss_ < clf.loss_curve_[0]
    proba = clf.predict_proba(X)
    own = np.where(y, proba, 1 - proba) if y.ndim == 2 else proba[np.arange(120), y.astype(int)]
    still = small(loss="focal", focal_gamma=1.5, initial_weights=clf, **STILL).fit(X, y)
    assert still.loss_ == pytest.approx((-((1 - own) ** 1.5) * np.log(own)).sum() / 120, rel=1e-5)
    save(clf, tmp_path / "model")
    found = load(tmp_path / "model")
    assert (found.loss, found.focal_gamma) == ("focal", 1.5)
    assert_same_bits(found.predict_proba(X), proba)


def test_focal_loss_with_mixed_images_smoothing_and_class_weights():
    clf = small(
        loss="focal",
        augmentation=[Mixup()],
        label_smoothing=0.1,
        class_weight="balanced",
        max_iter=6,
    )
    assert clf.fit(X, Y).loss_ < clf.loss_curve_[0]


def test_weights_of_labels_are_factors_of_their_losses():
    y = MANY[:120]
    factors = [{0: 1.0, 1: 5.0}, {1: 0.5}, {0: 2.0}]
    start = small(max_iter=3).fit(X, y)
    clf = small(class_weight=factors, initial_weights=start, **STILL).fit(X, y)
    proba, wanted = start.predict_proba(X), 0
    for label, given in enumerate(factors):
        w = compute_sample_weight({0: 1.0, 1: 1.0} | given, y[:, label].astype(int))
        each = log_loss(y[:, label], proba[:, label], sample_weight=w) * w.mean()
        wanted += each
    assert clf.loss_ == pytest.approx(wanted, rel=1e-5)


def test_balanced_labels_are_those_of_scikit_learn():
    y, w = MANY[:120], np.linspace(0.5, 2, 120)
    y[:, 2] = True  # all alike: a factor of 1
    for weights in (None, w):
        listed = []
        for label in y.T.astype(int):
            each = np.ones(120) if weights is None else w
            total = [each[label == value].sum() for value in (0, 1)]
            present = sum(share > 0 for share in total)
            listed.append({v: each.sum() / present / total[v] for v in (0, 1) if total[v]} | {})
        first = small(class_weight="balanced").fit(X, y, sample_weight=weights)
        listed[2][0] = 0.0
        other = small(class_weight=listed).fit(X, y, sample_weight=weights)
        np.testing.assert_allclose(trained(first), trained(other), rtol=1e-4, atol=1e-6)
    found = compute_sample_weight("balanced", y[:, 1].astype(int))
    plain = small(class_weight="balanced")._for_loss(y, {"multilabel_": True}, None)
    np.testing.assert_allclose(plain["label_weights"][y[:, 1].astype(int), 1], found)


def test_balance_finds_rare_labels():
    X, y = (ROWS[:600] / 16).reshape(-1, 8, 8, 1), MANY[:600, 1:]
    plain = small(max_iter=4).fit(X, y).predict(X)
    balanced = small(max_iter=4, class_weight="balanced").fit(X, y).predict(X)
    assert balanced.sum() > plain.sum()


@pytest.mark.parametrize(
    ("class_weight", "y", "said"),
    [
        ({0: 1, 1: 2}, MANY[:120], r"'balanced' or a list of a dict such as .* of the 3 labels"),
        ([{0: 1}], MANY[:120], "for each of the 3 labels of a multilabel y, got"),
        ([{0: 1}, {2: 1}, {}], MANY[:120], "for each of the 3 labels"),
        ([{0: 1}, {1: -1}, {}], MANY[:120], r"\[1\] of 1 must .*got -1"),
        ([{0: 0, 1: 0}] * 3, MANY[:120], "must leave a label a weight"),
        ([{0: 1}], Y, "must be a dict or 'balanced' unless y is multilabel"),
    ],
)
def test_weights_that_do_not_fit(class_weight, y, said):
    with pytest.raises(ValueError, match=f"^CNNClassifier: class_weight.*{said}"):
        small(class_weight=class_weight).fit(X, y)


def test_weights_of_labels_are_for_the_losses_of_cnnkit():
    with pytest.raises(ValueError, match="must be None for a multilabel y with a loss of your own"):
        small(loss=SigmoidCrossEntropy(), class_weight="balanced").fit(X, MANY[:120])


def test_partial_fit_with_weights_of_labels():
    listed = [{0: 1, 1: 5}] * 3
    clf = small(class_weight=listed).partial_fit(X, MANY[:120])
    other = small().partial_fit(X, MANY[:120])
    assert not np.array_equal(trained(clf), trained(other))
