"""What `cnnkit.onnx.write` writes: inputs, answers, refusals."""

import numpy as np
import pytest
from onnx_runs import (
    assert_labels,
    assert_near,
    check,
    defined,
    images,
    network_of,
    operators,
    outputs,
    read,
)
from seeded import generator
from sklearn.exceptions import NotFittedError

from cnnkit import (
    Add,
    CNNClassifier,
    CNNFeatures,
    CNNRegressor,
    Conv,
    Dense,
    Dropout,
    Flatten,
    Graph,
    Identity,
    Input,
    Network,
    ReLU,
    Sequential,
    onnx,
)
from cnnkit.augmentation import Flip

LAYERS = [Conv(4), ReLU(), Conv(3, stride=2), Flatten(), Dense()]
COLOUR = (6, 5, 3)


def training_set(shape=COLOUR, n=24, classes=("ant", "bee", "cow")):
    rng = generator(0)
    y = np.resize(classes, n)
    X = rng.integers(0, 256, (n, *shape))
    return (X + 40 * np.arange(n).reshape(n, *[1] * len(shape)) % len(classes)).astype(float), y


def fitted(kind=CNNClassifier, X=None, y=None, **params):
    given = training_set()
    X, y = given[0] if X is None else X, given[1] if y is None else y
    return kind(LAYERS, max_iter=1, random_state=0, **params).fit(X.astype("float32"), y)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "model.onnx"


@pytest.fixture(scope="module")
def classifier():
    return fitted()


@pytest.fixture
def forms():
    X = training_set()[0].astype("float32")
    return {
        "channels_last": X,
        "channels_first": X.transpose(0, 3, 1, 2),
        "rows": X.reshape(len(X), -1),
    }


class TestInput:
    @pytest.mark.parametrize("data_format", ["channels_last", "channels_first", "rows"])
    @pytest.mark.parametrize(
        "dtype", ["uint8", "int8", "int16", "uint16", "int32", "int64", "float16", "float64", None]
    )
    def test_images_of_any_kind(self, classifier, forms, data_format, dtype, path):
        X = forms[data_format].astype(dtype or "float32")
        onnx.write(classifier, path, data_format=data_format, input_dtype=dtype)
        found = outputs(path, X)
        as_ours = {
            "channels_last": X,
            "channels_first": X.transpose(0, 2, 3, 1) if X.ndim == 4 else X,
            "rows": X,
        }[data_format]
        assert_near(found["probabilities"], classifier.predict_proba(as_ours))
        assert_labels(found["label"], classifier, as_ours)

    def test_one_transpose_and_none_for_channels_first(self, classifier, path):
        for data_format, count in (("channels_last", 1), ("channels_first", 0), ("rows", 1)):
            onnx.write(classifier, path, data_format=data_format)
            assert operators(read(path)).count("Transpose") == count

    def test_grey_images_need_no_transpose(self, path):
        X, y = training_set((6, 5))
        onnx.write(fitted(X=X, y=y), path)
        assert "Transpose" not in operators(read(path))

    def test_uint8_without_standardisation(self, path):
        X = training_set()[0].astype(np.uint8)
        clf = CNNClassifier(LAYERS, standardize=False, max_iter=1, random_state=0)
        clf.fit(X, training_set()[1])
        onnx.write(clf, path, input_dtype="uint8")
        assert_near(outputs(path, X)["probabilities"], clf.predict_proba(X))
        network = network_of(Conv(2), COLOUR, generator(1))
        check(network, X, path, input_dtype="uint8")

    def test_large_integers_are_standardised_before_they_are_rounded(self, path):
        rng = generator(2)
        X = 2**26 + rng.integers(0, 100, (24, *COLOUR), np.int32)
        clf = CNNClassifier(LAYERS, max_iter=1, random_state=0).fit(X, training_set()[1])
        onnx.write(clf, path, input_dtype="int32")
        assert_near(outputs(path, X)["probabilities"], clf.predict_proba(X))

    def test_rows_are_the_default_with_image_shape_and_for_tables(self, path):
        X, y = training_set()
        rows = X.reshape(len(X), -1)
        for clf in (
            fitted(X=rows, image_shape=COLOUR),
            CNNClassifier(max_iter=1, random_state=0).fit(rows, y),
        ):
            onnx.write(clf, path)
            assert_near(
                outputs(path, rows.astype("float32"))["probabilities"], clf.predict_proba(rows)
            )

    def test_any_number_of_images(self, classifier, forms, path):
        onnx.write(classifier, path)
        for n in (0, 1, 2, 17):
            assert outputs(path, forms["channels_last"][:n])["probabilities"].shape == (n, 3)


