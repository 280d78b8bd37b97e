"""A network near the limit of a control group is refused before it starts, or trained."""

from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

import limited
import pytest
from oracles import SANITIZED


@pytest.mark.skipif(SANITIZED, reason="the address sanitizer takes memory of its own")
def test_networks_near_the_limit(trials):
    """Each in a process of its own: one that takes more than its group has is killed."""
    found = Counter()
    with limited.group() as processes:
        if processes is None:
            pytest.skip("control groups cannot be made here")
        for number in range(200 if trials.full else 4):
            trials.number = number
            with ProcessPoolExecutor(1, get_context("spawn")) as pool:
                found[pool.submit(limited.fit, processes, number).result()] += 1
    trials.found = f"{found['refused']} refused, {found['done']} trained"
