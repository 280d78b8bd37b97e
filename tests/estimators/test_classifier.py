"""CNNClassifier as scikit-learn users meet it."""

import io
import pickle
import tracemalloc

import numpy as np
import pytest
from estimator_data import DIGITS, LABELS, SMALL, X, Y, small, trained, weights
from oracles import LAYOUTS, assert_same_bits, laid_out
from seeded import generator
from sklearn.base import clone, is_classifier
from sklearn.exceptions import NotFittedError
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
from cnnkit.data import scaling
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


# Forms and dtypes of X


@pytest.mark.parametrize("shape", [(8, 8, 1), (8, 8), [8, 8, 1]], ids=str)
def test_flat_three_and_four_dimensional_X_train_the_same(shape):
    expected = small().fit(X, Y)
    for form in (X, X[..., 0], X.reshape(120, 64), X.reshape(120, 64).tolist()):
        clf = small(image_shape=shape).fit(form, Y)
        assert_same_bits(weights(clf), weights(expected))
        for other in (X, X[..., 0], X.reshape(120, 64), X[..., 0].tolist()):
            assert_same_bits(clf.predict_proba(other), expected.predict_proba(X))


def test_colours_and_sides_are_told_apart():
    images = generator(0).random((20, 5, 6, 3))
    y = np.arange(20) % 2
    clf = small([Conv(4, (3, 2)), Flatten(), Dense()]).fit(images, y)
    assert clf.input_shape_ == (5, 6, 3)
    flat = small([Conv(4, (3, 2)), Flatten(), Dense()], image_shape=(5, 6, 3))
    assert_same_bits(weights(flat.fit(images.reshape(20, -1), y)), weights(clf))


@pytest.mark.parametrize("dtype", ["int8", "int16", "uint16", "int32", "int64", "bool", "float16"])
def test_other_dtypes_are_float32(dtype):
    images = (X * 16).astype(dtype)
    clf, same = (small().fit(a, Y) for a in (images, images.astype("float32")))
    assert clf.network_.dtype == "float32"
    assert_same_bits(weights(clf), weights(same))
    assert_same_bits(clf.predict_proba(images), same.predict_proba(images.astype("float32")))
    assert clf.predict_proba(images).dtype == "float32"


def test_float64_is_float64_and_near_float32():
    wide, narrow = (small().fit(X.astype(dtype), Y) for dtype in ("float64", "float32"))
    assert (wide.network_.dtype, narrow.network_.dtype) == ("float64", "float32")
    np.testing.assert_allclose(weights(wide), weights(narrow), rtol=0, atol=1e-4)
    np.testing.assert_allclose(wide.loss_curve_, narrow.loss_curve_, rtol=1e-5)


def test_uint8_is_like_any_numbers():
    images = (X * 255).astype("uint8")
    clf, same = (small().fit(a, Y) for a in (images, images.astype("float32")))
    np.testing.assert_allclose(weights(clf), weights(same), rtol=0, atol=1e-5)


def test_uint8_is_scaled_where_nothing_is_standardised():
    images = (X * 255).astype("uint8")
    clf = small(standardize=False).fit(images, Y)
    scaled = (images * np.float32(1 / 255)).astype("float32")
    same = small(standardize=False).fit(scaled, Y)
    np.testing.assert_allclose(trained(clf), trained(same), rtol=0, atol=1e-5)
    np.testing.assert_allclose(clf.predict_proba(images), same.predict_proba(scaled), atol=1e-5)


@pytest.mark.parametrize("dtype", ["uint8", "int16", "float32", "float64"])
@pytest.mark.parametrize("layout", LAYOUTS)
def test_layouts_of_memory(layout, dtype, tmp_path):
    images = (X * 16).astype(dtype)
    given = laid_out(images, layout, tmp_path)
    clf, expected = small().fit(given, Y), small().fit(images, Y)
    assert clf.network_.dtype == expected.network_.dtype
    assert_same_bits(weights(clf), weights(expected))
    assert_same_bits(clf.predict_proba(given), expected.predict_proba(images))


@pytest.mark.parametrize("mapped", [True, False])
def test_uint8_is_never_copied_whole(mapped, tmp_path, monkeypatch):
    monkeypatch.setattr(scaling, "BLOCK", 1 << 14)  # a block is as large for any data
    images = generator(0).integers(0, 255, (3000, 32, 32, 3), "uint8")
    y = np.arange(3000) % 2
    if mapped:
        images = laid_out(images, "memory_mapped", tmp_path)
    clf = small([MaxPool(8), Conv1x1(), GlobalAvgPool()], max_iter=1).fit(images[:50], y[:50])
    tracemalloc.start()
    try:
        clf.fit(images, y)
        trained = tracemalloc.get_traced_memory()[1]
        tracemalloc.reset_peak()
        clf.predict(images)
        predicted = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert trained < images.nbytes / 8
    assert predicted < images.nbytes / 2


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


