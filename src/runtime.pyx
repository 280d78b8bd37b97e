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
    bint cnnkit_available(const char* isa)
    int cnnkit_choose(const char* isa)
    void cnnkit_set_threads(int n)
    void cnnkit_look_for_signals(int (*look)() noexcept nogil, unsigned long main_thread)
    void cnnkit_go_on()

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


def _usual_threads():
    """OMP_NUM_THREADS, as other libraries and joblib have it, at most one a processor."""
    try:
        processors = len(os.sched_getaffinity(0))
    except AttributeError:
        processors = os.cpu_count() or 1
    first, *_ = os.environ.get("OMP_NUM_THREADS", "").split(",")
    asked = int(first) if first.strip().isdecimal() else 0
    return max(1, min(asked or processors, processors, CNNKIT_MOST_THREADS))


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


instruction_set = _chosen()
usual_threads = _usual_threads()
cnnkit_set_threads(usual_threads)
cnnkit_look_for_signals(look, threading.main_thread().ident)
dispatch = PyCapsule_New(&cnnkit_dispatch, CNNKIT_DISPATCH, NULL)


def num_threads():
    """Return how many threads a large operation started now would use."""
    return cnnkit_dispatch.threads()


def set_num_threads(n):
    """Use `n` threads from now on, a positive int; None for as many as there are processors.

    ``OMP_NUM_THREADS`` at import sets fewer. Results are the same bits for any number.
    """
    count = operator.index(n) if hasattr(n, "__index__") else -1
    if n is None:
        count = usual_threads
    if isinstance(n, bool) or not 1 <= count <= CNNKIT_MOST_THREADS:
        raise ValueError(
            f"set_num_threads: n must be an int from 1 to {CNNKIT_MOST_THREADS} or None, got {n!r}."
        )
    cnnkit_set_threads(count)


cdef object insist(object function):
    """Call, and once more where a signal's handler raises; return what it raised."""
    try:
        function()
    except BaseException as error:
        function()
        return error


cdef class Held:
    """A context for any number of threads: `begin` before the first is in it, `end` after the last.

    It is compiled because a signal may come before the first bytecode of an ``__exit__`` in Python,
    which is then never run. `end` must bear being called again, and after half of `begin`.
    """

    cdef object begin, end, lock
    cdef readonly Py_ssize_t users

    def __init__(self, begin, end):
        self.begin = begin
        self.end = end
        self.reset()

    def reset(self):
        """Forget who is in it: in a forked child nobody is."""
        self.lock = threading.Lock()
        self.users = 0

    def __enter__(self):
        self.lock.acquire()
        try:
            if self.users == 0:
                self.begin()
            self.users += 1
        except BaseException:
            self.end()
            raise
        finally:
            self.lock.release()

    def __exit__(self, *error):
        raised = insist(self.lock.acquire)
        self.users -= 1
        if self.users == 0:
            raised = insist(self.end) or raised
        self.lock.release()
        if raised is not None:
            raise raised
