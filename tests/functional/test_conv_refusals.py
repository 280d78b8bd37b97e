"""What convolution, im2col and col2im refuse."""

import numpy as np
import oracles
import pytest
from oracles import assert_exact, says

from cnnkit.functional import col2im, conv2d, conv2d_backward, im2col

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
