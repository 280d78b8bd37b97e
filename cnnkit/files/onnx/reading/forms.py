"""Operators that change the form of arrays, and how constants are computed beforehand."""

from dataclasses import replace
from math import prod

import numpy as np

from cnnkit.files.onnx.reading import tensors
from cnnkit.files.onnx.reading.building import FLOATS, MOST, SMALL_INTS, UnsupportedError
from cnnkit.files.onnx.reading.layout import Axis, Value
from cnnkit.files.onnx.reading.table import operator
from cnnkit.files.onnx.reading.windows import sliced
from cnnkit.layers import Concat
from cnnkit.validate.values import short

ANY = (*FLOATS, *SMALL_INTS)
MOST_SPREAD = 1 << 31  # numbers of a constant that is one number


def folded(op):
    """Return the outputs of an operator all of whose inputs are constants, as arrays."""
    function = FOLDS.get(op.kind)
    if function is None:
        raise UnsupportedError(
            "a constant must be computed by an operator of the list, got another"
        )
    sizes = [array.nbytes for array in op.inputs if array is not None]
    if op.kind not in VIEWS and sum(sizes) > MOST:
        raise UnsupportedError(
            f"constants to compute with must take at most {MOST} bytes, got {sizes}"
        )
    try:
        with np.errstate(all="ignore"):
            found = function(op)
    except (ValueError, TypeError, IndexError, OverflowError, AttributeError) as error:
        if isinstance(error, UnsupportedError):
            raise
        raise UnsupportedError(f"constants must fit the operator, got: {error}") from None
    if not any(np.may_share_memory(found, array) for array in op.inputs if array is not None):
        op.budget.spend(0 if op.kind in VIEWS else found.nbytes)
    return [found]


def _check(shape):
    """Return the shape of a constant that is to be made; raise if that takes much memory."""
    if prod(shape) * 8 > MOST:
        raise UnsupportedError(f"a constant must take at most {MOST} bytes, got shape {shape}")
    return shape


def _constant(op):
    for name, value in op.attributes.items():
        op.used.add(name)
        if name == "value" and value is not None:
            return tensors.array(value)
        if name in ("value_int", "value_ints"):
            return np.array(value, np.int64)
        if name in ("value_float", "value_floats"):
            return np.array(value, np.float32)
    raise UnsupportedError(f"value must be a tensor, an int or a float, got {list(op.attributes)}")


def _filled(op):
    """Return one number in a shape of any size: it is there once."""
    shape = [int(side) for side in op.inputs[0].reshape(-1)]
    value = op.get("value")
    value = np.zeros(1, np.float32) if value is None else tensors.array(value)
    if min(shape, default=1) < 0 or prod(shape) > MOST_SPREAD or value.size != 1:
        raise UnsupportedError(f"a constant must have sizes of at least 0, got {short(shape)}")
    return np.broadcast_to(value.reshape(()), shape)


