"""Whatever is given to whatever is public: no crash, no hang, and errors that say what is wrong.

A trial takes one of `CALLS` and replaces some of its arguments by hostile ones. Only `ALLOWED` may
be raised. The child that makes the trials has little memory to ask for, so that a size that passes
all checks is a MemoryError.
"""

import contextlib
import importlib.util
import io
import sys
import time
import warnings
from collections import Counter

import children
import numpy as np
import pytest
from hostile import hostile
from public_calls import CALLS, FUNCTIONS, SHARES, fitted, images, parameters, public, use_display
from sklearn.base import BaseEstimator

import cnnkit
from cnnkit import functional

ALLOWED = (ValueError, TypeError, MemoryError, OverflowError)
if not all(map(importlib.util.find_spec, ("matplotlib", "rich"))):
    ALLOWED += (ImportError,)
MEMORY = 512 << 20  # bytes a child may ask for
FOUND = Counter()
SLOWEST = [0.0, ""]


def limit_memory():
    """Let this process ask for a little more memory than it has."""
    import resource

    np.dot(np.ones((300, 300)), np.ones((300, 300)))  # BLAS takes its memory when first used
    cnnkit.set_num_threads(2)
    big = images(4, 16, 16, 16)
    functional.conv2d(big, images(3, 3, 16, 16))
    with open("/proc/self/statm") as file:
        used = int(file.read().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (used + MEMORY, used + MEMORY))


THINGS, NAMES, SHARES_OF = {}, list(CALLS), np.cumsum([SHARES[name] for name in CALLS])


def hostile_call(rng, note):
    """One call of something public with one to three arguments replaced."""
    if not THINGS:
        warnings.simplefilter("ignore")
        THINGS.update(public())
        fitted()
        limit_memory()
    name = NAMES[np.searchsorted(SHARES_OF, rng.random() * SHARES_OF[-1], side="right")]
    use, valid = CALLS[name]
    given = dict(valid() if callable(valid) else valid)
    thing = THINGS[name]
    kinds = parameters(thing)
    if use is use_display:  # which draws, too
        kinds = parameters(thing.from_estimator) | dict(list(parameters(thing.plot).items())[1:])
    several = [key for key, kind in kinds.items() if kind.kind is kind.VAR_POSITIONAL]
    names = [key for key, kind in kinds.items() if kind.kind is not kind.VAR_KEYWORD]
    for key in rng.permutation(names)[: rng.integers(1, 4)]:
        key = str(key)
        value = hostile(rng, isinstance(given.get(key), np.ndarray), name in FUNCTIONS)
        given[key] = (value,) if key in several else value
    note(f"{name}({shown(given)})")
    began = time.process_time()
    try:
        with contextlib.redirect_stdout(io.StringIO()):
            use(thing, given, rng)
        FOUND["ran"] += 1
    except ALLOWED as error:
        FOUND[next(kind.__name__ for kind in ALLOWED if isinstance(error, kind))] += 1
    taken = time.process_time() - began
    if taken > SLOWEST[0]:
        SLOWEST[:] = taken, f"{name}({shown(given)})"
    cnnkit.set_num_threads(2)


def shown(given):
    """Arguments as text, short."""
    return ", ".join(f"{key}={brief(value)}" for key, value in given.items())


def brief(value):
    if isinstance(value, np.ndarray):
        return f"{value.dtype} {value.shape}"
    if isinstance(value, BaseEstimator):
        return type(value).__name__
    text = repr(value)
    return text if len(text) < 200 else text[:200] + "..."


def say_found():
    counts = ", ".join(f"{count:,} {what}" for what, count in sorted(FOUND.items()))
    return f"{counts}; slowest {SLOWEST[0]:.1f} s"


hostile_call.found = say_found


def test_all_that_is_public_is_tried():
    assert set(CALLS) == set(public())


@pytest.mark.skipif(sys.platform != "linux", reason="needs a limit of memory")
def test_hostile_arguments(trials):
    children.alone(hostile_call, trials, quick=6_000, full=1_000_000, timeout=3600)


if __name__ == "__main__":
    children.main(globals())
