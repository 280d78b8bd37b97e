"""A network as a table."""

from typing import NamedTuple


class Row(NamedTuple):
    """One layer of a network."""

    name: str
    layer: str
    output_shape: tuple
    weights: int
    multiply_adds: int


class Summary:
    """Name, layer, output shape, weights and multiply-adds of every layer, with totals.

    Attributes
    ----------
    rows : list of Row
    weights, multiply_adds : int
        Totals; multiply-adds are those of one sample.
    """

    def __init__(self, rows):
        self.rows = rows
        self.weights = sum(row.weights for row in rows)
        self.multiply_adds = sum(row.multiply_adds for row in rows)

    def __repr__(self):
        table = [("name", "layer", "output shape", "weights", "multiply-adds")]
        table += [
            (
                row.name,
                row.layer,
                " x ".join(map(str, row.output_shape)),
                f"{row.weights:,}",
                f"{row.multiply_adds:,}",
            )
            for row in self.rows
        ]
        table.append(("total", "", "", f"{self.weights:,}", f"{self.multiply_adds:,}"))
        widths = [max(map(len, column)) for column in zip(*table, strict=True)]
        lines = []
        for cells in table:
            texts = [
                cell.rjust(width) if i > 2 else cell.ljust(width)
                for i, (cell, width) in enumerate(zip(cells, widths, strict=True))
            ]
            lines.append("  ".join(texts).rstrip())
        rule = "-" * max(map(len, lines))
        return "\n".join([lines[0], rule, *lines[1:-1], rule, lines[-1]])
