"""Layers that change the shape of images."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import TYPE_CHECKING, Literal

from cnnkit._native import resize as native
from cnnkit.layers.base import Layer, Slots, image_input
from cnnkit.layers.op import Op
from cnnkit.validate import shapes

if TYPE_CHECKING:
    from cnnkit.typing import IntPair, Shape, Sides


class UpSample(Layer):
    """Enlarge images.

    Parameters
    ----------
    scale : int or pair of ints, default=2
    method : {"nearest", "bilinear"}, default="nearest"
        "bilinear" assumes that the centres of pixels at the edge are half a pixel from it, as
        ``align_corners=False`` of PyTorch and TensorFlow 2 do.

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
    """Surround images with zeros.

    Parameters
    ----------
    padding : int, pair or ((top, bottom), (left, right)), default=1

    Examples
    --------
    >>> from cnnkit import Pad
    >>> Pad(((0, 1), (0, 1))).output_shape((4, 4, 8))
    (5, 5, 8)
    """

    def __init__(self, padding: Sides = 1) -> None:
        self.padding = padding

    def _sides(self, shape):
        if isinstance(self.padding, str):
            raise ValueError(
                f"Pad: padding must be an int, a pair or ((top, bottom), (left, right)), "
                f"got {self.padding!r}."
            )
        return shapes.pad_amounts(self.padding, shape[:2], (1, 1), (1, 1), (1, 1), self.owner)

    def output_shape(self, input_shape: Shape) -> Shape:
        H, W, C = image_input(self, input_shape)
        vertical, horizontal = self._sides(input_shape)
        out = (H + sum(vertical), W + sum(horizontal), C)
        shapes.check_product(out, "padding", self.padding, self.owner)
        return out

    def bind(self, slots: Slots) -> Op:
        (top, _), (left, _) = self._sides(slots.x.shape[1:])
        H, W = slots.x.shape[1:3]
        return PadOp(slots, slice(top, top + H), slice(left, left + W))


class PadOp(Op):
    """x is a window of y, dx the same window of dy."""

    def __init__(self, slots, rows, cols):
        self.slots = slots
        self.window = (rows, cols)

    def forward(self, n):
        self.slots.y[:n] = 0
        self.slots.y[:n][:, *self.window] = self.slots.x[:n]

    def backward(self, n):
        if self.slots.dx is not None:
            self.slots.dx[:n] = self.slots.dy[:n][:, *self.window]


class Reshape(Layer):
    """The same numbers in another shape, without a copy.

    Parameters
    ----------
    shape : tuple of ints
        Shape of one sample; one number may be -1, which stands for the rest.

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
