"""Numbers beyond the type they are computed in: an error that names them, no label from NaN."""

from fractions import Fraction

import numpy as np
import pytest
from estimator_data import NUMBERS, STEADY, X, Y, regressor, small, weights
from oracles import assert_same_bits
from sklearn.exceptions import ConvergenceWarning
from sklearn.frozen import FrozenEstimator

from cnnkit import BatchNorm, CNNFeatures, Conv, Dense, Flatten, ReLU, lr_find
from cnnkit.augmentation import Flip
from cnnkit.exceptions import DivergenceError
from cnnkit.schedules import Schedule

X32 = X.astype(np.float32)
HUGE = np.where(np.arange(120)[:, None, None, None] == 5, 1e39, X)
BEYOND = r"must be finite in float32, from -3.4e\+38 to 3.4e\+38, got numbers from 0 to 1e\+39"


def test_images_beyond_the_network():
    clf = small(warm_start=True, **STEADY).fit(X32, Y)
    features = CNNFeatures(FrozenEstimator(clf)).fit(X32)
    calls = [
        clf.predict,
        clf.predict_proba,
        clf.predict_log_proba,
        clf.decision_function,
        features.transform,
        features.fit,
        lambda images: clf.score(images, Y),
        lambda images: clf.fit(images, Y),
        lambda images: clf.partial_fit(images, Y),
        lambda images: small().partial_fit(X32, Y, classes=range(10)).partial_fit(images, Y),
        lambda images: clf.network_.activations(images, "conv1"),
    ]
    before = weights(clf)
    for call in calls:
        with pytest.raises(ValueError, match=f": X {BEYOND}"):
            call(HUGE)
        call(np.where(HUGE > 1, 1, HUGE))
        clf.network_.weights.flat[:] = before
    with pytest.raises(ValueError, match=f": X_val {BEYOND}"):
        clf.fit(X32, Y, X_val=HUGE, y_val=Y)


@pytest.mark.parametrize("standard", [True, False])
def test_targets_beyond_the_network(standard):
    y = np.where(np.arange(120) == 5, 1e39, 0)
    options = {"standardize_targets": standard}
    with pytest.raises(ValueError, match=f"CNNRegressor: y {BEYOND}"):
        regressor(**options).fit(X32, y)
    with pytest.raises(ValueError, match=f"CNNRegressor: y_val {BEYOND}"):
        regressor(**options).fit(X32, NUMBERS, X_val=X32, y_val=y)
    with pytest.raises(ValueError, match=f"CNNRegressor: y {BEYOND}"):
        regressor(**options).partial_fit(X32, NUMBERS).partial_fit(X32, y)


def test_targets_whose_distance_is_no_number():
    y = np.zeros(120)
    y[:2] = 1.7e308, -1.7e308
    with pytest.raises(ValueError, match="CNNRegressor: standardised y must be finite in float64"):
        regressor().partial_fit(X, NUMBERS).partial_fit(X, y)
    assert np.isfinite(regressor().fit(X, y / 2).predict(X)).all()


@pytest.mark.parametrize("number", [1e30, -1e30])
def test_no_label_follows_from_nan(number):
    clf, reg = small().fit(X32, Y), regressor().fit(X32, NUMBERS)
    features = CNNFeatures(FrozenEstimator(clf)).fit(X32)
    for estimator in (clf, reg):
        flat = estimator.network_.weights.flat
        flat[: estimator.network_.weights.trained] = number
    calls = [clf.predict, clf.predict_proba, clf.predict_log_proba, clf.decision_function]
    clf.network_.weights["conv1/w"] = number * 1e8
    for call in [*calls, reg.predict, features.transform]:
        with pytest.raises(
            DivergenceError, match=r"predictions must be finite numbers, got .* X\["
        ):
            call(X32)
    clf.set_params(test_time_augmentation=2, augmentation=[Flip()])
    with pytest.raises(DivergenceError, match="CNNClassifier: predictions must be finite"):
        clf.predict(X32)


def test_the_sample_is_named():
    clf = small(standardize=False).fit(X32, Y)
    images = X32.copy()
    images[3] = 3e38
    clf.network_.weights["conv1/w"] = 100
    with pytest.raises(DivergenceError, match=r"got (nan|-?inf) for X\[3\]: its numbers, or the"):
        clf.predict(images)


