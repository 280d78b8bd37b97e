"""A context that several Python threads are in at a time."""

import threading


cdef object insist(object function):
    """Call, and once more where a signal's handler raises; return what it raised."""
    try:
        function()
    except BaseException as error:
        function()
        return error


cdef class SharedContext:
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
        """Count no users, as in a forked child, which has none of its parent's threads."""
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
