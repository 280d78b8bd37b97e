"""CNNClassifier on a multilabel indicator, and the decision function."""

import numpy as np
import pytest
from estimator_data import FLAT, STEADY, X, Y, small, weights
from oracles import assert_same_bits
from scipy.sparse import csr_array
from scipy.special import expit
from sklearn.metrics import roc_auc_score

from cnnkit import Dense, Flatten, ReLU

LABELS = np.c_[Y % 2, Y > 4, Y == 3].astype(int)


@pytest.fixture(scope="module")
def fitted():
    layers = [Flatten(), Dense(20), ReLU(), Dense()]
    return small(layers, max_iter=40, learning_rate_init=0.02, random_state=0).fit(X, LABELS)


def test_labels_are_learnt(fitted):
    assert fitted.score(X, LABELS) > 0.8
    assert (fitted.multilabel_, fitted.n_outputs_) == (True, 3)
    assert fitted.classes_.tolist() == [0, 1, 2]
    p = fitted.predict_proba(X)
    assert p.shape == (120, 3)
    np.testing.assert_allclose(p, expit(fitted.decision_function(X)))
    np.testing.assert_allclose(fitted.predict_log_proba(X), np.log(p), atol=1e-12)
    assert (fitted.predict(X) == (p > 0.5)).all()
    assert roc_auc_score(LABELS, p) > 0.9


@pytest.mark.parametrize("form", [csr_array, np.ndarray.tolist, lambda y: y.astype(bool)])
def test_forms_of_an_indicator(form):
    a, b = small().fit(X, LABELS), small().fit(X, form(LABELS))
    assert_same_bits(weights(a), weights(b))


def test_partial_fit():
    whole, parts = small(**STEADY).fit(X, LABELS), small(**STEADY)
    for _ in range(2):
        parts.partial_fit(X, LABELS)
    assert_same_bits(weights(whole), weights(parts))
    with pytest.raises(ValueError, match=r"y must be of the classes \[0 1 2\], as before, got"):
        parts.partial_fit(X, LABELS[:, :2])
    with pytest.raises(ValueError, match="y must"):
        parts.partial_fit(X, Y)
    with pytest.raises(ValueError, match="y must"):
        small().fit(X, Y).partial_fit(X, LABELS)


def test_decision_function():
    binary = small().fit(X, Y > 4)
    d, p = binary.decision_function(X), binary.predict_proba(X)
    assert d.shape == (120,)
    np.testing.assert_allclose(expit(d), p[:, 1], rtol=1e-9)
    assert (binary.predict(X) == (d > 0)).all()
    several = small().fit(FLAT.reshape(-1, 8, 8), Y)
    assert several.decision_function(X).shape == (120, 10)
    assert (several.decision_function(X).argmax(1) == several.predict(X)).all()
