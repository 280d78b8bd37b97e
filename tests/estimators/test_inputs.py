"""X and y in every form and dtype."""

import tracemalloc

import numpy as np
import pytest
from estimator_data import X, Y, small, trained, weights
from oracles import LAYOUTS, assert_same_bits, laid_out
from seeded import generator

from cnnkit import (
    Conv,
    Conv1x1,
    Dense,
    Flatten,
    GlobalAvgPool,
    MaxPool,
)
from cnnkit.data import scaling

# Forms and dtypes of X


@pytest.mark.parametrize("shape", [(8, 8, 1), (8, 8), [8, 8, 1]], ids=str)
def test_flat_three_and_four_dimensional_X_train_the_same(shape):
    expected = small().fit(X, Y)
    for form in (X, X[..., 0], X.reshape(120, 64), X.reshape(120, 64).tolist()):
        clf = small(image_shape=shape).fit(form, Y)
        assert_same_bits(weights(clf), weights(expected))
        for other in (X, X[..., 0], X.reshape(120, 64), X[..., 0].tolist()):
            assert_same_bits(clf.predict_proba(other), expected.predict_proba(X))


def test_colours_and_sides_are_told_apart():
    images = generator(0).random((20, 5, 6, 3))
    y = np.arange(20) % 2
    clf = small([Conv(4, (3, 2)), Flatten(), Dense()]).fit(images, y)
    assert clf.input_shape_ == (5, 6, 3)
    flat = small([Conv(4, (3, 2)), Flatten(), Dense()], image_shape=(5, 6, 3))
    assert_same_bits(weights(flat.fit(images.reshape(20, -1), y)), weights(clf))


@pytest.mark.parametrize("dtype", ["int8", "int16", "uint16", "int32", "int64", "bool", "float16"])
def test_other_dtypes_are_float32(dtype):
    images = (X * 16).astype(dtype)
    clf, same = (small().fit(a, Y) for a in (images, images.astype("float32")))
    assert clf.network_.dtype == "float32"
    assert_same_bits(weights(clf), weights(same))
    assert_same_bits(clf.predict_proba(images), same.predict_proba(images.astype("float32")))
    assert clf.predict_proba(images).dtype == "float32"


def test_float64_is_float64_and_near_float32():
    wide, narrow = (small().fit(X.astype(dtype), Y) for dtype in ("float64", "float32"))
    assert (wide.network_.dtype, narrow.network_.dtype) == ("float64", "float32")
    np.testing.assert_allclose(weights(wide), weights(narrow), rtol=0, atol=1e-4)
    np.testing.assert_allclose(wide.loss_curve_, narrow.loss_curve_, rtol=1e-5)


def test_uint8_is_like_any_numbers():
    images = (X * 255).astype("uint8")
    clf, same = (small().fit(a, Y) for a in (images, images.astype("float32")))
    np.testing.assert_allclose(weights(clf), weights(same), rtol=0, atol=1e-5)


def test_uint8_is_scaled_where_nothing_is_standardised():
    images = (X * 255).astype("uint8")
    clf = small(standardize=False).fit(images, Y)
    scaled = (images * np.float32(1 / 255)).astype("float32")
    same = small(standardize=False).fit(scaled, Y)
    np.testing.assert_allclose(trained(clf), trained(same), rtol=0, atol=1e-5)
    np.testing.assert_allclose(clf.predict_proba(images), same.predict_proba(scaled), atol=1e-5)


@pytest.mark.parametrize("dtype", ["uint8", "int16", "float32", "float64"])
@pytest.mark.parametrize("layout", LAYOUTS)
def test_layouts_of_memory(layout, dtype, tmp_path):
    images = (X * 16).astype(dtype)
    given = laid_out(images, layout, tmp_path)
    clf, expected = small().fit(given, Y), small().fit(images, Y)
    assert clf.network_.dtype == expected.network_.dtype
    assert_same_bits(weights(clf), weights(expected))
    assert_same_bits(clf.predict_proba(given), expected.predict_proba(images))


@pytest.mark.parametrize("mapped", [True, False])
def test_uint8_is_never_copied_whole(mapped, tmp_path, monkeypatch):
    monkeypatch.setattr(scaling, "BLOCK", 1 << 14)  # a block is as large for any data
    images = generator(0).integers(0, 255, (3000, 32, 32, 3), "uint8")
    y = np.arange(3000) % 2
    if mapped:
        images = laid_out(images, "memory_mapped", tmp_path)
    clf = small([MaxPool(8), Conv1x1(), GlobalAvgPool()], max_iter=1).fit(images[:50], y[:50])
    tracemalloc.start()
    try:
        clf.fit(images, y)
        trained = tracemalloc.get_traced_memory()[1]
        tracemalloc.reset_peak()
        clf.predict(images)
        predicted = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert trained < images.nbytes / 8
    assert predicted < images.nbytes / 2
