"""`layers` as a function of cnnkit.models, or its name."""

import pickle
from functools import partial

import pytest
from estimator_data import FLAT, NUMBERS, X, Y, regressor, small
from oracles import assert_same_bits
from sklearn.base import clone
from sklearn.frozen import FrozenEstimator
from sklearn.model_selection import GridSearchCV

import cnnkit
from cnnkit import CNNClassifier, CNNFeatures, models
from cnnkit.io import TRUSTED_TYPES

FORMS = ["lenet5", models.lenet5]


@pytest.mark.parametrize("layers", FORMS)
def test_is_the_network_for_the_images_there_are(layers):
    clf = small(layers).fit(X, Y)
    given = small(models.lenet5(10, (8, 8, 1))).fit(X, Y)
    assert clf.network_.graph == models.lenet5(None, (8, 8, 1))
    assert_same_bits(clf.predict_proba(X), given.predict_proba(X))
    assert clf.layers == layers
    flat = small(layers, image_shape=(8, 8)).fit(FLAT, Y)
    assert_same_bits(flat.predict_proba(FLAT), given.predict_proba(X))


def test_every_model_has_a_name():
    for name, model in models.MODELS.items():
        assert models.find(name) is models.find(model) is model
    for other in ("resnet17", models.small, len, None, 3, [3], CNNClassifier):
        assert models.find(other) is None


@pytest.mark.parametrize("layers", FORMS)
def test_is_a_hyper_parameter_like_others(layers):
    clf = clone(small(layers))
    assert clf.get_params()["layers"] == layers
    assert "lenet5" in repr(clf)
    assert clf.set_params(layers="convnet", max_iter=1).layers == "convnet"
    reg = regressor(layers, early_stopping=True).fit(X, NUMBERS)
    assert reg.predict(X).shape == (120,)
    part = small(layers).partial_fit(X, Y, classes=range(10)).partial_fit(X, Y)
    assert part.n_iter_ == 2


def test_is_searched_over():
    search = GridSearchCV(small(max_iter=1), {"layers": ["lenet5", models.convnet]}, cv=2)
    search.fit(X, Y)
    assert search.best_params_["layers"] in ("lenet5", models.convnet)


@pytest.mark.parametrize("layers", FORMS)
def test_pickles_and_files(tmp_path, layers):
    clf = small(layers).fit(X, Y)
    again = pickle.loads(pickle.dumps(clf))
    assert again.layers == layers
    assert_same_bits(again.predict_proba(X), clf.predict_proba(X))
    cnnkit.save(clf, tmp_path / "model")
    again = cnnkit.load(tmp_path / "model")
    assert again.layers == "lenet5"
    assert_same_bits(again.predict_proba(X), clf.predict_proba(X))
    assert_same_bits(again.fit(X, Y).predict_proba(X), clf.predict_proba(X))
    cnnkit.save(CNNFeatures(FrozenEstimator(clf)).fit(X), tmp_path / "features")
    assert cnnkit.load(tmp_path / "features").estimator.estimator.layers == "lenet5"
    assert f"{models.lenet5.__module__}.lenet5" in TRUSTED_TYPES


@pytest.mark.parametrize(
    ("layers", "said"),
    [
        ("resnet", r"\{default, lenet5, .*Got 'resnet' instead: did you mean 'resnet\d\d'\?$"),
        ("ResNet-50", r"Got 'ResNet-50' instead: did you mean 'resnet50'\?$"),
        ("perceptron", r"\{default, lenet5, .*\}.* Got 'perceptron' instead\.$"),
        (partial(models.lenet5, width=2), r"instead: call it, and give what it returns\.$"),
        (models.small, r"instead: call it, and give what it returns\.$"),
    ],
)
def test_others_are_refused(layers, said):
    with pytest.raises(ValueError, match=r"^The 'layers' parameter of CNNClassifier .*" + said):
        small(layers).fit(X, Y)
