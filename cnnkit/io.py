"""Fitted estimators in files: one safetensors file each, no pickle anywhere.

The weights, and learned arrays of numbers, are the tensors of the file. Its metadata hold a JSON
text: the estimator's class and hyper-parameters, the layers of its network, what else it has
learned, and the version that wrote it. Classes are those of closed lists: loading a file imports
and runs nothing.
"""

import importlib.metadata
import json
import os
from math import prod
from numbers import Integral, Real
from pathlib import Path

import numpy as np
from sklearn.utils.validation import check_is_fitted

from cnnkit import augmentation, estimators, plain, schedules
from cnnkit.atomic import replacing
from cnnkit.graph import Graph, infer_shapes, network_specs
from cnnkit.network import Network

FORMAT = "cnnkit model 1"
KEY = "cnnkit"  # of the metadata
MAX_HEADER = 8 << 20  # bytes of names, shapes and metadata
WEIGHT, LEARNED = "weight:", "learned:"  # what names of tensors start with
DTYPES = {"F32": np.float32, "F64": np.float64}

ESTIMATORS = {
    name: getattr(estimators, name)
    for name in ("CNNClassifier", "CNNRegressor", "CNNFeatures")
    if hasattr(estimators, name)
}
KINDS = plain.GRAPHS | {
    "schedule": {
        name: kind
        for name, kind in vars(schedules).items()
        if isinstance(kind, type) and issubclass(kind, schedules.Schedule)
    },
    "augmentation": {
        name: getattr(augmentation, name) for name in augmentation.__all__ if name != "Augmentation"
    },
    "dict": {},
}
PARTS = {
    *("format", "version", "estimator", "params", "graph", "input_shape", "n_outputs"),
    *("algorithm", "dtype", "learned"),
}


class ModelFormatError(ValueError):
    """A file that is no model file, or not one that this version can read."""


def save(estimator, path):
    """Write a fitted estimator to a file.

    The file takes the place of the one there is only when it is whole and on the disk. What
    `partial_fit` would go on with besides the weights, such as the optimizer's averages, is not
    kept.

    Parameters
    ----------
    estimator : CNNClassifier or another of cnnkit's, fitted
    path : str or Path
        By custom ``.safetensors``.

    Raises
    ------
    ValueError
        If a hyper-parameter is not of cnnkit's own classes or plain data: a RandomState, say, or
        a layer of one's own.
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
    safetensors = _import_safetensors()
    kind = type(estimator).__name__
    if ESTIMATORS.get(kind) is not type(estimator):
        raise TypeError(f"save: estimator must be one of {sorted(ESTIMATORS)}, got {kind}.")
    check_is_fitted(estimator)
    network = estimator.network_
    tensors = {WEIGHT + name: array for name, array in network.weights.items()}
    model = {
        "format": FORMAT,
        "version": _version(),
        "estimator": kind,
        "params": {
            name: plain.encode(value, name, "save", KINDS)
            for name, value in estimator.get_params(deep=False).items()
        },
        "graph": plain.encode(network.graph, "network_.graph", "save"),
        "input_shape": list(network.input_shape),
        "n_outputs": int(network.n_outputs),
        "algorithm": network.algorithm,
        "dtype": network.dtype.name,
        "learned": {
            name: _encode_learned(name, value, tensors)
            for name, value in vars(estimator).items()
            if name.endswith("_") and name[0] != "_" and name != "network_"
        },
    }
    text = json.dumps(model, allow_nan=False)
    if len(text) > plain.MAX_CHARACTERS:
        raise ValueError(
            f"save: architecture and labels must fit {plain.MAX_CHARACTERS} characters of JSON, "
            f"got {len(text)}."
        )
    # its own save_file writes a temporary file elsewhere, and renames it before it is on the disk
    content = safetensors.numpy.save(tensors, metadata={KEY: text})
    with replacing(path) as beside:
        beside.write_bytes(content)


def load(path):
    """Return the fitted estimator of a file that `save` wrote.

    The file may come from anywhere. Layers are of a closed list, numbers are checked, and the
    shapes of all weights must be those of the layers before memory is taken for them.

    Parameters
    ----------
    path : str or Path

    Returns
    -------
    estimator : CNNClassifier or another of cnnkit's

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
    safetensors = _import_safetensors()
    _check_size(path)
    try:
        with safetensors.safe_open(os.fspath(path), framework="numpy") as file:
            return _read(file)
    except safetensors.SafetensorError as error:
        raise ModelFormatError(f"load: {path} must be a safetensors file, got: {error}.") from None
    except (ValueError, TypeError, OverflowError, MemoryError) as error:
        if isinstance(error, ModelFormatError):
            raise
        raise ModelFormatError(f"load: {path} must hold a sound model, got: {error}") from error


