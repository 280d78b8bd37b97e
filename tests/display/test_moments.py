"""Displays of an estimator that is fitted anew while they are drawn: they show one model."""

import numpy as np
import pytest
from estimator_data import SMALL, X, Y

from cnnkit import CNNClassifier
from cnnkit.display import ClassActivationDisplay, MisclassifiedDisplay

pytest.importorskip("matplotlib")
DIGITS = X
FIRST = np.array(["a", "b", "c"])[Y % 3]
OTHERS = np.array(["p", "q"])[Y % 2]


class Renewed(CNNClassifier):
    """An estimator that somebody fits to other labels at the end of a prediction."""

    def predict_proba(self, X):
        found = super().predict_proba(X)
        fitted.fit(DIGITS, OTHERS)
        return found


fitted = Renewed(SMALL, max_iter=1, random_state=0)


@pytest.fixture
def renewed():
    return fitted.fit(X, FIRST)


def test_class_activation_maps(renewed):
    display = ClassActivationDisplay.from_estimator(renewed, X[:4])
    assert {title[0] for title in display.titles} <= set("abc")
    assert set(renewed.classes_) == set("pq")


def test_mistakes(renewed):
    display = MisclassifiedDisplay.from_estimator(renewed, X, OTHERS)
    assert set(display.y_pred) <= set("abc")