class TestAnswers:
    @pytest.mark.parametrize(
        "classes",
        [
            *((0, 1, 2), (5, -3, 9), ("b", "ä", "c"), (-1.0, 0.0, 2.0), (False, True)),
            np.array([1, 2, 2**63], np.uint64),
            np.array([3, 2, 1], np.int8),
            np.array(["x", "yy", "z"], object),
        ],
        ids=str,
    )
    def test_labels_of_any_kind(self, classes, path):
        X, y = training_set(classes=classes)
        y = np.resize(np.asarray(classes), len(X))
        clf = fitted(X=X, y=y)
        onnx.write(clf, path)
        found = outputs(path, X.astype("float32"))
        assert_labels(found["label"], clf, X)
        assert_near(found["probabilities"], clf.predict_proba(X))

    def test_logits(self, classifier, forms, path):
        onnx.write(classifier, path, output="logits")
        found = outputs(path, forms["channels_last"])
        assert list(found) == ["logits"]
        assert_near(found["logits"], classifier.decision_function(forms["channels_last"]))

    def test_several_labels(self, path):
        X, _ = training_set()
        clf = fitted(y=generator(3).integers(0, 2, (len(X), 4)))
        onnx.write(clf, path)
        found = outputs(path, X.astype("float32"))
        assert_labels(found["label"], clf, X)
        assert_near(found["probabilities"], clf.predict_proba(X))

    @pytest.mark.parametrize("count", [1, 3])
    @pytest.mark.parametrize("standardize", [True, False])
    def test_targets_in_their_units(self, count, standardize, path):
        X, _ = training_set()
        y = 1000 + 50 * X.mean(axis=(1, 2))[:, :count]
        y = y[:, 0] if count == 1 else y
        reg = fitted(CNNRegressor, y=y, standardize_targets=standardize)
        onnx.write(reg, path)
        assert_near(outputs(path, X.astype("float32"))["prediction"], reg.predict(X))

    @pytest.mark.parametrize("standardize", [True, False])
    def test_a_log_link(self, standardize, path):
        X, _ = training_set()
        y = 1000 + 50 * X.mean(axis=(1, 2))[:, :2]
        options = {"loss": "poisson", "standardize_targets": standardize}
        reg = fitted(CNNRegressor, y=y if standardize else y / 1000, **options)
        onnx.write(reg, path)
        assert_near(outputs(path, X.astype("float32"))["prediction"], reg.predict(X))

    @pytest.mark.parametrize("node", ["relu1", "flatten1", None])
    def test_features(self, node, path):
        X, y = training_set()
        estimator = CNNClassifier(LAYERS, max_iter=1, random_state=0)
        features = CNNFeatures(estimator, node=node).fit(X.astype("float32"), y)
        onnx.write(features, path)
        assert_near(outputs(path, X.astype("float32"))["features"], features.transform(X))

    def test_several_inputs_and_outputs(self, path):
        depth, colour = Input(name="depth"), Input(name="colour")
        joined = Add()(Conv(3)(depth, name="a"), Conv(3)(colour, name="b"), name="sum")
        graph = Graph.from_outputs([ReLU()(joined, name="relu"), joined], [depth, colour])
        rng, shapes = generator(4), {"depth": (6, 5, 1), "colour": COLOUR}
        network = network_of(graph, shapes, rng)
        for data_format in ("channels_last", "channels_first"):
            check(network, images(shapes, rng), path, data_format=data_format)

    def test_an_output_that_is_an_input_and_one_twice(self, path):
        x = Input()
        y = ReLU()(x, name="y")
        graph = Graph.from_outputs([Identity()(x, name="same"), y, Dropout()(y, name="again")])
        rng = generator(5)
        check(network_of(graph, COLOUR, rng), images(COLOUR, rng), path)


