"""Losses of one's own: what they get, what may come of them, and that estimators take them."""

import pickle

import numpy as np
import pytest
from oracles import assert_same_bits
from sklearn.base import clone
from sklearn.model_selection import cross_val_score

from cnnkit import CNNClassifier, CNNFeatures, CNNRegressor, load, lr_find, save
from cnnkit.augmentation import Mixup
from cnnkit.callbacks import Checkpoint
from cnnkit.losses import (
    AbsoluteError,
    Huber,
    Loss,
    SigmoidCrossEntropy,
    SoftmaxCrossEntropy,
    SquaredError,
    check_gradient,
)

RNG = np.random.default_rng(0)
X = RNG.random((60, 4, 4))
NUMBERS = X.mean(axis=(1, 2)) * 10 + 5
CLASSES = np.digitize(X[:, :2].mean(axis=(1, 2)), [0.45, 0.55])
LABELS = np.stack([X[:, 0].mean(axis=1) > 0.5, X[:, 1].mean(axis=1) > 0.5], axis=1).astype(int)
BOTH = pytest.mark.parametrize(("kind", "y"), [(CNNClassifier, CLASSES), (CNNRegressor, NUMBERS)])


class HalfSquare(Loss):
    """What "squared_error" is for one target, and cross-entropy is not."""

    def __init__(self, factor=1.0):
        self.factor = factor

    def loss_gradient(self, outputs, targets):
        residual = outputs - targets
        return self.factor * residual**2 / 2, self.factor * residual


class PerSample(HalfSquare):
    """The same, added up by itself."""

    def loss_gradient(self, outputs, targets):
        losses, gradient = super().loss_gradient(outputs, targets)
        return losses.sum(axis=1), gradient


class CrossEntropy(Loss):
    def loss_gradient(self, outputs, targets):
        return SoftmaxCrossEntropy().loss_gradient(outputs, targets)


class Spy(HalfSquare):
    """Keeps what it gets, in the class: a fit trains on a copy of the loss."""

    got = ()

    def loss_gradient(self, outputs, targets):
        Spy.got = (outputs.copy(), targets.copy(), outputs.flags, targets.flags)
        return super().loss_gradient(outputs, targets)


def small(kind, loss, **options):
    return kind(**{"max_iter": 3, "random_state": 0, "loss": loss} | options)


# What a loss gets


@pytest.mark.parametrize(
    ("kind", "y", "columns", "options"),
    [
        (CNNRegressor, NUMBERS, 1, {}),
        (CNNRegressor, np.stack([NUMBERS, -NUMBERS, X[:, 0, 0]], axis=1), 3, {}),
        (CNNClassifier, CLASSES, 3, {}),
        (CNNClassifier, CLASSES.astype(str), 3, {}),
        (CNNClassifier, LABELS, 2, {}),
        (CNNRegressor, NUMBERS, 1, {"solver": "lbfgs"}),
        (CNNClassifier, CLASSES, 3, {"early_stopping": True, "validation_fraction": 0.2}),
        (CNNClassifier, CLASSES, 3, {"augmentation": Mixup()}),
    ],
)
def test_shapes_that_a_loss_gets(kind, y, columns, options):
    small(kind, Spy(), **options).fit(X, y)
    outputs, targets, *flags = Spy.got
    assert outputs.shape == targets.shape == (len(outputs), columns)
    assert targets.dtype == np.float64
    assert not any(flag.writeable for flag in flags)
    if kind is CNNClassifier and "augmentation" not in options and y.ndim == 1:
        assert np.isin(targets, (0, 1)).all()
        assert (targets.sum(axis=1) == 1).all()


def test_targets_are_standardised_unless_told():
    X_val, y_val = X[:20], NUMBERS[:20]
    small(CNNRegressor, Spy()).fit(X, NUMBERS, X_val=X_val, y_val=y_val)
    assert Spy.got[1][:, 0] == pytest.approx((y_val - NUMBERS.mean()) / NUMBERS.std())
    reg = small(CNNRegressor, Spy(), standardize_targets=False)
    reg.fit(X, NUMBERS, X_val=X_val, y_val=y_val)
    assert Spy.got[1][:, 0] == pytest.approx(y_val)


def test_label_smoothing_is_in_the_targets():
    small(CNNClassifier, Spy(), label_smoothing=0.3).fit(X, CLASSES)
    assert np.unique(Spy.got[1].round(9)).tolist() == [0.1, 0.8]


# What comes of it


