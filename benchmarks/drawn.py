"""Data sets that are drawn from a seed, on which the defaults of the estimators are tested.

Every function takes the number of samples and a `numpy.random.Generator`, and returns X and y.
"""

from itertools import pairwise

import numpy as np
from scipy import ndimage
from sklearn.datasets import load_digits


def textures(n, rng, side=32):
    """Draw uint8 colour textures of any colours in 6 classes: stripes, checks, rings, clouds."""
    X, y = np.empty((n, side, side, 3), np.uint8), rng.integers(0, 6, n)
    rows, columns = np.mgrid[:side, :side]
    for i, kind in enumerate(y):
        rate, turn, phase = rng.uniform(0.3, 1.0), rng.uniform(0, np.pi), rng.uniform(0, 2 * np.pi)
        along = rate * (columns * np.cos(turn) + rows * np.sin(turn)) + phase
        if kind == 0:
            drawn = np.sin(along)
        elif kind == 1:
            drawn = np.sin(rate * columns + phase) * np.sin(rate * rows + phase)
        elif kind == 2:
            x, y0 = side * rng.random(2)
            drawn = np.sin(rate * np.hypot(columns - x, rows - y0) + phase)
        elif kind < 5:
            blur = (1.0, 2.5)[kind - 3]
            drawn = ndimage.gaussian_filter(rng.standard_normal((side, side)), blur) * 4 * blur
        else:
            drawn = np.sign(np.sin(along)) * (rng.random((side, side)) > 0.3)
        drawn = rng.uniform(40, 215, 3) + rng.uniform(-70, 70, 3) * drawn[..., None]
        X[i] = np.clip(drawn + rng.normal(0, 18, drawn.shape), 0, 255)
    return X, y


def shapes(n, rng, side=48):
    """Draw uint8 photos of a disc, a square or a triangle, of any colour, size, place and turn."""
    X, y = np.empty((n, side, side, 3), np.uint8), rng.integers(0, 3, n)
    rows, columns = np.mgrid[:side, :side]
    for i, kind in enumerate(y):
        ground = rng.uniform(0, 255, 3) + rows[..., None] * rng.uniform(-1.5, 1.5, 3)
        ground = ground + columns[..., None] * rng.uniform(-1.5, 1.5, 3)
        r, turn = side * rng.uniform(0.12, 0.3), rng.uniform(0, 2 * np.pi)
        x, y0 = rng.uniform(r, side - r, 2)
        u = (columns - x) * np.cos(turn) + (rows - y0) * np.sin(turn)
        v = (rows - y0) * np.cos(turn) - (columns - x) * np.sin(turn)
        inside = (
            u * u + v * v < r * r,
            np.maximum(abs(u), abs(v)) < 0.85 * r,
            (v > -0.6 * r) & (v < 1.5 * r - 2.2 * abs(u)),
        )[kind]
        drawn = np.where(inside[..., None], rng.uniform(0, 255, 3), ground)
        X[i] = np.clip(drawn + rng.normal(0, 12, drawn.shape), 0, 255)
    return X, y


def signals(n, rng, length=128):
    """Draw signals of two channels as images (1, length, 2), in 5 classes of events in noise."""
    X, y = np.empty((n, 1, length, 2), np.float32), rng.integers(0, 5, n)
    time = np.arange(length)
    for i, kind in enumerate(y):
        drawn = rng.normal(0, 0.5, (2, length))
        at, size, rate = rng.integers(10, length - 30), rng.uniform(0.8, 2), rng.uniform(0.15, 0.6)
        if kind == 0:
            drawn += size * np.array([np.sin(rate * time), np.cos(rate * time)])
        elif kind < 3:
            drawn[0, at : at + 20] += (2, -2)[kind - 1] * size * np.hanning(20)
        elif kind == 3:
            drawn[1] += size * np.sin((rate + 0.004 * time) * time)
        else:
            drawn[:, at : at + 6] += 2 * size * np.array([1, -1, 1, -1, 1, -1])
        X[i, 0] = drawn.T * 100 + 40
    return X, y


