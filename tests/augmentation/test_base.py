"""What all augmentations have in common."""

import copy
import pickle
import re

import numpy as np
import pytest
from augmented import applied, images
from seeded import generator
from sklearn.base import clone

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

EVERY = [
    Flip(vertical=0.5),
    Shift((2, 3)),
    Shift(1, fill="edge"),
    Rotate(30),
    Rotate(180, fill="edge"),
    Scale(0.5, 2),
    Noise(0.1),
    Cutout((2, 3), value=0.5),
    Mixup(0.4),
    CutMix(0.7),
    Augment([Flip(), Rotate(10), Scale(), Shift(2), Noise(), Cutout(2), Mixup()]),
]
every = pytest.mark.parametrize("augmentation", EVERY, ids=repr)
each_dtype = pytest.mark.parametrize("dtype", [np.float32, np.float64])


class TestAll:
    @every
    @each_dtype
    def test_shape_and_dtype_stay_and_pixels_change(self, augmentation, dtype):
        X, targets = images(40, dtype=dtype), np.eye(40, dtype=dtype)
        Y = applied(augmentation, X, targets)
        assert Y.dtype == dtype
        assert np.isfinite(Y).all()
        assert (Y != X).any()
        assert augmentation.mixes_targets == (targets != np.eye(40)).any()

    @every
    def test_the_same_seed_gives_the_same_images(self, augmentation):
        X = images()
        a, b, c = (applied(augmentation, X, np.eye(5), seed) for seed in (1, 1, 2))
        assert (a == b).all()
        assert (a != c).any()

    @every
    def test_every_image_changes_in_its_own_way(self, augmentation):
        X = np.repeat(images(1), 64, axis=0)
        Y = applied(augmentation, X, np.eye(64))
        if not isinstance(augmentation, (CutMix, Mixup)):  # of images that are all the same
            assert len(np.unique(Y.reshape(64, -1), axis=0)) > 3

    @every
    def test_precision_does_not_choose_other_changes(self, augmentation):
        if "Noise" not in repr(augmentation):
            single, double = (
                applied(augmentation, images(dtype=dtype), np.eye(5, dtype=dtype))
                for dtype in (np.float32, np.float64)
            )
            np.testing.assert_allclose(single, double, atol=1e-5)

    @every
    def test_slices_of_larger_arrays_change_in_place(self, augmentation):
        X, around = images(), np.zeros((9, 8, 11, 3))
        part = around[1:6, :7, 2:, 1:]
        part[...] = X
        augmentation.apply(part, np.eye(5), generator(1))
        np.testing.assert_allclose(part, applied(augmentation, X, np.eye(5)))
        part[...] = 0
        assert (around == 0).all()

    @every
    def test_no_images(self, augmentation):
        augmentation.apply(np.empty((0, 7, 9, 2)), np.empty((0, 3)), generator(0))

    @every
    def test_augmentations_are_parameter_objects(self, augmentation):
        for other in (
            clone(augmentation),
            copy.deepcopy(augmentation),
            pickle.loads(pickle.dumps(augmentation)),
        ):
            assert other == augmentation
            assert repr(other) == repr(augmentation)
        before = clone(augmentation)
        applied(augmentation, images(), np.eye(5))
        assert augmentation == before
        assert augmentation != Augmentation()

    @pytest.mark.parametrize(
        "augmentation",
        [Flip(1, vertical=1), Shift(0), Rotate(180), Scale(0.5, 2), Rotate(9, fill="edge")],
        ids=repr,
    )
    @each_dtype
    def test_images_of_one_pixel_stay(self, augmentation, dtype):
        X = images(shape=(1, 1, 6), dtype=dtype)
        np.testing.assert_allclose(applied(augmentation, X), X, rtol=1e-6)

    @pytest.mark.parametrize("augmentation", [Noise(), Cutout(1), Mixup()], ids=repr)
    def test_images_of_one_pixel_change_where_it_makes_sense(self, augmentation):
        X = images(shape=(1, 1, 6))
        assert (applied(augmentation, X, np.eye(5)) != X).any()