@pytest.mark.parametrize("loss", [HalfSquare(), PerSample(), SquaredError()], ids=str)
@pytest.mark.parametrize("weights", [None, RNG.random(60)], ids=["", "weighted"])
@pytest.mark.parametrize("solver", ["adamw", "lbfgs"])
def test_a_loss_that_has_a_name_gives_the_same(loss, weights, solver):
    own = small(CNNRegressor, loss, solver=solver).fit(X, NUMBERS, sample_weight=weights)
    named = small(CNNRegressor, "squared_error", solver=solver)
    named.fit(X, NUMBERS, sample_weight=weights)
    assert own.loss_curve_ == pytest.approx(named.loss_curve_, rel=1e-12)
    assert own.predict(X) == pytest.approx(named.predict(X), rel=1e-6)


@pytest.mark.parametrize("options", [{}, {"class_weight": "balanced"}, {"label_smoothing": 0.2}])
def test_cross_entropy_of_ones_own(options):
    own = small(CNNClassifier, CrossEntropy(), **options).fit(X, CLASSES)
    named = small(CNNClassifier, "log_loss", **options).fit(X, CLASSES)
    assert own.loss_curve_ == pytest.approx(named.loss_curve_, rel=1e-4)
    assert own.predict_proba(X) == pytest.approx(named.predict_proba(X), abs=1e-3)


def test_losses_of_several_targets_are_added_up():
    y = np.stack([NUMBERS, -NUMBERS], axis=1)
    own = small(CNNRegressor, HalfSquare(0.5), standardize_targets=False).fit(X, y)
    named = small(CNNRegressor, "squared_error", standardize_targets=False).fit(X, y)
    assert own.loss_curve_ == pytest.approx(named.loss_curve_, rel=1e-5)
    assert own.predict(X).shape == (60, 2)


@BOTH
def test_scores_stay_those_of_the_estimator(kind, y):
    found = small(kind, HalfSquare(3.0), early_stopping=True, validation_fraction=0.3).fit(X, y)
    assert max(found.validation_scores_) <= 1
    assert found.best_validation_score_ == max(found.validation_scores_)
    assert np.isfinite(found.score(X, y))


def test_probabilities_are_of_logits():
    clf = small(CNNClassifier, HalfSquare()).fit(X, CLASSES)
    assert clf.predict_proba(X).sum(axis=1) == pytest.approx(1)
    labels = small(CNNClassifier, HalfSquare()).fit(X, LABELS)
    assert labels.predict(X).shape == (60, 2)


# scikit-learn's contract


@BOTH
def test_clone_pickle_and_parts_of_a_stream(kind, y):
    given = HalfSquare(2.0)
    found = small(kind, given)
    copy = clone(found)
    assert copy.loss is not given
    assert copy.get_params()["loss__factor"] == 2.0
    assert repr(given) == "HalfSquare(factor=2.0)"
    options = {"classes": [0, 1, 2]} if kind is CNNClassifier else {}
    for est in (found, copy):
        est.partial_fit(X, y, **options)
    again = pickle.loads(pickle.dumps(found))
    for est in (found, copy, again):
        est.partial_fit(X, y)
    assert_same_bits(again.predict(X), found.predict(X))
    assert_same_bits(copy.predict(X), found.predict(X))
    assert given.factor == 2.0


@BOTH
def test_a_fit_trains_on_a_copy(kind, y):
    class Changes(HalfSquare):
        def loss_gradient(self, outputs, targets):
            self.seen = True
            return super().loss_gradient(outputs, targets)

    found = small(kind, Changes()).fit(X, y)
    assert vars(found.loss) == {"factor": 1.0}


@BOTH
def test_searches_and_the_rest(kind, y):
    assert np.isfinite(cross_val_score(small(kind, HalfSquare()), X, y, cv=2)).all()
    assert lr_find(small(kind, HalfSquare()), X, y, steps=20).suggestion > 0
    features = CNNFeatures(small(kind, HalfSquare())).fit(X, y)
    assert len(features.transform(X)) == 60


@BOTH
def test_a_checkpoint_is_of_one_loss(kind, y, tmp_path):
    path = tmp_path / "checkpoint"
    found = small(kind, HalfSquare()).set_callbacks(Checkpoint(path)).fit(X, y)
    same = clone(found).set_callbacks(Checkpoint(path, resume=True)).fit(X, y)
    assert_same_bits(same.predict(X), found.predict(X))
    other = clone(found).set_params(loss__factor=2.0)
    with pytest.raises(ValueError, match=r"got another loss\.factor: 1 in the place of 2\."):
        other.set_callbacks(Checkpoint(path, resume=True)).fit(X, y)


@BOTH
def test_save_refuses_it_with_a_way_out(kind, y, tmp_path):
    found = small(kind, HalfSquare()).fit(X, y)
    default = kind().loss
    with pytest.raises(ValueError, match=r"^save: loss must be a word, got HalfSquare") as error:
        save(found, tmp_path / "model")
    assert f"set_params(loss='{default}')" in str(error.value)
    assert list(tmp_path.iterdir()) == []
    save(found.set_params(loss=default), tmp_path / "model")
    assert_same_bits(load(tmp_path / "model").predict(X), found.predict(X))


