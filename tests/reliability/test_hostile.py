"""Whatever is given to whatever is public: no crash, no hang, and errors that say what is wrong.

Everything public is found by looking, and must be in `CALLS`: valid arguments, some of which a
trial replaces by hostile ones. Only `ALLOWED` may be raised. The child that makes the trials has
little memory to ask for, so that a size that passes all checks is a MemoryError.
"""

import contextlib
import functools
import importlib.util
import inspect
import io
import os
import sys
import time
import warnings
from collections import Counter
from decimal import Decimal
from fractions import Fraction

import children
import numpy as np
import pytest
from public_calls import FUNCTIONS, images
from sklearn.base import BaseEstimator

import cnnkit
from cnnkit import augmentation, blocks, callbacks, display, functional, layers, models, schedules

ALLOWED = (ValueError, TypeError, MemoryError, OverflowError)
if not all(map(importlib.util.find_spec, ("matplotlib", "rich", "safetensors"))):
    ALLOWED += (ImportError,)
MEMORY = 512 << 20  # bytes a child may ask for
BIG = [2**20, 2**24, 2**31 - 1, 2**31, 2**46, 2**55, 2**63 - 1, 2**63, 2**64, 10**30, 10**400]


class Refuses:
    """An object whose every conversion raises."""

    def __index__(self):
        raise TypeError("no index")

    __int__ = __float__ = __len__ = __array__ = __index__


class Lies:
    """An object that says it is a number and is not."""

    def __index__(self):
        return "7"

    def __float__(self):
        return "7"

    def __len__(self):
        return -1


def deep(depth):
    """Lists in lists in lists."""
    found = []
    for _ in range(depth):
        found = [found]
    return found


def itself():
    """A list that holds itself."""
    found = []
    found.append(found)
    return found


NUMBERS = [
    *(0, 1, 2, 3, 7, -1, -2, *BIG, *(-n for n in BIG)),
    *(0.0, -0.0, 0.5, 1.0, 2.0, -1.5, 1e-320, 1e-300, 1e300, np.nan, np.inf, -np.inf),
    *(True, False, np.True_, 1j, Decimal("NaN"), Decimal(2), Fraction(1, 3), Fraction(2)),
    *(np.int8(-3), np.uint8(200), np.int64(2**62), np.uint64(2**64 - 1), np.float16(np.nan)),
    *(np.float32(2.5), np.longdouble(2), np.datetime64("2020-01-01"), np.timedelta64(2, "s")),
]
OTHERS = [
    *("", "a", "same", "valid", "auto", "conv1", "input", "a/b", "conv1__filters", "\0", "\ud800"),
    *("x" * 10_000, b"same", bytearray(3), None, Ellipsis, NotImplemented, object(), type, int),
    *((), (1,), (1, 2), (2, 3, 4), [], [1], [3, 2], ((1, 0), (0, 1)), ((1,), (2,)), (None, None)),
    *(("a", "b"), [[1, 2], [3]], {}, {"a": 1}, {1, 2}, range(2), range(2**40), slice(2)),
    *(np.array(3), np.array([1, 2]), np.array([]), np.zeros((0, 3)), np.array("a"), np.array(None)),
    *(lambda *args: None, len, np.float32, np.dtype("f4"), Refuses(), Lies(), memoryview(b"abc")),
    *(
        layers.Conv(2),
        layers.Conv,
        layers.Add(),
        cnnkit.Input(),
        deep(50),
        itself(),
        np.random.default_rng(0),
    ),
]
ARRAYS = [
    *(np.zeros(shape, "f4") for shape in [(), (0,), (3,), (2, 0), (1, 2, 3), (1, 1, 1, 1)]),
    *(np.full((2, 5, 5, 2), value) for value in (np.nan, np.inf, -np.inf, 1e300, 1e-320)),
    *(np.ones((2, 5, 5, 2), dtype) for dtype in ("f2", "g", "D", "O", "?", "u1", "i8", "U1")),
    *(np.ones((2, 5, 5, 2), dtype) for dtype in ("M8[s]", "m8[s]", "V4", "f4,i4", ">f8")),
    *(np.zeros((2**40, 0)), np.zeros((0, 2**31, 2, 2)), np.zeros((2, 5, 5, 2), order="F")),
    *(np.ma.masked_array(np.ones((2, 5, 5, 2)), True), np.asmatrix(np.ones((4, 4)))),
    *([[1, 2], [3, 4]], [[[[1.0]]]], [["a"]], [None], "text", range(3)),
]
# One number as many, which nobody can copy; but scikit-learn adds up all of them
ENDLESS = [
    np.broadcast_to(np.float32(1), shape)
    for shape in [(2**31, 2**20), (1, 2**15, 2**15, 1), (2**40,), (2**15, 2**15)]
]


