"""Where the numbers of an ONNX value lie in ours: axes, and their order in memory.

A value has in ONNX a shape such as (N, C, H, W), and here one such as (H, W, C), the channels last.
Both are made of the same `Axis` objects: `dims` has those of every side in ONNX, `order` has all of
them in the order in which they lie here. So a Transpose of ONNX, or a Reshape that joins or cuts
sides, changes `dims` alone and costs nothing; a flat row of (C, H, W) remembers that it lies here
as (H, W, C), and a matrix that reads it has its rows permuted. Only where an operator wants axes
side by side that are not are numbers moved, by a `Permute`.
"""

from dataclasses import dataclass, replace
from math import prod


class Axis:
    """A side of an array that is never cut, compared by identity."""

    def __init__(self, size):
        self.size = size

    def __repr__(self):
        return f"Axis({self.size})"


@dataclass(frozen=True, eq=False)
class Value:
    """An array of the network that is made: one sample of it, without the axis of the batch.

    Attributes
    ----------
    node : str
        The node of the graph that gives it.
    shape : tuple
        Of one sample of what that node gives.
    dims : tuple of tuple of Axis
        For every side of the ONNX shape; () for a side of 1.
    order : tuple of Axis
        As the numbers lie in memory.
    kind : int
        The data_type of ONNX.
    """

    node: str
    shape: tuple
    dims: tuple
    order: tuple
    kind: int

    @property
    def sizes(self):
        """The shape of one sample in ONNX."""
        return tuple(prod(axis.size for axis in dim) for dim in self.dims)

    @property
    def numbers(self):
        """How many numbers one sample has."""
        return prod(axis.size for axis in self.order)

    def with_dims(self, dims):
        return replace(self, dims=tuple(tuple(dim) for dim in dims))

    def cut(self, axis, parts):
        """Return the same value with an axis as several, the first of them the outermost."""
        dims = tuple(exchange(dim, axis, parts) for dim in self.dims)
        return replace(self, dims=dims, order=exchange(self.order, axis, parts))

    def renamed(self, others):
        """Return the same value with axes that have the names of another's."""
        dims = tuple(tuple(others.get(axis, axis) for axis in dim) for dim in self.dims)
        order = tuple(others.get(axis, axis) for axis in self.order)
        return replace(self, dims=dims, order=order)

    def in_order(self, arrays):
        """Return a constant of this value's ONNX shape, or of sides of 1, as it lies here.

        The array has one side for each axis of `order`.
        """
        sides, axes = [], []
        for dim, side in zip(self.dims, arrays.shape, strict=True):
            axes += dim
            sides += [axis.size for axis in dim] if side > 1 else [1] * len(dim)
        array = arrays.reshape(sides)
        return array.transpose([axes.index(axis) for axis in self.order])


def exchange(axes, axis, parts):
    """Return a tuple of axes with one of them replaced by several."""
    return tuple(found for entry in axes for found in (parts if entry is axis else (entry,)))


def axes_of(sizes):
    """Return new dims for sizes, and all their axes."""
    dims = tuple((Axis(size),) if size != 1 else () for size in sizes)
    return dims, tuple(axis for dim in dims for axis in dim)


def regrouped(value, sizes):
    """Return a value with the ONNX shape `sizes`, or None where its axes do not fit them."""
    left = [axis for dim in value.dims for axis in dim]
    dims = []
    for size in sizes:
        dim = []
        while size > 1:
            if not left:
                return None
            axis = left.pop(0)
            if size % axis.size == 0:
                dim.append(axis)
                size //= axis.size
            elif axis.size % size == 0:
                parts = Axis(size), Axis(axis.size // size)
                value = value.cut(axis, parts)
                dims = [[*exchange(done, axis, parts)] for done in dims]
                dim.append(parts[0])
                left.insert(0, parts[1])
                size = 1
            else:
                return None
        dims.append(dim)
    return None if left else value.with_dims(dims)


def matched(a, b):
    """Return two values of equal ONNX rank whose sides have the same axes, or None.

    A side of 1 in one of them stays without axes.
    """
    for side in range(len(a.dims)):
        if not a.dims[side] or not b.dims[side]:
            continue
        common = _common([x.size for x in a.dims[side]], [x.size for x in b.dims[side]])
        if common is None:
            return None
        a, b = _cut_side(a, side, common), _cut_side(b, side, common)
        b = b.renamed(dict(zip(b.dims[side], a.dims[side], strict=True)))
    return a, b


def _common(one, two):
    """Return sizes that both lists of sizes can be cut into, or None."""
    one, two, found = list(one), list(two), []
    while one and two:
        small = min(one[0], two[0])
        if one[0] % small or two[0] % small:
            return None
        found.append(small)
        for sizes in (one, two):
            sizes[0] //= small
            if sizes[0] == 1:
                sizes.pop(0)
    return None if one or two else found


def _cut_side(value, side, sizes):
    """Return a value with one side of its ONNX shape cut into axes of these sizes."""
    sizes = list(sizes)
    for axis in value.dims[side]:
        parts = []
        while prod(part.size for part in parts) < axis.size:
            parts.append(Axis(sizes.pop(0)))
        if len(parts) > 1:
            value = value.cut(axis, parts)
    return value
