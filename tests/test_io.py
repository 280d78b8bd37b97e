"""Fitted estimators in files."""

import contextlib
import json
import os
import re
import resource
import signal
import stat
import sys
import time

import numpy as np
import pytest
from oracles import python
from sklearn.exceptions import NotFittedError

import cnnkit
from cnnkit import (
    BatchNorm,
    CNNClassifier,
    Conv,
    Conv1x1,
    Dense,
    Dropout,
    GlobalAvgPool,
    ReLU,
    Residual,
    Sequential,
    load,
    models,
    save,
)
from cnnkit.atomic import replacing
from cnnkit.io import KINDS, ModelFormatError

safetensors = pytest.importorskip("safetensors")
numpy_file = pytest.importorskip("safetensors.numpy")

RNG = np.random.default_rng(0)
X = RNG.random((30, 6, 7, 2), np.float32)
LABELS = {
    "int": np.arange(30) % 3,
    "str": np.array(["ant", "bee", "cat"])[np.arange(30) % 3],
    "object": np.array(["ant", "bee", "cat"], object)[np.arange(30) % 3],
    "float": np.arange(30) % 3 * 1.0,
    "bool": np.arange(30) % 2 == 0,
}


def fitted(layers=None, X=X, y=LABELS["str"], **params):
    return CNNClassifier(layers, max_iter=2, random_state=0, **params).fit(X, y)


@pytest.fixture(scope="module")
def good(tmp_path_factory):
    path = tmp_path_factory.mktemp("model") / "good.safetensors"
    clf = fitted([Conv(3), ReLU(), Conv1x1(), GlobalAvgPool()])
    save(clf, path)
    return path


def altered(good, path, change=lambda model: None, tensors=lambda arrays: None, text=None):
    """Write `good` again with changes to its JSON and its tensors."""
    arrays = numpy_file.load_file(good)
    with safetensors.safe_open(good, "numpy") as file:
        model = json.loads(file.metadata()["cnnkit"])
    change(model)
    tensors(arrays)
    meta = {"cnnkit": json.dumps(model) if text is None else text}
    numpy_file.save_file(arrays, path, metadata=meta)
    return path


class TestRoundTrip:
    @pytest.mark.parametrize("labels", LABELS)
    def test_labels(self, labels, tmp_path):
        clf = fitted(y=LABELS[labels])
        save(clf, tmp_path / "model")
        again = load(tmp_path / "model")
        assert again.classes_.dtype == clf.classes_.dtype
        assert (again.predict(X) == clf.predict(X)).all()

    @pytest.mark.parametrize(
        "layers",
        [
            None,
            [("a", Conv(3)), BatchNorm(), ReLU(), Dropout(0.1), GlobalAvgPool(), Dense()],
            Sequential([Conv(4), Residual([Conv(4), ReLU()]), Conv1x1(), GlobalAvgPool()]),
            models.resnet18(None, (6, 7, 2), width=1 / 8),
        ],
        ids=str,
    )
    @pytest.mark.parametrize("dtype", [np.float32, np.float64])
    def test_the_same_bits(self, layers, dtype, tmp_path):
        clf = fitted(layers, X.astype(dtype))
        save(clf, tmp_path / "model.safetensors")
        again = load(str(tmp_path / "model.safetensors"))
        assert type(again) is CNNClassifier
        assert again.get_params() == clf.get_params()
        assert again.network_.graph == clf.network_.graph
        for name, value in vars(clf).items():
            if name.endswith("_") and name != "network_":
                assert type(getattr(again, name)) is type(value)
                assert np.array_equal(getattr(again, name), value)
        for name, array in clf.network_.weights.items():
            assert again.network_.weights[name].dtype == array.dtype
            assert (again.network_.weights[name] == array).all()
        assert (again.predict_proba(X) == clf.predict_proba(X)).all()
        assert str(again.summary()) == str(clf.summary())

    def test_training_goes_on(self, good):
        clf = load(good)
        before = clf.network_.weights.flat.copy()
        clf.partial_fit(X, LABELS["str"])
        assert (clf.network_.weights.flat != before).any()
        assert load(good).set_params(max_iter=1).fit(X, LABELS["str"]).n_iter_ == 1

    def test_the_file_is_plain_safetensors(self, good):
        arrays = numpy_file.load_file(good)
        assert arrays["weight:conv1/w"].shape == (3, 3, 2, 3)
        with safetensors.safe_open(good, "numpy") as file:
            model = json.loads(file.metadata()["cnnkit"])
        assert model["estimator"] == "CNNClassifier"
        assert model["version"]

    def test_feature_names_stay(self, tmp_path):
        clf = fitted(X=X.reshape(30, -1), image_shape=(6, 7, 2))
        clf.feature_names_in_ = np.array([f"f{i}" for i in range(84)], object)
        save(clf, tmp_path / "model")
        again = load(tmp_path / "model")
        assert again.feature_names_in_.dtype == object
        assert (again.feature_names_in_ == clf.feature_names_in_).all()

    def test_schedules_augmentations_and_dicts_are_plain_data(self):
        from cnnkit import plain
        from cnnkit.augmentation import Augment, Flip, Mixup
        from cnnkit.schedules import Cosine

        for value in (Cosine(2), Augment([Flip(), Mixup()]), {"a": 1, 2: (3.5, None)}):
            text = json.dumps(plain.encode(value, "x", "save", KINDS))
            assert plain.decode(json.loads(text), "x", "load", KINDS) == value

    def test_names_at_the_door(self):
        assert cnnkit.save is save
        assert cnnkit.io.ModelFormatError is ModelFormatError


