"""What a layer is: hyper-parameters, shapes and, once bound to arrays, an op."""

from dataclasses import dataclass, field
from math import prod
from typing import NamedTuple

import numpy as np
from sklearn.base import BaseEstimator, clone


class WeightSpec(NamedTuple):
    """One weight of a layer: its shape, and how it starts and is regularised.

    `fan_in` numbers add up in one output: He initialisation draws from N(0, 2 / fan_in); 0 means
    that the weight starts at zero. `decay` says whether L2 regularisation applies.
    """

    shape: tuple
    fan_in: int = 0
    decay: bool = False


@dataclass
class Slots:
    """The arrays a layer is bound to; what is not needed is None or missing.

    `xs`, one for each input, `y` and their gradients have the batch as first axis. `weights` and
    `grads` go by the names of `Layer.weight_specs`. With `relu` the layer clips its own output at
    zero.
    """

    xs: list
    y: np.ndarray
    dxs: list = field(default_factory=list)
    dy: np.ndarray | None = None
    weights: dict = field(default_factory=dict)
    grads: dict = field(default_factory=dict)
    rng: np.random.Generator | None = None
    algorithm: str = "auto"
    relu: bool = False

    @property
    def x(self):
        """The first input: the only one of most layers."""
        return self.xs[0]

    @property
    def dx(self):
        """The gradient of the first input."""
        return self.dxs[0] if self.dxs else None


class Layer(BaseEstimator):
    """A step of a network, described by hyper-parameters alone.

    A layer holds no arrays: it can be cloned, printed, compared and searched over. `bind` makes
    the op that computes, an object with ``forward(n)`` and ``backward(n)`` for the first n samples
    of its arrays.
    """

    has_weights = False
    per_output = None  # the hyper-parameter whose None means one per output of the network
    keeps_input = False  # backward reads x
    keeps_output = False  # backward reads y
    in_place = False  # y may be x, and dx may be dy
    reshapes = False  # y is x in another shape: nothing to compute
    training_only = False  # left out at inference
    fuses_relu = False  # can clip its own output

    def output_shape(self, input_shape):
        """Return the shape of one sample's output, given that of its input."""
        return input_shape

    def weight_specs(self, input_shape):
        """Return the layer's weights as a dict of `WeightSpec` by name."""
        return {}

    def multiply_adds(self, input_shape):
        """Return how many multiplications with a weight one sample takes."""
        return 0

    def bind(self, slots):
        """Return the op of this layer on the arrays of `slots`."""
        raise NotImplementedError(f"{type(self).__name__} has no op")

    def resolved(self, n_outputs):
        """Return this layer with its one-per-output hyper-parameter set to `n_outputs`."""
        if self.per_output is None or getattr(self, self.per_output) is not None:
            return self
        return clone(self).set_params(**{self.per_output: n_outputs})

    @property
    def owner(self):
        """The name errors start with."""
        return type(self).__name__

    def __eq__(self, other):
        return type(self) is type(other) and self.get_params(False) == other.get_params(False)

    __hash__ = None


def image_input(layer, shape):
    """Return ``(H, W, C)``, or raise if `layer` was given anything but images."""
    if len(shape) != 3:
        raise ValueError(f"{layer.owner}: input must be images (H, W, C), got shape {shape}.")
    return shape


def count_weights(specs):
    """Return how many numbers the weights of `specs` hold."""
    return sum(prod(spec.shape) for spec in specs.values())
