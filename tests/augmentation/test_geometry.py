"""Images flipped, shifted, turned and scaled."""

import numpy as np
import pytest
from augmented import FILLS, applied, images, warped
from seeded import generator

from cnnkit.augmentation import (
    Flip,
    Rotate,
    Scale,
    Shift,
)
from cnnkit.augmentation.geometry import Affine

each_dtype = pytest.mark.parametrize("dtype", [np.float32, np.float64])
each_fill = pytest.mark.parametrize("fill", FILLS)


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
