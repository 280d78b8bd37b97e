"""Scores of every epoch, by scorers of scikit-learn and of one's own."""

import pickle
from copy import deepcopy

import numpy as np
import pytest
from estimator_data import DIGITS as ROWS
from estimator_data import LABELS, NUMBERS, X, Y, regressor, small, weights
from oracles import assert_same_bits
from sklearn.base import clone
from sklearn.metrics import f1_score, get_scorer, make_scorer, mean_absolute_error
from sklearn.model_selection import GridSearchCV

from cnnkit import load, save
from cnnkit.callbacks import Callback, Checkpoint, CSVLog
from cnnkit.estimators import resume
from cnnkit.estimators.snapshot import snapshot
from cnnkit.training import checkpoints, stopping

HELD = (ROWS[200:300] / 16).reshape(-1, 8, 8, 1), LABELS[200:300]
VAL = dict(zip(("X_val", "y_val"), HELD, strict=True))
VAL_OPTIONS = {"max_iter": 3, "early_stopping": True}
WORDS = np.array([f"digit {label}" for label in range(10)])


def mean_error(estimator, X, y):
    return -float(np.abs(estimator.predict(X) - y).mean())


def first_pixel(estimator, X, y):
    """A scorer that looks at images, and predicts others than those it is given."""
    assert X.shape[1:] == (8, 8, 1)
    return estimator.predict_proba(X[:5] * 0.5)[:, 0].mean()


@pytest.mark.parametrize(
    "name",
    [
        *("accuracy", "f1_macro", "roc_auc_ovr", "neg_log_loss", "balanced_accuracy"),
        *("top_k_accuracy", "matthews_corrcoef"),
    ],
)
def test_a_score_is_that_of_the_fitted_estimator(name):
    words = {"X_val": HELD[0], "y_val": WORDS[HELD[1]]}
    clf = small(scoring=name, max_iter=3).fit(X, WORDS[Y], **words)
    assert len(clf.validation_scores_) == 3
    wanted = get_scorer(name)(clf, HELD[0], WORDS[HELD[1]])
    assert clf.validation_scores_[-1] == pytest.approx(wanted, rel=1e-12)
    assert clf.score_curves_ == {f"validation_{name}": clf.validation_scores_}


@pytest.mark.parametrize("name", ["roc_auc", "average_precision", "neg_brier_score", "f1"])
def test_scorers_of_two_classes(name):
    clf = small(scoring=name, max_iter=2).fit(X, Y > 4, X_val=HELD[0], y_val=HELD[1] > 4)
    assert clf.validation_scores_[-1] == pytest.approx(get_scorer(name)(clf, HELD[0], HELD[1] > 4))


@pytest.mark.parametrize("name", ["recall_macro", "roc_auc", "average_precision", "accuracy"])
def test_scorers_of_several_labels(name):
    y, held = (np.c_[labels % 2, labels > 4, labels % 3 == 0] for labels in (Y, HELD[1]))
    clf = small(scoring=name, max_iter=30).fit(X, y, X_val=HELD[0], y_val=held)
    wanted = get_scorer(name)(clf, HELD[0], held)
    assert clf.validation_scores_[-1] == pytest.approx(wanted)


@pytest.mark.parametrize("targets", [1, 2])
@pytest.mark.parametrize("name", ["r2", "neg_mean_absolute_error", "neg_root_mean_squared_error"])
def test_scores_of_a_regressor_are_in_units_of_y(name, targets):
    y = np.column_stack([NUMBERS * 1000, Y][:targets]).squeeze()
    reg = regressor(scoring=name, ema_decay=0.9).fit(X, y, X_val=X[:30], y_val=y[:30])
    assert reg.validation_scores_[-1] == pytest.approx(get_scorer(name)(reg, X[:30], y[:30]))


