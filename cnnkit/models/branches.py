"""Networks of modules whose branches are put side by side: SqueezeNet and GoogLeNet."""

from __future__ import annotations

from collections.abc import Sequence

from cnnkit.blocks import fire, inception
from cnnkit.graph.graph import Sequential
from cnnkit.layers import Conv, Conv1x1, Dense, Dropout, GlobalAvgPool, LocalResponseNorm, ReLU
from cnnkit.models.form import IMAGENET, Form, first_conv, pooling


def squeezenet_1_0(
    n_outputs: int | None = None, image_shape: Sequence[int] = IMAGENET, *, width: float = 1
) -> Sequential:
    """Return SqueezeNet 1.0: eight `fire` modules between two convolutions.

    Iandola et al. (2016), "SqueezeNet: AlexNet-level accuracy with 50x fewer parameters and
    < 0.5MB model size", table 1. The last convolution has no ReLU: an output may be negative.

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
    >>> network = models.squeezenet_1_0(1000)
    >>> f"{network.summary((224, 224, 3)).trained_weights:,}"
    '1,248,424'
    """
    return _squeezenet("squeezenet_1_0", 96, 7, (4, 8), n_outputs, image_shape, width)


def squeezenet_1_1(
    n_outputs: int | None = None, image_shape: Sequence[int] = IMAGENET, *, width: float = 1
) -> Sequential:
    """Return SqueezeNet 1.1: 1.0 with a smaller first convolution and earlier poolings.

    Iandola et al., github.com/forresti/SqueezeNet, SqueezeNet_v1.1: 2.4 times less computation at
    the same accuracy. See `squeezenet_1_0`.

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
    >>> network = models.squeezenet_1_1(1000)
    >>> f"{network.summary((224, 224, 3)).trained_weights:,}"
    '1,235,496'
    """
    return _squeezenet("squeezenet_1_1", 64, 3, (3, 5), n_outputs, image_shape, width)


def _squeezenet(owner, filters, kernel_size, pooled, n_outputs, image_shape, width):
    """Return a SqueezeNet; a pooling follows the fire modules with the numbers `pooled`."""
    form = Form(owner, image_shape, width, 4)
    first, pool1, *strides = form.strides
    layers = [("conv1", first_conv(form(filters), kernel_size, first, "valid")), ReLU()]
    layers += pooling("pool1", pool1, ceil_mode=True)
    for i, squeeze in enumerate((16, 16, 32, 32, 48, 48, 64, 64), 2):
        layers += [(f"fire{i}", fire(form(squeeze), form(4 * squeeze)))]
        if i in pooled:
            layers += pooling(f"pool{i}", strides[pooled.index(i)], ceil_mode=True)
    return Sequential([*layers, Dropout(0.5), ("conv10", Conv1x1(n_outputs)), GlobalAvgPool()])


INCEPTIONS = {
    "3a": (64, 96, 128, 16, 32, 32),
    "3b": (128, 128, 192, 32, 96, 64),
    "4a": (192, 96, 208, 16, 48, 64),
    "4b": (160, 112, 224, 24, 64, 64),
    "4c": (128, 128, 256, 24, 64, 64),
    "4d": (112, 144, 288, 32, 64, 64),
    "4e": (256, 160, 320, 32, 128, 128),
    "5a": (256, 160, 320, 32, 128, 128),
    "5b": (384, 192, 384, 48, 128, 128),
}


def googlenet(
    n_outputs: int | None = None, image_shape: Sequence[int] = IMAGENET, *, width: float = 1
) -> Sequential:
    """Return GoogLeNet (Inception v1): nine `inception` modules, no auxiliary classifiers.

    Szegedy et al. (2015), "Going deeper with convolutions", table 1: with biases and response
    normalisation, without batch normalisation.

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
    >>> network = models.googlenet(1000)
    >>> f"{network.summary((224, 224, 3)).trained_weights:,}"
    '6,998,552'
    """
    form = Form("googlenet", image_shape, width, 5)
    first, pool1, pool2, pool3, pool4 = form.strides
    pools = {"3a": ("pool2", pool2), "4a": ("pool3", pool3), "5a": ("pool4", pool4)}
    layers = [
        ("conv1", first_conv(form(64), 7, first, 3)),
        ReLU(),
        *pooling("pool1", pool1, ceil_mode=True),
        ("norm1", LocalResponseNorm(5)),
        ("conv2_reduce", Conv1x1(form(64))),
        ReLU(),
        ("conv2", Conv(form(192), 3)),
        ReLU(),
        ("norm2", LocalResponseNorm(5)),
    ]
    for name, filters in INCEPTIONS.items():
        if name in pools:
            layers += pooling(*pools[name], ceil_mode=True)
        layers += [(f"inception_{name}", inception(*map(form, filters)))]
    return Sequential([*layers, GlobalAvgPool(), Dropout(0.4), Dense(n_outputs)])
