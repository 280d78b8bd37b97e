"""Standardisation: of images and targets, kept beside the weights."""

import pickle

import joblib
import numpy as np
import pytest
from estimator_data import (
    FLAT,
    NUMBERS,
    STEADY,
    X,
    Y,
    regressor,
    small,
    trained,
    weights,
)
from oracles import assert_same_bits
from seeded import generator
from sklearn.frozen import FrozenEstimator

from cnnkit import (
    Dense,
    Flatten,
    load,
    save,
)
from cnnkit.augmentation import Augmentation

HEAD = [Flatten(), Dense()]
STATISTICS = ("input/mean", "input/scale", "input/range")
OF_TARGETS = ("targets/mean", "targets/scale")


def kept(estimator, paths=STATISTICS):
    return {path: estimator.network_.weights[path].copy() for path in paths}


def assert_kept(found, wanted, paths=STATISTICS):
    for path in paths:
        assert_same_bits(found.network_.weights[path], wanted.network_.weights[path])


# Images of any scale are learnt alike


@pytest.mark.parametrize(
    ("factor", "shift", "dtype"),
    [
        *((1 / 16, 0, "float32"), (255 / 16, 0, "float32"), (4000 / 16, -1000, "float32")),
        *((1, 0, "uint8"), (15, 0, "uint8"), (4000 / 16, -1000, "int16"), (1e-20, 0, "float32")),
        *((1e20, 0, "float32"), (1e150, 0, "float64")),
    ],
    ids=str,
)
def test_scale_and_offset_do_not_matter(factor, shift, dtype):
    images = np.round(X * 16)
    clf = small(random_state=0).fit(images.astype("float32"), Y)
    scaled = (images * factor + shift).astype(dtype)
    other = small(random_state=0).fit(scaled, Y)
    found, wanted = other.predict_proba(scaled), clf.predict_proba(images.astype("float32"))
    np.testing.assert_allclose(found, wanted, rtol=0, atol=1e-3)


def test_uint8_is_the_numbers_it_holds():
    images = np.round(X * 255).astype("uint8")
    a, b = (small().fit(given, Y) for given in (images, images.astype("float32")))
    assert_kept(a, b)
    np.testing.assert_allclose(weights(a), weights(b), rtol=0, atol=1e-5)
    # either takes what the other was trained on
    np.testing.assert_allclose(
        a.predict_proba(images.astype("float32")), b.predict_proba(images), rtol=0, atol=1e-5
    )


def test_without_standardisation_images_are_as_they_are():
    images = np.round(X * 16).astype("uint8") * 15
    for given, unit in ((images, 255), (images.astype("float32"), 1)):
        found = small(standardize=False).fit(given, Y).network_.weights
        assert (found["input/mean"], found["input/scale"]) == (0, unit)
        assert found["input/range"].tolist() == [0, 240]


class Seen(Augmentation):
    """Takes note of the range of images, and of their dtype."""

    mixes_targets = False
    found = ()

    def check(self, input_shape):
        pass

    def change(self, images, targets, rng):
        Seen.found = (*Seen.found, (images.min(), images.max(), images.dtype.name))


@pytest.mark.parametrize("standardize", [False, True])
@pytest.mark.parametrize(
    ("dtype", "most"), [("uint8", np.float32(1)), ("float32", 255), ("float64", 255)]
)
def test_an_augmentation_sees_images_as_they_are(dtype, most, standardize, monkeypatch):
    monkeypatch.setattr(Seen, "found", ())
    images = np.round(X * 255).astype(dtype)
    options = {"augmentation": Seen(), "batch_size": 120, "test_time_augmentation": 1}
    clf = small(standardize=standardize, max_iter=1, **options).fit(images, Y)
    clf.predict(images)
    low, high, kind = zip(*Seen.found, strict=True)
    assert low == (0, 0)
    assert high == pytest.approx((most, most))
    assert kind == ("float64" if dtype == "float64" else "float32",) * 2


def test_an_augmentation_that_does_nothing_changes_nothing():
    plain, seen = small().fit(X, Y), small(augmentation=Seen()).fit(X, Y)
    np.testing.assert_allclose(weights(seen), weights(plain), rtol=0, atol=1e-12)


