"""skops reads and writes the estimators, told to trust `cnnkit.io.TRUSTED_TYPES`."""

import pytest
from estimator_data import NUMBERS, SMALL, X, Y, regressor, small
from oracles import assert_same_bits
from sklearn.frozen import FrozenEstimator

import cnnkit
from cnnkit import BatchNorm, CNNFeatures, Conv, Dropout, Residual, gap_head
from cnnkit.augmentation import Augment, Flip, Mixup, Shift
from cnnkit.callbacks import Checkpoint, CSVLog, Timer
from cnnkit.io import TRUSTED_TYPES
from cnnkit.schedules import Cosine, ReduceOnPlateau


def through_skops(estimator):
    io = pytest.importorskip("skops.io")
    data = io.dumps(estimator)
    assert not set(io.get_untrusted_types(data=data)) - set(TRUSTED_TYPES)
    return io.loads(data, trusted=TRUSTED_TYPES)


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"layers": [Conv(4), BatchNorm(), Residual([Conv(4)]), Dropout(), gap_head()]},
        {"learning_rate": Cosine(1), "augmentation": Augment([Flip(), Shift(1), Mixup()])},
        {"solver": "lbfgs", "early_stopping": True, "frozen": ["conv1"]},
    ],
)
def test_classifiers(options):
    clf = small(**options).fit(X, Y)
    again = through_skops(clf)
    assert again.get_params() == clf.get_params()
    assert_same_bits(again.predict_proba(X), clf.predict_proba(X))


def test_regressors_and_features():
    reg = regressor(learning_rate=ReduceOnPlateau()).fit(X, NUMBERS)
    assert_same_bits(through_skops(reg).predict(X), reg.predict(X))
    features = CNNFeatures(FrozenEstimator(reg)).fit(X)
    assert_same_bits(through_skops(features).transform(X), features.transform(X))


@pytest.mark.parametrize("solver", ["adam", "sgd"])
def test_partial_fit_goes_on(solver):
    clf = small(
        SMALL,
        solver=solver,
        ema_decay=0.9,
        learning_rate=ReduceOnPlateau(),
        augmentation=[Flip(), Mixup()],
    )
    again = through_skops(clf.partial_fit(X, Y, classes=range(10)))
    found = [e.partial_fit(X, Y).network_.weights.flat for e in (clf, again)]
    assert_same_bits(*found)


@pytest.mark.parametrize("kind", [Timer, CSVLog, Checkpoint])
def test_callbacks_are_taken_off(kind, tmp_path):
    """Some write files when a fit runs: skops is told to trust none."""
    io = pytest.importorskip("skops.io")
    callback = Timer() if kind is Timer else kind(str(tmp_path / "file"))
    clf = small().set_callbacks(callback).fit(X, Y)
    data = io.dumps(clf)
    name = f"cnnkit.callbacks.{kind.__name__}"
    assert set(io.get_untrusted_types(data=data)) - set(TRUSTED_TYPES) == {name}
    with pytest.raises(TypeError, match=name):
        io.loads(data, trusted=TRUSTED_TYPES)
    again = through_skops(clf.set_callbacks())
    assert_same_bits(again.predict_proba(X), clf.predict_proba(X))


def test_the_list_names_classes_of_cnnkit_and_the_dtype_alone():
    assert [name for name in TRUSTED_TYPES if not name.startswith("cnnkit.")] == ["numpy.dtype"]
    assert "cnnkit.layers.conv.Conv" in cnnkit.io.TRUSTED_TYPES
