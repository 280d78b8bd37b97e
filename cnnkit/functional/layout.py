"""Conversion between channels_last and channels_first."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from cnnkit.validate import shapes

if TYPE_CHECKING:
    from cnnkit.typing import DataFormat, Floats, Shape


def _check_format(data_format, owner):
    if data_format not in ("channels_last", "channels_first"):
        raise ValueError(
            f"{owner}: data_format must be 'channels_last' or 'channels_first', "
            f"got {data_format!r}."
        )


def channels_last(x: Floats, name: str, data_format: DataFormat, owner: str) -> Floats:
    """Return `x`, a 4-D array in `data_format`, as (N, H, W, C)."""
    _check_format(data_format, owner)
    if x.ndim != 4:
        raise ValueError(f"{owner}: {name} must have 4 dimensions, got shape {x.shape}.")
    if data_format == "channels_last":
        return x
    return np.ascontiguousarray(x.transpose(0, 2, 3, 1))


def as_given(y: Floats, data_format: DataFormat) -> Floats:
    """Return `y` (N, H, W, C) in `data_format`."""
    if data_format == "channels_last":
        return y
    return np.ascontiguousarray(y.transpose(0, 3, 1, 2))


def columns_as_given(cols: Floats, channels: int, data_format: DataFormat) -> Floats:
    """Return an im2col matrix, whose columns are (kh, kw, c), with columns in `data_format`."""
    if data_format == "channels_last":
        return cols
    return _swapped(cols, cols.shape[1] // max(1, channels), channels)


def columns_last(cols: Floats, channels: int, data_format: DataFormat) -> Floats:
    """Return an im2col matrix, whose columns are in `data_format`, with columns (kh, kw, c)."""
    if data_format == "channels_last":
        return cols
    return _swapped(cols, channels, cols.shape[1] // max(1, channels))


def _swapped(cols, outer, inner):
    """Return rows of `outer` times `inner` numbers as rows of `inner` times `outer`."""
    swapped = cols.reshape(len(cols), outer, inner).transpose(0, 2, 1)
    return np.ascontiguousarray(swapped.reshape(cols.shape))


def gradient_like(dy: Floats, shape: Shape, data_format: DataFormat, owner: str) -> Floats:
    """Return `dy`, in `data_format`, as (N, H, W, C), which must be `shape`."""
    if data_format == "channels_first":
        shape = (shape[0], shape[3], shape[1], shape[2])
    shapes.check_shape(dy, shape, "dy", owner)
    return channels_last(dy, "dy", data_format, owner)


def last_shape(input_shape: Sequence[int], data_format: DataFormat, owner: str) -> Shape:
    """Return the shape of images in `data_format` as (N, H, W, C)."""
    _check_format(data_format, owner)
    sizes = shapes.once(input_shape)
    if not isinstance(sizes, tuple) or len(sizes) != 4:
        raise ValueError(f"{owner}: input_shape must be 4 ints, got {input_shape!r}.")
    sizes = tuple(shapes.as_int(size, "input_shape", owner, 0) for size in sizes)
    shapes.check_product(sizes, "input_shape", input_shape, owner)
    return sizes if data_format == "channels_last" else (sizes[0], *sizes[2:], sizes[1])
