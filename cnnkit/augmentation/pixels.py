"""Changes that leave pixels in their place: noise, cut-out rectangles, mixed images."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from cnnkit.augmentation.base import Augmentation, are_images
from cnnkit.validate import shapes
from cnnkit.validate.values import as_real

if TYPE_CHECKING:
    from cnnkit.typing import Floats, IntPair, Shape

LARGEST = 1e30  # largest number that may be added or set: float32 can compute with it


class Noise(Augmentation):
    """Add normally distributed noise to every number.

    Parameters
    ----------
    std : float, default=0.05
        Standard deviation, in the unit of the images; uint8 images are scaled to [0, 1] first.

    Examples
    --------
    >>> import numpy as np
    >>> from cnnkit.augmentation import Noise
    >>> batch = np.zeros((32, 28, 28, 1), np.float32)
    >>> Noise(0.1).apply(batch, None, np.random.default_rng(0))
    >>> print(f"{batch.std():.2f}")
    0.10
    """

    moves_pixels = False

    def __init__(self, std: float = 0.05) -> None:
        self.std = std

    def check(self, input_shape: Shape) -> None:
        super().check(input_shape)
        as_real(self.std, "std", "Noise", least=0, most=LARGEST)

    def change(self, images: Floats, targets: Floats | None, rng: np.random.Generator) -> None:
        noise = rng.standard_normal(images.shape, images.dtype)
        noise *= images.dtype.type(self.std)
        images += noise


class Cutout(Augmentation):
    """Set a rectangle of every image to one number.

    DeVries & Taylor (2017), "Improved regularization of convolutional neural networks with cutout".
    The centre of the rectangle lies anywhere in the image, so parts of it may lie outside.

    Parameters
    ----------
    size : int or pair of ints, default=4
        Height and width; at most those of the image.
    value : float, default=0.0
        The number, in the unit of the images.

    Examples
    --------
    >>> import numpy as np
    >>> from cnnkit.augmentation import Cutout
    >>> batch = np.ones((1, 3, 6, 1))
    >>> Cutout((1, 2)).apply(batch, None, np.random.default_rng(0))
    >>> batch[0, :, :, 0].astype(int).tolist()
    [[1, 1, 1, 1, 1, 1], [1, 1, 1, 1, 1, 1], [1, 1, 0, 0, 1, 1]]
    """

    moves_pixels = False

    def __init__(self, size: IntPair = 4, *, value: float = 0.0) -> None:
        self.size = size
        self.value = value

    def check(self, input_shape: Shape) -> None:
        super().check(input_shape)
        height, width = shapes.as_pair(self.size, "size", "Cutout")
        if height > input_shape[0] or width > input_shape[1]:
            raise ValueError(
                f"Cutout: size must be at most the image's size {tuple(input_shape[:2])}, "
                f"got {self.size!r}."
            )
        as_real(self.value, "value", "Cutout", least=-LARGEST, most=LARGEST)

    def change(self, images: Floats, targets: Floats | None, rng: np.random.Generator) -> None:
        height, width = shapes.as_pair(self.size, "size", "Cutout")
        middles = rng.integers((0, 0), images.shape[1:3], (len(images), 2))
        for image, (row, column) in zip(images, middles, strict=True):
            top, left = row - height // 2, column - width // 2
            image[max(top, 0) : top + height, max(left, 0) : left + width] = self.value


class Mixup(Augmentation):
    """Mix every image, and its target, with another one of the batch.

    Zhang et al. (2018), "mixup: beyond empirical risk minimization": ``share * a + (1 - share) *
    b``, every share drawn from Beta(alpha, alpha). The loss of a mixed image is that of mixed
    targets.

    Parameters
    ----------
    alpha : float, default=0.2
        Above 0. Below 1 most shares are close to 0 or 1; with 1 all shares are equally likely.

    Examples
    --------
    >>> import numpy as np
    >>> from cnnkit.augmentation import Mixup
    >>> batch, shares = np.arange(2.0).reshape(2, 1, 1, 1), np.eye(2)
    >>> Mixup(alpha=1).apply(batch, shares, np.random.default_rng(4))
    >>> batch.ravel().round(2).tolist(), shares.round(2).tolist()
    ([0.88, 0.53], [[0.12, 0.88], [0.47, 0.53]])
    """

    mixes_targets = True
    moves_pixels = False

    def __init__(self, alpha: float = 0.2) -> None:
        self.alpha = alpha

    def check(self, input_shape: Shape) -> None:
        super().check(input_shape)
        as_real(self.alpha, "alpha", "Mixup", above=0)

    def check_image_targets(self, *, labels: bool) -> None:
        if labels:
            raise ValueError(
                "Mixup: targets must be numbers, not labels of pixels, which cannot be mixed: "
                "CutMix pastes them."
            )

    def change(self, images: Floats, targets: Floats | None, rng: np.random.Generator) -> None:
        assert targets is not None  # as `apply` has checked
        others = rng.permutation(len(images))
        shares = rng.beta(self.alpha, self.alpha, len(images))
        for array in (images, targets):
            share = shares.astype(array.dtype).reshape(-1, *[1] * (array.ndim - 1))
            mixed = array[others]
            array -= mixed
            array *= share
            array += mixed


class CutMix(Augmentation):
    """Paste a rectangle of another image of the batch, with what belongs to it of the target.

    Yun et al. (2019), "CutMix: regularization strategy to train strong classifiers with localizable
    features": the rectangle has the proportions of the image and a share of its area that is drawn
    from Beta(alpha, alpha); its centre lies anywhere, so parts of it may lie outside. Targets of
    images are mixed by the areas that are left of both. Targets that are images get the rectangle
    of the other target.

    Parameters
    ----------
    alpha : float, default=1.0
        Above 0. With 1 all shares are equally likely.

    Examples
    --------
    >>> import numpy as np
    >>> from cnnkit.augmentation import CutMix
    >>> batch, shares = np.zeros((2, 1, 4, 1)) + [[[[0.0]]], [[[1.0]]]], np.eye(2)
    >>> CutMix().apply(batch, shares, np.random.default_rng(2))
    >>> batch[:, 0, :, 0].astype(int).tolist(), shares.tolist()
    ([[0, 0, 0, 0], [1, 1, 1, 1]], [[1.0, 0.0], [0.0, 1.0]])
    """

    mixes_targets = True
    moves_pixels = False

    def __init__(self, alpha: float = 1.0) -> None:
        self.alpha = alpha

    def check(self, input_shape: Shape) -> None:
        super().check(input_shape)
        as_real(self.alpha, "alpha", "CutMix", above=0)

    def change(self, images: Floats, targets: Floats | None, rng: np.random.Generator) -> None:
        assert targets is not None  # as `apply` has checked
        n, H, W, _ = images.shape
        others = rng.permutation(n)
        sides = np.sqrt(1 - rng.beta(self.alpha, self.alpha, n))
        middles = rng.random((n, 2))
        before, targets_before = images.copy(), targets.copy()
        for i, other in enumerate(others):
            rows, columns = (
                _around(middle, side * sides[i], side)
                for middle, side in zip(middles[i], (H, W), strict=True)
            )
            images[i, rows, columns] = before[other, rows, columns]
            if are_images(targets):
                targets[i, rows, columns] = targets_before[other, rows, columns]
            else:
                share = len(range(H)[rows]) * len(range(W)[columns]) / (H * W)
                targets[i] += share * (targets_before[other] - targets[i])


def _around(middle, length, side):
    """Return the slice of a `side` of so many pixels, around a middle from 0 to 1."""
    first, last = middle * side - length / 2, middle * side + length / 2
    return slice(max(0, round(first)), min(side, round(last)))
