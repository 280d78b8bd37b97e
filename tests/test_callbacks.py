"""Callbacks: cnnkit's own on every scikit-learn, and those of `sklearn.callback` from 1.9 on."""

import csv
import io
import json
import pickle
import sys
from types import SimpleNamespace

import numpy as np
import pytest
from estimator_data import FLAT, NUMBERS, STEADY, X, Y, flat, regressor, small, weights
from joblib import parallel_config
from oracles import assert_same_bits, python
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV

from cnnkit.callbacks import Callback, CSVLog, JSONLog, Timer


class Record(Callback):
    def __init__(self, stop_at=None):
        self.stop_at = stop_at
        self.heard = []

    def on_fit_begin(self, estimator):
        self.heard.append("begin")

    def on_epoch_end(self, estimator, epoch):
        self.heard.append(epoch)
        return epoch.number == self.stop_at

    def on_fit_end(self, estimator):
        self.heard.append("end")


@pytest.mark.parametrize("solver", ["adam", "lbfgs"])
def test_epochs_are_heard_of(solver):
    record = Record()
    options = STEADY | {"solver": solver, "max_iter": 3}
    clf = small(**options).set_callbacks(record)
    clf.fit(X, Y, X_val=X[:20], y_val=Y[:20])
    first, *epochs, last = record.heard
    assert (first, last, len(epochs)) == ("begin", "end", 3)
    assert [epoch.number for epoch in epochs] == [1, 2, 3]
    assert [epoch.loss for epoch in epochs] == clf.loss_curve_
    assert [epoch.validation_loss for epoch in epochs] == clf.validation_loss_curve_
    assert [epoch.validation_score for epoch in epochs] == clf.validation_scores_
    assert epochs[0].learning_rate == (0.001 if solver == "adam" else None)
    assert all(epoch.seconds > 0 for epoch in epochs)
    assert_same_bits(epochs[-1].weights.flat, clf.network_.weights.flat)
    assert_same_bits(weights(clf), weights(small(**options).fit(X, Y)))


@pytest.mark.parametrize("solver", ["adam", "lbfgs"])
def test_one_that_returns_true_ends_training(solver):
    one, other = Record(stop_at=2), Record()
    clf = small(solver=solver, max_iter=9).set_callbacks(one, other).fit(X, Y)
    assert clf.n_iter_ == 2
    assert len(other.heard) == 4


def test_the_end_is_heard_after_an_error():
    record = Record()
    with pytest.raises(ValueError, match="Training diverged"):
        small(solver="sgd", learning_rate_init=1e30).set_callbacks(record).fit(X, Y)
    assert record.heard[-1] == "end"
    assert "_callback_fit_ctx" not in vars(small().set_callbacks(record))


def test_setting_and_taking_away():
    clf = small().set_callbacks(Record())
    assert "_skl_callbacks" in vars(clf)
    assert "_skl_callbacks" not in vars(clf.set_callbacks())
    for bad in ("x", Record):
        with pytest.raises(TypeError, match=r"^CNNClassifier.set_callbacks: callbacks must be i"):
            clf.set_callbacks(bad)
    assert pickle.loads(pickle.dumps(clf.set_callbacks(Timer()).fit(X, Y))).n_iter_ == 2


def test_logs(tmp_path):
    as_csv, as_json = tmp_path / "a.csv", tmp_path / "a.jsonl"
    clf = small(max_iter=3).set_callbacks(CSVLog(as_csv), JSONLog(as_json)).fit(X, Y)
    rows = list(csv.DictReader(io.StringIO(as_csv.read_text())))
    assert [float(row["loss"]) for row in rows] == clf.loss_curve_
    assert rows[0]["validation_loss"] == ""
    lines = [json.loads(line) for line in as_json.read_text().splitlines()]
    assert [line["loss"] for line in lines] == clf.loss_curve_
    assert list(lines[0]) == list(rows[0])
    assert lines[0]["validation_score"] is None
    clf.fit(X, Y)
    assert len(as_csv.read_text().splitlines()) == 4
    clf.set_callbacks(CSVLog(as_csv, append=True), JSONLog(as_json, append=True)).fit(X, Y)
    assert len(as_csv.read_text().splitlines()) == 7
    assert len(as_json.read_text().splitlines()) == 6


