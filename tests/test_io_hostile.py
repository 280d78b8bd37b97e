"""Files that are not as `save` writes them."""

import json
import re
import resource

import files
import numpy as np
import pytest
from oracles import SANITIZED
from seeded import generator

from cnnkit import (
    CNNClassifier,
    CNNRegressor,
    Conv,
    Conv1x1,
    GlobalAvgPool,
    ReLU,
    load,
    save,
)
from cnnkit.exceptions import ModelFormatError

RNG = generator(0)
X = RNG.random((30, 6, 7, 2), np.float32)
LABELS = {
    "int": np.arange(30) % 3,
    "str": np.array(["ant", "bee", "cat"])[np.arange(30) % 3],
    "object": np.array(["ant", "bee", "cat"], object)[np.arange(30) % 3],
    "float": np.arange(30) % 3 * 1.0,
    "bool": np.arange(30) % 2 == 0,
}


NUMBERS = RNG.random((30, 3))


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
    arrays, found = files.read(good)
    model = json.loads(found)
    change(model)
    tensors(arrays)
    files.write(path, arrays, json.dumps(model) if text is None else text)
    return path


def put(key, value):
    return lambda model: model.__setitem__(key, value)


def conv_of(**params):
    """Change the first layer of the graph."""
    return lambda model: model["graph"]["layers"][0].update(params)


def learned(**changes):
    return lambda model: model["learned"].update(changes)


def texts(names, ends=None):
    """The tensors of classes."""
    names = [name if isinstance(name, bytes) else name.encode() for name in names]
    ends = np.cumsum([len(name) for name in names]) if ends is None else np.array(ends)
    letters = np.frombuffer(b"".join(names), np.uint8)
    return {"learned:classes_": letters, "learned:classes_:ends": ends}


def as_regressor(model):
    model.update(estimator="CNNRegressor", params={})


LOSSES = "learned:loss_curve_"
SCALES = "scales must be one of ([], ['input'], ['input', 'targets']), got "
CLASSES = "classes_ must be one for each of the 3 outputs, in order, got "


