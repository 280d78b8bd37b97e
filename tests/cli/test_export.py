"""``python -m cnnkit export``."""

import re
import sys

import numpy as np
import pytest
from onnx_runs import assert_near, outputs, read
from seeded import generator

from cnnkit import CNNClassifier, CNNRegressor, Conv, Dense, Flatten, load, save

X = generator(0).integers(0, 256, (12, 6, 5, 3), np.uint8)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A folder with the files of a classifier and of a regressor."""
    folder, y = tmp_path_factory.mktemp("models"), np.arange(12)
    short = {"max_iter": 1, "random_state": 0}
    classifier = CNNClassifier([Conv(3), Flatten(), Dense()], **short)
    save(classifier.fit(X, np.array(["a", "b"])[y % 2]), folder / "classes.safetensors")
    regressor = CNNRegressor([Conv(3), Flatten(), Dense()], **short)
    save(regressor.fit(X, y), folder / "numbers.safetensors")
    return folder


def test_a_classifier(folder, run, tmp_path):
    source, path = folder / "classes.safetensors", tmp_path / "model.onnx"
    code, out, err = run("export", source, path)
    assert (code, err) == (0, "")
    assert out == f"{path}: {path.stat().st_size:,} bytes\n"
    found = outputs(path, X.astype("float32"))
    assert_near(found["probabilities"], load(source).predict_proba(X))


def test_options(folder, run, tmp_path):
    source, path = folder / "classes.safetensors", tmp_path / "model.onnx"
    words = ("--format", "channels_first", "--input", "uint8", "--logits", "--opset", 15)
    assert run("export", source, path, *words)[0] == 0
    assert read(path).opset_import[0].version == 15
    found = outputs(path, X.transpose(0, 3, 1, 2))
    wanted = load(source).decision_function(X)
    assert_near(found["logits"][:, 1] - found["logits"][:, 0], wanted)
    assert run("export", source, path, "--float64", "-f")[0] == 0
    assert read(path).graph.initializer[0].data_type == 11


def test_a_file_stays_without_force(folder, run, tmp_path):
    source, path = folder / "numbers.safetensors", tmp_path / "model.onnx"
    path.write_text("old")
    code, out, err = run("export", source, path)
    assert (code, out) == (1, "")
    assert err == f"cnnkit: error: FILE: {path} exists; --force replaces it.\n"
    assert path.read_text() == "old"
    assert run("export", source, path, "--force")[0] == 0
    assert_near(outputs(path, X.astype("float32"))["prediction"], load(source).predict(X))


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (["numbers.safetensors", "m.onnx", "--logits"], 2, "--logits: needs a classifier"),
        (["classes.safetensors", "m.onnx", "--format", "nchw"], 2, "--format: invalid choice"),
        (["classes.safetensors", "m.onnx", "--input", "text"], 1, "input_dtype must be a type"),
        (["classes.safetensors", "m.onnx", "--opset", "7"], 1, "opset must be an int from 13"),
        (["classes.safetensors", "none/m.onnx"], 1, "FILE: the folder .* does not exist"),
        (["none.safetensors", "m.onnx"], 1, "none.safetensors"),
    ],
)
def test_what_is_refused(folder, run, tmp_path, monkeypatch, words, code, message):
    monkeypatch.chdir(tmp_path)
    found, out, err = run("export", folder / words[0], *words[1:])
    assert (found, out) == (code, "")
    assert re.search(message, err)
    assert list(tmp_path.iterdir()) == []


def test_without_onnx(folder, run, tmp_path, monkeypatch):
    for name in [name for name in sys.modules if name.startswith("cnnkit.files.onnx.writing")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "onnx", None)
    code, _, err = run("export", folder / "numbers.safetensors", tmp_path / "model.onnx")
    assert code == 1
    assert err == "cnnkit: error: onnx.write needs the package onnx: pip install cnnkit[onnx]\n"
