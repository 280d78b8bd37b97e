"""Composite layers, which stand for other layers: their leaves, and shapes and weights."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

from cnnkit.layers.base import Layer, WeightSpec, for_inputs
from cnnkit.layers.nodes import INPUT, Node, check_nodes, name_layers
from cnnkit.validate import nesting
from cnnkit.validate.shapes import sample_shape

if TYPE_CHECKING:
    from cnnkit.typing import InputShape, Shape


class Leaves(NamedTuple):
    """The layers that compute, at all levels of a composite layer.

    `nodes` are named by path, each after those it reads; `outputs` are the paths of the output
    nodes.
    """

    nodes: list[Node]
    outputs: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class Resolved:
    """A composite layer with an input shape and a number of outputs, and the resulting shapes.

    Attributes
    ----------
    graph : Composite
    n_outputs : int or None
        Number that replaced None in one-per-output hyper-parameters.
    inputs : tuple of str
        Names of the inputs.
    nodes : list of Node
        The leaves of all levels by path, each after those it reads.
    outputs : tuple of str
        Paths of the leaves that are the output.
    shapes : dict of tuple
        Shapes of the inputs by name, and of the output of every leaf by path.
    specs : dict of dict of WeightSpec
        Specs of the weights of every leaf by path, each by the layer's own names.
    """

    graph: Composite
    n_outputs: int | None
    inputs: tuple[str, ...]
    nodes: list[Node]
    outputs: tuple[str, ...]
    shapes: dict[str, Shape]
    specs: dict[str, dict[str, WeightSpec]]

    @property
    def input_shape(self) -> Shape | dict[str, Shape]:
        """The shape of one sample; with several inputs a dict of shapes by name."""
        shapes = {name: self.shapes[name] for name in self.inputs}
        return shapes if len(shapes) > 1 else shapes[self.inputs[0]]

    @property
    def output_shapes(self) -> tuple[Shape, ...]:
        """A tuple with the shapes of the outputs."""
        return tuple(self.shapes[path] for path in self.outputs)

    @property
    def weight_specs(self) -> dict[str, WeightSpec]:
        """Specs of all weights by path, ``leaf/weight``."""
        return {
            f"{path}/{name}": spec
            for path, specs in self.specs.items()
            for name, spec in specs.items()
        }

    def multiply_adds(self, node: Node) -> int:
        """Return the number of multiplications with a weight in a leaf, for one sample."""
        return node.layer.multiply_adds(*map(self.shapes.get, node.inputs))


class Composite(Layer):
    """Base class of graphs and branches: a layer that stands for the nodes of its `wiring`."""

    composite = True
    input_names: Sequence[str] | None = None  # names of several inputs

    def wiring(self) -> list[Node]:
        """Return the checked list of `Node`, each after those it reads."""
        raise NotImplementedError(f"{type(self).__name__} has no nodes")

    def inputs_read(self) -> tuple[str, ...]:
        """Return the names of the inputs, as a tuple: ``("input",)`` for most graphs."""
        return (INPUT,)

    def _output_names(self, nodes):
        """Return the names of the output nodes, as a tuple."""
        return (nodes[-1].name,)

    def leaves(self, n_outputs: int | None = None) -> Leaves:
        """Return the layers that compute, at all levels.

        Parameters
        ----------
        n_outputs : int, default=None
            Number that replaces ``filters=None`` and ``units=None``; None leaves them.

        Returns
        -------
        leaves : Leaves
            The nodes by path, each after those it reads, and the paths of the outputs.

        Examples
        --------
        >>> from cnnkit import Conv, ReLU, Residual, Sequential
        >>> leaves = Sequential([Residual([Conv(8), ReLU()]), Conv()]).leaves()
        >>> [node.name for node in leaves.nodes]
        ['residual1/body/conv1', 'residual1/body/relu1', 'residual1/add', 'conv1']
        >>> leaves.outputs
        ('conv1',)
        """
        nesting.check(self)
        flat: list[Node] = []
        nodes = self.wiring()
        paths = {name: name for name in self.inputs_read()}
        flatten_into(flat, nodes, "", paths, n_outputs)
        return Leaves(flat, tuple(paths[name] for name in self._output_names(nodes)))

    def resolve(
        self, input_shape: InputShape, n_outputs: int | None = None, owner: str = "Graph"
    ) -> Resolved:
        """Return this layer as a `Resolved`, with its leaves, outputs, shapes and weights.

        Parameters
        ----------
        input_shape : tuple
            ``(H, W, C)`` of one sample; with several inputs a dict of shapes by name.
        n_outputs : int, default=None
            Number that ``filters=None`` and ``units=None`` stand for.
        owner : str, default="Graph"
            Start of errors about `input_shape`.

        Returns
        -------
        resolved : Resolved
            Leaves and shapes by path, and the weights that they need.

        Raises
        ------
        ValueError, TypeError
            If nodes do not fit one another or the input; the error names the node.

        Examples
        --------
        >>> from cnnkit import Conv, GlobalAvgPool, Sequential
        >>> found = Sequential([Conv(), GlobalAvgPool()]).resolve((8, 8, 1), 10)
        >>> found.shapes
        {'input': (8, 8, 1), 'conv1': (8, 8, 10), 'globalavgpool1': (10,)}
        >>> list(found.weight_specs)
        ['conv1/w', 'conv1/b']
        """
        nodes, outputs = self.leaves(n_outputs)
        inputs = self.inputs_read()
        shapes, specs = named_shapes(inputs, input_shape, owner), {}
        for name, layer, read in nodes:
            given = [shapes[entry] for entry in read]
            try:
                shapes[name] = layer.output_shape(*given)
                specs[name] = layer.weight_specs(*given)
            except (TypeError, ValueError) as error:
                raise type(error)(f"{error} (node {name!r})") from None
        return Resolved(self, n_outputs, inputs, nodes, outputs, shapes, specs)

    @for_inputs
    def output_shape(self, input_shape: InputShape) -> Any:
        shapes = self.resolve(input_shape).output_shapes
        return shapes if len(shapes) > 1 else shapes[0]

    @for_inputs
    def weight_specs(self, input_shape: InputShape) -> dict[str, WeightSpec]:
        return self.resolve(input_shape).weight_specs

    @for_inputs
    def multiply_adds(self, input_shape: InputShape) -> int:
        resolved = self.resolve(input_shape)
        return sum(map(resolved.multiply_adds, resolved.nodes))


class Chain(Composite):
    """Layers one after another, which a list of layers in another layer stands for."""

    def __init__(self, layers):
        self.layers = layers

    def wiring(self):
        return chain_nodes(self.layers)


def chain_nodes(layers):
    """Return the nodes of a list of layers, each of which reads the one before."""
    nodes, previous = [], INPUT
    for name, layer in name_layers(layers, "Sequential"):
        nodes.append(Node(name, layer, (previous,)))
        previous = name
    return check_nodes(nodes)


def as_chain(layers):
    """Return a list of layers as a `Chain`; anything else is returned unchanged."""
    return Chain(layers) if isinstance(layers, (list, tuple)) else layers


def flatten_into(flat, nodes, prefix, paths, n_outputs):
    """Append the leaves of `nodes` to `flat`, and their paths to `paths`, which has the inputs'."""
    for name, layer, inputs in nodes:
        if not layer.composite:
            path = prefix + name
            layer = layer if n_outputs is None else layer.resolved(n_outputs)
            flat.append(Node(path, layer, tuple(map(paths.get, inputs))))
        else:
            if layer.input_names is not None:
                raise ValueError(
                    f"Graph: a nested graph must have one input, got {layer.input_names!r} at "
                    f"{prefix + name!r}."
                )
            inner = layer.wiring()
            below = {INPUT: paths[inputs[0]]}
            flatten_into(flat, inner, f"{prefix}{name}/", below, n_outputs)
            path = below[last_name(layer, inner)]
        paths[name] = path


def last_name(layer, nodes):
    """Return the name of the only output node of a composite layer."""
    names = layer._output_names(nodes)
    if len(names) > 1:
        raise ValueError(f"Graph: a nested graph must have one output, got {names}.")
    return names[0]


def named_shapes(inputs, input_shape, owner):
    """Return the shapes of the inputs by name, from one shape or a dict."""
    if inputs == (INPUT,):
        return {INPUT: sample_shape(input_shape, owner)}
    if not isinstance(input_shape, dict) or set(input_shape) != set(inputs):
        raise ValueError(
            f"{owner}: input shape must be a dict of one for each input of {list(inputs)}, "
            f"got {input_shape!r}."
        )
    return {name: sample_shape(shape, owner) for name, shape in input_shape.items()}
