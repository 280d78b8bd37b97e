"""Errors of cnnkit's own; all others are ValueError, TypeError, MemoryError and so on."""

import numpy as np


class DivergenceError(ValueError):
    """Training, or what a network predicts, has left the finite numbers."""


class ModelFormatError(ValueError):
    """A file or a pickle that is no model, or not one that this version can read."""


def overflow_allowed():
    """Return a context in which NumPy does not warn: what comes out of it is checked."""
    return np.errstate(over="ignore", invalid="ignore")
