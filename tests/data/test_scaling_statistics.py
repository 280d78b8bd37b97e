"""Statistics of a training set, and the numbers that a network sees by them."""

import numpy as np
import pytest
from estimator_data import (
    FLAT,
    X,
    Y,
    small,
    trained,
)
from oracles import LAYOUTS, laid_out
from seeded import generator
from sklearn.preprocessing import StandardScaler

from cnnkit import Dense, Flatten, Network, Sequential
from cnnkit.data import scaling
from cnnkit.data.scaling import Statistics, load_standardised, standardise

HEAD = [Flatten(), Dense()]


def expected(images, shares=None):
    """Return mean and deviation of every channel by NumPy, in float64."""
    images = images.astype(np.float64).reshape(len(images), -1, images.shape[-1])
    if shares is not None:
        images, shares = images, np.broadcast_to(shares[:, None, None], images.shape)
    mean = np.average(images, axis=(0, 1), weights=shares)
    return mean, np.sqrt(np.average((images - mean) ** 2, axis=(0, 1), weights=shares))


def colours(count=50, channels=3, dtype="float32", size=(5, 4)):
    numbers = generator(channels).random((count, *size, channels))
    return (numbers * [2, 3, 5][:channels] * 40 + 10).astype(dtype)


@pytest.mark.parametrize("block", [1 << 21, 100], ids=["at once", "in blocks"])
@pytest.mark.parametrize("dtype", ["float32", "float64", "uint8", "int16", "float16", "bool"])
@pytest.mark.parametrize("channels", [1, 3])
def test_statistics_are_those_of_numpy(channels, dtype, block, monkeypatch):
    monkeypatch.setattr(scaling, "BLOCK", block)
    images = colours(channels=channels, dtype=dtype)
    if dtype == "bool":
        images = colours(channels=channels) > 60
    found, (mean, scale) = Statistics(images, channels), expected(images)
    np.testing.assert_allclose(found.mean, mean, rtol=1e-9)
    one = np.sqrt(np.mean(scale**2))  # like units: the root of their mean variance
    np.testing.assert_allclose(found.scale, np.full(channels, one), rtol=1e-9)
    assert (found.low, found.high) == (images.min(), images.max())
    assert (found.pixels, found.blank) == (20, 0)
    assert not found.constant.any()


@pytest.mark.parametrize("block", [1 << 21, 100], ids=["at once", "in blocks"])
def test_statistics_of_rows_and_weights(block, monkeypatch):
    monkeypatch.setattr(scaling, "BLOCK", block)
    images, rng = colours(), generator(1)
    rows, shares = rng.choice(50, 30, replace=False), rng.integers(1, 5, 50)
    for chosen in (rows, None):
        for given in (shares, None):
            part = slice(None) if chosen is None else chosen
            found = Statistics(images, 3, chosen, given)
            mean, scale = expected(images[part], None if given is None else given[part])
            np.testing.assert_allclose(found.mean, mean, rtol=1e-9)
            np.testing.assert_allclose(found.scale, np.sqrt(np.mean(scale**2)), rtol=1e-9)
            assert found.high == images[part].max()


@pytest.mark.parametrize("layout", LAYOUTS)
def test_statistics_of_any_layout_of_memory(layout, tmp_path):
    images = colours()
    found = Statistics(laid_out(images, layout, tmp_path), 3)
    mean, _ = expected(images)
    np.testing.assert_allclose(found.mean, mean, rtol=1e-9)


