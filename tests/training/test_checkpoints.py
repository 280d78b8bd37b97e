"""Checkpoints: what they hold, and that a fit goes on from them as if it had never ended."""

import json
import os
import signal
import time
from functools import partial

import numpy as np
import pytest
import seeded
from estimator_data import (
    DROPPING,
    FLAT,
    NUMBERS,
    STEADY,
    Brighten,
    Halving,
    X,
    Y,
    flat,
    own,
    regressor,
    small,
    weights,
)
from oracles import assert_same_bits, python

from cnnkit import CNNClassifier, Dense, Flatten
from cnnkit.augmentation import Flip, Noise
from cnnkit.callbacks import Callback, Checkpoint, CSVLog, JSONLog, Timer
from cnnkit.schedules import Cosine, ReduceOnPlateau
from cnnkit.training import checkpoints, loop, stopping

CURVES = ("loss_curve_", "validation_loss_curve_", "validation_scores_", "best_validation_score_")


class PowerCutError(Exception):
    pass


class Cut(Callback):
    """The power fails at the end of an epoch."""

    def __init__(self, epoch):
        self.epoch = epoch

    def on_epoch_end(self, estimator, epoch):
        if epoch.number == self.epoch:
            raise PowerCutError


def assert_same_fit(found, wanted):
    assert_same_bits(weights(found), weights(wanted))
    for name in CURVES:
        assert getattr(found, name) == getattr(wanted, name), name


@pytest.mark.parametrize("after", [1, 4, 6])
@pytest.mark.parametrize(
    ("make", "options"),
    [
        (small, {}),
        (small, {"solver": "sgd", "clip_norm": 0.5, "shuffle": False}),
        (small, {"solver": "adamw", "ema_decay": 0.9, "class_weight": "balanced"}),
        (small, {"layers": DROPPING, "augmentation": [Flip(), Noise(0.1)]}),
        (small, {"early_stopping": True, "n_iter_no_change": 3, "tol": 0.1}),
        (small, {"learning_rate": "constant", "tol": 0.5, "n_iter_no_change": 5}),
        (small, {"learning_rate": Cosine(warmup_epochs=2)}),
        (small, {"learning_rate": ReduceOnPlateau(0.5, patience=1, tol=0.3)}),
        (small, {"layers": DROPPING, "frozen": ["conv1"], "batch_size": 50}),
        (regressor, {"early_stopping": True, "ema_decay": 0.5}),
        (small, {"layers": own(), "learning_rate": Halving(), "augmentation": [Brighten()]}),
        (small, {"initial_weights": {"conv1/w": np.ones((3, 3, 1, 6)) / 9}}),
    ],
)
def test_a_fit_that_goes_on_ends_as_one_that_was_never_interrupted(tmp_path, make, options, after):
    y = Y if make is small else NUMBERS

    def fit(*callbacks):
        return make(**{"max_iter": 8} | options).set_callbacks(*callbacks).fit(X, y)

    whole = fit()
    checkpoint = Checkpoint(tmp_path / "state", resume=True)
    try:
        fit(checkpoint, Cut(after))
    except PowerCutError:
        assert after <= whole.n_iter_
    assert_same_fit(fit(checkpoint), whole)
    assert_same_fit(fit(checkpoint), whole)  # of a fit that has ended there is nothing to go on


def test_one_that_is_cut_again_and_again(tmp_path):
    checkpoint = Checkpoint(tmp_path / "state", every=2, resume=True)
    for epoch in (1, 3, 3, 4, 7):  # of an odd one nothing is kept
        with pytest.raises(PowerCutError):
            small(max_iter=8).set_callbacks(checkpoint, Cut(epoch)).fit(X, Y)
    found = small(max_iter=8).set_callbacks(checkpoint).fit(X, Y)
    assert_same_fit(found, small(max_iter=8).fit(X, Y))


def test_chance_goes_on_too(tmp_path):
    checkpoint = Checkpoint(tmp_path / "state", resume=True)
    seeds = []

    class Seed(Callback):
        def on_epoch_end(self, estimator, epoch):
            seeds.append(epoch.state().seed)

    for cut in (Cut(2), Cut(5), Cut(9)):
        clf = small(DROPPING, random_state=None, max_iter=6, early_stopping=True)
        clf.set_callbacks(checkpoint, Seed(), cut)
        if cut.epoch > 6:
            clf.fit(X, Y)
        else:
            with pytest.raises(PowerCutError):
                clf.fit(X, Y)
    assert len(set(seeds)) == 1
    assert clf.n_iter_ == len(clf.validation_scores_) == 6


