"""The base class of layers: hyper-parameters, shapes, and the op on arrays."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from math import inf, prod
from numbers import Real
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple, Self, TypeVar

import numpy as np

from cnnkit.validate import nesting, shapes
from cnnkit.validate.pickles import Checked

if TYPE_CHECKING:
    from numpy.typing import DTypeLike

    from cnnkit.layers.op import Op
    from cnnkit.typing import Shape

R = TypeVar("R")
OperandT = TypeVar("OperandT", bound="Operand")


class WeightSpec(NamedTuple):
    """One weight of a layer: its shape, its initial values, and its role in training.

    `fan_in` is the count of numbers that add up in one output: He initialisation draws from
    N(0, 2 / fan_in). If it is 0, every number starts as `start`. `decay` says whether L2
    regularisation applies. A weight that is not `trained`, such as running statistics, has no
    gradient. No number may be below `least`.

    Examples
    --------
    >>> from cnnkit import Conv
    >>> Conv(8, 3).weight_specs((28, 28, 1))["w"]
    WeightSpec(shape=(3, 3, 1, 8), fan_in=9, decay=True, start=0.0, trained=True, least=-inf)
    """

    shape: Shape
    fan_in: int = 0
    decay: bool = False
    start: float = 0.0
    trained: bool = True
    least: float = -inf


@dataclass
class Slots:
    """The arrays of a layer; those that it does not need are None or missing.

    `xs` has an array for each input. The first axis of `xs`, `y` and their gradients is the batch.
    `weights` and `grads` have the names of `Layer.weight_specs`. With `relu` the layer clips its
    own output at zero. With `scale` and `shift`, one number for each filter, it multiplies by the
    scale and adds the shift instead of its bias. All other arrays of an op come from `keep`, so
    that `kept_bytes` counts them.

    Examples
    --------
    >>> import numpy as np
    >>> from cnnkit import ReLU
    >>> from cnnkit.layers import Slots
    >>> x = np.array([[-1.0, 2.0]])
    >>> slots = Slots(xs=[x], y=np.empty_like(x))
    >>> ReLU().bind(slots).forward(1)
    >>> slots.y
    array([[0., 2.]])
    """

    xs: list[np.ndarray]
    y: np.ndarray
    dxs: list[np.ndarray | None] = field(default_factory=list)
    dy: np.ndarray | None = None
    weights: dict[str, np.ndarray] = field(default_factory=dict)
    grads: dict[str, np.ndarray] = field(default_factory=dict)
    rng: np.random.Generator | None = None
    algorithm: str = "auto"
    relu: bool = False
    scale: np.ndarray | None = None
    shift: np.ndarray | None = None
    kept_bytes: int = 0

    def keep(self, shape: Shape, dtype: DTypeLike) -> np.ndarray:
        """Return an array of any content, which an op keeps between its calls."""
        array = np.empty(shape, dtype)
        self.kept_bytes += array.nbytes
        return array

    @property
    def bias(self) -> np.ndarray | None:
        """The number to add for each filter: `shift`, the layer's bias, or None."""
        return self.weights.get("b") if self.scale is None else self.shift

    @property
    def x(self) -> np.ndarray:
        """The first input; most layers have only one."""
        return self.xs[0]

    @property
    def dx(self) -> np.ndarray | None:
        """The gradient of the first input."""
        return self.dxs[0] if self.dxs else None


class Operand(ABC):
    """Base class of objects on which a layer can be called: see `Layer.__call__`."""

    @abstractmethod
    def applied(self, layer: Layer, inputs: Sequence[Self], name: str | None) -> Self:
        """Return the result of `layer` called on `inputs`, of which this is the first."""


def for_inputs(method: Callable[..., R]) -> Callable[..., R]:
    """Return a method of `Layer`; a subclass takes as many input shapes as it has inputs."""
    return method


