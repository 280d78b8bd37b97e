"""Damaged files, of models and of weights, and pickled states are refused, or are sound."""

from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

import damage
import pytest

BOUND = 64 << 20  # bytes by which reading may grow memory beyond the size of a file


@pytest.mark.parametrize(
    ("home", "kind", "quick", "full", "step"),
    [
        ("damage", "Files", 400, 730_000, 1),
        ("damage", "Graphs", 100, 500_000, 1),
        ("damage", "Checkpoints", 60, 20_000, 7),
        ("damage", "Pickles", 300, 250_000, 1),
        ("damaged_weights", "TorchFiles", 600, 150_000, 1),
        ("damaged_weights", "PlainFiles", 300, 50_000, 1),
    ],
)
def test_damage(trials, home, kind, quick, full, step):
    """In a process of its own: a crash is a failure here, and nothing else grows its memory."""
    count = full if trials.full else quick
    step = step if trials.full else 997  # few trials, too, are to see more than files cut off
    with ProcessPoolExecutor(1, get_context("spawn")) as pool:
        refused, growth, longest = pool.submit(
            damage.run, home, kind, range(0, count * step, step)
        ).result()
    assert growth < BOUND
    assert 0.3 * count < refused
    trials.number = count - 1
    trials.found = (
        f"{refused:,} refused, the others sound; memory grew by {growth >> 20} MB, "
        f"the longest took {longest:.1f} s"
    )
