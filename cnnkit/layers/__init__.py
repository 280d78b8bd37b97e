"""Layers: one file for each family."""

from cnnkit.layers.activation import ReLU
from cnnkit.layers.base import Layer
from cnnkit.layers.conv import Conv, Conv1x1
from cnnkit.layers.dense import Dense, Flatten
from cnnkit.layers.dropout import Dropout
from cnnkit.layers.pool import GlobalAvgPool, MaxPool

__all__ = [
    "Conv",
    "Conv1x1",
    "Dense",
    "Dropout",
    "Flatten",
    "GlobalAvgPool",
    "Layer",
    "MaxPool",
    "ReLU",
]
