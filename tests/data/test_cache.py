"""Caches: what is read once, and what a file keeps for later."""

import pickle

import numpy as np
import pytest

from cnnkit.data import LazyArray, cache
from cnnkit.data.cache import MAGIC

X = np.random.default_rng(0).random((40, 4, 3, 1)).astype(np.float32)


class Source:
    """A container that counts rows, and may be known again."""

    def __init__(self, version=1):
        self.shape, self.dtype, self.asked, self.version = X.shape, X.dtype, 0, version

    def __getitem__(self, rows):
        self.asked += len(X[rows])
        return X[rows] * self.version

    def fingerprint(self):
        return f"version {self.version}"


class Unknown(Source):
    fingerprint = None


def wherever(place, folder):
    return "memory" if place == "memory" else folder / "images.cache"


@pytest.mark.parametrize("place", ["memory", "file"])
def test_every_row_is_read_once(place, tmp_path):
    source = Source()
    lazy = LazyArray(source, cache=wherever(place, tmp_path))
    np.testing.assert_array_equal(lazy[5:9], X[5:9])
    np.testing.assert_array_equal(lazy[[8, 30, 2, 2]], X[[8, 30, 2, 2]])
    np.testing.assert_array_equal(lazy, X)
    np.testing.assert_array_equal(lazy, X)
    assert source.asked == len(X)


@pytest.mark.parametrize("place", ["memory", "file"])
def test_pickles_have_no_images(place, tmp_path):
    lazy = LazyArray(Source(), cache=wherever(place, tmp_path))
    np.asarray(lazy)
    bytes_ = pickle.dumps(lazy)
    assert len(bytes_) < 1000
    np.testing.assert_array_equal(pickle.loads(bytes_), X)


def test_a_file_serves_later_runs_of_the_same_source(tmp_path):
    path = tmp_path / "images.cache"
    np.asarray(LazyArray(Source(), cache=path)[::2])
    later = Source()
    np.testing.assert_array_equal(LazyArray(later, cache=path), X)
    assert later.asked == len(X) // 2
    changed = Source(version=2)
    np.testing.assert_array_equal(LazyArray(changed, cache=path), 2 * X)
    assert changed.asked == len(X)


def test_a_source_that_cannot_be_known_again_is_read_again(tmp_path):
    path = tmp_path / "images.cache"
    first = LazyArray(Unknown(), cache=path)
    np.asarray(first)
    again = Unknown()
    np.asarray(LazyArray(again, cache=path))
    assert again.asked == len(X)
    np.testing.assert_array_equal(first, X)  # its file is still mapped


def test_a_file_that_is_no_cache_is_left_alone(tmp_path):
    path = tmp_path / "thesis.txt"
    path.write_text("years of work")
    with pytest.raises(ValueError, match=r"cache must be a path of a cache.*thesis\.txt"):
        LazyArray(Source(), cache=path)
    assert path.read_text() == "years of work"


def test_a_damaged_cache_is_begun_anew(tmp_path):
    path = tmp_path / "images.cache"
    path.write_bytes(MAGIC + b"{")
    np.testing.assert_array_equal(LazyArray(Source(), cache=path), X)
    with open(path, "r+b") as file:
        file.truncate(5000)
    np.testing.assert_array_equal(LazyArray(Source(), cache=path), X)


def test_what_cannot_be_kept_is_refused_at_once(tmp_path, monkeypatch):
    with pytest.raises(TypeError, match='cache must be "memory", a path or None, got 3'):
        LazyArray(Source(), cache=3)
    with pytest.raises(OSError, match="nowhere"):
        LazyArray(Source(), cache=tmp_path / "nowhere" / "images.cache")

    def full(*args):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(cache.os, "posix_fallocate", full)
    with pytest.raises(OSError, match="No space left"):
        LazyArray(Source(), cache=tmp_path / "images.cache")
    assert list(tmp_path.iterdir()) == []
