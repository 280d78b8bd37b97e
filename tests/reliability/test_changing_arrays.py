"""Arrays that change while they are in use: a result or a clear error, never a crash.

All that is given lies in memory that another process goes on writing to (see `disturbed`): indices
out of range, NaN, infinities, huge and negative numbers, and again what was right. Pages around it
may not be touched.
"""

import inspect
import sys
import threading
import warnings
from collections import Counter
from contextlib import suppress
from functools import partial
from unittest.mock import patch

import children
import numpy as np
import pytest
from conv_problems import number
from disturbed import Disturbed
from public_calls import (
    AUGMENTATIONS,
    FUNCTIONS,
    IMAGES,
    LABELS,
    MASKS,
    NUMBERS_OF_IMAGES,
    SMALL,
    call,
    classes,
    images,
    public,
)
from sklearn.base import BaseEstimator

import cnnkit
from cnnkit import augmentation, functional, layers, losses, models
from cnnkit._native import loss as native
from cnnkit.display import class_activation_maps
from cnnkit.layers.base import WeightSpec
from cnnkit.training.optimizers import Adam

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="needs Linux's mprotect")
WIDE = {  # a row takes long enough for its index to change meanwhile
    "logits": images(4, 20_000),
    "targets": np.arange(4),
    "sample_weight": np.arange(1.0, 5.0),
}
MORE = {
    "conv2d": {"b": images(3), "out": np.empty((2, 3, 3, 3), "f4")},
    "dense": {"b": images(3)},
    "softmax_cross_entropy": WIDE,
    "softmax_cross_entropy_backward": WIDE,
}
COUNTS = Counter()


def try_often(function, times):
    """Call, and count how it ends."""
    for _ in range(times):
        try:
            function()
            COUNTS["ran"] += 1
        except ValueError:
            COUNTS["refused"] += 1


def given_to(memory, arguments):
    """The same arguments, arrays being in `memory`."""
    return {
        name: memory.given(value) if isinstance(value, np.ndarray) else value
        for name, value in arguments.items()
    }


# What is tried: functions of a generator and the memory for arrays, which return what to call


def functions(rng, memory):
    name = str(rng.choice(functional.__all__))
    arguments = given_to(memory, FUNCTIONS[name] | MORE.get(name, {}))
    return name, partial(getattr(functional, name), **arguments)


ESTIMATORS = {
    name: kind
    for name, kind in public().items()
    if inspect.isclass(kind) and issubclass(kind, BaseEstimator) and hasattr(kind, "fit")
}


def methods(estimator):
    """The names of what takes images."""
    names = [name for name in dir(estimator) if not name.startswith("_") and name[-1] != "_"]
    found = {name: getattr(estimator, name) for name in names}
    return [
        name
        for name, method in found.items()
        if inspect.ismethod(method) and "X" in inspect.signature(method).parameters
    ]


def made(name, rng):
    """A fitted estimator, and the targets of its images."""
    kind, options = ESTIMATORS[name], {"max_iter": 1, "random_state": 0}
    if name == "CNNFeatures":
        return kind(cnnkit.CNNClassifier(SMALL, **options)).fit(IMAGES, LABELS), LABELS
    if rng.random() < 0.3:
        options |= {"early_stopping": True, "validation_fraction": 0.5}
    if name == "CNNRegressor":
        return kind(SMALL, **options).fit(IMAGES, NUMBERS_OF_IMAGES), NUMBERS_OF_IMAGES
    if name in ("CNNSegmenter", "CNNImageRegressor"):  # a class, or a number, for every pixel
        return kind([layers.Conv(None, 3)], **options).fit(IMAGES, MASKS), MASKS
    options["label_smoothing"] = 0.1
    estimator = kind(SMALL, **options).fit(IMAGES, LABELS)
    if rng.random() < 0.5:  # which a partial_fit refuses
        estimator.class_weight = "balanced"
    return estimator, LABELS


def estimators(rng, memory):
    name = str(rng.choice(list(ESTIMATORS)))
    estimator, targets = made(name, rng)
    method = str(rng.choice(methods(estimator)))
    function = getattr(estimator, method)
    arrays = {"X": IMAGES, "y": targets, "X_val": IMAGES, "y_val": targets, "classes": np.arange(3)}
    arrays["sample_weight"] = np.arange(1.0, 13.0)
    if method == "score":  # scikit-learn divides by their sum
        del arrays["sample_weight"]
    known = inspect.signature(function).parameters
    arguments = {key: array for key, array in arrays.items() if key in known}
    return f"{name}.{method}", partial(function, **given_to(memory, arguments))


