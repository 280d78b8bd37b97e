"""Layout of a directed acyclic graph: boxes in rows from top to bottom.

The steps of Sugiyama et al. (1981), "Methods for visual understanding of hierarchical system
structures": a row for every box, an order in every row with few crossings, and places that keep
edges straight. An edge that passes a row has an invisible box there, so none runs through a box.
"""

from itertools import pairwise

import numpy as np
from scipy.optimize import linprog
from scipy.sparse import coo_array

SWEEPS = 16  # passes over all rows to find an order
GAP = 0.3  # smallest distance of boxes in a row
PASSING = 0.1  # width of an edge in a row that it passes


class Layered:
    """Rows and horizontal places of the boxes of a graph.

    Parameters
    ----------
    inputs : dict
        Names of the boxes that a box reads, by its name; every box comes after those it reads.
    widths : dict
        Widths of the boxes by name.

    Attributes
    ----------
    rows : list of lists
        Names from left to right, in rows from top to bottom; ``(from, to, row)`` stands for an
        edge that passes.
    row, x : dict
        Row and horizontal centre by name.
    routes : list of lists
        Every edge as the names on its way.
    """

    def __init__(self, inputs, widths):
        self.row = {}
        for name, reads in inputs.items():
            self.row[name] = 1 + max((self.row[entry] for entry in reads), default=-1)
        self.rows = [[] for _ in range(1 + max(self.row.values()))]
        for name in inputs:
            self.rows[self.row[name]].append(name)
        self.routes = []
        for name, reads in inputs.items():
            for entry in dict.fromkeys(reads):
                passed = range(self.row[entry] + 1, self.row[name])
                between = [(entry, name, row) for row in passed]
                for at in between:
                    self.row[at] = at[2]
                    self.rows[at[2]].append(at)
                self.routes.append([entry, *between, name])
        self._steps = [step for route in self.routes for step in pairwise(route)]
        self._above = {name: [] for name in self.row}
        self._below = {name: [] for name in self.row}
        for a, b in self._steps:
            self._above[b].append(a)
            self._below[a].append(b)
        self._order()
        self._place({name: widths.get(name, PASSING) for name in self.row})

    def _order(self):
        """Sort every row by the mean place of its neighbours; keep the best order of all sweeps."""
        above, below = self._above, self._below
        best, fewest = self.rows, self._crossings(self.rows)
        rows = self.rows
        for sweep in range(SWEEPS):
            if not fewest:
                break
            rows = [list(row) for row in rows]
            downwards = sweep % 2 == 0
            order = range(1, len(rows)) if downwards else range(len(rows) - 2, -1, -1)
            for i in order:
                fixed = rows[i - 1] if downwards else rows[i + 1]
                place = {name: at for at, name in enumerate(fixed)}
                near = above if downwards else below
                means = {
                    name: np.mean([place[entry] for entry in near[name]]) if near[name] else at
                    for at, name in enumerate(rows[i])
                }
                rows[i].sort(key=means.get)
            crossings = self._crossings(rows)
            if crossings < fewest:
                best, fewest = rows, crossings
        self.rows = best

    def _crossings(self, rows):
        place = {name: at for row in rows for at, name in enumerate(row)}
        steps = [[] for _ in rows]
        for a, b in self._steps:
            steps[self.row[a]].append((place[a], place[b]))
        return sum(
            (a[0] - b[0]) * (a[1] - b[1]) < 0
            for row in steps
            for i, a in enumerate(row)
            for b in row[:i]
        )

    def _place(self, widths):
        """Choose x by a linear programme: the smallest sum of sideways steps.

        If there is a choice, a box is placed midway between its outermost neighbours.
        """
        index = {name: i for i, name in enumerate(self.row)}
        n, m = len(index), len(self._steps)
        costs = np.zeros(3 * n + m)  # of x, of the largest step of a box up and down, of steps
        costs[n : 3 * n] = 0.05
        entries, bounds = [], []

        def at_most(bound, *terms):
            entries.extend((len(bounds), column, factor) for column, factor in terms)
            bounds.append(bound)

        for i, (a, b) in enumerate(self._steps):
            step, u, v = 3 * n + i, index[a], index[b]
            costs[step] = self._cost(a, b)
            at_most(0, (u, 1), (v, -1), (step, -1))
            at_most(0, (v, 1), (u, -1), (step, -1))
            at_most(0, (step, 1), (n + v, -1))
            at_most(0, (step, 1), (2 * n + u, -1))
        for row in self.rows:
            for a, b in pairwise(row):
                apart = (widths[a] + widths[b]) / 2 + GAP
                at_most(-apart, (index[a], 1), (index[b], -1))
        x = np.zeros(n)
        if bounds:
            i, j, factors = zip(*entries, strict=True)
            matrix = coo_array((factors, (i, j)), shape=(len(bounds), len(costs)))
            free = [(0, 0)] + [(None, None)] * (n - 1) + [(0, None)] * (2 * n + m)
            x = linprog(costs, matrix.tocsr(), bounds, bounds=free, method="highs").x
        self.x = {name: float(x[i]) for name, i in index.items()}

    def _cost(self, a, b):
        """Return the cost of a sideways step: highest within one edge, then along a chain."""
        passing = (not isinstance(a, str)) + (not isinstance(b, str))
        if passing:
            return (0.9, 4.0)[passing - 1]
        return 1 + 0.6 * (len(self._below[a]) == 1) + 0.5 * (len(self._above[b]) == 1)
