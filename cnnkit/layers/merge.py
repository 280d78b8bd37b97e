"""Layers that read several arrays."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from cnnkit.layers.composite import Composite, as_chain
from cnnkit.layers.nodes import INPUT, Node, check_nodes, name_branches
from cnnkit.layers.op import Op
from cnnkit.layers.sums import pixel_sums
from cnnkit.validate import shapes
from cnnkit.validate.arrays import blocks

if TYPE_CHECKING:
    from cnnkit.layers.base import Slots, WeightSpec
    from cnnkit.typing import Branches, Shape


class _Merge(Composite):
    """Several arrays as one; given `branches`, the branches too.

    Without branches it is used in the functional form, ``Add()(x, y)``. A branch is a layer or a
    list of layers. All branches read the same input; None means the input itself.
    """

    inputs: ClassVar[tuple[int, int | None]] = (2, None)

    def __init__(self, branches: Branches | None = None) -> None:
        self.branches = branches

    @property
    def composite(self) -> bool:  # type: ignore[override]
        return self.branches is not None

    def wiring(self) -> list[Node]:
        """Return nodes: each branch reads the input, and the last node reads all branches."""
        branches = self.branches
        if not isinstance(branches, (list, tuple)) or len(branches) < 2:
            raise ValueError(
                f"{self.owner}: branches must be a list of at least two, got {branches!r}."
            )
        nodes, ends = [], []
        for name, branch in name_branches(branches):
            if branch is None:
                ends.append(INPUT)
                continue
            nodes.append(Node(name, as_chain(branch), (INPUT,)))
            ends.append(name)
        return check_nodes([*nodes, Node("merge", type(self)(), tuple(ends))])

    def output_shape(self, *input_shapes: Shape) -> Any:
        if self.branches is None:
            return self.merged_shape(*input_shapes)
        return super().output_shape(*input_shapes)

    def weight_specs(self, *input_shapes: Shape) -> dict[str, WeightSpec]:
        return {} if self.branches is None else super().weight_specs(*input_shapes)

    def multiply_adds(self, *input_shapes: Shape) -> int:
        return 0 if self.branches is None else super().multiply_adds(*input_shapes)

    def merged_shape(self, *input_shapes: Shape) -> Shape:
        """Return the output shape of the merge alone."""
        raise NotImplementedError


class Add(_Merge):
    """Sum of arrays of one shape; a (C,) or (1, 1, C) one is spread over the pixels of the first.

    Parameters
    ----------
    branches : list of Layer, list of layers or None, default=None
        Branches, which read the input of this layer; None in the functional form.

    Raises
    ------
    ValueError, TypeError
        By `output_shape`, if the shapes of the inputs do not fit together, or `branches` is no list
        of at least two.

    Examples
    --------
    >>> from cnnkit import Add, Conv, Conv1x1
    >>> Add([Conv(8, 3), Conv1x1(8)]).output_shape((4, 4, 3))
    (4, 4, 8)
    """

    in_place = True
    gradient_in_place = True

    def merged_shape(self, *input_shapes: Shape) -> Shape:
        whole, *others = input_shapes
        if any(part not in (whole, whole[-1:], (1, 1, whole[-1])) for part in others):
            raise ValueError(
                f"Add: inputs must have one shape, or those after the first (C,) or (1, 1, C), "
                f"got {input_shapes}."
            )
        return whole

    def bind(self, slots: Slots) -> Op:
        return AddOp(slots)


class AddOp(Op):
    """y = x0 + x1 + ..., every dx a copy of dy, or its sum over pixels where x was spread."""

    def __init__(self, slots):
        self.slots = slots
        self.xs = [spread(x, slots.y) for x in slots.xs]

    def forward(self, n):
        first, *others = self.xs
        total = first
        for x in others:
            total = np.add(total[:n], x[:n], out=self.slots.y[:n])

    def backward(self, n):
        dy = self.slots.dy
        for dx in reversed(self.slots.dxs):
            if dx is None or np.may_share_memory(dx, dy):
                continue
            if dx.shape == dy.shape:
                dx[:n] = dy[:n]
                continue
            for some in blocks(n, dy):
                sums = pixel_sums(np.ascontiguousarray(dy[some]))
                dx[some] = sums.reshape(dx[some].shape)


class Multiply(_Merge):
    """Product of two arrays; one of shape (C,) or (1, 1, C) is used for every pixel of the other.

    Parameters
    ----------
    branches : list of Layer, list of layers or None, default=None
        Branches, which read the input of this layer; None in the functional form.

    Raises
    ------
    ValueError, TypeError
        By `output_shape`, if the shapes of the inputs do not fit together, or `branches` is no list
        of at least two.

    Examples
    --------
    >>> from cnnkit import Multiply
    >>> Multiply().output_shape((4, 4, 8), (8,))
    (4, 4, 8)
    """

    inputs = (2, 2)
    keeps_input = True

    def merged_shape(self, *input_shapes: Shape) -> Shape:
        a, b = input_shapes
        for whole, part in ((a, b), (b, a)):
            if part in (whole, whole[-1:], (1, 1, whole[-1])):
                return whole
        raise ValueError(
            f"Multiply: inputs must have one shape, or one of them (C,) or (1, 1, C), got {a}, {b}."
        )

    def bind(self, slots: Slots) -> Op:
        return MultiplyOp(slots)


class MultiplyOp(Op):
    """y = a * b with b spread over pixels; da = dy * b, db = sum over pixels of dy * a."""

    def __init__(self, slots):
        self.slots = slots
        self.xs = [spread(x, slots.y) for x in slots.xs]
        self.dxs = [None if dx is None else spread(dx, slots.y) for dx in slots.dxs]

    def forward(self, n):
        a, b = self.xs
        np.multiply(a[:n], b[:n], out=self.slots.y[:n])

    def backward(self, n):
        dy = self.slots.dy
        for dx, other in zip(self.dxs, reversed(self.xs), strict=True):
            if dx is None:
                continue
            for some in blocks(n, dy):
                if dx.shape[1:] == dy.shape[1:]:
                    np.multiply(dy[some], other[some], out=dx[some])
                else:
                    dx[some] = pixel_sums(dy[some] * other[some]).reshape(dx[some].shape)


def spread(x, y):
    """Return `x`, one number for each channel of `y` or as many as `y`, with the axes of `y`."""
    pixels = (1,) * (y.ndim - 2)
    return x if x.shape == y.shape else x.reshape(len(x), *pixels, x.shape[-1])


class MatMul(_Merge):
    """Product of matrices, ``a @ b``, the last two axes of both, as in attention.

    Parameters
    ----------
    branches : list of Layer, list of layers or None, default=None
        The two to multiply, each reading the input of this layer; None in the functional form.

    Raises
    ------
    ValueError, TypeError
        By `output_shape`, if the shapes of the inputs do not fit together, or `branches` is no list
        of at least two.

    Examples
    --------
    >>> from cnnkit import MatMul
    >>> MatMul().output_shape((4, 5, 6), (6, 7))
    (4, 5, 7)
    """

    inputs = (2, 2)
    keeps_input = True

    def merged_shape(self, *input_shapes: Shape) -> Shape:
        a, b = input_shapes
        if len(a) < 2 or len(b) < 2 or a[-1] != b[-2]:
            raise ValueError(
                f"MatMul: inputs must be matrices (..., M, K) and (..., K, N), got {a}, {b}."
            )
        rank = max(len(a), len(b)) - 2
        fronts = [(1,) * (rank + 2 - len(shape)) + shape[:-2] for shape in (a, b)]
        if any(1 not in (i, j) and i != j for i, j in zip(*fronts, strict=True)):
            raise ValueError(
                f"MatMul: axes before the last two must be the same or 1, got {a}, {b}."
            )
        out = (*(max(sides) for sides in zip(*fronts, strict=True)), a[-2], b[-1])
        shapes.check_product(out, "input shapes", (a, b), self.owner)
        return out

    def bind(self, slots: Slots) -> Op:
        return MatMulOp(slots)


class MatMulOp(Op):
    """y = a b, da = dy b^T, db = a^T dy, sample by sample."""

    uses_blas = True

    def __init__(self, slots):
        self.slots = slots

    def forward(self, n):
        a, b = self.slots.xs
        for i in range(n):
            self.slots.y[i] = np.matmul(a[i], b[i])

    def backward(self, n):
        (a, b), dy = self.slots.xs, self.slots.dy
        da, db = self.slots.dxs
        for i in range(n):
            if da is not None:
                da[i] = self._sum_to(da[i].shape, np.matmul(dy[i], b[i].swapaxes(-1, -2)))
            if db is not None:
                db[i] = self._sum_to(db[i].shape, np.matmul(a[i].swapaxes(-1, -2), dy[i]))

    @staticmethod
    def _sum_to(shape, terms):
        """Return the sums over the axes along which an input was spread."""
        terms = terms.sum(axis=tuple(range(terms.ndim - len(shape))))
        axes = tuple(k for k, side in enumerate(shape) if side == 1 and terms.shape[k] > 1)
        return terms.sum(axis=axes, keepdims=True)


class Concat(_Merge):
    """Concatenation of arrays along the channels.

    Parameters
    ----------
    branches : list of Layer, list of layers or None, default=None
        Branches, which read the input of this layer; None in the functional form.

    Raises
    ------
    ValueError, TypeError
        By `output_shape`, if the shapes of the inputs do not fit together, or `branches` is no list
        of at least two.

    Examples
    --------
    >>> from cnnkit import Concat, Conv, Conv1x1
    >>> Concat([Conv1x1(64), Conv(64, 3)]).output_shape((4, 4, 16))
    (4, 4, 128)
    """

    def merged_shape(self, *input_shapes: Shape) -> Shape:
        if len({shape[:-1] for shape in input_shapes}) != 1:
            raise ValueError(
                f"Concat: inputs must have one shape but for their channels, got {input_shapes}."
            )
        return (*input_shapes[0][:-1], sum(shape[-1] for shape in input_shapes))

    def bind(self, slots: Slots) -> Op:
        return ConcatOp(slots)


class ConcatOp(Op):
    """Every input is a slice of y's channels, and its gradient the same slice of dy.

    Inputs that were written into y directly need no copy, nor do their gradients.
    """

    def __init__(self, slots):
        self.slots = slots
        edges = np.cumsum([0] + [x.shape[-1] for x in slots.xs])
        self.slices = [slice(a, b) for a, b in pairwise(edges)]

    def forward(self, n):
        for x, part in zip(self.slots.xs, self.slices, strict=True):
            if not np.may_share_memory(x, self.slots.y):
                self.slots.y[:n, ..., part] = x[:n]

    def backward(self, n):
        for dx, part in zip(self.slots.dxs, self.slices, strict=True):
            if dx is not None and not np.may_share_memory(dx, self.slots.dy):
                dx[:n] = self.slots.dy[:n, ..., part]
