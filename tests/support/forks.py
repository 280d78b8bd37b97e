"""Children of the test's own process, and marks for tests that have some."""

import os
import signal
import sys
import time
import traceback

import pytest

# from 3.12 on Python warns of any fork beside threads, which is what is tested here
FORKS = [
    pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork"),
    pytest.mark.filterwarnings("ignore:This process:DeprecationWarning"),
]
TIMEOUT = 60  # seconds after which a child counts as hanging


def fork(function):
    """Call in a forked child; return its process id."""
    sys.stdout.flush()
    child = os.fork()
    if not child:
        try:
            function()
            os._exit(0)
        except BaseException:
            traceback.print_exc()
            sys.stderr.flush()
        finally:
            os._exit(1)
    return child


def wait(child, timeout=TIMEOUT):
    """Return how a child ended; kill it and fail if it does not."""
    end = time.monotonic() + timeout
    while time.monotonic() < end:
        pid, status = os.waitpid(child, os.WNOHANG)
        if pid:
            return os.waitstatus_to_exitcode(status)
        time.sleep(0.002)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    pytest.fail(f"a child hangs: it did not end within {timeout} s")
