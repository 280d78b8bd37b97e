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
    >>> import numpy as np
    >>> from cnnkit import CNNRegressor
    >>> X = np.random.default_rng(0).random((20, 8, 8))
    >>> reg = CNNRegressor(solver="sgd", learning_rate_init=1e6, random_state=0)
    >>> reg.fit(X, X.mean(axis=(1, 2)))
    Traceback (most recent call last):
    ...
    cnnkit.exceptions.DivergenceError: ...
    """


class ModelFormatError(ValueError):
    """A file or a pickle is not a model, or not one that this version can read.

    Examples
    --------
    >>> import tempfile
    >>> from cnnkit import load
    >>> with tempfile.NamedTemporaryFile() as file:
    ...     load(file.name)
    Traceback (most recent call last):
    ...
    cnnkit.exceptions.ModelFormatError: ...
    """


def overflow_allowed() -> Any:
    """Return a context in which NumPy does not warn of overflow: results are checked later."""
    return np.errstate(over="ignore", invalid="ignore")
