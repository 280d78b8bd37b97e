"""Graphs as plain data: JSON, parameters by node name, ==, repr and clone."""

import inspect
import json
import pickle

import layer_cases
import numpy as np
import pytest
from graphs import SIDES, UNUSUAL, some_net
from sklearn.base import clone

import cnnkit
from cnnkit import (
    Add,
    Conv,
    Conv1x1,
    GlobalAvgPool,
    Graph,
    Input,
    Layer,
    MaxPool,
    ReLU,
    Residual,
    Sequential,
)
from cnnkit.files.json_text import (
    FORMAT,
    LAYERS,
    MAX_CHARACTERS,
    MAX_VALUES,
    from_json,
    to_json,
)
from cnnkit.validate.values import short


def text_of(graph):
    return json.dumps({"format": FORMAT, "graph": graph})


class TestJSON:
    @pytest.mark.parametrize("layer", UNUSUAL, ids=lambda layer: type(layer).__name__)
    @pytest.mark.parametrize("indent", [None, 1])
    def test_round_trip(self, layer, indent):
        back = from_json(to_json(layer, indent))
        assert type(back) is type(layer)
        assert back == layer
        assert repr(back) == repr(layer)

    @pytest.mark.parametrize("kind", LAYERS.values())
    def test_every_layer_has_one(self, kind):
        graphs = {Sequential: [ReLU()], Residual: ReLU(), Graph: [("a", ReLU(), "input")]}
        if kind in graphs:
            layer = kind(graphs[kind])
        else:
            layer = kind(**layer_cases.CASES[kind.__name__].arguments)
        assert from_json(to_json(layer)) == layer

    def test_layers_are_those_of_the_package(self):
        exported = {name: getattr(cnnkit, name) for name in cnnkit.__all__}
        layers = {
            name: kind
            for name, kind in exported.items()
            if inspect.isclass(kind) and issubclass(kind, Layer) and kind is not Layer
        }
        assert layers == LAYERS

    def test_every_unusual_parameter_is_in_the_grid(self):
        seen = {
            (type(layer), key)
            for layer in UNUSUAL
            for key, value in layer.get_params(deep=False).items()
            if value != inspect.signature(type(layer)).parameters[key].default
        }
        missing = {
            (kind, key)
            for kind in LAYERS.values()
            for key in kind._get_param_names()
            if (kind, key) not in seen
        }
        assert not missing

    def test_numpy_numbers_become_numbers(self):
        back = from_json(to_json(Conv(np.int64(3), bias=np.bool_(False))))
        assert back == Conv(3, bias=False)
        assert type(back.filters) is int
        assert type(back.bias) is bool

    def test_methods(self):
        net = some_net()
        assert Graph.from_json(net.to_json()) == net
        assert Sequential.from_json(net.to_json(indent=2)) == net
        with pytest.raises(ValueError, match="text must be that of a Residual, got one of a Seq"):
            Residual.from_json(net.to_json())
        with pytest.raises(ValueError, match="text must be that of a Graph, got one of a Conv"):
            Graph.from_json(to_json(Conv(3)))

    def test_what_is_written(self):
        data = json.loads(to_json(MaxPool(2, stride=(2, 1))))
        assert data == {
            "format": "cnnkit graph 1",
            "graph": {
                "layer": "MaxPool",
                "pool_size": 2,
                "stride": {"tuple": [2, 1]},
                "padding": "valid",
                "ceil_mode": False,
                "dilation": 1,
            },
        }

    def test_missing_hyper_parameters_have_their_defaults(self):
        assert from_json(text_of({"layer": "Conv", "filters": 3})) == Conv(3)

    def test_own_layers_are_refused(self):
        class Mine(ReLU):
            pass

        class Conv(Layer):
            pass

        for layer in (Mine(), Conv()):
            with pytest.raises(ValueError, match=r"Sequential\.layers\[0\] must be a layer of cnn"):
                Sequential([layer]).to_json()

    @pytest.mark.parametrize(
        "value", [float("nan"), float("inf"), 1 << 63, {1}, np.ones(2), "a" * 1001]
    )
    def test_values_that_are_refused(self, value):
        with pytest.raises(ValueError, match=r"to_json: Conv\.filters must be None, a bool"):
            to_json(Conv(value))

    def test_layers_within_themselves_are_refused(self):
        net = Sequential([])
        net.layers.append(net)
        with pytest.raises(ValueError, match="at most 64 deep"):
            net.to_json()

    def test_doubling_is_refused(self):
        net = Sequential([ReLU()])
        for _ in range(20):
            net = Sequential([net, net])
        with pytest.raises(ValueError, match=f"at most {MAX_VALUES} values"):
            net.to_json()

    @pytest.mark.parametrize(
        ("text", "message"),
        [
            ("", "must be JSON"),
            ("{", "must be JSON"),
            ("[]", "must be an object of 'format' and 'graph'"),
            ("3", "must be an object"),
            ('{"format": 1}', "must be an object"),
            ('{"format": 1, "graph": {}}', "format must be 'cnnkit graph 1', got 1"),
            (text_of(3), "graph must be a layer, got 3"),
            (text_of([]), "graph must be a layer"),
            (text_of({}), "graph must be a layer of"),
            (text_of({"layer": "os.system"}), r"graph must be a layer of \['Add'.*got 'os.system'"),
            (text_of({"layer": ["Conv"]}), "graph must be a layer of"),
            (text_of({"layer": "Layer"}), "got 'Layer'"),
            (text_of({"layer": "Network"}), "got 'Network'"),
            (text_of({"layer": "ReLU", "__class__": 1}), r"graph \(ReLU\) must have.*'__class__'"),
            (text_of({"layer": "Conv", "filter": 1}), r"'filters', .*got \['filter'\]"),
            (text_of({"layer": "Conv", "filters": {"a": 1}}), r"graph.filters must be a layer"),
            (text_of({"layer": "Conv", "filters": {"tuple": 1}}), r"graph.filters must be a layer"),
            (text_of({"layer": "Sequential"}), "missing 1 required"),
            (text_of({"layer": "Sequential", "layers": []}), "at least one layer"),
            (text_of({"layer": "Sequential", "layers": 3}), "at least one layer"),
            (text_of({"layer": "Sequential", "layers": [3]}), "must be a layer"),
            (text_of({"layer": "Residual", "body": "x"}), "must be a layer"),
            (text_of({"layer": "Concat", "branches": [{"layer": "ReLU"}]}), "at least two"),
            (text_of({"layer": "Graph", "nodes": [["a", {"layer": "ReLU"}, 1]]}), "wired right"),
            (
                text_of({"layer": "Graph", "nodes": [{"tuple": ["a", {"layer": "ReLU"}, "b"]}]}),
                "'a' must read nodes of",
            ),
            (
                text_of({"layer": "Graph", "nodes": [{"tuple": ["a", {"layer": "ReLU"}, [[]]]}]}),
                "wired right",
            ),
            (
                text_of(
                    {
                        "layer": "Graph",
                        "nodes": [{"tuple": ["a", {"layer": "ReLU"}, "input"]}],
                        "outputs": "b",
                    }
                ),
                "outputs must be names of nodes, got 'b'",
            ),
            ('{"format": "cnnkit graph 1", "graph": {"layer": "Conv", "layer": "ReLU"}}', "twice"),
            ('{"format": "cnnkit graph 1", "graph": {"layer": "Conv", "filters": NaN}}', "got NaN"),
            (
                '{"format": "cnnkit graph 1", "graph": {"layer": "Conv", "filters": 1e999}}',
                "finite",
            ),
            (text_of({"layer": "Conv", "filters": 10**30}), "int of 100 bits"),
            ('{"format": "cnnkit graph 1", "graph": ' + "9" * 5000 + "}", "digits"),
            (text_of({"layer": "Conv", "padding": "a" * 1001}), "at most 1000 characters"),
            ("[" * 100_000, "64 deep"),
            ('{"a":' * 100_000, "64 deep"),
            (" " * (MAX_CHARACTERS + 1), "characters"),
            (text_of([0] * (MAX_VALUES + 1)), f"at most {MAX_VALUES} values"),
        ],
        ids=str.__len__,
    )
    def test_hostile_text(self, text, message):
        with pytest.raises(ValueError, match=message):
            from_json(text)

    def test_too_deep(self):
        data = {"layer": "ReLU"}
        for _ in range(40):
            data = {"layer": "Sequential", "layers": [data]}
        with pytest.raises(ValueError, match="at most 64 deep, got more at"):
            from_json(text_of(data))

    def test_text_must_be_text(self):
        with pytest.raises(TypeError, match="text must be a str, got bytes"):
            from_json(b"{}")
        with pytest.raises(TypeError, match="layer must be a layer or a graph, got 3"):
            to_json(3)


