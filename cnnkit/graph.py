"""Layers wired together: a graph is plain data, and itself a layer."""

from typing import NamedTuple

from cnnkit.layers.base import Layer, count_weights
from cnnkit.summary import Row, Summary

INPUT = "input"


class Node(NamedTuple):
    """One layer of a graph, under a name, and the names of the nodes it reads."""

    name: str
    layer: Layer
    inputs: tuple


class Graph(Layer):
    """Named layers, each reading the outputs of earlier ones; the last is the output.

    Parameters
    ----------
    nodes : list of (name, layer, inputs)
        `inputs` are names of earlier nodes, or ``"input"``, which is what the graph is given.
        Names hold no ``/``: that separates the levels of nested graphs in a path.

    Examples
    --------
    >>> from cnnkit import Conv, Graph, ReLU
    >>> graph = Graph([("conv", Conv(16, 3), ("input",)), ("relu", ReLU(), ("conv",))])
    >>> graph.output_shape((8, 8, 1))
    (8, 8, 16)
    """

    def __init__(self, nodes):
        self.nodes = nodes

    def wiring(self):
        """Return the checked list of `Node`, in the order they run."""
        return check_nodes([Node(name, layer, tuple(inputs)) for name, layer, inputs in self.nodes])

    def flattened(self, n_outputs=None):
        """Return the nodes of all levels, named by path, one-per-output layers set if asked."""
        flat = []
        self._flatten_into(flat, "", INPUT, n_outputs)
        return flat

    def _flatten_into(self, flat, prefix, source, n_outputs):
        """Append this graph's leaves to `flat` and return the path of its output."""
        paths = {INPUT: source}
        for name, layer, inputs in self.wiring():
            path = prefix + name
            if isinstance(layer, Graph):
                (entry,) = inputs
                path = layer._flatten_into(flat, path + "/", paths[entry], n_outputs)
            else:
                layer = layer if n_outputs is None else layer.resolved(n_outputs)
                flat.append(Node(path, layer, tuple(paths[entry] for entry in inputs)))
            paths[name] = path
        return path

    def shapes(self, input_shape):
        """Return the output shape of every leaf by path, and of the input."""
        return infer_shapes(self.flattened(), input_shape)

    def output_shape(self, input_shape):
        *_, last = self.shapes(input_shape).values()
        return last

    def weight_specs(self, input_shape):
        nodes = self.flattened()
        return network_specs(nodes, infer_shapes(nodes, input_shape))

    def multiply_adds(self, input_shape):
        return self.summary(input_shape).multiply_adds

    def summary(self, input_shape, n_outputs=None):
        """Return a table of name, layer, output shape, weights and multiply-adds.

        Parameters
        ----------
        input_shape : tuple
            ``(H, W, C)`` of one sample.
        n_outputs : int, default=None
            What ``filters=None`` and ``units=None`` stand for.

        Returns
        -------
        summary : Summary
            Prints as a table; the rows and totals are attributes.
        """
        nodes = self.flattened(n_outputs)
        found = infer_shapes(nodes, input_shape)
        return Summary(
            [
                Row(
                    name,
                    type(layer).__name__,
                    found[name],
                    count_weights(layer.weight_specs(found[inputs[0]])),
                    layer.multiply_adds(found[inputs[0]]),
                )
                for name, layer, inputs in nodes
            ]
        )


class Sequential(Graph):
    """Layers one after another.

    Parameters
    ----------
    layers : list of Layer or (name, Layer)
        Layers without a name are called by their class and a count: ``conv1``, ``relu1``,
        ``conv2``. Graphs nest; their layers' paths then read ``sequential1/conv1``.

    Examples
    --------
    >>> from cnnkit import Conv, GlobalAvgPool, ReLU, Sequential
    >>> net = Sequential([Conv(16, 3), ReLU(), Conv(10, 1), GlobalAvgPool()])
    >>> net.output_shape((8, 8, 1))
    (10,)
    """

    def __init__(self, layers):
        self.layers = layers

    def wiring(self):
        nodes, previous = [], INPUT
        for name, layer in name_layers(self.layers):
            nodes.append(Node(name, layer, (previous,)))
            previous = name
        return check_nodes(nodes)


def name_layers(layers):
    """Return ``(name, layer)`` for every item, naming those that have no name."""
    if not isinstance(layers, (list, tuple)) or not layers:
        raise ValueError(
            f"Sequential: layers must be a list of at least one layer, got {layers!r}."
        )
    counts, named = {}, []
    for item in layers:
        if isinstance(item, tuple) and len(item) == 2:
            named.append(item)
            continue
        stem = type(item).__name__.lower()
        counts[stem] = counts.get(stem, 0) + 1
        separator = "_" if stem[-1].isdigit() else ""
        named.append((f"{stem}{separator}{counts[stem]}", item))
    return named


def check_nodes(nodes):
    """Return `nodes` if names are unique, layers are layers and inputs come earlier."""
    if not nodes:
        raise ValueError("Graph: nodes must hold at least one node, got none.")
    known = {INPUT}
    for name, layer, inputs in nodes:
        if not isinstance(name, str) or not name or "/" in name:
            raise ValueError(f"Graph: a node's name must be text without '/', got {name!r}.")
        if name in known:
            raise ValueError(f"Graph: names of nodes must be unique, got {name!r} twice.")
        if not isinstance(layer, Layer):
            raise TypeError(
                f"Graph: node {name!r} must be a layer such as Conv(16, 3), got {layer!r}."
            )
        missing = [entry for entry in inputs if entry not in known]
        if missing or len(inputs) != 1:
            raise ValueError(
                f"Graph: node {name!r} must read one earlier node of {sorted(known)}, got {inputs}."
            )
        known.add(name)
    read = {entry for node in nodes for entry in node.inputs}
    for name in [node.name for node in nodes[:-1] if node.name not in read]:
        raise ValueError(f"Graph: every node but the last must be read, got {name!r} unread.")
    return nodes


def infer_shapes(nodes, input_shape):
    """Return the output shape of every node by name, and of the input."""
    found = {INPUT: tuple(input_shape)}
    for name, layer, inputs in nodes:
        try:
            found[name] = layer.output_shape(*(found[entry] for entry in inputs))
        except (TypeError, ValueError) as error:
            raise type(error)(f"{error} (node {name!r})") from None
    return found


def network_specs(nodes, found):
    """Return the weights of all nodes by path, ``node/weight``."""
    return {
        f"{name}/{weight}": spec
        for name, layer, inputs in nodes
        for weight, spec in layer.weight_specs(found[inputs[0]]).items()
    }
