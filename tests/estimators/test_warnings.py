"""Warnings of what would go wrong in silence: when they come, what they say, and what ends them."""

import re
import warnings

import numpy as np
import pytest
from estimator_data import DIGITS, FLAT, LABELS, NUMBERS, SMALL, X, Y, regressor, small
from seeded import generator
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler, StandardScaler

from cnnkit import (
    BatchNorm,
    CNNClassifier,
    CNNRegressor,
    Conv,
    Dense,
    Dropout,
    Flatten,
    GlobalAvgPool,
    GlobalMaxPool,
    LeakyReLU,
    MaxPool,
    ReLU,
    Sequential,
    Sigmoid,
    Softmax,
    Tanh,
    lr_find,
)
from cnnkit.estimators.warnings import gives_any_number, last_layer

HEAD = [Flatten(), Dense()]
RNG = generator(0)
ROWS = RNG.random((40, 192))
SIGNALS = RNG.random((40, 64, 3))
CHANNELS_FIRST = RNG.random((40, 3, 9, 12))
CONSTANT = np.full((40, 8, 8, 2), 0.5)
BLANK = RNG.random((40, 8, 8, 1))
BLANK[::5] = 0.25
DARK = RNG.integers(0, 17, (40, 8, 8, 1), "uint8")
IMAGES = RNG.random((40, 8, 8, 1))
TWO = np.arange(40) % 2
ONE_HOT = np.eye(4, dtype=int)[np.arange(40) % 4]
FEW, NORMED = RNG.random((40, 8)), [Flatten(), Dense(5), BatchNorm(), Dense()]

# Hyper-parameters and X, the text of the warning, and what ends it: each in the place of the first
SAID = {
    "rows": (
        {"X": RNG.random((40, 64))},
        "X of shape (40, 64) is taken for a table, 64 channels of one pixel. If the rows are "
        "images, say image_shape=(8, 8, 1); if signals, image_shape=(1, 64, 1); if a table, "
        "image_shape=(1, 1, 64).",
        [{"image_shape": shape} for shape in ((8, 8, 1), (1, 64), (1, 1, 64))],
    ),
    "rows in colour": (
        {"X": ROWS},
        "X of shape (40, 192) is taken for a table, 192 channels of one pixel. If the rows are "
        "images, say image_shape=(8, 8, 3); if signals, image_shape=(1, 192, 1); if a table, "
        "image_shape=(1, 1, 192).",
        [{"image_shape": (8, 8, 3)}, {"image_shape": (1, 1, 192)}],
    ),
    "signals": (
        {"X": SIGNALS},
        "X of shape (40, 64, 3) is taken for grey images of 64x3 pixels. If these are signals with "
        "3 numbers at a time, say image_shape=(1, 64, 3); if they are images, say "
        "image_shape=(64, 3, 1).",
        [{"X": SIGNALS[:, None]}, {"image_shape": (1, 64, 3)}, {"image_shape": (64, 3, 1)}],
    ),
    "channels first": (
        {"X": CHANNELS_FIRST},
        "X of shape (40, 3, 9, 12) is taken for images of 3x9 pixels and 12 channels, which come "
        "last. If channels come first, give np.moveaxis(X, 1, -1); if not, say "
        "image_shape=(3, 9, 12).",
        [{"X": np.moveaxis(CHANNELS_FIRST, 1, -1)}, {"image_shape": (3, 9, 12)}],
    ),
    "constant": (
        {"X": CONSTANT},
        "X is constant in every channel, from 0.5 to 0.5: there is nothing to tell samples apart "
        "by.",
        [{"X": RNG.random((40, 8, 8, 2))}],
    ),
    "blank": (
        {"X": BLANK},
        "20% of the images in X are blank, all their numbers the same: were they read as they "
        "should be?",
        [{"X": np.r_[BLANK[1:5].repeat(9, axis=0), BLANK[:4]]}],
    ),
    "dark": (
        {"X": DARK, "standardize": False},
        "X is uint8 with numbers up to 16, which standardize=False divides by 255: give X / 16, or "
        "leave standardize=True.",
        [{"X": DARK / 16}, {"standardize": True}],
    ),
    "small batches": (
        {"X": FEW, "layers": NORMED, "batch_size": 4},
        "'batchnorm1' takes mean and deviation of 4 numbers a channel, in batches of 4 samples: "
        "give more samples, a larger batch_size, or layers without BatchNorm.",
        [{"batch_size": 8}, {"layers": HEAD}],
    ),
}
CASES = pytest.mark.parametrize("case", SAID)
METHODS = pytest.mark.parametrize("method", ["fit", "partial_fit"])


