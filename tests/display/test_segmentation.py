"""Masks beside and over images."""

import re

import numpy as np
import pytest
from image_data import MASKS, X, image_regressor, segmenter

from cnnkit.display import (
    ClassActivationDisplay,
    MisclassifiedDisplay,
    SegmentationDisplay,
)

pytestmark = pytest.mark.usefixtures("pyplot")


@pytest.fixture(scope="module")
def fitted():
    return segmenter(max_iter=8, learning_rate_init=0.02, ignore_label=9).fit(X, MASKS)


def texts(display):
    return [text.get_text() for text in display.ax_.texts]


def test_of_an_estimator(fitted):
    names = ["ground", "light", "dark"]
    display = SegmentationDisplay.from_estimator(fitted, X[:3], MASKS[:3], class_names=names)
    assert (display.y_pred == fitted.predict(X[:3])).all()
    assert texts(display) == ["image", "true", "predicted"] * 3
    assert (len(display.images_), len(display.masks_)) == (3, 6)
    assert [text.get_text() for text in display.legend_.get_texts()] == names


def test_colours_are_those_of_the_classes():
    masks = np.array([[[0, 1], [2, 9]]])
    display = SegmentationDisplay.from_predictions(
        masks, None, masks, classes=[0, 1, 2], colors=["red", "lime", "blue"]
    )
    (drawn,) = display.masks_
    wanted = [[[1, 0, 0], [0, 1, 0]], [[0, 0, 1], [0, 0, 0]]]
    np.testing.assert_array_equal(drawn.get_array(), wanted)
    assert texts(display) == ["image", "predicted"]


def test_labels_that_occur_have_colours_in_order():
    y = np.array([[["a", "b"], ["b", "b"]]])
    display = SegmentationDisplay.from_predictions(np.ones((1, 2, 2)), np.full_like(y, "c"), y)
    assert [text.get_text() for text in display.legend_.get_texts()] == ["a", "b", "c"]


def test_images_are_seen_through_masks(fitted):
    display = SegmentationDisplay.from_estimator(fitted, X[:1], alpha=0.5)
    assert len(display.ax_.images) == 3  # the image, and again below its mask
    assert display.masks_[0].get_alpha() == 0.5


@pytest.mark.parametrize(("n", "columns"), [(1, 2), (3, 2), (5, 3), (4, 1)])
def test_masks_stand_beside_their_image(fitted, n, columns):
    display = SegmentationDisplay.from_estimator(fitted, X[:n], MASKS[:n], columns=columns)
    for k, image in enumerate(display.images_):
        extents = [drawn.get_extent() for drawn in (image, *display.masks_[2 * k : 2 * k + 2])]
        assert len({extent[2] for extent in extents}) == 1
        assert extents[0][1] < extents[1][0] < extents[1][1] < extents[2][0]


def test_bytes_and_colours():
    X = np.full((1, 4, 4, 3), 255, np.uint8)
    display = SegmentationDisplay.from_predictions(X, None, np.zeros((1, 4, 4), int))
    assert (display.images == 1).all()


@pytest.mark.parametrize(
    ("args", "options", "message"),
    [
        (
            (X[:2], MASKS[:1], MASKS[:2]),
            {},
            "y_true must be a label for each pixel of X, (2, 8, 9)",
        ),
        (
            (X[:2], None, MASKS[:1]),
            {},
            "y_pred must be a label for each pixel of X, (2, 8, 9), got",
        ),
        ((X[0], None, MASKS[0]), {}, "X must be (n, H, W) or (n, H, W, C), got shape (8, 9)."),
        ((X, None, MASKS), {"class_names": ["a"]}, "class_names must be 3 names, one for each cla"),
        (
            (X, None, MASKS),
            {"inch": 0},
            "inch must be a finite number above 0 and at most 100, got",
        ),
        ((X, None, MASKS), {"colors": []}, "colors must be a list of colours, got []."),
        ((X, None, MASKS), {"alpha": 2}, "alpha must be a finite number at least 0 and at mo"),
    ],
)
def test_refused(args, options, message):
    with pytest.raises(ValueError, match=f"^SegmentationDisplay: {re.escape(message)}"):
        SegmentationDisplay.from_predictions(*args, **options)


def test_estimators_of_another_kind(fitted):
    with pytest.raises(ValueError, match=r"^SegmentationDisplay: estimator must be a CNNSegmenter"):
        SegmentationDisplay.from_estimator(image_regressor().fit(X, X), X)
    for kind in (ClassActivationDisplay, MisclassifiedDisplay):
        with pytest.raises(ValueError, match=f"{kind.__name__}: estimator must be a classifier"):
            kind.from_estimator(fitted, X, MASKS)
