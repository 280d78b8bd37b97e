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

    Parameters
    ----------
    shape : tuple of int
        Shape of the array.
    fan_in : int, default=0
        Count of numbers that add up in one output: He initialisation draws from
        N(0, 2 / fan_in) (He et al., 2015, "Delving deep into rectifiers"). If it is 0, every
        number is `start`.
    decay : bool, default=False
        Whether L2 regularisation applies.
    start : float, default=0.0
        What every number is before training, if `fan_in` is 0.
    trained : bool, default=True
        Whether training changes it by a gradient; running statistics have none.
    least : float, default=-inf
        No number may be below it.

    Examples
    --------
    >>> from cnnkit import Conv
    >>> from cnnkit.layers import WeightSpec
    >>> specs = Conv(16, 3).weight_specs((8, 8, 4))
    >>> specs["w"] == WeightSpec((3, 3, 4, 16), fan_in=36, decay=True)
    True
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

    The first axis of `xs`, `y` and their gradients is the batch. All arrays that an op needs
    besides come from `keep`.

    Parameters
    ----------
    xs : list of arrays of shape (N, ...)
        An array for each input.
    y : array of shape (N, ...)
        The output.
    dxs : list of array or None, default=[]
        The gradient of each input; None if it is not needed.
    dy : array, default=None
        The gradient of the output.
    weights : dict of str to array, default={}
        Weights by the names of `Layer.weight_specs`.
    grads : dict of str to array, default={}
        Their gradients.
    rng : numpy.random.Generator, default=None
        Random generator of dropout.
    algorithm : str, default="auto"
        Algorithm of convolutions and dense layers: see `cnnkit.functional.conv2d`.
    relu : bool, default=False
        Whether the layer clips its own output at zero.
    scale : array of shape (filters,), default=None
        What the layer multiplies each filter by.
    shift : array of shape (filters,), default=None
        With `scale`, what it adds to each filter instead of its bias.
    kept_bytes : int, default=0
        Bytes of all arrays that came from `keep`.

    Examples
    --------
    >>> import numpy as np
    >>> from cnnkit import ReLU
    >>> from cnnkit.layers import Slots
    >>> slots = Slots([np.array([[-1.0, 2.0]])], np.empty((1, 2)))
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
        """Return an array of any content, which an op keeps between its calls.

        Parameters
        ----------
        shape : tuple of int
            Shape of the array.
        dtype : dtype
            Type of its numbers.

        Returns
        -------
        kept : array
            Its bytes are counted in `kept_bytes`.

        Examples
        --------
        >>> import numpy as np
        >>> from cnnkit.layers import Slots
        >>> slots = Slots([np.zeros((1, 2))], np.zeros((1, 2)))
        >>> slots.keep((4, 4), np.int32).shape, slots.kept_bytes
        ((4, 4), 64)
        """
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
    A layer that only changes shapes, the smallest there is:

    >>> from cnnkit import Layer
    >>> class Row(Layer):
    ...     reshapes = True
    ...
    ...     def output_shape(self, input_shape):
    ...         return (input_shape[0] * input_shape[1] * input_shape[2],)
    >>> Row().output_shape((4, 4, 3))
    (48,)
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
        """Return the shape of the output for one sample, given the shapes of the inputs.

        Parameters
        ----------
        *input_shapes : tuples of int
            Shape of one sample of each input, such as (H, W, C).

        Returns
        -------
        shape : tuple of int
            (H, W, C) of images, (units,) of rows.

        Raises
        ------
        ValueError, TypeError
            If the layer does not accept such inputs, or a hyper-parameter is wrong.

        Examples
        --------
        >>> from cnnkit import Conv
        >>> Conv(16, 3, stride=2).output_shape((28, 28, 1))
        (14, 14, 16)
        """
        return input_shapes[0]

    @for_inputs
    def weight_specs(self, *input_shapes: Shape) -> dict[str, WeightSpec]:
        """Return the layer's weights as a dict of `WeightSpec` by name.

        Parameters
        ----------
        *input_shapes : tuples of int
            Shape of one sample of each input, such as (H, W, C).

        Returns
        -------
        specs : dict of str to WeightSpec
            Empty if the layer has no weights.

        Examples
        --------
        >>> from cnnkit import Conv
        >>> {name: spec.shape for name, spec in Conv(16, 3).weight_specs((28, 28, 1)).items()}
        {'w': (3, 3, 1, 16), 'b': (16,)}
        """
        return {}

    @for_inputs
    def multiply_adds(self, *input_shapes: Shape) -> int:
        """Return the number of multiplications with a weight for one sample.

        Parameters
        ----------
        *input_shapes : tuples of int
            Shape of one sample of each input, such as (H, W, C).

        Returns
        -------
        count : int
            0 for a layer without weights.

        Examples
        --------
        >>> from cnnkit import Conv, Conv1x1
        >>> Conv(64, 3).multiply_adds((8, 8, 64)), Conv1x1(64).multiply_adds((8, 8, 64))
        (2359296, 262144)
        """
        return 0

    def bind(self, slots: Slots) -> Op:
        """Return the `Op` of this layer on the arrays of `slots`.

        Parameters
        ----------
        slots : Slots
            Inputs, output, weights and, for training, their gradients.

        Returns
        -------
        op : Op
            What computes; it keeps the arrays.

        Examples
        --------
        >>> import numpy as np
        >>> from cnnkit import MaxPool
        >>> from cnnkit.layers import Slots
        >>> slots = Slots([np.arange(16.0).reshape(1, 4, 4, 1)], np.empty((1, 2, 2, 1)))
        >>> MaxPool(2).bind(slots).forward(1)
        >>> slots.y[0, :, :, 0]
        array([[ 5.,  7.],
               [13., 15.]])
        """
        raise NotImplementedError(f"{type(self).__name__} has no op")

    def to_onnx(self, step: Any) -> Any:
        """Write a layer of one's own to an ONNX file, and return its output.

        Parameters
        ----------
        step : cnnkit.files.onnx.writing.step.Step
            The inputs of the layer as values of ONNX, its weights, and methods that add nodes.

        Returns
        -------
        output : cnnkit.files.onnx.writing.values.Value
            What the nodes that were added compute.

        Examples
        --------
        >>> from cnnkit import Layer
        >>> class Absolute(Layer):
        ...     def to_onnx(self, step):
        ...         return step.like(step.node("Abs", step.x.tensor))
        """
        raise NotImplementedError(f"{type(self).__name__} has no method to_onnx")

    def resolved(self, n_outputs: int | None) -> Layer:
        """Return this layer with `n_outputs` instead of None in its `per_output` parameter.

        Parameters
        ----------
        n_outputs : int or None
            Number of outputs of the network.

        Returns
        -------
        layer : Layer
            A changed copy, or the layer itself if nothing was None.

        Examples
        --------
        >>> from cnnkit import Conv1x1
        >>> Conv1x1(None).resolved(10)
        Conv1x1(filters=10)
        """
        if self.per_output is None or getattr(self, self.per_output) is not None:
            return self
        return self.with_params(**{self.per_output: n_outputs})

    def with_params(self, **params: Any) -> Self:
        """Return a copy with some hyper-parameters changed; the others are shared.

        Parameters
        ----------
        **params : object
            New values by the names of hyper-parameters.

        Returns
        -------
        layer : Layer
            Of the same class.

        Examples
        --------
        >>> from cnnkit import Conv
        >>> Conv(16, 3).with_params(stride=2)
        Conv(filters=16, stride=2)
        """
        return type(self)(**{**self.get_params(deep=False), **params})

    def __call__(self, *inputs: OperandT, name: str | None = None) -> OperandT:
        """Return the symbol of this layer's output, for symbols as inputs.

        Parameters
        ----------
        *inputs : Symbol
            What the layer reads: see `cnnkit.Input`.
        name : str, default=None
            Name of the node; None means the class and a count, such as ``conv1``.

        Returns
        -------
        output : Symbol
            It stands for the output of this call.

        Raises
        ------
        TypeError, ValueError
            If `inputs` are not symbols, there are none, or the layer does not accept their
            shapes.

        Examples
        --------
        >>> from cnnkit import Conv, Input
        >>> Conv(16, 3)(Input((28, 28, 1))).shape
        (28, 28, 16)
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