def test_timer():
    timer = Timer()
    small(max_iter=3).set_callbacks(timer).fit(X, Y)
    assert len(timer.epochs) == 3
    assert 0 < sum(timer.epochs) <= timer.total < 10


# verbose


@pytest.mark.parametrize("solver", ["adam", "lbfgs"])
def test_a_line_an_epoch(solver, capsys):
    clf = small(verbose=1, solver=solver, batch_size=27, early_stopping=True, max_iter=3).fit(X, Y)
    curves = zip(clf.loss_curve_, clf.validation_loss_curve_, clf.validation_scores_, strict=True)
    title, settings, *lines = capsys.readouterr().out.splitlines()
    assert title == title_of(clf)
    assert settings == (
        "3 epochs in batches of 27, OneCycle() of 0.01, alpha 0.0001"
        if solver == "adam"
        else "at most 3 iterations over all samples, alpha 0.0001"
    )
    assert lines == [
        f"Epoch {i}, loss = {a:.6f}, validation loss = {b:.6f}, validation score = {c:.6f}"
        for i, (a, b, c) in enumerate(curves, 1)
    ]


def title_of(estimator):
    return " ".join(repr(estimator).split())


def test_lines_of_a_search_say_whose_they_are(capsys):
    search = GridSearchCV(small(verbose=1, max_iter=1), {"alpha": [0.5, 0.25]}, cv=2, refit=False)
    search.fit(X, Y)
    lines = capsys.readouterr().out.splitlines()
    titles = [title_of(small(verbose=1, max_iter=1, alpha=alpha)) for alpha in (0.5, 0.25)]
    assert lines[::3] == [titles[0]] * 2 + [titles[1]] * 2
    assert {line[:8] for line in lines[1::3]} == {"1 epoch "}
    assert {line[:8] for line in lines[2::3]} == {"Epoch 1,"}
    with parallel_config(backend="threading", n_jobs=2):
        search.fit(X, Y)
    told = [line.partition(": ") for line in capsys.readouterr().out.splitlines()]
    for thread in {name for name, _, _ in told}:
        own = [text for name, _, text in told if name == thread]
        assert thread.startswith("Thread-")
        assert set(own[::3]) <= set(titles)
        assert {text[:8] for text in own[1::3]} == {"1 epoch "}
        assert {text[:8] for text in own[2::3]} == {"Epoch 1,"}
    assert len(told) == 12


def test_lines_of_another_process():
    code = """if True:
    import multiprocessing
    from cnnkit.callbacks import say
    if __name__ == "__main__":
        multiprocessing.current_process().name = "Worker-1"
        say("Epoch 1")
    """
    assert python(code).stdout == "Worker-1: Epoch 1\n"


def test_lines_of_partial_fit(capsys):
    clf = small(verbose=2)
    for _ in range(2):
        clf.partial_fit(X, Y, classes=range(10))
    assert [line[:8] for line in capsys.readouterr().out.splitlines()] == ["Epoch 1,", "Epoch 2,"]


def test_a_progress_bar(capsys):
    pytest.importorskip("rich")
    record = Record()
    clf = regressor(verbose=2, max_iter=4).set_callbacks(record).fit(X, NUMBERS)
    out = capsys.readouterr().out
    assert out.startswith(title_of(clf) + "\n")
    assert "4/4" in out
    assert f"{clf.loss_:.6f}" in out
    assert len(record.heard) == 6
    with pytest.raises(ValueError, match="diverged"):
        small(verbose=2, solver="sgd", learning_rate_init=1e30).fit(X, Y)


