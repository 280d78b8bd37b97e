"""CNNClassifier as scikit-learn users meet it."""

import io
import pickle

import numpy as np
import pytest
from estimator_data import DIGITS, LABELS, SMALL, X, Y, small, weights
from oracles import assert_same_bits
from seeded import generator
from sklearn.base import clone, is_classifier
from sklearn.model_selection import GridSearchCV, cross_val_score, train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from cnnkit import (
    CNNClassifier,
    CNNRegressor,
    Conv,
    Conv1x1,
    Dense,
    Dropout,
    Flatten,
    GlobalAvgPool,
    Graph,
    MaxPool,
    Network,
    ReLU,
    Sequential,
    models,
    set_num_threads,
)
from cnnkit.schedules import Cosine, OneCycle

HEAD = [Flatten(), Dense()]
DROPPING = [Conv(6, 3, stride=2), ReLU(), Dropout(0.3), Flatten(), Dense()]


@pytest.fixture
def threads():
    yield set_num_threads
    set_num_threads(None)


def test_digits_are_learnt(threads):
    threads(1)
    split = train_test_split(DIGITS / 16, LABELS, stratify=LABELS, random_state=0)
    X_train, X_test, y_train, y_test = split
    layers = [Conv(16, 3), ReLU(), Conv(32, 3), ReLU(), MaxPool(2), Conv1x1(None), GlobalAvgPool()]
    options = {"max_iter": 8, "learning_rate_init": 0.005, "random_state": 0}
    clf = small(layers, image_shape=(8, 8, 1), **options)
    assert clf.fit(X_train, y_train).score(X_test, y_test) > 0.93
    assert len(clf.loss_curve_) == clf.n_iter_ == 8
    assert clf.loss_ == clf.loss_curve_[-1] < 0.2 * clf.loss_curve_[0]


@pytest.mark.parametrize("solver", ["sgd", "adam", "adamw"])
def test_every_solver_learns_tables(solver):
    rng = generator(0)
    table = rng.standard_normal((300, 5))
    y = np.where(table @ [1, -2, 0, 1, 0.5] > 0, "yes", "no")
    clf = small(None, solver=solver, learning_rate_init=0.02, max_iter=15, random_state=0)
    assert clf.fit(table, y).score(table, y) > 0.95
    assert clf.input_shape_ == (1, 1, 5)


# What fit leaves


def test_attributes():
    clf = small().fit(X, Y)
    assert clf.classes_.tolist() == list(range(10))
    assert (clf.input_shape_, clf.n_features_in_, clf.n_iter_) == ((8, 8, 1), 64, 2)
    assert isinstance(clf.network_, Network)
    assert is_classifier(clf)
    assert clf.get_params()["layers"] is SMALL
    assert SMALL[3] == Conv1x1(None)


def test_probabilities():
    clf = small().fit(X, Y)
    p = clf.predict_proba(X)
    assert (p.shape, p.dtype) == ((120, 10), np.dtype("float64"))
    np.testing.assert_allclose(p.sum(1), 1, rtol=1e-14)
    np.testing.assert_allclose(clf.predict_log_proba(X), np.log(p), rtol=0, atol=1e-12)
    assert (clf.predict(X) == clf.classes_[p.argmax(1)]).all()
    assert clf.score(X, Y) == (clf.predict(X) == Y).mean()


def test_log_probabilities_stay_finite():
    x = np.array([[1e4, -1e4], [-1e4, 1e4]]).reshape(2, 1, 1, 2)
    clf = small([GlobalAvgPool()], standardize=False).fit(x, [0, 1])
    assert clf.predict_proba(x).tolist() == [[1, 0], [0, 1]]
    assert clf.predict_log_proba(x).tolist() == [[0, -2e4], [-2e4, 0]]


