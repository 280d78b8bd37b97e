"""How deep layers may lie within one another: what works on them is recursive."""

from contextlib import contextmanager
from threading import local

from sklearn.base import BaseEstimator

MAX_DEPTH = 64  # layers, lists and tuples within one another
LINE = 100  # letters that are more than scikit-learn prints in a line
MESSAGE = (
    f"Graph: layers, and the lists they are in, must be nested at most {MAX_DEPTH} deep, and "
    f"never in themselves, got more."
)
_shown = local()  # by this thread: what __repr__ was first called for


def check(value):
    """Raise a ValueError where layers and lists are nested too deep, or within themselves."""
    level, depth = [value], 0
    while level:
        if depth > MAX_DEPTH:
            raise ValueError(MESSAGE)
        held = {}  # by identity: what stands in many places is looked at once
        for each in level:
            inner = vars(each).values() if isinstance(each, BaseEstimator) else each
            held.update((id(v), v) for v in inner if isinstance(v, (BaseEstimator, list, tuple)))
        level, depth = held.values(), depth + 1


@contextmanager
def limited():
    """Raise the error of `check` where Python's stack is full."""
    try:
        yield
    except RecursionError:
        raise ValueError(MESSAGE) from None


def shown(estimator, show):
    """Return ``show()``, what scikit-learn prints of an estimator.

    While it does, it asks for the whole text of what is in it as well, to compare it with defaults
    and to see whether it fits on a line: at every level for all levels below, which takes minutes
    for ten of them. It is given one that is different from all defaults and fits nowhere. What is
    nested too deep is not looked into.
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
