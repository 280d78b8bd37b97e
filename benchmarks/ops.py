"""One layer of cnnkit bound to its own arrays, and the convolutions for the benchmarks."""

from typing import NamedTuple


class Case(NamedTuple):
    """A convolution of N images (H, W, C) with F kernels; depthwise if every channel is a group.

    `K` and `padding`, which is the same on opposite sides, may be pairs.
    """

    N: int
    C: int
    H: int
    W: int
    F: int
    K: int | tuple
    stride: int = 1
    padding: int | tuple = 0
    groups: int = 1
    dilation: int = 1

    @property
    def kernel(self):
        return self.K if isinstance(self.K, tuple) else (self.K, self.K)

    @property
    def pads(self):
        return self.padding if isinstance(self.padding, tuple) else (self.padding, self.padding)

    @property
    def name(self):
        kernel = "x".join(map(str, self.kernel))
        depthwise = self.groups == self.C == self.F > 1
        options = {"s": self.stride, "d": self.dilation, "g": 1 if depthwise else self.groups}
        words = [f"{letter}{value}" for letter, value in options.items() if value > 1]
        filters = [] if depthwise else ["->", str(self.F)]
        if self.kernel != (1, 1) and not any(self.pads):
            words.append("valid")
        return " ".join([f"{self.N},{self.C},{self.H},{self.W}", *filters, kernel, *words])

    @property
    def output_sides(self):
        return tuple(
            (side + 2 * pad - self.dilation * (k - 1) - 1) // self.stride + 1
            for side, pad, k in zip((self.H, self.W), self.pads, self.kernel, strict=True)
        )

    @property
    def multiply_adds(self):
        """Multiply-adds of the forward pass; dx and dw take as many again each."""
        height, width = self.output_sides
        taps = self.kernel[0] * self.kernel[1]
        return self.N * height * width * self.F * taps * self.C // self.groups


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


def drawn(count, seed):
    """Draw convolutions as people use them.

    ======== ==========================================================================
    batch    1 in a quarter of the cases, else 2 to 256, all sizes of number alike
    side     4 to 224, all sizes of number alike, half of them from 7, 8, 14, ..., 224;
             a quarter of the images are not square
    channels 1 or 3 in a sixth, else a power of two from 8 to 1,024, three quarters of
             one, or any number from 2 to 600
    filters  the same, without the first
    kernel   3x3 0.4, 1x1 0.28, 5x5 0.1, 7x7 0.06, 1xk or kx1 0.08, 2x2 0.05, 11x11 0.03
    stride   2 in a quarter
    dilation 2 or 3 in an eighth, of kernels that are no points
    groups   every channel its own in a tenth, 2 to 8 in another sixteenth
    padding  as much as keeps the size at stride 1, in three quarters; else none
    ======== ==========================================================================

    Every case has at most a billion multiply-adds and 16 million numbers in x and y together.
    """
    import numpy as np

    rng = np.random.default_rng(seed)
    cases = []
    while len(cases) < count:
        case = _draw(rng)
        height, width = case.output_sides
        numbers = case.N * (case.H * case.W * case.C + height * width * case.F)
        if min(height, width) > 0 and numbers <= 1 << 24 and case.multiply_adds <= 1e9:
            cases.append(case)
    return tuple(dict.fromkeys(cases))


def _draw(rng):
    import numpy as np

    def log_uniform(least, most):
        return int(np.exp(rng.uniform(np.log(least), np.log(most + 1))))

    def channels():
        kind = rng.random()
        if kind < 0.4:
            return 2 ** int(rng.integers(3, 11))
        return 3 * 2 ** int(rng.integers(2, 9)) if kind < 0.6 else log_uniform(2, 600)

    def side():
        usual = (7, 8, 14, 16, 28, 32, 56, 64, 112, 224)
        return int(rng.choice(usual)) if rng.random() < 0.5 else log_uniform(4, 224)

    N = 1 if rng.random() < 0.25 else log_uniform(2, 256)
    H = side()
    W = H if rng.random() < 0.75 else side()
    C = int(rng.choice([1, 3])) if rng.random() < 1 / 6 else channels()
    F = channels()
    kinds = ["3", "1", "5", "7", "line", "2", "11"]
    kind = rng.choice(kinds, p=[0.4, 0.28, 0.1, 0.06, 0.08, 0.05, 0.03])
    kernel = (1, int(rng.choice([3, 5, 7])))[:: int(rng.choice([1, -1]))]
    if kind != "line":
        kernel = (int(kind), int(kind))
    stride = 2 if rng.random() < 0.25 else 1
    dilation = int(rng.integers(2, 4)) if max(kernel) > 1 and rng.random() < 1 / 8 else 1
    groups, draw = 1, rng.random()
    if draw < 0.1 and C > 3:
        F = groups = C
    elif draw < 0.1625:
        groups = int(rng.choice([g for g in range(1, 9) if C % g == F % g == 0]))
    pads = tuple(dilation * (k - 1) // 2 for k in kernel) if rng.random() < 0.75 else (0, 0)
    return Case(N, C, H, W, F, kernel, stride, pads, groups, dilation)


def arrays_of(case):
    """Return x (N, H, W, C), w (K, K, C / groups, F), b (F,) and dy: the same in every process."""
    import numpy as np

    rng = np.random.default_rng(0)
    shapes = (
        (case.N, case.H, case.W, case.C),
        (*case.kernel, case.C // case.groups, case.F),
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
