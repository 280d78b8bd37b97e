"""Shape arithmetic against brute force, and what is refused."""

import itertools

import numpy as np
import oracles
import pytest

from cnnkit.functional.layout import last_shape
from cnnkit.validate import shapes

OWNER = "Someone"
HUGE = 2**31


def refused(message, error=ValueError):
    return pytest.raises(error, match=f"^Someone: {message}")


@pytest.mark.parametrize("value", [1, 7, np.int8(7), np.uint64(7), np.array(7), HUGE - 1], ids=repr)
def test_ints_of_any_kind(value):
    got = shapes.as_int(value, "size", OWNER)
    assert type(got) is int
    assert got == value
    assert shapes.as_pair(value, "size", OWNER) == (got, got)


@pytest.mark.parametrize("value", [0, -1, np.int64(-3)], ids=repr)
def test_ints_too_small(value):
    with refused(r"size must be a positive int, got (np\.int64\()?[-\d]+"):
        shapes.as_int(value, "size", OWNER)
    with refused("size must be a positive int or a pair of them, got "):
        shapes.as_pair((1, value), "size", OWNER)


@pytest.mark.parametrize("value", [2**31, HUGE, 2**100, np.int64(2**31)], ids=repr)
@pytest.mark.parametrize("minimum", [0, 1])
def test_ints_too_large(value, minimum):
    rule = f"size must be an int from {minimum} to 2147483647"
    with refused(rf"{rule}, got (np\.int64\()?\d+"):
        shapes.as_int(value, "size", OWNER, minimum)
    with refused(f"{rule} or a pair of them, got "):
        shapes.as_pair((1, value), "size", OWNER, minimum)
    assert shapes.as_int(2**31 - 1, "size", OWNER) == 2**31 - 1


@pytest.mark.parametrize("value", [1.0, "1", None, True, np.True_, [1], 1j], ids=repr)
def test_no_ints(value):
    with refused("size must be a positive int, got ", TypeError):
        shapes.as_int(value, "size", OWNER)
    with refused("size must be a positive int or a pair of them, got ", TypeError):
        shapes.as_pair((1, value), "size", OWNER)


def test_a_lower_bound_of_ones_own():
    assert shapes.as_int(0, "size", OWNER, 0) == 0
    with refused("size must be an int of at least 0, got -1"):
        shapes.as_int(-1, "size", OWNER, 0)


def test_an_upper_bound_of_ones_own():
    assert shapes.as_int(5, "size", OWNER, maximum=5) == 5
    with refused("size must be an int from 1 to 5, got 6"):
        shapes.as_int(6, "size", OWNER, maximum=5)


@pytest.mark.parametrize("value", [(1, 2), [1, 2], (np.int32(1), 2)], ids=repr)
def test_pairs(value):
    assert shapes.as_pair(value, "size", OWNER) == (1, 2)


class Grows(list):
    """A list that somebody adds to as soon as its length is known."""

    def __len__(self):
        length = super().__len__()
        self.append(1)
        return length


def test_lists_are_read_once():
    for function, sizes in (
        (lambda value: shapes.as_pair(value, "size", OWNER), [1, 2]),
        (lambda value: shapes.image_shape(value, OWNER), [4, 4, 1]),
        (lambda value: shapes.pad_amounts(value, *[(4, 4)] * 4, OWNER), [1, 2]),
        (lambda value: last_shape(value, "channels_last", OWNER), [1, 4, 4, 1]),
    ):
        assert function(sizes)
        with pytest.raises(ValueError, match=r"^Someone: .*, got \["):
            function(Grows(sizes))


@pytest.mark.parametrize("value", [(), (1,), (1, 2, 3), [1, 2, 3]], ids=repr)
def test_pairs_of_another_length(value):
    with refused("size must be a positive int or a pair of them, got "):
        shapes.as_pair(value, "size", OWNER)


