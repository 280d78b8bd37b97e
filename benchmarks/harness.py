"""Measure contenders side by side: each in a process of its own, taking turns, medians compared.

A benchmark is a script that names its contenders and hands them to `run`::

    def with_numpy():
        import numpy as np

        x = np.ones((500, 500), np.float32)

        def product():
            seconds, y = harness.clock(lambda: x @ x, repeats=100)
            return seconds, f"sum {y.sum():g}"

        return {"500 x 500 product": product}

    if __name__ == "__main__":
        harness.run(__doc__, [harness.Contender("NumPy", with_numpy, packages=("numpy",))])

A contender's `setup` runs once in the contender's own process, imports what it needs there, and
returns ``{row: one_round}``. `one_round()` works for some tenths of a second and returns a list of
seconds and a note for the table (what shows that the work was done right, or ""). A row may
be missing where a contender has nothing to say; a contender whose package is missing is listed as
"not installed" and left out.

The first contender is "ours", and ratios are peer's time / ours: above 1, ours is faster. For each
row the contenders take turns, A B C A B C ..., so that a slow spell of the machine meets all
of them. A turn counts as the median of its seconds, and the table shows the median turn, with the
fastest and the slowest. The turns of the first round warm caches and pools up and are not counted.
While one works the others wait for their next line of input; a short rest before each turn
lets the threads of the last pool stop spinning. Thread pools keep their default wait policy, so
measure on an idle machine (the load average is printed first): another program on one of the cores
can make a pool that spins ten times slower.
"""

import argparse
import contextlib
import functools
import importlib.metadata
import json
import os
import platform
import statistics
import subprocess
import sys
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

THREAD_VARIABLES = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")


@dataclass(frozen=True)
class Contender:
    """One column of the comparison.

    Parameters
    ----------
    name : str
    setup : callable, () -> {row: one_round}
    packages : tuple of str
        Distributions whose versions the report shows.
    interpreter : str or None
        Name of the environment it runs in: "torch" adds the option ``--torch-python PATH``.
        None is the interpreter that runs the script.
    """

    name: str
    setup: Callable
    packages: tuple = ()
    interpreter: str | None = None


def beside_torch(with_cnnkit, with_torch):
    """Contenders: cnnkit, and PyTorch in both memory layouts, which `with_torch` is given."""
    layouts = {"NCHW": "contiguous_format", "channels_last": "channels_last"}
    return [
        Contender("cnnkit", with_cnnkit, ("cnnkit", "numpy", "scipy", "scikit-learn")),
        *(
            Contender(
                f"PyTorch {layout}",
                functools.partial(with_torch, memory_format),
                ("torch", "numpy"),
                interpreter="torch",
            )
            for layout, memory_format in layouts.items()
        ),
    ]


def clock(call, repeats):
    """The seconds of each of `repeats` calls, and what the last one returned."""
    seconds = []
    for _ in range(repeats):
        start = time.perf_counter()
        result = call()
        seconds.append(time.perf_counter() - start)
    return seconds, result


def run(description, contenders, argv=None):
    """Entry point of a benchmark script: measure and print, or be one of the contenders."""
    args = _parse(description, contenders, argv)
    if args.worker is not None:
        _work(contenders[args.worker])
        return
    print(f"{processor()}; {os.cpu_count()} cores, load average {os.getloadavg()[0]:.1f}")
    print(f"threads: {args.threads} each, rounds: {args.rounds}, {platform.platform()}\n")
    workers = []
    try:
        for i, contender in enumerate(contenders):
            python = getattr(args, f"{contender.interpreter}_python", sys.executable)
            workers.append(_Worker(contender.name, python, i, args.threads))
            print(f"{contender.name:<24}{workers[-1].about}", flush=True)
        for row in dict.fromkeys(row for worker in workers for row in worker.rows):
            _print_row(row, _measure(row, workers, args.rounds, args.rest), contenders[0].name)
    finally:
        for worker in workers:
            worker.close()


def processor():
    """The processor's name, with what tells its generation where a virtual machine hides it."""
    try:
        lines = Path("/proc/cpuinfo").read_text().split("\n\n")[0].splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    facts = dict(
        tuple(part.strip() for part in line.split(":", 1)) for line in lines if ":" in line
    )
    if "model name" not in facts:
        return platform.machine()
    flags = facts.get("flags", "").split()
    widest = next((name for name in ("avx512f", "avx2", "avx") if name in flags), "no avx")
    family = f"family {facts.get('cpu family', '?')}, model {facts.get('model', '?')}"
    return f"{facts['model name']} ({family}, {widest})"


