"""Normalisation as nodes of ONNX."""

from math import prod

import numpy as np

from cnnkit.files.onnx.writing.values import FIRST, LAST


def batch_norm(step):
    x, names = step.x, ("gamma", "beta", "mean", "var")
    weights = {name: step.weights[name] for name in names}
    if x.order is not None:
        weights = {name: array[x.order] for name, array in weights.items()}
    is_image = len(x.shape) == 3
    tensor = x.first() if is_image else x.tensor if len(x.shape) == 1 else x.last()
    if len(x.shape) in (1, 3) and not step.builder.is_double:
        constants = [step.constant(name, weights[name]) for name in names]
        y = step.node("BatchNormalization", tensor, *constants, epsilon=float(step.layer.eps))
    else:
        sides = (-1, 1, 1) if is_image else (-1,)
        scale, mean = step.layer.scale(weights), weights["mean"]
        y = step.node("Sub", tensor, step.constant("mean", mean.reshape(sides)), label="centred")
        y = step.node("Mul", y, step.constant("scale", scale.reshape(sides)), label="scaled")
        y = step.node("Add", y, step.constant("beta", weights["beta"].reshape(sides)))
    return step.like(y) if len(x.shape) == 1 else step.value(y, FIRST if is_image else LAST)


def group_norm(step):
    """Groups are the channels of an instance normalisation, as PyTorch writes it."""
    x, groups, C = step.x, int(step.layer.groups), step.shape[-1]
    is_image, pixels = len(x.shape) == 3, prod(x.shape[:-1])
    tensor = x.first() if is_image else x.last()
    if not is_image and pixels > 1:
        rows = step.builder.reshape(tensor, (pixels, C), f"{step.path}/rows")
        tensor = step.node("Transpose", rows, label="turned", perm=[0, 2, 1])
    size = pixels * C // groups
    tensor = step.builder.reshape(tensor, (groups, size), f"{step.path}/groups")
    if step.builder.is_double:
        tensor = normalised(step, tensor, 2)
    else:
        ones = step.constant("ones", np.ones(groups)), step.constant("zeros", np.zeros(groups))
        eps = float(step.layer.eps)
        tensor = step.node("InstanceNormalization", tensor, *ones, label="normal", epsilon=eps)
    if is_image:
        H, W, _ = x.shape
        tensor = step.builder.reshape(tensor, (C, H, W), f"{step.path}/images")
        return step.value(scaled(step, tensor, (-1, 1, 1)))
    if pixels > 1:
        columns = step.builder.reshape(tensor, (C, pixels), f"{step.path}/columns")
        tensor = step.node("Transpose", columns, label="back", perm=[0, 2, 1])
    tensor = step.builder.reshape(tensor, step.shape, f"{step.path}/shaped")
    return step.value(scaled(step, tensor, (-1,)), LAST)


def layer_norm(step):
    x = step.x
    if len(x.shape) == 3:
        return step.value(scaled(step, normalised(step, x.first(), 1), (-1, 1, 1)))
    if step.builder.opset < 17 or step.builder.is_double:
        return step.value(scaled(step, normalised(step, x.last(), len(x.shape)), (-1,)), LAST)
    gamma, beta = (step.constant(name, step.weights[name]) for name in ("gamma", "beta"))
    eps = float(step.layer.eps)
    y = step.node("LayerNormalization", x.last(), gamma, beta, axis=-1, epsilon=eps)
    return step.value(y, LAST)


def normalised(step, x, axis):
    """Return the tensor (x - mean) / sqrt(var + eps) along an axis."""
    centred = step.node("Sub", x, step.builder.mean(x, axis, f"{step.path}/mean"), label="centred")
    squares = step.node("Mul", centred, centred, label="squares")
    var = step.builder.mean(squares, axis, f"{step.path}/var")
    var = step.node("Add", var, step.constant("eps", float(step.layer.eps)), label="raised")
    return step.node("Div", centred, step.node("Sqrt", var, label="deviation"), label="normal")


def scaled(step, x, sides):
    """Return the tensor gamma x + beta, one of them for each channel."""
    gamma, beta = (step.weights[name].reshape(sides) for name in ("gamma", "beta"))
    y = step.node("Mul", x, step.constant("gamma", gamma), label="scaled")
    return step.node("Add", y, step.constant("beta", beta))


def local_response_norm(step):
    """ONNX's LRN where it is the same: of even sizes it takes the other neighbour at the end."""
    layer, x = step.layer, step.x.first()
    H, W, C = step.x.shape
    size = int(layer.size)
    numbers = {name: float(getattr(layer, name)) for name in ("alpha", "beta", "k")}
    if size % 2 and not step.builder.is_double:
        bias = numbers.pop("k")
        return step.value(step.node("LRN", x, size=size, bias=bias, **numbers))
    squares = step.node("Mul", x, x, label="squares")
    squares = step.builder.reshape(squares, (1, C, H * W), f"{step.path}/row")
    before, after = size // 2, (size - 1) // 2
    means = step.node(
        "AveragePool",
        squares,
        label="means",
        kernel_shape=[size, 1],
        pads=[before, 0, after, 0],
        count_include_pad=1,
    )
    means = step.builder.reshape(means, (C, H, W), f"{step.path}/square")
    base = step.node("Mul", means, step.constant("alpha", numbers["alpha"]), label="share")
    base = step.node("Add", base, step.constant("k", numbers["k"]), label="base")
    norm = step.node("Pow", base, step.constant("beta", -numbers["beta"]), label="norm")
    return step.value(step.node("Mul", x, norm))
