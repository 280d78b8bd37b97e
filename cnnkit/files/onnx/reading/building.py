"""A graph of layers in the making, and how values get the form that a layer wants."""

from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from math import prod

import numpy as np

from cnnkit.files.onnx.reading.layout import Axis, Value, axes_of, matched, regrouped
from cnnkit.files.onnx.reading.tensors import NAMES
from cnnkit.layers import Affine, Conv, Dense, Flatten, GroupNorm, Permute, Reshape
from cnnkit.validate.values import short

MOST_LAYERS = 4_000  # as in a file of cnnkit's own
FLOATS = (1, 10, 11)
SMALL_INTS = (2, 3, 4, 5, 6, 12)  # exact in float32, those of 32 bits in float64
WIDE = (6, 11, 12)  # what makes a network of float64
MOST = 4 << 20  # bytes of a constant that is computed with, or made
MOST_MADE = 32 << 20  # bytes of all that are made, besides those of the file
LONGEST = 100  # characters of a node's name
ANY_BATCH = 1_000_003  # stands for the size of a batch in shapes: a prime, so that no product is it


class UnsupportedError(ValueError):
    """What an operator of the file asks for has no layer."""


class Budget:
    """How many bytes of constants may still be made.

    One that is a view of the file's bytes, or one number spread over a shape, takes none.
    """

    def __init__(self, nbytes):
        self.left = nbytes

    def spend(self, nbytes):
        self.left -= nbytes
        if self.left < 0:
            raise UnsupportedError("constants that are made must take less memory, got too much")

    @contextmanager
    def lent(self, nbytes):
        """Return a context in which so many bytes more are in use."""
        self.spend(nbytes)
        yield
        self.left += nbytes


def is_spread(array):
    """Say whether one number of an array is there for many."""
    return array.nbytes > MOST and 0 in array.strides


@dataclass
class Operator:
    """A node of the file, with what it reads: `Value`, a constant array, or None."""

    name: str
    kind: str
    version: int
    attributes: dict
    inputs: list
    outputs: list
    budget: Budget
    alone: bool = False  # whether nothing else reads what it reads
    used: set = field(default_factory=set)

    def get(self, name, default=None):
        """Return an attribute, and take note that it is dealt with."""
        self.used.add(name)
        value = self.attributes.get(name, default)
        return default if value is None else value

    def must(self, name, allowed, default):
        """Raise unless an attribute has the one value, or one of a tuple, that is supported."""
        value = self.get(name, default)
        if value not in (allowed if isinstance(allowed, tuple) else (allowed,)):
            raise UnsupportedError(f"{name} must be {allowed!r}, got {short(value)}")
        return value

    def input(self, place):
        return self.inputs[place] if place < len(self.inputs) else None

    def constant(self, place, what, spread=False):
        """Return an input that must be a constant, as an array; None where there is none.

        Only with `spread` it may be one number for very many.
        """
        found = self.input(place)
        if isinstance(found, Value):
            raise UnsupportedError(f"{what} must be a constant, got the output of {found.node!r}")
        if found is not None and is_spread(found) and not spread:
            raise UnsupportedError(
                f"{what} must take at most {MOST} bytes where it is one number spread, got shape "
                f"{found.shape}"
            )
        return found

    def computed(self, array):
        """Return an array as float64, to compute with."""
        if array.size * 8 > MOST:
            raise UnsupportedError(
                f"constants to compute with must have at most {MOST // 8} numbers, got {array.size}"
            )
        self.budget.spend(2 * array.size * 8)
        return array.astype(np.float64)

    def ints(self, place, what, default=None):
        """Return an input as a list of ints."""
        found = self.constant(place, what)
        if found is None:
            return default
        if found.dtype.kind not in "iu" or found.ndim > 1 or found.size > 64:
            raise UnsupportedError(
                f"{what} must be a list of ints, got {found.dtype} {found.shape}"
            )
        return [int(number) for number in found.reshape(-1)]

    def value(self, place=0, kinds=FLOATS):
        """Return an input that must be an array of the network."""
        found = self.input(place)
        if not isinstance(found, Value):
            raise UnsupportedError(f"input {place} must depend on the data, got a constant or none")
        if found.kind not in kinds:
            raise UnsupportedError(
                f"input {place} must be of real numbers, got {NAMES[found.kind]}"
            )
        return found


