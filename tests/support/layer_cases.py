"""The one table of layers for all tests: a new layer is a row of `CASES`.

Its gradients, its slow twin, its bits on any number of threads and in any batch, its JSON, hostile
arguments and files, and PyTorch's formula are all tried from here.
"""

import inspect
import math

import numpy as np
from layer_case import IMAGES, LARGE_IMAGES, SIDES, LayerCase
from layer_cases_forms import FORMS
from layer_twins import (
    add,
    batch_norm,
    conv,
    conv_transpose,
    dropout,
    group_norm,
    local_response_norm,
    logistic,
    multiply,
    number_by_number,
    pad,
    pooled,
    softmax,
    softplus,
    spatial_dropout,
    torch_conv_transpose,
    upsample,
)
from oracles import avg_pool2d, max_pool2d
from scipy.special import ndtr

from cnnkit import layers
from cnnkit.layers import (
    ELU,
    GELU,
    AvgPool,
    BatchNorm,
    ChannelShuffle,
    Concat,
    Conv,
    Conv1x1,
    ConvTranspose,
    Dense,
    DepthwiseConv,
    Dropout,
    GroupNorm,
    LayerNorm,
    LeakyReLU,
    LocalResponseNorm,
    MaxPool,
    Pad,
    Permute,
    PReLU,
    ReLU,
    ReLU6,
    Reshape,
    Sigmoid,
    Softplus,
    SpatialDropout,
    UpSample,
)

