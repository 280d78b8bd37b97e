"""What "auto" stands for, and that what is given stays as it is."""

import inspect
from math import ceil

import pytest
from estimator_data import DIGITS, LABELS, SMALL, X, Y, regressor, small, weights
from oracles import assert_same_bits
from seeded import generator
from sklearn.base import clone

from cnnkit import (
    BatchNorm,
    CNNClassifier,
    CNNImageRegressor,
    CNNRegressor,
    CNNSegmenter,
    Conv,
    Conv1x1,
    Dense,
    Dropout,
    Flatten,
    GlobalAvgPool,
    ReLU,
    Sequential,
    models,
)
from cnnkit.estimators import defaults
from cnnkit.estimators.defaults import rate, settle
from cnnkit.schedules import Constant, Cosine, OneCycle, ReduceOnPlateau, Step

AUTO = ("alpha", "batch_size", "learning_rate", "learning_rate_init", "max_iter")
TABLE = (1, 1, 5)
HEAD = [Flatten(), Dense()]


def resolved(layers=SMALL, shape=(8, 8, 1), count=1000, n_outputs=10, part=False, **options):
    graph = layers if isinstance(layers, Sequential) else Sequential(layers)
    estimator = CNNClassifier(layers, **options)
    return settle(estimator, graph.resolve(shape, n_outputs), count, part=part)


@pytest.mark.parametrize("kind", [CNNClassifier, CNNRegressor])
def test_what_is_left_to_the_rules(kind):
    given = {name: p.default for name, p in inspect.signature(kind).parameters.items()}
    assert [name for name, value in sorted(given.items()) if value == "auto"] == sorted(
        (*AUTO, "algorithm")
    )
    assert (given["solver"], given["standardize"], given["layers"]) == ("adamw", True, None)


def test_digits_are_learnt_without_a_hyper_parameter():
    images = DIGITS.reshape(-1, 8, 8)
    clf = CNNClassifier(random_state=0).fit(images[:200], LABELS[:200])
    assert clf.score(images[1400:], LABELS[1400:]) > 0.8


def test_numbers_are_learnt_without_a_hyper_parameter():
    small_ones = DIGITS.reshape(-1, 4, 2, 4, 2).mean(axis=(2, 4))
    y = small_ones[:, :2].sum(axis=(1, 2)) * 1e4
    reg = CNNRegressor(random_state=0).fit(small_ones[:200], y[:200])
    assert reg.score(small_ones[1400:], y[1400:]) > 0.7


def test_a_table_is_learnt_without_a_hyper_parameter():
    table = generator(1).standard_normal((300, 5)) * [1, 100, 1e-3, 10, 1] + [0, 1e3, 0, 0, -7]
    y = table @ [1, 0.01, 1e3, 0, 0] > 10
    clf = CNNClassifier(random_state=0).fit(table[:200], y[:200])
    assert clf.score(table[200:], y[200:]) > 0.9


# Batches


@pytest.mark.parametrize(
    ("count", "images", "table"),
    [
        *((1, 1, 1), (7, 7, 7), (64, 8, 64), (120, 8, 60), (199, 8, 50), (200, 16, 50)),
        *((599, 16, 60), (600, 32, 60), (1000, 32, 63), (1797, 32, 62), (60000, 32, 64)),
    ],
)
def test_batches(count, images, table):
    assert defaults.batch_size(count) == resolved(count=count).batch_size == images
    assert defaults.batch_size(count, table=True) == table
    assert resolved(HEAD, TABLE, count=count).batch_size == table


@pytest.mark.parametrize("table", [False, True])
def test_batches_of_an_epoch_are_as_good_as_equal(table):
    for count in range(1, 3000):
        size = defaults.batch_size(count, table)
        batches = ceil(count / size)
        assert 1 <= size <= defaults.FEW
        assert batches * size - count < batches  # no batch could be one smaller


# Epochs


