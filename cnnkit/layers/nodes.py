"""Nodes: layers with names and inputs, and an order in which they can run."""

from __future__ import annotations

import heapq
from typing import NamedTuple

from cnnkit.layers.base import Layer
from cnnkit.layers.dense import Identity
from cnnkit.validate.guesses import ended, for_value

INPUT = "input"


class Node(NamedTuple):
    """One layer of a graph, under a name, and the names of the nodes it reads."""

    name: str
    layer: Layer
    inputs: tuple[str, ...]


def name_layers(layers, owner):
    """Return ``(name, layer)`` for every item; layers without a name get one."""
    if not isinstance(layers, (list, tuple)) or not layers:
        raise ValueError(f"{owner}: layers must be a list of at least one layer, got {layers!r}.")
    taken = {item[0] for item in layers if is_named(item)}
    counts, named = {}, []
    for item in layers:
        if isinstance(item, tuple) and len(item) == 2:
            named.append(item)
            continue
        stem = type(item).__name__.lower()
        stem += "_" if stem[-1].isdigit() else ""
        counts[stem] = counts.get(stem, 0) + 1
        while f"{stem}{counts[stem]}" in taken:
            counts[stem] += 1
        named.append((f"{stem}{counts[stem]}", item))
    return named


def is_named(item):
    """Return whether an item of a list of layers is ``(name, layer)``."""
    return isinstance(item, tuple) and len(item) == 2 and isinstance(item[0], str)


def name_branches(branches):
    """Return ``(name, branch)`` for every item of a list of branches."""
    return [
        branch if is_named(branch) else (f"branch{i}", branch)
        for i, branch in enumerate(branches, 1)
    ]


def as_names(names):
    """Return one name or several as a tuple."""
    if not isinstance(names, (str, list, tuple)):
        raise TypeError(f"Graph: names of nodes must be a str or a list of them, got {names!r}.")
    return (names,) if isinstance(names, str) else tuple(names)


def check_input_names(names):
    """Return the names of several inputs as a tuple."""
    if (
        not isinstance(names, (list, tuple))
        or len(names) < 2
        or not all(isinstance(name, str) and name and "/" not in name for name in names)
        or len(set(names)) < len(names)
    ):
        raise ValueError(
            f"Graph: input_names must be at least two different names, without '/', or None for "
            f"the one input {INPUT!r}, got {names!r}."
        )
    return tuple(names)


def check_nodes(nodes, given=(INPUT,)):
    """Return `nodes`, each after those it reads; raise if the wiring is wrong.

    Names must be unique and inputs known, and there must be no cycle. `given` are the names of the
    inputs of the graph, each of which must be read. ``"passthrough"`` in the place of a layer
    becomes an `Identity`.
    """
    if not nodes:
        raise ValueError("Graph: nodes must hold at least one node, got none.")
    nodes = [
        node._replace(layer=Identity()) if is_passthrough(node.layer) else node for node in nodes
    ]
    known = set(given)
    for name, layer, _ in nodes:
        if not isinstance(name, str) or not name or "/" in name:
            raise ValueError(f"Graph: a node's name must be text without '/', got {name!r}.")
        if name in known:
            raise ValueError(f"Graph: names of nodes must be unique, got {name!r} twice.")
        if not isinstance(layer, Layer):
            message = f"Graph: node {name!r} must be a layer such as Conv(16, 3), got {layer!r}."
            raise TypeError(ended(message, for_value("layer", layer)))
        known.add(name)
    for name, layer, inputs in nodes:
        unknown = [entry for entry in inputs if entry not in known]
        if unknown:
            raise ValueError(
                f"Graph: node {name!r} must read nodes of {sorted(known)}, got {unknown}."
            )
        check_reads(f"Graph: node {name!r} ({type(layer).__name__})", layer, inputs)
    nodes = in_order(nodes, set(given))
    unread = set(given).difference(*(node.inputs for node in nodes))
    if unread:
        raise ValueError(f"Graph: every input must be read by a node, got {sorted(unread)} unread.")
    return nodes


def check_reads(what, layer, inputs):
    """Raise unless `layer`, called `what` in the error, can read so many `inputs`."""
    fewest, most = (1, 1) if layer.composite else layer.inputs
    if len(inputs) < fewest or (most is not None and len(inputs) > most):
        wanted = fewest if fewest == most else f"at least {fewest}"
        raise ValueError(f"{what} must read {wanted} inputs, got {inputs}.")


def is_passthrough(layer):
    """Say whether `layer` is "passthrough", which means no layer, as in scikit-learn's Pipeline."""
    return isinstance(layer, str) and layer == "passthrough"


def in_order(nodes, given):
    """Return `nodes`, each after those it reads, otherwise in the given order.

    `given` are the names of the inputs.
    """
    known = set(given)
    for node in nodes:
        if not known.issuperset(node.inputs):
            break
        known.add(node.name)
    else:
        return nodes
    missing = {node.name: len(set(node.inputs) - given) for node in nodes}
    readers = {node.name: [] for node in nodes}
    for i, node in enumerate(nodes):
        for entry in set(node.inputs) - given:
            readers[entry].append(i)
    ready = [i for i, node in enumerate(nodes) if not missing[node.name]]
    ordered = []
    while ready:
        node = nodes[heapq.heappop(ready)]
        ordered.append(node)
        for i in readers[node.name]:
            missing[nodes[i].name] -= 1
            if not missing[nodes[i].name]:
                heapq.heappush(ready, i)
    if len(ordered) < len(nodes):
        left = [(node.name, node.inputs) for node in nodes if missing[node.name]]
        raise ValueError(f"Graph: nodes must not read one another in a cycle, got {left}.")
    return ordered
