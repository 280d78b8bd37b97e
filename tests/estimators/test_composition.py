"""Inside scikit-learn's own estimators and tools, and over pickle, joblib and cloudpickle."""

import copy
import io
import pickle

import joblib
import numpy as np
import pytest
from estimator_data import FLAT, NUMBERS, SMALL, X, Y, flat, regressor, small, weights
from oracles import assert_same_bits
from sklearn import config_context
from sklearn.calibration import CalibratedClassifierCV
from sklearn.compose import TransformedTargetRegressor
from sklearn.ensemble import (
    AdaBoostClassifier,
    AdaBoostRegressor,
    BaggingClassifier,
    BaggingRegressor,
    StackingClassifier,
    VotingClassifier,
    VotingRegressor,
)
from sklearn.experimental import enable_halving_search_cv  # noqa: F401
from sklearn.inspection import permutation_importance
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import (
    GridSearchCV,
    HalvingGridSearchCV,
    RandomizedSearchCV,
    cross_val_predict,
    cross_validate,
    learning_curve,
)
from sklearn.multiclass import OneVsRestClassifier
from sklearn.multioutput import MultiOutputClassifier, MultiOutputRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler
from sklearn.semi_supervised import SelfTrainingClassifier

from cnnkit import CNNClassifier, CNNFeatures, Dense, Flatten, ReLU, num_threads

try:
    import cloudpickle
except ImportError:  # joblib had its own before 1.6
    from joblib.externals import cloudpickle

QUICK = {
    "layers": [Flatten(), Dense(32), ReLU(), Dense()],
    "max_iter": 12,
    "learning_rate_init": 0.02,
}
IMAGES = {"flat": (flat(**QUICK), FLAT), "images": (small(**QUICK), X)}
both_routes = pytest.mark.parametrize("route", IMAGES)

SAME_ON_BOTH = {
    "Pipeline": make_pipeline,
    "GridSearchCV": lambda e: GridSearchCV(e, {"alpha": [0, 1]}, cv=2, error_score="raise"),
    "RandomizedSearchCV": lambda e: RandomizedSearchCV(
        e, {"alpha": [0, 1, 2]}, n_iter=2, cv=2, random_state=0, error_score="raise"
    ),
    "HalvingGridSearchCV": lambda e: HalvingGridSearchCV(
        e, {"alpha": [0, 1]}, cv=2, random_state=0, error_score="raise", min_resources=60
    ),
    "Voting": lambda e: VotingClassifier([("a", e), ("b", e)], voting="soft"),
    "Stacking": lambda e: StackingClassifier([("a", e)], LogisticRegression(max_iter=500), cv=2),
    "AdaBoost": lambda e: AdaBoostClassifier(e, n_estimators=2, random_state=0),
    "OneVsRest": lambda e: OneVsRestClassifier(e),
    "Calibrated": lambda e: CalibratedClassifierCV(e, cv=2),
}


@pytest.mark.parametrize("name", SAME_ON_BOTH)
def test_flat_and_four_dimensional_agree_inside(name):
    found = [
        SAME_ON_BOTH[name](estimator).fit(rows, Y).predict(rows)
        for estimator, rows in IMAGES.values()
    ]
    assert found[0].shape == (120,)
    assert_same_bits(found[0], found[1])


@pytest.mark.parametrize(
    "wrap",
    [
        lambda e: BaggingClassifier(e, n_estimators=2, max_samples=0.7, random_state=0),
        lambda e: SelfTrainingClassifier(e, max_iter=2),
        lambda e: make_pipeline(MinMaxScaler(), e),
        lambda e: make_pipeline(CNNFeatures(e, node="relu1"), LogisticRegression()),
    ],
    ids=["Bagging", "SelfTraining", "scaler", "features"],
)
def test_on_flat_rows(wrap):
    y = Y.copy()
    if isinstance(wrap(flat()), SelfTrainingClassifier):
        y[::7] = -1
    model = wrap(flat(**QUICK, random_state=0)).fit(FLAT, y)
    assert model.score(FLAT, Y) > 0.5


def test_several_classes_at_once():
    y = np.c_[Y % 2, Y % 3]
    found = [
        MultiOutputClassifier(estimator).fit(rows, y).predict(rows)
        for estimator, rows in IMAGES.values()
    ]
    assert found[0].shape == (120, 2)
    assert_same_bits(found[0], found[1])


def test_regression():
    for wrap in (
        lambda e: TransformedTargetRegressor(e, func=np.log1p, inverse_func=np.expm1),
        lambda e: AdaBoostRegressor(e, n_estimators=2, random_state=0),
        lambda e: BaggingRegressor(e, n_estimators=2, random_state=0),
        lambda e: VotingRegressor([("a", e)]),
        lambda e: make_pipeline(MinMaxScaler(), e),
    ):
        reg = wrap(regressor(image_shape=(8, 8), max_iter=1)).fit(FLAT, NUMBERS)
        assert reg.predict(FLAT).shape == (120,)
    reg = MultiOutputRegressor(regressor(max_iter=1)).fit(X, np.c_[NUMBERS, NUMBERS])
    assert reg.predict(X).shape == (120, 2)


