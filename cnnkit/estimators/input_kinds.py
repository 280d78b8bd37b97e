"""Errors for X that is not an array of images: what it is, and what to do."""

from contextlib import contextmanager
from os import PathLike

import numpy as np

FAULTS = (TypeError, ValueError, RuntimeError)  # errors of scikit-learn, NumPy and tensors
FOREIGN = (str, bytes, PathLike)
READ = "read the files into an array (n, H, W, C) first, with Pillow, say"


@contextmanager
def explaining(X, owner, name="X"):
    """Return a context that explains errors if X is of a kind that holds no images."""
    try:
        yield
    except FAULTS as error:
        said = kind_of(X)
        if said is None:
            raise
        raise ValueError(f"{owner}: {name} must be an array of images, got {said}.") from error


def kind_of(X):
    """Return a text on what X is and what to do, or None if it may be an array of images."""
    if isinstance(X, FOREIGN):
        return f"the text or path {str(X)[:80]!r}: {READ}"
    if hasattr(X, "__next__"):
        return "a generator: give an array, or its parts to partial_fit"
    if hasattr(X, "detach"):
        return f"a {type(X).__name__} that NumPy cannot read: give X.detach().cpu().numpy()"
    if not isinstance(X, (list, tuple)) and not hasattr(X, "__array__"):
        one = hasattr(X, "__array_interface__") and not hasattr(X, "ndim")
        return "one image: put it in a list, [X]" if one else None
    if getattr(getattr(X, "dtype", None), "kind", "O") not in "OSTU":  # objects or texts
        return None
    return _kind_of_entries(X if isinstance(X, (list, tuple)) else np.asarray(X).ravel())


def _is_number(text):
    try:
        return float(text) is not None
    except FAULTS:
        return False


def _kind_of_entries(entries):
    """Return the same text for a list, whose entries should be images."""
    first = next(iter(entries), None)
    if isinstance(first, FOREIGN) and not _is_number(first):
        return f"texts or paths such as {str(first)[:80]!r}: {READ}"
    shapes = {}
    for entry in entries:
        try:
            shapes.setdefault(np.shape(entry))
        except FAULTS:
            return "entries that are no arrays: give images as X, their labels as y"
        if len(shapes) > 1:
            a, b = shapes
            return (
                f"images of different shapes, {a} and {b}: bring them to one size, with Pillow, say"
            )
    if isinstance(entries, np.ndarray) and shapes and shapes.keys() != {()}:
        return "an array of objects: give np.stack(list(X))"
    return None
