"""Dropout."""

from __future__ import annotations

from numbers import Real
from typing import TYPE_CHECKING

import numpy as np

from cnnkit.layers.base import Layer, Slots, image_input
from cnnkit.layers.op import Op

if TYPE_CHECKING:
    from cnnkit.typing import Shape


class Dropout(Layer):
    """Set a random share of the numbers to zero in training, and scale up the others.

    Srivastava et al. (2014), "Dropout: a simple way to prevent neural networks from overfitting".

    Parameters
    ----------
    rate : float, default=0.5
        Share that is dropped, at least 0 and below 1. Kept numbers are divided by ``1 - rate``, so
        that prediction can leave the layer out.

    Raises
    ------
    ValueError
        By `output_shape`, for another rate; in training without a random generator.

    Examples
    --------
    >>> import numpy as np
    >>> from cnnkit import Dropout, Network, Sequential
    >>> rng = np.random.default_rng(0)
    >>> network = Network(Sequential([Dropout(0.5)]), (100,), training=True, rng=rng)
    >>> network.x[...] = 1
    >>> np.unique(network.forward(1))  # in training
    array([0., 2.], dtype=float32)
    """

    in_place = True
    gradient_in_place = True
    training_only = True
    keeps_bounds = True

    def __init__(self, rate: float = 0.5) -> None:
        self.rate = rate

    def output_shape(self, input_shape: Shape) -> Shape:
        if isinstance(self.rate, bool) or not isinstance(self.rate, Real) or not 0 <= self.rate < 1:
            raise ValueError(
                f"{self.owner}: rate must be a number of at least 0 and below 1, got {self.rate!r}."
            )
        return input_shape

    def bind(self, slots: Slots) -> Op:
        if slots.rng is None:
            raise ValueError(
                f"{self.owner}: training needs a random generator, give Network an rng."
            )
        return DropoutOp(float(self.rate), slots, self.mask_shape(slots.y.shape))

    def mask_shape(self, shape: Shape) -> Shape:
        """Return the shape of what is drawn for a batch of a shape.

        Parameters
        ----------
        shape : tuple
            Shape of the batch, such as (N, H, W, C).

        Returns
        -------
        mask_shape : tuple
            The same, or 1 along the axes that share one number.

        Examples
        --------
        >>> from cnnkit import Dropout, SpatialDropout
        >>> Dropout().mask_shape((32, 8, 8, 16)), SpatialDropout().mask_shape((32, 8, 8, 16))
        ((32, 8, 8, 16), (32, 1, 1, 16))
        """
        return shape


class SpatialDropout(Dropout):
    """Set a random share of the channels of every image to zero while training.

    Neighbouring pixels are alike: what `Dropout` takes from one, the next still has. Tompson et
    al. (2015), "Efficient object localization using convolutional networks".

    Parameters
    ----------
    rate : float, default=0.5
        Share that is dropped, at least 0 and below 1. Kept channels are divided by ``1 - rate``,
        so that prediction leaves the layer out.

    Raises
    ------
    ValueError
        By `output_shape`, for another rate, or if the input is no images.

    Examples
    --------
    >>> from cnnkit import SpatialDropout
    >>> SpatialDropout(0.2).output_shape((8, 8, 16))
    (8, 8, 16)
    """

    def output_shape(self, input_shape: Shape) -> Shape:
        return image_input(self, super().output_shape(input_shape))

    def mask_shape(self, shape: Shape) -> Shape:
        N, _, _, C = shape
        return N, 1, 1, C


class DropoutOp(Op):
    """y = x * mask and dx = dy * mask, with a new random mask in every forward."""

    def __init__(self, rate, slots, shape):
        self.rate = rate
        self.slots = slots
        self.mask = slots.keep(shape, slots.y.dtype)

    def forward(self, n):
        mask, slots = self.mask[:n], self.slots
        slots.rng.random(out=mask, dtype=mask.dtype)
        np.greater_equal(mask, self.rate, out=mask)
        mask *= 1 / (1 - self.rate)
        np.multiply(slots.x[:n], mask, out=slots.y[:n])

    def backward(self, n):
        if self.slots.dx is not None:
            np.multiply(self.slots.dy[:n], self.mask[:n], out=self.slots.dx[:n])
