"""im2col and col2im against their definitions."""

import numpy as np
import oracles
import pytest
from oracles import assert_exact, assert_same_bits, integers, says

from cnnkit.functional import col2im, conv2d, conv2d_backward, im2col

DTYPES = ["float32", "float64"]
WIDTHS = [1, 2, 3, 5, 10, 15, 16, 17, 31, 32, 33, 48, 65]

KERNELS = [1, (3, 2), (2, 5), (4, 3)]
STRIDES = [1, (2, 1), (1, 3), (3, 2)]
PADDINGS = ["valid", "same", 1, (0, 2), ((1, 0), (2, 3)), ((0, 3), (1, 0))]
DILATIONS = [1, (2, 1), (1, 2)]
GEOMETRY = oracles.paired(KERNELS, STRIDES, PADDINGS, DILATIONS)
FEW = [
    (1, 1, 0, 1),
    (1, (2, 3), ((0, 1), (2, 0)), 1),
    (3, 1, "same", 1),
    ((3, 2), (2, 1), "same", (1, 2)),
    ((2, 3), (1, 2), ((1, 0), (2, 1)), (3, 1)),
]
both_dtypes = pytest.mark.parametrize("dtype", DTYPES)
each_geometry = pytest.mark.parametrize(
    ("kernel", "stride", "padding", "dilation"), GEOMETRY, ids=str
)
few_geometries = pytest.mark.parametrize(("kernel", "stride", "padding", "dilation"), FEW, ids=str)


# im2col and col2im


@both_dtypes
@each_geometry
def test_im2col_copies_each_window(kernel, stride, padding, dilation, dtype):
    x = integers(2, 7, 9, 3)
    got = im2col(x.astype(dtype), kernel, stride, padding, dilation)
    assert_exact(got, oracles.im2col(x, kernel, stride, padding, dilation), dtype)


@both_dtypes
@each_geometry
def test_col2im_sums_overlaps(kernel, stride, padding, dilation, dtype):
    shape = (2, 7, 9, 3)
    cols = integers(*oracles.im2col(np.zeros(shape), kernel, stride, padding, dilation).shape)
    got = col2im(cols.astype(dtype), shape, kernel, stride, padding, dilation)
    assert_exact(got, oracles.col2im(cols, shape, kernel, stride, padding, dilation), dtype)


@pytest.mark.parametrize("channels", WIDTHS)
@few_geometries
def test_col2im_is_the_adjoint_of_im2col(kernel, stride, padding, dilation, channels):
    x = integers(2, 5, 7, channels, seed=1)
    cols = im2col(x, kernel, stride, padding, dilation)
    other = integers(*cols.shape, seed=2)
    back = col2im(other, x.shape, kernel, stride, padding, dilation)
    assert np.vdot(cols, other) == np.vdot(x, back)


def test_columns_run_over_kernel_rows_then_kernel_columns_then_channels():
    x = np.arange(24.0).reshape(1, 3, 4, 2)
    cols = im2col(x, (2, 3))
    assert cols.shape == (4, 12)
    assert cols[1].tolist() == [2, 3, 4, 5, 6, 7, 10, 11, 12, 13, 14, 15]


@both_dtypes
def test_empty_batch_of_columns(dtype):
    cols = im2col(np.zeros((0, 5, 6, 4), dtype), (2, 3))
    assert_exact(cols, np.zeros((0, 24)), dtype)
    assert_exact(col2im(cols, (0, 5, 6, 4), (2, 3)), np.zeros((0, 5, 6, 4)), dtype)


def first(a):
    """Channels last to channels first, contiguous again."""
    return np.ascontiguousarray(np.moveaxis(a, -1, 1))


@both_dtypes
@pytest.mark.parametrize("channels", [1, 3])
@each_geometry
def test_channels_first_columns_run_over_channels_first(
    kernel, stride, padding, dilation, channels, dtype
):
    x = integers(2, 7, 9, channels).astype(dtype)
    windows = kernel, stride, padding, dilation
    want = oracles.im2col(x, *windows)
    want = want.reshape(len(want), -1, channels).transpose(0, 2, 1).reshape(want.shape)
    cols = im2col(first(x), *windows, data_format="channels_first")
    assert cols.flags.c_contiguous
    assert_exact(cols, want, dtype)
    back = col2im(cols, first(x).shape, *windows, data_format="channels_first")
    assert_same_bits(back, first(col2im(im2col(x, *windows), x.shape, *windows)))


@both_dtypes
def test_channels_first_columns_times_the_weights_are_the_convolution(dtype):
    x, w = integers(2, 4, 5, 6).astype(dtype), integers(3, 4, 3, 2, seed=1).astype(dtype)
    cols = im2col(x, (3, 2), (1, 2), 1, data_format="channels_first")
    y = conv2d(x, w, stride=(1, 2), padding=1, algorithm="direct", data_format="channels_first")
    product = cols @ w.reshape(3, -1).T
    assert_exact(product.reshape(2, *y.shape[2:], 3).transpose(0, 3, 1, 2), y, dtype)
    dy = integers(*y.shape, seed=2).astype(dtype)
    rows = dy.transpose(0, 2, 3, 1).reshape(-1, 3)
    options = {"stride": (1, 2), "padding": 1, "data_format": "channels_first"}
    dx, dw, _ = conv2d_backward(dy, x, w, algorithm="direct", **options)
    assert_exact(rows.T @ cols, dw.reshape(3, -1), dtype)
    assert_exact(col2im(rows @ w.reshape(3, -1), x.shape, (3, 2), **options), dx, dtype)


def test_im2col_refuses_matrices_that_blas_cannot_count():
    """Before anything is computed: zeros take memory only once they are touched."""
    channels = (1 << 30) + 1
    try:
        x, w = np.zeros((1, 1, 2, channels), np.float32), np.zeros((1, 2, channels, 1), np.float32)
    except MemoryError:
        pytest.skip("no address space for arrays this large")
    with pytest.raises(ValueError, match=says("conv2d", "kernel_size", "2**31 - 1", 2 * channels)):
        conv2d(x, w, algorithm="im2col")
