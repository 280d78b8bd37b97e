"""Fitted estimators in files."""

import json

import files
import numpy as np
import pytest
from oracles import assert_same_bits
from seeded import generator
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.frozen import FrozenEstimator

import cnnkit
from cnnkit import (
    BatchNorm,
    CNNClassifier,
    CNNFeatures,
    CNNRegressor,
    Conv,
    Conv1x1,
    Dense,
    Dropout,
    GlobalAvgPool,
    ReLU,
    Residual,
    Sequential,
    gap_head,
    load,
    models,
    save,
)
from cnnkit.augmentation import Augment, Flip, Mixup, Rotate, Shift
from cnnkit.exceptions import ModelFormatError
from cnnkit.files.json_text import PARAMETERS
from cnnkit.schedules import Cosine

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


def copy(estimator, folder):
    """Return what comes back from a file."""
    save(estimator, folder / "model.safetensors")
    return load(folder / "model.safetensors")


def assert_same_learnt(a, b):
    names = {name for name in vars(b) if name.endswith("_") and name != "network_"}
    assert names == {name for name in vars(a) if name.endswith("_") and name != "network_"}
    for name in names:
        found, wanted = getattr(a, name), getattr(b, name)
        assert type(found) is type(wanted), name
        assert np.array_equal(found, wanted), name


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


