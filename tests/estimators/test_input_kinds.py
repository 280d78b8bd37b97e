"""What X is where it is no array of images."""

import re
from pathlib import Path

import numpy as np
import pytest
from estimator_data import FLAT, X, Y, flat, small

from cnnkit import CNNClassifier, CNNFeatures

Y6 = [0, 1] * 3
COLOURS = np.random.default_rng(0).random((6, 8, 8, 3))


class Tensor:
    """What PyTorch has on an accelerator."""

    ndim = 4
    shape = (6, 8, 8, 3)

    def __len__(self):
        return 6

    def detach(self):
        """Leave the graph of gradients."""

    def __array__(self, *args, **kwargs):
        raise TypeError("can't convert cuda:0 device type tensor to numpy.")


class Picture:
    """What Pillow has."""

    def __init__(self, image):
        self.__array_interface__ = image.__array_interface__
        self.image = image


def objects(*images):
    found = np.empty(len(images), object)
    found[:] = images
    return found


READ = "read the files into an array (n, H, W, C) first, with Pillow, say."
DIFFERENT = "got images of different shapes, (8, 8, 3) and (9, 8, 3): bring them to one size"
KINDS = [
    ("photos/", "got the text or path 'photos/': " + READ),
    (Path("photos"), "got the text or path 'photos': " + READ),
    (["a.png"] * 6, "got texts or paths such as 'a.png': " + READ),
    ([Path("a.png")] * 6, "got texts or paths such as 'a.png': " + READ),
    (np.array([["a.png"]] * 6), "got texts or paths such as 'a.png': " + READ),
    (objects(*["a.png"] * 6)[:, None], "got texts or paths such as 'a.png': " + READ),
    ([COLOURS[0], np.zeros((9, 8, 3))] * 3, DIFFERENT),
    ([Picture(COLOURS[0]), Picture(np.zeros((9, 8, 3)))] * 3, DIFFERENT),
    (objects(*[COLOURS[0], np.zeros((9, 8, 3))] * 3), DIFFERENT),
    (objects(*COLOURS), "got an array of objects: give np.stack(list(X))."),
    (Picture(COLOURS[0]), "got one image: put it in a list, [X]."),
    ([(COLOURS[0], 1)] * 6, "got entries that are no arrays: give images as X, their labels as y."),
    (Tensor(), "got a Tensor that NumPy cannot read: give X.detach().cpu().numpy()."),
    ((image for image in COLOURS), "got a generator: give an array, or its parts to partial_fit."),
]


@pytest.mark.parametrize(("given", "said"), KINDS, ids=lambda value: type(value).__name__)
def test_fit_says_what_it_was_given(given, said):
    with pytest.raises(
        ValueError, match=r"^CNNClassifier: X must be an array of images, "
    ) as found:
        CNNClassifier(max_iter=1).fit(given, Y6)
    assert said in str(found.value)


@pytest.mark.parametrize("given", [["a.png"] * 6, [COLOURS[0], COLOURS[0, ..., 1:]]])
def test_so_do_others(given):
    clf = CNNClassifier(max_iter=1).fit(COLOURS, Y6)
    for call in (clf.predict, clf.predict_proba, lambda X: clf.partial_fit(X, Y6[: len(X)])):
        with pytest.raises(ValueError, match=r"^CNNClassifier: X must be an array of images, got"):
            call(given)
    with pytest.raises(ValueError, match=r"^CNNClassifier: X_val must be an array of images, got"):
        clf.fit(COLOURS, Y6, X_val=given, y_val=Y6[: len(given)])


def test_pictures_of_one_size_are_an_array():
    pictures = [Picture(image) for image in COLOURS]
    assert CNNClassifier(max_iter=1).fit(pictures, Y6).input_shape_ == (8, 8, 3)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (
            np.zeros((6, 2, 8, 8, 3)),
            r"^CNNClassifier: X must be \(n, features\), .* got shape \(6,",
        ),
        (np.full((6, 8, 8), np.nan), "^Input X contains NaN"),
        (np.zeros(6), "^Expected 2D array, got 1D array instead"),
        ([1.0] * 6, "^Expected 2D array, got 1D array instead"),
    ],
)
def test_what_was_clear_stays(given, said):
    with pytest.raises(ValueError, match=said):
        CNNClassifier(max_iter=1).fit(given, Y6)


def test_one_image_needs_an_axis_for_samples():
    grey, colour = small().fit(X, Y), CNNClassifier(max_iter=1).fit(COLOURS, Y6)
    end = (
        r", one image without an axis for the samples: give X\[None\], or X\[:1\] in the place of "
        r"X\[0\]\.$"
    )
    rows = flat().fit(FLAT, Y)
    for clf, image in (
        *((colour, COLOURS[0]), (grey, X[0])),
        *((grey, X[0, :, :, 0]), (rows, X[0, :, :, 0])),
    ):
        shape = re.escape(str(image.shape))
        with pytest.raises(ValueError, match=r"^CNNClassifier: X must hold .* " + shape + end):
            clf.predict(image)
        assert len(clf.predict(image[None])) == 1
    with pytest.raises(ValueError, match=r"^CNNFeatures: X must hold images of .*, one image with"):
        CNNFeatures(small()).fit(X, Y).transform(X[0])
    with pytest.raises(ValueError, match=r"^CNNClassifier: X_val must hold .* give X_val\[None\]"):
        small().fit(X, Y, X_val=X[0], y_val=Y[:8])
    with pytest.raises(ValueError, match=r"^CNNClassifier: X must hold .*" + end):
        colour.partial_fit(COLOURS[0], Y6[:1])
    with pytest.raises(ValueError, match=r"^Network: X must hold .*, got shape \(192,\)" + end):
        colour.network_.activations(COLOURS[0].ravel(), ["conv1"])


def test_other_shapes_are_said_as_they_are():
    clf = CNNClassifier(max_iter=1).fit(COLOURS, Y6)
    with pytest.raises(ValueError, match=r"got shape \(6, 3, 8, 8\): channels come last, X\.trans"):
        clf.predict(COLOURS.transpose(0, 3, 1, 2))
    with pytest.raises(ValueError, match=r"got shape \(6, 8, 8, 2\)\.$"):
        clf.predict(COLOURS[..., 1:])
    with pytest.raises(ValueError, match=r"^Expected 2D array, got 1D array instead"):
        clf.predict(COLOURS[0].ravel())
    with pytest.raises(ValueError, match=r"^X has 9 features, but CNNClassifier is expecting 64"):
        small().fit(X, Y).predict(np.zeros((8, 9)))
    row = CNNClassifier(max_iter=1).fit(np.arange(48).reshape(6, 1, 8), Y6)
    assert len(row.predict(np.zeros((1, 8)))) == 1  # one flat row