class TestWhatCannotBeSaved:
    def test_not_fitted(self, tmp_path):
        with pytest.raises(NotFittedError):
            save(CNNClassifier(), tmp_path / "model")
        assert not list(tmp_path.iterdir())

    @pytest.mark.parametrize("thing", [None, {}, Conv(3)])
    def test_other_things(self, thing, tmp_path):
        with pytest.raises(TypeError, match="save: estimator must be one of"):
            save(thing, tmp_path / "model")

    def test_subclasses(self, tmp_path):
        class Mine(CNNClassifier):
            pass

        with pytest.raises(TypeError, match=r"save: estimator must be one of.*got Mine"):
            save(Mine(max_iter=1).fit(X, LABELS["int"]), tmp_path / "model")

    def test_layers_of_ones_own(self, tmp_path):
        class Mine(ReLU):
            pass

        with pytest.raises(ValueError, match=r"save: layers\[1\] must be a layer or schedule or"):
            save(fitted([Conv(2), Mine(), Conv1x1(), GlobalAvgPool()]), tmp_path / "model")

    def test_random_states(self, tmp_path):
        clf = CNNClassifier(max_iter=1, random_state=np.random.RandomState(0))
        with pytest.raises(ValueError, match="save: random_state must be None"):
            save(clf.fit(X, LABELS["int"]), tmp_path / "model")

    def test_without_safetensors(self, monkeypatch, tmp_path, good):
        clf = load(good)
        monkeypatch.setitem(sys.modules, "safetensors", None)
        for call in (lambda: save(clf, tmp_path / "model"), lambda: load(good)):
            with pytest.raises(ImportError, match=r"pip install cnnkit\[io\]"):
                call()


def put(key, value):
    return lambda model: model.__setitem__(key, value)


def conv_of(**params):
    """Change the first layer of the graph."""
    return lambda model: model["graph"]["layers"][0].update(params)


