"""Filters, feature maps, class activation maps and mistakes."""

import re
import sys
from itertools import pairwise

import numpy as np
import pytest
from seeded import generator

from cnnkit import (
    Add,
    BatchNorm,
    CNNClassifier,
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
    ArchitectureDisplay,
    ClassActivationDisplay,
    FeatureMapDisplay,
    FilterDisplay,
    LearningRateDisplay,
    LossCurveDisplay,
    MisclassifiedDisplay,
    class_activation_maps,
)

pytestmark = pytest.mark.usefixtures("pyplot")


def texts(display):
    return [text.get_text() for text in display.ax_.texts if text.get_text()]


class TestFilters:
    def test_of_an_estimator(self, classifier):
        display = FilterDisplay.from_estimator(classifier)
        w = classifier.network_.weights["conv1/w"]
        assert display.node == "conv1"
        for k, image in enumerate(display.images_):
            assert (image.get_array() == w[:, :, 0, k]).all()
            assert image.get_clim() == (-abs(w).max(), abs(w).max())
        assert len(display.images_) == 8
        assert display.ax_.get_title() == "conv1: 8 filters of 3 x 3 x 1"

    def test_a_later_layer_by_name(self, classifier):
        display = FilterDisplay.from_estimator(classifier, node="maps", colorbar=False)
        assert len(display.images_) == 10 * 8
        assert len(display.figure_.axes) == 1

    def test_colours(self):
        filters = generator(0).normal(size=(5, 4, 3, 70))
        display = FilterDisplay(filters).plot()
        assert len(display.images_) == 64
        assert display.images_[0].get_array().shape == (5, 4, 3)
        assert min(im.get_array().min() for im in display.images_) >= 0

    def test_it_is_a_copy(self, classifier):
        display = FilterDisplay.from_estimator(classifier)
        assert not np.shares_memory(display.filters, classifier.network_.weights["conv1/w"])

    def test_unknown_node(self, classifier):
        message = "FilterDisplay: node must be one of ['conv1', 'maps'], got 'relu1'."
        with pytest.raises(ValueError, match=re.escape(message)):
            FilterDisplay.from_estimator(classifier, node="relu1")


class TestFeatureMaps:
    @pytest.mark.parametrize("shape", [(8, 8), (8, 8, 1), (64,)])
    def test_of_an_estimator(self, classifier, digits, shape):
        display = FeatureMapDisplay.from_estimator(classifier, digits[0][0].reshape(shape))
        maps = classifier.network_.activations(digits[0][:1], ["relu1"])["relu1"][0]
        assert display.node == "relu1"
        assert len(display.images_) == 1 + 8
        np.testing.assert_allclose(display.images_[0].get_array(), digits[0][0])
        np.testing.assert_allclose(display.images_[3].get_array(), maps[..., 2])
        assert texts(display) == ["image", *map(str, range(8))]

    def test_the_strongest(self):
        maps = np.arange(20.0) * np.ones((3, 5, 1))
        display = FeatureMapDisplay(maps, max_maps=3).plot()
        assert display.shown_.tolist() == [17, 18, 19]
        assert display.ax_.get_title() == "3 strongest of 20 maps"

    def test_maps_of_both_signs_are_symmetric(self, classifier, digits):
        display = FeatureMapDisplay.from_estimator(classifier, digits[0][0], node="maps")
        low, high = display.images_[-1].get_clim()
        assert low == -high

    def test_unknown_node(self, classifier, digits):
        with pytest.raises(ValueError, match=r"FeatureMapDisplay: node must be one of \['conv1'"):
            FeatureMapDisplay.from_estimator(classifier, digits[0][0], node="globalavgpool1")


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


class TestMisclassified:
    def test_of_an_estimator(self, classifier, digits):
        display = MisclassifiedDisplay.from_estimator(classifier, *digits, max_images=5)
        wrong = classifier.predict(digits[0]) != digits[1]
        assert len(display.images) == wrong.sum()
        assert (np.diff(display.confidence) <= 0).all()
        assert len(display.images_) == 5
        assert display.ax_.get_title() == f"{wrong.sum()} of 200 wrong (5 shown)"
        first = f"{display.y_true[0]} as {display.y_pred[0]}\n{display.confidence[0]:.0%} sure"
        assert texts(display)[0] == first

    def test_flat_rows(self):
        X = np.arange(24).reshape(2, 12)
        display = MisclassifiedDisplay.from_predictions(X, [0, 1], [0, 2], image_shape=(2, 2, 3))
        assert display.images.tolist() == [np.arange(12.0, 24).reshape(2, 2, 3).tolist()]
        with pytest.raises(ValueError, match="image_shape must be given where X has flat rows"):
            MisclassifiedDisplay.from_predictions(X, [0, 1], [0, 2])

    def test_bytes_are_scaled(self):
        X = np.full((1, 4, 4), 255, np.uint8)
        assert (MisclassifiedDisplay.from_predictions(X, [0], [1]).images == 1).all()

    def test_long_names_do_not_touch(self):
        names = np.array(["golden retriever", "West Highland white terrier", "cat"])
        display = MisclassifiedDisplay.from_predictions(
            np.ones((3, 5, 5)), names, names[[1, 2, 0]], confidence=[0.9, 0.8, 0.7]
        )
        assert texts(display)[2] == "cat\nas golden\nretriever\n70% sure"
        display.figure_.canvas.draw()
        extents = [text.get_window_extent() for text in display.ax_.texts]
        for a, b in pairwise(extents):
            assert a.x1 < b.x0

    def test_nothing_wrong(self):
        display = MisclassifiedDisplay.from_predictions(np.ones((2, 3, 3)), [0, 1], [0, 1])
        assert display.ax_.get_title() == "0 of 2 wrong"
        assert display.images_ == []

    def test_lengths_differ(self):
        with pytest.raises(ValueError, match="must be one label for each of the 2 images"):
            MisclassifiedDisplay.from_predictions(np.ones((2, 3, 3)), [0], [0])


