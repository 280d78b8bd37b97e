"""Boxes and arrows on the axes of matplotlib."""

from itertools import pairwise, starmap
from typing import NamedTuple

from cnnkit.display.boxes import groups_of
from cnnkit.display.columns import fitting
from cnnkit.display.layered import Layered
from cnnkit.layers.nodes import INPUT

EDGE, FAINT = "#555555", "#666666"

SCREEN = 16, 9.5  # inches: size of a new figure that needs more than one column
SIZE, SMALL = 9, 7  # font sizes in points of the two lines of a box
HEIGHT = 0.42  # inches: height of a box
MARGIN = 0.12  # inches around the drawing
BETWEEN = 0.2  # inches: smallest distance of rows
PAD = 0.08  # inches around the boxes of a group
TITLE = 0.13  # inches: height of a group's name


class Group(NamedTuple):
    """The frame around the boxes of a nested graph.

    `above`, `below` and `aside` count the frames, its own included, on these sides of its boxes."""

    path: str
    members: list
    top: int
    bottom: int
    above: int
    below: int
    aside: int


class Picture:
    """A drawing of boxes in one column, which `Columns` may divide; inches, y points down.

    Parameters
    ----------
    boxes : list of Box
    text_width : callable
        The width in inches of a text at a size in points.
    """

    def __init__(self, boxes, text_width):
        self.boxes = {box.path: box for box in boxes}
        self.text_width = text_width
        shown = None
        while True:
            self._labels(shown)
            self._arrange()
            groups = self._groups(shown)
            if shown == groups.keys():
                break
            shown = groups.keys()
        self.groups = groups
        self._rows()

    def _labels(self, shown):
        """Label every box with its name in the innermost group that is shown, and measure it."""
        self.label, self.width = {}, {}
        for path, box in self.boxes.items():
            inside = [g for g in groups_of(path) if shown is None or g in shown]
            name = "" if path == INPUT else path[len(inside[-1]) + 1 if inside else 0 :]
            self.label[path] = "   ".join(filter(None, [name, box.shape]))
            texts = self.text_width(box.title, SIZE), self.text_width(self.label[path], SMALL)
            self.width[path] = max(0.8, *texts) + 0.2

    def _arrange(self):
        inputs = {path: box.inputs for path, box in self.boxes.items()}
        self.layout = Layered(inputs, self.width)

    def _groups(self, shown):
        """Return the groups whose frames hold no foreign boxes, by path, inner ones first."""
        members = {}
        for name in self.layout.row:
            for group in groups_of(name if isinstance(name, str) else name[1]):
                members.setdefault(group, []).append(name)
        found = {}
        for path in sorted(members, key=lambda path: -path.count("/")):
            names = members[path]
            boxes = [name for name in names if isinstance(name, str)]
            if len(boxes) < 2 or (shown is not None and path not in shown):
                continue
            rows = [self.layout.row[name] for name in boxes]
            top, bottom = min(rows), max(rows)
            inner = [g for g in found.values() if g.path.startswith(path + "/")]
            group = Group(
                path,
                [name for name in names if top <= self.layout.row[name] <= bottom],
                top,
                bottom,
                1 + max((g.above for g in inner if g.top == top), default=0),
                1 + max((g.below for g in inner if g.bottom == bottom), default=0),
                1 + max((g.aside for g in inner), default=0),
            )
            left, right = self._sides(group)
            inside = set(group.members)
            if not any(
                self.layout.x[name] + self._half(name) > left
                and self.layout.x[name] - self._half(name) < right
                for row in self.layout.rows[top : bottom + 1]
                for name in row
                if name not in inside
            ):
                found[path] = group
        return found

    def _half(self, name):
        return self.width.get(name, 0) / 2

    def sides(self, names):
        """Return the left and right ends of boxes."""
        x = self.layout.x
        left = min(x[name] - self._half(name) for name in names)
        return left, max(x[name] + self._half(name) for name in names)

    def _sides(self, group):
        left, right = self.sides(group.members)
        pad = PAD * group.aside
        title = group.path.split("/")[-1]
        return left - pad, max(right, left + self.text_width(title, SMALL) + 0.12 - 2 * pad) + pad

    def _rows(self):
        """Choose the top and bottom of every row."""
        steps = [0.0] * len(self.layout.rows)
        for route in self.layout.routes:
            for a, b in pairwise(route):
                row = self.layout.row[b]
                steps[row] = max(steps[row], abs(self.layout.x[a] - self.layout.x[b]))
        self.tops, y = [], 0.0
        for row, step in enumerate(steps):
            if row:
                above = max((g.above for g in self.groups.values() if g.top == row), default=0)
                below = max(
                    (g.below for g in self.groups.values() if g.bottom == row - 1), default=0
                )
                y += BETWEEN + min(0.08 * step, 0.4) + above * (PAD + TITLE) + below * PAD
            self.tops.append(y)
            y += HEIGHT
        self.bottoms = [top + HEIGHT for top in self.tops]

    def frame(self, group):
        """Return left, right, top and bottom of a group."""
        top = self.tops[group.top] - group.above * (PAD + TITLE)
        return *self._sides(group), top, self.bottoms[group.bottom] + group.below * PAD

    def draw(self, ax):
        """Draw on `ax`, or on a new figure, and return the axes."""
        columns = fitting(self, *(SCREEN if ax is None else _inches(ax)))
        left, right, top, bottom = columns.sides
        left, right, top, bottom = left - MARGIN, right + MARGIN, top - MARGIN, bottom + MARGIN
        if ax is None:
            from matplotlib import pyplot

            figure = pyplot.figure(figsize=(right - left, bottom - top))
            ax = figure.add_axes((0, 0, 1, 1))
        ax.set(xlim=(left, right), ylim=(bottom, top), aspect="equal")
        ax.set_axis_off()
        width, height = _inches(ax)
        pen = Pen(ax, min(1.0, width / (right - left), height / (bottom - top)))
        for path, frame in reversed(columns.frames):
            pen.rectangle(frame, "#0000000a", "#cccccc", 0.6, zorder=1)
            corner = frame[0] + 0.06, frame[2] + 0.03
            pen.text(*corner, path.split("/")[-1], SMALL, FAINT, ha="left", va="top")
        for route in self.layout.routes:
            pen.arrow(
                [columns.at(name) for name in route],
                list(starmap(columns.between, pairwise(route))),
            )
        for path, box in self.boxes.items():
            x, top, bottom = columns.at(path)
            sides = x - self._half(path), x + self._half(path), top, bottom
            pen.rectangle(sides, box.fill, EDGE, 1.8 if box.is_output else 0.7, zorder=3)
            label = self.label[path]
            pen.text(x, top + HEIGHT * (0.33 if label else 0.5), box.title, SIZE)
            pen.text(x, top + HEIGHT * 0.7, label, SMALL, FAINT)
        return ax