@pytest.mark.parametrize(
    ("size", "kernel", "stride", "dilation"),
    list(itertools.product([1, 2, 5, 8], [1, 2, 3, 4], [1, 2, 3], [1, 2])),
)
def test_same_is_the_least_padding_for_all_strides_of_the_image(size, kernel, stride, dilation):
    vertical, horizontal = shapes.pad_amounts(
        "same", (size, 9), (kernel, 1), (stride, 1), (dilation, 1), OWNER
    )
    assert vertical == oracles.same_padding(size, kernel, stride, dilation)
    assert horizontal == (0, 0)
    assert shapes.output_size(size, kernel, stride, vertical, dilation) == -(-size // stride)


@pytest.mark.parametrize(
    ("padding", "amounts"),
    [
        ("valid", ((0, 0), (0, 0))),
        (2, ((2, 2), (2, 2))),
        ((1, 2), ((1, 1), (2, 2))),
        ([1, 2], ((1, 1), (2, 2))),
        (((1, 2), (0, 3)), ((1, 2), (0, 3))),
        ([[1, 2], (0, 3)], ((1, 2), (0, 3))),
    ],
    ids=str,
)
def test_every_spelling_of_padding(padding, amounts):
    assert shapes.pad_amounts(padding, (5, 6), (3, 3), (1, 1), (1, 1), OWNER) == amounts


@pytest.mark.parametrize("ceil_mode", [False, True])
@pytest.mark.parametrize("stride", [1, 2, 3])
@pytest.mark.parametrize("kernel", [2, 3])
@pytest.mark.parametrize("pads", [(0, 0), (1, 0), (0, 1), (1, 1)], ids=str)
@pytest.mark.parametrize("size", [3, 4, 5, 7])
def test_output_size_counts_the_windows(size, pads, kernel, stride, ceil_mode):
    starts = oracles.pool_starts(size, kernel, stride, pads, ceil_mode)
    assert shapes.output_size(size, kernel, stride, pads, ceil_mode=ceil_mode) == len(starts)


def test_no_window_fits():
    assert shapes.output_size(3, 4, 1, (0, 0)) == 0
    assert shapes.output_size(3, 2, 1, (0, 0), dilation=3) == 0


def test_windows_hold_every_size():
    found = shapes.windows((2, 7, 8, 3), (3, 2), (2, 1), ((1, 0), (2, 3)), (1, 4), owner=OWNER)
    assert found == (2, 7, 8, 3, 3, 2, 2, 1, 1, 4, 1, 0, 2, 3, 3, 9)
    assert found.input_shape == (2, 7, 8, 3)
    assert found.cols_shape == (2 * 3 * 9, 3 * 2 * 3)


@pytest.mark.parametrize(
    ("shape", "kernel", "padding", "message"),
    [
        ((1, HUGE, HUGE, 1), 1, 0, "input shape must lead to sizes whose product is at most 2"),
        ((2**20, 2**10, 2**10, 2**10), 1, 0, "input shape must lead to sizes whose product"),
        ((1, 5, 5, 1), 1, HUGE - 1, "padding must lead to sizes whose product is at most 2"),
        ((2**20, 2**9, 2**9, 1), 300, 0, "kernel_size must lead to sizes whose product is at most"),
        ((1, 5, 6, 1), (6, 1), 0, r"kernel_size \(6, 1\) .* must fit the padded image, got an"),
        ((1, 5, 6, 1), (1, 7), 0, r"kernel_size \(1, 7\) .* must fit the padded image, got an"),
        ((1, 0, 6, 1), 1, 0, r"kernel_size .* must fit the padded image, got an image of \(0, 6\)"),
    ],
    ids=str,
)
def test_windows_that_cannot_be(shape, kernel, padding, message):
    with refused(message):
        shapes.windows(shape, kernel, 1, padding, owner=OWNER)


@pytest.mark.parametrize("channels", [0, 1])
def test_global_windows(channels):
    found = shapes.global_windows((2, 5, 6, channels), OWNER)
    assert (found.KH, found.KW, found.OH, found.OW) == (5, 6, 1, 1)
    with refused("images must have at least one pixel, got 5 x 0"):
        shapes.global_windows((2, 5, 0, channels), OWNER)
    with refused(r"an image must have at most 2\*\*31 - 1 pixels, got 65536 x 32768"):
        shapes.global_windows((1, 1 << 16, 1 << 15, channels), OWNER)


def test_pool_windows():
    assert shapes.pool_windows((1, 6, 6, 1), (2, 3), None, 0, False, OWNER)[6:8] == (2, 3)
    with refused(r"padding must be smaller than pool_size \(2, 3\), got \(2, 0\)"):
        shapes.pool_windows((1, 6, 6, 1), (2, 3), 1, (2, 0), False, OWNER)
    with refused(r"an image must have at most 2\*\*31 - 1 pixels, got 65536 x 32768"):
        shapes.pool_windows((1, 2**16, 2**15, 1), 2, 2, 0, False, OWNER)


def test_groups():
    assert shapes.check_groups(3, 6, 9, OWNER) == 3
    for groups, C, F in [(2, 6, 9), (3, 7, 9)]:
        with refused(f"groups must divide the {C} input channels and the {F} filters, got"):
            shapes.check_groups(groups, C, F, OWNER)


def test_check_shape():
    shapes.check_shape(np.ones((2, 3)), [2, 3], "dy", OWNER)
    with refused(r"dy must have shape \(3, 2\), got \(2, 3\)"):
        shapes.check_shape(np.ones((2, 3)), (3, 2), "dy", OWNER)


@pytest.mark.parametrize("value", [(5, 6), [5, 6], (5, 6, 1)], ids=str)
def test_image_shape(value):
    assert shapes.image_shape(value, OWNER) == (5, 6, 1)


@pytest.mark.parametrize(
    ("value", "error"),
    [
        *(((), ValueError), ((5,), ValueError), ((1, 2, 3, 4), ValueError), (5, ValueError)),
        *(((5, 0), ValueError), ((5, 6.0), TypeError), ((5, None, 1), TypeError)),
        ((HUGE - 1, HUGE - 1), ValueError),
    ],
    ids=str,
)
def test_image_shapes_that_are_none(value, error):
    with refused("image_shape must ", error):
        shapes.image_shape(value, OWNER)
