"""Native code refuses arrays that are not what it was promised, whoever calls it."""

import numpy as np
import pytest
from oracles import laid_out

from cnnkit._native import loss
from cnnkit._native.activation import ActivationOp
from cnnkit._native.conv import ConvOp
from cnnkit._native.depthwise import DepthwiseOp
from cnnkit.validate import shapes

A = np.ones((3, 4, 5), "float32")
READ_ONLY = A.copy()
READ_ONLY.flags.writeable = False


def op(x, y=A):
    return ActivationOp("relu", x, y)


@pytest.mark.parametrize(
    ("x", "message"),
    [
        (np.ones((3, 4, 4), "float32"), r"C-contiguous array of shape \(3, 4, 5\) and format 'f'"),
        (A.astype("float64"), "format 'f', got shape .* and format 'd'"),
        (np.ones((3, 4, 10), "float32")[:, :, ::2], "expected a contiguous last axis, got strides"),
        (np.ones((6, 4, 5), "float32")[::2], "expected rows a constant step apart, got strides"),
    ],
    ids=["shape", "type", "columns", "rows"],
)
def test_what_is_read(x, message):
    with pytest.raises(ValueError, match=message):
        op(x)


def test_what_is_written():
    with pytest.raises(ValueError, match=r"expected a writable array, got a read-only one of"):
        op(A, READ_ONLY)


def test_other_types(tmp_path):
    for y in (A.astype("int32"), laid_out(A, "unaligned", tmp_path)):
        with pytest.raises(TypeError, match="array of native float32 or float64, got format"):
            op(A, y)


@pytest.mark.parametrize("n", [-1, 4])
def test_samples(n):
    with pytest.raises(ValueError, match=f"^n must be from 0 to 3, got {n}"):
        op(A, A.copy()).forward(n)


@pytest.mark.parametrize("shape", [(3, 4), (2, 5), (3, 0)])
def test_softmax(shape):
    x = np.ones((3, 0) if shape == (3, 0) else (3, 5))
    with pytest.raises(ValueError, match=r"^x and y must have the same shape, with at least one"):
        loss.softmax(x, np.ones(shape))


@pytest.mark.parametrize("label", [-1, 5])
def test_labels(label):
    logits, labels = np.zeros((3, 5)), np.array([0, 1, label], np.intp)
    with pytest.raises(ValueError, match=f"^targets must be from 0 to 4, got {label}"):
        loss.cross_entropy(logits, labels, None, np.empty_like(logits))


def test_rows_of_labels():
    logits, labels = np.zeros((3, 5)), np.zeros(3, np.intp)
    with pytest.raises(ValueError, match=r"array of shape \(3,\) .*, got shape \(2,\)"):
        loss.cross_entropy(logits, labels[:2], None, None)
    with pytest.raises(ValueError, match=r"array of shape \(3,\) .*, got shape \(4,\)"):
        loss.cross_entropy(logits, labels, np.ones(4), None)
    with pytest.raises(ValueError, match=r"format 'd', got shape .* and format 'f'"):
        loss.cross_entropy(logits, labels, np.ones(3, "f"), None)
    with pytest.raises(ValueError, match=r"got shape .* and format 'd'"):
        loss.cross_entropy(logits, np.zeros(3), None, None)
    with pytest.raises(ValueError, match=r"^logits must have a row each and a column or more"):
        loss.cross_entropy(np.zeros((3, 0)), labels, None, None)


@pytest.mark.parametrize("kind", [ConvOp, DepthwiseOp])
def test_scratch(kind):
    x, w, dw = np.ones((1, 5, 5, 2)), np.ones((3, 3, 1, 2)), np.empty((3, 3, 1, 2))
    y = np.empty((1, 3, 3, 2))
    windows = shapes.windows(x.shape, 3, 1, 0, owner="test")
    arrays = x, w, None, y, y, None, dw
    op = kind(windows, 2, *arrays) if kind is ConvOp else kind(windows, *arrays)
    for small in (np.empty(op.scratch_bytes - 1, "uint8"), np.empty((2, 10**6), "uint8")):
        with pytest.raises(ValueError, match=f"^scratch must be {op.scratch_bytes} bytes, got"):
            op.attach(small)
    with pytest.raises(ValueError, match=r"^attach scratch before the first run\."):
        op.forward(1)
