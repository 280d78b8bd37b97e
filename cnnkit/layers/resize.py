"""Layers that change the shape of images."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from math import prod
from typing import TYPE_CHECKING, Literal

import numpy as np

from cnnkit._native import resize as native
from cnnkit.layers.base import Layer, Slots, image_input
from cnnkit.layers.op import Op
from cnnkit.validate import shapes
from cnnkit.validate.values import as_choice, as_real

if TYPE_CHECKING:
    from cnnkit.typing import IntPair, Shape, Sides


class UpSample(Layer):
    """Enlarge images.

    Parameters
    ----------
    scale : int or pair of ints, default=2
        What height and width are multiplied by; one number stands for both.
    method : {"nearest", "bilinear"}, default="nearest"
        "bilinear" assumes that the centres of pixels at the edge are half a pixel from it, as
        ``align_corners=False`` of PyTorch and TensorFlow 2 do.

    Raises
    ------
    ValueError, TypeError
        By `output_shape`, for another scale or method, or an input that is no images.

    Examples
    --------
    >>> from cnnkit import UpSample
    >>> UpSample(2).output_shape((4, 4, 8))
    (8, 8, 8)
    """

    keeps_bounds = True

    def __init__(
        self, scale: IntPair = 2, *, method: Literal["nearest", "bilinear"] = "nearest"
    ) -> None:
        self.scale = scale
        self.method = method

    def output_shape(self, input_shape: Shape) -> Shape:
        H, W, C = image_input(self, input_shape)
        if self.method not in ("nearest", "bilinear"):
            raise ValueError(
                f"UpSample: method must be 'nearest' or 'bilinear', got {self.method!r}."
            )
        vertical, horizontal = shapes.as_pair(self.scale, "scale", self.owner)
        out = (H * vertical, W * horizontal, C)
        shapes.check_product(out, "scale", self.scale, self.owner)
        return out

    def bind(self, slots: Slots) -> Op:
        scale = shapes.as_pair(self.scale, "scale", self.owner)
        return ResampleOp(scale, self.method == "bilinear", slots.x, slots.y, slots.dy, slots.dx)


class ResampleOp(native.ResampleOp, Op):
    """The op of `UpSample`."""


class Pad(Layer):
    """Surround images with zeros, or with what their edges give.

    Parameters
    ----------
    padding : int, pair or ((top, bottom), (left, right)), default=1
        Rows and columns that are added on each side; a pair is (vertical, horizontal).
    mode : {"constant", "edge", "reflect", "wrap"}, default="constant"
        As in `numpy.pad`; reflecting leaves the pixels of the edge single.
    value : float, default=0.0
        What "constant" pads with.

    Raises
    ------
    ValueError, TypeError
        By `output_shape`, for another padding or mode, or an input that is no images.

    Examples
    --------
    >>> from cnnkit import Pad
    >>> Pad(((0, 1), (0, 1))).output_shape((4, 4, 8))
    (5, 5, 8)
    """

    def __init__(self, padding: Sides = 1, *, mode: str = "constant", value: float = 0.0) -> None:
        self.padding = padding
        self.mode = mode
        self.value = value

    def _sides(self, shape):
        if isinstance(self.padding, str):
            raise ValueError(
                f"Pad: padding must be an int, a pair or ((top, bottom), (left, right)), "
                f"got {self.padding!r}."
            )
        return shapes.pad_amounts(self.padding, shape[:2], (1, 1), (1, 1), (1, 1), self.owner)

    def output_shape(self, input_shape: Shape) -> Shape:
        H, W, C = image_input(self, input_shape)
        as_choice(self.mode, "mode", self.owner, ("constant", "edge", "reflect", "wrap"))
        as_real(self.value, "value", self.owner)
        vertical, horizontal = self._sides(input_shape)
        if self.mode == "reflect":
            for amounts, side in ((vertical, H), (horizontal, W)):
                if side == 1 and any(amounts):
                    raise ValueError(
                        f"Pad: padding must be 0 along one pixel with mode 'reflect', got "
                        f"{self.padding!r} for an image of {(H, W)}."
                    )
        out = (H + sum(vertical), W + sum(horizontal), C)
        shapes.check_product(out, "padding", self.padding, self.owner)
        return out

    def bind(self, slots: Slots) -> Op:
        sides = self._sides(slots.x.shape[1:])
        if self.mode != "constant":
            return PickOp(self.mode, sides, slots)
        (top, _), (left, _) = sides
        H, W = slots.x.shape[1:3]
        return PadOp(self.value, slots, slice(top, top + H), slice(left, left + W))


class PadOp(Op):
    """x is a window of y, dx the same window of dy."""

    def __init__(self, value, slots, rows, cols):
        self.value = value
        self.slots = slots
        self.window = (rows, cols)

    def forward(self, n):
        self.slots.y[:n] = self.value
        self.slots.y[:n][:, *self.window] = self.slots.x[:n]

    def backward(self, n):
        if self.slots.dx is not None:
            self.slots.dx[:n] = self.slots.dy[:n][:, *self.window]


class PickOp(Op):
    """Every pixel of y is one of x; dx is the sum of dy over the pixels that it became."""

    def __init__(self, mode, sides, slots):
        self.slots = slots
        self.mode = mode
        self.sides = sides

    @cached_property
    def places(self):
        """Rows and columns of x, to be used as indices; made when they are first used."""
        rows, columns = (
            picked(self.mode, side, amounts)
            for side, amounts in zip(self.slots.x.shape[1:3], self.sides, strict=True)
        )
        return rows[:, None], columns

    def forward(self, n):
        self.slots.y[:n] = self.slots.x[:n][:, *self.places]

    def backward(self, n):
        if self.slots.dx is not None:
            self.slots.dx[:n] = 0
            np.add.at(self.slots.dx[:n], (slice(None), *self.places), self.slots.dy[:n])


def picked(mode, side, amounts):
    """Return which of `side` pixels each one of a padded line is, as `numpy.pad` has it."""
    at = np.arange(-amounts[0], side + amounts[1])
    if mode == "edge":
        return np.clip(at, 0, side - 1)
    if mode == "wrap":
        return at % side
    period = max(1, 2 * side - 2)
    return side - 1 - abs(at % period - (side - 1))


class Reshape(Layer):
    """The same numbers in another shape, without a copy.

    Parameters
    ----------
    shape : tuple of ints
        Shape of one sample; one number may be -1, which stands for the rest.

    Raises
    ------
    ValueError
        By `output_shape`, if the shape cannot hold the numbers of the input.

    Examples
    --------
    >>> from cnnkit import Reshape
    >>> Reshape((1, 1, -1)).output_shape((64,))
    (1, 1, 64)
    """

    reshapes = True
    keeps_bounds = True

    def __init__(self, shape: Sequence[int]) -> None:
        self.shape = shape

    def output_shape(self, input_shape: Shape) -> Shape:
        shape = self.shape
        if not isinstance(shape, (tuple, list)) or list(shape).count(-1) > 1 or not shape:
            raise ValueError(f"Reshape: shape must be ints, one of them -1 at most, got {shape!r}.")
        known = [shapes.as_int(side, "shape", self.owner) for side in shape if side != -1]
        numbers = prod(input_shape)
        left = numbers // prod(known) if -1 in shape else 1
        if prod(known) * left != numbers:
            raise ValueError(
                f"Reshape: shape must hold the {numbers} numbers of {input_shape}, got {shape!r}."
            )
        return tuple(left if side == -1 else int(side) for side in shape)
