"""Losses of numbers: quantiles, and deviances with a log link."""

import pickle

import numpy as np
import pytest
from estimator_data import X, regressor, small
from oracles import assert_same_bits, normals
from seeded import generator
from sklearn.metrics import (
    make_scorer,
    mean_gamma_deviance,
    mean_pinball_loss,
    mean_poisson_deviance,
    r2_score,
)

from cnnkit import CNNRegressor, load, save
from cnnkit.exceptions import ModelFormatError
from cnnkit.losses import GammaDeviance, Loss, Pinball, PoissonDeviance, check_gradient

STILL = {"learning_rate_init": 1e-30, "learning_rate": "constant", "alpha": 0, "max_iter": 1}
DEVIANCES = {"poisson": mean_poisson_deviance, "gamma": mean_gamma_deviance}
COUNTS = generator(3).poisson(np.exp(12 * X.mean(axis=(1, 2, 3)))).astype(float)


@pytest.mark.parametrize("loss", [PoissonDeviance(), GammaDeviance()])
def test_gradients(loss):
    check_gradient(loss, 2 * normals(5, 2), generator(0).random((5, 2)) * 5 + 0.01)
    check_gradient(Pinball(0.2), normals(5, 2), normals(5, 2))


@pytest.mark.parametrize(
    ("loss", "metric"),
    [(PoissonDeviance(), mean_poisson_deviance), (GammaDeviance(), mean_gamma_deviance)],
)
def test_deviances_are_those_of_scikit_learn(loss, metric):
    outputs, targets = normals(9, 1), generator(0).random((9, 1)) * 4 + 0.1
    wanted = metric(targets[:, 0], np.exp(outputs[:, 0]))
    assert 2 * loss(outputs, targets, None) == pytest.approx(wanted)
    assert loss.score(outputs, targets) == pytest.approx(r2_score(targets, np.exp(outputs)))
    gradient = np.empty((9, 1))
    assert loss(np.log(targets), targets, gradient) == pytest.approx(0, abs=1e-12)
    np.testing.assert_allclose(gradient, 0, atol=1e-12)


@pytest.mark.parametrize("quantile", [0.05, 0.5, 0.9])
@pytest.mark.parametrize("weights", [None, np.linspace(0.5, 2, 9)])
def test_the_pinball_loss_is_that_of_scikit_learn(quantile, weights):
    outputs, targets = normals(9, 2), normals(9, 2)[::-1]
    total = None if weights is None else weights.sum()
    wanted = mean_pinball_loss(targets, outputs, alpha=quantile, sample_weight=weights)
    loss = Pinball(quantile)
    assert loss(outputs, targets, None, weights, total) == pytest.approx(wanted)
    assert loss.score(outputs, targets, weights) == pytest.approx(-wanted)


@pytest.mark.parametrize("standardize", [True, False])
@pytest.mark.parametrize("loss", DEVIANCES)
def test_a_regressor_with_a_log_link(loss, standardize, tmp_path):
    y = COUNTS + (loss == "gamma")
    reg = regressor(loss=loss, standardize_targets=standardize, max_iter=40)
    found = reg.fit(X, y).predict(X)
    assert (found > 0).all()
    assert reg.link_ == "log"
    assert DEVIANCES[loss](y, found) < 0.6 * DEVIANCES[loss](y, np.full(120, y.mean()))
    options = {"loss": loss, "standardize_targets": standardize}
    still = regressor(initial_weights=reg, **options, **STILL).fit(X, y)
    scale = y.mean() if standardize else 1
    assert still.loss_ == pytest.approx(DEVIANCES[loss](y / scale, found / scale) / 2, rel=1e-4)
    save(reg, tmp_path / "model")
    again = load(tmp_path / "model")
    assert_same_bits(again.predict(X), reg.predict(X))
    assert again.link_ == "log"
    reg.set_params(loss="squared_error")  # what is learnt does not follow hyper-parameters
    assert_same_bits(again.predict(X), reg.predict(X))


def test_a_link_that_is_none():
    reg = regressor(loss="poisson", max_iter=1).fit(X, COUNTS)
    reg.link_ = ["log"]
    with pytest.raises(ModelFormatError, match=r"link_ must be one of .*got .'log'."):
        pickle.loads(pickle.dumps(reg))
    del reg.link_
    with pytest.raises(ModelFormatError, match=r"link_ must be one of .*got None"):
        pickle.loads(pickle.dumps(reg))


def test_targets_of_several_scales_with_zeros():
    y = np.c_[COUNTS, COUNTS * 1e6, np.zeros(120)]
    reg = regressor(loss="poisson", max_iter=40).fit(X, y)
    found = reg.predict(X)
    assert found.shape == (120, 3)
    assert (found > 0).all()
    assert r2_score(y[:, 1], found[:, 1]) > 0.3
    assert found[:, 2].max() < 1


@pytest.mark.parametrize("quantile", [0.1, 0.9])
def test_a_quantile_is_exceeded_by_its_share(quantile):
    rng = generator(0)
    X = rng.random((600, 1))
    y = 1000 * (X[:, 0] + rng.exponential(size=600))
    reg = CNNRegressor(loss="quantile", quantile=quantile, max_iter=60, random_state=0).fit(X, y)
    assert (y <= reg.predict(X)).mean() == pytest.approx(quantile, abs=0.06)


