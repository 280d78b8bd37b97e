"""What `save` says of estimators that hold cnnkit's."""

import re

import numpy as np
import pytest
from seeded import generator
from sklearn.ensemble import VotingClassifier
from sklearn.frozen import FrozenEstimator
from sklearn.model_selection import (
    FixedThresholdClassifier,
    GridSearchCV,
    RandomizedSearchCV,
)
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import FunctionTransformer
from sklearn.svm import SVC

from cnnkit import CNNClassifier, CNNFeatures, Conv1x1, GlobalAvgPool, load, save

X, Y = generator(0).random((12, 4, 5, 2)), np.arange(12) % 2


def small():
    return CNNClassifier([Conv1x1(), GlobalAvgPool()], max_iter=1, random_state=0)


CASES = {
    "[-1]": (lambda: Pipeline([("net", small())]), lambda found: found[-1]),
    "['net']": (
        lambda: Pipeline([("net", CNNFeatures(small())), ("svc", SVC())]),
        lambda found: found["net"],
    ),
    ".best_estimator_": (
        lambda: GridSearchCV(small(), {"alpha": [0.1]}, cv=2),
        lambda found: found.best_estimator_,
    ),
    ".best_estimator_[-1]": (
        lambda: RandomizedSearchCV(
            make_pipeline(FunctionTransformer(), small()),
            {"cnnclassifier__alpha": [0.1]},
            n_iter=1,
            cv=2,
        ),
        lambda found: found.best_estimator_[-1],
    ),
    ".estimators_[0]": (
        lambda: VotingClassifier([("net", small())]),
        lambda found: found.estimators_[0],
    ),
    ".estimator": (lambda: FrozenEstimator(small().fit(X, Y)), lambda found: found.estimator),
    ".estimator_": (lambda: FixedThresholdClassifier(small()), lambda found: found.estimator_),
}


@pytest.mark.parametrize("way", CASES)
def test_the_error_says_how_to_reach_what_can_be_saved(way, tmp_path):
    build, reach = CASES[way]
    estimator = build().fit(X, Y)
    kind = type(estimator).__name__
    message = f", got {kind}; save estimator{way}, or all of it with joblib.dump."
    with pytest.raises(TypeError, match=re.escape(message) + "$"):
        save(estimator, tmp_path / "model")
    save(reach(estimator), tmp_path / "model")
    assert load(tmp_path / "model")


@pytest.mark.parametrize("fitted", [False, True])
def test_a_search_without_a_best_estimator(fitted, tmp_path):
    search = GridSearchCV(small(), {"alpha": [0.1]}, cv=2, refit=False)
    search = search.fit(X, Y) if fitted else search
    with pytest.raises(TypeError, match="; after a fit with refit=True its best_estimator_ can be"):
        save(search, tmp_path / "model")


@pytest.mark.parametrize(
    "other", [Pipeline([("net", small())]), SVC(), CNNClassifier, FrozenEstimator(small())]
)
def test_what_holds_nothing_that_can_be_saved(other, tmp_path):
    with pytest.raises(TypeError, match=rf", got {type(other).__name__}\.$"):
        save(other, tmp_path / "model")
