"""CNNSegmenter: what it learns, and the weights of pixels."""

import numpy as np
import pytest
from estimator_data import weights
from image_data import IMAGES, MASKS, NORMED, X, segmenter, squares
from oracles import assert_same_bits
from scipy.special import softmax
from seeded import generator
from sklearn.base import is_classifier

from cnnkit import CNNClassifier, Conv1x1, Dense, Flatten, models
from cnnkit.losses import Loss
from cnnkit.metrics import mean_iou

NAMES = np.array(["ground", "light", "shade"])
LONG = {"max_iter": 15, "learning_rate_init": 0.02}
FULL = {"solver": "lbfgs", "max_iter": 8, "alpha": 0}  # all samples in a step, in a fixed order


def test_squares_are_found_at_default_arguments():
    X_test, y_test = squares(20, rng=generator(9))
    seg = segmenter(None, max_iter="auto").fit(X, MASKS)
    assert seg.score(X_test, y_test) > 0.97
    assert mean_iou(y_test, seg.predict(X_test)) > 0.9
    assert seg.network_.graph == models.default_unet(None, (8, 9, 1))


def test_attributes_and_outputs():
    seg = segmenter().fit(X, MASKS)
    assert (seg.n_outputs_, seg.n_iter_, seg.input_shape_) == (3, 2, (8, 9, 1))
    assert seg.classes_.tolist() == [0, 1, 2]
    assert not is_classifier(seg)
    proba, logits = seg.predict_proba(X), seg.decision_function(X)
    assert proba.shape == logits.shape == (40, 8, 9, 3)
    np.testing.assert_allclose(proba, softmax(logits, axis=-1), rtol=1e-5, atol=1e-7)
    np.testing.assert_allclose(np.exp(seg.predict_log_proba(X)), proba, rtol=1e-5, atol=1e-7)
    assert (seg.predict(X) == logits.argmax(axis=-1)).all()
    assert seg.score(X, MASKS) == (seg.predict(X) == MASKS).mean()


@pytest.mark.parametrize(
    "labels",
    [np.array([3, 7, 200], np.uint8), np.array([-1, 0, 5]), np.array([0.0, 1.0, 4.0]), NAMES],
    ids=str,
)
def test_labels_of_any_kind(labels):
    a, b = segmenter().fit(X, MASKS), segmenter().fit(X, labels[MASKS])
    assert_same_bits(weights(a), weights(b))
    assert b.classes_.dtype == labels.dtype
    assert (b.predict(X) == labels[a.predict(X)]).all()
    assert b.score(X, labels[MASKS]) == a.score(X, MASKS)


def test_two_classes_as_bool_and_objects():
    seg = segmenter(**LONG).fit(X, MASKS == 1)
    assert seg.predict(X).dtype == bool
    assert seg.score(X, MASKS == 1) > 0.95
    texts = segmenter().fit(X, NAMES.astype(object)[MASKS])
    assert texts.predict(X[:1]).dtype == object


def test_one_image_and_one_class():
    seg = segmenter().fit(X[:1], MASKS[:1])
    assert seg.predict(X[:1]).shape == (1, 8, 9)
    one = segmenter().fit(X[:8], MASKS[:8] * 0 + 4)
    assert (one.predict(X) == 4).all()
    assert one.predict_proba(X[:1]).max() == 1


def test_a_pixel_is_a_sample_of_a_classifier():
    """1x1 convolutions over images learn what dense layers learn of the pixels."""
    exact, double = {"solver": "lbfgs", "max_iter": 200, "tol": 1e-7}, X.astype(np.float64)
    rows = double.reshape(-1, 1)
    seg = segmenter([Conv1x1()], alpha=0.1, **exact).fit(double, MASKS)
    clf = CNNClassifier([Flatten(), Dense()], alpha=0.1 * 72, **exact)  # it is divided by samples
    clf.fit(rows, MASKS.reshape(-1))
    assert seg.loss_ == pytest.approx(clf.loss_, rel=1e-2)
    found = seg.predict_proba(X).reshape(-1, 3)
    np.testing.assert_allclose(found, clf.predict_proba(rows), atol=0.01)


