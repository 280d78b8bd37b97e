"""Graphs with every layer and every form of its hyper-parameters."""

import layer_cases

from cnnkit import (
    Add,
    BatchNorm,
    Concat,
    Conv,
    Conv1x1,
    Graph,
    ReLU,
    Residual,
    Sequential,
)

SIDES = ((0, 1), (1, 0))

UNUSUAL = [
    *layer_cases.unusual(),
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
