"""The tests that draw random numbers, with other seeds: what holds must hold for any.

    python tests/seeds.py          # seeds 0 to 99
    python tests/seeds.py 7 8 9

The first run is of the whole suite and notes which tests draw, or belong to a module or use a
fixture that does; the others run those alone, since the rest has nothing that could change. The
tests of reliability are left out: they draw thousands of times with one seed.
"""

import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest

TESTS = Path(__file__).resolve().parent


def draws():
    """Return how often tests have drawn: pytest finds the module in tests/support."""
    import seeded

    return seeded.draws


class Note:
    """A plugin that writes the names of the tests that draw to a file."""

    def __init__(self, path):
        self.path = path
        self.modules, self.fixtures, self.tests = [], set(), []

    @pytest.hookimpl(wrapper=True)
    def pytest_make_collect_report(self, collector):
        before = draws()
        report = yield
        if draws() > before:
            self.modules.append(collector.nodeid + "::")
        return report

    @pytest.hookimpl(wrapper=True)
    def pytest_fixture_setup(self, fixturedef):
        before = draws()
        value = yield
        if draws() > before:
            self.fixtures.add(fixturedef)
        return value

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(self, item):
        before = draws()
        done = yield
        used = {
            fixture for given in item._fixtureinfo.name2fixturedefs.values() for fixture in given
        }
        in_module = item.nodeid.startswith(tuple(self.modules))
        if draws() > before or in_module or used & self.fixtures:
            self.tests.append(item.nodeid)
        return done

    def pytest_sessionfinish(self):
        self.path.write_text(json.dumps(self.tests))


class Only:
    """A plugin that leaves the tests named in a file."""

    def __init__(self, path):
        self.names = set(json.loads(path.read_text()))

    def pytest_collection_modifyitems(self, items):
        items[:] = [item for item in items if item.nodeid in self.names]


def run(seed, path):
    """Return pytest's exit code for one seed, in a process of its own."""
    environment = {**os.environ, "CNNKIT_TEST_SEED": str(seed)}
    command = [sys.executable, __file__, "--one", str(path)]
    return subprocess.run(command, env=environment, cwd=TESTS.parent).returncode


def main(seeds):
    """Print a line for each seed; return the seeds that failed."""
    failed = []
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "drawing.json"
        for seed in seeds:
            start = time.perf_counter()
            code = run(seed, path)
            seconds = time.perf_counter() - start
            print(f"== seed {seed}: {'failed' if code else 'passed'}, {seconds:.0f} s", flush=True)
            failed += [seed] if code else []
    return failed


if __name__ == "__main__":
    if sys.argv[1:2] == ["--one"]:
        path = Path(sys.argv[2])
        plugin = Only(path) if path.exists() else Note(path)
        quiet = ["-q", "--no-header", "-p", "no:cacheprovider", "--ignore=tests/reliability"]
        sys.exit(pytest.main(quiet, plugins=[plugin]))
    failed = main([int(seed) for seed in sys.argv[1:]] or range(100))
    sys.exit(f"failed with seeds {failed}" if failed else 0)
