"""Options of fit: schedules, augmentation, clipping, averages, frozen layers, given weights."""

import pickle
import warnings

import numpy as np
import pytest
from estimator_data import (
    FLAT,
    NUMBERS,
    SMALL,
    STEADY,
    Brighten,
    Halving,
    Shuffle,
    X,
    Y,
    flat,
    regressor,
    small,
    trained,
    weights,
)
from oracles import assert_same_bits, laid_out
from seeded import generator
from sklearn.base import clone
from sklearn.frozen import FrozenEstimator

from cnnkit import (
    BatchNorm,
    CNNFeatures,
    Conv,
    Dense,
    Flatten,
    Network,
    ReLU,
    Sequential,
    gap_head,
    set_num_threads,
)
from cnnkit.network.weights import Weights
from cnnkit.training.loop import Average, clip

# Schedules


def test_a_schedule_sets_the_rate_of_every_step():
    schedule = Halving()
    clf = small(learning_rate=schedule, batch_size=50, learning_rate_init=0.25, max_iter=3)
    clf.fit(X, Y)
    assert schedule.bound == (0.25, 3, 3)
    assert schedule.asked == list(range(9))
    assert schedule.heard == clf.loss_curve_
    constant = small(batch_size=50, learning_rate_init=0.25, max_iter=3).fit(X, Y)
    assert (weights(clf) != weights(constant)).any()


def test_a_schedule_hears_the_validation_loss():
    schedule = Halving()
    clf = small(learning_rate=schedule).fit(X, Y, X_val=X[:30], y_val=Y[:30])
    assert schedule.heard == clf.validation_loss_curve_


def test_a_schedule_goes_on_in_partial_fit():
    schedule = Halving()
    clf = small(learning_rate=schedule, batch_size=60)
    for _ in range(2):
        clf.partial_fit(X, Y, classes=range(10))
    assert schedule.asked == [0, 1, 2, 3]


@pytest.mark.parametrize("value", ["adaptive", None, 0.1, Halving])
def test_bad_schedules(value):
    message = "The 'learning_rate' parameter of CNNClassifier must be .*constant.* or a schedule"
    with pytest.raises(ValueError, match=message):
        small(learning_rate=value).fit(X, Y)


# Augmentation


def test_augmentation_changes_training_batches_alone():
    given = X.copy()
    clf = small(augmentation=Brighten(0.5)).fit(given, Y)
    assert (given == X).all()
    assert (weights(clf) != weights(small().fit(X, Y))).any()
    assert_same_bits(weights(clf), weights(small(augmentation=[Brighten(0.5)]).fit(X, Y)))
    none = small(augmentation=Brighten(0)).fit(X, Y)
    assert_same_bits(none.predict_proba(X), small().fit(X, Y).predict_proba(X))


@pytest.mark.parametrize(
    ("make", "y"),
    [(small, Y), (small, np.c_[Y % 2, Y > 4, Y == 3].astype(int)), (regressor, NUMBERS)],
)
def test_augmentation_that_mixes_targets(make, y):
    before = y.copy()
    shuffle = Shuffle()
    estimator = make(augmentation=[Brighten(), shuffle], max_iter=5, random_state=0).fit(X, y)
    assert shuffle.shape == (8, 8, 1)
    assert estimator.loss_ < estimator.loss_curve_[0]
    assert (y == before).all()


def test_an_augmentation_that_does_not_fit():
    with pytest.raises(ValueError, match=r"Brighten: images must have one channel, got \(8, 8, 3"):
        small(augmentation=Brighten()).fit(X.repeat(3, axis=3), Y)
    for bad in ("flip", [Brighten(), "flip"], Brighten):
        with pytest.raises(ValueError, match=r"augmentation.* must be .*an augmentation such as"):
            small(augmentation=bad).fit(X, Y)


