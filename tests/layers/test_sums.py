"""Sums over pixels."""

import numpy as np
import pytest
from oracles import normals

from cnnkit.layers.sums import channel_sums, pixel_sums


@pytest.mark.parametrize("shape", [(3, 4, 5, 2), (2, 1, 1, 7), (3, 6), (0, 4, 4, 3)], ids=str)
def test_small(shape):
    x = normals(*shape)
    axes = tuple(range(1, len(shape) - 1))
    np.testing.assert_allclose(pixel_sums(x), x.sum(axis=axes), rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(channel_sums(x), x.sum(axis=(0, *axes)), rtol=1e-12, atol=1e-12)


def test_long_sums_lose_no_digits():
    x = np.full((1, 1000, 1000, 2), 0.1, "float32")
    np.testing.assert_allclose(pixel_sums(x), [[1e6 * float(x[0, 0, 0, 0])] * 2], rtol=1e-6)
