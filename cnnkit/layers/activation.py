"""Activation layers."""

from numbers import Real

import numpy as np
from scipy.special import expit

from cnnkit._native import activation as native
from cnnkit._native.loss import softmax
from cnnkit.layers.base import Layer, WeightSpec
from cnnkit.layers.op import Op
from cnnkit.layers.sums import channel_sums
from cnnkit.validate.arrays import blocks
from cnnkit.validate.guesses import ended, for_value


class _Compiled(Layer):
    """Base class of activations in native code; `kind` is the name in simd/kernels.h."""

    kind = None
    keeps_output = True
    in_place = True
    gradient_in_place = True
    bounds_output = True
    alpha = 0.0

    def bind(self, slots):
        saved = slots.y if self.keeps_output else slots.x
        return ActivationOp(self.kind, slots.x, slots.y, saved, slots.dy, slots.dx, self.alpha)


class ActivationOp(native.ActivationOp, Op):
    """The op of a compiled activation."""


class ReLU(_Compiled):
    """max(x, 0) for every number; NaN stays NaN.

    Nair & Hinton (2010), "Rectified linear units improve restricted Boltzmann machines".

    Examples
    --------
    >>> from cnnkit import ReLU
    >>> ReLU().output_shape((8, 8, 16))
    (8, 8, 16)
    """

    kind = "relu"


class ReLU6(_Compiled):
    """min(max(x, 0), 6) for every number, as in MobileNetV2.

    Krizhevsky (2010), "Convolutional deep belief networks on CIFAR-10".

    Examples
    --------
    >>> from cnnkit import ReLU6
    >>> ReLU6().output_shape((8, 8, 16))
    (8, 8, 16)
    """

    kind = "relu6"


class LeakyReLU(_Compiled):
    """x for positive x, ``negative_slope * x`` for others.

    Maas et al. (2013), "Rectifier nonlinearities improve neural network acoustic models".

    Parameters
    ----------
    negative_slope : float, default=0.01
        Positive: backward needs the sign of the input, which is that of the output.

    Examples
    --------
    >>> from cnnkit import LeakyReLU
    >>> LeakyReLU(0.2)
    LeakyReLU(negative_slope=0.2)
    """

    kind = "leaky_relu"
    bounds_output = False

    def __init__(self, negative_slope=0.01):
        self.negative_slope = negative_slope

    def output_shape(self, input_shape):
        slope = self.negative_slope
        if isinstance(slope, bool) or not isinstance(slope, Real) or not slope > 0:
            raise ValueError(
                f"LeakyReLU: negative_slope must be positive, got {self.negative_slope!r}."
            )
        return input_shape

    @property
    def alpha(self):
        return float(self.negative_slope)


class HardSwish(_Compiled):
    """x * min(max(x + 3, 0), 6) / 6.

    Howard et al. (2019), "Searching for MobileNetV3".

    Examples
    --------
    >>> from cnnkit import HardSwish
    >>> HardSwish().output_shape((8, 8, 16))
    (8, 8, 16)
    """

    kind = "hard_swish"
    keeps_output = False
    keeps_input = True
    in_place = False


def check_positive(layer, name):
    """Raise unless a hyper-parameter of a layer is a positive, finite number."""
    value = getattr(layer, name)
    if isinstance(value, bool) or not isinstance(value, Real) or not 0 < value < np.inf:
        raise ValueError(f"{layer.owner}: {name} must be a positive number, got {value!r}.")


class ELU(_Compiled):
    """x where it is positive, ``alpha * (exp(x) - 1)`` elsewhere.

    Clevert et al. (2016), "Fast and accurate deep network learning by exponential linear units".

    Parameters
    ----------
    alpha : float, default=1.0
        Positive: the output tends to -alpha.

    Raises
    ------
    ValueError
        By `output_shape`, if alpha is no positive number.

    Examples
    --------
    >>> from cnnkit import ELU
    >>> ELU(0.5).output_shape((8, 8, 16))
    (8, 8, 16)
    """

    kind = "elu"

    def __init__(self, alpha=1.0):
        self.alpha = alpha

    def output_shape(self, input_shape):
        check_positive(self, "alpha")
        return input_shape