class Builder:
    """Nodes, and weights by path, of the graph that is made.

    Parameters
    ----------
    batch : int or None
        How many samples the file says that an array has: a number that stands for any where it
        does not say. None where its arrays are one sample, without an axis for the batch.
    taken : set of str
        Names that nodes must not have.
    """

    def __init__(self, batch, taken):
        self.batch = batch
        self.nodes = []
        self.weights = {}
        self.moves = 0  # how many Permutes there are
        self._taken = set(taken)
        self._counts = {}  # of names that were wanted before

    @property
    def batched(self):
        return self.batch is not None

    def emit(self, name, layer, values, weights=None):
        """Add a layer that reads values; return its name and the shape of its output."""
        if len(self.nodes) >= MOST_LAYERS:
            raise UnsupportedError(f"a network must have at most {MOST_LAYERS} layers, got more")
        shapes = [value.shape for value in values]
        shape = layer.output_shape(*shapes)
        specs = layer.weight_specs(*shapes)
        weights = weights or {}
        for key, spec in specs.items():
            if weights[key].shape != spec.shape:
                raise UnsupportedError(
                    f"weights must have shape {spec.shape}, got {weights[key].shape}"
                )
        name = self.unique(name)
        self.nodes.append((name, layer, tuple(value.node for value in values)))
        self.weights |= {f"{name}/{key}": weights[key] for key in specs}
        self.moves += isinstance(layer, Permute)
        return name, tuple(shape)

    def unique(self, name):
        """Return a name that no node has, without a slash, which separates levels of a path."""
        name = name.strip("/").replace("/", ".").replace("__", "_")[-LONGEST:].strip("_") or "node"
        if name == "input":
            name = "input_"
        stem, count = name, self._counts.get(name, 1)
        while name in self._taken:
            count += 1
            name = f"{stem}_{count}"
        self._counts[stem] = count
        self._taken.add(name)
        return name

    def axis(self, value, axis):
        """Return which of `dims` an axis of the ONNX shape is."""
        rank = len(value.dims) + self.batched
        if not isinstance(axis, int) or not -rank <= axis < rank:
            raise UnsupportedError(f"axis must be one of {rank}, got {short(axis)}")
        axis = axis % rank - self.batched
        if axis < 0:
            raise UnsupportedError("axis must not be that of the batch, got 0")
        return axis

    def same(self, op, layer, value):
        """Add a layer that works number by number."""
        node, shape = self.emit(op.name, layer, [value])
        return replace(value, node=node, shape=shape)

    def arranged(self, op, value, order):
        """Return a value whose axes lie in the order given; a `Permute` only where they do not."""
        order = tuple(order)
        if order == value.order:
            return value
        runs = _runs(value.order, order)
        value = self.reshaped(op, value, [prod(axis.size for axis in run) for run in runs])
        wanted = sorted(range(len(runs)), key=lambda i: order.index(runs[i][0]))
        node, shape = self.emit(f"{op.name}.order", Permute(tuple(wanted)), [value])
        return replace(value, node=node, shape=shape, order=order)

    def reshaped(self, op, value, shape):
        """Return a value whose node gives an array of the shape; the order stays."""
        shape = tuple(shape) or (1,)
        if value.shape == shape:
            return value
        layer = Flatten() if len(shape) == 1 else Reshape(shape)
        node, shape = self.emit(f"{op.name}.shape", layer, [value])
        return replace(value, node=node, shape=shape)

    def grouped(self, op, value, groups):
        """Return a value of which the node gives an array with one side for each group of axes."""
        value = self.arranged(op, value, [axis for group in groups for axis in group])
        return self.reshaped(op, value, [prod(axis.size for axis in group) for group in groups])

    def plain(self, op, value):
        """Return a value that lies here as in ONNX, each of its sides one axis."""
        value = self.arranged(op, value, [axis for dim in value.dims for axis in dim])
        dims, order = axes_of(value.sizes)
        return replace(value, dims=dims, order=order)

    def resized(self, op, value, sizes):
        """Return a value with another ONNX shape of as many numbers: a Reshape of ONNX."""
        found = regrouped(value, sizes)
        if found is None:
            dims, order = axes_of(sizes)
            found = replace(self.plain(op, value), dims=dims, order=order)
        return found

    def spatial(self, value):
        """Return which of `dims` are the channels, and which are behind them, of (N, C, ...)."""
        channels = 0 if self.batched else 1
        if len(value.dims) < channels + 2 or (channels and value.dims[0]):
            sizes = (1,) * self.batched + value.sizes
            raise UnsupportedError(f"input must be (N, C, ...) with samples N, got shape {sizes}")
        return channels, list(range(channels + 1, len(value.dims)))

    def over_images(self, op, value, layer, sides, weights=None, channels=None):
        """Add a layer of images whose rows and columns are one or two `sides` of a value.

        All other axes are its channels; those of the output become one new side, where the number
        of that side, `channels`, is given.
        """
        groups = [value.dims[side] for side in sides]
        inside = {axis for group in groups for axis in group}
        others = [axis for axis in value.order if axis not in inside]
        if channels is not None:
            others = list(value.dims[channels])
        line = [()] if len(groups) == 1 else []
        value = self.grouped(op, value, [*line, *groups, others])
        node, shape = self.emit(op.name, layer, [value], weights)
        dims = list(value.dims)
        order = []
        for side, size in zip(sides, shape[-1 - len(sides) : -1], strict=True):
            dims[side] = (Axis(size),) if size != 1 else ()
            order += dims[side]
        if channels is not None:
            others = dims[channels] = (Axis(shape[-1]),) if shape[-1] != 1 else ()
        return Value(node, shape, tuple(dims), (*order, *others), value.kind)

    def pair(self, op, a, b):
        """Return two values spread over one another as NumPy does, the first the whole.

        Both have the same ONNX rank, and the second lies as the first does.
        """
        if len(a.dims) != len(b.dims):
            if self.batched:
                raise UnsupportedError(
                    f"inputs that depend on the data must have as many axes, got shapes of "
                    f"{len(a.dims) + 1} and {len(b.dims) + 1}"
                )
            rank = max(len(a.dims), len(b.dims))
            a, b = (v.with_dims(((),) * (rank - len(v.dims)) + v.dims) for v in (a, b))
        found = matched(a, b)
        if found is None:
            a, b = self.plain(op, a), self.plain(op, b)
            found = matched(a, b)
        if found is None:
            raise UnsupportedError(f"inputs must fit one another, got shapes {a.sizes}, {b.sizes}")
        a, b = found
        if not set(b.order) <= set(a.order):
            a, b = b, a
        if not set(b.order) <= set(a.order):
            raise UnsupportedError(f"one input must be as large as both, got {a.sizes}, {b.sizes}")
        return a, b

    def merged(self, op, layer, a, b):
        """Add a layer that reads two values number by number, one spread over the other's pixels.

        The axes that both have come last; there, a (C,) is spread by the layer.
        """
        a, b = self.pair(op, a, b)
        shared = [axis for axis in a.order if axis in b.order]
        if len(shared) == len(a.order):
            b = self.arranged(op, b, a.order)
            b = self.reshaped(op, b, a.shape)
        else:
            b = self.arranged(op, b, shared)
            rest = [axis for axis in a.order if axis not in b.order]
            a = self.arranged(op, a, rest + shared)
            last = prod(axis.size for axis in shared)
            if a.shape[-1] != last or len(a.shape) < 2:
                a = self.reshaped(op, a, (prod(axis.size for axis in rest), last))
            b = self.reshaped(op, b, (last,))
        node, shape = self.emit(op.name, layer, [a, b])
        return replace(a, node=node, shape=shape)

    def scaled(self, op, value, scale=None, shift=None):
        """Add a `Affine` by constants of the ONNX shape of a sample, or that spread over it."""
        given = {"scale": scale, "shift": shift}
        given = {key: array for key, array in given.items() if array is not None}
        rank = len(value.dims)
        arrays = {}
        for key, array in given.items():
            front = array.shape[: max(0, array.ndim - rank)]
            if prod(front) != 1 or array.size > value.numbers:
                raise UnsupportedError(
                    f"a constant must be spread over each sample, {value.sizes}, got shape "
                    f"{array.shape}"
                )
            array = array.reshape(array.shape[len(front) :])
            array = array.reshape((1,) * (rank - array.ndim) + array.shape)
            if any(s not in (1, size) for s, size in zip(array.shape, value.sizes, strict=True)):
                raise UnsupportedError(
                    f"a constant must fit a sample, {value.sizes}, got shape {array.shape}"
                )
            arrays[key] = array
        differing = [
            any(array.shape[side] > 1 for array in arrays.values()) for side in range(rank)
        ]
        axes = {axis for side in range(rank) if differing[side] for axis in value.dims[side]}
        value, groups = self._apart(op, value, axes)
        places = tuple(i for i, group in enumerate(groups) if group and group[0] in axes)
        places = (-1,) if places == (len(groups) - 1,) else places
        if self._joined(op, value, places, {k: value.in_order(a) for k, a in arrays.items()}):
            return value
        layer = Affine(places, scale="scale" in arrays, shift="shift" in arrays, trained=False)
        wanted = {key: spec.shape for key, spec in layer.weight_specs(value.shape).items()}
        weights = {
            key: self.laid_out(op, _spread(value.in_order(array), value.order, axes), wanted[key])
            for key, array in arrays.items()
        }
        node, shape = self.emit(op.name, layer, [value], weights)
        return replace(value, node=node, shape=shape)

    def laid_out(self, op, array, shape):
        """Return a constant in another shape; where that is a copy, it is counted."""
        if not is_spread(array):
            op.budget.spend(0 if array.flags.c_contiguous else array.nbytes)
        return array.reshape(shape)

    def _joined(self, op, value, places, arrays):
        """Say whether constants became part of the layer before.

        A shift becomes the bias of a convolution or dense layer, or the shift of an `Affine`; both
        become weights of a `GroupNorm`.
        """
        name, layer, inputs = self.nodes[-1] if self.nodes else ("", None, ())
        if name != value.node or not op.alone:
            return False
        if isinstance(layer, GroupNorm) and places in ((-1,), ()):
            return self._scaled_norm(name, value, arrays)
        if list(arrays) != ["shift"]:
            return False
        if isinstance(layer, (Conv, Dense)) and not layer.bias and places in ((-1,), ()):
            weights = {"b": np.broadcast_to(arrays["shift"].reshape(-1), value.shape[-1:])}
            layer = layer.with_params(bias=True)
        elif isinstance(layer, Affine) and not layer.shift and layer.axes == places:
            shape = self.weights[f"{name}/scale"].shape
            weights = {"shift": arrays["shift"].reshape(shape)}
            layer = layer.with_params(shift=True)
        else:
            return False
        self.nodes[-1] = (name, layer, inputs)
        self.weights |= {f"{name}/{key}": array for key, array in weights.items()}
        return True

    def _scaled_norm(self, name, value, arrays):
        """Put constants into the weights of a normalisation; say whether they fit."""
        sizes = {1, value.shape[-1]}
        if any(a.size not in sizes or a.dtype.kind != "f" for a in arrays.values()):
            return False
        gamma, beta = (self.weights[f"{name}/{key}"] for key in ("gamma", "beta"))
        with np.errstate(all="ignore"):  # what is not finite then is refused later
            if "scale" in arrays:
                gamma, beta = (a * arrays["scale"].reshape(-1) for a in (gamma, beta))
            if "shift" in arrays:
                beta = beta + arrays["shift"].reshape(-1)
        self.weights |= {f"{name}/gamma": gamma, f"{name}/beta": beta}
        return True

    def _apart(self, op, value, axes):
        """Return a value whose sides have either axes of a set alone or none of them; the sides."""
        groups = _sides(value)
        if groups is None or any(len({a in axes for a in group}) > 1 for group in groups):
            groups = []
            for axis in value.order:
                if groups and (groups[-1][-1] in axes) == (axis in axes):
                    groups[-1].append(axis)
                else:
                    groups.append([axis])
            value = self.reshaped(op, value, [prod(a.size for a in group) for group in groups])
        return value, groups or [[]]


def _spread(array, order, axes):
    """Return a constant that differs along the axes of a set alone, whole on all of them."""
    shape = tuple(axis.size if axis in axes else 1 for axis in order)
    return np.broadcast_to(array, shape)


def _sides(value):
    """Return the axes of every side of a value's array, or None where a side cuts an axis."""
    left, groups = list(value.order), []
    for side in value.shape:
        group = []
        while prod(axis.size for axis in group) < side and left:
            group.append(left.pop(0))
        if prod(axis.size for axis in group) != side:
            return None
        groups.append(group)
    return groups


def _runs(order, wanted):
    """Return the parts of `order` that stay together in the order wanted."""
    runs = []
    for axis in order:
        place = wanted.index(axis)
        if runs and wanted.index(runs[-1][-1]) == place - 1:
            runs[-1].append(axis)
        else:
            runs.append([axis])
    return runs
