"""Graphs with every layer and every form of its hyper-parameters."""

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
    Graph,
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
