"""Saving and loading fitted estimators: one safetensors file each, without pickle.

The weights, and learned arrays of numbers, are the tensors of the file. Its metadata hold a JSON
text: the estimator's class and hyper-parameters, the layers of its network, the other learned
attributes, and the version that wrote it. Only classes of closed lists are accepted: loading a file
imports and runs nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
from sklearn.frozen import FrozenEstimator
from sklearn.utils.validation import check_is_fitted

from cnnkit import models
from cnnkit.data import scaling
from cnnkit.estimators import (
    CNNClassifier,
    CNNFeatures,
    CNNImageRegressor,
    CNNRegressor,
    CNNSegmenter,
    learned_attributes,
)
from cnnkit.estimators.base import ALGORITHMS, BaseCNN
from cnnkit.estimators.setup import check_params
from cnnkit.estimators.snapshot import snapshot
from cnnkit.exceptions import ModelFormatError
from cnnkit.files import json_text, tensors
from cnnkit.files.weights import read_weights as read_weights
from cnnkit.graph.graph import Graph
from cnnkit.losses import Loss
from cnnkit.network.foreign import convert_weights as convert_weights
from cnnkit.network.network import Network, are_paths
from cnnkit.validate.values import short

if TYPE_CHECKING:
    from cnnkit.typing import FilePath

__all__ = [
    "TRUSTED_TYPES",
    "convert_weights",
    "load",
    "read_weights",
    "save",
]

FORMAT = "cnnkit model 1"
WEIGHT = "weight:"  # start of names of tensors
DTYPES = ("float32", "float64")
MOST_LAYERS = 4_000  # in a network: ResNet-1001 has some 3,300

TRAINED: dict[str, type[BaseCNN]] = {
    kind.__name__: kind for kind in (CNNClassifier, CNNRegressor, CNNSegmenter, CNNImageRegressor)
}
ESTIMATORS: dict[str, type] = TRAINED | {"CNNFeatures": CNNFeatures}
PARTS = {
    *("estimator", "params", "graph", "input_shape", "n_outputs"),
    *("algorithm", "dtype", "frozen", "scales", "learned", "features"),
}
HOLDERS = ("best_estimator_", "estimator_", "regressor_", "estimator")  # of estimators
FROZEN = {"frozen": True}  # stands for a FrozenEstimator of the model in the file


def _trusted_types():
    """Return the names of the classes and functions that estimators of cnnkit consist of.

    skops compares names only: unlike `load`, it does not check the content of their objects.
    Callbacks are left out, since some write files when a fit runs: remove them by
    ``set_callbacks()`` before such a file is written.
    """
    from cnnkit import losses, schedules
    from cnnkit.layers.base import WeightSpec
    from cnnkit.network.weights import Weights
    from cnnkit.training import loop, optimizers

    kinds = {*ESTIMATORS.values(), Network, Weights, WeightSpec, np.dtype}
    kinds |= {*models.MODELS.values(), *models.IMAGE_MODELS.values()}
    kinds |= {kind for known in json_text.PARAMETERS.values() for kind in known.values()}
    for module in (losses, optimizers, schedules, loop):  # for partial_fit, which goes on with them
        kinds |= {kind for kind in vars(module).values() if _is_of(kind, module)}
    return sorted(f"{kind.__module__}.{kind.__qualname__}" for kind in kinds)


def _is_of(kind, module):
    return isinstance(kind, type) and kind.__module__ == module.__name__


TRUSTED_TYPES = _trusted_types()  # for skops: ``skops.io.load(path, trusted=TRUSTED_TYPES)``


def save(estimator: BaseCNN | CNNFeatures, path: FilePath) -> None:
    """Write a fitted estimator to a file.

    The file replaces an existing one only when it is whole and on the disk. Hyper-parameters,
    weights and learned attributes are saved. Not saved are the other parts of a training run that
    `partial_fit` would continue (the optimizer's averages, the place in a schedule), and the
    settings made by `set_callbacks`, `set_output` and `set_fit_request`.

    Parameters
    ----------
    estimator : CNNClassifier, CNNRegressor, CNNSegmenter, CNNImageRegressor or CNNFeatures
        A fitted one.
    path : str, bytes or path-like
        The usual ending is ``.safetensors``.

    Raises
    ------
    ValueError
        If a hyper-parameter is neither plain data nor of cnnkit's own classes (such as a
        RandomState, your own layer, loss or scorer, or `initial_weights`), if labels are neither
        numbers nor text, or if `load` would refuse the file: weights that are not finite, or
        hyper-parameters that `fit` would refuse.
    TypeError
        If `estimator` is not of these classes, or `path` is not a path.
    NotFittedError
        If `estimator` is not fitted.
    OSError
        If the file cannot be written, or `path` is a folder, a device or a pipe.

    Examples
    --------
    >>> import tempfile, numpy as np
    >>> from cnnkit import CNNClassifier, load, save
    >>> X, y = np.random.default_rng(0).random((20, 8, 8)), np.repeat(["a", "b"], 10)
    >>> clf = CNNClassifier(max_iter=1, random_state=0).fit(X, y)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     save(clf, f"{folder}/model.safetensors")
    ...     again = load(f"{folder}/model.safetensors")
    >>> bool((again.predict_proba(X) == clf.predict_proba(X)).all())
    True
    """
    _check_kind(estimator, ESTIMATORS)
    check_is_fitted(estimator)
    trained = estimator = snapshot(estimator)  # a snapshot: another thread may train it meanwhile
    features = None
    if isinstance(estimator, CNNFeatures):
        trained = estimator.estimator_
        _check_kind(trained, TRAINED)
        features = {"params": _params(estimator, trained), "node": estimator.node_}
        trained = snapshot(trained)
    network = trained.network_
    learned_attributes.check_one_input(network)
    _check_layers(len(network.resolved.nodes), "save")
    arrays = {WEIGHT + name: array for name, array in network.weights.items()}
    model = {
        "estimator": type(trained).__name__,
        "params": _params(trained),
        "graph": json_text.encode(network.graph, "network_.graph", "save"),
        "input_shape": list(network.input_shape),
        "n_outputs": int(network.n_outputs),
        "algorithm": network.algorithm,
        "dtype": network.dtype.name,
        "frozen": list(network.frozen),
        "scales": list(scaling.kept(network.weights)),
        "learned": learned_attributes.encode(trained, arrays),
        "features": features,
    }
    _check_fitted(_estimators(model, "save"), network, "save")
    learned_attributes.check(vars(trained), network, trained._learned_of_targets)
    tensors.write(path, arrays, model, FORMAT, "save")


def load(
    path: FilePath,
) -> CNNClassifier | CNNRegressor | CNNSegmenter | CNNImageRegressor | CNNFeatures:
    """Return the fitted estimator of a file that `save` wrote.

    The file may come from anywhere. Only layers of a closed list are accepted, numbers are checked,
    and the shapes of all weights are compared with those of the layers before memory is allocated.

    Parameters
    ----------
    path : str, bytes or path-like
        A file that `save` wrote.

    Returns
    -------
    estimator : CNNClassifier, CNNRegressor, CNNSegmenter, CNNImageRegressor or CNNFeatures
        Fitted, with the predictions of the one that was saved.

    Raises
    ------
    ModelFormatError
        If anything about the file is wrong; the message says what.
    OSError
        If the file cannot be read.

    Examples
    --------
    >>> import tempfile, numpy as np
    >>> from cnnkit import CNNRegressor, load, save
    >>> X = np.random.default_rng(0).random((20, 8, 8))
    >>> reg = CNNRegressor(max_iter=1, random_state=0).fit(X, X.mean(axis=(1, 2)))
    >>> with tempfile.NamedTemporaryFile(suffix=".safetensors") as file:
    ...     save(reg, file.name)
    ...     load(file.name)
    CNNRegressor(max_iter=1, random_state=0)
    """
    with tensors.reading(path, FORMAT, PARTS, "load") as (model, file):
        return _read(model, file)


def _check_kind(estimator, kinds):
    """Raise unless the class of `estimator` is one of `kinds`; a subclass is refused."""
    kind = type(estimator).__name__
    if kinds.get(kind) is not type(estimator):
        from sklearn.model_selection._search import BaseSearchCV

        way = _way(estimator, kinds)
        advice = "" if way is None else f"; save estimator{way}, or all of it with joblib.dump"
        if way is None and isinstance(estimator, BaseSearchCV):
            advice = "; after a fit with refit=True its best_estimator_ can be saved"
        raise TypeError(f"save: estimator must be one of {sorted(kinds)}, got {kind}{advice}.")


def _way(estimator, kinds, depth=4):
    """Return the way to an estimator that can be saved, inside a fitted one, or None.

    It is a text such as ``.best_estimator_[-1]``, with at most `depth` steps.
    """
    from sklearn.pipeline import Pipeline

    if kinds.get(type(estimator).__name__) is type(estimator):
        return "" if vars(estimator).keys() & {"network_", "estimator_"} else None
    if isinstance(estimator, Pipeline):
        parts = {"[-1]": estimator.steps[-1][1]}
        parts |= {f"[{name!r}]": step for name, step in estimator.steps}
    else:
        parts = {f".{name}": getattr(estimator, name, None) for name in HOLDERS}
        many = getattr(estimator, "estimators_", None)
        if isinstance(many, list) and many:
            parts[".estimators_[0]"] = many[0]
    for step, part in parts.items():
        way = None if part is None or not depth else _way(part, kinds, depth - 1)
        if way is not None:
            return step + way
    return None


def _kinds(fitted):
    return json_text.PARAMETERS if fitted is None else {"estimator": TRAINED} | json_text.PARAMETERS


def _params(estimator, fitted=None):
    """Return the hyper-parameters as JSON; only `fitted` may be in a FrozenEstimator."""
    found, kinds = {}, _kinds(fitted)
    for name, value in estimator.get_params(deep=False).items():
        if name == "initial_weights" and value is not None:
            raise ValueError(
                f"save: initial_weights must be None, got a {type(value).__name__}: training is "
                f"done with them, so set_params(initial_weights=None) loses nothing learnt."
            )
        if isinstance(value, Loss):
            raise ValueError(
                f"save: loss must be a word, got {short(value)}: a file holds no code. Training is "
                f"done with it, so reset it by set_params(loss={type(estimator)().loss!r}), which "
                f"loses nothing learnt."
            )
        if name == "scoring":
            given = value.values() if isinstance(value, Mapping) else [value]
            if any(map(callable, given)):
                raise ValueError(
                    f"save: scoring must be names, got {short(value)}: a file holds no code. "
                    f"set_params(scoring=None) loses nothing learnt."
                )
        if name == "layers" and models.find(value) is not None:
            value = models.find(value).__name__
        is_frozen = fitted is not None and getattr(value, "estimator", None) is fitted
        found[name] = FROZEN if is_frozen else json_text.encode(value, name, "save", kinds)
    return found


def _read(model, file):
    """Return the estimator of an open file; raise if anything is wrong."""
    trained, features = _estimators(model, "load")
    if not isinstance(model["learned"], dict):
        raise ModelFormatError(f"load: learned must be an object, got {short(model['learned'])}.")
    unused = file.names
    network = _network(model, file, unused, trained)
    if "classes_" in trained._learned_of_targets and scaling.TARGETS in model["scales"]:
        raise ModelFormatError("load: scales must be of the input alone for a classifier.")

    def take(name, sizes):
        tensor = learned_attributes.PREFIX + name
        if tensor not in unused:
            raise ModelFormatError(f"load: a tensor must hold {name}, got none.")
        unused.remove(tensor)
        shape = file.shapes[tensor]
        if len(shape) != 1 or shape[0] not in sizes:
            wanted = f"{sizes[0]} to {sizes[-1]}" if len(sizes) > 1 else sizes[0]
            raise ModelFormatError(f"load: {name} must be {wanted} numbers, got shape {shape}.")
        return file.read(tensor)

    of_targets = trained._learned_of_targets
    attributes = learned_attributes.decode(model["learned"], network, of_targets, take)
    if unused:
        raise ModelFormatError(
            f"load: every tensor must be used, got {short(sorted(unused)[:5])} besides."
        )
    for name, array in network.weights.items():
        file.read_into(WEIGHT + name, array)
    _check_fitted((trained, features), network, "load")
    vars(trained).update(attributes, network_=network)
    return trained if features is None else _at_node(features, trained, model["features"]["node"])


def _estimators(model, owner):
    """Return the estimator that was trained and its `CNNFeatures` or None, both not yet fitted."""
    name, features = model["estimator"], model["features"]
    if not isinstance(name, str) or name not in TRAINED:
        raise ModelFormatError(
            f"{owner}: estimator must be one of {sorted(TRAINED)}, got {short(name)}."
        )
    trained = _estimator(TRAINED[name], model["params"], owner)
    if features is None:
        return trained, None
    if not isinstance(features, dict) or features.keys() != {"params", "node"}:
        raise ModelFormatError(
            f"{owner}: features must have params and node, got {short(features)}."
        )
    return trained, _estimator(CNNFeatures, features["params"], owner, trained)


def _estimator(kind, params, owner, fitted=None):
    """Return an estimator of a class with the hyper-parameters `params`."""
    if not isinstance(params, dict):
        raise ModelFormatError(f"{owner}: params must be an object, got {short(params)}.")
    unknown = sorted(params.keys() - set(kind._get_param_names()))
    if unknown:
        raise ModelFormatError(
            f"{owner}: params must be those of {kind.__name__}, got {short(unknown)}."
        )
    found, kinds = {}, _kinds(fitted)
    for name, value in params.items():
        if fitted is not None and value == FROZEN:
            found[name] = FrozenEstimator(fitted)
        else:
            found[name] = json_text.decode(value, name, owner, kinds)
    return kind(**found)


def _check_fitted(estimators, network, owner):
    """Raise unless `fit` would accept the hyper-parameters, and the weights are finite."""
    trained, features = estimators
    for estimator in (trained, features, getattr(features, "estimator", None)):
        if isinstance(estimator, CNNFeatures):
            estimator._validate_params()
        elif isinstance(estimator, BaseCNN):
            check_params(estimator, network.input_shape, network.n_outputs)
            if estimator.initial_weights is not None:
                raise ValueError(f"{owner}: initial_weights must be None, got some.")
    network.weights.check_numbers(owner)


def _at_node(features, trained, node):
    """Return `features`, fitted to a node of the network of `trained`."""
    names = [entry.name for entry in trained.network_.resolved.nodes]
    if node not in names:
        raise ModelFormatError(f"load: node must be one of {names}, got {short(node)}.")
    return features._adopt(trained, node)


def _network(model, file, unused, trained):
    """Return the network of a model, with zero weights; remove their names from `unused`."""
    graph = json_text.decode(model["graph"], "graph", "load")
    if not isinstance(graph, Graph):
        raise ModelFormatError(f"load: graph must be a graph, got {short(graph)}.")
    shape = model["input_shape"]
    if not isinstance(shape, list) or len(shape) != 3 or not all(map(_is_size, shape)):
        raise ModelFormatError(
            f"load: input_shape must be three positive ints, got {short(shape)}."
        )
    if not _is_size(model["n_outputs"]):
        raise ModelFormatError(f"load: n_outputs must be an int, got {short(model['n_outputs'])}.")
    for name, allowed in (("algorithm", ALGORITHMS), ("dtype", DTYPES)):
        if model[name] not in allowed:
            raise ModelFormatError(
                f"load: {name} must be one of {allowed}, got {short(model[name])}."
            )
    resolved = graph.resolve(shape, model["n_outputs"])
    _check_layers(len(resolved.nodes), "load")
    frozen, paths = model["frozen"], [node.name for node in resolved.nodes]
    if not isinstance(frozen, list) or not are_paths(frozen, paths):
        raise ModelFormatError(
            f"load: frozen must be names of layers {paths}, got {short(frozen)}."
        )
    scales = model["scales"]
    if scales not in scaling.SETS:
        raise ModelFormatError(f"load: scales must be one of {scaling.SETS}, got {short(scales)}.")
    specs = resolved.weight_specs | scaling.specs(scales, shape[-1], model["n_outputs"])
    for name, spec in specs.items():
        tensor = WEIGHT + name
        if tensor not in unused:
            raise ModelFormatError(f"load: a tensor must hold the weights {name!r}, got none.")
        unused.remove(tensor)
        found, dtype = file.shapes[tensor], file.dtypes[tensor]
        if found != tuple(spec.shape) or dtype != model["dtype"]:
            raise ModelFormatError(
                f"load: {name} must be of {model['dtype']} and shape {tuple(spec.shape)}, "
                f"got {dtype} and {found}."
            )
    outputs = list(resolved.output_shapes)
    wanted = trained._output_shape(tuple(shape), model["n_outputs"])
    if outputs != [wanted]:
        raise ModelFormatError(
            f"load: graph must end in one output of shape {wanted}, got outputs of {outputs}."
        )
    return Network(
        resolved,
        dtype=np.dtype(model["dtype"]),
        algorithm=model["algorithm"],
        frozen=tuple(frozen),
        scales=tuple(scales),
    )


def _check_layers(count, owner):
    """Raise if a network has more layers than can be loaded in a short time."""
    if count > MOST_LAYERS:
        raise ValueError(f"{owner}: graph must have at most {MOST_LAYERS} layers, got {count}.")


def _is_size(value):
    return isinstance(value, int) and not isinstance(value, bool) and 0 < value < 1 << 31