@both_routes
def test_tools(route):
    estimator, rows = IMAGES[route]
    assert cross_val_predict(estimator, rows, Y, cv=2, method="predict_proba").shape == (120, 10)
    sizes, *scores = learning_curve(estimator, rows, Y, train_sizes=[30, 60], cv=2)
    assert sizes.tolist() == [30, 60]
    assert np.isfinite(scores).all()
    done = cross_validate(estimator, rows, Y, cv=2, params={"sample_weight": np.ones(120)})
    assert np.isfinite(done["test_score"]).all()


def test_halving_over_epochs():
    search = HalvingGridSearchCV(
        flat(**QUICK), {"alpha": [0, 1, 2]}, resource="max_iter", max_resources=9, min_resources=1,
        cv=2, random_state=0, error_score="raise",
    ).fit(FLAT, Y)  # fmt: skip
    assert search.n_resources_ == [1, 3]
    assert search.best_estimator_.n_iter_ <= 9


def test_permutation_importance():
    clf = flat(max_iter=15, learning_rate_init=0.02, random_state=0).fit(FLAT, Y)
    found = permutation_importance(clf, FLAT, Y, n_repeats=2, random_state=0)
    assert found.importances_mean.shape == (64,)
    assert found.importances_mean[0] == 0  # a corner that is always empty
    assert found.importances_mean.max() > 0


def test_metadata_is_routed():
    weighted = Y < 5
    with config_context(enable_metadata_routing=True):
        clf = (
            flat(max_iter=1)
            .set_fit_request(sample_weight=True)
            .set_score_request(sample_weight=False)
        )
        search = GridSearchCV(clf, {"alpha": [0]}, cv=2, error_score="raise")
        search.fit(FLAT, Y, sample_weight=weighted)
        assert search.best_estimator_.classes_.tolist() == [0, 1, 2, 3, 4]
        clf.set_partial_fit_request(classes=True, sample_weight=True)
        flat().set_fit_request(X_val=True, y_val=True)


def test_early_stopping_on_samples_of_ones_own_in_a_pipeline():
    pipe = make_pipeline("passthrough", flat(early_stopping=True))
    pipe.fit(FLAT, Y, cnnclassifier__X_val=FLAT[:50], cnnclassifier__y_val=Y[:50])
    assert pipe[-1].best_validation_score_ is not None


def through_joblib(estimator):
    buffer = io.BytesIO()
    joblib.dump(estimator, buffer)
    buffer.seek(0)
    return joblib.load(buffer)


WAYS = {
    "pickle": lambda e: pickle.loads(pickle.dumps(e)),
    "deepcopy": copy.deepcopy,
    "joblib": through_joblib,
    "cloudpickle": lambda e: pickle.loads(cloudpickle.dumps(e)),
}


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("make", [small, regressor])
def test_copies_predict_the_same(make, way):
    y = Y if make is small else NUMBERS
    fitted = make(early_stopping=True, ema_decay=0.9).fit(X, y)
    again = WAYS[way](fitted)
    assert_same_bits(again.predict(X), fitted.predict(X))
    assert_same_bits(weights(again.partial_fit(X, y)), weights(fitted.partial_fit(X, y)))
    assert_same_bits(weights(WAYS[way](make()).fit(X, y)), weights(make().fit(X, y)))


@pytest.mark.parametrize("make", [small, regressor])
@pytest.mark.parametrize("layers", [None, SMALL])
def test_pickles_are_small(make, layers):
    y = Y if make is small else NUMBERS
    assert len(pickle.dumps(make(layers))) < 20_000
    fitted = make(layers, early_stopping=True).fit(X, y)
    assert len(pickle.dumps(fitted)) < fitted.network_.weights.flat.nbytes + 20_000


def test_drawings_of_an_estimator():
    for estimator in (small(), small().fit(X, Y), regressor(), CNNFeatures(small())):
        text = estimator._repr_html_()
        assert type(estimator).__name__ in text
    assert "CNNClassifier(layers=" in repr(CNNClassifier(SMALL))


def test_workers_share_the_cores():
    """Threads in a worker times workers is at most the cores."""
    cores = joblib.cpu_count()
    for workers in (1, 2):
        with joblib.parallel_config("loky", n_jobs=workers):
            found = joblib.Parallel()(joblib.delayed(num_threads)() for _ in range(2 * workers))
        assert max(found) * workers <= max(cores, workers)


@pytest.mark.parametrize("backend", ["loky", "threading"])
def test_a_parallel_search_is_the_serial_one(backend):
    searches = []
    for n in (1, 2):
        with joblib.parallel_config(backend, n_jobs=n):
            search = GridSearchCV(flat(), {"alpha": [0, 1]}, cv=2, error_score="raise")
            searches.append(search.fit(FLAT, Y))
    assert_same_bits(*(search.cv_results_["mean_test_score"] for search in searches))
    assert_same_bits(*(weights(search.best_estimator_) for search in searches))
