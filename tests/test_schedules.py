"""Learning-rate schedules."""

import copy
import pickle
import re

import numpy as np
import pytest
from sklearn.base import clone

from cnnkit.schedules import (
    Constant,
    Cosine,
    Exponential,
    OneCycle,
    ReduceOnPlateau,
    Schedule,
    Step,
)

SCHEDULES = [
    Constant(),
    Step(2),
    Step([1, 4], factor=0.3),
    Exponential(0.7),
    Cosine(1, warmup_factor=0.3, final_factor=0.05),
    OneCycle(0.5, div_factor=10),
    ReduceOnPlateau(0.5, patience=1, min_factor=0.2),
]
each_schedule = pytest.mark.parametrize("schedule", SCHEDULES, ids=repr)


def rates(schedule, steps_per_epoch, epochs, losses=None):
    run = schedule.bind(0.1, steps_per_epoch, epochs)
    found = []
    for epoch in range(epochs):
        steps = range(epoch * steps_per_epoch, (epoch + 1) * steps_per_epoch)
        found += [run.rate(step) for step in steps]
        run.report(1.0 if losses is None else losses[epoch])
    return found


# Rates of torch.optim.lr_scheduler (2.13) from 0.1, to ten digits

STEP = [0.1, 0.1, 0.03, 0.03, 0.009, 0.009]  # StepLR(2, 0.3)
MULTI_STEP = [0.1, 0.03, 0.03, 0.03, 0.009, 0.009]  # MultiStepLR([1, 4], 0.3)
EXPONENTIAL = [0.1, 0.07, 0.049, 0.0343, 0.02401, 0.016807]  # ExponentialLR(0.7)
COSINE = [  # CosineAnnealingLR(12, eta_min=0.005)
    *(0.1, 0.09838147675, 0.09363620668, 0.08608757211, 0.07625, 0.06479390464),
    *(0.0525, 0.04020609536, 0.02875, 0.01891242789, 0.01136379332, 0.006618523251),
]
WARM = [  # LinearLR(0.2, 1, 4), then CosineAnnealingLR(8)
    *(0.02, 0.04, 0.06, 0.08, 0.1, 0.09619397663),
    *(0.08535533906, 0.06913417162, 0.05, 0.03086582838, 0.01464466094, 0.003806023374),
]
ONE_CYCLE = [  # OneCycleLR(0.1, total_steps=12)
    *(0.004, 0.03497896542, 0.08792851591, 0.09944154355, 0.09330129698, 0.08117456539),
    *(0.06473789977, 0.04626371027, 0.02830609982, 0.01334775302, 0.003456698743, 4e-07),
]
SLOW_CYCLE = [  # OneCycleLR(0.1, total_steps=12, pct_start=0.5, div_factor=10, final_...=100)
    *(0.01, 0.01859423525, 0.04109423525, 0.06890576475, 0.09140576475, 0.1),
    *(0.09330796892, 0.075025, 0.05005, 0.025075, 0.006792031081, 0.0001),
]
LOSSES = [5, 4, 4, 3.99, 3, 3, 3, 3, 3, 3, 2, 2, 2, 2]
PLATEAU = [  # ReduceLROnPlateau(factor=0.5, patience=1, threshold=0.01, cooldown=1, min_lr=0.02)
    *(0.1, 0.1, 0.1, 0.1, 0.05, 0.05, 0.05),
    *(0.025, 0.025, 0.025, 0.02, 0.02, 0.02, 0.02),
]


