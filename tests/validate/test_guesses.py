"""What people guess is answered with the right word."""

import copy
import inspect
import pickle
import re

import numpy as np
import pytest
from sklearn import config_context
from sklearn.base import clone
from sklearn.pipeline import make_pipeline
from sklearn.utils.validation import has_fit_parameter

import cnnkit
from cnnkit import (
    GELU,
    CNNClassifier,
    CNNFeatures,
    CNNRegressor,
    Conv,
    Dense,
    Dropout,
    Layer,
    MaxPool,
    ReLU,
    Sequential,
    augmentation,
    fc_head,
    layers,
    schedules,
)
from cnnkit.augmentation import Cutout, Flip, Mixup, Rotate, Scale, Shift
from cnnkit.schedules import Cosine, ReduceOnPlateau, Step
from cnnkit.validate.guesses import accepted, ended, for_value
from cnnkit.validate.words import ARGUMENTS, NAMES, VALUES


def exactly(text):
    return f"^{re.escape(text)}$"


# Names


@pytest.mark.parametrize("kind", [CNNClassifier, CNNRegressor])
@pytest.mark.parametrize(
    ("word", "advice"),
    [
        *(("lr", "use learning_rate_init."), ("epochs", "use max_iter.")),
        *(("n_epochs", "use max_iter."), ("optimizer", "use solver.")),
        *(("metrics", "use scoring."), ("batch", "use batch_size.")),
        ("callbacks", "use set_callbacks, a method of the estimator."),
        ("hidden_layer_sizes", "hidden layers are layers: [Flatten(), Dense(100), ReLU(), "),
        *(("weight_decay", "use alpha."), ("optimizer__weight_decay", "use alpha.")),
        ("dropout", "dropout is a layer: "),
        *(("input_shape", "use image_shape."), ("seed", "use random_state.")),
        *(("device", "cnnkit computes on the processor"), ("n_jobs", "threads are set for all ")),
        ("patience", "use n_iter_no_change, with early_stopping=True."),
        *(("verbosity", "use verbose."), ("validation_data", "give them to fit, as X_val and ")),
        ("iamge_shape", "did you mean image_shape?"),
        ("xyz", "there are layers, image_shape, standardize, solver, "),
    ],
)
def test_arguments_of_estimators(kind, word, advice):
    text = f"{kind.__name__}: arguments must be names it knows, got {word!r}: {advice}"
    with pytest.raises(TypeError, match="^" + re.escape(text)):
        kind(**{word: 1})


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: CNNClassifier(loss_fn="x"), "got 'loss_fn': use loss."),
        (lambda: CNNRegressor(criterion="x"), "got 'criterion': use loss."),
        (lambda: CNNRegressor(lr=1, eps=2), "'lr': use learning_rate_init; 'eps': use epsilon."),
        (lambda: CNNFeatures(layer="x"), "CNNFeatures: .* got 'layer': use node."),
        (lambda: CNNFeatures(nod="x"), "got 'nod': did you mean node?"),
        (lambda: Conv(16, kernel=3), "Conv: .* got 'kernel': use kernel_size."),
        (lambda: Conv(16, filter_sise=3), "got 'filter_sise': did you mean filters?"),
        (lambda: Conv(16, 3, activation="relu"), "got 'activation': activations are layers: put"),
        (lambda: Conv(out_channels=16, strides=2), "'out_channels': use filters; 'strides': use s"),
        (lambda: Dense(10, activation="relu"), "Dense: .* 'activation': activations are layers"),
        (lambda: Dropout(p=0.5), "Dropout: .* got 'p': use rate."),
        (lambda: MaxPool(kernel_size=2), "MaxPool: .* got 'kernel_size': use pool_size."),
        (lambda: ReLU(inplace=True), "ReLU: .* got 'inplace': memory is shared"),
        (lambda: ReLU(xyz=True), "ReLU: .* got 'xyz': there are none."),
        (lambda: Rotate(angle=10), "Rotate: .* got 'angle': use degrees."),
        (lambda: Rotate(fill_mode="edge"), "got 'fill_mode': use fill."),
        (lambda: Shift(width_shift_range=1), "got 'width_shift_range': use pixels."),
        (lambda: Flip(p=1), "Flip: .* got 'p': use horizontal, or vertical."),
        (lambda: Scale(zoom_range=0.1), "got 'zoom_range': use low and high."),
        (lambda: Mixup(p=0.1), "Mixup: .* got 'p': every image is changed"),
        (lambda: Cutout(length=4), "got 'length': use size."),
        (lambda: Step(gamma=0.1), "Step: .* got 'gamma': use factor."),
        (lambda: Cosine(T_max=10), "Cosine: .* got 'T_max': it lasts as long as max_iter"),
        (lambda: ReduceOnPlateau(min_lr=0), "got 'min_lr': use min_factor"),
    ],
)
def test_arguments_of_the_others(make, said):
    with pytest.raises(
        TypeError, match=said.replace("?", "[?]") + ("$" if said[-1] == "." else "")
    ):
        make()


