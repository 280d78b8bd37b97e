"""Convolutions."""

from __future__ import annotations

from math import prod
from typing import TYPE_CHECKING, ClassVar

from cnnkit._native import conv as native
from cnnkit._native import depthwise
from cnnkit.layers.base import Layer, Slots, WeightSpec, image_input
from cnnkit.layers.op import Op
from cnnkit.validate import shapes

if TYPE_CHECKING:
    from cnnkit.typing import IntPair, Padding, Shape


class Conv(Layer):
    """Convolution of images with `filters` kernels.

    Parameters
    ----------
    filters : int, default=None
        Channels of the output; None means one per output of the network.
    kernel_size : int or pair of ints, default=3
        (KH, KW), rows and columns of a kernel; one number stands for both.
    stride : int or pair of ints, default=1
        Rows and columns from one window to the next.
    padding : int, pair, ((top, bottom), (left, right)), "valid" or "same", default="same"
        "same" gives an output of ``ceil(size / stride)``, as TensorFlow and ONNX's SAME_UPPER.
    dilation : int or pair of ints, default=1
        Rows and columns from one pixel of a window to the next; 1 leaves no gaps.
    groups : int, default=1
        Channels and filters are divided into so many groups; a filter reads only its own group.
    bias : bool, default=True
        Whether a number per filter is added to the output.

    Raises
    ------
    ValueError, TypeError
        By `output_shape`, for sizes that do not fit together, or an input that is no images.

    Notes
    -----
    Weights: ``w`` (KH, KW, C / groups, F), drawn from N(0, 2 / (KH KW C / groups)) (He et al.,
    2015, "Delving deep into rectifiers"), and ``b`` (F,), zero.

    Examples
    --------
    >>> from cnnkit import Conv
    >>> Conv(16, 3).output_shape((8, 8, 1))
    (8, 8, 16)
    """

    per_output: ClassVar[str | None] = "filters"
    keeps_input = True
    fuses_relu = True
    fuses_scale = True

    def __init__(
        self,
        filters: int | None = None,
        kernel_size: IntPair = 3,
        *,
        stride: IntPair = 1,
        padding: Padding = "same",
        dilation: IntPair = 1,
        groups: int = 1,
        bias: bool = True,
    ) -> None:
        self.filters = filters
        self.kernel_size = kernel_size
        self.stride = stride
        self.padding = padding
        self.dilation = dilation
        self.groups = groups
        self.bias = bias

    @property
    def writes_slices(self) -> bool:  # type: ignore[override]
        return self.groups == 1

    def _filters_and_groups(self, C):
        filters = shapes.as_int(self.filters, "filters", self.owner)
        return filters, shapes.check_groups(self.groups, C, filters, self.owner)

    def _windows(self, input_shape, batch=1):
        return shapes.windows(
            (batch, *image_input(self, input_shape)),
            self.kernel_size,
            self.stride,
            self.padding,
            self.dilation,
            owner=self.owner,
        )

    def output_shape(self, input_shape: Shape) -> Shape:
        windows = self._windows(input_shape)
        return windows.OH, windows.OW, self._filters_and_groups(windows.C)[0]

    def weight_specs(self, input_shape: Shape) -> dict[str, WeightSpec]:
        windows = self._windows(input_shape)
        filters, groups = self._filters_and_groups(windows.C)
        kernel = (windows.KH, windows.KW, windows.C // groups, filters)
        shapes.check_product(kernel, "filters", filters, self.owner)
        specs = {"w": WeightSpec(kernel, fan_in=prod(kernel[:3]), decay=True)}
        if self.bias:
            specs["b"] = WeightSpec((filters,))
        return specs

    def multiply_adds(self, input_shape: Shape) -> int:
        windows = self._windows(input_shape)
        return windows.OH * windows.OW * prod(self.weight_specs(input_shape)["w"].shape)

    def bind(self, slots: Slots) -> Op:
        windows = self._windows(slots.x.shape[1:], len(slots.x))
        return conv_op(windows, self._filters_and_groups(windows.C)[1], slots)


class ConvOp(native.ConvOp, Op):
    """The op of a convolution or dense layer."""


class DepthwiseOp(depthwise.DepthwiseOp, Op):
    """The op of a convolution whose channels have their own kernels."""


def conv_op(windows, groups, slots):
    """Return the op of a convolution; depthwise convolutions have an op of their own."""
    arrays = (
        slots.x,
        slots.weights["w"],
        slots.bias,
        slots.y,
        slots.dy,
        slots.dx,
        slots.grads.get("w"),
        slots.grads.get("b"),
    )
    if groups == windows.C == slots.y.shape[-1] and slots.algorithm == "auto" and groups > 1:
        return DepthwiseOp(windows, *arrays, relu=slots.relu, scale=slots.scale)
    return ConvOp(
        windows,
        groups,
        *arrays,
        algorithm=slots.algorithm,
        relu=slots.relu,
        scale=slots.scale,
    )


class Conv1x1(Conv):
    """Pointwise convolution: weighted sums of a pixel's channels, with the same weights everywhere.

    im2col is the identity here, so with ``algorithm="im2col"`` BLAS multiplies all pixels of a
    batch without a copy. Lin et al. (2013), "Network in network".

    Parameters
    ----------
    filters : int, default=None
        Channels of the output; None means one per output of the network.
    stride : int or pair of ints, default=1
        Rows and columns from one pixel that is read to the next.
    groups : int, default=1
        As for `Conv`.
    bias : bool, default=True
        Whether a number per filter is added to the output.

    Examples
    --------
    >>> from cnnkit import Conv1x1
    >>> from cnnkit.layers.base import count_weights
    >>> count_weights(Conv1x1(32).weight_specs((12, 12, 512)))
    16416
    """

    kernel_size = 1
    padding = "valid"
    dilation = 1

    def __init__(
        self, filters: int | None = None, *, stride: IntPair = 1, groups: int = 1, bias: bool = True
    ) -> None:
        self.filters = filters
        self.stride = stride
        self.groups = groups
        self.bias = bias


class DepthwiseConv(Conv):
    """Convolution of every channel with its own kernels.

    With a `Conv1x1` after it, it is a depthwise separable convolution (Howard et al., 2017,
    "MobileNets").

    Parameters
    ----------
    kernel_size : int or pair of ints, default=3
        (KH, KW), rows and columns of a kernel; one number stands for both.
    stride : int or pair of ints, default=1
        Rows and columns from one window to the next.
    padding : int, pair, ((top, bottom), (left, right)), "valid" or "same", default="same"
        As for `Conv`.
    dilation : int or pair of ints, default=1
        Rows and columns from one pixel of a window to the next; 1 leaves no gaps.
    depth_multiplier : int, default=1
        Kernels for each channel; filter ``c * depth_multiplier + m`` is the m-th of channel c.
    bias : bool, default=True
        Whether a number per filter is added to the output.

    Notes
    -----
    Weights: ``w`` (KH, KW, 1, C * depth_multiplier), drawn from N(0, 2 / (KH KW)), and ``b``, zero.

    Examples
    --------
    >>> from cnnkit import DepthwiseConv
    >>> DepthwiseConv(3, stride=2).output_shape((8, 8, 16))
    (4, 4, 16)
    """

    per_output = None
    writes_slices = False

    def __init__(
        self,
        kernel_size: IntPair = 3,
        *,
        stride: IntPair = 1,
        padding: Padding = "same",
        dilation: IntPair = 1,
        depth_multiplier: int = 1,
        bias: bool = True,
    ) -> None:
        self.kernel_size = kernel_size
        self.stride = stride
        self.padding = padding
        self.dilation = dilation
        self.depth_multiplier = depth_multiplier
        self.bias = bias

    def _filters_and_groups(self, C):
        return C * shapes.as_int(self.depth_multiplier, "depth_multiplier", self.owner), C
