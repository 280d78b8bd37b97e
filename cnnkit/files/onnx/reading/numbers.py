"""Operators that work number by number, and norms, dense layers and products."""

from math import prod

import numpy as np

from cnnkit.files.onnx.reading.building import FLOATS, SMALL_INTS, UnsupportedError, is_spread
from cnnkit.files.onnx.reading.layout import Axis, Value
from cnnkit.files.onnx.reading.rows import Rows
from cnnkit.files.onnx.reading.table import operator
from cnnkit.layers import (
    ELU,
    GELU,
    Add,
    BatchNorm,
    Clip,
    Conv1x1,
    Dense,
    GroupNorm,
    HardSwish,
    Identity,
    LeakyReLU,
    LogSoftmax,
    MatMul,
    Mish,
    Multiply,
    Power,
    PReLU,
    ReLU,
    ReLU6,
    Sigmoid,
    SiLU,
    Softmax,
    Softplus,
    Tanh,
)
from cnnkit.validate.values import short

NUMBERS = (*FLOATS, *SMALL_INTS)


@operator("Relu")
def relu(build, op):
    return build.same(op, ReLU(), op.value())


@operator("Sigmoid")
def sigmoid(build, op):
    return build.same(op, Sigmoid(), op.value())


@operator("Tanh")
def tanh(build, op):
    return build.same(op, Tanh(), op.value())


@operator("HardSwish")
def hard_swish(build, op):
    return build.same(op, HardSwish(), op.value())


@operator("Softplus", "Mish")
def smooth(build, op):
    return build.same(op, (Softplus() if op.kind == "Softplus" else Mish()), op.value())


@operator("Swish")
def swish(build, op):
    op.must("alpha", 1.0, 1.0)
    return build.same(op, SiLU(), op.value())


@operator("Sqrt", "Reciprocal")
def root(build, op):
    return build.same(op, Power(0.5 if op.kind == "Sqrt" else -1.0), op.value())


@operator("Pow")
def power(build, op):
    exponent = op.constant(1, "exponent")
    if exponent.size != 1:
        raise UnsupportedError(f"exponent must be one number, got shape {exponent.shape}")
    return build.same(op, Power(float(exponent.reshape(-1)[0])), op.value())


@operator("LeakyRelu")
def leaky_relu(build, op):
    slope = op.get("alpha", 0.01)
    return build.same(op, LeakyReLU(slope) if slope else ReLU(), op.value())


@operator("PRelu")
def prelu(build, op):
    x, slope = op.value(), op.constant(1, "slope")
    if slope is None:
        raise UnsupportedError("slope must be given, got none")
    if slope.size == 1 and float(slope.reshape(-1)[0]) > 0:
        return build.same(op, LeakyReLU(float(slope.reshape(-1)[0])), x)
    channels, rank = 0 if build.batched else 1, len(x.dims)
    sides = ((1,) * (rank - slope.ndim) + slope.shape)[-rank:]
    others = [size for side, size in enumerate(sides) if side != channels]
    if len(sides) > channels and prod(others) == 1 and slope.size == x.sizes[channels]:
        return by_channel(build, op, x, PReLU(), {"slope": slope.reshape(-1)})
    # x where it is positive, slope x elsewhere: relu(x) - slope relu(-x)
    minus = build.scaled(op, x, scale=np.float64(-1).reshape(()))
    minus = build.scaled(op, build.same(op, ReLU(), minus), scale=-op.computed(slope))
    return build.merged(op, Add(), build.same(op, ReLU(), x), minus)


@operator("Elu")
def elu(build, op):
    return build.same(op, ELU(alpha=op.get("alpha", 1.0)), op.value())


@operator("Selu")
def selu(build, op):
    """SELU is an ELU times a constant, whatever the two constants are."""
    alpha, gamma = op.get("alpha", 1.6732632423543772), op.get("gamma", 1.0507009873554805)
    x = build.same(op, ELU(alpha=alpha), op.value())
    return build.scaled(op, x, scale=np.float64(gamma).reshape(()))


@operator("Gelu")
def gelu(build, op):
    kind = bytes(op.get("approximate", b"none")).decode("latin1")
    return build.same(op, GELU(approximate=kind), op.value())


@operator("HardSigmoid")
def hard_sigmoid(build, op):
    alpha, beta = (
        np.float64(op.get(*given)).reshape(()) for given in (("alpha", 0.2), ("beta", 0.5))
    )
    return build.same(op, Clip(0.0, 1.0), build.scaled(op, op.value(), alpha, beta))