LOSSES = {
    name: kind
    for name, kind in classes(losses, losses.Loss).items()
    if name not in ("Loss", "OwnLoss", "Pixelwise", "Regression")
}


def every_loss(rng, memory):
    name = str(rng.choice(list(LOSSES)))
    smooth = {"smoothing": 0.1} if name.endswith("CrossEntropy") and rng.random() < 0.5 else {}
    labels = name.startswith("Softmax")
    n, k = (4, 20_000) if labels else (6, 5)
    if labels:
        smooth["n_classes"] = k
    targets = np.arange(n) if labels else images(n, k)
    outputs, targets = memory.given(images(n, k)), memory.given(targets)
    doutputs, weights = memory.given(images(n, k)), memory.given(np.arange(1.0, n + 1))
    loss = LOSSES[name](**smooth)

    def run():
        # of NumPy: estimators have looked at labels and weights before
        with suppress(IndexError if name == "SoftmaxFocal" else ()):
            loss(outputs, targets, doutputs, weights)
            loss(outputs, targets, None)
        with suppress(IndexError, ZeroDivisionError):
            loss.dense(targets)
            loss.score(outputs, targets, weights)

    return f"{name} {smooth}", run


def augmentations(rng, memory):
    name = str(rng.choice(list(AUGMENTATIONS)))
    change = call(getattr(augmentation, name), dict(AUGMENTATIONS[name]), rng)
    if name == "Augmentation":  # for subclasses alone
        change = augmentation.Flip()
    batch, targets = memory.given(IMAGES), memory.given(images(len(IMAGES), 3))
    return name, lambda: change.apply(batch, targets, rng)


def networks(rng, memory):
    """Weights, gradients, activations and scratch of a network, all of them."""
    name = sorted(models.MODELS)[number(rng, 0, len(models.MODELS) - 1)]
    shape = {"lenet5": (8, 8, 1), "convnet": (8, 8, 3)}.get(name, (9, 9, 3))
    algorithm = str(rng.choice(["auto", "direct", "im2col", "winograd"]))
    graph = models.MODELS[name](3, shape, width=float(rng.choice([0.02, 0.1])))

    def empty(size):
        return memory.empty((size,), np.uint8)

    def zero(size):
        found = empty(size)
        found[:] = 0
        return found

    with (
        patch("cnnkit.network.network.empty_bytes", empty),
        patch("cnnkit.network.weights.zero_bytes", zero),
        patch("cnnkit.validate.arrays.empty_bytes", empty),
    ):
        options = {"batch_size": 2, "training": True, "scales": ("input",), "algorithm": algorithm}
        network = cnnkit.Network(graph, shape, 3, rng=rng, **options)
        network.weights.initialise(rng)
        others = [network.resized(2, packed=packed) for packed in (False, True)]
    optimizer = Adam(network.weights, 0.01, 0.1)
    X = memory.given(images(2, *shape))

    def run():
        for each in (network, *others):
            each.forward(each.load(X, slice(2)))
        network.doutput[...] = 1
        network.backward(2)
        optimizer.step(network.grads, 2)

    return f"{name} {algorithm}", run


def pictures(rng, memory):
    """What else takes images, or indices of outputs."""
    network = cnnkit.Network(cnnkit.Sequential(SMALL), IMAGES.shape[1:], 3, rng=rng)
    network.weights.initialise(rng)
    X, y = memory.given(IMAGES), memory.given(LABELS)
    if rng.random() < 0.5:
        return "class_activation_maps", lambda: class_activation_maps(network, X, y)
    clf = cnnkit.CNNClassifier(SMALL, random_state=0)
    return "lr_find", lambda: cnnkit.lr_find(clf, X, y, steps=3)


TRIED = {  # how often each is called in a trial
    functions: 300,
    every_loss: 50,
    augmentations: 100,
    networks: 4,
    estimators: 3,
    pictures: 2,
}
SHARES = np.cumsum([8, 3, 2, 3, 4, 1])  # of the trials


def changing_numbers(rng, note):
    """Something public, called a few times on arrays that somebody else writes to."""
    warnings.simplefilter("ignore")  # what is strange overflows
    kind = list(TRIED)[np.searchsorted(SHARES, rng.integers(SHARES[-1]), side="right")]
    memory = Disturbed(rng)
    cnnkit.set_num_threads(number(rng, 1, 3))
    what, run = kind(rng, memory)
    note(what)
    with memory.disturbance():
        try_often(run, TRIED[kind])