@pytest.mark.parametrize(
    "labels",
    [
        *(["cat", "dog"], ["b", "a", "c"], [True, False], [-1, 1], [10, 3, 7], [2.0, 0.0]),
        *(["one"], [5], np.array(["x", "y"], object)),
    ],
    ids=str,
)
def test_labels_of_any_type(labels):
    y = np.resize(labels, 30)
    clf = small().fit(X[:30], y)
    assert_same_bits(clf.classes_.astype("U"), np.unique(y).astype("U"))
    assert set(clf.predict(X)) <= set(y)
    assert clf.predict(X).dtype == y.dtype
    assert clf.predict_proba(X[:7]).shape == (7, len(labels))


def test_one_class_is_certain():
    clf = small().fit(X[:30], ["only"] * 30)
    assert clf.loss_curve_ == [0, 0]
    assert (clf.predict_proba(X) == 1).all()


@pytest.mark.parametrize("layers", [SMALL, None, DROPPING], ids=["small", "default", "dropping"])
def test_one_sample(layers):
    clf = small(layers).fit(X[:1], Y[:1])
    assert clf.predict(X[:1]).tolist() == [Y[0]]


def test_batches_larger_than_the_data():
    a, b = (small(batch_size=size).fit(X, Y) for size in (120, 1000))
    assert_same_bits(weights(a), weights(b))
    assert a.loss_curve_ == b.loss_curve_


# The same again


@pytest.mark.parametrize("layers", [SMALL, DROPPING], ids=["small", "dropping"])
def test_the_seed_decides_every_bit(layers):
    one, same, other = (small(layers, random_state=seed).fit(X, Y) for seed in (0, 0, 1))
    assert_same_bits(weights(one), weights(same))
    assert one.loss_curve_ == same.loss_curve_ != other.loss_curve_
    assert_same_bits(weights(one.fit(X, Y)), weights(same))


def test_random_states_of_every_kind():
    states = [np.random.RandomState(5), np.random.RandomState(5), 5]
    a, b, c = (small(random_state=state).fit(X, Y) for state in states)
    assert_same_bits(weights(a), weights(b))
    assert_same_bits(weights(a), weights(c))
    assert (weights(small(random_state=None).fit(X, Y)) != weights(a)).any()


@pytest.mark.parametrize("layers", [SMALL, DROPPING], ids=["small", "dropping"])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_the_number_of_threads_does_not_change_a_bit(dtype, layers, threads):
    layers = [Conv(32, 3), ReLU(), Conv(32, 3), ReLU(), *layers]
    results = []
    for n in (1, 2, 3, 4, 8):
        threads(n)
        clf = small(layers, batch_size=40).fit(X.astype(dtype), Y)
        results.append((weights(clf), clf.predict_proba(X), clf.loss_curve_))
    for result in results[1:]:
        assert_same_bits(result, results[0])


def test_a_row_is_predicted_the_same_alone():
    clf = small().fit(X, Y)
    many = np.concatenate([X, X, X])
    p = clf.predict_proba(many)
    assert_same_bits(np.concatenate([clf.predict_proba(x[None]) for x in X[:20]]), p[:20])
    assert_same_bits(p[240:], p[:120])


def test_without_shuffling_the_order_counts():
    options = {"shuffle": False, "solver": "sgd", "batch_size": 30}
    a, b, c = (
        small(**options).fit(X[rows], Y[rows])
        for rows in (np.arange(120), np.r_[29:-1:-1, 30:120], np.arange(120)[::-1])
    )
    np.testing.assert_allclose(weights(a), weights(b), rtol=0, atol=1e-12)
    assert abs(weights(a) - weights(c)).max() > 1e-4


# Stopping and regularisation


def test_training_stops_when_the_loss_no_longer_falls():
    options = {"learning_rate": "constant", "n_iter_no_change": 3}
    clf = small(tol=1e6, max_iter=20, **options).fit(X, Y)
    assert clf.n_iter_ == len(clf.loss_curve_) == 4
    assert small(tol=0, max_iter=6, **options | {"n_iter_no_change": 6}).fit(X, Y).n_iter_ == 6


