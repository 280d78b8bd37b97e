"""Normalisation as nodes of ONNX."""

from cnnkit.files.onnx.values import FIRST, LAST


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
