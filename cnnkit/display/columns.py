"""Columns: the rows of a long drawing, arranged to fit a screen."""

from itertools import pairwise

MOST = 12  # largest number of columns
SPARES = 1.0, 1.12, 1.25  # heights of columns to try, relative to an even distribution
MOST_EMPTY = 0.4  # largest empty part at the end of a column
GUTTER = 0.3  # inches between columns
LANE = 0.1  # inches between the lines from one column to the next
LEAD = 0.16  # inches of such a line above and below its boxes


class Columns:
    """Places of rows and frames in columns from left to right, in inches, y down.

    Parameters
    ----------
    picture : Picture
        With all rows in one column.
    starts : sequence of int
        The first row of every column.
    lanes : list of lists
        Result of the function `lanes`.

    Attributes
    ----------
    frames : list of (path, (left, right, top, bottom))
        One for each column that holds a part of a group, outer ones last.
    sides : tuple
        Left, right, top and bottom of the whole drawing.
    """

    def __init__(self, picture, starts, lanes):
        self.picture = picture
        ends = [*starts[1:], len(picture.tops)]
        spans = list(zip(starts, ends, strict=True))
        self._column = [c for c, span in enumerate(spans) for _ in range(*span)]
        self._lanes = [lanes[start] for start in starts[1:]]
        self._shifts, self._edges, self.frames = [], [], []
        x = 0.0
        for c, (start, end) in enumerate(spans):
            frames = self._frames(start, end)
            names = [name for row in picture.layout.rows[start:end] for name in row]
            sides = [frame for _, frame in frames]
            sides += [(*picture.sides(names), picture.tops[start], picture.bottoms[end - 1])]
            left, right = min(s[0] for s in sides), max(s[1] for s in sides)
            top, bottom = min(s[2] for s in sides), max(s[3] for s in sides)
            arrive = len(self._lanes[c - 1]) if c else 0
            leave = len(self._lanes[c]) if c < len(self._lanes) else 0
            dx, dy = x - left, -top
            self._shifts.append((dx, dy))
            self.frames += [
                (path, (s[0] + dx, s[1] + dx, s[2] + dy, s[3] + dy)) for path, s in frames
            ]
            above = -(LEAD + arrive * LANE if arrive else 0)
            below = bottom + dy + (LEAD + leave * LANE if leave else 0)
            self._edges.append((x, right + dx, above, bottom + dy, below))
            x = right + dx + (GUTTER + leave * LANE)
        self.sides = (
            0.0,
            self._edges[-1][1],
            min(edge[2] for edge in self._edges),
            max(edge[4] for edge in self._edges),
        )

    def _frames(self, start, end):
        """Return the frames of the groups in the rows of one column."""
        picture, found = self.picture, []
        for path, group in picture.groups.items():
            if group.bottom < start or group.top >= end:
                continue
            names = [n for n in group.members if start <= picture.layout.row[n] < end]
            cut = group._replace(
                members=names,
                top=max(group.top, start),
                bottom=min(group.bottom, end - 1),
                above=group.above if group.top >= start else group.aside,
                below=group.below if group.bottom < end else group.aside,
            )
            found.append((path, picture.frame(cut)))
        return found

    def at(self, name):
        """Return centre, top and bottom of a box, or of the place where an edge passes."""
        row = self.picture.layout.row[name]
        dx, dy = self._shifts[self._column[row]]
        x = self.picture.layout.x[name] + dx
        return x, self.picture.tops[row] + dy, self.picture.bottoms[row] + dy

    def between(self, a, b):
        """Return the corners of the line from `a` to `b` in the next column; none in one column."""
        c = self._column[self.picture.layout.row[a]]
        if self._column[self.picture.layout.row[b]] == c:
            return []
        i, count = self._lanes[c].index(a), len(self._lanes[c])
        _, right, _, bottom, _ = self._edges[c]
        low = bottom + LEAD + i * LANE
        aside = right + GUTTER / 2 + i * LANE
        high = -(LEAD + (count - 1 - i) * LANE)
        (x0, _, _), (x1, _, _) = self.at(a), self.at(b)
        return [(x0, low), (aside, low), (aside, high), (x1, high)]


def lanes(picture):
    """Return for every row the boxes from which lines lead to it, from right to left."""
    layout = picture.layout
    found = [set() for _ in layout.rows]
    for route in layout.routes:
        for a, b in pairwise(route):
            found[layout.row[b]].add(a)
    return [sorted(names, key=lambda name: -layout.x[name]) for names in found]


def fitting(picture, width, height):
    """Return the fewest `Columns` that are drawn largest in `width` x `height` inches."""
    lines, groups = lanes(picture), picture.groups.values()
    costs = [
        len(names) + 2 * sum(g.top < row <= g.bottom for g in groups)
        for row, names in enumerate(lines)
    ]
    best, largest, tried = None, -1.0, set()
    for columns in range(1, min(MOST, len(costs)) + 1):
        for spare in SPARES:
            starts = starts_of(picture, picture.bottoms[-1] / columns * spare, costs)
            if starts in tried:
                continue
            tried.add(starts)
            found = Columns(picture, starts, lines)
            left, right, top, bottom = found.sides
            scale = min(1.0, width / (right - left), height / (bottom - top))
            if scale > max(1.03 * largest, largest):
                best, largest = found, scale
    return best


def starts_of(picture, height, costs):
    """Return the first rows of columns of at most about a height.

    A column ends where few edges are cut and little space is left empty.
    """
    starts = [0]
    while starts[-1] + 1 < len(costs) and picture.bottoms[-1] - picture.tops[starts[-1]] > height:
        top, found = picture.tops[starts[-1]], {}
        for row in range(starts[-1] + 1, len(costs)):
            empty = 1 - (picture.bottoms[row - 1] - top) / height
            if 0 <= empty < MOST_EMPTY or row == starts[-1] + 1:
                found[row] = costs[row] + 6 * empty
        starts.append(min(found, key=found.get))
    return tuple(starts)
