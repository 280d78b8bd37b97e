"""Smooth activations."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import numpy as np
from scipy.special import expit

from cnnkit._native.loss import softmax
from cnnkit.layers.activation import _Compiled
from cnnkit.layers.base import Layer, Slots, check_positive
from cnnkit.layers.op import Op
from cnnkit.validate.arrays import blocks
from cnnkit.validate.guesses import ended, for_value

if TYPE_CHECKING:
    from cnnkit.typing import Shape


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
    >>> from cnnkit import ELU, Network, Sequential
    >>> network = Network(Sequential([ELU()]), (3,))
    >>> network.activations([[-2.0, 0.0, 1.0]], "elu1")["elu1"].round(2)
    array([[-0.86,  0.  ,  1.  ]], dtype=float32)
    """

    kind = "elu"

    def __init__(self, alpha: float = 1.0) -> None:
        self.alpha = alpha

    def output_shape(self, input_shape: Shape) -> Shape:
        check_positive(self, "alpha")
        return input_shape


class SELU(_Compiled):
    """An `ELU` of alpha 1.6733, times 1.0507: keeps mean and variance from layer to layer.

    Klambauer et al. (2017), "Self-normalizing neural networks".

    Examples
    --------
    >>> from cnnkit import SELU, Network, Sequential
    >>> network = Network(Sequential([SELU()]), (3,))
    >>> network.activations([[-2.0, 0.0, 1.0]], "selu1")["selu1"].round(2)
    array([[-1.52,  0.  ,  1.05]], dtype=float32)
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
    >>> from cnnkit import GELU, Network, Sequential
    >>> network = Network(Sequential([GELU()]), (3,))
    >>> network.activations([[-2.0, 0.0, 1.0]], "gelu1")["gelu1"].round(2)
    array([[-0.05,  0.  ,  0.84]], dtype=float32)
    """

    keeps_output = False
    keeps_input = True
    in_place = False

    def __init__(self, approximate: Literal["none", "tanh"] = "none") -> None:
        self.approximate = approximate

    @property
    def kind(self) -> str:  # type: ignore[override]
        return "gelu" if self.approximate == "none" else "gelu_tanh"

    def output_shape(self, input_shape: Shape) -> Shape:
        if self.approximate not in ("none", "tanh"):
            message = f"GELU: approximate must be 'none' or 'tanh', got {self.approximate!r}."
            raise ValueError(ended(message, for_value("approximate", self.approximate)))
        return input_shape


class Mish(_Compiled):
    """x * tanh(log(1 + exp(x))).

    Misra (2020), "Mish: a self regularized non-monotonic activation function".

    Examples
    --------
    >>> from cnnkit import Mish, Network, Sequential
    >>> network = Network(Sequential([Mish()]), (3,))
    >>> network.activations([[-2.0, 0.0, 1.0]], "mish1")["mish1"].round(2)
    array([[-0.25,  0.  ,  0.87]], dtype=float32)
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
    >>> from cnnkit import Network, Sequential, Softplus
    >>> network = Network(Sequential([Softplus()]), (3,))
    >>> network.activations([[-2.0, 0.0, 1.0]], "softplus1")["softplus1"].round(2)
    array([[0.13, 0.69, 1.31]], dtype=float32)
    """

    kind = "softplus"

    def __init__(self, beta: float = 1.0) -> None:
        self.beta = beta

    @property
    def alpha(self) -> float:  # type: ignore[override]
        return float(self.beta)

    def output_shape(self, input_shape: Shape) -> Shape:
        check_positive(self, "beta")
        return input_shape


class _Formula(Layer):
    """An activation NumPy does well enough: `forward` and `backward` fill whole arrays."""

    keeps_output = True
    gradient_in_place = True
    bounds_output = True

    def bind(self, slots: Slots) -> Op:
        return FormulaOp(self, slots)

    def forward(self, x: np.ndarray, y: np.ndarray) -> None:
        """Write f(x) to y."""
        raise NotImplementedError

    def backward(self, dy: np.ndarray, saved: np.ndarray, dx: np.ndarray) -> None:
        """Write f'(x) dy to dx; `saved` is y, or x where the layer keeps that."""
        raise NotImplementedError


