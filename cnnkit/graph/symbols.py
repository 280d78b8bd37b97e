"""The functional form: calling layers on symbols builds a graph."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from cnnkit.layers.base import Layer, Operand
from cnnkit.layers.nodes import INPUT, check_reads, name_layers
from cnnkit.validate.shapes import sample_shape

if TYPE_CHECKING:
    from cnnkit.typing import Shape


class Symbol(Operand):
    """A symbol stands for the output of a layer; layers are called on symbols and return one.

    `Input` and layers make symbols; there is no need to make one yourself.

    Parameters
    ----------
    layer : Layer or None
        The layer; None for an input.
    inputs : sequence of Symbol
        What the layer reads.
    name : str, default=None
        Name of the node.
    shape : tuple, default=None
        Shape of an input; that of other symbols follows from their layer.

    Attributes
    ----------
    shape : tuple or None
        Shape of one sample, as ``(H, W, C)``. None if it is unknown: the input has no shape, or a
        layer on the way has one filter or unit per class.

    Examples
    --------
    >>> from cnnkit import Conv, Input, MaxPool
    >>> x = Conv(16)(Input((28, 28, 1)))
    >>> x, MaxPool(2)(x).shape
    (<output of Conv(filters=16)>, (14, 14, 16))
    """

    def __init__(
        self,
        layer: Layer | None,
        inputs: Sequence[Symbol],
        name: str | None = None,
        shape: Shape | None = None,
    ) -> None:
        self.layer = layer
        self.inputs = tuple(inputs)
        self.name = name
        self.shape = shape if layer is None else self._inferred()

    def applied(self, layer: Layer, inputs: Sequence[Symbol], name: str | None) -> Symbol:
        return Symbol(layer, inputs, name)

    def _inferred(self):
        """Return the output shape of the layer; raise if the layer does not accept its inputs."""
        shapes = [entry.shape for entry in self.inputs]
        if None in shapes:
            return None
        check_reads(f"{type(self.layer).__name__}: a call", self.layer, shapes)
        layer = self.layer
        layers = [node.layer for node in layer.leaves().nodes] if layer.composite else [layer]
        if any(each.resolved(1) is not each for each in layers):
            return None
        return self.layer.output_shape(*shapes)

    def __repr__(self) -> str:
        if self.layer is not None:
            return f"<output of {self.layer!r}>"
        given = [] if self.shape is None else [str(self.shape)]
        given += [] if self.name is None else [f"name={self.name!r}"]
        return f"Input({', '.join(given)})"


def Input(shape: Sequence[int] | None = None, *, name: str | None = None) -> Symbol:
    """Return the symbol of a network's input.

    A layer called on symbols returns the symbol of its output. Every call has weights of its own.

    Parameters
    ----------
    shape : tuple, default=None
        ``(H, W, C)`` of one sample. With it every symbol has its `shape`, and calling a layer that
        does not accept its input raises an error at once. The graph itself accepts any shape.
    name : str, default=None
        Needed for each of several inputs. The only input of a graph is called ``"input"``, whatever
        its name.

    Returns
    -------
    symbol : Symbol
        What layers are called on.

    Examples
    --------
    >>> from cnnkit import Add, Conv, Conv1x1, Graph, Input, ReLU
    >>> x = Input()
    >>> y = ReLU()(Conv(16, 3)(x))
    >>> graph = Graph.from_outputs(Add()(y, Conv(16, 3)(y)))
    >>> [name for name, _, _ in graph.nodes]
    ['conv1', 'relu1', 'conv2', 'add1']
    >>> x = Input((28, 28, 64))
    >>> Conv1x1(x.shape[-1] // 2)(x).shape
    (28, 28, 32)
    >>> image, depth = Input(name="image"), Input(name="depth")
    >>> graph = Graph.from_outputs(Add()(Conv(8)(image), Conv(8)(depth)))
    >>> graph.output_shape({"image": (28, 28, 3), "depth": (28, 28, 1)})
    (28, 28, 8)
    """
    if name is not None and not isinstance(name, str):
        raise TypeError(f"Input: name must be a str, got {name!r}.")
    return Symbol(None, (), name, None if shape is None else sample_shape(shape, "Input"))


def collect(outputs, inputs=None):
    """Return the arguments of the `Graph` that computes a symbol or a list of symbols.

    `inputs` is the order of the inputs; None means the order in which they are read.
    """
    outputs = outputs if isinstance(outputs, (list, tuple)) else [outputs]
    for symbol in outputs:
        if not isinstance(symbol, Symbol):
            raise TypeError(f"Graph: outputs must be symbols, got {symbol!r}.")
    order = _in_order(outputs)
    given = name_inputs([symbol for symbol in order if symbol.layer is None], inputs)
    layers = [symbol for symbol in order if symbol.layer is not None]
    if not layers:
        raise ValueError("Graph: outputs must be those of layers, got the input itself.")
    items = [s.layer if s.name is None else (s.name, s.layer) for s in layers]
    names = {id(symbol): name for name, symbol in given.items()}
    for symbol, (name, _) in zip(layers, name_layers(items, "Graph"), strict=True):
        names[id(symbol)] = name
    nodes = [
        (names[id(symbol)], symbol.layer, tuple(names[id(entry)] for entry in symbol.inputs))
        for symbol in layers
    ]
    return nodes, [names[id(symbol)] for symbol in outputs], list(given) if len(given) > 1 else None


def name_inputs(found, wanted):
    """Return the inputs of the outputs by name, in the order `wanted`."""
    if wanted is not None:
        same = isinstance(wanted, (list, tuple)) and set(map(id, wanted)) == set(map(id, found))
        if not same or len(wanted) != len(found):
            raise ValueError(
                f"Graph: inputs must be all that the outputs follow from, {found}, got {wanted!r}."
            )
        found = wanted
    if not found:
        raise ValueError("Graph: outputs must follow from an Input(), got none.")
    if len(found) == 1:
        return {INPUT: found[0]}
    names = [symbol.name for symbol in found]
    if None in names or len(set(names)) < len(names):
        raise ValueError(
            f"Graph: several inputs must have names of their own, Input(name='...'), got {found}."
        )
    return dict(zip(names, found, strict=True))


def _in_order(outputs):
    """Return all symbols on which the outputs depend, each after those it reads."""
    order, seen, stack = [], set(), [(symbol, False) for symbol in reversed(outputs)]
    while stack:
        symbol, read = stack.pop()
        if read:
            order.append(symbol)
        elif id(symbol) not in seen:
            seen.add(id(symbol))
            stack.append((symbol, True))
            stack.extend((entry, False) for entry in reversed(symbol.inputs))
    return order
