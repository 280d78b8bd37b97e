"""Checkpoints of another fit, strange files, and what can never be written."""

import json
import types

import files
import numpy as np
import pytest
from estimator_data import (
    DROPPING,
    NUMBERS,
    SMALL,
    Brighten,
    X,
    Y,
    own,
    regressor,
    small,
)

from cnnkit import (
    Conv,
    ReLU,
)
from cnnkit.callbacks import Callback, Checkpoint
from cnnkit.estimators.resume import describe
from cnnkit.exceptions import ModelFormatError
from cnnkit.schedules import Cosine, Schedule
from cnnkit.training.checkpoints import FIGURES


class Slower(Schedule):
    """A schedule of one's own."""

    def __init__(self, share=0.5):
        self.share = share

    def multiplier(self, step, run):
        return self.share


class Kinds(ReLU):
    """A layer of one's own with a set, whose order differs from process to process."""

    def __init__(self, kinds=frozenset("abcdefgh")):
        self.kinds = kinds


def test_hyper_parameters_of_many_parts(tmp_path):
    """Of which a checkpoint holds a sum."""
    checkpoint = Checkpoint(tmp_path / "state", resume=True)
    many = dict.fromkeys(range(100000), 1.0)
    clf = small(class_weight=many, max_iter=1, learning_rate="constant")
    clf.set_callbacks(checkpoint).fit(X, Y)
    assert clf.set_params(max_iter=2).fit(X, Y).n_iter_ == 2
    with pytest.raises(ValueError, match="got another class_weight: 100000 entries, sum "):
        clf.set_params(class_weight=many | {5: 2.0}).fit(X, Y)


@pytest.mark.parametrize("options", [{"every": 5}, {"resume": True}])
def test_what_can_never_be_written_is_refused_before_training(tmp_path, options):
    class Never(Callback):
        def on_epoch_end(self, estimator, epoch):
            pytest.fail("an epoch was trained")

    def fit(path):
        small().set_callbacks(Never(), Checkpoint(path, **options)).fit(X, Y)

    with pytest.raises(FileNotFoundError, match="none/state"):
        fit(tmp_path / "none" / "state")
    with pytest.raises(IsADirectoryError, match=tmp_path.name):
        fit(tmp_path)
    with pytest.raises(TypeError, match="Checkpoint: path must be a str, bytes or path-like, got"):
        fit(None)
    with pytest.raises(ValueError, match="Checkpoint: path must be a file's name"):
        fit("")
    for monitor in ("validation_loss", "validation_score"):
        with pytest.raises(ValueError, match=f"monitor {monitor!r} must be known"):
            small().set_callbacks(Never(), Checkpoint("x", monitor=monitor)).fit(X, Y)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"monitor": "accuracy"}, r"Checkpoint: monitor must be one of \('loss', .*got 'accuracy'"),
        ({"monitor": "validation_loss"}, "Checkpoint: monitor 'validation_loss' must be known, gi"),
        ({"every": 0}, "Checkpoint: every must be a positive int, got 0"),
    ],
)
def test_bad_options(tmp_path, options, message):
    with pytest.raises(ValueError, match=message):
        small().set_callbacks(Checkpoint(tmp_path / "x", **options)).fit(X, Y)


def test_what_cannot_be_gone_on_from(tmp_path):
    checkpoint = Checkpoint(tmp_path / "state", resume=True)
    with pytest.raises(ValueError, match="resume=False with solver='lbfgs'"):
        small(solver="lbfgs").set_callbacks(checkpoint).fit(X, Y)
    with pytest.raises(ValueError, match="one Checkpoint at most must have resume=True, got 2"):
        small().set_callbacks(checkpoint, checkpoint).fit(X, Y)


@pytest.mark.parametrize(
    ("options", "images", "y", "name"),
    [
        ({"batch_size": 7}, X, Y, "batch_size: 'auto' in the place of 7"),
        ({"max_iter": 5}, X, Y, "max_iter: 2 in the place of 5"),
        ({"layers": DROPPING}, X, Y, "layers"),
        ({"random_state": 12345}, X, Y, "random_state: one that gives"),
        ({"learning_rate": Cosine()}, X, Y, "learning_rate: 'auto' in the place of"),
        ({}, X[1:], Y[1:], r"X: float64 \(120, 8, 8, 1\), sum .* in the place of float64 \(119,"),
        ({}, X[:, ::-1], Y, "X: float64"),
        ({}, X.astype("f4"), Y, "X: float64 .* in the place of float32"),
        ({}, X, np.roll(Y, 1), "targets: "),
    ],
)
def test_another_fit_is_refused(tmp_path, options, images, y, name):
    checkpoint = Checkpoint(tmp_path / "state", resume=True)
    small().set_callbacks(checkpoint).fit(X, Y)
    clf = small(**options).set_callbacks(checkpoint)
    with pytest.raises(ValueError, match=f"of the same fit, got another {name}"):
        clf.fit(images, y)
    assert not hasattr(clf, "network_")