@operator("Clip")
def clip(build, op):
    x = op.value(kinds=NUMBERS)
    if op.version < 11:
        bounds = [op.get("min"), op.get("max")]
    else:
        bounds = [op.constant(1, "min"), op.constant(2, "max")]
    if any(b is not None and np.size(b) != 1 for b in bounds):
        raise UnsupportedError("min and max must be one number each, got more")
    low, high = (None if b is None else float(np.reshape(b, -1)[0]) for b in bounds)
    return bounded(build, op, x, low, high)


def bounded(build, op, x, low, high):
    """Add the layer that keeps numbers within bounds; those a float cannot reach are none."""
    low = None if low is None or low <= -3.4e38 else low
    high = None if high is None or high >= 3.4e38 else high
    if low is None and high is None:
        return x
    found = {(0.0, None): ReLU(), (0.0, 6.0): ReLU6()}.get((low, high), Clip(low, high))
    return build.same(op, found, x)


@operator("Max", "Min")
def most(build, op):
    """Return the larger or smaller of an array and one number."""
    values, others = _split(op)
    if len(values) != 1 or any(other.size != 1 for other in others):
        raise UnsupportedError("all inputs but one must be constants of one number, got others")
    bounds = [float(other.reshape(-1)[0]) for other in others]
    if op.kind == "Max":
        return bounded(build, op, values[0], max(bounds), None)
    return bounded(build, op, values[0], None, min(bounds))


def _split(op, kinds=NUMBERS):
    """Return the inputs that depend on the data, and the constants."""
    places = [i for i, x in enumerate(op.inputs) if isinstance(x, Value)]
    values = [op.value(i, kinds) for i in places]
    others = [op.constant(i, "a constant") for i in range(len(op.inputs)) if i not in places]
    others = [other for other in others if other is not None]
    if any(other.dtype.kind not in "fiu" for other in others) or not values:
        raise UnsupportedError("inputs must be real numbers, got others")
    return values, others


@operator("Add", "Sum", "Sub", "Mul", "Mean")
def arithmetic(build, op):
    """Integers are computed as real numbers, exact up to 2**24: they do not wrap around."""
    values, constants = _split(op)
    x, *others = values
    if op.kind == "Sub":
        return _difference(build, op)
    if op.kind == "Mul":
        for other in others:
            x = build.merged(op, Multiply(), x, other)
        for constant in constants:
            x = build.scaled(op, x, scale=constant)
        return _named(build, op, x)
    for other in others:
        x = build.merged(op, Add(), x, other)
    op.alone = op.alone or bool(others)  # a sum of several is read by this operator alone
    for constant in constants:
        x = build.scaled(op, x, shift=constant)
    if op.kind == "Mean":
        x = build.scaled(op, x, scale=np.float64(1 / len(op.inputs)).reshape(()))
    return _named(build, op, x)


def _named(build, op, x):
    """Return a value that has a layer of this operator: a sum of one array has none."""
    return x if len(op.inputs) > 1 else build.same(op, Identity(), x)


def _difference(build, op):
    a, b = op.inputs
    if not isinstance(b, Value):
        return build.scaled(op, a, shift=-op.computed(b))
    minus = np.float64(-1).reshape(())
    if not isinstance(a, Value):
        return build.scaled(op, b, minus, a)
    return build.merged(op, Add(), a, build.scaled(op, b, minus))


@operator("Div")
def divide(build, op):
    _split(op, FLOATS)
    a, b = op.inputs
    if not isinstance(b, Value):
        with np.errstate(divide="ignore"):
            inverse = 1 / op.computed(b)
        if not np.isfinite(inverse).all():
            raise UnsupportedError("a constant to divide by must not be 0, got 0")
        return build.scaled(op, a, scale=inverse)
    b = build.same(op, Power(-1.0), b)
    return build.merged(op, Multiply(), a, b) if isinstance(a, Value) else build.scaled(op, b, a)


@operator("Neg")
def negative(build, op):
    return build.scaled(op, op.value(kinds=NUMBERS), scale=np.float64(-1).reshape(()))


