"""Targets that are images: a class or numbers for every pixel of X."""

from __future__ import annotations

from math import prod
from typing import TYPE_CHECKING, Any

import numpy as np

from cnnkit.estimators.targets import Targets
from cnnkit.exceptions import overflow_allowed
from cnnkit.losses import Loss, Pixelwise
from cnnkit.models import default_unet
from cnnkit.network.prediction import predict

if TYPE_CHECKING:
    from cnnkit.augmentation import Augmentation
    from cnnkit.estimators.inputs import TrainingData
    from cnnkit.network.network import Network
    from cnnkit.network.weights import Weights
    from cnnkit.typing import Array, Floats, Shape

BLOCK = 1 << 20  # pixels that are processed at once


class ImageTargets(Targets):
    """Mixin of estimators whose targets are images, before `BaseCNN` in the order of bases.

    The network ends in maps of the size of X, one for each output; the loss is that of pixels.

    Attributes
    ----------
    _labels_pixels : bool
        Whether pixels have classes, which cannot be mixed, rather than numbers.
    """

    _has_image_targets = True
    _faster = 5  # a gradient over thousands of pixels has little noise
    _labels_pixels = False

    if TYPE_CHECKING:
        augmentation: Any

    def _default_layers(self, shape: Shape) -> Any:
        return default_unet(None, shape)

    def _output_shape(self, input_shape: Shape, n_outputs: int) -> Shape:
        return (*input_shape[:2], n_outputs)

    def _loss_for(self, data: TrainingData, weights: Weights) -> Loss:
        factors, mean = self._pixel_weights(data)
        return Pixelwise(self._loss(data.learnt | data.for_loss, weights), factors, mean)

    def _pixel_weights(self, data: TrainingData) -> tuple[np.ndarray | None, float]:
        """Return factors for the pixels of every class or None, and the mean weight of pixels."""
        return None, 1.0

    def _augmentation(self) -> Augmentation | None:
        found = super()._augmentation()  # type: ignore[misc]
        if found is not None:
            check = getattr(found, "check_image_targets", None)
            if check is None:
                raise ValueError(
                    f"{type(self).__name__}: augmentation must be a subclass of "
                    f"cnnkit.augmentation.Augmentation where targets are images, got {found!r}."
                )
            check(labels=self._labels_pixels)
        return found

    def _average_copies(
        self,
        network: Network,
        X: Array,
        outputs: Floats,
        augmentation: Augmentation,
        rng: np.random.Generator,
    ) -> None:
        """Replace outputs by their means with those of augmented copies, moved back in place.

        What moves the pixels of images moves an image of their places, too, which says where the
        output of a copy belongs. Pixels that a copy has lost keep the mean of the others.
        """
        n, H, W, K = outputs.shape
        counts = np.ones((n, H * W, 1), outputs.dtype)
        sums = outputs.reshape(n, H * W, K)
        moved: list[np.ndarray] = []

        def augment(images: Floats) -> None:
            moved.append(np.tile(np.arange(H * W).reshape(H, W), (len(images), 1, 1)))
            augmentation.apply(images, moved[-1], rng)

        for _ in range(self.test_time_augmentation):  # type: ignore[attr-defined]
            moved.clear()
            copy = predict(network, X, augment=augment).reshape(n, H * W, K)
            places = [place for batch in moved for place in batch.reshape(len(batch), -1)]
            for i, place in enumerate(places):
                inside = place >= 0
                np.add.at(sums[i], place[inside], copy[i][inside])
                np.add.at(counts[i], place[inside], 1)
        with overflow_allowed():
            sums /= counts


def check_sizes(y: np.ndarray, shape: Shape, owner: str, name: str = "y") -> None:
    """Raise unless targets are as large as the images of X, of `shape`."""
    if y.shape[1:3] == shape[:2]:
        return
    advice = ""
    if y.shape[1:3] == shape[1:]:
        advice = ": channels of X come last, np.moveaxis(X, 1, -1)"
    elif shape[:2] == (1, 1):
        advice = ": if the rows of X are images, say image_shape=(H, W, C)"
    raise ValueError(
        f"{owner}: {name} must have a pixel for each of X, (n, {shape[0]}, {shape[1]}), got shape "
        f"{y.shape}{advice}."
    )


def blocks_of(array: np.ndarray) -> list[slice]:
    """Return slices of an array of images with about `BLOCK` pixels each."""
    step = max(1, BLOCK // max(1, prod(array.shape[1:])))
    return [slice(start, start + step) for start in range(0, len(array), step)]