class SELU(_Compiled):
    """An `ELU` of alpha 1.6733, times 1.0507: keeps mean and variance from layer to layer.

    Klambauer et al. (2017), "Self-normalizing neural networks".

    Examples
    --------
    >>> from cnnkit import SELU
    >>> SELU().output_shape((10,))
    (10,)
    """

    kind = "selu"


class GELU(_Compiled):
    """x times the share of a normal distribution below x, ``x * (1 + erf(x / sqrt(2))) / 2``.

    Hendrycks & Gimpel (2016), "Gaussian error linear units".

    Parameters
    ----------
    approximate : {"none", "tanh"}, default="none"
        "tanh" takes ``x * (1 + tanh(sqrt(2 / pi) * (x + 0.044715 * x**3))) / 2``, at most 5e-4
        from it.

    Raises
    ------
    ValueError
        By `output_shape`, if approximate is neither.

    Examples
    --------
    >>> from cnnkit import GELU
    >>> GELU(approximate="tanh").output_shape((8, 8, 16))
    (8, 8, 16)
    """

    keeps_output = False
    keeps_input = True
    in_place = False

    def __init__(self, approximate="none"):
        self.approximate = approximate

    @property
    def kind(self):
        return "gelu" if self.approximate == "none" else "gelu_tanh"

    def output_shape(self, input_shape):
        if self.approximate not in ("none", "tanh"):
            message = f"GELU: approximate must be 'none' or 'tanh', got {self.approximate!r}."
            raise ValueError(ended(message, for_value("approximate", self.approximate)))
        return input_shape


class Mish(_Compiled):
    """x * tanh(log(1 + exp(x))).

    Misra (2020), "Mish: a self regularized non-monotonic activation function".

    Examples
    --------
    >>> from cnnkit import Mish
    >>> Mish().output_shape((8, 8, 16))
    (8, 8, 16)
    """

    kind = "mish"
    keeps_output = False
    keeps_input = True
    in_place = False


class Softplus(_Compiled):
    """log(1 + exp(beta * x)) / beta: a smooth `ReLU`.

    Dugas et al. (2001), "Incorporating second-order functional knowledge for better option
    pricing".

    Parameters
    ----------
    beta : float, default=1.0
        Positive: the larger, the nearer to `ReLU`.

    Raises
    ------
    ValueError
        By `output_shape`, if beta is no positive number.

    Examples
    --------
    >>> from cnnkit import Softplus
    >>> Softplus(2.0).output_shape((10,))
    (10,)
    """

    kind = "softplus"

    def __init__(self, beta=1.0):
        self.beta = beta

    @property
    def alpha(self):
        return float(self.beta)

    def output_shape(self, input_shape):
        check_positive(self, "beta")
        return input_shape


class HardSigmoid(_Compiled):
    """min(max(x + 3, 0), 6) / 6: a `Sigmoid` of three straight lines.

    Courbariaux et al. (2015), "BinaryConnect", had slope 1 / 5; this is that of MobileNetV3
    (Howard et al., 2019), PyTorch and Keras 3.

    Examples
    --------
    >>> from cnnkit import HardSigmoid
    >>> HardSigmoid().output_shape((10,))
    (10,)
    """

    kind = "hard_sigmoid"


class _Formula(Layer):
    """Base class of activations in NumPy, whose `forward` and `backward` fill whole arrays."""

    keeps_output = True
    gradient_in_place = True
    bounds_output = True

    def bind(self, slots):
        return FormulaOp(self, slots)

    def forward(self, x, y):
        """Write f(x) to y."""
        raise NotImplementedError

    def backward(self, dy, saved, dx):
        """Write f'(x) dy to dx; `saved` is y, or x if the layer has `keeps_input`."""
        raise NotImplementedError


class FormulaOp(Op):
    """The op of a `_Formula`."""

    def __init__(self, layer, slots):
        self.layer = layer
        self.slots = slots
        self.saved = slots.x if layer.keeps_input else slots.y

    def forward(self, n):
        for some in blocks(n, self.slots.y):
            self.layer.forward(self.slots.x[some], self.slots.y[some])

    def backward(self, n):
        if self.slots.dx is not None:
            for some in blocks(n, self.slots.dx):
                self.layer.backward(self.slots.dy[some], self.saved[some], self.slots.dx[some])


