"""Layers that move, add or repeat numbers as nodes of ONNX."""

from math import prod

import numpy as np

from cnnkit.files.onnx.values import FIRST, LAST
from cnnkit.validate import shapes


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
