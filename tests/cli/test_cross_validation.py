"""``train --cv``: the table, the report and the picture."""

import sys

import pytest

from cnnkit import load

SHORT = ("--epochs", 3, "--learning-rate", 0.01)


def test_table_report_and_picture(run, photos, tmp_path):
    pytest.importorskip("matplotlib")
    path = tmp_path / "photos.safetensors"
    code, out, err = run("train", photos, *SHORT, "--cv", 3, "--output", path)
    assert (code, err) == (0, "")
    header, *rows = out.splitlines()
    assert header == "fold  images  accuracy"
    accuracies = [float(row.split()[2]) for row in rows[:3]]
    assert [int(row.split()[1]) for row in rows[:3]] == [8, 8, 8]
    assert float(rows[3].split()[1].rstrip(",")) == pytest.approx(sum(accuracies) / 3, abs=1e-4)
    assert "precision" in out
    assert "left" in out
    picture = tmp_path / "photos.confusion.png"
    assert out.splitlines()[-1] == f"model: {path}"
    assert f"confusion matrix: {picture}\n" in out
    assert picture.read_bytes().startswith(b"\x89PNG")
    assert load(path).classes_.tolist() == ["left", "right"]


def test_without_matplotlib(run, photos, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    path = tmp_path / "photos.safetensors"
    code, out, err = run("train", photos, *SHORT, "--cv", 2, "--output", path)
    assert code == 0
    assert "no picture of the confusion matrix without matplotlib" in err
    assert "precision" in out


@pytest.mark.parametrize(
    ("folds", "said"),
    [("1", "must be an int of at least 2, got '1'"), ("x", "got 'x'"), (13, "at most the images")],
)
def test_folds_that_cannot_be(run, photos, tmp_path, folds, said):
    code, _, err = run("train", photos, *SHORT, "--cv", folds, "--output", tmp_path / "model")
    assert code != 0
    assert said in err
    assert not (tmp_path / "model").exists()