def test_several_scores_and_those_of_training():
    given = ["f1_macro", "neg_log_loss"]
    clf = small(scoring=given, return_train_score=True, max_iter=3).fit(X, Y, **VAL)
    assert list(clf.score_curves_) == [
        *("validation_f1_macro", "validation_neg_log_loss", "train_f1_macro", "train_neg_log_loss")
    ]
    assert clf.validation_scores_ == clf.score_curves_["validation_f1_macro"]
    for name in given:
        found = clf.score_curves_[f"train_{name}"]
        assert found[-1] == pytest.approx(get_scorer(name)(clf, X, Y))
    usual = small(return_train_score=True).fit(X, Y)
    assert list(usual.score_curves_) == ["train_score"]
    assert usual.score_curves_["train_score"][-1] == usual.score(X, Y)
    assert usual.validation_scores_ is None


def test_a_dict_of_names_and_callables():
    given = {"mae": mean_error, "r2": "r2"}
    given["worst"] = lambda estimator, X, y: -np.abs(estimator.predict(X) - y).max()
    reg = regressor(scoring=given).fit(X, NUMBERS, X_val=X[:50], y_val=NUMBERS[:50])
    assert list(reg.score_curves_) == ["validation_mae", "validation_r2", "validation_worst"]
    assert reg.validation_scores_[-1] == mean_error(reg, X[:50], NUMBERS[:50])


def test_a_scorer_of_ones_own_sees_images_of_the_split_and_the_present_weights():
    clf = small(scoring=first_pixel, early_stopping=True).fit(X, WORDS[Y])
    assert list(clf.score_curves_) == ["validation_score"]
    seen = []

    def keep(estimator, X, y):
        seen.append((X, y, estimator.predict(X)))
        return 0

    clf = small(scoring=keep, early_stopping=True, max_iter=1).fit(X, WORDS[Y])
    ((images, y, predicted),) = seen
    assert len(images) == len(y) == 12
    rows = [np.flatnonzero((image == X).all(axis=(1, 2, 3)))[0] for image in images]
    assert (WORDS[Y[rows]] == y).all()
    assert (clf.predict(images) == predicted).all()


@pytest.mark.parametrize("copied", [deepcopy, lambda e: pickle.loads(pickle.dumps(e))])
def test_an_estimator_that_scorers_are_given_can_be_copied(copied):
    def score(estimator, X, y):
        plain = snapshot(estimator)
        plain.scoring = None  # this function, which pickle does not take
        found = copied(plain)
        assert (found.n_iter_, len(found.loss_curve_)) == (estimator.n_iter_, estimator.n_iter_)
        assert found.score(X[:5], y[:5]) == estimator.score(X[:5], y[:5])
        clone(estimator)
        return found.score(X, y)

    clf = small(scoring=score, **VAL_OPTIONS).fit(X, Y, **VAL)
    assert clf.validation_scores_ == small(**VAL_OPTIONS).fit(X, Y, **VAL).validation_scores_


def test_one_prediction_is_enough_for_all_scorers(monkeypatch):
    calls = []
    inner = stopping.predict
    monkeypatch.setattr(stopping, "predict", lambda *given: calls.append(1) or inner(*given))
    small(scoring=["accuracy", "neg_log_loss", "f1_macro"], max_iter=4).fit(X, Y, **VAL)
    assert len(calls) == 4


def test_none_leaves_everything_as_it_is():
    plain = small(max_iter=4, early_stopping=True).fit(X, Y)
    named = small(max_iter=4, early_stopping=True, scoring="accuracy").fit(X, Y)
    assert_same_bits(weights(plain), weights(named))
    assert plain.validation_scores_ == named.validation_scores_
    assert plain.score_curves_ == {"validation_score": plain.validation_scores_}
    assert small().fit(X, Y).score_curves_ is None


def test_early_stopping_follows_the_first_score():
    options = {"max_iter": 8, "early_stopping": True, "learning_rate_init": 0.1}
    clf = small(scoring=["neg_log_loss", "accuracy"], **options).fit(X, Y, **VAL)
    assert clf.best_validation_score_ == max(clf.score_curves_["validation_neg_log_loss"])
    assert get_scorer("neg_log_loss")(clf, *HELD) == pytest.approx(clf.best_validation_score_)


