"""Graphs drawn."""

import re
import shutil
import subprocess
import sys
from itertools import pairwise

import pytest

from cnnkit import (
    Add,
    BatchNorm,
    CNNClassifier,
    Concat,
    Conv,
    Conv1x1,
    Dense,
    Dropout,
    GlobalAvgPool,
    Graph,
    Input,
    MaxPool,
    ReLU,
    Residual,
    Sequential,
    UpSample,
)
from cnnkit.display import ArchitectureDisplay, LossCurveDisplay, describe, plot_graph, to_dot
from cnnkit.display.layered import GAP, PASSING, Layered


def chain():
    return Sequential([Conv(16), ReLU(), MaxPool(2), Dropout(0.2), Conv1x1(None), GlobalAvgPool()])


def inception():
    branches = [
        Conv1x1(64),
        [Conv1x1(96), ReLU(), Conv(128)],
        [Conv1x1(16), ReLU(), Conv(32, 5)],
        [MaxPool(3, stride=1, padding="same"), Conv1x1(32)],
    ]
    return Sequential([Conv(8), ("inception", Concat(branches)), GlobalAvgPool()])


def residual():
    return Sequential(
        [
            Conv(8),
            Residual([Conv(8), BatchNorm(), ReLU(), Conv(8)]),
            Residual([Conv(16, stride=2), ReLU()], [Conv1x1(16, stride=2)]),
            GlobalAvgPool(),
        ]
    )


def pyramid():
    x = Input()
    c2 = ReLU()(Conv(8, stride=2)(x))
    c3 = ReLU()(Conv(16, stride=2)(c2))
    p3 = Conv1x1(4)(c3)
    p2 = Add()(Conv1x1(4)(c2), UpSample(2)(p3))
    return Graph.from_outputs([Conv(4)(p2, name="fine"), Conv(4)(p3, name="coarse")])


NETS = [chain, inception, residual, pyramid]
each_net = pytest.mark.parametrize("build", NETS)


class TestDot:
    @each_net
    def test_nodes_and_edges(self, build):
        graph = build()
        text = to_dot(graph)
        assert graph.to_dot() == text
        for name, _, inputs in graph.flattened():
            assert len(re.findall(rf'^ +"{re.escape(name)}" \[label=', text, re.M)) == 1
            for entry in inputs:
                assert f'  "{entry}" -> "{name}"\n' in text
        assert text.count(" -> ") == sum(len(inputs) for _, _, inputs in graph.flattened())
        assert text.count("{") == text.count("}")

    def test_shapes(self):
        text = chain().to_dot((8, 8, 1), n_outputs=3)
        assert '"input" [label="Input\\n8 x 8 x 1"' in text
        assert '"conv1" [label="Conv 16, 3 x 3\\nconv1, 8 x 8 x 16"' in text
        assert '"globalavgpool1" [label="GlobalAvgPool\\nglobalavgpool1, 3"' in text

    def test_shapes_that_do_not_fit(self):
        with pytest.raises(ValueError, match="node 'dense1'"):
            to_dot([Conv(3), Dense(3)], (8, 8, 1))

    def test_groups(self):
        text = inception().to_dot()
        opened = re.findall(r'subgraph "(.*)" {\n +label="(.*)"', text)
        assert opened == [
            ("cluster_inception", "inception"),
            ("cluster_inception/branch2", "branch2"),
            ("cluster_inception/branch3", "branch3"),
            ("cluster_inception/branch4", "branch4"),
        ]

    def test_a_group_is_opened_once(self):
        inner = Graph([("a", ReLU(), "input"), ("b", ReLU(), "a")])
        net = Graph([("x", inner, "input"), ("y", ReLU(), "x"), ("z", inner, "y")])
        assert net.to_dot().count("subgraph") == 2

    def test_names_are_quoted(self):
        text = Sequential([('a"b\\', ReLU()), ("new\nline; }", ReLU())]).to_dot()
        assert '"a\\"b\\\\" -> "new\\nline; }"' in text

    def test_outputs_are_bold(self):
        bold = re.findall(r'"(\w+)" \[.*penwidth=2', pyramid().to_dot())
        assert sorted(bold) == ["coarse", "fine"]

    @pytest.mark.skipif(shutil.which("dot") is None, reason="Graphviz is not installed")
    @pytest.mark.parametrize(
        "graph",
        [*(build() for build in NETS), Sequential([('a"b\\', ReLU()), ("c\nd;}<&>", ReLU())])],
    )
    def test_graphviz_reads_it(self, graph):
        run = subprocess.run(
            ["dot", "-Tplain"], input=graph.to_dot(), capture_output=True, text=True, check=False
        )
        assert run.returncode == 0
        assert run.stderr == ""
        assert len(re.findall("^node ", run.stdout, re.M)) == 1 + len(graph.flattened())


