"""Both estimators of images: scikit-learn's contract by hand, copies at test time, refusals.

`check_estimator` gives flat rows and a label for each. What it checks is checked here of images:
parameters and clones, pickles, searches, splits, weights, feature counts, bits and errors.
"""

import pickle
import re

import numpy as np
import pytest
from estimator_data import weights
from image_data import IMAGES, MASKS, NORMED, X, image_regressor, segmenter
from oracles import assert_same_bits
from sklearn.base import clone, is_regressor
from sklearn.exceptions import NotFittedError
from sklearn.metrics import make_scorer
from sklearn.model_selection import GridSearchCV, cross_val_predict, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer
from sklearn.utils import estimator_checks

import cnnkit
from cnnkit import (
    CNNFeatures,
    CNNImageRegressor,
    CNNSegmenter,
    Conv,
    Conv1x1,
    Flatten,
    Graph,
    MaxPool,
    Softmax,
    load,
    lr_find,
    save,
)
from cnnkit.augmentation import Augmentation, CutMix, Flip, Mixup, Noise, Rotate, Scale, Shift
from cnnkit.metrics import mean_iou

CHECKS = [
    estimator_checks.check_parameters_default_constructible,
    estimator_checks.check_no_attributes_set_in_init,
    estimator_checks.check_get_params_invariance,
    estimator_checks.check_set_params,
    estimator_checks.check_estimator_repr,
]
KINDS = {"labels": (segmenter, MASKS), "numbers": (image_regressor, IMAGES)}
both = pytest.mark.parametrize(("make", "y"), KINDS.values(), ids=KINDS)


@both
class TestContract:
    def test_parameters_and_clones(self, make, y):
        made = make(max_iter=3, alpha=0.5)
        assert clone(made).get_params() == made.get_params()
        assert clone(made).set_params(conv1__filters=2).layers[0].filters == 2
        assert not hasattr(clone(made.fit(X, y)), "network_")

    def test_fit_changes_no_parameter_and_no_data(self, make, y):
        before = X.copy(), y.copy()
        made = make(augmentation=[Flip(), Shift(1)])
        params = repr(made.get_params())
        assert made.fit(X, y) is made
        assert repr(made.get_params()) == params
        np.testing.assert_array_equal(X, before[0])
        np.testing.assert_array_equal(y, before[1])

    def test_the_same_seed_gives_the_same_bits_on_any_number_of_threads(self, make, y):
        found = []
        for threads in (1, 2, 3):
            cnnkit.set_num_threads(threads)
            made = make(NORMED, augmentation=[Flip(), Rotate(10)]).fit(X, y)
            found.append((weights(made), made.predict(X)))
        cnnkit.set_num_threads(None)
        for w, predicted in found[1:]:
            assert_same_bits(w, found[0][0])
            assert_same_bits(predicted, found[0][1])

    def test_predictions_do_not_depend_on_the_batch(self, make, y):
        made = make().fit(X, y)
        whole = made.predict(X)
        assert_same_bits(np.concatenate([made.predict(X[k : k + 1]) for k in range(40)]), whole)
        assert_same_bits(made.predict(X[::-1]), whole[::-1])

    def test_pickles(self, make, y):
        made = make().fit(X, y)
        assert_same_bits(pickle.loads(pickle.dumps(made)).predict(X), made.predict(X))

    def test_files(self, make, y, tmp_path):
        made = make(augmentation=[Flip(), Rotate()]).fit(X, y, X_val=X, y_val=y)
        save(made, tmp_path / "model")
        again = load(tmp_path / "model")
        assert type(again) is type(made)
        assert repr(again.get_params()) == repr(made.get_params())
        assert_same_bits(again.predict(X), made.predict(X))
        assert again.validation_scores_ == made.validation_scores_

    def test_checks_by_hand(self, make, y):
        with pytest.raises(NotFittedError):
            make().predict(X)
        made = make().fit(X, y)
        assert made.n_features_in_ == 72
        with pytest.raises(ValueError, match=r"X must hold images of shape \(8, 9, 1\), as in fit"):
            made.predict(np.stack([X, X], axis=-1))
        with pytest.raises(ValueError, match="one image without an axis for the samples"):
            made.predict(X[0])
        assert np.isfinite(made.score(X, y, sample_weight=np.arange(40.0)))

    def test_searches_and_splits(self, make, y):
        images = X[..., None]
        search = GridSearchCV(make(max_iter=1), {"conv1__filters": [2, 3]}, cv=2).fit(images, y)
        assert search.best_estimator_.predict(images).shape == y.shape
        assert cross_val_predict(make(), images, y, cv=2).shape == y.shape
        assert np.isfinite(cross_val_score(make(), images, y, cv=3)).all()

    def test_in_a_pipeline(self, make, y):
        pipe = make_pipeline(FunctionTransformer(lambda images: images / 2), make())
        assert pipe.fit(X, y).predict(X).shape == y.shape

    def test_features_and_learning_rates(self, make, y):
        features = CNNFeatures(make(), node="relu1").fit(X, y)
        assert features.transform(X[:2]).shape == (2, 8 * 9 * 6)
        assert lr_find(make(), X, y, steps=20).suggestion > 0

    def test_one_of_a_list(self, make, y):
        wide = y.astype(np.result_type(y, np.int64))
        a, b = make().fit(X.astype(np.float64), wide), make().fit(X.tolist(), y.tolist())
        assert_same_bits(a.predict(X[:3]), b.predict(X[:3]))


