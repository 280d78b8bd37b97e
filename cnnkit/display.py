"""Graphs drawn: as DOT text, and with matplotlib."""

from functools import cache

from cnnkit.graph import INPUT, Graph, Sequential, infer_shapes
from cnnkit.picture import EDGE, FAINT, Box, Picture, groups_of

FILLS = {  # by the family of a layer: the file it is in
    "conv": "#cfe2f7",
    "dense": "#cfe2f7",
    "activation": "#d8efd3",
    "norm": "#e6dcf2",
    "pool": "#fde3c8",
    "merge": "#fbf0b8",
    INPUT: "#ffffff",
}
OTHER_FILL = "#e8e8e8"


def to_dot(graph, input_shape=None, n_outputs=None):
    """Return a graph as text in the DOT language, which Graphviz draws.

    Parameters
    ----------
    graph : Graph, Layer or list of layers
    input_shape : tuple, default=None
        ``(H, W, C)`` of one sample; with it every box has its output shape.
    n_outputs : int, default=None
        What ``filters=None`` and ``units=None`` stand for.

    Examples
    --------
    >>> from cnnkit import ReLU
    >>> from cnnkit.display import to_dot
    >>> print(to_dot([ReLU()], (8, 8, 1)))
    digraph {
      node [shape=box, style="rounded,filled", fontname="Helvetica", fontsize=11]
      edge [color="#555555"]
      "input" [label="Input\\n8 x 8 x 1", fillcolor="#ffffff"]
      "relu1" [label="ReLU\\nrelu1, 8 x 8 x 1", fillcolor="#d8efd3", penwidth=2]
      "input" -> "relu1"
    }
    """
    boxes = boxes_of(graph, input_shape, n_outputs)
    lines = [
        "digraph {",
        '  node [shape=box, style="rounded,filled", fontname="Helvetica", fontsize=11]',
        f'  edge [color="{EDGE}"]',
    ]
    opened = []
    for box in grouped(boxes):
        levels = box.path.split("/")[:-1]
        shared = sum(1 for _ in common(opened, levels))
        while len(opened) > shared:
            lines.append(f"{'  ' * len(opened)}}}")
            opened.pop()
        while len(opened) < len(levels):
            opened.append(levels[len(opened)])
            indent = "  " * len(opened)
            lines.append(f"{indent}subgraph {quoted('cluster_' + '/'.join(opened))} {{")
            lines.append(f"{indent}  label={quoted(opened[-1])}")
            lines.append(f'{indent}  style=rounded; color="#aaaaaa"; labeljust=l')
            lines.append(f'{indent}  fontname="Helvetica"; fontsize=9; fontcolor="{FAINT}"')
        name = "" if box.path == INPUT else box.path.split("/")[-1]
        below = ", ".join(filter(None, [name, box.shape]))
        label = quoted(f"{box.title}\n{below}" if below else box.title)
        bold = ", penwidth=2" if box.is_output else ""
        indent = "  " * (len(opened) + 1)
        lines.append(f'{indent}{quoted(box.path)} [label={label}, fillcolor="{box.fill}"{bold}]')
    lines += [f"{'  ' * depth}}}" for depth in range(len(opened), 0, -1)]
    lines += [f"  {quoted(a)} -> {quoted(box.path)}" for box in boxes for a in box.inputs]
    return "\n".join([*lines, "}"])


def plot_graph(graph, input_shape=None, *, n_outputs=None, ax=None):
    """Draw a graph with matplotlib, from top to bottom.

    Every layer is a box with what it is, its name and, given `input_shape`, the shape of its
    output; nested graphs and branches are shaded, outputs have a bold frame.

    Parameters
    ----------
    graph : Graph, Layer or list of layers
    input_shape : tuple, default=None
        ``(H, W, C)`` of one sample.
    n_outputs : int, default=None
        What ``filters=None`` and ``units=None`` stand for.
    ax : matplotlib.axes.Axes, default=None
        What to draw on; a new figure, as large as the graph needs, when None. On axes that are
        smaller, text gets smaller.

    Returns
    -------
    ax : matplotlib.axes.Axes

    Examples
    --------
    >>> from cnnkit import Conv, GlobalAvgPool, ReLU
    >>> from cnnkit.display import plot_graph
    >>> ax = plot_graph([Conv(16), ReLU(), Conv(10, 1), GlobalAvgPool()], (8, 8, 1))
    """
    try:
        from matplotlib.font_manager import FontProperties
        from matplotlib.textpath import text_to_path
    except ImportError as error:
        raise ImportError("plot_graph needs matplotlib: pip install cnnkit[plot]") from error

    @cache
    def width(text, size):
        font = FontProperties(size=size)
        return text_to_path.get_text_width_height_descent(text, font, False)[0] / 72

    return Picture(boxes_of(graph, input_shape, n_outputs), width).draw(ax)


def boxes_of(graph, input_shape, n_outputs):
    """Return the `Box` of the input and of every leaf of `graph`."""
    if not isinstance(graph, Graph):
        graph = Sequential(list(graph) if isinstance(graph, (list, tuple)) else [graph])
    nodes = graph.flattened(n_outputs)
    found = {} if input_shape is None else infer_shapes(nodes, input_shape)
    shapes = {name: " x ".join(map(str, shape)) for name, shape in found.items()}
    outputs = graph.output_paths()
    boxes = [Box(INPUT, "Input", shapes.get(INPUT, ""), FILLS[INPUT], (), False)]
    for path, layer, inputs in nodes:
        fill = FILLS.get(type(layer).__module__.split(".")[-1], OTHER_FILL)
        shape = shapes.get(path, "")
        boxes.append(Box(path, describe(layer), shape, fill, inputs, path in outputs))
    return boxes


def describe(layer):
    """Return a layer in a few words, such as ``Conv 64, 3 x 3, stride 2``."""
    params = layer.get_params(deep=False)
    counts = ("filters", "units", "rate")
    words = [str(params[key]) for key in counts if params.get(key) is not None]
    words += [sides(params[key]) for key in ("kernel_size", "pool_size", "scale") if key in params]
    for key in ("stride", "dilation", "groups"):
        value = params.get(key)
        if value not in (None, 1):
            words.append(f"{key} {sides(value) if isinstance(value, tuple) else value}")
    name = type(layer).__name__
    return f"{name} {', '.join(words)}" if words else name


def sides(value):
    """Return one number or a pair as ``3 x 3``."""
    pair = value if isinstance(value, (tuple, list)) else (value, value)
    return " x ".join(map(str, pair))


def grouped(boxes):
    """Return `boxes` so that those of a group come one after another, in all levels."""
    first = {}
    for i, box in enumerate(boxes):
        for group in groups_of(box.path):
            first.setdefault(group, i)
    return sorted(
        boxes, key=lambda box: [*(first[g] for g in groups_of(box.path)), boxes.index(box)]
    )


def common(a, b):
    """Yield what `a` and `b` both start with."""
    for x, y in zip(a, b, strict=False):
        if x != y:
            return
        yield x


def quoted(text):
    """Return `text` as a DOT string."""
    text = text.replace("\\", "\\\\").replace('"', '\\"')
    return '"' + text.replace("\n", "\\n") + '"'
