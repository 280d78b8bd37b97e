"""Several Python threads at once: each has the bits it would have alone."""

import threading
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import numpy as np
import pytest
from estimator_data import LABELS, SMALL, X, Y, regressor, small
from oracles import normals
from sklearn.base import clone

from cnnkit import CNNFeatures, models, set_num_threads
from cnnkit.augmentation import Flip, Shift
from cnnkit.blocks import basic_block, depthwise_separable
from cnnkit.layers import BatchNorm, Conv, Dense, Dropout, Flatten, GlobalAvgPool, ReLU

THREADS = 8
WIDE = normals(40, 20, 21, 4)
LAYERS = [Conv(16, 3), ReLU(), Conv(16, 3, stride=2), Flatten(), Dense()]


@pytest.fixture(autouse=True)
def more_threads_than_one():
    set_num_threads(3)
    yield
    set_num_threads(None)


def at_once(calls):
    """Call all of them on threads that start together; return their results in order."""
    start = threading.Barrier(THREADS)
    calls = list(enumerate(calls))
    results = [None] * len(calls)

    def work(thread):
        start.wait()
        for number, call in calls[thread::THREADS]:
            results[number] = call()

    with ThreadPoolExecutor(THREADS) as pool:
        for done in [pool.submit(work, thread) for thread in range(THREADS)]:
            done.result()
    return results


@pytest.mark.parametrize("algorithm", ["auto", "im2col"])
def test_predictions_of_one_estimator(algorithm, trials):
    """Threads of the pool go to whoever comes first, the others work alone."""
    clf = small(LAYERS, max_iter=1, algorithm=algorithm).fit(WIDE, np.arange(40) % 3)
    features = CNNFeatures(clone(clf)).fit(WIDE, np.arange(40) % 3)
    methods = [clf.predict_proba, clf.decision_function, features.transform]
    calls = 0
    for rng in trials(quick=1, full=20):
        starts, sizes = rng.integers(0, 30, 80), rng.integers(1, 12, 80)
        parts = [WIDE[i : i + n] for i, n in zip(starts, sizes, strict=True)]
        tasks = [(method, part) for part in parts for method in methods]
        wanted = [method(part).tobytes() for method, part in tasks] * 4
        found = at_once([partial(method, part) for method, part in tasks] * 4)
        assert [array.tobytes() for array in found] == wanted
        calls += len(found)
    trials.found = f"{calls:,} calls, the serial bits"


def learnt(estimator, images=X):
    """What a fit learns, as bytes."""
    estimator.fit(images, LABELS[: len(images)])
    return estimator.network_.weights.flat.tobytes(), estimator.loss_curve_


def estimators(seeds):
    """One of every kind that has state of its own."""
    kinds = [
        small(),
        small(solver="sgd", ema_decay=0.9, augmentation=[Flip(), Shift(1)]),
        small(early_stopping=True, algorithm="im2col"),
        small(solver="lbfgs"),
        small([Conv(8), BatchNorm(), ReLU(), Dropout(), Flatten(), Dense()], clip_norm=1.0),
        small([Conv(8), basic_block(8), depthwise_separable(8), GlobalAvgPool(), Dense()]),
        small(models.small("squeezenet_1_0"), max_iter=1),
        regressor(),
    ]
    return [e.set_params(random_state=int(s)) for e, s in zip(kinds, seeds, strict=True)]


def test_fits_of_different_estimators(trials):
    for rng in trials(quick=1, full=50):
        seeds = rng.integers(1000, size=8)
        wanted = [learnt(estimator) for estimator in estimators(seeds)]
        assert at_once([partial(learnt, estimator) for estimator in estimators(seeds)]) == wanted
    trials.found = f"{8 * (trials.number + 1)} fits, the serial bits"


def test_predictions_while_others_train_and_threads_change(trials):
    clf = small(SMALL).fit(X, Y)
    blas = small(LAYERS, max_iter=1, algorithm="im2col").fit(WIDE, np.arange(40) % 3)
    proba, wide = clf.predict_proba(X), blas.predict_proba(WIDE)
    one, other = (small(LAYERS[:2] + SMALL, random_state=seed) for seed in (1, 2))
    wanted = [learnt(one), learnt(other), proba.tobytes(), wide.tobytes()]
    for rng in trials(quick=2, full=50):
        found = at_once(
            [
                partial(learnt, one),
                partial(learnt, other),
                partial(repeat, clf.predict_proba, X),
                partial(repeat, blas.predict_proba, WIDE),
                partial(change_threads, rng.integers(1, 9, 400)),
            ]
        )
        assert found[:4] == wanted
    trials.found = "the serial bits"


def repeat(function, images):
    found = {function(images).tobytes() for _ in range(20)}
    assert len(found) == 1
    return found.pop()


def change_threads(counts):
    for n in counts:
        set_num_threads(int(n))
