"""One thread pool: ours. BLAS is called from inside it and must not start its own."""

import contextlib
import functools
import os
import threading

from cnnkit._native.runtime import num_threads, set_num_threads

__all__ = ["num_threads", "one_blas_thread", "set_num_threads"]


class _BlasLimit:
    """Hold BLAS at one thread while at least one user needs it, from any Python thread.

    Two overlapping limits of threadpoolctl would each restore what they found, and the last to end
    could leave BLAS limited for good; users are therefore counted.
    """

    def __init__(self):
        self.reset()

    def reset(self):
        self.lock = threading.Lock()
        self.users = 0
        self.found = []

    def __enter__(self):
        with self.lock:
            if self.users == 0:
                self.found = [(lib, lib.num_threads) for lib in _blas_libraries()]
                for lib, threads in self.found:
                    _set_threads(lib, 1, threads)
            self.users += 1

    def __exit__(self, *error):
        with self.lock:
            self.users -= 1
            if self.users == 0:
                for lib, threads in self.found:
                    _set_threads(lib, threads, 1)


def _set_threads(library, threads, found):
    """Set a BLAS library's threads, from whichever Python thread.

    threadpoolctl lets only the thread that set an OpenBLAS limit change it again. The last user to
    leave need not be the first that came, so ownership is given up around every change.
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
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_blas_limit.reset)


def one_blas_thread(needed=True):
    """Return a context in which BLAS runs on the calling thread alone, if `needed`."""
    return _blas_limit if needed else contextlib.nullcontext()