def test_warm_start(tmp_path):
    def fit(*callbacks):
        clf = small(max_iter=4, warm_start=True).fit(X, Y).set_params(random_state=3)
        return clf.set_callbacks(*callbacks)

    whole = fit().fit(X, Y)
    checkpoint = Checkpoint(tmp_path / "state", resume=True)
    with pytest.raises(PowerCutError):
        fit(checkpoint, Cut(6)).fit(X, Y)
    found = fit(checkpoint).fit(X, Y)
    assert_same_fit(found, whole)
    assert found.n_iter_ == 8


def test_a_warm_start_from_what_the_checkpoint_ended_with(tmp_path):
    """Another fit: it trains as it would without the checkpoint, and can be interrupted."""

    def chain(*callbacks, cut=None):
        clf = small(max_iter=3, warm_start=True).set_callbacks(*callbacks).fit(X, Y)
        if cut is not None:
            with pytest.raises(PowerCutError):
                clf.set_callbacks(*callbacks, Cut(cut)).fit(X, Y)
        clf.set_callbacks(*callbacks).fit(X, Y)
        clf.network_.weights["conv1/b"] = 1
        return clf.fit(X, Y)

    whole = chain()
    assert whole.n_iter_ == 9
    checkpoint = Checkpoint(tmp_path / "state", resume=True)
    for cut in (None, 5):
        assert_same_fit(chain(checkpoint, cut=cut), whole)
        assert len(checkpoint.read().before) == 6
        (tmp_path / "state").unlink()


def test_a_warm_start_that_is_interrupted_goes_on(tmp_path):
    heard = []

    class Hear(Callback):
        def on_epoch_end(self, estimator, epoch):
            heard.append(epoch.number)

    checkpoint = Checkpoint(tmp_path / "state", resume=True)
    clf = small(max_iter=4, warm_start=True).set_callbacks(checkpoint).fit(X, Y)
    with pytest.raises(PowerCutError):
        clf.set_callbacks(checkpoint, Cut(6)).fit(X, Y)
    clf.set_callbacks(checkpoint, Hear()).fit(X, Y)
    assert heard == [7, 8]
    with pytest.raises(ValueError, match="another start: float64 weights after 4 epochs, sum"):
        small(max_iter=4, warm_start=True).set_callbacks(checkpoint).fit(X, Y)


def test_validation_samples_of_ones_own(tmp_path):
    checkpoint = Checkpoint(tmp_path / "state", resume=True)

    def fit(*callbacks):
        return small(max_iter=4).set_callbacks(*callbacks).fit(X[30:], Y[30:], None, X[:30], Y[:30])

    with pytest.raises(PowerCutError):
        fit(checkpoint, Cut(2))
    assert_same_fit(fit(checkpoint), fit())


def test_training_for_longer(tmp_path):
    checkpoint = Checkpoint(tmp_path / "state", resume=True)
    small(max_iter=2, **STEADY).set_callbacks(checkpoint).fit(X, Y)
    found = small(max_iter=5, **STEADY).set_callbacks(checkpoint).fit(X, Y)
    assert_same_fit(found, small(max_iter=5, **STEADY).fit(X, Y))


def test_a_time_limit_counts_what_went_before(tmp_path):
    checkpoint = Checkpoint(tmp_path / "state", resume=True)
    small(max_iter=3, **STEADY).set_callbacks(checkpoint).fit(X, Y)
    clf = small(max_iter=500, max_time=1e-9, **STEADY).set_callbacks(checkpoint).fit(X, Y)
    assert clf.n_iter_ == 4