def _parse(description, contenders, argv):
    parser = argparse.ArgumentParser(
        description=description, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=7, help="turns of each contender (7)")
    parser.add_argument("--threads", type=int, default=2, help="threads of each contender (2)")
    parser.add_argument("--rest", type=float, default=0.3, help="seconds before each turn (0.3)")
    for name in sorted({c.interpreter for c in contenders if c.interpreter}):
        parser.add_argument(
            f"--{name}-python",
            default=sys.executable,
            metavar="PATH",
            help=f"interpreter of the environment that has {name} (this one)",
        )
    parser.add_argument("--worker", type=int, help=argparse.SUPPRESS)
    args = parser.parse_args(argv)
    for name in ("rounds", "threads"):
        if getattr(args, name) < 1:
            parser.error(f"--{name} must be at least 1, got {getattr(args, name)}")
    return args


class _Worker:
    """The measuring side of a contender's process: a line of JSON out, a line of JSON back."""

    def __init__(self, name, python, index, threads):
        self.name = name
        environment = os.environ | dict.fromkeys(THREAD_VARIABLES, str(threads))
        self.process = subprocess.Popen(
            [python, sys.argv[0], "--worker", str(index)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=environment,
        )
        greeting = self._receive()
        self.rows = greeting.get("rows", [])
        self.about = greeting.get("about") or greeting["error"]

    def ask(self, row):
        """One turn: {"ms": ..., "note": ...}, or {"error": ...}."""
        with contextlib.suppress(BrokenPipeError):
            self.process.stdin.write(json.dumps(row) + "\n")
            self.process.stdin.flush()
        return self._receive()

    def _receive(self):
        line = self.process.stdout.readline()
        return json.loads(line) if line else {"error": "the process ended early"}

    def close(self):
        with contextlib.suppress(BrokenPipeError):
            self.process.stdin.close()
        self.process.wait()


def _work(contender):
    """The contender's side: greet with rows and versions, then one turn for each line read."""
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "w")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())  # what a library prints is no answer

    def answer(**message):
        print(json.dumps(message), file=answers, flush=True)

    try:
        rows = contender.setup()
    except ModuleNotFoundError as error:
        answer(error=f"not installed ({error.name})")
        return
    except Exception as error:
        traceback.print_exc()
        answer(error=f"failed: {type(error).__name__}: {error}")
        return
    versions = [f"{name} {importlib.metadata.version(name)}" for name in contender.packages]
    about = ", ".join([*versions, f"Python {platform.python_version()}"])
    answer(rows=list(rows), about=about)
    for line in sys.stdin:
        try:
            seconds, note = rows[json.loads(line)]()
            answer(ms=1e3 * statistics.median(seconds), note=note)
        except Exception as error:
            traceback.print_exc()
            answer(error=f"failed: {type(error).__name__}: {error}")


def _measure(row, workers, rounds, rest):
    """{name: answers} of the workers that have this row; one that fails has the error only."""
    results = {worker.name: [] for worker in workers if row in worker.rows}
    for turn in range(rounds + 1):
        for worker in workers:
            answers = results.get(worker.name)
            if answers is None or (answers and "error" in answers[0]):
                continue
            time.sleep(rest)
            answer = worker.ask(row)
            if "error" in answer:
                results[worker.name] = [answer]
            elif turn > 0:
                answers.append(answer)
    return results


def _print_row(row, results, ours):
    print(f"\n{row:<24}{'median ms':>12}{'fastest':>12}{'slowest':>12}{'peer/ours':>12}")
    medians = {
        name: statistics.median(answer["ms"] for answer in answers)
        for name, answers in results.items()
        if "error" not in answers[0]
    }
    for name, answers in results.items():
        if name not in medians:
            print(f"  {name:<22}{answers[0]['error']}")
            continue
        turns = [answer["ms"] for answer in answers]
        ratio = f"{medians[name] / medians[ours]:.2f}" if ours in medians else "-"
        print(
            f"  {name:<22}{medians[name]:>12.3f}{min(turns):>12.3f}{max(turns):>12.3f}"
            f"{ratio:>12}  {answers[-1]['note']}",
            flush=True,
        )
