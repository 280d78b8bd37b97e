"""cnnkit on the command line, in a process of its own."""

import subprocess
import sys


def command(*words, cwd=None):
    """Run ``python -m cnnkit`` in a process of its own."""
    return subprocess.run(
        [sys.executable, "-P", "-m", "cnnkit", *map(str, words)],
        capture_output=True,
        text=True,
        cwd=cwd,
        check=False,
    )
