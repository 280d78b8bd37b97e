"""Graphs as text in the DOT language."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cnnkit.display.boxes import boxes_of, groups_of
from cnnkit.display.picture import EDGE, FAINT
from cnnkit.layers.nodes import INPUT

if TYPE_CHECKING:
    from cnnkit.layers.base import Layer
    from cnnkit.typing import InputShape, Layers


def to_dot(
    graph: Layer | Layers, input_shape: InputShape | None = None, n_outputs: int | None = None
) -> str:
    """Return a graph as text in the DOT language, which Graphviz draws.

    Parameters
    ----------
    graph : Graph, Layer or list of layers
        What is drawn.
    input_shape : tuple, default=None
        ``(H, W, C)`` of one sample; with it every box has its output shape.
    n_outputs : int, default=None
        Number that ``filters=None`` and ``units=None`` stand for.

    Returns
    -------
    text : str
        A ``digraph`` with a node for every layer.

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
    opened: list[str] = []
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


def grouped(boxes):
    """Return `boxes` so that the boxes of each group are consecutive, at all levels."""
    first = {}
    for i, box in enumerate(boxes):
        for group in groups_of(box.path):
            first.setdefault(group, i)
    return sorted(
        boxes, key=lambda box: [*(first[g] for g in groups_of(box.path)), boxes.index(box)]
    )


def common(a, b):
    """Yield the elements with which both `a` and `b` start."""
    for x, y in zip(a, b, strict=False):
        if x != y:
            return
        yield x


def quoted(text):
    """Return `text` as a DOT string."""
    text = text.replace("\\", "\\\\").replace('"', '\\"')
    return '"' + text.replace("\n", "\\n") + '"'
