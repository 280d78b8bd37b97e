"""Networks as tables."""

import re

import pytest

from cnnkit import (
    Add,
    BatchNorm,
    Concat,
    Conv,
    Conv1x1,
    Dense,
    DepthwiseConv,
    Dropout,
    GlobalAvgPool,
    Graph,
    MaxPool,
    Network,
    ReLU,
    Residual,
    Sequential,
)

NET = Sequential([Conv(16), ReLU(), Conv(10, 1), GlobalAvgPool()])
BRANCHED = Sequential([Conv(4), Residual([Conv(4), BatchNorm()]), Concat([ReLU(), Conv1x1(2)])])


def test_text_of_layers_in_a_row():
    assert repr(NET.summary((8, 8, 1))).splitlines() == [
        "name            layer           output shape  weights  multiply-adds",
        "--------------------------------------------------------------------",
        "conv1           Conv 16, 3 x 3  8 x 8 x 16        160          9,216",
        "relu1           ReLU            8 x 8 x 16          0              0",
        "conv2           Conv 10, 1 x 1  8 x 8 x 10        170         10,240",
        "globalavgpool1  GlobalAvgPool   10                  0              0",
        "--------------------------------------------------------------------",
        "total                                             330         19,456",
    ]


def test_kernels_and_strides():
    images = [Conv(4, (5, 3), stride=(2, 1)), MaxPool(3, stride=2), DepthwiseConv(3, stride=2)]
    net = Sequential([*images, Dropout(0.2), GlobalAvgPool(), Dense(None)])
    rows = net.summary((32, 32, 1), n_outputs=10)
    assert [(row.layer, row.settings) for row in rows.rows] == [
        ("Conv", "4, 5 x 3, stride 2 x 1"),
        ("MaxPool", "3 x 3, stride 2"),
        ("DepthwiseConv", "3 x 3, stride 2"),
        ("Dropout", "0.2"),
        ("GlobalAvgPool", ""),
        ("Dense", "10"),
    ]
    assert "conv1           Conv 4, 5 x 3, stride 2 x 1    16 x 32 x 4 " in str(rows)


def test_inputs_that_are_not_the_row_before():
    lines = repr(BRANCHED.summary((8, 8, 1))).splitlines()
    assert lines[0].endswith("multiply-adds  inputs")
    inputs = {line.split()[0]: line[lines[0].index("inputs") :] for line in lines[2:-3]}
    assert inputs == {
        "conv1": "",
        "residual1/body/conv1": "",
        "residual1/body/batchnorm1": "",
        "residual1/add": "residual1/body/batchnorm1, conv1",
        "concat1/branch1": "",
        "concat1/branch2": "residual1/add",
        "concat1/merge": "concat1/branch1, concat1/branch2",
    }
    assert lines[-2].split() == ["total", "214", "12,032"]
    assert lines[-1].split() == ["trained", "206"]


def test_totals():
    summary = BRANCHED.summary((8, 8, 1))
    assert summary.weights == sum(row.weights for row in summary.rows) == 214
    assert summary.trained_weights == 214 - 8
    assert [row.untrained for row in summary.rows if row.untrained] == [8]
    assert summary.multiply_adds == BRANCHED.multiply_adds((8, 8, 1))
    assert summary.rows[3].inputs == ("residual1/body/batchnorm1", "conv1")
    plain = NET.summary((8, 8, 1))
    assert plain.trained_weights == plain.weights


def test_one_per_output_is_resolved():
    net = Sequential([GlobalAvgPool(), Dense(None)])
    assert net.summary((8, 8, 3), n_outputs=5).rows[-1].output_shape == (5,)


def test_long_names_lose_their_middle():
    name = "a_name_" * 20 + "end"
    merge = [(name + str(i), ReLU(), "input") for i in range(3)]
    net = Graph([*merge, ("sum", Add(), [entry[0] for entry in merge])])
    summary = net.summary((4, 4, 1))
    assert name not in repr(summary)
    lines = repr(summary).splitlines()
    assert lines[2].startswith("a_name_a_nam...a_name_a_name_a_name_end0  ReLU")
    assert max(map(len, lines)) < 140
    assert [line.split()[-1] for line in lines[5:8]] == [
        "a_name_a_nam...a_name_a_name_a_name_end0,",
        "a_name_a_nam...a_name_a_name_a_name_end1,",
        "a_name_a_nam...a_name_a_name_a_name_end2",
    ]
    assert f"{name}0, {name}1, {name}2" in summary.to_text(1000)
    assert len({line[:8] for line in summary.to_text(8).splitlines()}) > 3
    with pytest.raises(ValueError, match="max_width must be at least 8, got 7"):
        summary.to_text(7)


