"""Convolutions and dense layers as nodes of ONNX."""

from cnnkit.validate import shapes


def geometry(windows):
    """Return the attributes that say where the windows of a convolution lie."""
    return {
        "kernel_shape": [windows.KH, windows.KW],
        "strides": [windows.SH, windows.SW],
        "dilations": [windows.DH, windows.DW],
        "pads": [windows.PT, windows.PL, windows.PB, windows.PR],
    }


def conv(step):
    layer, w = step.layer, step.weights["w"]
    windows = shapes.windows(
        (1, *step.x.shape),
        layer.kernel_size,
        layer.stride,
        layer.padding,
        layer.dilation,
        owner=layer.owner,
    )
    inputs = [step.x.first(), step.constant("w", w.transpose(3, 2, 0, 1))]
    if "b" in step.weights:
        inputs.append(step.constant("b", step.weights["b"]))
    y = step.node(
        "Conv",
        *inputs,
        **geometry(windows),
        group=windows.C // w.shape[2],
    )
    return step.value(y)


def conv_transpose(step):
    layer, w = step.layer, step.weights["w"]
    windows = layer.windows(step.x.shape)
    H, W, _ = step.x.shape
    reach = [
        (H - 1) * windows.SH + windows.DH * (windows.KH - 1) + 1 - windows.PT - windows.PB,
        (W - 1) * windows.SW + windows.DW * (windows.KW - 1) + 1 - windows.PL - windows.PR,
    ]
    inputs = [step.x.first(), step.constant("w", w.transpose(3, 2, 0, 1))]
    if "b" in step.weights:
        inputs.append(step.constant("b", step.weights["b"]))
    y = step.node(
        "ConvTranspose",
        *inputs,
        **geometry(windows),
        output_padding=[windows.H - reach[0], windows.W - reach[1]],
        group=step.shape[-1] // w.shape[2],
    )
    return step.value(y)


def dense(step):
    x, w = step.x, step.weights["w"]
    w = step.constant("w", w if x.order is None else w[x.order])
    if "b" in step.weights:
        return step.value(step.node("Gemm", x.tensor, w, step.constant("b", step.weights["b"])))
    return step.value(step.node("MatMul", x.tensor, w))