class Layer(Checked):
    """Base class of layers: a layer is a step of a network, described by hyper-parameters.

    A layer has no arrays: it can be cloned, printed, compared and searched over. `bind` returns the
    `Op` that computes. docs/guides/write_a_layer.md shows how to write one.

    Examples
    --------
    >>> from cnnkit import Conv, Layer
    >>> layer = Conv(8, 3)
    >>> isinstance(layer, Layer), layer.output_shape((28, 28, 1)), layer
    (True, (28, 28, 8), Conv(filters=8))
    """

    per_output: ClassVar[str | None] = (
        None  # the hyper-parameter whose None means one per output of the network
    )
    keeps_input: bool = False  # backward reads x
    keeps_output: bool = False  # backward reads y
    in_place: bool = False  # y may be x
    gradient_in_place: bool = False  # dx may be dy
    reshapes: bool = False  # y is x in another shape: nothing to compute
    training_only: bool = False  # the layer is left out at inference
    fuses_relu: bool = False  # the layer can clip its own output (ReLU)
    fuses_scale: bool = False  # the layer can scale and shift its own output, at inference
    writes_slices: bool = False  # y and dy may be slices of the channels of a wider array
    bounds_output: bool = False  # outputs are bounded on a side, as those of an activation
    keeps_bounds: bool = False  # if its inputs are bounded, so are its outputs
    inputs: ClassVar[tuple[int, int | None]] = (
        1,
        1,
    )  # fewest and most arrays it reads; None for any number
    composite: bool = False  # is a `Composite`, which stands for other layers

    @for_inputs
    def output_shape(self, *input_shapes: Shape) -> Shape:
        """Return the shape of the output for one sample, given the shapes of the inputs."""
        return input_shapes[0]

    @for_inputs
    def weight_specs(self, *input_shapes: Shape) -> dict[str, WeightSpec]:
        """Return the layer's weights as a dict of `WeightSpec` by name."""
        return {}

    @for_inputs
    def multiply_adds(self, *input_shapes: Shape) -> int:
        """Return the number of multiplications with a weight for one sample."""
        return 0

    def bind(self, slots: Slots) -> Op:
        """Return the `Op` of this layer on the arrays of `slots`."""
        raise NotImplementedError(f"{type(self).__name__} has no op")

    def to_onnx(self, step: Any) -> Any:
        """Write a layer of one's own to an ONNX file, and return its output.

        Parameters
        ----------
        step : cnnkit.files.onnx.writing.step.Step

        Returns
        -------
        output : cnnkit.files.onnx.writing.values.Value
        """
        raise NotImplementedError(f"{type(self).__name__} has no method to_onnx")

    def resolved(self, n_outputs: int | None) -> Layer:
        """Return this layer with `n_outputs` instead of None in its `per_output` parameter."""
        if self.per_output is None or getattr(self, self.per_output) is not None:
            return self
        return self.with_params(**{self.per_output: n_outputs})

    def with_params(self, **params: Any) -> Self:
        """Return a copy with some hyper-parameters changed; the others are shared."""
        return type(self)(**{**self.get_params(deep=False), **params})

    def __call__(self, *inputs: OperandT, name: str | None = None) -> OperandT:
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
    def owner(self) -> str:
        """The name with which errors start."""
        return type(self).__name__

    def __eq__(self, other: Any) -> bool:
        with nesting.limited():
            return type(self) is type(other) and self.get_params(False) == other.get_params(False)

    __hash__ = None  # type: ignore[assignment]


def image_input(layer: Layer, shape: Shape) -> Shape:
    """Return ``(H, W, C)``; raise if the input of `layer` is not images."""
    if len(shape) != 3:
        raise ValueError(f"{layer.owner}: input must be images (H, W, C), got shape {shape}.")
    return shape


def check_positive(layer, name):
    """Raise unless a hyper-parameter of a layer is a positive, finite number."""
    value = getattr(layer, name)
    if isinstance(value, bool) or not isinstance(value, Real) or not 0 < value < inf:
        raise ValueError(f"{layer.owner}: {name} must be a positive number, got {value!r}.")


def channel_groups(layer: Any, shape: Shape) -> int:
    """Return the groups of a layer, or raise unless they divide the channels of its input."""
    groups, channels = shapes.as_int(layer.groups, "groups", layer.owner), shape[-1]
    if channels % groups:
        raise ValueError(
            f"{layer.owner}: groups must divide the {channels} channels, got {groups}."
        )
    return groups


def count_weights(specs: Mapping[str, WeightSpec], trained: bool | None = None) -> int:
    """Return the count of numbers in the weights `specs`, or in the (un)trained ones."""
    return sum(prod(spec.shape) for spec in specs.values() if trained in (None, spec.trained))