def test_html():
    html = BRANCHED.summary((8, 8, 1))._repr_html_()
    assert html.startswith("<table>")
    assert html.endswith("</table>")
    assert html.count("<tr>") == html.count("</tr>") == 1 + 7 + 2
    assert "<td style='text-align:right;white-space:nowrap'>148</td>" in html
    assert "<td style='text-align:left;white-space:nowrap'>Conv 4, 3 x 3</td>" in html
    assert "<td style='text-align:left'>residual1/body/batchnorm1, conv1</td>" in html
    assert "<th style='text-align:right;white-space:nowrap'>12,032</th>" in html
    rows = re.findall("<tr>(.*?)</tr>", html)
    assert {len(re.findall("<t[hd]", row)) for row in rows} == {6}


def summary_of(layers, shape=(8, 8, 1), **options):
    return Network(Sequential(layers), shape, 10, **options).summary()


def algorithms(layers, *args, **options):
    found = {row.name: row.algorithms for row in summary_of(layers, *args, **options).rows}
    return {name: ", ".join(names) for name, names in found.items() if names}


MIXED = [Conv(16, 3), ReLU(), Conv(32, 3), ReLU(), Conv(8, 3, stride=2), GlobalAvgPool(), Dense()]


@pytest.mark.parametrize("training", [False, True])
def test_algorithms_of_a_bound_network(training):
    assert algorithms(MIXED, algorithm="im2col", training=training) == {
        "conv1": "im2col, -, im2col",
        **dict.fromkeys(["conv2", "conv3", "dense1"], "im2col, im2col, im2col"),
    }
    assert algorithms(MIXED, algorithm="direct", training=training) == {
        "conv1": "direct, -, direct",
        "conv2": "direct, direct, direct",
        "conv3": "direct, scatter, direct",
        "dense1": "direct, direct, direct",
    }
    assert algorithms(MIXED, algorithm="winograd", training=training)["conv2"] == (
        "winograd, winograd, winograd"
    )
    depthwise = [Conv(4), DepthwiseConv(3), GlobalAvgPool()]
    assert algorithms(depthwise)["depthwiseconv1"] == "depthwise, depthwise, depthwise"


def test_algorithms_of_frozen_layers_and_of_what_is_below_them():
    frozen = algorithms(MIXED, algorithm="im2col", training=True, frozen=["conv1", "conv3"])
    assert frozen == {
        "conv1": "im2col, -, -",
        "conv2": "im2col, -, im2col",
        "conv3": "im2col, im2col, -",
        "dense1": "im2col, im2col, im2col",
    }


def test_column_of_algorithms():
    layers = [Conv(4), Residual([Conv(4), BatchNorm()]), Conv1x1(2)]
    summary = summary_of(layers, algorithm="im2col")
    head, _, *lines = repr(summary).splitlines()
    assert re.search("multiply-adds  forward, to x, to w +inputs$", head)
    assert lines[0].endswith(" im2col, -, im2col")
    assert lines[1].endswith(" im2col, im2col, im2col")
    assert lines[3].endswith("  residual1/body/batchnorm1, conv1")
    html = summary._repr_html_()
    assert "<th style='text-align:left;white-space:nowrap'>forward, to x, to w</th>" in html
    assert "<td style='text-align:left;white-space:nowrap'>im2col, -, im2col</td>" in html
    assert {len(re.findall("<t[hd]", row)) for row in re.findall("<tr>(.*?)</tr>", html)} == {7}
    assert "forward" not in repr(Sequential(layers).summary((8, 8, 1)))


def test_html_is_escaped():
    html = Sequential([("<script>&\"'", ReLU())]).summary((4, 4, 1))._repr_html_()
    assert "<script>" not in html
    assert "&lt;script&gt;&amp;&quot;&#x27;" in html
    assert "inputs" not in html
