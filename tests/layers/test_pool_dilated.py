"""Pooling whose windows have pixels apart."""

import pytest
from layer_oracles import check

from cnnkit import AvgPool, MaxPool


@pytest.mark.parametrize("padding", [0, 1])
@pytest.mark.parametrize("dilation", [(2, 1), (1, 3), (2, 2)])
@pytest.mark.parametrize("stride", [(1, 1), (2, 3)])
def test_dilated(stride, dilation, padding):
    options = {"stride": stride, "dilation": dilation, "padding": padding}
    for layer in (
        MaxPool((2, 3), **options),
        AvgPool((2, 3), **options),
        AvgPool((2, 3), **options, count_include_pad=True),
    ):
        check(layer, (7, 9, 2))


def test_padding_may_be_as_wide_as_the_window_reaches():
    assert MaxPool(2, stride=1, dilation=3, padding=3).output_shape((5, 5, 1)) == (8, 8, 1)
    with pytest.raises(ValueError, match="padding must be smaller than pool_size"):
        MaxPool(2, dilation=3, padding=4).output_shape((5, 5, 1))
