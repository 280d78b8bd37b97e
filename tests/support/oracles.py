"""Slow twins: each operation as its definition in float64 loops, and the arrays to try it on."""

import itertools
import math
import os
import re
import subprocess
import sys

import numpy as np
from seeded import generator

from cnnkit import Network, Sequential

SANITIZED = "libasan" in os.environ.get("LD_PRELOAD", "")  # which takes memory of its own


def paired(*options):
    """Return a third of all combinations of options: each two of them meet in one, or more."""
    combinations = itertools.product(*map(enumerate, options))
    thirds = (zip(*one, strict=True) for one in combinations if sum(i for i, _ in one) % 3 == 0)
    return [values for _, values in thirds]


def pair(value):
    """One number for both axes, or a pair as it is."""
    return value if isinstance(value, tuple) else (value, value)


def same_padding(size, kernel, stride, dilation=1):
    """Least total by which size must grow to hold ceil(size / stride) windows; odd pixel last."""
    span = dilation * (kernel - 1) + 1
    total = 0
    while len(range(0, size + total - span + 1, stride)) < math.ceil(size / stride):
        total += 1
    return total // 2, total - total // 2


def sides(padding, size, kernel, stride, dilation=(1, 1)):
    """Any spelling of padding as ((top, bottom), (left, right))."""
    if padding == "valid":
        return (0, 0), (0, 0)
    if padding == "same":
        return tuple(map(same_padding, size, kernel, stride, dilation))
    return tuple(pair(side) for side in pair(padding))


def windows(shape, kernel, stride, padding, dilation):
    """Padding sides, output size, and ((i, j), slice of the padded batch) of each window."""
    kernel, stride, dilation = pair(kernel), pair(stride), pair(dilation)
    around = sides(padding, shape[1:3], kernel, stride, dilation)
    spans = [d * (k - 1) + 1 for d, k in zip(dilation, kernel, strict=True)]
    rows, columns = (
        [slice(start, start + span, d) for start in range(0, sum(side) + n - span + 1, s)]
        for n, side, span, s, d in zip(shape[1:3], around, spans, stride, dilation, strict=True)
    )
    found = [
        ((i, j), np.s_[:, row, column])
        for i, row in enumerate(rows)
        for j, column in enumerate(columns)
    ]
    return around, (len(rows), len(columns)), found


def pad(x, around):
    """Zeros around each image."""
    return np.pad(np.asarray(x, np.float64), ((0, 0), *around, (0, 0)))


def crop(xp, around):
    """The images inside their padding."""
    (top, bottom), (left, right) = around
    return xp[:, top : xp.shape[1] - bottom, left : xp.shape[2] - right]


def im2col(x, kernel_size, stride=1, padding=0, dilation=1):
    """cols[(n, i, j), (u, v, c)] = x[n, sh i + dh u - top, sw j + dw v - left, c], 0 outside x."""
    around, size, found = windows(x.shape, kernel_size, stride, padding, dilation)
    kh, kw = pair(kernel_size)
    xp = pad(x, around)
    cols = np.zeros((len(x), *size, kh * kw * x.shape[3]))
    for (i, j), window in found:
        cols[:, i, j] = xp[window].reshape(len(x), kh * kw * x.shape[3])
    return cols.reshape(-1, kh * kw * x.shape[3])


def col2im(cols, input_shape, kernel_size, stride=1, padding=0, dilation=1):
    """x[n, r, q, c] = sum of all entries of cols that im2col copies from x[n, r, q, c]."""
    around, size, found = windows(input_shape, kernel_size, stride, padding, dilation)
    n, channels = input_shape[0], input_shape[3]
    cols = cols.reshape(n, *size, *pair(kernel_size), channels)
    xp = pad(np.zeros(input_shape), around)
    for (i, j), window in found:
        xp[window] += cols[:, i, j]
    return crop(xp, around)