@pytest.mark.parametrize("table", [False, True])
def test_epochs(table):
    found = [defaults.epochs(count, table) for count in (1, 64, 65, 250, 1000, 4000, 10**7)]
    per_thousand, power, fewest = defaults.EPOCHS["table" if table else "images"]
    assert found == sorted(found, reverse=True)
    assert found[0] == found[1] == round(per_thousand * (1000 / 64) ** power)
    assert (found[4], found[-1]) == (per_thousand, fewest)
    shape = TABLE if table else (8, 8, 1)
    assert resolved(HEAD, shape, count=250).epochs == found[3]


def test_iterations_of_lbfgs():
    for count in (10, 10**6):
        assert resolved(HEAD, count=count, solver="lbfgs").epochs == 200


# Decay


@pytest.mark.parametrize(
    ("solver", "shape", "count", "alpha"),
    [
        *(("adamw", (8, 8, 1), 10, 0.01), ("adamw", (8, 8, 1), 10**6, 0.01)),
        *(("adamw", TABLE, 10, 1.0), ("adamw", TABLE, 1000, 0.1), ("adamw", TABLE, 10**6, 0.01)),
        *(("adam", TABLE, 1000, 1e-4), ("sgd", (8, 8, 1), 10, 1e-4), ("lbfgs", TABLE, 9, 1e-4)),
    ],
)
def test_decay(solver, shape, count, alpha):
    found = resolved(HEAD, shape, count=count, solver=solver)
    assert found.alpha == pytest.approx(alpha)


# Rates


@pytest.mark.parametrize(
    ("layers", "shape", "rate"),
    [
        ([Flatten(), Dense()], (16, 16, 2), 1 / 512),
        ([Flatten(), Dense()], TABLE, 0.01),  # at most
        ([Flatten(), Dense()], (128, 128, 3), 1e-4),  # at least
        ([Conv(20, (5, 3)), ReLU(), GlobalAvgPool(), Dense()], (8, 8, 10), 1 / 150),
        ([Conv(20, 5), ReLU(), Conv1x1(400), GlobalAvgPool(), Dense()], (8, 8, 6), 1 / 400),
        ([Conv(300, 3), BatchNorm(), ReLU(), GlobalAvgPool(), Dense()], (8, 8, 1), 1 / 300),
        (  # where batch norm follows, 1,152 numbers add up
            [Conv(128, 3), ReLU(), Conv(9, 3), BatchNorm(), GlobalAvgPool(), Dense()],
            (8, 8, 1),
            defaults.NORMALISED_FACTOR / 1152,
        ),
        (  # not so in another order
            [Conv(128, 3), ReLU(), Conv(9, 3), ReLU(), BatchNorm(), GlobalAvgPool(), Dense()],
            (8, 8, 1),
            1 / 1152,
        ),
        ([GlobalAvgPool()], (8, 8, 10), 0.01),
    ],
    ids=str,
)
def test_rates_are_what_every_layer_bears(layers, shape, rate):
    sgd = 5 if any(isinstance(layer, BatchNorm) for layer in layers) else 1
    for solver, factor in (("adam", 1), ("adamw", 1), ("sgd", sgd)):
        found = resolved(layers, shape, solver=solver)
        assert found.learning_rate_init == pytest.approx(rate * factor)
        part = resolved(layers, shape, solver=solver, part=True)
        assert part.learning_rate_init == pytest.approx(rate * factor * 0.3)


def test_rates_see_into_graphs():
    inner = Sequential([Conv(128, 3), BatchNorm(), ReLU()])
    found = [
        resolved([*layers, GlobalAvgPool(), Dense()], (8, 8, 128)).learning_rate_init
        for layers in ([inner, inner], [*inner.layers, *inner.layers])
    ]
    assert found[0] == found[1] == pytest.approx(defaults.NORMALISED_FACTOR / 1152)


# What is given


@pytest.mark.parametrize("part", [False, True])
def test_what_is_given_stays_as_it_is(part):
    given = {
        "batch_size": 7,
        "max_iter": 3,
        "alpha": 0.5,
        "learning_rate_init": 0.125,
        "learning_rate": Step(2),
    }
    found = resolved(part=part, **given)
    assert (found.batch_size, found.epochs, found.alpha) == (7, 3, 0.5)
    assert (found.learning_rate_init, found.schedule) == (0.125, Step(2))
    assert isinstance(resolved(learning_rate="constant", part=part).schedule, Constant)


