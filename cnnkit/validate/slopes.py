"""Slopes between two values of a function: what gradients are checked against."""

STEP = 1e-6  # to both sides of a number


def slope(function, array, place, step=STEP):
    """Return the slope of ``function()`` across one number of an array, and the doubt about it.

    The doubt is half of what the slopes to both sides differ by: much where a kink is between,
    hardly anything elsewhere. The array is as it was afterwards.
    """
    values, here = [], array[place]
    for change in (-step, 0, step):
        array[place] = here + change
        values.append(function())
    array[place] = here
    below, middle, above = values
    return (above - below) / (2 * step), abs(above - 2 * middle + below) / (2 * step)


def is_slope(found, slope, doubt, tolerance):
    """Say whether a gradient is the slope, up to `tolerance`, relative to slopes above 1."""
    return abs(found - slope) <= tolerance * max(1, abs(slope)) + doubt
