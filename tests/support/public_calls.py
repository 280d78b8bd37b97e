"""All that is public: arguments that are right, and what is done with what comes of them.

Everything public is found by looking, and must be in `CALLS`. Where a layer, a network or an
estimator is then put to use, it is sometimes given something hostile as well.
"""

import contextlib
import functools
import inspect
import os

import layer_cases
import numpy as np
from hostile import hostile

import cnnkit
from cnnkit import augmentation, blocks, callbacks, display, functional, layers, models, schedules


def images(*shape, dtype="f4"):
    """Normal numbers, always the same."""
    return np.random.default_rng(0).standard_normal(shape).astype(dtype)


SMALL = [layers.Conv(2), layers.Conv1x1(), layers.GlobalAvgPool()]
IMAGES, LABELS = images(12, 6, 6, 1), np.arange(12) % 3
NUMBERS_OF_IMAGES = images(12)
MASKS = (IMAGES[..., 0] > 0).astype(int)


@functools.cache
def fitted():
    """A fitted classifier, made once."""
    return cnnkit.CNNClassifier(max_iter=1, random_state=0).fit(IMAGES, LABELS)


@functools.cache
def segmenter():
    """A fitted segmenter, made once."""
    return cnnkit.CNNSegmenter([layers.Conv1x1()], max_iter=1, random_state=0).fit(IMAGES, MASKS)


# What is done with the arguments of each kind of thing


@functools.cache
def parameters(function):
    return inspect.signature(function).parameters


def call(function, given, rng):
    """A function, its *args among the arguments by name."""
    kinds = parameters(function)
    spread = [name for name in kinds if kinds[name].kind is inspect.Parameter.VAR_POSITIONAL]
    spread = [name for name in spread if name in given]
    args = [value for name in spread for value in given.pop(name)]
    return function(*args, **given)


def use_layer(kind, given, rng):
    """Made, described, asked for shapes and counts, and run in a network."""
    use_graph(call(kind, given, rng), rng)


def use_block(function, given, rng):
    found = call(function, given, rng)
    if isinstance(found, layers.Layer):
        use_graph(found, rng)


def use_graph(layer, rng):
    if rng.random() < 0.1:
        repr(layer)
    shape = (5, 5, 4)
    if rng.random() < 0.1:
        shape, layer = hostile(rng), cnnkit.Sequential([layer])
    inputs = [shape] * (2 if layer.inputs[0] == 2 and not layer.composite else 1)
    if isinstance(layer, cnnkit.Graph) and rng.random() < 0.3:
        use_method(layer, rng)
    layer.output_shape(*inputs)
    layer.weight_specs(*inputs)
    layer.multiply_adds(*inputs)
    if rng.random() < 0.3 and len(inputs) == 1:
        run(cnnkit.Sequential([layer]), shape, rng)


def use_method(graph, rng):
    """What else a graph does, with anything."""
    which = rng.integers(7)
    if which == 0:
        graph.summary(hostile(rng), hostile(rng))
    elif which == 1:
        graph.to_json(hostile(rng))
    elif which == 2:
        type(graph).from_json(hostile(rng))
    elif which == 3:
        graph.wiring()  # scikit-learn's clone follows a list into itself
        names = list(graph.get_params())
        graph.set_params(**{str(rng.choice(names)): hostile(rng)}).flattened(3)
    elif which == 4:
        graph.to_dot(hostile(rng), hostile(rng))
    elif which == 5:
        graph.shapes(hostile(rng))
    else:
        graph.flattened(hostile(rng))


def run(graph, shape, rng, n_outputs=3, **options):
    options = {"batch_size": 2, "training": True, "rng": np.random.default_rng(0), **options}
    network = cnnkit.Network(graph, shape, n_outputs, **options)
    network.x[...] = 1
    network.forward(1)
    if network.training:
        network.doutput[...] = 1
        network.backward(1)
    return network


def use_network(kind, given, rng):
    network = run(given.pop("graph"), given.pop("input_shape"), rng, **given)
    which = rng.integers(6)
    if which == 0:
        network.forward(hostile(rng))
    elif which == 1:
        network.backward(hostile(rng))
    elif which == 2:
        network.activations(hostile(rng, arrays=True), hostile(rng))
    elif which == 3:
        network.resized(hostile(rng), hostile(rng), packed=bool(rng.random() < 0.5))
    elif which == 4:
        network.weights["conv1/w"] = hostile(rng, arrays=True)
    else:
        network.weights.take({path: hostile(rng, arrays=True) for path in network.weights}, "x")


