"""Pickles say their version, and every size in them is checked again."""

import copy
import pickle

import numpy as np
import pytest
from estimator_data import NUMBERS, X, Y, regressor, small
from oracles import assert_same_bits

from cnnkit import CNNClassifier, CNNFeatures, Conv
from cnnkit.augmentation import Flip
from cnnkit.exceptions import ModelFormatError
from cnnkit.layers.base import WeightSpec
from cnnkit.network.weights import Weights
from cnnkit.schedules import Cosine
from cnnkit.validate.pickles import KEY


@pytest.fixture(scope="module")
def clf():
    return small().fit(X, Y).partial_fit(X, Y)


def renewed(value, **changes):
    """What a pickle of `value` with other parts gives; a part is left out where it is `...`."""
    state = value.__getstate__() | changes
    new = type(value).__new__(type(value))
    new.__setstate__({name: part for name, part in state.items() if part is not ...})
    return new


def parts(clf):
    features = CNNFeatures(small()).fit(X, Y)
    return [clf, clf.network_, clf.network_.weights, features, small(), Conv(3), Cosine(), Flip()]


def test_what_is_sound_is_let_in(clf):
    for value in parts(clf):
        assert type(renewed(value)) is type(value)
    again = pickle.loads(pickle.dumps(clf))
    assert_same_bits(again.partial_fit(X, Y).predict_proba(X), again.predict_proba(X))


class Noting(CNNClassifier):
    """It has an attribute of its own before it is fitted."""

    def __init__(self, layers=None, **options):
        super().__init__(layers, **options)
        self.note_ = "new"


@pytest.mark.parametrize("make", [small, regressor, CNNFeatures, Noting])
def test_attributes_of_ones_own_are_not_learnt(make):
    estimator = make()
    estimator.history_ = [1]
    estimator.n_features_in_ = 64
    for again in (pickle.loads(pickle.dumps(estimator)), copy.deepcopy(estimator)):
        assert vars(again).keys() == vars(estimator).keys()
        assert again.history_ == [1]
    estimator.fit(X, Y)
    again = pickle.loads(pickle.dumps(estimator))
    assert again.history_ == [1]
    assert again.n_features_in_ == 64


@pytest.mark.parametrize("version", [0, 2, None, "1", True, 1.0, ...])
def test_another_version(clf, version):
    for value in parts(clf):
        with pytest.raises(ModelFormatError, match=f"{type(value).__name__}: a pickle must be of"):
            renewed(value, **{KEY: version})
        with pytest.raises(ModelFormatError, match="must be of version 1, got 'None'"):
            type(value).__new__(type(value)).__setstate__([])


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"graph": ...}, "a pickle must have"),
        ({"graph": None}, "graph in a pickle must be of"),
        ({"batch_size": True}, "batch_size in a pickle must be of"),
        ({"batch_size": 0}, "batch_size must be a positive int, got 0"),
        ({"input_shape": (8, 8, 2)}, "weights must be those of"),
        ({"input_shape": (2**31, 8, 1)}, "got .*2147483648"),
        ({"n_outputs": 11}, "weights must be those of"),
        ({"dtype": np.dtype("float32")}, "weights must be those of"),
        ({"frozen": ("conv1",)}, "weights must be those of"),
        ({"frozen": ("zz",)}, r"frozen must be paths of layers \['conv1', .*, got \('zz',\)"),
        ({"outputs": ("nowhere",)}, "outputs must be nodes of"),
    ],
)
def test_networks(clf, changes, message):
    with pytest.raises(ModelFormatError, match=message):
        renewed(clf.network_, **changes)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"flat": np.zeros(3)},
            r"flat in a pickle must be 134 floats, got float64 of shape \(3,\)",
        ),
        ({"flat": np.zeros(134, int)}, "must be 134 floats, got int64"),
        ({"flat": None}, "flat in a pickle must be of"),
        (
            {"specs": {"w": WeightSpec((2**30, 2**30))}},
            "flat in a pickle must be 1152921504606846976",
        ),
        ({"specs": {"w": WeightSpec((-1, -130))}}, "must be sizes from 1 to 2147483647"),
        ({"specs": {"w": (130,)}}, "a pickle must be sound"),
    ],
)
def test_weights(clf, changes, message):
    with pytest.raises(ModelFormatError, match=message):
        renewed(clf.network_.weights, **changes)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"network_": ...}, "network_"),
        ({"network_": None}, "network_ must be a Network, got None"),
        ({"batch_size": ...}, "batch_size"),
        ({"classes_": np.arange(9)}, "classes_ must be one for each of the 10 outputs"),
        ({"classes_": np.arange(10)[::-1]}, "classes_ must be one for each of the 10 outputs"),
        ({"multilabel_": 1}, "multilabel_ must be true or false"),
        ({"input_shape_": (8, 8, 2)}, r"input_shape_ must be \(8, 8, 1\)"),
        ({"n_features_in_": 65}, "n_features_in_ must be 64"),
        ({"n_outputs_": 2**40}, "n_outputs_ must be 10"),
        ({"n_iter_": 2}, "n_iter_ must be 3"),
        ({"loss_curve_": []}, "IndexError"),
        ({"validation_scores_": ["a"]}, "validation_scores_ must be a list of floats"),
        ({"score_curves_": [1.0]}, "score_curves_ must be a dict of curves by name"),
        ({"score_curves_": {"a": [1]}}, "a must be a list of floats"),
        ({"_training": 1}, "network_ must be a Network"),
    ],
)
def test_estimators(clf, changes, message):
    with pytest.raises(ModelFormatError, match=message):
        renewed(clf, **changes)


def test_training(clf):
    again = pickle.loads(pickle.dumps(clf))
    again._training.optimizer.moments[0] = np.zeros(5)
    with pytest.raises(ModelFormatError, match="its parts must be of one network"):
        renewed(again)
    again = pickle.loads(pickle.dumps(clf))
    again._training.network.weights = Weights(again.network_.weights.specs, "float64")
    with pytest.raises(ModelFormatError, match="its parts must be of one network"):
        renewed(again)


@pytest.mark.parametrize(
    ("value", "name"),
    [(Conv(3), "stride"), (Cosine(), "final_factor"), (Flip(), "vertical")],
    ids=str,
)
def test_hyper_parameters_are_all_there(value, name):
    assert repr(renewed(value)) == repr(value)
    with pytest.raises(ModelFormatError, match=f"{type(value).__name__}: a pickle .*'{name}'"):
        renewed(value, **{name: ...})


def test_regressors_and_features():
    reg = regressor().fit(X, NUMBERS)
    with pytest.raises(ModelFormatError, match="classes_ must be None for such an estimator"):
        renewed(reg, classes_=np.arange(1))
    features = CNNFeatures(regressor()).fit(X, NUMBERS)
    for changes in ({"node_": "nowhere"}, {"feature_shape_": (2**40,)}, {"estimator_": None}):
        with pytest.raises(ModelFormatError, match="CNNFeatures: a pickle must be sound"):
            renewed(features, **changes)


def test_copies_at_test_time_are_limited(clf):
    with pytest.raises(
        ValueError, match="test_time_augmentation must be at most 1000, got 1000000"
    ):
        renewed(clf, test_time_augmentation=10**6).predict(X[:1])
