"""Numbers that are hard to add up, and what ops are defined as, in long doubles."""

import numpy as np


def _constant(rng, shape):
    return np.full(shape, rng.choice([0.1, 0.3, 0.7, 1 / 3]))


def _ramp(rng, shape):
    return np.arange(np.prod(shape)).reshape(shape) / np.prod(shape) + rng.random()


def _offset(rng, shape):
    return rng.standard_normal(shape) + 1e4


def _outlier(rng, shape):
    found = rng.standard_normal(shape)
    found.flat[rng.integers(found.size)] = 1e6
    return found


def _cancelling(rng, shape):
    """Large numbers that come to nothing by twos, and small ones among them."""
    found = 1e3 * rng.standard_normal(shape)
    numbers = found.reshape(-1)
    half = len(numbers) // 2
    numbers[half : 2 * half] = rng.standard_normal(half) - numbers[:half]
    return found


def _large_channel(rng, shape):
    """One channel 1e4 times the others."""
    found = rng.standard_normal(shape)
    found[..., 0] *= 1e4
    return found


kinds = {
    "constant": _constant,
    "ramp": _ramp,
    "offset": _offset,
    "outlier": _outlier,
    "cancelling": _cancelling,
    "large channel": _large_channel,
}


def convolution(x, w, b, dy, stride, groups):
    """y, dx, dw and db of a convolution with padding "same"."""
    x, w, b, dy = (a.astype(np.longdouble) for a in (x, w, b, dy))
    KH, KW, C, F = w.shape
    (_, OH, OW, _), (_, H, W, _), F = dy.shape, x.shape, F // groups
    totals = [max((out - 1) * stride + k - n, 0) for out, k, n in ((OH, KH, H), (OW, KW, W))]
    around = [(0, 0), *((total // 2, total - total // 2) for total in totals), (0, 0)]
    padded = np.pad(x, around)
    y, dpadded, dw = np.zeros(dy.shape, np.longdouble) + b, np.zeros_like(padded), np.zeros_like(w)
    for kh in range(KH):
        for kw in range(KW):
            window = (
                slice(None),
                slice(kh, kh + (OH - 1) * stride + 1, stride),
                slice(kw, kw + (OW - 1) * stride + 1, stride),
            )
            if C == F == 1:  # channel by channel
                y += padded[window] * w[kh, kw, 0]
                dpadded[window] += dy * w[kh, kw, 0]
                dw[kh, kw, 0] = (padded[window] * dy).sum(axis=(0, 1, 2))
                continue
            for g in range(groups):
                c, f = slice(g * C, (g + 1) * C), slice(g * F, (g + 1) * F)
                part, tap = padded[(*window, c)], w[kh, kw, :, f]
                y[..., f] += part @ tap
                dpadded[(*window, c)] += dy[..., f] @ tap.T
                dw[kh, kw, :, f] = part.reshape(-1, C).T @ dy[..., f].reshape(-1, F)
    (top, _), (left, _) = around[1:3]
    dx = dpadded[:, top : top + H, left : left + W]
    return y, dx, dw, dy.sum(axis=(0, 1, 2))


def kernel_times_tiles(x, w, b, dy):
    """Of magnitudes: sums for y, dx and dw of 3x3 kernels with every number of x and dy as large
    as the largest of its channel in the 6x6 pixels of a tile (of dy for dw: in the 4x4).
    """
    w = w.astype(np.longdouble).sum(axis=(0, 1))
    tops, dtops = _tiles(x, 6), _tiles(dy, 6)
    y = _spread(tops @ w, x.shape) + b
    dx = _spread(dtops @ w.T, x.shape)
    dw = 16 * np.einsum("nijc,nijf->cf", tops, _tiles(dy, 4))
    return y, dx, np.broadcast_to(dw, (3, 3, *dw.shape))


def _tiles(a, size):
    """The largest number of every tile: 4x4 pixels, or those and the pixels around them."""
    N, H, W, C = a.shape
    down, across, edge = -(-H // 4), -(-W // 4), (size - 4) // 2
    padded = np.zeros((N, 4 * down + 2 * edge, 4 * across + 2 * edge, C), np.longdouble)
    padded[:, edge : edge + H, edge : edge + W] = a
    views = [
        padded[:, i : i + 4 * down - 3 : 4, j : j + 4 * across - 3 : 4]
        for i in range(size)
        for j in range(size)
    ]
    return np.max(views, axis=0)


def _spread(tiles, shape):
    return tiles.repeat(4, axis=1).repeat(4, axis=2)[:, : shape[1], : shape[2]]


def pixel_sums(dy, size):
    """The adjoint of sums over windows of size x size pixels, one pixel apart."""
    N, OH, OW, C = dy.shape
    dx = np.zeros((N, OH + size - 1, OW + size - 1, C), np.longdouble)
    for i in range(size):
        for j in range(size):
            dx[:, i : i + OH, j : j + OW] += dy
    return dx


def _normalised(x, eps=1e-5):
    x = x.astype(np.longdouble)
    centred = x - x.mean(axis=(0, 1, 2))
    inverse = 1 / np.sqrt((centred**2).mean(axis=(0, 1, 2)) + np.longdouble(eps))
    return centred * inverse, inverse


def batch_norm(x, gamma, beta, dy):
    """y, dx, dgamma and dbeta."""
    normal, inverse = _normalised(x)
    dy = dy.astype(np.longdouble)
    dbeta, dgamma = dy.sum(axis=(0, 1, 2)), (normal * dy).sum(axis=(0, 1, 2))
    pixels = dy[..., 0].size
    dx = gamma * inverse * (dy - dbeta / pixels - normal * (dgamma / pixels))
    return gamma * normal + beta, dx, dgamma, dbeta


def batch_norm_magnitudes(x, gamma, beta, dy):
    """What their errors are measured by: every number counts as the deviation at least."""
    normal, inverse = _normalised(x)
    normal, dy = 1 + abs(normal), abs(dy).astype(np.longdouble)
    dbeta, dgamma = dy.sum(axis=(0, 1, 2)), (normal * dy).sum(axis=(0, 1, 2))
    pixels = dy[..., 0].size
    dx = abs(gamma) * inverse * (dy + dbeta / pixels + normal * (dgamma / pixels))
    return abs(gamma) * normal + abs(beta), dx, dgamma, dbeta