@pytest.mark.parametrize("method", ["predict", "predict_proba", "predict_log_proba", "score"])
def test_not_fitted(method):
    with pytest.raises(NotFittedError, match=r"^This CNNClassifier instance is not fitted yet"):
        getattr(small(), method)(*((X, Y) if method == "score" else (X,)))
    with pytest.raises(NotFittedError, match=r"^This CNNClassifier instance is not fitted yet"):
        small().summary()


# Bad input


@pytest.mark.parametrize(
    ("layers", "message"),
    [
        ([Conv(4, 0), *HEAD], r"Conv: kernel_size must be a positive int .*, got 0\. \(node 'conv"),
        ([Conv(4, (3, 2.5)), *HEAD], r"Conv: kernel_size must .*, got \(3, 2\.5\)"),
        ([Conv(4, stride=-1), *HEAD], r"Conv: stride must .*, got -1\. \(node 'conv1'\)"),
        ([Conv(4, padding="full"), *HEAD], "Conv: padding must .*, got 'full'"),
        ([Conv(4, padding=-2), *HEAD], "Conv: padding must .*, got -2"),
        ([Conv(4, dilation=0), *HEAD], "Conv: dilation must .*, got 0"),
        ([Conv(4), Conv(4, groups=3), *HEAD], r"Conv: groups must divide .*got 3\. \(node 'conv2'"),
        ([Conv(0), *HEAD], "Conv: filters must be a positive int, got 0"),
        (
            [Conv(4, 9, padding=0), *HEAD],
            r"Conv: kernel_size \(9, 9\) .* must fit the padded image",
        ),
        (
            [Conv(4, 3, padding=0, dilation=4), *HEAD],
            r"Conv: .* dilation \(4, 4\) must fit the pad",
        ),
        ([Conv(4, padding=2**30), *HEAD], r"Conv: padding must .* at most 2\*\*46, got 1073741824"),
        ([Conv1x1(2**30), Conv1x1(2**30), *HEAD], r"Conv1x1: filters must .* at most 2\*\*46, got"),
        (
            [Conv1x1(2**30), Flatten(), Dense(2**20)],
            r"Dense: units must .* at most 2\*\*46, got 10",
        ),
        ([MaxPool(9), *HEAD], r"MaxPool: pool_size \(9, 9\) .* must fit the padded image"),
        ([MaxPool(2, padding=2), *HEAD], "MaxPool: padding must be smaller than pool_size"),
        (
            [Dropout(1.5), *HEAD],
            r"Dropout: rate must be .* below 1, got 1\.5\. \(node 'dropout1'\)",
        ),
        ([Dense()], r"Dense: input must be flat, put Flatten\(\) or .*got shape \(8, 8, 1\)"),
        ([Flatten(), Conv(3)], r"Conv: input must be images \(H, W, C\), got shape \(64,\)"),
        (
            [Conv()],
            r"CNNClassifier: layers must end in 10 numbers, one per class, got .*\(8, 8, 10",
        ),
        ([Flatten(), Dense(9)], r"CNNClassifier: layers must end in 10 numbers, .*got .*\(9,\)"),
        ([], r"Sequential: layers must be a list of at least one layer, got \[\]"),
        (["conv"], "Graph: node 'str1' must be a layer such as .*, got 'conv'"),
        ([Conv, *HEAD], "Graph: node .* must be a layer such as .*, got <class"),
        ([ReLU(), None], "Graph: node .* must be a layer such as .*, got None"),
        ("conv", "The 'layers' parameter of CNNClassifier must be .* Got 'conv' instead"),
        (Conv(3), r"The 'layers' parameter of CNNClassifier must be .* Got Conv\(filters=3\) inst"),
    ],
    ids=str,
)
def test_bad_layers(layers, message):
    with pytest.raises((ValueError, TypeError), match=rf"^(?s:{message})"):
        small(layers).fit(X, Y)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *(("solver", "newton"), ("solver", None), ("alpha", -1), ("alpha", "1"), ("batch_size", 0)),
        *(("batch_size", 2.5), ("learning_rate_init", 0), ("learning_rate_init", -1)),
        *(("max_iter", 0), ("shuffle", "yes"), ("random_state", "seed"), ("tol", -1)),
        *(("n_iter_no_change", 0), ("momentum", 1.1), ("nesterovs_momentum", None)),
        *(("beta_1", 1), ("beta_2", -0.1), ("epsilon", 0), ("algorithm", "fft"), ("verbose", -1)),
        ("image_shape", 8),
    ],
)
def test_bad_parameters(name, value):
    message = rf"^The '{name}' parameter of CNNClassifier must be .* Got {value!r} instead[.:]"
    for method in ("fit", "partial_fit"):
        with pytest.raises(ValueError, match=f"(?s){message}"):
            getattr(small(**{name: value}), method)(X, Y)


