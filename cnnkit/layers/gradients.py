"""A check of a layer's contract: its gradients are slopes, and its flags are true."""

from __future__ import annotations

from math import inf

import numpy as np

from cnnkit.layers.base import Layer, Slots
from cnnkit.layers.op import bound
from cnnkit.validate import shapes
from cnnkit.validate.arrays import empty_bytes
from cnnkit.validate.slopes import is_slope, slope


def check_gradients(
    layer: Layer,
    *input_shapes: tuple[int, ...],
    n: int = 2,
    n_outputs: int = 3,
    tolerance: float = 1e-6,
    random_state: int = 0,
) -> None:
    """Raise unless the op of a layer computes the gradients of its output.

    Inputs, weights and the gradient of the output are drawn from a normal distribution, in float64.
    Every gradient is compared with the slope between two calls of ``forward``. Other assumptions of
    a network are checked, too: exactly the first n samples are written; ``backward`` reads x and y
    only if the layer has `keeps_input` and `keeps_output`; results are the same in place, if it has
    `in_place` and `gradient_in_place`; ``backward`` runs without an array for the gradient to x, or
    to the weights, and ``forward`` runs without any gradients.

    Parameters
    ----------
    layer : Layer
        A layer that computes. Of a graph, check each layer.
    *input_shapes : tuples of int
        Shape of one sample of each input. Every number of the inputs and weights takes two calls
        of ``forward``: choose small sides, and different ones.
    n : int, default=2
        Number of samples; the arrays have one more.
    n_outputs : int, default=3
        Number that ``filters=None`` or ``units=None`` stands for.
    tolerance : float, default=1e-6
        Largest difference between a gradient and the slope, for slopes up to 1; relative above.
        Across a kink, such as that of `ReLU`, it is larger by the difference of both sides.
    random_state : int, default=0
        Seed of all random numbers, also of the layer's.

    Raises
    ------
    AssertionError
        If the contract is broken; the error names the layer, the array and the number.
    TypeError, ValueError
        If `layer` is not a layer, computes nothing itself, or does not accept such inputs.

    Examples
    --------
    >>> from cnnkit import Conv
    >>> from cnnkit.layers import check_gradients
    >>> check_gradients(Conv(2, 3, stride=2), (5, 4, 3))
    """
    owner = "check_gradients"
    if not isinstance(layer, Layer) or layer.composite or layer.reshapes:
        raise TypeError(f"{owner}: layer must be a layer that computes, got {layer!r}.")
    n = shapes.as_int(n, "n", owner)
    bench = Bench(layer.resolved(n_outputs), input_shapes, n, random_state)
    bench.check_slopes(tolerance)
    bench.check_in_place()
    bench.check_parts()


