"""Checks of arrays, and their conversion for native code."""

from __future__ import annotations

from math import prod
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, DTypeLike

    from cnnkit.typing import Array, Floats

ALIGNMENT = 64
PIECE = 1 << 22  # numbers in a piece of a vector
BLOCK = 1 << 18


def real_dtype(dtype, name, owner):
    """Return the real type in which numbers of `dtype` are computed.

    float64 stays; float32, float16, integers and bool become float32.
    """
    dtype = np.dtype(dtype)
    if dtype.kind not in "fiub" or dtype.itemsize > 8:
        raise TypeError(f"{owner}: {name} must hold real numbers, got dtype {dtype}.")
    double = dtype.kind == "f" and dtype.itemsize == 8
    return np.dtype(np.float64 if double else np.float32)


def check_unmasked(array, name, owner):
    """Raise if an array, or one in a list, has masked values, below which any number may lie."""
    for entry in array if isinstance(array, (list, tuple)) else [array]:
        if isinstance(entry, np.ma.MaskedArray) and np.ma.is_masked(entry):
            raise ValueError(
                f"{owner}: {name} must have no masked values, got {np.ma.count_masked(entry)}: "
                f"fill them, np.ma.filled({name}, number), or leave out where they are."
            )


def check_range(array, dtype, name, owner, always=False):
    """Raise if numbers are too large for the type in which they are computed.

    Numbers of a type that is not wider are checked only if `always`: they may be infinite or NaN.
    """
    dtype = np.dtype(dtype)
    wider = array.dtype.kind == "f" and array.dtype.itemsize > dtype.itemsize
    if not (wider or always):
        return
    most = float(np.finfo(dtype).max)
    least, greatest = extremes(array)
    if not -most <= least <= greatest <= most:
        raise ValueError(
            f"{owner}: {name} must be finite in {dtype}, from {-most:.2g} to {most:.2g}, got "
            f"numbers from {least:.4g} to {greatest:.4g}."
        )


def as_reals(owner: str, optional: str | None = None, **arrays: ArrayLike | None) -> list[Floats]:
    """Return the arrays C-contiguous and in the widest of their real types.

    Only the array named `optional` may be None, and then remains None.
    """
    found: dict[str, Any] = {
        name: None if array is None and name == optional else _as_array(array, name, owner)
        for name, array in arrays.items()
    }
    dtypes = [real_dtype(a.dtype, name, owner) for name, a in found.items() if a is not None]
    dtype = np.result_type(*dtypes)
    native: Any = [None if a is None else for_native(a, dtype) for a in found.values()]
    return native


def for_native(array: ArrayLike, dtype: DTypeLike) -> Array:
    """Return the array in the form for native code: C-contiguous and aligned."""
    return np.require(array, dtype, ["C_CONTIGUOUS", "ALIGNED"])


def _as_array(array, name, owner):
    check_unmasked(array, name, owner)
    if array is None or hasattr(array, "toarray"):
        kind = "None" if array is None else "a sparse one"
        raise TypeError(f"{owner}: {name} must be a dense array, got {kind}.")
    # a new view keeps the shape that is checked, even if a thread reshapes the array meanwhile
    array = np.asarray(array)[...]
    if array.dtype.byteorder not in "=|":
        array = array.astype(array.dtype.newbyteorder("="))
    return array


def empty_bytes(size):
    """Return `size` uninitialised bytes that start on a cache line."""
    return _aligned(np.empty(size + ALIGNMENT, np.uint8), size)


def zero_bytes(size):
    """Return `size` zero bytes that start on a cache line.

    The system makes their pages when they are used. Filling many bytes with zeros would take
    seconds, during which no signal is handled.
    """
    return _aligned(np.zeros(size + ALIGNMENT, np.uint8), size)


def _aligned(memory, size):
    start = -memory.ctypes.data % ALIGNMENT
    return memory[start : start + size]


def blocks(n, array, most=BLOCK):
    """Yield slices of the first `n` samples of an array, with about `most` numbers each.

    Temporary arrays for so few numbers stay in the cache and take little memory.
    """
    each = max(1, most // max(1, prod(array.shape[1:])))
    for start in range(0, n, each):
        yield slice(start, min(start + each, n))


def pieces(size):
    """Yield slices of a long vector: between them Python can handle signals."""
    for start in range(0, size, PIECE):
        yield slice(start, min(start + PIECE, size))


def fill(target, source):
    """Copy a vector into another of the same length."""
    for piece in pieces(len(target)):
        target[piece] = source[piece]


def extremes(array):
    """Return the smallest and the largest number, or NaN if there is a NaN."""
    return (float(array.min()), float(array.max())) if array.size else (0.0, 0.0)