def test_test_time_augmentation_is_a_mean():
    clf = small(augmentation=[Brighten(0.5), Shuffle()], test_time_augmentation=3).fit(X, Y)
    plain = clone(clf).set_params(test_time_augmentation=0).fit(X, Y)
    assert_same_bits(weights(clf), weights(plain))
    d, e = clf.decision_function(X), plain.decision_function(X)
    assert 0 < abs(d - e).max() < 3
    assert_same_bits(d, clf.decision_function(X))
    for augmentation in (None, Shuffle()):
        clf.augmentation = augmentation
        for use in (lambda: clf.predict(X), lambda: clone(clf).fit(X, Y)):
            with pytest.raises(ValueError, match="test_time_augmentation must be 0 without an au"):
                use()


# Clipping and averaging


def test_clipping():
    grads = Weights(small().fit(X, Y).network_.weights.specs, "float32")
    grads.flat[:] = 1
    clip(grads, 1000)
    assert (grads.flat == 1).all()
    clip(grads, 0.5)
    assert np.linalg.norm(grads.flat[: grads.trained]) == pytest.approx(0.5)
    assert len(grads.flat) > grads.trained
    assert (grads.flat[grads.trained :] == 1).all()
    sgd = {"solver": "sgd", "alpha": 0}
    loose, tight = (small(clip_norm=c, **sgd).fit(X, Y) for c in (1e6, 1e-8))
    assert_same_bits(weights(loose), weights(small(**sgd).fit(X, Y)))
    start = small(learning_rate_init=1e-30, **sgd).fit(X, Y)
    np.testing.assert_allclose(weights(tight), weights(start), rtol=0, atol=1e-6)


def test_an_average_follows_the_weights():
    current = small().fit(X, Y).network_.weights
    average, part = Average(current, 0.9), current.trained
    expected = current.flat[:part].copy()
    for t in range(1, 200):
        current.flat += 1
        decay = min(0.9, (1 + t) / (10 + t))
        expected += (1 - decay) * (current.flat[:part] - expected)
        average.update(current, t)
    np.testing.assert_allclose(average.weights.flat[:part], expected, rtol=1e-12)
    np.testing.assert_allclose(current.flat[:part] - expected, 9, atol=0.1)
    assert_same_bits(average.weights.flat[part:], current.flat[part:])  # statistics are counted


def test_prediction_uses_the_average():
    layers = [Conv(4), BatchNorm(), ReLU(), gap_head()]
    plain, averaged = (small(layers, ema_decay=d, max_iter=4).fit(X, Y) for d in (None, 0.99))
    assert plain.loss_curve_ == averaged.loss_curve_
    assert (plain.network_.weights["conv1/w"] != averaged.network_.weights["conv1/w"]).any()
    again, parts = (small(layers, ema_decay=0.99, max_iter=4, **STEADY) for _ in range(2))
    again.fit(X, Y)
    for _ in range(4):
        parts.partial_fit(X, Y, classes=range(10))
    assert_same_bits(trained(again), trained(parts))


@pytest.mark.parametrize("ema_decay", [None, 0.99])
def test_running_statistics_are_those_of_the_weights_to_predict_with(ema_decay):
    """What runs lags behind, and is of the weights that are not averaged."""
    options = {"batch_size": 120, "learning_rate_init": 0.1, "ema_decay": ema_decay}
    layers = [Conv(4), BatchNorm(), ReLU(), gap_head()]
    clf = small(layers, **STEADY | options, max_iter=4).fit(X, Y)
    maps = CNNFeatures(FrozenEstimator(clf), node="conv1").fit(X).transform(X).reshape(-1, 4)
    found = clf.network_.weights
    np.testing.assert_allclose(found["batchnorm1/mean"], maps.mean(axis=0), rtol=1e-9)
    np.testing.assert_allclose(found["batchnorm1/var"], maps.var(axis=0), rtol=1e-3)


# Frozen layers

BACKBONE = [("block", Sequential([Conv(4), BatchNorm(), ReLU()])), ("conv", Conv(6)), gap_head()]


