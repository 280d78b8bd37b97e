"""Networks of layers one after another."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from cnnkit.blocks import mlpconv
from cnnkit.graph.graph import Sequential
from cnnkit.layers import (
    BatchNorm,
    Conv,
    Conv1x1,
    Dense,
    Dropout,
    Flatten,
    GlobalAvgPool,
    MaxPool,
    ReLU,
)
from cnnkit.models.form import IMAGENET, Form, first_conv, pooling
from cnnkit.validate import shapes

LARGE = 128  # pixels a side: `default` starts with a stride for such and larger images
HALVED = 8  # pixels a side: `default` halves maps of this and larger sizes
FIRST, MOST = 16, 128  # filters of the first convolution of `default`, and most filters
TABLE_UNITS = 100  # hidden units of `default` for images of one pixel


def default(
    n_outputs: int | None = None,
    image_shape: Sequence[int] = (28, 28, 1),
    *,
    width: float = 1,
    dropout: float = 0.2,
) -> Sequential:
    """Return the network of an estimator without `layers`, which suits most images.

    For every size of the maps it has twice a 3x3 convolution, batch norm and ReLU. A max pooling
    halves the maps as long as a side has 8 pixels; the filters double after it, from 16 to at most
    128. Global average pooling, dropout and a dense layer follow. Images below 16 pixels a side
    start with a single convolution of 32 filters, images of 128 pixels or more with a stride of 2.
    Along a side of one pixel, kernels have one pixel. An image of one pixel is a row of a table: it
    gets one hidden layer of 100 units. docs/guides/defaults.md says how this was chosen.

    Parameters
    ----------
    n_outputs : int, default=None
        Number of outputs; None means one per class or target, which ``fit`` fills in.
    image_shape : tuple, default=(28, 28, 1)
        (H, W, C) or (H, W) of the images: see `cnnkit.models`.
    width : float, default=1
        Factor for the numbers of filters and units: see `cnnkit.models`.
    dropout : float, default=0.2
        Rate of the dropout before the dense layer; a table has no dropout.

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
    >>> models.default(10, (28, 28, 1)).summary((28, 28, 1)).weights
    73114
    """
    H, W, _ = shapes.image_shape(image_shape, "default")
    form = Form("default", image_shape, width, 0)
    if H == W == 1:
        return Sequential([Flatten(), Dense(form(TABLE_UNITS)), ReLU(), Dense(n_outputs)])
    filters = FIRST if max(H, W) >= 2 * HALVED else 2 * FIRST
    stride = (2 if H >= LARGE else 1, 2 if W >= LARGE else 1)
    H, W = -(-H // stride[0]), -(-W // stride[1])
    layers = []
    convolutions = 2 if filters == FIRST else 1
    while True:
        for _ in range(convolutions):
            kernel = (1 if H == 1 else 3, 1 if W == 1 else 3)
            convolution = Conv(form(filters), kernel, stride=stride, bias=False)
            layers += [convolution, BatchNorm(), ReLU()]
            stride = (1, 1)
        convolutions = 2
        halved = (2 if H >= HALVED else 1, 2 if W >= HALVED else 1)
        if halved == (1, 1):
            break
        layers.append(MaxPool(halved))
        H, W = H // halved[0], W // halved[1]
        filters = min(2 * filters, MOST)
    layers.append(GlobalAvgPool())
    return Sequential([*layers, *([Dropout(dropout)] if dropout else []), Dense(n_outputs)])


def lenet5(
    n_outputs: int | None = None, image_shape: Sequence[int] = (32, 32, 1), *, width: float = 1
) -> Sequential:
    """Return LeNet-5 in its modern form: ReLU, max pooling, every map reads all maps before it.

    LeCun et al. (1998), "Gradient-based learning applied to document recognition", section 2.B.
    Images below 32 pixels are padded in the first convolution, those below 28 in both.

    Parameters
    ----------
    n_outputs : int, default=None
        Number of outputs; None means one per class or target, which ``fit`` fills in.
    image_shape : tuple, default=(32, 32, 1)
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
    >>> network = models.lenet5(10)
    >>> f"{network.summary((32, 32, 1)).trained_weights:,}"
    '61,706'
    """
    form = Form("lenet5", image_shape, width, 2)
    side = min(form.image_shape[:2])
    return Sequential(
        [
            ("conv1", Conv(form(6), 5, padding="valid" if side >= 32 else "same")),
            ReLU(),
            *pooling("pool1", form.strides[0], 2),
            ("conv2", Conv(form(16), 5, padding="valid" if side >= 28 else "same")),
            ReLU(),
            *pooling("pool2", form.strides[1], 2),
            Flatten(),
            Dense(form(120)),
            ReLU(),
            Dense(form(84)),
            ReLU(),
            Dense(n_outputs),
        ]
    )


def convnet(
    n_outputs: int | None = None, image_shape: Sequence[int] = (28, 28, 1), *, width: float = 1
) -> Sequential:
    """Return two 3x3 convolutions and a 1x1 convolution, each with ReLU.

    The head is another 1x1 convolution, with one filter per output, and global average pooling:
    no dense layer (Lin et al., 2013, "Network in network", section 3.2).

    Parameters
    ----------
    n_outputs : int, default=None
        Number of outputs; None means one per class or target, which ``fit`` fills in.
    image_shape : tuple, default=(28, 28, 1)
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
    >>> network = models.convnet(10)
    >>> f"{network.summary((28, 28, 1)).trained_weights:,}"
    '416'
    """
    form = Form("convnet", image_shape, width, 2)
    return Sequential(
        [
            ("conv1", Conv(form(3), 3)),
            *pooling("pool1", form.strides[0], 2),
            ReLU(),
            ("conv2", Conv(form(8), 3)),
            *pooling("pool2", form.strides[1], 2),
            ReLU(),
            ("conv3", Conv1x1(form(8))),
            ReLU(),
            ("head", Conv1x1(n_outputs)),
            GlobalAvgPool(),
        ]
    )


def network_in_network(
    n_outputs: int | None = None, image_shape: Sequence[int] = (32, 32, 3), *, width: float = 1
) -> Sequential:
    """Return Network in Network for CIFAR-10, in the form with 1x1 kernels in later blocks.

    Lin et al. (2013), "Network in network", where the second and third `mlpconv` start with 5x5
    and 3x3 kernels and dropout follows the poolings. The last convolution has no ReLU: an output
    may be negative.

    Parameters
    ----------
    n_outputs : int, default=None
        Number of outputs; None means one per class or target, which ``fit`` fills in.
    image_shape : tuple, default=(32, 32, 3)
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
    >>> network = models.network_in_network(10)
    >>> f"{network.summary((32, 32, 3)).trained_weights:,}"
    '239,018'
    """
    form = Form("network_in_network", image_shape, width, 2)
    return Sequential(
        [
            ("mlpconv1", mlpconv([form(number) for number in (192, 160, 96, 96)], 5)),
            *pooling("pool1", form.strides[0], padding="same"),
            ("mlpconv2", mlpconv([form(192)] * 3)),
            *pooling("pool2", form.strides[1], padding="same"),
            ("mlpconv3", mlpconv([form(192)] * 2)),
            ("head", Conv1x1(n_outputs)),
            GlobalAvgPool(),
        ]
    )


def alexnet(
    n_outputs: int | None = None, image_shape: Sequence[int] = IMAGENET, *, width: float = 1
) -> Sequential:
    """Return AlexNet in one column of 64, 192, 384, 256 and 256 filters.

    Krizhevsky et al. (2012), "ImageNet classification with deep convolutional neural networks", as
    Krizhevsky (2014), "One weird trick for parallelizing convolutional neural networks", describes
    it for one processor, without response normalisation; torchvision has the same.

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
    >>> network = models.alexnet(1000)
    >>> f"{network.summary((224, 224, 3)).trained_weights:,}"
    '61,100,840'
    """
    form = Form("alexnet", image_shape, width, 5)
    *first, pool1, pool2, pool5 = form.strides
    layers: list[Any] = [("conv1", first_conv(form(64), 11, first[0] * first[1], 2)), ReLU()]
    layers += pooling("pool1", pool1, ceil_mode=True)
    layers += [("conv2", Conv(form(192), 5)), ReLU()]
    layers += pooling("pool2", pool2, ceil_mode=True)
    for name, filters in (("conv3", 384), ("conv4", 256), ("conv5", 256)):
        layers += [(name, Conv(form(filters), 3)), ReLU()]
    layers += [*pooling("pool5", pool5, ceil_mode=True), Flatten()]
    for name in ("fc6", "fc7"):
        layers += [Dropout(0.5), (name, Dense(form(4096))), ReLU()]
    return Sequential([*layers, ("fc8", Dense(n_outputs))])


def vgg16(
    n_outputs: int | None = None, image_shape: Sequence[int] = IMAGENET, *, width: float = 1
) -> Sequential:
    """Return VGG-16: 13 convolutions of 3x3 and three dense layers.

    Simonyan & Zisserman (2015), "Very deep convolutional networks for large-scale image
    recognition", table 1, configuration D.

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
    >>> network = models.vgg16(1000)
    >>> f"{network.summary((224, 224, 3)).trained_weights:,}"
    '138,357,544'
    """
    return _vgg("vgg16", (2, 2, 3, 3, 3), n_outputs, image_shape, width)


def vgg19(
    n_outputs: int | None = None, image_shape: Sequence[int] = IMAGENET, *, width: float = 1
) -> Sequential:
    """Return VGG-19: 16 convolutions of 3x3 and three dense layers.

    Simonyan & Zisserman (2015), configuration E; see `vgg16`.

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
    >>> network = models.vgg19(1000)
    >>> f"{network.summary((224, 224, 3)).trained_weights:,}"
    '143,667,240'
    """
    return _vgg("vgg19", (2, 2, 4, 4, 4), n_outputs, image_shape, width)


def _vgg(owner, depths, n_outputs, image_shape, width):
    form = Form(owner, image_shape, width, 5)
    layers = []
    stages = zip(depths, (64, 128, 256, 512, 512), form.strides, strict=True)
    for stage, (depth, filters, stride) in enumerate(stages, 1):
        for i in range(1, depth + 1):
            layers += [(f"conv{stage}_{i}", Conv(form(filters), 3)), ReLU()]
        layers += pooling(f"pool{stage}", stride, 2)
    layers += [Flatten()]
    for name in ("fc6", "fc7"):
        layers += [(name, Dense(form(4096))), ReLU(), Dropout(0.5)]
    return Sequential([*layers, ("fc8", Dense(n_outputs))])