def test_statistics_of_many_numbers_are_of_a_part(monkeypatch):
    images = colours(count=100)
    monkeypatch.setattr(scaling, "MOST_NUMBERS", images.size // 4)
    found, (mean, _) = Statistics(images, 3), expected(images[::4])
    np.testing.assert_allclose(found.mean, mean, rtol=1e-9)
    rows = np.arange(10, 90)
    found, (mean, _) = Statistics(images, 3, rows), expected(images[10:90:4])
    np.testing.assert_allclose(found.mean, mean, rtol=1e-9)


@pytest.mark.parametrize(
    ("spread", "like"), [([1, 9, 1], True), ([1, 11, 1], False), ([1e-3, 1, 1e6], False)], ids=str
)
def test_channels_of_like_and_unlike_units(spread, like):
    """Those of one unit keep their proportions, those of others are made alike."""
    images = generator(2).standard_normal((200, 5, 5, 3)) * spread
    found = Statistics(images, 3)
    _, scale = expected(images)
    wanted = np.sqrt(np.mean(scale**2)) if like else scale
    np.testing.assert_allclose(found.scale, np.broadcast_to(wanted, 3), rtol=1e-9)


@pytest.mark.parametrize("number", [0, 1, 0.1, -1e6, 1e-12])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_a_constant_channel(number, dtype):
    """Rounding does not make it one that varies; it changes nothing in the others."""
    images = generator(3).standard_normal((99, 5, 5, 3)).astype(dtype)
    others = Statistics(images[..., [0, 2]], 2)
    images[..., 1] = number
    found = Statistics(images, 3)
    assert found.constant.tolist() == [False, True, False]
    assert found.mean[1] == pytest.approx(number)
    wanted = others.scale[0]
    np.testing.assert_allclose(found.scale[[0, 2]], wanted, rtol=1e-6)
    assert found.scale[1] > 0
    assert Statistics(images[..., 1:2], 1).scale == 1


def test_numbers_far_from_zero():
    images = (generator(4).standard_normal((99, 5, 5, 1)) + 1e6).astype("float64")
    found, (mean, scale) = Statistics(images, 1), expected(images)
    np.testing.assert_allclose(found.mean, mean, rtol=1e-12)
    np.testing.assert_allclose(found.scale, scale, rtol=1e-6)


@pytest.mark.parametrize("factor", [1e-100, 1e-30, 1e30, 1e150])
def test_numbers_of_any_size(factor):
    images = generator(5).standard_normal((99, 5, 5, 1)) * factor
    found = Statistics(images, 1)
    standard = (images - found.mean) / found.scale
    assert not found.constant.any()
    assert (standard.mean(), standard.std()) == (pytest.approx(0, abs=1e-9), pytest.approx(1))


@pytest.mark.parametrize("factor", [1e160, 1e200, 1e300])
def test_numbers_whose_squares_no_float_holds(factor):
    images = generator(5).standard_normal((99, 5, 5, 1)) * factor
    found = Statistics(images, 1)
    assert not found.constant.any()
    assert 0.1 < np.abs((images - found.mean) / found.scale).max() < 10
    clf = small(max_iter=6, learning_rate_init=0.1, random_state=0).fit(X * factor, Y)
    assert clf.loss_ < clf.loss_curve_[0]


def test_blank_images():
    images = colours(count=10)
    images[[1, 4, 5]] = 3
    assert Statistics(images, 3).blank == pytest.approx(0.3)
    assert Statistics(images, 3, np.array([0, 1])).blank == 0.5


# From statistics to the numbers a network sees


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("dtype", ["float32", "float64", "uint8", "int64"])
def test_what_the_network_sees(channels, dtype):
    """The same with augmentation, which sees images as they are, and without."""
    images = colours(channels=channels, dtype=dtype)
    layers = Sequential([Flatten(), Dense(2)])
    network = Network(layers, (5, 4, channels), 2, batch_size=50, scales=("input",))
    Statistics(images, channels).put(network.weights, True, images.dtype)
    mean, scale = expected(images)
    wanted = (images - mean) / np.sqrt(np.mean(scale**2))
    seen = []
    for change in (None, lambda batch: seen.append(batch.copy())):
        assert network.load(images, slice(3, 40), change) == 37
        np.testing.assert_allclose(network.x[:37], wanted[3:40], rtol=0, atol=1e-5)
    unit = 255 if dtype == "uint8" else 1
    np.testing.assert_allclose(seen[0], images[3:40] / unit, rtol=1e-6)


def test_both_ways_to_standardise_agree():
    images = colours(dtype="float64")
    stored = {"input/mean": np.array([1.0, 2, 3]), "input/scale": np.array([4.0, 5, 6])}
    out, changed = np.empty_like(images), images / 255
    load_standardised(images, stored, out)
    standardise(changed, stored, 255)
    wanted = (images - [1, 2, 3]) / [4, 5, 6]
    np.testing.assert_allclose(out, wanted, rtol=1e-12)
    np.testing.assert_allclose(changed, wanted, rtol=1e-9)


def test_standardisation_is_that_of_a_scaler():
    """For a table of unlike units."""
    table = FLAT[:, 20:25] * [1, 1e3, 1e-3, 50, 1] + [0, 7, 0, 0, -1]
    options = {"random_state": 0, "image_shape": (1, 1, 5)}
    clf = small(HEAD, **options).fit(table, Y)
    scaler = StandardScaler().fit(table)
    np.testing.assert_allclose(clf.network_.weights["input/mean"], scaler.mean_)
    np.testing.assert_allclose(clf.network_.weights["input/scale"], scaler.scale_)
    plain = small(HEAD, standardize=False, **options).fit(scaler.transform(table), Y)
    np.testing.assert_allclose(trained(clf), trained(plain), rtol=0, atol=1e-10)