@pytest.mark.parametrize(
    ("augmentation", "message"),
    [
        (Flip(1.5), "Flip: horizontal must be a finite number at least 0 and at most 1, got 1.5."),
        (Flip(vertical="no"), "Flip: vertical must be a finite number at least 0 and at most 1,"),
        (Shift(-1), "Shift: pixels must be an int of at least 0 or a pair of them, got -1."),
        (Shift(1.5), "Shift: pixels must be an int of at least 0 or a pair of them, got 1.5: "),
        (Shift(7), "Shift: pixels must be below the image's size (7, 9), got 7."),
        (Shift((0, 9)), "Shift: pixels must be below the image's size (7, 9), got (0, 9)."),
        (Shift(fill="mean"), "Shift: fill must be one of 'zero', 'edge', got 'mean'."),
        (Rotate(181), "Rotate: degrees must be a finite number at least 0 and at most 180,"),
        (Rotate(fill=0), "Rotate: fill must be one of 'zero', 'edge', got 0: "),
        (Scale(0), "Scale: low must be a finite number above 0, got 0."),
        (Scale(1.2, 1.1), "Scale: high must be a finite number at least 1.2, got 1.1."),
        (Noise(-0.1), "Noise: std must be a finite number at least 0 and at most 1e+30, got -0.1."),
        (Cutout(0), "Cutout: size must be a positive int or a pair of them, got 0."),
        (Cutout(8), "Cutout: size must be at most the image's size (7, 9), got 8."),
        (Cutout((7, 10)), "Cutout: size must be at most the image's size (7, 9), got (7, 10)."),
        (
            Cutout(value=np.inf),
            "Cutout: value must be a finite number at least -1e+30 and at most 1e+30, got inf.",
        ),
        (Mixup(0), "Mixup: alpha must be a finite number above 0, got 0."),
        (Augment(Flip()), "Augment: steps must be a list, got Flip()."),
        (Augment([Flip]), "Augment: steps must be augmentations such as Flip(), got <class"),
        (Augment([Flip(), Cutout(8)]), "Cutout: size must be at most the image's size (7, 9),"),
    ],
    ids=repr,
)
def test_what_does_not_fit(augmentation, message):
    with pytest.raises((ValueError, TypeError), match=re.escape(message)):
        augmentation.check((7, 9, 2))


@pytest.mark.parametrize(
    ("augmentation", "X", "targets", "message"),
    [
        (Flip(), [[1]], None, "Flip: images must be an array of float32 or float64, got list."),
        (
            Flip(),
            np.zeros((2, 4, 4, 1), np.uint8),
            None,
            "Flip: images must be an array of float32 or float64, got uint8.",
        ),
        (
            Flip(),
            np.zeros((4, 4, 1)),
            None,
            "Flip: images must be (n, H, W, C), got shape (4, 4, 1).",
        ),
        (
            Mixup(),
            np.zeros((2, 4, 4, 1)),
            None,
            "Mixup: targets must be an array of float32 or float64, got NoneType.",
        ),
        (
            Mixup(),
            np.zeros((2, 4, 4, 1)),
            np.zeros(2),
            "Mixup: targets must be (n, K), got shape (2,).",
        ),
        (
            Mixup(),
            np.zeros((2, 4, 4, 1)),
            np.zeros((3, 2)),
            "Mixup: targets must be 2 rows, one for every image, got 3.",
        ),
    ],
)
def test_bad_arrays(augmentation, X, targets, message):
    with pytest.raises((ValueError, TypeError), match=re.escape(message)):
        augmentation.apply(X, targets, generator(0))


@pytest.mark.parametrize("number", [np.float16(0.5), np.float32(0.5), np.longdouble(0.5), 1])
def test_hyper_parameters_of_any_real_type(number):
    Flip(horizontal=number).check((3, 3, 1))
