"""Normalisation by statistics of one sample."""

from __future__ import annotations

from math import prod
from typing import TYPE_CHECKING

import numpy as np

from cnnkit.layers.base import Layer, Slots, WeightSpec, channel_groups, check_positive
from cnnkit.layers.op import Op
from cnnkit.layers.sums import channel_sums, pixel_sums
from cnnkit.validate.arrays import blocks

if TYPE_CHECKING:
    from cnnkit.typing import Shape


class GroupNorm(Layer):
    """Give every group of channels of every sample mean 0 and deviation 1, then scale and shift.

    ``y = gamma * (x - mean) / sqrt(var + eps) + beta``, mean and variance being those of a group's
    numbers in one sample, in training and prediction alike: it does not depend on the batch. One
    group is layer normalisation over whole images; as many groups as channels are instance
    normalisation (Ulyanov et al., 2016). Wu & He (2018), "Group normalization".

    Parameters
    ----------
    groups : int, default=32
        Groups of neighbouring channels; it divides their number.
    eps : float, default=1e-5
        Added to the variance, so that constant numbers are not divided by zero.

    Raises
    ------
    ValueError, TypeError
        By `output_shape`, if groups does not divide the channels or eps is not positive.

    Notes
    -----
    Weights: ``gamma`` and ``beta`` (C,), from one and zero.

    Examples
    --------
    >>> from cnnkit import GroupNorm
    >>> GroupNorm(4).output_shape((8, 8, 16))
    (8, 8, 16)
    """

    keeps_input = True
    gradient_in_place = True

    def __init__(self, groups: int = 32, *, eps: float = 1e-5) -> None:
        self.groups = groups
        self.eps = eps

    def output_shape(self, input_shape: Shape) -> Shape:
        check_positive(self, "eps")
        channel_groups(self, input_shape)
        return input_shape

    def weight_specs(self, input_shape: Shape) -> dict[str, WeightSpec]:
        return {
            "gamma": WeightSpec(input_shape[-1:], start=1.0),
            "beta": WeightSpec(input_shape[-1:]),
        }

    def bind(self, slots: Slots) -> Op:
        return GroupNormOp(slots, int(self.groups), self.eps)


class LayerNorm(Layer):
    """Give the channels of every pixel mean 0 and deviation 1, then scale and shift.

    ``y = gamma * (x - mean) / sqrt(var + eps) + beta``, mean and variance being those of a pixel's
    channels, or of a flat row, in training and prediction alike. Over whole images it is
    ``GroupNorm(1)``. Ba et al. (2016), "Layer normalization".

    Parameters
    ----------
    eps : float, default=1e-5
        Added to the variance, so that constant numbers are not divided by zero.

    Raises
    ------
    ValueError
        By `output_shape`, if eps is not positive.

    Notes
    -----
    Weights: ``gamma`` and ``beta`` (C,), from one and zero.

    Examples
    --------
    >>> from cnnkit import LayerNorm
    >>> LayerNorm().output_shape((8, 8, 16))
    (8, 8, 16)
    """

    keeps_input = True
    gradient_in_place = True

    def __init__(self, *, eps: float = 1e-5) -> None:
        self.eps = eps

    def output_shape(self, input_shape: Shape) -> Shape:
        check_positive(self, "eps")
        return input_shape

    def weight_specs(self, input_shape: Shape) -> dict[str, WeightSpec]:
        return {
            "gamma": WeightSpec(input_shape[-1:], start=1.0),
            "beta": WeightSpec(input_shape[-1:]),
        }

    def bind(self, slots: Slots) -> Op:
        return GroupNormOp(slots, 1, self.eps, by_pixel=True)


class GroupNormOp(Op):
    """y = gamma (x - mean) / deviation + beta, of the groups of every `sample`.

    Arrays are (samples, pixels, C); with `by_pixel` every pixel is a sample of its own. The mean is
    kept as two numbers, the second being what rounding took from the first: groups far from zero
    that hardly vary lose nothing.
    """

    def __init__(self, slots, groups, eps, by_pixel=False):
        N, *sides, C = slots.y.shape
        pixels = prod(sides)
        self.each = pixels if by_pixel else 1  # samples of an image
        shape = (N * self.each, pixels // self.each, C)
        self.x, self.y, self.dy, self.dx = (
            None if array is None else array.reshape(shape)
            for array in (slots.x, slots.y, slots.dy, slots.dx)
        )
        self.weights, self.grads = slots.weights, slots.grads
        self.groups = groups
        self.eps = eps
        self.kept = None  # mean, what rounding took from it, 1 / deviation
        if slots.dy is not None:
            self.kept = slots.keep((3, shape[0], groups), slots.y.dtype)

    def forward(self, n):
        gamma, beta = self.weights["gamma"], self.weights["beta"]
        for some in blocks(n * self.each, self.y):
            x = self.x[some]
            mean = self._means(x)
            centred = x - self._spread(mean)
            low = self._means(centred)
            centred -= self._spread(low)
            inverse = 1 / np.sqrt(self._means(centred * centred) + self.eps)
            centred *= self._spread(inverse)
            centred *= gamma
            np.add(centred, beta, out=self.y[some])
            if self.kept is not None:
                self.kept[:, some] = mean, low, inverse

    def backward(self, n):
        """dx = (gamma dy - mean of it - x' mean of gamma dy x') / deviation, x' = normalised x"""
        gamma = self.weights["gamma"]
        dgamma, dbeta = np.zeros((2, len(gamma)))
        for some in blocks(n * self.each, self.y):
            dy = self.dy[some]
            mean, low, inverse = self.kept[:, some]
            x = self.x[some] - self._spread(mean)
            x -= self._spread(low)
            x *= self._spread(inverse)
            sums, products = pixel_sums(dy), pixel_sums(dy * x)
            dbeta += channel_sums(sums)
            dgamma += channel_sums(products)
            if self.dx is not None:
                x *= self._spread(self._group_means(products * gamma))
                x += self._spread(self._group_means(sums * gamma))
                np.subtract(dy * gamma, x, out=x)
                np.multiply(x, self._spread(inverse), out=self.dx[some])
        if self.grads:
            self.grads["gamma"][:], self.grads["beta"][:] = dgamma, dbeta

    def _means(self, x):
        """Return the mean of every group of every sample."""
        return self._group_means(pixel_sums(x))

    def _group_means(self, sums):
        """Return means of groups, given sums (samples, C) over pixels."""
        count = self.y.shape[1] * (sums.shape[1] // self.groups)
        return sums.reshape(len(sums), self.groups, -1).sum(axis=-1) / sums.dtype.type(count)

    def _spread(self, values):
        """Return one number for each group as one for each channel, or one for all."""
        if self.groups == 1:
            return values[:, None]
        return np.repeat(values, self.y.shape[-1] // self.groups, axis=1)[:, None]
