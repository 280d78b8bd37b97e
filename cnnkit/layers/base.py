"""What a layer is: hyper-parameters, shapes and, once bound to arrays, an op."""

from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from math import inf, prod
from typing import NamedTuple

import numpy as np

from cnnkit.validate import nesting
from cnnkit.validate.pickles import Checked


class WeightSpec(NamedTuple):
    """One weight of a layer: its shape, how it starts, and what training does to it.

    `fan_in` numbers add up in one output: He initialisation draws from N(0, 2 / fan_in); 0 means
    that every number starts as `start`. `decay` says whether L2 regularisation applies; what is
    not `trained` (running statistics) has no gradient. No number may be below `least`.
    """

    shape: tuple
    fan_in: int = 0
    decay: bool = False
    start: float = 0.0
    trained: bool = True
    least: float = -inf


@dataclass
class Slots:
    """The arrays a layer is bound to; what is not needed is None or missing.

    `xs`, one for each input, `y` and their gradients have the batch as first axis. `weights` and
    `grads` go by the names of `Layer.weight_specs`. With `relu` the layer clips its own output at
    zero; with `scale` and `shift`, one number for each filter, it multiplies and adds them in the
    place of its bias. What an op needs besides comes from `keep`, so that `kept_bytes` counts it.
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
    scale: np.ndarray | None = None
    shift: np.ndarray | None = None
    kept_bytes: int = 0

    def keep(self, shape, dtype):
        """Return an array, its content anything, for what an op keeps between its calls."""
        array = np.empty(shape, dtype)
        self.kept_bytes += array.nbytes
        return array

    @property
    def bias(self):
        """What the layer adds for each filter: `shift`, its own bias, or None."""
        return self.weights.get("b") if self.scale is None else self.shift

    @property
    def x(self):
        """The first input: the only one of most layers."""
        return self.xs[0]

    @property
    def dx(self):
        """The gradient of the first input."""
        return self.dxs[0] if self.dxs else None


class Operand(ABC):
    """What a layer can be called on: see `Layer.__call__`."""

    @abstractmethod
    def applied(self, layer, inputs, name):
        """Return what calling `layer` on `inputs`, of which this is the first, gives."""


class Layer(Checked):
    """A step of a network, described by hyper-parameters alone.

    A layer holds no arrays: it can be cloned, printed, compared and searched over. `bind` makes
    the `Op` that computes. docs/write_a_layer.md shows how to write one.
    """

    per_output = None  # the hyper-parameter whose None means one per output of the network
    keeps_input = False  # backward reads x
    keeps_output = False  # backward reads y
    in_place = False  # y may be x
    gradient_in_place = False  # dx may be dy
    reshapes = False  # y is x in another shape: nothing to compute
    training_only = False  # left out at inference
    fuses_relu = False  # can clip its own output
    fuses_scale = False  # can scale and shift its own output, at inference
    writes_slices = False  # y and dy may be slices of the channels of a wider array
    bounds_output = False  # its outputs cannot be any number, as those of an activation
    keeps_bounds = False  # where its inputs cannot be any number, neither can its outputs
    inputs = (1, 1)  # fewest and most arrays it reads; None for any number
    composite = False  # is a `Composite`, which stands for other layers

    def output_shape(self, *input_shapes):
        """Return the shape of one sample's output, given those of its inputs."""
        return input_shapes[0]

    def weight_specs(self, *input_shapes):
        """Return the layer's weights as a dict of `WeightSpec` by name."""
        return {}

    def multiply_adds(self, *input_shapes):
        """Return how many multiplications with a weight one sample takes."""
        return 0

    def bind(self, slots):
        """Return the `Op` of this layer on the arrays of `slots`."""
        raise NotImplementedError(f"{type(self).__name__} has no op")

    def resolved(self, n_outputs):
        """Return this layer with its one-per-output hyper-parameter set to `n_outputs`."""
        if self.per_output is None or getattr(self, self.per_output) is not None:
            return self
        return self.with_params(**{self.per_output: n_outputs})

    def with_params(self, **params):
        """Return a copy with some hyper-parameters changed; it shares the others."""
        return type(self)(**{**self.get_params(deep=False), **params})

    def __call__(self, *inputs, name=None):
        """Return the symbol of this layer's output, for symbols as inputs.

        See `cnnkit.Input`.
        """
        for entry in inputs:
            if not isinstance(entry, Operand):
                raise TypeError(
                    f"{self.owner}: inputs must be symbols such as Input(), got {entry!r}."
                )
        if not inputs:
            raise ValueError(f"{self.owner}: inputs must be symbols such as Input(), got none.")
        return inputs[0].applied(self, inputs, name)

    @property
    def owner(self):
        """The name errors start with."""
        return type(self).__name__

    def __eq__(self, other):
        with nesting.limited():
            return type(self) is type(other) and self.get_params(False) == other.get_params(False)

    __hash__ = None


def image_input(layer, shape):
    """Return ``(H, W, C)``, or raise if `layer` was given anything but images."""
    if len(shape) != 3:
        raise ValueError(f"{layer.owner}: input must be images (H, W, C), got shape {shape}.")
    return shape


def count_weights(specs, trained=None):
    """Return how many numbers the weights of `specs` hold, or the (un)trained of them."""
    return sum(prod(spec.shape) for spec in specs.values() if trained in (None, spec.trained))
