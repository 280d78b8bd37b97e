"""scikit-learn's own checks of estimators, at default parameters, all of them."""

import pytest
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.utils.estimator_checks import parametrize_with_checks

from cnnkit import CNNClassifier, CNNFeatures, CNNRegressor


def no_failure_is_expected(estimator):
    return {}


def checks(*estimators):
    return parametrize_with_checks(
        list(estimators), expected_failed_checks=no_failure_is_expected, **STRICT
    )


try:
    parametrize_with_checks([], xfail_strict=True)
    STRICT = {"xfail_strict": True}
except TypeError:  # scikit-learn before 1.8
    STRICT = {}


@checks(CNNClassifier(), CNNRegressor(), CNNFeatures())
def test_the_contract(estimator, check):
    check(estimator)


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [(CNNClassifier, MLPClassifier), (CNNRegressor, MLPRegressor)],
)
def test_as_many_checks_as_the_perceptrons_have(ours, theirs):
    counts = [len(list(checks(kind()).args[1])) for kind in (ours, theirs)]
    assert counts[0] >= counts[1] > 50


@pytest.mark.parametrize("kind", [CNNClassifier, CNNRegressor, CNNFeatures])
def test_flat_rows_are_among_the_inputs(kind):
    assert kind().__sklearn_tags__().input_tags.two_d_array
