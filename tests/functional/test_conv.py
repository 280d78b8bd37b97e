"""Convolution, im2col and col2im against their definitions."""

import functools
import itertools

import numpy as np
import oracles
import pytest
from oracles import assert_close, assert_exact, assert_same_bits, integers, normals, says

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
GEOMETRY = list(itertools.product(KERNELS, STRIDES, PADDINGS, DILATIONS))
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


@both_dtypes
@exact_algorithms
@pytest.mark.parametrize("filters", WIDTHS)
@pytest.mark.parametrize("channels", WIDTHS)
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
def test_empty_batch_of_columns(dtype):
    cols = im2col(np.zeros((0, 5, 6, 4), dtype), (2, 3))
    assert_exact(cols, np.zeros((0, 24)), dtype)
    assert_exact(col2im(cols, (0, 5, 6, 4), (2, 3)), np.zeros((0, 5, 6, 4)), dtype)


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


# Refusals

X, W, DY, COLS = (
    np.ones((1, 5, 6, 4)),
    np.ones((3, 2, 4, 6)),
    np.ones((1, 3, 5, 6)),
    np.ones((15, 24)),
)
FUNCTIONS = {
    "im2col": lambda x=X, kernel_size=(3, 2), **options: im2col(x, kernel_size, **options),
    "col2im": lambda cols=COLS, input_shape=(1, 5, 6, 4), kernel_size=(3, 2), **options: col2im(
        cols, input_shape, kernel_size, **options
    ),
    "conv2d": lambda x=X, w=W, b=None, **options: conv2d(x, w, b, **options),
    "conv2d_backward": lambda dy=DY, x=X, w=W, **options: conv2d_backward(dy, x, w, **options),
}
each_function = pytest.mark.parametrize("function", FUNCTIONS)
columns_only = pytest.mark.parametrize("function", ["im2col", "col2im"])
conv_only = pytest.mark.parametrize("function", ["conv2d", "conv2d_backward"])

BAD_COUNTS = [0, -1, 1.5, "2", None, True]
BAD_SIZES = [*BAD_COUNTS, (1, 0), (-2, 1), (1, 1.5), (1, None), (True, 1), (1,), (1, 2, 3), ()]
BAD_PADDINGS = [
    *(-1, 1.5, None, True, "full", "2"),
    *((0, -1), (1, 1.5), (1, None), (True, 1), (1,), (1, 2, 3), ()),
    *(((1, 2), 3), (3, (1, 2)), ((1, 1), (1, 1), (1, 1)), ("same", "same")),
]
BAD_SIDES = [(1,), (1, 2, 3), (0, -1), (1.5, 0), (True, 1), (None, 1)]
HUGE = 2**62


def refuses(function, *words, errors=(ValueError, TypeError), **arguments):
    with pytest.raises(errors, match=says(function, *words)):
        FUNCTIONS[function](**arguments)


@each_function
def test_arguments_of_these_refusals_are_good_alone(function):
    FUNCTIONS[function]()


@pytest.mark.parametrize("bad", BAD_SIZES, ids=repr)
@pytest.mark.parametrize("argument", ["stride", "dilation"])
@each_function
def test_bad_stride_or_dilation(function, argument, bad):
    refuses(function, argument, f"got {bad!r}", **{argument: bad})


@pytest.mark.parametrize("bad", BAD_SIZES, ids=repr)
@columns_only
def test_bad_kernel_size(function, bad):
    refuses(function, "kernel_size", f"got {bad!r}", kernel_size=bad)


@pytest.mark.parametrize("bad", [*BAD_COUNTS, (1, 1)], ids=repr)
@conv_only
def test_bad_groups(function, bad):
    refuses(function, "groups", f"got {bad!r}", groups=bad)


@pytest.mark.parametrize("bad", BAD_PADDINGS, ids=repr)
@each_function
def test_bad_padding(function, bad):
    refuses(function, "padding", f"got {bad!r}", padding=bad)


@pytest.mark.parametrize("bad", BAD_SIDES, ids=repr)
@each_function
def test_bad_side_of_padding(function, bad):
    refuses(function, "padding", bad, padding=(bad, (1, 1)))
    refuses(function, "padding", bad, padding=((0, 0), bad))


