"""Shape arithmetic and size checks, which are done in this module only.

Every size passes through here before native code sees it. Errors name the owner (a layer or a
function), the argument, the rule and the value.
"""

import operator
from math import prod
from typing import NamedTuple

import numpy as np

from cnnkit.validate.guesses import ended, for_value

MAX_ELEMENTS = 2**46  # 64 T numbers: more than any machine has, far below an overflow of 64 bits
MAX_EXTENT = 2**31 - 1  # longest side of an image or a matrix: BLAS counts in 32 bits


def as_int(value, name, owner, minimum=1, maximum=MAX_EXTENT):
    """Return `value` as a Python int from `minimum` to `maximum`; bool and float are refused."""
    number = _int_or_none(value)
    if number is None or not minimum <= number <= maximum:
        error = TypeError if number is None else ValueError
        rule = _kind([number], minimum, maximum)
        raise error(f"{owner}: {name} must be {rule}, got {value!r}.")
    return number


def as_pair(value, name, owner, minimum=1):
    """Return an int or a pair of ints as a pair ``(vertical, horizontal)``."""
    items = (value, value) if _int_or_none(value) is not None else once(value)
    if not isinstance(items, tuple) or len(items) != 2:
        rule = f"{_kind([], minimum)} or a pair of them"
        error = TypeError if not isinstance(items, tuple) else ValueError
        message = f"{owner}: {name} must be {rule}, got {value!r}."
        raise error(ended(message, for_value(name, value)))
    numbers = [_int_or_none(item) for item in items]
    if None in numbers or not all(minimum <= n <= MAX_EXTENT for n in numbers):
        error = TypeError if None in numbers else ValueError
        rule = f"{_kind(numbers, minimum)} or a pair of them"
        raise error(f"{owner}: {name} must be {rule}, got {value!r}.")
    return tuple(numbers)


def once(value):
    """Return a list as a tuple, which nobody can change between check and use."""
    return tuple(value) if isinstance(value, list) else value


def _int_or_none(value):
    if isinstance(value, (bool, np.bool_)):
        return None
    try:
        return operator.index(value)
    except TypeError:
        return None


def _kind(numbers, minimum, maximum=MAX_EXTENT):
    """Return the rule that one of `numbers` breaks; it names MAX_EXTENT if one is larger."""
    if maximum < MAX_EXTENT or any(n is not None and n > maximum for n in numbers):
        return f"an int from {minimum} to {maximum}"
    return "a positive int" if minimum == 1 else f"an int of at least {minimum}"


def check_product(sizes, name, value, owner):
    """Raise if the product of `sizes`, which follow from the argument `name`, is too large."""
    if prod(sizes) > MAX_ELEMENTS:
        raise ValueError(
            f"{owner}: {name} must lead to sizes whose product is at most 2**46, got {value!r}, "
            f"which gives {tuple(sizes)}."
        )


def pad_amounts(padding, size, kernel, stride, dilation, owner):
    """Return ``((top, bottom), (left, right))`` for any accepted form of `padding`.

    "same" gives an output of ``ceil(size / stride)`` with the odd pixel at the end, as TensorFlow
    and ONNX's SAME_UPPER define it; "valid" is no padding.
    """
    sides = once(padding)
    if isinstance(padding, str):
        if padding == "valid":
            return (0, 0), (0, 0)
        if padding == "same":
            return tuple(map(_same_padding, size, kernel, stride, dilation))
    elif _int_or_none(padding) is not None:
        amount = as_int(padding, "padding", owner, 0)
        return (amount, amount), (amount, amount)
    elif isinstance(sides, tuple) and len(sides) == 2:
        if all(isinstance(side, (tuple, list)) for side in sides):
            return tuple(as_pair(side, "padding", owner, 0) for side in sides)
        return tuple((amount, amount) for amount in as_pair(sides, "padding", owner, 0))
    message = (
        f"{owner}: padding must be a non-negative int, a pair of them, "
        f"((top, bottom), (left, right)), 'valid' or 'same', got {padding!r}."
    )
    raise ValueError(ended(message, for_value("padding", padding)))


