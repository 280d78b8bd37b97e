"""The command `predict`."""

import csv
import io
import re
import subprocess
import sys

import numpy as np
import pytest
from commands import command
from seeded import generator

from cnnkit import CNNClassifier, CNNFeatures, CNNRegressor, CNNSegmenter, save


class TestPredict:
    @pytest.mark.parametrize("several", [False, True])
    def test_a_regressor(self, run, tmp_path, several):
        rng = generator(0)
        X, y = rng.random((12, 4, 5, 2)), rng.random((12, 2) if several else 12)
        reg = CNNRegressor(max_iter=1, random_state=0).fit(X, y)
        save(reg, tmp_path / "model")
        np.savez(tmp_path / "data.npz", X=X, y=y)
        code, out, err = run("predict", tmp_path / "model", tmp_path / "data.npz")
        header, *rows = csv.reader(io.StringIO(out))
        assert (code, err) == (0, f"R2 {reg.score(X, y):.4f}\n")
        assert header == (["name", "value 0", "value 1"] if several else ["name", "value"])
        found = np.array([row[1:] for row in rows], float)
        np.testing.assert_allclose(found, reg.predict(X).reshape(12, -1), rtol=1e-5)
        code, _, err = run("predict", tmp_path / "model", tmp_path / "data.npz", "--proba")
        assert code == 2
        assert "--proba: needs a classifier" in err
        assert run("summary", tmp_path / "model")[1].startswith("CNNRegressor for images of 4x5x2")

    def test_images_are_no_rows_of_a_table(self, run, tmp_path):
        X = generator(0).random((6, 4, 5))
        seg = CNNSegmenter(max_iter=1, random_state=0).fit(X, (X > 0.5).astype(int))
        save(seg, tmp_path / "model")
        np.savez(tmp_path / "data.npz", X=X)
        code, _, err = run("predict", tmp_path / "model", tmp_path / "data.npz")
        assert code == 1
        assert "predict needs a classifier or a regressor, got CNNSegmenter." in err

    def test_several_labels(self, run, tmp_path):
        rng = generator(0)
        X, y = rng.random((12, 4, 5)), rng.integers(0, 2, (12, 3))
        clf = CNNClassifier(max_iter=1, random_state=0).fit(X, y)
        save(clf, tmp_path / "model")
        np.savez(tmp_path / "data.npz", X=X, y=y)
        code, out, err = run("predict", tmp_path / "model", tmp_path / "data.npz")
        header, *rows = csv.reader(io.StringIO(out))
        assert (code, header, len(rows)) == (0, ["name", "0", "1", "2"], 12)
        right = int((clf.predict(X) == y).all(axis=1).sum())
        assert err == f"accuracy {right / 12:.4f} ({right} of 12)\n"
        assert "labels: 0, 1, 2" in run("summary", tmp_path / "model")[1]

    def test_features(self, run, tmp_path):
        X = generator(0).random((12, 4, 5))
        features = CNNFeatures(CNNClassifier(max_iter=1)).fit(X, [0, 1] * 6)
        save(features, tmp_path / "model")
        np.savez(tmp_path / "data.npz", X=X)
        code, _, err = run("predict", tmp_path / "model", tmp_path / "data.npz")
        assert (code, "needs a classifier or a regressor, got CNNFeatures" in err) == (1, True)
        code, out, _ = run("summary", tmp_path / "model")
        assert out.startswith(
            "CNNFeatures for images of 4x5x1\nfeatures: globalavgpool1\nclasses: 0, 1\n"
        )

    def test_digits(self, digits_file):
        done = command("predict", digits_file[0], "digits")
        rows = list(csv.DictReader(io.StringIO(done.stdout)))
        assert done.returncode == 0
        assert len(rows) == 1797
        accuracy = float(re.match(r"accuracy (\d\.\d+) ", done.stderr)[1])
        assert accuracy > 0.6
        assert 0 < float(rows[0]["probability"]) <= 1

    def test_a_reader_that_has_enough(self, digits_file):
        code = f"{sys.executable} -P -m cnnkit predict {digits_file[0]} digits | head -2"
        done = subprocess.run(code, shell=True, capture_output=True, text=True, check=False)
        assert done.stdout.splitlines()[0] == "name,class,probability"
        assert "Traceback" not in done.stderr
        assert "Broken pipe" not in done.stderr


def test_a_table_in_a_file(run, digits_file, tmp_path):
    path = tmp_path / "classes.csv"
    words = ("predict", digits_file[0], "digits", "--proba")
    _, wanted, _ = run(*words)
    code, out, err = run(*words, "--csv", path)
    assert (code, out) == (0, f"{path}: 1797 rows\n")
    assert "accuracy" in err
    assert path.read_text() == wanted
    code, _, err = run(*words, "--csv", path)
    assert (code, err) == (1, f"cnnkit: error: --csv: {path} exists; --force replaces it.\n")
    assert run(*words, "--csv", path, "--force")[0] == 0
    assert "does not exist" in run(*words, "--csv", tmp_path / "none" / "a.csv")[2]