@pytest.mark.parametrize("widgets", [False, True])
def test_a_progress_bar_in_a_notebook(widgets, monkeypatch, capsys):
    """Without ipywidgets, rich shows nothing there but that they are missing."""
    rich = pytest.importorskip("rich")
    shown = []
    fake = {
        "ipywidgets": SimpleNamespace(Output=Output),
        "IPython.display": SimpleNamespace(display=shown.append),
    }
    for name, module in fake.items():
        monkeypatch.setitem(sys.modules, name, module if widgets else None)
    monkeypatch.setattr(rich.get_console(), "is_jupyter", True)
    clf = regressor(verbose=2, max_iter=2).fit(X, NUMBERS)
    out = capsys.readouterr().out.splitlines()
    assert out[0] == title_of(clf)
    if not widgets:
        assert out[1].startswith("A line for every epoch: a bar in a notebook needs pip install ")
        assert [line[:15] for line in out[2:]] == ["Epoch 1, loss =", "Epoch 2, loss ="]
    assert sum(isinstance(thing, Output) for thing in shown) == widgets


class Output:
    """What a widget of ipywidgets does with what is printed on it."""

    def __enter__(self):
        return self

    def __exit__(self, *error):
        pass

    def clear_output(self, wait):
        pass


def test_no_progress_bar_without_rich(monkeypatch):
    monkeypatch.setitem(sys.modules, "rich", None)
    with pytest.raises(ImportError, match=r"^CNNClassifier: verbose=2 needs rich, pip install"):
        small(verbose=2).fit(X, Y)


# sklearn.callback


@pytest.fixture
def callback():
    return pytest.importorskip("sklearn.callback", reason="scikit-learn before 1.9")


def test_scores_of_every_epoch(callback):
    monitor = callback.ScoringMonitor(scoring="accuracy")
    clf = small(max_iter=3, **STEADY).set_callbacks(monitor).fit(X, Y)
    scores = [row["accuracy"] for row in monitor.get_logs().data if row["task_name"] == "epoch"]
    expected = [small(max_iter=n, **STEADY).fit(X, Y).score(X, Y) for n in (1, 2, 3)]
    assert scores == expected
    assert clf.score(X, Y) == expected[-1]
    assert not {"_callback_fit_ctx", "_skl_callbacks_to_teardown"} & set(vars(clf))


def test_scores_with_weights_and_of_a_regressor(callback):
    monitor = callback.ScoringMonitor(scoring="r2")
    reg = regressor(max_iter=2).set_callbacks(monitor)
    reg.fit(X, NUMBERS, sample_weight=np.ones(120))
    assert monitor.get_logs().data[-1]["r2"] == pytest.approx(reg.score(X, NUMBERS))


@pytest.mark.parametrize("n_jobs", [None, 2])
def test_nested_bars_of_a_grid_search(callback, n_jobs, capsys):
    pytest.importorskip("rich")
    search = GridSearchCV(flat(max_iter=3), {"alpha": [0, 1]}, cv=2, n_jobs=n_jobs)
    search.set_callbacks(callback.ProgressBar()).fit(FLAT, Y)
    out = capsys.readouterr().out
    assert out.count("CNNClassifier - fit") == 5
    assert "GridSearchCV - fit" in out


def test_one_of_scikit_learns_that_ends_training(callback):
    class Stop:
        tasks = 0

        def setup(self, estimator, context):
            pass

        def on_fit_task_begin(self, estimator, context):
            self.tasks += 1

        def on_fit_task_end(self, estimator, context, *, X, fitted_estimator):
            if context.task_name == "epoch":
                assert fitted_estimator.predict(X).shape == (120,)
                return context.task_id == 1
            return None

        def teardown(self, estimator, context):
            pass

    stop, record = Stop(), Record()
    clf = small(max_iter=9).set_callbacks(stop, record).fit(X, Y)
    assert (clf.n_iter_, stop.tasks, len(record.heard)) == (2, 3, 4)
    assert clone(clf)._skl_callbacks == [stop, record]


def test_without_sklearn_callback(monkeypatch):
    monkeypatch.setitem(sys.modules, "sklearn.callback", None)
    record = Record(stop_at=2)
    clf = small(max_iter=5).set_callbacks(record).fit(X, Y)
    assert (clf.n_iter_, record.heard[0], record.heard[-1]) == (2, "begin", "end")