# What is wrong


@BOTH
@pytest.mark.parametrize(
    ("loss", "said"),
    [
        (HalfSquare, r": write HalfSquare\(\), with brackets\."),
        (lambda outputs, targets: 0, "instead: write a class: a loss is an instance of a subclass"),
        (None, r" Got None instead\."),
        ("strange", r" Got 'strange' instead\."),
    ],
)
def test_what_is_no_loss(kind, y, loss, said):
    rule = f"^The 'loss' parameter of {kind.__name__} must be .*instance of 'cnnkit.losses.Loss'"
    with pytest.raises(ValueError, match=f"{rule}.*{said}"):
        small(kind, loss).fit(X, y)


class Bad(Loss):
    def __init__(self, found=None):
        self.found = found

    def loss_gradient(self, outputs, targets):
        return self.found(outputs, targets)


@BOTH
@pytest.mark.parametrize(
    ("found", "error", "said"),
    [
        (lambda o, t: (o - t).sum(), TypeError, "loss_gradient must return two arrays, losses and"),
        (lambda o, t: (0.0, o), ValueError, r"losses must have shape \(\d+,\) or .*, got \(\)\."),
        (lambda o, t: (o[:, :0], o), ValueError, r"losses must have shape"),
        (
            lambda o, t: (o, o[:, 0]),
            ValueError,
            r"the gradient must have shape \(\d+, \d\)",
        ),
        (lambda o, t: (o, o * 1j), TypeError, "the gradient must be real numbers, got complex"),
        (lambda o, t: (o.astype(str), o), TypeError, "losses must be real numbers, got <U"),
    ],
)
def test_what_is_no_result(kind, y, found, error, said):
    est = small(kind, Bad(found))
    with pytest.raises(error, match=f"^Bad: {said}"):
        est.fit(X, y)
    assert not vars(est).keys() & {"network_"}


@BOTH
def test_inputs_are_not_to_be_written_to(kind, y):
    def found(outputs, targets):
        outputs -= targets
        return outputs, outputs

    with pytest.raises(ValueError, match="read-only"):
        small(kind, Bad(found)).fit(X, y)


@BOTH
def test_a_loss_that_is_not_finite(kind, y):
    with pytest.raises(ValueError, match=r"^Training diverged in epoch 1: the loss is nan"):
        small(kind, Bad(lambda o, t: (o * np.nan, o))).fit(X, y)


def test_a_loss_without_its_method():
    class Idle(Loss):
        pass

    with pytest.raises(NotImplementedError, match=r"^Idle has no loss_gradient$"):
        small(CNNRegressor, Idle()).fit(X, NUMBERS)


@pytest.mark.parametrize("loss", [HalfSquare(), PerSample()])
def test_the_score_of_a_loss_alone_is_minus_the_mean(loss):
    outputs, targets, weights = RNG.random((5, 2)), RNG.random((5, 2)), np.arange(5.0)
    costs = ((outputs - targets) ** 2 / 2).sum(axis=1)
    assert loss.score(outputs, targets) == pytest.approx(-costs.mean())
    wanted = -np.average(costs, weights=weights)
    assert loss.score(outputs, targets, weights) == pytest.approx(wanted)


# check_gradient


@pytest.mark.parametrize(
    "loss",
    [
        *(SquaredError(), AbsoluteError(), Huber(0.3), SigmoidCrossEntropy(), PerSample(2.0)),
        SoftmaxCrossEntropy(3),
    ],
    ids=str,
)
def test_gradients_that_are_slopes(loss):
    check_gradient(loss, RNG.standard_normal((4, 3)), RNG.random((4, 3)))
    check_gradient(loss, np.zeros((2, 3)), np.zeros((2, 3)))  # a kink


def test_a_gradient_that_is_no_slope():
    loss = Bad(lambda o, t: ((o - t) ** 2, o - t))
    with pytest.raises(AssertionError, match=r"^Bad: gradient\[0, 0\] must be the slope .*, got "):
        check_gradient(loss, RNG.random((2, 2)), RNG.random((2, 2)))


@pytest.mark.parametrize(
    ("arguments", "error", "said"),
    [
        ((HalfSquare, [[1.0]], [[1.0]]), TypeError, r"loss must be a cnnkit\.losses\.Loss, got <"),
        ((HalfSquare(), [1.0], [1.0]), ValueError, r"outputs and targets must be of one shape"),
        ((HalfSquare(), [[1.0]], [[1.0, 2.0]]), ValueError, "outputs and targets must be of one"),
    ],
)
def test_what_check_gradient_refuses(arguments, error, said):
    with pytest.raises(error, match=f"^check_gradient: {said}"):
        check_gradient(*arguments)