def hostile(rng, arrays=False, endless=False):
    """Anything: an array where there should be one, a number or a pair of them, something else."""
    which = rng.random()
    if arrays and which < 0.7:
        if which < 0.3:
            return rng.standard_normal(rng.integers(0, 6, rng.integers(0, 6)))
        pool = ARRAYS + ENDLESS if endless else ARRAYS
        return pool[rng.integers(len(pool))]
    pool = NUMBERS if which < 0.85 else OTHERS
    value = pool[rng.integers(len(pool))]
    if rng.random() < 0.2:
        others = [value, *(NUMBERS[i] for i in rng.integers(len(NUMBERS), size=rng.integers(3)))]
        return tuple(others) if rng.random() < 0.7 else others
    return value


SMALL = [layers.Conv(2), layers.Conv1x1(), layers.GlobalAvgPool()]
IMAGES, LABELS = images(12, 6, 6, 1), np.arange(12) % 3
NUMBERS_OF_IMAGES = images(12)
FITTED = {}


def fitted(kind="CNNClassifier"):
    """A fitted estimator, made once."""
    if kind not in FITTED:
        targets = NUMBERS_OF_IMAGES if kind == "CNNRegressor" else LABELS
        FITTED[kind] = getattr(cnnkit, kind)(max_iter=1, random_state=0).fit(IMAGES, targets)
    return FITTED[kind]


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
    inputs = [shape] * (2 if layer.inputs[0] == 2 and layer.wiring() is None else 1)
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
    change.apply(batch, np.ones((2, 3)), np.random.default_rng(0))


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


def use_estimator(kind, given, rng):
    params = {"layers": SMALL, "max_iter": 1, "random_state": 0, **short(given)}
    if kind is cnnkit.CNNFeatures:
        params = {"estimator": cnnkit.CNNClassifier(SMALL, max_iter=1), **given}
    targets = NUMBERS_OF_IMAGES if kind is cnnkit.CNNRegressor else LABELS
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
        and function.__module__ == module.__name__
        and not name.startswith("_")
    }


def public():
    """Everything public by its name, without the modules that hold it."""
    found = {name: getattr(cnnkit, name) for name in cnnkit.__all__}
    found = {name: thing for name, thing in found.items() if not inspect.ismodule(thing)}
    found |= {name: getattr(functional, name) for name in functional.__all__}
    found |= {name: getattr(layers, name) for name in layers.__all__}
    found |= functions(blocks) | functions(models)
    found |= classes(schedules, schedules.Schedule)
    found |= {name: getattr(augmentation, name) for name in augmentation.__all__}
    found |= classes(callbacks, callbacks.Callback)
    return found | {name: getattr(display, name) for name in display.__all__}