@pytest.mark.parametrize(
    ("schedule", "steps_per_epoch", "expected"),
    [
        (Constant(), 2, [0.1] * 6),
        (Step(2, factor=0.3), 1, STEP),
        (Step([1, 4], factor=0.3), 1, MULTI_STEP),
        (Exponential(0.7), 1, EXPONENTIAL),
        (Cosine(final_factor=0.05), 4, COSINE),
        (Cosine(1, warmup_factor=0.2), 4, WARM),
        (OneCycle(), 4, ONE_CYCLE),
        (OneCycle(0.5, div_factor=10, final_div_factor=100), 3, SLOW_CYCLE),
    ],
    ids=repr,
)
def test_rates_are_those_of_pytorch(schedule, steps_per_epoch, expected):
    found = rates(schedule, steps_per_epoch, len(expected) // steps_per_epoch)
    np.testing.assert_allclose(found, expected, rtol=1e-9)


def test_plateaus_are_those_of_pytorch():
    schedule = ReduceOnPlateau(0.5, patience=1, tol=0.01, cooldown=1, min_factor=0.2)
    np.testing.assert_allclose(rates(schedule, 1, 14, LOSSES), PLATEAU, rtol=1e-9)


@each_schedule
def test_rates_are_positive_at_most_the_first_and_stay(schedule):
    for steps_per_epoch, epochs in ((1, 2), (1, 5), (3, 5), (100, 7)):
        found = rates(schedule, steps_per_epoch, epochs)
        assert min(found) > 0
        assert max(found) <= 0.1 * (1 + 1e-12)
    run = schedule.bind(0.1, 3, 5)
    assert 0 <= run.rate(10_000) <= run.rate(14) * (1 + 1e-12)


@each_schedule
def test_one_step_is_enough(schedule):
    if schedule != SCHEDULES[4]:  # its warm-up needs an epoch to end in
        assert 0 < schedule.bind(0.1, 1, 1).rate(0) <= 0.1


@each_schedule
def test_runs_do_not_share_state(schedule):
    first, second = (schedule.bind(0.1, 1, 9) for _ in range(2))
    for _ in range(8):
        first.report(1.0)
    assert [second.rate(step) for step in range(9)] == [
        schedule.bind(0.1, 1, 9).rate(step) for step in range(9)
    ]


@each_schedule
def test_a_run_goes_on_from_a_pickle(schedule):
    run = schedule.bind(0.1, 2, 9)
    for _ in range(2):
        run.report(1.0)
    other = pickle.loads(pickle.dumps(run))
    for _ in range(3):
        run.report(1.0)
        other.report(1.0)
        assert [run.rate(step) for step in range(18)] == [other.rate(step) for step in range(18)]


@each_schedule
def test_schedules_are_parameter_objects(schedule):
    for other in (clone(schedule), copy.deepcopy(schedule), pickle.loads(pickle.dumps(schedule))):
        assert other == schedule
        assert other is not schedule
        assert repr(other) == repr(schedule)
    assert schedule != Schedule()
    before = clone(schedule)
    schedule.bind(0.1, 2, 9).report(1.0)
    assert schedule == before


def test_a_run_keeps_its_hyper_parameters():
    schedule = Exponential(0.5)
    run = schedule.bind(0.1, 1, 3)
    schedule.factor = 2.0
    assert run.rate(1) == 0.05


def test_different_hyper_parameters_differ():
    assert Exponential(0.5) != Exponential(0.6)
    assert Step(2) != Exponential(0.1)


@pytest.mark.parametrize(
    ("schedule", "message"),
    [
        (Step(0), "Step: every must be a positive int, got 0."),
        (Step("2"), "Step: every must be a positive int, got '2'."),
        (Step([]), "Step: every must be epochs in rising order, got []."),
        (Step([3, 2]), "Step: every must be epochs in rising order, got [3, 2]."),
        (Step([0, 2]), "Step: every must be a positive int, got 0."),
        (Step(factor=0), "Step: factor must be a finite number above 0 and at most 1, got 0."),
        (
            Exponential(1.5),
            "Exponential: factor must be a finite number above 0 and at most 1, got 1.5.",
        ),
        (Exponential(None), "Exponential: factor must be a finite number above 0 and at most 1,"),
        (Cosine(-1), "Cosine: warmup_epochs must be an int of at least 0, got -1."),
        (Cosine(7), "Cosine: warmup_epochs must be below the 7 epochs there are, got 7."),
        (
            Cosine(warmup_factor=0),
            "Cosine: warmup_factor must be a finite number above 0 and at most 1, got 0.",
        ),
        (
            Cosine(final_factor=float("nan")),
            "Cosine: final_factor must be a finite number at least 0 and at most 1, got nan.",
        ),
        (OneCycle(1), "OneCycle: pct_start must be a finite number above 0 and below 1, got 1."),
        (
            OneCycle(div_factor=0.5),
            "OneCycle: div_factor must be a finite number at least 1, got 0.5.",
        ),
        (
            OneCycle(final_div_factor=True),
            "OneCycle: final_div_factor must be a finite number at least 1, got True.",
        ),
        (
            ReduceOnPlateau(1),
            "ReduceOnPlateau: factor must be a finite number above 0 and below 1, got 1.",
        ),
        (
            ReduceOnPlateau(patience=1.5),
            "ReduceOnPlateau: patience must be an int of at least 0, got 1.5.",
        ),
        (ReduceOnPlateau(cooldown=-1), "ReduceOnPlateau: cooldown must be an int of at least 0,"),
        (
            ReduceOnPlateau(tol=1),
            "ReduceOnPlateau: tol must be a finite number at least 0 and below 1, got 1.",
        ),
        (
            ReduceOnPlateau(min_factor=2),
            "ReduceOnPlateau: min_factor must be a finite number at least 0 and at most 1, got 2.",
        ),
    ],
    ids=repr,
)
def test_bad_hyper_parameters(schedule, message):
    with pytest.raises((ValueError, TypeError), match=re.escape(message)):
        schedule.bind(0.1, 3, 7)


def test_a_schedule_is_checked_before_it_is_copied():
    endless = []
    endless.append(endless)
    with pytest.raises(TypeError, match=r"^Exponential: factor must be a finite number"):
        Exponential(endless).bind(0.1, 3, 7)


@pytest.mark.parametrize(
    ("args", "message"),
    [
        ((0, 3, 7), "Constant: learning_rate_init must be a finite number above 0, got 0."),
        ((10**400, 3, 7), "Constant: learning_rate_init must be a finite number above 0, got 1000"),
        ((float("inf"), 3, 7), "Constant: learning_rate_init must be a finite number above 0,"),
        ((0.1, 0, 7), "Constant: steps_per_epoch must be a positive int, got 0."),
        ((0.1, 3, 1.0), "Constant: epochs must be a positive int, got 1.0."),
    ],
)
def test_bad_fits(args, message):
    with pytest.raises((ValueError, TypeError), match=re.escape(message)):
        Constant().bind(*args)
