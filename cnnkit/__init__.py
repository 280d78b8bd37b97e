"""cnnkit: convolutional networks for scikit-learn users."""

from cnnkit import functional
from cnnkit._native.threads import num_threads, set_num_threads
from cnnkit._versions import show_versions
from cnnkit.graph import Graph, Input, Residual, Sequential
from cnnkit.layers import (
    Add,
    AvgPool,
    BatchNorm,
    Concat,
    Conv,
    Conv1x1,
    Dense,
    DepthwiseConv,
    Dropout,
    Flatten,
    GlobalAvgPool,
    GlobalMaxPool,
    HardSwish,
    Identity,
    Layer,
    LeakyReLU,
    LocalResponseNorm,
    MaxPool,
    Multiply,
    Pad,
    ReLU,
    ReLU6,
    Reshape,
    Sigmoid,
    SiLU,
    Softmax,
    Tanh,
    UpSample,
)
from cnnkit.network import Network

__version__ = "0.1.0"

__all__ = [
    "Add",
    "AvgPool",
    "BatchNorm",
    "CNNClassifier",
    "CNNFeatures",
    "CNNRegressor",
    "Concat",
    "Conv",
    "Conv1x1",
    "Dense",
    "DepthwiseConv",
    "Dropout",
    "Flatten",
    "GlobalAvgPool",
    "GlobalMaxPool",
    "Graph",
    "HardSwish",
    "Identity",
    "Input",
    "Layer",
    "LeakyReLU",
    "LocalResponseNorm",
    "MaxPool",
    "Multiply",
    "Network",
    "Pad",
    "ReLU",
    "ReLU6",
    "Reshape",
    "Residual",
    "Sequential",
    "SiLU",
    "Sigmoid",
    "Softmax",
    "Tanh",
    "UpSample",
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
    "models",
    "num_threads",
    "save",
    "schedules",
    "set_num_threads",
    "show_versions",
]


_HOMES = {  # imported when first used: they import more of scikit-learn
    "CNNClassifier": "estimators",
    "CNNFeatures": "estimators",
    "CNNRegressor": "estimators",
    "fc_head": "heads",
    "gap_head": "heads",
    "load": "io",
    "lr_find": "estimators.lr_find",
    "save": "io",
}
_MODULES = ("augmentation", "blocks", "callbacks", "display", "io", "models", "schedules")


def __getattr__(name):
    """Import a name of `_HOMES` when it is first used."""
    import importlib

    if name in _MODULES:
        return importlib.import_module(f"cnnkit.{name}")
    if name in _HOMES:
        found = getattr(importlib.import_module(f"cnnkit.{_HOMES[name]}"), name)
        globals()[name] = found
        return found
    raise AttributeError(f"module 'cnnkit' has no attribute {name!r}")


def __dir__():
    """Return all public names, including those that are not imported yet."""
    return sorted({*globals(), *__all__})
