"""Which instruction set and how many threads the native loops use, and how signals stop them."""

import operator
import os
import threading

from cpython.exc cimport PyErr_CheckSignals
from cpython.pycapsule cimport PyCapsule_New

cdef extern from "Python.h":
    int Py_AddPendingCall(int (*call)(void*) except -1, void* argument) noexcept

cdef extern from "dispatch.h":
    const char* CNNKIT_DISPATCH
    enum:
        CNNKIT_MOST_THREADS
    ctypedef struct Dispatch:
        int (*threads)() noexcept nogil
    Dispatch cnnkit_dispatch
    const char* cnnkit_instruction_set(int i)
    int cnnkit_choose(const char* isa)
    void cnnkit_set_threads(int n)
    void cnnkit_look_for_signals(int (*look)() noexcept nogil, unsigned long main_thread)
    void cnnkit_go_on()


# ---- Instruction sets ----

def _instruction_sets():
    """Return the names of those that are compiled in and that this processor has, best last."""
    cdef const char* name = cnnkit_instruction_set(0)
    found = []
    while name != NULL:
        found.append(name.decode())
        name = cnnkit_instruction_set(len(found))
    return tuple(found)


def _chosen():
    *_, best = INSTRUCTION_SETS
    isa = os.environ.get("CNNKIT_INSTRUCTION_SET") or best
    if cnnkit_choose(isa.encode()):
        raise ImportError(
            f"CNNKIT_INSTRUCTION_SET must be one of {INSTRUCTION_SETS} on this processor, "
            f"got {isa!r}."
        )
    return isa


INSTRUCTION_SETS = _instruction_sets()
instruction_set = _chosen()


# ---- Threads ----

def _usual_threads():
    """OMP_NUM_THREADS, as other libraries and joblib have it, at most one a processor."""
    try:
        processors = len(os.sched_getaffinity(0))
    except AttributeError:
        processors = os.cpu_count() or 1
    first, *_ = os.environ.get("OMP_NUM_THREADS", "").split(",")
    asked = int(first) if first.strip().isdecimal() else 0
    return max(1, min(asked or processors, processors, CNNKIT_MOST_THREADS))


def num_threads():
    """Return how many threads a large operation started now would use.

    Returns
    -------
    n : int
        At least 1.

    Examples
    --------
    >>> from cnnkit import num_threads
    >>> num_threads() >= 1
    True
    """
    return cnnkit_dispatch.threads()


def set_num_threads(n):
    """Use `n` threads from now on.

    ``OMP_NUM_THREADS`` at import sets fewer. Results are the same bits for any number.

    Parameters
    ----------
    n : int or None
        At least 1; None for as many as there are processors.

    Raises
    ------
    ValueError
        If `n` is something else, or more than the pool can have.

    Examples
    --------
    >>> from cnnkit import num_threads, set_num_threads
    >>> set_num_threads(1)
    >>> num_threads()
    1
    >>> set_num_threads(None)
    """
    count = operator.index(n) if hasattr(n, "__index__") else -1
    if n is None:
        count = usual_threads
    if isinstance(n, bool) or not 1 <= count <= CNNKIT_MOST_THREADS:
        raise ValueError(
            f"set_num_threads: n must be an int from 1 to {CNNKIT_MOST_THREADS} or None, got {n!r}."
        )
    cnnkit_set_threads(count)


usual_threads = _usual_threads()
cnnkit_set_threads(usual_threads)


# ---- Signals ----

cdef object waiting = None  # what a signal's handler raised while native code ran


cdef int look() noexcept with gil:
    """Handle signals; if a handler raises, have the main thread raise that at its next bytecode."""
    global waiting
    if waiting is None:
        try:
            PyErr_CheckSignals()
        except BaseException as error:
            waiting = error
    return waiting is not None and Py_AddPendingCall(raise_waiting, NULL) == 0


cdef int raise_waiting(void* nothing) except -1 with gil:
    global waiting
    error, waiting = waiting, None
    cnnkit_go_on()
    raise error


cnnkit_look_for_signals(look, threading.main_thread().ident)


# What the other native modules take: see dispatch.pxd
dispatch = PyCapsule_New(&cnnkit_dispatch, CNNKIT_DISPATCH, NULL)
