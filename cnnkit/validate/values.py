"""Checks of hyper-parameters that are not sizes; for sizes see `cnnkit.validate.shapes`."""

import sys
from numbers import Real

import numpy as np

from cnnkit.validate.guesses import ended, for_value

LARGEST = sys.float_info.max  # an int may be larger


def as_real(value, name, owner, above=None, least=None, below=None, most=None):
    """Return `value` as a finite float between the bounds given; bool is refused.

    `above` and `below` are bounds that it must not reach; `least` and `most` are included.
    """
    is_real = isinstance(value, Real) and not isinstance(value, (bool, np.bool_))
    number = value.item() if isinstance(value, np.generic) else value  # not a small float type
    fits = (
        is_real
        and -LARGEST <= number <= LARGEST
        and (above is None or number > above)
        and (least is None or number >= least)
        and (below is None or number < below)
        and (most is None or number <= most)
    )
    if not fits:
        bounds = {"above": above, "at least": least, "below": below, "at most": most}
        rules = [f"{word} {bound}" for word, bound in bounds.items() if bound is not None]
        rule = f"a finite number {' and '.join(rules)}".rstrip()
        message = f"{owner}: {name} must be {rule}, got {value!r}."
        raise (ValueError if is_real else TypeError)(ended(message, for_value(name, value)))
    return float(value)


def as_choice(value, name, owner, choices):
    """Return `value` if it is one of the texts `choices`."""
    if not isinstance(value, str) or value not in choices:
        listed = ", ".join(map(repr, choices))
        message = f"{owner}: {name} must be one of {listed}, got {value!r}."
        raise ValueError(ended(message, for_value(name, value, choices)))
    return value


def short(value):
    """Return the start of the text of `value`."""
    if isinstance(value, int) and abs(value) >= 1 << 63:
        return f"an int of {value.bit_length()} bits"
    try:
        text = repr(value)
    except RecursionError:
        text = f"a {type(value).__name__} of great depth"
    return text if len(text) <= 80 else f"{text[:77]}..."
