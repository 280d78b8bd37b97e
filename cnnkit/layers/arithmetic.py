"""Arithmetic with constants, number by number: scale and shift, powers, bounds."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from cnnkit.layers.activation_smooth import _Formula
from cnnkit.layers.base import Layer, Slots, WeightSpec
from cnnkit.layers.op import Op
from cnnkit.validate.arrays import blocks
from cnnkit.validate.values import as_real

if TYPE_CHECKING:
    from cnnkit.typing import Shape


class Affine(Layer):
    """``y = scale * x + shift``, the two along some axes of a sample.

    Parameters
    ----------
    axes : tuple of ints, default=(-1,)
        Axes of one sample along which the numbers differ: ``(-1,)`` for one per channel, ``()`` for
        one alone, ``(0, 1, 2)`` for one per number of an image.
    scale : bool, default=True
        Whether x is multiplied by a weight.
    shift : bool, default=True
        Whether a weight is added.
    trained : bool, default=True
        Whether training changes them; False for constants.

    Raises
    ------
    ValueError, TypeError
        By `output_shape`, for axes that a sample does not have, or other arguments that are no
        bools.

    Notes
    -----
    Weights: ``scale``, from one, and ``shift``, from zero, each with the sample's size on `axes`
    and 1 on the others.

    Examples
    --------
    >>> from cnnkit import Affine
    >>> Affine().weight_specs((8, 8, 3))["scale"].shape
    (1, 1, 3)
    """

    keeps_input = True

    def __init__(
        self,
        axes: Sequence[int] = (-1,),
        *,
        scale: bool = True,
        shift: bool = True,
        trained: bool = True,
    ) -> None:
        self.axes = axes
        self.scale = scale
        self.shift = shift
        self.trained = trained

    def output_shape(self, input_shape: Shape) -> Shape:
        for name in ("scale", "shift", "trained"):
            if not isinstance(getattr(self, name), bool):
                raise TypeError(f"Affine: {name} must be a bool, got {getattr(self, name)!r}.")
        if not self.scale and not self.shift:
            raise ValueError("Affine: scale or shift must be True, got two times False.")
        self._differing(input_shape)
        return input_shape

    def _differing(self, shape):
        """Return the axes along which the numbers differ, counted from the first."""
        rank, axes = len(shape), self.axes
        if not isinstance(axes, (tuple, list)) or not all(
            type(axis) is int and -rank <= axis < rank for axis in axes
        ):
            raise ValueError(
                f"Affine: axes must be a tuple of axes of a sample of shape {shape}, got {axes!r}."
            )
        return {axis % rank for axis in axes}

    def weight_specs(self, input_shape: Shape) -> dict[str, WeightSpec]:
        self.output_shape(input_shape)
        axes = self._differing(input_shape)
        shape = tuple(side if axis in axes else 1 for axis, side in enumerate(input_shape))
        specs = {}
        if self.scale:
            specs["scale"] = WeightSpec(shape, start=1.0, trained=self.trained)
        if self.shift:
            specs["shift"] = WeightSpec(shape, trained=self.trained)
        return specs

    def bind(self, slots: Slots) -> Op:
        return AffineOp(slots, self.trained)


class AffineOp(Op):
    """y = s x + t; dx = s dy, ds = sum of x dy and dt = sum of dy where s and t are spread."""

    def __init__(self, slots, trained):
        self.slots = slots
        self.grads = slots.grads if trained else {}
        self.scale = slots.weights.get("scale")
        self.shift = slots.weights.get("shift")

    def forward(self, n):
        for some in blocks(n, self.slots.y):
            x, y = self.slots.x[some], self.slots.y[some]
            if self.scale is not None:
                x = np.multiply(x, self.scale, out=y)
            if self.shift is not None:
                np.add(x, self.shift, out=y)

    def backward(self, n):
        grads, slots = self.grads, self.slots
        for grad in grads.values():
            grad[...] = 0
        for some in blocks(n, slots.dy):
            x, dy = slots.x[some], slots.dy[some]
            if "scale" in grads:
                grads["scale"] += _sum_to(grads["scale"].shape, x * dy)
            if "shift" in grads:
                grads["shift"] += _sum_to(grads["shift"].shape, dy)
            if slots.dx is not None and self.scale is not None:
                np.multiply(dy, self.scale, out=slots.dx[some])
            elif slots.dx is not None:
                slots.dx[some] = dy


def _sum_to(shape, terms):
    """Return the sums of (n, ...) over samples and over the axes on which `shape` is 1."""
    axes = tuple(axis for axis, side in enumerate(shape, 1) if side == 1)
    return terms.sum(axis=(0, *axes), keepdims=True, dtype=np.float64)[0]


class Power(_Formula):
    """``x ** exponent``, number by number.

    Parameters
    ----------
    exponent : float
        0.5 is the square root, -1 one divided by x. A number that has no such power gives NaN.

    Raises
    ------
    ValueError, TypeError
        By `output_shape`, if exponent is no finite number.

    Examples
    --------
    >>> from cnnkit import Power
    >>> Power(0.5).output_shape((8, 8, 16))
    (8, 8, 16)
    """

    keeps_input = True
    keeps_output = False
    bounds_output = False

    def __init__(self, exponent: float) -> None:
        self.exponent = exponent

    def output_shape(self, input_shape: Shape) -> Shape:
        as_real(self.exponent, "exponent", self.owner)
        return input_shape

    def forward(self, x: np.ndarray, y: np.ndarray) -> None:
        with np.errstate(divide="ignore", invalid="ignore"):
            np.power(x, y.dtype.type(self.exponent), out=y)

    def backward(self, dy: np.ndarray, x: np.ndarray, dx: np.ndarray) -> None:
        with np.errstate(divide="ignore", invalid="ignore"):
            slope = self.exponent * np.power(x, dx.dtype.type(self.exponent - 1))
        np.multiply(dy, slope, out=dx)


class Clip(_Formula):
    """``min(max(x, minimum), maximum)``, number by number; NaN stays NaN.

    Parameters
    ----------
    minimum : float, default=None
        Lower bound; None is no bound.
    maximum : float, default=None
        Upper bound; None is no bound. Where the two cross, every number becomes `maximum`.

    Raises
    ------
    ValueError, TypeError
        By `output_shape`, if a bound is no finite number.

    Notes
    -----
    The gradient is that of x from `minimum` to `maximum`, both included, and 0 elsewhere.

    Examples
    --------
    >>> from cnnkit import Clip
    >>> Clip(-1, 1)
    Clip(maximum=1, minimum=-1)
    """

    keeps_input = True
    keeps_output = False

    def __init__(self, minimum: float | None = None, maximum: float | None = None) -> None:
        self.minimum = minimum
        self.maximum = maximum

    def output_shape(self, input_shape: Shape) -> Shape:
        for name in ("minimum", "maximum"):
            if getattr(self, name) is not None:
                as_real(getattr(self, name), name, self.owner)
        return input_shape

    def forward(self, x: np.ndarray, y: np.ndarray) -> None:
        low, high = self._bounds()
        np.minimum(np.maximum(x, low), high, out=y)

    def backward(self, dy: np.ndarray, x: np.ndarray, dx: np.ndarray) -> None:
        low, high = self._bounds()
        np.multiply(dy, (x >= low) & (x <= high), out=dx)

    def _bounds(self):
        low, high = self.minimum, self.maximum
        return (-np.inf if low is None else float(low)), (np.inf if high is None else float(high))
