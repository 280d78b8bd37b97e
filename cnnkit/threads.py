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
        self.limit = None

    def __enter__(self):
        with self.lock:
            if self.users == 0:
                self.limit = _controller().limit(limits=1, user_api="blas")
            self.users += 1

    def __exit__(self, *error):
        with self.lock:
            self.users -= 1
            if self.users == 0:
                self.limit.restore_original_limits()
                self.limit = None


@functools.cache
def _controller():
    import scipy.linalg.cython_blas  # noqa: F401  its BLAS must be loaded to be found
    from threadpoolctl import ThreadpoolController

    return ThreadpoolController()


_blas_limit = _BlasLimit()
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_blas_limit.reset)


def one_blas_thread(needed=True):
    """Return a context in which BLAS runs on the calling thread alone, if `needed`."""
    return _blas_limit if needed else contextlib.nullcontext()
