"""The suite on a build with GCC's address and undefined-behaviour sanitizers.

    CNNKIT_BUILD=sanitize pip install --no-deps --target FOLDER .
    PYTHONPATH=FOLDER python -P tests/sanitized.py [arguments of pytest]

The sanitizers' libraries must be in the process before Python. A report, of what was read or
written and where, ends the process, and pytest with it. Leaks are not looked for: Python itself
leaves memory behind at its end.
"""

import os
import subprocess
import sys

LIBRARIES = ("libasan.so", "libubsan.so", "libstdc++.so")


def environment():
    """Return the environment of a process that can load the build."""
    found = [
        subprocess.run(
            ["gcc", f"-print-file-name={name}"], capture_output=True, text=True, check=True
        ).stdout.strip()
        for name in LIBRARIES
    ]
    return {
        **os.environ,
        "LD_PRELOAD": " ".join(found),
        "PYTHONMALLOC": "malloc",  # every object has red zones of its own
        # too large an array is a MemoryError, as without the sanitizer
        "ASAN_OPTIONS": "detect_leaks=0:allocator_may_return_null=1",
        "UBSAN_OPTIONS": "print_stacktrace=1",
    }


if __name__ == "__main__":
    # captured by descriptor, a report would be lost with the process
    command = [sys.executable, "-P", "-m", "pytest", "--capture=sys", *sys.argv[1:]]
    sys.exit(subprocess.run(command, env=environment()).returncode)