@pytest.mark.parametrize("bad", ["winograd9", "", None, 1], ids=repr)
@conv_only
def test_unknown_algorithm(function, bad):
    refuses(function, "algorithm", f"got {bad!r}", algorithm=bad)


@pytest.mark.parametrize("bad", ["NHWC", "", None, 1], ids=repr)
@each_function
def test_unknown_data_format(function, bad):
    refuses(function, "data_format", f"got {bad!r}", data_format=bad)


@pytest.mark.parametrize("shape", [(), (5,), (6, 4), (5, 6, 4), (1, 1, 5, 6, 4)], ids=str)
@pytest.mark.parametrize("function", ["im2col", "conv2d", "conv2d_backward"])
def test_images_have_four_axes(function, shape):
    refuses(function, "x", shape, errors=ValueError, x=np.ones(shape))


@pytest.mark.parametrize(
    "shape",
    [(), (4, 6), (2, 4, 6), (1, 3, 2, 4, 6), (0, 2, 4, 6), (3, 2, 0, 6), (3, 2, 4, 0)],
    ids=str,
)
@conv_only
def test_weights_have_four_axes_and_are_not_empty(function, shape):
    refuses(function, "w", shape, errors=ValueError, w=np.ones(shape))


@pytest.mark.parametrize(("channels", "groups"), [(3, 1), (5, 1), (4, 2), (1, 2), (2, 1)])
@conv_only
def test_channels_of_weights_are_those_of_a_group(function, channels, groups):
    w = np.ones((3, 2, channels, 6))
    refuses(function, "w", channels, errors=ValueError, w=w, groups=groups)


@pytest.mark.parametrize("groups", [3, 4, 8])
@conv_only
def test_groups_divide_channels_and_filters(function, groups):
    refuses(function, "groups", groups, errors=ValueError, groups=groups)


@pytest.mark.parametrize("kernel", [(6, 1), (1, 7), (60, 70)], ids=str)
@each_function
def test_kernel_larger_than_the_padded_image(function, kernel):
    if function.startswith("conv2d"):
        given = {"w": np.ones((*kernel, 4, 6))}
    else:
        given = {"kernel_size": kernel}
    refuses(function, kernel, errors=ValueError, **given)


@each_function
def test_dilated_kernel_larger_than_the_padded_image(function):
    refuses(function, "dilation", errors=ValueError, dilation=(3, 1))


@pytest.mark.parametrize(
    "padding",
    [
        HUGE,
        (HUGE, 0),
        ((0, HUGE), (0, 0)),
        2**30,
        2**31,
        (2**30, 2**30),
        2**100,
        ((2**63 - 1, 1), (0, 0)),
    ],
    ids=str,
)
@each_function
def test_padding_that_overflows(function, padding):
    refuses(function, "padding", errors=ValueError, padding=padding)


@each_function
def test_dilation_that_overflows(function):
    refuses(function, "dilation", errors=ValueError, dilation=HUGE)


def test_stride_past_the_image_leaves_one_window():
    assert_exact(im2col(X, (3, 2), stride=2**31 - 1), np.ones((1, 24)), "float64")
    assert_exact(conv2d(X, W, stride=2**31 - 1), np.full((1, 1, 1, 6), 24.0), "float64")
    corner = oracles.col2im(COLS[:1], (1, 3, 2, 4), (3, 2))
    back = col2im(COLS[:1], X.shape, (3, 2), stride=2**31 - 1)
    assert_exact(back, np.pad(corner, ((0, 0), (0, 2), (0, 4), (0, 0))), "float64")
    dx, dw, db = conv2d_backward(DY[:, :1, :1], X, W, stride=2**31 - 1)
    assert_exact(dx, 6 * back, "float64")
    assert_exact(dw, np.ones(W.shape), "float64")
    assert_exact(db, np.ones(6), "float64")


