"""The command `predict` with ONNX files."""

import csv
import io

import numpy as np
import pytest
from seeded import generator

pytest.importorskip("onnx", reason="needs onnx: pip install 'cnnkit[onnx]'")

from cnnkit import CNNClassifier, CNNRegressor, Graph, Network, Sequential, onnx, save
from cnnkit.layers import Add, Conv, Dense, GlobalAvgPool, LogSoftmax, Softmax

RNG = generator(0)
X = RNG.integers(0, 256, (12, 5, 7, 3), np.uint8)
NAMES = np.array(["ant", "bee", "cat"])


def rows(out):
    return list(csv.reader(io.StringIO(out)))


def fitted(y, **params):
    return CNNClassifier(max_iter=1, random_state=0, **params).fit(X, y)


@pytest.fixture
def data(tmp_path):
    np.savez(tmp_path / "data.npz", X=X, y=NAMES[np.arange(12) % 3])
    return tmp_path / "data.npz"


def written(path, *layers, shape=(5, 7, 3), producer=None):
    """Write a network of random weights, as one of another program if it is named."""
    from onnx import load, save

    network = Network(Sequential([Conv(4, 3), GlobalAvgPool(), Dense(3), *layers]), shape, None)
    network.weights.initialise(generator(1))
    onnx.write(network, path)
    if producer is not None:
        model = load(path)
        model.producer_name = producer
        save(model, path)
    return network


@pytest.mark.parametrize("kind", ["text", "int", "count"])
def test_a_classifier_gives_what_its_estimator_does(run, tmp_path, data, kind):
    y = {"text": NAMES, "int": np.array([3, 5, 9]), "count": np.arange(3)}[kind][np.arange(12) % 3]
    clf = fitted(y)
    save(clf, tmp_path / "model.safetensors")
    onnx.write(clf, tmp_path / "model.onnx")
    for words in ([], ["--top", 2], ["--proba"], ["--top", 9, "--proba"]):
        own = run("predict", tmp_path / "model.safetensors", data, *words)
        assert run("predict", tmp_path / "model.onnx", data, *words) == own
        assert own[0] == 0
    assert rows(own[1])[0][:6] == [
        *("name", "class", "probability", "class 2", "probability 2", "class 3"),
    ]


def test_several_labels_and_targets(run, tmp_path):
    clf = fitted(RNG.integers(0, 2, (12, 3)))
    save(clf, tmp_path / "model.safetensors")
    onnx.write(clf, tmp_path / "model.onnx")
    np.savez(tmp_path / "only.npz", X=X)
    own, read = (
        run("predict", tmp_path / f"model.{form}", tmp_path / "only.npz")
        for form in ("safetensors", "onnx")
    )
    assert own == read
    assert rows(own[1])[0] == ["name", "0", "1", "2"]
    reg = CNNRegressor(max_iter=1, random_state=0).fit(X, RNG.random((12, 2)))
    onnx.write(reg, tmp_path / "model.onnx")
    code, out, err = run("predict", tmp_path / "model.onnx", tmp_path / "only.npz")
    assert (code, err, rows(out)[0]) == (0, "", ["name", "value 0", "value 1"])
    np.testing.assert_allclose(
        np.array(rows(out)[1:], float)[:, 1:], reg.predict(X), rtol=1e-4, atol=1e-6
    )


def test_labels_of_a_file_and_numbers_of_classes(run, tmp_path):
    network = written(tmp_path / "model.onnx")
    best = network.activations(X / 1, ["dense1"])["dense1"].argmax(axis=1)
    np.savez(tmp_path / "data.npz", X=X.astype("f4"), y=best)
    (tmp_path / "names.txt").write_text("\n".join(NAMES))
    words = ("predict", tmp_path / "model.onnx", tmp_path / "data.npz")
    code, out, err = run(*words, "--labels", tmp_path / "names.txt")
    assert (code, err) == (0, "accuracy 1.0000 (12 of 12)\n")
    assert [row[1] for row in rows(out)[1:]] == NAMES[best].tolist()
    assert [row[1] for row in rows(run(*words, "--top", 1)[1])[1:]] == [str(k) for k in best]
    assert rows(run(*words)[1])[0] == ["name", "value 0", "value 1", "value 2"]
    (tmp_path / "names.txt").write_text("one")
    code, _, err = run(*words, "--labels", tmp_path / "names.txt")
    assert (code, "must have a line for each of 3 classes, got 1" in err) == (1, True)


@pytest.mark.parametrize("last", [Softmax, LogSoftmax])
def test_probabilities_where_the_network_ends_in_them(run, tmp_path, data, last):
    written(tmp_path / "model.onnx", last())
    written(tmp_path / "logits.onnx")
    out = run("predict", tmp_path / "model.onnx", data, "--proba")[1]
    assert rows(out)[0] == ["name", "class", "probability", "0", "1", "2"]
    assert run("predict", tmp_path / "logits.onnx", data, "--proba", "--top", 1)[1] == out


