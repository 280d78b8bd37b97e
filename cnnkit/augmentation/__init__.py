"""Augmentation: random changes of batches of training images.

An `Augmentation` is plain data like a layer: it works with ``clone``, ``==``, ``repr`` and grid
searches. Training calls `Augmentation.check` once, with the shape of one image, and
`Augmentation.apply` on every batch.
"""

from cnnkit.augmentation.base import Augmentation
from cnnkit.augmentation.compose import Augment
from cnnkit.augmentation.geometry import Flip, Rotate, Scale, Shift
from cnnkit.augmentation.pixels import CutMix, Cutout, Mixup, Noise

__all__ = [
    "Augment",
    "Augmentation",
    "CutMix",
    "Cutout",
    "Flip",
    "Mixup",
    "Noise",
    "Rotate",
    "Scale",
    "Shift",
]