def _same_padding(size, kernel, stride, dilation):
    out = -(-size // stride)
    total = max((out - 1) * stride + dilation * (kernel - 1) + 1 - size, 0)
    return total // 2, total - total // 2


def output_size(size, kernel, stride, pads, dilation=1, ceil_mode=False):
    """Return how many windows of `kernel` fit one side of an image.

    ``floor((size + pads - dilation * (kernel - 1) - 1) / stride) + 1``; with `ceil_mode` the
    quotient is rounded up, and the last window still starts inside the image or its leading pad.
    """
    room = size + pads[0] + pads[1] - dilation * (kernel - 1) - 1
    if room < 0:
        return 0
    if not ceil_mode:
        return room // stride + 1
    out = -(-room // stride) + 1
    return out - 1 if (out - 1) * stride >= size + pads[0] else out


class Windows(NamedTuple):
    """The windows of a convolution or a pooling: all sizes that native code needs.

    `N` images of `H` x `W` x `C`; `OH` x `OW` windows of `KH` x `KW` pixels, `SH`, `SW` apart,
    their pixels `DH`, `DW` apart. The image has `PT`, `PB`, `PL`, `PR` pixels of padding at its
    top, bottom, left and right.
    """

    N: int
    H: int
    W: int
    C: int
    KH: int
    KW: int
    SH: int
    SW: int
    DH: int
    DW: int
    PT: int
    PB: int
    PL: int
    PR: int
    OH: int
    OW: int

    @property
    def input_shape(self):
        return self.N, self.H, self.W, self.C

    @property
    def cols_shape(self):
        return self.N * self.OH * self.OW, self.KH * self.KW * self.C


def windows(
    input_shape,
    kernel_size,
    stride,
    padding,
    dilation=1,
    *,
    owner,
    kernel_name="kernel_size",
    ceil_mode=False,
):
    """Check every size of a sliding window over `input_shape` (N, H, W, C) and return `Windows`."""
    kernel = as_pair(kernel_size, kernel_name, owner)
    stride = as_pair(stride, "stride", owner)
    dilation = as_pair(dilation, "dilation", owner)
    if not isinstance(ceil_mode, bool):
        raise TypeError(f"{owner}: ceil_mode must be True or False, got {ceil_mode!r}.")
    N, H, W, C = input_shape
    check_product(input_shape, "input shape", input_shape, owner)
    pads = pad_amounts(padding, (H, W), kernel, stride, dilation, owner)
    OH, OW = (
        output_size(*side, ceil_mode=ceil_mode)
        for side in zip((H, W), kernel, stride, pads, dilation, strict=True)
    )
    if OH < 1 or OW < 1:
        raise ValueError(
            f"{owner}: {kernel_name} {kernel} with dilation {dilation} must fit the padded image, "
            f"got an image of {(H, W)} with padding {pads}."
        )
    padded = (max(N, 1), H + sum(pads[0]), W + sum(pads[1]), C)
    check_product(padded, "padding", padding, owner)
    check_product((max(N, 1), OH, OW, *kernel, C), kernel_name, kernel_size, owner)
    return Windows(N, H, W, C, *kernel, *stride, *dilation, *pads[0], *pads[1], OH, OW)


def pool_windows(input_shape, pool_size, stride, padding, ceil_mode, owner, dilation=1):
    """Return the `Windows` of a pooling, each of which contains a pixel of the image."""
    found = windows(
        input_shape,
        pool_size,
        pool_size if stride is None else stride,
        padding,
        dilation,
        owner=owner,
        kernel_name="pool_size",
        ceil_mode=ceil_mode,
    )
    reach = [found.DH * (found.KH - 1) + 1, found.DW * (found.KW - 1) + 1]
    if max(found.PT, found.PB) >= reach[0] or max(found.PL, found.PR) >= reach[1]:
        raise ValueError(
            f"{owner}: padding must be smaller than pool_size {(found.KH, found.KW)}, "
            f"got {padding!r}."
        )
    _check_pixels(found.H, found.W, owner)
    return found


def global_windows(input_shape, owner):
    """Return the `Windows` of one window as large as the image."""
    H, W = input_shape[1:3]
    if not H or not W:
        raise ValueError(f"{owner}: images must have at least one pixel, got {H} x {W}.")
    _check_pixels(H, W, owner)
    return windows(input_shape, (H, W), 1, 0, owner=owner)


def _check_pixels(H, W, owner):
    """Raise if an image has more pixels than max pooling can count in 32 bits."""
    if H * W > MAX_EXTENT:
        raise ValueError(f"{owner}: an image must have at most 2**31 - 1 pixels, got {H} x {W}.")


def check_groups(groups, C, F, owner):
    """Return `groups` if it divides the `C` input channels and the `F` filters."""
    groups = as_int(groups, "groups", owner)
    if C % groups or F % groups:
        raise ValueError(
            f"{owner}: groups must divide the {C} input channels and the {F} filters, got {groups}."
        )
    return groups


def check_shape(array, shape, name, owner):
    """Raise unless `array` has exactly `shape`."""
    if tuple(array.shape) != tuple(shape):
        raise ValueError(
            f"{owner}: {name} must have shape {tuple(shape)}, got {tuple(array.shape)}."
        )


def sample_shape(value, owner):
    """Return `value`, the shape of one sample, as a tuple of ints."""
    sides = [_int_or_none(side) for side in value] if isinstance(value, (tuple, list)) else []
    if not sides or None in sides or not all(1 <= side <= MAX_EXTENT for side in sides):
        error = TypeError if not isinstance(value, (tuple, list)) or None in sides else ValueError
        raise error(f"{owner}: input shape must be sizes from 1 to {MAX_EXTENT}, got {value!r}.")
    return tuple(sides)


def image_shape(value, owner):
    """Return `value` as ``(H, W, C)``; ``(H, W)`` means one channel."""
    sides = once(value)
    if not isinstance(sides, tuple) or len(sides) not in (2, 3):
        raise ValueError(f"{owner}: image_shape must be (H, W) or (H, W, C), got {value!r}.")
    sides = tuple(as_int(side, "image_shape", owner) for side in sides)
    check_product(sides, "image_shape", value, owner)
    return sides if len(sides) == 3 else (*sides, 1)
