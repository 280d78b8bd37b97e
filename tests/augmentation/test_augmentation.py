"""Augmentation of training images."""

import copy
import pickle
import re

import numpy as np
import pytest
from scipy import ndimage
from seeded import generator
from sklearn.base import clone

from cnnkit.augmentation import (
    Augment,
    Augmentation,
    Cutout,
    Flip,
    Mixup,
    Noise,
    Rotate,
    Scale,
    Shift,
)
from cnnkit.augmentation.geometry import Affine

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
    Augment([Flip(), Rotate(10), Scale(), Shift(2), Noise(), Cutout(2), Mixup()]),
]
every = pytest.mark.parametrize("augmentation", EVERY, ids=repr)
each_dtype = pytest.mark.parametrize("dtype", [np.float32, np.float64])
FILLS = {"zero": "grid-constant", "edge": "nearest"}  # in the words of scipy.ndimage
each_fill = pytest.mark.parametrize("fill", FILLS)


def images(n=5, shape=(7, 9, 2), dtype=np.float64, seed=0):
    return generator(seed).random((n, *shape)).astype(dtype)


def applied(augmentation, X, targets=None, seed=1):
    X = X.copy()
    augmentation.check(X.shape[1:])
    augmentation.apply(X, targets, generator(seed))
    return X


def warped(X, maps, fill):
    """The slow twin of `sample`: pixel (i, j) comes from maps @ (i, j, 1), from the middle."""
    middle = (np.array(X.shape[1:3]) - 1) / 2
    found = np.empty_like(X)
    for image, m, out in zip(X, maps, found, strict=True):
        offset = m[:, 2] + middle - m[:, :2] @ middle
        for channel in range(X.shape[3]):
            out[..., channel] = ndimage.affine_transform(
                image[..., channel], m[:, :2], offset, order=1, mode=FILLS[fill], cval=0
            )
    return found


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
        if not isinstance(augmentation, Mixup):
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


class TestGeometry:
    def test_flips(self):
        X = images(4000)
        Y = applied(Flip(0.25, vertical=0.5), X)
        forms = [X, X[:, :, ::-1], X[:, ::-1], X[:, ::-1, ::-1]]
        shares = [(form == Y).all(axis=(1, 2, 3)).mean() for form in forms]
        np.testing.assert_allclose(shares, [0.375, 0.125, 0.375, 0.125], atol=0.06)
        assert sum(shares) == pytest.approx(1)

    @each_fill
    def test_shifts(self, fill):
        X = images(700)
        Y = applied(Shift((2, 3), fill=fill), X)
        forms = {}
        for down in range(-2, 3):
            for right in range(-3, 4):
                maps = np.tile([[1.0, 0, -down], [0, 1, -right]], (700, 1, 1))
                found = np.isclose(warped(X, maps, fill), Y, atol=1e-12).all(axis=(1, 2, 3))
                forms[down, right] = found.mean()
        assert sum(forms.values()) == pytest.approx(1)
        assert min(forms.values()) > 0

    @each_fill
    @pytest.mark.parametrize("shape", [(7, 9, 2), (1, 5, 1), (30, 20, 3), (2, 1, 1)])
    @pytest.mark.parametrize("kind", [Rotate, Scale])
    def test_pixels_come_from_where_scipy_takes_them(self, kind, shape, fill):
        augmentation = kind(fill=fill).set_params(
            **({"degrees": 180} if kind is Rotate else {"low": 0.3, "high": 3})
        )
        X = images(20, shape)
        maps = augmentation.maps(20, *shape[:2], generator(1))
        np.testing.assert_allclose(
            applied(augmentation, X), warped(X, maps, fill), rtol=1e-9, atol=1e-9
        )

    @each_dtype
    def test_large_images_are_sampled_a_few_at_a_time(self, dtype):
        X = images(3, (150, 200, 3), dtype)
        maps = Rotate(30).maps(3, 150, 200, generator(1))
        np.testing.assert_allclose(
            applied(Rotate(30), X), warped(X, maps, "zero"), atol=1e-9 if dtype is float else 2e-4
        )

    def test_a_quarter_turn(self):
        class Quarter(Affine):
            fill = "zero"

            def maps(self, n, height, width, rng):
                return np.tile([[0.0, 1, 0], [-1, 0, 0]], (n, 1, 1))

        X = images(3, (6, 6, 2))
        np.testing.assert_allclose(applied(Quarter(), X), np.rot90(X, axes=(1, 2)), atol=1e-12)

    def test_factors_above_one_enlarge(self):
        X = np.zeros((20, 9, 9, 1))
        X[:, 3:6, 3:6] = 1
        sums = applied(Scale(1.5, 2.5), X).sum(axis=(1, 2, 3))
        assert (sums > 1.4**2 * 9).all()
        assert (applied(Scale(0.4, 0.6), X).sum(axis=(1, 2, 3)) < 0.7 * 9).all()

    def test_angles_are_as_likely_either_way_and_bounded(self):
        maps = Rotate(20).maps(4000, 8, 8, generator(0))
        angles = np.rad2deg(np.arctan2(maps[:, 0, 1], maps[:, 0, 0]))
        assert abs(angles.mean()) < 1.2
        assert 19 < abs(angles).max() <= 20


