"""Normalisation layers."""

from math import prod
from numbers import Real

import numpy as np

from cnnkit._native import norm as native
from cnnkit.layers.base import Layer, WeightSpec, image_input
from cnnkit.layers.op import Op
from cnnkit.layers.sums import channel_sums, pixel_sums
from cnnkit.validate import shapes
from cnnkit.validate.arrays import blocks

SOME = 64  # channels in a block: sums of blocks are rounded less than one long sum


class BatchNorm(Layer):
    """Normalise every channel to mean `beta` and deviation `gamma` over the pixels of a batch.

    ``y = gamma * (x - mean) / sqrt(var + eps) + beta``, with mean and variance of the batch in
    training, and running ones at inference. After a convolution or dense layer it costs nothing at
    inference: it is folded into the weights of that layer. Ioffe & Szegedy (2015), "Batch
    normalization".

    Parameters
    ----------
    momentum : float, default=0.1
        Weight of a batch in the running statistics: ``running += momentum * (batch - running)``, as
        in PyTorch. The momentum of Keras is 1 minus this.
    eps : float, default=1e-5

    Notes
    -----
    Weights: ``gamma`` and ``beta`` (C,), which start as one and zero, and the running statistics
    ``mean`` and ``var`` (C,), which are not trained and start as zero and one. ``var`` is the
    unbiased estimate.

    Examples
    --------
    >>> from cnnkit import BatchNorm
    >>> list(BatchNorm().weight_specs((8, 8, 16)))
    ['gamma', 'beta', 'mean', 'var']
    """

    keeps_input = True
    gradient_in_place = True

    def __init__(self, *, momentum=0.1, eps=1e-5):
        self.momentum = momentum
        self.eps = eps

    def output_shape(self, input_shape):
        for name, most in (("momentum", 1), ("eps", np.inf)):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, Real) or not 0 < value <= most:
                raise ValueError(
                    f"BatchNorm: {name} must be above 0 and at most {most}, got {value!r}."
                )
        return input_shape

    def weight_specs(self, input_shape):
        shape = input_shape[-1:]
        return {
            "gamma": WeightSpec(shape, start=1.0),
            "beta": WeightSpec(shape),
            "mean": WeightSpec(shape, trained=False),
            "var": WeightSpec(shape, start=1.0, trained=False, least=0.0),
        }

    def bind(self, slots):
        weights, grads = slots.weights, slots.grads
        if not grads:
            return ScaleOp(self, slots)
        return BatchNormOp(
            slots.x,
            weights["gamma"],
            weights["beta"],
            weights["mean"],
            weights["var"],
            slots.y,
            self.momentum,
            self.eps,
            slots.dy,
            slots.dx,
            grads["gamma"],
            grads["beta"],
        )

    def scale_and_shift(self, weights):
        """Return (a, b) of ``y = a x + b`` at inference."""
        scale = self.scale(weights)
        return scale, weights["beta"] - weights["mean"] * scale

    def scale(self, weights):
        """Return a of ``y = a (x - mean) + beta`` at inference."""
        return weights["gamma"] / np.sqrt(weights["var"] + self.eps)


class BatchNormOp(native.BatchNormOp, Op):
    """Batch normalisation in training."""


class ScaleOp(Op):
    """Batch normalisation at inference, and in training if the layer is frozen."""

    def __init__(self, layer, slots):
        self.layer = layer
        self.slots = slots
        self.scale = np.empty(slots.y.shape[-1], slots.y.dtype)
        weights = slots.weights
        self.affine = native.AffineOp(
            slots.x, weights["mean"], self.scale, weights["beta"], slots.y
        )

    def forward(self, n):
        self.scale[:] = self.layer.scale(self.slots.weights)
        self.affine.forward(n)

    def backward(self, n):
        if self.slots.dx is not None:
            np.multiply(self.slots.dy[:n], self.scale, out=self.slots.dx[:n])


class FoldOp(Op):
    """Fill the scale and shift of a layer whose output is batch-normalised at inference."""

    only_packs = True

    def __init__(self, layer, weights, bias, scale, shift):
        self.layer = layer
        self.weights = weights
        self.bias = bias
        self.scale = scale
        self.shift = shift

    def forward(self, n):
        self.scale[:], self.shift[:] = self.layer.scale_and_shift(self.weights)
        if self.bias is not None:
            self.shift += self.bias * self.scale

    def prepack(self, memory):
        self.forward(0)


