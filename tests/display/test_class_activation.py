"""Class activation maps."""

import numpy as np
import pytest
from seeded import generator

from cnnkit import (
    Add,
    BatchNorm,
    Concat,
    Conv,
    Conv1x1,
    Dense,
    Dropout,
    Flatten,
    GlobalAvgPool,
    Graph,
    MaxPool,
    Network,
    ReLU,
    Residual,
    Sequential,
)
from cnnkit.display import (
    ClassActivationDisplay,
    class_activation_maps,
)

pytestmark = pytest.mark.usefixtures("pyplot")


def texts(display):
    return [text.get_text() for text in display.ax_.texts if text.get_text()]


def trained(layers, shape=(6, 7, 2), n_outputs=3):
    """A network with random weights and running statistics, in float64."""
    network = Network(Sequential(layers), shape, n_outputs, dtype=np.float64)
    rng = generator(0)
    network.weights.initialise(rng)
    for path, array in network.weights.items():
        if path.rpartition("/")[2] in ("b", "beta", "mean", "gamma", "var"):
            array[...] = rng.uniform(0.5, 1.5, array.shape)
    return network


X = generator(1).random((3, 6, 7, 2))
TARGETS = [0, 2, 1]


class TestClassActivationMaps:
    @pytest.mark.parametrize(
        "layers",
        [
            [Conv(4), ReLU(), Conv1x1(), GlobalAvgPool()],
            [Conv(4), ReLU(), GlobalAvgPool(), Dense()],
            [Conv(4), ReLU(), MaxPool(2), Dropout(0.9), GlobalAvgPool(), Dense()],
        ],
        ids=repr,
    )
    def test_sums_are_the_scores_without_biases(self, layers):
        network = trained(layers)
        for path in network.weights:
            if path in ("conv1x1_1/b", "dense1/b"):
                network.weights[path] = 0
        scores = network.resized(3)
        scores.x[...] = X
        found = scores.forward(3)[range(3), TARGETS]
        maps = class_activation_maps(network, X, TARGETS)
        np.testing.assert_allclose(maps.sum(axis=(1, 2)), found, rtol=1e-9)

    @pytest.mark.parametrize(
        "layers",
        [
            [("at", Conv(4)), ReLU(), Flatten(), Dense(8), ReLU(), Dense()],
            [("at", Conv(4)), BatchNorm(), ReLU(), Dropout(), Conv(5), GlobalAvgPool(), Dense()],
            [("at", Conv(4)), Residual([Conv(4), BatchNorm(), ReLU()]), GlobalAvgPool(), Dense()],
            [("at", Conv(4)), Concat([ReLU(), [Conv(2), ReLU()]]), Flatten(), Dense()],
        ],
        ids=repr,
    )
    def test_maps_are_weighed_by_the_mean_gradient(self, layers):
        network = trained(layers)
        rest = [layer for layer in layers if not isinstance(layer, tuple)]
        maps = network.activations(X, ["at"])["at"]
        after = Network(Sequential(rest), maps.shape[1:], 3, batch_size=3, dtype=np.float64)
        for path in after.weights:
            after.weights[path] = network.weights[path]

        def scores(maps):
            after.x[...] = maps
            return after.forward(3)[range(3), TARGETS].copy()

        steps = np.eye(4) * 1e-6
        slopes = [(scores(maps + d) - scores(maps - d)) / 2e-6 for d in steps]
        expected = np.einsum("nhwk,kn->nhw", maps, slopes) / (6 * 7)
        found = class_activation_maps(network, X, TARGETS, "at")
        np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-8)

    def test_the_network_is_left_alone(self):
        network = trained([Conv(4), BatchNorm(), ReLU(), GlobalAvgPool(), Dense()])
        before = network.weights.flat.copy()
        class_activation_maps(network, X, TARGETS)
        assert (network.weights.flat == before).all()

    def test_a_way_around_the_node(self):
        nodes = [
            ("a", Conv(4), "input"),
            ("b", ReLU(), "a"),
            ("sum", Add(), ("a", "b")),
            ("pool", GlobalAvgPool(), "sum"),
            ("scores", Dense(), "pool"),
        ]
        network = Network(Graph(nodes), (6, 7, 2), 3)
        assert class_activation_maps(network, X, TARGETS, "a").shape == (3, 6, 7)
        with pytest.raises(ValueError, match="must depend on 'b' alone, got 'sum'"):
            class_activation_maps(network, X, TARGETS, "b")

    def test_no_maps(self):
        network = Network(Sequential([Conv1x1(), GlobalAvgPool()]), (1, 1, 4), 3)
        with pytest.raises(ValueError, match="a layer must give maps of more than one pixel"):
            class_activation_maps(network, np.ones((1, 4)), [0])

    @pytest.mark.parametrize("targets", [[0], [0, 1, 3], [0, 1, -1], [0, 1, 0.5], 1, None])
    def test_targets_that_are_no_outputs(self, targets):
        network = Network(Sequential([Conv1x1(), GlobalAvgPool()]), (2, 2, 4), 3)
        message = "^class_activation_maps: targets must be 3 ints from 0 to 2, one for every image"
        with pytest.raises(ValueError, match=message):
            class_activation_maps(network, np.ones((3, 2, 2, 4)), targets)

    def test_only_of_networks(self):
        with pytest.raises(TypeError, match=r"^class_activation_maps: network must be a Network"):
            class_activation_maps([3], np.ones((1, 4)), [0])


class TestClassActivationDisplay:
    def test_of_an_estimator(self, classifier, digits):
        X, y = digits[0][:3], digits[1][:3]
        display = ClassActivationDisplay.from_estimator(classifier, X, y)
        proba = classifier.predict_proba(X)
        wanted = [
            f"{label} ({p:.0%})"
            for label, p in zip(classifier.predict(X), proba.max(axis=1), strict=True)
        ]
        assert display.titles == wanted
        assert set(texts(display)) == {*wanted, *(f"true: {label}" for label in y)}
        assert display.maps.shape == (3, 4, 4)
        assert abs(display.maps_[0].get_array()).max() == pytest.approx(1)

    def test_of_other_classes(self, classifier, digits):
        wanted = ["one", "nine"]
        display = ClassActivationDisplay.from_estimator(classifier, digits[0][:2], classes=wanted)
        at = np.searchsorted(classifier.classes_, wanted)
        expected = class_activation_maps(classifier.network_, digits[0][:2], at)
        np.testing.assert_allclose(display.maps, expected)

    @pytest.mark.parametrize("classes", [["one"], ["one", "ten"], "one"])
    def test_unknown_classes(self, classifier, digits, classes):
        with pytest.raises(ValueError, match="ClassActivationDisplay: classes must be one of"):
            ClassActivationDisplay.from_estimator(classifier, digits[0][:2], classes=classes)

    def test_colours(self):
        rng = generator(0)
        images = rng.normal(size=(9, 6, 9, 3))
        ClassActivationDisplay(images, np.zeros((9, 3, 3))).plot().figure_.canvas.draw()
