"""One estimator under threads that train, change and read it: every answer is of one model."""

import copy
import pickle
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from itertools import product

import numpy as np
import pytest
from estimator_data import SMALL, X, Y, small
from forks import FORKS, fork, wait
from sklearn.base import clone
from sklearn.frozen import FrozenEstimator

from cnnkit import CNNFeatures, CNNRegressor, Conv, Dense, Flatten, ReLU, load, save
from cnnkit.estimators.snapshot import CHANGING

THREADS = 8
SETTINGS = [
    {"solver": "adamw", "max_iter": 1, "alpha": 0.01, "learning_rate_init": 0.01},
    {"solver": "sgd", "max_iter": 2, "alpha": 0.0, "learning_rate_init": 0.05},
]
DATA = [  # images and labels of models that can be told apart
    (X, np.array(["a", "b", "c"])[Y % 3]),
    (X, np.array([f"class {i}" for i in range(5)])[Y % 5]),
    (X[:, 1:7, :5].copy(), np.array(["p", "q"])[Y % 2]),
    (X, np.c_[Y > 4, Y % 2 == 0, Y < 3, Y == 5]),
]


@pytest.fixture(autouse=True)
def threads_take_turns_often():
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    yield
    sys.setswitchinterval(before)


def again(estimator, path):
    save(estimator, path)
    return load(path)


READS = {
    "predict": lambda clf, images, path: clf.predict(images),
    "predict_proba": lambda clf, images, path: clf.predict_proba(images),
    "predict_log_proba": lambda clf, images, path: clf.predict_log_proba(images),
    "decision_function": lambda clf, images, path: clf.decision_function(images),
    "summary": lambda clf, images, path: str(clf.summary()),
    "pickle": lambda clf, images, path: pickle.loads(pickle.dumps(clf)).predict(images),
    "deepcopy": lambda clf, images, path: copy.deepcopy(clf).predict_proba(images),
    "save": lambda clf, images, path: again(clf, path).predict(images),
}


def answer(read, estimator, images, path):
    """Return what a call gives, or the error that it raises, as text."""
    try:
        return repr(np.asarray(READS[read](estimator, images, path)).tolist())
    except ValueError as error:
        return str(error)


def at_once(work, rngs):
    with ThreadPoolExecutor(THREADS) as pool:
        return list(pool.map(work, rngs))


def test_answers(trials, tmp_path):
    models = [small(**setting).fit(images, y) for setting, (images, y) in product(SETTINGS, DATA)]
    places = range(0, len(DATA), 2)  # both shapes
    known = {
        (read, at): {answer(read, clf, DATA[at][0][:9], tmp_path / "one") for clf in models}
        for read, at in product(READS, places)
    }
    calls = 0
    for rng in trials(quick=1, full=60):
        clf = small(**SETTINGS[0]).fit(*DATA[0])

        def work(rng, clf=clf):
            found, path = [], tmp_path / str(rng.integers(1 << 60))
            for _ in range(50):
                if rng.random() < 0.3:
                    clf.set_params(**SETTINGS[rng.integers(2)]).fit(*DATA[rng.integers(4)])
                elif rng.random() < 0.2:
                    params = clone(clf).get_params()
                    assert {name: params[name] for name in SETTINGS[0]} in SETTINGS
                else:
                    read, at = rng.choice(list(READS)), int(rng.choice(places))
                    found.append((read, at, answer(read, clf, DATA[at][0][:9], path)))
            return found

        for found in at_once(work, rng.spawn(THREADS)):
            strange = [(read, text) for read, at, text in found if text not in known[read, at]]
            assert strange == []
            calls += len(found)
    trials.found = f"{calls:,} answers, each of one model"


def test_predictions_of_a_regressor(trials):
    """The scale of its targets is learnt, and its hyper-parameters say nothing of it."""
    targets = [Y.astype(float), Y * 1e6 + 5e7, np.c_[Y, -Y, Y * 2.0]]
    wanted = [CNNRegressor(SMALL, max_iter=1, random_state=0).fit(X, y).predict(X) for y in targets]
    known = {array.tobytes() for array in wanted}
    for rng in trials(quick=1, full=50):
        reg = CNNRegressor(SMALL, max_iter=1, random_state=0).fit(X, targets[0])

        def work(rng, reg=reg):
            for _ in range(30):
                if rng.random() < 0.3:
                    reg.fit(X, targets[rng.integers(3)])
                assert reg.predict(X).tobytes() in known

        at_once(work, rng.spawn(THREADS))
    trials.found = "each of one model"