@pytest.mark.parametrize(
    ("one", "other", "name"),
    [
        ({"layers": own()}, {"layers": own("valid")}, r"layers\[0\].padding: 'same' in the place"),
        ({"layers": own()}, {"layers": SMALL}, r"layers\[1\]: .*Clipped in the place of .*ReLU"),
        ({"layers": own()}, {"layers": own()[1:]}, "layers: 5 entries in the place of 4 entries"),
        (
            {"learning_rate": Slower(), "max_iter": 2},
            {"learning_rate": Slower(0.1), "max_iter": 2},
            "learning_rate.share: 0.5 in the place of 0.1",
        ),
        (
            {"augmentation": [Brighten()]},
            {"augmentation": [Brighten(1)]},
            r"augmentation\[0\].most: 0.1 in the place of 1",
        ),
        (
            {"initial_weights": {"conv1/w": np.ones((3, 3, 1, 6))}},
            {"initial_weights": {"conv1/w": np.zeros((3, 3, 1, 6))}},
            "start: float64 weights after 0 epochs, sum .* in the place of float64 weights after",
        ),
        (
            {"class_weight": {0: 1, 1: 2}},
            {"class_weight": {0: 1, 1: 3}},
            r"class_weight\[1\]: 2 in the place of 3",
        ),
    ],
)
def test_another_of_ones_own_is_refused(tmp_path, one, other, name):
    checkpoint = Checkpoint(tmp_path / "state", resume=True)
    y = Y % 2
    small(**one).set_callbacks(checkpoint).fit(X, y)
    with pytest.raises(ValueError, match=f"of the same fit, got another {name}"):
        small(**other).set_callbacks(checkpoint).fit(X, y)


def test_sets_are_described_in_order():
    estimator = small([Conv(6, 3), Kinds(), *SMALL[2:]])
    data = types.SimpleNamespace(X=X, targets=Y, weights=None, groups=None)
    found = describe(estimator, 0, "", data, None)
    assert found["layers[1].kinds"] == f"frozenset of {sorted(map(repr, 'abcdefgh'))}"


def test_another_class_is_refused(tmp_path):
    checkpoint = Checkpoint(tmp_path / "state", resume=True)
    small().set_callbacks(checkpoint).fit(X, Y)
    message = "got another estimator: .*CNNClassifier in the place of .*CNNRegressor. Remove"
    with pytest.raises(ValueError, match=message):
        regressor().set_callbacks(checkpoint).fit(X, NUMBERS)


def test_folds_that_share_a_checkpoint(tmp_path):
    checkpoint = Checkpoint(tmp_path / "state", resume=True)
    small().set_callbacks(checkpoint).fit(X[:60], Y[:60])
    with pytest.raises(ValueError, match="All fits of a search write to one file: there, give no"):
        small().set_callbacks(checkpoint).fit(X[60:], Y[60:])


def spoilt(path, change):
    """Write the checkpoint anew, its data and tensors changed."""
    arrays, text = files.read(path)
    data = json.loads(text)
    change(data, arrays)
    files.write(path, arrays, json.dumps(data))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda d, a: d.update(format="cnnkit model 1"), "format must be 'cnnkit checkpoint 1'"),
        (lambda d, a: d.pop("seed"), "a file must have"),
        (lambda d, a: d.update(seed=-1), "seed must be a count, got -1"),
        (lambda d, a: d.update(steps=1 << 64), "steps must be a count"),
        (lambda d, a: d.update(generators=[]), "generators must be an object"),
        (lambda d, a: d["generators"].pop("order"), r"generators must be \['dropout', 'order'\]"),
        (lambda d, a: d["generators"].update(order={}), "generators must have sound states"),
        (lambda d, a: d["generators"]["order"]["state"].update(inc=-1), "generators must have so"),
        (lambda d, a: a.pop("epochs"), "epochs must be a tensor of rows"),
        (lambda d, a: a.update(epochs=a["epochs"][::-1].copy()), "epochs must follow one another"),
        (lambda d, a: a.update(epochs=a["epochs"][:0]), "epochs must follow one another"),
        (lambda d, a: a.update(before=a["before"].astype("f4")), "before must be a tensor of loss"),
        (lambda d, a: a.pop("vector:moment 1"), "vectors must be"),
        (lambda d, a: a["vector:weights"].fill(np.nan), "vector:weights must be finite"),
        (lambda d, a: a["vector:moment 0"].fill(np.nan), "Checkpoint: moment 0 must be from -1.8"),
        (lambda d, a: a["vector:moment 0"].fill(np.inf), "Checkpoint: moment 0 must be from -1.8"),
        (lambda d, a: a["vector:moment 1"].fill(np.nan), "moment 1 must be from 0 to inf, got nan"),
        (lambda d, a: a["vector:moment 1"].fill(-1), "moment 1 must be from 0 to inf, got -1"),
        (lambda d, a: a["epochs"][:, FIGURES.index("seconds")].fill(np.nan), "seconds must be fin"),
        (lambda d, a: a.update(before=np.array([np.inf])), "before must be finite"),
        (lambda d, a: a.update({"vector:weights": np.zeros(3, "f4")}), "vectors must be"),
    ],
)
def test_strange_files(tmp_path, change, message):
    path = tmp_path / "state"
    checkpoint = Checkpoint(path, resume=True)
    small().set_callbacks(checkpoint).fit(X, Y)
    spoilt(path, change)
    with pytest.raises(ModelFormatError, match=message):
        small().set_callbacks(checkpoint).fit(X, Y)
