"""Operators that move a window over images: convolutions, poolings, resizing, padding."""

import numpy as np

from cnnkit.files.onnx.reading.building import FLOATS, SMALL_INTS, UnsupportedError
from cnnkit.files.onnx.reading.table import operator
from cnnkit.layers import (
    AvgPool,
    Conv,
    ConvTranspose,
    GlobalAvgPool,
    GlobalMaxPool,
    LocalResponseNorm,
    MaxPool,
    Pad,
    Resize,
    Slice,
    UpSample,
)
from cnnkit.validate.values import short


def sides_of(op, name, count, default):
    """Return an attribute of one int for each side of an image."""
    found = op.get(name)
    if found is None:
        return [default] * count
    if not isinstance(found, list) or len(found) != count or not all(x > 0 for x in found):
        raise UnsupportedError(f"{name} must be {count} positive ints, got {short(found)}")
    return found


def padding_of(op, sizes, kernel, stride, dilation):
    """Return (before, after) for every side of an image, from pads or auto_pad."""
    auto = bytes(op.get("auto_pad", b"NOTSET")).decode("latin1")
    pads = op.get("pads", [0] * 2 * len(sizes))
    if auto in ("SAME_UPPER", "SAME_LOWER"):
        found = []
        for size, k, s, d in zip(sizes, kernel, stride, dilation, strict=True):
            total = max((-(-size // s) - 1) * s + d * (k - 1) + 1 - size, 0)
            half = total // 2 if auto == "SAME_UPPER" else total - total // 2
            found.append((half, total - half))
        return found
    if auto not in ("NOTSET", "VALID"):
        raise UnsupportedError(f"auto_pad must be one of ONNX's, got {short(auto)}")
    if auto == "VALID":
        return [(0, 0)] * len(sizes)
    if not isinstance(pads, list) or len(pads) != 2 * len(sizes) or min(pads) < 0:
        raise UnsupportedError(
            f"pads must be {2 * len(sizes)} ints of at least 0, got {short(pads)}"
        )
    return list(zip(pads[: len(sizes)], pads[len(sizes) :], strict=True))


def two(items, filler):
    """Return items for rows and columns; an image of one line has one row."""
    return tuple([filler, *items] if len(items) == 1 else items)


@operator("Conv")
def conv(build, op):
    x = op.value()
    w, b = op.constant(1, "W", spread=True), op.constant(2, "B", spread=True)
    channels, sides = build.spatial(x)
    if len(sides) > 2 or w is None or w.ndim != 2 + len(sides):
        got = None if w is None else w.shape
        raise UnsupportedError(f"W must be that of 1 or 2 sides, got {got} for {len(sides)}")
    kernel = sides_of(op, "kernel_shape", len(sides), None)
    if kernel[0] is not None and tuple(kernel) != w.shape[2:]:
        raise UnsupportedError(f"kernel_shape must be that of W, {w.shape[2:]}, got {kernel}")
    kernel = w.shape[2:]
    stride, dilation = (
        sides_of(op, "strides", len(sides), 1),
        sides_of(op, "dilations", len(sides), 1),
    )
    pads = padding_of(op, [x.sizes[side] for side in sides], kernel, stride, dilation)
    if len(sides) == 1:
        w = w[:, :, None]
    layer = Conv(
        w.shape[0],
        two(kernel, 1),
        stride=two(stride, 1),
        padding=two(pads, (0, 0)),
        dilation=two(dilation, 1),
        groups=op.get("group", 1),
        bias=b is not None,
    )
    weights = {"w": w.transpose(2, 3, 1, 0)} | ({} if b is None else {"b": b})
    return build.over_images(op, x, layer, sides, weights, channels)


@operator("ConvTranspose")
def conv_transpose(build, op):
    x = op.value()
    w, b = op.constant(1, "W", spread=True), op.constant(2, "B", spread=True)
    channels, sides = build.spatial(x)
    count = len(sides)
    if count > 2 or w is None or w.ndim != 2 + count:
        got = None if w is None else w.shape
        raise UnsupportedError(f"W must be that of 1 or 2 sides, got {got} for {count}")
    kernel = sides_of(op, "kernel_shape", count, None)
    if kernel[0] is not None and tuple(kernel) != w.shape[2:]:
        raise UnsupportedError(f"kernel_shape must be that of W, {w.shape[2:]}, got {kernel}")
    kernel = w.shape[2:]
    stride, dilation = (sides_of(op, name, count, 1) for name in ("strides", "dilations"))
    extra = op.get("output_padding", [0] * count)
    if not isinstance(extra, list) or len(extra) != count:
        raise UnsupportedError(f"output_padding must be {count} ints, got {short(extra)}")
    groups = op.get("group", 1)
    layer = ConvTranspose(
        w.shape[1] * groups,
        two(kernel, 1),
        stride=two(stride, 1),
        padding=two(_cut_off(op, x, sides, kernel, stride, dilation, extra), (0, 0)),
        output_padding=two(extra, 0),
        dilation=two(dilation, 1),
        groups=groups,
        bias=b is not None,
    )
    w = w[:, :, None] if count == 1 else w
    weights = {"w": w.transpose(2, 3, 1, 0)} | ({} if b is None else {"b": b})
    return build.over_images(op, x, layer, sides, weights, channels)


def _cut_off(op, x, sides, kernel, stride, dilation, extra):
    """Return (before, after) that a transposed convolution cuts off, of every side."""
    sizes = [x.sizes[side] for side in sides]
    auto = bytes(op.get("auto_pad", b"NOTSET")).decode("latin1")
    wanted = op.get("output_shape")
    if wanted is None and auto in ("NOTSET", "VALID"):
        return padding_of(op, sizes, kernel, stride, dilation)
    op.get("pads")
    wanted = wanted or [n * s for n, s in zip(sizes, stride, strict=True)]
    if not isinstance(wanted, list) or len(wanted) != len(sides):
        raise UnsupportedError(f"output_shape must be {len(sides)} ints, got {short(wanted)}")
    found = []
    for n, s, d, k, e, out in zip(sizes, stride, dilation, kernel, extra, wanted, strict=True):
        total = s * (n - 1) + e + (k - 1) * d + 1 - out
        if total < 0:
            raise UnsupportedError(f"output_shape must be reached without padding, got {wanted}")
        half = total // 2 if auto == "SAME_UPPER" else total - total // 2
        found.append((half, total - half))
    return found


@operator("MaxPool", "AveragePool")
def pool(build, op):
    largest = op.kind == "MaxPool"
    x = op.value(kinds=(*FLOATS, 2, 3) if largest else FLOATS)
    if len(op.outputs) > 1:
        raise UnsupportedError(
            f"Indices, a second output, must not be asked for, got {op.outputs[1]!r}"
        )
    op.must("storage_order", 0, 0)
    _, sides = build.spatial(x)
    kernel = sides_of(op, "kernel_shape", len(sides), None)
    if kernel[0] is None:
        raise UnsupportedError("kernel_shape must be given, got none")
    stride, dilation = (
        sides_of(op, "strides", len(sides), 1),
        sides_of(op, "dilations", len(sides), 1),
    )
    pads = padding_of(op, [x.sizes[side] for side in sides], kernel, stride, dilation)
    ceil_mode = bool(op.must("ceil_mode", (0, 1), 0))
    options = {"ceil_mode": ceil_mode}
    if not largest:
        options["count_include_pad"] = bool(op.must("count_include_pad", (0, 1), 0))
    for part in (range(len(sides))[-2:], range(len(sides))[:-2]):
        if not part:
            continue
        if len(part) > 2:
            raise UnsupportedError(
                f"input must have at most 4 sides behind channels, got {len(sides)}"
            )
        layer = (MaxPool if largest else AvgPool)(
            two([kernel[i] for i in part], 1),
            stride=two([stride[i] for i in part], 1),
            padding=two([pads[i] for i in part], (0, 0)),
            dilation=two([dilation[i] for i in part], 1),
            **options,
        )
        x = build.over_images(op, x, layer, [sides[i] for i in part])
    return x


@operator("GlobalAveragePool", "GlobalMaxPool")
def global_pool(build, op):
    x = op.value()
    _, sides = build.spatial(x)
    layer = GlobalAvgPool() if op.kind == "GlobalAveragePool" else GlobalMaxPool()
    return reduced(build, op, x, sides, layer, keep=True)


def reduced(build, op, x, sides, layer, keep):
    """Add a global pooling over some sides of a value; with `keep` they stay, of size 1."""
    inside = [axis for side in sides for axis in x.dims[side]]
    inside.sort(key=x.order.index)
    others = [axis for axis in x.order if axis not in inside]
    dims = [() if side in sides else dim for side, dim in enumerate(x.dims)]
    if not keep:
        dims = [dim for side, dim in enumerate(x.dims) if side not in sides]
    # where the image is whole it stays as it is: rows and columns of it are pooled at once
    x = build.arranged(op, x, [*inside, *others])
    if len(x.shape) != 3 or x.shape[-1] != np.prod([a.size for a in others], initial=1):
        x = build.grouped(op, x, [inside, [], others])
    node, shape = build.emit(op.name, layer, [x])
    from cnnkit.files.onnx.reading.layout import Value

    return Value(node, shape, tuple(dims), tuple(others), x.kind)


@operator("ReduceMean", "ReduceMax")
def reduce(build, op):
    x = op.value()
    axes = op.get("axes")
    if axes is None:
        axes = op.ints(1, "axes")
    empty = op.must("noop_with_empty_axes", (0, 1), 0)
    if not axes and empty:
        return x
    keep = bool(op.must("keepdims", (0, 1), 1))
    first = 1 if build.batched else 0
    if not axes:
        axes = range(len(x.dims) + first)
    sides = sorted({build.axis(x, axis) for axis in axes})
    layer = GlobalAvgPool() if op.kind == "ReduceMean" else GlobalMaxPool()
    return reduced(build, op, x, sides, layer, keep)


@operator("LRN")
def lrn(build, op):
    x, size = op.value(), op.get("size", 0)
    channels, sides = build.spatial(x)
    if len(sides) > 2:
        raise UnsupportedError(f"input must have 1 or 2 sides behind channels, got {len(sides)}")
    layer = LocalResponseNorm(
        size, alpha=op.get("alpha", 1e-4), beta=op.get("beta", 0.75), k=op.get("bias", 1.0)
    )
    even = isinstance(size, int) and size % 2 == 0  # ONNX has one more after, LRN here before
    for step in [Slice(step=-1), layer, Slice(step=-1)] if even else [layer]:
        x = build.over_images(op, x, step, sides, channels=channels)
    return x


@operator("Pad")
def pad(build, op):
    x = op.value(kinds=(*FLOATS, *SMALL_INTS))
    mode = bytes(op.get("mode", b"constant")).decode("latin1")
    pads = op.get("pads", op.get("paddings")) if op.version < 11 else op.ints(1, "pads")
    value = op.get("value", 0.0) if op.version < 11 else op.constant(2, "constant_value")
    value = 0.0 if value is None or not np.size(value) else float(np.reshape(value, -1)[0])
    rank = len(x.dims) + build.batched
    axes = op.ints(3, "axes", list(range(rank)))
    if pads is None or len(pads) != 2 * len(axes):
        raise UnsupportedError(f"pads must be {2 * len(axes)} ints, got {short(pads)}")
    amounts = {}
    for k, axis in enumerate(axes):
        if pads[k] or pads[k + len(axes)]:
            amounts[build.axis(x, axis)] = pads[k], pads[k + len(axes)]
    for side, (before, after) in amounts.items():
        if before < 0 or after < 0:
            x = sliced(build, op, x, side, max(0, -before), x.sizes[side] - max(0, -after), 1)
    amounts = {s: (max(0, a), max(0, b)) for s, (a, b) in amounts.items() if max(a, b) > 0}
    sides = sorted(amounts)
    while sides:
        some, sides = sides[-2:], sides[:-2]
        layer = Pad(two([amounts[side] for side in some], (0, 0)), mode=mode, value=value)
        x = build.over_images(op, x, layer, some)
    return x


def sliced(build, op, x, side, start, stop, step):
    """Add a `Slice` of one side of a value."""
    layer = Slice(start, stop, step, axis=0)
    order = [*x.dims[side], *(axis for axis in x.order if axis not in x.dims[side])]
    if x.dims[side] and x.order[-len(x.dims[side]) :] == x.dims[side]:  # channels stay last
        order, layer = x.order, Slice(start, stop, step)
    from dataclasses import replace

    from cnnkit.files.onnx.reading.layout import Axis

    rest = [axis for axis in order if axis not in x.dims[side]]
    last = layer.axis == -1
    if last and x.shape[-1] == x.sizes[side]:
        pass
    else:
        groups = [rest, x.dims[side]] if last else [x.dims[side], rest]
        x = build.grouped(op, x, groups)
    node, shape = build.emit(op.name, layer, [x])
    size = shape[-1 if last else 0]
    new = (Axis(size),) if size != 1 else ()
    dims = tuple(new if k == side else dim for k, dim in enumerate(x.dims))
    return replace(
        x, node=node, shape=shape, dims=dims, order=(*rest, *new) if last else (*new, *rest)
    )


@operator("Upsample", "Resize")
def resize(build, op):
    x = op.value()
    sizes, scales, crop = _target(build, op, x)
    sides = [side for side in range(len(x.dims)) if sizes[side] != x.sizes[side] or side in crop]
    if not sides:
        return x
    layer = _resize_layer(op, x, sides, sizes, scales, crop)
    if len(sides) > 2:
        raise UnsupportedError(f"at most 2 sides must change, got {len(sides)}")
    if sides[-1:] != [0] and len(sides) == 1 and sides[0] - 1 in build.spatial(x)[1]:
        sides = [sides[0] - 1, sides[0]]  # rows and columns, where one of them stays
        layer = _resize_layer(op, x, sides, sizes, scales, crop)
    return build.over_images(op, x, layer, sides)


def _target(build, op, x):
    """Return the new size and the scale of every side, and what part of it is kept, if said."""
    rank, first = len(x.dims), int(build.batched)
    axes = op.get("axes", list(range(rank + first)))
    old = op.kind == "Upsample" or op.version < 11
    scales = op.get("scales") if op.version < 9 else op.constant(1 if old else 2, "scales")
    sizes = None if old else op.ints(3, "sizes")
    scales = None if scales is None or not np.size(scales) else [float(s) for s in np.ravel(scales)]
    given = sizes or scales
    if given is None or len(given) != len(axes):
        raise UnsupportedError(f"scales or sizes must be {len(axes)} numbers, got {short(given)}")
    found, factors, crop = list(x.sizes), [1.0] * rank, {}
    kinds = bytes(op.get("coordinate_transformation_mode", b"")).decode("latin1")
    roi = op.constant(1, "roi") if kinds == "tf_crop_and_resize" else None
    policy = bytes(op.get("keep_aspect_ratio_policy", b"stretch")).decode("latin1")
    places = {}
    for k, axis in enumerate(axes):
        rank_all = rank + first
        if not -rank_all <= axis < rank_all:
            raise UnsupportedError(f"axes must be of {rank_all}, got {axis}")
        places[axis % rank_all - first] = k
    for side, k in places.items():
        if side < 0:
            if given[k] not in (1, build.batch):
                raise UnsupportedError(f"the batch must stay as it is, got {given[k]}")
            continue
        factors[side] = given[k] / x.sizes[side] if sizes else given[k]
    if sizes and policy != "stretch":
        pick = min if policy == "not_larger" else max
        ratio = pick(factors[side] for side in places if side >= 0)
        for side in places:
            if side >= 0:
                factors[side] = ratio
                found[side] = int(np.floor(ratio * x.sizes[side] + 0.5))
    else:
        for side, k in places.items():
            if side >= 0:
                found[side] = given[k] if sizes else int(np.floor(x.sizes[side] * given[k]))
    if roi is not None:
        for side, k in places.items():
            if side >= 0 and (roi[k], roi[k + len(axes)]) != (0.0, 1.0):
                crop[side] = float(roi[k]), float(roi[k + len(axes)])
    if min(found) < 1 or max(found) >= 1 << 31:
        raise UnsupportedError(f"sizes must be from 1 to 2**31 - 1, got {found}")
    return found, factors, crop


def _resize_layer(op, x, sides, sizes, scales, crop):
    """Return the layer that changes two sides, or one, as the attributes say."""
    mode = bytes(op.get("mode", b"nearest")).decode("latin1")
    method = {"linear": "bilinear", "cubic": "bicubic"}.get(mode, mode)
    default = "asymmetric" if op.kind == "Upsample" or op.version < 11 else "half_pixel"
    coordinates = bytes(op.get("coordinate_transformation_mode", default.encode())).decode("latin1")
    rounding = "floor" if default == "asymmetric" else "round_prefer_floor"
    rounding = bytes(op.get("nearest_mode", rounding.encode())).decode("latin1")
    options = {
        "cubic": op.get("cubic_coeff_a", -0.75),
        "antialias": bool(op.must("antialias", (0, 1), 0)),
        "exclude_outside": bool(op.must("exclude_outside", (0, 1), 0)),
        "outside": op.get("extrapolation_value", 0.0),
    }
    before, after = [x.sizes[s] for s in sides], [sizes[s] for s in sides]
    plain = method == "nearest" and coordinates == "asymmetric" and rounding == "floor"
    plain = plain or (method == "bilinear" and "half_pixel" in coordinates and min(after) > 1)
    ratios = [a // b for a, b in zip(after, before, strict=True)]
    exact = all(scales[s] == r for s, r in zip(sides, ratios, strict=True)) and min(ratios) >= 1
    halves = coordinates == "half_pixel" and method == "nearest" and "round" in rounding
    if exact and (plain or halves) and not options["exclude_outside"]:
        return UpSample(two(ratios, 1), method=method)
    whole = all(x.sizes[s] * scales[s] == sizes[s] for s in sides)
    if coordinates == "align_corners" and not whole:
        raise UnsupportedError(
            f"scales must give whole sizes with 'align_corners', where ONNX and ONNX Runtime "
            f"differ, got {[scales[side] for side in sides]} of {before}"
        )
    ends = [crop.get(side, (0.0, 1.0)) for side in sides]
    ends = two(ends, (0.0, 0.0))
    if coordinates == "tf_crop_and_resize":
        options["crop"] = tuple(e[0] for e in ends) + tuple(e[1] for e in ends)
    return Resize(
        two(after, 1),
        method=method,
        scale=two([scales[side] for side in sides], 1.0),
        coordinates=coordinates,
        rounding=rounding,
        **options,
    )