def _inches(ax):
    """Return width and height of axes."""
    window = ax.get_window_extent()
    return window.width / ax.figure.dpi, window.height / ax.figure.dpi


class Pen:
    """Pen for shapes on axes; texts and lines are drawn `scale` times their size."""

    def __init__(self, ax, scale):
        self.ax = ax
        self.scale = scale

    def rectangle(self, sides, fill, edge, linewidth, zorder):
        from matplotlib.patches import FancyBboxPatch

        left, right, top, bottom = sides
        self.ax.add_patch(
            FancyBboxPatch(
                (left, top),
                right - left,
                bottom - top,
                boxstyle="round,pad=0,rounding_size=0.06",
                facecolor=fill,
                edgecolor=edge,
                linewidth=linewidth * self.scale,
                zorder=zorder,
            )
        )

    def text(self, x, y, text, size, color="black", ha="center", va="center"):
        self.ax.text(
            x,
            y,
            text,
            fontsize=size * self.scale,
            color=color,
            ha=ha,
            va=va,
            zorder=4,
            parse_math=False,
        )

    def arrow(self, stops, corners):
        """Draw an edge from the bottom of the first of (x, top, bottom) to the top of the last.

        `corners` has, for every step, the corners of straight lines, or none for a curve.
        """
        from matplotlib.patches import FancyArrowPatch
        from matplotlib.path import Path

        points, codes = [(stops[0][0], stops[0][2])], [Path.MOVETO]
        for ((x0, _, y0), (x1, y1, bottom)), bends in zip(pairwise(stops), corners, strict=True):
            middle = (y0 + y1) / 2
            between = bends or [(x0, middle), (x1, middle)]
            points += [*between, (x1, y1), (x1, bottom)]
            codes += [Path.LINETO if bends else Path.CURVE4] * (len(between) + 1) + [Path.LINETO]
        self.ax.add_patch(
            FancyArrowPatch(
                path=Path(points[:-1], codes[:-1]),
                arrowstyle="-|>",
                mutation_scale=8 * self.scale,
                shrinkA=0,
                shrinkB=0,
                color=EDGE,
                linewidth=0.8 * self.scale,
                zorder=2,
            )
        )