class TestPixels:
    @each_dtype
    def test_noise(self, dtype):
        X = images(50, (20, 20, 1), dtype)
        noise = applied(Noise(0.3), X) - X
        assert noise.std() == pytest.approx(0.3, rel=0.04)
        assert noise.mean() == pytest.approx(0, abs=0.01)

    def test_cutouts_lie_anywhere_and_are_cropped(self):
        X = np.ones((500, 6, 8, 2))
        Y = applied(Cutout((3, 4), value=7), X)
        assert set(np.unique(Y)) == {1, 7}
        cut = (Y == 7).all(axis=3)
        assert (cut == (Y == 7).any(axis=3)).all()
        for mask in cut:
            rows, columns = mask.any(axis=1), mask.any(axis=0)
            assert (mask == np.outer(rows, columns)).all()
            assert 1 <= rows.sum() <= 3
            assert 1 <= columns.sum() <= 4
        assert (cut.mean(axis=0) > 0).all()

    def test_a_cutout_as_large_as_the_image(self):
        assert (applied(Cutout((7, 9)), images()) == 0).any()

    @each_dtype
    def test_mixup_mixes_images_as_it_mixes_targets(self, dtype):
        X, targets = images(64, (3, 4, 2), dtype), np.eye(64, dtype=dtype)
        Y = applied(Mixup(1.0), X, targets)
        np.testing.assert_allclose(targets.sum(axis=1), 1, rtol=1e-6)
        assert (targets >= 0).all()
        assert ((targets > 0).sum(axis=1) <= 2).all()
        np.testing.assert_allclose(
            Y.reshape(64, -1), targets @ X.reshape(64, -1), rtol=1e-4, atol=1e-6
        )

    def test_shares_of_mixup(self):
        def shares(alpha):
            targets = np.eye(4000)
            Mixup(alpha).apply(np.zeros((4000, 1, 1, 1)), targets, generator(0))
            return targets.max(axis=1)

        assert shares(1.0).mean() == pytest.approx(0.75, abs=0.02)
        assert shares(0.1).mean() > 0.9


class TestAugment:
    def test_steps_follow_one_another(self):
        X, targets = images(), np.eye(5)
        steps = [Flip(), Noise(), Rotate(20), Cutout(2), Mixup()]
        rng, Y, wanted = generator(1), X.copy(), np.eye(5)
        for step in steps:
            step.apply(Y, wanted, rng)
        assert (applied(Augment(steps), X, targets) == Y).all()
        assert (targets == wanted).all()

    def test_neighbours_are_one_step(self):
        X = images(4, (12, 15, 2))
        steps = [Shift(3), Rotate(30), Scale(0.7, 1.3)]
        rng = generator(1)
        maps = [
            np.concatenate([step.maps(4, 12, 15, rng), np.tile([[[0, 0, 1.0]]], (4, 1, 1))], axis=1)
            for step in steps
        ]
        together = (maps[0] @ maps[1] @ maps[2])[:, :2]
        np.testing.assert_allclose(
            applied(Augment(steps), X), warped(X, together, "zero"), atol=1e-9
        )

    def test_what_moves_out_comes_back(self):
        class By(Affine):
            def __init__(self, pixels, fill="zero"):
                self.pixels, self.fill = pixels, fill

            def maps(self, n, height, width, rng):
                return np.tile([[1.0, 0, -self.pixels], [0, 1, 0]], (n, 1, 1))

        X = images()
        np.testing.assert_allclose(applied(Augment([By(3), By(-3)]), X), X)
        assert (applied(Augment([By(3), By(-3, "edge")]), X) != X).any()

    def test_no_steps(self):
        X = images()
        assert (applied(Augment([]), X) == X).all()
        assert not Augment([]).mixes_targets
        assert Augment([Augment([Mixup()])]).mixes_targets


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
