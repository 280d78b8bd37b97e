"""Shapes of the images that users give, and batches of them for a network.

The images keep their dtype and memory; only one batch at a time is converted.
"""

from math import prod

import numpy as np

from cnnkit.validate import shapes


def input_shape(X, image_shape, owner):
    """Return ``(H, W, C)`` of the images in `X`.

    `X` is (n, H, W, C), (n, H, W), or (n, features). The latter are flat rows of `image_shape`;
    without `image_shape` a row is one pixel, (1, 1, features). With ``image_shape=(1, L, C)``, `X`
    may be signals (n, L, C).
    """
    if X.ndim not in (2, 3, 4):
        raise ValueError(
            f"{owner}: X must be (n, features), (n, H, W) or (n, H, W, C), got shape {X.shape}."
        )
    if X.ndim == 2 and image_shape is None:
        return (1, 1, X.shape[1])
    found = None if X.ndim == 2 else (*X.shape[1:], 1)[:3]
    if image_shape is None:
        return found
    wanted = shapes.image_shape(image_shape, owner)
    if found is None and prod(wanted) != X.shape[1]:
        raise ValueError(
            f"{owner}: image_shape {wanted} must multiply to the {X.shape[1]} features of X, "
            f"got {prod(wanted)}."
        )
    if found is not None and wanted != (1, *X.shape[1:]):
        check_image_shape(image_shape, found, owner)
    return wanted


def check_image_shape(image_shape, wanted, owner):
    """Raise unless `image_shape` is None or means images of the shape `wanted`."""
    if image_shape is not None and shapes.image_shape(image_shape, owner) != tuple(wanted):
        raise ValueError(f"{owner}: image_shape must be {wanted} as X is, got {image_shape!r}.")


def check_input_shape(X, wanted, owner, name="X", reason="as in fit"):
    """Raise unless `X` holds images of the shape `wanted`, flat or not."""
    check_axis(X.shape, wanted, owner, name, reason)
    found = X.shape[1:]
    allowed = [wanted, (prod(wanted),)] + ([wanted[:2]] if wanted[2:] == (1,) else [])
    allowed += [wanted[1:]] if wanted[0] == 1 else []
    if found not in allowed:
        advice = ""
        if found == (*wanted[2:], *wanted[:2]) and len(wanted) == 3:
            advice = ": channels come last, X.transpose(0, 2, 3, 1)"
        if X.shape == (prod(wanted),):
            advice = _add_an_axis(name)
        raise ValueError(
            f"{owner}: {name} must hold images of shape {wanted}, {reason}, got shape "
            f"{X.shape}{advice}."
        )


def check_axis(shape, wanted, owner, name="X", reason="as in fit"):
    """Raise if `shape` is that of one image `wanted`, without an axis for the samples."""
    flat_rows = shape[1:] == (prod(wanted),)
    if wanted[0] == 1 and shape == wanted:
        return  # one signal (L, C)
    if shape == wanted or (wanted[2:] == (1,) and shape == wanted[:2] and not flat_rows):
        raise ValueError(
            f"{owner}: {name} must hold images of shape {wanted}, {reason}, got shape {shape}"
            f"{_add_an_axis(name)}."
        )


def _add_an_axis(name):
    return (
        f", one image without an axis for the samples: give {name}[None], or {name}[:1] in the "
        f"place of {name}[0]"
    )


def unit(dtype):
    """Return the number by which images of a dtype are divided as they are loaded."""
    return 255 if dtype == np.uint8 else 1


def load_batch(X, rows, out):
    """Copy `X[rows]` to the first images of `out` and return their number.

    uint8 is scaled to [0, 1]; the numbers of any other dtype are kept.
    """
    batch = X[rows]
    n = len(batch)
    numbers = prod(out.shape[1:])
    batch = batch.reshape(n, numbers)
    target = out[:n].reshape(n, numbers)
    if unit(batch.dtype) != 1:
        factor = target.dtype.type(1 / unit(batch.dtype))
        np.multiply(batch, factor, out=target, dtype=target.dtype)
    else:
        target[...] = batch
    return n
