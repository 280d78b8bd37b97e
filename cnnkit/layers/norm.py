"""Normalisation layers."""

from __future__ import annotations

from collections.abc import Mapping
from numbers import Real
from typing import TYPE_CHECKING

import numpy as np

from cnnkit._native import norm as native
from cnnkit.layers.base import Layer, Slots, WeightSpec, image_input
from cnnkit.layers.op import Op
from cnnkit.validate import shapes
from cnnkit.validate.arrays import blocks

if TYPE_CHECKING:
    from cnnkit.typing import Shape

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
        Added to the variance, so that constant numbers are not divided by zero.

    Raises
    ------
    ValueError
        By `output_shape`, if momentum is not above 0 and at most 1, or eps is not positive.

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

    def __init__(self, *, momentum: float = 0.1, eps: float = 1e-5) -> None:
        self.momentum = momentum
        self.eps = eps

    def output_shape(self, input_shape: Shape) -> Shape:
        for name, most in (("momentum", 1), ("eps", np.inf)):
            value = getattr(self, name)
            is_real = isinstance(value, Real) and not isinstance(value, bool)
            if not is_real or not 0 < value <= most:
                raise ValueError(
                    f"BatchNorm: {name} must be above 0 and at most {most}, got {value!r}."
                )
        return input_shape

    def weight_specs(self, input_shape: Shape) -> dict[str, WeightSpec]:
        shape = input_shape[-1:]
        return {
            "gamma": WeightSpec(shape, start=1.0),
            "beta": WeightSpec(shape),
            "mean": WeightSpec(shape, trained=False),
            "var": WeightSpec(shape, start=1.0, trained=False, least=0.0),
        }

    def bind(self, slots: Slots) -> Op:
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

    def scale_and_shift(self, weights: Mapping[str, np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
        """Return (a, b) of ``y = a x + b`` at inference.

        Parameters
        ----------
        weights : mapping of str to array of shape (C,)
            The weights of the layer, by the names of `weight_specs`.

        Returns
        -------
        (a, b) : tuple of arrays of shape (C,)
            Factor and summand of every channel.

        Examples
        --------
        >>> import numpy as np
        >>> from cnnkit import BatchNorm
        >>> one, zero = np.ones(1), np.zeros(1)
        >>> weights = {"gamma": one, "beta": zero, "mean": one, "var": np.full(1, 4)}
        >>> a, b = BatchNorm().scale_and_shift(weights)
        >>> a.round(3), b.round(3)
        (array([0.5]), array([-0.5]))
        """
        scale = self.scale(weights)
        return scale, weights["beta"] - weights["mean"] * scale

    def scale(self, weights: Mapping[str, np.ndarray]) -> np.ndarray:
        """Return a of ``y = a (x - mean) + beta`` at inference.

        Parameters
        ----------
        weights : mapping of str to array of shape (C,)
            The weights of the layer, by the names of `weight_specs`.

        Returns
        -------
        a : array of shape (C,)
            Factor of every channel.

        Examples
        --------
        >>> import numpy as np
        >>> from cnnkit import BatchNorm
        >>> BatchNorm().scale({"gamma": np.ones(1), "var": np.full(1, 4)}).round(3)
        array([0.5])
        """
        return weights["gamma"] / np.sqrt(weights["var"] + self.eps)


class BatchNormOp(native.BatchNormOp, Op):  # type: ignore[misc]  # its momentum is a float
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
        Number of neighbouring channels in a sum.
    alpha : float, default=1e-4
        Factor of the mean square, at least 0.
    beta : float, default=0.75
        Exponent of the divisor, at least 0.
    k : float, default=1.0
        What is added to the mean square times alpha, at least 0.

    Raises
    ------
    ValueError, TypeError
        By `output_shape`, for numbers out of range, or an input that is no images.

    Examples
    --------
    >>> from cnnkit import LocalResponseNorm
    >>> LocalResponseNorm(5).output_shape((8, 8, 16))
    (8, 8, 16)
    """

    keeps_input = True

    def __init__(
        self, size: int = 5, *, alpha: float = 1e-4, beta: float = 0.75, k: float = 1.0
    ) -> None:
        self.size = size
        self.alpha = alpha
        self.beta = beta
        self.k = k

    def output_shape(self, input_shape: Shape) -> Shape:
        shapes.as_int(self.size, "size", self.owner)
        for name, low in (("alpha", 0), ("beta", 0), ("k", 0)):
            value = getattr(self, name)
            is_real = isinstance(value, Real) and not isinstance(value, bool)
            if not is_real or not low <= value < np.inf:
                raise ValueError(
                    f"LocalResponseNorm: {name} must be a number of at least 0, got {value!r}."
                )
        return image_input(self, input_shape)

    def bind(self, slots: Slots) -> Op:
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
