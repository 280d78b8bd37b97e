"""Layers and graphs as JSON text.

A layer is ``{"layer": name, hyper-parameter: value, ...}``, a tuple is ``{"tuple": [...]}``;
numbers, text, true, false, null and lists stand for themselves. Only names of a closed list are
accepted: reading a text imports and runs nothing.
"""

import json
from itertools import count
from math import isfinite
from numbers import Integral, Real

import numpy as np
from sklearn.base import BaseEstimator

from cnnkit import augmentation, layers, schedules
from cnnkit.graph.graph import Graph, Residual, Sequential
from cnnkit.layers.base import Layer
from cnnkit.validate.nesting import MAX_DEPTH
from cnnkit.validate.values import short

FORMAT = "cnnkit graph 1"
MAX_CHARACTERS = 2 << 20  # in a JSON text
MAX_MARKS = 200_000  # commas and brackets in it: each may stand for a Python object
MAX_VALUES = 20_000  # values in a text: ResNet-50 has 616
MAX_NAME = 1_000  # characters in one string

LAYERS = layers.KINDS | {"Graph": Graph, "Sequential": Sequential, "Residual": Residual}
GRAPHS = {"layer": LAYERS}  # the classes in a graph, by the key that names them in JSON
PARAMETERS = GRAPHS | {  # the classes in hyper-parameters of estimators
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


def to_json(layer, indent=None):
    """Return a layer or graph as JSON text.

    Parameters
    ----------
    layer : Layer
        It and all layers in it must be of cnnkit's own classes.
    indent : int, default=None
        Spaces for each level; one line when None.

    Examples
    --------
    >>> from cnnkit import MaxPool
    >>> from cnnkit.files.json_text import from_json, to_json
    >>> from_json(to_json(MaxPool((3, 2), padding=((0, 1), (1, 0)))))
    MaxPool(padding=((0, 1), (1, 0)), pool_size=(3, 2))
    """
    if not isinstance(layer, Layer):
        raise TypeError(f"to_json: layer must be a layer or a graph, got {layer!r}.")
    plain = encode(layer, type(layer).__name__, "to_json")
    return json.dumps({"format": FORMAT, "graph": plain}, indent=indent, allow_nan=False)


def from_json(text):
    """Return the layer or graph of a text that `to_json` wrote.

    The text may come from anywhere: anything wrong with it raises a ValueError, names of layers
    and hyper-parameters included. The wiring of the layers is checked, too; their shapes are
    checked later, when an input shape is known.
    """
    if not isinstance(text, str):
        raise TypeError(f"from_json: text must be a str, got {type(text).__name__}.")
    data = parse(text, "from_json")
    if not isinstance(data, dict) or data.keys() != {"format", "graph"}:
        raise ValueError(
            f"from_json: text must be an object of 'format' and 'graph', got {short(data)}."
        )
    if data["format"] != FORMAT:
        raise ValueError(f"from_json: format must be {FORMAT!r}, got {short(data['format'])}.")
    layer = decode(data["graph"], "graph", "from_json")
    if not isinstance(layer, Layer):
        raise ValueError(f"from_json: graph must be a layer, got {short(data['graph'])}.")
    try:
        if layer.composite:
            layer.leaves()
    except (TypeError, ValueError) as error:
        raise ValueError(f"from_json: graph must be wired right, got: {error}") from None
    return layer


def parse(text, owner, most=MAX_CHARACTERS):
    """Return the value of a JSON text, within limits; anything wrong is a ValueError."""
    check_size(text, owner, most)

    def unique(pairs):
        found = {}
        for key, value in pairs:
            if key in found:
                raise ValueError(f"{owner}: keys must be unique, got {short(key)} twice.")
            found[key] = value
        return found

    def no_constant(name):
        raise ValueError(f"{owner}: numbers must be finite, got {name}.")

    try:
        return json.loads(text, object_pairs_hook=unique, parse_constant=no_constant)
    except RecursionError:
        raise ValueError(f"{owner}: values must be at most {MAX_DEPTH} deep, got more.") from None
    except json.JSONDecodeError as error:
        raise ValueError(f"{owner}: text must be JSON, got a fault: {error}.") from None


def check_size(text, owner, most=MAX_CHARACTERS):
    """Raise a ValueError if a JSON text is so long, or so complex, that it takes much memory."""
    if len(text) > most:
        raise ValueError(f"{owner}: text must have at most {most} characters, got {len(text)}.")
    marks = sum(map(text.count, ",[{"))
    if marks > MAX_MARKS:
        raise ValueError(
            f"{owner}: text must have at most {MAX_MARKS} commas and brackets, got {marks}."
        )


def encode(value, where, owner, kinds=GRAPHS):
    """Return `value`, a hyper-parameter called `where`, in a form that JSON can hold.

    `owner` is the start of errors. `kinds` has the allowed classes by name, under the key that
    names them in the JSON; with a key "dict", dicts are allowed.
    """
    return _plain(value, where, 0, (count(1), owner, kinds))


def decode(data, where, owner, kinds=GRAPHS):
    """Return the value from which `encode` made `data`; anything wrong is a ValueError."""
    return _value(data, where, 0, (count(1), owner, kinds))


def _plain(value, where, depth, context):
    """Return `value`, found at `where`, in a form that JSON can hold."""
    counter, owner, kinds = context
    _check_limits(where, depth, counter, owner)
    if isinstance(value, BaseEstimator):
        name = type(value).__name__
        key = next((key for key in kinds if kinds[key].get(name) is type(value)), None)
        if key is None:
            raise ValueError(
                f"{owner}: {where} must be a {' or '.join(kinds)} of cnnkit, "
                f"got {type(value).__qualname__}."
            )
        params = BaseEstimator.get_params(value, deep=False)
        return {key: name} | {
            param: _plain(entry, f"{where}.{param}", depth + 1, context)
            for param, entry in params.items()
        }
    if isinstance(value, (list, tuple)):
        items = [
            _plain(entry, f"{where}[{i}]", depth + 1, context) for i, entry in enumerate(value)
        ]
        return {"tuple": items} if isinstance(value, tuple) else items
    if isinstance(value, dict) and "dict" in kinds:
        return {"dict": _plain(list(value.items()), where, depth + 1, context)}
    if isinstance(value, (bool, np.bool_)):
        value = bool(value)
    elif isinstance(value, Integral):
        value = int(value)
    elif isinstance(value, Real):
        value = float(value)
    return _checked(value, where, owner)


def _value(data, where, depth, context):
    """Return the value that `data`, found at `where` of a JSON text, stands for."""
    counter, owner, kinds = context
    _check_limits(where, depth, counter, owner)
    if isinstance(data, list):
        return [_value(entry, f"{where}[{i}]", depth + 1, context) for i, entry in enumerate(data)]
    if not isinstance(data, dict):
        return _checked(data, where, owner)
    if data.keys() == {"tuple"} and isinstance(data["tuple"], list):
        items = enumerate(data["tuple"])
        return tuple(_value(entry, f"{where}[{i}]", depth + 1, context) for i, entry in items)
    if data.keys() == {"dict"} and "dict" in kinds:
        return _dict(_value(data["dict"], where, depth + 1, context), where, owner)
    tag = next((key for key in kinds if key in data), next(iter(kinds)))
    name = data.get(tag)
    if not isinstance(name, str) or name not in kinds[tag]:
        raise ValueError(
            f"{owner}: {where} must be a {tag} of {sorted(kinds[tag])}, got {short(name)}."
        )
    kind = kinds[tag][name]
    known = kind._get_param_names()
    unknown = [key for key in data if key != tag and key not in known]
    if unknown:
        raise ValueError(
            f"{owner}: {where} ({name}) must have hyper-parameters of {known}, "
            f"got {short(unknown)}."
        )
    params = {
        key: _value(entry, f"{where}.{key}", depth + 1, context)
        for key, entry in data.items()
        if key != tag
    }
    try:
        return kind(**params)
    except TypeError as error:
        raise ValueError(f"{owner}: {where} must be whole, got: {error}.") from None


def _dict(pairs, where, owner):
    """Return a dict from a list of pairs."""
    keys = (str, int, float, bool)
    if not isinstance(pairs, list) or not all(
        isinstance(pair, tuple) and len(pair) == 2 and isinstance(pair[0], keys) for pair in pairs
    ):
        raise ValueError(
            f"{owner}: {where} must be pairs of a key and a value, got {short(pairs)}."
        )
    return dict(pairs)


def _check_limits(where, depth, counter, owner):
    if depth > MAX_DEPTH:
        raise ValueError(
            f"{owner}: values must be at most {MAX_DEPTH} deep, got more at {short(where)}."
        )
    if next(counter) > MAX_VALUES:
        raise ValueError(
            f"{owner}: there must be at most {MAX_VALUES} values, got more at {short(where)}."
        )


def _checked(value, where, owner):
    """Return `value` if it is None, a bool, a finite number or a text within limits."""
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, int) and abs(value) < 1 << 63:
        return value
    if isinstance(value, float) and isfinite(value):
        return value
    if isinstance(value, str) and len(value) <= MAX_NAME:
        return value
    raise ValueError(
        f"{owner}: {where} must be None, a bool, a finite number below 2**63, text of at "
        f"most {MAX_NAME} characters, a list, a tuple or a layer, got {short(value)}."
    )
