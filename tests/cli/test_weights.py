"""The command `train` that starts from weights."""

import numpy as np
import pytest
import torch_files
from seeded import generator

from cnnkit import Network, load, models, save
from cnnkit.cli import weights
from cnnkit.models.foreign_names import tables

NAMES = {"w": "weight", "b": "bias", "gamma": "weight", "beta": "bias"}
NAMES |= {"mean": "running_mean", "var": "running_var"}


def state_dict(model, source, n_outputs=7, **options):
    """Weights at random of a narrow network under the names of a source, and the network."""
    graph = getattr(models, model)(None, (32, 32, 3), width=1 / 16, **options)
    network = Network(graph, (32, 32, 3), n_outputs)
    network.weights.initialise(generator(0))
    names = next(names for name, word, _, names in tables() if (name, word) == (model, source))
    found = {}
    for path, array in network.weights.items():
        layer, _, part = path.rpartition("/")
        axes = {4: (3, 2, 0, 1), 2: (1, 0)}.get(array.ndim, (0,))
        found[f"{names[layer]}.{NAMES.get(part, part)}"] = array.transpose(axes)
    return found, network


def written(path, mapping):
    path.write_bytes(torch_files.zipped(torch_files.state(mapping)))
    return path


@pytest.fixture
def train(run, photos, tmp_path):
    """Train on photos for one epoch: code, the classifier or None, stderr."""

    def train(*words, data=photos):
        path = tmp_path / "model.safetensors"
        more = ("--epochs", 1, "--output", path, "-f")
        if data == photos:
            more += ("--size", "32x32")
        code, _, err = run("train", data, *words, *more)
        return code, load(path) if code == 0 else None, err

    return train


@pytest.mark.parametrize("freeze", [True, False])
def test_weights_of_another_library(train, tmp_path, freeze):
    mapping, network = state_dict("efficientnet_lite0", "EfficientNet-PyTorch")
    path = written(tmp_path / "weights.pth", mapping)
    words = ("--model", "efficientnet_lite0", "--width", 1 / 16, "--weights", path)
    code, clf, err = train(*words, *(["--freeze"] if freeze else []))
    assert (code, err) == (0, "")
    found = clf.network_.weights
    changed = {path for path in network.weights if path in found and path.split("/")[0] != "dense1"}
    changed = {path for path in changed if (found[path] != network.weights[path]).any()}
    assert (changed == set()) == freeze
    assert clf.classes_.tolist() == ["left", "right"]
    assert (found["input/mean"] == 127).all()
    assert clf.initial_weights is None


def test_forms_of_networks_that_weights_need(train, tmp_path):
    mapping, network = state_dict("resnet50", "torchvision", strided="3x3")
    path = written(tmp_path / "resnet50.pt", mapping)
    words = ("--model", "resnet50", "--width", 1 / 16, "--weights", path, "--freeze")
    code, clf, err = train(*words)
    assert (code, err) == (0, "")
    name = "conv3_1/residual/body/conv1/w"
    assert (clf.network_.weights[name] == network.weights[name]).all()
    np.testing.assert_allclose(
        clf.network_.weights["input/mean"], 255 * np.array([0.485, 0.456, 0.406]), rtol=1e-6
    )


def test_a_plain_safetensors_file_and_other_preprocessing(train, tmp_path):
    package = pytest.importorskip("safetensors.numpy")
    mapping, _ = state_dict("resnet18", "torchvision")
    path = tmp_path / "weights.safetensors"
    package.save_file({name: np.ascontiguousarray(array) for name, array in mapping.items()}, path)
    words = ("--model", "resnet18", "--width", 1 / 16, "--weights", path, "--preprocessing")
    for word, mean in (("inception", 127.5), ("unit", 0)):
        assert (train(*words, word)[1].network_.weights["input/mean"] == mean).all()
    mean = train(*words, "data")[1].network_.weights["input/mean"]
    assert 60 < mean.mean() < 160
    assert len(set(mean)) == 3
    code, _, err = train("--model", "resnet18", "--weights", path)
    assert (code, "w must have shape" in err) == (1, True)


