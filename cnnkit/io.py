"""Fitted estimators in files: one safetensors file each, no pickle anywhere.

The weights, and learned arrays of numbers, are the tensors of the file. Its metadata hold a JSON
text: the estimator's class and hyper-parameters, the layers of its network, what else it has
learned, and the version that wrote it. Classes are those of closed lists: loading a file imports
and runs nothing.
"""

import numpy as np
from sklearn.base import is_classifier
from sklearn.frozen import FrozenEstimator
from sklearn.utils.validation import check_is_fitted

from cnnkit import learned, plain, tensors
from cnnkit.estimators import CNNClassifier, CNNFeatures, CNNRegressor
from cnnkit.estimators.base import ALGORITHMS, BaseCNN
from cnnkit.exceptions import ModelFormatError
from cnnkit.graph import Graph, infer_shapes, network_specs
from cnnkit.network import Network

FORMAT = "cnnkit model 1"
WEIGHT = "weight:"  # what names of tensors start with
DTYPES = {"F32": "float32", "F64": "float64"}

TRAINED = {"CNNClassifier": CNNClassifier, "CNNRegressor": CNNRegressor}
ESTIMATORS = TRAINED | {"CNNFeatures": CNNFeatures}
PARTS = {
    *("estimator", "params", "graph", "input_shape", "n_outputs"),
    *("algorithm", "dtype", "frozen", "learned", "features"),
}
FROZEN = {"frozen": True}  # in the place of a FrozenEstimator of what the file holds


def _trusted_types():
    """Return the names of the classes that estimators of cnnkit's own parts consist of.

    skops looks at names alone: unlike `load`, it does not check what a file holds of them.
    """
    from cnnkit import losses, optimizers, schedules, training
    from cnnkit.layers.base import WeightSpec
    from cnnkit.weights import Weights

    kinds = {*ESTIMATORS.values(), Network, Weights, WeightSpec, np.dtype}
    kinds |= {kind for known in plain.PARAMETERS.values() for kind in known.values()}
    for module in (losses, optimizers, schedules, training):  # what partial_fit goes on with
        kinds |= {kind for kind in vars(module).values() if _is_of(kind, module)}
    return sorted(f"{kind.__module__}.{kind.__qualname__}" for kind in kinds)


def _is_of(kind, module):
    return isinstance(kind, type) and kind.__module__ == module.__name__


TRUSTED_TYPES = _trusted_types()  # for skops: ``skops.io.load(path, trusted=TRUSTED_TYPES)``