class LocalResponseNorm(Layer):
    """Divide every number by a norm of its neighbours along the channels.

    ``y_c = x_c / (k + alpha / size * S_c) ** beta``, where ``S_c`` is the sum of ``x_c' ** 2`` over
    the `size` channels c' around c (Krizhevsky et al., 2012, "ImageNet classification with deep
    convolutional neural networks", section 3.3, with alpha divided by size as in Caffe and
    PyTorch).

    Parameters
    ----------
    size : int, default=5
    alpha : float, default=1e-4
    beta : float, default=0.75
    k : float, default=1.0

    Examples
    --------
    >>> from cnnkit import LocalResponseNorm
    >>> LocalResponseNorm(5).output_shape((8, 8, 16))
    (8, 8, 16)
    """

    keeps_input = True

    def __init__(self, size=5, *, alpha=1e-4, beta=0.75, k=1.0):
        self.size = size
        self.alpha = alpha
        self.beta = beta
        self.k = k

    def output_shape(self, input_shape):
        shapes.as_int(self.size, "size", self.owner)
        for name, low in (("alpha", 0), ("beta", 0), ("k", 0)):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, Real) or not low <= value < np.inf:
                raise ValueError(
                    f"LocalResponseNorm: {name} must be a number of at least 0, got {value!r}."
                )
        return image_input(self, input_shape)

    def bind(self, slots):
        return LocalResponseNormOp(self, slots)


class LocalResponseNormOp(Op):
    """The op of `LocalResponseNorm`, by sums along channels."""

    def __init__(self, layer, slots):
        self.layer = layer
        self.slots = slots

    def forward(self, n):
        slots = self.slots
        for some in blocks(n, slots.y):
            x = slots.x[some]
            np.multiply(x, self._base(x) ** -self.layer.beta, out=slots.y[some])

    def backward(self, n):
        if self.slots.dx is not None:
            for some in blocks(n, self.slots.dx):
                self._backward(self.slots.x[some], self.slots.dy[some], self.slots.dx[some])

    def _backward(self, x, dy, dx):
        """dx_c = dy_c D_c^-beta - 2 alpha beta / size x_c sum of dy x D^(-beta - 1)"""
        layer, base = self.layer, self._base(x)
        terms = self._window_sum(dy * x * base ** (-layer.beta - 1), mirrored=True)
        terms *= x * (-2 * layer.alpha * layer.beta / layer.size)
        np.add(terms, dy * base**-layer.beta, out=dx)

    def _base(self, x):
        layer = self.layer
        return layer.k + layer.alpha / layer.size * self._window_sum(x * x)

    def _window_sum(self, x, mirrored=False):
        """Sum over c - size // 2 <= c' <= c + (size - 1) // 2, or over the mirrored window."""
        C = x.shape[-1]
        before, after = min(self.layer.size // 2, C - 1), min((self.layer.size - 1) // 2, C - 1)
        if mirrored:
            before, after = after, before
        out = np.zeros_like(x)
        for start in range(-before, after + 1, SOME):
            part = np.zeros_like(x)
            for shift in range(start, min(start + SOME, after + 1)):
                part[..., max(0, -shift) : C - max(0, shift)] += x[
                    ..., max(0, shift) : C - max(0, -shift)
                ]
            out += part
        return out


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

    def __init__(self, groups=32, *, eps=1e-5):
        self.groups = groups
        self.eps = eps

    def output_shape(self, input_shape):
        check_eps(self)
        groups, channels = shapes.as_int(self.groups, "groups", self.owner), input_shape[-1]
        if channels % groups:
            raise ValueError(
                f"{self.owner}: groups must divide the {channels} channels, got {groups}."
            )
        return input_shape

    def weight_specs(self, input_shape):
        return {
            "gamma": WeightSpec(input_shape[-1:], start=1.0),
            "beta": WeightSpec(input_shape[-1:]),
        }

    def bind(self, slots):
        return GroupNormOp(slots, int(self.groups), self.eps)


class LayerNorm(Layer):
    """Give the channels of every pixel mean 0 and deviation 1, then scale and shift.

    ``y = gamma * (x - mean) / sqrt(var + eps) + beta``, mean and variance being those of a pixel's
    channels, or of a flat row, in training and prediction alike. Over whole images it is
    ``GroupNorm(1)``. Ba et al. (2016), "Layer normalization".

    Parameters
    ----------
    eps : float, default=1e-5

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

    def __init__(self, *, eps=1e-5):
        self.eps = eps

    def output_shape(self, input_shape):
        check_eps(self)
        return input_shape

    def weight_specs(self, input_shape):
        return {
            "gamma": WeightSpec(input_shape[-1:], start=1.0),
            "beta": WeightSpec(input_shape[-1:]),
        }

    def bind(self, slots):
        return GroupNormOp(slots, 1, self.eps, by_pixel=True)


def check_eps(layer):
    """Raise unless what a layer adds to a variance is positive."""
    eps = layer.eps
    if isinstance(eps, bool) or not isinstance(eps, Real) or not 0 < eps < np.inf:
        raise ValueError(f"{layer.owner}: eps must be a positive number, got {eps!r}.")


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
        """Return one number for each group as one for each channel."""
        return np.repeat(values, self.y.shape[-1] // self.groups, axis=1)[:, None]