class Bench:
    """A layer, and the numbers with which it is checked.

    Parameters
    ----------
    layer : Layer
    input_shapes : tuple of tuples
    n : int
        Number of samples that are computed; the arrays have one more.
    seed : int
    """

    def __init__(self, layer, input_shapes, n, seed):
        self.layer = layer
        self.n = n
        self.seed = seed
        self.specs = layer.weight_specs(*input_shapes)
        self.y_shape = (n + 1, *layer.output_shape(*input_shapes))
        rng = np.random.default_rng(seed)
        self.xs = [rng.standard_normal((n + 1, *shape)) for shape in input_shapes]
        self.weights = {name: drawn(spec, rng) for name, spec in self.specs.items()}
        self.dy = rng.standard_normal(self.y_shape)

    def bound(self, *, over=False, dx=True, grads=True, backward=True):
        """Return an op and its slots; `over` puts y into x, and dx into dy, if allowed."""
        layer = self.layer
        slots = Slots(
            xs=[np.empty_like(x) for x in self.xs],
            y=np.empty(self.y_shape),
            weights={name: array.copy() for name, array in self.weights.items()},
            rng=np.random.default_rng(self.seed),
        )
        if over and layer.in_place:
            slots.y = slots.xs[0].reshape(self.y_shape)
        if backward:
            slots.dy = np.empty(self.y_shape)
            slots.dxs = [np.empty_like(x) if dx else None for x in self.xs]
            if over and layer.gradient_in_place:
                slots.dxs[0] = slots.dy.reshape(slots.xs[0].shape)
        if backward and grads:
            trained = [name for name, spec in self.specs.items() if spec.trained]
            slots.grads = {name: np.full_like(slots.weights[name], np.nan) for name in trained}
        op = bound(layer, slots)
        op.attach(empty_bytes(op.scratch_bytes))
        return op, slots

    def forward(self, op, slots):
        """Compute y; `forward` draws the same random numbers every time."""
        slots.rng.bit_generator.state = np.random.default_rng(self.seed).bit_generator.state
        slots.y[...] = np.nan
        for array, x in zip(slots.xs, self.xs, strict=True):
            array[...] = x
        for name, w in self.weights.items():
            slots.weights[name][...] = w
        op.forward(self.n)
        self.check_filled(slots.y, slots.xs[0], "y")
        return slots.y[: self.n].copy()

    def backward(self, op, slots):
        """Compute gradients, after `forward`, from the arrays that are kept for it."""
        layer = self.layer
        if not np.may_share_memory(slots.xs[0], slots.y):
            for array in ([] if layer.keeps_input else slots.xs) + [slots.y][layer.keeps_output :]:
                array[...] = np.nan
        dxs = {f"dxs[{i}]": dx for i, dx in enumerate(slots.dxs) if dx is not None}
        for dx in dxs.values():
            dx[...] = np.nan
        slots.dy[...] = self.dy
        op.backward(self.n)
        for name, dx in dxs.items():
            self.check_filled(dx, slots.dy, name)
        found = {name: dx[: self.n] for name, dx in dxs.items()}
        return found | {f"grads[{name!r}]": grad for name, grad in slots.grads.items()}

    def check_slopes(self, tolerance):
        """Compare all gradients with slopes of <y, dy>."""
        op, slots = self.bound()

        def value():
            return np.vdot(self.forward(op, slots), self.dy[: self.n])

        self.forward(op, slots)
        gradients = self.backward(op, slots)
        numbers = {f"dxs[{i}]": x for i, x in enumerate(self.xs)}
        numbers |= {f"grads[{name!r}]": self.weights[name] for name in slots.grads}
        for name, gradient in gradients.items():
            array = numbers[name]
            for place in np.ndindex(gradient.shape):
                found = gradient[place]
                wanted, doubt = slope(value, array, place)
                if not is_slope(found, wanted, doubt, tolerance):
                    where = ", ".join(map(str, place))
                    self.fail(f"{name}[{where}] must be the slope {wanted:.9g}, got {found:.9g}")

    def check_in_place(self):
        """Compare results with those written into the memory of x and of dy."""
        layer, results = self.layer, []
        for over in (False, True):
            op, slots = self.bound(over=over)
            results.append({"y": self.forward(op, slots)} | self.backward(op, slots))
        apart, in_place = results
        for name, array in apart.items():
            if not np.allclose(in_place[name], array, rtol=1e-9, atol=1e-12):
                self.fail(
                    f"{name} must be the same in place, as in_place={layer.in_place} and "
                    f"gradient_in_place={layer.gradient_in_place} allow, got another"
                )

    def check_parts(self):
        """Run the op with only some of the gradients, and without any."""
        asked = {"dxs and no grads": {"grads": False}}
        if any(spec.trained for spec in self.specs.values()):
            asked["grads and no dxs"] = {"dx": False}
        for what, options in asked.items():
            op, slots = self.bound(**options)
            self.forward(op, slots)
            try:
                self.backward(op, slots)
            except (TypeError, KeyError, AttributeError) as error:
                self.fail(f"backward must run where Slots has {what}, got {error!r}")
        try:
            op, slots = self.bound(backward=False)
            self.forward(op, slots)
        except (TypeError, KeyError, AttributeError) as error:
            self.fail(f"forward must run where Slots has no gradients, got {error!r}")

    def check_filled(self, array, other, name):
        """Raise unless exactly the first n samples are filled, except for the memory of `other`."""
        if np.isnan(array[: self.n]).any():
            self.fail(
                f"{name}[:n] must be filled with numbers, got NaN: not all are written, or what is "
                f"not kept for backward is read"
            )
        if not np.may_share_memory(array, other) and not np.isnan(array[self.n :]).all():
            self.fail(f"{name}[n:] must stay as it is, got a number")

    def fail(self, text):
        """Raise an AssertionError that names the layer."""
        raise AssertionError(f"{self.layer.owner}: {text}.")


def drawn(spec, rng):
    """Return numbers for a weight, well above its minimum."""
    found = rng.standard_normal(spec.shape)
    return found if spec.least == -inf else spec.least + 0.5 + np.abs(found)
