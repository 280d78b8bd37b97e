"""Matrices whose rows go where the numbers of an image lie in ours, without a second copy of them.

A dense layer behind a flattened image has in ONNX a row for each of (C, H, W), and here one for
each of (H, W, C). Such matrices are most of the bytes of a network like VGG-16, so they are turned
within the bytes of the file, some columns at a time, once nothing else will be read from there.
"""

PART = 1 << 20  # bytes that are turned at a time


class Rows:
    """A matrix with its rows in another order, which `turned` puts there.

    Parameters
    ----------
    matrix : array of shape (K, N)
    sizes : tuple of int
        Axes that K is made of.
    order : tuple of int
        Their new order.
    shape : tuple
        Of the result: (K, N), or with sides of 1 before.
    """

    def __init__(self, matrix, sizes, order, shape):
        self.matrix = matrix
        self.sizes, self.order, self.shape = tuple(sizes), tuple(order), tuple(shape)

    @property
    def key(self):
        """Equal for the same numbers in the same new order."""
        place = self.matrix.__array_interface__["data"][0]
        return (place, self.matrix.shape, self.matrix.strides, self.sizes, self.order)

    def turned(self, budget, alone):
        """Return the matrix with its rows in the new order.

        It stays where it is if it is `alone` in these bytes, else the copy is taken from `budget`.
        """
        K, N = self.matrix.shape
        itemsize = self.matrix.itemsize
        if not alone or not self.matrix.flags.writeable:
            budget.spend(self.matrix.nbytes)
            return self._of(self.matrix)
        step = max(1, PART // (K * itemsize))
        with budget.lent(step * K * itemsize):
            for start in range(0, N, step):
                part = self.matrix[:, start : start + step]
                part[...] = self._of(part)
        return self.matrix

    def _of(self, part):
        """Return some columns in the new order, as a copy."""
        axes = part.reshape(*self.sizes, part.shape[1])
        return axes.transpose(*self.order, len(self.order)).reshape(part.shape)


def settled(weights, budget):
    """Return weights by path with arrays in the place of `Rows`."""
    kinds = {path: isinstance(array, Rows) for path, array in weights.items()}
    if not any(kinds.values()):
        return weights
    spans = {}  # by what lies there: one matrix may be that of several layers
    for path, array in weights.items():
        spans[array.key if kinds[path] else path] = _span(array.matrix if kinds[path] else array)
    shared, found, made = _overlapping(spans), {}, {}
    for path, array in weights.items():
        if kinds[path]:
            if array.key not in made:
                made[array.key] = array.turned(budget, array.key not in shared)
            array = made[array.key].reshape(array.shape)
        found[path] = array
    return found


def _span(array):
    """Return the first address of an array, and the one behind its last byte."""
    start = array.__array_interface__["data"][0]
    ends = [(size - 1) * step for size, step in zip(array.shape, array.strides, strict=True)]
    if not array.size:
        return start, start
    return start + sum(min(0, e) for e in ends), start + sum(
        max(0, e) for e in ends
    ) + array.itemsize


def _overlapping(spans):
    """Return the keys of spans that have bytes with another in common."""
    found, last, end = set(), None, -1
    for key, (start, stop) in sorted(spans.items(), key=lambda item: item[1]):
        if start < end and start < stop:
            found |= {last, key}
        if stop > end:
            last, end = key, stop
    return found