def group_slices(channels, filters, groups):
    """Channels and filters of each group, in order."""
    c, f = channels // groups, filters // groups
    return [(slice(g * c, g * c + c), slice(g * f, g * f + f)) for g in range(groups)]


def conv2d(x, w, b=None, stride=1, padding=0, dilation=1, groups=1):
    """y[n, i, j, f] = b[f] + sum_uvc x[n, sh i + dh u - top, sw j + dw v - left, c] w[u, v, c, f],
    x being 0 outside the image and c running over the channels of the group of f."""
    around, size, found = windows(x.shape, w.shape[:2], stride, padding, dilation)
    xp = pad(x, around)
    y = np.zeros((len(x), *size, w.shape[3]))
    for (i, j), window in found:
        for c, f in group_slices(x.shape[3], w.shape[3], groups):
            y[:, i, j, f] = np.tensordot(xp[window][..., c], w[..., f], 3)
    return y if b is None else y + b


def conv2d_backward(dy, x, w, stride=1, padding=0, dilation=1, groups=1):
    """dx, dw, db: each product x w in y[n, i, j, f] gives dy w to its x, dy x to its w."""
    around, _, found = windows(x.shape, w.shape[:2], stride, padding, dilation)
    xp = pad(x, around)
    dxp = np.zeros_like(xp)
    dw = np.zeros(w.shape)
    for (i, j), window in found:
        for c, f in group_slices(x.shape[3], w.shape[3], groups):
            dxp[window][..., c] += np.tensordot(dy[:, i, j, f], w[..., f], (1, 3))
            dw[..., f] += np.tensordot(xp[window][..., c], dy[:, i, j, f], (0, 0))
    return crop(dxp, around), dw, dy.sum((0, 1, 2))


def pool_starts(size, kernel, stride, side, ceil_mode):
    """Starts 0, s, 2s ... of windows that fit; ceil_mode adds one over pixels left, if it starts
    before the trailing padding."""
    length = size + sum(side)
    starts = list(range(0, length - kernel + 1, stride))
    following = starts[-1] + stride
    if ceil_mode and starts[-1] + kernel < length and following < side[0] + size:
        starts.append(following)
    return starts


def pool_windows(shape, pool_size, stride, padding, ceil_mode):
    """Output size, and for each output (i, j) its rows and columns of the image and the number of
    pixels of the padded image in it."""
    pool = pair(pool_size)
    stride = pool if stride is None else pair(stride)
    around = sides(padding, shape[1:3], pool, stride)
    axes = []
    for n, k, s, side in zip(shape[1:3], pool, stride, around, strict=True):
        starts = pool_starts(n, k, s, side, ceil_mode)
        ends = [min(start + k, n + sum(side)) for start in starts]
        axes.append(
            [
                (slice(max(start - side[0], 0), min(end - side[0], n)), end - start)
                for start, end in zip(starts, ends, strict=True)
            ]
        )
    found = [
        ((i, j), rows, columns, height * width)
        for i, (rows, height) in enumerate(axes[0])
        for j, (columns, width) in enumerate(axes[1])
    ]
    return tuple(map(len, axes)), found


def max_pool2d(x, pool_size, stride=None, padding=0, ceil_mode=False):
    """y[n, i, j, c] = max of x[n, r, q, c] over the image pixels (r, q) of window (i, j)."""
    size, found = pool_windows(x.shape, pool_size, stride, padding, ceil_mode)
    y = np.zeros((len(x), *size, x.shape[3]))
    for (i, j), rows, columns, _ in found:
        y[:, i, j] = x[:, rows, columns].max((1, 2))
    return y


def max_pool2d_backward(dy, x, pool_size, stride=None, padding=0, ceil_mode=False):
    """dx: each dy[n, i, j, c] is added at the first maximum of its window, row by row."""
    dx = np.zeros(x.shape)
    for (i, j), rows, columns, _ in pool_windows(x.shape, pool_size, stride, padding, ceil_mode)[1]:
        for n, c in np.ndindex(len(x), x.shape[3]):
            window = x[n, rows, columns, c]
            r, q = np.unravel_index(np.argmax(window), window.shape)
            dx[n, rows.start + r, columns.start + q, c] += dy[n, i, j, c]
    return dx


