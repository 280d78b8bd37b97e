"""cnnkit: convolutional networks for scikit-learn users."""

from cnnkit import functional
from cnnkit._versions import show_versions
from cnnkit.estimators import CNNClassifier
from cnnkit.graph import Graph, Residual, Sequential
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
from cnnkit.symbols import Input
from cnnkit.threads import num_threads, set_num_threads

__version__ = "0.1.0"

__all__ = [
    "Add",
    "AvgPool",
    "BatchNorm",
    "CNNClassifier",
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
    "display",
    "functional",
    "io",
    "load",
    "models",
    "num_threads",
    "save",
    "schedules",
    "set_num_threads",
    "show_versions",
]


def __getattr__(name):
    """Import modules that `import cnnkit` leaves out when they are first asked for."""
    if name in ("augmentation", "blocks", "display", "io", "models", "schedules"):
        import importlib

        return importlib.import_module(f"cnnkit.{name}")
    if name in ("load", "save"):
        from cnnkit import io

        return getattr(io, name)
    raise AttributeError(f"module 'cnnkit' has no attribute {name!r}")
