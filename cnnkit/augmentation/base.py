"""The base class of the augmentations."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from cnnkit.validate import shapes
from cnnkit.validate.pickles import Checked

if TYPE_CHECKING:
    from cnnkit.typing import Floats, Shape


class Augmentation(Checked):
    """Base class of the augmentations.

    A subclass defines `change`, and `check` if it has hyper-parameters.

    Attributes
    ----------
    mixes_targets : bool, default=False
        Whether `apply` changes the targets, too.
    moves_pixels : bool or None, default=None
        Whether `apply` moves pixels, and so those of targets that are images, too. None means that
        the class does not say so: then it cannot be used with such targets.

    Examples
    --------
    >>> import numpy as np
    >>> from cnnkit.augmentation import Augmentation
    >>> class Brightness(Augmentation):
    ...     def change(self, images, targets, rng):
    ...         images *= rng.uniform(0.8, 1.2, (len(images), 1, 1, 1)).astype(images.dtype)
    >>> batch = np.ones((2, 8, 8, 1))
    >>> Brightness().apply(batch, None, np.random.default_rng(0))
    >>> batch[:, 0, 0, 0].round(2).tolist()
    [1.05, 0.91]
    """

    mixes_targets: bool = False
    moves_pixels: bool | None = None

    def check(self, input_shape: Shape) -> None:
        """Raise if a hyper-parameter is out of range or does not fit the images.

        Parameters
        ----------
        input_shape : tuple
            ``(H, W, C)`` of one image.

        Raises
        ------
        ValueError, TypeError
            The error names the class, the hyper-parameter and the rule.

        Examples
        --------
        >>> from cnnkit.augmentation import Shift
        >>> Shift(8).check((8, 8, 1))
        Traceback (most recent call last):
        ...
        ValueError: Shift: pixels must be below the image's size (8, 8), got 8.
        """
        shapes.image_shape(input_shape, type(self).__name__)

    def check_image_targets(self, *, labels: bool) -> None:
        """Raise unless targets may be images, of labels or else of numbers.

        Parameters
        ----------
        labels : bool
            Whether the targets are labels of pixels.

        Raises
        ------
        ValueError
            If the augmentation mixes targets, or does not say whether it moves pixels.

        Examples
        --------
        >>> from cnnkit.augmentation import Flip
        >>> Flip().check_image_targets(labels=True)
        """
        if self.moves_pixels is None:
            raise ValueError(
                f"{type(self).__name__}: moves_pixels must be True or False where targets are "
                f"images, got None: say in the class whether it moves pixels. If so, `change` must "
                f"move those of targets, too."
            )

    def apply(self, images: Floats, targets: Floats | None, rng: np.random.Generator) -> None:
        """Change a batch in place, every image in a way of its own.

        Parameters
        ----------
        images : array of shape (n, H, W, C), float32 or float64
            Images in the scale of X, before they are standardised.
        targets : array of shape (n, K), float32 or float64, or None
            Shares of the classes, or numbers. Only an augmentation with `mixes_targets` needs and
            changes them. Targets that are images are labels (n, H, W), integers, -1 for none, or
            numbers (n, H, W, K), NaN for none; an augmentation with `moves_pixels` changes them.
        rng : numpy.random.Generator
            The same state gives the same changes.

        Raises
        ------
        ValueError, TypeError
            If an array has another shape or type.

        Examples
        --------
        >>> import numpy as np
        >>> from cnnkit.augmentation import Flip
        >>> images, masks = np.arange(3.0).reshape(1, 1, 3, 1), np.array([[[0, 1, 2]]])
        >>> Flip(horizontal=1).apply(images, masks, np.random.default_rng(0))
        >>> images.ravel().tolist(), masks.tolist()
        ([2.0, 1.0, 0.0], [[[2, 1, 0]]])
        """
        _check_array(images, "images", 4, "(n, H, W, C)", self)
        if are_images(targets):
            _check_image_targets(images, targets, self)
        elif self.mixes_targets:
            _check_array(targets, "targets", 2, "(n, K)", self)
            assert targets is not None  # as checked
            if len(targets) != len(images):
                raise ValueError(
                    f"{type(self).__name__}: targets must be {len(images)} rows, one for every "
                    f"image, got {len(targets)}."
                )
        if images.size:
            self.change(images, targets, rng)

    def without_mixing(self) -> Augmentation | None:
        """Return the part that does not change targets, for prediction; None if there is none.

        Returns
        -------
        augmentation : Augmentation or None
            This one, or a part of it.

        Examples
        --------
        >>> from cnnkit.augmentation import Augment, Flip, Mixup
        >>> Augment([Flip(), Mixup()]).without_mixing()
        Augment(steps=[Flip()])
        """
        return None if self.mixes_targets else self

    def change(self, images: Floats, targets: Floats | None, rng: np.random.Generator) -> None:
        """Do what `apply` does, with at least one image, after its checks.

        Parameters
        ----------
        images : array of shape (n, H, W, C), float32 or float64
            As for `apply`.
        targets : array or None
            As for `apply`.
        rng : numpy.random.Generator
            As for `apply`.

        Examples
        --------
        >>> import numpy as np
        >>> from cnnkit.augmentation import Flip
        >>> images = np.arange(3.0).reshape(1, 1, 3, 1)
        >>> Flip(horizontal=1).change(images, None, np.random.default_rng(0))
        >>> images.ravel().tolist()
        [2.0, 1.0, 0.0]
        """
        raise NotImplementedError(f"{type(self).__name__} has no change")

    def __eq__(self, other: Any) -> bool:
        return type(self) is type(other) and self.get_params(False) == other.get_params(False)

    __hash__ = None  # type: ignore[assignment]


def are_images(targets: Any) -> bool:
    """Say whether targets of a batch are images: labels (n, H, W), or numbers (n, H, W, K)."""
    return isinstance(targets, np.ndarray) and targets.ndim > 2


def _check_image_targets(images, targets, augmentation):
    """Raise unless targets are images of the size of `images` that can be augmented."""
    labels = targets.dtype.kind == "i"
    augmentation.check_image_targets(labels=labels)
    if not labels:
        _check_array(targets, "targets", 4, "(n, H, W, K)", augmentation)
    if targets.shape[:3] != images.shape[:3] or targets.ndim != (3 if labels else 4):
        raise ValueError(
            f"{type(augmentation).__name__}: targets must be labels {images.shape[:3]} or numbers "
            f"of as many pixels, got shape {targets.shape}."
        )


def _check_array(array, name, ndim, shape, augmentation):
    owner = type(augmentation).__name__
    if not isinstance(array, np.ndarray) or array.dtype not in (np.float32, np.float64):
        kind = getattr(array, "dtype", type(array).__name__)
        raise TypeError(f"{owner}: {name} must be an array of float32 or float64, got {kind}.")
    if array.ndim != ndim:
        raise ValueError(f"{owner}: {name} must be {shape}, got shape {array.shape}.")
