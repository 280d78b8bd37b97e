"""Layers that move, add or repeat numbers as nodes of ONNX."""

from math import prod

import numpy as np

from cnnkit.files.onnx.writing.values import FIRST, LAST
from cnnkit.validate import shapes

AXES = (2, 3, 1)  # where the axes of a sample, (H, W, C), are in images with channels first


def same(step):
    return step.x


def flatten(step):
    return step.x if len(step.x.shape) == 1 else step.x.flattened(step.path)


def reshape(step):
    x = step.x
    if step.shape == x.shape:
        return x
    if len(step.shape) == 1:
        return flatten(step)
    if len(step.shape) == 3 and step.shape[:2] == (1, 1) and len(x.shape) == 1:
        return step.value(step.builder.reshape(x.last(), step.shape[::-1], step.path))
    source = x.flat() if x.form == FIRST and prod(x.shape[:2]) > 1 else x.last()
    return step.value(step.builder.reshape(source, step.shape, step.path), LAST)


def pad(step):
    H, W, _ = step.x.shape
    layer = step.layer
    sides = shapes.pad_amounts(layer.padding, (H, W), (1, 1), (1, 1), (1, 1), layer.owner)
    (top, bottom), (left, right) = sides
    pads = step.ints("pads", 0, 0, top, left, 0, 0, bottom, right)
    value = [step.constant("value", np.asarray(layer.value))] if layer.value else []
    return step.value(step.node("Pad", step.x.first(), pads, *value, mode=layer.mode))


def channel_shuffle(step):
    x, groups, C = step.x, int(step.layer.groups), step.shape[-1]
    sides, is_image = step.shape[:-1], len(step.shape) == 3
    cut, last = (groups, C // groups), len(sides) + 1
    if is_image:
        shape, perm, form, tensor = (*cut, *sides), [0, 2, 1, 3, 4], FIRST, x.first()
    else:
        shape, form, tensor = (*sides, *cut), LAST, x.last()
        perm = [*range(last), last + 1, last]
    matrices = step.builder.reshape(tensor, shape, f"{step.path}/groups")
    turned = step.node("Transpose", matrices, label="turned", perm=perm)
    whole = (C, *sides) if is_image else step.shape
    return step.value(step.builder.reshape(turned, whole, step.path), form)


def permute(step):
    """A transposition, or none where our order of axes is what ONNX has already."""
    order, rank = step.layer.order, len(step.shape)
    if list(order) == list(range(rank)):
        return step.x
    is_first = step.x.form == FIRST
    tensor = step.x.first() if is_first else step.x.last()
    source = AXES if is_first else range(1, rank + 1)
    perm = [0, *(source[axis] for axis in order)]
    if perm == list(range(rank + 1)):
        return step.value(tensor, LAST)
    if rank == 3:
        perm = [perm[i] for i in (0, 3, 1, 2)]
        if perm != [0, 1, 2, 3]:
            tensor = step.node("Transpose", tensor, perm=perm)
        return step.value(tensor)
    return step.value(step.node("Transpose", tensor, perm=perm), LAST)


def cut(step):
    x, layer = step.x, step.layer
    axis = layer.axis % len(x.shape)
    size = x.shape[axis]
    kept = range(size)[layer.start : layer.stop : layer.step]
    end = kept.stop if kept.stop >= 0 else -size - 1
    is_first = x.form == FIRST
    ranges = zip(
        ("starts", "ends", "axes", "steps"),
        (kept.start, end, AXES[axis] if is_first else axis + 1, kept.step),
        strict=True,
    )
    tensor = x.first() if is_first else x.last()
    y = step.node("Slice", tensor, *(step.ints(label, value) for label, value in ranges))
    return step.value(y, FIRST if is_first else LAST)


def up_sample(step):
    scale = shapes.as_pair(step.layer.scale, "scale", step.layer.owner)
    scales = step.constant("scales", (1, 1, *scale), np.float32)
    how = {
        "nearest": {"coordinate_transformation_mode": "asymmetric", "nearest_mode": "floor"},
        "bilinear": {"coordinate_transformation_mode": "half_pixel"},
    }[step.layer.method]
    mode = {"nearest": "nearest", "bilinear": "linear"}[step.layer.method]
    # the whole image, unused: skl2onnx takes no input without a name
    region = step.constant("region", [0] * 4 + [1] * 4, np.float32)
    return step.value(step.node("Resize", step.x.first(), region, scales, mode=mode, **how))


def resize(step):
    """The sizes are given, unless pixels are enlarged by something else than their ratio."""
    layer = step.layer
    if layer.antialias:
        step.needs_opset(18, "antialias=True")
    if layer.coordinates == "half_pixel_symmetric":
        step.needs_opset(19, f"coordinates={layer.coordinates!r}")
    x = step.x.first()
    if layer.method == "bicubic":
        # ONNX Runtime moves a Transpose behind its Resize, which then makes no image smaller
        x = step.builder.reshape(x, (step.shape[-1], *step.x.shape[:2]), f"{step.path}/images")
    top, left, bottom, right = layer.crop or (0, 0, 1, 1)
    region = step.constant("region", [0, 0, top, left, 1, 1, bottom, right])
    how = {
        "mode": {"nearest": "nearest", "bilinear": "linear", "bicubic": "cubic"}[layer.method],
        "coordinate_transformation_mode": layer.coordinates,
        "nearest_mode": layer.rounding,
        "cubic_coeff_a": float(layer.cubic),
        "exclude_outside": int(layer.exclude_outside),
        "extrapolation_value": float(layer.outside),
    }
    if layer.antialias:
        how["antialias"] = 1
    if layer.scale is not None:
        scales = step.constant("scales", (1, 1, *enlargement(step)), np.float32)
        return step.value(step.node("Resize", x, region, scales, **how))
    samples = step.node(
        "Slice",
        step.node("Shape", x, label="shape"),
        step.ints("from", 0),
        step.ints("to", 2),
        label="samples",
    )
    sizes = step.node("Concat", samples, step.ints("size", *step.shape[:2]), label="sizes", axis=0)
    # no scales, as an empty constant: skl2onnx takes no input without a name
    scales = step.constant("scales", [], np.float32)
    return step.value(step.node("Resize", x, region, scales, sizes, **how))


def enlargement(step):
    """Return the scale of a `Resize`, from which ONNX takes the size of the output, too."""
    layer, before, after = step.layer, step.x.shape[:2], step.shape[:2]
    top, left, bottom, right = layer.crop or (0, 0, 1, 1)
    parts = (bottom - top, right - left)
    scale = np.float32(layer.scale)
    size = [int(side * part * by) for side, part, by in zip(before, parts, scale, strict=True)]
    if size != list(after):
        raise ValueError(
            f"onnx.write: scale of {layer.owner} ({step.path}) must make images of {before} "
            f"{after} large, as its size says, got {layer.scale!r}, which makes {tuple(size)}."
        )
    return scale
