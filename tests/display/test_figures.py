"""Titles above images, and what the titles of class activation maps say."""

from itertools import combinations

import numpy as np
import pytest
from seeded import generator

from cnnkit import CNNClassifier, Conv, Dense, Flatten, GlobalAvgPool, MaxPool, ReLU
from cnnkit.display import ClassActivationDisplay, MisclassifiedDisplay
from cnnkit.display.figures import FONT, WORD, text_width, wrapped

pytestmark = pytest.mark.usefixtures("pyplot")

NAMES = [
    "cat",
    "West Highland white terrier",
    "Staffordshire_bullterrier",
    "Wwwwwwwwwwwwwwwwwwwwwww",
    "x" * 70,
    "",
]


class TestWrapped:
    @pytest.mark.parametrize("name", NAMES)
    @pytest.mark.parametrize("width", [0.3, 0.8, 2.0])
    def test_all_is_there_in_lines_that_fit(self, name, width):
        lines = wrapped(name, width).split("\n")
        assert "".join(lines).replace(" ", "") == name.replace(" ", "")
        assert all(text_width(line, FONT) <= width for line in lines)

    def test_where_lines_end(self):
        assert wrapped("golden retriever", 0.7) == "golden\nretriever"
        assert wrapped("conv5_2/residual/body", 0.7) == "conv5_2/\nresidual/\nbody"
        assert wrapped("two\nlines", 5) == "two\nlines"


def displays(names, axes=None):
    """Both displays that label images, on axes of their own or given ones."""
    n = len(names)
    images, titles = generator(0).random((n, 9, 9, 1)), [f"{name} (97%)" for name in names]
    yield ClassActivationDisplay(
        images, np.ones((n, 3, 3)), titles=titles, image_titles=[f"true: {k}" for k in names]
    ).plot(axes)
    yield MisclassifiedDisplay(images, names, names[::-1], confidence=np.ones(n)).plot(axes)


class TestTitles:
    def drawn(self, display):
        display.figure_.canvas.draw()
        found = [text for text in display.ax_.texts if text.get_text()]
        return {text: text.get_window_extent() for text in found}

    @pytest.mark.parametrize("names", [NAMES, NAMES[1:2], NAMES[:1] * 9, NAMES[4:5]], ids=len)
    def test_they_are_whole_and_apart(self, names):
        for display in displays(names):
            drawn = self.drawn(display)
            said = "".join(text.get_text() for text in drawn).replace("\n", "").replace(" ", "")
            assert all(name.replace(" ", "") in said for name in names)
            for a, b in combinations(drawn.values(), 2):
                assert not a.overlaps(b)
            window = display.figure_.get_window_extent()
            for image in display.ax_.images:
                assert not any(image.get_window_extent().overlaps(box) for box in drawn.values())
            for box in drawn.values():
                assert window.x0 - 1 <= box.x0
                assert box.x1 <= window.x1 + 1

    def test_a_word_has_room(self):
        word = "hippopotamuses"
        assert text_width(word, FONT) < WORD
        for display in displays([word]):
            assert word in display.ax_.texts[0].get_text()

    def test_they_shrink_with_the_axes(self, pyplot):
        for k in range(2):
            _, ax = pyplot.subplots(figsize=(3, 3))
            drawn = self.drawn(list(displays(NAMES, ax))[k])
            assert max(text.get_fontsize() for text in drawn) < FONT


class TestSizeOfMaps:
    def fitted(self, *pools):
        X, y = generator(0).random((8, 16, 16, 1)), np.arange(8) % 2
        layers = [part for pool in pools for part in (Conv(2), ReLU(), MaxPool(pool))]
        clf = CNNClassifier([*layers, Flatten(), Dense()], max_iter=1, random_state=0)
        return clf.fit(X, y), X[:2]

    def test_the_title_says_it(self):
        display = ClassActivationDisplay.from_estimator(*self.fitted(2))
        title = " ".join(display.ax_.get_title().split())
        assert title == "maxpool1: maps of 8 x 8 over images of 16 x 16"
        display = ClassActivationDisplay(np.ones((1, 9, 9, 1)), np.ones((1, 3, 5))).plot()
        lines = display.ax_.get_title().split("\n")
        assert " ".join(lines) == "maps of 3 x 5 over images of 9 x 9"
        assert len(lines) > 1  # one small image

    def test_few_pixels_are_warned_of(self):
        message = (
            r"^ClassActivationDisplay: the maps of 'maxpool3' have 2 x 2 pixels, stretched over "
            r"images of 16 x 16; node='relu3' gives maps of 4 x 4\.$"
        )
        clf, X = self.fitted(2, 2, 2)
        with pytest.warns(UserWarning, match=message):
            ClassActivationDisplay.from_estimator(clf, X)
        display = ClassActivationDisplay.from_estimator(clf, X, node="relu3")
        assert display.maps.shape == (2, 4, 4)

    def test_small_images_have_small_maps(self):
        X, y = generator(0).random((8, 1, 16)), np.arange(8) % 2
        layers = [Conv(2, (1, 3)), ReLU(), GlobalAvgPool(), Dense()]
        clf = CNNClassifier(layers, max_iter=1).fit(X, y)
        assert ClassActivationDisplay.from_estimator(clf, X[:1]).maps.shape == (1, 1, 16)