@pytest.mark.parametrize(
    "shape",
    [
        *(
            (2**31, 2**31, 2**31, 4),
            (2**30, 2**30, 2**30, 4),
            (1, 2**32, 2**32, 1),
            (2**40, 5, 6, 2**40),
            (1, HUGE, 6, 4),
        ),
        *((5, 6, 4), (1, 1, 5, 6, 4), (), (-1, 5, 6, 4), (1, -5, 6, 4), (1, 5, 6.0, 4)),
        *(None, 4, "1564", (1, 5, None, 4), (1, 5, 6, True)),
    ],
    ids=str,
)
def test_bad_input_shape(shape):
    refuses("col2im", "input_shape", input_shape=shape)


@pytest.mark.parametrize("shape", [(15,), (1, 15, 24), (14, 24), (15, 23), (24, 15), ()], ids=str)
def test_columns_of_another_shape(shape):
    refuses("col2im", "cols", shape, (15, 24), errors=ValueError, cols=np.ones(shape))


@pytest.mark.parametrize(
    "shape", [(1, 3, 5, 5), (1, 5, 3, 6), (2, 3, 5, 6), (3, 5, 6), (1, 6, 3, 5), ()], ids=str
)
def test_gradient_of_another_shape(shape):
    wrong = np.ones(shape)
    refuses("conv2d_backward", "dy", shape, errors=ValueError, dy=wrong)


@pytest.mark.parametrize("shape", [(), (1,), (5,), (6, 1), (1, 1, 1, 6)], ids=str)
def test_bias_of_another_shape(shape):
    refuses("conv2d", "b", shape, errors=ValueError, b=np.ones(shape))


def test_out_of_another_shape():
    refuses(
        "conv2d", "out", (1, 3, 5, 5), (1, 3, 5, 6), errors=ValueError, out=np.ones((1, 3, 5, 5))
    )


@pytest.mark.parametrize("dtype", ["float32", "int64", ">f8", "complex128"])
def test_out_of_another_dtype(dtype):
    refuses("conv2d", "out", np.dtype(dtype), out=np.ones(DY.shape, dtype))


def test_out_that_is_read_only():
    out = np.zeros(DY.shape)
    out.flags.writeable = False
    refuses("conv2d", "out", out=out)
    assert not out.any()


def test_out_that_is_not_contiguous():
    refuses("conv2d", "out", errors=ValueError, out=np.zeros(DY.shape[::-1]).T)


@pytest.mark.parametrize("out", [[1.0], 1.0, "out"], ids=repr)
def test_out_that_is_no_array(out):
    refuses("conv2d", "out", errors=TypeError, out=out)


@pytest.mark.parametrize("dtype", ["complex64", "complex128", "object", "U1", "S1", "M8[s]"])
@pytest.mark.parametrize(
    ("function", "argument"),
    [
        *(("im2col", "x"), ("col2im", "cols"), ("conv2d", "x"), ("conv2d", "w"), ("conv2d", "b")),
        *(("conv2d_backward", name) for name in ("dy", "x", "w")),
    ],
)
def test_arrays_that_are_no_real_numbers(function, argument, dtype):
    shape = {"x": X, "w": W, "dy": DY, "cols": COLS, "b": np.ones(6)}[argument].shape
    words = (argument, np.dtype(dtype))
    refuses(function, *words, errors=TypeError, **{argument: np.zeros(shape, dtype)})


@pytest.mark.parametrize(
    ("function", "argument"),
    [
        *(("im2col", "x"), ("col2im", "cols"), ("conv2d", "x"), ("conv2d", "w")),
        *(("conv2d_backward", name) for name in ("dy", "x", "w")),
    ],
)
def test_only_the_bias_may_be_none(function, argument):
    refuses(function, argument, **{argument: None})


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


def test_im2col_refuses_matrices_that_blas_cannot_count():
    """Before anything is computed: zeros take memory only once they are touched."""
    channels = (1 << 30) + 1
    try:
        x, w = np.zeros((1, 1, 2, channels), np.float32), np.zeros((1, 2, channels, 1), np.float32)
    except MemoryError:
        pytest.skip("no address space for arrays this large")
    with pytest.raises(ValueError, match=says("conv2d", "kernel_size", "2**31 - 1", 2 * channels)):
        conv2d(x, w, algorithm="im2col")
