"""Which instruction set and how many threads the native loops use."""

import operator
import os

from cpython.pycapsule cimport PyCapsule_New

cdef extern from "dispatch.h":
    const char* CNNKIT_DISPATCH
    ctypedef struct Dispatch:
        int (*threads)() noexcept nogil
    Dispatch cnnkit_dispatch
    bint cnnkit_available(const char* isa)
    int cnnkit_choose(const char* isa)
    void cnnkit_set_threads(int n)
    void cnnkit_set_processors(int n)
    bint cnnkit_openmp()

# best last
INSTRUCTION_SETS = tuple(
    isa for isa in ("portable", "avx2", "avx512") if cnnkit_available(isa.encode())
)


def _chosen():
    *_, best = INSTRUCTION_SETS
    isa = os.environ.get("CNNKIT_INSTRUCTION_SET") or best
    if cnnkit_choose(isa.encode()):
        raise ImportError(
            f"CNNKIT_INSTRUCTION_SET must be one of {INSTRUCTION_SETS} on this processor, "
            f"got {isa!r}."
        )
    return isa


def _processors():
    try:
        count = len(os.sched_getaffinity(0))
    except AttributeError:
        count = os.cpu_count() or 1
    return count


instruction_set = _chosen()
has_openmp = bool(cnnkit_openmp())
cnnkit_set_processors(_processors())
dispatch = PyCapsule_New(&cnnkit_dispatch, CNNKIT_DISPATCH, NULL)


def num_threads():
    """Return how many threads a large operation started now would use."""
    return cnnkit_dispatch.threads()


def set_num_threads(n):
    """Use `n` threads from now on, a positive int; None for as many as OpenMP allows.

    Results are the same bits for any number.
    """
    count = 0 if n is None else operator.index(n) if hasattr(n, "__index__") else -1
    if isinstance(n, bool) or not (n is None or 1 <= count <= 1024):
        raise ValueError(f"set_num_threads: n must be an int from 1 to 1024 or None, got {n!r}.")
    cnnkit_set_threads(count)
