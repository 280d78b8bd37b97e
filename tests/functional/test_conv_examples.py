"""Figures and worked examples of the texts that the package follows."""

import numpy as np
import pytest

from cnnkit import Conv, Conv1x1, Sequential
from cnnkit.functional import col2im, conv2d, conv2d_backward, im2col, max_pool2d

each_algorithm = pytest.mark.parametrize("algorithm", ["auto", "direct", "im2col"])


def test_227_by_227_by_3_under_11_by_11_at_stride_4():
    x = np.arange(227 * 227 * 3, dtype="float32").reshape(1, 227, 227, 3)
    cols = im2col(x, 11, stride=4)
    assert cols.shape == (3025, 363) == (55 * 55, 11 * 11 * 3)
    assert (cols[0] == x[0, :11, :11].ravel()).all()
    assert (cols[-1] == x[0, 216:, 216:].ravel()).all()


@each_algorithm
def test_96_filters_give_55_by_55_by_96(algorithm):
    x, w = np.ones((1, 227, 227, 3), "float32"), np.ones((11, 11, 3, 96), "float32")
    y = conv2d(x, w, stride=4, algorithm=algorithm)
    assert y.shape == (1, 55, 55, 96)
    assert (y == 363).all()


def test_4_by_4_by_3_under_one_2_by_2_filter():
    x = np.arange(48.0).reshape(1, 4, 4, 3)
    cols = im2col(x, 2)
    assert cols.shape == (9, 12)
    y = conv2d(x, np.ones((2, 2, 3, 1)))
    assert (y.reshape(9) == cols.sum(1)).all()


@each_algorithm
def test_printed_map_of_a_1_by_1_convolution(algorithm):
    x = np.linspace(-0.1, 0.5, num=500).reshape(1, 20, 5, 5)
    w = np.linspace(-0.2, 0.3, num=20).reshape(1, 20, 1, 1)
    b = np.linspace(-0.1, 0.2, num=1)
    printed = [
        [0.612, 0.613, 0.614, 0.615, 0.616],
        [0.618, 0.619, 0.620, 0.621, 0.622],
        [0.624, 0.625, 0.626, 0.627, 0.628],
        [0.630, 0.631, 0.632, 0.633, 0.634],
        [0.636, 0.637, 0.638, 0.639, 0.640],
    ]
    y = conv2d(x, w, b, algorithm=algorithm, data_format="channels_first")
    assert y.shape == (1, 1, 5, 5)
    assert y[0, 0].round(3).tolist() == printed
    last = conv2d(x.transpose(0, 2, 3, 1), w.transpose(2, 3, 1, 0), b, algorithm=algorithm)
    assert last[0, :, :, 0].round(3).tolist() == printed


@each_algorithm
def test_a_1_by_1_filter_weighs_two_planes(algorithm):
    m = np.array([[[1.0, 2], [3, 4]], [[5, 6], [7, 8]]])
    w = np.array([[[2.0]], [[3.0]]])
    y = conv2d(m[None], w[None], algorithm=algorithm, data_format="channels_first")
    assert y.tolist() == [[[[17, 22], [27, 32]]]]
    last = conv2d(m.transpose(1, 2, 0)[None], w.reshape(1, 1, 2, 1), algorithm=algorithm)
    assert last[0, :, :, 0].tolist() == [[17, 22], [27, 32]]


# A 3x3 image and a 2x2 kernel

X = np.arange(1.0, 10).reshape(1, 3, 3, 1)
W = np.arange(1.0, 5).reshape(2, 2, 1, 1)


def test_3_by_3_under_2_by_2_in_columns():
    cols = im2col(X, 2)
    assert cols.tolist() == [[1, 2, 4, 5], [2, 3, 5, 6], [4, 5, 7, 8], [5, 6, 8, 9]]
    summed = [[1, 4, 3], [8, 20, 12], [7, 16, 9]]
    assert col2im(cols, X.shape, 2)[0, :, :, 0].tolist() == summed


@each_algorithm
def test_3_by_3_under_2_by_2_forward_and_backward(algorithm):
    assert conv2d(X, W, algorithm=algorithm)[0, :, :, 0].tolist() == [[37, 47], [67, 77]]
    dy = np.arange(1.0, 5).reshape(1, 2, 2, 1)
    dx, dw, db = conv2d_backward(dy, X, W, algorithm=algorithm)
    assert dx[0, :, :, 0].tolist() == [[1, 4, 4], [6, 20, 16], [9, 24, 16]]
    assert dw[:, :, 0, 0].tolist() == [[37, 47], [67, 77]]
    assert db.tolist() == [10]


def test_convolution_rounds_sizes_down_and_pooling_can_round_up():
    x = np.arange(30.0).reshape(1, 5, 6, 1)
    assert conv2d(x, np.ones((2, 3, 1, 1)), stride=2).shape == (1, 2, 2, 1)
    assert max_pool2d(x, (2, 3), stride=2).shape == (1, 2, 2, 1)
    assert max_pool2d(x, (2, 3), stride=2, ceil_mode=True).shape == (1, 3, 3, 1)


@pytest.mark.parametrize(("layer", "weights"), [(Conv1x1(32), 16_416), (Conv(32, 3), 147_488)])
def test_512_by_12_by_12_to_32_channels(layer, weights):
    summary = Sequential([layer]).summary((12, 12, 512))
    assert summary.weights == weights
    assert summary.rows[0].output_shape == (12, 12, 32)
    assert f"{weights:,}" in str(summary)
