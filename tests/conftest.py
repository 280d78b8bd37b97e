"""Trials of the tests of reliability and what they found; figures for tests that draw."""

import pytest
from seeded import SEED, generator

ROWS = pytest.StashKey[list]()


def pytest_addoption(parser):
    parser.addoption(
        "--full",
        action="store_true",
        help="make the trials that docs/design/reliability.md reports",
    )


def pytest_configure(config):
    config.stash[ROWS] = []


class Trials:
    """How often a test is tried: few times in a hurry, many with ``--full``.

    Attributes
    ----------
    number : int
        Of the trial under way, from 0; it is named where a test fails.
    found : str
        What the test measured, for docs/design/reliability.md.
    """

    def __init__(self, full):
        self.full = full
        self.number = None
        self.found = ""

    def __call__(self, quick, full):
        """Yield a generator of random numbers for every trial."""
        for number in range(full if self.full else quick):
            self.number = number
            yield generator(number)


@pytest.fixture
def trials(request):
    return Trials(request.config.getoption("full"))


@pytest.fixture
def pyplot():
    matplotlib = pytest.importorskip("matplotlib")
    matplotlib.use("Agg")
    pyplot = pytest.importorskip("matplotlib.pyplot")
    pyplot.close("all")  # what tests in the same process left
    yield pyplot
    pyplot.close("all")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item, call):
    trials = getattr(item, "funcargs", {}).get("trials")
    if call.when == "call" and trials is not None:
        if call.excinfo is not None:
            call.excinfo.value.add_note(f"in trial {trials.number} of seed {SEED}")
        outcome = "failed" if call.excinfo else trials.found or "none failed"
        count = "" if trials.number is None else f"{trials.number + 1:,}"
        row = (item.nodeid.partition("::")[2], count, outcome, f"{call.duration:.0f}")
        item.config.stash[ROWS].append(row)
    return (yield)


def pytest_terminal_summary(terminalreporter, config):
    """Print the rows of docs/design/reliability.md."""
    if config.getoption("full"):
        terminalreporter.section("trials")
        for row in (("test", "trials", "found", "seconds"), ("---",) * 4, *config.stash[ROWS]):
            terminalreporter.write_line(f"| {' | '.join(row)} |")
