"""Graphs of layers. A graph is plain data, and itself a layer."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Self

from cnnkit.graph.conversions import CONVERSIONS
from cnnkit.graph.summary import Summary, table
from cnnkit.graph.symbols import Symbol, collect
from cnnkit.layers.composite import Composite, chain_nodes
from cnnkit.layers.conv import Conv
from cnnkit.layers.dense import Dense, Flatten, Identity
from cnnkit.layers.dropout import Dropout
from cnnkit.layers.merge import Add
from cnnkit.layers.nodes import INPUT, Node, as_names, check_input_names, check_nodes
from cnnkit.layers.pool import GlobalAvgPool, GlobalMaxPool
from cnnkit.layers.resize import Reshape
from cnnkit.validate import nesting

if TYPE_CHECKING:
    from cnnkit.layers.base import Layer
    from cnnkit.typing import InputShape, Layers, Nodes, Shape

BEFORE_HEADS = (GlobalAvgPool, GlobalMaxPool, Flatten, Reshape, Dropout, Identity)


class Graph(Composite):
    """Named layers, each reading the outputs of others: any directed acyclic graph.

    Parameters
    ----------
    nodes : list of (name, layer, inputs)
        `inputs` are names of nodes, or ``"input"`` for the input of the graph; one name needs no
        tuple. Names must not contain ``/``, which separates the levels of nested graphs in a path.
    outputs : str or list of str, default=None
        Names of the nodes that are the output; None means the last node.
    input_names : list of str, default=None
        Names of several inputs, which nodes can read; None means the only input ``"input"``. With
        several inputs, an input shape is a dict of shapes by name. Only `Network` runs such a
        graph: estimators, and graphs around a graph, have one input.

    Raises
    ------
    ValueError, TypeError
        By `output_shape` and `resolve`, if nodes do not fit one another or the input; the error
        names the node.

    Examples
    --------
    >>> from cnnkit import Add, Conv, Graph, ReLU
    >>> graph = Graph(
    ...     [
    ...         ("conv", Conv(16, 3), "input"),
    ...         ("relu", ReLU(), "conv"),
    ...         ("deeper", Conv(16, 3), "relu"),
    ...         ("sum", Add(), ("relu", "deeper")),
    ...     ]
    ... )
    >>> graph.output_shape((8, 8, 1))
    (8, 8, 16)
    """

    def __init__(
        self,
        nodes: Nodes,
        outputs: str | Sequence[str] | None = None,
        input_names: Sequence[str] | None = None,
    ) -> None:
        self.nodes = nodes
        self.outputs = outputs
        self.input_names = input_names

    @classmethod
    def from_outputs(
        cls, outputs: Symbol | Sequence[Symbol], inputs: Sequence[Symbol] | None = None
    ) -> Graph:
        """Return the graph that computes a `Symbol`, or several: see `cnnkit.Input`.

        Parameters
        ----------
        outputs : Symbol or list of Symbol
            What the graph computes.
        inputs : list of Symbol, default=None
            All inputs in the order for the graph; None means the order in which layers read them.

        Returns
        -------
        graph : Graph
            Its nodes are the calls of layers on the way, named as those of a `Sequential`.

        Raises
        ------
        TypeError, ValueError
            If `outputs` are not symbols, or `inputs` are not the inputs that are read.

        Examples
        --------
        >>> from cnnkit import Add, Conv, Graph, Input
        >>> x = Conv(8)(Input())
        >>> graph = Graph.from_outputs(Add()(x, Conv(8)(x)))
        >>> [(name, inputs) for name, _, inputs in graph.nodes]
        [('conv1', ('input',)), ('conv2', ('conv1',)), ('add1', ('conv1', 'conv2'))]
        """
        return cls(*collect(outputs, inputs))

    def inputs_read(self) -> tuple[str, ...]:
        """Return the names of the inputs, as a tuple: ``("input",)`` for most graphs."""
        return (INPUT,) if self.input_names is None else check_input_names(self.input_names)

    def wiring(self) -> list[Node]:
        if not isinstance(self.nodes, (list, tuple)):
            raise TypeError(f"Graph: nodes must be a list, got {self.nodes!r}.")
        for node in self.nodes:
            if not isinstance(node, tuple) or len(node) != 3:
                raise ValueError(f"Graph: a node must be (name, layer, inputs), got {node!r}.")
        nodes = [Node(name, layer, as_names(at)) for name, layer, at in self.nodes]
        return check_nodes(nodes, self.inputs_read())

    def output_names(self) -> tuple[str, ...]:
        """Return the names of the nodes that are the output, as a tuple."""
        return self._output_names(self.wiring())

    def _output_names(self, nodes):
        known = [node.name for node in nodes]
        names = as_names(known[-1] if self.outputs is None else self.outputs)
        if not names or not set(names) <= set(known):
            raise ValueError(f"Graph: outputs must be names of nodes, got {self.outputs!r}.")
        read = {entry for node in nodes for entry in node.inputs}
        unread = [name for name in known if name not in read and name not in names]
        if unread and self.outputs is None:
            raise ValueError(
                f"Graph: every node but the last must be read, or outputs be given, "
                f"got {unread} unread."
            )
        return names

    def flattened(self, n_outputs: int | None = None) -> list[Node]:
        """Return the nodes of all levels, named by path.

        Parameters
        ----------
        n_outputs : int, default=None
            Number that replaces ``filters=None`` and ``units=None``; None leaves them.

        Returns
        -------
        nodes : list of Node
            Each after those it reads.

        Examples
        --------
        >>> from cnnkit import Conv, ReLU, Sequential
        >>> net = Sequential([("block", Sequential([Conv(8), ReLU()])), Conv()])
        >>> [node.name for node in net.flattened()]
        ['block/conv1', 'block/relu1', 'conv1']
        """
        return self.leaves(n_outputs).nodes

    def shapes(self, input_shape: InputShape) -> dict[str, Shape]:
        """Return the shapes of the inputs and of the output of every leaf, by path.

        Parameters
        ----------
        input_shape : tuple
            ``(H, W, C)`` of one sample; with several inputs a dict of shapes by name.

        Returns
        -------
        shapes : dict of str to tuple
            Shapes of one sample by path.

        Raises
        ------
        ValueError, TypeError
            If nodes do not fit one another or the input; the error names the node.

        Examples
        --------
        >>> from cnnkit import Conv, MaxPool, Sequential
        >>> Sequential([Conv(16), MaxPool(2)]).shapes((8, 8, 1))
        {'input': (8, 8, 1), 'conv1': (8, 8, 16), 'maxpool1': (4, 4, 16)}
        """
        return self.resolve(input_shape).shapes

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """Return the hyper-parameters; if `deep`, those of the nodes by name, too.

        ``conv1`` is the layer of that node, ``conv1__filters`` its hyper-parameter, and
        ``block1__conv1__filters`` that of a layer in a nested graph or branch. Layers without a
        name have the automatic one.

        Parameters
        ----------
        deep : bool, default=True
            Whether nodes and their hyper-parameters are included.

        Returns
        -------
        params : dict of str to object
            Values by name.

        Examples
        --------
        >>> from cnnkit import Conv, ReLU, Sequential
        >>> net = Sequential([Conv(16), ReLU()])
        >>> net.get_params()["conv1__filters"]
        16
        >>> net.set_params(conv1__filters=32)
        Sequential(layers=[Conv(filters=32), ReLU()])
        """
        from cnnkit.graph.hyperparameters import deep_params

        with nesting.limited():
            return deep_params(self) if deep else super().get_params(deep=False)

    def set_params(self, **params: Any) -> Self:
        """Set hyper-parameters by the names of `get_params`, and return this graph.

        What changes is this graph alone: a layer it holds is replaced by a changed copy, and so is
        every graph on the way to it.

        Parameters
        ----------
        **params : object
            Values by the names of `get_params`; a node may become ``"passthrough"``.

        Returns
        -------
        self : Graph
            This graph.

        Raises
        ------
        ValueError
            If there is no hyper-parameter of such a name.

        Examples
        --------
        >>> from cnnkit import Conv, ReLU, Sequential
        >>> Sequential([Conv(16), ReLU()]).set_params(conv1__filters=32, relu1="passthrough")
        Sequential(layers=[('conv1', Conv(filters=32)), ('relu1', 'passthrough')])
        """
        from cnnkit.graph.hyperparameters import set_params

        return set_params(self, params)

    def with_head(self, head: Layer | Layers, after: str | None = None) -> Graph:
        """Return a graph that starts as this one does and ends in another head.

        Parameters
        ----------
        head : Layer or list of layers
            Such as `cnnkit.gap_head()`. It becomes a node called ``"head"``.
        after : str, default=None
            The node that the head reads. None is what the last convolution or dense layer reads,
            without a `GlobalAvgPool`, `GlobalMaxPool`, `Flatten`, `Reshape`, `Dropout` or
            `Identity` on the way: in most networks the last feature maps.

        Returns
        -------
        graph : Graph
            Names of nodes stay as they are, so weights by path fit them.

        Examples
        --------
        >>> from cnnkit import Conv, Dense, GlobalAvgPool, ReLU, Sequential, gap_head
        >>> net = Sequential([Conv(8), ReLU(), GlobalAvgPool(), Dense(10)])
        >>> [node[0] for node in net.with_head(gap_head()).nodes]
        ['conv1', 'relu1', 'head']
        """
        nodes = self.wiring()
        names = [node.name for node in nodes]
        if after is None:
            after = self._before_head(nodes)
        elif after not in names:
            raise ValueError(f"Graph: after must be one of {names}, got {after!r}.")
        wanted: set[str] = {after}
        kept: list[tuple[str, Any, Any]] = []
        for name, layer, inputs in reversed(nodes):
            if name in wanted:
                kept.append((name, layer, inputs))
                wanted.update(inputs)
        if "head" in wanted:
            raise ValueError("Graph: no node before the head must be called 'head', got one.")
        return Graph([*kept[::-1], ("head", as_layer(head), after)], input_names=self.input_names)

    def _before_head(self, nodes):
        """Return the node that the last convolution or dense layer reads, past what reshapes."""
        found = {node.name: node for node in nodes}
        name = self._output_names(nodes)[0]
        while not isinstance(found[name].layer, (Conv, Dense)):
            name = found[name].inputs[0]
            if name not in found:
                raise ValueError(
                    f"Graph: with_head must be given `after`, one of {list(found)}, as no "
                    f"convolution or dense layer leads straight to the output, got None."
                )
        name = found[name].inputs[0]
        while name in found and isinstance(found[name].layer, BEFORE_HEADS):
            name = found[name].inputs[0]
        return name

    def to_json(self, indent: int | None = None) -> str:
        """Return the graph as JSON text: see `cnnkit.files.json_text.to_json`.

        Parameters
        ----------
        indent : int, default=None
            Spaces for each level; one line when None.

        Returns
        -------
        text : str
            All layers with their hyper-parameters, without weights.

        Raises
        ------
        TypeError, ValueError
            If a layer is not of cnnkit's own classes, or a hyper-parameter is not plain data.

        Examples
        --------
        >>> from cnnkit import ReLU, Sequential
        >>> Sequential([ReLU()]).to_json()  # doctest: +ELLIPSIS
        '{"format": "cnnkit graph 1", ... "layers": [{"layer": "ReLU"}]}}'
        """
        return CONVERSIONS["to_json"](self, indent)

    @classmethod
    def from_json(cls, text: str) -> Self:
        """Return the graph of a text that `to_json` wrote; anything wrong is a ValueError.

        Parameters
        ----------
        text : str
            JSON text.

        Returns
        -------
        graph : Graph
            Equal to the one that was written.

        Raises
        ------
        ValueError
            If the text is no graph of cnnkit.

        Examples
        --------
        >>> from cnnkit import Conv, Graph, ReLU, Sequential
        >>> Graph.from_json(Sequential([Conv(16), ReLU()]).to_json())
        Sequential(layers=[Conv(filters=16), ReLU()])
        """
        graph = CONVERSIONS["from_json"](text)
        if not isinstance(graph, cls):
            raise ValueError(
                f"{cls.__name__}.from_json: text must be that of a {cls.__name__}, "
                f"got one of a {type(graph).__name__}."
            )
        return graph

    def to_dot(self, input_shape: InputShape | None = None, n_outputs: int | None = None) -> str:
        """Return DOT text that draws the graph: see `cnnkit.display.to_dot`.

        Parameters
        ----------
        input_shape : tuple, default=None
            ``(H, W, C)`` of one sample; with it every box has its output shape.
        n_outputs : int, default=None
            Number that ``filters=None`` and ``units=None`` stand for.

        Returns
        -------
        text : str
            Text in the DOT language, which Graphviz draws.

        Examples
        --------
        >>> from cnnkit import Conv, ReLU, Sequential
        >>> text = Sequential([Conv(8), ReLU()]).to_dot((28, 28, 1))
        >>> print(text.splitlines()[-2].strip())
        "conv1" -> "relu1"
        """
        return CONVERSIONS["to_dot"](self, input_shape, n_outputs)

    def summary(self, input_shape: InputShape, n_outputs: int | None = None) -> Summary:
        """Return a table of name, layer, output shape, weights and multiply-adds.

        Parameters
        ----------
        input_shape : tuple
            ``(H, W, C)`` of one sample; with several inputs a dict of shapes by name.
        n_outputs : int, default=None
            Number that ``filters=None`` and ``units=None`` stand for.

        Returns
        -------
        summary : Summary
            Prints as a table; the rows and totals are attributes.

        Examples
        --------
        >>> from cnnkit import Conv, GlobalAvgPool, Sequential
        >>> summary = Sequential([Conv(), GlobalAvgPool()]).summary((8, 8, 1), 10)
        >>> summary.weights, summary.multiply_adds
        (100, 5760)
        """
        return table(self.resolve(input_shape, n_outputs))


class Sequential(Graph):
    """Layers one after another.

    Parameters
    ----------
    layers : list of Layer or (name, Layer)
        Layers without a name are named by their class and a count: ``conv1``, ``relu1``, ``conv2``.
        Graphs can be nested; the paths of their layers are then ``sequential1/conv1``. The text
        ``"passthrough"`` stands for a layer that does nothing.

    Raises
    ------
    ValueError, TypeError
        By `output_shape` and `resolve`, if nodes do not fit one another or the input; the error
        names the node.

    Examples
    --------
    >>> from cnnkit import Conv, GlobalAvgPool, ReLU, Sequential
    >>> net = Sequential([Conv(16, 3), ReLU(), Conv(10, 1), GlobalAvgPool()])
    >>> net.output_shape((8, 8, 1))
    (10,)
    """

    outputs = None

    def __init__(self, layers: Layers) -> None:
        self.layers = layers

    def wiring(self) -> list[Node]:
        return chain_nodes(self.layers)


class Residual(Graph):
    """``body(x) + shortcut(x)`` (He et al., 2016, "Deep residual learning").

    Parameters
    ----------
    body : Layer or list of layers
        What is added to the shortcut; its output has the shape of the shortcut.
    shortcut : Layer or list of layers, default=None
        The other summand, such as a `Conv1x1`; None means the input itself.

    Raises
    ------
    ValueError, TypeError
        By `output_shape` and `resolve`, if nodes do not fit one another or the input; the error
        names the node.

    Examples
    --------
    >>> from cnnkit import Conv, ReLU, Residual
    >>> Residual([Conv(16, 3), ReLU(), Conv(16, 3)]).output_shape((8, 8, 16))
    (8, 8, 16)
    """

    outputs = None

    def __init__(self, body: Layer | Layers, shortcut: Layer | Layers | None = None) -> None:
        self.body = body
        self.shortcut = shortcut

    def wiring(self) -> list[Node]:
        nodes = [Node("body", as_layer(self.body), (INPUT,))]
        if self.shortcut is not None:
            nodes.append(Node("shortcut", as_layer(self.shortcut), (INPUT,)))
        last = INPUT if self.shortcut is None else "shortcut"
        return check_nodes([*nodes, Node("add", Add(), ("body", last))])


def as_layer(layers: Any) -> Any:
    """Return a list of layers as a `Sequential`; anything else is returned unchanged."""
    return Sequential(layers) if isinstance(layers, (list, tuple)) else layers