changing_numbers.found = lambda: f"{COUNTS['ran']:,} ran, {COUNTS['refused']:,} refused"


def test_numbers_that_change(trials):
    children.alone(changing_numbers, trials, quick=80, full=5_000, timeout=3600)


def changing_labels(rng, note):
    """Labels, which native code uses as indices."""
    memory = Disturbed(rng)
    arrays = [memory.given(array) for array in WIDE.values()]
    note("cross_entropy")
    with memory.disturbance():
        try_often(partial(native.cross_entropy, *arrays, memory.given(WIDE["logits"])), 300)


changing_labels.found = changing_numbers.found


def test_labels_that_change(trials):
    children.alone(changing_labels, trials, quick=20, full=500, timeout=3600)


def changing_shapes(rng, note):
    """A function, while another thread gives its arrays other shapes and makes them read-only."""
    warnings.simplefilter("ignore")  # NumPy advises against setting a shape
    sys.setswitchinterval(1e-6)
    name = str(rng.choice(functional.__all__))
    arguments = {
        key: value.copy() if isinstance(value, np.ndarray) else value
        for key, value in (FUNCTIONS[name] | MORE.get(name, {})).items()
    }
    shapes = [(a, a.shape) for a in arguments.values() if isinstance(a, np.ndarray)]
    note(name)
    ended = threading.Event()

    def change():
        while not ended.is_set():  # Python goes to the other thread here, and at calls, alone
            array, shape = shapes[number(rng, 0, len(shapes) - 1)]
            array.shape = [shape, shape, shape[::-1], (*shape, 1), (-1,)][number(rng, 0, 4)]
            array.flags.writeable = bool(rng.random() < 0.7)

    thread = threading.Thread(target=change)
    thread.start()
    try:
        try_often(partial(getattr(functional, name), **arguments), 60)
    finally:
        ended.set()
        thread.join()


changing_shapes.found = changing_numbers.found


def test_shapes_that_change(trials):
    children.alone(changing_shapes, trials, quick=20, full=2_000, timeout=3600)


class Meddler(layers.Op):
    """The op of a layer that gives its arrays other shapes, and puts others in their place."""

    scratch_bytes = 64

    def __init__(self, slots):
        self.slots = slots
        self.arrays = [*slots.xs, slots.y, *slots.dxs, slots.dy, *slots.weights.values()]
        self.meddle()

    def attach(self, scratch):
        self.arrays.append(scratch)

    def meddle(self):
        for array in filter(lambda array: array is not None, self.arrays):
            with suppress(ValueError):
                array.resize(2**20, refcheck=False)  # which NumPy refuses: it is a view
            array.shape = array.shape[::-1]
            array.flags.writeable = False
        self.arrays[-1].flags.writeable = True
        self.arrays[-1][...] = 255

    def forward(self, n):
        self.meddle()
        self.slots.y = np.empty(0)

    backward = forward


class Meddles(layers.Layer):
    def weight_specs(self, shape):
        return {"w": WeightSpec(shape)}

    def bind(self, slots):
        return Meddler(slots)


def meddling(rng, note):
    """A network with a layer that meddles, between two that native code computes."""
    warnings.simplefilter("ignore")
    around = [layers.Conv(16), layers.BatchNorm(), layers.MaxPool(2, stride=1), layers.ReLU()]
    first, last = (around[i] for i in rng.integers(len(around), size=2))
    algorithm = str(rng.choice(["auto", "direct", "im2col", "winograd"]))
    note(f"{first} {last} {algorithm}")
    graph = cnnkit.Sequential([first, Meddles(), last, layers.GlobalAvgPool(), layers.Dense()])
    network = cnnkit.Network(graph, (6, 6, 16), 3, batch_size=2, training=True, algorithm=algorithm)
    for _ in range(2):
        network.forward(2)
        network.backward(2)


def test_a_layer_that_meddles_with_its_arrays(trials):
    children.alone(meddling, trials, quick=8, full=1_000, timeout=600)


def test_all_that_is_public_is_tried():
    assert set(FUNCTIONS) == set(functional.__all__)
    assert set(AUGMENTATIONS) == set(augmentation.__all__)
    assert set(MORE) < set(FUNCTIONS)
    fitted = cnnkit.CNNClassifier(SMALL, max_iter=1).fit(IMAGES, LABELS)
    assert {"fit", "partial_fit", "predict", "score"} < set(methods(fitted))


if __name__ == "__main__":
    children.main(globals())