@pytest.mark.parametrize(
    ("shape", "message"),
    [
        ((8, 9), r"image_shape \(8, 9, 1\) must multiply to the 64 features of X, got 72"),
        ((8, 8, 3), r"image_shape \(8, 8, 3\) must multiply to the 64 features of X, got 192"),
        ((64,), r"image_shape must be \(H, W\) or \(H, W, C\), got \(64,\)"),
        ((8, 0, 8), "image_shape must be a positive int, got 0"),
        ((8, 8.0), r"image_shape must be a positive int, got 8\.0"),
        ((2**31 - 1, 2**31 - 1), r"image_shape must .* at most 2\*\*46, got"),
    ],
    ids=str,
)
def test_bad_image_shape(shape, message):
    with pytest.raises((ValueError, TypeError), match=f"^CNNClassifier: {message}"):
        small(image_shape=shape).fit(X.reshape(120, 64), Y)


def test_image_shape_of_other_images():
    with pytest.raises(ValueError, match=r"image_shape must be \(8, 8, 1\) as X is, got \(4, 16\)"):
        small(image_shape=(4, 16)).fit(X, Y)


def with_one(value):
    spoiled = X.copy()
    spoiled[3, 2, 1, 0] = value
    return spoiled


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        (with_one(np.nan), "Input X? ?contains NaN"),
        (with_one(np.inf), "Input X? ?contains infinity"),
        (with_one(np.nan).reshape(120, 64), "Input X contains NaN"),
        (X[..., None], r"CNNClassifier: X must be .*, got shape \(120, 8, 8, 1, 1\)"),
        (X.ravel(), "Expected 2D array, got 1D array instead"),
        (X[:0], r"Found array with 0 sample\(s\)"),
        (X + 0j, "Complex data not supported"),
        (X.astype("U"), "dtype='numeric' is not compatible with arrays of bytes/strings"),
        (X.astype("longdouble"), "CNNClassifier: X must hold real numbers, got dtype"),
        (X[:5], r"Found input variables with inconsistent numbers of samples: \[5, 120\]"),
    ],
    ids=lambda value: "" if isinstance(value, np.ndarray) else value,
)
def test_bad_X(rows, message):
    with pytest.raises((ValueError, TypeError), match=f"^{message}"):
        small(image_shape=(8, 8)).fit(rows, Y)


def test_sparse_X():
    from scipy.sparse import csr_array

    with pytest.raises(TypeError, match=r"^Sparse data was passed"):
        small(image_shape=(8, 8)).fit(csr_array(X.reshape(120, 64)), Y)


@pytest.mark.parametrize(
    ("y", "message"),
    [
        (Y + 0.5, "Unknown label type: continuous"),
        (np.where(Y == 3, np.nan, Y), "Input y contains NaN"),
        (
            np.c_[Y, Y],
            r"CNNClassifier: y must hold one class a sample or be a multilabel indicator",
        ),
        (None, "requires y to be passed|.*y cannot be None"),
    ],
)
def test_bad_y(y, message):
    with pytest.raises(ValueError, match=message):
        small().fit(X, y)


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        (X[:, :7], r"CNNClassifier: X must hold images of shape \(8, 8, 1\), as in fit, got shape"),
        (np.repeat(X, 3, 3), r"CNNClassifier: X must hold images of shape \(8, 8, 1\), as in fit"),
        (X.reshape(60, 2, 8, 8, 1), r"CNNClassifier: X must hold images of shape \(8, 8, 1\)"),
        (X.reshape(60, 128), "X has 128 features, but CNNClassifier is expecting 64 features"),
        (with_one(np.nan), "Input X? ?contains NaN"),
        (X[:0], r"Found array with 0 sample\(s\)"),
    ],
    ids=lambda value: "" if isinstance(value, np.ndarray) else value,
)
@pytest.mark.parametrize("method", ["predict", "predict_proba", "predict_log_proba"])
def test_bad_X_at_predict(method, rows, message):
    clf = small(max_iter=1).fit(X, Y)
    with pytest.raises(ValueError, match=f"^{message}"):
        getattr(clf, method)(rows)


def test_divergence():
    clf = small(solver="sgd", learning_rate="constant", learning_rate_init=1e30)
    with pytest.raises(ValueError, match=r"^Training diverged in epoch \d: .* now 1e\+30\.$"):
        clf.fit(X, Y)
