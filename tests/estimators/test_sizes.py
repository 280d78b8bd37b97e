"""Prediction of images of other sizes than in training."""

import numpy as np
import pytest

from cnnkit import CNNClassifier, CNNRegressor, Conv, Dense, Flatten, GlobalAvgPool, ReLU
from cnnkit.augmentation import Flip
from cnnkit.data import LazyArray

RNG = np.random.default_rng(0)
X = RNG.random((30, 9, 8, 2)).astype(np.float32)
Y = np.arange(30) % 3
POOLED = [Conv(4, 3), ReLU(), Conv(3, 3), GlobalAvgPool(), Dense(None)]


@pytest.fixture(scope="module")
def clf():
    return CNNClassifier(POOLED, max_iter=1, random_state=0).fit(X, Y)


@pytest.fixture
def mixed():
    larger = [np.pad(X[k], ((k % 3, 0), (0, k % 4), (0, 0)), "edge") for k in range(12)]
    assert len({image.shape for image in larger}) > 5
    return larger


def test_every_image_is_predicted_as_alone(clf, mixed):
    found = clf.predict_proba(mixed)
    for image, row in zip(mixed, found, strict=True):
        np.testing.assert_array_equal(clf.predict_proba(image[None])[0], row)
    assert found.shape == (12, 3)
    objects = np.empty(12, object)
    objects[:] = mixed
    np.testing.assert_array_equal(clf.predict_proba(objects), found)
    np.testing.assert_array_equal(clf.predict_proba(tuple(mixed)), found)


def test_the_outputs_are_those_of_the_network(clf):
    """An image that is extended by its own zeros: convolutions see the same, their mean less."""
    wide = np.zeros((3, 9, 14, 2), np.float32)
    network = clf.network_
    wanted = type(network)(network.graph, (9, 14, 2), 3, weights=network.weights, batch_size=3)
    wanted.load(wide, slice(None))
    np.testing.assert_array_equal(clf._outputs(wide), wanted.forward(3))


def test_lazy_arrays_and_regressors(clf):
    wide = RNG.random((5, 9, 12, 2)).astype(np.float32)
    np.testing.assert_array_equal(clf.predict_proba(LazyArray(wide)), clf.predict_proba(wide))
    reg = CNNRegressor(POOLED, max_iter=1, random_state=0).fit(X, RNG.random((30, 2)))
    assert reg.predict([wide[0], X[0]]).shape == (2, 2)
    np.testing.assert_array_equal(reg.predict([wide[0], X[0]])[1:], reg.predict(X[:1]))


def test_grey_images_without_an_axis_for_channels():
    clf = CNNClassifier(POOLED, max_iter=1, random_state=0).fit(X[..., 0], Y)
    wide = np.pad(X[..., 0], ((0, 0), (0, 0), (2, 2)))
    np.testing.assert_array_equal(clf.predict(wide), clf.predict(wide[..., None]))
    assert clf.predict([wide[0], X[0, ..., 0], X[0, ..., :1]]).shape == (3,)


def test_time_augmentation_and_several_threads_of_sizes(clf, mixed):
    turned = CNNClassifier(
        POOLED, max_iter=1, random_state=0, augmentation=[Flip()], test_time_augmentation=2
    ).fit(X, Y)
    assert turned.predict_proba(mixed).shape == (12, 3)


def test_other_endings_say_why_not(mixed):
    flat = CNNClassifier([Conv(2, 3), Flatten(), Dense(None)], max_iter=1).fit(X, Y)
    with pytest.raises(
        ValueError,
        match=r"CNNClassifier: X must hold images of shape \(9, 8, 2\), as in fit, got some of "
        r"shape .*global pooling could predict: dense1/w has the shape \(144, 3\)",
    ):
        flat.predict(mixed)
    with pytest.raises(ValueError, match=r"got shape \(2, 9, 9, 2\), which.*dense1/w"):
        flat.predict(np.zeros((2, 9, 9, 2)))


@pytest.mark.parametrize(
    "wrong",
    [
        np.zeros((4, 9, 9, 3)),  # other channels
        np.zeros((4, 2, 9, 8)),  # channels first
        np.zeros((9, 8, 2)),  # one image
        [np.zeros((9, 8, 2)), np.zeros((9, 8, 3))],
        [np.zeros((9, 8, 2)), 3],
        np.zeros((4, 20)),
    ],
    ids=lambda X: str(np.shape(X) if isinstance(X, np.ndarray) else "list"),
)
def test_what_is_no_image_of_another_size_is_refused_as_before(clf, wrong):
    with pytest.raises(ValueError, match=r"CNNClassifier.*(must|expecting)"):
        clf.predict(wrong)


def test_images_that_are_too_small_are_named():
    clf = CNNClassifier("lenet5", max_iter=1).fit(RNG.random((6, 28, 28, 1)), Y[:6])
    with pytest.raises(
        ValueError, match=r"CNNClassifier: X must hold images of shape \(28, 28, 1\)"
    ):
        clf.predict(np.zeros((2, 3, 3, 1)))


def test_far_sizes_give_a_warning(clf):
    with pytest.warns(UserWarning, match="X has images of 9 x 16 pixels, training had 9 x 8"):
        clf.predict(np.zeros((2, 9, 16, 2), np.float32))