def prepared(make, method, X, layers=HEAD, **options):
    """Return what trains an estimator on X."""
    estimator = make(layers, **options)
    given = {"classes": [0, 1]} if method == "partial_fit" and make is small else {}
    return lambda: getattr(estimator, method)(X, TWO, **given)


@CASES
@METHODS
@pytest.mark.parametrize("make", [small, regressor])
def test_a_warning_and_what_ends_it(make, method, case):
    options, text, remedies = SAID[case]
    with pytest.warns(UserWarning, match=r"^CNN\w+: ") as told:
        prepared(make, method, **options)()
    assert [str(record.message) for record in told] == [f"{type(make()).__name__}: {text}"]
    for remedy in remedies:
        prepared(make, method, **options | remedy)()  # where warnings are errors


@CASES
def test_a_warning_is_of_the_line_that_calls(case):
    options = {"layers": HEAD} | SAID[case][0]
    images = options.pop("X")
    for call in (
        lambda: CNNClassifier(**options, max_iter=1).fit(images, TWO),
        lambda: CNNClassifier(**options).partial_fit(images, TWO, [0, 1]),
        lambda: CNNRegressor(**options, max_iter=1).fit(images, TWO),
        lambda: CNNRegressor(**options).partial_fit(images, TWO),
    ):
        with pytest.warns(UserWarning, match=r"^CNN\w+: .*X|batchnorm1") as told:
            call()
        assert [record.filename for record in told] == [__file__]


@CASES
def test_a_warning_that_is_an_error_leaves_what_there_was(case):
    options = {"layers": HEAD} | SAID[case][0]
    images = options.pop("X")
    clf = CNNClassifier(**options)
    for _ in range(2):
        with pytest.raises(UserWarning):
            clf.fit(images, TWO)
    assert not hasattr(clf, "network_")


# Layouts


@pytest.mark.parametrize(
    "shape",
    [
        *((50,), (60,), (49,), (36,), (63,), (128,)),  # rows of no square images, or of tiny ones
        *((8, 8), (28, 28), (32, 16), (16, 64), (20, 17)),  # images
        *((8, 8, 3), (3, 3, 3), (4, 4, 4), (5, 9, 12), (1, 64, 3), (1, 64, 1), (9, 9, 1)),
        *((3, 64, 3), (1, 1, 64), (2, 2, 8)),
    ],
    ids=str,
)
def test_layouts_without_doubt(shape):
    prepared(small, "fit", generator(1).random((40, *shape)))()


@pytest.mark.parametrize(
    ("shape", "said"),
    [
        ((784,), r"image_shape=\(28, 28, 1\); if signals, image_shape=\(1, 784, 1\)"),
        ((3072,), r"image_shape=\(32, 32, 3\)"),
        ((64, 1), "grey images of 64x1 pixels.* signals with 1 numbers"),
        ((64, 16), "signals with 16 numbers at a time"),
        ((1, 28, 28), "images of 1x28 pixels and 28 channels, which come last"),
        ((4, 5, 6), "images of 4x5 pixels and 6 channels"),
    ],
    ids=str,
)
def test_layouts_in_doubt(shape, said):
    images = generator(1).random((10, *shape))
    with pytest.warns(UserWarning, match=said):
        small(HEAD, max_iter=1).fit(images, TWO[:10])


def test_a_layout_is_asked_about_once():
    """What goes on from a fit has said what its images are; prediction has nothing to choose."""
    rows = FLAT
    with pytest.warns(UserWarning, match="is taken for a table"):
        clf = small(HEAD, warm_start=True).fit(rows, Y)
    clf.predict(rows)
    clf.fit(rows, Y)
    clf.partial_fit(rows, Y)