def test_statistics_are_of_training_alone():
    """Not of validation, nor of samples without weight, nor of augmented images."""
    images = X.copy()
    images[:40] += 1000
    clf = small().fit(images[40:], Y[40:], X_val=images[:40], y_val=Y[:40])
    wanted = small().fit(X[40:], Y[40:])
    assert_kept(clf, wanted)
    weighted = small().fit(images, Y, sample_weight=np.arange(120) >= 40)
    assert_kept(weighted, wanted)
    held = small(early_stopping=True, validation_fraction=0.25).fit(X, Y)
    mean = held.network_.weights["input/mean"]
    assert mean != small().fit(X, Y).network_.weights["input/mean"]


def test_weights_of_samples_weigh_in_statistics():
    counts = generator(6).integers(0, 3, 120)
    rows = np.repeat(np.arange(120), counts)
    for make, y in ((small, Y), (regressor, NUMBERS)):
        paths = STATISTICS + (OF_TARGETS if make is regressor else ())
        a, b = make().fit(X, y, sample_weight=counts), make().fit(X[rows], y[rows])
        for path in paths:
            found, wanted = a.network_.weights[path], b.network_.weights[path]
            np.testing.assert_allclose(found, wanted, rtol=1e-9)


# Where they are kept


@pytest.mark.parametrize(("make", "y"), [(small, Y), (regressor, NUMBERS * 1e6)])
@pytest.mark.parametrize("way", ["file", "pickle", "joblib"])
def test_files_and_pickles_hold_them(way, make, y, tmp_path):
    estimator = make().fit(X * 200 - 50, y)
    if way == "file":
        save(estimator, tmp_path / "model")
        again = load(tmp_path / "model")
    elif way == "pickle":
        again = pickle.loads(pickle.dumps(estimator))
    else:
        joblib.dump(estimator, tmp_path / "model")
        again = joblib.load(tmp_path / "model")
    assert_kept(again, estimator, STATISTICS + (OF_TARGETS if make is regressor else ()))
    assert_same_bits(again.predict(X * 200 - 50), estimator.predict(X * 200 - 50))


def test_they_are_not_trained():
    reg = regressor(HEAD, alpha=1.0, learning_rate_init=0.1, clip_norm=1.0, ema_decay=0.5)
    reg.fit(X * 3, NUMBERS * 3)
    np.testing.assert_allclose(reg.network_.weights["input/mean"], X.mean() * 3)
    np.testing.assert_allclose(reg.network_.weights["input/scale"], X.std() * 3)
    np.testing.assert_allclose(reg.network_.weights["targets/mean"], NUMBERS.mean() * 3)
    np.testing.assert_allclose(reg.network_.weights["targets/scale"], NUMBERS.std() * 3)
    assert len(trained(reg)) == 65


@pytest.mark.parametrize(("make", "y"), [(small, Y), (regressor, NUMBERS)])
def test_warm_start_keeps_them(make, y):
    paths = STATISTICS + (OF_TARGETS if make is regressor else ())
    estimator = make(warm_start=True).fit(X, y)
    before = kept(estimator, paths)
    estimator.fit(X * 0.5 + 0.1, y)
    for path, array in before.items():
        assert_same_bits(estimator.network_.weights[path], array)


@pytest.mark.parametrize(("make", "y"), [(small, Y), (regressor, NUMBERS)])
def test_a_stream_keeps_those_of_the_first_part(make, y):
    paths = STATISTICS + (OF_TARGETS if make is regressor else ())
    options = {"classes": range(10)} if make is small else {}
    estimator = make().partial_fit(X[:40], y[:40], **options)
    np.testing.assert_allclose(estimator.network_.weights["input/mean"], X[:40].mean())
    before = kept(estimator, paths)
    estimator.partial_fit(X[40:] * 1.5, y[40:])
    for path, array in before.items():
        assert_same_bits(estimator.network_.weights[path], array)
    same = pickle.loads(pickle.dumps(estimator)).partial_fit(X, y)
    assert_same_bits(weights(estimator.partial_fit(X, y)), weights(same))


