"""Hyper-parameters of a graph by the names of its nodes."""

import pytest
from graphs import UNUSUAL, some_net
from sklearn.base import clone

import cnnkit
from cnnkit import (
    BatchNorm,
    Concat,
    Conv,
    Conv1x1,
    Graph,
    ReLU,
    ReLU6,
    Residual,
    Sequential,
)


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