class FormulaOp(Op):
    """A `_Formula` on its arrays."""

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
    """1 / (1 + exp(-x)), number by number.

    A classifier takes none at its end: its loss takes logits.

    Examples
    --------
    >>> from cnnkit import Network, Sequential, Sigmoid
    >>> network = Network(Sequential([Sigmoid()]), (3,))
    >>> network.activations([[-2.0, 0.0, 2.0]], "sigmoid1")["sigmoid1"].round(2)
    array([[0.12, 0.5 , 0.88]], dtype=float32)
    """

    in_place = True

    def forward(self, x: np.ndarray, y: np.ndarray) -> None:
        expit(x, out=y)

    def backward(self, dy: np.ndarray, y: np.ndarray, dx: np.ndarray) -> None:
        np.multiply(dy, y * (1 - y), out=dx)


class Tanh(_Formula):
    """tanh(x), number by number.

    Examples
    --------
    >>> from cnnkit import Network, Sequential, Tanh
    >>> network = Network(Sequential([Tanh()]), (3,))
    >>> network.activations([[-1.0, 0.0, 1.0]], "tanh1")["tanh1"].round(2)
    array([[-0.76,  0.  ,  0.76]], dtype=float32)
    """

    in_place = True

    def forward(self, x: np.ndarray, y: np.ndarray) -> None:
        np.tanh(x, out=y)

    def backward(self, dy: np.ndarray, y: np.ndarray, dx: np.ndarray) -> None:
        np.multiply(dy, 1 - y * y, out=dx)


class SiLU(_Formula):
    """x / (1 + exp(-x)), also called swish.

    Elfwing et al. (2018), "Sigmoid-weighted linear units for neural network function
    approximation in reinforcement learning".

    Examples
    --------
    >>> from cnnkit import Network, Sequential, SiLU
    >>> network = Network(Sequential([SiLU()]), (3,))
    >>> network.activations([[-2.0, 0.0, 1.0]], "silu1")["silu1"].round(2)
    array([[-0.24,  0.  ,  0.73]], dtype=float32)
    """

    keeps_output = False
    keeps_input = True

    def forward(self, x: np.ndarray, y: np.ndarray) -> None:
        np.multiply(x, expit(x), out=y)

    def backward(self, dy: np.ndarray, x: np.ndarray, dx: np.ndarray) -> None:
        s = expit(x)
        np.multiply(dy, s * (1 + x * (1 - s)), out=dx)


class Softmax(_Formula):
    """exp(x) / sum(exp(x)) over the channels of every pixel, or over a flat row.

    A classifier takes none at its end: its loss takes logits.

    Examples
    --------
    >>> from cnnkit import Network, Sequential, Softmax
    >>> network = Network(Sequential([Softmax()]), (3,))
    >>> network.activations([[0.0, 0.0, 2.0]], "softmax1")["softmax1"].round(2)
    array([[0.11, 0.11, 0.79]], dtype=float32)
    """

    def forward(self, x: np.ndarray, y: np.ndarray) -> None:
        channels = x.shape[-1]
        softmax(x.reshape(-1, channels), y.reshape(-1, channels))

    def backward(self, dy: np.ndarray, y: np.ndarray, dx: np.ndarray) -> None:
        np.multiply(y, dy - (dy * y).sum(axis=-1, keepdims=True), out=dx)


class LogSoftmax(_Formula):
    """Logarithm of `Softmax`: over the channels of every pixel, or over a flat row.

    A classifier takes none at its end: its loss takes logits.

    Examples
    --------
    >>> from cnnkit import LogSoftmax, Network, Sequential
    >>> network = Network(Sequential([LogSoftmax()]), (3,))
    >>> network.activations([[0.0, 0.0, 2.0]], "logsoftmax1")["logsoftmax1"].round(2)
    array([[-2.24, -2.24, -0.24]], dtype=float32)
    """

    def forward(self, x: np.ndarray, y: np.ndarray) -> None:
        np.subtract(x, x.max(axis=-1, keepdims=True), out=y)
        np.subtract(y, np.log(np.exp(y).sum(axis=-1, keepdims=True)), out=y)

    def backward(self, dy: np.ndarray, y: np.ndarray, dx: np.ndarray) -> None:
        np.subtract(dy, np.exp(y) * dy.sum(axis=-1, keepdims=True), out=dx)
