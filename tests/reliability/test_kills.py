"""kill -9 at random moments of writing: the old file or the new one is there, whole."""

import os
import signal
import time
from functools import partial

import numpy as np
import pytest
from estimator_data import X, Y, small
from forks import FORKS, fork, wait
from oracles import assert_same_bits

from cnnkit import load, save
from cnnkit.callbacks import Checkpoint
from cnnkit.files import atomic
from cnnkit.layers import Conv1x1, Dense, Flatten

pytestmark = FORKS

ROUNDS = {"quick": 15, "full": 1000}


@pytest.fixture(scope="module")
def models():
    """Two fitted estimators with files of half a megabyte."""
    layers = [Conv1x1(64), Flatten(), Dense(32), Dense()]
    return [small(layers, max_iter=1, random_state=seed).fit(X, Y) for seed in (0, 1)]


def run_and_kill(function, seconds):
    """Call in a child that is killed after so long; say whether it had finished."""
    child = fork(function)
    time.sleep(seconds)
    os.kill(child, signal.SIGKILL)
    code = wait(child)
    assert code in (0, -signal.SIGKILL)
    return code == 0


def duration(function):
    """Return how many seconds a call takes in a child, forking included."""
    start = time.perf_counter()
    assert wait(fork(function)) == 0
    return time.perf_counter() - start


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_killed_while_saving(trials, models, tmp_path):
    path = tmp_path / "model"
    save(models[0], path)
    seconds = max(duration(lambda: save(models[0], path)) for _ in range(3))
    wanted = [model.predict_proba(X[:5]) for model in models]
    found, left = [0, 0], 0
    for rng in trials(**ROUNDS):
        old = int(rng.integers(2))
        save(models[old], path)
        assert names(tmp_path) == ["model"]  # what the kill before left behind is gone
        new = models[1 - old]
        finished = run_and_kill(partial(save, new, path), 1.1 * seconds * rng.random())
        outputs = load(path).predict_proba(X[:5])
        here = 1 - old if np.array_equal(outputs, wanted[1 - old]) else old
        assert_same_bits(outputs, wanted[here])
        assert here != old or not finished
        found[here != old] += 1
        left += len(names(tmp_path)) > 1
    save(models[0], path)
    assert names(tmp_path) == ["model"]
    trials.found = f"{found[0]} old, {found[1]} new, {left} left a temporary file"


def test_killed_while_a_checkpoint_is_written(trials, models, tmp_path):
    """The weights of some epoch, all of one."""
    path = tmp_path / "state"
    layers, epochs = models[0].layers, 4

    def fit(seed, epochs=epochs):
        clf = small(layers, max_iter=epochs, random_state=seed, learning_rate="constant")
        return clf.set_callbacks(Checkpoint(path)).fit(X[:32], Y[:32])

    def bits():
        stored = Checkpoint(path).weights()
        return b"".join(stored[name].tobytes() for name in models[0].network_.weights)

    every = set()
    for seed in (0, 1):
        for n in range(1, epochs + 1):
            fit(seed, n)
            every.add(bits())
    seconds = max(duration(lambda: fit(0)) for _ in range(3))
    seen, left = set(), 0
    for rng in trials(**ROUNDS):
        run_and_kill(partial(fit, int(rng.integers(2))), 1.1 * seconds * rng.random())
        seen.add(bits())
        assert seen <= every
        left += len(names(tmp_path)) > 1
    fit(0)
    assert names(tmp_path) == ["state"]
    trials.found = f"weights of {len(seen)} epochs, {left} left a temporary file"


def test_killed_at_the_first_write(trials, models, tmp_path):
    """Where there was no file, there is none or all of it."""
    path = tmp_path / "text"
    text = b"new" * 100_000

    def write():
        atomic.replace(path, lambda file: file.write(text), "write")

    seconds = duration(write)
    none = 0
    for rng in trials(**ROUNDS):
        path.unlink(missing_ok=True)
        finished = run_and_kill(write, 1.1 * seconds * rng.random())
        none += not path.exists()
        assert path.exists() or not finished
        assert not path.exists() or path.read_bytes() == text
    write()
    assert names(tmp_path) == ["text"]
    trials.found = f"{none} no file, {trials.number + 1 - none} the new one"
