"""What a process holds after hundreds of fits: no more than after the first."""

import gc
import json
from pathlib import Path

import pytest
from estimator_data import X, Y, small
from oracles import SANITIZED, python

from cnnkit.training.loop import Training
from cnnkit.training.stopping import Watch

MOST = 8 << 20  # bytes
PROGRAM = """if True:
    import ctypes, gc, json, os
    from sklearn.datasets import load_digits
    from sklearn.model_selection import GridSearchCV
    from cnnkit import CNNClassifier, CNNFeatures, CNNRegressor, models, set_num_threads
    from cnnkit.augmentation import Flip, Shift
    from cnnkit.layers import Conv, Dense, Dropout, Flatten, MaxPool, ReLU

    set_num_threads(4)
    X, y = load_digits(return_X_y=True)
    X, y = X[:300].reshape(-1, 8, 8, 1) / 16, y[:300]
    FEW = [Conv(4, 3), ReLU(), MaxPool(2), Dropout(), Flatten(), Dense()]
    MADE = [
        lambda: CNNClassifier(max_iter=1),
        lambda: CNNClassifier(FEW, max_iter=2, algorithm="im2col", ema_decay=0.9),
        lambda: CNNClassifier(max_iter=2, solver="lbfgs"),
        lambda: CNNClassifier(FEW, max_iter=2, augmentation=[Flip(), Shift(1)]),
        lambda: CNNClassifier(FEW, max_iter=2, early_stopping=True, validation_fraction=0.3),
        lambda: CNNRegressor(FEW, max_iter=2, solver="sgd", learning_rate_init=0.01),
        lambda: CNNFeatures(CNNClassifier(FEW, max_iter=1)),
        *(
            lambda name=name: CNNClassifier(models.small(name), max_iter=1)
            for name in ("lenet5", "squeezenet_1_0", "resnet18", "mobilenet_v1")
        ),
    ]

    def held():
        gc.collect()
        # what malloc keeps for the next time is not held: glibc gives it back when asked
        getattr(ctypes.CDLL(None), "malloc_trim", lambda pad: None)(0)
        pages = int(open("/proc/self/statm").read().split()[1])
        return {
            "bytes": pages * os.sysconf("SC_PAGE_SIZE"),
            "threads": len(os.listdir("/proc/self/task")),
            "files": len(os.listdir("/proc/self/fd")),
        }

    def train(fits, predictions):
        done = 0
        for number in range(fits):
            estimator = MADE[number % len(MADE)]()
            estimator.fit(X[:64], y[:64])
            predict = getattr(estimator, "predict", None) or estimator.transform
            while done < predictions * (number + 1) // fits:
                done += 1
                predict(X[: 300 if done % 10 == 0 else (1, 7, 32)[done % 3]])
            if hasattr(estimator, "partial_fit"):
                estimator.partial_fit(X[:64], y[:64])

    def search(times):
        for _ in range(times):
            grid = {"learning_rate_init": [0.001, 0.01], "conv1__filters": [2, 4]}
            GridSearchCV(CNNClassifier(FEW, max_iter=1), grid, cv=2).fit(X[:64], y[:64] % 2)

    for _ in range(2):  # what malloc keeps for the next time is settled in the second
        train(len(MADE), 10 * len(MADE))
        search(1)
    before = held()
    train(FITS, PREDICTIONS)
    search(SEARCHES)
    print(json.dumps([before, held()]))
"""


@pytest.mark.skipif(SANITIZED, reason="the address sanitizer keeps what is freed")
@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="no /proc to measure with")
def test_a_process_does_not_grow(trials):
    fits, predictions, searches = (220, 10_000, 20) if trials.full else (22, 400, 2)
    program = PROGRAM
    for name, value in (("FITS", fits), ("PREDICTIONS", predictions), ("SEARCHES", searches)):
        program = program.replace(name, str(value))
    done = python(program)
    assert done.returncode == 0, done.stderr
    before, after = json.loads(done.stdout)
    grown = after["bytes"] - before["bytes"]
    trials.found = (
        f"{fits} fits, {predictions:,} predictions and {searches} searches: {grown / 1e6:.1f} MB "
        f"more, {after['threads']} threads and {after['files']} files as before"
    )
    assert grown < MOST
    assert (after["threads"], after["files"]) == (before["threads"], before["files"])


def runs():
    """All objects of training that there are."""
    return [kept for kept in gc.get_objects() if isinstance(kept, (Training, Watch))]


@pytest.mark.parametrize("options", [{}, {"early_stopping": True}, {"solver": "lbfgs"}])
def test_nothing_waits_for_the_garbage_collector(options):
    """What is in a cycle stays until a collection, and a few networks fill a memory."""
    clf = small(**options)
    gc.collect()
    gc.disable()
    try:
        before = runs()  # which other tests may hold
        clf.fit(X, Y)
        assert not [run for run in runs() if not any(run is held for held in before)]
    finally:
        gc.enable()
