"""Networks in other processes: forked after use or in the midst of it, spawned, or joblib's."""

import hashlib
import multiprocessing
import threading
import time
from contextlib import contextmanager

import joblib
import numpy as np
import pytest
from forks import FORKS, TIMEOUT, fork, wait
from oracles import normals
from sklearn.base import clone

from cnnkit import CNNClassifier, num_threads, set_num_threads
from cnnkit.layers import Conv, Dense, Flatten, ReLU

X, Y = normals(32, 20, 21, 4), np.arange(32) % 3
LAYERS = [Conv(16, 3), ReLU(), Conv(16, 3, stride=2), ReLU(), Flatten(), Dense()]


@pytest.fixture(autouse=True)
def threads():
    yield
    set_num_threads(None)


@pytest.fixture(scope="module", params=["auto", "im2col"])
def fitted(request):
    """A fitted estimator whose threads have run, and the digest of what it gives."""
    set_num_threads(4)
    clf = CNNClassifier(LAYERS, max_iter=1, random_state=0, algorithm=request.param).fit(X, Y)
    return clf, digest(clf)


def digest(clf):
    """Return a digest of what a fitted estimator predicts, and of what a fit of it learns."""
    again = clone(clf).fit(X, Y)
    parts = (clf.predict_proba(X), again.predict_proba(X), again.network_.weights.flat)
    return hashlib.sha256(b"".join(part.tobytes() for part in parts)).digest()


def check_in_child(clf, wanted):
    threads = num_threads()

    def compute():
        assert num_threads() == threads
        assert digest(clf) == wanted

    assert wait(fork(compute)) == 0


@contextmanager
def busy(functions):
    """Call functions again and again, each on a thread of its own."""
    over, errors = threading.Event(), []

    def repeat(function):
        try:
            while not over.is_set():
                function()
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=repeat, args=(f,)) for f in functions]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        over.set()
        for thread in threads:
            thread.join(TIMEOUT)
    assert not errors


class TestForks:
    pytestmark = FORKS

    def test_forked_after_use(self, fitted, trials):
        clf, wanted = fitted
        for rng in trials(quick=5, full=200):
            set_num_threads(int(rng.integers(1, 9)))
            clf.predict_proba(X[: rng.integers(1, 32)])
            check_in_child(clf, wanted)
            assert digest(clf) == wanted
        trials.found = "none hung, the parent's bits"

    def test_forked_in_the_midst_of_use(self, fitted, trials):
        """Whatever other threads of the parent hold at that moment, on any of its threads."""
        clf, wanted = fitted
        set_num_threads(3)
        with busy([lambda: clf.predict_proba(X), lambda: digest(clf), lambda: clf.predict(X[:3])]):
            for rng in trials(quick=5, full=200):
                time.sleep(0.02 * rng.random())
                if rng.random() < 0.5:
                    check_in_child(clf, wanted)
                    continue
                with joblib.parallel_config(backend="threading", n_jobs=2):
                    joblib.Parallel()(joblib.delayed(check_in_child)(clf, wanted) for _ in "ab")
        assert digest(clf) == wanted
        trials.found = "none hung, the parent's bits"

    def test_a_child_of_a_child(self, fitted):
        clf, wanted = fitted

        def compute():
            assert digest(clf) == wanted
            check_in_child(clf, wanted)

        assert wait(fork(compute)) == 0


@pytest.mark.parametrize("fitted", ["auto"], indirect=True)
@pytest.mark.parametrize("method", multiprocessing.get_all_start_methods())
@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")
def test_multiprocessing(method, fitted, trials):
    clf, wanted = fitted
    context = multiprocessing.get_context(method)
    for rng in trials(quick=1, full=200):
        set_num_threads(int(rng.integers(1, 5)))
        with context.Pool(2 if trials.full else 1) as pool:
            parts = [X[i : i + 9] for i in rng.integers(0, 23, 20)]
            found = pool.map_async(clf.predict_proba, parts)
            again = pool.apply_async(clone(clf).fit, (X, Y))
            for part, got in zip(parts, found.get(TIMEOUT), strict=True):
                assert got.tobytes() == clf.predict_proba(part).tobytes()
            weights = again.get(TIMEOUT).network_.weights.flat
            assert weights.tobytes() == clf.network_.weights.flat.tobytes()
            pool.close()
            pool.join()
        assert digest(clf) == wanted
    trials.found = f"{20 * (trials.number + 1)} predictions, none hung, the parent's bits"


@pytest.mark.parametrize("fitted", ["auto"], indirect=True)
@pytest.mark.parametrize("backend", ["loky", "threading"])
def test_joblib(backend, fitted, trials):
    clf, wanted = fitted
    for rng in trials(quick=1, full=200):
        parts = [X[i : i + 9] for i in rng.integers(0, 23, 20)]
        with joblib.parallel_config(backend=backend, n_jobs=2):
            parallel = joblib.Parallel(timeout=TIMEOUT)
            found = parallel(joblib.delayed(clf.predict_proba)(part) for part in parts)
            again = parallel(joblib.delayed(clone(clf).fit)(X, Y) for _ in "ab")
        for part, got in zip(parts, found, strict=True):
            assert got.tobytes() == clf.predict_proba(part).tobytes()
        for other in again:
            assert other.network_.weights.flat.tobytes() == clf.network_.weights.flat.tobytes()
        assert digest(clf) == wanted
    trials.found = f"{20 * (trials.number + 1)} predictions, none hung, the serial bits"