def use_schedule(kind, given, rng):
    arguments = [0.1, 3, 5]
    if rng.random() < 0.3:
        arguments[rng.integers(3)] = hostile(rng)
    schedule = call(kind, given, rng)
    repr(schedule)
    rates = schedule.bind(*arguments)
    for step in (0, 1, 7, 14):
        rates.rate(step)
        rates.report(float(rng.choice([1.0, np.nan, np.inf])))


def use_augmentation(kind, given, rng):
    change = call(kind, given, rng)
    repr(change)
    shape = (6, 6, 1) if rng.random() < 0.8 else hostile(rng)
    change.check(shape)
    change.without_mixing()
    batch = np.ones((2, 6, 6, 1)) if rng.random() < 0.8 else hostile(rng, arrays=True)
    targets = np.ones((2, 3))
    if rng.random() < 0.3:
        targets = MASKS[:2].copy() if rng.random() < 0.7 else hostile(rng, arrays=True)
    change.apply(batch, targets, np.random.default_rng(0))


def use_callback(kind, given, rng):
    """Heard by a fit, in files of an own folder."""
    listener = call(kind, given, rng)
    if kind is not callbacks.Bar:
        with contextlib.suppress(OSError):  # a path that cannot be written
            clf = cnnkit.CNNClassifier(SMALL, max_iter=1).set_callbacks(listener)
            clf.fit(IMAGES, LABELS)


# What asks for much work, and is given it
PATIENT = ("max_iter", "test_time_augmentation", "steps", "n_iter_no_change")


def short(given):
    """Arguments that do not ask for hours of work."""
    return {
        name: 2 if name in PATIENT and np.ndim(value) == 0 and is_large(value) else value
        for name, value in given.items()
    }


def is_large(value):
    return isinstance(value, (int, np.integer)) and value > 5


TO_IMAGES = (cnnkit.CNNSegmenter, cnnkit.CNNImageRegressor)


def use_estimator(kind, given, rng):
    params = {"layers": SMALL, "max_iter": 1, "random_state": 0, **short(given)}
    if kind is cnnkit.CNNFeatures:
        params = {"estimator": cnnkit.CNNClassifier(SMALL, max_iter=1), **given}
    targets = NUMBERS_OF_IMAGES if kind is cnnkit.CNNRegressor else LABELS
    if kind in TO_IMAGES:
        params["layers"] = given.get("layers", [layers.Conv(4), layers.ReLU(), layers.Conv1x1()])
        targets = MASKS
    estimator = call(kind, {}, rng).set_params(**params)
    repr(estimator)
    arguments = {"X": IMAGES, "y": targets}
    if rng.random() < 0.4:
        names = list(inspect.signature(estimator.fit).parameters)
        for name in rng.choice(names, rng.integers(1, 3)):
            arguments[str(name)] = hostile(rng, arrays=True)
    estimator.fit(**arguments)
    batch = IMAGES if rng.random() < 0.7 else hostile(rng, arrays=True)
    (estimator.transform if kind is cnnkit.CNNFeatures else estimator.predict)(batch)


def use_lr_find(function, given, rng):
    function(**short(given))


def use_display(kind, given, rng):
    from matplotlib import pyplot

    pyplot.switch_backend("agg")
    try:
        call(kind.from_estimator, short(given), rng)
    finally:
        pyplot.close("all")


def use_file(function, given, rng):
    """In an own folder; what is not there or cannot be written is an OSError."""
    if is_path(given["path"]):
        with contextlib.suppress(OSError):
            call(function, given, rng)


def is_path(value):
    return isinstance(value, (str, bytes, os.PathLike))


# All that is public, with arguments that are right


def classes(module, base):
    return {
        name: kind
        for name, kind in vars(module).items()
        if inspect.isclass(kind) and issubclass(kind, base) and not name.startswith("_")
    }


