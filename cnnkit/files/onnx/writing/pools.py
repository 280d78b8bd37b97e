"""Pooling as nodes of ONNX."""

import numpy as np

from cnnkit.layers.pool import pool_windows


def windows_of(layer, shape):
    """Return the `Windows` of a pooling, and the pads that make ONNX count as many without ceil.

    The last window begins inside the image or its leading pad: the pad at the end is as much of it
    as lies outside.
    """
    found = pool_windows(layer, shape)
    height, width = found.DH * (found.KH - 1) + 1, found.DW * (found.KW - 1) + 1
    bottom = max(0, (found.OH - 1) * found.SH + height - found.H - found.PT)
    right = max(0, (found.OW - 1) * found.SW + width - found.W - found.PL)
    return found, [found.PT, found.PL, bottom, right]


def dilations(windows):
    """Return the attribute of windows with gaps: none where there are no gaps."""
    pair = [windows.DH, windows.DW]
    return {} if pair == [1, 1] else {"dilations": pair}


def max_pool(step):
    windows, pads = windows_of(step.layer, step.x.shape)
    x = step.x.first()
    if max(pads[::2]) >= windows.KH or max(pads[1::2]) >= windows.KW:
        # ONNX Runtime takes no such pads, though windows with gaps are larger than that
        top, left, bottom, right = pads
        sides = step.ints("pads", 0, 0, top, left, 0, 0, bottom, right)
        lowest = step.constant("lowest", np.finfo(step.builder.dtype).min)
        x, pads = step.node("Pad", x, sides, lowest, label="padded"), [0] * 4
    y = step.node(
        "MaxPool",
        x,
        kernel_shape=[windows.KH, windows.KW],
        strides=[windows.SH, windows.SW],
        pads=pads,
        **dilations(windows),
    )
    return step.value(y)


def avg_pool(step):
    windows, pads = windows_of(step.layer, step.x.shape)
    if dilations(windows):
        step.needs_opset(19, f"dilation {step.layer.dilation!r}")
    counted = step.layer.count_include_pad
    factor = beyond_padding(windows) if counted else None
    y = step.node(
        "AveragePool",
        step.x.first(),
        label=None if factor is None else "pool",
        kernel_shape=[windows.KH, windows.KW],
        strides=[windows.SH, windows.SW],
        pads=pads,
        count_include_pad=int(counted),
        **dilations(windows),
    )
    if factor is not None:
        y = step.node("Mul", y, step.constant("factor", factor))
    return step.value(y)


def beyond_padding(windows):
    """Return by how much means grow where ceil_mode's last windows pass the padding, or None.

    What is past the padding is not counted.
    """

    def shares(kernel, end, stride, dilation, count):
        counted = [-(-(end - i * stride) // dilation) for i in range(count)]
        return [kernel / min(kernel, number) for number in counted]

    g = windows
    rows = shares(g.KH, g.H + g.PT + g.PB, g.SH, g.DH, g.OH)
    columns = shares(g.KW, g.W + g.PL + g.PR, g.SW, g.DW, g.OW)
    factor = np.outer(rows, columns)
    return None if (factor == 1).all() else factor


def global_pool(operator):
    """Return the function of a pooling of whole images."""

    def write(step):
        pooled = step.node(operator, step.x.first(), label="pool")
        return step.value(step.node("Flatten", pooled, axis=1))

    return write