class TestHostileFiles:
    @pytest.mark.parametrize(
        ("change", "message"),
        [
            (
                put("format", "cnnkit model 2"),
                "format must be 'cnnkit model 1', got 'cnnkit model 2'",
            ),
            (put("estimator", "os.system"), "estimator must be one of ['CNNClassifier'"),
            (put("extra", 1), "a file must have ['algorithm'"),
            (lambda m: m.pop("params"), "a file must have ['algorithm'"),
            (put("params", []), "params must be an object, got []"),
            (put("params", {"__class__": 1}), "params must be those of CNNClassifier, got ['__cl"),
            (put("params", {"alpha": -1}), "'alpha' parameter of CNNClassifier must be"),
            (put("params", {"layers": {"layer": "eval"}}), "layers must be a layer of ['Add'"),
            (put("graph", 3), "graph must be a graph, got 3"),
            (put("graph", {"layer": "ReLU"}), "graph must be a graph, got ReLU()"),
            (
                conv_of(filters=4),
                "conv1/w must be of float32 and shape (3, 3, 2, 4), got float32",
            ),
            (conv_of(filters=2**40), "filters"),
            (conv_of(kernel_size=[1, 2, 3]), "kernel_size"),
            (put("input_shape", [2**31, 1, 1]), "input_shape must be three positive ints"),
            (put("input_shape", [6, 7]), "input_shape must be three positive ints"),
            (put("input_shape", [2**30, 2**30, 2]), "2**46"),
            (put("input_shape", [6, 7, 3]), "conv1/w must be of float32 and shape (3, 3, 3, 3)"),
            (put("n_outputs", 2**33), "n_outputs must be an int"),
            (put("n_outputs", True), "n_outputs must be an int"),
            (put("n_outputs", 4), "conv1x1_1/w must be of float32 and shape (1, 1, 3, 4)"),
            (put("algorithm", "magic"), "algorithm must be one of"),
            (put("dtype", "float64"), "must be of float64"),
            (put("dtype", "object"), "dtype must be one of ('float32', 'float64'), got 'object'"),
            (put("frozen", ["conv2"]), "frozen must be names of layers ['conv1', 'relu1', 'conv1x"),
            (put("frozen", "conv1"), "frozen must be names of layers"),
            (put("frozen", ["conv1", "conv1"]), "frozen must be names of layers"),
            (put("scales", 3), f"{SCALES}3"),
            (put("scales", None), f"{SCALES}None"),
            (put("scales", "input"), f"{SCALES}'input'"),
            (put("scales", {"input": 1}), f"{SCALES}{{'input': 1}}"),
            (put("scales", ["output"]), f"{SCALES}['output']"),
            (put("scales", ["targets"]), f"{SCALES}['targets']"),
            (put("scales", ["input", "input"]), f"{SCALES}['input', 'input']"),
            (put("scales", ["input"] * 10**5), f"{SCALES}['input', 'input', "),
            (put("scales", []), "every tensor must be used, got ['weight:input/mean', 'weight:inp"),
            (put("scales", ["input", "targets"]), "a tensor must hold the weights 'targets/mean'"),
            (lambda m: m.pop("scales"), "a file must have ['algorithm'"),
            (put("features", []), "features must have params and node, got []"),
            (put("features", {"params": {}, "node": ["relu1"]}), "node must be one of ['conv1', "),
            (put("features", {"params": 3, "node": "relu1"}), "params must be an object, got 3"),
            (
                put("features", {"params": {"estimator": {"estimator": "x"}}, "node": "relu1"}),
                "estimator must be a estimator of ['CNNClassifier', 'CNNImageRegressor', ",
            ),
            (put("features", {"params": {"node": 3}, "node": "relu1"}), "'node' parameter of CNNF"),
            (learned(fit_=3), "learned must have ['best_validation_score_', 'classes_'"),
            (lambda m: m["learned"].pop("classes_"), "learned must have ['best_validation_score_'"),
            (learned(classes_=[1]), "classes_ must be numbers, str or object, got [1]"),
            (learned(classes_="numbers"), "classes_ must be 3 numbers, got shape (9,)"),
            (learned(classes_=None), f"{CLASSES}None"),
            (learned(multilabel_=True), f"{CLASSES}array(['ant', 'bee', 'cat']"),
            (learned(multilabel_=None), "multilabel_ must be true or false, got None"),
            (learned(multilabel_="x" * 10**6), "multilabel_ must be true or false, got 'xxx"),
            (learned(loss_curve_=None), "loss_curve_ must have a loss for every epoch, got none"),
            (learned(loss_curve_=[1.0]), "loss_curve_ must be numbers of float64, got [1.0]"),
            (learned(validation_scores_="numbers"), "a tensor must hold validation_scores_, got n"),
            (
                learned(best_validation_score_="numbers"),
                "a tensor must hold best_validation_sc",
            ),
            (learned(score_curves_=3), "score_curves_ must have names, got 3"),
            (learned(score_curves_=[]), "score_curves_ must have names, got []"),
            (learned(score_curves_=["a", "a"]), "score_curves_ must have names, got ['a', 'a']"),
            (learned(score_curves_=["a"]), "a tensor must hold score_curves_a, got none"),
            (learned(link_="log"), "link_ must be None for such an estimator, got 'log'"),
            (learned(feature_names_in_="object"), "a tensor must hold feature_names_in_:ends"),
            (put("estimator", "CNNRegressor"), "params must be those of CNNRegressor, got ['class"),
            (as_regressor, "classes_ must be None for such an estimator, got array(['ant'"),
            (
                lambda m: m["graph"]["layers"].pop(),
                "graph must end in one output of shape (3,), got outputs of [(6, 7, 3)]",
            ),
        ],
    )
    def test_what_the_text_says(self, good, tmp_path, change, message):
        path = altered(good, tmp_path / "bad", change)
        with pytest.raises(ModelFormatError, match=re.escape(message)) as caught:
            load(path)
        assert len(str(caught.value)) < 1000

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
            (lambda a: a.update(texts("ab")), "classes_:ends must be 3 numbers, got shape (2,)"),
            (lambda a: a.update(texts("aba")), f"{CLASSES}array(['a', 'b', 'a']"),
            (lambda a: a.update(texts("acb")), f"{CLASSES}array(['a', 'c', 'b']"),
            (lambda a: a.update(texts("abc", [1, 3, 2])), "texts that follow one another"),
            (lambda a: a.update(texts("abc", [-1, 2, 3])), "texts that follow one another"),
            (lambda a: a.update(texts("abc", [1, 2, 2])), "texts that follow one another"),
            (lambda a: a.update(texts("abc", [1.0, 2.0, 3.0])), "bytes and where each text ends"),
            (lambda a: a.update(texts(["a", "b", b"\xff"])), "can't decode byte 0xff"),
            (
                lambda a: a.update({LOSSES: np.ones(2, "f4")}),
                "loss_curve_ must be numbers of float",
            ),
            (lambda a: a.update({LOSSES: np.ones((1, 2))}), "loss_curve_ must be 1 to 1000000 num"),
            (lambda a: a.update({LOSSES: np.ones(10**6 + 1)}), "loss_curve_ must be 1 to 1000000"),
            (lambda a: a.update({LOSSES: np.array([1, np.inf])}), "loss_curve_ must be finite"),
            (lambda a: a.update({"x" * 10**5: np.ones(1)}), "every tensor must be used, got ['xxx"),
            (
                lambda a: a.update({"weight:conv1/b": np.array([0, np.nan, 0], np.float32)}),
                "conv1/b must be finite numbers, got nan to nan",
            ),
            (
                lambda a: a.update({"weight:conv1/b": np.ones(3, np.int32)}),
                "conv1/b must be of float32 and shape (3,), got int32",
            ),
        ],
    )
    def test_tensors(self, good, tmp_path, change, message):
        path = altered(good, tmp_path / "bad", tensors=change)
        with pytest.raises(ModelFormatError, match=re.escape(message)) as caught:
            load(path)
        assert len(str(caught.value)) < 1000

    @pytest.mark.parametrize(
        ("name", "value", "message"),
        [
            ("input/mean", None, "a tensor must hold the weights 'input/mean', got none"),
            ("input/scale", None, "a tensor must hold the weights 'input/scale', got none"),
            ("input/range", None, "a tensor must hold the weights 'input/range', got none"),
            ("targets/mean", None, "a tensor must hold the weights 'targets/mean', got none"),
            ("targets/scale", None, "a tensor must hold the weights 'targets/scale', got none"),
            ("input/mean", np.zeros(3), "input/mean must be of float32 and shape (2,), got float3"),
            ("input/mean", np.zeros((1, 2)), "and shape (2,), got float32 and (1, 2)"),
            ("input/range", np.zeros(1), "input/range must be of float32 and shape (2,), got floa"),
            ("targets/scale", np.ones(2), "targets/scale must be of float32 and shape (3,), got f"),
            ("input/mean", [0, np.nan], "input/mean must be finite numbers, got nan to nan"),
            ("input/range", [0, np.inf], "input/range must be finite numbers, got 0.0 to inf"),
            ("targets/mean", [0, -np.inf, 0], "targets/mean must be finite numbers, got -inf to"),
            *(
                (f"{of}/scale", [1, scale, 1][:count], f"{of}/scale must be finite numbers of at l")
                for of, count in (("input", 2), ("targets", 3))
                for scale in (0.0, -0.0, -1.0, 1e-40, np.nan, np.inf)
            ),
        ],
    )
    def test_scales(self, tmp_path, name, value, message):
        """They are divided by, and multiplied with, whatever they are."""
        path = tmp_path / "model"
        save(CNNRegressor(max_iter=1, random_state=0).fit(X, NUMBERS), path)

        def change(arrays):
            del arrays[f"weight:{name}"]
            if value is not None:
                arrays[f"weight:{name}"] = np.array(value, np.float32)

        with pytest.raises(ModelFormatError, match=re.escape(message)):
            load(altered(path, path, tensors=change))

    def test_a_classifier_has_no_scale_of_targets(self, good, tmp_path):
        def change(arrays):
            for name in ("mean", "scale"):
                arrays[f"weight:targets/{name}"] = np.ones(3, np.float32)

        path = altered(good, tmp_path / "bad", put("scales", ["input", "targets"]), change)
        with pytest.raises(ModelFormatError, match="scales must be of the input alone for a class"):
            load(path)

    @pytest.mark.parametrize("text", ["", "{", "[]", "3", "null", "[" * 10_000, '{"a":1,"a":2}'])
    def test_texts(self, good, tmp_path, text):
        with pytest.raises(ModelFormatError):
            load(altered(good, tmp_path / "bad", text=text))

    def test_another_safetensors_file(self, tmp_path):
        pytest.importorskip("safetensors.numpy").save_file({"x": np.ones(3)}, tmp_path / "other")
        with pytest.raises(ModelFormatError, match="got a file of another kind"):
            load(tmp_path / "other")

    def test_more_than_a_file(self, good, tmp_path):
        (tmp_path / "long").write_bytes(good.read_bytes() + b"x")
        with pytest.raises(ModelFormatError):
            load(tmp_path / "long")

    @pytest.mark.parametrize("header", [2**63, 2**40, 9 << 20, 0])
    def test_headers_that_promise_much(self, tmp_path, header):
        path = tmp_path / "bad"
        path.write_bytes(header.to_bytes(8, "little") + b"{}" * 20)
        with pytest.raises(ModelFormatError):
            load(path)

    @pytest.mark.skipif(
        SANITIZED,
        reason="the address sanitizer takes an eighth of all that is reserved",
    )
    def test_a_small_file_takes_little_memory(self, good, tmp_path):
        def huge(model):
            graph = {"layer": "Sequential", "layers": [{"layer": "GlobalAvgPool"}]}
            model.update(graph=graph, input_shape=[30_000, 30_000, 3], scales=[])

        def no_weights(arrays):
            for name in [name for name in arrays if name.startswith("weight:")]:
                del arrays[name]

        path = altered(good, tmp_path / "huge", huge, no_weights)
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        load(path)
        assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 64 << 10

    def test_no_file(self, tmp_path):
        with pytest.raises(FileNotFoundError):
            load(tmp_path / "nothing")