@operator("Softmax", "LogSoftmax")
def softmax(build, op):
    x = op.value()
    axis = build.axis(x, op.get("axis", 1 if op.version < 13 else -1))
    inner = x.dims[axis]
    if op.version < 13:  # all sides from the axis on are one
        inner = [a for dim in x.dims[axis:] for a in dim]
        if axis and not build.batched:
            pass
    rest = [a for a in x.order if a not in inner]
    order = x.order if set(x.order[len(rest) :]) == set(inner) else [*rest, *inner]
    last = prod(a.size for a in inner)
    x = build.arranged(op, x, order)
    if x.shape[-1] != last:
        x = build.reshaped(op, x, ([prod(a.size for a in rest)] if rest else []) + [last])
    return build.same(op, Softmax() if op.kind == "Softmax" else LogSoftmax(), x)


@operator("BatchNormalization")
def batch_norm(build, op):
    x = op.value()
    op.must("training_mode", 0, 0)
    op.must("spatial", 1, 1)
    op.get("momentum")
    if len(op.outputs) > 1:
        raise UnsupportedError(
            f"statistics of training must not be asked for, got {op.outputs[1:]}"
        )
    names = ("gamma", "beta", "mean", "var")
    weights = {name: op.constant(i, name, spread=True) for i, name in enumerate(names, 1)}
    if any(w is None for w in weights.values()):
        raise UnsupportedError("scale, B, mean and var must be given, got less")
    return by_channel(build, op, x, BatchNorm(eps=op.get("epsilon", 1e-5)), weights)


@operator("InstanceNormalization", "GroupNormalization")
def group_norm(build, op):
    x, weights = op.value(), {n: op.constant(i, n) for i, n in enumerate(("gamma", "beta"), 1)}
    channels, sides = build.spatial(x)
    if any(w is None for w in weights.values()) or not 1 <= len(sides) <= 2:
        raise UnsupportedError("input must be images with scale and bias, got others")
    op.must("stash_type", 1, 1)
    groups = x.sizes[channels]
    if op.kind == "GroupNormalization":
        groups = op.get("num_groups", 0)
        if op.version < 21:
            raise UnsupportedError(f"the opset must be at least 21, got {op.version}")
    inside = GroupNorm(groups, eps=op.get("epsilon", 1e-5))
    if op.kind == "InstanceNormalization" and len(x.shape) == 3:
        found = _of_groups(build, op, x, inside, weights, channels)
        if found is not None:
            return found
    return build.over_images(op, x, inside, sides, weights, channels)


def _of_groups(build, op, x, layer, weights, channels):
    """Normalise images whose channels a Reshape has cut into groups; None where x is no such value.

    A group of channels with all its pixels then is one channel of ONNX: its axes lie in ours as
    (pixels, groups, channels of a group).
    """
    groups, size = x.dims[channels], x.shape[-1]
    starts = [i for i in range(len(x.order)) if prod(a.size for a in x.order[i:]) == size]
    if not any(x.order[i : i + len(groups)] == groups for i in starts):
        return None
    if any(array.shape != (layer.groups,) for array in weights.values()):
        return None
    each = size // layer.groups
    op.budget.spend(sum(each * array.nbytes for array in weights.values()))
    given = {name: np.repeat(array, each) for name, array in weights.items()}
    node, shape = build.emit(op.name, layer, [x], given)
    return Value(node, shape, x.dims, x.order, x.kind)


def by_channel(build, op, x, layer, weights):
    """Add a layer that has a weight for each channel, the second axis of ONNX."""
    channels = 0 if build.batched else 1
    if len(x.dims) <= channels:
        raise UnsupportedError(f"input must have an axis of channels, got shape {x.sizes}")
    rest = [a for a in x.order if a not in x.dims[channels]]
    x = build.arranged(op, x, [*rest, *x.dims[channels]])
    if x.shape[-1] != x.sizes[channels]:
        x = build.grouped(op, x, [*([rest] if rest else []), x.dims[channels]])
    node, shape = build.emit(op.name, layer, [x], weights)
    return Value(node, shape, x.dims, x.order, x.kind)


@operator("Gemm")
def gemm(build, op):
    w, c = op.constant(1, "B", spread=True), op.constant(2, "C", spread=True)
    alpha, beta = op.get("alpha", 1.0), op.get("beta", 1.0)
    across = op.must("transA", 0 if build.batched else (0, 1), 0)
    if w.ndim != 2:
        raise UnsupportedError(f"B must be a matrix, got shape {w.shape}")
    w = w.T if op.must("transB", (0, 1), 0) else w
    w = w if alpha == 1 else op.computed(w) * alpha
    x = op.value()
    if across:
        x = x.with_dims(x.dims[::-1])
    b = None
    if c is not None and beta:
        c = c if beta == 1 else op.computed(c) * beta
        if c.size in (1, w.shape[1]) and c.shape[-1:] in ((), (1,), (w.shape[1],)):
            b, c = np.broadcast_to(c.reshape(-1), w.shape[1:]), None
    else:
        c = None
    x = dense(build, op, x, w, b)
    return x if c is None else build.scaled(op, x, shift=c)


