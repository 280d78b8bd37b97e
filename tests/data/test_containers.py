"""Containers of other packages: what is read of them, and how they reach other processes."""

import os
import pickle

import numpy as np
import pytest

from cnnkit import CNNClassifier
from cnnkit.data import LazyArray
from cnnkit.data.containers import is_container, read

X = np.random.default_rng(0).integers(0, 256, (50, 5, 4, 1), dtype=np.uint8)
Y = np.arange(50) % 3


def memory_map(folder):
    np.save(folder / "X.npy", X)
    return np.load(folder / "X.npy", mmap_mode="r")


def fortran_map(folder):
    np.save(folder / "X.npy", np.asfortranarray(X))
    return np.load(folder / "X.npy", mmap_mode="r")


def hdf5(folder):
    h5py = pytest.importorskip("h5py")
    with h5py.File(folder / "X.h5", "w") as file:
        file.create_dataset("images", data=X, chunks=(8, 5, 4, 1))
    return h5py.File(folder / "X.h5", "r")["images"]


def zarr_array(folder):
    zarr = pytest.importorskip("zarr")
    found = zarr.create_array(folder / "X.zarr", shape=X.shape, chunks=(8, 5, 4, 1), dtype="u1")
    found[:] = X
    return found


def dask_array(folder):
    return pytest.importorskip("dask.array").from_array(X, chunks=(8, 5, 4, 1))


KINDS = [memory_map, fortran_map, hdf5, zarr_array, dask_array]


@pytest.mark.parametrize("kind", KINDS)
def test_rows_are_those_of_the_array(kind, tmp_path):
    lazy = LazyArray(kind(tmp_path))
    for rows in (slice(None), slice(3, 40, 7), [49, 0, 0, 7], Y == 1, []):
        wanted = X[np.array(rows, int) if isinstance(rows, list) else rows]
        np.testing.assert_array_equal(lazy.read(rows), wanted)


@pytest.mark.parametrize("kind", KINDS)
def test_a_fit_has_the_same_bits(kind, tmp_path):
    clf = CNNClassifier(max_iter=1, random_state=0)
    wanted = clf.fit(X, Y).predict_proba(X)
    given = kind(tmp_path)
    np.testing.assert_array_equal(clf.fit(given, Y).predict_proba(given), wanted)


@pytest.mark.parametrize("kind", [memory_map, fortran_map, hdf5, zarr_array])
def test_pickles_hold_names_of_files(kind, tmp_path):
    bytes_ = pickle.dumps(LazyArray(kind(tmp_path)))
    assert len(bytes_) < 2000
    np.testing.assert_array_equal(pickle.loads(bytes_), X)


def test_a_file_that_has_changed_is_refused(tmp_path):
    found = pickle.dumps(LazyArray(memory_map(tmp_path)))
    with open(tmp_path / "X.npy", "r+b") as file:
        file.truncate(500)
    with pytest.raises(ValueError, match="must hold 1128 bytes, got fewer"):
        np.asarray(pickle.loads(found))
    h5py = pytest.importorskip("h5py")
    found = pickle.dumps(LazyArray(hdf5(tmp_path)))
    with h5py.File(tmp_path / "Y.h5", "w") as file:
        file["images"] = X[:3]
    (tmp_path / "Y.h5").replace(tmp_path / "X.h5")
    with pytest.raises(ValueError, match=r"of shape \(50, 5, 4, 1\) as before"):
        np.asarray(pickle.loads(found))


@pytest.mark.parametrize("kind", [memory_map, hdf5])
def test_a_cache_serves_later_runs_until_the_file_changes(kind, tmp_path):
    cache = tmp_path / "images.cache"
    np.asarray(LazyArray(kind(tmp_path), cache=cache))
    kept = cache.stat().st_ino
    np.testing.assert_array_equal(LazyArray(kind_again(kind, tmp_path), cache=cache), X)
    assert cache.stat().st_ino == kept
    changed = next(path for path in tmp_path.iterdir() if path.stem == "X")
    os.utime(changed, ns=(0, 0))
    LazyArray(kind_again(kind, tmp_path), cache=cache)
    assert cache.stat().st_ino != kept


def kind_again(kind, folder):
    """Open the file that `kind` has written."""
    if kind is memory_map:
        return np.load(folder / "X.npy", mmap_mode="r")
    return pytest.importorskip("h5py").File(folder / "X.h5", "r")["images"]


def test_a_part_of_a_memory_map_is_pickled_whole(tmp_path):
    part = LazyArray(memory_map(tmp_path)[10:20])
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(part)), X[10:20])


def test_a_container_that_gives_another_shape_is_refused():
    class Wrong:
        shape, dtype = X.shape, X.dtype

        def __getitem__(self, rows):
            return X[rows, :2]

    with pytest.raises(ValueError, match=r"must have the shape \(2, 5, 4, 1\)"):
        read(Wrong(), np.array([3, 1]))


def test_what_is_a_container():
    sparse = pytest.importorskip("scipy.sparse").csr_matrix(np.eye(3))
    pandas = pytest.importorskip("pandas")
    for other in (X, X[0, 0, 0, 0], [X], None, "x", sparse, pandas.DataFrame(np.eye(3))):
        assert not is_container(other)
    assert is_container(LazyArray(X))