def check_installed():
    """Raise ImportError where model files can be neither read nor written."""
    _import_safetensors()


def _import_safetensors():
    try:
        import safetensors
        import safetensors.numpy
    except ImportError as error:
        raise ImportError("Model files need safetensors: pip install cnnkit[io]") from error
    return safetensors


def _version():
    try:
        return importlib.metadata.version("cnnkit")
    except importlib.metadata.PackageNotFoundError:
        return "unknown"


def _check_size(path):
    """Raise unless the header, whose length the file starts with, is in the file and not huge."""
    path = Path(path)
    with open(path, "rb") as file:
        header = int.from_bytes(file.read(8), "little")
        size = os.fstat(file.fileno()).st_size
    if size < 8 or header > min(size - 8, MAX_HEADER):
        raise ModelFormatError(
            f"load: {path} must be a safetensors file whose header is in it and has at most "
            f"{MAX_HEADER} bytes, got {size} bytes that name a header of {header}."
        )


def _read(file):
    """Return the estimator of an open safetensors file; raise if anything is wrong."""
    text = (file.metadata() or {}).get(KEY)
    if text is None:
        raise ModelFormatError(f"load: the metadata must have {KEY!r}, got a file of another kind.")
    model = plain.parse(text, "load")
    if not isinstance(model, dict) or model.get("format") != FORMAT:
        found = model.get("format") if isinstance(model, dict) else model
        raise ModelFormatError(f"load: format must be {FORMAT!r}, got {str(found)[:80]!r}.")
    if model.keys() != PARTS:
        raise ModelFormatError(f"load: a model must have {sorted(PARTS)}, got {sorted(model)}.")
    if not isinstance(model["estimator"], str) or model["estimator"] not in ESTIMATORS:
        raise ModelFormatError(
            f"load: estimator must be one of {sorted(ESTIMATORS)}, got {model['estimator']!r}."
        )
    for name in ("params", "learned"):
        if not isinstance(model[name], dict):
            raise ModelFormatError(f"load: {name} must be an object, got {model[name]!r}.")
    kind = ESTIMATORS[model["estimator"]]
    unknown = sorted(model["params"].keys() - set(kind._get_param_names()))
    if unknown:
        raise ModelFormatError(f"load: params must be those of {kind.__name__}, got {unknown}.")
    estimator = kind(
        **{key: plain.decode(value, key, "load", KINDS) for key, value in model["params"].items()}
    )
    estimator._validate_params()
    network, names = _network(model, file)
    learned = {
        name: _decode_learned(name, value, file, names) for name, value in model["learned"].items()
    }
    if names:
        raise ModelFormatError(f"load: every tensor must be used, got {sorted(names)[:5]} besides.")
    _check_learned(learned, network, kind)
    for name in network.weights:
        network.weights[name] = file.get_tensor(WEIGHT + name)
    vars(estimator).update(learned, network_=network)
    return estimator


