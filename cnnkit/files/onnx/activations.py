"""Activations as nodes of ONNX."""

from cnnkit.files.onnx.values import FIRST, LAST


def pointwise(operator, **attributes):
    """Return the function of a layer that is one operator, number by number."""
    return lambda step: step.like(step.node(operator, step.x.tensor, **attributes))


def relu6(step):
    bounds = step.constant("low", 0), step.constant("high", 6)
    return step.like(step.node("Clip", step.x.tensor, *bounds))


def leaky_relu(step):
    x, slope = step.x.tensor, float(step.layer.negative_slope)
    if step.builder.is_double:
        return step.like(step.node("PRelu", x, step.constant("slope", slope)))
    return step.like(step.node("LeakyRelu", x, alpha=slope))


def hard_swish(step):
    x = step.x.tensor
    if step.builder.opset >= 14 and not step.builder.is_double:
        return step.like(step.node("HardSwish", x))
    moved = step.node("Add", x, step.constant("three", 3), label="moved")
    bounds = step.constant("low", 0), step.constant("high", 6)
    gate = step.node("Clip", moved, *bounds, label="gate")
    share = step.node("Div", gate, step.constant("six", 6), label="share")
    return step.like(step.node("Mul", x, share))


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
