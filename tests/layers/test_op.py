"""What every op has, compiled or not, and what a network asks of it."""

import ast
import inspect
from pathlib import Path

import numpy as np
import pytest

import cnnkit
from cnnkit import Conv, Dense, Flatten, GlobalAvgPool, Layer, Network, Sequential, models
from cnnkit._native import MODULES
from cnnkit.layers import Op
from cnnkit.layers.base import WeightSpec

HOME = Path(cnnkit.__file__).parent
MEMBERS = [name for name in vars(Op) if not name.startswith("_")]


def subclasses(kind):
    """All subclasses of a class, those of subclasses included."""
    return {kind for sub in kind.__subclasses__() for kind in {sub, *subclasses(sub)}}


def own_ops():
    """The classes of ops in cnnkit, in the order of their names."""
    kinds = [kind for kind in subclasses(Op) if kind.__module__.startswith("cnnkit.")]
    return sorted(kinds, key=lambda kind: kind.__name__)


def compiled_ops():
    """Compiled classes that are named as ops, and have forward and backward as these do."""
    modules = [getattr(__import__(f"cnnkit._native.{name}")._native, name) for name in MODULES]
    kinds = {kind for module in modules for kind in vars(module).values() if inspect.isclass(kind)}
    return [
        kind
        for kind in sorted(kinds, key=lambda kind: kind.__name__)
        if kind.__module__.startswith("cnnkit._native")
        and callable(getattr(kind, "forward", None))
        and callable(getattr(kind, "backward", None))
        and not any(other is not kind and issubclass(other, kind) for other in kinds)
    ]


@pytest.mark.parametrize("kind", compiled_ops(), ids=lambda kind: kind.__name__)
def test_a_compiled_op_has_all_an_op_has(kind):
    (op,) = [own for own in own_ops() if issubclass(own, kind)]
    assert op.__name__ == kind.__name__
    assert op.__mro__.index(kind) < op.__mro__.index(Op)  # its own members come before defaults
    for name in MEMBERS:
        assert callable(getattr(op, name)) == callable(getattr(Op, name)), name


@pytest.mark.parametrize("kind", own_ops(), ids=lambda kind: kind.__name__)
def test_an_op_computes_something(kind):
    own = [name for name in ("forward", "backward") if getattr(kind, name) is not getattr(Op, name)]
    assert own
    assert inspect.getdoc(kind) != inspect.getdoc(Op)


def test_values_of_bound_ops_are_of_the_types_declared():
    graph = models.small("mobilenet_v1", (8, 8, 3), 4)
    for training in (True, False):
        network = Network(
            graph, (8, 8, 3), 4, training=training, rng=np.random.default_rng(0), algorithm="im2col"
        )
        for op in network._forward:
            assert isinstance(op, Op)
            assert op.scratch_bytes >= 0
            assert op.packed_bytes >= 0
            assert op.only_packs in (False, True)
            assert op.uses_blas in (False, True)
            assert isinstance(op.algorithms, tuple)
            assert op.momentum is None or 0 < op.momentum <= 1


@pytest.mark.parametrize("name", ["forward", "backward"])
def test_what_an_op_lacks_is_said(name):
    class IdleOp(Op):
        pass

    with pytest.raises(NotImplementedError, match=f"^IdleOp has no {name}$"):
        getattr(IdleOp(), name)(1)


def test_a_layer_must_bind_an_op():
    class Duck(Layer):
        def bind(self, slots):
            return slots

    with pytest.raises(TypeError, match=r"^Duck: bind must return a cnnkit.layers.Op, got Slots.$"):
        Network(Sequential([Duck(), Flatten(), Dense()]), (2, 2, 1), 1)


class Watched(Layer):
    """A layer that moves a running mean, and notes what its op is asked for."""

    def weight_specs(self, input_shape):
        return {"mean": WeightSpec((1,), trained=False)}

    def bind(self, slots):
        return WatchedOp(slots)


class WatchedOp(Op):
    scratch_bytes = 100
    packed_bytes = 7
    only_packs = True
    momentum = 0.5
    made = None

    def __init__(self, slots):
        self.slots = slots
        self.calls = []
        WatchedOp.made = self

    def attach(self, scratch):
        assert len(scratch) >= 100
        self.calls.append("attach")

    def prepack(self, memory):
        assert (memory.dtype, memory.shape) == (np.uint8, (7,))
        self.calls.append("prepack")

    def forward(self, n):
        slots = self.slots
        slots.y[:n] = slots.x[:n]
        slots.weights["mean"] += self.momentum * (slots.x[:n].mean() - slots.weights["mean"])
        self.calls.append(f"forward {n}")

    def backward(self, n):
        self.slots.dx[:n] = self.slots.dy[:n]
        self.calls.append(f"backward {n}")


def watched(**options):
    layers = [Conv(1, 1), ("watched", Watched()), GlobalAvgPool()]
    network = Network(Sequential(layers), (2, 2, 1), 1, batch_size=4, **options)
    network.weights["conv1/w"], network.weights["conv1/b"] = 1, 0
    return network, WatchedOp.made


def test_the_life_of_an_op():
    network, op = watched(training=True)
    network.forward(3)
    network.backward(3)
    network.forward(1)
    assert op.calls == ["attach", "forward 3", "backward 3", "forward 1"]
    other = network.resized(2, packed=True)
    other.forward(2)
    assert WatchedOp.made.calls == ["attach", "prepack"]  # and only that, as it says itself
    assert "attach" in op.calls


def test_running_statistics_of_any_op_are_run_anew():
    network, op = watched(training=True)
    X = np.arange(12, dtype=np.float32).reshape(12, 1, 1, 1).repeat(2, 1).repeat(2, 2)
    network.run_anew(X, np.arange(12))
    assert network.weights["watched/mean"] == pytest.approx(X.mean())
    assert op.momentum == 0.5


# modules that meet objects of other packages, and of the user's own
FOREIGN = {"cache", "containers", "decoding", "image_files", "reader", "stream"}


def probes(tree):
    """The lines that ask whether there is an attribute."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            name, given = node.func.id, len(node.args)
            if name == "hasattr" or (name == "getattr" and given > 2):
                yield node.lineno


@pytest.mark.parametrize("folder", ["layers", "functional", "graph", "data", "network", "training"])
def test_nothing_is_probed_for(folder):
    paths = sorted(path for path in (HOME / folder).rglob("*.py") if path.stem not in FOREIGN)
    assert paths
    found = {str(path): list(probes(ast.parse(path.read_text()))) for path in paths}
    assert {path: lines for path, lines in found.items() if lines} == {}
