"""Labels and groups of the boxes of a graph's drawing."""

from typing import NamedTuple

from cnnkit.graph.graph import Graph, Sequential
from cnnkit.graph.summary import describe
from cnnkit.layers.nodes import INPUT

FILLS = {  # colours by the family of a layer, which is the name of its file
    "conv": "#cfe2f7",
    "dense": "#cfe2f7",
    "activation": "#d8efd3",
    "norm": "#e6dcf2",
    "pool": "#fde3c8",
    "merge": "#fbf0b8",
    INPUT: "#ffffff",
}
OTHER_FILL = "#e8e8e8"


class Box(NamedTuple):
    """A layer, or the input, as it is drawn."""

    path: str
    title: str
    shape: str
    fill: str
    inputs: tuple
    is_output: bool


def boxes_of(graph, input_shape, n_outputs):
    """Return the `Box` of every input and of every leaf of `graph`."""
    if not isinstance(graph, Graph):
        graph = Sequential(list(graph) if isinstance(graph, (list, tuple)) else [graph])
    if input_shape is None:
        (nodes, outputs), found = graph.leaves(n_outputs), {}
    else:
        resolved = graph.resolve(input_shape, n_outputs)
        nodes, outputs, found = resolved.nodes, resolved.outputs, resolved.shapes
    shapes = {name: " x ".join(map(str, shape)) for name, shape in found.items()}
    boxes = [
        Box(name, "Input", shapes.get(name, ""), FILLS[INPUT], (), False)
        for name in graph.inputs_read()
    ]
    for path, layer, inputs in nodes:
        fill = FILLS.get(type(layer).__module__.split(".")[-1], OTHER_FILL)
        shape = shapes.get(path, "")
        boxes.append(Box(path, describe(layer), shape, fill, inputs, path in outputs))
    return boxes


def groups_of(path):
    """Return the paths of all groups that hold a box, outermost first."""
    levels = path.split("/")
    return ["/".join(levels[:i]) for i in range(1, len(levels))]
