"""A limit on the nesting of layers, since functions that work on them are recursive."""

from contextlib import contextmanager
from threading import local

from sklearn.base import BaseEstimator

MAX_DEPTH = 64  # levels of layers, lists and tuples
LINE = 100  # letters: more than scikit-learn prints in a line
MESSAGE = (
    f"Graph: layers, and the lists they are in, must be nested at most {MAX_DEPTH} deep, and "
    f"never in themselves, got more."
)
_shown = local()  # the object of this thread's outermost __repr__


def check(value):
    """Raise a ValueError if layers and lists are nested too deep, or in themselves."""
    level, depth = [value], 0
    while level:
        if depth > MAX_DEPTH:
            raise ValueError(MESSAGE)
        held = {}  # by identity: an object in many places is checked once
        for each in level:
            inner = vars(each).values() if isinstance(each, BaseEstimator) else each
            held.update((id(v), v) for v in inner if isinstance(v, (BaseEstimator, list, tuple)))
        level, depth = held.values(), depth + 1


@contextmanager
def limited():
    """Return a context that raises the error of `check` if Python's stack is full."""
    try:
        yield
    except RecursionError:
        raise ValueError(MESSAGE) from None


def shown(estimator, show):
    """Return ``show()``, the text that scikit-learn prints for an estimator.

    At every level scikit-learn also asks for the whole text of all inner objects, to compare it
    with defaults and to see whether it fits on a line. For ten levels this takes minutes. It gets a
    text instead that differs from all defaults and fits on no line. Objects that are nested too
    deep are not printed.
    """
    short = f"{type(estimator).__name__}(...)"
    if getattr(_shown, "first", None) is not None:
        return short.ljust(LINE)
    try:
        check(estimator)
    except ValueError:
        return short
    _shown.first = estimator
    try:
        return show()
    except RecursionError:
        return short
    finally:
        _shown.first = None
