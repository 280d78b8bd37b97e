"""What native code is given, and what of it others may change meanwhile."""

import numpy as np
import pytest
from estimator_data import NUMBERS, X, Y, regressor, small, weights
from oracles import LAYOUTS, integers, laid_out

from cnnkit import functional
from cnnkit.augmentation import Augmentation
from cnnkit.estimators.inputs import TrainingData
from cnnkit.validate.arrays import for_native


@pytest.mark.parametrize("dtype", ["float32", "float64", "intp"])
@pytest.mark.parametrize("layout", LAYOUTS)
def test_native_code_reads_contiguous_and_aligned_numbers(layout, dtype, tmp_path):
    numbers = integers(4, 3).astype(dtype)
    found = for_native(laid_out(numbers, layout, tmp_path), dtype)
    assert found.dtype == dtype
    assert found.dtype.isnative
    assert found.flags.c_contiguous
    assert found.flags.aligned
    assert (found == numbers).all()


class Meanwhile(Augmentation):
    """Something that happens while batches are made."""

    def __init__(self, happens):
        self.happens = happens

    def change(self, images, targets, rng):
        self.happens()


@pytest.mark.parametrize(("make", "y"), [(small, Y), (regressor, NUMBERS)], ids=["C", "R"])
def test_targets_and_weights_may_change_once_a_fit_has_begun(make, y):
    y, mass = y.copy(), np.linspace(1, 2, len(y))
    given = y.copy(), mass.copy()

    def spoil():
        given[0][:] = 0
        given[1][:] = 1e9

    want = make(augmentation=Meanwhile(int)).fit(X, y, sample_weight=mass)
    got = make(augmentation=Meanwhile(spoil)).fit(X, given[0], sample_weight=given[1])
    assert (weights(got) == weights(want)).all()


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of setting a shape
def test_what_is_checked_is_nobody_elses():
    images, y = X.copy(), Y.copy()
    data = TrainingData(small(), images, y, None)
    assert np.shares_memory(data.X, images)  # which is never copied
    assert not np.shares_memory(data.y, y)
    images.shape = (120, 64)
    assert data.X.shape == (120, 8, 8, 1)


class Answers:
    """Another array every time it is asked for one."""

    def __init__(self, *arrays):
        self.arrays = list(arrays)

    def __array__(self, dtype=None, copy=None):
        return self.arrays.pop(0) if len(self.arrays) > 1 else self.arrays[0]


def test_an_object_is_asked_once():
    logits = np.zeros((2, 3))
    for labels in (Answers(np.array([0, 1]), np.array([5, 7])), [0, 1]):
        assert functional.softmax_cross_entropy(logits, labels) == pytest.approx(np.log(3))
    cols = functional.im2col(Answers(np.ones((1, 3, 3, 1)), np.ones((1, 9, 9, 1))), 2)
    assert cols.shape == (4, 4)
