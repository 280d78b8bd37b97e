"""cnnkit: convolutional networks for scikit-learn users."""

from cnnkit._versions import show_versions
from cnnkit.estimators import CNNClassifier
from cnnkit.graph import Graph, Sequential
from cnnkit.layers import (
    Conv,
    Conv1x1,
    Dense,
    Dropout,
    Flatten,
    GlobalAvgPool,
    Layer,
    MaxPool,
    ReLU,
)
from cnnkit.network import Network
from cnnkit.threads import num_threads, set_num_threads

__version__ = "0.1.0"

__all__ = [
    "CNNClassifier",
    "Conv",
    "Conv1x1",
    "Dense",
    "Dropout",
    "Flatten",
    "GlobalAvgPool",
    "Graph",
    "Layer",
    "MaxPool",
    "Network",
    "ReLU",
    "Sequential",
    "num_threads",
    "set_num_threads",
    "show_versions",
]
