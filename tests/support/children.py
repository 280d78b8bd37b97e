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

from seeded import generator

NOTE = 4000  # bytes of a note


def alone(trial, trials, *, quick, full, timeout):
    """Make the trials of `trial` in a child that has so many seconds for all of them.

    ``trial(rng, note)`` is told the trial's generator and a function that takes down what is about
    to be tried, for the error of a trial that ends the process. With an attribute ``found``, a
    function, it says at the end what all trials found.
    """
    count = sum(1 for _ in trials(quick, full))
    file = inspect.getsourcefile(trial)
    path = [str(Path(__file__).parent), *os.environ.get("PYTHONPATH", "").split(os.pathsep)]
    path = os.pathsep.join(os.path.abspath(entry) for entry in path if entry)
    with tempfile.TemporaryDirectory() as folder:
        notes = Path(folder, "note")
        notes.touch()
        command = [sys.executable, "-P", "-B", "-X", "faulthandler", file, trial.__name__]
        try:
            result = subprocess.run(
                [*command, str(count), str(notes)],
                env={**os.environ, "PYTHONPATH": path},
                cwd=folder,
                capture_output=True,
                text=True,
                timeout=timeout,
            )
            code, said, error = result.returncode, result.stdout, result.stderr
        except subprocess.TimeoutExpired as expired:
            code, said, error = f"none after {timeout} s", "", expired.stderr or b""
            error = error.decode() if isinstance(error, bytes) else error
        number, _, tried = notes.read_text(errors="replace").strip().partition(": ")
    trials.number = int(number or 0)
    assert code == 0, f"exit code {code}, last tried: {tried}\n{error[-4000:]}"
    trials.found = said.strip()


def main(functions):
    """Make the trials that the command line asks for, warnings being errors."""
    _, name, count, notes = sys.argv
    trial, fd = functions[name], os.open(notes, os.O_WRONLY)
    warnings.simplefilter("error")
    for number in range(int(count)):

        def note(text, number=number):
            text = f"{number}: {text}".encode(errors="replace")[:NOTE]
            os.pwrite(fd, text.ljust(NOTE), 0)

        note("starts")
        trial(generator(number), note)
    if hasattr(trial, "found"):
        print(trial.found())
