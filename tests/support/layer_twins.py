"""Definitions of layers that take more than a line, in NumPy or by PyTorch."""

import math

import numpy as np
from oracles import conv2d, pair, sides


def batch_norm(layer, w, context, x):
    """(x - mean) / sqrt(var + eps) gamma + beta, statistics of the batch or running."""
    axes = tuple(range(x.ndim - 1))
    mean, var = (x.mean(axes), x.var(axes)) if context["training"] else (w["mean"], w["var"])
    return (x - mean) / np.sqrt(var + layer.eps) * w["gamma"] + w["beta"]


def local_response_norm(layer, w, context, x):
    """x_c / (k + alpha / size * sum of x_c'^2, c - size // 2 <= c' < c - size // 2 + size)^beta."""
    y = np.zeros_like(x)
    for c in range(x.shape[-1]):
        low = c - layer.size // 2
        squares = (x[..., max(low, 0) : low + layer.size] ** 2).sum(-1)
        y[..., c] = x[..., c] / (layer.k + layer.alpha / layer.size * squares) ** layer.beta
    return y


def upsample(layer, w, context, x):
    """Every output pixel from the one or four pixels around its centre."""
    scales = layer.scale if isinstance(layer.scale, tuple) else (layer.scale, layer.scale)
    H, W = x.shape[1:3]
    y = np.zeros((len(x), H * scales[0], W * scales[1], x.shape[3]))
    for i, j in np.ndindex(*y.shape[1:3]):
        if layer.method == "nearest":
            y[:, i, j] = x[:, i // scales[0], j // scales[1]]
            continue
        r = min(max((i + 0.5) / scales[0] - 0.5, 0), H - 1)
        q = min(max((j + 0.5) / scales[1] - 0.5, 0), W - 1)
        for a, b in np.ndindex(2, 2):
            u, v = int(r) + a, int(q) + b
            share = (1 - abs(r - u)) * (1 - abs(q - v))
            if share > 0:
                y[:, i, j] += share * x[:, u, v]
    return y


def pad(layer, w, context, x):
    amounts = layer.padding
    amounts = amounts if isinstance(amounts, tuple) else (amounts, amounts)
    amounts = ((0, 0), *(a if isinstance(a, tuple) else (a, a) for a in amounts), (0, 0))
    value = {"constant_values": layer.value} if layer.mode == "constant" else {}
    return np.pad(x, amounts, layer.mode, **value)


def add(layer, w, context, first, *others):
    """The sum, a (N, C) or (N, 1, 1, C) spread over the pixels of the first."""
    ones = (1,) * (first.ndim - 2)
    return first + sum(
        x if x.shape == first.shape else x.reshape(len(x), *ones, x.shape[-1]) for x in others
    )


def part(layer, w, context, x):
    """Every sample's numbers of one axis, by Python's own slice of a list of places."""
    axis = layer.axis % (x.ndim - 1) + 1
    places = list(range(x.shape[axis]))[layer.start : layer.stop : layer.step]
    return np.take(x, places, axis)


def resized(layer, w, context, x):
    """Shares of the rows, then of the columns; the onnx package's cases check the shares."""
    size = layer.output_shape(x.shape[1:])
    (rows, above), (cols, beside) = (layer.axis(k, x.shape[k + 1], size[k]) for k in (0, 1))
    y = np.einsum("ih,jw,nhwc->nijc", rows.toarray(), cols.toarray(), x)
    y[:, np.logical_or.outer(above, beside)] = layer.outside
    return y


def multiply(layer, w, context, a, b):
    """a b, one (N, C) or (N, 1, 1, C) spread over the pixels of the other."""
    whole = a.shape if math.prod(a.shape[1:]) >= math.prod(b.shape[1:]) else b.shape
    a, b = (v.reshape(len(v), math.prod(v.shape[1:-1]), v.shape[-1]) for v in (a, b))
    return (a * b).reshape(whole)


def conv(layer, w, context, x):
    groups = x.shape[3] if hasattr(layer, "depth_multiplier") else layer.groups
    return conv2d(x, w["w"], w.get("b"), layer.stride, layer.padding, layer.dilation, groups)


def dropout(layer, w, context, x):
    if not context["training"]:
        return x
    return x * (context["rng"].random(x.shape) >= layer.rate) / (1 - layer.rate)


def softmax(x):
    exponentials = np.exp(x - x.max(-1, keepdims=True))
    return exponentials / exponentials.sum(-1, keepdims=True)


def logistic(x):
    """1 / (1 + exp(-x)), of which no exp overflows."""
    e = np.exp(-abs(x))
    return np.where(x < 0, e, 1) / (1 + e)


def softplus(x):
    """log(1 + exp(x)), of which no exp overflows."""
    return np.maximum(x, 0) + np.log1p(np.exp(-abs(x)))


def group_norm(layer, w, context, x):
    """Mean 0 and deviation 1 for every group of every sample, times gamma, plus beta."""
    groups = x.reshape(len(x), math.prod(x.shape[1:-1]), layer.groups, -1)
    mean, var = (f(groups, axis=(1, 3), keepdims=True) for f in (np.mean, np.var))
    return ((groups - mean) / np.sqrt(var + layer.eps)).reshape(x.shape) * w["gamma"] + w["beta"]


def spatial_dropout(layer, w, context, x):
    if not context["training"]:
        return x
    drawn = context["rng"].random((len(x), 1, 1, x.shape[-1]))
    return x * (drawn >= layer.rate) / (1 - layer.rate)


def conv_transpose(layer, w, context, x):
    """Every pixel of x adds a kernel, times its numbers, to the output; then padding is cut off."""
    H, W, F = layer.output_shape(x.shape[1:])
    steps, gaps, kernel = map(pair, (layer.stride, layer.dilation, layer.kernel_size))
    (top, _), (left, _) = sides(layer.padding, (H, W), kernel, steps, gaps)
    size = (
        2 * (n + d * k) * s for n, s, d, k in zip(x.shape[1:3], steps, gaps, kernel, strict=True)
    )
    whole = np.zeros((len(x), *size, F))
    each, few = x.shape[3] // layer.groups, F // layer.groups
    for i, j, u, v, k in np.ndindex(*x.shape[1:3], *kernel, layer.groups):
        c, f = slice(k * each, (k + 1) * each), slice(k * few, (k + 1) * few)
        at = i * steps[0] + u * gaps[0], j * steps[1] + v * gaps[1]
        whole[:, *at, f] += x[:, i, j, c] @ w["w"][u, v, :, c].T
    return whole[:, top : top + H, left : left + W] + w.get("b", 0)


def torch_conv_transpose(t, layer, x):
    H, W, _ = layer.output_shape((*x.shape[2:], x.shape[1]))
    sizes = map(pair, (layer.kernel_size, layer.stride, layer.dilation))
    (top, _), (left, _) = sides(layer.padding, (H, W), *sizes)
    y = t.F.conv_transpose2d(
        x,
        t.weights["convtranspose1/w"].permute(3, 2, 0, 1),
        t.weights.get("convtranspose1/b"),
        layer.stride,
        output_padding=layer.output_padding,
        groups=layer.groups,
        dilation=layer.dilation,
    )
    return y[:, :, top : top + H, left : left + W]


def number_by_number(f):
    return lambda layer, w, context, x: f(x)


def pooled(f):
    def twin(layer, w, context, x):
        params = layer.get_params()
        dilation = params.pop("dilation")
        return f(x, **params) if dilation == 1 else dilated(layer, x)

    return twin


def dilated(layer, x):
    """Pooling of windows whose pixels lie apart, each pixel of y from those in the image."""
    (KH, KW), (DH, DW), (SH, SW), pad = layer.pool_size, layer.dilation, layer.stride, layer.padding
    y = np.zeros((len(x), *layer.output_shape(x.shape[1:])))
    for i, j in np.ndindex(*y.shape[1:3]):
        places = [(i * SH - pad + r * DH, j * SW - pad + q * DW) for r, q in np.ndindex(KH, KW)]
        inside = [(r, q) for r, q in places if 0 <= r < x.shape[1] and 0 <= q < x.shape[2]]
        window = np.stack([x[:, r, q] for r, q in inside])
        if type(layer).__name__ == "MaxPool":
            y[:, i, j] = window.max(0)
        else:
            y[:, i, j] = window.sum(0) / len(places if layer.count_include_pad else inside)
    return y