@pytest.mark.parametrize(
    ("make", "text"),
    [
        (
            lambda: CNNClassifier(Conv(16), ReLU()),
            "CNNClassifier: arguments without a name must be at most 1 (layers), got 2: "
            "layers go into one list.",
        ),
        (
            lambda: Conv(16, 3, 2),
            "Conv: arguments without a name must be at most 2 (filters, kernel_size), got 3.",
        ),
        (lambda: ReLU(True), "ReLU: arguments without a name must be none, got 1."),
    ],
)
def test_arguments_without_a_name(make, text):
    with pytest.raises(TypeError, match=exactly(text)):
        make()


class Own(Layer):
    """A layer that takes any names."""

    def __init__(self, *sizes, **others):
        self.sizes = sizes
        self.others = others


class Renamed(CNNClassifier):
    """A classifier with fewer hyper-parameters."""

    def __init__(self, layers=None, *, epochs=3):
        super().__init__(layers, max_iter=epochs)
        self.epochs = epochs


def test_classes_of_ones_own():
    assert Own(1, 2, 3, size=3).others == {"size": 3}
    assert Renamed(epochs=4).max_iter == 4
    with pytest.raises(TypeError, match=r"^Renamed: .* got 'lr': use learning_rate_init"):
        Renamed(lr=1)


def test_what_else_makes_objects_still_works():
    conv = Conv(16, 3, stride=2)
    assert copy.deepcopy(conv) == clone(conv) == pickle.loads(pickle.dumps(conv)) == conv
    assert str(inspect.signature(ReLU)) == "()"
    assert list(inspect.signature(Dropout).parameters) == ["rate"]
    assert list(inspect.signature(CNNClassifier).parameters)[:2] == ["layers", "image_shape"]


KINDS = {
    kind.__name__: kind
    for kind in (
        *(getattr(cnnkit, name) for name in cnnkit.__all__),
        *vars(schedules).values(),
        *vars(augmentation).values(),
    )
    if isinstance(kind, type)
}
BASES = {
    "BaseCNN": CNNClassifier,
    "Affine": Shift,
}  # a class that has what the base is said to have


@pytest.mark.parametrize("place", ARGUMENTS)
def test_advice_is_true(place):
    """What is said to be used is there, and what is said to be unknown is not."""
    name, _, method = place.partition(".")
    kind = BASES.get(name) or KINDS[name]
    known = set(
        inspect.signature(getattr(kind, method)).parameters if method else accepted(kind)[0]
    )
    words = [word for guessed in ARGUMENTS[place].values() for word in guessed.split()]
    assert len(words) == len(set(words))
    assert not known & set(words)
    assert words == [word.lower() for word in words]
    for advice in ARGUMENTS[place]:
        use = re.match(r"use (\w+)(?: and (\w+))?", advice)
        if use and use[1] in ("Conv", "ReLU6", "set_callbacks"):
            continue
        if use:
            there = accepted(CNNClassifier)[0] if " of the estimator" in advice else known
            assert set(filter(None, use.groups())) <= set(there)


# fit


