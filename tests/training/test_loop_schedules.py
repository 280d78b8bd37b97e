"""The schedules inside fit: the rate of every step is the one the schedule gives."""

import pickle

import numpy as np
import pytest
from estimator_data import FLAT, SMALL, X, Y, flat, regressor, small, weights
from oracles import assert_same_bits
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV

from cnnkit import lr_find, set_num_threads
from cnnkit.callbacks import Callback
from cnnkit.schedules import (
    Constant,
    Cosine,
    Exponential,
    OneCycle,
    ReduceOnPlateau,
    Step,
    is_planned,
)
from cnnkit.training import optimizers

SCHEDULES = [
    *(Constant(), Step(2, factor=0.5), Step([1, 3]), Exponential(0.8), Cosine(warmup_epochs=1)),
    *(OneCycle(), ReduceOnPlateau(0.5, patience=0, tol=0.9)),
]


@pytest.fixture
def rates(monkeypatch):
    """The learning rates of all steps taken."""
    seen = []
    step = optimizers.Optimizer.step

    def spy(self, grads, samples):
        seen.append(self.learning_rate)
        step(self, grads, samples)

    monkeypatch.setattr(optimizers.Optimizer, "step", spy)
    return seen


def expected(schedule, losses, steps=3, epochs=8):
    """Return the rate of every step of a fit with those losses of its epochs."""
    run = schedule.bind(0.02, steps, epochs)
    found = []
    for epoch, loss in enumerate(losses):
        found += [run.rate(epoch * steps + i) for i in range(steps)]
        run.report(loss)
    return found


@pytest.mark.parametrize("solver", ["adam", "sgd"])
@pytest.mark.parametrize("schedule", SCHEDULES, ids=str)
def test_the_rate_of_every_step(schedule, solver, rates):
    clf = small(
        learning_rate=schedule, learning_rate_init=0.02, batch_size=50, max_iter=8, solver=solver
    ).fit(X, Y)
    assert rates == expected(schedule, clf.loss_curve_)
    assert schedule == clone(schedule)  # a fit leaves it as it is
    if not isinstance(schedule, Constant):
        assert len(set(rates)) > 1


def test_a_constant_schedule_is_no_schedule():
    found = [small(learning_rate=s).fit(X, Y) for s in ("constant", Constant())]
    assert_same_bits(*map(weights, found))


@pytest.mark.parametrize("how", ["given", "split"])
def test_a_plateau_is_one_of_the_validation_loss(how, rates):
    schedule = ReduceOnPlateau(0.5, patience=0, tol=1e-4)
    y = Y == 0
    val = {"X_val": X[:40], "y_val": np.ones(40, bool)} if how == "given" else {}
    clf = small(
        learning_rate=schedule,
        learning_rate_init=0.02,
        batch_size=40,
        max_iter=8,
        early_stopping=how == "split",
    ).fit(X, y, **val)
    assert rates == expected(schedule, clf.validation_loss_curve_)
    if how == "given":  # all of the rare class: its loss rises while that of training falls
        assert rates != expected(schedule, clf.loss_curve_)
        assert rates[-1] < rates[0]


@pytest.mark.parametrize("schedule", [s for s in SCHEDULES if not is_planned(s)], ids=str)
def test_parts_go_on_with_the_schedule(schedule, rates):
    options = {"learning_rate": schedule, "learning_rate_init": 0.02, "batch_size": 40}
    clf = small(max_iter=8, **options)
    for _ in range(8):
        clf.partial_fit(X, Y, classes=range(10))
    assert rates == expected(schedule, clf.loss_curve_)
    assert_same_bits(weights(clf), weights(small(max_iter=8, **options).fit(X, Y)))
    clf.partial_fit(X, Y)  # beyond max_iter: the last rate stays
    assert rates[-1] <= rates[-4]


@pytest.mark.parametrize("schedule", [s for s in SCHEDULES if is_planned(s)], ids=str)
def test_parts_have_no_end_to_plan_for(schedule):
    clf = small(learning_rate=schedule)
    message = r"^CNNClassifier: learning_rate must be .* does not know when training ends, got "
    with pytest.raises(ValueError, match=message + type(schedule).__name__):
        clf.partial_fit(X, Y, classes=range(10))
    assert not hasattr(clf, "network_")


def test_a_callback_hears_the_last_rate_of_an_epoch(rates):
    class Rates(Callback):
        heard = ()

        def on_epoch_end(self, estimator, epoch):
            self.heard = (*self.heard, epoch.learning_rate)

    listener = Rates()
    small(learning_rate=OneCycle(), batch_size=50, max_iter=3).set_callbacks(listener).fit(X, Y)
    assert list(listener.heard) == rates[2::3]


@pytest.mark.parametrize(
    ("schedule", "message"),
    [
        (Cosine(warmup_epochs=2), "Cosine: warmup_epochs must be below the 2 epochs there are"),
        (Step(factor=0), "Step: factor must be a finite number above 0 and at most 1, got 0"),
        (OneCycle(pct_start=1.0), "OneCycle: pct_start must be a finite number above 0 and below"),
    ],
    ids=str,
)
def test_schedules_that_do_not_fit(schedule, message):
    clf = small(learning_rate=schedule)
    with pytest.raises(ValueError, match=message):
        clf.fit(X, Y)
    if not is_planned(schedule):
        with pytest.raises(ValueError, match=message):
            clf.partial_fit(X, Y, classes=range(10))


def test_lbfgs_has_no_rate():
    with pytest.raises(
        ValueError, match=r"learning_rate must be 'constant' with solver='lbfgs', g"
    ):
        small(learning_rate=Cosine(), solver="lbfgs").fit(X, Y)


def test_a_range_of_rates_does_without_the_schedule():
    found = [lr_find(small(learning_rate=s), X, Y, steps=9) for s in ("constant", OneCycle())]
    assert_same_bits(found[0].losses, found[1].losses)


def test_search_clone_and_pickle():
    grid = {"learning_rate": ["constant", Cosine(), OneCycle(pct_start=0.5)]}
    search = GridSearchCV(flat(), grid, cv=2).fit(FLAT, Y)
    assert list(search.cv_results_["param_learning_rate"]) == grid["learning_rate"]
    deep = GridSearchCV(
        flat(learning_rate=Cosine()), {"learning_rate__final_factor": [0.0, 0.5]}, cv=2
    ).fit(FLAT, Y)
    assert isinstance(deep.best_estimator_.learning_rate, Cosine)
    reg = regressor(learning_rate=Exponential(0.5)).fit(X, Y)
    assert clone(reg).learning_rate == Exponential(0.5)
    again = pickle.loads(pickle.dumps(reg))
    assert again.learning_rate == reg.learning_rate
    assert_same_bits(again.predict(X), reg.predict(X))


@pytest.mark.parametrize("schedule", [Cosine(1), ReduceOnPlateau(patience=0)], ids=str)
def test_the_number_of_threads_does_not_change_a_bit(schedule):
    found = []
    try:
        for n in (1, 3):
            set_num_threads(n)
            found.append(weights(small(SMALL, learning_rate=schedule, max_iter=4).fit(X, Y)))
    finally:
        set_num_threads(None)
    assert_same_bits(*found)
    assert np.isfinite(found[0]).all()
