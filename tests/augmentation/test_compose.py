"""Augmentations one after another."""

import numpy as np
from augmented import applied, images, warped
from seeded import generator

from cnnkit.augmentation import (
    Augment,
    Cutout,
    Flip,
    Mixup,
    Noise,
    Rotate,
    Scale,
    Shift,
)
from cnnkit.augmentation.geometry import Affine


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
