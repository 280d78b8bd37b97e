"""ChannelShuffle."""

import numpy as np
import pytest
from layer_oracles import check, output_of
from oracles import normals

from cnnkit import ChannelShuffle


def test_the_first_of_every_group_comes_first():
    x = np.arange(6.0).reshape(1, 1, 1, 6)
    assert output_of(ChannelShuffle(2), x).ravel().tolist() == [0, 3, 1, 4, 2, 5]
    assert output_of(ChannelShuffle(3), x).ravel().tolist() == [0, 2, 4, 1, 3, 5]


@pytest.mark.parametrize("shape", [(3, 2, 12), (12,)], ids=str)
@pytest.mark.parametrize("groups", [1, 3, 12])
def test_slopes(groups, shape):
    check(ChannelShuffle(groups), shape)


def test_another_undoes_it():
    x = normals(2, 3, 4, 12)
    np.testing.assert_array_equal(output_of(ChannelShuffle(3), output_of(ChannelShuffle(4), x)), x)


@pytest.mark.parametrize(
    ("groups", "message"),
    [
        (5, "groups must divide the 12 channels, got 5"),
        (0, "groups must be a positive int, got 0"),
        (None, "groups must be a positive int, got None"),
    ],
)
def test_refusals(groups, message):
    with pytest.raises((ValueError, TypeError), match=rf"^ChannelShuffle: {message}\.$"):
        ChannelShuffle(groups).output_shape((3, 2, 12))