def test_preprocessing(run, tmp_path, data):
    written(tmp_path / "model.onnx", producer="pytorch")
    words = ("predict", tmp_path / "model.onnx", data)
    code, plain, err = run(*words, "--top", 1)
    assert "does not say how images are scaled" in err
    assert run(*words, "--top", 1, "--preprocessing", "none")[1] == plain
    scaled = np.load(data)["X"].astype("f4") / 127.5 - 1
    np.savez(tmp_path / "scaled.npz", X=scaled)
    code, out, err = run(*words, "--top", 1, "--preprocessing", "inception")
    assert (code, out != plain, "scaled" in err) == (0, True, False)
    other = ("predict", tmp_path / "model.onnx", tmp_path / "scaled.npz", "--top", 1)
    assert run(*other, "--preprocessing", "none")[1] == out
    with pytest.raises(UserWarning, match=r"numbers from -1 to 1, .* see --preprocessing"):
        run(*other, "--preprocessing", "inception")


def test_preprocessing_of_flat_rows(run, tmp_path, data):
    network = written(tmp_path / "images.onnx")
    onnx.write(network, tmp_path / "rows.onnx", data_format="rows")
    words = ("--preprocessing", "imagenet", "--top", 3)
    code, out, _ = run("predict", tmp_path / "images.onnx", data, *words)
    rows = ("predict", tmp_path / "rows.onnx", data, *words)
    assert (code, out) == run(*rows, "--image-shape", "5x7x3")[:2]
    assert "one for each of 105 channels, got 'imagenet'" in run(*rows)[2]


def test_several_inputs_and_outputs(run, tmp_path, data):
    graph = Graph([("a", Dense(3), "x"), ("b", Dense(2), "z")], ["a", "b"], ["x", "z"])
    network = Network(graph, {"x": (4,), "z": (5,)}, None)
    network.weights.initialise(generator(0))
    onnx.write(network, tmp_path / "two.onnx")
    code, _, err = run("predict", tmp_path / "two.onnx", data)
    assert (code, "--output-name: must be one of ['a', 'b']" in err) == (2, True)
    np.savez(tmp_path / "rows.npz", X=np.ones((2, 4), np.float32))
    words = ("predict", tmp_path / "two.onnx", tmp_path / "rows.npz", "--output-name", "a")
    code, out, _ = run(*words)
    assert (code, len(rows(out)[0])) == (0, 4)
    graph = Graph([("both", Add(), ("x", "z"))], None, ["x", "z"])
    onnx.write(Network(graph, {"x": (4,), "z": (4,)}, None), tmp_path / "two.onnx")
    code, _, err = run("predict", tmp_path / "two.onnx", tmp_path / "rows.npz")
    assert (code, "must read one array of images, got ['x', 'z']" in err) == (1, True)


def test_photos_and_flat_rows(run, photos, tmp_path):
    clf = CNNClassifier(image_shape=(5, 7, 3), max_iter=1).fit(X.reshape(12, -1), np.arange(12) % 3)
    onnx.write(clf, tmp_path / "rows.onnx")
    save(clf, tmp_path / "rows.safetensors")
    words = ("predict", tmp_path / "rows.onnx", photos / "left")
    code, out, _ = run(*words, "--image-shape", "5x7x3")
    assert (code, out) == run("predict", tmp_path / "rows.safetensors", photos / "left")[:2]
    assert len(rows(out)) == 13
    code, _, err = run(*words)
    assert (code, "the model needs 105: use .npz" in err) == (1, True)
    code, _, err = run(*words, "--image-shape", "4x4")
    assert (code, "must multiply to the 105 numbers" in err) == (2, True)


def test_sizes_that_a_file_leaves_open(run, photos, tmp_path):
    from onnx import load
    from onnx import save as write

    written(tmp_path / "model.onnx")
    model = load(tmp_path / "model.onnx")
    for side in model.graph.input[0].type.tensor_type.shape.dim[1:3]:
        side.dim_param = "side"
    write(model, tmp_path / "model.onnx")
    words = ("predict", tmp_path / "model.onnx", photos / "left")
    assert "input_shape must be given" in run(*words)[2]
    assert run(*words, "--image-shape", "6x9x3")[0] == 0


def test_what_is_refused(run, tmp_path, data):
    written(tmp_path / "model.onnx")
    network = Network(Sequential([Conv(4, 3)]), (5, 7, 3), None)
    onnx.write(network, tmp_path / "maps.onnx")
    save(fitted(NAMES[np.arange(12) % 3]), tmp_path / "own")
    model, np_file = tmp_path / "model.onnx", tmp_path / "other.npz"
    np.savez(np_file, X=X[:, :4])
    np.savez(tmp_path / "none.npz", X=X[:0])
    np.savez(tmp_path / "nan.npz", X=np.full(X.shape, np.nan))
    for words, code, message in (
        ((tmp_path / "maps.onnx", data), 1, "must give a row of numbers for each image"),
        ((model, data, "--image-shape", "4x4"), 2, "must be 5x7x3, as the file says"),
        ((model, data, "--proba"), 2, "--proba: needs a classifier"),
        ((model, data, "--output-name", "z"), 1, "outputs must be some of"),
        ((model, np_file), 1, "X must hold images of shape (5, 7, 3), as the file says"),
        ((model, tmp_path / "none.npz"), 1, "X must hold finite numbers, got no images"),
        ((model, tmp_path / "nan.npz"), 1, "X must hold finite numbers, got NaN"),
        ((tmp_path / "own", data, "--labels", "x"), 2, "--labels: needs an ONNX file"),
        ((tmp_path / "none.onnx", data), 1, "No such file"),
    ):
        found, _, err = run("predict", *words)
        assert (found, message in err) == (code, True), err
