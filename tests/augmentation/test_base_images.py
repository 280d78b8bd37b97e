"""Targets that are images: they move with the images, or stay."""

import re

import numpy as np
import pytest
from augmented import images
from seeded import generator

from cnnkit.augmentation import (
    Augment,
    Augmentation,
    CutMix,
    Cutout,
    Flip,
    Mixup,
    Noise,
    Rotate,
    Scale,
    Shift,
)

MOVES = [
    Flip(vertical=0.5),
    Shift((2, 3)),
    Shift(2, fill="edge"),
    Rotate(40),
    Rotate(180, fill="edge"),
    Scale(0.5, 2),
    Augment([Flip(), Rotate(10), Scale(), Shift(2), Noise(), Cutout(2)]),
]
every_move = pytest.mark.parametrize("augmentation", MOVES, ids=repr)


def ramps(n=30, shape=(9, 11)):
    """Images (n, H, W, 2) whose numbers are rows and columns, and places as labels (n, H, W)."""
    at = np.stack(np.mgrid[: shape[0], : shape[1]], axis=-1).astype(np.float64)
    places = np.arange(shape[0] * shape[1]).reshape(shape)
    return np.tile(at, (n, 1, 1, 1)), np.tile(places, (n, 1, 1))


class TestMoves:
    @every_move
    def test_labels_come_from_the_pixel_nearest_to_where_numbers_come_from(self, augmentation):
        X, places = ramps()
        numbers = X.copy()
        augmentation.apply(X.copy(), places, generator(1))
        augmentation.apply(X, numbers, generator(1))
        inside = ~np.isnan(numbers).any(axis=-1)
        assert inside.mean() > 0.3
        assert (places[inside] >= 0).all()
        where = np.stack(np.divmod(places, 11), axis=-1)
        assert np.abs(where - numbers)[inside].max() <= 0.5 + 1e-9

    @every_move
    def test_numbers_move_as_the_images_do(self, augmentation):
        if isinstance(augmentation, Augment):
            augmentation = Augment(augmentation.steps[:-2])  # the others change the images alone
        X = images(30)
        Y = X.copy()
        augmentation.apply(X, Y, generator(1))
        inside = ~np.isnan(Y)
        np.testing.assert_allclose(Y[inside], X[inside], rtol=1e-9)
        fills = [step.fill for step in getattr(augmentation, "steps", [augmentation])[1:]]
        if getattr(augmentation, "fill", "edge") == "edge" and "zero" not in fills:
            assert inside.all()

    @every_move
    @pytest.mark.parametrize("dtype", [np.int8, np.int16, np.int64])
    def test_the_images_are_those_without_targets(self, augmentation, dtype):
        X = images(20)
        alone, labels = X.copy(), np.zeros(X.shape[:3], dtype)
        augmentation.apply(X, labels, generator(1))
        augmentation.apply(alone, None, generator(1))
        assert (alone == X).all()
        assert labels.dtype == dtype
        assert set(np.unique(labels)) <= {0, -1}

    def test_what_comes_from_outside_has_no_label(self):
        X, places = ramps()
        Shift((0, 3)).apply(X, places, generator(1))
        assert ((places == -1).any(axis=1).sum(axis=1) <= 3).all()
        assert (places == -1).any()
        _, edges = ramps()
        Shift((0, 3), fill="edge").apply(ramps()[0], edges, generator(1))
        assert (edges >= 0).all()


class TestOthers:
    @pytest.mark.parametrize("augmentation", [Noise(), Cutout(2)], ids=repr)
    def test_changes_of_pixels_leave_targets(self, augmentation):
        X, places = ramps()
        before = places.copy()
        augmentation.apply(X, places, generator(1))
        assert (places == before).all()
        assert augmentation.moves_pixels is False

    def test_cutmix_pastes_labels_with_images(self):
        numbers = np.arange(20)
        X = np.tile(numbers[:, None, None, None].astype(float), (1, 6, 7, 2))
        labels = np.tile(numbers[:, None, None], (1, 6, 7))
        CutMix().apply(X, labels, generator(1))
        assert (X[..., 0] == labels).all()
        assert (X[..., 1] == labels).all()
        assert (labels != numbers[:, None, None]).any()

    def test_mixup_mixes_numbers(self):
        X = images(20)
        Y = X.copy()
        Mixup(1.0).apply(X, Y, generator(1))
        np.testing.assert_allclose(X, Y)
        with pytest.raises(ValueError, match=r"^Mixup: targets must be numbers, not labels of"):
            Mixup().apply(X, np.zeros((20, 7, 9), int), generator(1))

    def test_an_augment_says_what_its_steps_say(self):
        assert Augment([Noise(), Cutout(2)]).moves_pixels is False
        assert Augment([Noise(), Flip()]).moves_pixels is True
        assert Augment([Flip(), Augmentation()]).moves_pixels is None


@pytest.mark.parametrize(
    ("targets", "message"),
    [
        (np.zeros((5, 7, 8), int), "Flip: targets must be labels (5, 7, 9) or numbers of as many"),
        (np.zeros((4, 7, 9), int), "Flip: targets must be labels (5, 7, 9) or numbers of as many"),
        (np.zeros((5, 7, 9, 1), int), "Flip: targets must be labels (5, 7, 9) or numbers of as ma"),
        (np.zeros((5, 7, 9)), "Flip: targets must be (n, H, W, K), got shape (5, 7, 9)."),
        (np.zeros((5, 7, 9), "U1"), "Flip: targets must be an array of float32 or float64, got <U"),
    ],
)
def test_targets_of_another_form(targets, message):
    with pytest.raises((TypeError, ValueError), match=f"^{re.escape(message)}"):
        Flip().apply(images(), targets, generator(1))