def functions(module):
    return {
        name: function
        for name, function in vars(module).items()
        if inspect.isfunction(function)
        and f"{function.__module__}.".startswith(f"{module.__name__}.")
        and not name.startswith("_")
    }


def public():
    """Everything public by its name, without the modules that hold it."""
    found = {name: getattr(cnnkit, name) for name in cnnkit.__all__}
    found = {name: thing for name, thing in found.items() if not inspect.ismodule(thing)}
    found |= {name: getattr(functional, name) for name in functional.__all__}
    found |= classes(layers, layers.Layer)
    found |= functions(blocks) | functions(models)
    found |= classes(schedules, schedules.Schedule)
    found |= {name: getattr(augmentation, name) for name in augmentation.__all__}
    found |= classes(callbacks, callbacks.Callback)
    return found | {name: getattr(display, name) for name in display.__all__}


X4, W4, Y4 = images(2, 5, 5, 2), images(3, 3, 2, 3), images(2, 3, 3, 3)
ROWS = images(4, 6)
FUNCTIONS = {
    "avg_pool2d": {"x": X4, "pool_size": 2},
    "avg_pool2d_backward": {"dy": images(2, 2, 2, 2), "input_shape": (2, 5, 5, 2), "pool_size": 2},
    "col2im": {"cols": images(18, 18), "input_shape": (2, 5, 5, 2), "kernel_size": 3},
    "conv2d": {"x": X4, "w": W4},
    "conv2d_backward": {"dy": Y4, "x": X4, "w": W4},
    "dense": {"x": ROWS, "w": images(6, 3)},
    "dense_backward": {"dy": images(4, 3), "x": ROWS, "w": images(6, 3)},
    "global_avg_pool2d": {"x": X4},
    "global_avg_pool2d_backward": {"dy": images(2, 2), "input_shape": (2, 5, 5, 2)},
    "im2col": {"x": X4, "kernel_size": 3},
    "max_pool2d": {"x": X4, "pool_size": 2},
    "max_pool2d_backward": {"dy": images(2, 2, 2, 2), "x": X4, "pool_size": 2},
    "relu": {"x": ROWS},
    "relu_backward": {"dy": ROWS, "y": ROWS},
    "softmax": {"x": ROWS},
    "softmax_backward": {"dy": ROWS, "y": ROWS},
    "softmax_cross_entropy": {"logits": ROWS, "targets": np.arange(4)},
    "softmax_cross_entropy_backward": {"logits": ROWS, "targets": np.arange(4)},
}
LAYERS = {name: case.arguments for name, case in layer_cases.CASES.items()} | {
    "Graph": {"nodes": [("a", layers.Conv(3), "input"), ("b", layers.ReLU(), "a")]},
    "Residual": {"body": [layers.Conv(4), layers.ReLU()]},
    "Sequential": {"layers": [layers.Conv(3), layers.ReLU()]},
}
BLOCKS = {
    "add_depth": {"channels": 4, "n_layers": 2},
    "basic_block": {"filters": 4},
    "bottleneck": {"filters": 4, "projection": True},
    "channel_attention": {"channels": 4, "ratio": 2},
    "depthwise_separable": {"filters": 4},
    "dimension_reduction": {"channels": 4, "factor": 2},
    "feature_fusion": {},
    "feature_pyramid": {"symbols": [cnnkit.Input()], "filters": 4},
    "fc_head": {"units": (3,)},
    "fire": {"squeeze": 2, "expand_1x1": 3},
    "gap_head": {"filters": (3,)},
    "inception": {"filters_1x1": 3},
    "inverted_residual": {"filters": 4, "channels": 4},
    "mlpconv": {"filters": [3, 4]},
    **{
        name: {"n_outputs": 3, "image_shape": (5, 5, 4), "width": 0.1}
        for name in (*models.MODELS, *models.IMAGE_MODELS)
    },
    "small": {"name": "convnet", "image_shape": (5, 5, 4), "n_outputs": 3},
}
SCHEDULES = {key: {} for key in classes(schedules, schedules.Schedule)}
AUGMENTATIONS = {key: {} for key in augmentation.__all__} | {
    "Augment": {"steps": [augmentation.Flip(), augmentation.Shift(1), augmentation.Rotate()]}
}
CALLBACKS = {key: {} for key in classes(callbacks, callbacks.Callback)} | {
    "Bar": {"epochs": 3},
    "Checkpoint": {"path": "weights.npz"},
    "CSVLog": {"path": "log.csv"},
    "JSONLog": {"path": "log.json"},
}
DISPLAYS = {
    "ArchitectureDisplay": lambda: {"estimator": fitted()},
    "ClassActivationDisplay": lambda: {"estimator": fitted(), "X": IMAGES[:2]},
    "FeatureMapDisplay": lambda: {"estimator": fitted(), "image": IMAGES[0]},
    "FilterDisplay": lambda: {"estimator": fitted()},
    "LearningRateDisplay": lambda: {"estimator": fitted(), "X": IMAGES, "y": LABELS, "steps": 3},
    "LossCurveDisplay": lambda: {"estimator": fitted()},
    "MisclassifiedDisplay": lambda: {"estimator": fitted(), "X": IMAGES, "y": LABELS},
    "SegmentationDisplay": lambda: {"estimator": segmenter(), "X": IMAGES, "y": MASKS},
}
GRAPH = cnnkit.Sequential(SMALL)
OTHER_CALLS = {
    "CNNClassifier": (use_estimator, {}),
    "CNNFeatures": (use_estimator, {}),
    "CNNImageRegressor": (use_estimator, {}),
    "CNNRegressor": (use_estimator, {}),
    "CNNSegmenter": (use_estimator, {}),
    "Input": (call, {}),
    "Network": (use_network, {"graph": GRAPH, "input_shape": (5, 5, 2), "n_outputs": 3}),
    "class_activation_maps": (
        call,
        lambda: {"network": fitted().network_, "X": IMAGES[:2], "targets": [0, 1]},
    ),
    "describe": (call, {"layer": layers.Conv(3)}),
    "find": (call, {"model": "convnet"}),
    "load": (use_file, {"path": "model.safetensors"}),
    "lr_find": (
        use_lr_find,
        {"estimator": cnnkit.CNNClassifier(SMALL), "X": IMAGES, "y": LABELS, "steps": 3},
    ),
    "num_threads": (call, {}),
    "plot_graph": (call, {"graph": GRAPH}),
    "save": (use_file, lambda: {"estimator": fitted(), "path": "model.safetensors"}),
    "set_num_threads": (call, {"n": 2}),
    "show_versions": (call, {}),
    "to_dot": (call, {"graph": GRAPH, "input_shape": (5, 5, 2)}),
}
CALLS = {
    **{name: (call, given) for name, given in FUNCTIONS.items()},
    **{name: (use_layer, given) for name, given in LAYERS.items()},
    **{name: (use_block, given) for name, given in BLOCKS.items()},
    **{name: (use_schedule, given) for name, given in SCHEDULES.items()},
    **{name: (use_augmentation, given) for name, given in AUGMENTATIONS.items()},
    **{name: (use_callback, given) for name, given in CALLBACKS.items()},
    **{name: (use_display, given) for name, given in DISPLAYS.items()},
    **OTHER_CALLS,
    # for subclasses alone: they do nothing
    **{name: (call, {}) for name in ("Layer", "Schedule", "Augmentation")},
}
# How often a kind of thing is tried: less often what takes longer
SHARES = {
    **dict.fromkeys(FUNCTIONS, 20),
    **dict.fromkeys(LAYERS, 12),
    **dict.fromkeys(BLOCKS, 3),
    **dict.fromkeys((*models.MODELS, *models.IMAGE_MODELS), 0.2),
    **dict.fromkeys([*SCHEDULES, *AUGMENTATIONS], 10),
    **dict.fromkeys([*CALLBACKS, *DISPLAYS], 0.05),
    **dict.fromkeys(OTHER_CALLS, 5),
    **dict.fromkeys(["CNNClassifier", "CNNFeatures", "CNNRegressor", "lr_find"], 2),
    **dict.fromkeys(["CNNImageRegressor", "CNNSegmenter"], 2),
    **dict.fromkeys(["class_activation_maps", "load", "save", "plot_graph"], 0.2),
    **dict.fromkeys(["Layer", "Schedule", "Augmentation", "show_versions"], 0.01),
}