# y


def test_one_hot_classes():
    said = (
        "CNNClassifier: y has one label in every row, and is taken for a multilabel indicator: one "
        "yes or no for each label. If every sample has one class, give y.argmax(axis=1)."
    )
    for call in (
        lambda y: small(HEAD).fit(IMAGES, y),
        lambda y: small(HEAD).partial_fit(IMAGES, y),
    ):
        with pytest.warns(UserWarning, match=f"^{re.escape(said)}$") as told:
            call(ONE_HOT)
        assert [record.filename for record in told] == [__file__]
    small(HEAD).fit(IMAGES, ONE_HOT.argmax(axis=1))
    assert small(HEAD).fit(IMAGES, ONE_HOT.argmax(axis=1)).n_outputs_ == 4


def test_indicators_without_doubt():
    several, none = ONE_HOT.copy(), ONE_HOT.copy()
    several[3, :2] = 1
    none[5] = 0
    for y in (several, none):
        assert small(HEAD).fit(IMAGES, y).multilabel_
    few = small(HEAD).partial_fit(IMAGES[:4], ONE_HOT[:4])  # too few to say so
    assert few.multilabel_
    regressor(HEAD).fit(IMAGES, ONE_HOT)  # numbers


def test_an_indicator_is_asked_about_once():
    """Of few samples every one may have one label."""
    y = np.c_[Y % 2, Y > 4]
    one = np.flatnonzero(y.sum(axis=1) == 1)[:9]
    clf = small(HEAD).fit(X, y, X_val=X[one], y_val=y[one])
    clf.partial_fit(X[one], y[one])


# What there is to see


def test_dark_images_are_no_trap_where_they_are_standardised():
    prepared(small, "fit", DARK)()
    prepared(small, "fit", DARK * 15, standardize=False)()
    prepared(small, "fit", DARK.astype("float32"), standardize=False)()


def test_a_table_has_no_blank_images():
    prepared(small, "fit", np.repeat(generator(1).random((40, 1)), 7, axis=1))()


def test_one_constant_channel_is_no_trap():
    images = generator(1).random((40, 8, 8, 2))
    images[..., 1] = 3
    prepared(small, "fit", images)()


def test_samples_without_weight_are_not_looked_at():
    weights = np.ones(40)
    weights[::5] = 0
    small(HEAD).fit(BLANK, TWO, sample_weight=weights)


# Batch norm


def test_batches_of_enough_pixels():
    layers = [Conv(4, 3), BatchNorm(), ReLU(), Flatten(), Dense()]
    small(layers, batch_size=1).fit(IMAGES, TWO)
    small(layers).fit(IMAGES[:2], TWO[:2])
    small(layers, solver="lbfgs").fit(IMAGES, TWO)


def test_a_frozen_batch_norm_takes_nothing():
    start = small(NORMED, batch_size=8).fit(FEW, TWO)
    options = {"batch_size": 4, "initial_weights": start, "frozen": ["batchnorm1"]}
    small(NORMED, **options).fit(FEW, TWO)


# Progress


def test_training_that_does_nothing():
    for make in (small, regressor):
        estimator = make(HEAD, learning_rate_init=1e-12, alpha=0, max_iter=6)
        with pytest.warns(ConvergenceWarning) as told:
            estimator.fit(IMAGES, TWO)
        first, last = (f"{estimator.loss_curve_[i]:.4g}" for i in (0, -1))
        assert [str(record.message) for record in told] == [
            f"{type(estimator).__name__}: not learning: the loss was {first} in the first of 6 "
            f"epochs and {last} in the last. Try another learning_rate_init (lr_find(estimator, X, "
            f"y).suggestion), standardize=True, layers with BatchNorm, and look at X and y."
        ]
        assert [record.filename for record in told] == [__file__]
        found = lr_find(estimator, IMAGES, TWO).suggestion
        estimator.set_params(learning_rate_init=found).fit(IMAGES, TWO)
        estimator.set_params(learning_rate_init=1e-12, max_iter=4).fit(IMAGES, TWO)  # too few


