"""Checks of labels: labels that NumPy would change are refused."""

from numbers import Integral, Real

import numpy as np

from cnnkit.validate.values import short

MOST_BYTES = 1 << 30  # in an array of texts, each as wide as the longest
MOST_SHOWN = 300  # letters in a message


def check_labels(y, name, owner):
    """Raise unless labels, in a list or as objects, are all numbers or all texts that NumPy keeps.

    An array of another dtype, and anything that is not a vector of labels, is accepted here.
    """
    labels = _as_list(y)
    if labels is None:
        return
    kinds = {}
    for label in labels:
        kinds.setdefault(_kind(label), label)
    if len(kinds) > 1 or not kinds.keys() <= {"numbers", "text"}:
        got = " and ".join(short(label) for label in kinds.values())
        raise ValueError(f"{owner}: {name} must be all numbers or all text, got {got}.")
    if isinstance(y, (list, tuple)):
        _check_kept(labels, name, owner)


def is_numeric(labels):
    """Say whether an array of labels holds numbers, not texts."""
    return labels.dtype.kind in "biuf"


def shown(labels):
    """Return an array of labels as text for a message; long text is cut."""
    text = str(labels)
    return text if len(text) <= MOST_SHOWN else f"{text[:MOST_SHOWN]}..."


def _as_list(y):
    """Return labels as a list of Python objects, or None if they are not a vector of objects."""
    labels = None
    if isinstance(y, (list, tuple)):
        labels = list(y)
    elif isinstance(y, np.ndarray) or hasattr(y, "to_numpy"):  # a series of pandas
        array = np.asarray(y)
        labels = array.tolist() if array.dtype.kind == "O" and array.ndim == 1 else None
    return None if labels is None or any(map(np.ndim, labels)) else labels


def _kind(label):
    if isinstance(label, str):
        return "text"
    return "numbers" if isinstance(label, (Real, np.bool_)) else type(label).__name__


def _check_kept(labels, name, owner):
    """Raise if NumPy would change labels of one kind."""
    widest = max((len(label) for label in labels if isinstance(label, str)), default=0)
    if 4 * widest * len(labels) > MOST_BYTES:
        raise ValueError(
            f"{owner}: {name} must be texts that take at most {MOST_BYTES >> 20} MiB, each as long "
            f"as the longest, got {len(labels)} of up to {widest} letters: give "
            f"np.array({name}, dtype=object)."
        )
    array = np.asarray(labels)
    if array.dtype.kind in "fO" and all(isinstance(label, Integral) for label in labels):
        raise ValueError(
            f"{owner}: {name} must be integers that one dtype of NumPy holds, of 64 bits at most, "
            f"got {short(min(labels))} to {short(max(labels))}."
        )
    for label, kept in zip(labels, array.tolist(), strict=True):
        if label != kept and label == label:  # scikit-learn has a message for NaN
            raise ValueError(
                f"{owner}: {name} must be labels that one dtype of NumPy holds, got "
                f"{short(label)}, which becomes {short(kept)}."
            )
