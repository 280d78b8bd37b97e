"""Fully connected layers, and layers that need no computation."""

from __future__ import annotations

from math import prod
from typing import TYPE_CHECKING

from cnnkit.layers.base import Layer, Slots, WeightSpec
from cnnkit.layers.conv import ConvOp
from cnnkit.validate import shapes

if TYPE_CHECKING:
    from cnnkit.layers.op import Op
    from cnnkit.typing import Shape


class Dense(Layer):
    """Fully connected layer, ``y = x w + b``: a 1x1 convolution of images of one pixel.

    Parameters
    ----------
    units : int, default=None
        Count of numbers in the output; None means one per output of the network.
    bias : bool, default=True
        Whether a number per unit is added to the output.

    Raises
    ------
    ValueError, TypeError
        By `output_shape`, for `units` that is no positive int, or an input that is no flat row.

    Notes
    -----
    Weights: ``w`` (K, units), drawn from N(0, 2 / K), and ``b`` (units,), zero. Images need
    `Flatten` or `GlobalAvgPool` before it.

    Examples
    --------
    >>> from cnnkit import Dense
    >>> Dense(10).output_shape((64,))
    (10,)
    """

    per_output = "units"
    keeps_input = True
    fuses_relu = True
    fuses_scale = True

    def __init__(self, units: int | None = None, *, bias: bool = True) -> None:
        self.units = units
        self.bias = bias

    def output_shape(self, input_shape: Shape) -> Shape:
        if len(input_shape) != 1:
            raise ValueError(
                f"Dense: input must be flat, put Flatten() or GlobalAvgPool() before it, "
                f"got shape {input_shape}."
            )
        return (shapes.as_int(self.units, "units", self.owner),)

    def weight_specs(self, input_shape: Shape) -> dict[str, WeightSpec]:
        shape = (*input_shape, *self.output_shape(input_shape))
        shapes.check_product(shape, "units", self.units, self.owner)
        specs = {"w": WeightSpec(shape, fan_in=shape[0], decay=True)}
        if self.bias:
            specs["b"] = WeightSpec(shape[1:])
        return specs

    def multiply_adds(self, input_shape: Shape) -> int:
        return prod(self.weight_specs(input_shape)["w"].shape)

    def bind(self, slots: Slots) -> Op:
        def pixels(array):
            return None if array is None else array.reshape(len(array), 1, 1, -1)

        def kernel(array):
            return None if array is None else array.reshape(1, 1, *array.shape)

        x = pixels(slots.x)
        return ConvOp(
            shapes.windows(x.shape, 1, 1, 0, owner=self.owner),
            1,
            x,
            kernel(slots.weights["w"]),
            slots.bias,
            pixels(slots.y),
            pixels(slots.dy),
            pixels(slots.dx),
            kernel(slots.grads.get("w")),
            slots.grads.get("b"),
            algorithm=slots.algorithm,
            relu=slots.relu,
            scale=slots.scale,
        )


class Flatten(Layer):
    """Images (H, W, C) as one row of H * W * C numbers, without a copy.

    Examples
    --------
    >>> from cnnkit import Flatten
    >>> Flatten().output_shape((4, 4, 32))
    (512,)
    """

    reshapes = True
    keeps_bounds = True

    def output_shape(self, input_shape: Shape) -> Shape:
        return (prod(input_shape),)


class Identity(Layer):
    """The input, unchanged, without a copy. ``"passthrough"`` in a graph means this layer.

    Examples
    --------
    >>> from cnnkit import Identity
    >>> Identity().output_shape((4, 4, 32))
    (4, 4, 32)
    """

    reshapes = True
    keeps_bounds = True
