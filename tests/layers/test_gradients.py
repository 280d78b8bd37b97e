"""A layer's contract, checked: every layer of cnnkit keeps it, and breaches are named."""

import layer_cases
import pytest

from cnnkit import Add, Flatten, Layer, ReLU, Sequential, Tanh
from cnnkit.layers import Op, WeightSpec, check_gradients


@pytest.mark.parametrize(("layer", "shapes"), layer_cases.small(), ids=str)
def test_every_layer_keeps_its_contract(layer, shapes):
    if not layer.reshapes:
        check_gradients(layer, *shapes)


class Scale(Layer):
    """y = x * s, one weight for each channel; subclasses break something."""

    keeps_input = True

    def weight_specs(self, input_shape):
        return {"s": WeightSpec(input_shape[-1:], start=1.0)}

    def bind(self, slots):
        op = ScaleOp()
        op.layer, op.slots = self, slots
        return op


class ScaleOp(Op):
    def forward(self, n):
        slots = self.slots
        self.layer.write_y(slots.y, slots.x[:n] * slots.weights["s"], n)

    def backward(self, n):
        slots = self.slots
        self.layer.write_grads(slots, n)
        if slots.dx is not None:
            self.layer.write_dx(slots, slots.dy[:n] * slots.weights["s"], n)


class Right(Scale):
    def write_y(self, y, values, n):
        y[:n] = values

    def write_grads(self, slots, n):
        if "s" in slots.grads:
            axes = tuple(range(slots.x.ndim - 1))
            slots.grads["s"][:] = (slots.dy[:n] * slots.x[:n]).sum(axis=axes)

    def write_dx(self, slots, values, n):
        slots.dx[:n] = values


class TooFew(Right):
    def write_y(self, y, values, n):
        y[: n - 1] = values[: n - 1]


class TooMany(Right):
    def write_y(self, y, values, n):
        y[:] = 0
        y[:n] = values


class Wrong(Right):
    def write_dx(self, slots, values, n):
        slots.dx[:n] = 2 * values


class WrongWeight(Right):
    def write_grads(self, slots, n):
        super().write_grads(slots, n)
        if "s" in slots.grads:
            slots.grads["s"] /= n


class Adds(Right):
    def write_dx(self, slots, values, n):
        slots.dx[:n] += values


class AlwaysTrained(Right):
    def write_grads(self, slots, n):
        slots.grads["s"][:] = (slots.dy[:n] * slots.x[:n]).sum(axis=(0, 1, 2))


class AlwaysAsked(Right):
    def bind(self, slots):
        op = super().bind(slots)
        op.dy = slots.dy.shape
        return op


class ReadsInput(Right):
    keeps_input = False


class InPlace(Right):
    in_place = True


BREACHES = {
    TooFew: r"y\[:n\] must be filled with numbers, got NaN: not all are written",
    TooMany: r"y\[n:\] must stay as it is, got a number\.",
    Wrong: r"dxs\[0\]\[0, 0, 0, 0\] must be the slope -?\d.*, got -?\d",
    WrongWeight: r"grads\['s'\]\[0\] must be the slope",
    Adds: r"dxs\[0\]\[:n\] must be filled with numbers, got NaN",
    AlwaysTrained: r"backward must run where Slots has dxs and no grads, got KeyError\('s'\)",
    AlwaysAsked: r"forward must run where Slots has no gradients, got AttributeError",
    ReadsInput: r"grads\['s'\]\[0\] must be the slope .*, got nan",
    InPlace: r"grads\['s'\] must be the same in place, as in_place=True and",
}


def test_a_layer_of_ones_own():
    check_gradients(Right(), (3, 2, 2), n=3, random_state=1)


@pytest.mark.parametrize("kind", BREACHES, ids=lambda kind: kind.__name__)
def test_breaches(kind):
    with pytest.raises(AssertionError, match=f"^{kind.__name__}: {BREACHES[kind]}"):
        check_gradients(kind(), (3, 2, 2))


def test_weights_with_a_least_value_are_drawn_above_it():
    found = []

    class Positive(Right):
        def weight_specs(self, input_shape):
            return {"s": WeightSpec(input_shape[-1:], start=1.0, least=0.0)}

        def write_y(self, y, values, n):
            super().write_y(y, values, n)
            found.append(values)

    check_gradients(Positive(), (2,))
    assert found


@pytest.mark.parametrize("layer", [Sequential([ReLU()]), Add([ReLU(), Tanh()]), Flatten(), "ReLU"])
def test_what_computes_nothing_itself_is_refused(layer):
    with pytest.raises(TypeError, match=r"^check_gradients: layer must be a layer that computes, "):
        check_gradients(layer, (2, 2, 1))


@pytest.mark.parametrize("n", [0, 1.5])
def test_n(n):
    with pytest.raises((TypeError, ValueError), match=r"^check_gradients: n must be "):
        check_gradients(ReLU(), (2,), n=n)