def save(estimator, path):
    """Write a fitted estimator to a file.

    The file takes the place of the one there is only when it is whole and on the disk. Kept are
    hyper-parameters, weights and learned attributes. Not kept is what `partial_fit` would go on
    with besides (the optimizer's averages, the place in a schedule), nor what `set_callbacks`,
    `set_output` and `set_fit_request` were told.

    Parameters
    ----------
    estimator : CNNClassifier, CNNRegressor or CNNFeatures, fitted
    path : str or Path
        By custom ``.safetensors``.

    Raises
    ------
    ValueError
        If a hyper-parameter is not of cnnkit's own classes or plain data: a RandomState, say, a
        layer of one's own, or `initial_weights`.
    OSError
        If the file cannot be written.
    ImportError
        Without safetensors: ``pip install cnnkit[io]``.

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
    trained, features = estimator, None
    if isinstance(estimator, CNNFeatures):
        trained = estimator.estimator_
        _check_kind(trained, TRAINED)
        features = {"params": _params(estimator, trained), "node": estimator.node_}
    network = trained.network_
    arrays = {WEIGHT + name: array for name, array in network.weights.items()}
    model = {
        "estimator": type(trained).__name__,
        "params": _params(trained),
        "graph": plain.encode(network.graph, "network_.graph", "save"),
        "input_shape": list(network.input_shape),
        "n_outputs": int(network.n_outputs),
        "algorithm": network.algorithm,
        "dtype": network.dtype.name,
        "frozen": list(network.frozen),
        "learned": learned.encode(trained, arrays),
        "features": features,
    }
    tensors.write(path, arrays, model, FORMAT, "save")


def load(path):
    """Return the fitted estimator of a file that `save` wrote.

    The file may come from anywhere. Layers are of a closed list, numbers are checked, and the
    shapes of all weights must be those of the layers before memory is taken for them.

    Parameters
    ----------
    path : str or Path

    Returns
    -------
    estimator : CNNClassifier, CNNRegressor or CNNFeatures

    Raises
    ------
    ModelFormatError
        If anything about the file is wrong; it says what.
    OSError
        If the file cannot be read.
    ImportError
        Without safetensors: ``pip install cnnkit[io]``.

    Examples
    --------
    See `save`.
    """
    with tensors.reading(path, FORMAT, PARTS, "load") as (model, file):
        return _read(model, file)


def _check_kind(estimator, kinds):
    """Raise unless `estimator` is of the classes `kinds`, not of a subclass."""
    kind = type(estimator).__name__
    if kinds.get(kind) is not type(estimator):
        raise TypeError(f"save: estimator must be one of {sorted(kinds)}, got {kind}.")


def _kinds(fitted):
    return plain.PARAMETERS if fitted is None else {"estimator": TRAINED} | plain.PARAMETERS


def _params(estimator, fitted=None):
    """Return the hyper-parameters as JSON; `fitted` is what a FrozenEstimator may hold."""
    found, kinds = {}, _kinds(fitted)
    for name, value in estimator.get_params(deep=False).items():
        if name == "initial_weights" and value is not None:
            raise ValueError(
                f"save: initial_weights must be None, got a {type(value).__name__}: training is "
                f"done with them, so set_params(initial_weights=None) loses nothing learnt."
            )
        is_frozen = fitted is not None and getattr(value, "estimator", None) is fitted
        found[name] = FROZEN if is_frozen else plain.encode(value, name, "save", kinds)
    return found


def _read(model, file):
    """Return the estimator of an open safetensors file; raise if anything is wrong."""
    if not isinstance(model["estimator"], str) or model["estimator"] not in TRAINED:
        raise ModelFormatError(
            f"load: estimator must be one of {sorted(TRAINED)}, got {model['estimator']!r}."
        )
    if not isinstance(model["learned"], dict):
        raise ModelFormatError(f"load: learned must be an object, got {model['learned']!r}.")
    estimator = _estimator(TRAINED[model["estimator"]], model["params"])
    names = set(file.keys())
    network = _network(model, file, names)

    def take(name, tensor):
        if tensor != learned.PREFIX + name or tensor not in names:
            raise ModelFormatError(f"load: a tensor must hold {name}, got {str(tensor)[:80]!r}.")
        names.remove(tensor)
        return file.get_tensor(tensor)

    attributes = learned.decode(model["learned"], network, is_classifier(estimator), take)
    if names:
        raise ModelFormatError(f"load: every tensor must be used, got {sorted(names)[:5]} besides.")
    for name in network.weights:
        network.weights[name] = file.get_tensor(WEIGHT + name)
    estimator._test_augmentation(network.input_shape)  # raises where prediction would
    vars(estimator).update(attributes, network_=network)
    return estimator if model["features"] is None else _features(model["features"], estimator)


def _estimator(kind, params, fitted=None):
    """Return an estimator of a class with the hyper-parameters `params`."""
    if not isinstance(params, dict):
        raise ModelFormatError(f"load: params must be an object, got {params!r}.")
    unknown = sorted(params.keys() - set(kind._get_param_names()))
    if unknown:
        raise ModelFormatError(f"load: params must be those of {kind.__name__}, got {unknown}.")
    found, kinds = {}, _kinds(fitted)
    for name, value in params.items():
        if fitted is not None and value == FROZEN:
            found[name] = FrozenEstimator(fitted)
            continue
        found[name] = plain.decode(value, name, "load", kinds)
        if isinstance(found[name], BaseCNN):
            found[name]._validate_params()
    estimator = kind(**found)
    estimator._validate_params()
    return estimator


def _features(data, trained):
    """Return the `CNNFeatures` of a node of the network of `trained`."""
    if not isinstance(data, dict) or data.keys() != {"params", "node"}:
        raise ModelFormatError(f"load: features must have params and node, got {str(data)[:80]}.")
    names = [node.name for node in trained.network_.graph.flattened(trained.n_outputs_)]
    if data["node"] not in names:
        raise ModelFormatError(
            f"load: node must be one of {names}, got {str(data['node'])[:80]!r}."
        )
    return _estimator(CNNFeatures, data["params"], trained)._adopt(trained, data["node"])


def _network(model, file, names):
    """Return the network of a model, its weights still zero; strike theirs off `names`."""
    graph = plain.decode(model["graph"], "graph", "load")
    if not isinstance(graph, Graph):
        raise ModelFormatError(f"load: graph must be a graph, got {graph!r}.")
    shape = model["input_shape"]
    if not isinstance(shape, list) or len(shape) != 3 or not all(map(_is_size, shape)):
        raise ModelFormatError(f"load: input_shape must be three positive ints, got {shape!r}.")
    if not _is_size(model["n_outputs"]):
        raise ModelFormatError(f"load: n_outputs must be an int, got {model['n_outputs']!r}.")
    for name, allowed in (("algorithm", ALGORITHMS), ("dtype", tuple(DTYPES.values()))):
        if model[name] not in allowed:
            raise ModelFormatError(f"load: {name} must be one of {allowed}, got {model[name]!r}.")
    nodes = graph.flattened(model["n_outputs"])
    frozen, paths = model["frozen"], [node.name for node in nodes]
    if not isinstance(frozen, list) or not all(path in paths for path in frozen):
        raise ModelFormatError(f"load: frozen must be names of layers {paths}, got {frozen!r}.")
    output_shapes = infer_shapes(nodes, shape)
    for name, spec in network_specs(nodes, output_shapes).items():
        if WEIGHT + name not in names:
            raise ModelFormatError(f"load: a tensor must hold the weights {name!r}, got none.")
        names.remove(WEIGHT + name)
        tensor = file.get_slice(WEIGHT + name)
        found = tuple(tensor.get_shape())
        if found != tuple(spec.shape) or DTYPES.get(tensor.get_dtype()) != model["dtype"]:
            raise ModelFormatError(
                f"load: {name} must be of {model['dtype']} and shape {tuple(spec.shape)}, "
                f"got {tensor.get_dtype()} and {found}."
            )
    output = [tuple(output_shapes[path]) for path in graph.output_paths()]
    if output != [(model["n_outputs"],)]:
        raise ModelFormatError(
            f"load: graph must end in {model['n_outputs']} numbers, got outputs of {output}."
        )
    return Network(
        graph,
        tuple(shape),
        model["n_outputs"],
        dtype=np.dtype(model["dtype"]),
        algorithm=model["algorithm"],
        frozen=tuple(frozen),
    )


def _is_size(value):
    return isinstance(value, int) and not isinstance(value, bool) and 0 < value < 1 << 31