def test_a_model_file_keeps_its_network(train, run, tmp_path):
    first = tmp_path / "first.safetensors"
    code, clf, _ = train("--model", "lenet5")
    save(clf, first)
    code, again, err = train("--weights", first, "--freeze", "--seed", 3)
    assert (code, err) == (0, "")
    old, new = clf.network_.weights, again.network_.weights
    same = {path for path in old if (old[path] == new[path]).all()}
    heads = {path for path in old if path.startswith("dense")}
    assert {path for path in old if path not in same} <= heads
    assert not heads <= same
    code, _, err = train("--weights", first, "--model", "lenet5")
    assert (code, "--model: needs --weights without a network" in err) == (2, True)


def test_a_network_of_an_onnx_file(train, tmp_path):
    pytest.importorskip("onnx")
    from cnnkit import onnx

    _, network = state_dict("resnet18", "torchvision")
    onnx.write(network, tmp_path / "net.onnx")
    words = ("--weights", tmp_path / "net.onnx", "--freeze", "--preprocessing")
    code, clf, err = train(*words, "imagenet")
    assert (code, err) == (0, "")
    before = np.sort(network.weights["conv1/w"].ravel())
    (first,) = [
        a
        for path, a in clf.network_.weights.items()
        if path.startswith("conv1") and path.endswith("/w")
    ]
    assert (np.sort(first.ravel()) == before).all()
    assert clf.network_.graph.nodes[-1][0] == "head"
    for word, mean in (("none", 0), ("unit", 0)):
        assert (train(*words, word)[1].network_.weights["input/mean"] == mean).all()
    assert train(*words, "data")[1].network_.weights["input/mean"].min() > 60


def test_grey_photos_are_read_in_colour(train, tmp_path):
    image = pytest.importorskip("PIL.Image")
    for name in "ab":
        (tmp_path / "grey" / name).mkdir(parents=True)
        for k in range(4):
            pixels = generator(k).integers(0, 255, (32, 32), np.uint8)
            image.fromarray(pixels).save(tmp_path / "grey" / name / f"{k}.png")
    path = written(tmp_path / "weights.pth", state_dict("resnet18", "torchvision")[0])
    words = ("--model", "resnet18", "--width", 1 / 16, "--weights", path, "--freeze")
    code, clf, _ = train(*words, data=tmp_path / "grey")
    assert (code, clf.input_shape_) == (0, (32, 32, 3))


def test_what_is_refused(train, tmp_path):
    path = written(tmp_path / "weights.pth", state_dict("resnet18", "torchvision")[0])
    timm = written(tmp_path / "timm.pth", state_dict("efficientnet_lite0", "timm")[0])
    (tmp_path / "net.onnx").write_bytes(b"x")
    for words, code, message in (
        (("--freeze",), 2, "--freeze: needs --weights"),
        (("--preprocessing", "unit"), 2, "--preprocessing: needs --weights"),
        (("--weights", path), 2, "--weights: needs the --model that the weights are of"),
        (("--weights", path, "--model", "alexnet"), 1, "mapping must have the weights of layers"),
        (("--weights", tmp_path / "none.pth"), 1, "must be a file, and is none"),
        (("--weights", tmp_path / "net.onnx"), 2, "--preprocessing: must be none, data or one of"),
        (
            ("--weights", timm, "--model", "efficientnet_lite0", "--width", 1 / 16),
            1,
            "--preprocessing must be data or one of",
        ),
    ):
        found, _, err = train(*words)
        assert (found, message in err) == (code, True), err


@pytest.mark.parametrize("model", weights.VARIANTS)
def test_forms_are_of_networks(model):
    plain = models.MODELS[model](2, (64, 64, 3))
    for variant in weights.VARIANTS[model]:
        assert models.MODELS[model](2, (64, 64, 3), **variant).to_json() != plain.to_json()
