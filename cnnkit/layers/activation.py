"""Piecewise linear activation layers, and the base of all compiled ones."""

from __future__ import annotations

from numbers import Real
from typing import TYPE_CHECKING

import numpy as np

from cnnkit._native import activation as native
from cnnkit.layers.base import Layer, Slots, WeightSpec
from cnnkit.layers.op import Op

if TYPE_CHECKING:
    from cnnkit.typing import Shape


class _Compiled(Layer):
    """Base class of activations in native code; `kind` is the name in src/simd/kernels.h."""

    kind: str
    keeps_output = True
    in_place = True
    gradient_in_place = True
    bounds_output = True
    alpha: float = 0.0

    def bind(self, slots: Slots) -> Op:
        saved = slots.y if self.keeps_output else slots.x
        return ActivationOp(self.kind, slots.x, slots.y, saved, slots.dy, slots.dx, self.alpha)


class ActivationOp(native.ActivationOp, Op):
    """The op of a compiled activation."""


class ReLU(_Compiled):
    """max(x, 0) for every number; NaN stays NaN.

    Nair & Hinton (2010), "Rectified linear units improve restricted Boltzmann machines".

    Examples
    --------
    >>> from cnnkit import Network, ReLU, Sequential
    >>> network = Network(Sequential([ReLU()]), (3,))
    >>> network.activations([[-2.0, 0.0, 1.0]], "relu1")["relu1"]
    array([[0., 0., 1.]], dtype=float32)
    """

    kind = "relu"


class ReLU6(_Compiled):
    """min(max(x, 0), 6) for every number, as in MobileNetV2.

    Krizhevsky (2010), "Convolutional deep belief networks on CIFAR-10".

    Examples
    --------
    >>> from cnnkit import Network, ReLU6, Sequential
    >>> network = Network(Sequential([ReLU6()]), (3,))
    >>> network.activations([[-2.0, 4.0, 9.0]], "relu6_1")["relu6_1"]
    array([[0., 4., 6.]], dtype=float32)
    """

    kind = "relu6"


class LeakyReLU(_Compiled):
    """x for positive x, ``negative_slope * x`` for others.

    Maas et al. (2013), "Rectifier nonlinearities improve neural network acoustic models".

    Parameters
    ----------
    negative_slope : float, default=0.01
        Positive: backward needs the sign of the input, which is that of the output.

    Raises
    ------
    ValueError
        By `output_shape`, if negative_slope is no positive number.

    Examples
    --------
    >>> from cnnkit import LeakyReLU, Network, Sequential
    >>> network = Network(Sequential([LeakyReLU(0.5)]), (3,))
    >>> network.activations([[-2.0, 0.0, 1.0]], "leakyrelu1")["leakyrelu1"]
    array([[-1.,  0.,  1.]], dtype=float32)
    """

    kind = "leaky_relu"
    bounds_output = False

    def __init__(self, negative_slope: float = 0.01) -> None:
        self.negative_slope = negative_slope

    def output_shape(self, input_shape: Shape) -> Shape:
        slope = self.negative_slope
        if isinstance(slope, bool) or not isinstance(slope, Real) or not slope > 0:
            raise ValueError(
                f"LeakyReLU: negative_slope must be positive, got {self.negative_slope!r}."
            )
        return input_shape

    @property
    def alpha(self) -> float:  # type: ignore[override]
        return float(self.negative_slope)


class HardSwish(_Compiled):
    """x * min(max(x + 3, 0), 6) / 6.

    Howard et al. (2019), "Searching for MobileNetV3".

    Examples
    --------
    >>> from cnnkit import HardSwish, Network, Sequential
    >>> network = Network(Sequential([HardSwish()]), (3,))
    >>> network.activations([[-4.0, 1.0, 4.0]], "hardswish1")["hardswish1"].round(2)
    array([[0.  , 0.67, 4.  ]], dtype=float32)
    """

    kind = "hard_swish"
    keeps_output = False
    keeps_input = True
    in_place = False


class HardSigmoid(_Compiled):
    """min(max(x + 3, 0), 6) / 6: a `Sigmoid` of three straight lines.

    Courbariaux et al. (2015), "BinaryConnect", had slope 1 / 5; this is that of MobileNetV3
    (Howard et al., 2019), PyTorch and Keras 3.

    Examples
    --------
    >>> from cnnkit import HardSigmoid, Network, Sequential
    >>> network = Network(Sequential([HardSigmoid()]), (3,))
    >>> network.activations([[-4.0, 0.0, 1.5]], "hardsigmoid1")["hardsigmoid1"].round(2)
    array([[0.  , 0.5 , 0.75]], dtype=float32)
    """

    kind = "hard_sigmoid"


class PReLU(Layer):
    """x where it is positive, ``slope * x`` elsewhere: a slope for each channel, which is trained.

    He et al. (2015), "Delving deep into rectifiers".

    Parameters
    ----------
    init : float, default=0.25
        What the slopes are before training.

    Raises
    ------
    ValueError
        By `output_shape`, if init is no finite number.

    Notes
    -----
    Weights: ``slope`` (C,), without L2 regularisation, as in the paper.

    Examples
    --------
    >>> from cnnkit import PReLU
    >>> PReLU().weight_specs((8, 8, 16))["slope"].shape
    (16,)
    """

    keeps_input = True
    gradient_in_place = True

    def __init__(self, init: float = 0.25) -> None:
        self.init = init

    def output_shape(self, input_shape: Shape) -> Shape:
        init = self.init
        if isinstance(init, bool) or not isinstance(init, Real) or not -np.inf < init < np.inf:
            raise ValueError(f"PReLU: init must be a finite number, got {init!r}.")
        return input_shape

    def weight_specs(self, input_shape: Shape) -> dict[str, WeightSpec]:
        return {"slope": WeightSpec(input_shape[-1:], start=float(self.init))}

    def bind(self, slots: Slots) -> Op:
        slope, dslope = slots.weights["slope"], slots.grads.get("slope")
        return PReLUOp(slots.x, slope, slots.y, slots.dy, slots.dx, dslope)


class PReLUOp(native.PReLUOp, Op):
    """The op of `PReLU`."""
