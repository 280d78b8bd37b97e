"""The flat vector of weights and the arrays in it."""

import copy
import pickle

import numpy as np
import pytest
from oracles import assert_same_bits, normals
from seeded import generator

from cnnkit.layers.base import WeightSpec
from cnnkit.network.weights import Weights

SPECS = {
    "conv1/w": WeightSpec((3, 2, 2, 5), 12, True),
    "conv1/b": WeightSpec((5,)),
    "block/conv1/w": WeightSpec((1, 1, 5, 3), 5, True),
    "block/scale": WeightSpec((3,)),
}
both_dtypes = pytest.mark.parametrize("dtype", ["float32", "float64"])


@both_dtypes
def test_views_of_one_vector_decayed_ones_first(dtype):
    weights = Weights(SPECS, dtype)
    assert weights.flat.dtype == dtype
    assert weights.flat.shape == (60 + 5 + 15 + 3,)
    assert not weights.flat.any()
    weights.flat[:] = np.arange(83)
    assert weights.decayed == 75
    assert weights["conv1/w"].ravel().tolist() == list(range(60))
    assert weights["block/conv1/w"].ravel().tolist() == list(range(60, 75))
    assert weights["conv1/b"].tolist() == list(range(75, 80))
    assert weights["block/scale"].tolist() == list(range(80, 83))
    weights["conv1/b"][1] = -1
    assert weights.flat[76] == -1


def test_mapping():
    weights = Weights(SPECS, "float32")
    assert list(weights) == list(SPECS)
    assert len(weights) == 4
    assert "conv1/w" in weights
    assert {path: array.shape for path, array in weights.items()} == {
        path: spec.shape for path, spec in SPECS.items()
    }
    assert repr(weights).startswith("Weights(conv1/w (3, 2, 2, 5), conv1/b (5,), block/conv1/w (1,")


def test_arrays_of_one_node():
    weights = Weights(SPECS, "float32")
    assert list(weights.of("conv1")) == ["w", "b"]
    assert list(weights.of("block")) == ["scale"]
    assert list(weights.of("block/conv1")) == ["w"]
    assert weights.of("conv") == weights.of("none") == {}
    weights.of("conv1")["b"][:] = 3
    assert (weights["conv1/b"] == 3).all()


@pytest.mark.parametrize(
    "value",
    [normals(5), normals(5).astype("float32"), list(range(5)), np.arange(10)[::2]],
    ids=["float64", "float32", "list", "strided"],
)
def test_assigning_copies(value):
    weights = Weights(SPECS, "float32")
    weights["conv1/b"] = value
    np.testing.assert_array_equal(weights["conv1/b"], np.asarray(value, "float32"))
    assert (weights.flat[75:80] == weights["conv1/b"]).all()
    assert np.count_nonzero(weights.flat) <= 5
    weights["conv1/b"] = 0.5
    assert (weights["conv1/b"] == 0.5).all()


@pytest.mark.parametrize("shape", [(4,), (6,), (5, 1), (1,), (1, 5)], ids=str)
def test_assigning_another_shape(shape):
    weights = Weights(SPECS, "float32")
    with pytest.raises(ValueError, match=r"^Weights: conv1/b must have shape \(5,\), got \("):
        weights["conv1/b"] = np.ones(shape)
    assert not weights.flat.any()


def test_there_are_no_other_paths():
    weights = Weights(SPECS, "float32")
    with pytest.raises(KeyError, match="conv2/w"):
        weights["conv2/w"]
    with pytest.raises(KeyError, match="conv2/w"):
        weights["conv2/w"] = 3


@both_dtypes
def test_initialisation(dtype):
    specs = {"a/w": WeightSpec((50, 400), 8, True), "a/b": WeightSpec((400,))}
    weights = Weights(specs, dtype)
    weights.flat[:] = 7
    assert weights.initialise(generator(0)) is weights
    assert not weights["a/b"].any()
    w = weights["a/w"]
    assert abs(w.mean()) < 0.02
    assert abs(w.std() - 0.5) < 0.015
    assert abs((np.abs(w) < 0.5).mean() - 0.6827) < 0.02
    again = Weights(specs, dtype).initialise(generator(0))
    assert_same_bits(again.flat, weights.flat)
    other = Weights(specs, dtype).initialise(generator(1))
    assert (other["a/w"] != w).mean() > 0.99


def test_float32_starts_as_float64_rounded():
    narrow, wide = (
        Weights(SPECS, dtype).initialise(generator(0)).flat for dtype in ("float32", "float64")
    )
    assert_same_bits(narrow, wide.astype("float32"))


def test_like_is_zeros_laid_out_the_same():
    weights = Weights(SPECS, "float64")
    weights.flat[:] = 1
    other = weights.like()
    assert not other.flat.any()
    assert (other.specs, other.decayed) == (weights.specs, weights.decayed)
    assert other.flat.dtype == "float64"


@pytest.mark.parametrize("again", [copy.deepcopy, lambda w: pickle.loads(pickle.dumps(w))])
@both_dtypes
def test_copies_keep_views_of_their_own_vector(again, dtype):
    weights = Weights(SPECS, dtype).initialise(generator(0))
    other = again(weights)
    assert_same_bits(other.flat, weights.flat)
    other["conv1/b"] = 3
    assert (other.flat[75:80] == 3).all()
    assert not weights["conv1/b"].any()


def test_none_at_all():
    weights = Weights({}, "float32").initialise(generator(0))
    assert (len(weights), weights.flat.shape, weights.decayed) == (0, (0,), 0)
