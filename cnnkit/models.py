"""Networks of the literature, under their usual names.

Every function returns a `Sequential` that ends in one number per output, before any softmax::

    model(n_outputs=None, image_shape=<published shape>, *, width=1)

n_outputs : int, default=None
    None means one per class or target, which ``fit`` fills in.
image_shape : tuple (H, W, C) or (H, W)
    Shape of the images. If they are too small for all strides and poolings of 2, the first of these
    are left out, so that the last maps have at least `SMALLEST` pixels a side, apart from borders
    that are lost. A first convolution whose stride is left out has a 3x3 kernel, as in the networks
    of He et al. (2016) for CIFAR-10.
width : float, default=1
    Factor for the numbers of filters and units, except the outputs, as the width multiplier of
    MobileNet; it makes none smaller than `NARROWEST`.

`small` chooses a width with which a network is trained on the digits in seconds.

>>> from cnnkit import models
>>> models.resnet18(1000).summary((224, 224, 3)).weights  # 9,600 of them running statistics
11699112
>>> models.resnet18(10, (28, 28, 1), width=0.25).output_shape((28, 28, 1))
(10,)
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from numbers import Real
from typing import TYPE_CHECKING, Any

from cnnkit.blocks import (
    basic_block,
    bottleneck,
    depthwise_separable,
    fire,
    inception,
    mlpconv,
)
from cnnkit.graph.graph import Sequential
from cnnkit.layers import (
    BatchNorm,
    Conv,
    Conv1x1,
    Dense,
    Dropout,
    Flatten,
    GlobalAvgPool,
    LocalResponseNorm,
    MaxPool,
    ReLU,
)
from cnnkit.validate import shapes

if TYPE_CHECKING:
    pass

SMALLEST = 2  # least pixels a side of the last maps
NARROWEST = 8  # least filters after the factor `width`

LARGE = 128  # pixels a side: `default` starts with a stride for such and larger images
HALVED = 8  # pixels a side: `default` halves maps of this and larger sizes
FIRST, MOST = 16, 128  # filters of the first convolution of `default`, and most filters
TABLE_UNITS = 100  # hidden units of `default` for images of one pixel

IMAGENET = (224, 224, 3)


class _Form:
    """Strides and filters of a network for images of one shape, at one width.

    Attributes
    ----------
    image_shape : tuple
    strides : list of int
        One for each of the network's strides and poolings of 2, in their order: 2, or 1 if it is
        left out.
    """

    def __init__(self, owner, image_shape, width, halvings):
        if isinstance(width, bool) or not isinstance(width, Real) or not 0 < width < float("inf"):
            raise ValueError(f"{owner}: width must be a positive number, got {width!r}.")
        self.width = width
        self.image_shape = shapes.image_shape(image_shape, owner)
        affordable = (min(self.image_shape[:2]) // SMALLEST).bit_length() - 1
        kept = max(0, min(halvings, affordable))
        self.strides = [1] * (halvings - kept) + [2] * kept

    def __call__(self, number):
        """Return `number` filters or units at this width."""
        return max(min(number, NARROWEST), round(number * self.width))


def _first(filters, kernel_size, stride, padding, bias=True):
    """Return the first convolution, which is 3x3 if its stride is left out."""
    if stride == 1:
        return Conv(filters, 3, bias=bias)
    return Conv(filters, kernel_size, stride=stride, padding=padding, bias=bias)


def _pool(name, stride, pool_size=3, **kwargs):
    """Return a list with a pooling, or an empty list if its stride is left out."""
    return [(name, MaxPool(pool_size, stride=stride, **kwargs))] if stride > 1 else []


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
    gets one hidden layer of 100 units. docs/defaults.md says how this was chosen.

    Parameters
    ----------
    n_outputs, image_shape, width :
        See `cnnkit.models`.
    dropout : float, default=0.2
        Rate of the dropout before the dense layer; a table has no dropout.

    Examples
    --------
    >>> from cnnkit import models
    >>> models.default(10, (28, 28, 1)).summary((28, 28, 1)).weights
    73114
    """
    H, W, _ = shapes.image_shape(image_shape, "default")
    form = _Form("default", image_shape, width, 0)
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
    n_outputs, image_shape, width :
        See `cnnkit.models`.
    """
    form = _Form("lenet5", image_shape, width, 2)
    side = min(form.image_shape[:2])
    return Sequential(
        [
            ("conv1", Conv(form(6), 5, padding="valid" if side >= 32 else "same")),
            ReLU(),
            *_pool("pool1", form.strides[0], 2),
            ("conv2", Conv(form(16), 5, padding="valid" if side >= 28 else "same")),
            ReLU(),
            *_pool("pool2", form.strides[1], 2),
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
    n_outputs, image_shape, width :
        See `cnnkit.models`.
    """
    form = _Form("convnet", image_shape, width, 2)
    return Sequential(
        [
            ("conv1", Conv(form(3), 3)),
            *_pool("pool1", form.strides[0], 2),
            ReLU(),
            ("conv2", Conv(form(8), 3)),
            *_pool("pool2", form.strides[1], 2),
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
    n_outputs, image_shape, width :
        See `cnnkit.models`.
    """
    form = _Form("network_in_network", image_shape, width, 2)
    return Sequential(
        [
            ("mlpconv1", mlpconv([form(number) for number in (192, 160, 96, 96)], 5)),
            *_pool("pool1", form.strides[0], padding="same"),
            ("mlpconv2", mlpconv([form(192)] * 3)),
            *_pool("pool2", form.strides[1], padding="same"),
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
    n_outputs, image_shape, width :
        See `cnnkit.models`.
    """
    form = _Form("alexnet", image_shape, width, 5)
    *first, pool1, pool2, pool5 = form.strides
    layers: list[Any] = [("conv1", _first(form(64), 11, first[0] * first[1], 2)), ReLU()]
    layers += _pool("pool1", pool1, ceil_mode=True)
    layers += [("conv2", Conv(form(192), 5)), ReLU()]
    layers += _pool("pool2", pool2, ceil_mode=True)
    for name, filters in (("conv3", 384), ("conv4", 256), ("conv5", 256)):
        layers += [(name, Conv(form(filters), 3)), ReLU()]
    layers += [*_pool("pool5", pool5, ceil_mode=True), Flatten()]
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
    n_outputs, image_shape, width :
        See `cnnkit.models`.
    """
    return _vgg("vgg16", (2, 2, 3, 3, 3), n_outputs, image_shape, width)


def vgg19(
    n_outputs: int | None = None, image_shape: Sequence[int] = IMAGENET, *, width: float = 1
) -> Sequential:
    """Return VGG-19: 16 convolutions of 3x3 and three dense layers.

    Simonyan & Zisserman (2015), configuration E; see `vgg16`.

    Parameters
    ----------
    n_outputs, image_shape, width :
        See `cnnkit.models`.
    """
    return _vgg("vgg19", (2, 2, 4, 4, 4), n_outputs, image_shape, width)


def _vgg(owner, depths, n_outputs, image_shape, width):
    form = _Form(owner, image_shape, width, 5)
    layers = []
    stages = zip(depths, (64, 128, 256, 512, 512), form.strides, strict=True)
    for stage, (depth, filters, stride) in enumerate(stages, 1):
        for i in range(1, depth + 1):
            layers += [(f"conv{stage}_{i}", Conv(form(filters), 3)), ReLU()]
        layers += _pool(f"pool{stage}", stride, 2)
    layers += [Flatten()]
    for name in ("fc6", "fc7"):
        layers += [(name, Dense(form(4096))), ReLU(), Dropout(0.5)]
    return Sequential([*layers, ("fc8", Dense(n_outputs))])


def squeezenet_1_0(
    n_outputs: int | None = None, image_shape: Sequence[int] = IMAGENET, *, width: float = 1
) -> Sequential:
    """Return SqueezeNet 1.0: eight `fire` modules between two convolutions.

    Iandola et al. (2016), "SqueezeNet: AlexNet-level accuracy with 50x fewer parameters and
    < 0.5MB model size", table 1. The last convolution has no ReLU: an output may be negative.

    Parameters
    ----------
    n_outputs, image_shape, width :
        See `cnnkit.models`.
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
    n_outputs, image_shape, width :
        See `cnnkit.models`.
    """
    return _squeezenet("squeezenet_1_1", 64, 3, (3, 5), n_outputs, image_shape, width)


def _squeezenet(owner, filters, kernel_size, pooled, n_outputs, image_shape, width):
    """Return a SqueezeNet; a pooling follows the fire modules with the numbers `pooled`."""
    form = _Form(owner, image_shape, width, 4)
    first, pool1, *strides = form.strides
    layers = [("conv1", _first(form(filters), kernel_size, first, "valid")), ReLU()]
    layers += _pool("pool1", pool1, ceil_mode=True)
    for i, squeeze in enumerate((16, 16, 32, 32, 48, 48, 64, 64), 2):
        layers += [(f"fire{i}", fire(form(squeeze), form(4 * squeeze)))]
        if i in pooled:
            layers += _pool(f"pool{i}", strides[pooled.index(i)], ceil_mode=True)
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
    n_outputs, image_shape, width :
        See `cnnkit.models`.
    """
    form = _Form("googlenet", image_shape, width, 5)
    first, pool1, pool2, pool3, pool4 = form.strides
    pools = {"3a": ("pool2", pool2), "4a": ("pool3", pool3), "5a": ("pool4", pool4)}
    layers = [
        ("conv1", _first(form(64), 7, first, 3)),
        ReLU(),
        *_pool("pool1", pool1, ceil_mode=True),
        ("norm1", LocalResponseNorm(5)),
        ("conv2_reduce", Conv1x1(form(64))),
        ReLU(),
        ("conv2", Conv(form(192), 3)),
        ReLU(),
        ("norm2", LocalResponseNorm(5)),
    ]
    for name, filters in INCEPTIONS.items():
        if name in pools:
            layers += _pool(*pools[name], ceil_mode=True)
        layers += [(f"inception_{name}", inception(*map(form, filters)))]
    return Sequential([*layers, GlobalAvgPool(), Dropout(0.4), Dense(n_outputs)])


def resnet18(
    n_outputs: int | None = None, image_shape: Sequence[int] = IMAGENET, *, width: float = 1
) -> Sequential:
    """Return ResNet-18: eight residual blocks of two 3x3 convolutions.

    He et al. (2016), "Deep residual learning for image recognition", table 1, with projections
    where shapes differ (option B).

    Parameters
    ----------
    n_outputs, image_shape, width :
        See `cnnkit.models`.
    """
    return _resnet("resnet18", basic_block, 1, (2, 2, 2, 2), n_outputs, image_shape, width)


def resnet50(
    n_outputs: int | None = None, image_shape: Sequence[int] = IMAGENET, *, width: float = 1
) -> Sequential:
    """Return ResNet-50: 16 residual `bottleneck` blocks.

    He et al. (2016), table 1; see `resnet18`.

    Parameters
    ----------
    n_outputs, image_shape, width :
        See `cnnkit.models`.
    """
    return _resnet("resnet50", bottleneck, 4, (3, 4, 6, 3), n_outputs, image_shape, width)


def _resnet(owner, block, expansion, depths, n_outputs, image_shape, width):
    """Return a ResNet whose blocks of `filters` have ``expansion * filters`` output channels."""
    form = _Form(owner, image_shape, width, 5)
    first, pool, *strides = form.strides
    channels = form(64)
    layers = [("conv1", _first(channels, 7, first, 3, bias=False)), BatchNorm(), ReLU()]
    layers += _pool("pool1", pool, padding=1)
    for stage, (depth, stride) in enumerate(zip(depths, (1, *strides), strict=True), 2):
        filters = form(16 * 2**stage)
        for i in range(1, depth + 1):
            projection = stride != 1 or channels != expansion * filters
            layers += [(f"conv{stage}_{i}", block(filters, stride, projection))]
            channels, stride = expansion * filters, 1
    return Sequential([*layers, GlobalAvgPool(), Dense(n_outputs)])


def mobilenet_v1(
    n_outputs: int | None = None, image_shape: Sequence[int] = IMAGENET, *, width: float = 1
) -> Sequential:
    """Return MobileNet: one convolution and 13 depthwise separable ones.

    Howard et al. (2017), "MobileNets: efficient convolutional neural networks for mobile vision
    applications", table 1; `width` is its multiplier alpha. ReLU as in the paper (Keras has ReLU6
    and dropout before the classifier).

    Parameters
    ----------
    n_outputs, image_shape, width :
        See `cnnkit.models`.
    """
    form = _Form("mobilenet_v1", image_shape, width, 5)
    first, stride3, stride5, stride7, stride13 = form.strides
    table = [(64, 1), (128, stride3), (128, 1), (256, stride5), (256, 1), (512, stride7)]
    table += [(512, 1)] * 5 + [(1024, stride13), (1024, 1)]
    conv1 = _first(form(32), 3, first, "same", bias=False)
    layers: list[Any] = [("conv1", conv1), BatchNorm(), ReLU()]
    layers += [
        (f"separable{i}", depthwise_separable(form(filters), stride))
        for i, (filters, stride) in enumerate(table, 1)
    ]
    return Sequential([*layers, GlobalAvgPool(), Dense(n_outputs)])


MODELS = {
    model.__name__: model
    for model in (
        default,
        lenet5,
        convnet,
        network_in_network,
        alexnet,
        vgg16,
        vgg19,
        squeezenet_1_0,
        squeezenet_1_1,
        googlenet,
        resnet18,
        resnet50,
        mobilenet_v1,
    )
}


def find(model: object) -> Callable[..., Sequential] | None:
    """Return the function of this module that `model` is or names, or None.

    Examples
    --------
    >>> from cnnkit import models
    >>> models.find("resnet18") is models.find(models.resnet18) is models.resnet18
    True
    """
    found = MODELS.get(model if isinstance(model, str) else getattr(model, "__name__", ""))
    return found if isinstance(model, str) or found is model else None


SMALL_WIDTHS = {  # widths; the others have an eighth
    "default": 1,
    "lenet5": 1,
    "convnet": 1,
    "network_in_network": 1 / 4,
    "squeezenet_1_0": 1 / 4,
    "squeezenet_1_1": 1 / 4,
}


def small(
    name: str, image_shape: Sequence[int] = (8, 8, 1), n_outputs: int | None = None
) -> Sequential:
    """Return a network of this module narrow enough to train on small images in seconds.

    The width is an eighth. It is a quarter for Network in Network and SqueezeNet, whose 1x1
    convolutions are narrow already, and 1 for LeNet-5, `convnet` and `default`.

    Parameters
    ----------
    name : str
        Name of a function of this module.
    image_shape : tuple, default=(8, 8, 1)
    n_outputs : int, default=None
        See `cnnkit.models`.

    Examples
    --------
    >>> from cnnkit import models
    >>> models.small("squeezenet_1_1", (28, 28, 1), 10).summary((28, 28, 1)).weights < 100_000
    True
    """
    if name not in MODELS:
        raise ValueError(f"small: name must be one of {sorted(MODELS)}, got {name!r}.")
    return MODELS[name](n_outputs, image_shape, width=SMALL_WIDTHS.get(name, 1 / 8))
