"""Activations."""

from cnnkit._native.activation import ReLUOp
from cnnkit.layers.base import Layer


class ReLU(Layer):
    """max(x, 0), number by number; NaN stays NaN.

    Nair & Hinton (2010), "Rectified linear units improve restricted Boltzmann machines".

    Examples
    --------
    >>> from cnnkit import ReLU
    >>> ReLU().output_shape((8, 8, 16))
    (8, 8, 16)
    """

    keeps_output = True
    in_place = True

    def bind(self, slots):
        return ReLUOp(slots.x, slots.y, slots.dy, slots.dx)
