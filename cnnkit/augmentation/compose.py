"""Augmentations one after another."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby
from typing import TYPE_CHECKING, Any

from cnnkit.augmentation.base import Augmentation
from cnnkit.augmentation.geometry import Affine, compose, sample_both

if TYPE_CHECKING:
    import numpy as np

    from cnnkit.typing import Floats, Shape


class Augment(Augmentation):
    """Augmentations one after another.

    Consecutive `Shift`, `Rotate` and `Scale` with the same fill are done in one step: pixels are
    interpolated once, and pixels that one of them moves out of the image can come back by another.

    Parameters
    ----------
    steps : list of Augmentation
        What is done to a batch, in this order.

    Examples
    --------
    >>> import numpy as np
    >>> from cnnkit.augmentation import Augment, Flip, Noise, Rotate, Shift
    >>> augment = Augment([Flip(), Shift(2), Rotate(10), Noise(0.02)])
    >>> augment.check((28, 28, 1))
    >>> batch = np.zeros((32, 28, 28, 1), np.float32)
    >>> augment.apply(batch, None, np.random.default_rng(0))
    """

    def __init__(self, steps: Sequence[Augmentation]) -> None:
        self.steps = steps

    @property
    def mixes_targets(self) -> bool:  # type: ignore[override]
        """Whether a step changes the targets."""
        return any(step.mixes_targets for step in self.steps)

    @property
    def moves_pixels(self) -> bool | None:  # type: ignore[override]
        """Whether a step moves pixels; None if a step does not say so."""
        found = [step.moves_pixels for step in self.steps]
        return None if None in found else any(found)

    def check(self, input_shape: Shape) -> None:
        super().check(input_shape)
        if not isinstance(self.steps, (list, tuple)):
            raise TypeError(f"Augment: steps must be a list, got {self.steps!r}.")
        for step in self.steps:
            if not isinstance(step, Augmentation):
                raise TypeError(
                    f"Augment: steps must be augmentations such as Flip(), got {step!r}."
                )
            step.check(input_shape)

    def check_image_targets(self, *, labels: bool) -> None:
        for step in self.steps:
            step.check_image_targets(labels=labels)

    def without_mixing(self) -> Augment | None:
        parts = [step.without_mixing() for step in self.steps]
        kept = [step for step in parts if step is not None]
        return Augment(kept) if kept else None

    def change(self, images: Floats, targets: Floats | None, rng: np.random.Generator) -> None:
        for fill, neighbours in groupby(self.steps, _fill_of):
            steps: list[Any] = list(neighbours)
            if fill is None or len(steps) == 1:
                for step in steps:
                    step.change(images, targets, rng)
                continue
            maps = None
            for step in steps:
                then = step.maps(*images.shape[:3], rng)
                maps = then if maps is None else compose(maps, then)
            sample_both(images, targets, maps, fill)


def _fill_of(step):
    return step.fill if isinstance(step, Affine) else None
