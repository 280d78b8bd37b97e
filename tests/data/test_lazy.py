"""Lazy arrays: indices, splits, joins, and all that reads them."""

import pickle

import numpy as np
import pytest
from sklearn.model_selection import GridSearchCV, KFold, cross_val_score, train_test_split

from cnnkit import CNNClassifier, CNNFeatures, CNNRegressor
from cnnkit.data import LazyArray

RNG = np.random.default_rng(0)
X = RNG.integers(0, 256, (60, 6, 5, 2), dtype=np.uint8)
X[::2] //= 4
Y = np.arange(60) % 2


class Counted:
    """A container that counts the rows it gives, and refuses what containers are never asked."""

    def __init__(self, array):
        self.array, self.shape, self.dtype = array, array.shape, array.dtype
        self.asked = 0

    def __getitem__(self, rows):
        assert isinstance(rows, slice) or (np.diff(rows) > 0).all()
        found = self.array[rows]
        self.asked += len(found)
        return found


def classifier(**params):
    return CNNClassifier(**{"max_iter": 2, "random_state": 0, "batch_size": 16} | params)


@pytest.mark.parametrize(
    "key",
    [
        slice(None, None, 2),
        slice(5, 1, -1),
        np.array([4, 4, 0, -1]),
        [1, 2],
        [],
        Y == 1,
        (slice(3, 9), Ellipsis),
        (np.array([7, 3]), Ellipsis),
        (slice(0, 4), slice(None), slice(None)),
        Ellipsis,
    ],
    ids=repr,
)
def test_rows_stay_lazy(key):
    source = Counted(X)
    found = LazyArray(source)[key]
    assert isinstance(found, LazyArray)
    assert source.asked == 0
    wanted = X[np.array(key, int) if isinstance(key, list) else key]
    assert (found.shape, found.ndim, len(found)) == (wanted.shape, 4, len(wanted))
    np.testing.assert_array_equal(found, wanted)


@pytest.mark.parametrize(
    "key", [3, -1, (slice(2, 4), ..., 0), (..., 1), (5, 0), np.int64(7)], ids=repr
)
def test_one_row_and_parts_of_rows_are_read(key):
    found = LazyArray(X)[key]
    assert type(found) is np.ndarray
    np.testing.assert_array_equal(found, X[key])


@pytest.mark.parametrize("key", [60, [60], -61, np.ones(3, bool), [[1]], [0.5], "a"], ids=repr)
def test_indices_that_are_none_are_refused(key):
    with pytest.raises(IndexError):
        LazyArray(X)[key]


def test_joins_stay_lazy():
    found = np.concatenate([LazyArray(X)[::2], X[:3], LazyArray(X)[5:7]])
    assert isinstance(found, LazyArray)
    wanted = np.concatenate([X[::2], X[:3], X[5:7]])
    np.testing.assert_array_equal(found, wanted)
    np.testing.assert_array_equal(found[[34, 0, 31, 0]], wanted[[34, 0, 31, 0]])
    assert isinstance(np.vstack([found, found]), LazyArray)
    with pytest.raises(ValueError, match="dimensions"):
        np.concatenate([LazyArray(X), X[:, :2]])


def test_other_functions_of_numpy_read_all():
    lazy = LazyArray(X)
    assert np.mean(lazy) == X.mean()
    assert np.stack([lazy, lazy]).shape == (2, *X.shape)
    assert np.asarray(lazy, np.float32).dtype == np.float32
    with pytest.raises(ValueError, match="copy must not be False"):
        np.array(lazy, copy=False)


@pytest.mark.parametrize("source", ["x", [X], np.zeros(3), np.array([["a"]]), None], ids=str)
def test_what_is_no_array_of_rows_is_refused(source):
    with pytest.raises(TypeError, match="LazyArray: source must"):
        LazyArray(source)


def test_a_lazy_array_can_be_pickled_and_be_the_source_of_another():
    lazy = LazyArray(LazyArray(X)[10:], n_jobs=2)[::3]
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(lazy)), X[10::3])
    assert repr(lazy) == "LazyArray(17 x 6 x 5 x 2, uint8)"


@pytest.mark.parametrize("n_jobs", [1, 3])
@pytest.mark.parametrize(
    "params",
    [{}, {"early_stopping": True}, {"solver": "lbfgs"}, {"standardize": False}, {"shuffle": False}],
    ids=repr,
)
def test_fits_have_the_bits_of_an_array_in_memory(params, n_jobs):
    lazy, weights = LazyArray(Counted(X), n_jobs=n_jobs), np.arange(60)
    found = classifier(**params).fit(lazy, Y, weights)
    wanted = classifier(**params).fit(X, Y, weights)
    np.testing.assert_array_equal(found.predict_proba(lazy), wanted.predict_proba(X))
    assert found.loss_curve_ == wanted.loss_curve_


def test_every_method_takes_lazy_arrays():
    lazy = LazyArray(Counted(X))
    found, wanted = classifier(), classifier()
    for clf, images in ((found, lazy), (wanted, X)):
        clf.fit(images[:40], Y[:40], X_val=images[40:], y_val=Y[40:])
        clf.partial_fit(images, Y)
    assert found.validation_scores_ == wanted.validation_scores_
    assert found.score(lazy, Y) == wanted.score(X, Y)
    features = CNNFeatures(CNNRegressor(max_iter=1, random_state=0))
    np.testing.assert_array_equal(
        features.fit(lazy, Y).transform(lazy), features.fit(X, Y).transform(X)
    )


def test_containers_are_read_without_a_wrapper_and_once_an_epoch():
    source = Counted(X)
    classifier(layers=None, max_iter=3).fit(source, Y)
    # statistics, three epochs, and the running statistics of batch norms
    assert source.asked <= 5 * len(X)


def test_splits_of_scikit_learn_stay_lazy():
    lazy = LazyArray(Counted(X))
    first, *_ = train_test_split(lazy, Y, random_state=0)
    assert isinstance(first, LazyArray)
    folds = KFold(3, shuffle=True, random_state=0)
    found, wanted = (cross_val_score(classifier(), images, Y, cv=folds) for images in (lazy, X))
    np.testing.assert_array_equal(found, wanted)
    search = GridSearchCV(classifier(), {"batch_size": [8, 16]}, cv=2, n_jobs=2)
    assert search.fit(LazyArray(X), Y).best_estimator_.n_iter_ == 2