class TestEquality:
    @pytest.mark.parametrize("layer", UNUSUAL, ids=lambda layer: type(layer).__name__)
    def test_clones_and_pickles(self, layer):
        for copy in (clone(layer), pickle.loads(pickle.dumps(layer))):
            assert copy is not layer
            assert copy == layer
            assert repr(copy) == repr(layer)

    def test_clones_share_nothing(self):
        net = some_net()
        copy = clone(net)
        copy.layers[2].body[0].filters = 1
        copy.layers[3].branches.append(ReLU())
        assert net == some_net()

    def test_unequal(self):
        net = some_net()
        assert net != clone(net).set_params(stem__filters=17)
        assert net != clone(net).set_params(concat1__wide__conv1__filters=17)
        assert net != net.layers
        assert Conv(3) != Conv1x1(3)
        assert Sequential([ReLU()]) != Sequential([("relu", ReLU())])
        nodes = [("a", ReLU(), "input"), ("b", ReLU(), "a")]
        assert Graph(nodes) != Graph(nodes, "a")

    def test_repr_can_be_read_back(self):
        net = Sequential([("a", Conv(3, padding=SIDES)), Residual([ReLU()], Conv1x1(3))])
        assert repr(net) == (
            "Sequential(layers=[('a', Conv(filters=3, padding=((0, 1), (1, 0)))),\n"
            "                   Residual(body=[ReLU()], shortcut=Conv1x1(filters=3))])"
        )
        assert eval(repr(net), vars(cnnkit)) == net

    def test_functional_form_is_the_same_data(self):
        x = Input()
        graph = Graph.from_outputs(GlobalAvgPool()(Add()(Conv(3)(x), Conv1x1(3)(x, name="side"))))
        assert graph.set_params(side__filters=4).get_params()["side__filters"] == 4
        assert Graph.from_json(graph.to_json()) == clone(graph) == graph


def test_a_layer_left_out():
    net = Sequential([("conv", Conv(3)), ("relu", "passthrough")])
    assert Graph.from_json(net.to_json()) == net


def test_what_is_too_deep_to_print_is_short():
    value = []
    for _ in range(100_000):
        value = [value]
    assert short(value) == "a list of great depth"
    assert short("x" * 1000) == f"'{'x' * 76}..."