class TestHostileFiles:
    @pytest.mark.parametrize(
        ("change", "message"),
        [
            (
                put("format", "cnnkit model 2"),
                "format must be 'cnnkit model 1', got 'cnnkit model 2'",
            ),
            (put("estimator", "os.system"), "estimator must be one of ['CNNClassifier'"),
            (put("extra", 1), "a model must have ['algorithm'"),
            (lambda m: m.pop("params"), "a model must have ['algorithm'"),
            (put("params", []), "params must be an object, got []"),
            (put("params", {"__class__": 1}), "params must be those of CNNClassifier, got ['__cl"),
            (put("params", {"alpha": -1}), "'alpha' parameter of CNNClassifier must be"),
            (put("params", {"layers": {"layer": "eval"}}), "layers must be a layer of ['Add'"),
            (put("graph", 3), "graph must be a graph, got 3"),
            (put("graph", {"layer": "ReLU"}), "graph must be a graph, got ReLU()"),
            (conv_of(filters=4), "conv1/w must be of float32 and shape (3, 3, 2, 4), got F32 and"),
            (conv_of(filters=2**40), "filters"),
            (conv_of(kernel_size=[1, 2, 3]), "kernel_size"),
            (put("input_shape", [2**31, 1, 1]), "input_shape must be three positive ints"),
            (put("input_shape", [6, 7]), "input_shape must be three positive ints"),
            (put("input_shape", [2**30, 2**30, 2]), "2**46"),
            (put("input_shape", [6, 7, 3]), "conv1/w must be of float32 and shape (3, 3, 3, 3)"),
            (put("input_shape", [9, 7, 2]), "must be (9, 7, 2), got (6, 7, 2)"),
            (put("n_outputs", 2**33), "n_outputs must be an int"),
            (put("n_outputs", True), "n_outputs must be an int"),
            (put("n_outputs", 4), "conv1x1_1/w must be of float32 and shape (1, 1, 3, 4)"),
            (put("algorithm", "magic"), "algorithm must be one of"),
            (put("dtype", "float64"), "must be of float64"),
            (put("dtype", "object"), "must be of object"),
            (lambda m: m["learned"].update(fit_={"value": 1}, __doc___={"value": 1}), "such as"),
            (
                lambda m: m["learned"].update(network_={"value": 1}),
                "such as classes_, got 'network_'",
            ),
            (lambda m: m["learned"].update(_x_={"value": 1}), "such as classes_, got '_x_'"),
            (lambda m: m["learned"].update(classes_={"value": 1e999}), "finite, got Infinity"),
            (lambda m: m["learned"].update(classes_=[1]), "classes_ must be a value, an array or"),
            (
                lambda m: m["learned"].update(classes_={"labels": ["a", "b"], "dtype": "str"}),
                "classes_ must be one for each of the outputs (3,), got ['a', 'b']",
            ),
            (
                lambda m: m["learned"].update(classes_={"labels": ["a", "b", "a"], "dtype": "str"}),
                "classes_ must be one for each",
            ),
            (
                lambda m: m["learned"].update(classes_={"value": 3}),
                "classes_ must be one for each of the outputs (3,), got 3",
            ),
            (
                lambda m: m["learned"].pop("classes_"),
                "classes_ must be one for each of the outputs (3,), got None",
            ),
            (
                lambda m: m["learned"].update(classes_={"array": "weight:conv1/w"}),
                "a tensor must hold classes_, got 'weight:conv1/w'",
            ),
            (lambda m: m["learned"].pop("loss_curve_"), "every tensor must be used, got ['learned"),
            (
                lambda m: m["learned"].pop("input_shape_"),
                "input_shape_ must be (6, 7, 2), got None",
            ),
        ],
    )
    def test_what_the_text_says(self, good, tmp_path, change, message):
        path = altered(good, tmp_path / "bad", change)
        with pytest.raises(ModelFormatError, match=re.escape(message)):
            load(path)

    @pytest.mark.parametrize(
        ("change", "message"),
        [
            (lambda a: a.pop("weight:conv1/w"), "a tensor must hold the weights 'conv1/w'"),
            (lambda a: a.update({"weight:x/w": np.ones(3)}), "every tensor must be used"),
            (
                lambda a: a.update({"weight:conv1/w": np.ones((3, 3, 2, 3))}),
                "conv1/w must be of float32",
            ),
            (
                lambda a: a.update({"weight:conv1/w": np.ones((3, 3, 3, 2), np.float32)}),
                "shape (3, 3, 2, 3)",
            ),
            (
                lambda a: a.update({"weight:conv1/b": np.ones(3, np.int32)}),
                "conv1/b must be of float32 and shape (3,), got I32",
            ),
        ],
    )
    def test_tensors(self, good, tmp_path, change, message):
        path = altered(good, tmp_path / "bad", tensors=change)
        with pytest.raises(ModelFormatError, match=re.escape(message)):
            load(path)

    @pytest.mark.parametrize("text", ["", "{", "[]", "3", "null", "[" * 10_000, '{"a":1,"a":2}'])
    def test_texts(self, good, tmp_path, text):
        with pytest.raises(ModelFormatError):
            load(altered(good, tmp_path / "bad", text=text))

    def test_another_safetensors_file(self, tmp_path):
        numpy_file.save_file({"x": np.ones(3)}, tmp_path / "other")
        with pytest.raises(ModelFormatError, match="got a file of another kind"):
            load(tmp_path / "other")

    def test_truncation_at_every_byte(self, good, tmp_path):
        whole, path = good.read_bytes(), tmp_path / "short"
        for n in [*range(200), *range(200, len(whole), 7), len(whole) - 1]:
            path.write_bytes(whole[:n])
            with pytest.raises(ModelFormatError):
                load(path)
        path.write_bytes(whole + b"x")
        with pytest.raises(ModelFormatError):
            load(path)

    def test_random_bytes_and_flipped_bits(self, good, tmp_path):
        rng, path = np.random.default_rng(0), tmp_path / "bad"
        whole = np.frombuffer(good.read_bytes(), np.uint8)
        header = int.from_bytes(whole[:8].tobytes(), "little") + 8
        refused = 0
        for _ in range(400):
            bad = whole.copy()
            bad[rng.integers(header)] ^= 1 << rng.integers(8)
            path.write_bytes(bad.tobytes())
            try:
                load(path)  # a digit of a hyper-parameter may become another
            except ModelFormatError:
                refused += 1
        assert refused > 200

    @pytest.mark.parametrize("header", [2**63, 2**40, 9 << 20, 0])
    def test_headers_that_promise_much(self, tmp_path, header):
        path = tmp_path / "bad"
        path.write_bytes(header.to_bytes(8, "little") + b"{}" * 20)
        with pytest.raises(ModelFormatError):
            load(path)

    def test_a_small_file_takes_little_memory(self, good, tmp_path):
        def huge(model):
            graph = {"layer": "Sequential", "layers": [{"layer": "GlobalAvgPool"}]}
            model.update(graph=graph, input_shape=[30_000, 30_000, 3])
            model["learned"]["input_shape_"] = {"value": {"tuple": [30_000, 30_000, 3]}}
            model["learned"]["n_features_in_"] = {"value": 30_000**2 * 3}

        def no_weights(arrays):
            for name in [name for name in arrays if name.startswith("weight:")]:
                del arrays[name]

        path = altered(good, tmp_path / "huge", huge, no_weights)
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        with contextlib.suppress(ModelFormatError):
            load(path)
        assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 64 << 10

    def test_no_file(self, tmp_path):
        with pytest.raises(FileNotFoundError):
            load(tmp_path / "nothing")


