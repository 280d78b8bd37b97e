"""Shapes of images, and batches of them on the way to a network."""

import numpy as np
import pytest
from oracles import LAYOUTS, assert_same_bits, laid_out
from seeded import generator

from cnnkit.data.images import check_input_shape, input_shape, load_batch

OWNER = "Someone"
ROWS = {
    "slice": slice(2, 5),
    "all": slice(0, 7),
    "past the end": slice(5, 99),
    "order": np.array([6, 0, 3]),
    "one": np.array([2]),
}


@pytest.mark.parametrize(
    ("shape", "given", "found"),
    [
        ((5, 8, 9, 3), None, (8, 9, 3)),
        ((5, 8, 9), None, (8, 9, 1)),
        ((5, 12), None, (1, 1, 12)),
        ((5, 12), (4, 3), (4, 3, 1)),
        ((5, 12), (2, 2, 3), (2, 2, 3)),
        ((5, 12), [2, 2, 3], (2, 2, 3)),
        ((5, 8, 9, 3), (8, 9, 3), (8, 9, 3)),
        ((5, 8, 9), (8, 9), (8, 9, 1)),
        ((5, 8, 9), (8, 9, 1), (8, 9, 1)),
        ((5, 8, 9, 1), (8, 9), (8, 9, 1)),
    ],
    ids=str,
)
def test_input_shape(shape, given, found):
    assert input_shape(np.zeros(shape), given, OWNER) == found


@pytest.mark.parametrize(
    ("shape", "given", "message"),
    [
        ((5,), None, r"X must be \(n, features\), \(n, H, W\) or \(n, H, W, C\), got shape \(5,\)"),
        ((5, 4, 3, 2, 1), None, r"X must be .*, got shape \(5, 4, 3, 2, 1\)"),
        ((5, 12), (4, 4), r"image_shape \(4, 4, 1\) must multiply to the 12 features of X, got 16"),
        ((5, 8, 9), (9, 8), r"image_shape must be \(8, 9, 1\) as X is, got \(9, 8\)"),
        ((5, 8, 9, 3), (8, 9), r"image_shape must be \(8, 9, 3\) as X is, got \(8, 9\)"),
        ((5, 12), (12,), r"image_shape must be \(H, W\) or \(H, W, C\), got \(12,\)"),
        ((5, 12), (0, 12), "image_shape must be a positive int, got 0"),
        ((5, 12), (-3, -4), "image_shape must be a positive int, got -3"),
        ((5, 12), (3, 4.0), r"image_shape must be a positive int, got 4\.0"),
        ((5, 12), (2**30, 2**30), "image_shape must lead to sizes whose product is at most"),
    ],
    ids=str,
)
def test_input_shapes_refused(shape, given, message):
    with pytest.raises((ValueError, TypeError), match=f"^Someone: {message}"):
        input_shape(np.zeros(shape), given, OWNER)


@pytest.mark.parametrize(
    ("shape", "wanted", "fits"),
    [
        ((5, 8, 9, 1), (8, 9, 1), True),
        ((5, 8, 9), (8, 9, 1), True),
        ((5, 72), (8, 9, 1), True),
        ((5, 8, 9, 3), (8, 9, 3), True),
        ((5, 216), (8, 9, 3), True),
        ((5, 8, 9), (8, 9, 3), False),
        ((5, 9, 8, 3), (8, 9, 3), False),
        ((5, 3, 8, 9), (8, 9, 3), False),
        ((5, 72), (8, 9, 3), False),
        ((5, 8, 27), (8, 9, 3), False),
    ],
    ids=str,
)
def test_shapes_after_fit(shape, wanted, fits):
    if fits:
        assert check_input_shape(np.zeros(shape), wanted, OWNER) is None
        return
    with pytest.raises(ValueError, match=r"^Someone: X must hold images of shape .*as in fit, got"):
        check_input_shape(np.zeros(shape), wanted, OWNER)


def images(dtype):
    """Seven images of 4 x 3 x 2 that every dtype holds exactly."""
    return generator(0).integers(0, 2 if dtype == "bool" else 100, (7, 4, 3, 2))


@pytest.mark.parametrize("real", ["float32", "float64"])
@pytest.mark.parametrize("rows", ROWS.values(), ids=ROWS)
@pytest.mark.parametrize(
    "dtype",
    [
        *("uint8", "int8", "uint16", "int16", "int32", "uint32", "int64", "uint64", "bool"),
        *("float16", "float32", "float64"),
    ],
)
def test_batches_of_every_dtype(dtype, rows, real):
    X = images(dtype)
    out = np.full((7, 4, 3, 2), np.nan, real)
    n = load_batch(X.astype(dtype), rows, out)
    expected = X[rows].astype(real)
    if dtype == "uint8":
        np.testing.assert_allclose(
            out[:n], expected / 255, rtol=2e-7 if real == "float32" else 4e-16
        )
    else:
        assert_same_bits(out[:n], expected)
    assert n == len(expected)
    assert np.isnan(out[n:]).all()


@pytest.mark.parametrize("real", ["float32", "float64"])
def test_uint8_is_scaled_to_one(real):
    out = np.empty((256, 1, 1, 1), real)
    load_batch(np.arange(256, dtype="uint8")[:, None], slice(None), out)
    assert (out[0], out[-1]) == (0, 1)
    assert (np.diff(out.ravel()) > 0).all()


@pytest.mark.parametrize("form", [(7, 24), (7, 4, 6), (7, 4, 3, 2)], ids=str)
def test_forms_of_the_same_numbers(form):
    out = np.empty((7, 4, 3, 2))
    load_batch(images("f8").reshape(form), slice(None), out)
    assert_same_bits(out, images("f8").astype("float64"))


@pytest.mark.parametrize("rows", ROWS.values(), ids=ROWS)
@pytest.mark.parametrize("dtype", ["uint8", "int32", "float32", "float64"])
@pytest.mark.parametrize("layout", LAYOUTS)
def test_layouts_of_memory(layout, dtype, rows, tmp_path):
    X = images(dtype).astype(dtype)
    given = laid_out(X, layout, tmp_path)
    got, expected = np.zeros((2, 7, 4, 3, 2), "float32")
    assert load_batch(given, rows, got) == load_batch(X, rows, expected)
    assert_same_bits(got, expected)
    assert (given == X).all()


def test_signals_have_one_row():
    X = images("f8").reshape(7, 8, 3)
    assert input_shape(X, (1, 8, 3), "Owner") == (1, 8, 3)
    assert input_shape(X[..., 0], (1, 8, 1), "Owner") == (1, 8, 1)
    for given in (X, X[:1], X[:, None], X.reshape(7, 24)):
        check_input_shape(given, (1, 8, 3), "Owner")
    for wrong in (X[0], X[:, :5], X.transpose(0, 2, 1)):
        with pytest.raises(ValueError, match=r"^Owner: X must hold images of shape \(1, 8, 3\)"):
            check_input_shape(wrong, (1, 8, 3), "Owner")
    with pytest.raises(ValueError, match=r"^Owner: image_shape must be \(8, 3, 1\) as X is"):
        input_shape(X, (1, 3, 8), "Owner")