class TestWeights:
    def test_a_weight_of_two_is_a_sample_twice(self):
        w = np.where(np.arange(40) % 3, 1.0, 2.0)
        twice = np.repeat(np.arange(40), w.astype(int))
        double = X.astype(np.float64)
        a = segmenter(shuffle=False, **FULL).fit(double, MASKS, w)
        b = segmenter(shuffle=False, **FULL).fit(double[twice], MASKS[twice])
        np.testing.assert_allclose(weights(a), weights(b), rtol=1e-6, atol=1e-8)

    def test_a_weight_of_zero_is_no_sample(self):
        w = (np.arange(40) < 30).astype(float)
        a = segmenter(**FULL).fit(X, MASKS, w)
        b = segmenter(**FULL).fit(X[:30], MASKS[:30])
        np.testing.assert_allclose(a.predict_proba(X), b.predict_proba(X), atol=1e-5)

    def test_ignored_pixels_change_nothing(self):
        other = MASKS.copy()
        other[:, :2] = 255
        seg = segmenter(ignore_label=255, **FULL).fit(X, other)
        assert seg.classes_.tolist() == [0, 1, 2]
        assert set(np.unique(seg.predict(X))) <= {0, 1, 2}
        wrong = np.where(other == 255, 255, seg.predict(X) + 0)
        assert seg.score(X, wrong) == 1
        # as if the pixels had weight zero: the loss is the mean over those that count
        proba = seg.predict_proba(X)[:, 2:].reshape(-1, 3)
        logs = np.log(proba[np.arange(len(proba)), MASKS[:, 2:].reshape(-1)])
        assert seg.loss_ == pytest.approx(-logs.mean(), rel=1e-4)

    def test_ignored_text(self):
        names = np.array(["ground", "light", "?"])
        seg = segmenter(ignore_label="?").fit(X, names[MASKS])
        assert seg.classes_.tolist() == ["ground", "light"]

    def test_balanced_is_the_dict_of_that(self):
        counts = np.bincount(MASKS.reshape(-1))
        known = {k: counts.sum() / 3 / count for k, count in enumerate(counts)}
        a, b = (segmenter(class_weight=w, **FULL).fit(X, MASKS) for w in ("balanced", known))
        assert_same_bits(weights(a), weights(b))
        plain = segmenter(**FULL).fit(X, MASKS)
        assert (a.predict(X) == 0).sum() < (plain.predict(X) == 0).sum()

    def test_balanced_counts_weights_of_samples(self):
        w = np.where(np.arange(40) % 2, 1.0, 3.0)  # light ones come first
        a = segmenter(class_weight="balanced", **FULL).fit(X, MASKS, w)
        counts = np.bincount(MASKS.reshape(-1), np.repeat(w, 72))
        known = {k: counts.sum() / 3 / count for k, count in enumerate(counts)}
        b = segmenter(class_weight=known, **FULL).fit(X, MASKS, w)
        np.testing.assert_allclose(weights(a), weights(b), rtol=1e-5, atol=1e-7)

    def test_a_class_of_weight_zero_is_not_predicted(self):
        seg = segmenter(class_weight={2: 0.0}, **LONG).fit(X, MASKS)
        assert not (seg.predict(X) == 2).any()


class TestValidation:
    def test_samples_of_ones_own(self):
        seg = segmenter(max_iter=3).fit(X[:30], MASKS[:30], X_val=X[30:], y_val=MASKS[30:])
        assert seg.validation_scores_[-1] == pytest.approx(seg.score(X[30:], MASKS[30:]), abs=0.02)
        assert len(seg.validation_loss_curve_) == 3

    def test_early_stopping_sets_samples_aside(self):
        seg = segmenter(early_stopping=True, max_iter=4, validation_fraction=0.25).fit(X, MASKS)
        assert seg.best_validation_score_ == max(seg.validation_scores_)

    def test_ignored_pixels_do_not_count(self):
        held = MASKS[30:].copy()
        held[:, :2] = 255
        seg = segmenter(ignore_label=255, learning_rate="constant", max_iter=1)
        seg.fit(X[:30], MASKS[:30], X_val=X[30:], y_val=held)
        assert seg.validation_scores_[-1] == pytest.approx(seg.score(X[30:], held), abs=0.02)


def test_warm_start_goes_on():
    seg = segmenter(warm_start=True, learning_rate="constant").fit(X, MASKS)
    first = seg.loss_
    seg.fit(X, MASKS)
    assert (seg.n_iter_, seg.loss_ < first) == (4, True)
    with pytest.raises(ValueError, match=r"^CNNSegmenter: y must be of the classes \[0 1 2\], as"):
        seg.fit(X, MASKS + 1)


def test_parts():
    seg = segmenter(ignore_label=9)
    for start in range(0, 40, 10):
        seg.partial_fit(X[start : start + 10], MASKS[start : start + 10], classes=[2, 1, 0, 9])
    assert (seg.n_iter_, seg.classes_.tolist()) == (4, [0, 1, 2])
    with pytest.raises(ValueError, match="classes must be given in the first partial_fit"):
        segmenter().partial_fit(X, MASKS)
    with pytest.raises(ValueError, match="class_weight must be a dict or None for partial_fit"):
        segmenter(class_weight="balanced").partial_fit(X, MASKS, classes=[0, 1, 2])


def test_flat_rows_and_float64():
    rows = X.reshape(40, -1)
    a, b = segmenter(image_shape=(8, 9)).fit(rows, MASKS), segmenter().fit(X, MASKS)
    assert_same_bits(weights(a), weights(b))
    assert segmenter().fit(X.astype(np.float64), MASKS).predict_proba(X).dtype == np.float64


class HalfSquare(Loss):
    """A loss of one's own: half the squared distance of logits to the shares of classes."""

    def loss_gradient(self, outputs, targets):
        residual = outputs - targets
        return residual * residual / 2, residual


def test_a_loss_of_ones_own_is_of_pixels():
    seg = segmenter(NORMED, loss=HalfSquare(), **LONG).fit(X, MASKS)
    assert seg.score(X, MASKS) > 0.85


def test_label_smoothing_keeps_probabilities_from_one():
    sure, unsure = (segmenter(label_smoothing=s, **LONG).fit(X, MASKS) for s in (0.0, 0.3))
    assert unsure.predict_proba(X).max() < sure.predict_proba(X).max()


def test_a_published_network_by_name():
    seg = segmenter("fcn", max_iter=1)
    with pytest.raises(ValueError, match=r"^CNNSegmenter: layers must end in maps of shape"):
        segmenter("lenet5").fit(X, MASKS)
    assert seg.get_params()["layers"] == "fcn"


def test_images_are_no_masks():
    with pytest.raises(ValueError, match=r"^CNNSegmenter: y must be labels, not numbers, got"):
        segmenter().fit(X, IMAGES + 0.5)
