"""From tables with a column of paths to images, in Pipelines and searches."""

import pickle
import re
from pathlib import Path

import numpy as np
import pytest
from photos import class_folder
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline

from cnnkit import CNNClassifier
from cnnkit.data import ImageReader, LazyArray


@pytest.fixture
def folder(tmp_path):
    return class_folder(tmp_path / "photos")


@pytest.fixture
def paths(folder):
    return sorted(folder.rglob("*.png"))


def frame(package, folder, paths):
    package = pytest.importorskip(package)
    names = [str(path.relative_to(folder)) for path in paths]
    return package.DataFrame({"path": names, "kind": [path.parent.name for path in paths]})


def test_lists_arrays_and_series_of_paths(folder, paths):
    pandas = pytest.importorskip("pandas")
    wanted = np.asarray(ImageReader().transform(paths))
    assert wanted.shape == (8, 12, 16, 3)
    names = [str(path) for path in paths]
    for given in (names, np.array(names), np.array(paths, object)[:, None], pandas.Series(names)):
        found = ImageReader().fit_transform(given)
        assert isinstance(found, LazyArray)
        np.testing.assert_array_equal(found, wanted)
    relative = ImageReader(root=folder).transform([path.relative_to(folder) for path in paths])
    np.testing.assert_array_equal(relative, wanted)


@pytest.mark.parametrize("package", ["pandas", "polars"])
def test_a_table_in_a_search(package, folder, paths):
    table = frame(package, folder, paths)
    pipe = make_pipeline(
        ImageReader("path", size=(8, 8), mode="L", fit="crop", root=folder),
        CNNClassifier(max_iter=20, random_state=0),
    )
    search = GridSearchCV(pipe, {"imagereader__fit": ["crop", "stretch"]}, cv=2)
    search.fit(table, table["kind"])
    assert search.score(table, table["kind"]) > 0.8
    assert set(search.predict(table)) <= {"cat", "dog"}
    # one column is enough to tell which it is
    one = ImageReader(size=8, root=folder).transform(table[["path"]])
    assert one.shape == (8, 8, 8, 3)


def test_searches_in_several_processes(paths):
    pipe = make_pipeline(ImageReader(size=8), CNNClassifier(max_iter=2, random_state=0))
    labels = [path.parent.name for path in paths]
    alone, together = (cross_val_score(pipe, paths, labels, cv=2, n_jobs=n) for n in (None, 2))
    np.testing.assert_array_equal(alone, together)


def test_fit_is_a_hyper_parameter_and_a_method(paths):
    reader = ImageReader(size=(8, 9), fit="pad")
    assert reader.fit == "pad"
    assert reader.get_params()["fit"] == "pad"
    assert reader.fit(paths) is reader
    assert "fit='pad'" in repr(reader)
    for other in (clone(reader), pickle.loads(pickle.dumps(reader)), reader.set_params(fit="crop")):
        assert other.fit(paths).transform(paths).shape == (8, 8, 9, 3)
    assert clone(reader).get_params()["fit"] == "crop"
    assert ImageReader.fit.__doc__.startswith("Check the hyper-parameters")


def test_nothing_is_opened_before_images_are_read(paths):
    found = ImageReader(size=8).fit([Path("no/such.png"), *paths]).transform(["no/such.png"])
    with pytest.raises(FileNotFoundError, match=r"no/such\.png"):
        np.asarray(found)


@pytest.mark.parametrize(
    ("given", "X", "said"),
    [
        ({"column": "file"}, "table", "column must be one of ['path', 'kind'], got 'file'"),
        ({}, "table", "column must name the column with the paths, one of ['path', 'kind']"),
        (
            {"column": "path"},
            ["a.png"],
            "X must be a data frame with the column 'path', got a list",
        ),
        ({}, "a.png", "X must be a list of paths, got one, 'a.png'"),
        ({}, ["a.png", None], "X must hold paths of files, got None in row 1"),
        ({}, [np.nan], "got nan in row 0"),
        ({}, [3], "got 3 in row 0"),
        ({}, [""], "got '' in row 0"),
        ({"mode": "grey"}, ["a.png"], "mode must be one of"),
        ({"cache": "file"}, ["a.png"], "cache must be \"memory\" or None, got 'file'"),
        ({"n_jobs": -1}, ["a.png"], "n_jobs must be"),
    ],
    ids=repr,
)
def test_mistakes_are_named(given, X, said, folder, paths):
    X = frame("pandas", folder, paths) if X == "table" else X
    with pytest.raises(ValueError, match=f"^ImageReader: .*{re.escape(said)}"):
        ImageReader(**({"size": 8} | given)).fit_transform(X)