def _network(model, file):
    """Return the network of a model, its weights still zero, and the names of other tensors."""
    graph = plain.decode(model["graph"], "graph", "load")
    if not isinstance(graph, Graph):
        raise ModelFormatError(f"load: graph must be a graph, got {graph!r}.")
    shape = model["input_shape"]
    if not isinstance(shape, list) or len(shape) != 3 or not all(map(_is_size, shape)):
        raise ModelFormatError(f"load: input_shape must be three positive ints, got {shape!r}.")
    if not _is_size(model["n_outputs"]):
        raise ModelFormatError(f"load: n_outputs must be an int, got {model['n_outputs']!r}.")
    if model["algorithm"] not in estimators.ALGORITHMS:
        raise ModelFormatError(
            f"load: algorithm must be one of {estimators.ALGORITHMS}, got {model['algorithm']!r}."
        )
    nodes = graph.flattened(model["n_outputs"])
    specs = network_specs(nodes, infer_shapes(nodes, shape))
    names = set(file.keys())
    for name, spec in specs.items():
        if WEIGHT + name not in names:
            raise ModelFormatError(f"load: a tensor must hold the weights {name!r}, got none.")
        names.remove(WEIGHT + name)
        tensor = file.get_slice(WEIGHT + name)
        found = tuple(tensor.get_shape())
        dtype = DTYPES.get(tensor.get_dtype())
        if found != tuple(spec.shape) or dtype is None or np.dtype(dtype).name != model["dtype"]:
            raise ModelFormatError(
                f"load: {name} must be of {model['dtype']} and shape {tuple(spec.shape)}, "
                f"got {tensor.get_dtype()} and {found}."
            )
    if model["dtype"] not in ("float32", "float64"):
        raise ModelFormatError(f"load: dtype must be float32 or float64, got {model['dtype']!r}.")
    network = Network(
        graph,
        tuple(shape),
        model["n_outputs"],
        dtype=np.dtype(model["dtype"]),
        algorithm=model["algorithm"],
    )
    return network, names


def _is_size(value):
    return isinstance(value, int) and not isinstance(value, bool) and 0 < value < 1 << 31


def _encode_learned(name, value, tensors):
    """Return a learned attribute as JSON, or put its numbers into `tensors`."""
    if isinstance(value, np.ndarray) and value.dtype.kind in "biuf":
        tensors[LEARNED + name] = np.array(value, order="C").astype(
            value.dtype.newbyteorder("="), copy=False
        )
        return {"array": LEARNED + name}
    if isinstance(value, np.ndarray) and value.ndim == 1:
        labels = value.tolist()
        if value.dtype.kind == "U" or all(type(label) is str for label in labels):
            return {"labels": labels, "dtype": "str" if value.dtype.kind == "U" else "object"}
    is_number = [isinstance(x, Real) and not isinstance(x, (bool, Integral)) for x in _items(value)]
    if is_number and all(is_number):  # may be NaN, which JSON has no word for
        tensors[LEARNED + name] = np.array(value, np.float64)
        return {"floats": LEARNED + name}
    return {"value": plain.encode(value, name, "save", KINDS)}


def _items(value):
    return value if isinstance(value, list) else []


def _decode_learned(name, data, file, names):
    """Return a learned attribute, and strike the tensor it is in off `names`."""
    if not name.isidentifier() or not name.endswith("_") or name[0] == "_" or name == "network_":
        raise ModelFormatError(f"load: learned must be attributes such as classes_, got {name!r}.")
    form = data if isinstance(data, dict) else {}
    for tag in ("array", "floats"):
        if form.keys() == {tag}:
            if form[tag] != LEARNED + name or form[tag] not in names:
                raise ModelFormatError(f"load: a tensor must hold {name}, got {form[tag]!r}.")
            names.remove(form[tag])
            found = file.get_tensor(form[tag])
            return found if tag == "array" else [float(x) for x in found.ravel()]
    if form.keys() == {"labels", "dtype"}:
        labels = form["labels"]
        if isinstance(labels, list) and labels and all(isinstance(x, str) for x in labels):
            return np.array(labels, object if form["dtype"] == "object" else np.str_)
    if form.keys() == {"value"}:
        return plain.decode(form["value"], name, "load", KINDS)
    raise ModelFormatError(
        f"load: {name} must be a value, an array or labels, got {str(data)[:80]}."
    )


def _check_learned(learned, network, kind):
    """Raise unless what was learned fits the network."""
    shape = network.input_shape
    expected = {"input_shape_": shape, "n_features_in_": prod(shape)}
    for name, value in expected.items():
        if learned.get(name) != value:
            raise ModelFormatError(f"load: {name} must be {value}, got {learned.get(name)!r}.")
    classes = learned.get("classes_")
    if classes is not None or hasattr(kind, "predict_proba"):
        outputs = network.output.shape[1:]
        fits = np.ndim(classes) == 1 and (
            outputs == (len(classes),) or (len(classes) == 2 and outputs == (1,))
        )
        if not fits or len(np.unique(classes)) < len(classes):
            raise ModelFormatError(
                f"load: classes_ must be one for each of the outputs {outputs}, "
                f"got {str(np.array(classes).tolist())[:80]}."
            )