def test_mean_iou_is_a_scorer():
    found = cross_val_score(segmenter(NORMED), X, MASKS, cv=2, scoring=make_scorer(mean_iou))
    assert ((found > 0) & (found < 1)).all()
    assert is_regressor(CNNImageRegressor())


@both
@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda y: y[:, 1:], r"y must have a pixel for each of X, (n, 8, 9), got shape (40, 7, 9)"),
        (lambda y: y[:30], "Found input variables with inconsistent numbers of samples: [40, 30]"),
        (lambda y: y[:, 0, 0], "y must be "),
        (lambda y: np.ma.masked_equal(y, y[0, 0, 0]), "y must "),
        (lambda y: np.where(y == y[0, 0, 0], np.nan, y), "Input y contains NaN"),
        (lambda y: y + 1j, "Complex data not supported"),
        (lambda y: None, "requires y to be passed, but y is None"),
    ],
)
def test_masks_of_another_form(make, y, change, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        make().fit(X, change(y))


@both
@pytest.mark.parametrize(
    ("images", "advice"),
    [
        (np.stack([X, X], axis=1), "(n, 2, 8), got shape (40, 8, 9): channels of X come last, np."),
        (X.reshape(40, -1), "if the rows of X are images, say image_shape=(H, W, C)."),
    ],
)
def test_images_of_another_form(make, y, images, advice):
    with pytest.raises(ValueError, match=re.escape(advice)):
        make().fit(images, y)


@pytest.mark.parametrize(
    ("shape", "advice"),
    [
        ((40, 8, 9, 1), "y[..., 0]"),
        ((40, 1, 8, 9), "y[:, 0]"),
        ((40, 8, 9, 3), "of one map per class, give y.argmax(axis=-1)"),
        ((40, 3, 8, 9), "of one map per class, give y.argmax(axis=1)"),
    ],
)
def test_masks_with_channels(shape, advice):
    with pytest.raises(ValueError, match=re.escape(advice)):
        segmenter().fit(X, np.zeros(shape, int))


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        (["a", "b", "c"], "y_val must be of the classes [0 1 2], got ["),
        ([0, 1, 7], "y_val must be of the classes [0 1 2], got [7]."),
    ],
)
def test_labels_unseen_in_training(labels, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        segmenter().fit(X, MASKS, X_val=X, y_val=np.array(labels)[MASKS])


def test_validation_samples_of_which_nothing_counts():
    with pytest.raises(ValueError, match=r"y_val must have a label besides ignore_label, got 9 "):
        segmenter(ignore_label=9).fit(X, MASKS, X_val=X, y_val=MASKS * 0 + 9)


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
@pytest.mark.parametrize("kind", [CNNSegmenter, CNNImageRegressor])
def test_the_checks_of_scikit_learn_that_need_no_targets(kind, check):
    check(kind.__name__, kind())


@pytest.mark.parametrize(
    ("options", "y", "message"),
    [
        ({"ignore_label": "a"}, MASKS, "ignore_label must be a label as those of y, such as ["),
        ({"ignore_label": 3}, MASKS * 0 + 3, "y must have a label besides ignore_label, got 3 alo"),
        (
            {"class_weight": {0: 0, 1: 0, 2: 0}},
            MASKS,
            "y must have a pixel for training whose weig",
        ),
        (
            {"class_weight": {0: -1.0}},
            MASKS,
            "class_weight of 0 must be a finite number at least 0, got -1.0.",
        ),
        ({}, [[[1, "a"], [2, 3]]] * 40, "y must be all numbers or all text, got 1 and 'a'."),
    ],
)
def test_labels_that_leave_nothing_to_learn(options, y, message):
    images = X if len(y[0]) == 8 else X[:, :2, :2]
    with pytest.raises(ValueError, match=f"^CNNSegmenter: {re.escape(message)}"):
        segmenter(**options).fit(images, y)


@both
@pytest.mark.parametrize(
    ("layers", "message"),
    [
        ([Conv(4), Flatten()], "got an output of shape (288,)."),
        ([Conv1x1(), MaxPool(2)], "the size of X with a map per "),
        ([Conv(7)], "got an output of shape (8, 9, 7)."),
        (Graph([("a", Conv1x1(), "input"), ("b", Conv1x1(), "input")], outputs=["a", "b"]), "2 o"),
    ],
    ids=["flat", "smaller", "channels", "two"],
)
def test_networks_that_end_in_other_things(make, y, layers, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        make(layers).fit(X, y)


def test_probabilities_at_the_end():
    with pytest.raises(ValueError, match="layers must end in logits"):
        segmenter([Conv1x1(), Softmax()]).fit(X, MASKS)


class Silent(Augmentation):
    """An augmentation that does not say whether it moves pixels."""

    def change(self, images, targets, rng):
        images += 1


class Loud(Silent):
    """One that does."""

    moves_pixels = False


class TestAugmentation:
    @both
    def test_one_that_says_nothing_is_refused(self, make, y):
        with pytest.raises(ValueError, match=r"^Silent: moves_pixels must be True or False where"):
            make(augmentation=[Flip(), Silent()]).fit(X, y)
        make(augmentation=[Flip(), Loud()]).fit(X, y)

    def test_labels_cannot_be_mixed(self):
        with pytest.raises(ValueError, match=r"^Mixup: targets must be numbers, not labels of pix"):
            segmenter(augmentation=[Mixup()]).fit(X, MASKS)
        image_regressor(augmentation=[Mixup()]).fit(X, IMAGES)
        assert segmenter(augmentation=[CutMix()]).fit(X, MASKS).loss_ > 0

    @both
    def test_masks_move_with_images(self, make, y):
        """Where a pixel's target follows from the pixel alone, moving both changes no relation."""
        exact = np.array([0.0, 2.0, -2.0], np.float32)[MASKS]
        options = {"max_iter": 30, "learning_rate_init": 0.02, "layers": [Conv1x1(8), *NORMED[1:]]}
        moves = [Flip(0.5, vertical=0.5), Shift(3), Scale(0.7, 1.5)]
        made = make(augmentation=moves, **options).fit(exact, y)
        assert made.score(exact, y) > 0.95

    @both
    def test_copies_are_moved_back(self, make, y):
        made = make(NORMED, augmentation=Flip(1.0, vertical=1.0)).fit(X, y)
        made.set_params(test_time_augmentation=3)
        outputs = made._outputs(X)
        made.set_params(test_time_augmentation=0)
        flipped = made._outputs(X[:, ::-1, ::-1])[:, ::-1, ::-1]
        np.testing.assert_allclose(outputs, (made._outputs(X) + 3 * flipped) / 4, atol=1e-5)

    @both
    def test_what_copies_lose_keeps_the_mean_of_the_others(self, make, y):
        made = make(NORMED, augmentation=[Shift(3), Noise(0.01)]).fit(X, y)
        plain = made._outputs(X)
        found = made.set_params(test_time_augmentation=4)._outputs(X)
        assert np.isfinite(found).all()
        assert np.abs(found - plain).mean() < 0.5 * plain.std()
        assert np.abs(found - plain).max() > 0

    def test_rotated_copies_make_no_prediction_worse(self):
        seg = segmenter(NORMED, max_iter=15, learning_rate_init=0.02, augmentation=[Rotate(20)])
        seg.fit(X, MASKS)
        alone = seg.score(X, MASKS)
        assert seg.set_params(test_time_augmentation=4).score(X, MASKS) > alone - 0.03


def test_both_are_names_of_the_package():
    assert {CNNSegmenter.__name__, CNNImageRegressor.__name__} <= set(cnnkit.__all__)