@pytest.mark.parametrize("solver", ["adam", "sgd", "lbfgs"])
@pytest.mark.parametrize(
    ("frozen", "still"),
    [
        (["block"], {"block/conv1", "block/batchnorm1"}),
        (("block/batchnorm1", "conv"), {"block/batchnorm1", "conv"}),
    ],
)
def test_frozen_layers_stay_as_they_are(frozen, still, solver):
    start = small(BACKBONE, random_state=0).fit(X, Y)
    clf = clone(start).set_params(
        frozen=frozen, initial_weights=start.network_.weights, solver=solver, max_iter=3
    )
    clf.fit(X, Y)
    for path, array in clf.network_.weights.items():
        part = path.rpartition("/")[0]
        same = (array == start.network_.weights[path]).all()
        assert same == (part in still or part == "input"), path
    assert clf.loss_ < start.loss_curve_[0]


def test_nothing_is_computed_below_the_first_trained_layer():
    layers = Sequential([Conv(4), ReLU(), Conv(4), ReLU(), Flatten(), Dense()])
    rng = generator(0)
    kwargs = {"batch_size": 3, "training": True, "rng": rng}
    for frozen, ops in (((), 3), (("conv1",), 2), (("conv1", "conv2"), 1), (("conv2",), 3)):
        network = Network(layers, (8, 8, 1), 10, frozen=frozen, **kwargs)
        network.weights.initialise(rng)
        backward = [op for op in network._backward if type(op).__name__ == "ConvOp"]
        assert len(backward) == ops
        network.x[...] = rng.standard_normal(network.x.shape)
        network.forward(3)
        network.doutput[...] = 1
        network.backward(3)
        for node in frozen:
            assert (network.grads[f"{node}/w"] == 0).all()
        assert (network.grads["dense1/w"] != 0).any()


def test_a_frozen_batch_norm_works_as_at_inference():
    layers = [Conv(4), ("norm", BatchNorm()), ReLU(), gap_head()]
    start = small(layers, max_iter=5).fit(X, Y).network_.weights
    clf = small(
        layers, frozen=["norm"], initial_weights=start, learning_rate_init=1e-30, alpha=0
    ).fit(X, Y)
    assert clf.loss_ == pytest.approx(-clf.predict_log_proba(X)[np.arange(120), Y].mean())
    trained = small(layers, frozen=["norm"], initial_weights=start, max_iter=10).fit(X, Y)
    assert trained.loss_ < clf.loss_


@pytest.mark.parametrize(
    ("frozen", "message"),
    [
        (["conv2"], r"frozen must be names of layers \['conv1', .*got \['conv2'\]"),
        ([3], r"frozen must be names of layers .*got \[3\]"),
        (["conv1", "conv1x1_1"], "frozen must leave a layer to train, got"),
        ("conv1", "The 'frozen' parameter of CNNClassifier must be"),
    ],
)
def test_bad_frozen(frozen, message):
    with pytest.raises(ValueError, match=message):
        small(frozen=frozen).fit(X, Y)


# Where training starts


def test_weights_that_are_given():
    start = small(max_iter=3).fit(X, Y)
    still = {"learning_rate_init": 1e-30, "alpha": 0, "max_iter": 1}
    for source in (
        start,
        FrozenEstimator(start),
        start.network_.weights,
        {k: v.tolist() for k, v in start.network_.weights.items()},
    ):
        assert_same_bits(weights(small(initial_weights=source, **still).fit(X, Y)), weights(start))
    clf = small(initial_weights={"conv1/b": np.ones(6)}, **still).fit(X, Y)
    assert (clf.network_.weights["conv1/b"] == 1).all()
    assert_same_bits(
        clf.network_.weights["conv1/w"], small(**still).fit(X, Y).network_.weights["conv1/w"]
    )
    kept = clone(small(initial_weights=FrozenEstimator(start), **still)).fit(X, Y)
    assert_same_bits(weights(kept), weights(start))


def test_a_head_for_other_classes_starts_anew():
    start = small().fit(X, Y)
    clf = small(initial_weights=start, learning_rate_init=1e-30, alpha=0).fit(X, Y > 4)
    assert_same_bits(clf.network_.weights["conv1/w"], start.network_.weights["conv1/w"])
    assert clf.network_.weights["conv1x1_1/w"].shape[-1] == 2


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ({"conv9/w": 1}, r"initial_weights must be of \['conv1/w', .*got \['conv9/w'\]"),
        ({"conv1/b": [1, 2]}, r"initial_weights of 'conv1/b' must have shape \(6,\), got \(2,\)"),
        (small(), "initial_weights must be of a fitted estimator, got CNNClassifier.* not fitted"),
        ([1, 2], "The 'initial_weights' parameter of CNNClassifier must be"),
    ],
)
def test_bad_initial_weights(source, message):
    with pytest.raises(ValueError, match=f"(?s){message}"):
        small(initial_weights=source).fit(X, Y)


