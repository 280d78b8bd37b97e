"""CNNFeatures."""

import pickle

import numpy as np
import pytest
from estimator_data import FLAT, NUMBERS, SMALL, X, Y, flat, regressor, small
from oracles import assert_same_bits
from sklearn.base import clone
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import cross_val_score
from sklearn.pipeline import make_pipeline

from cnnkit import CNNClassifier, CNNFeatures, CNNRegressor, Conv, Dense, Flatten, GlobalAvgPool


@pytest.fixture(scope="module")
def fitted():
    return small().fit(X, Y)


@pytest.mark.parametrize(
    ("node", "shape"), [("conv1", (8, 8, 6)), ("maxpool1", (4, 4, 6)), ("globalavgpool1", (10,))]
)
def test_features_are_activations(fitted, node, shape):
    features = CNNFeatures(FrozenEstimator(fitted), node=node).fit(X, Y)
    found = features.transform(X)
    assert features.feature_shape_ == shape
    assert found.shape == (120, np.prod(shape))
    assert_same_bits(found.reshape(120, *shape), fitted.network_.activations(X, node)[node])
    assert features.get_feature_names_out()[0] == node + "_0" * len(shape)
    assert len(features.get_feature_names_out()) == found.shape[1]


def test_names_say_where():
    features = CNNFeatures(flat(), node="maxpool1").fit(FLAT, Y)
    names = features.get_feature_names_out()
    assert (names[1], names[6], names[-1]) == ("maxpool1_0_0_1", "maxpool1_0_1_0", "maxpool1_3_3_5")


def test_a_frozen_estimator_is_used_as_it_is(fitted):
    features = clone(CNNFeatures(FrozenEstimator(fitted)))
    features.fit(X[:5], None)
    assert features.estimator_ is fitted
    assert features.node_ == "maxpool1"


def test_an_estimator_is_trained():
    estimator = small(random_state=None)
    a = CNNFeatures(estimator, random_state=3).fit(X, Y)
    b = CNNFeatures(small(random_state=3)).fit(X, Y)
    assert_same_bits(a.transform(X), b.transform(X))
    assert not hasattr(estimator, "network_")
    assert isinstance(CNNFeatures(regressor()).fit(X, NUMBERS).estimator_, CNNRegressor)
    assert isinstance(CNNFeatures().fit(X[:20], Y[:20]).estimator_, CNNClassifier)


def test_a_fitted_estimator_is_trained_anew_with_a_warning(fitted):
    features = CNNFeatures(fitted)
    with pytest.warns(UserWarning, match="is trained anew") as told:  # noqa: PT031
        features.fit(X[:20], Y[:20])
        features.fit(X[:20], Y[:20])
    assert [str(warning.message) for warning in told] == 2 * [
        "CNNFeatures: estimator is fitted, and a clone of it is trained anew: "
        "sklearn.frozen.FrozenEstimator(estimator) is used as it is."
    ]
    assert {warning.filename for warning in told} == {__file__}
    assert features.estimator_ is not fitted
    clone(features).fit(X[:20], Y[:20])  # its estimator is not fitted: no warning


@pytest.mark.parametrize(
    ("layers", "node"),
    [
        ([Flatten(), Dense()], "flatten1"),
        ([Conv(None), GlobalAvgPool()], "conv1"),
        ([*SMALL[:3], Flatten(), Dense(7), Dense()], "dense1"),
    ],
)
def test_the_default_node_is_what_the_head_reads(layers, node):
    assert CNNFeatures(small(layers)).fit(X, Y).node_ == node


def test_set_output_and_data_frames(fitted):
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame(FLAT, columns=[f"p{i}" for i in range(64)])
    features = CNNFeatures(flat()).set_output(transform="pandas").fit(frame, Y)
    assert features.transform(frame).columns[0] == "maxpool1_0_0_0"
    assert features.feature_names_in_[3] == "p3"


def test_in_a_pipeline(fitted):
    model = make_pipeline(
        CNNFeatures(FrozenEstimator(flat().fit(FLAT, Y))), LogisticRegression(max_iter=2000)
    )
    assert cross_val_score(model, FLAT, Y, cv=3, error_score="raise").min() > 0.5
    again = pickle.loads(pickle.dumps(model.fit(FLAT, Y)))
    assert_same_bits(again.predict_proba(FLAT), model.predict_proba(FLAT))


def test_refusals(fitted):
    with pytest.raises(ValueError, match=r"CNNFeatures: node must be one of \['conv1', .*'relu9'"):
        CNNFeatures(FrozenEstimator(fitted), node="relu9").fit(X, Y)
    with pytest.raises(ValueError, match=r"CNNFeatures: estimator must be a CNNClassifier, .*Logi"):
        CNNFeatures(LogisticRegression()).fit(X, Y)
    with pytest.raises(ValueError, match=r"X must hold images of shape \(8, 8, 1\)"):
        CNNFeatures(FrozenEstimator(fitted)).fit(X[:, :5], Y)