@pytest.mark.parametrize("kind", [CNNClassifier, CNNRegressor])
@pytest.mark.parametrize(
    ("word", "advice"),
    [
        ("group", "use groups."),
        *(("validation_data", "use X_val and y_val."), ("eval_set", "use X_val and y_val.")),
        ("callbacks", "call set_callbacks(...) before fit."),
        ("epochs", "for {}(...), use max_iter."),
        ("batch_size", "it is a hyper-parameter, {}(batch_size=...)."),
        ("sample_weigth", "did you mean sample_weight?"),
        ("xyz", "there are X, y, sample_weight, X_val, y_val, groups, steps_per_epoch."),
    ],
)
def test_arguments_of_fit(kind, word, advice):
    name = kind.__name__
    text = f"{name}.fit: arguments must be names it knows, got {word!r}: {advice.format(name)}"
    with pytest.raises(TypeError, match="^" + re.escape(text)):
        kind().fit([[0.0], [1.0]], [0, 1], **{word: 1})


def test_arguments_of_fit_of_features():
    with pytest.raises(
        TypeError, match=r"^CNNFeatures\.fit: .*'X_val': that is for fit of the est"
    ):
        CNNFeatures().fit_transform([[0.0], [1.0]], [0, 1], X_val=1)


@pytest.mark.parametrize("kind", [CNNClassifier, CNNRegressor, CNNFeatures])
def test_scikit_learn_sees_the_arguments_of_fit(kind):
    assert has_fit_parameter(kind(), "sample_weight")
    assert has_fit_parameter(kind(), "groups") == (kind is not CNNFeatures)
    with config_context(enable_metadata_routing=True):
        requests = kind().set_fit_request(sample_weight=True).get_metadata_routing().fit.requests
    assert requests["sample_weight"] is True
    known = {"sample_weight", "X_val", "y_val", "groups", "steps_per_epoch"}
    assert set(requests) <= known


# set_params


def test_set_params():
    for estimator in (CNNClassifier(), CNNClassifier([Conv(), ReLU()])):
        with pytest.raises(
            ValueError, match=r"^Invalid parameter 'epochs' for .*: use max_iter\.$"
        ):
            estimator.set_params(epochs=3)
        with pytest.raises(ValueError, match=r"^Invalid parameter 'xyz' for .*\]\.$"):
            estimator.set_params(xyz=3)
    with pytest.raises(
        ValueError, match=r"for estimator CNNClassifier.*: use learning_rate_init\.$"
    ):
        make_pipeline(CNNClassifier()).set_params(cnnclassifier__lr=0.1)
    with pytest.raises(ValueError, match=r"for estimator Conv.*: use kernel_size\.$"):
        CNNClassifier([Conv(), ReLU()]).set_params(conv1__kernel=3)


@pytest.mark.parametrize("layers", [None, [Conv(), ReLU()], Sequential([Conv()])])
def test_a_head_needs_its_name(layers):
    said = r'^Invalid parameter \'head\' .*: name the end of the list of layers: \("head", gap_head'
    with pytest.raises(ValueError, match=said):
        CNNClassifier(layers).set_params(head=fc_head(64))
    named = CNNClassifier([Conv(), ("head", fc_head())]).set_params(head=fc_head(64))
    assert named.layers[1] == ("head", fc_head(64))


# Values