class TestWriting:
    def test_an_old_file_is_replaced_and_keeps_its_mode(self, good, tmp_path):
        path = tmp_path / "model"
        path.write_text("old")
        path.chmod(0o640)
        save(load(good), path)
        assert load(path).n_iter_ == 2
        assert stat.S_IMODE(path.stat().st_mode) == 0o640
        assert [p.name for p in tmp_path.iterdir()] == ["model"]

    def test_links_are_followed(self, tmp_path):
        (tmp_path / "real").write_text("old")
        (tmp_path / "link").symlink_to("real")
        with replacing(tmp_path / "link") as beside:
            beside.write_text("new")
        assert (tmp_path / "link").is_symlink()
        assert (tmp_path / "real").read_text() == "new"

    def test_an_error_leaves_the_old_file(self, tmp_path):
        path = tmp_path / "model"
        path.write_text("old")
        writer = replacing(path)
        writer.__enter__().write_text("half")
        assert not writer.__exit__(KeyboardInterrupt, KeyboardInterrupt(), None)
        assert path.read_text() == "old"
        assert [p.name for p in tmp_path.iterdir()] == ["model"]

    def test_folders(self, good, tmp_path):
        with pytest.raises(IsADirectoryError):
            save(load(good), tmp_path)
        with pytest.raises(FileNotFoundError):
            save(load(good), tmp_path / "none" / "model")

    @pytest.mark.skipif(os.geteuid() == 0, reason="root writes everywhere")
    def test_a_folder_that_must_not_be_written(self, good, tmp_path):
        (tmp_path / "model").write_text("old")
        tmp_path.chmod(0o500)
        try:
            with pytest.raises(PermissionError):
                save(load(good), tmp_path / "model")
        finally:
            tmp_path.chmod(0o700)
        assert (tmp_path / "model").read_text() == "old"

    def test_a_full_disk(self, good, tmp_path):
        (tmp_path / "model").write_text("old")
        code = f"""if True:
            import resource, signal, sys
            from cnnkit import load, save
            clf = load({str(good)!r})
            signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
            resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
            try:
                save(clf, {str(tmp_path / "model")!r})
            except Exception as error:
                print(isinstance(error, OSError), "[Errno 27]" in str(error) or error)
        """
        assert python(code).stdout == "True True\n"
        assert (tmp_path / "model").read_text() == "old"
        assert [p.name for p in tmp_path.iterdir()] == ["model"]

    def test_kill_in_the_middle(self, tmp_path):
        path = tmp_path / "model"
        for k in range(12):
            before = path.read_text() if path.exists() else None
            child = os.fork()
            if not child:
                try:
                    with replacing(path) as beside:
                        beside.write_text(f"new {k}" * 100_000)
                finally:
                    os._exit(0)
            time.sleep(0.0003 * k)
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)
            found = path.read_text() if path.exists() else None
            assert found in (before, f"new {k}" * 100_000)
        with replacing(path) as beside:
            beside.write_text("last")
        assert [p.name for p in tmp_path.iterdir()] == ["model"]
        assert path.read_text() == "last"

    def test_two_writers(self, tmp_path):
        path = tmp_path / "mo[d]el*"
        with replacing(path) as first:
            first.write_text("first")
            with replacing(path) as second:
                second.write_text("second")
            assert first.exists()
        assert path.read_text() == "first"
        assert len(list(tmp_path.iterdir())) == 1
