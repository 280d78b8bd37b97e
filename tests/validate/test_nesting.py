"""Layers deep within one another, or in themselves: a word in the place of a full stack."""

import pytest
from estimator_data import X, Y, small
from sklearn.base import clone

from cnnkit import Add, CNNClassifier, Conv, Graph, ReLU, Residual, Sequential
from cnnkit.files.json_text import to_json
from cnnkit.validate import nesting

DEEPER = {
    "sequential": lambda inner: Sequential([inner]),
    "named": lambda inner: Sequential([("a", inner)]),
    "residual": Residual,
    "residual of a list": lambda inner: Residual([inner]),
    "branches": lambda inner: Add([inner, None]),
    "graph": lambda inner: Graph([("a", inner, "input")]),
}
WORD = r"must be nested at most 64 deep, and never in themselves, got more\.$"
each_kind = pytest.mark.parametrize("deeper", DEEPER.values(), ids=DEEPER)


def nested(deeper, levels):
    found = Conv(4)
    for _ in range(levels):
        found = deeper(found)
    return found


def endless(kind):
    """A graph that holds itself."""
    if kind == "graph":
        found = Graph([("a", Conv(3), "input")])
        found.nodes.append(("b", found, "a"))
    elif kind == "residual":
        found = Residual(Conv(3))
        found.body = found
    elif kind == "branches":
        found = Add([Conv(3), None])
        found.branches.append(found)
    else:
        found = Sequential([Conv(3)])
        found.layers.append(found)
    return found


def meet(layer):
    """What works on layers: each by its name, with what it gives or the error."""
    graph = layer if isinstance(layer, Graph) else Sequential([layer])
    actions = {
        "repr": lambda: repr(layer),
        "==": lambda: layer == layer.with_params(),
        "clone": lambda: clone(layer),
        "get_params": lambda: layer.get_params(),
        "flattened": graph.flattened,
        "shape": lambda: graph.output_shape((8, 8, 4)),
        "to_dot": graph.to_dot,
        "json": lambda: to_json(layer),
        "fit": lambda: small([layer], max_iter=1).fit(X, Y),
        "repr of an estimator": lambda: repr(CNNClassifier([layer])),
        "get_params of an estimator": lambda: CNNClassifier([layer]).get_params(),
        "clone of an estimator": lambda: clone(CNNClassifier([layer])),
    }
    found = {}
    for name, action in actions.items():
        try:
            found[name] = action()
        except (ValueError, TypeError) as error:
            found[name] = error
    return found


@each_kind
def test_levels_that_are_too_many(deeper):
    found = meet(nested(deeper, 300))
    for name in ("clone", "flattened", "shape", "to_dot", "clone of an estimator"):
        with pytest.raises(ValueError, match=WORD):
            raise found[name]
    assert isinstance(found["json"], ValueError)
    assert isinstance(found["fit"], ValueError)


@pytest.mark.parametrize("kind", ["sequential", "graph", "residual", "branches"])
def test_what_holds_itself(kind):
    found = meet(endless(kind))
    for name in ("clone", "flattened", "shape", "to_dot", "clone of an estimator"):
        with pytest.raises(ValueError, match=WORD):
            raise found[name]
    assert isinstance(found["repr"], str)
    assert isinstance(found["repr of an estimator"], str)


@each_kind
@pytest.mark.parametrize("levels", [1, 12, 20])
def test_levels_that_are_few_enough(deeper, levels):
    layer = nested(deeper, levels)
    found = meet(layer)
    assert found["clone"] == layer
    assert found["=="] is True
    assert len(found["flattened"]) >= 1
    assert "Conv" in found["repr"]
    assert repr(found["clone of an estimator"]) == found["repr of an estimator"]


class Counting(ReLU):
    asked = 0

    def get_params(self, deep=True):
        Counting.asked += 1
        return super().get_params(deep)


@each_kind
def test_printing_asks_a_layer_few_times(deeper, monkeypatch):
    """scikit-learn prints what is in a layer again at every level: 2 ** 20 times and more."""
    monkeypatch.setattr(Counting, "asked", 0)
    layer = Counting()
    for _ in range(20):
        layer = deeper(layer)
    repr(layer)
    assert Counting.asked < 20**2


def test_what_stands_in_many_places_is_looked_at_once():
    layer = [ReLU()]
    for _ in range(30):
        layer = [layer, layer]  # 2 ** 30 of them
    nesting.check(layer)


def test_a_list_of_layers_that_holds_itself():
    layers = [Conv(3)]
    layers.append(layers)
    clf = CNNClassifier(layers)
    assert repr(clf) == "CNNClassifier(...)"
    with pytest.raises(ValueError, match=WORD):
        clone(clf)
    with pytest.raises(ValueError, match=WORD):
        clf.fit(X, Y)


def test_lines_are_broken_as_scikit_learn_does():
    layers = [Conv(16), ReLU(), Residual([Conv(16), ReLU(), Conv(16)]), Conv(10, 1)]
    assert repr(CNNClassifier(layers, max_iter=5)) == (
        "CNNClassifier(layers=[Conv(filters=16), ReLU(),\n"
        "                      Residual(body=[Conv(filters=16), ReLU(),\n"
        "                                     Conv(filters=16)]),\n"
        "                      Conv(filters=10, kernel_size=1)],\n"
        "              max_iter=5)"
    )