class Sigmoid(_Formula):
    """1 / (1 + exp(-x)) for every number.

    It must not be the last layer of a classifier, whose loss needs logits.

    Examples
    --------
    >>> from cnnkit import Sigmoid
    >>> Sigmoid().output_shape((10,))
    (10,)
    """

    in_place = True

    def forward(self, x, y):
        expit(x, out=y)

    def backward(self, dy, y, dx):
        np.multiply(dy, y * (1 - y), out=dx)


class Tanh(_Formula):
    """tanh(x) for every number.

    Examples
    --------
    >>> from cnnkit import Tanh
    >>> Tanh().output_shape((10,))
    (10,)
    """

    in_place = True

    def forward(self, x, y):
        np.tanh(x, out=y)

    def backward(self, dy, y, dx):
        np.multiply(dy, 1 - y * y, out=dx)


class SiLU(_Formula):
    """x / (1 + exp(-x)), also called swish.

    Elfwing et al. (2018), "Sigmoid-weighted linear units for neural network function
    approximation in reinforcement learning".

    Examples
    --------
    >>> from cnnkit import SiLU
    >>> SiLU().output_shape((8, 8, 16))
    (8, 8, 16)
    """

    keeps_output = False
    keeps_input = True

    def forward(self, x, y):
        np.multiply(x, expit(x), out=y)

    def backward(self, dy, x, dx):
        s = expit(x)
        np.multiply(dy, s * (1 + x * (1 - s)), out=dx)


class Softmax(_Formula):
    """exp(x) / sum(exp(x)) over the channels of every pixel, or over a flat row.

    It must not be the last layer of a classifier, whose loss needs logits.

    Examples
    --------
    >>> from cnnkit import Softmax
    >>> Softmax().output_shape((10,))
    (10,)
    """

    def forward(self, x, y):
        channels = x.shape[-1]
        softmax(x.reshape(-1, channels), y.reshape(-1, channels))

    def backward(self, dy, y, dx):
        np.multiply(y, dy - (dy * y).sum(axis=-1, keepdims=True), out=dx)


class LogSoftmax(_Formula):
    """Logarithm of `Softmax`: over the channels of every pixel, or over a flat row.

    A classifier takes none at its end: its loss takes logits.

    Examples
    --------
    >>> from cnnkit import LogSoftmax
    >>> LogSoftmax().output_shape((10,))
    (10,)
    """

    def forward(self, x, y):
        np.subtract(x, x.max(axis=-1, keepdims=True), out=y)
        np.subtract(y, np.log(np.exp(y).sum(axis=-1, keepdims=True)), out=y)

    def backward(self, dy, y, dx):
        np.subtract(dy, np.exp(y) * dy.sum(axis=-1, keepdims=True), out=dx)


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

    def __init__(self, init=0.25):
        self.init = init

    def output_shape(self, input_shape):
        init = self.init
        if isinstance(init, bool) or not isinstance(init, Real) or not -np.inf < init < np.inf:
            raise ValueError(f"PReLU: init must be a finite number, got {init!r}.")
        return input_shape

    def weight_specs(self, input_shape):
        return {"slope": WeightSpec(input_shape[-1:], start=float(self.init))}

    def bind(self, slots):
        return PReLUOp(slots)


class PReLUOp(Op):
    """dslope = sum of dy min(x, 0); dx = dy or slope dy"""

    def __init__(self, slots):
        self.slots = slots

    def forward(self, n):
        slots = self.slots
        for some in blocks(n, slots.y):
            x, y = slots.x[some], slots.y[some]
            np.multiply(x, slots.weights["slope"], out=y)
            np.copyto(y, x, where=x > 0)

    def backward(self, n):
        slots, one = self.slots, self.slots.y.dtype.type(1)
        total = np.zeros(slots.y.shape[-1])
        for some in blocks(n, slots.y):
            x, dy = slots.x[some], slots.dy[some]
            if slots.grads:
                total += channel_sums(dy * np.minimum(x, 0))
            if slots.dx is not None:
                np.multiply(dy, np.where(x > 0, one, slots.weights["slope"]), out=slots.dx[some])
        if slots.grads:
            slots.grads["slope"][:] = total
