"""What all displays have in common."""

import re
import sys

import numpy as np
import pytest

from cnnkit import (
    CNNClassifier,
    ReLU,
)
from cnnkit.display import (
    ArchitectureDisplay,
    ClassActivationDisplay,
    FeatureMapDisplay,
    FilterDisplay,
    LearningRateDisplay,
    LossCurveDisplay,
    MisclassifiedDisplay,
    SegmentationDisplay,
)

pytestmark = pytest.mark.usefixtures("pyplot")


DISPLAYS = [
    lambda: ArchitectureDisplay([ReLU()]),
    lambda: ClassActivationDisplay(np.ones((1, 2, 2, 1)), np.ones((1, 2, 2))),
    lambda: FeatureMapDisplay(np.ones((2, 2, 3))),
    lambda: FilterDisplay(np.ones((3, 3, 1, 2))),
    lambda: LearningRateDisplay([1, 2], [2, 1]),
    lambda: LossCurveDisplay([1, 2]),
    lambda: SegmentationDisplay(np.ones((1, 2, 2, 1)), np.ones((1, 2, 2)), np.ones((1, 2, 2))),
    lambda: MisclassifiedDisplay(np.ones((1, 2, 2, 1)), [0], [1]),
]


@pytest.mark.parametrize("build", DISPLAYS)
class TestConvention:
    def test_on_other_axes(self, pyplot, build):
        display = build()
        assert not hasattr(display, "ax_")
        figure, ax = pyplot.subplots()
        assert display.plot(ax) is display
        assert display.ax_ is ax
        assert display.figure_ is figure
        assert pyplot.get_fignums() == [figure.number]
        figure.canvas.draw()

    def test_text_lies_in_the_figure(self, pyplot, build):
        display = build().plot()
        display.figure_.canvas.draw()
        window = display.figure_.get_window_extent()
        for text in [*display.ax_.texts, display.ax_.title]:
            if text.get_text():
                extent = text.get_window_extent()
                assert window.x0 - 1 <= extent.x0
                assert extent.x1 <= window.x1 + 1
                assert extent.y1 <= window.y1 + 1

    def test_without_matplotlib(self, monkeypatch, build):
        display = build()
        imported = [name for name in sys.modules if name.split(".")[0] == "matplotlib"]
        for name in {"matplotlib", *imported}:
            monkeypatch.setitem(sys.modules, name, None)
        with pytest.raises(ImportError, match=r"needs matplotlib: pip install cnnkit\[plot\]"):
            display.plot()


@pytest.mark.parametrize(
    "kind",
    [
        *(FilterDisplay, FeatureMapDisplay, ClassActivationDisplay, MisclassifiedDisplay),
        SegmentationDisplay,
    ],
)
def test_not_fitted(kind, digits):
    args = {FilterDisplay: (), FeatureMapDisplay: (digits[0][0],)}.get(kind, digits)
    with pytest.raises(ValueError, match=f"{kind.__name__}: estimator must be one of cnnkit's"):
        kind.from_estimator(CNNClassifier(), *args)


@pytest.mark.parametrize("columns", [0, -1, 2.5, "a", None])
@pytest.mark.parametrize("build", [*DISPLAYS[1:4], *DISPLAYS[-2:]])
def test_columns_are_a_positive_int(build, columns):
    display = build()
    message = f"{type(display).__name__}: columns must be a positive int, got {columns!r}."
    with pytest.raises((ValueError, TypeError), match=f"^{re.escape(message)}"):
        display.plot(columns=columns)


@pytest.mark.parametrize(
    ("display", "message"),
    [
        (FilterDisplay(np.ones((3, 3, 1, 2)), max_filters=0), "max_filters must be a positive int"),
        (FeatureMapDisplay(np.ones((2, 2, 3)), max_maps=-1), "max_maps must be a positive int"),
        (
            MisclassifiedDisplay(np.ones((1, 2, 2, 1)), [0], [1], max_images=0.5),
            "max_images must be an int of at least 0, got 0.5",
        ),
        (
            ClassActivationDisplay(np.ones((2, 2, 2, 1)), np.ones((2, 2, 2)), titles=["one"]),
            r"there must be images, and a title for each or none, got 2 images and \['one'\]",
        ),
        (ClassActivationDisplay(np.ones((0, 2, 2, 1)), np.ones((0, 2, 2))), "there must be images"),
        (SegmentationDisplay(np.ones((0, 2, 2, 1)), np.ones((0, 2, 2))), "there must be images"),
    ],
)
def test_counts_that_cannot_be_drawn(display, message):
    with pytest.raises((ValueError, TypeError), match=f"^{type(display).__name__}: {message}"):
        display.plot()
