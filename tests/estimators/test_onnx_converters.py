"""Pipelines with a network in them are converted by skl2onnx."""

import warnings

import numpy as np
import pytest
from onnx_runs import assert_labels, assert_near, onnx_package, runtime
from sklearn.calibration import CalibratedClassifierCV
from sklearn.datasets import load_digits
from sklearn.ensemble import VotingClassifier, VotingRegressor
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from cnnkit import CNNClassifier, CNNFeatures, CNNRegressor, Resize, UpSample, fc_head, onnx

skl2onnx = pytest.importorskip("skl2onnx", reason="skl2onnx is not installed")

X, Y = load_digits(return_X_y=True)
X, Y = X[:150].astype("float32"), Y[:150]
NAMES = np.array([f"digit {k}" for k in range(10)])
PLAIN = {"zipmap": False}


@pytest.fixture(autouse=True)
def _registered():
    onnx.register_skl2onnx()
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", category=DeprecationWarning)
        warnings.filterwarnings("ignore", module="skl2onnx")
        yield


def network(kind=CNNClassifier, **params):
    return kind(image_shape=(8, 8), max_iter=1, random_state=0, **params)


def converted(model, given=X, **options):
    """Return the outputs of a converted model, in order."""
    made = skl2onnx.to_onnx(model, given[:1], options=options.get("options"))
    onnx_package.checker.check_model(made)
    settings = runtime.SessionOptions()
    settings.log_severity_level = 4
    session = runtime.InferenceSession(made.SerializeToString(), settings)
    return session.run(None, {session.get_inputs()[0].name: given})


@pytest.mark.parametrize("labels", [Y, NAMES[Y], Y % 2, Y.astype(float)], ids=str)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_a_pipeline(labels, dtype):
    model = make_pipeline(StandardScaler(), network()).fit(X, labels)
    found, shares = converted(model, X.astype(dtype), options=PLAIN)
    assert shares.dtype == dtype
    assert (found == model.predict(X)).all()
    assert_near(shares, model.predict_proba(X))


def test_zipmap():
    model = make_pipeline(StandardScaler(), network()).fit(X, NAMES[Y])
    _, maps = converted(model)
    shares = np.array([[row[name] for name in model.classes_] for row in maps])
    assert_near(shares, model.predict_proba(X))
    _, *columns = converted(model, options={id(model[-1]): {"zipmap": "columns"}})
    assert_near(np.stack(columns, 1).squeeze(), model.predict_proba(X))


@pytest.mark.parametrize("labels", [Y, Y % 2], ids=["ten", "two"])
def test_raw_scores(labels):
    model = make_pipeline(StandardScaler(), network()).fit(X, labels)
    _, scores = converted(model, options={CNNClassifier: PLAIN | {"raw_scores": True}})
    wanted = model.decision_function(X)
    assert_near(scores if wanted.ndim == 2 else scores[:, 1], wanted)
    assert wanted.ndim == 2 or (scores[:, 0] == -scores[:, 1]).all()


def test_no_class_labels_and_their_list():
    model = network().fit(X, NAMES[Y])
    places, _ = converted(model, options={CNNClassifier: PLAIN | {"nocl": True}})
    assert (model.classes_[places] == model.predict(X)).all()
    *_, names = converted(model, options={CNNClassifier: PLAIN | {"output_class_labels": True}})
    assert (names == model.classes_).all()


@pytest.mark.parametrize("labels", [NAMES[Y], Y % 2], ids=["text", "two"])
def test_calibration(labels):
    model = CalibratedClassifierCV(network(), cv=2).fit(X, labels)
    found, shares = converted(model, options=PLAIN)
    assert (found == model.predict(X)).all()
    assert_near(shares, model.predict_proba(X))


@pytest.mark.parametrize("voting", ["soft", "hard"])
def test_voting(voting):
    others = [("linear", LogisticRegression(max_iter=500)), ("network", network())]
    model = VotingClassifier(others, voting=voting, flatten_transform=False).fit(X / 16, Y)
    found, _ = converted(model, X / 16, options=PLAIN)
    assert (found == model.predict(X / 16)).all()


def test_regressors():
    for targets in (Y * 100.0, np.stack([Y, -Y], 1) * 1.0):
        model = make_pipeline(StandardScaler(), network(CNNRegressor)).fit(X, targets)
        (found,) = converted(model)
        assert_near(found, model.predict(X).reshape(len(X), -1))
    model = VotingRegressor([("network", network(CNNRegressor)), ("line", LinearRegression())])
    (found,) = converted(model.fit(X, Y))
    assert np.abs(found[:, 0] - model.predict(X)).max() < 1e-3
    model = network(CNNRegressor).set_params(loss="poisson").fit(X, Y)
    (found,) = converted(model)
    assert_near(found[:, 0], model.predict(X))


def test_features():
    features = CNNFeatures(network(layers=[UpSample(), fc_head(8)]))
    model = make_pipeline(features, LogisticRegression(max_iter=500)).fit(X / 16, Y)
    found, shares = converted(model, X / 16, options=PLAIN)
    assert (found == model.predict(X / 16)).all()
    assert_near(shares, model.predict_proba(X / 16))


def test_several_labels():
    model = network().fit(X, np.stack([Y % 2, Y > 4, Y % 3 == 0], 1))
    found, shares = converted(model, options=PLAIN)
    assert_labels(found, model, X)
    assert_near(shares, model.predict_proba(X))


def test_images_and_integers():
    images = X.reshape(-1, 8, 8, 1)
    model = network().fit(images, Y)
    assert_near(converted(model, images, options=PLAIN)[1], model.predict_proba(images))
    whole = X.astype(np.int64)
    assert_near(converted(model, whole, options=PLAIN)[1], model.predict_proba(X))


def test_two_networks_in_one_model():
    second = network(layers=[UpSample(), Resize((9, 12)), fc_head(8)])
    both = [("one", network()), ("two", second)]
    model = VotingClassifier(both, voting="soft", flatten_transform=False).fit(X, Y)
    assert_near(converted(model, options=PLAIN)[1], model.predict_proba(X))


def test_refusals():
    model = network().fit(X, Y)
    with pytest.raises(ValueError, match=r"the input must be numbers of shape"):
        skl2onnx.to_onnx(model, X.reshape(-1, 8, 8)[:1])
    model.set_params(augmentation=[], test_time_augmentation=3)
    with pytest.raises(ValueError, match="test_time_augmentation must be 0"):
        skl2onnx.to_onnx(model, X[:1])
