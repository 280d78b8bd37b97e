"""Placing arrays with lifetimes in one block."""

import itertools

import numpy as np
import pytest
from seeded import generator

from cnnkit.network.placement import Lifetime, place
from cnnkit.validate.arrays import ALIGNMENT, empty_bytes


def random_lifetimes(seed):
    rng = generator(seed)
    count, steps = rng.integers(1, 30), rng.integers(1, 40)
    lifetimes = {}
    for key in range(count):
        first, last = np.sort(rng.integers(0, steps, 2))
        lifetimes[key] = Lifetime(int(rng.integers(0, 2000)), int(first), int(last))
    return lifetimes


def rounded(size):
    return -(-size // ALIGNMENT) * ALIGNMENT


@pytest.mark.parametrize("seed", range(200))
def test_what_overlaps_in_time_never_overlaps_in_place(seed):
    lifetimes = random_lifetimes(seed)
    offsets, block = place(lifetimes)
    assert offsets.keys() == lifetimes.keys()
    for a, b in itertools.combinations(lifetimes, 2):
        one, other = lifetimes[a], lifetimes[b]
        if one.first <= other.last and other.first <= one.last:
            apart = offsets[a] + one.size <= offsets[b] or offsets[b] + other.size <= offsets[a]
            assert apart, (one, other)
    for key, life in lifetimes.items():
        assert offsets[key] % ALIGNMENT == 0
        assert 0 <= offsets[key] <= offsets[key] + life.size <= block
    sizes = [rounded(life.size) for life in lifetimes.values()]
    busiest = max(
        sum(rounded(life.size) for life in lifetimes.values() if life.first <= step <= life.last)
        for step in range(40)
    )
    assert busiest <= block <= sum(sizes)


def test_a_chain_needs_room_for_two():
    lifetimes = {n: Lifetime(640, n, n + 1) for n in range(10)}
    assert place(lifetimes)[1] == 2 * 640


def test_small_arrays_fill_the_gaps():
    lifetimes = {
        "long": Lifetime(640, 0, 9),
        "early": Lifetime(320, 0, 4),
        "late": Lifetime(320, 5, 9),
        "later": Lifetime(64, 5, 9),
    }
    offsets, block = place(lifetimes)
    assert offsets["early"] == offsets["late"] == 640
    assert block == 640 + 320 + 64


def test_nothing_needs_nothing():
    assert empty_bytes(0).shape == (0,)
    assert place({}) == ({}, 0)


@pytest.mark.parametrize("size", [1, 63, 64, 1000])
def test_bytes_start_on_a_cache_line(size):
    memory = empty_bytes(size)
    assert memory.shape == (size,)
    assert memory.ctypes.data % ALIGNMENT == 0
    assert memory.flags.writeable
