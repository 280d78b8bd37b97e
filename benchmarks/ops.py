"""One layer of cnnkit bound to its own arrays, and the convolutions for the benchmarks."""

from typing import NamedTuple


class Case(NamedTuple):
    """A convolution of N images (H, W, C) with F kernels of size K x K; depthwise if `groups`."""

    N: int
    C: int
    H: int
    W: int
    F: int
    K: int
    stride: int = 1
    padding: int = 0
    groups: int = 1

    @property
    def name(self):
        images = f"{self.N},{self.C},{self.H},{self.W}"
        kernel = f"{self.K}x{self.K}" + (f" s{self.stride}" if self.stride > 1 else "")
        return f"{images} {kernel}" if self.groups > 1 else f"{images} -> {self.F} {kernel}"

    @property
    def output_sides(self):
        return tuple((s + 2 * self.padding - self.K) // self.stride + 1 for s in (self.H, self.W))

    @property
    def multiply_adds(self):
        """Multiply-adds of the forward pass; dx and dw take as many again each."""
        height, width = self.output_sides
        return self.N * height * width * self.F * self.K**2 * self.C // self.groups


CONVOLUTIONS = (
    Case(1, 256, 96, 96, 256, 3, padding=1),
    Case(1, 256, 96, 96, 64, 1),
    Case(1, 64, 96, 96, 256, 3, padding=1),
    Case(1, 512, 12, 12, 32, 1),
    Case(1, 512, 12, 12, 32, 3, padding=1),
    Case(1, 64, 32, 32, 128, 1),
    Case(1, 64, 32, 32, 128, 3, padding=1),
    Case(1, 3, 227, 227, 96, 11, stride=4),
    Case(64, 1, 8, 8, 16, 3, padding=1),
    Case(64, 16, 8, 8, 32, 3, padding=1),
    Case(64, 32, 4, 4, 10, 1),
    Case(64, 1, 28, 28, 32, 5, padding=2),
    Case(64, 32, 14, 14, 64, 3, padding=1),
    Case(4, 256, 56, 56, 64, 1),
    Case(4, 64, 56, 56, 64, 3, padding=1),
    Case(32, 3, 32, 32, 192, 5, padding=2),
)

DEPTHWISE = tuple(
    Case(batch, channels, side, side, channels, 3, stride, 1, groups=channels)
    for batch in (1, 8)
    for channels, side, stride in (
        (32, 112, 1),
        (64, 112, 2),
        (128, 56, 1),
        (128, 56, 2),
        (256, 28, 1),
        (256, 28, 2),
        (512, 14, 1),
        (512, 14, 2),
    )
)


def arrays_of(case):
    """Return x (N, H, W, C), w (K, K, C / groups, F), b (F,) and dy: the same in every process."""
    import numpy as np

    rng = np.random.default_rng(0)
    shapes = (
        (case.N, case.H, case.W, case.C),
        (case.K, case.K, case.C // case.groups, case.F),
        (case.F,),
        (case.N, *case.output_sides, case.F),
    )
    return [rng.standard_normal(shape, np.float32) for shape in shapes]


def bound(layer, x, training=False):
    """Bind a layer to arrays as a network does.

    Parameters
    ----------
    layer : cnnkit layer
    x : array of shape (N, H, W, C)
    training : bool

    Returns
    -------
    op : object with ``forward(n)`` and ``backward(n)``
    slots : cnnkit.layers.base.Slots
        Its arrays; weights have their initial values, zero if a network would draw them.
    """
    import numpy as np

    from cnnkit.layers.base import Slots
    from cnnkit.validate.arrays import empty_bytes

    def empty(shape):
        memory = empty_bytes(int(np.prod(shape)) * 4).view(np.float32)
        memory[:] = 0
        return memory.reshape(shape)

    own_x = empty(x.shape)
    own_x[...] = x
    y_shape = (len(x), *layer.output_shape(x.shape[1:]))
    specs = layer.weight_specs(x.shape[1:])
    slots = Slots(xs=[own_x], y=empty(y_shape))
    for name, spec in specs.items():
        slots.weights[name] = empty(spec.shape)
        slots.weights[name][...] = spec.start
    if training:
        slots.dxs, slots.dy = [empty(x.shape)], empty(y_shape)
        slots.grads = {name: empty(spec.shape) for name, spec in specs.items()}
    op = layer.bind(slots)
    op.attach(empty_bytes(op.scratch_bytes))
    return op, slots