def test_targets_in_their_units_beyond_the_type():
    reg = regressor().fit(X32, NUMBERS * 1e37)
    reg.network_.weights["targets/scale"] = 3e38
    reg.network_.weights["conv1x1_1/b"] = 1000
    with pytest.raises(DivergenceError, match="CNNRegressor: predictions must be finite numbers"):
        reg.predict(X32)


class Leap(Schedule):
    """Rates that are so high in the last step of one epoch that weights grow beyond use."""

    def __init__(self, epoch=2):
        self.epoch = epoch

    def multiplier(self, step, run):
        return 1e25 if step == self.epoch * run.steps_per_epoch - 1 else 1.0


@pytest.mark.parametrize("epochs", [2, 3, 6])
@pytest.mark.parametrize(
    "layers", [{}, {"layers": [Conv(4), BatchNorm(), ReLU(), Flatten(), Dense()]}]
)
@pytest.mark.parametrize("options", [{}, {"ema_decay": 0.5}])
def test_stop_leaves_what_predicts_numbers(epochs, layers, options):
    """Not the weights after an epoch whose last step was too long, finite as they may be."""
    steady = STEADY | {
        "solver": "sgd",
        "momentum": 0,
        "learning_rate": Leap(),
        "standardize": False,
    }
    steady |= layers | options
    clf = small(max_iter=epochs, on_divergence="stop", **steady)
    with pytest.warns(ConvergenceWarning, match="Training diverged.* until epoch 1 is kept"):
        clf.fit(X32 * 100, Y)
    assert np.isfinite(clf.predict_log_proba(X32 * 100)).all()
    if not layers:
        wanted = small(max_iter=1, **steady).fit(X32 * 100, Y)
        assert_same_bits(weights(clf), weights(wanted))


def test_stop_is_an_error_where_no_epoch_predicts_numbers():
    steady = STEADY | {"solver": "sgd", "momentum": 0, "learning_rate": Leap(1)}
    with pytest.raises(
        DivergenceError, match="after epoch 1 the network gives numbers that are no"
    ):
        small(max_iter=1, on_divergence="stop", **steady).fit(X32, Y)


def test_weights_that_predict_nan_are_not_the_best():
    """As a score of the class that NaN is taken for may be."""
    first = np.zeros(120, int)
    clf = small(
        early_stopping=True,
        max_iter=2,
        learning_rate=Leap(),
        solver="sgd",
        **{name: value for name, value in STEADY.items() if name != "learning_rate"},
    )
    y = np.where(np.arange(120) < 90, first, 1 + Y % 2)
    clf.fit(X32, y, X_val=X32, y_val=first)
    assert np.isfinite(clf.predict_proba(X32)).all()


@pytest.mark.parametrize("name", ["alpha", "tol", "clip_norm", "epsilon", "max_time"])
def test_hyper_parameters_beyond_floats(name):
    with pytest.raises(ValueError, match=f"The '{name}' parameter of CNNClassifier must be "):
        small(**{name: 10**400}).fit(X, Y)


def test_epsilon_must_be_a_number_of_float32():
    with pytest.raises(
        ValueError, match="The 'epsilon' parameter of CNNClassifier must be a float"
    ):
        small(epsilon=1e-320).fit(X32, Y)


@pytest.mark.parametrize(
    ("name", "number"),
    [
        *(("alpha", 0.125), ("tol", 0.5), ("clip_norm", 0.5), ("ema_decay", 0.75)),
        *(("learning_rate_init", 2.0**-10), ("beta_1", 0.75), ("beta_2", 0.75)),
    ],
)
@pytest.mark.parametrize("kind", [np.float16, np.float32, np.longdouble, Fraction])
def test_hyper_parameters_of_other_kinds(name, number, kind):
    """They are the numbers that they stand for: nothing is computed in 16 bits."""
    wanted = small(**{name: number}).fit(X, Y)
    assert_same_bits(weights(small(**{name: kind(number)}).fit(X, Y)), weights(wanted))


@pytest.mark.parametrize("solver", ["adamw", "adam", "sgd", "lbfgs"])
def test_divergence_by_alpha_names_it(solver):
    with pytest.raises(DivergenceError, match=r"Training diverged.* alpha"):
        small(solver=solver, alpha=1e300).fit(X32, Y)


def test_lr_find_takes_what_fit_takes():
    found = lr_find(small(alpha=np.float16(0.125)), X32, Y, steps=5)
    assert_same_bits(found.losses, lr_find(small(alpha=0.125), X32, Y, steps=5).losses)