def test_a_batch_is_no_larger_than_the_data():
    assert resolved(batch_size=500, count=40).batch_size == 40
    assert resolved(batch_size=500, count=40, part=True).batch_size == 500


def test_schedules():
    assert resolved().schedule == OneCycle()
    assert isinstance(resolved(part=True).schedule, Constant)


def test_fit_leaves_hyper_parameters_as_they_are():
    for method, options in (("fit", {}), ("partial_fit", {"classes": range(10)})):
        clf = CNNClassifier(random_state=0, **({"max_iter": 1} if method == "fit" else {}))
        before = clone(clf).get_params()
        getattr(clf, method)(X, Y, **options)
        assert clf.get_params() == before


@pytest.mark.parametrize(("make", "y"), [(small, Y), (regressor, X.sum(axis=(1, 2, 3)))])
def test_a_fit_is_the_same_where_all_is_written_down(make, y):
    estimator = make(max_iter="auto", batch_size="auto").set_params(solver="sgd").fit(X, y)
    found = resolved(
        SMALL, count=120, n_outputs=10 if make is small else 1, solver="sgd", max_iter="auto"
    )
    given = {
        "batch_size": found.batch_size,
        "max_iter": found.epochs * estimator._longer,  # those of numbers are twice as many
        "alpha": found.alpha,
        "learning_rate_init": found.learning_rate_init,
        "learning_rate": OneCycle(),
    }
    assert estimator.n_iter_ == given["max_iter"] == found.epochs * (1 if make is small else 2)
    assert_same_bits(weights(make(solver="sgd", **given).fit(X, y)), weights(estimator))


# Streams


def test_auto_in_partial_fit():
    auto = small(max_iter="auto").partial_fit(X, Y, classes=range(10)).partial_fit(X, Y)
    found = resolved(part=True, count=120)
    assert found.batch_size == 32
    given = {
        "batch_size": 32,
        "learning_rate": "constant",
        "learning_rate_init": found.learning_rate_init,
        "alpha": found.alpha,
    }
    same = small(**given).partial_fit(X, Y, classes=range(10)).partial_fit(X, Y)
    assert_same_bits(weights(auto), weights(same))
    assert auto._training.optimizer.learning_rate == pytest.approx(0.003)


def test_a_stream_of_single_samples_keeps_its_batch_size():
    """It says how many samples there is memory for, in whatever part comes."""
    clf = small().partial_fit(X[:3], Y[:3], classes=range(10))
    assert clf._training.network.batch_size == 32
    assert clf.partial_fit(X, Y).n_iter_ == 2


@pytest.mark.parametrize("schedule", [OneCycle(), Cosine(warmup_epochs=1)], ids=str)
@pytest.mark.parametrize("make", [small, regressor])
def test_a_schedule_with_an_end_is_refused_in_partial_fit(make, schedule):
    estimator = make(learning_rate=schedule)
    message = (
        rf"^{type(estimator).__name__}: learning_rate must be 'auto', 'constant' or a schedule "
        r"without an end for partial_fit, which does not know when training ends, got "
        rf"{type(schedule).__name__}\("
    )
    options = {"classes": range(10)} if make is small else {}
    with pytest.raises(ValueError, match=message):
        estimator.partial_fit(X, Y, **options)
    assert not hasattr(estimator, "network_")
    estimator.set_params(learning_rate=ReduceOnPlateau()).partial_fit(X, Y, **options)


def test_partial_fit_goes_on_at_a_constant_rate_after_fit():
    clf = small().fit(X, Y)
    clf.partial_fit(X, Y).partial_fit(X, Y)
    assert clf._training.optimizer.learning_rate == pytest.approx(0.003)
    assert clf.n_iter_ == 4


# Lines of `verbose`


