"""Layers that pick numbers or bring them into another order."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from cnnkit.layers.base import Layer, Slots
from cnnkit.layers.op import Op
from cnnkit.validate import shapes

if TYPE_CHECKING:
    from cnnkit.typing import Shape


class Permute(Layer):
    """The axes of a sample in another order, as `numpy.transpose` does it.

    Parameters
    ----------
    order : tuple of ints
        Axes of one sample from 0: axis i of the output is axis ``order[i]`` of the input.

    Raises
    ------
    ValueError, TypeError
        By `output_shape`, if `order` does not hold every axis once.

    Notes
    -----
    With `Reshape` before and after it, it is a channel shuffle, or moves blocks of pixels to
    channels and back (SpaceToDepth, DepthToSpace, PixelShuffle).

    Examples
    --------
    >>> from cnnkit import Permute
    >>> Permute((2, 0, 1)).output_shape((4, 5, 3))
    (3, 4, 5)
    """

    keeps_bounds = True

    def __init__(self, order: Sequence[int]) -> None:
        self.order = order

    def output_shape(self, input_shape: Shape) -> Shape:
        order, rank = self.order, len(input_shape)
        if not isinstance(order, (tuple, list)) or not all(type(axis) is int for axis in order):
            raise TypeError(f"Permute: order must be a tuple of axes, got {order!r}.")
        if sorted(order) != list(range(rank)):
            raise ValueError(
                f"Permute: order must hold every axis of a sample of shape {input_shape} once, "
                f"0 to {rank - 1}, got {order!r}."
            )
        return tuple(input_shape[axis] for axis in order)

    def bind(self, slots: Slots) -> Op:
        return PermuteOp([axis + 1 for axis in self.order], slots)


class PermuteOp(Op):
    """y is x with its axes in another order, dx is dy with them back."""

    def __init__(self, order, slots):
        self.slots = slots
        self.order = (0, *order)
        self.back = tuple(np.argsort(self.order))

    def forward(self, n):
        self.slots.y[:n] = self.slots.x[:n].transpose(self.order)

    def backward(self, n):
        if self.slots.dx is not None:
            self.slots.dx[:n] = self.slots.dy[:n].transpose(self.back)


class Slice(Layer):
    """A range of one axis, as ``x[start:stop:step]`` takes it: channels, rows or columns.

    Parameters
    ----------
    start : int, default=None
        Where the range begins, as in Python: a negative number counts from the end.
    stop : int, default=None
        Where it ends, not included; None is the end of the axis.
    step : int, default=1
        Negative goes backwards.
    axis : int, default=-1
        Of one sample; -1 are the channels.

    Raises
    ------
    ValueError, TypeError
        By `output_shape`, for arguments that are no ints, a step of 0, or a range that is empty.

    Examples
    --------
    >>> from cnnkit import Slice
    >>> Slice(0, 8).output_shape((4, 4, 32))
    (4, 4, 8)
    """

    keeps_bounds = True

    def __init__(
        self, start: int | None = None, stop: int | None = None, step: int = 1, *, axis: int = -1
    ) -> None:
        self.start = start
        self.stop = stop
        self.step = step
        self.axis = axis

    def _range(self, shape):
        """Return the axis, from 0, and the range of it, of a sample of `shape`."""
        rank = len(shape)
        axis = shapes.as_int(self.axis, "axis", self.owner, -rank, rank - 1) % rank
        for name in ("start", "stop", "step"):
            value = getattr(self, name)
            if value is not None or name == "step":
                shapes.as_int(value, name, self.owner, -shapes.MAX_EXTENT)
        if self.step == 0:
            raise ValueError("Slice: step must not be 0, got 0.")
        return axis, range(shape[axis])[self.start : self.stop : self.step]

    def output_shape(self, input_shape: Shape) -> Shape:
        axis, kept = self._range(input_shape)
        if not kept:
            raise ValueError(
                f"Slice: start, stop and step must leave a part of the {input_shape[axis]} along "
                f"axis {axis}, got {self.start}, {self.stop} and {self.step}."
            )
        return (*input_shape[:axis], len(kept), *input_shape[axis + 1 :])

    def bind(self, slots: Slots) -> Op:
        axis, _ = self._range(slots.x.shape[1:])
        return SliceOp(axis, slice(self.start, self.stop, self.step), slots)


class SliceOp(Op):
    """y is a part of x; dx is dy in that part, and zero elsewhere."""

    def __init__(self, axis, part, slots):
        self.slots = slots
        self.part = (*(slice(None),) * axis, part)

    def forward(self, n):
        self.slots.y[:n] = self.slots.x[:n][:, *self.part]

    def backward(self, n):
        if self.slots.dx is not None:
            self.slots.dx[:n] = 0
            self.slots.dx[:n][:, *self.part] = self.slots.dy[:n]
