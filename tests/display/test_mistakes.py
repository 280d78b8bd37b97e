"""Images that a classifier mistakes."""

from itertools import pairwise

import numpy as np
import pytest
from seeded import generator

from cnnkit.display import (
    MisclassifiedDisplay,
)

pytestmark = pytest.mark.usefixtures("pyplot")


def texts(display):
    return [text.get_text() for text in display.ax_.texts if text.get_text()]


X = generator(1).random((3, 6, 7, 2))


class TestMisclassified:
    def test_of_an_estimator(self, classifier, digits):
        display = MisclassifiedDisplay.from_estimator(classifier, *digits, max_images=5)
        wrong = classifier.predict(digits[0]) != digits[1]
        assert len(display.images) == wrong.sum()
        assert (np.diff(display.confidence) <= 0).all()
        assert len(display.images_) == 5
        assert display.ax_.get_title() == f"{wrong.sum()} of 200 wrong (5 shown)"
        first = f"{display.y_true[0]} as {display.y_pred[0]}\n{display.confidence[0]:.0%} sure"
        assert texts(display)[0] == first

    def test_flat_rows(self):
        X = np.arange(24).reshape(2, 12)
        display = MisclassifiedDisplay.from_predictions(X, [0, 1], [0, 2], image_shape=(2, 2, 3))
        assert display.images.tolist() == [np.arange(12.0, 24).reshape(2, 2, 3).tolist()]
        with pytest.raises(ValueError, match="image_shape must be given where X has flat rows"):
            MisclassifiedDisplay.from_predictions(X, [0, 1], [0, 2])

    def test_bytes_are_scaled(self):
        X = np.full((1, 4, 4), 255, np.uint8)
        assert (MisclassifiedDisplay.from_predictions(X, [0], [1]).images == 1).all()

    def test_long_names_do_not_touch(self):
        names = np.array(["golden retriever", "West Highland white terrier", "cat"])
        display = MisclassifiedDisplay.from_predictions(
            np.ones((3, 5, 5)), names, names[[1, 2, 0]], confidence=[0.9, 0.8, 0.7]
        )
        assert texts(display)[2] == "cat\nas golden\nretriever\n70% sure"
        display.figure_.canvas.draw()
        extents = [text.get_window_extent() for text in display.ax_.texts]
        for a, b in pairwise(extents):
            assert a.x1 < b.x0

    def test_names_of_files(self, classifier, digits):
        names = np.array([f"folder/scan_{number:03}.png" for number in range(200)])
        display = MisclassifiedDisplay.from_estimator(classifier, *digits, names=names)
        wrong = np.flatnonzero(classifier.predict(digits[0]) != digits[1])
        assert sorted(display.names) == names[wrong].tolist()
        row = int(display.names[0][-7:-4])
        assert (digits[1][row], digits[0][row].sum()) == (
            display.y_true[0],
            pytest.approx(display.images[0].sum()),
        )
        first = texts(display)[0].split("\n")
        assert "".join(first[:-2]) == display.names[0]
        assert first[-1] == f"{display.confidence[0]:.0%} sure"

    @pytest.mark.parametrize("names", [["a"], [["a", "b"]], "ab"])
    def test_names_of_others(self, names):
        with pytest.raises(ValueError, match="names must be one for each of the 2 images, got"):
            MisclassifiedDisplay.from_predictions(np.ones((2, 3, 3)), [0, 1], [1, 1], names=names)

    def test_nothing_wrong(self):
        display = MisclassifiedDisplay.from_predictions(np.ones((2, 3, 3)), [0, 1], [0, 1])
        assert display.ax_.get_title() == "0 of 2 wrong"
        assert display.images_ == []

    def test_lengths_differ(self):
        with pytest.raises(ValueError, match="must be one label for each of the 2 images"):
            MisclassifiedDisplay.from_predictions(np.ones((2, 3, 3)), [0], [0])
