"""Images of denormal numbers train: nothing is set to zero on the way, and not much is lost."""

import time

import numpy as np
import pytest
from estimator_data import X, Y, small
from oracles import assert_same_bits

from cnnkit import Conv, Flatten, functional
from cnnkit.layers import Dense

LAYERS = [Conv(8, bias=False), Flatten(), Dense(bias=False)]
SCALES = {"float32": 2.0**-140, "float64": 2.0**-1050}  # of numbers below 1: all denormal


@pytest.mark.parametrize("dtype", SCALES)
@pytest.mark.parametrize("algorithm", ["direct", "im2col"])
def test_products_keep_them(dtype, algorithm):
    """Of whole numbers they are exact: as many times the least number as of ones."""
    images = np.rint(16 * X[:8]).astype(dtype)
    w = np.rint(9 * np.sin(np.arange(3 * 3 * 5))).astype(dtype).reshape(3, 3, 1, 5)
    least = np.finfo(dtype).smallest_subnormal
    found = functional.conv2d(images * least, w, algorithm=algorithm)
    assert_same_bits(found, functional.conv2d(images, w, algorithm=algorithm) * least)
    assert np.abs(found).max() < np.finfo(dtype).smallest_normal


@pytest.mark.filterwarnings("ignore:CNNClassifier. (X is constant|not learning)")  # as good as
@pytest.mark.parametrize("dtype", SCALES)
def test_training(trials, dtype):
    """How fast, compared with the same images as they are, is reported alone."""
    images = X.astype(dtype)
    denormal = images * np.dtype(dtype).type(SCALES[dtype])
    assert 0 < denormal.max() < np.finfo(dtype).smallest_normal
    rounds = 15 if trials.full else 1
    ratios = []
    for _ in range(rounds):
        seconds = []
        for given in (images, denormal):
            clf = small(LAYERS, max_iter=10, standardize=False)
            start = time.perf_counter()
            clf.fit(given, Y)
            seconds.append(time.perf_counter() - start)
        ratios.append(seconds[0] / seconds[1])
    assert np.isfinite(clf.loss_curve_).all()
    assert clf.predict_proba(denormal).shape == (len(X), 10)
    trials.found = f"{np.median(ratios):.2f} of normal speed ({min(ratios):.2f} at least)"
