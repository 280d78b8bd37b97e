"""A small file takes little memory and little time, whatever it says; too much is refused."""

import json
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

import files
import loading
import numpy as np
import pytest
from estimator_data import X, Y, small
from oracles import SANITIZED

from cnnkit import Conv, Dense, Flatten, GlobalAvgPool, ReLU, Sequential, load, save
from cnnkit import io as model_files
from cnnkit.callbacks import Checkpoint
from cnnkit.estimators.learned_attributes import MOST_LETTERS
from cnnkit.exceptions import ModelFormatError
from cnnkit.training import checkpoints
from cnnkit.training.stopping import Epoch

BOUND = 64 << 20
measured = pytest.mark.skipif(
    SANITIZED or not loading.RESET.exists(),
    reason="the peak of memory is known on Linux alone, and not with the address sanitizer",
)
END = [{"layer": "GlobalAvgPool"}, {"layer": "Dense"}]
HEAD = {"weight:dense1/w": (1, 3), "weight:dense1/b": (3,)}


@pytest.fixture(scope="module")
def sound(tmp_path_factory):
    """The tensors and the model of a small file."""
    path = tmp_path_factory.mktemp("sound") / "model"
    save(small([GlobalAvgPool(), Dense()], max_iter=1).fit(X, Y % 3), path)
    arrays, text = files.read(path)
    return arrays, json.loads(text)


def write(sound, path, layers=None, tensors=None, **parts):
    """Write a file with other layers before a dense one, with other tensors or parts."""
    arrays, model = sound
    arrays, model = dict(arrays), dict(model)
    if layers is not None:
        model["graph"] = {"layer": "Sequential", "layers": [*layers, *END]}
    arrays |= tensors or {}
    files.write(path, arrays, json.dumps(model | parts))
    return path


def ones(shapes, dtype):
    return {name: np.ones(shape, dtype) for name, shape in shapes.items()}


def norms(count):
    names = ("gamma", "beta", "mean", "var")
    return {f"weight:batchnorm{i}/{name}": (1,) for i in range(1, count + 1) for name in names}


def filters(count):
    shapes = {"w": (1, 1, 1, 1), "b": (1,)}
    return {
        f"weight:conv1x1_{i}/{name}": shape
        for i in range(1, count + 1)
        for name, shape in shapes.items()
    }


def nested(layers, depth):
    for _ in range(depth):
        layers = [{"layer": "Sequential", "layers": layers}]
    return layers


GRAPHS = {  # layers, their weights, and an input shape of its own
    "nearest": ([{"layer": "UpSample", "scale": 1000}], {}),
    "bilinear": ([{"layer": "UpSample", "scale": 1000, "method": "bilinear"}], {}),
    "a large image": ([{"layer": "UpSample"}], {}, [2**14, 2**14, 1]),
    "many": ([{"layer": "SiLU"}] * 3_900, {}),
    "many, deep": (nested([{"layer": "ReLU"}] * 3_900, 28), {}),
    "norms": ([{"layer": "BatchNorm"}] * 2_400, norms(2_400)),
    "filters": ([{"layer": "Conv1x1", "filters": 1}] * 2_400, filters(2_400)),
    "branches": ([{"layer": "Add", "branches": [{"layer": "ReLU"}] * 3_000}], {}),
}


def hostile(sound, folder):
    """Write files, small or long, and return their paths by name."""
    dtype = sound[0]["weight:dense1/w"].dtype
    found = {}
    for name, (layers, shapes, *image) in GRAPHS.items():
        shape = image[0] if image else sound[1]["input_shape"]
        found[name] = write(sound, folder / name, layers, ones(shapes, dtype), input_shape=shape)
    learned = sound[1]["learned"]
    for name, text in (("one letter", "😀" + "a" * (MOST_LETTERS - 8)), ("long", "c" * 2**25)):
        texts = [b"a", b"b", text.encode()]
        found[name] = write(
            sound,
            folder / name,
            tensors={
                "learned:classes_": np.frombuffer(b"".join(texts), np.uint8),
                "learned:classes_:ends": np.cumsum([*map(len, texts)]),
            },
            learned=learned | {"classes_": "object"},
        )
    return found


@measured
def test_files_take_their_size_and_little_more(sound, tmp_path):
    """Binding, texts and shapes: what a few bytes stand for is not made when a file is read."""
    paths = hostile(sound, tmp_path)
    with ProcessPoolExecutor(1, get_context("spawn")) as pool:
        measured = {name: pool.submit(loading.measure, p, "model") for name, p in paths.items()}
        found = {name: result.result() for name, result in measured.items()}
    for name, (growth, _) in found.items():
        assert growth < BOUND + paths[name].stat().st_size, name
    refused = {name: reason for name, (_, reason) in found.items() if reason}
    assert f"classes_ must be 0 to {MOST_LETTERS} numbers" in refused.pop("long")
    large = {"nearest", "bilinear", "a large image"}  # for activations, where memory is short
    assert refused.keys() <= large, refused


