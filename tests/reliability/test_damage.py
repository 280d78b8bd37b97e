"""Damaged model files, checkpoints and pickled states are refused, or are sound."""

from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

import damage
import pytest

pytest.importorskip("safetensors")

BOUND = 64 << 20  # bytes by which reading may grow memory beyond the size of a file


@pytest.mark.parametrize(
    ("kind", "quick", "full"),
    [("Files", 400, 730_000), ("Checkpoints", 60, 20_000), ("Pickles", 300, 250_000)],
)
def test_damage(trials, kind, quick, full):
    """In a process of its own: a crash is a failure here, and nothing else grows its memory."""
    count = full if trials.full else quick
    step = 1 if trials.full else 997  # a quick test, too, is to see more than files cut off
    with ProcessPoolExecutor(1, get_context("spawn")) as pool:
        refused, growth = pool.submit(damage.run, kind, range(0, count * step, step)).result()
    assert growth < BOUND
    assert 0.3 * count < refused < count
    trials.number = count - 1
    trials.found = f"{refused:,} refused, the others sound; memory grew by {growth >> 20} MB"
