"""What a node of our graph gives, as tensors of ONNX: images there have channels first."""

from math import prod

import numpy as np

LAST, FIRST, FLAT, ORDERED = "last", "first", "flat", "ordered"


class Value:
    """An array of our graph as tensors of ONNX, in the forms that were asked for.

    ``LAST`` is (N, ...) in the order of our arrays, channels last; ``FIRST``, of images alone,
    (N, C, H, W); ``FLAT`` a row of the numbers of ``LAST``. A vector may be ``ORDERED`` instead:
    number j of its tensor is number ``order[j]`` of ours. So images that were flattened with
    channels first stay where they are, and a dense layer takes its rows in that order.

    Parameters
    ----------
    builder : Builder
    shape : tuple
        Of one sample, channels last.
    form : {LAST, FIRST, FLAT, ORDERED}
    tensor : str
        Name of the tensor in that form.
    order : array of int, default=None
        Of a vector that is ``ORDERED``.
    """

    def __init__(self, builder, shape, form, tensor, order=None):
        self.builder = builder
        self.shape = tuple(shape)
        if len(self.shape) == 1 and (order is None or (np.diff(order) > 0).all()):
            form, order = LAST, None
        self.order = order
        self.forms = {form: tensor}

    @property
    def form(self):
        """A form that is there: channels first where that is one of them."""
        return FIRST if FIRST in self.forms else next(iter(self.forms))

    @property
    def tensor(self):
        """Name of the tensor in `form`."""
        return self.forms[self.form]

    def last(self):
        """Return the name of the tensor with channels last."""
        return self._get(LAST, self._make_last)

    def first(self):
        """Return the name of the tensor of images with channels first."""
        return self._get(FIRST, self._make_first)

    def flat(self):
        """Return the name of rows of all numbers, in our order."""
        return self.last() if len(self.shape) == 1 else self._get(FLAT, self._make_flat)

    def flattened(self, name):
        """Return this value as vectors; images with channels first are not transposed."""
        shape = (prod(self.shape),)
        if FIRST not in self.forms or LAST in self.forms or is_either(self.shape):
            return Value(self.builder, shape, LAST, self.flat())
        H, W, C = self.shape
        order = np.arange(H * W * C).reshape(H, W, C).transpose(2, 0, 1).reshape(-1)
        tensor = self.builder.node("Flatten", [self.forms[FIRST]], name, axis=1)
        return Value(self.builder, shape, ORDERED, tensor, order)

    def _get(self, form, make):
        if form not in self.forms:
            self.forms[form] = make(f"{self.tensor}/{form}")
        return self.forms[form]

    def _make_last(self, name):
        builder = self.builder
        if self.order is not None:
            channels = self._channels()
            if channels is not None:
                sides = (channels, len(self.order) // channels)
                tensor = builder.reshape(self.forms[ORDERED], sides, f"{name}/image")
                tensor = builder.node("Transpose", [tensor], f"{name}/turned", perm=[0, 2, 1])
                return builder.reshape(tensor, self.shape, name)
            places = builder.constant(f"{name}/order", np.argsort(self.order), np.int64)
            return builder.node("Gather", [self.forms[ORDERED], places], name, axis=1)
        if FLAT in self.forms or is_either(self.shape):
            return builder.reshape(self.forms.get(FLAT, self.tensor), self.shape, name)
        return builder.node("Transpose", [self.forms[FIRST]], name, perm=[0, 2, 3, 1])

    def _channels(self):
        """Return the channels of the one image whose numbers are in `order`, or None."""
        channels, count = int(self.order[1]), len(self.order)
        if channels < 1 or count % channels:
            return None
        image = np.arange(count).reshape(-1, channels)
        return channels if np.array_equal(self.order, image.T.reshape(-1)) else None

    def _make_flat(self, name):
        straight = LAST not in self.forms and is_either(self.shape)
        source = self.tensor if straight else self.last()
        return self.builder.reshape(source, (prod(self.shape),), name)

    def _make_first(self, name):
        H, W, C = self.shape
        if is_either(self.shape):
            source = self.forms.get(FLAT) or self.last()
            return self.builder.reshape(source, (C, H, W), name)
        return self.builder.node("Transpose", [self.last()], name, perm=[0, 3, 1, 2])


def is_either(shape):
    """Say whether images have their numbers in one order, be channels first or last."""
    H, W, C = shape
    return C == 1 or H == W == 1
