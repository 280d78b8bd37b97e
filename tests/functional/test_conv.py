"""Convolution against its definition."""

import functools

import numpy as np
import oracles
import pytest
from oracles import assert_close, assert_exact, assert_same_bits, integers, normals

from cnnkit import set_num_threads
from cnnkit.functional import col2im, conv2d, conv2d_backward, im2col

EXACT = ["direct", "im2col"]  # sums of integers are exact
ALGORITHMS = ["auto", "winograd", *EXACT]
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
GROUPS = [
    # channels, filters, groups
    (4, 6, 2),
    (6, 3, 3),
    (15, 10, 5),
    (34, 66, 2),
    *((n, n, n) for n in (2, 5, 16, 17, 33)),
    *((n, 2 * n, n) for n in (3, 16)),
]

exact_algorithms = pytest.mark.parametrize("algorithm", EXACT)
all_algorithms = pytest.mark.parametrize("algorithm", ALGORITHMS)
both_dtypes = pytest.mark.parametrize("dtype", DTYPES)
each_geometry = pytest.mark.parametrize(
    ("kernel", "stride", "padding", "dilation"), GEOMETRY, ids=str
)
few_geometries = pytest.mark.parametrize(("kernel", "stride", "padding", "dilation"), FEW, ids=str)


@functools.cache
def case(draw, shape, kernel, filters, stride=1, padding=0, dilation=1, groups=1):
    """Operands of a convolution, its options, and what the oracle makes of them."""
    x = draw(*shape, seed=1)
    w = draw(*oracles.pair(kernel), shape[3] // groups, filters, seed=2)
    b = draw(filters, seed=3)
    options = {"stride": stride, "padding": padding, "dilation": dilation, "groups": groups}
    y = oracles.conv2d(x, w, b, **options)
    dy = draw(*y.shape, seed=4)
    return x, w, b, dy, options, y, oracles.conv2d_backward(dy, x, w, **options)


def results(dtype, algorithm, *args, **geometry):
    """What the functions and the oracle give for y, dx, dw and db."""
    x, w, b, dy, options, y, gradients = case(*args, **geometry)
    x, w, b, dy = (a.astype(dtype) for a in (x, w, b, dy))
    got = conv2d(x, w, b, algorithm=algorithm, **options)
    return zip(
        (got, *conv2d_backward(dy, x, w, algorithm=algorithm, **options)),
        (y, *gradients),
        strict=True,
    )


def check(agree, dtype, *args, **geometry):
    """Forward and backward agree with the oracle."""
    for got, want in results(dtype, *args, **geometry):
        agree(got, want, dtype)


def check_bounds(dtype, algorithm, *args, **geometry):
    """Forward and backward agree with the oracle within the bounds of the algorithm."""
    *found, (db, sums) = results(dtype, algorithm, *args, **geometry)
    *bounds, bound = oracles.BOUNDS[algorithm]
    for (got, want), within in zip(found, bounds, strict=True):
        assert_close(got, want, dtype, within)
    # a sum may be anything between zero and the number of its terms, whose root is what it is like
    terms = found[0][1].size / max(1, sums.size)
    bound = bound if dtype == "float32" else bound / 1e8
    np.testing.assert_array_less(abs(db - sums), bound * (1 + np.sqrt(terms)))
    assert db.dtype == dtype


# Exact on whole numbers


@both_dtypes
@exact_algorithms
@each_geometry
def test_geometry(kernel, stride, padding, dilation, algorithm, dtype):
    shape = (2, 7, 9, 3)
    check(assert_exact, dtype, algorithm, integers, shape, kernel, 5, stride, padding, dilation)


@both_dtypes
@exact_algorithms
@few_geometries
@pytest.mark.parametrize(("channels", "filters", "groups"), GROUPS)
def test_groups(channels, filters, groups, kernel, stride, padding, dilation, algorithm, dtype):
    geometry = (kernel, filters, stride, padding, dilation, groups)
    check(assert_exact, dtype, algorithm, integers, (2, 4, 5, channels), *geometry)


@pytest.mark.parametrize(
    ("channels", "filters", "algorithm", "dtype"), oracles.paired(WIDTHS, WIDTHS, EXACT, DTYPES)
)
def test_channel_and_filter_counts(channels, filters, algorithm, dtype):
    shape = (2, 3, 4, channels)
    check(assert_exact, dtype, algorithm, integers, shape, (2, 3), filters, padding=(0, 1))


@both_dtypes
@exact_algorithms
@pytest.mark.parametrize("kernel", [1, (3, 2)], ids=str)
@pytest.mark.parametrize("filters", [3, 17])
@pytest.mark.parametrize("width", [*range(1, 16), 28])
def test_row_lengths(width, filters, kernel, algorithm, dtype):
    shape = (3, 3, width, 5)
    check(assert_exact, dtype, algorithm, integers, shape, kernel, filters, padding="same")


@both_dtypes
@exact_algorithms
@pytest.mark.parametrize("batch", [1, 2, 3, 5, 14, 15, 29])
def test_batch_sizes(batch, algorithm, dtype):
    check(assert_exact, dtype, algorithm, integers, (batch, 3, 2, 3), 2, 17, padding=1)


@both_dtypes
@exact_algorithms
def test_many_pixels_and_long_sums(algorithm, dtype):
    check(assert_exact, dtype, algorithm, integers, (2, 19, 31, 40), 3, 70, padding="same")


# Close on real numbers


@both_dtypes
@all_algorithms
@few_geometries
@pytest.mark.parametrize(
    ("channels", "filters", "groups"),
    [(3, 16, 1), (33, 17, 1), (64, 64, 1), (6, 4, 2), (17, 17, 17)],
)
def test_real_values(
    channels, filters, groups, kernel, stride, padding, dilation, algorithm, dtype
):
    geometry = (kernel, filters, stride, padding, dilation, groups)
    check_bounds(dtype, algorithm, normals, (2, 9, 13, channels), *geometry)


@both_dtypes
@pytest.mark.parametrize("padding", [0, 1, (2, 0), "same"])
@pytest.mark.parametrize("size", [(3, 3), (4, 4), (5, 7), (12, 9), (17, 30)])
@pytest.mark.parametrize(("channels", "filters"), [(1, 1), (16, 32), (19, 37), (130, 70)])
def test_winograd_tiles(channels, filters, size, padding, dtype):
    check_bounds(dtype, "winograd", normals, (3, *size, channels), 3, filters, 1, padding)


@pytest.mark.parametrize("algorithm", ["auto", "direct", "winograd"])
@pytest.mark.parametrize(("kernel", "channels"), [(3, 1024), (1, 9216), ((4, 5), 300)])
def test_long_sums_round_within_the_bounds(kernel, channels, algorithm):
    check_bounds("float32", algorithm, normals, (2, 8, 8, channels), kernel, 33)


@all_algorithms
@pytest.mark.parametrize("groups", [1, 2, 4])
@few_geometries
def test_gradients_are_the_slopes_of_the_forward_pass(
    kernel, stride, padding, dilation, groups, algorithm
):
    geometry = (kernel, 4, stride, padding, dilation, groups)
    x, w, b, dy, options, _, _ = case(normals, (1, 3, 5, 4), *geometry)
    dx, dw, db = conv2d_backward(dy, x, w, algorithm=algorithm, **options)

    def loss(x, w, b):
        return np.vdot(dy, conv2d(x, w, b, algorithm=algorithm, **options))

    for gradient, f, at in [
        (dx, lambda a: loss(a, w, b), x),
        (dw, lambda a: loss(x, a, b), w),
        (db, lambda a: loss(x, w, a), b),
    ]:
        slopes = oracles.numeric_gradient(f, at)
        np.testing.assert_allclose(gradient, slopes, rtol=0, atol=1e-6)


# Padding


@pytest.mark.parametrize("stride", range(1, 6))
@pytest.mark.parametrize("dilation", [1, 2, 3])
@pytest.mark.parametrize("kernel", range(1, 6))
def test_same_padding_divides_the_size_by_the_stride_rounded_up(kernel, dilation, stride):
    for size in range(1, 12):
        x = np.ones((1, size, 1, 1))
        cols = im2col(x, (kernel, 1), (stride, 1), "same", (dilation, 1))
        assert len(cols) == -(-size // stride)


def test_odd_pixel_of_same_padding_is_behind():
    x = np.array([1.0, 2, 3, 4])
    rows = im2col(x.reshape(1, 4, 1, 1), (2, 1), padding="same")
    columns = im2col(x.reshape(1, 1, 4, 1), (1, 2), padding="same")
    assert rows.tolist() == columns.tolist() == [[1, 2], [2, 3], [3, 4], [4, 0]]


def test_pair_pads_rows_then_columns():
    x = integers(1, 3, 4, 2)
    assert im2col(x, 1, padding=(1, 2)).shape == (5 * 8, 2)
    assert_same_bits(im2col(x, 2, padding=(1, 2)), im2col(x, 2, padding=((1, 1), (2, 2))))
    assert_same_bits(im2col(x, 2, padding="valid"), im2col(x, 2, padding=0))


def test_numpy_integers_are_sizes():
    x, w = integers(1, 5, 6, 4), integers(2, 3, 2, 6)
    got = conv2d(x, w, stride=(np.int64(2), np.uint8(1)), padding=np.int32(1), groups=np.int64(2))
    assert_exact(got, oracles.conv2d(x, w, stride=(2, 1), padding=1, groups=2), "float64")


# What the operations promise


@all_algorithms
def test_no_bias_is_a_bias_of_zeros(algorithm):
    x, w = normals(2, 5, 6, 3), normals(3, 2, 3, 7)
    want = conv2d(x, w, np.zeros(7), algorithm=algorithm)
    assert_same_bits(conv2d(x, w, algorithm=algorithm), want)


@all_algorithms
@both_dtypes
def test_nan_stays_in_the_windows_and_filters_that_hold_it(algorithm, dtype):
    x, w = np.ones((2, 6, 15, 3), dtype), np.ones((3, 2, 3, 17), dtype)
    x[1, 2, 7, 1] = np.nan
    windows = oracles.conv2d(x, w, padding="same")
    assert_exact(conv2d(x, w, padding="same", algorithm=algorithm), windows, dtype)
    x[1, 2, 7, 1] = 1
    w[0, 1, 2, 16] = np.nan
    y = conv2d(x, w, algorithm=algorithm)
    assert np.isnan(y[..., 16]).all()
    assert np.isfinite(y[..., :16]).all()


@all_algorithms
@both_dtypes
def test_empty_batch(algorithm, dtype):
    x, w = np.zeros((0, 5, 6, 4), dtype), np.ones((2, 3, 2, 6), dtype)
    y = conv2d(x, w, np.ones(6, dtype), stride=(2, 1), groups=2, algorithm=algorithm)
    assert_exact(y, np.zeros((0, 2, 4, 6)), dtype)
    dx, dw, db = conv2d_backward(y, x, w, stride=(2, 1), groups=2, algorithm=algorithm)
    assert_exact(dx, np.zeros((0, 5, 6, 4)), dtype)
    assert_exact(dw, np.zeros((2, 3, 2, 6)), dtype)
    assert_exact(db, np.zeros(6), dtype)


@both_dtypes
@all_algorithms
def test_out_receives_the_result(algorithm, dtype):
    x, w, b = (a.astype(dtype) for a in (normals(2, 5, 6, 3), normals(3, 2, 3, 7), normals(7)))
    out = np.full((2, 3, 5, 7), np.nan, dtype)
    got = conv2d(x, w, b, algorithm=algorithm, out=out)
    assert got is out
    assert_same_bits(out, conv2d(x, w, b, algorithm=algorithm))


def test_out_may_be_the_input():
    x, w = normals(2, 5, 6, 3), normals(2, 3, 3, 3)
    want = conv2d(x, w, padding="same")
    assert conv2d(x, w, padding="same", out=x) is x
    assert_same_bits(x, want)


def first(a):
    """Channels last to channels first, contiguous again."""
    return np.ascontiguousarray(np.moveaxis(a, -1, 1))


def filters_first(w):
    """(KH, KW, C/groups, F) to (F, C/groups, KH, KW)."""
    return np.ascontiguousarray(w.transpose(3, 2, 0, 1))


@all_algorithms
@both_dtypes
def test_channels_first_conv(algorithm, dtype):
    options = {"stride": (2, 1), "padding": ((1, 0), (0, 2)), "groups": 2, "algorithm": algorithm}
    x, w, b = (a.astype(dtype) for a in (normals(2, 5, 6, 4), normals(3, 2, 2, 6), normals(6)))
    y = conv2d(x, w, b, **options)
    dx, dw, db = conv2d_backward(y, x, w, **options)
    options["data_format"] = "channels_first"
    out = np.empty_like(first(y))
    assert conv2d(first(x), filters_first(w), b, out=out, **options) is out
    assert_same_bits(out, first(y))
    assert_same_bits(conv2d(first(x), filters_first(w), b, **options), first(y))
    got = conv2d_backward(first(y), first(x), filters_first(w), **options)
    assert_same_bits(got, (first(dx), filters_first(dw), db))


# Arrays of every kind

CALLS = {
    "im2col": (lambda x: im2col(x, (3, 2), (2, 1), 1), [(2, 5, 6, 3)]),
    "im2col of points": (lambda x: im2col(x, 1), [(2, 5, 6, 3)]),
    "col2im": (lambda c: col2im(c, (2, 5, 6, 3), (3, 2), (2, 1), 1), [(42, 18)]),
    **{
        f"conv2d {algorithm} {kernel}": (
            lambda x, w, b, algorithm=algorithm: conv2d(x, w, b, algorithm=algorithm),
            [(2, 5, 6, 3), (*kernel, 3, 17), (17,)],
        )
        for algorithm in ALGORITHMS
        for kernel in [(3, 2), (1, 1)]
    },
    **{
        f"conv2d_backward {algorithm} {kernel}": (
            lambda dy, x, w, algorithm=algorithm: conv2d_backward(dy, x, w, algorithm=algorithm),
            [(2, 6 - kernel[0], 7 - kernel[1], 17), (2, 5, 6, 3), (*kernel, 3, 17)],
        )
        for algorithm in ALGORITHMS
        for kernel in [(3, 2), (1, 1)]
    },
}
each_call = pytest.mark.parametrize(("call", "shapes"), CALLS.values(), ids=CALLS)


@both_dtypes
@pytest.mark.parametrize("layout", oracles.LAYOUTS)
@each_call
def test_layout_of_memory_does_not_matter(call, shapes, layout, dtype, tmp_path):
    arrays = [normals(*shape, seed=n).astype(dtype) for n, shape in enumerate(shapes)]
    given = [oracles.laid_out(a, layout, tmp_path) for a in arrays]
    assert_same_bits(call(*given), call(*arrays))
    assert all(map(np.array_equal, given, arrays))


@pytest.mark.parametrize("dtype", ["int8", "uint8", "int32", "int64", "bool", "float16"])
@each_call
def test_other_numbers_are_taken_as_float32(call, shapes, dtype):
    arrays = [np.abs(normals(*shape, seed=n) * 3).astype(dtype) for n, shape in enumerate(shapes)]
    assert_same_bits(call(*arrays), call(*(a.astype("float32") for a in arrays)))


@each_call
def test_one_float64_makes_all_float64(call, shapes):
    arrays = [normals(*shape, seed=n).astype("float32") for n, shape in enumerate(shapes)]
    for wide in range(len(arrays)):
        given = [a.astype("float64") if n == wide else a for n, a in enumerate(arrays)]
        assert_same_bits(call(*given), call(*(a.astype("float64") for a in arrays)))


def test_broadcast_gradient():
    x, w = normals(2, 5, 6, 3), normals(3, 2, 3, 4)
    one = np.broadcast_to(1.0, (2, 3, 5, 4))
    assert_same_bits(conv2d_backward(one, x, w), conv2d_backward(one.copy(), x, w))


@pytest.mark.parametrize(
    ("shape", "filters", "kernel", "stride"),
    [
        ((5, 9, 13, 32), 48, 3, 1),  # tiles over images
        ((3, 14, 14, 64), 70, 3, 1),
        ((2, 8, 8, 1024), 40, 1, 1),  # pixels that clash
        ((4, 9, 9, 512), 33, 1, 2),
        ((7, 1, 1, 700), 300, 1, 1),  # few pixels
        ((3, 17, 11, 3), 20, 5, 1),  # few channels
        ((2, 20, 20, 24), 24, 3, 2),
    ],
    ids=str,
)
def test_same_bits_on_any_threads_and_in_any_batch(shape, filters, kernel, stride):
    x, w = normals(*shape, seed=1), normals(kernel, kernel, shape[3], filters, seed=2)
    x, w = x.astype("float32"), w.astype("float32")
    options = {"stride": stride, "padding": "same"}
    found = []
    try:
        for threads in (1, 2, 3, 8):
            set_num_threads(threads)
            y = conv2d(x, w, **options)
            assert_same_bits(conv2d(x[1:2], w, **options), y[1:2])
            found.append((y, *conv2d_backward(np.tanh(y), x, w, **options)))
    finally:
        set_num_threads(None)
    for other in found[1:]:
        assert_same_bits(other, found[0])
