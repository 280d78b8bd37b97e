"""Where tests draw random numbers from.

``CNNKIT_TEST_SEED`` gives all of them others: what holds must hold for any.
"""

import os

import numpy as np

SEED = int(os.environ.get("CNNKIT_TEST_SEED", "0"))


def generator(*key):
    """Return a generator of its own for every key of ints."""
    return np.random.default_rng((SEED, *key))