def divisor(rows, columns, padded, count_include_pad):
    """Pixels a mean is taken over: those of the image, or those of the padded image."""
    inside = (rows.stop - rows.start) * (columns.stop - columns.start)
    return padded if count_include_pad else inside


def avg_pool2d(x, pool_size, stride=None, padding=0, ceil_mode=False, count_include_pad=False):
    """y[n, i, j, c] = sum of x[n, r, q, c] over window (i, j) / pixels counted."""
    size, found = pool_windows(x.shape, pool_size, stride, padding, ceil_mode)
    y = np.zeros((len(x), *size, x.shape[3]))
    for (i, j), rows, columns, padded in found:
        count = divisor(rows, columns, padded, count_include_pad)
        y[:, i, j] = x[:, rows, columns].sum((1, 2)) / count
    return y


def avg_pool2d_backward(
    dy, input_shape, pool_size, stride=None, padding=0, ceil_mode=False, count_include_pad=False
):
    """dx[n, r, q, c] = sum of dy[n, i, j, c] / pixels counted over the windows that hold (r, q)."""
    dx = np.zeros(input_shape)
    found = pool_windows(input_shape, pool_size, stride, padding, ceil_mode)[1]
    for (i, j), rows, columns, padded in found:
        count = divisor(rows, columns, padded, count_include_pad)
        dx[:, rows, columns] += dy[:, i, None, None, j] / count
    return dx


def softmax(x):
    """p[i] = exp(x[i]) / sum_j exp(x[j])."""
    e = np.exp(np.asarray(x, np.float64))
    return e / e.sum(-1, keepdims=True)


def softmax_cross_entropy(logits, p, sample_weight):
    """- sum_n s[n] sum_k p[n, k] log softmax(logits)[n, k] / sum_n s[n]."""
    losses = -(p * np.log(softmax(logits))).sum(1)
    return (sample_weight * losses).sum() / sample_weight.sum()


def numeric_gradient(f, x, eps=1e-6):
    """g[k] = (f(x + eps e_k) - f(x - eps e_k)) / (2 eps)."""
    return numeric_slopes(f, x, eps)[0]


def numeric_slopes(f, x, eps=1e-6):
    """Slopes across every number of x, and how far the derivative may be from each.

    That is half of what the slopes on both sides differ by: much where a kink is between.
    """
    x = np.array(x, np.float64)
    slopes, doubts = np.zeros(x.shape), np.zeros(x.shape)
    middle = f(x)
    for k in np.ndindex(x.shape):
        here = x[k]
        x[k] = here + eps
        above = f(x)
        x[k] = here - eps
        below = f(x)
        slopes[k] = (above - below) / (2 * eps)
        doubts[k] = abs(above - 2 * middle + below) / (2 * eps)
        x[k] = here
    return slopes, doubts


def integers(*shape, seed=0):
    """Whole numbers from -4 to 4: short sums of their products are exact in float32."""
    return generator(seed).integers(-4, 5, shape).astype(np.float64)


def normals(*shape, seed=0):
    """Standard normal numbers."""
    return generator(seed).standard_normal(shape)