def test_early_stopping_on_a_quantile_watches_its_loss():
    given = {"X_val": X[:40], "y_val": COUNTS[:40]}
    scorer = make_scorer(mean_pinball_loss, alpha=0.8, greater_is_better=False)
    reg = regressor(loss="quantile", quantile=0.8, early_stopping=True).fit(X, COUNTS, **given)
    assert reg.validation_scores_ == [-loss for loss in reg.validation_loss_curve_]
    own = reg.set_params(scoring=scorer).fit(X, COUNTS, **given)
    found = np.array(own.validation_scores_) / COUNTS.std()
    np.testing.assert_allclose(found, [-loss for loss in own.validation_loss_curve_], rtol=1e-4)


def test_validation_with_a_log_link():
    given = {"X_val": X[:40], "y_val": COUNTS[:40]}
    reg = regressor(loss="poisson", scoring=["neg_mean_poisson_deviance", "r2"], max_iter=3)
    reg.fit(X, COUNTS, **given)
    found = reg.predict(X[:40])
    deviance = mean_poisson_deviance(COUNTS[:40], found)
    assert reg.validation_scores_[-1] == pytest.approx(-deviance)
    plain = regressor(loss="poisson", max_iter=3).fit(X, COUNTS, **given)
    assert plain.validation_scores_[-1] == pytest.approx(r2_score(COUNTS[:40], found), abs=1e-5)


class Exponential(Loss):
    """A loss of one's own with a log link: that of squares of the predictions."""

    link = "log"

    def loss_gradient(self, outputs, targets):
        means = np.exp(outputs)
        return (means - targets) ** 2 / 2, (means - targets) * means


def test_a_loss_of_ones_own_with_a_log_link():
    reg = regressor(loss=Exponential(), max_iter=5)
    reg.fit(X, COUNTS, X_val=X, y_val=COUNTS)
    found = reg.predict(X)
    assert (found > 0).all()
    assert reg.validation_scores_[-1] == pytest.approx(r2_score(COUNTS, found), abs=1e-5)
    loss = Exponential()
    loss.link = "logit"
    with pytest.raises(ValueError, match=r"^CNNRegressor: link of .* must be 'identity' or 'log'"):
        regressor(loss=loss).fit(X, COUNTS)


@pytest.mark.parametrize(
    ("loss", "y", "said"),
    [
        ("poisson", COUNTS - 500, r"y must not be negative with loss='poisson', got -4\d\d"),
        ("gamma", COUNTS - 500, "y must not be negative with loss='gamma'"),
        ("gamma", np.r_[0, COUNTS[1:] + 1], "y must be above 0 with loss='gamma', got 0"),
    ],
)
def test_targets_that_a_deviance_does_not_know(loss, y, said):
    with pytest.raises(ValueError, match=f"^CNNRegressor: {said}"):
        regressor(loss=loss).fit(X, y)
    with pytest.raises(ValueError, match=f"^CNNRegressor: y_val {said[2:]}"):
        regressor(loss=loss).fit(X, COUNTS + 1, X_val=X, y_val=y)


def test_texts_are_no_counts():
    with pytest.raises(ValueError, match="could not convert string to float"):
        regressor(loss="poisson").fit(X, ["many"] * 120)


def test_training_goes_on_with_the_same_link():
    reg = regressor(loss="poisson", warm_start=True).fit(X, COUNTS)
    assert reg.set_params(loss="gamma").fit(X, COUNTS + 1).n_iter_ == 4
    reg.set_params(loss="squared_error")
    for more in (reg.fit, reg.partial_fit):
        with pytest.raises(ValueError, match=r"must keep the link 'log' .* got 'squared_error'"):
            more(X, COUNTS)
    parts = regressor(loss="poisson")
    for _ in range(3):
        parts.partial_fit(X, COUNTS)
    assert (parts.predict(X) > 0).all()


def test_the_head_of_another_link_is_not_taken_over():
    start = regressor(loss="poisson", max_iter=5).fit(X, COUNTS)
    reg = regressor(initial_weights=start, **STILL).fit(X, COUNTS)
    assert reg.network_.weights["targets/mean"] == pytest.approx(COUNTS.mean())
    clf = small(initial_weights=regressor(max_iter=1).fit(X, np.c_[COUNTS, COUNTS]), **STILL)
    head = clf.initial_weights.network_.weights["conv1x1_1/w"]
    assert_same_bits(clf.fit(X, COUNTS > 30).network_.weights["conv1x1_1/w"], head)
    same = regressor(loss="gamma", initial_weights=start, **STILL).fit(X, COUNTS + 1)
    np.testing.assert_allclose(same.predict(X), start.predict(X), rtol=1e-5)


@pytest.mark.parametrize("value", [0, 1, -0.5, "half"])
def test_bad_quantiles(value):
    with pytest.raises(ValueError, match="The 'quantile' parameter of CNNRegressor must be"):
        regressor(loss="quantile", quantile=value).fit(X, COUNTS)