@operator("MatMul")
def product(build, op):
    a, b = op.inputs[:2]
    if isinstance(a, Value) and isinstance(b, Value):
        return _matrices(build, op, op.value(0), op.value(1))
    x, w = op.value(0), op.constant(1, "B", spread=True)
    if w.ndim == 1:
        y = dense(build, op, x, w[:, None])
        return y.with_dims(y.dims[:-1])
    if w.ndim != 2:
        raise UnsupportedError(f"B must be a vector or a matrix, got shape {w.shape}")
    return dense(build, op, x, w)


def dense(build, op, x, w, b=None):
    """Add the layer that multiplies the last side of a value by a matrix.

    The rows of the matrix go where the axes of that side lie in memory.
    """
    if not x.dims or x.sizes[-1] != w.shape[0]:
        raise UnsupportedError(f"A must have {w.shape[0]} columns, got shape {x.sizes}")
    inner = x.dims[-1]
    inside = [axis for axis in x.order if axis in inner]
    rest = [axis for axis in x.order if axis not in inner]
    lead = (1, 1) if rest else ()
    if inside == list(inner) or is_spread(w):
        w = w.reshape(*lead, *w.shape)
    else:
        places = [inner.index(axis) for axis in inside]
        w = Rows(w, [axis.size for axis in inner], places, (*lead, *w.shape))
    weights = {"w": w} | ({} if b is None else {"b": b})
    if rest:
        x = build.grouped(op, x, [[], rest, inside])
        node, shape = build.emit(op.name, Conv1x1(w.shape[-1], bias=b is not None), [x], weights)
    else:
        x = build.grouped(op, x, [inside])
        node, shape = build.emit(op.name, Dense(w.shape[-1], bias=b is not None), [x], weights)
    new = (Axis(w.shape[-1]),) if w.shape[-1] != 1 else ()
    return Value(node, shape, (*x.dims[:-1], new), (*rest, *new), x.kind)


def _matrices(build, op, a, b):
    """Add the layer for a product of two arrays of the network."""
    ranks = len(a.dims), len(b.dims)
    a = a.with_dims(((), *a.dims)) if ranks[0] == 1 else a
    b = b.with_dims((*b.dims, ())) if ranks[1] == 1 else b
    if min(ranks) < 1 or (build.batched and min(ranks) < 2):
        raise UnsupportedError(f"inputs must be matrices for each sample, got {a.sizes}, {b.sizes}")
    if build.batched and ranks[0] != ranks[1]:
        raise UnsupportedError(f"inputs must have as many axes, got {a.sizes}, {b.sizes}")
    a, b = (build.grouped(op, v, v.dims) for v in (a, b))
    node, shape = build.emit(op.name, MatMul(), [a, b])
    dims = tuple((Axis(size),) if size != 1 else () for size in shape)
    order = tuple(axis for dim in dims for axis in dim)
    dims = dims[:-2] + dims[-2:][: 2 if ranks[0] > 1 else 0] + (() if ranks[0] > 1 else dims[-1:])
    dims = dims[:-1] if ranks[1] == 1 else dims
    return Value(node, shape, dims, order, a.kind)


@operator("Cast", "CastLike")
def cast(build, op):
    op.get("saturate"), op.get("round_mode")
    kind = op.get("to") if op.kind == "Cast" else None
    x = op.value(kinds=NUMBERS)
    if kind not in FLOATS and kind != x.kind:
        raise UnsupportedError(f"to must be a real type, got {short(kind)}")
    from dataclasses import replace

    return replace(x, kind=kind)


@operator("Dropout")
def dropout(build, op):
    x = op.value()
    op.get("seed"), op.get("is_test"), op.get("ratio")
    ratio, training = op.input(1), op.input(2)
    if len(op.outputs) > 1:
        raise UnsupportedError(
            f"mask, a second output, must not be asked for, got {op.outputs[1]!r}"
        )
    active = training is not None and (isinstance(training, Value) or bool(np.any(training)))
    if active and (ratio is None or isinstance(ratio, Value) or np.any(ratio)):
        raise UnsupportedError("training_mode must be False or ratio 0, got True")
    return x