def test_units_that_are_dead():
    """No ReLU opens: nothing but the bias of the last layer is trained, and it is right at once."""
    start = {"dense1/b": np.full(5, -1e6)}
    options = {"initial_weights": start, "batch_size": 40, "max_iter": 10}
    clf = small([Flatten(), Dense(5), ReLU(), Dense()], **options)
    with pytest.warns(
        ConvergenceWarning, match=r"^CNNClassifier: not learning: the loss was 0\.69"
    ):
        clf.fit(IMAGES, TWO)


def test_a_loss_that_is_small_from_the_start_is_none():
    """Nothing is left to learn of one class, or where training goes on."""
    small(HEAD, max_iter=10).fit(IMAGES, np.zeros(40))
    clf = small(HEAD, max_iter=60, learning_rate_init=0.1, warm_start=True).fit(IMAGES, TWO)
    clf.set_params(max_iter=8).fit(IMAGES, TWO)


# Endings of a classifier


@pytest.mark.parametrize(
    "layers",
    [
        [Flatten(), Dense(), Softmax()],
        [Flatten(), Dense(), Sigmoid()],
        [Flatten(), Dense(), Softmax(), Dropout(0.5)],
        [Conv(2), Softmax(), GlobalAvgPool()],
        [Sequential([Flatten(), Sequential([Dense(2), Softmax()])])],
    ],
    ids=str,
)
@METHODS
def test_a_classifier_ends_in_logits(layers, method):
    said = "^CNNClassifier: layers must end in logits, any numbers, got (Softmax|Sigmoid).. at the"
    with pytest.raises(ValueError, match=said):
        prepared(small, method, IMAGES, layers)()
    prepared(small, method, IMAGES, [Flatten(), Dense(4), Sigmoid(), Dense()])()


@pytest.mark.parametrize(
    ("ending", "any_number"),
    [
        ([], True),
        ([ReLU()], False),
        ([Tanh()], False),
        ([Sigmoid()], False),
        ([Softmax()], False),
        ([LeakyReLU()], True),
        ([BatchNorm()], True),
        ([ReLU(), BatchNorm()], True),
        ([ReLU(), Dropout()], False),
    ],
    ids=str,
)
def test_which_numbers_a_graph_can_give(ending, any_number):
    assert gives_any_number(Sequential([Flatten(), Dense(), *ending]).leaves()) == any_number


@pytest.mark.parametrize("pool", [GlobalAvgPool(), GlobalMaxPool(), MaxPool(2)], ids=str)
def test_what_pools_keeps_the_bounds(pool):
    assert last_layer(Sequential([Conv(2), ReLU(), pool, Flatten()]).leaves()) == ReLU()
    assert last_layer(Sequential([Conv(2), pool, Flatten()]).leaves()) == Conv(2)


# Ordinary data


def test_nothing_is_said_of_ordinary_data():
    digits = DIGITS[:200].reshape(-1, 8, 8)
    labels = LABELS[:200]
    table = generator(1).standard_normal((200, 5)) * [1, 10, 1e3, 1, 1e-3]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for images in (digits, digits / 16, digits.astype("uint8"), digits[..., None] * [1, 2, 3]):
            for make in (small, regressor):
                estimator = make(max_iter=1).fit(images[:150], labels[:150])
                estimator.predict(images[150:])
                estimator.predict(images[:1])
        for rows in (table, table > 0, np.round(table).astype(int)):
            small(None, max_iter=1).fit(rows[:150], labels[:150]).predict(rows[150:])
        regressor(SMALL).fit(X, NUMBERS)
        small(SMALL, max_iter=6).fit(X, Y).score(X, Y)
        small(solver="lbfgs").fit(X, Y)
        stream = small()
        for i in range(0, 120, 10):
            stream.partial_fit(X[i : i + 10], Y[i : i + 10], classes=range(10))


@pytest.mark.parametrize("scaler", [StandardScaler(), MinMaxScaler()], ids=str)
def test_nothing_is_said_in_a_pipeline(scaler):
    pipeline = make_pipeline(scaler, small(HEAD, image_shape=(8, 8), max_iter=1))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = cross_val_score(pipeline, DIGITS[:600], LABELS[:600], cv=3, error_score="raise")
    assert found.shape == (3,)