def _expanded(op):
    shape = [int(side) for side in op.inputs[1].reshape(-1)]
    found = np.broadcast_shapes(op.inputs[0].shape, tuple(shape))
    if prod(found) > (MOST_SPREAD if op.inputs[0].size == 1 else MOST // 8):
        raise UnsupportedError(f"a constant must be smaller, got shape {found}")
    return np.broadcast_to(op.inputs[0], found)


def _cast(op):
    dtype = tensors.DTYPES.get(op.get("to"))
    if dtype is None:
        raise UnsupportedError(f"to must be a type of real numbers, got {short(op.get('to'))}")
    op.get("saturate"), op.get("round_mode")
    return op.inputs[0].astype(dtype, copy=False)


def _range(op):
    start, stop, step = (int(array.reshape(-1)[0]) for array in op.inputs)
    _check((len(range(start, stop, step)),))
    return np.arange(start, stop, step, op.inputs[0].dtype)


def _gather(op):
    array, where = op.inputs
    axis = op.get("axis", 0)
    _check((*array.shape[:axis], *where.shape, *array.shape[axis:][1:]))
    return np.take(array, where, axis=axis)


def _reshape(op):
    sizes = [int(side) for side in op.inputs[1].reshape(-1)]
    zero = op.get("allowzero", 0)
    shape = op.inputs[0].shape
    sizes = [shape[i] if not s and not zero else s for i, s in enumerate(sizes)]
    return _reshaped(op, sizes)


def _reshaped(op, sizes):
    """Return a constant in another shape; where that is a copy, it must be small."""
    array = op.inputs[0]
    if not array.flags.c_contiguous and any(array.strides):
        _check(array.shape)
        op.budget.spend(array.nbytes)
    return array.reshape(sizes)


def _slice(op):
    array = op.inputs[0]
    starts, stops, axes, steps = slice_terms(op, array.ndim)
    index = [slice(None)] * array.ndim
    for start, stop, axis, step in zip(starts, stops, axes, steps, strict=True):
        index[axis] = slice(*ends(start, stop, step, array.shape[axis]), step)
    return array[tuple(index)]


def _joined(op):
    _check((sum(array.size for array in op.inputs),))
    return np.concatenate(op.inputs, axis=op.get("axis"))


def _divided(op):
    a, b = op.inputs
    _check(np.broadcast_shapes(a.shape, b.shape))
    return (np.trunc(a / b) if a.dtype.kind in "iu" else a / b).astype(a.dtype)


def _by_number(function):
    """Return what computes a constant number by number."""

    def compute(op):
        _check(np.broadcast_shapes(*(array.shape for array in op.inputs)))
        return np.asarray(function(*op.inputs))

    return compute


def _axes(op, place):
    axes = op.get("axes")
    return op.ints(place, "axes") if axes is None else axes


def _squeezed(op):
    axes = _axes(op, 1)
    return np.squeeze(op.inputs[0], None if axes is None else tuple(axes))


FOLDS = {
    "Constant": _constant,
    "ConstantOfShape": _filled,
    "Expand": _expanded,
    "Cast": _cast,
    "Range": _range,
    "Gather": _gather,
    "Reshape": _reshape,
    "Flatten": lambda op: _reshaped(op, [prod(op.inputs[0].shape[: op.get("axis", 1)]), -1]),
    "Slice": _slice,
    "Concat": _joined,
    "Div": _divided,
    "Squeeze": _squeezed,
    "Unsqueeze": lambda op: np.expand_dims(op.inputs[0], tuple(_axes(op, 1))),
    "Transpose": lambda op: np.transpose(op.inputs[0], op.get("perm")),
    "Shape": lambda op: np.array(op.inputs[0].shape, np.int64)[op.get("start", 0) : op.get("end")],
    "Size": lambda op: np.array(op.inputs[0].size, np.int64),
    "Identity": lambda op: op.inputs[0],
    "Where": _by_number(np.where),
    "ReduceProd": lambda op: np.prod(
        op.inputs[0],
        axis=None if _axes(op, 1) is None else tuple(_axes(op, 1)),
        keepdims=bool(op.get("keepdims", 1)),
    ),
    **{
        kind: _by_number(function)
        for kind, function in {
            "Add": np.add,
            "Sub": np.subtract,
            "Mul": np.multiply,
            "Max": np.maximum,
            "Min": np.minimum,
            "Neg": np.negative,
            "Abs": np.abs,
            "Sqrt": np.sqrt,
            "Exp": np.exp,
            "Floor": np.floor,
            "Ceil": np.ceil,
            "Equal": np.equal,
            "Greater": np.greater,
            "Less": np.less,
            "Not": np.logical_not,
        }.items()
    },
}
VIEWS = ("Constant", "ConstantOfShape", "Expand", "Squeeze", "Unsqueeze", "Transpose", "Shape",
         "Size", "Identity", "Reshape", "Slice", "Flatten")  # fmt: skip


def shape_of(build, op):
    """Return the shape of a value as a constant, the batch as the builder has it."""
    x = op.inputs[0]
    front = [build.batch] if build.batched else []
    found = np.array([*front, *x.sizes], np.int64)
    return found[op.get("start", 0) : op.get("end")]


@operator("Identity")
def identity(build, op):
    return op.value(kinds=ANY)


@operator("Reshape")
def reshape(build, op):
    x = op.value(kinds=ANY)
    sizes = op.ints(1, "shape") if op.version >= 5 else op.get("shape")
    zero = op.must("allowzero", (0, 1), 0)
    front = [build.batch] if build.batched else []
    before = [*front, *x.sizes]
    if sizes is None or sizes.count(-1) > 1 or min(sizes, default=0) < -1 or len(sizes) > 16:
        raise UnsupportedError(f"shape must be sizes, one of them -1 at most, got {short(sizes)}")
    if not zero:
        sizes = [before[i] if s == 0 and i < len(before) else s for i, s in enumerate(sizes)]
    known = prod(s for s in sizes if s != -1)
    if -1 in sizes and known > 0 and prod(before) % known == 0:
        sizes[sizes.index(-1)] = prod(before) // known
    if prod(sizes) != prod(before) or 0 in sizes or -1 in sizes:
        raise UnsupportedError(f"shape must hold the numbers of {before}, got {short(sizes)}")
    return build.resized(op, x, inner(build, sizes))


def inner(build, sizes):
    """Return sizes without that of the batch, which must be the first."""
    if build.batched and (not sizes or sizes[0] != build.batch):
        raise UnsupportedError(f"the batch must stay the first axis, got shape {short(sizes)}")
    return list(sizes[build.batched :])


@operator("Flatten")
def flatten(build, op):
    x = op.value(kinds=ANY)
    before = [*([build.batch] if build.batched else []), *x.sizes]
    axis = op.get("axis", 1)
    if not -len(before) <= axis <= len(before):
        raise UnsupportedError(f"axis must be of {len(before)}, got {axis}")
    axis = axis + len(before) if axis < 0 else axis
    return build.resized(op, x, inner(build, [prod(before[:axis]), prod(before[axis:])]))


@operator("Squeeze")
def squeeze(build, op):
    x, axes = op.value(kinds=ANY), _axes(op, 1)
    if axes is None:
        axes = [k + build.batched for k, size in enumerate(x.sizes) if size == 1]
    gone = {build.axis(x, axis) for axis in axes}
    if any(x.sizes[side] != 1 for side in gone):
        raise UnsupportedError(f"axes must be of size 1, got {axes} of {x.sizes}")
    return x.with_dims([dim for side, dim in enumerate(x.dims) if side not in gone])


@operator("Unsqueeze")
def unsqueeze(build, op):
    x, axes = op.value(kinds=ANY), _axes(op, 1)
    rank = len(x.dims) + build.batched + len(axes or ())
    if not axes or not all(-rank <= axis < rank for axis in axes) or rank > 16:
        raise UnsupportedError(f"axes must be of {rank}, got {short(axes)}")
    places = sorted({axis % rank - build.batched for axis in axes})
    if places[0] < 0 or len(places) < len(axes):
        raise UnsupportedError(f"axes must be others than that of the batch, got {axes}")
    dims = list(x.dims)
    for place in places:
        dims.insert(place, ())
    return x.with_dims(dims)


@operator("Transpose")
def transpose(build, op):
    x = op.value(kinds=ANY)
    rank = len(x.dims) + build.batched
    order = op.get("perm", list(range(rank))[::-1])
    if not isinstance(order, list) or sorted(order) != list(range(rank)):
        raise UnsupportedError(f"perm must hold each of {rank} axes once, got {short(order)}")
    if build.batched and order[0] != 0:
        raise UnsupportedError(f"perm must leave the batch where it is, got {order}")
    return x.with_dims(x.dims[axis - build.batched] for axis in order[build.batched :])


@operator("Concat")
def concat(build, op):
    values = [op.value(i, ANY) for i in range(len(op.inputs))]
    axis = build.axis(values[0], op.get("axis", 1))
    if len(values) == 1:
        return values[0]
    first = values[0]
    if len({len(v.dims) for v in values}) > 1:
        raise UnsupportedError(f"inputs must have as many axes, got {[v.sizes for v in values]}")
    rest_dims = [dim for side, dim in enumerate(first.dims) if side != axis]
    order = [a for a in first.order if a not in first.dims[axis]]
    parts = []
    for value in values:
        front = [value.dims[side] for side in range(len(value.dims)) if side != axis]
        groups = _like(front, rest_dims, order)
        if groups is None:
            return _plain_concat(build, op, values, axis)
        parts.append(build.arranged(op, value, [*groups, *value.dims[axis]]))
    shape = _front_shape(first, order, axis)
    parts = [build.reshaped(op, v, (*shape, v.sizes[axis])) for v in parts]
    node, shape = build.emit(op.name, Concat(), parts)
    new = (Axis(shape[-1]),) if shape[-1] != 1 else ()
    dims = tuple(new if side == axis else dim for side, dim in enumerate(first.dims))
    return Value(node, shape, dims, (*order, *new), first.kind)


def _like(dims, wanted, order):
    """Return the axes of `dims` in the order that `wanted`'s have, or None where sizes differ."""
    pairs = {}
    for dim, other in zip(dims, wanted, strict=True):
        if [a.size for a in dim] != [a.size for a in other]:
            return None
        pairs |= dict(zip(other, dim, strict=True))
    return [pairs[axis] for axis in order]


def _front_shape(value, order, axis):
    """Return the shape, without the last side, that arrays to join have: as it is, or one side."""
    if value.shape[-1] == value.sizes[axis] and value.order[: len(order)] == tuple(order):
        return value.shape[:-1]
    return (prod(a.size for a in order),) if order else ()


def _plain_concat(build, op, values, axis):
    """Join arrays whose sides are made of different axes: first each side becomes one axis."""
    values = [build.plain(op, value) for value in values]
    if len({v.sizes[:axis] + v.sizes[axis + 1 :] for v in values}) > 1:
        raise UnsupportedError(
            f"inputs must differ along one axis, got {[v.sizes for v in values]}"
        )
    return concat(build, replace(op, inputs=values))


@operator("Split")
def split(build, op):
    x = op.value(kinds=ANY)
    side = build.axis(x, op.get("axis", 0))
    parts = op.get("split")
    parts = op.ints(1, "split") if parts is None else parts
    size, count = x.sizes[side], op.get("num_outputs", len(op.outputs))
    if parts is None:
        each = -(-size // max(1, count))
        parts = [min(each, size - k * each) for k in range(count)]
    if sum(parts) != size or min(parts, default=0) < 1 or len(parts) != len(op.outputs):
        raise UnsupportedError(f"split must cut {size} in {len(op.outputs)}, got {short(parts)}")
    ends_ = np.cumsum([0, *parts]).tolist()
    return [
        sliced(build, op, x, side, ends_[k], ends_[k + 1], 1) if op.outputs[k] else None
        for k in range(len(parts))
    ]


def slice_terms(op, rank):
    """Return starts, stops, axes from 0 and steps of a Slice."""
    if op.version < 10:
        starts, stops, axes, steps = op.get("starts"), op.get("ends"), op.get("axes"), None
    else:
        found = [op.ints(i, name) for i, name in enumerate(("starts", "ends", "axes", "steps"), 1)]
        starts, stops, axes, steps = found
    if not starts or not stops:
        raise UnsupportedError(f"starts and ends must be ints, got {starts} and {stops}")
    axes = list(range(len(starts))) if axes is None else axes
    steps = [1] * len(starts) if steps is None else steps
    if not len(starts) == len(stops) == len(axes) == len(steps) or 0 in steps:
        raise UnsupportedError(
            "starts, ends, axes and steps must be as many, steps not 0, got others"
        )
    if not all(-rank <= axis < rank for axis in axes):
        raise UnsupportedError(f"axes must be of {rank}, got {axes}")
    return starts, stops, [axis % rank for axis in axes], steps


def ends(start, stop, step, size):
    """Return start and stop of a Python slice; ONNX has none for "to the end"."""
    start, stop, _ = slice(start, stop, step).indices(size)
    return start, None if stop < 0 else stop


@operator("Slice")
def slice_(build, op):
    x = op.value(kinds=ANY)
    for start, stop, axis, step in zip(*slice_terms(op, len(x.dims) + build.batched), strict=True):
        if axis < build.batched and start == 0 and stop >= (1 << 31) - 1 and step == 1:
            continue
        side = build.axis(x, axis)
        size = x.sizes[side]
        start, stop = ends(start, stop, step, size)
        if range(size)[start:stop:step] != range(size):
            x = sliced(build, op, x, side, start, stop, step)
    return x


@operator("Gather")
def gather(build, op):
    """Return one entry of a side, or a range of them."""
    x, where = op.value(kinds=ANY), op.constant(1, "indices")
    side = build.axis(x, op.get("axis", 0))
    if where.size != 1 or where.ndim > 1 or where.dtype.kind not in "iu":
        raise UnsupportedError(f"indices must be one int, got shape {where.shape}")
    place, size = int(where.reshape(-1)[0]), x.sizes[side]
    if not -size <= place < size:
        raise UnsupportedError(f"indices must be of {size}, got {place}")
    x = sliced(build, op, x, side, place % size, place % size + 1, 1) if size > 1 else x
    if where.ndim:
        return x
    return x.with_dims(dim for k, dim in enumerate(x.dims) if k != side)


@operator("DepthToSpace", "SpaceToDepth")
def blocks(build, op):
    """Cut sides into axes, and join them anew: see `layout`."""
    x, size = op.value(), op.get("blocksize", 0)
    channels, sides = build.spatial(x)
    if len(sides) != 2 or not isinstance(size, int) or size < 1:
        raise UnsupportedError(f"blocksize must be positive for images, got {short(size)}")
    (C, H, W), front = x.sizes[channels:], x.sizes[:channels]
    if op.kind == "SpaceToDepth":
        if H % size or W % size:
            raise UnsupportedError(f"blocksize must divide the sides {(H, W)}, got {size}")
        x = build.resized(op, x, [*front, C, H // size, size, W // size, size])
        *first, c, h, a, w, b = x.dims
        return x.with_dims([*first, a + b + c, h, w])
    mode = bytes(op.must("mode", (b"DCR", b"CRD"), b"DCR"))
    if C % size**2:
        raise UnsupportedError(f"blocksize**2 must divide the {C} channels, got {size}")
    deep = [size, size, C // size**2] if mode == b"DCR" else [C // size**2, size, size]
    x = build.resized(op, x, [*front, *deep, H, W])
    *first, p, q, r, h, w = x.dims
    a, b, c = (p, q, r) if mode == b"DCR" else (q, r, p)
    return x.with_dims([*first, c, h + a, w + b])


@operator("Expand")
def expand(build, op):
    x, sizes = op.value(), op.ints(1, "shape")
    before = [*([build.batch] if build.batched else []), *x.sizes]
    if sizes is None or len(sizes) > len(before):
        raise UnsupportedError(
            f"shape must have at most as many sides as {before}, got {short(sizes)}"
        )
    sizes = [1] * (len(before) - len(sizes)) + sizes
    if any(new not in (1, old) for new, old in zip(sizes, before, strict=True)):
        raise UnsupportedError(f"shape must leave {before} as it is, got {sizes}")
    return x
