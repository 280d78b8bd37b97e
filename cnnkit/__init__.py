"""cnnkit: convolutional networks for scikit-learn users."""

import typing as _typing
from importlib import import_module as _import_module

from cnnkit import functional, layers
from cnnkit._native.threads import num_threads, set_num_threads
from cnnkit._versions import show_versions
from cnnkit.graph import Graph, Input, Residual, Sequential
from cnnkit.graph.conversions import CONVERSIONS as _CONVERSIONS
from cnnkit.layers import *
from cnnkit.network import Network

__version__ = "0.1.0"

__all__ = [
    *layers.KINDS,
    "CNNClassifier",
    "CNNFeatures",
    "CNNImageRegressor",
    "CNNRegressor",
    "CNNSegmenter",
    "Graph",
    "Input",
    "Layer",
    "Network",
    "Residual",
    "Sequential",
    "augmentation",
    "blocks",
    "callbacks",
    "display",
    "fc_head",
    "functional",
    "gap_head",
    "io",
    "load",
    "lr_find",
    "metrics",
    "models",
    "num_threads",
    "onnx",
    "save",
    "schedules",
    "set_num_threads",
    "show_versions",
]


_HOMES = {  # imported when first used: they import more of scikit-learn
    "CNNClassifier": "estimators",
    "CNNFeatures": "estimators",
    "CNNImageRegressor": "estimators",
    "CNNRegressor": "estimators",
    "CNNSegmenter": "estimators",
    "fc_head": "heads",
    "gap_head": "heads",
    "load": "io",
    "lr_find": "estimators.lr_find",
    "save": "io",
}
_MODULES = (
    *("augmentation", "blocks", "callbacks", "display", "io", "metrics", "models", "onnx"),
    "schedules",
)

if _typing.TYPE_CHECKING:  # a type checker reads these lines instead of the tables
    from cnnkit import (
        augmentation,
        blocks,
        callbacks,
        display,
        io,
        metrics,
        models,
        onnx,
        schedules,
    )
    from cnnkit.estimators import (
        CNNClassifier,
        CNNFeatures,
        CNNImageRegressor,
        CNNRegressor,
        CNNSegmenter,
    )
    from cnnkit.estimators.lr_find import lr_find
    from cnnkit.heads import fc_head, gap_head
    from cnnkit.io import load, save


def __getattr__(name: str) -> _typing.Any:
    """Import a name of `_HOMES` when it is first used."""
    if name in _MODULES:
        return _import_module(f"cnnkit.{name}")
    if name in _HOMES:
        found = getattr(_import_module(f"cnnkit.{_HOMES[name]}"), name)
        globals()[name] = found
        return found
    from cnnkit.validate.guesses import for_layer

    ours = for_layer(name)
    advice = "" if ours is None else f": use {ours}"
    raise AttributeError(f"module 'cnnkit' has no attribute {name!r}{advice}")


def _imported_when_called(home, name):
    """Return a function that imports the function `name` from the module `home` and calls it."""

    def call(*args):
        return getattr(_import_module(f"cnnkit.{home}"), name)(*args)

    return call


for _name, _home in (
    ("to_json", "files.json_text"),
    ("from_json", "files.json_text"),
    ("to_dot", "display"),
):
    _CONVERSIONS[_name] = _imported_when_called(_home, _name)


def __dir__() -> list[str]:
    """Return all public names, including those that are not imported yet."""
    return sorted({*globals(), *__all__})