@pytest.mark.parametrize("schedule", ["auto", Cosine(), OneCycle()], ids=str)
def test_a_schedule_with_an_end_runs_to_it(schedule):
    options = {"learning_rate": schedule, "tol": 1e6, "n_iter_no_change": 3, "max_iter": 9}
    assert small(**options).fit(X, Y).n_iter_ == 9
    assert small(early_stopping=True, **options).fit(X, Y).n_iter_ == 4


@pytest.mark.parametrize("solver", ["sgd", "adam", "adamw"])
def test_alpha_makes_weights_small(solver):
    free, held = (
        small(solver=solver, alpha=alpha, learning_rate_init=0.01).fit(X, Y) for alpha in (0, 30.0)
    )
    n = free.network_.weights.decayed
    assert np.square(weights(held)[:n]).sum() < 0.9 * np.square(weights(free)[:n]).sum()


@pytest.mark.parametrize(
    ("options", "same"),
    [
        ({"momentum": 0.5}, False),
        ({"nesterovs_momentum": False}, False),
        ({"learning_rate_init": 0.02}, False),
        ({"beta_1": 0.5, "beta_2": 0.5, "epsilon": 0.1}, True),
    ],
    ids=str,
)
def test_options_of_sgd(options, same):
    a, b = (small(solver="sgd", **changed).fit(X, Y) for changed in ({}, options))
    assert (weights(a) == weights(b)).all() == same


@pytest.mark.parametrize("options", [{"beta_1": 0.5}, {"beta_2": 0.5}, {"epsilon": 0.1}], ids=str)
def test_options_of_adam(options):
    assert (weights(small().fit(X, Y)) != weights(small(**options).fit(X, Y))).any()


def test_verbose(capsys):
    clf = small(verbose=True).fit(X, Y)
    lines = [f"Epoch {i + 1}, loss = {loss:.6f}" for i, loss in enumerate(clf.loss_curve_)]
    assert capsys.readouterr().out.splitlines()[2:] == lines


# Layers


@pytest.mark.parametrize("shape", [(5,), (3, 9), (4, 5, 3), (1, 13, 1), (1, 40, 2)], ids=str)
@pytest.mark.parametrize("make", [CNNClassifier, CNNRegressor])
def test_default_layers(make, shape):
    """Those of `models.default`; for numbers nothing is dropped."""
    estimator = make(max_iter=1, random_state=0)
    rows = generator(0).random((20, *shape))
    estimator.fit(rows, np.arange(20) % 2)
    options = {"dropout": 0} if make is CNNRegressor else {}
    n_outputs = 1 if make is CNNRegressor else 2
    H, W, *C = (1, 1, *shape) if len(shape) == 1 else shape
    wanted = models.default(n_outputs, (H, W, *(C or [1])), **options)
    assert without_algorithms(estimator.summary()) == wanted.summary(estimator.input_shape_).rows
    assert estimator.layers is None


def without_algorithms(summary):
    return [row._replace(algorithms=()) for row in summary.rows]


def test_default_layers_of_lbfgs():
    """It meets no chance."""
    clf = CNNClassifier(solver="lbfgs", max_iter=1, random_state=0).fit(X, Y)
    wanted = models.default(10, (8, 8, 1), dropout=0).summary((8, 8, 1))
    assert without_algorithms(clf.summary()) == wanted.rows
    assert "Dropout" not in {row.layer for row in clf.summary().rows}


@pytest.mark.parametrize(
    "layers",
    [
        tuple(SMALL),
        Sequential(SMALL),
        [Sequential(SMALL[:3]), *SMALL[3:]],
        [("conv1", SMALL[0]), *SMALL[1:]],
        [*SMALL[:-1], ("last", SMALL[-1])],
        Graph([(str(i), layer, (str(i - 1) if i else "input",)) for i, layer in enumerate(SMALL)]),
    ],
    ids=["tuple", "Sequential", "nested", "named", "last named", "Graph"],
)
def test_layers_written_in_any_way(layers):
    clf = small(layers).fit(X, Y)
    assert_same_bits(weights(clf), weights(small().fit(X, Y)))
    assert_same_bits(weights(clone(clf).fit(X, Y)), weights(clf))


