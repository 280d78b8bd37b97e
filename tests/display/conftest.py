"""What the tests of the displays share."""

import numpy as np
import pytest
from sklearn.datasets import load_digits

from cnnkit import CNNClassifier, Conv, Conv1x1, GlobalAvgPool, MaxPool, ReLU


@pytest.fixture(scope="session")
def digits():
    """Images (200, 8, 8) and labels, by name."""
    found = load_digits()
    names = np.array(
        ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"]
    )
    return (found.images[:200] / 16).astype(np.float32), names[found.target[:200]]


@pytest.fixture(scope="session")
def classifier(digits):
    layers = [Conv(8, 3), ReLU(), MaxPool(2), ("maps", Conv1x1(None)), GlobalAvgPool()]
    clf = CNNClassifier(layers, max_iter=3, learning_rate_init=0.01, random_state=0)
    return clf.fit(*digits)