class TestRoundTrip:
    def test_texts_of_any_letters(self, tmp_path):
        names = np.array(["", "a\0", "\ud800", "\U0001f600" * 3, "z" * 5000], object)
        clf = fitted(y=names[np.arange(30) % 5])
        assert copy(clf, tmp_path).classes_.tolist() == clf.classes_.tolist()

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
        assert_same_learnt(again, clf)
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

    def test_saving_over_the_file_it_came_from(self, good, tmp_path):
        path = tmp_path / "model"
        path.write_bytes(good.read_bytes())
        clf = load(path)
        before = clf.predict_proba(X)
        for _ in range(2):
            save(clf, path)
            assert (clf.predict_proba(X) == before).all()
            assert (load(path).predict_proba(X) == before).all()

    def test_the_file_is_plain_safetensors(self, good):
        safetensors = pytest.importorskip("safetensors")
        arrays = pytest.importorskip("safetensors.numpy").load_file(good)
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

    @pytest.mark.parametrize("y", [NUMBERS, NUMBERS[:, 0]], ids=["several", "one"])
    def test_regressors(self, y, tmp_path):
        reg = CNNRegressor(loss="huber", max_iter=2, random_state=0).fit(X, 50 * y)
        again = copy(reg, tmp_path)
        assert_same_bits(
            again.network_.weights["targets/scale"], reg.network_.weights["targets/scale"]
        )
        assert again.get_params() == reg.get_params()
        assert_same_learnt(again, reg)
        assert_same_bits(again.predict(X), reg.predict(X))
        assert again.partial_fit(X, y).n_iter_ == 3

    def test_several_labels(self, tmp_path):
        clf = fitted(y=NUMBERS > 0.5)
        again = copy(clf, tmp_path)
        assert_same_learnt(again, clf)
        assert_same_bits(again.predict_proba(X), clf.predict_proba(X))
        assert_same_bits(again.predict(X), clf.predict(X))

    def test_hyper_parameters_of_every_kind(self, tmp_path):
        clf = fitted(
            [("first", Conv(3)), BatchNorm(), "passthrough", gap_head()],
            X.reshape(30, -1),
            image_shape=[6, 7, 2],
            standardize=False,
            class_weight={"ant": 2, "bee": 0.5, "cat": 1.0},
            learning_rate=Cosine(warmup_epochs=1),
            augmentation=[Flip(), Augment([Shift(1), Rotate(5), Mixup(0.3)])],
            test_time_augmentation=2,
            frozen=("first",),
            early_stopping=True,
            ema_decay=0.9,
            max_time=None,
        )
        again = copy(clf, tmp_path)
        assert again.get_params() == clf.get_params()
        assert again.network_.frozen == clf.network_.frozen == ("first",)
        assert again.best_validation_score_ == clf.best_validation_score_
        assert_same_learnt(again, clf)
        assert_same_bits(again.predict_proba(X), clf.predict_proba(X))
        assert_same_bits(again.network_.weights.flat, clf.network_.weights.flat)

    def test_training_from_a_file_is_training_from_its_weights(self, tmp_path):
        clf = fitted(warm_start=True)
        again = copy(clf, tmp_path).fit(X, LABELS["str"])
        assert_same_bits(
            again.network_.weights.flat, clf.fit(X, LABELS["str"]).network_.weights.flat
        )
        assert again.loss_curve_ == clf.loss_curve_

    @pytest.mark.parametrize("make", [clone, FrozenEstimator], ids=["trained", "frozen"])
    @pytest.mark.parametrize("kind", [CNNClassifier, CNNRegressor])
    def test_features(self, make, kind, tmp_path):
        y = LABELS["int"]
        inner = kind(max_iter=1, random_state=0).fit(X, y)
        features = CNNFeatures(make(inner), node="relu1", random_state=3).fit(X, y)
        again = copy(features, tmp_path)
        assert type(again) is CNNFeatures
        assert str(again) == str(features)
        assert type(again.estimator) is type(features.estimator)
        if make is FrozenEstimator:
            assert again.estimator.estimator is again.estimator_
        assert (again.node_, again.feature_shape_) == ("relu1", (6, 7, 32))
        assert_same_bits(again.transform(X), features.transform(X))
        assert_same_bits(again.estimator_.predict(X), features.estimator_.predict(X))
        assert list(again.get_feature_names_out()) == list(features.get_feature_names_out())
        assert_same_bits(again.fit(X, y).transform(X), features.fit(X, y).transform(X))

    def test_schedules_augmentations_and_dicts_are_plain_data(self):
        from cnnkit.files import json_text

        for value in (Cosine(2), Augment([Flip(), Mixup()]), {"a": 1, 2: (3.5, None)}):
            text = json.dumps(json_text.encode(value, "x", "save", PARAMETERS))
            assert json_text.decode(json.loads(text), "x", "load", PARAMETERS) == value

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

    @pytest.mark.parametrize("kind", ["dict", "Weights", "CNNClassifier"])
    def test_given_weights(self, kind, tmp_path):
        start = fitted()
        source = {"dict": dict(start.network_.weights), "Weights": start.network_.weights}
        clf = fitted(initial_weights=source.get(kind, start))
        with pytest.raises(ValueError, match=f"^save: initial_weights must be None, got a {kind}"):
            save(clf, tmp_path / "model")
        again = copy(clf.set_params(initial_weights=None), tmp_path)
        assert_same_bits(again.predict_proba(X), clf.predict_proba(X))

    def test_what_features_hold(self, tmp_path):
        class Mine(CNNClassifier):
            pass

        features = CNNFeatures(Mine(max_iter=1)).fit(X, LABELS["int"])
        with pytest.raises(TypeError, match=r"save: estimator must be one of .*got Mine"):
            save(features, tmp_path / "model")

    def test_random_states(self, tmp_path):
        clf = CNNClassifier(max_iter=1, random_state=np.random.RandomState(0))
        with pytest.raises(ValueError, match="save: random_state must be None"):
            save(clf.fit(X, LABELS["int"]), tmp_path / "model")

    @pytest.mark.parametrize(
        ("change", "message"),
        [
            ({"n_iter_no_change": 0}, "'n_iter_no_change' parameter"),
            ({"max_iter": 0}, "'max_iter' parameter"),
            ({"test_time_augmentation": 2}, "test_time_augmentation must be 0 without"),
            ({"image_shape": (9, 9)}, r"image_shape must be \(6, 7, 2\) as X is, got \(9, 9\)"),
            ({"layers": [5]}, "node 'int1' must be a layer"),
            ({"layers": [Conv(3)]}, "layers must end in 3 numbers, one per class"),
            ({"layers": [Conv(3, 9, padding="valid"), Dense()]}, "node 'conv1'"),
            ({"frozen": ["x"]}, "frozen must be names of layers"),
            ({"learning_rate": Cosine(warmup_epochs="x")}, "warmup_epochs must be"),
            ({"augmentation": [Shift(100)]}, "Shift"),
        ],
    )
    def test_what_no_fit_would_take(self, tmp_path, change, message):
        """And the file there is stays."""
        clf = fitted()
        save(clf, tmp_path / "model")
        for estimator in (clf, CNNFeatures(FrozenEstimator(clf)).fit(X)):
            clf.set_params(**change)
            with pytest.raises((TypeError, ValueError), match=message):
                save(estimator, tmp_path / "model")
        assert load(tmp_path / "model").classes_.tolist() == ["ant", "bee", "cat"]

    def test_a_variance_below_zero(self, tmp_path):
        clf = fitted([Conv(3), BatchNorm(), GlobalAvgPool()])
        save(clf, tmp_path / "model")
        clf.network_.weights["batchnorm1/var"][1] = -1
        with pytest.raises(ValueError, match=r"batchnorm1/var must be .* of at least 0"):
            save(clf, tmp_path / "model")
        path = tmp_path / "model"
        bad = {"weight:batchnorm1/var": np.array([1, -1, 1], np.float32)}
        with pytest.raises(ModelFormatError, match=r"batchnorm1/var must be .* of at least 0"):
            load(altered(path, path, tensors=lambda arrays: arrays.update(bad)))

    def test_what_was_learnt_and_changed(self, tmp_path):
        for name, value in (("loss_curve_", [np.inf]), ("n_iter_", 7), ("classes_", np.arange(4))):
            clf = fitted()
            setattr(clf, name, value)
            with pytest.raises(ValueError, match=f"{name} must|loss_ must"):
                save(clf, tmp_path / "model")

    def test_labels_without_a_type_in_files(self, tmp_path):
        clf = fitted(y=LABELS["float"].astype(np.longdouble))
        with pytest.raises(ValueError, match="classes_ must be numbers or text, got array"):
            save(clf, tmp_path / "model")

    def test_weights_that_are_no_numbers(self, tmp_path):
        clf = fitted([Conv(3), GlobalAvgPool()])
        clf.network_.weights["conv1/w"][1, 1] = np.nan
        with pytest.raises(ValueError, match="save: conv1/w must be finite numbers, got nan"):
            save(clf, tmp_path / "model")
        assert not list(tmp_path.iterdir())