@pytest.mark.parametrize(
    ("name", "value", "advice"),
    [
        ("learning_rate", 0.01, "Got 0.01 instead: a number goes to learning_rate_init."),
        ("learning_rate", "cosine", "Got 'cosine' instead: use cnnkit.schedules.Cosine()."),
        ("learning_rate", "Plateau", "use cnnkit.schedules.ReduceOnPlateau()."),
        ("learning_rate", "strange", "schedules are those of cnnkit.schedules, such as Cosine()."),
        ("learning_rate", Cosine, "instead: write Cosine(), with brackets."),
        ("solver", "Adam", "Got 'Adam' instead: did you mean 'adam'?"),
        ("solver", "rmsprop", "Got 'rmsprop' instead: the nearest is 'adam'."),
        ("solver", "strange", "Got 'strange' instead."),
        ("loss", "mse", "use 'squared_error'."),
        ("loss", "MAE", "use 'absolute_error'."),
        ("loss", "l1", "use 'absolute_error'."),
        ("loss", "l2", "use 'squared_error'."),
        ("loss", "categorical_crossentropy", "that is for classes: CNNClassifier trains on it."),
        ("loss", "Huber", "did you mean 'huber'?"),
        ("image_shape", 28, "write (28, 28, 1), or 3 for images in colour."),
        ("early_stopping", 5, "write early_stopping=True, n_iter_no_change=5."),
        ("batch_size", "full", "Got 'full' instead: write a number, such as 32."),
        ("frozen", "conv1", "put it in a list: ['conv1']."),
        ("augmentation", Flip, "write Flip(), with brackets."),
        ("augmentation", True, "say which: [Flip(), Shift(1)] of cnnkit.augmentation."),
        ("layers", ReLU(), "Got ReLU() instead: put it in a list: [ReLU(), ...]."),
        ("layers", ReLU, "give an instance, in a list: [ReLU(), ...]."),
        ("max_iter", 0, "Got 0 instead."),
    ],
)
def test_values_of_estimators(name, value, advice):
    said = f"^The '{name}' parameter of CNNRegressor must be .*{re.escape(advice)}$"
    with pytest.raises(ValueError, match=said) as found:
        CNNRegressor(**{name: value}).fit(np.zeros((4, 8, 8)), np.zeros(4))
    assert type(found.value).__name__ == "InvalidParameterError"


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda: Flip("horizontal").check((8, 8, 1)), "got 'horizontal': write Flip()."),
        (lambda: Flip(True).check((8, 8, 1)), "got True: write 0.5 for half of the images"),
        (lambda: Shift(0.1).check((8, 8, 1)), "got 0.1: write whole pixels, not a share of"),
        (lambda: Shift(fill="nearest").check((8, 8, 1)), "got 'nearest': use 'edge'."),
        (lambda: Conv(1, padding="SAME").output_shape((8, 8, 1)), "got 'SAME': write 'same'."),
        (lambda: MaxPool(padding="VALID").output_shape((8, 8, 1)), "got 'VALID': write 'valid'."),
        (lambda: Sequential([ReLU]).wiring(), "ReLU'>: write ReLU(), with brackets."),
        (lambda: Sequential(["relu"]).wiring(), "got 'relu': write ReLU()."),
        (lambda: Sequential(["gelu"]).wiring(), "got 'gelu': write GELU()."),
        (lambda: GELU(True).output_shape((3,)), "got True: write 'tanh' or 'none'."),
        (lambda: Sequential([fc_head]).wiring(), ": call it: fc_head()."),
        (lambda: Sequential([100]).wiring(), "got 100: numbers belong to a layer, Conv(100) or "),
    ],
)
def test_values_of_the_others(call, said):
    with pytest.raises((TypeError, ValueError), match=re.escape(said)):
        call()


def test_advice_on_values():
    texts = [key for known in VALUES.values() for key in known if isinstance(key, str)]
    assert [key for key in texts if key != key.lower()] == ["Layer"]
    assert for_value("unknown", "x") is None
    assert for_value("learning_rate", True) is None
    assert ended("A: b.", None) == "A: b."
    assert ended("A: b.", "c") == "A: b: c."
    assert ended("A: b.", "c?") == "A: b: c?"


@pytest.mark.parametrize(
    ("name", "ours"),
    [
        ("Conv2DTranspose", "ConvTranspose"),
        ("ConvTranspose2d", "ConvTranspose"),
        ("GroupNormalization", "GroupNorm"),
        ("LayerNormalization", "LayerNorm"),
        ("SpatialDropout2D", "SpatialDropout"),
        ("Conv2D", "Conv"),
    ],
)
def test_names_of_layers_in_other_libraries(name, ours):
    with pytest.raises(AttributeError, match=f"^module 'cnnkit' has no .* '{name}': use {ours}$"):
        getattr(cnnkit, name)


def test_names_are_of_layers():
    assert set(NAMES) <= set(layers.KINDS)
    words = [word for known in NAMES.values() for word in known.split()]
    assert len(words) == len(set(words))
    with pytest.raises(AttributeError, match=r"^module 'cnnkit' has no attribute 'Nothing'$"):
        cnnkit.Nothing  # noqa: B018
