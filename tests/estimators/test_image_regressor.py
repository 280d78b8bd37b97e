"""CNNImageRegressor: what it learns, and the form of its targets."""

import numpy as np
import pytest
from estimator_data import weights
from image_data import IMAGES, NORMED, SMALL, X, image_regressor, squares
from oracles import assert_same_bits
from seeded import generator
from sklearn.base import is_regressor

from cnnkit import CNNRegressor, Conv1x1, ReLU, models
from cnnkit.losses import Loss
from cnnkit.metrics import pixel_r2

FULL = {"solver": "lbfgs", "max_iter": 8, "alpha": 0}
COLOURS = np.stack([IMAGES, 100 - 20 * IMAGES], axis=-1)


def test_noise_is_removed_at_default_arguments():
    noisy, masks = squares(20, rng=generator(9))
    clean = np.array([0.0, 2.0, -2.0])[masks] * 3 + 5
    reg = image_regressor(None, max_iter="auto").fit(X, IMAGES)
    assert reg.score(noisy, clean) > pixel_r2(clean, 3 * noisy + 5)
    assert reg.network_.graph == models.default_unet(None, (8, 9, 1))


def test_attributes():
    reg = image_regressor().fit(X, IMAGES)
    assert is_regressor(reg)
    assert (reg.n_outputs_, reg.has_channels_, reg.input_shape_) == (1, False, (8, 9, 1))


@pytest.mark.parametrize(
    ("y", "n_outputs"), [(IMAGES, 1), (IMAGES[..., None], 1), (COLOURS, 2)], ids=["", "1", "2"]
)
def test_predictions_have_the_form_of_y(y, n_outputs):
    reg = image_regressor().fit(X, y)
    assert reg.predict(X).shape == y.shape
    assert reg.n_outputs_ == n_outputs
    assert reg.score(X, y) == pytest.approx(pixel_r2(y, reg.predict(X)))


def test_an_axis_of_one_channel_changes_no_bit():
    a, b = (image_regressor().fit(X, y) for y in (IMAGES, IMAGES[..., None]))
    assert_same_bits(weights(a), weights(b))


def test_channels_are_standardised_one_by_one():
    reg = image_regressor(NORMED, max_iter=20, learning_rate_init=0.02).fit(X, COLOURS)
    kept = reg.network_.weights
    np.testing.assert_allclose(kept["targets/mean"], COLOURS.mean(axis=(0, 1, 2)), rtol=1e-5)
    np.testing.assert_allclose(kept["targets/scale"], COLOURS.std(axis=(0, 1, 2)), rtol=1e-5)
    residual = COLOURS - reg.predict(X)
    assert (residual.std(axis=(0, 1, 2)) < 0.6 * COLOURS.std(axis=(0, 1, 2))).all()


def test_weighted_statistics_are_those_of_samples_repeated():
    w = np.where(np.arange(40) % 3, 1.0, 2.0)
    twice = np.repeat(np.arange(40), w.astype(int))
    double = X.astype(np.float64)
    a = image_regressor(shuffle=False, **FULL).fit(double, COLOURS, w)
    b = image_regressor(shuffle=False, **FULL).fit(double[twice], COLOURS[twice])
    np.testing.assert_allclose(weights(a), weights(b), rtol=1e-6, atol=1e-8)


def test_a_pixel_is_a_sample_of_a_regressor():
    from cnnkit import Dense, Flatten

    exact, double = FULL | {"max_iter": 100}, X.astype(np.float64)
    a = image_regressor([Conv1x1()], **exact).fit(double, IMAGES)
    b = CNNRegressor([Flatten(), Dense()], **exact).fit(double.reshape(-1, 1), IMAGES.reshape(-1))
    np.testing.assert_allclose(
        a.predict(X).reshape(-1), b.predict(double.reshape(-1, 1)), rtol=1e-3
    )
    assert a.loss_ == pytest.approx(b.loss_, rel=1e-4)


@pytest.mark.parametrize("loss", ["absolute_error", "huber"])
def test_losses(loss):
    reg = image_regressor(NORMED, loss=loss, max_iter=20, learning_rate_init=0.02).fit(X, IMAGES)
    assert reg.score(X, IMAGES) > 0.8


class Fourth(Loss):
    """A loss of one's own."""

    def loss_gradient(self, outputs, targets):
        return (outputs - targets) ** 4 / 4, (outputs - targets) ** 3


def test_a_loss_of_ones_own_is_of_pixels():
    reg = image_regressor(NORMED, loss=Fourth(), max_iter=20, learning_rate_init=0.02)
    assert reg.fit(X, IMAGES).score(X, IMAGES) > 0.7


@pytest.mark.parametrize("dtype", [np.uint8, np.int16, np.float32, np.float64, object, bool])
def test_numbers_of_any_type(dtype):
    y = (IMAGES > 5) if dtype is bool else IMAGES.round().clip(0).astype(dtype)
    found = image_regressor().fit(X, y).predict(X)
    same = image_regressor().fit(X, y.astype(np.float64)).predict(X)
    np.testing.assert_allclose(found, same, rtol=1e-3, atol=1e-3)


def test_an_activation_at_the_end_keeps_the_scale():
    reg = image_regressor([*SMALL, ReLU()]).fit(X, IMAGES)
    assert "targets/mean" not in reg.network_.weights
    assert reg.predict(X).min() >= 0


def test_validation_and_early_stopping():
    reg = image_regressor(NORMED, early_stopping=True, max_iter=5).fit(X, COLOURS)
    assert reg.best_validation_score_ == max(reg.validation_scores_)
    reg = image_regressor(max_iter=2).fit(X[:30], COLOURS[:30], X_val=X[30:], y_val=COLOURS[30:])
    assert reg.validation_scores_[-1] == pytest.approx(reg.score(X[30:], COLOURS[30:]), rel=1e-3)


def test_parts_and_warm_start():
    reg = image_regressor()
    for start in (0, 20):
        reg.partial_fit(X[start : start + 20], IMAGES[start : start + 20])
    assert reg.n_iter_ == 2
    with pytest.raises(ValueError, match=r"y must be \(n, H, W\), as before, got \(n, H, W, 2\)"):
        reg.partial_fit(X, COLOURS)
    with pytest.raises(ValueError, match=r"y_val must be \(n, H, W\) as y is, got shape \(40, 8"):
        image_regressor().fit(X, IMAGES, X_val=X, y_val=COLOURS)


def test_a_regressor_of_numbers_refuses_images():
    with pytest.raises(ValueError, match="CNNImageRegressor"):
        CNNRegressor().fit(X, IMAGES)
