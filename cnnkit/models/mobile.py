"""Networks of depthwise convolutions, for small devices."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from cnnkit.blocks import depthwise_separable, inverted_residual
from cnnkit.graph.graph import Sequential
from cnnkit.layers import BatchNorm, Conv1x1, Dense, Dropout, GlobalAvgPool, ReLU, ReLU6
from cnnkit.models.form import IMAGENET, Form, first_conv


def mobilenet_v1(
    n_outputs: int | None = None, image_shape: Sequence[int] = IMAGENET, *, width: float = 1
) -> Sequential:
    """Return MobileNet: one convolution and 13 depthwise separable ones.

    Howard et al. (2017), "MobileNets: efficient convolutional neural networks for mobile vision
    applications", table 1; `width` is its multiplier alpha. ReLU as in the paper (Keras has ReLU6
    and dropout before the classifier).

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
    >>> network = models.mobilenet_v1(1000)
    >>> f"{network.summary((224, 224, 3)).trained_weights:,}"
    '4,231,976'
    """
    form = Form("mobilenet_v1", image_shape, width, 5)
    first, stride3, stride5, stride7, stride13 = form.strides
    table = [(64, 1), (128, stride3), (128, 1), (256, stride5), (256, 1), (512, stride7)]
    table += [(512, 1)] * 5 + [(1024, stride13), (1024, 1)]
    conv1 = first_conv(form(32), 3, first, "same", bias=False)
    layers: list[Any] = [("conv1", conv1), BatchNorm(), ReLU()]
    layers += [
        (f"separable{i}", depthwise_separable(form(filters), stride))
        for i, (filters, stride) in enumerate(table, 1)
    ]
    return Sequential([*layers, GlobalAvgPool(), Dense(n_outputs)])


MOBILENET_V2 = (  # expansion, filters, blocks, whether the first has a stride, kernel size
    (1, 16, 1, False, 3),
    (6, 24, 2, True, 3),
    (6, 32, 3, True, 3),
    (6, 64, 4, True, 3),
    (6, 96, 3, False, 3),
    (6, 160, 3, True, 3),
    (6, 320, 1, False, 3),
)
EFFICIENTNET_LITE0 = (
    (1, 16, 1, False, 3),
    (6, 24, 2, True, 3),
    (6, 40, 2, True, 5),
    (6, 80, 3, True, 3),
    (6, 112, 3, False, 5),
    (6, 192, 4, True, 5),
    (6, 320, 1, False, 3),
)
FEATURES = 1280  # channels of the last maps


def mobilenet_v2(
    n_outputs: int | None = None,
    image_shape: Sequence[int] = IMAGENET,
    *,
    width: float = 1,
    padding: str = "symmetric",
) -> Sequential:
    """Return MobileNetV2: 17 `inverted_residual` blocks between two convolutions.

    Sandler et al. (2018), "MobileNetV2: inverted residuals and linear bottlenecks", table 2. As in
    torchvision and Keras, numbers of filters are multiples of 8, and the last convolution has at
    least 1,280.

    Parameters
    ----------
    n_outputs : int, default=None
        Number of outputs; None means one per class or target, which ``fit`` fills in.
    image_shape : tuple, default=(224, 224, 3)
        (H, W, C) or (H, W) of the images: see `cnnkit.models`.
    width : float, default=1
        Factor for the numbers of filters and units: see `cnnkit.models`.
    padding : {"symmetric", "same"}, default="symmetric"
        Padding of convolutions with a stride: as in torchvision and timm, or "same" as in Keras.
        Weights from there need the same padding here.

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
    >>> network = models.mobilenet_v2(1000)
    >>> f"{network.summary((224, 224, 3)).trained_weights:,}"
    '3,504,872'
    """
    form = Form("mobilenet_v2", image_shape, width, 5)
    ends = _multiple(32 * width), FEATURES * max(1, width)
    return _inverted(form, MOBILENET_V2, ends, n_outputs, padding, BatchNorm())


def efficientnet_lite0(
    n_outputs: int | None = None,
    image_shape: Sequence[int] = IMAGENET,
    *,
    width: float = 1,
    padding: str = "same",
) -> Sequential:
    """Return EfficientNet-Lite0: 16 `inverted_residual` blocks, some with 5x5 kernels.

    Tan & Le (2019), "EfficientNet: rethinking model scaling for convolutional neural networks",
    table 1, without squeeze and excitation and with ReLU6: Liu (2020), "Higher accuracy on vision
    models with EfficientNet-Lite". `width` does not change the first and last convolution.

    Parameters
    ----------
    n_outputs : int, default=None
        Number of outputs; None means one per class or target, which ``fit`` fills in.
    image_shape : tuple, default=(224, 224, 3)
        (H, W, C) or (H, W) of the images: see `cnnkit.models`.
    width : float, default=1
        Factor for the numbers of filters and units: see `cnnkit.models`.
    padding : {"symmetric", "same"}, default="same"
        Padding of convolutions with a stride: "same" as in TensorFlow, or "symmetric" as in the
        weights that timm has trained itself.
        Weights from there need the same padding here.

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
    >>> network = models.efficientnet_lite0(1000)
    >>> f"{network.summary((224, 224, 3)).trained_weights:,}"
    '4,652,008'
    """
    form = Form("efficientnet_lite0", image_shape, width, 5)
    norm = BatchNorm(momentum=0.01, eps=1e-3)
    return _inverted(form, EFFICIENTNET_LITE0, (32, FEATURES), n_outputs, padding, norm)


def _inverted(form, table, ends, n_outputs, padding, norm):
    """Return a network of inverted residuals; `ends` are filters of first and last convolution."""
    if padding not in ("symmetric", "same"):
        raise ValueError(f"{form.owner}: padding must be 'symmetric' or 'same', got {padding!r}.")
    first, *strides = form.strides
    channels, number = ends[0], 0
    conv = first_conv(channels, 3, first, 1 if padding == "symmetric" else padding, bias=False)
    layers = [("conv1", conv), ("norm1", norm), ReLU6()]
    for expansion, filters, depth, strided, kernel_size in table:
        filters, stride = _multiple(filters * form.width), strides.pop(0) if strided else 1
        for i in range(depth):
            number += 1
            block = inverted_residual(
                filters,
                stride,
                channels=channels,
                expansion=expansion,
                kernel_size=kernel_size,
                padding=None if padding == "symmetric" else padding,
                residual=i > 0,
                norm=norm,
            )
            layers.append((f"block{number}", block))
            channels, stride = filters, 1
    last = Conv1x1(_multiple(ends[1]), bias=False)
    layers += [("conv2", last), ("norm2", norm), ReLU6(), GlobalAvgPool()]
    return Sequential([*layers, Dropout(0.2), Dense(n_outputs)])


def _multiple(number, of=8):
    """Return the multiple of 8 nearest to a number, at least 8 and 90% of it."""
    found = max(of, int(number + of / 2) // of * of)
    return found if found >= 0.9 * number else found + of