def test_features(trials):
    """Of an estimator that is trained anew, and of one that others train."""

    def made(images, y):
        return CNNFeatures(small(max_iter=1), node="relu1").fit(images, y)

    known = {made(*data).transform(data[0][:9]).tobytes() for data in (DATA[0], DATA[1])}
    for rng in trials(quick=1, full=50):
        clf = small(max_iter=1).fit(*DATA[0])
        anew = made(*DATA[0])
        frozen = CNNFeatures(FrozenEstimator(clf), node="relu1").fit(X)

        def work(rng, clf=clf, anew=anew, frozen=frozen):
            for _ in range(20):
                if rng.random() < 0.3:
                    (clf, anew)[rng.integers(2)].fit(*DATA[rng.integers(2)])
                for features in (anew, frozen):
                    assert features.transform(X[:9]).tobytes() in known

        at_once(work, rng.spawn(THREADS))
    trials.found = "each of one model"


def test_names_of_features(trials):
    """They are of the model whose numbers they are over."""
    pytest.importorskip("pandas")
    made = [
        CNNFeatures(small([Conv(n), ReLU(), Flatten(), Dense()], max_iter=1), node="relu1")
        for n in (2, 3)
    ]
    tables = [
        features.fit(X, Y).set_output(transform="pandas").transform(X[:9]) for features in made
    ]
    known = {(tuple(table), table.to_numpy().tobytes()) for table in tables}
    for rng in trials(quick=1, full=50):
        shared = clone(made[0]).fit(X, Y)

        def work(rng, shared=shared):
            for _ in range(20):
                if rng.random() < 0.3:
                    shared.set_params(estimator=made[rng.integers(2)].estimator).fit(X, Y)
                table = shared.transform(X[:9])
                assert (tuple(table), table.to_numpy().tobytes()) in known

        at_once(work, rng.spawn(THREADS))
    trials.found = "each of one model"


def test_hyper_parameters(trials):
    """They are set together and read together, and none is lost where a fit ends meanwhile."""
    for rng in trials(quick=1, full=50):
        clf = small(max_iter=1, tol=1, clip_norm=1).fit(X[:40], Y[:40])
        tried = rng.integers(1, 100, 500).tolist()

        def train(clf=clf):
            for _ in range(10):
                clf.fit(X[:40], Y[:40])

        def change(clf=clf, tried=tried):
            for number in tried:
                clf.set_params(tol=number, clip_norm=number)
                assert clf.tol == clf.clip_norm == number

        def read(clf=clf):
            for _ in range(500):
                found = clf.get_params()
                assert found["tol"] == found["clip_norm"]

        with ThreadPoolExecutor(THREADS) as pool:
            tasks = [pool.submit(task) for task in (change, train, train, read, read)]
            for task in tasks:
                task.result()
    trials.found = "none lost"


def test_hyper_parameters_are_set_all_or_none():
    for estimator in (CNNRegressor(), CNNFeatures()):
        before = estimator.get_params()
        with pytest.raises(ValueError, match="Invalid parameter 'nothing'"):
            estimator.set_params(random_state=5, nothing=1)
        assert estimator.get_params() == before


@pytest.mark.parametrize("ema_decay", [None, 0.9])
def test_parts_of_a_stream(ema_decay, trials):
    """Threads that train one estimator: what one of them learns is there, whole."""
    for rng in trials(quick=1, full=50):
        clf = small(ema_decay=ema_decay).partial_fit(X, Y, classes=range(10))

        def work(rng, clf=clf):
            for _ in range(10):
                rows = rng.integers(0, len(X), 40)
                assert clf.partial_fit(X[rows], Y[rows]) is clf
                found = pickle.loads(pickle.dumps(clf))
                training = getattr(found, "_training", None)
                if training is not None:  # no other thread had it
                    assert training.loss_curve == found.loss_curve_
                assert np.isfinite(found.partial_fit(X[rows], Y[rows]).predict_proba(X)).all()

        at_once(work, rng.spawn(THREADS))
        assert clf.n_iter_ > 1
    trials.found = "no error"


class TestForks:
    pytestmark = FORKS

    def test_a_child_of_an_estimator_that_changes(self):
        """Of whoever changed it in the parent, the child knows nothing."""
        clf = small(max_iter=1).fit(X, Y)
        held, done = threading.Event(), threading.Event()

        def hold():
            with CHANGING:
                held.set()
                done.wait()

        def compute():
            clf.set_params(max_iter=2).fit(X, Y)
            assert clf.n_iter_ == 2

        holder = threading.Thread(target=hold)
        holder.start()
        held.wait()
        try:
            assert wait(fork(compute)) == 0
        finally:
            done.set()
            holder.join()
        assert clf.max_iter == clf.n_iter_ == 1
