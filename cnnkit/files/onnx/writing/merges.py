"""Layers that read several arrays as nodes of ONNX."""

import numpy as np

from cnnkit.files.onnx.writing.values import FIRST, LAST, ORDERED, Value


def alike(xs):
    """Return tensors of arrays of one shape in one form and order, and that of which they are."""
    x = xs[0]
    if len(x.shape) == 3:
        return [each.first() for each in xs], FIRST, None
    if len(x.shape) == 1 and all(np.array_equal(each.order, x.order) for each in xs):
        return [each.tensor for each in xs], x.form, x.order
    return [each.last() for each in xs], LAST, None


def spread(step):
    """Return tensors that ONNX spreads as we do, (C,) over pixels, and the form of the result."""
    is_image, C = len(step.shape) == 3, step.shape[-1]
    sides = (C, 1, 1) if is_image else (*[1] * (len(step.shape) - 1), C)
    tensors = []
    for x in step.xs:
        tensor = x.first() if is_image and len(x.shape) == 3 else x.last()
        if len(x.shape) != len(step.shape):
            tensor = step.builder.reshape(tensor, sides, f"{step.path}/spread")
        tensors.append(tensor)
    return tensors, FIRST if is_image else LAST


def add(step):
    if any(x.shape != step.shape for x in step.xs):
        tensors, form = spread(step)
        return step.value(step.node("Add" if len(tensors) == 2 else "Sum", *tensors), form)
    tensors, form, order = alike(step.xs)
    y = step.node("Add" if len(tensors) == 2 else "Sum", *tensors)
    return Value(step.builder, step.shape, form, y, order)


def multiply(step):
    if step.xs[0].shape == step.xs[1].shape:
        tensors, form, order = alike(step.xs)
        return Value(step.builder, step.shape, form, step.node("Mul", *tensors), order)
    tensors, form = spread(step)
    return step.value(step.node("Mul", *tensors), form)


def mat_mul(step):
    rank, tensors = len(step.shape), []
    for x in step.xs:
        tensor = x.last()
        if len(x.shape) < rank:
            sides = (*[1] * (rank - len(x.shape)), *x.shape)
            tensor = step.builder.reshape(tensor, sides, f"{step.path}/spread")
        tensors.append(tensor)
    return step.value(step.node("MatMul", *tensors), LAST)


def concat(step):
    if len(step.shape) == 3:
        return step.value(step.node("Concat", *(x.first() for x in step.xs), axis=1))
    if len(step.shape) > 1:
        return step.value(step.node("Concat", *(x.last() for x in step.xs), axis=-1), LAST)
    starts = np.cumsum([0] + [x.shape[0] for x in step.xs])
    orders = [np.arange(x.shape[0]) if x.order is None else x.order for x in step.xs]
    order = np.concatenate([start + each for start, each in zip(starts, orders, strict=False)])
    y = step.node("Concat", *(x.tensor for x in step.xs), axis=1)
    return Value(step.builder, step.shape, ORDERED, y, order)