def rings(n, rng, side=24):
    """Draw 16-bit grey images of discs, and one ring in 21 of them: 2 classes, 20 to 1."""
    X, y = rng.normal(1000, 120, (n, side, side)), (np.arange(n) % 21 == 0).astype(int)
    rows, columns = np.mgrid[:side, :side]
    for image, ring in zip(X, y, strict=True):
        (x, y0), r = rng.uniform(6, side - 6, 2), rng.uniform(3, 5.5)
        distance = np.hypot(columns - x, rows - y0)
        image += 300 * (abs(distance - r) < 1 if ring else distance < 0.8 * r)
    order = rng.permutation(n)
    return X[order].astype(np.uint16), y[order]


def glyphs(n, rng, classes=12, side=28):
    """Draw strokes that differ a little from one of 12 signs, equally often."""
    signs, y = rng.uniform(4, side - 4, (classes, 5, 2)), np.arange(n) % classes
    X = np.empty((n, side, side), np.uint8)
    steps = np.linspace(0, 1, 40)[:, None]
    for i, kind in enumerate(y):
        points, turn = signs[kind] + rng.normal(0, 1.2, (5, 2)), rng.normal(0, 0.12)
        turned = [[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]]
        points = (points - side / 2) @ turned + side / 2 + rng.normal(0, 1, 2)
        drawn = np.zeros((side, side))
        for start, end in pairwise(points):
            at = np.clip((start + (end - start) * steps).round().astype(int), 0, side - 1)
            drawn[tuple(at.T)] = 1
        drawn = ndimage.gaussian_filter(drawn, 0.8) * 400 + rng.normal(0, 8, drawn.shape)
        X[i] = np.clip(drawn, 0, 255)
    return X, y


def quarters(n, rng, side=40):
    """Draw 16-bit grey images of a faint spot; the class is the quarter that it lies in."""
    X, y = rng.normal(3000, 400, (n, side, side)), rng.integers(0, 4, n)
    rows, columns = np.mgrid[:side, :side]
    for image, kind in zip(X, y, strict=True):
        x, y0 = rng.uniform(4, 16, 2) + 20 * np.array([kind % 2, kind // 2])
        image += 2500 * np.exp(-((columns - x) ** 2 + (rows - y0) ** 2) / rng.uniform(6, 14))
    return np.clip(X, 0, 65535).astype(np.uint16), y


def roughness(n, rng, side=16):
    """Draw noise with three degrees of blur, float64; one label in ten is random."""
    y = rng.integers(0, 3, n)
    noise = rng.standard_normal((n, side, side))
    X = np.array(
        [ndimage.gaussian_filter(image, 0.5 + 0.22 * k) for image, k in zip(noise, y, strict=True)]
    )
    X /= X.std(axis=(1, 2), keepdims=True)
    return X, np.where(rng.random(n) < 0.1, rng.integers(0, 3, n), y)


def turned_digits(n, rng):
    """Draw the digits 2, 3, 4, 5 and 7, 16x16, turned by -45 to 45 degrees, which are y."""
    digits = load_digits()
    chosen = rng.permutation(np.flatnonzero(np.isin(digits.target, (2, 3, 4, 5, 7))))[:n]
    y = rng.uniform(-45, 45, len(chosen))
    larger = [ndimage.zoom(image, 2, order=1) for image in digits.images[chosen]]
    turn = [ndimage.rotate(a, b, reshape=False, order=1) for a, b in zip(larger, y, strict=True)]
    return np.array(turn), y


def spots(n, rng, side=32):
    """Draw a spot in noise, float64; y is its place, two numbers of unlike scale."""
    rows, columns = np.mgrid[:side, :side]
    places = rng.uniform(3, side - 3, (n, 2))
    X = np.array(
        [np.exp(-((columns - x) ** 2 + (rows - y) ** 2) / 6) for x, y in places]
    ) + rng.normal(0, 0.15, (n, side, side))
    return X, places * [1, 1000]
