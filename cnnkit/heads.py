"""The two usual heads of a network, which a search can exchange as a whole."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cnnkit.graph.graph import Sequential
from cnnkit.layers import Conv1x1, Dense, Dropout, Flatten, GlobalAvgPool, ReLU

if TYPE_CHECKING:
    from cnnkit.layers.base import Layer


def fc_head(*units: int, dropout: float = 0.0) -> Sequential:
    """Return a fully connected head: hidden layers with ReLU, and one unit per output.

    Parameters
    ----------
    *units : int
        Units of the hidden layers; without any, the head is linear.
    dropout : float, default=0
        Rate of the dropout after every hidden layer.

    Returns
    -------
    block : Sequential
        It starts with `Flatten` and ends in one number per output.

    Examples
    --------
    >>> from cnnkit import fc_head
    >>> fc_head(128, dropout=0.5)
    Sequential(layers=[Flatten(), Dense(units=128), ReLU(), Dropout(), Dense()])
    """
    hidden: list[Layer] = []
    for width in units:
        hidden += [Dense(width), ReLU()]
        if dropout:
            hidden.append(Dropout(dropout))
    return Sequential([Flatten(), *hidden, Dense()])


def gap_head(*filters: int, dropout: float = 0.0) -> Sequential:
    """Return a head of 1x1 convolutions and global average pooling, one filter per output.

    Lin et al. (2013), "Network in network", section 3.2.

    Parameters
    ----------
    *filters : int
        Filters of 1x1 convolutions with ReLU before the last convolution.
    dropout : float, default=0
        Rate of the dropout before the last convolution.

    Returns
    -------
    block : Sequential
        It ends in one number per output.

    Examples
    --------
    >>> from cnnkit import gap_head
    >>> gap_head(32)
    Sequential(layers=[Conv1x1(filters=32), ReLU(), Conv1x1(), GlobalAvgPool()])
    """
    hidden: list[Layer] = [layer for width in filters for layer in (Conv1x1(width), ReLU())]
    if dropout:
        hidden.append(Dropout(dropout))
    return Sequential([*hidden, Conv1x1(), GlobalAvgPool()])