DISPLAYS = [
    lambda: ArchitectureDisplay([ReLU()]),
    lambda: ClassActivationDisplay(np.ones((1, 2, 2, 1)), np.ones((1, 2, 2))),
    lambda: FeatureMapDisplay(np.ones((2, 2, 3))),
    lambda: FilterDisplay(np.ones((3, 3, 1, 2))),
    lambda: LearningRateDisplay([1, 2], [2, 1]),
    lambda: LossCurveDisplay([1, 2]),
    lambda: MisclassifiedDisplay(np.ones((1, 2, 2, 1)), [0], [1]),
]


@pytest.mark.parametrize("build", DISPLAYS)
class TestConvention:
    def test_on_other_axes(self, pyplot, build):
        display = build()
        assert not hasattr(display, "ax_")
        figure, ax = pyplot.subplots()
        assert display.plot(ax) is display
        assert display.ax_ is ax
        assert display.figure_ is figure
        assert pyplot.get_fignums() == [figure.number]
        figure.canvas.draw()

    def test_text_lies_in_the_figure(self, pyplot, build):
        display = build().plot()
        display.figure_.canvas.draw()
        window = display.figure_.get_window_extent()
        for text in [*display.ax_.texts, display.ax_.title]:
            if text.get_text():
                extent = text.get_window_extent()
                assert window.x0 - 1 <= extent.x0
                assert extent.x1 <= window.x1 + 1
                assert extent.y1 <= window.y1 + 1

    def test_without_matplotlib(self, monkeypatch, build):
        display = build()
        for name in [name for name in sys.modules if name.split(".")[0] == "matplotlib"]:
            monkeypatch.setitem(sys.modules, name, None)
        with pytest.raises(ImportError, match=r"needs matplotlib: pip install cnnkit\[plot\]"):
            display.plot()


@pytest.mark.parametrize(
    "kind", [FilterDisplay, FeatureMapDisplay, ClassActivationDisplay, MisclassifiedDisplay]
)
def test_not_fitted(kind, digits):
    args = {FilterDisplay: (), FeatureMapDisplay: (digits[0][0],)}.get(kind, digits)
    with pytest.raises(ValueError, match=f"{kind.__name__}: estimator must be one of cnnkit's"):
        kind.from_estimator(CNNClassifier(), *args)


@pytest.mark.parametrize("columns", [0, -1, 2.5, "a", None])
@pytest.mark.parametrize("build", [*DISPLAYS[1:4], DISPLAYS[-1]])
def test_columns_are_a_positive_int(build, columns):
    display = build()
    message = f"{type(display).__name__}: columns must be a positive int, got {columns!r}."
    with pytest.raises((ValueError, TypeError), match=f"^{re.escape(message)}"):
        display.plot(columns=columns)


@pytest.mark.parametrize(
    ("display", "message"),
    [
        (FilterDisplay(np.ones((3, 3, 1, 2)), max_filters=0), "max_filters must be a positive int"),
        (FeatureMapDisplay(np.ones((2, 2, 3)), max_maps=-1), "max_maps must be a positive int"),
        (
            MisclassifiedDisplay(np.ones((1, 2, 2, 1)), [0], [1], max_images=0.5),
            "max_images must be an int of at least 0, got 0.5",
        ),
        (
            ClassActivationDisplay(np.ones((2, 2, 2, 1)), np.ones((2, 2, 2)), titles=["one"]),
            r"there must be images, and a title for each or none, got 2 images and \['one'\]",
        ),
        (ClassActivationDisplay(np.ones((0, 2, 2, 1)), np.ones((0, 2, 2))), "there must be images"),
    ],
)
def test_counts_that_cannot_be_drawn(display, message):
    with pytest.raises((ValueError, TypeError), match=f"^{type(display).__name__}: {message}"):
        display.plot()