def distinct(*shape, seed=0):
    """Numbers 0.1 apart in random order: no ties, none at zero."""
    n = math.prod(shape)
    return (generator(seed).permutation(n) - n // 2 + 0.5).reshape(shape) / 10


LAYOUTS = [
    *("read_only", "fortran", "reversed", "sliced", "byte_swapped", "unaligned"),
    "memory_mapped",
]


def laid_out(a, layout, folder):
    """The numbers of `a` in another layout of memory; `folder` holds the memory-mapped file."""
    if layout == "read_only":
        a = a.copy()
        a.flags.writeable = False
    elif layout == "fortran":
        a = np.asfortranarray(a)
    elif layout == "reversed":
        a = np.flip(np.flip(a).copy())
    elif layout == "sliced":
        wide = np.full([2 * n + 1 for n in a.shape], 77, a.dtype)
        inner = tuple(slice(1, None, 2) for _ in a.shape)
        wide[inner] = a
        a = wide[inner]
    elif layout == "byte_swapped":
        a = a.astype(a.dtype.newbyteorder())
    elif layout == "unaligned":
        a = np.frombuffer(b"\0" + a.tobytes(), a.dtype, offset=1).reshape(a.shape)
    elif layout == "memory_mapped":
        path = folder / f"{len(list(folder.iterdir()))}.npy"
        np.save(path, a)
        a = np.load(path, mmap_mode="r")
    return a


def assert_exact(got, want, dtype):
    """Same shape, dtype and numbers; NaN equals NaN."""
    assert got.dtype == dtype
    assert got.shape == want.shape
    np.testing.assert_array_equal(got, want)


# Largest error in float32 relative to the rms of y, dx, dw and db
EXACT_BOUNDS = (1e-5, 1e-5, 1e-5, 1e-5)
WINOGRAD_BOUNDS = (5e-5, 5e-5, 2e-4, 1e-5)
BOUNDS = {
    "auto": WINOGRAD_BOUNDS,
    "winograd": WINOGRAD_BOUNDS,
    "exact": EXACT_BOUNDS,
    "direct": EXACT_BOUNDS,
    "im2col": EXACT_BOUNDS,
}


def assert_close(got, want, dtype, bound=1e-5):
    """Largest error within `bound` (float32) or `bound` / 1e8 (float64) of the rms of `want`."""
    assert got.dtype == dtype
    assert got.shape == want.shape
    rms = np.sqrt(np.mean(want**2))
    np.testing.assert_allclose(
        got, want, rtol=0, atol=rms * (bound if dtype == "float32" else bound / 1e8)
    )


def assert_same_bits(got, want):
    """Same dtype, shape and bytes, for an array, a number, or each of several."""
    if isinstance(want, tuple):
        assert len(got) == len(want)
        for one, other in zip(got, want, strict=True):
            assert_same_bits(one, other)
        return
    got, want = np.asarray(got), np.asarray(want)
    assert (got.dtype, got.shape) == (want.dtype, want.shape)
    assert got.tobytes() == want.tobytes()


def says(function, *words):
    """Pattern of a message that starts with the function's name and holds each of the words."""
    holds = "".join(rf"(?=.*(?<!\w){re.escape(str(word))}(?!\w))" for word in words)
    return rf"(?s)^{function}: {holds}"


def check_gradients(layers, shape, *, batch=2, algorithm="auto"):
    """Gradient to every weight against slopes of <output, dy>; a layer with weights before the
    one looked at makes these depend on its gradient to x too."""
    network = Network(
        Sequential(layers),
        shape,
        3,
        batch_size=batch,
        dtype="float64",
        training=True,
        algorithm=algorithm,
        rng=generator(3),
    )
    draws = network.rng.bit_generator.state
    flat = normals(network.weights.flat.size)
    x, dy = normals(*network.x.shape, seed=1), normals(*network.output.shape, seed=2)

    def loss(flat):
        network.rng.bit_generator.state = draws
        network.weights.flat[:] = flat
        network.x[...] = x
        return np.vdot(network.forward(batch), dy)

    slopes = numeric_gradient(loss, flat)
    loss(flat)
    network.doutput[...] = dy
    network.backward(batch)
    np.testing.assert_allclose(network.grads.flat, slopes, rtol=0, atol=1e-6)
    assert slopes.any()


def python(code, *words, **variables):
    """Run a program of its own on the installed package, whatever the folder (-P)."""
    return subprocess.run(
        [sys.executable, "-P", "-B", "-c", code, *words],
        env={**os.environ, **variables},
        capture_output=True,
        text=True,
        timeout=200,
    )
