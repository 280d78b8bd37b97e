"""Errors of cnnkit's own; all others are ValueError, TypeError, MemoryError and so on."""


class DivergenceError(ValueError):
    """Training has left the finite numbers."""


class ModelFormatError(ValueError):
    """A file or a pickle that is no model, or not one that this version can read."""
