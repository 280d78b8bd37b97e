"""Long sums, channel by channel, whose error does not grow with the number of terms."""

from math import prod

import numpy as np

from cnnkit._native.pool import AvgPoolOp
from cnnkit.validate import shapes


def pixel_sums(terms):
    """Return the sums over the pixels of every sample; NumPy's would round at every pixel.

    Parameters
    ----------
    terms : array of shape (n, ..., C)
        C-contiguous, float32 or float64.

    Returns
    -------
    sums : array of shape (n, C)
        `terms` themselves where there is one pixel.
    """
    count, *sides, channels = terms.shape
    pixels = prod(sides)
    if pixels < 2:
        return (
            terms.reshape(count, channels) if pixels else np.zeros((count, channels), terms.dtype)
        )
    images = terms.reshape(count, 1, pixels, channels)
    mean = np.empty((count, 1, 1, channels), terms.dtype)
    windows = shapes.global_windows(images.shape, "pixel_sums")
    AvgPoolOp(windows, images, mean, False).forward(count)
    return mean.reshape(count, channels) * terms.dtype.type(pixels)


def channel_sums(terms):
    """Return the sums over all samples and pixels of `terms` (n, ..., C), of shape (C,)."""
    return pixel_sums(terms.reshape(1, prod(terms.shape[:-1]), terms.shape[-1]))[0]