@pytest.mark.parametrize(
    ("options", "line"),
    [
        ({}, "1 epoch in batches of 8, OneCycle() of 0.01, alpha 0.01"),
        (
            {"learning_rate": "constant", "batch_size": 60, "alpha": 0.5},
            "1 epoch in batches of 60, Constant() of 0.01, alpha 0.5",
        ),
        ({"solver": "sgd"}, "1 epoch in batches of 8, OneCycle() of 0.01, alpha 0.0001"),
        ({"solver": "lbfgs"}, "at most 1 iterations over all samples, alpha 0.0001"),
    ],
    ids=str,
)
def test_verbose_says_what_auto_stands_for(options, line, capsys):
    small(verbose=1, max_iter=1, **options).fit(X, Y)
    assert capsys.readouterr().out.splitlines()[1] == line


# The network


@pytest.mark.parametrize(
    ("shape", "outputs"),
    [
        ((8, 8, 1), [(8, 8, 32), (4, 4, 64), (4, 4, 64)]),
        ((28, 28, 1), [(28, 28, 16)] * 2 + [(14, 14, 32)] * 2 + [(7, 7, 64)] * 2),
        ((1, 1, 13), []),
        (
            (1, 128, 2),
            [(1, 64, 16)] * 2
            + [(1, 32, 32)] * 2
            + [(1, 16, 64)] * 2
            + [(1, 8, 128)] * 2
            + [(1, 4, 128)] * 2,
        ),
        (
            (224, 224, 3),
            [(112, 112, 16)] * 2
            + [(56, 56, 32)] * 2
            + [(28, 28, 64)] * 2
            + [(14, 14, 128)] * 2
            + [(7, 7, 128)] * 2,
        ),
        ((5, 3, 2), [(5, 3, 32)]),
        (
            (64, 16, 1),
            [(64, 16, 16)] * 2
            + [(32, 8, 32)] * 2
            + [(16, 4, 64)] * 2
            + [(8, 4, 128)] * 2
            # a side of 8 is halved once more
            + [(4, 4, 128)] * 2,
        ),
    ],
    ids=str,
)
def test_the_default_network(shape, outputs):
    graph = models.default(3, shape)
    rows = graph.summary(shape).rows
    found = [row.output_shape for row in rows if row.layer == "Conv"]
    assert found == outputs
    assert rows[-1].output_shape == (3,)
    kinds = [row.layer for row in rows]
    if not outputs:
        assert kinds == ["Flatten", "Dense", "ReLU", "Dense"]
        assert rows[1].output_shape == (100,)
        return
    assert kinds.count("BatchNorm") == kinds.count("ReLU") == len(outputs)
    assert kinds[-3:] == ["GlobalAvgPool", "Dropout", "Dense"]
    convolutions = [layer for layer in graph.layers if isinstance(layer, Conv)]
    assert {layer.kernel_size for layer in convolutions} == {
        tuple(1 if side == 1 else 3 for side in shape[:2])
    }
    assert not any(layer.bias for layer in convolutions)  # batch norm has one


def test_options_of_the_default_network():
    rows = models.default(3, (8, 8, 1), dropout=0, width=0.5).summary((8, 8, 1)).rows
    assert "Dropout" not in {row.layer for row in rows}
    assert [row.output_shape for row in rows if row.layer == "Conv"] == [
        *((8, 8, 16), (4, 4, 32), (4, 4, 32))
    ]
    assert models.default(3, (8, 8, 1), dropout=0.5).layers[-2] == Dropout(0.5)


def test_targets_that_are_images_have_higher_rates_with_batch_norms():
    for norm, factor in ((True, 5), (False, 1)):
        graph = models.unet(None, (16, 16), depth=2, norm=norm, width=1 / 2).resolve((16, 16, 1), 2)
        alone = rate(graph, "adamw")
        assert rate(graph, "adamw", factor=5) == pytest.approx(min(factor * alone, 0.01))
    assert CNNSegmenter()._faster == CNNImageRegressor()._faster == 5
    assert CNNClassifier()._faster == 1
