"""Trials in a process of their own: what crashes or hangs there is a failed test that names them.

A test file runs one of its own functions ``trial(rng, note)`` by `alone`, and ends with::

    if __name__ == "__main__":
        children.main(globals())
"""

import inspect
import os
import subprocess
import sys
import tempfile
import warnings
from pathlib import Path

from seeded import SEED, generator

NOTE = 4000  # bytes of a note


def alone(trial, count, timeout, **variables):
    """Make trials 0 to `count` of `trial` in a child; return what `trial` says they found.

    ``trial(rng, note)`` is told the trial's generator and a function that takes down what is about
    to be tried, for the error of a trial that ends the process. With an attribute ``found``, a
    function, it says at the end what all trials found.
    """
    file = inspect.getsourcefile(trial)
    path = os.pathsep.join([str(Path(__file__).parent), *filter(None, [os.getenv("PYTHONPATH")])])
    with tempfile.TemporaryDirectory() as folder:
        notes = Path(folder, "note")
        notes.touch()
        command = [sys.executable, "-P", "-B", "-X", "faulthandler", file, trial.__name__]
        try:
            result = subprocess.run(
                [*command, str(count), str(notes)],
                env={**os.environ, **variables, "PYTHONPATH": path},
                cwd=folder,
                capture_output=True,
                text=True,
                timeout=timeout,
            )
            code, said, error = result.returncode, result.stdout, result.stderr
        except subprocess.TimeoutExpired as expired:
            code, said, error = f"none after {timeout} s", "", expired.stderr or b""
            error = error.decode() if isinstance(error, bytes) else error
        tried = notes.read_text(errors="replace").rstrip("\0 \n")
    assert code == 0, f"exit code {code} of seed {SEED}, last tried: {tried}\n{error[-4000:]}"
    return said.strip()


def main(functions):
    """Make the trials that the command line asks for, warnings being errors."""
    _, name, count, notes = sys.argv
    trial, fd = functions[name], os.open(notes, os.O_WRONLY)
    warnings.simplefilter("error")
    for number in range(int(count)):

        def note(text, number=number):
            text = f"trial {number}: {text}".encode(errors="replace")[:NOTE]
            os.pwrite(fd, text.ljust(NOTE), 0)

        note("starts")
        trial(generator(number), note)
    if hasattr(trial, "found"):
        print(trial.found())
