"""Another head for a graph."""

import pytest

from cnnkit import (
    Conv,
    Dense,
    Dropout,
    Flatten,
    GlobalAvgPool,
    Graph,
    MaxPool,
    ReLU,
    Sequential,
    Sigmoid,
    fc_head,
    gap_head,
    models,
)

BODY = [Conv(8), ReLU(), MaxPool()]
HEADS = {
    "dense": [Flatten(), Dense(5)],
    "pooled": [GlobalAvgPool(), Dropout(0.1), Dense(5), Sigmoid()],
    "convolution": [Conv(5, 1), GlobalAvgPool()],
}


@pytest.mark.parametrize("end", HEADS)
@pytest.mark.parametrize("head", [gap_head(), fc_head(16), [GlobalAvgPool(), Dense()]])
def test_cut_and_put(head, end):
    graph = Sequential(BODY + HEADS[end]).with_head(head)
    assert [node[0] for node in graph.nodes] == ["conv1", "relu1", "maxpool1", "head"]
    assert graph.summary((8, 8, 3), 4).rows[-1].output_shape == (4,)


def test_after_a_node():
    graph = Sequential(BODY + HEADS["dense"]).with_head(gap_head(), after="relu1")
    assert [node[0] for node in graph.nodes] == ["conv1", "relu1", "head"]


def test_a_model_keeps_its_names():
    whole = models.resnet18(10, (32, 32, 3))
    graph = whole.with_head(gap_head())
    names = [node.name for node in whole.flattened()]
    assert [node.name for node in graph.flattened()][:5] == names[:5]


def test_arguments():
    graph = Sequential(BODY + HEADS["dense"])
    with pytest.raises(ValueError, match=r"Graph: after must be one of .* got 'conv9'"):
        graph.with_head(gap_head(), after="conv9")
    with pytest.raises(ValueError, match="with_head must be given `after`"):
        Sequential([ReLU(), MaxPool()]).with_head(gap_head())
    with pytest.raises(ValueError, match="no node before the head must be called 'head'"):
        Graph([("head", Conv(3), "input"), ("end", Conv(2), "head")]).with_head(gap_head())
