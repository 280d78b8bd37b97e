"""Pixels changed and images mixed."""

import numpy as np
import pytest
from augmented import applied, images
from seeded import generator

from cnnkit.augmentation import (
    CutMix,
    Cutout,
    Mixup,
    Noise,
)

each_dtype = pytest.mark.parametrize("dtype", [np.float32, np.float64])


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

    @each_dtype
    def test_cutmix_mixes_targets_by_area(self, dtype):
        numbers = np.arange(64, dtype=dtype)
        X = np.tile(numbers[:, None, None, None], (1, 6, 8, 1))
        targets = np.eye(64, dtype=dtype)
        Y = applied(CutMix(), X, targets)
        np.testing.assert_allclose(Y.mean(axis=(1, 2, 3)), targets @ numbers, rtol=1e-4)
        np.testing.assert_allclose(targets.sum(axis=1), 1, rtol=1e-6)
        pasted = (Y != X)[..., 0]
        for mask in pasted:
            assert (mask == np.outer(mask.any(axis=1), mask.any(axis=0))).all()
        assert 0.1 < pasted.mean() < 0.6

    def test_shares_of_cutmix(self):
        def left(alpha):
            targets = np.eye(500)
            CutMix(alpha).apply(np.zeros((500, 40, 40, 1)), targets, generator(0))
            return targets.max(axis=1)

        assert left(0.05).mean() > left(1.0).mean() > 0.7