@pytest.fixture
def checkpoint(tmp_path):
    """A checkpoint, its tensors and its text."""
    found = Checkpoint(tmp_path / "state", resume=True)
    small(max_iter=1, random_state=0).set_callbacks(found).fit(X, Y)
    return found, *files.read(found.path)


def epochs(count, start):
    """The figures of epochs that followed others."""
    rows = np.ones((count, len(checkpoints.FIGURES)))
    rows[:, 0] = np.arange(start + 1, start + count + 1)
    return rows


@measured
def test_a_long_checkpoint_takes_its_size_and_little_more(checkpoint):
    found, arrays, text = checkpoint
    before, most = checkpoints.MOST["before"], checkpoints.MOST["epochs"]
    arrays |= {"before": np.ones(before), "epochs": epochs(most, before)}
    files.write(found.path, arrays, text)
    with ProcessPoolExecutor(1, get_context("spawn")) as pool:
        growth, reason = pool.submit(loading.measure, found.path, "checkpoint").result()
    assert reason is None
    assert growth < BOUND + found.path.stat().st_size


@pytest.mark.parametrize("name", ["before", "epochs"])
def test_a_longer_checkpoint(checkpoint, name):
    found, arrays, text = checkpoint
    most = checkpoints.MOST[name]
    arrays[name] = epochs(most + 1, 0) if name == "epochs" else np.ones(most + 1)
    files.write(found.path, arrays, text)
    with pytest.raises(
        ModelFormatError, match=rf"{name} must be at most {most}, got shape .{most + 1}"
    ):
        found.read()


def test_a_fit_longer_than_a_checkpoint(tmp_path):
    """What could not be read is refused before training, not at the end of it."""
    clf = small(max_iter=checkpoints.MOST["epochs"] + 1)
    clf.set_callbacks(Checkpoint(tmp_path / "state"))
    with pytest.raises(
        ValueError, match=r"^Checkpoint: max_iter must be at most 100000, got 100001"
    ):
        clf.fit(X, Y)
    again = small(max_iter=1, warm_start=True).fit(X, Y)
    again.loss_curve_ = [1.0] * (checkpoints.MOST["before"] + 1)
    again.n_iter_, again.loss_ = len(again.loss_curve_), 1.0
    with pytest.raises(
        ValueError, match=r"^Checkpoint: loss_curve_ must be at most 500000, got 500001"
    ):
        again.set_callbacks(Checkpoint(tmp_path / "state")).fit(X, Y)


def test_figures_of_an_epoch():
    epoch = Epoch(1, 0.5, None, 2.0, None, None)
    assert list(epoch.figures()) == checkpoints.FIGURES


def test_more_layers_than_a_file_may_have(sound, tmp_path, monkeypatch):
    path = write(sound, tmp_path / "many", [{"layer": "ReLU"}] * (model_files.MOST_LAYERS - 1))
    with pytest.raises(ModelFormatError, match="graph must have at most 4000 layers, got 4001"):
        load(path)
    monkeypatch.setattr(model_files, "MOST_LAYERS", 3)
    clf = small([ReLU(), ReLU(), Flatten(), Dense()], max_iter=1).fit(X, Y)
    with pytest.raises(ValueError, match=r"^save: graph must have at most 3 layers, got 4"):
        save(clf, tmp_path / "model")


def test_labels_longer_than_a_file_may_have(tmp_path):
    names = np.array(["a", "b" * (MOST_LETTERS - 1)], object)
    clf = small(max_iter=1).fit(X, names[Y % 2])
    clf.classes_ = np.array(["a", "b" * MOST_LETTERS], object)
    with pytest.raises(
        ValueError, match=f"^save: classes_ must take at most {MOST_LETTERS} letters"
    ):
        save(clf, tmp_path / "model")
    clf.classes_ = names
    save(clf, tmp_path / "model")
    assert (load(tmp_path / "model").classes_ == names).all()


@pytest.mark.parametrize("depth", [1, 10, 20])
def test_every_level_is_wired_once(monkeypatch, depth):
    asked, wiring = [], Sequential.wiring
    monkeypatch.setattr(Sequential, "wiring", lambda self: (asked.append(self), wiring(self))[1])
    graph = Sequential([Conv(1)])
    for _ in range(depth):
        graph = Sequential([graph, ReLU()])
    graph.leaves()
    assert len(asked) == depth + 1