def test_warm_start_goes_on():
    options = STEADY | {"solver": "sgd", "momentum": 0, "shuffle": False}
    clf = small(warm_start=True, **options)
    clf.fit(X, Y)
    whole = small(max_iter=4, **options).fit(X, Y)
    clf.fit(X, Y)
    assert_same_bits(weights(clf), weights(whole))
    assert (clf.loss_curve_, clf.n_iter_) == (whole.loss_curve_, 4)
    with pytest.raises(ValueError, match=r"y must be of the classes \[0 .*as before, got \[0 1\]"):
        clf.fit(X, Y % 2)
    clf.set_params(layers=[Flatten(), Dense()])
    with pytest.raises(ValueError, match="CNNClassifier: weights must be those of"):
        clf.fit(X, Y)


# Memory-mapped arrays and data frames


@pytest.mark.parametrize("dtype", ["float32", "float64", "uint8", "int16"])
def test_memory_mapped_arrays_are_not_copied(dtype, tmp_path, monkeypatch):
    images = laid_out((X * 16).astype(dtype), "memory_mapped", tmp_path)
    seen = []
    inner = Network.load
    monkeypatch.setattr(
        Network, "load", lambda self, X, *how: seen.append(X) or inner(self, X, *how)
    )
    clf = small(early_stopping=True).fit(images, Y, sample_weight=np.r_[0, np.ones(119)])
    assert seen
    assert all(np.may_share_memory(given, images) for given in seen)
    assert clf.predict(images).shape == (120,)


def test_feature_names():
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame(FLAT, columns=[f"p{i}" for i in range(64)])
    clf = flat().fit(frame, Y)
    assert clf.feature_names_in_[5] == "p5"
    assert_same_bits(weights(clf), weights(flat().fit(FLAT, Y)))
    with pytest.raises(ValueError, match="The feature names should match"):
        clf.predict(frame.rename(columns={"p0": "q0"}))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        clf.fit(X, Y).predict(FLAT)
    assert not hasattr(clf, "feature_names_in_")


@pytest.mark.parametrize(
    "options",
    [
        {"ema_decay": 0.9, "clip_norm": 0.5},
        {"class_weight": "balanced", "label_smoothing": 0.1},
        {"augmentation": [Brighten(), Shuffle()]},
        {"early_stopping": True, "frozen": ["conv1"]},
    ],
    ids=lambda options: " ".join(options),
)
def test_the_number_of_threads_does_not_change_a_bit(options):
    found = []
    try:
        for n in (1, 2, 4):
            set_num_threads(n)
            clf = small([Conv(32), ReLU(), *SMALL], max_iter=3, **options).fit(X, Y)
            found.append((weights(clf), clf.loss_curve_, clf.predict_proba(X)))
    finally:
        set_num_threads(None)
    assert_same_bits(found[0], found[1])
    assert_same_bits(found[0], found[2])


def test_a_frozen_network_survives_pickling():
    clf = small(BACKBONE, frozen=["block"]).fit(X, Y)
    again, names = pickle.loads(pickle.dumps(clf)), ("conv", "batchnorm", "relu")
    assert again.network_.frozen == clf.network_.frozen == tuple(f"block/{n}1" for n in names)
    assert_same_bits(again.predict_proba(X), clf.predict_proba(X))


def test_thawing_goes_on_from_frozen_weights():
    clf = small(BACKBONE, frozen=["block"], warm_start=True).fit(X, Y)
    before = clf.network_.weights["block/conv1/w"].copy()
    clf.set_params(frozen=None).fit(X, Y)
    assert (clf.network_.weights["block/conv1/w"] != before).any()
    assert clf.n_iter_ == 4
