"""Convolution by im2col and BLAS: blocks of rows across the images of a batch."""

import os
import subprocess
import sys

import numpy as np
import pytest
from oracles import assert_same_bits, normals

from cnnkit import Conv, Conv1x1, Dense, Flatten, GlobalAvgPool, MaxPool, Network, ReLU, Sequential
from cnnkit._native import runtime
from cnnkit._native.conv import check_matrices
from cnnkit.functional import conv2d, conv2d_backward

both_dtypes = pytest.mark.parametrize("dtype", ["float32", "float64"])

# channels and sides of images, filters, kernel: many images to a block, parts of one, and lone rows
PROBLEMS = {
    "many images": ((8, 8, 16), 32, 3, 1),
    "odd images": ((7, 5, 3), 10, 3, 1),
    "parts of an image": ((30, 29, 8), 16, 5, 2),
    "in place": ((5, 7, 24), 20, 1, 0),
    "dense": ((1, 1, 300), 70, 1, 0),
    "dense with long rows": ((1, 1, 9000), 24, 1, 0),
}


@both_dtypes
@pytest.mark.parametrize("name", PROBLEMS)
def test_an_image_has_the_same_bits_at_any_place_of_any_batch(name, dtype):
    shape, filters, kernel, padding = PROBLEMS[name]
    x = normals(37, *shape).astype(dtype)
    w = normals(kernel, kernel, shape[-1], filters, seed=1).astype(dtype)
    options = {"padding": padding, "algorithm": "im2col"}
    whole = conv2d(x, w, normals(filters, seed=2).astype(dtype), **options)
    dy = np.tanh(whole)
    dx = conv2d_backward(dy, x, w, **options)[0]
    for start, stop in ((0, 1), (0, 36), (5, 6), (11, 30), (36, 37)):
        part = conv2d(x[start:stop], w, normals(filters, seed=2).astype(dtype), **options)
        assert_same_bits(part, whole[start:stop])
        part = conv2d_backward(dy[start:stop], x[start:stop], w, **options)[0]
        assert_same_bits(part, dx[start:stop])


@pytest.mark.skipif("avx2" not in runtime.INSTRUCTION_SETS, reason="needs AVX2")
def test_likewise_where_blas_does_not_multiply_all_rows_alike():
    """OpenBLAS for Haswell and Zen; another BLAS does not know the variable."""
    command = [sys.executable, "-P", "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", __file__]
    done = subprocess.run(
        [*command, "-k", "any_place_of_any_batch"],
        env={**os.environ, "OPENBLAS_CORETYPE": "Haswell"},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("layer", [Conv(32, 3), Conv(8, 5, stride=2), Conv1x1(16)])
def test_scratch_does_not_grow_with_the_batch(layer):
    sizes = set()
    for batch in (1, 50, 1000):
        net = Network(Sequential([layer]), (12, 12, 16), None, batch_size=batch, algorithm="im2col")
        sizes.add(max(op.scratch_bytes for op in net._forward))
    assert len(sizes) == 1


def test_auto_leaves_to_blas_what_the_portable_kernels_are_slow_at():
    layers = [Conv(32, 3), ReLU(), MaxPool(2), Conv(64, 3), Flatten(), Dense(128), Dense()]
    for algorithm in ("auto", "exact"):
        summary = Network(Sequential(layers), (28, 28, 3), 10, algorithm=algorithm).summary()
        names = {name for row in summary.rows for name in row.algorithms}
        assert ("im2col" in names) == (runtime.instruction_set == "portable")
    one = Network(Sequential([Conv(4, 3), GlobalAvgPool()]), (8, 8, 1), 10).summary()
    assert one.rows[0].algorithms == (
        "direct",
        "-",
        "direct",
    )  # short sums


def test_sizes_that_blas_cannot_count():
    check_matrices({"filters": 2**31 - 1}, "Conv")
    with pytest.raises(ValueError, match=r"^Conv: filters must be") as caught:
        check_matrices({"K": 5, "filters": 2**31}, "Conv")
    message = "Conv: filters must be at most 2**31 - 1 for algorithm 'im2col', got 2147483648."
    assert str(caught.value) == message