@pytest.mark.parametrize(
    ("layer", "text"),
    [
        (Conv(64, (3, 5), stride=2, groups=4), "Conv 64, 3 x 5, stride 2, groups 4"),
        (Conv(64, stride=(1, 1), dilation=[1, 1]), "Conv 64, 3 x 3"),
        (Conv(64, stride=(2, 1), dilation=2), "Conv 64, 3 x 3, stride 2 x 1, dilation 2"),
        (Conv1x1(None), "Conv1x1"),
        (MaxPool(2, stride=2), "MaxPool 2 x 2, stride 2"),
        (Dropout(0.5), "Dropout 0.5"),
        (UpSample((2, 3)), "UpSample 2 x 3"),
        (ReLU(), "ReLU"),
        (Dense(10), "Dense 10"),
    ],
)
def test_layers_in_a_few_words(layer, text):
    assert describe(layer) == text


class TestLayered:
    @each_net
    def test_boxes_do_not_touch_and_edges_lead_down(self, build):
        nodes = build().flattened()
        inputs = {"input": (), **{name: reads for name, _, reads in nodes}}
        widths = {name: 1 + len(name) / 20 for name in inputs}
        layout = Layered(inputs, widths)
        for row in layout.rows:
            for a, b in pairwise(row):
                apart = (widths.get(a, PASSING) + widths.get(b, PASSING)) / 2 + GAP
                assert layout.x[b] - layout.x[a] > apart - 1e-6
        assert len(layout.routes) == sum(len(set(reads)) for reads in inputs.values())
        for route in layout.routes:
            assert [layout.row[b] - layout.row[a] for a, b in pairwise(route)] == [1] * (
                len(route) - 1
            )

    def test_a_chain_is_straight(self):
        layout = Layered({"a": (), "b": ("a",), "c": ("b",)}, dict.fromkeys("abc", 1.0))
        assert layout.rows == [["a"], ["b"], ["c"]]
        assert layout.x == {"a": 0, "b": 0, "c": 0}

    def test_a_split_is_in_the_middle(self):
        inputs = {"a": (), "b": ("a",), "c": ("a",), "d": ("b", "c")}
        layout = Layered(inputs, dict.fromkeys("abcd", 1.0))
        assert layout.x["b"] + layout.x["c"] == pytest.approx(0)
        assert layout.x["d"] == pytest.approx(0)

    def test_a_shortcut_leaves_the_body_straight(self):
        inputs = {"a": (), "b": ("a",), "c": ("b",), "d": ("c", "a")}
        layout = Layered(inputs, dict.fromkeys("abcd", 1.0))
        assert [layout.x[name] for name in "abcd"] == pytest.approx([0] * 4)
        assert [layout.x["a", "d", row] for row in (1, 2)] == pytest.approx([0.5 + GAP + 0.05] * 2)

    def test_crossings_are_removed(self):
        inputs = {"a": (), "b": ("a",), "c": ("a",), "d": ("c",), "e": ("b",)}
        layout = Layered(inputs, dict.fromkeys("abcde", 1.0))
        assert (layout.x["b"] < layout.x["c"]) == (layout.x["e"] < layout.x["d"])

    def test_one_box(self):
        assert Layered({"a": ()}, {"a": 1.0}).x == {"a": 0}


