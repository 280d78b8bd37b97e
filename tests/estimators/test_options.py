"""Hyper-parameters that the estimators share: names, rules and text, written once."""

import inspect

import pytest
from sklearn.base import clone

from cnnkit import CNNClassifier, CNNRegressor
from cnnkit.estimators.base import BaseCNN


@pytest.mark.parametrize(
    ("kind", "own"),
    [
        (CNNClassifier, {"class_weight", "label_smoothing", "loss", "focal_gamma"}),
        (CNNRegressor, {"loss", "huber_delta", "quantile", "standardize_targets"}),
    ],
)
def test_shared_and_own(kind, own):
    shared = list(inspect.signature(BaseCNN).parameters)
    names = list(inspect.signature(kind).parameters)
    assert names[: len(shared)] == shared
    assert set(names[len(shared) :]) == own
    assert set(kind().get_params()) == set(names) == set(kind._parameter_constraints)
    changed = kind(max_iter=3, **dict.fromkeys(own, "x"))
    assert clone(changed).get_params() == changed.get_params()
    assert "max_iter=3" in repr(changed)
    assert repr(kind()) == f"{kind.__name__}()"


def test_unknown_names_are_refused():
    with pytest.raises(TypeError, match=r"^CNNClassifier: arguments must be .*, got 'filters'"):
        CNNClassifier(filters=3)


@pytest.mark.parametrize("kind", [CNNClassifier, CNNRegressor])
def test_the_text_is_whole(kind):
    text = inspect.getdoc(kind)
    assert "{" not in text.replace('{"', "").replace("{'", "")
    assert "\nn_features_in_ : int\n" in text
    assert "\nsolver : {" in text
