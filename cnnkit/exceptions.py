"""Errors of cnnkit. All other errors are ValueError, TypeError, MemoryError and so on."""

from __future__ import annotations

from typing import Any

import numpy as np

__all__ = [
    "DivergenceError",
    "ModelFormatError",
]


class DivergenceError(ValueError):
    """Losses, weights or predictions are no longer finite numbers."""


class ModelFormatError(ValueError):
    """A file or a pickle is not a model, or not one that this version can read."""


def overflow_allowed() -> Any:
    """Return a context in which NumPy does not warn of overflow: results are checked later."""
    return np.errstate(over="ignore", invalid="ignore")