class TestPlot:
    @each_net
    def test_every_layer_is_a_box(self, pyplot, build):
        graph = build()
        ax = plot_graph(graph, (16, 16, 1), n_outputs=3)
        ax.figure.canvas.draw()
        texts = [text.get_text() for text in ax.texts]
        for name, layer, _ in graph.flattened(3):
            assert describe(layer) in texts
            assert any(text and name.endswith(text.split("   ")[0]) for text in texts)

    def test_text_lies_in_the_figure_and_in_its_box(self, pyplot):
        ax = plot_graph(inception(), (16, 16, 1))
        ax.figure.canvas.draw()
        window = ax.get_window_extent()
        boxes = [patch.get_window_extent() for patch in ax.patches]
        for text in ax.texts:
            if text.get_text():
                extent = text.get_window_extent()
                assert window.x0 <= extent.x0
                assert extent.x1 <= window.x1
                assert any(box.contains(extent.x0, extent.y0 + 1) for box in boxes)
                assert any(box.contains(extent.x1, extent.y0 + 1) for box in boxes)

    def test_groups_are_shaded(self, pyplot):
        texts = [text.get_text() for text in plot_graph(inception()).texts]
        assert {"inception", "branch2", "branch3", "branch4"} <= set(texts)

    def test_axes_of_ones_own(self, pyplot):
        figure, ax = pyplot.subplots(figsize=(2, 2))
        assert plot_graph(chain(), ax=ax) is ax
        assert max(text.get_fontsize() for text in ax.texts) < 9
        assert pyplot.get_fignums() == [figure.number]

    def test_lists_and_single_layers(self, pyplot):
        for net in ([Conv(3), ReLU()], ReLU(), Residual(ReLU()), Concat([ReLU(), ReLU()])):
            assert plot_graph(net).texts

    def test_dollars_are_no_formula(self, pyplot):
        plot_graph([("$x", ReLU()), ("$\\y$", ReLU())]).figure.canvas.draw()

    def test_without_matplotlib(self, monkeypatch):
        for name in [name for name in sys.modules if name.split(".")[0] == "matplotlib"]:
            monkeypatch.setitem(sys.modules, name, None)
        monkeypatch.setitem(sys.modules, "matplotlib", None)
        with pytest.raises(ImportError, match=r"pip install cnnkit\[plot\]"):
            plot_graph(chain())


class TestArchitectureDisplay:
    def test_of_an_estimator(self, pyplot, classifier):
        display = ArchitectureDisplay.from_estimator(classifier)
        texts = [text.get_text() for text in display.ax_.texts]
        assert "maps   4 x 4 x 10" in texts
        assert display.figure_ is display.ax_.figure
        assert display.graph is classifier.network_.graph

    def test_again_on_other_axes(self, pyplot):
        display = ArchitectureDisplay(chain(), (8, 8, 1), n_outputs=3).plot()
        _, ax = pyplot.subplots()
        assert display.plot(ax).ax_ is ax

    def test_needs_a_fitted_estimator(self):
        with pytest.raises(ValueError, match="ArchitectureDisplay: estimator must be one of"):
            ArchitectureDisplay.from_estimator(CNNClassifier())


def test_only_layers_are_described():
    with pytest.raises(TypeError, match=r"^describe: layer must be a layer such as .*, got 3"):
        describe(3)


@pytest.mark.parametrize("draw", [plot_graph, lambda graph, ax: LossCurveDisplay([1]).plot(ax)])
def test_only_axes_are_drawn_on(draw, pyplot):
    with pytest.raises(TypeError, match=r"^\w+: ax must be axes of matplotlib or None, got 3\."):
        draw(chain(), ax=3)
