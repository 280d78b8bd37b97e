"""The named blocks of the literature, each a few layers wired together.

A block is a layer like any other: it nests in `Sequential` and `Graph`, and can be called on
symbols.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from cnnkit.graph.graph import Graph, Residual, Sequential
from cnnkit.layers import (
    Add,
    BatchNorm,
    Concat,
    Conv,
    Conv1x1,
    Dense,
    DepthwiseConv,
    GlobalAvgPool,
    MaxPool,
    Multiply,
    ReLU,
    ReLU6,
    Sigmoid,
    UpSample,
)
from cnnkit.validate import shapes

if TYPE_CHECKING:
    from cnnkit.graph.symbols import Symbol
    from cnnkit.layers.base import Layer
    from cnnkit.typing import IntPair, Padding

__all__ = [
    "add_depth",
    "basic_block",
    "bottleneck",
    "channel_attention",
    "depthwise_separable",
    "dimension_reduction",
    "feature_fusion",
    "feature_pyramid",
    "fire",
    "inception",
    "inverted_residual",
    "mlpconv",
]


def dimension_reduction(channels: int, factor: int) -> Conv1x1:
    """Return a 1x1 convolution that divides the number of channels by `factor`.

    Lin et al. (2013), "Network in network"; Szegedy et al. (2015), "Going deeper with
    convolutions", where it comes before every large kernel.

    Parameters
    ----------
    channels : int
        Channels of the input.
    factor : int
        At most `channels`; the quotient is rounded down.

    Returns
    -------
    block : Conv1x1
        It has ``channels // factor`` filters.

    Raises
    ------
    ValueError, TypeError
        If a number is no positive int, or `factor` is larger than `channels`.

    Examples
    --------
    >>> from cnnkit.blocks import dimension_reduction
    >>> dimension_reduction(64, 2).output_shape((28, 28, 64))
    (28, 28, 32)
    """
    return Conv1x1(_share(channels, factor, "factor", "dimension_reduction"))


def feature_fusion(filters: int = 1) -> Conv1x1:
    """Return a 1x1 convolution: `filters` weighted sums of the channels of each pixel.

    Lin et al. (2013), "Network in network", section 3.1: cross channel parametric pooling.

    Parameters
    ----------
    filters : int, default=1
        Number of weighted sums.

    Returns
    -------
    block : Conv1x1
        It has a 1x1 kernel and a bias.

    Examples
    --------
    >>> from cnnkit.blocks import feature_fusion
    >>> feature_fusion().output_shape((28, 28, 3))
    (28, 28, 1)
    """
    return Conv1x1(filters)


def add_depth(channels: int, n_layers: int) -> Sequential:
    """Return 1x1 convolutions, each with ReLU, that keep the channels: depth at little cost.

    Lin et al. (2013), "Network in network".

    Parameters
    ----------
    channels : int
        Channels of the input and of every layer.
    n_layers : int
        At most 1,000.

    Returns
    -------
    block : Sequential
        It has `n_layers` times a `Conv1x1` and a ReLU.

    Raises
    ------
    ValueError, TypeError
        If `n_layers` is no int from 1 to 1,000.

    Examples
    --------
    >>> from cnnkit.blocks import add_depth
    >>> add_depth(64, 3).output_shape((28, 28, 64))
    (28, 28, 64)
    """
    return mlpconv([channels] * shapes.as_int(n_layers, "n_layers", "add_depth", maximum=1000))


def mlpconv(
    filters: Sequence[int],
    kernel_size: IntPair = 1,
    *,
    stride: IntPair = 1,
    padding: Padding = "same",
) -> Sequential:
    """Return a convolution followed by 1x1 convolutions, each with ReLU.

    The 1x1 convolutions are a multilayer perceptron that slides over the image. Lin et al. (2013),
    "Network in network", section 3.2.

    Parameters
    ----------
    filters : list of int
        Filters of the convolution, and of every 1x1 convolution after it.
    kernel_size : int or pair of ints, default=1
        Kernel of the first convolution; 1 gives the perceptron alone, to be put after another
        convolution.
    stride : int or pair of ints, default=1
        Stride of the first convolution.
    padding : int, pair, ((top, bottom), (left, right)), "valid" or "same", default="same"
        Padding of the first convolution, as in `Conv`.

    Returns
    -------
    block : Sequential
        Every convolution is followed by a ReLU.

    Raises
    ------
    ValueError, TypeError
        If `filters` is no list of at least one int.

    Examples
    --------
    >>> from cnnkit.blocks import mlpconv
    >>> mlpconv([192, 160, 96], 5).output_shape((32, 32, 3))
    (32, 32, 96)
    """
    if not isinstance(filters, (list, tuple)) or not filters:
        raise ValueError(f"mlpconv: filters must be a list of at least one int, got {filters!r}.")
    convolutions = [Conv(filters[0], kernel_size, stride=stride, padding=padding)]
    convolutions += [Conv1x1(number) for number in filters[1:]]
    named = [(f"conv{i}", layer) for i, layer in enumerate(convolutions, 1)]
    return Sequential([item for conv in named for item in (conv, ReLU())])


def fire(squeeze: int, expand_1x1: int, expand_3x3: int | None = None) -> Sequential:
    """Return SqueezeNet's module: few 1x1 filters, then 1x1 and 3x3 filters side by side.

    Iandola et al. (2016), "SqueezeNet: AlexNet-level accuracy with 50x fewer parameters and
    < 0.5MB model size", section 3.2.

    Parameters
    ----------
    squeeze : int
        Filters of the 1x1 convolution at the start.
    expand_1x1 : int
        Filters of the 1x1 convolution after it.
    expand_3x3 : int, default=None
        Filters of the 3x3 convolution beside that one; `expand_1x1` when None.

    Returns
    -------
    block : Sequential
        Its output has ``expand_1x1 + expand_3x3`` channels.

    Examples
    --------
    >>> from cnnkit.blocks import fire
    >>> fire(16, 64, 64).output_shape((55, 55, 96))
    (55, 55, 128)
    """
    expand_3x3 = expand_1x1 if expand_3x3 is None else expand_3x3
    expand = [
        ("expand_1x1", [Conv1x1(expand_1x1), ReLU()]),
        ("expand_3x3", [Conv(expand_3x3, 3), ReLU()]),
    ]
    return Sequential([("squeeze", Conv1x1(squeeze)), ReLU(), ("expand", Concat(expand))])


def inception(
    filters_1x1: int,
    reduce_3x3: int | None = None,
    filters_3x3: int | None = None,
    reduce_5x5: int | None = None,
    filters_5x5: int | None = None,
    pool_projection: int | None = None,
) -> Concat:
    """Return GoogLeNet's module: 1x1, 3x3, 5x5 convolutions and a pooling side by side.

    1x1 convolutions reduce the channels before the larger kernels and after the pooling. Szegedy
    et al. (2015), "Going deeper with convolutions", figure 2(b); the order of the arguments is
    that of its table 1.

    Parameters
    ----------
    filters_1x1 : int
        Filters of the 1x1 convolution. All other parameters are this number when None:
        ``inception(64)`` has 64 filters everywhere.
    reduce_3x3 : int, default=None
        Filters of the 1x1 convolution before the 3x3 convolution.
    filters_3x3 : int, default=None
        Filters of the 3x3 convolution.
    reduce_5x5 : int, default=None
        Filters of the 1x1 convolution before the 5x5 convolution.
    filters_5x5 : int, default=None
        Filters of the 5x5 convolution.
    pool_projection : int, default=None
        Filters of the 1x1 convolution after the pooling.

    Returns
    -------
    block : Concat
        Its output has as many channels as the four branches together.

    Examples
    --------
    >>> from cnnkit.blocks import inception
    >>> inception(64, 96, 128, 16, 32, 32).output_shape((28, 28, 192))
    (28, 28, 256)
    >>> inception(64).output_shape((28, 28, 192))
    (28, 28, 256)
    """
    numbers = (reduce_3x3, filters_3x3, reduce_5x5, filters_5x5, pool_projection)
    r3, f3, r5, f5, p = (filters_1x1 if number is None else number for number in numbers)
    return Concat(
        [
            ("1x1", [Conv1x1(filters_1x1), ReLU()]),
            ("3x3", [("reduce", Conv1x1(r3)), ReLU(), Conv(f3, 3), ReLU()]),
            ("5x5", [("reduce", Conv1x1(r5)), ReLU(), Conv(f5, 5), ReLU()]),
            ("pool", [MaxPool(3, stride=1, padding="same"), ("projection", Conv1x1(p)), ReLU()]),
        ]
    )


def bottleneck(
    filters: int,
    stride: int = 1,
    projection: bool | None = None,
    *,
    channels: int | None = None,
    bias: bool = False,
    norm: Layer | None = None,
    strided: str = "1x1",
) -> Sequential:
    """Return ResNet's bottleneck: 1x1 down to `filters`, 3x3, 1x1 up to four times as many.

    Every convolution has a batch normalisation instead of a bias; a ReLU follows the sum. He et al.
    (2016), "Deep residual learning for image recognition", figure 5 (right).

    Parameters
    ----------
    filters : int
        Filters of the 3x3 convolution.
    stride : int, default=1
        Stride of the convolution that `strided` names.
    projection : bool, default=None
        Whether the shortcut has a 1x1 convolution with batch normalisation. It needs one if input
        and output differ in size or channels. None means that it has one if they are known to
        differ: if `stride` is not 1, or `channels` is not the number of output channels.
    channels : int, default=None
        Channels of the input, such as ``x.shape[-1]`` of a symbol.
    bias : bool, default=False
        Whether the convolutions have a bias. A batch normalisation cancels it, but weights from
        other frameworks often have it.
    norm : Layer, default=None
        Layer after every convolution; ``BatchNorm()`` when None. The one of Keras is
        ``BatchNorm(momentum=0.01, eps=1e-3)``.
    strided : {"1x1", "3x3"}, default="1x1"
        The convolution that has the stride: the first 1x1 convolution, as in the paper and in
        Keras, or the 3x3 convolution, as in torchvision and timm.

    Returns
    -------
    block : Sequential
        Its output has ``4 * filters`` channels.

    Examples
    --------
    >>> from cnnkit.blocks import bottleneck
    >>> bottleneck(64, channels=64).output_shape((56, 56, 64))
    (56, 56, 256)
    >>> bottleneck(128, stride=2).output_shape((56, 56, 256))
    (28, 28, 512)
    """
    filters = shapes.as_int(filters, "filters", "bottleneck")
    if strided not in ("1x1", "3x3"):
        raise ValueError(f"bottleneck: strided must be '1x1' or '3x3', got {strided!r}.")
    first, second = (stride, 1) if strided == "1x1" else (1, stride)
    normed = partial(_normed, bias=bias, norm=norm)
    narrow = [*normed(filters, 1, first), ReLU(), *normed(filters, 3, second), ReLU()]
    projects = _projects("bottleneck", projection, stride, channels, 4 * filters)
    shortcut = normed(4 * filters, 1, stride) if projects else None
    return _residual([*narrow, *normed(4 * filters, 1)], shortcut)


def basic_block(
    filters: int,
    stride: int = 1,
    projection: bool | None = None,
    *,
    channels: int | None = None,
    bias: bool = False,
    norm: Layer | None = None,
) -> Sequential:
    """Return the block of ResNet-18 and -34: two 3x3 convolutions and a shortcut.

    He et al. (2016), "Deep residual learning for image recognition", figure 5 (left).

    Parameters
    ----------
    filters : int
        Filters of each convolution.
    stride : int, default=1
        Stride of the first convolution.
    projection : bool, default=None
        As for `bottleneck`.
    channels : int, default=None
        Channels of the input.
    bias : bool, default=False
        Whether the convolutions have a bias.
    norm : Layer, default=None
        Layer after every convolution; ``BatchNorm()`` when None.

    Returns
    -------
    block : Sequential
        Its output has `filters` channels.

    Examples
    --------
    >>> from cnnkit.blocks import basic_block
    >>> basic_block(128, stride=2).output_shape((56, 56, 64))
    (28, 28, 128)
    """
    normed = partial(_normed, bias=bias, norm=norm)
    projects = _projects("basic_block", projection, stride, channels, filters)
    shortcut = normed(filters, 1, stride) if projects else None
    return _residual([*normed(filters, 3, stride), ReLU(), *normed(filters, 3)], shortcut)


def depthwise_separable(
    filters: int, stride: int = 1, *, bias: bool = False, norm: Layer | None = None
) -> Sequential:
    """Return MobileNet's block: a 3x3 depthwise convolution, then a 1x1 convolution.

    Both have batch normalisation instead of a bias, and ReLU. Howard et al. (2017),
    "MobileNets: efficient convolutional neural networks for mobile vision applications", figure 3
    (right).

    Parameters
    ----------
    filters : int
        Filters of the 1x1 convolution.
    stride : int, default=1
        Stride of the depthwise convolution.
    bias : bool, default=False
        Whether the convolutions have a bias.
    norm : Layer, default=None
        Layer after every convolution; ``BatchNorm()`` when None.

    Returns
    -------
    block : Sequential
        Its output has `filters` channels.

    Examples
    --------
    >>> from cnnkit.blocks import depthwise_separable
    >>> depthwise_separable(64, stride=2).output_shape((112, 112, 32))
    (56, 56, 64)
    """
    norm = BatchNorm() if norm is None else norm
    return Sequential(
        [
            ("depthwise", DepthwiseConv(3, stride=stride, bias=bias)),
            norm,
            ReLU(),
            ("pointwise", Conv1x1(filters, bias=bias)),
            norm,
            ReLU(),
        ]
    )


def inverted_residual(
    filters: int,
    stride: int = 1,
    *,
    channels: int,
    expansion: int = 6,
    kernel_size: int = 3,
    padding: Padding | None = None,
    residual: bool | None = None,
    norm: Layer | None = None,
) -> Sequential:
    """Return MobileNetV2's block: 1x1 up, depthwise, 1x1 down, and a shortcut where shapes agree.

    Every convolution has a batch normalisation instead of a bias; ReLU6 follows the first two, and
    nothing the last. Sandler et al. (2018), "MobileNetV2: inverted residuals and linear
    bottlenecks", figure 4(d).

    Parameters
    ----------
    filters : int
        Channels of the output.
    stride : int, default=1
        Stride of the depthwise convolution.
    channels : int
        Channels of the input.
    expansion : int, default=6
        The depthwise convolution has ``expansion * channels`` channels; with 1 there is no
        convolution before it.
    kernel_size : int, default=3
        Of the depthwise convolution.
    padding : int or "same", default=None
        Of the depthwise convolution. None means ``kernel_size // 2``, as in PyTorch; TensorFlow has
        "same", which differs for a stride of 2.
    residual : bool, default=None
        Whether the input is added to the output. None means that it is if `stride` is 1 and
        `channels` is `filters`.
    norm : Layer, default=None
        Layer after every convolution; ``BatchNorm()`` when None.

    Returns
    -------
    block : Sequential
        Its output has `filters` channels.

    Examples
    --------
    >>> from cnnkit.blocks import inverted_residual
    >>> inverted_residual(24, channels=24).output_shape((56, 56, 24))
    (56, 56, 24)
    >>> inverted_residual(32, 2, channels=24).output_shape((56, 56, 24))
    (28, 28, 32)
    """
    owner = "inverted_residual"
    channels = shapes.as_int(channels, "channels", owner)
    expansion = shapes.as_int(expansion, "expansion", owner)
    kernel_size = shapes.as_int(kernel_size, "kernel_size", owner)
    padding = kernel_size // 2 if padding is None else padding
    norm = BatchNorm() if norm is None else norm
    depthwise = DepthwiseConv(kernel_size, stride=stride, padding=padding, bias=False)
    layers: list[Any] = [("depthwise", depthwise), ("depthwise_norm", norm), ReLU6()]
    if expansion > 1:
        expand = Conv1x1(expansion * channels, bias=False)
        layers = [("expand", expand), ("expand_norm", norm), ReLU6(), *layers]
    layers += [("project", Conv1x1(filters, bias=False)), ("project_norm", norm)]
    if residual is None:
        residual = stride == 1 and channels == filters
    return Sequential([("residual", Residual(layers))] if residual else layers)


def channel_attention(channels: int, ratio: int = 16) -> Graph:
    """Return squeeze and excitation: each channel is scaled by a weight from 0 to 1.

    Two dense layers compute the weights from the means of all channels.
    Hu et al. (2018), "Squeeze-and-excitation networks", section 3.

    Parameters
    ----------
    channels : int
        Channels of the input.
    ratio : int, default=16
        The first of the two dense layers has ``channels // ratio`` units; at most `channels`.

    Returns
    -------
    block : Graph
        Its output has the shape of its input.

    Raises
    ------
    ValueError, TypeError
        If a number is no positive int, or `ratio` is larger than `channels`.

    Examples
    --------
    >>> from cnnkit.blocks import channel_attention
    >>> channel_attention(64).output_shape((28, 28, 64))
    (28, 28, 64)
    """
    units = _share(channels, ratio, "ratio", "channel_attention")
    return Graph(
        [
            ("average", GlobalAvgPool(), "input"),
            ("squeeze", Dense(units), "average"),
            ("relu", ReLU(), "squeeze"),
            ("excite", Dense(channels), "relu"),
            ("sigmoid", Sigmoid(), "excite"),
            ("scale", Multiply(), ("input", "sigmoid")),
        ]
    )


def feature_pyramid(symbols: Sequence[Symbol], filters: int = 256) -> list[Symbol]:
    """Return feature maps of several sizes, each combined with the smaller ones.

    From the smallest map up: a 1x1 convolution of the map plus the map above, enlarged to twice
    its size; then a 3x3 convolution of every sum. Lin et al. (2017), "Feature pyramid networks for
    object detection", section 3.

    Parameters
    ----------
    symbols : list of Symbol
        C2, C3, C4, C5: outputs of the stages of a network, each half the size of the one before.
    filters : int, default=256
        Channels of every map that is returned.

    Returns
    -------
    symbols : list of Symbol
        P2, P3, P4, P5, with `filters` channels and the sizes of what was given.

    Raises
    ------
    ValueError, TypeError
        If `symbols` is no list of symbols.

    Examples
    --------
    >>> from cnnkit import Conv, Graph, Input
    >>> from cnnkit.blocks import feature_pyramid
    >>> C2 = Conv(16, stride=4)(Input())
    >>> C3 = Conv(32, stride=2)(C2)
    >>> C4 = Conv(64, stride=2)(C3)
    >>> C5 = Conv(128, stride=2)(C4)
    >>> P2, P3, P4, P5 = feature_pyramid([C2, C3, C4, C5])
    >>> Graph.from_outputs([P2, P5]).output_shape((64, 64, 3))
    ((16, 16, 256), (2, 2, 256))
    """
    if not isinstance(symbols, (list, tuple)) or not symbols:
        raise ValueError(f"feature_pyramid: symbols must be a list of symbols, got {symbols!r}.")
    *larger, smallest = symbols
    sums = [Conv1x1(filters)(smallest)]
    for symbol in reversed(larger):
        sums.append(Add()(UpSample(2)(sums[-1]), Conv1x1(filters)(symbol)))
    return [Conv(filters, 3)(total) for total in reversed(sums)]


def _normed(filters, kernel_size, stride=1, *, bias, norm):
    """Return a convolution with equal padding on all sides, and its normalisation."""
    conv = Conv(filters, kernel_size, stride=stride, padding=kernel_size // 2, bias=bias)
    return [conv, BatchNorm() if norm is None else norm]


def _residual(body, shortcut):
    """Return body plus shortcut, and the ReLU after the sum."""
    return Sequential([("residual", Residual(body, shortcut)), ReLU()])


def _projects(owner, projection, stride, channels, filters):
    """Say whether a shortcut from `channels` (None: unknown) to `filters` is a convolution."""
    if channels is not None:
        channels = shapes.as_int(channels, "channels", owner)
    if projection is not None:
        return projection
    return stride != 1 or channels not in (None, filters)


def _share(channels, divisor, name, owner):
    """Return ``channels // divisor``, at least 1."""
    channels = shapes.as_int(channels, "channels", owner)
    if shapes.as_int(divisor, name, owner) > channels:
        raise ValueError(
            f"{owner}: {name} must be at most the {channels} channels, got {divisor!r}."
        )
    return channels // divisor
