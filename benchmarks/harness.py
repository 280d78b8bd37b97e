"""Comparison of contenders: each in its own process, in turns, by medians.

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
returns ``{row: one_round}``. `one_round()` works for some tenths of a second and returns a `Turn`:
a list of seconds and a note for the table (evidence that the work was done right, or ""). A
contender may lack a row; a contender whose package is missing is listed as "not installed" and left
out. A row whose name is "table: case" belongs to a table.

The first contender is "ours", and ratios are peer's time / ours: above 1, ours is faster. For each
row the contenders take turns, A B C A B C ..., so that a slow time of the machine affects all
of them. A turn counts as the median of its seconds, and the table shows the median turn, with the
fastest and the slowest. The turns of the first round warm up caches and pools and are not counted.
If contenders form a group, as PyTorch's two layouts do, a line gives the ratio to the better of
them in that row. At the end come the geometric mean and the least of each table's ratios.

A row with a number of multiply-adds is also shown in GFLOP/s, two operations for each, even if the
algorithm needs fewer. `floor` is then a contender, too: the time of the multiply-adds at the speed
of a large matrix product in float32, which is measured in every turn.

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
import multiprocessing
import os
import platform
import re
import statistics
import subprocess
import sys
import time
import traceback
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

import report

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
    interpreter : {"torch"} or None
        "torch" means the option ``--torch-python``, None the interpreter of the script.
    group : str or None
        Contenders of one group are variants; in each row the better one counts.
    environment : dict of str
        Variables of its process, in addition to those for the number of threads.
    """

    name: str
    setup: Callable
    packages: tuple = ()
    interpreter: str | None = None
    group: str | None = None
    environment: dict = field(default_factory=dict)


class Turn(NamedTuple):
    """Result of one round of one contender.

    `values` are seconds if the unit is "ms", and otherwise have the unit.
    """

    values: list
    note: str = ""
    multiply_adds: int = 0
    unit: str = "ms"


def beside_torch(with_cnnkit, with_torch, compiled=False):
    """Contenders: cnnkit, PyTorch in both memory layouts and, if asked for, with `torch.compile`.

    `with_torch` is called with the memory format and, for the last of them, ``compiled=True``.
    """
    layouts = {"NCHW": "contiguous_format", "channels_last": "channels_last"}
    contenders = [Contender("cnnkit", with_cnnkit, ("cnnkit", "numpy", "scipy", "scikit-learn"))]
    for layout, memory_format in layouts.items():
        setup = functools.partial(with_torch, memory_format)
        name = f"PyTorch {layout}"
        contenders.append(Contender(name, setup, ("torch", "numpy"), "torch", group="PyTorch"))
    if compiled:
        setup = functools.partial(with_torch, "contiguous_format", compiled=True)
        contenders.append(Contender("PyTorch compiled", setup, ("torch", "numpy"), "torch"))
    return contenders


def floor(multiply_adds):
    """Contender: the time of {row: multiply-adds} at the speed of a large product in NumPy."""

    def setup():
        import numpy as np

        n = 1024
        a, b, out = np.ones((3, n, n), np.float32)

        def one_round(work):
            seconds, _ = clock(lambda: np.matmul(a, b, out=out), 5)
            speed = n**3 / min(seconds)
            return Turn([work / speed], f"sgemm {2e-9 * speed:.0f} GFLOP/s", work)

        return {row: functools.partial(one_round, work) for row, work in multiply_adds.items()}

    return Contender("floor", setup, ("numpy",))


def clock(call, repeats):
    """The seconds of each of `repeats` calls, and what the last one returned."""
    seconds = []
    for _ in range(repeats):
        start = time.perf_counter()
        result = call()
        seconds.append(time.perf_counter() - start)
    return seconds, result


def clock_for(call, budget=0.1, least=3):
    """`clock`, for as many calls as fit in about `budget` seconds, at least so many."""
    first, result = clock(call, 1)
    more = round(min(max(budget / first[0], least), 1000)) - 1
    if more:
        seconds, result = clock(call, more)
        first += seconds
    return first, result


def in_new_process(function, *args):
    """Return the result of a module's function in a new process of the same interpreter."""
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as pool:
        return pool.submit(function, *args).result()


