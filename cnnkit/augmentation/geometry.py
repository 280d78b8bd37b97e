"""Images flipped, moved, turned and made larger or smaller."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from cnnkit.augmentation.base import Augmentation, are_images
from cnnkit.validate import shapes
from cnnkit.validate.values import as_choice, as_real

if TYPE_CHECKING:
    from cnnkit.typing import Fill, Floats, IntPair, Shape

FILLS = ("zero", "edge")
PIXELS = 8192  # in the images that are sampled at once: they stay in the cache


class Flip(Augmentation):
    """Mirror images.

    Parameters
    ----------
    horizontal : float, default=0.5
        Probability that left and right change places.
    vertical : float, default=0.0
        Probability that top and bottom do.

    Examples
    --------
    >>> import numpy as np
    >>> from cnnkit.augmentation import Flip
    >>> batch = np.arange(3.0).reshape(1, 1, 3, 1)
    >>> Flip(horizontal=1).apply(batch, None, np.random.default_rng(0))
    >>> batch.ravel().tolist()
    [2.0, 1.0, 0.0]
    """

    moves_pixels = True

    def __init__(self, horizontal: float = 0.5, *, vertical: float = 0.0) -> None:
        self.horizontal = horizontal
        self.vertical = vertical

    def check(self, input_shape: Shape) -> None:
        super().check(input_shape)
        as_real(self.horizontal, "horizontal", "Flip", least=0, most=1)
        as_real(self.vertical, "vertical", "Flip", least=0, most=1)

    def change(self, images: Floats, targets: Floats | None, rng: np.random.Generator) -> None:
        draws = rng.random((2, len(images)))
        across, over = draws[0] < self.horizontal, draws[1] < self.vertical
        for array in moving(images, targets):
            array[across] = array[across, :, ::-1]
            array[over] = array[over, ::-1]


class Affine(Augmentation):
    """Base class of affine changes; consecutive ones in `Augment` are done in one step."""

    fill: Fill
    moves_pixels = True

    def check(self, input_shape: Shape) -> None:
        super().check(input_shape)
        as_choice(self.fill, "fill", type(self).__name__, FILLS)

    def maps(self, n: int, height: int, width: int, rng: np.random.Generator) -> Floats:
        """Draw where pixels come from: ``row, column = maps[k] @ (row, column, 1)``.

        Rows and columns are counted from the middle of the image.

        Returns
        -------
        maps : array of shape (n, 2, 3)
        """
        raise NotImplementedError(f"{type(self).__name__} has no maps")

    def change(self, images: Floats, targets: Floats | None, rng: np.random.Generator) -> None:
        n, height, width, _ = images.shape
        sample_both(images, targets, self.maps(n, height, width, rng), self.fill)


class Shift(Affine):
    """Move images by whole pixels.

    Parameters
    ----------
    pixels : int or pair of ints, default=2
        Largest shift up or down, and left or right. All shifts up to this are equally likely.
        Must be smaller than the image.
    fill : {"zero", "edge"}, default="zero"
        What fills the space that becomes free: zeros, or copies of the pixels at the edge.

    Examples
    --------
    >>> import numpy as np
    >>> from cnnkit.augmentation import Shift
    >>> batch = np.arange(1.0, 5).reshape(1, 1, 4, 1)
    >>> Shift((0, 2)).apply(batch, None, np.random.default_rng(0))
    >>> batch.ravel().tolist()
    [0.0, 0.0, 1.0, 2.0]
    """

    def __init__(self, pixels: IntPair = 2, *, fill: Fill = "zero") -> None:
        self.pixels = pixels
        self.fill = fill

    def check(self, input_shape: Shape) -> None:
        super().check(input_shape)
        pixels = shapes.as_pair(self.pixels, "pixels", "Shift", 0)
        if pixels[0] >= input_shape[0] or pixels[1] >= input_shape[1]:
            raise ValueError(
                f"Shift: pixels must be below the image's size {tuple(input_shape[:2])}, "
                f"got {self.pixels!r}."
            )

    def maps(self, n: int, height: int, width: int, rng: np.random.Generator) -> Floats:
        found = np.tile(np.eye(2, 3), (n, 1, 1))
        found[:, :, 2] = -self._draw(n, rng)
        return found

    def change(self, images: Floats, targets: Floats | None, rng: np.random.Generator) -> None:
        moves = self._draw(len(images), rng).tolist()
        for array in moving(images, targets):
            empty = 0 if array is images else nothing(array)
            for image, move in zip(array, moves, strict=True):
                self._move(image, move, empty)

    def _move(self, image, move, empty):
        """Move an image down and to the right; `empty` fills the space that becomes free."""
        before = image.copy()
        rows, rows_before = _moved(move[0], len(image))
        columns, columns_before = _moved(move[1], image.shape[1])
        if self.fill == "zero":
            image[...] = empty
        image[rows, columns] = before[rows_before, columns_before]
        if self.fill == "edge":
            image[:, : columns.start] = image[:, columns.start, None]
            image[:, columns.stop :] = image[:, columns.stop - 1, None]
            image[: rows.start] = image[rows.start]
            image[rows.stop :] = image[rows.stop - 1]

    def _draw(self, n, rng):
        """Return how far every image moves, down and to the right."""
        most = np.array(shapes.as_pair(self.pixels, "pixels", "Shift", 0))
        return rng.integers(-most, most, (n, 2), endpoint=True)


class Rotate(Affine):
    """Turn images about their middle.

    Parameters
    ----------
    degrees : float, default=15.0
        Largest angle, in both directions; from 0 to 180.
    fill : {"zero", "edge"}, default="zero"
        What lies outside the image: zeros, or the nearest pixel.

    Notes
    -----
    Pixels between pixels are interpolated linearly along both sides.

    Examples
    --------
    >>> import numpy as np
    >>> from cnnkit.augmentation import Rotate
    >>> batch = np.random.default_rng(0).random((32, 28, 28, 1), np.float32)
    >>> Rotate(10, fill="edge").apply(batch, None, np.random.default_rng(0))
    """

    def __init__(self, degrees: float = 15.0, *, fill: Fill = "zero") -> None:
        self.degrees = degrees
        self.fill = fill

    def check(self, input_shape: Shape) -> None:
        super().check(input_shape)
        as_real(self.degrees, "degrees", "Rotate", least=0, most=180)

    def maps(self, n: int, height: int, width: int, rng: np.random.Generator) -> Floats:
        angles = np.deg2rad(rng.uniform(-self.degrees, self.degrees, n))
        found = np.zeros((n, 2, 3))
        found[:, 0, 0] = found[:, 1, 1] = np.cos(angles)
        found[:, 0, 1] = np.sin(angles)
        found[:, 1, 0] = -found[:, 0, 1]
        return found


class Scale(Affine):
    """Enlarge or shrink the content of images; the images keep their size.

    Parameters
    ----------
    low : float, default=0.9
        Smallest factor, above 0; below 1 the content shrinks.
    high : float, default=1.1
        Largest factor, at least `low`; above 1 the content grows.
    fill : {"zero", "edge"}, default="zero"
        What lies outside the image: zeros, or the nearest pixel.

    Notes
    -----
    Pixels between pixels are interpolated linearly along both sides, without a blur before
    `low` makes images smaller.

    Examples
    --------
    >>> import numpy as np
    >>> from cnnkit.augmentation import Scale
    >>> batch = np.zeros((1, 5, 5, 1))
    >>> batch[:, 2, 2] = 1
    >>> Scale(2, 2).apply(batch, None, np.random.default_rng(0))
    >>> batch[0, 2, :, 0].tolist()
    [0.0, 0.5, 1.0, 0.5, 0.0]
    """

    def __init__(self, low: float = 0.9, high: float = 1.1, *, fill: Fill = "zero") -> None:
        self.low = low
        self.high = high
        self.fill = fill

    def check(self, input_shape: Shape) -> None:
        super().check(input_shape)
        as_real(self.low, "low", "Scale", above=0)
        as_real(self.high, "high", "Scale", least=self.low)

    def maps(self, n: int, height: int, width: int, rng: np.random.Generator) -> Floats:
        return np.eye(2, 3) / rng.uniform(self.low, self.high, (n, 1, 1))


def _moved(by, size):
    """Return the target and the source slice, along one side, of pixels that stay in the image."""
    return slice(max(by, 0), size + min(by, 0)), slice(max(-by, 0), size - max(by, 0))


def compose(first, then):
    """Return the maps of two changes, one after the other, as one map for each image."""
    found = first[:, :, :2] @ then
    found[:, :, 2] += first[:, :, 2]
    return found


def moving(images, targets):
    """Return the arrays whose pixels move: images, and targets that are images."""
    return [images, targets] if are_images(targets) else [images]


def nothing(targets):
    """Return what targets have where there was no image: no class, or no number."""
    return -1 if targets.dtype.kind == "i" else np.nan


def sample_both(images, targets, maps, fill):
    """Move the pixels of images, and of targets that are images, as `Affine.maps` says."""
    sample(images, maps, fill)
    if not are_images(targets):
        return
    if targets.dtype.kind == "i":
        sample_labels(targets, maps, fill)
    else:
        sample(targets, maps, fill, np.nan)


def sample_labels(labels, maps, fill):
    """Take every label from the pixel nearest to where it comes from; -1 outside of the image."""
    n, H, W = labels.shape
    maps = _from_corner(maps, H, W)
    few = max(1, PIXELS // (H * W))
    rows, columns = np.arange(H)[:, None], np.arange(W)
    for start in range(0, n, few):
        some, m = labels[start : start + few], maps[start : start + few, :, :, None, None]
        at = [np.rint(m[:, k, 0] * rows + m[:, k, 1] * columns + m[:, k, 2]) for k in (0, 1)]
        inside = (at[0] >= 0) & (at[0] < H) & (at[1] >= 0) & (at[1] < W)
        i, j = (np.clip(a, 0, side - 1).astype(np.intp) for a, side in zip(at, (H, W), strict=True))
        found = some[np.arange(len(some))[:, None, None], i, j]
        some[...] = found if fill == "edge" else np.where(inside, found, -1)


def _from_corner(maps, H, W):
    """Return maps whose rows and columns are counted from the corner of the image."""
    shift = np.array([(H - 1) / 2, (W - 1) / 2])
    maps = maps.copy()
    maps[:, :, 2] += shift - maps[:, :, :2] @ shift
    return maps


def sample(images, maps, fill, outside=0):
    """Take every pixel from where `Affine.maps` says it comes from, by bilinear interpolation.

    It works on one channel of a few images at a time: NumPy reads single numbers at many places
    several times faster than all channels of a pixel at once.
    """
    n, H, W, C = images.shape
    maps = _from_corner(maps, H, W).astype(images.dtype)
    few = max(1, PIXELS // (H * W))
    padded = np.full((min(n, few), H + 3, W + 3), outside, images.dtype)
    for start in range(0, n, few):
        some = images[start : start + few]
        at, down, right = _places(maps[start : start + few], H, W)
        border = padded[: len(some)]
        flat = border.reshape(-1)
        for channel in range(C):
            border[:, 1:-2, 1:-2] = some[..., channel]
            if fill == "edge":
                border[:, 0], border[:, -2:] = border[:, 1], border[:, -3:-2]
                border[:, :, 0], border[:, :, -2:] = border[:, :, 1], border[:, :, -3:-2]
            above = _between(flat, at, right)
            below = _between(flat[W + 3 :], at, right)
            below -= above
            below *= down
            np.add(above, below, out=some[..., channel])


def _places(maps, H, W):
    """Return the source of every pixel: an index into padded images, and the way to the next.

    The border of padded images is one pixel at the top and left and two at the other sides. All
    pixels outside of the image have the same value, so those further out are read from the border.
    """
    rows, columns = np.arange(H, dtype=maps.dtype)[:, None], np.arange(W, dtype=maps.dtype)
    m = maps[:, :, :, None, None]
    down = m[:, 0, 0] * rows + m[:, 0, 2] + m[:, 0, 1] * columns
    right = m[:, 1, 0] * rows + m[:, 1, 2] + m[:, 1, 1] * columns
    np.clip(down, -1, H, out=down)
    np.clip(right, -1, W, out=right)
    down += 1
    right += 1
    i, j = down.astype(np.intp), right.astype(np.intp)
    down -= i
    right -= j
    i *= W + 3
    i += j
    i += (np.arange(len(maps)) * ((H + 3) * (W + 3)))[:, None, None]
    return i, down, right


def _between(flat, at, right):
    """Return numbers between ``flat[at]`` and its neighbours to the right."""
    found = flat.take(at, mode="clip")  # the default mode checks every index twice
    following = flat[1:].take(at, mode="clip")
    following -= found
    following *= right
    found += following
    return found