def test_weights_of_samples_reach_scorers_that_take_them():
    w = np.linspace(0, 2, len(X))
    seen = []

    def scorer(estimator, X, y, sample_weight):
        seen.append(sample_weight)
        return np.average(estimator.predict(X) == y, weights=sample_weight)

    given = {"own": scorer, "accuracy": "accuracy", "plain": lambda *given: len(given)}
    clf = small(scoring=given, early_stopping=True, class_weight="balanced", max_iter=1)
    clf.fit(X, Y, sample_weight=w)
    assert set(seen[0]) <= set(w[1:])  # without the weights of classes
    curves = clf.score_curves_
    assert curves["validation_own"] == pytest.approx(curves["validation_accuracy"])
    assert curves["validation_plain"] == [3]


@pytest.mark.parametrize(
    ("scoring", "said"),
    [
        ("f1_makro", r"did you mean 'f1_macro'\?"),
        ("mse", "use 'neg_mean_squared_error'"),
        ("good", r"get_scorer_names\(\) returns all names"),
        (f1_score, "looks like it is a metric function rather than a scorer"),
        ({"mine": 3}, r"scoring\['mine'\] must be the name of a scorer .*, got 3"),
        ([], r"scoring must be different names of scorers, or a dict, got \[\]"),
        ({}, r"scoring must be scorers by their names, got \{\}"),
        (["accuracy", "accuracy"], "must be different names of scorers"),
        ([mean_error], "must be different names of scorers, or a dict"),
        ({"accuracy"}, "The 'scoring' parameter of CNNClassifier must be"),
        (3, "The 'scoring' parameter of CNNClassifier must be"),
    ],
)
def test_what_is_no_scoring_is_refused_before_training(scoring, said):
    with pytest.raises(ValueError, match=said):
        small(scoring=scoring).fit(X[:0], Y)  # not even the samples are looked at


@pytest.mark.parametrize(
    ("scoring", "said"),
    [
        ("f1", "got ValueError from 'f1': Target is multiclass"),
        ({"odd": lambda *given: 1 / 0}, "got ZeroDivisionError from 'odd': division by zero"),
        (lambda *given: "good", "got ValueError from the scorer <function"),
        (lambda *given: {"a": 1}, "got TypeError from the scorer <function"),
    ],
)
def test_a_scorer_that_raises_is_named_and_leaves_the_estimator_as_it_was(scoring, said):
    clf = small(max_iter=1).fit(X, Y)
    before = vars(clf).copy()
    clf.set_params(scoring=scoring)
    with pytest.raises(ValueError, match=f"CNNClassifier: scoring must give a number .* {said}"):
        clf.fit(X, Y, **VAL)
    assert vars(clf) == before | {"scoring": scoring}


def test_nan_is_never_the_best_and_told_once():
    scores = iter([0.1, np.nan, 0.3, np.nan, np.nan, 0.2])
    clf = small(scoring=lambda *given: next(scores), max_iter=6, early_stopping=True)
    with pytest.warns(UserWarning, match="is NaN: such an epoch is never the best") as told:
        clf.fit(X, Y, **VAL)
    assert len(told) == 1
    assert clf.best_validation_score_ == 0.3
    assert np.isnan(clf.validation_scores_).sum() == 3
    nothing = small(scoring=lambda *given: np.nan, max_iter=50, early_stopping=True)
    with pytest.warns(UserWarning, match="is NaN"):
        nothing.set_params(n_iter_no_change=3).fit(X, Y, **VAL)
    assert (nothing.n_iter_, nothing.best_validation_score_) == (3, None)


def test_scoring_that_scores_nothing_is_told():
    with pytest.warns(UserWarning, match="scoring='f1_macro' scores nothing: give fit X_val"):
        small(scoring="f1_macro").fit(X, Y)


def test_partial_fit_scores_nothing():
    clf = small(scoring="f1_macro", return_train_score=True).partial_fit(X, Y, classes=range(10))
    assert (clf.score_curves_, clf.validation_scores_) == (None, None)


def test_a_warm_start_records_the_last_fit():
    clf = small(scoring="f1_macro", warm_start=True, max_iter=2).fit(X, Y, **VAL).fit(X, Y, **VAL)
    assert (len(clf.loss_curve_), len(clf.validation_scores_)) == (4, 2)


