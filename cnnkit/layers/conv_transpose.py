"""Transposed convolution."""

from __future__ import annotations

from math import prod
from typing import TYPE_CHECKING

import numpy as np

from cnnkit.layers.base import Layer, Slots, WeightSpec, image_input
from cnnkit.layers.conv import ConvOp
from cnnkit.layers.op import Op
from cnnkit.layers.sums import channel_sums
from cnnkit.validate import shapes
from cnnkit.validate.arrays import blocks

if TYPE_CHECKING:
    from cnnkit.typing import IntPair, Padding, Shape
    from cnnkit.validate.shapes import Windows


class ConvTranspose(Layer):
    """Transposed convolution: every pixel adds a kernel, times its value, to a larger image.

    It is the gradient to x of a `Conv` of the same hyper-parameters, and makes ``stride`` times as
    many rows and columns of those that such a `Conv` would leave. Zeiler et al. (2010),
    "Deconvolutional networks"; Dumoulin & Visin (2016), "A guide to convolution arithmetic for deep
    learning", chapter 4.

    Parameters
    ----------
    filters : int, default=None
        Channels of the output; None means one per output of the network.
    kernel_size : int or pair of ints, default=3
        (KH, KW), rows and columns of a kernel; one number stands for both.
    stride : int or pair of ints, default=1
        How far apart the kernels of neighbouring pixels lie in the output.
    padding : int, pair, ((top, bottom), (left, right)), "valid" or "same", default="same"
        Rows and columns that are cut off the output. "same" leaves ``size * stride`` of them, as
        in Keras; "valid" cuts off none.
    output_padding : int or pair of ints, default=0
        Rows at the bottom and columns at the right that are left all the same, below `stride`; 0
        with "same".
    dilation : int or pair of ints, default=1
        Rows and columns from one pixel of a kernel to the next; 1 leaves no gaps.
    groups : int, default=1
        Channels and filters are cut into this many groups that do not see one another.
    bias : bool, default=True
        Whether a number per filter is added to the output.

    Raises
    ------
    ValueError, TypeError
        By `output_shape`, for sizes that do not fit together.

    Notes
    -----
    The output has ``(size - 1) * stride + dilation * (kernel_size - 1) + 1 - padding +
    output_padding`` rows, padding being that of both sides.

    Weights: ``w`` (KH, KW, F / groups, C), drawn from N(0, 2 / fan in), fan in being the mean
    number of terms of an output, KH KW C / groups / stride^2; and ``b`` (F,), zero.

    Examples
    --------
    >>> from cnnkit import ConvTranspose
    >>> ConvTranspose(8, 4, stride=2).output_shape((7, 7, 16))
    (14, 14, 8)
    """

    per_output = "filters"
    keeps_input = True

    def __init__(
        self,
        filters: int | None = None,
        kernel_size: IntPair = 3,
        *,
        stride: IntPair = 1,
        padding: Padding = "same",
        output_padding: IntPair = 0,
        dilation: IntPair = 1,
        groups: int = 1,
        bias: bool = True,
    ) -> None:
        self.filters = filters
        self.kernel_size = kernel_size
        self.stride = stride
        self.padding = padding
        self.output_padding = output_padding
        self.dilation = dilation
        self.groups = groups
        self.bias = bias

    def windows(self, input_shape: Shape, batch: int = 1) -> Windows:
        """Return the `Windows` of the convolution whose x is this layer's y.

        Parameters
        ----------
        input_shape : tuple (H, W, C)
            Shape of one sample.
        batch : int, default=1
            Number of samples.

        Returns
        -------
        windows : Windows
            Sizes, strides and padding of that convolution.

        Examples
        --------
        >>> from cnnkit import ConvTranspose
        >>> windows = ConvTranspose(8, 4, stride=2).windows((7, 7, 16))
        >>> (windows.H, windows.W), (windows.OH, windows.OW)
        ((14, 14), (7, 7))
        """
        size, (filters, _) = self._size(input_shape), self._filters_and_groups(input_shape)
        shapes.check_product((batch, *size, filters), "stride", self.stride, self.owner)
        return shapes.windows(
            (batch, *size, filters),
            self.kernel_size,
            self.stride,
            self.padding,
            self.dilation,
            owner=self.owner,
        )

    def _size(self, input_shape):
        """Return rows and columns of the output."""
        owner, (H, W, _) = self.owner, image_input(self, input_shape)
        kernel = shapes.as_pair(self.kernel_size, "kernel_size", owner)
        stride = shapes.as_pair(self.stride, "stride", owner)
        dilation = shapes.as_pair(self.dilation, "dilation", owner)
        extra = shapes.as_pair(self.output_padding, "output_padding", owner, 0)
        same = isinstance(self.padding, str) and self.padding == "same"
        if any(e >= s for e, s in zip(extra, stride, strict=True)) or (same and any(extra)):
            raise ValueError(
                f"{owner}: output_padding must be smaller than stride {stride}, and 0 with "
                f"padding='same', got {self.output_padding!r}."
            )
        size = tuple(n * s for n, s in zip((H, W), stride, strict=True))
        pads = shapes.pad_amounts(self.padding, size, kernel, stride, dilation, owner)
        if not same:
            size = tuple(
                (n - 1) * s + d * (k - 1) + 1 - sum(p) + e
                for n, s, d, k, p, e in zip(
                    (H, W), stride, dilation, kernel, pads, extra, strict=True
                )
            )
        if min(size) < 1:
            raise ValueError(
                f"{owner}: padding must leave at least one pixel of the output, "
                f"got {self.padding!r}, which leaves {size}."
            )
        return size

    def _filters_and_groups(self, input_shape):
        filters = shapes.as_int(self.filters, "filters", self.owner)
        return filters, shapes.check_groups(self.groups, input_shape[-1], filters, self.owner)

    def output_shape(self, input_shape: Shape) -> Shape:
        windows = self.windows(input_shape)
        return windows.H, windows.W, windows.C

    def weight_specs(self, input_shape: Shape) -> dict[str, WeightSpec]:
        windows, (filters, groups) = (
            self.windows(input_shape),
            self._filters_and_groups(input_shape),
        )
        kernel = (windows.KH, windows.KW, filters // groups, input_shape[-1])
        shapes.check_product(kernel, "filters", filters, self.owner)
        terms = windows.KH * windows.KW * input_shape[-1] // groups
        fan_in = max(1, terms // (windows.SH * windows.SW))
        specs = {"w": WeightSpec(kernel, fan_in=fan_in, decay=True)}
        if self.bias:
            specs["b"] = WeightSpec((filters,))
        return specs

    def multiply_adds(self, input_shape: Shape) -> int:
        windows = self.windows(input_shape)
        return windows.OH * windows.OW * prod(self.weight_specs(input_shape)["w"].shape)

    def bind(self, slots: Slots) -> Op:
        _, groups = self._filters_and_groups(slots.x.shape[1:])
        return ConvTransposeOp(self.windows(slots.x.shape[1:], len(slots.x)), groups, slots)


class ConvTransposeOp(Op):
    """A convolution from y to x, run backwards: y is its dx, dx its y, and dw its dw."""

    def __init__(self, windows, groups, slots):
        self.slots = slots
        w, options = slots.weights["w"], {"algorithm": slots.algorithm, "owner": "ConvTranspose"}
        self.ops = [ConvOp(windows, groups, slots.y, w, None, None, slots.x, slots.y, **options)]
        names = [self.ops[0].algorithms[1]]
        if slots.dy is not None:
            dw = slots.grads.get("w")
            back = ConvOp(
                windows, groups, slots.dy, w, None, slots.dx, slots.x, None, dw, **options
            )
            self.ops.append(back)
            names += [back.algorithms[0], back.algorithms[2]]
        self.algorithms = tuple(names) if len(names) == 3 else (*names, "-", "-")
        self.scratch_bytes = max(op.scratch_bytes for op in self.ops)
        self.uses_blas = any(op.uses_blas for op in self.ops)

    def attach(self, scratch):
        for op in self.ops:
            op.attach(scratch)

    def forward(self, n):
        self.ops[0].backward(n)
        b = self.slots.weights.get("b")
        if b is not None:
            y = self.slots.y[:n]
            np.add(y, b, out=y)

    def backward(self, n):
        slots = self.slots
        if "b" in slots.grads:
            total = np.zeros(slots.y.shape[-1])
            for some in blocks(n, slots.dy):
                total += channel_sums(slots.dy[some])
            slots.grads["b"][:] = total
        if slots.grads:
            self.ops[1].backward(n)
        if slots.dx is not None:
            self.ops[1].forward(n)
