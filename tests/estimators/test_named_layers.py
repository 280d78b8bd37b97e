"""Layers of an estimator as hyper-parameters by name."""

import pytest
from estimator_data import FLAT, SMALL, X, Y, flat, small, weights
from oracles import assert_same_bits
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV

from cnnkit import (
    CNNClassifier,
    Conv,
    Conv1x1,
    Dense,
    Dropout,
    Flatten,
    Graph,
    Identity,
    MaxPool,
    Network,
    ReLU,
    Residual,
    Sequential,
    fc_head,
    gap_head,
)
from cnnkit.layers.nodes import name_layers

NAMED = [("stem", Conv(6, 3)), ReLU(), ("head", gap_head())]


def test_names_of_a_list():
    params = small(NAMED).get_params()
    assert params["stem"] is NAMED[0][1]
    assert (params["stem__filters"], params["relu1"]) == (6, NAMED[1])
    assert params["head__conv1x1_1__filters"] is None
    assert params["layers"] is NAMED
    assert "stem" not in small(NAMED).get_params(deep=False)


def test_setting_changes_a_copy():
    clf, other = small(NAMED), small(NAMED)
    clf.set_params(stem__filters=9, relu1="passthrough", alpha=0.5)
    assert clf.layers[:2] == [("stem", Conv(9, 3)), ("relu1", "passthrough")]
    assert (clf.alpha, other.layers, NAMED[0][1].filters) == (0.5, NAMED, 6)
    clf.set_params(head=fc_head(12), head__dense1__units=20)
    assert clf.layers[2] == ("head", fc_head(20))
    clf.set_params(layers=SMALL, conv1__filters=4)
    assert clf.layers[0] == ("conv1", Conv(4, 3)) or clf.layers[0] == Conv(4, 3)
    assert clf.layers[1:] == SMALL[1:]


def test_all_params_set_again_change_nothing():
    clf = small(NAMED)
    again = CNNClassifier().set_params(layers=NAMED).set_params(**clf.get_params())
    assert again.get_params() == clf.get_params()
    assert_same_bits(weights(again.fit(X, Y)), weights(clf.fit(X, Y)))


def test_a_graph_is_one_parameter():
    clf = small(Sequential(NAMED))
    assert clf.get_params()["layers__stem__filters"] == 6
    assert "stem__filters" not in clf.get_params()
    assert clone(clf).set_params(layers__stem__filters=3).layers.layers[0][1].filters == 3


def test_names_of_own_parameters_are_not_taken():
    clf = small([("alpha", Conv(6)), *SMALL[1:]], alpha=0.25)
    assert clf.get_params()["alpha"] == 0.25
    assert clf.set_params(alpha=0.5).alpha == 0.5
    assert clf.fit(X, Y).network_.weights["alpha/w"].shape == (3, 3, 1, 6)


@pytest.mark.parametrize("layers", [None, SMALL, Sequential(SMALL), "what", [None]], ids=repr)
def test_unknown_names(layers):
    with pytest.raises(ValueError, match=r"^Invalid parameter 'conv9' for estimator CNNClassifier"):
        small(layers).set_params(conv9__filters=3)


def test_an_unknown_name_is_told_the_known_ones_and_changes_nothing():
    clf = small(NAMED)
    with pytest.raises(ValueError, match=r"(?s)'steam' .*Valid param.*'stem', 'relu1', 'head'"):
        clf.set_params(stem__filters=9, steam__filters=3)
    assert clf.layers is NAMED


def test_a_list_in_a_list_of_layers_has_no_parameters():
    """`fit` refuses it; until then it may even hold itself."""
    endless = []
    endless.append(endless)
    assert set(Residual(endless).get_params()) == {"body", "body__layers", "shortcut"}
    assert set(Sequential([Conv(3), endless]).get_params(deep=False)) == {"layers"}
    assert "conv1__filters" in Sequential([Conv(3), endless]).get_params()


def test_parameters_of_a_layer_that_is_wrong_in_another():
    """scikit-learn's clone would follow a list into itself until the stack is full."""
    endless = []
    endless.append(endless)
    graph = Sequential([Conv(3, padding=endless)])
    assert graph.set_params(conv1__filters=4).get_params()["conv1__filters"] == 4


def test_parameters_of_no_layer():
    with pytest.raises(TypeError, match=r"^Graph: \['rate'\] must be .* of a layer, got 'passth"):
        Sequential([("a", "passthrough"), Conv(3)]).set_params(a__rate=0.5)


def test_unknown_parameters_of_a_layer():
    with pytest.raises(ValueError, match=r"^Invalid parameter 'fliters' for estimator Conv"):
        small(NAMED).set_params(stem__fliters=3)


@pytest.mark.parametrize("name", ["relu1", "maxpool1", "first"])
def test_passthrough_is_a_layer_left_out(name):
    layers = [("first", Conv(1, 3)), *SMALL]
    clf = small(layers).set_params(**{name: "passthrough"}).fit(X, Y)
    left = [item for item in name_layers(layers, "test") if item[0] != name]
    assert_same_bits(clf.predict_proba(X), small(left).fit(X, Y).predict_proba(X))
    assert clf.summary().rows[[n for n, _ in name_layers(layers, "test")].index(name)].weights == 0


@pytest.mark.parametrize("at", [0, 1, 2])
def test_passthrough_anywhere_in_a_graph(at):
    names = ["a", "b", "c"]
    layers = [Conv(3), ReLU(), Conv(3)]
    layers[at] = "passthrough"
    nodes = [
        (n, layer, names[i - 1] if i else "input")
        for i, (n, layer) in enumerate(zip(names, layers, strict=True))
    ]
    network = Network(Graph(nodes), (4, 4, 3), 2)
    assert network.forward(1).shape == (1, 4, 4, 3)
    assert network.graph.flattened()[at].layer == Identity()


def test_a_grid_over_heads_layers_and_widths():
    grid = {
        "head": [fc_head(16), gap_head(8), gap_head()],
        "relu1": [ReLU(), "passthrough"],
        "stem__filters": [4, 6],
    }
    search = GridSearchCV(flat(layers=NAMED, max_iter=1), grid, cv=2, error_score="raise")
    search.fit(FLAT, Y)
    assert len(search.cv_results_["params"]) == 12
    best = search.best_params_
    assert search.best_estimator_.get_params()["stem__filters"] == best["stem__filters"]
    assert search.best_estimator_.get_params()["head"] == best["head"]


def test_heads():
    assert fc_head() == Sequential([Flatten(), Dense()])
    assert fc_head(8, 4, dropout=0.25) == Sequential(
        [Flatten(), *[Dense(8), ReLU(), Dropout(0.25)], *[Dense(4), ReLU(), Dropout(0.25)], Dense()]
    )
    assert gap_head(8, dropout=0.5).layers[:3] == [Conv1x1(8), ReLU(), Dropout(0.5)]
    assert gap_head().summary((4, 4, 6), 10).weights == 70
    assert small([*SMALL[:2], MaxPool(2), gap_head()]).fit(X, Y).n_outputs_ == 10