@pytest.mark.parametrize("named", [{}, {"scoring": ["f1_macro", "accuracy"]}])
@pytest.mark.parametrize("trained", [False, True])
def test_a_fit_goes_on_with_its_scores(named, trained, tmp_path):
    class Cut(Callback):
        def on_epoch_end(self, estimator, epoch):
            if epoch.number == 3:
                raise KeyboardInterrupt

    def make(*callbacks):
        clf = small(max_iter=6, early_stopping=True, return_train_score=trained, **named)
        return clf.set_callbacks(*callbacks)

    whole = make().fit(X, Y)
    checkpoint, log = Checkpoint(tmp_path / "state", resume=True), CSVLog(tmp_path / "log")
    with pytest.raises(KeyboardInterrupt):
        make(checkpoint, log, Cut()).fit(X, Y)
    found = make(checkpoint, log).fit(X, Y)
    assert_same_bits(weights(found), weights(whole))
    assert found.score_curves_ == whole.score_curves_
    assert found.best_validation_score_ == whole.best_validation_score_
    lines = (tmp_path / "log").read_text().splitlines()
    assert len(lines) == 7
    assert set(found.score_curves_) <= set(lines[0].split(","))
    with pytest.raises(ValueError, match="must be of the same fit, got another scoring"):
        make(checkpoint).set_params(scoring="neg_log_loss").fit(X, Y)


@pytest.mark.parametrize("make", [small, regressor])
def test_a_checkpoint_of_before_goes_on(make, tmp_path):
    """Files that do not name hyper-parameters are of fits that left them at their defaults."""
    path = tmp_path / "state"
    options = {"max_iter": 4, "early_stopping": True, "learning_rate": "constant"}
    make(**options | {"max_iter": 2}).set_callbacks(Checkpoint(path)).fit(X, Y)
    state = checkpoints.read(path)
    for name in resume.ADDED:
        state.fit.pop(name, None)
    checkpoints.write(path, state)
    found = make(**options).set_callbacks(Checkpoint(path, resume=True)).fit(X, Y)
    assert_same_bits(weights(found), weights(make(**options).fit(X, Y)))
    other = make(scoring="r2", **options).set_callbacks(Checkpoint(path, resume=True))
    with pytest.raises(ValueError, match="got another scoring: None in the place of 'r2'"):
        other.fit(X, Y)


def test_more_scores_than_a_checkpoint_holds(tmp_path):
    clf = small(scoring=["accuracy", "f1_macro"], max_iter=30_000, early_stopping=True)
    with pytest.raises(ValueError, match="scores must be at most 50000, got 2 of 30000 epochs"):
        clf.set_callbacks(Checkpoint(tmp_path / "state")).fit(X, Y)


def test_scores_in_files(tmp_path):
    clf = small(scoring=["f1_macro", "accuracy"], return_train_score=True).fit(X, Y, **VAL)
    save(clf, tmp_path / "model")
    found = load(tmp_path / "model")
    assert (found.score_curves_, found.scoring) == (clf.score_curves_, clf.scoring)
    clf.set_params(scoring={"mine": mean_error})
    with pytest.raises(ValueError, match=r"^save: scoring must be names, got .*holds no code"):
        save(clf, tmp_path / "model")


def test_lines_have_the_names_of_the_scores(capsys):
    clf = small(scoring="f1_macro", return_train_score=True, verbose=1, max_iter=1)
    clf.fit(X, Y, **VAL)
    last = capsys.readouterr().out.splitlines()[-1]
    found = [curve[0] for curve in clf.score_curves_.values()]
    assert last.endswith(f"validation f1_macro = {found[0]:.6f}, train f1_macro = {found[1]:.6f}")


def test_in_a_search():
    scorer = make_scorer(mean_absolute_error, greater_is_better=False)
    reg = regressor(early_stopping=True, scoring=scorer)
    search = GridSearchCV(reg, {"scoring": ["r2", scorer]}, cv=2).fit(X, NUMBERS)
    assert search.best_estimator_.best_validation_score_ is not None
    assert clone(reg).scoring is not None
