"""Resize: against formulas written out, and UpSample; the onnx package's cases are elsewhere."""

import numpy as np
import pytest
from layer_oracles import bound, check_slopes, step

from cnnkit import Resize, UpSample

WAYS = [
    {"method": "nearest"},
    {"method": "nearest", "coordinates": "asymmetric", "rounding": "floor"},
    {"method": "bilinear"},
    {"method": "bilinear", "coordinates": "align_corners"},
    {"method": "bicubic"},
    {"method": "bicubic", "antialias": True, "exclude_outside": True},
    {"coordinates": "tf_crop_and_resize", "crop": (0.1, 0.2, 1.2, 0.8), "outside": 3.0},
]


@pytest.mark.parametrize("options", WAYS, ids=str)
@pytest.mark.parametrize("size", [(3, 7), (5, 2), (1, 1)])
def test_slopes(size, options):
    network = bound(Resize(size, **options), (4, 3, 2))
    assert step(network)[0].shape == (3, *size, 2)
    check_slopes(network)


@pytest.mark.parametrize("method", ["nearest", "bilinear"])
def test_as_upsample(method):
    ours, other = (
        step(bound(layer, (3, 4, 2)))[0]
        for layer in (Resize((6, 12), method=method), UpSample((2, 3), method=method))
    )
    np.testing.assert_allclose(ours, other, rtol=1e-12)


def test_align_corners_keeps_corners():
    network = bound(Resize((7, 5), method="bilinear", coordinates="align_corners"), (3, 3, 1))
    (y,) = step(network)
    x = network.weights["x0/x"]
    np.testing.assert_allclose(y[:, ::6, ::4], x[:, ::2, ::2], rtol=1e-12)
    np.testing.assert_allclose(y[:, 3, 2], x[:, 1, 1], rtol=1e-12)


def test_a_number_that_is_not_finite_stays_where_it_is():
    network = bound(Resize((6, 6)), (3, 3, 1), training=False, batch=1)
    network.weights["x0/x"][0, 0, 0] = np.nan
    network.forward(1)
    assert np.isnan(network.output).sum() == 4


@pytest.mark.parametrize(
    ("layer", "says"),
    [
        (Resize(0), "Resize: size must be a positive int or a pair of them, got 0"),
        (Resize(3, method="linear"), "Resize: method must be one of 'nearest'"),
        (Resize(3, scale=2.0), "Resize: scale must be 2 numbers or None, got 2.0"),
        (Resize(3, scale=(2.0, -1)), "Resize: scale must be a finite number above 0"),
        (Resize(3, crop=(0, 0, 1, 1)), "Resize: crop must be given for 'tf_crop_and_resize' alone"),
        (Resize(3, antialias=1), "Resize: antialias must be a bool, got 1"),
    ],
)
def test_arguments(layer, says):
    with pytest.raises((TypeError, ValueError), match=says):
        layer.output_shape((3, 3, 1))
