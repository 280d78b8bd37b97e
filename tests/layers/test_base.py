"""What all layers share."""

import numpy as np
import pytest
from oracles import check_gradients
from seeded import generator
from sklearn.base import clone

import cnnkit
from cnnkit import (
    Conv,
    Conv1x1,
    Dense,
    Dropout,
    Flatten,
    GlobalAvgPool,
    Layer,
    MaxPool,
    Network,
    ReLU,
    Sequential,
)
from cnnkit.layers import Op
from cnnkit.layers.base import Slots, WeightSpec, count_weights

LAYERS = [
    (Conv(6, (3, 2), stride=(1, 2), padding=((1, 0), (0, 2)), groups=3), (7, 5, 3)),
    (Conv1x1(5, stride=(2, 3), bias=False), (7, 5, 3)),
    (Dense(4, bias=False), (6,)),
    (Dropout(0.25), (7, 5, 3)),
    (Flatten(), (7, 5, 3)),
    (GlobalAvgPool(), (7, 5, 3)),
    (MaxPool((3, 2), stride=(1, 2), padding=1, ceil_mode=True), (7, 5, 3)),
    (ReLU(), (7, 5, 3)),
    (Sequential([Conv1x1(4), ReLU()]), (7, 5, 3)),
]
each_layer = pytest.mark.parametrize(("layer", "shape"), LAYERS, ids=lambda value: str(value)[:9])


@each_layer
def test_clone_is_equal_and_separate(layer, shape):
    copy = clone(layer)
    assert copy is not layer
    assert copy == layer
    assert copy.get_params() == layer.get_params()
    assert vars(copy).keys() == set(layer.get_params(deep=False))


@each_layer
def test_repr_makes_the_layer_again(layer, shape):
    assert eval(repr(layer), dict(vars(cnnkit))) == layer


@each_layer
def test_layers_hold_no_arrays(layer, shape):
    before = repr(vars(layer))
    network = Network(Sequential([layer]), shape, 3, training=True, rng=generator(0))
    network.x[...] = 1
    network.forward(1)
    assert repr(vars(layer)) == before


@each_layer
def test_output_shape_is_that_of_the_bound_output(layer, shape):
    network = Network(Sequential([layer]), shape, 3, batch_size=2)
    assert layer.output_shape(shape) == network.output.shape[1:]


@each_layer
def test_weight_specs_are_those_of_the_network(layer, shape):
    network = Network(Sequential([("one", layer)]), shape, 3)
    specs = layer.weight_specs(shape)
    assert {f"one/{name}": spec.shape for name, spec in specs.items()} == {
        path: array.shape for path, array in network.weights.items()
    }
    assert count_weights(specs) == network.weights.flat.size


@each_layer
def test_every_parameter_counts_in_equality(layer, shape):
    assert layer != 3
    for name in layer.get_params(deep=False):
        assert clone(layer).set_params(**{name: "another"}) != layer


def test_layers_of_two_kinds_differ():
    assert Conv(4, 1, padding="valid") != Conv1x1(4)
    assert Flatten() != GlobalAvgPool()


def test_layers_can_change_and_so_are_not_hashed():
    with pytest.raises(TypeError, match="unhashable type: 'ReLU'"):
        hash(ReLU())


@pytest.mark.parametrize("layer", [Conv(), Conv1x1(), Dense()], ids=str)
def test_one_per_output_is_set_on_a_copy(layer):
    (name,) = [name for name in ("filters", "units") if hasattr(layer, name)]
    assert getattr(layer.resolved(7), name) == 7
    assert getattr(layer, name) is None


@pytest.mark.parametrize("layer", [Conv(4), Conv1x1(4), Dense(4), ReLU(), Dropout()], ids=str)
def test_nothing_to_resolve(layer):
    assert layer.resolved(7) is layer


@pytest.mark.parametrize("layer", [Conv(4), Conv1x1(4), MaxPool(), GlobalAvgPool()], ids=str)
@pytest.mark.parametrize("shape", [(), (5,), (5, 4), (2, 5, 4, 3)], ids=str)
def test_images_are_asked_for(layer, shape):
    name = type(layer).__name__
    with pytest.raises(ValueError, match=rf"^{name}: input must be images \(H, W, C\), got shape"):
        layer.output_shape(shape)


def test_a_layer_of_ones_own():
    class Twice(Layer):
        def bind(self, slots):
            return TwiceOp(slots)

    class TwiceOp(Op):
        def __init__(self, slots):
            self.slots = slots

        def forward(self, n):
            np.multiply(self.slots.x[:n], 2, out=self.slots.y[:n])

        def backward(self, n):
            np.multiply(self.slots.dy[:n], 2, out=self.slots.dx[:n])

    check_gradients([Conv1x1(3), Twice(), Conv(2, 2)], (3, 4, 2))
    assert Twice().multiply_adds((4,)) == 0


def test_a_layer_without_an_op_says_so():
    class Idle(Layer):
        pass

    with pytest.raises(NotImplementedError, match=r"^Idle has no op$"):
        Idle().bind(Slots(None, None))


def test_weights_start_at_zero_and_do_not_decay_unless_told():
    assert WeightSpec((3,)) == ((3,), 0, False, 0.0, True, -np.inf)
