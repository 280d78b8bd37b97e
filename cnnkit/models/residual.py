"""Residual networks."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from cnnkit.blocks import basic_block, bottleneck
from cnnkit.graph.graph import Sequential
from cnnkit.layers import BatchNorm, Dense, GlobalAvgPool, ReLU
from cnnkit.models.form import IMAGENET, Form, first_conv, pooling


def resnet18(
    n_outputs: int | None = None, image_shape: Sequence[int] = IMAGENET, *, width: float = 1
) -> Sequential:
    """Return ResNet-18: eight residual blocks of two 3x3 convolutions.

    He et al. (2016), "Deep residual learning for image recognition", table 1, with projections
    where shapes differ (option B).

    Parameters
    ----------
    n_outputs : int, default=None
        Number of outputs; None means one per class or target, which ``fit`` fills in.
    image_shape : tuple, default=(224, 224, 3)
        (H, W, C) or (H, W) of the images: see `cnnkit.models`.
    width : float, default=1
        Factor for the numbers of filters and units: see `cnnkit.models`.

    Returns
    -------
    network : Sequential
        It ends in one number per output, before any softmax.

    Raises
    ------
    ValueError, TypeError
        If the shape is none of images, or a parameter is out of range.

    Examples
    --------
    >>> from cnnkit import models
    >>> network = models.resnet18(1000)
    >>> f"{network.summary((224, 224, 3)).trained_weights:,}"
    '11,689,512'
    """
    return _resnet("resnet18", basic_block, 1, (2, 2, 2, 2), n_outputs, image_shape, width)


def resnet50(
    n_outputs: int | None = None,
    image_shape: Sequence[int] = IMAGENET,
    *,
    width: float = 1,
    strided: str = "1x1",
) -> Sequential:
    """Return ResNet-50: 16 residual `bottleneck` blocks.

    He et al. (2016), table 1; see `resnet18`.

    Parameters
    ----------
    n_outputs : int, default=None
        Number of outputs; None means one per class or target, which ``fit`` fills in.
    image_shape : tuple, default=(224, 224, 3)
        (H, W, C) or (H, W) of the images: see `cnnkit.models`.
    width : float, default=1
        Factor for the numbers of filters and units: see `cnnkit.models`.
    strided : {"1x1", "3x3"}, default="1x1"
        Convolution of a `bottleneck` that has the stride: the first, as in the paper and in Keras,
        or the 3x3 convolution, as weights of torchvision and timm need it (ResNet v1.5).

    Returns
    -------
    network : Sequential
        It ends in one number per output, before any softmax.

    Raises
    ------
    ValueError, TypeError
        If the shape is none of images, or a parameter is out of range.

    Examples
    --------
    >>> from cnnkit import models
    >>> network = models.resnet50(1000)
    >>> f"{network.summary((224, 224, 3)).trained_weights:,}"
    '25,557,032'
    """
    block = partial(bottleneck, strided=strided)
    return _resnet("resnet50", block, 4, (3, 4, 6, 3), n_outputs, image_shape, width)


def _resnet(owner, block, expansion, depths, n_outputs, image_shape, width):
    """Return a ResNet whose blocks of `filters` have ``expansion * filters`` output channels."""
    form = Form(owner, image_shape, width, 5)
    first, pool, *strides = form.strides
    channels = form(64)
    layers = [("conv1", first_conv(channels, 7, first, 3, bias=False)), BatchNorm(), ReLU()]
    layers += pooling("pool1", pool, padding=1)
    for stage, (depth, stride) in enumerate(zip(depths, (1, *strides), strict=True), 2):
        filters = form(16 * 2**stage)
        for i in range(1, depth + 1):
            projection = stride != 1 or channels != expansion * filters
            layers += [(f"conv{stage}_{i}", block(filters, stride, projection))]
            channels, stride = expansion * filters, 1
    return Sequential([*layers, GlobalAvgPool(), Dense(n_outputs)])
