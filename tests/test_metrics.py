"""Scores of predicted images, beside those of scikit-learn for their pixels as samples."""

import re

import numpy as np
import pytest
from seeded import generator
from sklearn.metrics import accuracy_score, jaccard_score, r2_score

from cnnkit.metrics import mean_iou, pixel_accuracy, pixel_r2

RNG = generator(0)
TRUE, GUESS = RNG.integers(0, 4, (2, 5, 6, 7))
WEIGHTS = RNG.random(5)
OF_PIXELS = np.repeat(WEIGHTS, 42)
NAMES = np.array(["cat", "dog", "fox", "yak"])


@pytest.mark.parametrize("weights", [None, WEIGHTS])
def test_as_of_samples(weights):
    of_pixels = None if weights is None else OF_PIXELS
    wanted = accuracy_score(TRUE.ravel(), GUESS.ravel(), sample_weight=of_pixels)
    assert pixel_accuracy(TRUE, GUESS, sample_weight=weights) == pytest.approx(wanted)
    for average in ("macro", None):
        wanted = jaccard_score(
            TRUE.ravel(), GUESS.ravel(), average=average, sample_weight=of_pixels
        )
        found = mean_iou(TRUE, GUESS, average=average, sample_weight=weights)
        np.testing.assert_allclose(found, wanted)


def test_labels_of_any_kind():
    wanted = mean_iou(TRUE, GUESS)
    assert mean_iou(NAMES[TRUE], NAMES[GUESS]) == wanted
    assert mean_iou(NAMES[TRUE].astype(object), NAMES[GUESS]) == wanted
    assert mean_iou(TRUE.astype(np.uint8), GUESS.astype(float)) == wanted
    assert pixel_accuracy(TRUE > 1, GUESS > 1) == (((TRUE > 1) == (GUESS > 1)).mean())


def test_ignored_pixels_count_nothing():
    border = TRUE.copy()
    border[:, 0] = 255
    assert pixel_accuracy(border, GUESS, ignore_label=255) == pixel_accuracy(
        TRUE[:, 1:], GUESS[:, 1:]
    )
    found = mean_iou(border, GUESS, ignore_label=255, sample_weight=WEIGHTS)
    assert found == pytest.approx(mean_iou(TRUE[:, 1:], GUESS[:, 1:], sample_weight=WEIGHTS))


def test_labels_that_do_not_occur():
    found = mean_iou([[0, 1]], [[0, 1]], labels=[1, 7, 0], average=None)
    np.testing.assert_array_equal(found, [1, np.nan, 1])
    assert mean_iou([[0, 1]], [[0, 1]], labels=[1, 7]) == 1
    assert mean_iou([[0, 0]], [[0, 1]]) == 0.25  # 1 is predicted, so it occurs
    with pytest.raises(ValueError, match=r"^mean_iou: labels must occur in y_true or y_pred"):
        mean_iou([[0, 1]], [[0, 1]], labels=[7])


@pytest.mark.parametrize("weights", [None, WEIGHTS])
@pytest.mark.parametrize("channels", [(), (1,), (3,)])
def test_r2_as_of_samples(channels, weights):
    y = generator(1).random((5, 6, 7, *channels))
    guess = y + generator(2).normal(0, 0.1, y.shape)
    flat = [a.reshape(210, -1) for a in (y, guess)]
    of_pixels = None if weights is None else OF_PIXELS
    wanted = r2_score(*flat, sample_weight=of_pixels)
    assert pixel_r2(y, guess, sample_weight=weights) == pytest.approx(wanted)
    y[0, 0, 0] = np.nan
    assert pixel_r2(y, guess) == pytest.approx(r2_score(flat[0][1:], flat[1][1:]))


def test_r2_of_a_constant():
    ones = np.ones((2, 3, 3))
    assert (pixel_r2(ones, ones), pixel_r2(ones, ones + 1)) == (1, 0)


@pytest.mark.parametrize(
    ("function", "args", "options", "message"),
    [
        (
            mean_iou,
            (TRUE, GUESS[:4]),
            {},
            "y_true and y_pred must have one shape, got (5, 6, 7) an",
        ),
        (mean_iou, (1, 1), {}, "y_true and y_pred must have one shape, got () and ()"),
        (mean_iou, (TRUE, NAMES[GUESS]), {}, "y_true and y_pred must be labels of one kind, got"),
        (mean_iou, (TRUE, GUESS), {"average": "micro"}, "average must be 'macro' or None, got '"),
        (mean_iou, (TRUE, GUESS), {"labels": ["a"]}, "labels must be a list of labels such as"),
        (mean_iou, (TRUE, GUESS), {"labels": []}, "labels must be a list of labels such as"),
        (mean_iou, (TRUE, GUESS), {"ignore_label": "a"}, "ignore_label must be a label such as"),
        (pixel_accuracy, (TRUE * 0, GUESS), {"ignore_label": 0}, "y_true must have a pixel that"),
        (pixel_accuracy, (TRUE[:0], GUESS[:0]), {}, "y_true must have a pixel that counts, got no"),
        (pixel_accuracy, (TRUE, GUESS), {"sample_weight": [1]}, "sample_weight must be one number"),
        (pixel_accuracy, (TRUE, GUESS), {"sample_weight": -WEIGHTS}, "sample_weight must be one n"),
        (pixel_accuracy, (TRUE, GUESS), {"sample_weight": 0 * WEIGHTS}, "y_true must have a pixel"),
        (pixel_r2, (NAMES[TRUE], NAMES[GUESS]), {}, "y_true must be numbers (n, H, W) or (n, H, W"),
        (pixel_r2, (TRUE[0], GUESS[0]), {}, "y_true must be numbers (n, H, W) or (n, H, W, C), go"),
        (pixel_r2, (TRUE * np.nan, GUESS), {}, "y_true must have a pixel that counts, got none."),
    ],
)
def test_refused(function, args, options, message):
    with pytest.raises(ValueError, match=f"^{function.__name__}: {re.escape(message)}"):
        function(*args, **options)
