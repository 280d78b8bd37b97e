"""Errors of cnnkit. All other errors are ValueError, TypeError, MemoryError and so on."""

from __future__ import annotations

from typing import Any

import numpy as np

__all__ = [
    "DivergenceError",
    "ModelFormatError",
]


class DivergenceError(ValueError):
    """Losses, weights or predictions are no longer finite numbers.

    Examples
    --------
    >>> from cnnkit.exceptions import DivergenceError
    >>> issubclass(DivergenceError, ValueError)
    True
    """


class ModelFormatError(ValueError):
    """A file or a pickle is not a model, or not one that this version can read.

    Examples
    --------
    >>> import tempfile
    >>> from cnnkit import load
    >>> from cnnkit.exceptions import ModelFormatError
    >>> file = tempfile.NamedTemporaryFile()
    >>> try:
    ...     _ = load(file.name)  # an empty file
    ... except ModelFormatError:
    ...     print("not a model")
    not a model
    """


def overflow_allowed() -> Any:
    """Return a context in which NumPy does not warn of overflow: results are checked later."""
    return np.errstate(over="ignore", invalid="ignore")
