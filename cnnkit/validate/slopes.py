"""Slopes between two values of a function, with which gradients are compared."""

STEP = 1e-6  # change of a number to both sides


def slope(function, array, place, step=STEP):
    """Return the slope of ``function()`` across one number of an array, and its uncertainty.

    The uncertainty is half the difference between the slopes to both sides: large at a kink, almost
    zero elsewhere. The array is restored afterwards.
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
