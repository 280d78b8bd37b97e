"""Graphs as plain data: JSON, parameters by node name, ==, repr and clone."""

import inspect
import json
import pickle

import numpy as np
import pytest
from sklearn.base import clone

import cnnkit
from cnnkit import (
    Add,
    AvgPool,
    BatchNorm,
    Concat,
    Conv,
    Conv1x1,
    Dense,
    DepthwiseConv,
    Dropout,
    GlobalAvgPool,
    Graph,
    Input,
    Layer,
    LeakyReLU,
    LocalResponseNorm,
    MaxPool,
    Multiply,
    Pad,
    ReLU,
    ReLU6,
    Reshape,
    Residual,
    Sequential,
    Sigmoid,
    UpSample,
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

SIDES = ((0, 1), (1, 0))

UNUSUAL = [
    Conv(16, (3, 5), stride=(2, 1), padding=SIDES, dilation=(1, 2), groups=2, bias=False),
    Conv1x1(None, stride=(2, 2), groups=4, bias=False),
    DepthwiseConv((1, 3), stride=2, padding="valid", dilation=2, depth_multiplier=3, bias=False),
    MaxPool((3, 2), stride=(2, 1), padding=SIDES, ceil_mode=True),
    AvgPool(3, stride=2, padding=1, ceil_mode=True, count_include_pad=True),
    BatchNorm(momentum=0.01, eps=1e-3),
    LocalResponseNorm(7, alpha=2e-4, beta=0.5, k=2.0),
    Dense(7, bias=False),
    Dropout(0.25),
    LeakyReLU(0.3),
    UpSample((2, 3), method="bilinear"),
    Pad(SIDES),
    Reshape((1, 1, -1)),
    Add([Conv(3), [ReLU(), Conv(3)]]),
    Multiply([Conv(3), ("gate", [Conv(3), Sigmoid()])]),
    Concat([("wide", Conv(3, 5)), Conv1x1(3), Concat([ReLU(), ReLU6()])]),
    Residual([Conv(3), ("norm", BatchNorm())], [Conv1x1(3)]),
    Residual(Sequential([Conv(3)])),
    Sequential([("conv1", Conv(3)), ReLU(), Sequential((ReLU(), Residual(ReLU())))]),
    Graph(
        [
            ("a", Conv(3), "input"),
            ("b", Sequential([ReLU()]), ("a",)),
            ("c", Add(), ["a", "b"]),
        ],
        outputs=["c", "a"],
    ),
    Graph([("ä\n\"quoted\\'", ReLU(), "input")], "ä\n\"quoted\\'"),
    Graph([("sum", Add(), ("a", "b"))], input_names=["a", "b"]),
]


def some_net():
    return Sequential(
        [
            ("stem", Conv(16)),
            ReLU(),
            Residual([Conv(16), BatchNorm()]),
            Concat([Conv1x1(4), ("wide", [Conv1x1(2), Conv(4, 5)])]),
            Sequential([Conv(8)]),
        ]
    )


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
        needed = {Sequential: [ReLU()], Residual: ReLU(), Reshape: (1,)}
        needed[Graph] = [("a", ReLU(), "input")]
        layer = kind(needed[kind]) if kind in needed else kind()
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
        assert missing == {(Conv1x1, "filters")}

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


class TestParameters:
    def test_names(self):
        found = some_net().get_params()
        assert found["stem"] == Conv(16)
        assert found["stem__filters"] == 16
        assert found["relu1"] == ReLU()
        assert found["residual1__body__conv1__filters"] == 16
        assert found["residual1__body__batchnorm1__eps"] == 1e-5
        assert found["concat1__branch1__filters"] == 4
        assert found["concat1__wide__conv1__kernel_size"] == 5
        assert found["sequential1__conv1__filters"] == 8
        assert some_net().get_params(deep=False).keys() == {"layers"}

    def test_of_graphs(self):
        graph = Graph([("a", Conv(3), "input"), ("b", Sequential([Conv(4)]), "a")])
        assert graph.get_params()["b__conv1__filters"] == 4
        graph.set_params(a__filters=5, b__conv1=Conv1x1(6), outputs="a")
        assert graph == Graph(
            [
                ("a", Conv(5), "input"),
                ("b", Sequential([("conv1", Conv1x1(6))]), "a"),
            ],
            "a",
        )

    @pytest.mark.parametrize("build", [some_net, lambda: UNUSUAL[-2], lambda: UNUSUAL[-5]])
    def test_what_is_got_can_be_set(self, build):
        net = build()
        for key, value in net.get_params().items():
            assert clone(net).set_params(**{key: value}) == net, key

    def test_set(self):
        net = some_net()
        assert net.set_params(stem__filters=32, residual1__body__conv1__stride=2) is net
        assert net.layers[0] == ("stem", Conv(32))
        assert net.layers[2] == Residual([Conv(16, stride=2), BatchNorm()])
        net.set_params(concat1__branch1=Conv1x1(9), concat1__wide__conv1__filters=7)
        assert net.layers[3] == Concat([Conv1x1(9), ("wide", [Conv1x1(2), Conv(7, 5)])])
        net.set_params(residual1=Residual(ReLU()), residual1__shortcut=[Conv(3)])
        assert net.layers[2] == Residual(ReLU(), [Conv(3)])
        net.set_params(layers=[Conv(1)], conv1__filters=2)
        assert net == Sequential([Conv(2)])

    def test_another_kind_of_layer_keeps_all_names(self):
        net = Sequential([Conv(1), ReLU(), Conv(2)]).set_params(conv1=Conv1x1(3))
        assert net.layers == [("conv1", Conv1x1(3)), ("relu1", ReLU()), ("conv2", Conv(2))]
        assert net.set_params(conv2__filters=5).layers[2] == ("conv2", Conv(5))

    def test_shared_layers_stay_as_they_are(self):
        layer, layers = Conv(16), None
        layers = [layer, Residual([layer])]
        one, other = Sequential(layers), Sequential([layers[1]])
        one.set_params(conv1__filters=1, residual1__body__conv1__filters=2)
        assert one == Sequential([Conv(1), Residual([Conv(2)])])
        assert layer == Conv(16)
        assert layers == [Conv(16), Residual([Conv(16)])]
        assert other == Sequential([Residual([Conv(16)])])

    @pytest.mark.parametrize(
        ("params", "message"),
        [
            ({"steam": 1}, r"Invalid parameter 'steam' for estimator Sequential.*'stem', 'relu1'"),
            ({"steam__filters": 1}, r"Invalid parameter 'steam'.*\['layers', 'stem', 'relu1', "),
            ({"stem__filter": 1}, r"Invalid parameter 'filter' for estimator Conv.*'filters'"),
            ({"layers__stem": 1}, "Invalid parameter 'layers'"),
            ({"concat1__branch2": 1}, r"Invalid parameter 'branch2'.*'branch1', 'wide'"),
            ({"residual1__body__conv2": 1}, r"Invalid parameter 'conv2'.*\['layers', 'conv1'"),
        ],
    )
    def test_unknown_names(self, params, message):
        net = some_net()
        with pytest.raises(ValueError, match=f"(?s){message}"):
            net.set_params(**params)
        assert net == some_net()

    def test_malformed_graphs_have_their_own_parameters(self):
        assert Sequential(None).get_params() == {"layers": None}
        assert Graph([("a", ReLU())]).get_params().keys() == {"nodes", "outputs", "input_names"}
        assert Sequential(None).set_params(layers=[ReLU()]) == Sequential([ReLU()])

    def test_names_that_cannot_be_addressed(self):
        net = Sequential([("layers", ReLU()), ("a__b", ReLU())])
        assert net.get_params() == {"layers": net.layers}

    def test_composite_of_ones_own(self):
        class Block(Graph):
            outputs = None

            def __init__(self, filters, first):
                self.filters = filters
                self.first = first

            def wiring(self):
                return Sequential([self.first, Conv(self.filters)]).wiring()

        first = Conv(1)
        net = Sequential([Block(8, first)]).set_params(block1__filters=4, block1__first__filters=2)
        assert net.output_shape((8, 8, 1)) == (8, 8, 4)
        assert net.layers[0].first == Conv(2)
        assert first == Conv(1)

    def test_grid_search_reaches_layers(self):
        clf = cnnkit.CNNClassifier(some_net())
        clf = clone(clf).set_params(layers__stem__filters=5, layers__relu1=ReLU6())
        assert clf.get_params()["layers__stem__filters"] == 5
        assert clf.get_params()["layers__relu1"] == ReLU6()
        with pytest.raises(ValueError, match="Invalid parameter 'stam'"):
            clf.set_params(layers__stam__filters=5)


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