def test_weights_by_path():
    clf = small().fit(X, Y)
    paths = {"conv1/w": (3, 3, 1, 6), "conv1/b": (6,), "conv1x1_1/w": (1, 1, 6, 10)}
    shapes = {path: array.shape for path, array in clf.network_.weights.items()}
    statistics = {"input/mean": (1,), "input/scale": (1,), "input/range": (2,)}
    assert shapes == paths | {"conv1x1_1/b": (10,)} | statistics
    before = clf.predict_log_proba(X)
    clf.network_.weights["conv1x1_1/b"][3] += 5
    raised = clf.predict_log_proba(X)
    gaps = (raised - before) - (raised - before)[:, :1]
    np.testing.assert_allclose(gaps[:, 3], 5, rtol=0, atol=1e-10)
    clf.network_.weights["conv1x1_1/w"] = np.zeros((1, 1, 6, 10))
    clf.network_.weights["conv1x1_1/b"] = np.eye(10)[7]
    assert (clf.predict(X) == 7).all()


def test_summary():
    summary = small(algorithm="im2col").fit(X, Y).summary()
    assert str(summary).splitlines() == [
        "name            layer          output shape  weights  multiply-adds  forward, to x, to w",
        "-" * 91,
        "conv1           Conv 6, 3 x 3  8 x 8 x 6          60          3,456  im2col, -, im2col",
        "relu1           ReLU           8 x 8 x 6           0              0",
        "maxpool1        MaxPool 2 x 2  4 x 4 x 6           0              0",
        "conv1x1_1       Conv1x1 10     4 x 4 x 10         70            960"
        "  im2col, im2col, im2col",
        "globalavgpool1  GlobalAvgPool  10                  0              0",
        "-" * 91,
        "total                                            130          4,416",
    ]
    assert (summary.weights, summary.multiply_adds) == (130, 4416)


# scikit-learn


def test_pickle():
    clf = small().fit(X, Y)
    again = pickle.loads(pickle.dumps(clf))
    assert_same_bits(again.predict_proba(X), clf.predict_proba(X))
    assert str(again.summary()) == str(clf.summary())
    assert again.get_params() == clf.get_params()
    buffer = io.BytesIO()
    pickle.dump(clf, buffer)
    assert len(buffer.getvalue()) < 20_000


def test_clone_is_unfitted_and_equal():
    clf = small(alpha=0.5).fit(X, Y)
    copy = clone(clf)
    assert not hasattr(copy, "network_")
    assert copy.get_params() == clf.get_params()
    assert copy.layers[0] is not clf.layers[0]
    text = " ".join(repr(copy).split())
    assert text.startswith("CNNClassifier(alpha=0.5, layers=[Conv(filters=6), ReLU(), MaxPool(),")


def test_grid_search_over_solver_and_layers():
    flat = X.reshape(120, 64)
    search = GridSearchCV(
        small(image_shape=(8, 8), max_iter=1),
        {"solver": ["adam", "sgd"], "layers": [SMALL, HEAD]},
        cv=2,
        error_score="raise",
    ).fit(flat, Y)
    assert len(search.cv_results_["params"]) == 4
    assert search.best_params_["layers"] in [SMALL, HEAD]
    assert search.predict(flat).shape == (120,)


def test_search_inside_a_graph():
    clf = small(Sequential([("first", Conv(4)), Flatten(), Dense()]))
    assert clf.get_params()["layers__layers"] is clf.layers.layers


def test_pipeline_and_cross_validation():
    options = {"max_iter": 9, "learning_rate_init": 0.01, "random_state": 0}
    pipeline = make_pipeline(StandardScaler(), small(HEAD, image_shape=(8, 8), **options))
    scores = cross_val_score(pipeline, DIGITS[:600], LABELS[:600], cv=3, error_score="raise")
    assert scores.shape == (3,)
    assert scores.min() > 0.6
    pipeline.fit(DIGITS[:100], LABELS[:100])
    assert pipeline.predict_proba(DIGITS[:5]).shape == (5, 10)