def memory_mb(kind="VmHWM"):
    """Resident memory of this process in MB, on Linux: "VmHWM" is its peak, "VmRSS" is now."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith(f"{kind}:"))


def run(description, contenders, *, rounds=7, rest=0.3, add_options=lambda add: None):
    """Entry point of a benchmark script: measure and print, or be one of the contenders.

    Parameters
    ----------
    description : str
    contenders : list of Contender, or callable, args -> list of Contender
    rounds : int
    rest : float
        Seconds before each turn.
    add_options : callable, given `ArgumentParser.add_argument`
        Adds options of the script's own, which `contenders` may read.
    """
    args = _parse(description, rounds, rest, add_options)
    if callable(contenders):
        contenders = contenders(args)
    if args.worker is not None:
        _work(contenders[args.worker])
        return
    found = {
        "processor": f"{report.processor()}; {os.cpu_count()} cores",
        "load average": os.getloadavg()[0],
        "platform": platform.platform(),
        "threads": args.threads,
        "rounds": args.rounds,
        "contenders": {},
        "rows": [],
    }
    print(f"{found['processor']}, load average {found['load average']:.1f}")
    print(f"threads: {args.threads} each, rounds: {args.rounds}, {found['platform']}\n")
    workers = []
    try:
        for i, contender in enumerate(contenders):
            workers.append(_Worker(contender, i, args))
            found["contenders"][contender.name] = workers[-1].about
            print(f"{contender.name:<24}{workers[-1].about}", flush=True)
        for row in dict.fromkeys(row for worker in workers for row in worker.rows):
            if re.search(args.only, row):
                figures = report.figures(row, _measure(row, workers, args), contenders)
                found["rows"].append(figures)
                report.print_row(figures)
    finally:
        for worker in workers:
            worker.close()
    found["tables"] = report.summaries(found["rows"])
    report.print_summaries(found["tables"])
    if args.json:
        Path(args.json).parent.mkdir(parents=True, exist_ok=True)
        Path(args.json).write_text(json.dumps(found, indent=1) + "\n")


def _parse(description, rounds, rest, add_options):
    parser = argparse.ArgumentParser(
        description=description, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("--rounds", type=int, default=rounds, help="turns of each contender (%(default)s)")
    add("--threads", type=int, default=2, help="threads of each contender (%(default)s)")
    add("--rest", type=float, default=rest, help="seconds before each turn (%(default)s)")
    add("--only", default="", metavar="PATTERN", help="rows this regular expression is found in")
    add("--json", metavar="PATH", help="file to write all figures to")
    add(
        "--torch-python",
        default=sys.executable,
        metavar="PATH",
        help="interpreter of the environment that has PyTorch (this one)",
    )
    parser.add_argument("--worker", type=int, help=argparse.SUPPRESS)
    add_options(add)
    args = parser.parse_args()
    for name in ("rounds", "threads"):
        if getattr(args, name) < 1:
            parser.error(f"--{name} must be at least 1, got {getattr(args, name)}")
    return args


class _Worker:
    """The measuring side of a contender's process: a line of JSON out, a line of JSON back."""

    def __init__(self, contender, index, args):
        self.name = contender.name
        python = args.torch_python if contender.interpreter == "torch" else sys.executable
        threads = dict.fromkeys(THREAD_VARIABLES, str(args.threads))
        self.process = subprocess.Popen(
            [python, *sys.argv, "--worker", str(index)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=os.environ | threads | contender.environment,
        )
        greeting = self._receive()
        self.rows = greeting.get("rows", [])
        self.about = greeting.get("about") or greeting["error"]

    def ask(self, row):
        """One turn: the fields of `Turn` with the median as "value", or {"error": ...}."""
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
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())  # output of a library is not an answer

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
            turn = Turn(*rows[json.loads(line)]())
            value = statistics.median(turn.values) * (1e3 if turn.unit == "ms" else 1)
            answer(value=value, **turn._asdict())
        except Exception as error:
            traceback.print_exc()
            answer(error=f"failed: {type(error).__name__}: {error}")


def _measure(row, workers, args):
    """{name: answers} of the workers that have this row; one that fails has the error only."""
    results = {worker.name: [] for worker in workers if row in worker.rows}
    for turn in range(args.rounds + 1):
        for worker in workers:
            answers = results.get(worker.name)
            if answers is None or (answers and "error" in answers[0]):
                continue
            time.sleep(args.rest)
            answer = worker.ask(row)
            if "error" in answer:
                results[worker.name] = [answer]
            elif turn > 0:
                answers.append(answer)
    return results