class TestNumbers:
    def test_float32_whatever_it_was_trained_in(self, path):
        X, y = training_set()
        clf = CNNClassifier(LAYERS, max_iter=1, random_state=0).fit(X, y)
        assert clf.network_.dtype == np.float64
        onnx.write(clf, path)
        assert_near(outputs(path, X.astype("float32"))["probabilities"], clf.predict_proba(X))
        onnx.write(clf, path, dtype=np.float64)
        assert_near(defined(path, X)["probabilities"], clf.predict_proba(X), "float64")

    def test_the_file_is_as_large_as_the_weights(self, path):
        network = network_of(
            Sequential([Conv(64), Flatten(), Dense(50)]), (16, 16, 8), generator(6)
        )
        onnx.write(network, path)
        assert path.stat().st_size < network.weights.flat.nbytes + 2_000


class Doubled(ReLU):
    """A layer of one's own: what its class computes nobody knows."""


class Halved(ReLU):
    """A layer of one's own that says how it is written."""

    def to_onnx(self, step):
        return step.like(step.node("Mul", step.x.tensor, step.constant("half", 0.5)))


class TestOwnLayers:
    def test_all_that_cannot_be_written_are_named(self, path):
        graph = Sequential([Doubled(), ReLU(), ("last", Doubled())])
        with pytest.raises(ValueError, match="or have a method to_onnx, got Doubled at"):
            onnx.write((graph, {}, (4, 4, 2)), path)
        assert not path.exists()

    def test_a_layer_says_how(self, path):
        onnx.write((Sequential([Halved()]), {}, (4, 4, 2)), path)
        X = images((4, 4, 2), generator(7))
        assert_near(outputs(path, X)["halved1"], X / 2)


class TestRefusals:
    @pytest.mark.parametrize(
        ("options", "message"),
        [
            ({"output": "margin"}, "output must be one of 'probabilities', 'logits', got 'margin'"),
            ({"data_format": "NCHW"}, "data_format must be one of"),
            ({"input_dtype": "text"}, "input_dtype must be a type of real numbers .*, got 'text'"),
            ({"input_dtype": "complex64"}, "input_dtype must be a type of real numbers"),
            ({"dtype": "float16"}, "dtype must be one of 'float32', 'float64', got 'float16'"),
            ({"opset": 12}, "opset must be an int from 13 to 2., got 12"),
            ({"opset": 99}, "opset must be an int from 13 to 2., got 99"),
            ({"opset": 17.5}, "opset must be"),
        ],
    )
    def test_options(self, classifier, options, message, path):
        with pytest.raises((TypeError, ValueError), match=f"^onnx.write: {message}"):
            onnx.write(classifier, path, **options)
        assert not path.exists()

    def test_models(self, classifier, path):
        with pytest.raises(TypeError, match=r"^onnx.write: model must be a CNNClassifier"):
            onnx.write("model.safetensors", path)
        with pytest.raises(TypeError, match=r"^onnx.write: graph must be one"):
            onnx.write(([ReLU()], {}, (2, 2, 1)), path)
        with pytest.raises(TypeError, match=r"^onnx.write: weights must be a mapping"):
            onnx.write((Sequential([ReLU()]), [], (2, 2, 1)), path)
        with pytest.raises(NotFittedError):
            onnx.write(CNNClassifier(), path)
        with pytest.raises(ValueError, match=r"^onnx.write: output must be None for all but"):
            onnx.write(classifier.network_, path, output="logits")

    def test_predictions_that_are_drawn(self, path):
        clf = fitted(augmentation=[Flip()], test_time_augmentation=2)
        with pytest.raises(ValueError, match="test_time_augmentation must be 0"):
            onnx.write(clf, path)

    def test_weights_that_are_not_finite(self, path):
        network = Network(Sequential([Dense(2)]), (3,), None, dtype="float64")
        network.weights["dense1/w"][0] = 1e300
        with pytest.raises(ValueError, match="dense1/w must be finite in float32"):
            onnx.write(network, path)
        onnx.write(network, path, dtype="float64")

    def test_the_old_file_stays(self, classifier, path):
        path.write_text("old")
        with pytest.raises(ValueError, match="opset"):
            onnx.write(classifier, path, opset=1)
        assert path.read_text() == "old"
        with pytest.raises(OSError, match="folder"):
            onnx.write(classifier, path.parent)


def test_weights_by_path_with_their_scales(classifier, forms, path):
    network = classifier.network_
    graph = Sequential([*LAYERS[:-1], Dense(3)])
    onnx.write((graph, dict(network.weights), COLOUR), path)
    found = outputs(path, forms["channels_last"])
    assert_near(found["dense1"], classifier.decision_function(forms["channels_last"]))
