"""Layers: one file for each family."""

from cnnkit.layers.activation import HardSigmoid, HardSwish, LeakyReLU, PReLU, ReLU, ReLU6
from cnnkit.layers.activation_smooth import (
    ELU,
    GELU,
    SELU,
    LogSoftmax,
    Mish,
    Sigmoid,
    SiLU,
    Softmax,
    Softplus,
    Tanh,
)
from cnnkit.layers.arithmetic import Affine, Clip, Power
from cnnkit.layers.base import Layer, Slots, WeightSpec
from cnnkit.layers.conv import Conv, Conv1x1, DepthwiseConv
from cnnkit.layers.conv_transpose import ConvTranspose
from cnnkit.layers.dense import Dense, Flatten, Identity
from cnnkit.layers.dropout import Dropout, SpatialDropout
from cnnkit.layers.gradients import check_gradients
from cnnkit.layers.interpolate import Resize
from cnnkit.layers.merge import Add, Concat, MatMul, Multiply
from cnnkit.layers.norm import BatchNorm, LocalResponseNorm
from cnnkit.layers.norm_samples import GroupNorm, LayerNorm
from cnnkit.layers.op import Op
from cnnkit.layers.pool import AvgPool, GlobalAvgPool, GlobalMaxPool, MaxPool
from cnnkit.layers.reorder import Permute, Slice
from cnnkit.layers.resize import Pad, Reshape, UpSample
from cnnkit.layers.shuffle import ChannelShuffle

__all__ = [
    "ELU",
    "GELU",
    "SELU",
    "Add",
    "Affine",
    "AvgPool",
    "BatchNorm",
    "ChannelShuffle",
    "Clip",
    "Concat",
    "Conv",
    "Conv1x1",
    "ConvTranspose",
    "Dense",
    "DepthwiseConv",
    "Dropout",
    "Flatten",
    "GlobalAvgPool",
    "GlobalMaxPool",
    "GroupNorm",
    "HardSigmoid",
    "HardSwish",
    "Identity",
    "Layer",
    "LayerNorm",
    "LeakyReLU",
    "LocalResponseNorm",
    "LogSoftmax",
    "MatMul",
    "MaxPool",
    "Mish",
    "Multiply",
    "Op",
    "PReLU",
    "Pad",
    "Permute",
    "Power",
    "ReLU",
    "ReLU6",
    "Reshape",
    "Resize",
    "SiLU",
    "Sigmoid",
    "Slice",
    "Slots",
    "Softmax",
    "Softplus",
    "SpatialDropout",
    "Tanh",
    "UpSample",
    "WeightSpec",
    "check_gradients",
]

KINDS = {  # all layers by name
    name: kind
    for name, kind in ((name, globals()[name]) for name in __all__)
    if isinstance(kind, type) and issubclass(kind, Layer) and kind is not Layer
}
