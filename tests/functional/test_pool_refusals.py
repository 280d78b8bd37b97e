"""What the poolings refuse."""

import numpy as np
import pytest
from oracles import says

from cnnkit.functional import (
    avg_pool2d,
    avg_pool2d_backward,
    global_avg_pool2d,
    global_avg_pool2d_backward,
    max_pool2d,
    max_pool2d_backward,
)

# Refusals

X, DY, SHAPE = np.ones((1, 5, 6, 4)), np.ones((1, 2, 3, 4)), (1, 5, 6, 4)
FUNCTIONS = {
    "max_pool2d": lambda x=X, pool_size=2, **options: max_pool2d(x, pool_size, **options),
    "max_pool2d_backward": lambda dy=DY, x=X, pool_size=2, **options: max_pool2d_backward(
        dy, x, pool_size, **options
    ),
    "avg_pool2d": lambda x=X, pool_size=2, **options: avg_pool2d(x, pool_size, **options),
    "avg_pool2d_backward": lambda dy=DY, input_shape=SHAPE, pool_size=2, **options: (
        avg_pool2d_backward(dy, input_shape, pool_size, **options)
    ),
    "global_avg_pool2d": lambda x=X, **options: global_avg_pool2d(x, **options),
    "global_avg_pool2d_backward": lambda dy=X[:, 0, 0], input_shape=SHAPE, **options: (
        global_avg_pool2d_backward(dy, input_shape, **options)
    ),
}
each_function = pytest.mark.parametrize("function", FUNCTIONS)
windowed = pytest.mark.parametrize("function", [name for name in FUNCTIONS if name[0] != "g"])

BAD_STRIDES = [
    *(0, -1, 1.5, "2", True, (1, 0), (-2, 1), (1, 1.5), (1, None), (True, 1), (1,), (1, 2, 3), ())
]
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


@pytest.mark.parametrize("bad", [*BAD_STRIDES, None], ids=repr)
@windowed
def test_bad_pool_size(function, bad):
    refuses(function, "pool_size", f"got {bad!r}", pool_size=bad)


@pytest.mark.parametrize("bad", BAD_STRIDES, ids=repr)
@windowed
def test_bad_stride(function, bad):
    refuses(function, "stride", f"got {bad!r}", stride=bad)


@pytest.mark.parametrize("bad", BAD_PADDINGS, ids=repr)
@windowed
def test_bad_padding(function, bad):
    refuses(function, "padding", f"got {bad!r}", padding=bad)


@pytest.mark.parametrize("bad", BAD_SIDES, ids=repr)
@windowed
def test_bad_side_of_padding(function, bad):
    refuses(function, "padding", bad, padding=(bad, (1, 1)))
    refuses(function, "padding", bad, padding=((0, 0), bad))


@pytest.mark.parametrize("padding", [2, (0, 2), ((2, 0), (0, 0)), ((0, 0), (0, 3))], ids=str)
@windowed
def test_padding_as_large_as_the_pool(function, padding):
    refuses(function, "padding", f"got {padding!r}", errors=ValueError, padding=padding)


@pytest.mark.parametrize("bad", [0, 1, None, "floor"], ids=repr)
@windowed
def test_switches_are_true_or_false(function, bad):
    refuses(function, "ceil_mode", f"got {bad!r}", errors=TypeError, ceil_mode=bad)
    if function.startswith("avg"):
        words = ("count_include_pad", f"got {bad!r}")
        refuses(function, *words, errors=TypeError, count_include_pad=bad)


@pytest.mark.parametrize("bad", ["NHWC", "", None, 1], ids=repr)
@each_function
def test_unknown_data_format(function, bad):
    refuses(function, "data_format", f"got {bad!r}", data_format=bad)


@pytest.mark.parametrize("shape", [(), (5,), (6, 4), (5, 6, 4), (1, 1, 5, 6, 4)], ids=str)
@pytest.mark.parametrize("function", ["max_pool2d", "max_pool2d_backward", "avg_pool2d"])
def test_images_have_four_axes(function, shape):
    refuses(function, "x", shape, errors=ValueError, x=np.ones(shape))


@pytest.mark.parametrize("shape", [(), (5,), (6, 4), (5, 6, 4), (1, 1, 5, 6, 4)], ids=str)
def test_images_of_global_avg_have_four_axes(shape):
    refuses("global_avg_pool2d", "x", shape, errors=ValueError, x=np.ones(shape))


@pytest.mark.parametrize("pool", [(6, 1), (1, 7), (60, 70)], ids=str)
@windowed
def test_pool_larger_than_the_padded_image(function, pool):
    refuses(function, "pool_size", pool, errors=ValueError, pool_size=pool)


@pytest.mark.parametrize(
    "padding", [HUGE, (HUGE, 0), ((0, HUGE), (0, 0)), 2**30, 2**31, 2**100], ids=str
)
@windowed
def test_padding_that_overflows(function, padding):
    refuses(function, "padding", errors=ValueError, padding=padding)


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
@pytest.mark.parametrize("function", ["avg_pool2d_backward", "global_avg_pool2d_backward"])
def test_bad_input_shape(function, shape):
    refuses(function, "input_shape", input_shape=shape)


@pytest.mark.parametrize(
    "shape", [(1, 2, 3, 3), (1, 3, 2, 4), (2, 2, 3, 4), (2, 3, 4), ()], ids=str
)
@pytest.mark.parametrize("function", ["max_pool2d_backward", "avg_pool2d_backward"])
def test_gradient_of_another_shape(function, shape):
    refuses(function, "dy", shape, errors=ValueError, dy=np.ones(shape))


@pytest.mark.parametrize("shape", [(1, 5), (2, 4), (4,), (1, 1, 1, 4), ()], ids=str)
def test_gradient_of_global_avg_of_another_shape(shape):
    wrong = np.ones(shape)
    refuses("global_avg_pool2d_backward", "dy", shape, errors=ValueError, dy=wrong)


each_array = pytest.mark.parametrize(
    ("function", "argument"),
    [
        *(("max_pool2d", "x"), ("max_pool2d_backward", "x"), ("max_pool2d_backward", "dy")),
        *(("avg_pool2d", "x"), ("avg_pool2d_backward", "dy")),
        *(("global_avg_pool2d", "x"), ("global_avg_pool2d_backward", "dy")),
    ],
)


@pytest.mark.parametrize("dtype", ["complex64", "object", "U1", "S1", "M8[s]"])
@each_array
def test_arrays_that_are_no_real_numbers(function, argument, dtype):
    shape = X.shape if argument == "x" else DY.shape
    words = (argument, np.dtype(dtype))
    refuses(function, *words, errors=TypeError, **{argument: np.zeros(shape, dtype)})


@each_array
def test_arrays_are_not_none(function, argument):
    refuses(function, argument, **{argument: None})
