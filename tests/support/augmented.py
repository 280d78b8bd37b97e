"""Images for augmentations, and the slow twin of their geometry."""

import numpy as np
from scipy import ndimage
from seeded import generator

FILLS = {"zero": "grid-constant", "edge": "nearest"}  # in the words of scipy.ndimage


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
