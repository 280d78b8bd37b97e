"""Number of threads. BLAS runs inside the thread pool of cnnkit and must not start its own."""

import contextlib
import functools
import os

from cnnkit._native.runtime import num_threads, set_num_threads
from cnnkit._native.shared_context import SharedContext

__all__ = ["num_threads", "one_blas_thread", "set_num_threads"]


class _BlasLimit:
    """BLAS at one thread from `begin` to `end`."""

    def __init__(self):
        self.found = []

    def begin(self):
        self.found = [(library, library.num_threads) for library in _blas_libraries()]
        for library, threads in self.found:
            _set_threads(library, 1, threads)

    def end(self):
        for library, threads in self.found:
            _set_threads(library, threads, 1)
        self.found = []


def _set_threads(library, threads, found):
    """Set a BLAS library's threads, from whichever Python thread.

    threadpoolctl lets only the thread that set an OpenBLAS limit change it again. The user that
    leaves last may not be the one that came first, so ownership is given up around every change.
    """
    if threads == found:
        return
    give_up = getattr(library, "clear_controlling_thread", lambda force: None)
    give_up(force=True)
    library.set_num_threads(threads)
    give_up(force=True)


@functools.cache
def _blas_libraries():
    import scipy.linalg.cython_blas  # noqa: F401  its BLAS must be loaded to be found
    from threadpoolctl import ThreadpoolController

    return ThreadpoolController().select(user_api="blas").lib_controllers


_blas_limit = _BlasLimit()
# Two overlapping limits of threadpoolctl would each restore the number that they found, and the
# last to end could leave BLAS limited for good. Users are therefore counted.
_one_blas_thread = SharedContext(_blas_limit.begin, _blas_limit.end)
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_one_blas_thread.reset)


def one_blas_thread(needed=True):
    """Return a context in which BLAS runs on the calling thread alone, if `needed`."""
    return _one_blas_thread if needed else contextlib.nullcontext()
