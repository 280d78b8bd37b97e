"""Summaries: a network as a table."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING, NamedTuple

from cnnkit.layers.base import Layer, count_weights

if TYPE_CHECKING:
    from cnnkit.typing import Shape

HEAD = ("name", "layer", "output shape", "weights", "multiply-adds")
ALGORITHMS = "forward, to x, to w"
INPUTS = "inputs"


class Row(NamedTuple):
    """One layer of a network.

    `layer` is its class and `settings` the rest of the text of `describe`. `untrained` of the
    `weights` are running statistics. `inputs` are the names of the nodes that it reads.
    `algorithms` compute its output, the gradient to its input and the gradient to its weights, if
    known; "-" stands for a gradient that is not computed.
    """

    name: str
    layer: str
    output_shape: Shape
    weights: int
    multiply_adds: int
    inputs: tuple[str, ...] = ()
    untrained: int = 0
    settings: str = ""
    algorithms: tuple[str, ...] = ()


class Summary:
    """Name, layer, output shape, weights and multiply-adds of every layer, with totals.

    The text of a layer has its class, filters or units, the size of its kernel, and its stride,
    dilation and groups unless they are 1: see `describe`.

    The summary of a bound network has a column with the algorithms that compute the output of a
    layer, the gradient to its input, and the gradient to its weights: see
    `cnnkit.functional.conv2d`.

    If a layer does not read the layer before it, a last column has the names of its inputs. The
    summary is printed as text, and as an HTML table in a notebook.

    Attributes
    ----------
    rows : list of Row
    weights, multiply_adds : int
        Totals; multiply-adds are for one sample.
    trained_weights : int
        Number of weights without running statistics.

    Examples
    --------
    >>> from cnnkit import Conv, GlobalAvgPool, ReLU, Sequential
    >>> Sequential([Conv(16), ReLU(), Conv(10, 1), GlobalAvgPool()]).summary((8, 8, 1))
    name            layer           output shape  weights  multiply-adds
    --------------------------------------------------------------------
    conv1           Conv 16, 3 x 3  8 x 8 x 16        160          9,216
    relu1           ReLU            8 x 8 x 16          0              0
    conv2           Conv 10, 1 x 1  8 x 8 x 10        170         10,240
    globalavgpool1  GlobalAvgPool   10                  0              0
    --------------------------------------------------------------------
    total                                             330         19,456
    """

    def __init__(self, rows: list[Row]) -> None:
        self.rows = rows
        self.weights = sum(row.weights for row in rows)
        self.multiply_adds = sum(row.multiply_adds for row in rows)
        self.trained_weights = self.weights - sum(row.untrained for row in rows)

    def __repr__(self) -> str:
        return self.to_text()

    def to_text(self, max_width: int = 40) -> str:
        """Return the table as text; names longer than `max_width` are cut in their middle.

        Parameters
        ----------
        max_width : int, default=40
            Largest number of characters of a name, at least 8.
        """
        if max_width < 8:
            raise ValueError(f"Summary: max_width must be at least 8, got {max_width!r}.")
        head, body, foot = self._cells(lambda name: shorten(name, max_width))
        if head[-1] == INPUTS:
            body = [line for cells in body for line in stack_inputs(cells, max_width)]
        widths = [max(map(len, column)) for column in zip(head, *body, *foot, strict=True)]
        lines = [
            "  ".join(
                cell.rjust(width) if i in (3, 4) else cell.ljust(width)
                for i, (cell, width) in enumerate(zip(cells, widths, strict=True))
            ).rstrip()
            for cells in (head, *body, *foot)
        ]
        rule = "-" * max(map(len, lines))
        return "\n".join([lines[0], rule, *lines[1 : len(body) + 1], rule, *lines[len(body) + 1 :]])

    def _repr_html_(self) -> str:
        head, body, foot = self._cells(str)

        def line(cells, tag):
            texts = [
                f"<{tag} style='text-align:{'right' if i in (3, 4) else 'left'}"
                f"{'' if head[i] == INPUTS else ';white-space:nowrap'}'>"  # many lines
                f"{escape(', '.join(cell) if isinstance(cell, tuple) else cell)}</{tag}>"
                for i, cell in enumerate(cells)
            ]
            return f"<tr>{''.join(texts)}</tr>"

        return "\n".join(
            [
                "<table>",
                f"<thead>{line(head, 'th')}</thead>",
                "<tbody>",
                *[line(cells, "td") for cells in body],
                "</tbody>",
                "<tfoot>",
                *[line(cells, "th") for cells in foot],
                "</tfoot>",
                "</table>",
            ]
        )

    def _cells(self, as_name):
        """Return head, body and foot of the table: rows of text, with inputs as tuples of names."""
        before = ["input", *(row.name for row in self.rows)]
        reads = [
            tuple(map(as_name, row.inputs)) if row.inputs not in ((), (previous,)) else ()
            for row, previous in zip(self.rows, before, strict=False)
        ]
        head, body, foot = list(HEAD), [], [["total", "", "", self.weights, self.multiply_adds]]
        if self.trained_weights != self.weights:
            foot.append(["trained", "", "", self.trained_weights, ""])
        for row in self.rows:
            shape = " x ".join(map(str, row.output_shape))
            layer = f"{row.layer} {row.settings}".rstrip()
            body.append([as_name(row.name), layer, shape, row.weights, row.multiply_adds])
        for cells in (*body, *foot):
            cells[3:] = [f"{cell:,}" if cell != "" else "" for cell in cells[3:]]
        if any(row.algorithms for row in self.rows):
            head.append(ALGORITHMS)
            for cells, row in zip(body, self.rows, strict=True):
                cells.append(", ".join(row.algorithms))
            for cells in foot:
                cells.append("")
        if any(reads):
            head.append(INPUTS)
            for cells, names in zip(body, reads, strict=True):
                cells.append(names)
            for cells in foot:
                cells.append("")
        return head, body, foot


def table(resolved, algorithms=None):
    """Return the `Summary` of a `Resolved` graph, with `algorithms` by path if they are known."""
    return Summary(
        [
            Row(
                node.name,
                type(node.layer).__name__,
                resolved.shapes[node.name],
                count_weights(resolved.specs[node.name]),
                resolved.multiply_adds(node),
                node.inputs,
                count_weights(resolved.specs[node.name], trained=False),
                settings(node.layer),
                () if algorithms is None else algorithms.get(node.name, ()),
            )
            for node in resolved.nodes
        ]
    )


def shorten(name, width):
    """Return `name` in at most `width` characters: its start and, twice as long, its end."""
    if len(name) <= width:
        return name
    start = (width - 3) // 3
    return f"{name[:start]}...{name[len(name) - (width - 3 - start) :]}"


def stack_inputs(cells, width):
    """Return the lines of one row, with its inputs in lines not much longer than `width`."""
    lines = [""]
    for name in cells[-1]:
        joined = f"{lines[-1]}, {name}" if lines[-1] else name
        if lines[-1] and len(joined) > width:
            lines[-1] += ","
            lines.append(name)
        else:
            lines[-1] = joined
    blank = [""] * (len(cells) - 1)
    return [[*cells[:-1], lines[0]], *([*blank, line] for line in lines[1:])]


def describe(layer: Layer) -> str:
    """Return a layer in a few words, such as ``Conv 64, 3 x 3, stride 2``.

    Parameters
    ----------
    layer : Layer
        A layer or a graph.

    Returns
    -------
    text : str
        Its class, filters or units, kernel size, and stride, dilation and groups unless 1.

    Examples
    --------
    >>> from cnnkit import Conv
    >>> from cnnkit.display import describe
    >>> describe(Conv(64, 3, stride=2))
    'Conv 64, 3 x 3, stride 2'
    """
    if not isinstance(layer, Layer):
        raise TypeError(f"describe: layer must be a layer such as Conv(16, 3), got {layer!r}.")
    return f"{type(layer).__name__} {settings(layer)}".rstrip()


def settings(layer):
    """Return the text of `describe` after the class of a layer."""
    params = layer.get_params(deep=False)
    counts = ("filters", "units", "rate")
    words = [str(params[key]) for key in counts if params.get(key) is not None]
    words += [sides(params[key]) for key in ("kernel_size", "pool_size", "scale") if key in params]
    for key in ("stride", "dilation", "groups"):
        value = params.get(key)
        if value not in (None, 1, (1, 1), [1, 1]):
            words.append(f"{key} {sides(value) if isinstance(value, (tuple, list)) else value}")
    return ", ".join(words)


def sides(value):
    """Return one number or a pair as ``3 x 3``."""
    pair = value if isinstance(value, (tuple, list)) else (value, value)
    return " x ".join(map(str, pair))