LAYERS = {name: {} for name in layers.__all__} | {
    "Add": {"branches": [layers.Conv(2), layers.Conv1x1(2)]},
    "Multiply": {"branches": [layers.Conv(2), layers.Conv1x1(2)]},
    "Concat": {"branches": [layers.Conv(2), layers.Conv1x1(3)]},
    "Conv": {"filters": 3},
    "Conv1x1": {"filters": 3},
    "Reshape": {"shape": (4, -1)},
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
    "mlpconv": {"filters": [3, 4]},
    **{name: {"n_outputs": 3, "image_shape": (5, 5, 4), "width": 0.1} for name in models.MODELS},
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
}
GRAPH = cnnkit.Sequential(SMALL)
OTHER_CALLS = {
    "CNNClassifier": (use_estimator, {}),
    "CNNFeatures": (use_estimator, {}),
    "CNNRegressor": (use_estimator, {}),
    "Input": (call, {}),
    "Network": (use_network, {"graph": GRAPH, "input_shape": (5, 5, 2), "n_outputs": 3}),
    "class_activation_maps": (
        call,
        lambda: {"network": fitted().network_, "X": IMAGES[:2], "targets": [0, 1]},
    ),
    "describe": (call, {"layer": layers.Conv(3)}),
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
    **dict.fromkeys(models.MODELS, 0.2),
    **dict.fromkeys([*SCHEDULES, *AUGMENTATIONS], 10),
    **dict.fromkeys([*CALLBACKS, *DISPLAYS], 0.05),
    **dict.fromkeys(OTHER_CALLS, 5),
    **dict.fromkeys(["CNNClassifier", "CNNFeatures", "CNNRegressor", "lr_find"], 2),
    **dict.fromkeys(["class_activation_maps", "load", "save", "plot_graph"], 0.2),
    **dict.fromkeys(["Layer", "Schedule", "Augmentation", "show_versions"], 0.01),
}
FOUND = Counter()
SLOWEST = [0.0, ""]


def limit_memory():
    """Let this process ask for a little more memory than it has."""
    import resource

    np.dot(np.ones((300, 300)), np.ones((300, 300)))  # BLAS takes its memory when first used
    cnnkit.set_num_threads(2)
    big = images(4, 16, 16, 16)
    functional.conv2d(big, images(3, 3, 16, 16))
    with open("/proc/self/statm") as file:
        used = int(file.read().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (used + MEMORY, used + MEMORY))


THINGS = {}


def hostile_call(rng, note):
    """One call of something public with one to three arguments replaced."""
    if not THINGS:
        warnings.simplefilter("ignore")
        THINGS.update(public())
        fitted()
        SHARES_OF[:] = np.cumsum([SHARES[name] for name in CALLS])
        limit_memory()
    name = NAMES[np.searchsorted(SHARES_OF, rng.random() * SHARES_OF[-1], side="right")]
    use, valid = CALLS[name]
    given = dict(valid() if callable(valid) else valid)
    thing = THINGS[name]
    kinds = parameters(thing)
    if use is use_display:  # which draws, too
        kinds = parameters(thing.from_estimator) | dict(list(parameters(thing.plot).items())[1:])
    several = [key for key, kind in kinds.items() if kind.kind is kind.VAR_POSITIONAL]
    names = [key for key, kind in kinds.items() if kind.kind is not kind.VAR_KEYWORD]
    for key in rng.permutation(names)[: rng.integers(1, 4)]:
        key = str(key)
        value = hostile(rng, isinstance(given.get(key), np.ndarray), name in FUNCTIONS)
        given[key] = (value,) if key in several else value
    note(f"{name}({shown(given)})")
    began = time.process_time()
    try:
        with contextlib.redirect_stdout(io.StringIO()):
            use(thing, given, rng)
        FOUND["ran"] += 1
    except ALLOWED as error:
        FOUND[next(kind.__name__ for kind in ALLOWED if isinstance(error, kind))] += 1
    taken = time.process_time() - began
    if taken > SLOWEST[0]:
        SLOWEST[:] = taken, f"{name}({shown(given)})"
    cnnkit.set_num_threads(2)


NAMES, SHARES_OF = list(CALLS), np.zeros(len(CALLS))


def shown(given):
    """Arguments as text, short."""
    return ", ".join(f"{key}={brief(value)}" for key, value in given.items())


def brief(value):
    if isinstance(value, np.ndarray):
        return f"{value.dtype} {value.shape}"
    if isinstance(value, BaseEstimator):
        return type(value).__name__
    text = repr(value)
    return text if len(text) < 200 else text[:200] + "..."


def say_found():
    counts = ", ".join(f"{count:,} {what}" for what, count in sorted(FOUND.items()))
    return f"{counts}; slowest {SLOWEST[0]:.1f} s"


hostile_call.found = say_found


def test_all_that_is_public_is_tried():
    assert set(CALLS) == set(public())


@pytest.mark.skipif(sys.platform != "linux", reason="needs a limit of memory")
def test_hostile_arguments(trials):
    children.alone(hostile_call, trials, quick=6_000, full=1_000_000, timeout=3600)


if __name__ == "__main__":
    children.main(globals())
