"""Strides and filters of networks for images of one shape, at one width."""

from numbers import Real

from cnnkit.layers import Conv, MaxPool
from cnnkit.validate import shapes

SMALLEST = 2  # least pixels a side of the last maps
NARROWEST = 8  # least filters after the factor `width`
IMAGENET = (224, 224, 3)


class Form:
    """Strides and filters of a network for images of one shape, at one width.

    Attributes
    ----------
    owner : str
        Name of the network, with which errors start.
    width : float
    image_shape : tuple
    strides : list of int
        One for each of the network's strides and poolings of 2, in their order: 2, or 1 if it is
        left out.
    """

    def __init__(self, owner, image_shape, width, halvings):
        if isinstance(width, bool) or not isinstance(width, Real) or not 0 < width < float("inf"):
            raise ValueError(f"{owner}: width must be a positive number, got {width!r}.")
        self.owner, self.width = owner, width
        self.image_shape = shapes.image_shape(image_shape, owner)
        affordable = (min(self.image_shape[:2]) // SMALLEST).bit_length() - 1
        kept = max(0, min(halvings, affordable))
        self.strides = [1] * (halvings - kept) + [2] * kept

    def __call__(self, number):
        """Return `number` filters or units at this width."""
        return max(min(number, NARROWEST), round(number * self.width))


def first_conv(filters, kernel_size, stride, padding, bias=True):
    """Return the first convolution, which is 3x3 if its stride is left out."""
    if stride == 1:
        return Conv(filters, 3, bias=bias)
    return Conv(filters, kernel_size, stride=stride, padding=padding, bias=bias)


def pooling(name, stride, pool_size=3, **kwargs):
    """Return a list with a pooling, or an empty list if its stride is left out."""
    return [(name, MaxPool(pool_size, stride=stride, **kwargs))] if stride > 1 else []
