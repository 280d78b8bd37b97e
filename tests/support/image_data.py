"""Images whose targets are images, and small networks for them."""

import numpy as np
from seeded import generator, seed

from cnnkit import BatchNorm, CNNImageRegressor, CNNSegmenter, Conv, Conv1x1, ReLU


def squares(n=40, shape=(8, 9), rng=None):
    """Return noisy images (n, H, W) of a square each, and masks: 0 ground, 1 light, 2 dark."""
    rng = generator(5) if rng is None else rng
    masks = np.zeros((n, *shape), int)
    for k, mask in enumerate(masks):
        i, j = (rng.integers(0, side - 3) for side in shape)
        mask[i : i + 4, j : j + 4] = 1 + k % 2
    levels = np.array([0.0, 2.0, -2.0])[masks]
    return (levels + rng.normal(0, 0.4, masks.shape)).astype(np.float32), masks


X, MASKS = squares()
IMAGES = np.array([0.0, 2.0, -2.0], np.float32)[MASKS] * 3 + 5  # what X shows, without noise
SMALL = [Conv(6, 3), ReLU(), Conv1x1()]
NORMED = [Conv(6, 3), BatchNorm(), ReLU(), Conv1x1()]


def segmenter(layers=SMALL, **options):
    return CNNSegmenter(layers, **({"max_iter": 2, "random_state": seed()} | options))


def image_regressor(layers=SMALL, **options):
    return CNNImageRegressor(layers, **({"max_iter": 2, "random_state": seed()} | options))