@pytest.mark.parametrize(
    "form", [FrozenEstimator, lambda e: e.network_.weights], ids=["est", "map"]
)
def test_initial_weights_carry_them(form):
    """All but the range, which is of the data at hand."""
    start = small(max_iter=3).fit(X * 200 - 50, Y)
    still = STEADY | {"learning_rate_init": 1e-30, "alpha": 0, "max_iter": 1}
    images = X[:60] * 200 - 50
    clf = small(initial_weights=form(start), **still).fit(images, Y[:60])
    assert_kept(clf, start, ("input/mean", "input/scale"))
    assert clf.network_.weights["input/range"].tolist() == [images.min(), images.max()]
    np.testing.assert_allclose(clf.predict_proba(images), start.predict_proba(images), rtol=1e-9)


def test_initial_weights_of_a_head_for_other_targets():
    start = regressor().fit(X, NUMBERS * 1e6)
    two = regressor(initial_weights=start).fit(X, np.c_[NUMBERS, NUMBERS * 5])
    mean = two.network_.weights["targets/mean"]
    np.testing.assert_allclose(mean, [NUMBERS.mean(), 5 * NUMBERS.mean()])
    one = regressor(initial_weights=start).fit(X, NUMBERS)  # goes on in the units it had
    assert_kept(one, start, OF_TARGETS)


def test_initial_weights_of_another_kind():
    """A classifier has no targets to scale: it takes none, and gives none."""
    reg = regressor().fit(X, NUMBERS)
    clf = small(initial_weights=reg).fit(X * 2, Y)
    assert_kept(clf, reg, ("input/mean", "input/scale"))
    assert "targets/mean" not in clf.network_.weights
    back = regressor(initial_weights=clf).fit(X, NUMBERS)
    assert_kept(back, reg, ("input/mean", "input/scale", *OF_TARGETS))


# Another scale at prediction


@pytest.fixture(scope="module")
def fitted():
    return small(max_iter=1).fit(X * 255, Y)


@pytest.mark.parametrize("method", ["predict", "predict_proba", "decision_function"])
@pytest.mark.parametrize("images", [X, X * 255 * 255, X * 255 - 1000], ids=["1", "255^2", "below"])
def test_another_scale_is_told_of(images, method, fitted):
    with pytest.warns(UserWarning, match=r"training had 0 to 255.* scaled as in fit\.$") as told:
        getattr(fitted, method)(images)
    assert [record.filename for record in told] == [__file__]


def test_another_scale_is_told_of_by_other_methods(fitted):
    for method in ("predict_log_proba", "score"):
        with pytest.warns(UserWarning, match="scaled as in fit"):
            getattr(fitted, method)(*((X, Y) if method == "score" else (X,)))
    reg = regressor(max_iter=1).fit(X * 255, NUMBERS)
    with pytest.warns(UserWarning, match="^CNNRegressor: X has numbers from 0 to 1,") as told:
        reg.predict(X)
    assert [record.filename for record in told] == [__file__]


@pytest.mark.parametrize("dtype", ["uint8", "float32", "float64"])
def test_the_same_scale_is_not(dtype, fitted):
    images = (X * 255).astype(dtype)
    order = generator(7).permutation(120)
    for given in (images, images[order], images[:1], images[5:6], images[:0:-1], images // 2):
        fitted.predict(given)


@pytest.mark.parametrize("number", [0, 1, 128, 255, 300])
def test_single_images_without_contrast_are_not(number, fitted):
    fitted.predict(np.full((1, 8, 8, 1), float(number)))


def test_the_range_of_a_file_counts(tmp_path, fitted):
    save(fitted, tmp_path / "model")
    with pytest.warns(UserWarning, match="training had 0 to 255"):
        load(tmp_path / "model").predict(X)


@pytest.mark.parametrize("standardize", [False, True])
def test_dark_and_bright_images_are_the_same_scale(standardize):
    clf = small(max_iter=1, standardize=standardize).fit(X, Y)
    for given in (X * 0.6, X + 0.5, 1 - X, X - X.mean()):
        clf.predict(given)


def test_a_far_number_is_no_other_scale():
    """A scaler makes such of what hardly ever varies in training."""
    scaled = FLAT.copy()
    clf = small(max_iter=1, image_shape=(8, 8)).fit(scaled, Y)
    scaled[3, 17] = 5
    clf.predict(scaled)
