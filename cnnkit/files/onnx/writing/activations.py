"""Activations as nodes of ONNX."""

import math

from cnnkit.files.onnx.writing.values import FIRST, LAST

SELU_ALPHA, SELU_SCALE = 1.6732632423543772, 1.0507009873554805


def pointwise(operator, **attributes):
    """Return the function of a layer that is one operator, number by number."""
    return lambda step: step.like(step.node(operator, step.x.tensor, **attributes))


def relu6(step):
    bounds = step.constant("low", 0), step.constant("high", 6)
    return step.like(step.node("Clip", step.x.tensor, *bounds))


def clip(step):
    """One bound alone is a `Max` or `Min`: not every reader knows inputs without a name."""
    low, high = step.layer.minimum, step.layer.maximum
    if low is None and high is None:
        return step.x
    bounds = [
        step.constant(label, value)
        for label, value in (("low", low), ("high", high))
        if value is not None
    ]
    operator = "Clip" if len(bounds) == 2 else "Max" if high is None else "Min"
    return step.like(step.node(operator, step.x.tensor, *bounds))


def power(step):
    exponent = step.constant("exponent", float(step.layer.exponent))
    return step.like(step.node("Pow", step.x.tensor, exponent))


def affine(step):
    x, is_first = step.x, step.x.form == FIRST
    is_vector = len(x.shape) == 1
    y = x.tensor if is_first or is_vector else x.last()
    last = list(step.weights)[-1]
    for name, weight in step.weights.items():
        if is_first:
            weight = weight.transpose(2, 0, 1)
        elif is_vector and x.order is not None and len(weight) > 1:
            weight = weight[x.order]
        operator = {"scale": "Mul", "shift": "Add"}[name]
        label = None if name == last else "scaled"
        y = step.node(operator, y, step.constant(name, weight), label=label)
    return step.like(y) if is_first or is_vector else step.value(y, LAST)


def leaky_relu(step):
    x, slope = step.x.tensor, float(step.layer.negative_slope)
    if step.builder.is_double:
        return step.like(step.node("PRelu", x, step.constant("slope", slope)))
    return step.like(step.node("LeakyRelu", x, alpha=slope))


def hard_swish(step):
    x = step.x.tensor
    if step.builder.opset >= 14 and not step.builder.is_double:
        return step.like(step.node("HardSwish", x))
    return step.like(step.node("Mul", x, gate(step, "share")))


def hard_sigmoid(step):
    if step.builder.is_double:
        return step.like(gate(step))
    return step.like(step.node("HardSigmoid", step.x.tensor, alpha=1 / 6, beta=0.5))


def gate(step, label=None):
    """Return the tensor min(max(x + 3, 0), 6) / 6."""
    moved = step.node("Add", step.x.tensor, step.constant("three", 3), label="moved")
    bounds = step.constant("low", 0), step.constant("high", 6)
    clipped = step.node("Clip", moved, *bounds, label="clipped")
    return step.node("Div", clipped, step.constant("six", 6), label=label)


def prelu(step):
    x, slope = step.x, step.weights["slope"]
    if x.order is not None:
        slope = slope[x.order]
    tensor = x.tensor if x.form == FIRST or len(x.shape) == 1 else x.last()
    sides = (-1, 1, 1) if x.form == FIRST else (-1,)
    y = step.node("PRelu", tensor, step.constant("slope", slope.reshape(sides)))
    return step.like(y) if len(x.shape) == 1 or x.form == FIRST else step.value(y, LAST)


def elu(step):
    alpha = float(step.layer.alpha)
    if step.builder.is_double:
        return step.like(exponential(step, alpha, 1.0))
    return step.like(step.node("Elu", step.x.tensor, alpha=alpha))


def selu(step):
    if step.builder.is_double:
        return step.like(exponential(step, SELU_ALPHA, SELU_SCALE))
    return step.like(step.node("Selu", step.x.tensor, alpha=SELU_ALPHA, gamma=SELU_SCALE))


def exponential(step, alpha, scale):
    """Return the tensor scale (max(x, 0) + alpha (exp(min(x, 0)) - 1)): constants in float64."""
    above = step.node("Relu", step.x.tensor, label="above")
    below = step.node("Sub", step.x.tensor, above, label="below")
    powers = step.node("Exp", below, label="powers")
    moved = step.node("Sub", powers, step.constant("one", 1), label="moved")
    slopes = step.node("Mul", moved, step.constant("alpha", alpha * scale), label="slopes")
    above = step.node("Mul", above, step.constant("scale", scale), label="scaled")
    return step.node("Add", above, slopes)


def gelu(step):
    x, approximate = step.x.tensor, step.layer.approximate
    if step.builder.opset >= 20 and not step.builder.is_double:
        return step.like(step.node("Gelu", x, approximate=approximate))
    if approximate == "none":
        inner = step.node("Mul", x, step.constant("root", math.sqrt(0.5)), label="inner")
        share = step.node("Erf", inner, label="erf")
    else:
        square = step.node("Mul", x, x, label="square")
        cube = step.node("Mul", square, x, label="cube")
        cube = step.node("Mul", cube, step.constant("cubes", 0.044715), label="part")
        inner = step.node("Add", x, cube, label="sum")
        root = step.constant("root", math.sqrt(2 / math.pi))
        share = step.node("Tanh", step.node("Mul", inner, root, label="inner"), label="tanh")
    share = step.node("Add", share, step.constant("one", 1), label="moved")
    half = step.node("Mul", x, step.constant("half", 0.5), label="halved")
    return step.like(step.node("Mul", half, share))


def mish(step):
    soft = step.node("Softplus", step.x.tensor, label="softplus")
    return step.like(step.node("Mul", step.x.tensor, step.node("Tanh", soft, label="tanh")))


def softplus(step):
    beta = float(step.layer.beta)
    if beta == 1:
        return step.like(step.node("Softplus", step.x.tensor))
    by = step.constant("beta", beta)
    soft = step.node("Softplus", step.node("Mul", step.x.tensor, by, label="steep"), label="soft")
    return step.like(step.node("Div", soft, by))


def silu(step):
    gate = step.node("Sigmoid", step.x.tensor, label="gate")
    return step.like(step.node("Mul", step.x.tensor, gate))


def over_channels(operator):
    """Return the function of an operator that has an axis: that of the channels."""

    def write(step):
        x = step.x
        if x.form == FIRST:
            return step.value(step.node(operator, x.tensor, axis=1))
        if len(x.shape) == 1:
            return step.like(step.node(operator, x.tensor, axis=1))
        return step.value(step.node(operator, x.last(), axis=-1), LAST)

    return write
