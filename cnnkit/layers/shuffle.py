"""Channels in another order."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from cnnkit.layers.base import Layer, Slots, channel_groups
from cnnkit.layers.op import Op

if TYPE_CHECKING:
    from cnnkit.typing import Shape


class ChannelShuffle(Layer):
    """Take the first channel of every group, then the second of each, and so on.

    Between two convolutions with groups, it lets every group see all others. Zhang et al. (2018),
    "ShuffleNet".

    Parameters
    ----------
    groups : int
        Groups of neighbouring channels; it divides their number.

    Raises
    ------
    ValueError, TypeError
        By `output_shape`, if groups does not divide the channels.

    Examples
    --------
    >>> from cnnkit import ChannelShuffle
    >>> ChannelShuffle(4).output_shape((8, 8, 16))
    (8, 8, 16)
    """

    keeps_bounds = True

    def __init__(self, groups: int) -> None:
        self.groups = groups

    def output_shape(self, input_shape: Shape) -> Shape:
        channel_groups(self, input_shape)
        return input_shape

    def bind(self, slots: Slots) -> Op:
        return ChannelShuffleOp(slots, int(self.groups))


class ChannelShuffleOp(Op):
    """Channels as a matrix (groups, C / groups), transposed; dx is dy transposed back."""

    def __init__(self, slots, groups):
        self.slots = slots
        self.groups = groups
        self.each = slots.y.shape[-1] // groups

    def forward(self, n):
        self._transpose(self.slots.x[:n], self.slots.y[:n], self.groups, self.each)

    def backward(self, n):
        if self.slots.dx is not None:
            self._transpose(self.slots.dy[:n], self.slots.dx[:n], self.each, self.groups)

    @staticmethod
    def _transpose(source, target, rows, columns):
        matrices = source.reshape(*source.shape[:-1], rows, columns)
        target.reshape(*target.shape[:-1], columns, rows)[...] = np.swapaxes(matrices, -1, -2)