CASES = FORMS | {
    "Add": LayerCase(
        add,
        shapes=(IMAGES,) * 3,
        large_shapes=(LARGE_IMAGES,) * 2,
        unusual=(layers.Add([Conv(3), [ReLU(), Conv(3)]]),),
        arguments={"branches": [Conv(2), Conv1x1(2)]},
        words={"branches": (None,)},
    ),
    "AvgPool": LayerCase(
        pooled(avg_pool2d),
        (AvgPool(2),),
        large=(AvgPool(2, padding="same"),),
        unusual=(
            AvgPool(3, stride=2, padding=1, ceil_mode=True, count_include_pad=True, dilation=2),
        ),
    ),
    "BatchNorm": LayerCase(batch_norm, unusual=(BatchNorm(momentum=0.01, eps=1e-3),)),
    "ChannelShuffle": LayerCase(
        lambda layer, w, context, x: np.stack(
            [
                x[..., j :: x.shape[-1] // layer.groups][..., i]
                for j in range(x.shape[-1] // layer.groups)
                for i in range(layer.groups)
            ],
            axis=-1,
        ),
        (ChannelShuffle(2),),
        shapes=((3, 2, 6),),
        large=(ChannelShuffle(4),),
        arguments={"groups": 2},
        torch=lambda t, layer, x: t.F.channel_shuffle(x, layer.groups),
    ),
    "Concat": LayerCase(
        lambda layer, w, context, *xs: np.concatenate(xs, axis=-1),
        shapes=(IMAGES, (3, 4, 1)),
        large_shapes=(LARGE_IMAGES,) * 2,
        unusual=(Concat([("wide", Conv(3, 5)), Conv1x1(3), Concat([ReLU(), ReLU6()])]),),
        arguments={"branches": [Conv(2), Conv1x1(3)]},
    ),
    "Conv": LayerCase(
        conv,
        (Conv(3),),
        large=(
            Conv(16, 3),
            Conv(24, 3, stride=2, padding=1),
            Conv(16, (1, 5), dilation=(1, 2)),
            Conv(32, 3, groups=4),
        ),
        unusual=(
            Conv(16, (3, 5), stride=(2, 1), padding=SIDES, dilation=(1, 2), groups=2, bias=False),
        ),
        arguments={"filters": 3},
        words={"padding": ("same", "valid", 0, 1, 3)},
    ),
    "Conv1x1": LayerCase(
        conv,
        (Conv1x1(None),),
        large=(Conv1x1(40),),
        unusual=(Conv1x1(None, stride=(2, 2), groups=4, bias=False),),
        arguments={"filters": 3},
    ),
    "ConvTranspose": LayerCase(
        conv_transpose,
        (
            ConvTranspose(3),
            ConvTranspose(
                2, (3, 2), stride=(2, 3), padding=((1, 0), (0, 1)), output_padding=(1, 2)
            ),
            ConvTranspose(4, 2, stride=2, groups=2, padding=1, dilation=(1, 2), bias=False),
        ),
        large=(
            ConvTranspose(16, 4, stride=2),
            ConvTranspose(24, 3, padding=1),
            ConvTranspose(8, (2, 3), stride=(2, 1), padding="valid", groups=4),
        ),
        arguments={"filters": 3},
        torch=torch_conv_transpose,
    ),
    "Dense": LayerCase(
        lambda layer, w, context, x: x @ w["w"] + w.get("b", 0),
        (Dense(3),),
        ((5,),),
        large=(Dense(33),),
        large_shapes=((400,),),
        unusual=(Dense(7, bias=False),),
    ),
    "DepthwiseConv": LayerCase(
        conv,
        (DepthwiseConv(2, stride=2),),
        large=(DepthwiseConv(5, depth_multiplier=2),),
        unusual=(
            DepthwiseConv(
                (1, 3), stride=2, padding="valid", dilation=2, depth_multiplier=3, bias=False
            ),
        ),
    ),
    "Dropout": LayerCase(dropout, unusual=(Dropout(0.25),)),
    "ELU": LayerCase(
        lambda layer, w, context, x: np.where(x > 0, x, layer.alpha * np.expm1(np.minimum(x, 0))),
        (ELU(), ELU(0.5)),
        torch=lambda t, layer, x: t.F.elu(x, layer.alpha),
    ),
    "Flatten": LayerCase(number_by_number(lambda x: x.reshape(len(x), math.prod(x.shape[1:])))),
    "GELU": LayerCase(
        lambda layer, w, context, x: (
            x
            * (
                ndtr(x)
                if layer.approximate == "none"
                else (1 + np.tanh(np.sqrt(2 / np.pi) * (x + 0.044715 * x**3))) / 2
            )
        ),
        (GELU(), GELU("tanh")),
        words={"approximate": ("none", "tanh")},
        torch=lambda t, layer, x: t.F.gelu(x, approximate=layer.approximate),
    ),
    "GlobalAvgPool": LayerCase(number_by_number(lambda x: x.mean((1, 2)))),
    "GlobalMaxPool": LayerCase(number_by_number(lambda x: x.max((1, 2)))),
    "GroupNorm": LayerCase(
        group_norm,
        (GroupNorm(2), GroupNorm(1, eps=1e-3)),
        shapes=((3, 2, 6),),
        large=(GroupNorm(4), GroupNorm(16)),
        arguments={"groups": 2},
        torch=lambda t, layer, x: t.F.group_norm(
            x, layer.groups, t.weights["groupnorm1/gamma"], t.weights["groupnorm1/beta"], layer.eps
        ),
    ),
    "HardSigmoid": LayerCase(
        number_by_number(lambda x: np.minimum(np.maximum(x + 3, 0), 6) / 6),
        # the gradient of its own hardsigmoid takes 1 / 6 in float32
        torch=lambda t, layer, x: t.F.relu6(x + 3) / 6,
    ),
    "HardSwish": LayerCase(
        number_by_number(lambda x: x * np.minimum(np.maximum(x + 3, 0), 6) / 6),
    ),
    "Identity": LayerCase(number_by_number(lambda x: x)),
    "LayerNorm": LayerCase(
        lambda layer, w, context, x: (
            (x - x.mean(-1, keepdims=True))
            / np.sqrt(x.var(-1, keepdims=True) + layer.eps)
            * w["gamma"]
            + w["beta"]
        ),
        (LayerNorm(), LayerNorm(eps=0.1)),
        shapes=((3, 2, 6),),
        torch=lambda t, layer, x: t.F.layer_norm(
            x.movedim(1, -1),
            x.shape[1:2],
            t.weights["layernorm1/gamma"],
            t.weights["layernorm1/beta"],
            layer.eps,
        ).movedim(-1, 1),
    ),
    "LeakyReLU": LayerCase(
        lambda layer, w, context, x: np.where(x > 0, x, layer.negative_slope * x),
        (LeakyReLU(), LeakyReLU(0.3)),
    ),
    "LocalResponseNorm": LayerCase(
        local_response_norm,
        (LocalResponseNorm(3),),
        large=(LocalResponseNorm(),),
        unusual=(LocalResponseNorm(7, alpha=2e-4, beta=0.5, k=2.0),),
    ),
    "LogSoftmax": LayerCase(
        number_by_number(
            lambda x: (
                x
                - x.max(-1, keepdims=True)
                - np.log(np.exp(x - x.max(-1, keepdims=True)).sum(-1, keepdims=True))
            )
        ),
        torch=lambda t, layer, x: t.F.log_softmax(x, dim=1),
    ),
    "MaxPool": LayerCase(
        pooled(max_pool2d),
        (MaxPool(2),),
        large=(MaxPool(3, stride=2, ceil_mode=True, dilation=2),),
        unusual=(MaxPool((3, 2), stride=(2, 1), padding=SIDES, ceil_mode=True, dilation=2),),
    ),
    "Mish": LayerCase(
        number_by_number(lambda x: x * np.tanh(softplus(x))),
        torch=lambda t, layer, x: t.F.mish(x),
    ),
    "MatMul": LayerCase(
        lambda layer, w, context, a, b: np.stack([i @ j for i, j in zip(a, b, strict=True)]),
        shapes=((2, 3, 4), (4, 5)),
        large_shapes=((20, 16), (16, 24)),
        unusual=(layers.MatMul([Conv1x1(20), Permute((0, 2, 1))]),),
        arguments={"branches": [Conv(5), Conv1x1(2)]},
    ),
    "Multiply": LayerCase(
        multiply,
        shapes=(IMAGES, (2,)),
        large_shapes=(LARGE_IMAGES,) * 2,
        unusual=(layers.Multiply([Conv(3), ("gate", [Conv(3), Sigmoid()])]),),
        arguments={"branches": [Conv(2), Conv1x1(2)]},
    ),
    "PReLU": LayerCase(
        lambda layer, w, context, x: np.where(x > 0, x, w["slope"] * x),
        (PReLU(), PReLU(0.1)),
        torch=lambda t, layer, x: t.F.prelu(x, t.weights["prelu1/slope"]),
    ),
    "Pad": LayerCase(
        pad,
        (Pad(), Pad(SIDES, value=-2.5), Pad(SIDES, mode="reflect"), Pad(5, mode="wrap")),
        large=(Pad((1, 2)), Pad(1, mode="edge")),
        unusual=(Pad(SIDES, value=0.5), Pad(SIDES, mode="edge", value=1.0)),
    ),
    "ReLU": LayerCase(number_by_number(lambda x: np.maximum(x, 0))),
    "ReLU6": LayerCase(number_by_number(lambda x: np.minimum(np.maximum(x, 0), 6))),
    "Reshape": LayerCase(
        lambda layer, w, context, x: x.reshape(len(x), *layer.output_shape(x.shape[1:])),
        (Reshape((1, 1, -1)),),
        large=(Reshape((10, 40, 16)),),
        arguments={"shape": (4, -1)},
        words={"shape": ({"tuple": [-1]}, {"tuple": [1, 1, -1]}, {"tuple": [-1, 1, 1]})},
    ),
    "SELU": LayerCase(
        number_by_number(
            lambda x: (
                1.0507009873554805
                * np.where(x > 0, x, 1.6732632423543772 * np.expm1(np.minimum(x, 0)))
            )
        ),
        torch=lambda t, layer, x: t.F.selu(x),
    ),
    "SiLU": LayerCase(number_by_number(lambda x: x * logistic(x))),
    "Sigmoid": LayerCase(number_by_number(logistic)),
    "Softmax": LayerCase(number_by_number(softmax)),
    "Softplus": LayerCase(
        lambda layer, w, context, x: softplus(layer.beta * x) / layer.beta,
        (Softplus(), Softplus(3.0)),
        torch=lambda t, layer, x: t.F.softplus(x, layer.beta),
    ),
    "SpatialDropout": LayerCase(spatial_dropout, unusual=(SpatialDropout(0.25),)),
    "Tanh": LayerCase(number_by_number(np.tanh)),
    "UpSample": LayerCase(
        upsample,
        (UpSample(), UpSample((1, 2), method="bilinear")),
        large=(UpSample(2), UpSample((3, 2), method="bilinear")),
        words={"method": ("nearest", "bilinear")},
    ),
}

# What the tests make of it

TWINS = {name: case.twin for name, case in CASES.items()}


def small(kind=layers.Layer):
    """Return layers of a kind, and the shapes of small samples that they read."""
    return [
        (layer, case.shapes)
        for name, case in CASES.items()
        if issubclass(layers.KINDS[name], kind)
        for layer in case.small or (layers.KINDS[name](),)
    ]


def large():
    """Return layers, and the shapes of larger samples that they read."""
    return [
        (layer, case.large_shapes)
        for name, case in CASES.items()
        for layer in case.large or case.small or (layers.KINDS[name](),)
    ]


def unusual():
    """Return layers of which one or another has other hyper-parameters than the defaults."""
    rows = [(*case.small, *case.large, *case.unusual) for case in CASES.values()]
    return [layer for row in rows for layer in row]


def with_default(kind):
    """Names of the hyper-parameters of layers whose default is of a type."""
    return {
        name
        for layer in layers.KINDS.values()
        for name, parameter in inspect.signature(layer).parameters.items()
        if type(parameter.default) is kind
    }


def words():
    """Values of hyper-parameters by name."""
    return {name: values for case in CASES.values() for name, values in case.words.items()}