@pytest.mark.parametrize("steps", [2, 10, 12])
def test_an_epoch_cut_short_by_a_time_limit_is_trained_anew(tmp_path, monkeypatch, steps):
    """Of four steps an epoch has; the last of them cuts nothing."""
    step, ahead, taken = loop.Training.step, [0], [0]

    def late(*args):
        taken[0] += 1
        ahead[0] = 1000 * (taken[0] >= steps)
        return step(*args)

    def clock():
        return time.perf_counter() + ahead[0]

    checkpoint = Checkpoint(tmp_path / "state", resume=True)
    with monkeypatch.context() as patch:
        for module in (loop, stopping):
            patch.setattr(module, "perf_counter", clock)
        patch.setattr(loop.Training, "step", late)
        clf = small(max_iter=5, max_time=500, batch_size=32).set_callbacks(checkpoint).fit(X, Y)
    assert clf.n_iter_ == -(-steps // 4)
    state = checkpoint.read()
    assert (0 if state is None else len(state.epochs)) == steps // 4
    found = small(max_iter=5, batch_size=32).set_callbacks(checkpoint).fit(X, Y)
    assert_same_fit(found, small(max_iter=5, batch_size=32).fit(X, Y))


def test_other_callbacks_hear_of_what_went_before(tmp_path):
    def listeners(name):
        best = Checkpoint(tmp_path / f"{name}.best", best_only=True)
        return best, CSVLog(tmp_path / f"{name}.csv"), Timer()

    def fit(*callbacks):
        return small(max_iter=6, solver="sgd", learning_rate_init=0.9).set_callbacks(*callbacks)

    fit(*listeners("whole")).fit(X, Y)
    checkpoint = Checkpoint(tmp_path / "state", resume=True)
    with pytest.raises(PowerCutError):
        fit(*listeners("cut"), checkpoint, Cut(4)).fit(X, Y)
    callbacks = listeners("cut")
    fit(*callbacks, checkpoint).fit(X, Y)
    assert len(callbacks[-1].epochs) == 6
    logs = [(tmp_path / f"{name}.csv").read_text().splitlines() for name in ("whole", "cut")]
    assert [line.split(",")[:2] for line in logs[0]] == [line.split(",")[:2] for line in logs[1]]
    best = [Checkpoint(tmp_path / f"{name}.best").weights() for name in ("whole", "cut")]
    for path, array in best[0].items():
        assert_same_bits(array, best[1][path])


def test_logs_have_every_epoch_once(tmp_path):
    """Of those after the checkpoint, which are trained again, and of those that were not logged."""
    checkpoint = Checkpoint(tmp_path / "state", every=2, resume=True)
    logs = [CSVLog(tmp_path / "csv", append=True), JSONLog(tmp_path / "json", append=True)]

    def fit(*callbacks):
        small(max_iter=7).set_callbacks(*callbacks, checkpoint).fit(X, Y)

    small(max_iter=6, random_state=3).set_callbacks(*logs).fit(X, Y)
    for cut in (3, 4, 7):
        with pytest.raises(PowerCutError):
            fit(*logs, Cut(cut))
    fit(*logs, JSONLog(tmp_path / "new", append=True))
    losses = small(max_iter=7).fit(X, Y).loss_curve_
    lines = {p: (tmp_path / p).read_text().splitlines() for p in ("csv", "json", "new")}
    assert [float(line.split(",")[1]) for line in lines["csv"][7:]] == losses
    for name, before in (("json", 6), ("new", 0)):
        assert [json.loads(line)["loss"] for line in lines[name][before:]] == losses


@pytest.mark.parametrize("rate", [1, np.float32(0.01)])
def test_logs_of_rates_of_any_type(tmp_path, rate):
    checkpoint = Checkpoint(tmp_path / "state", resume=True)
    logs = [CSVLog(tmp_path / "csv", append=True), JSONLog(tmp_path / "json", append=True)]
    for epochs in (2, 3):
        options = STEADY | {"learning_rate_init": rate, "solver": "sgd"}
        clf = small(max_iter=epochs, **options)
        clf.set_callbacks(checkpoint, *logs).fit(X, Y)
    assert [
        json.loads(line)["number"] for line in (tmp_path / "json").read_text().splitlines()
    ] == [1, 2, 3]
    assert len((tmp_path / "csv").read_text().splitlines()) == 4


def test_half_a_line_of_a_log(tmp_path):
    checkpoint = Checkpoint(tmp_path / "state", resume=True)
    small(max_iter=1, **STEADY).set_callbacks(checkpoint).fit(X, Y)
    (tmp_path / "json").write_text('{"number": 7}\n{"number": 1, "lo')
    log = JSONLog(tmp_path / "json", append=True)
    small(max_iter=2, **STEADY).set_callbacks(checkpoint, log).fit(X, Y)
    assert [
        json.loads(line)["number"] for line in (tmp_path / "json").read_text().splitlines()
    ] == [7, 1, 2]


def test_infinite_moments(tmp_path):
    """Adam's squares of gradients may be too large for float32: training goes on."""
    images, numbers = (X * 1e12).astype(np.float32), NUMBERS
    options = STEADY | {"learning_rate_init": 0.01, "standardize": False}
    make = lambda n: regressor([Flatten(), Dense()], max_iter=n, **options)  # noqa: E731
    checkpoint = Checkpoint(tmp_path / "state", resume=True)
    make(1).set_callbacks(checkpoint).fit(images, numbers)
    assert np.isinf(checkpoint.read().vectors["moment 1"]).any()
    found = make(2).set_callbacks(checkpoint).fit(images, numbers)
    assert_same_bits(weights(found), weights(make(2).fit(images, numbers)))


def test_kill_and_go_on(tmp_path):
    code = f"""if True:
        import os, signal
        from estimator_data import X, Y, small
        from cnnkit.callbacks import Callback, Checkpoint
        class Kill(Callback):
            def on_epoch_end(self, estimator, epoch):
                if epoch.number == 3:
                    os.kill(os.getpid(), signal.SIGKILL)
        checkpoint = Checkpoint({str(tmp_path / "state")!r})
        small(max_iter=5).set_callbacks(checkpoint, Kill()).fit(X, Y)
    """
    path = [os.path.dirname(seeded.__file__), *filter(None, [os.environ.get("PYTHONPATH")])]
    assert python(code, PYTHONPATH=os.pathsep.join(path)).returncode == -signal.SIGKILL
    checkpoint = Checkpoint(tmp_path / "state", resume=True)
    found = small(max_iter=5).set_callbacks(checkpoint).fit(X, Y)
    assert_same_fit(found, small(max_iter=5).fit(X, Y))


def test_weights_to_start_from(tmp_path):
    for options in ({}, {"ema_decay": 0.9}, {"solver": "lbfgs"}):
        checkpoint = Checkpoint(tmp_path / "state")
        clf = small(max_iter=3, **options).set_callbacks(checkpoint).fit(X, Y)
        stored = checkpoint.weights()
        assert stored.keys() == clf.network_.weights.keys()
        start = small(initial_weights=stored, learning_rate_init=1e-30, alpha=0, max_iter=1)
        assert_same_bits(weights(start.fit(X, Y)), weights(clf))
        assert [p.name for p in tmp_path.iterdir()] == ["state"]


@pytest.mark.parametrize("monitor", ["loss", "validation_loss", "validation_score"])
def test_the_best_one(monitor, tmp_path):
    checkpoint = Checkpoint(tmp_path / "best", monitor=monitor, best_only=True)
    kept, figures = [], []

    class Keep(Callback):
        def on_epoch_end(self, estimator, epoch):
            kept.append(dict(epoch.weights.copy()))
            figures.append(getattr(epoch, monitor))

    clf = small(max_iter=8, learning_rate_init=0.5, solver="sgd", momentum=0)
    clf.set_callbacks(checkpoint, Keep()).fit(X, Y, X_val=X[:20], y_val=Y[:20])
    best = int(np.argmax(figures) if monitor == "validation_score" else np.argmin(figures))
    for path, array in checkpoint.weights().items():
        assert_same_bits(array, kept[best][path])


def test_one_that_cannot_be_written_leaves_the_last_one(tmp_path, monkeypatch):
    path = tmp_path / "state"
    small(max_iter=1).set_callbacks(Checkpoint(path)).fit(X, Y)
    before = path.read_bytes()
    monkeypatch.setattr(os, "fsync", lambda descriptor: os.stat(tmp_path / "none"))
    with pytest.raises(FileNotFoundError):
        small(max_iter=1).set_callbacks(Checkpoint(path)).fit(X, Y)
    assert path.read_bytes() == before
    assert [p.name for p in tmp_path.iterdir()] == ["state"]


def test_the_best_of_those_that_are_written(tmp_path, monkeypatch):
    """The losses of odd epochs, which are not, do not count."""
    checkpoint = Checkpoint(tmp_path / "best", best_only=True, every=2)
    losses = [1.0, 1.1, 0.5, 0.6, 0.55, 0.7, 0.1, 0.2]
    epochs = [
        stopping.Epoch(i, loss, None, 0, None, None, state=partial(int, i))
        for i, loss in enumerate(losses, 1)
    ]
    written = []
    monkeypatch.setattr(checkpoints, "write", lambda path, state: written.append(state))
    for before, wanted in ((0, [2, 4, 8]), (5, [8])):
        written.clear()
        checkpoint.on_fit_begin(None)
        checkpoint.on_resume(None, epochs[:before])
        for epoch in epochs[before:]:
            checkpoint.on_epoch_end(None, epoch)
        assert written == wanted


def test_a_path_of_bytes(tmp_path):
    checkpoint = Checkpoint(os.fsencode(tmp_path / "state"), resume=True)
    small(max_iter=1, **STEADY).set_callbacks(checkpoint).fit(X, Y)
    assert small(max_iter=2, **STEADY).set_callbacks(checkpoint).fit(X, Y).n_iter_ == 2
    assert checkpoint.weights().keys() == small().fit(X, Y).network_.weights.keys()


def test_flat_rows_and_text_labels(tmp_path):
    names = np.array(["a", "b"])[Y % 2]
    checkpoint = Checkpoint(tmp_path / "state", resume=True)
    for _ in range(2):
        clf = flat(max_iter=3).set_callbacks(checkpoint).fit(FLAT, names)
    assert_same_fit(clf, flat(max_iter=3).fit(FLAT, names))
    assert isinstance(clf, CNNClassifier)
