"""Reading ahead: order, bounds, errors and threads."""

import threading
import time

import numpy as np
import pytest

from cnnkit import CNNClassifier
from cnnkit.data import LazyArray, reading
from cnnkit.data.reading import Ahead, Batches, opened, read_ahead

X = np.random.default_rng(0).random((100, 3, 2, 1))


class Slow:
    """A container that takes its time, and records what is being read."""

    def __init__(self, pause=0.001, array=X):
        self.array, self.shape, self.dtype, self.pause = array, array.shape, array.dtype, pause
        self.asked, self.most, self.now = [], 0, 0
        self.lock = threading.Lock()

    def __getitem__(self, rows):
        with self.lock:
            self.now += 1
            self.most = max(self.most, self.now)
            self.asked.append(rows)
        time.sleep(self.pause)
        with self.lock:
            self.now -= 1
        return self.array[rows]


def threads():
    return [thread.name for thread in threading.enumerate() if "cnnkit-reader" in thread.name]


@pytest.mark.parametrize("n_jobs", [1, 4])
@pytest.mark.parametrize("size", [1, 7, 100])
def test_batches_come_in_the_order_asked_for(n_jobs, size, monkeypatch):
    monkeypatch.setattr(reading, "TASK", 5 * X[0].nbytes)
    source = Slow()
    order = np.random.default_rng(1).permutation(100)[:90]
    with read_ahead(opened(LazyArray(source, n_jobs=n_jobs), "Reader"), order) as images:
        for start in range(0, 90, size):
            rows = order[start : start + size]
            np.testing.assert_array_equal(images[rows], X[rows])
    assert len(source.asked) == 18
    assert source.most <= n_jobs
    assert threads() == []


def test_other_rows_are_read_at_once():
    with read_ahead(opened(LazyArray(X), "Reader")) as images:
        np.testing.assert_array_equal(images[50:53], X[50:53])
        np.testing.assert_array_equal(images[:2], X[:2])
        np.testing.assert_array_equal(images[np.array([9, 9])], X[[9, 9]])
        np.testing.assert_array_equal(images[2:4], X[2:4])
        assert images[4:4].shape == (0, 3, 2, 1)


def test_what_is_read_ahead_is_bounded(monkeypatch):
    monkeypatch.setattr(reading, "TASK", X[0].nbytes)
    monkeypatch.setattr(reading, "AHEAD", 6 * X[0].nbytes)
    source = Slow(pause=0)
    with read_ahead(opened(LazyArray(source), "Reader")) as images:
        assert images[:1].shape[0] == 1
        time.sleep(0.05)
        assert len(source.asked) <= 8


def test_arrays_of_numpy_are_given_back():
    assert opened(X, "Reader") is X
    with read_ahead(X) as images:
        assert images is X


def test_an_error_of_a_thread_reaches_the_fit_and_ends_the_threads():
    class Failing(Slow):
        def __getitem__(self, rows):
            if not isinstance(rows, slice) and len(self.asked) > 3:
                raise OSError("photo.jpg: truncated")
            return super().__getitem__(rows)

    clf = CNNClassifier(max_iter=5, batch_size=8, standardize=False)
    with pytest.raises(OSError, match=r"photo\.jpg: truncated"):
        clf.fit(LazyArray(Failing()), np.arange(100) % 2)
    assert not hasattr(clf, "network_")
    assert threads() == []


def test_numbers_must_be_finite_in_the_type_of_the_network():
    wrong = X.copy()
    wrong[70, 1] = np.nan
    with pytest.raises(ValueError, match=r"CNNClassifier: X must be finite in float64.*nan"):
        CNNClassifier(max_iter=1).fit(LazyArray(wrong), np.arange(100) % 2)
    large = X * 1e300
    clf = CNNClassifier(max_iter=1).fit(X.astype(np.float32), np.arange(100) % 2)
    with pytest.raises(ValueError, match="CNNClassifier: X must be finite in float32"):
        clf.predict(LazyArray(large))


def test_batches_are_a_container():
    batches = opened(LazyArray(X)[::2], "Reader")
    assert opened(batches, "Other") is batches
    assert isinstance(batches, Batches)
    np.testing.assert_array_equal(batches, X[::2])
    ahead = Ahead(batches, np.arange(3))
    assert (ahead.shape, ahead.dtype, ahead.ndim, len(ahead)) == ((50, 3, 2, 1), X.dtype, 4, 50)
    ahead.close()
