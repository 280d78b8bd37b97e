"""Where tests draw random numbers from.

``CNNKIT_TEST_SEED`` gives all of them others: what holds must hold for any. What training reaches
is no such thing: where a test asks for it, the estimator starts from random_state=0.
"""

import os

import numpy as np

SEED = int(os.environ.get("CNNKIT_TEST_SEED", "0"))
draws = 0  # how often something was asked for: seeds.py finds the tests that depend on the seed


def generator(*key):
    """Return a generator of its own for every key of ints."""
    return np.random.default_rng((seed(), *key))


def seed():
    """Return the seed, as the random_state of an estimator."""
    global draws
    draws += 1
    return SEED
