"""Fits in a control group that has little memory: whoever takes more of it is killed."""

import os
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from seeded import generator

from cnnkit import (
    Add,
    AvgPool,
    BatchNorm,
    CNNClassifier,
    Concat,
    Conv,
    Conv1x1,
    Dense,
    DepthwiseConv,
    Dropout,
    GlobalAvgPool,
    LocalResponseNorm,
    MaxPool,
    Network,
    ReLU,
    Residual,
    Sequential,
    SiLU,
    UpSample,
)

GROUPS = {  # files of a group's limit and its processes, by the folder of all groups
    "/sys/fs/cgroup/memory": ("memory.limit_in_bytes", "cgroup.procs"),
    "/sys/fs/cgroup": ("memory.max", "cgroup.procs"),
}
LIMIT = 700 << 20


@contextmanager
def group():
    """Make a control group, and give its file of processes; None where that is not allowed."""
    for folder, (limit, processes) in GROUPS.items():
        path = Path(folder) / f"cnnkit-{os.getpid()}"
        try:
            path.mkdir()
        except OSError:
            continue
        try:
            if not os.access(path / processes, os.W_OK):
                raise OSError("no control group")
            (path / limit).write_text(str(LIMIT))
        except OSError:
            path.rmdir()
            continue
        try:
            yield path / processes
        finally:
            path.rmdir()
        return
    yield None


def layers(rng):
    """Return a network whose ops need memory of every kind, and little time."""

    def some():
        width = int(rng.integers(1, 9))
        return [
            lambda: Conv(width, 3),
            lambda: Conv1x1(width),
            lambda: DepthwiseConv(3),
            lambda: Dropout(0.3),
            lambda: BatchNorm(),
            lambda: ReLU(),
            lambda: SiLU(),
            lambda: LocalResponseNorm(3),
            lambda: MaxPool(3, stride=1, padding="same"),
            lambda: AvgPool(2),
            lambda: MaxPool(2),
            lambda: UpSample(2, method=str(rng.choice(["nearest", "bilinear"]))),
            lambda: Residual([Conv1x1(width), Dropout(0.1)], Conv1x1(width)),
            lambda: Concat([None, Conv1x1(width), Dropout(0.5)]),
            lambda: Add([Conv1x1(width), Conv(width, 3)]),
        ][rng.integers(15)]()

    return [*(some() for _ in range(rng.integers(2, 9))), GlobalAvgPool(), Dense()]


def near(rng, found, shape):
    """Return a batch size whose activations take about as much memory as there is."""
    each = Network(Sequential(found), shape, 2, training=True, rng=rng).activation_bytes
    return max(2, int(rng.uniform(0.2, 1.2) * LIMIT / max(1, each)))


def fit(processes, number):
    """Fit and predict in the group, with no more samples than a batch; say what came of it."""
    Path(processes).write_text(str(os.getpid()))
    rng = generator(number)
    while True:
        found = layers(rng)
        shape = (*map(int, rng.integers(8, 200, 2)), int(rng.integers(1, 5)))
        try:
            size = near(rng, found, shape)
        except ValueError:  # an image pooled away
            continue
        if size * np.prod(shape) < LIMIT // 8:
            break
    X = rng.integers(0, 256, (size, *shape), dtype=np.uint8)
    y = np.arange(size) % 2
    algorithm = str(rng.choice(["auto", "exact", "im2col"]))
    clf = CNNClassifier(
        found, batch_size=size, max_iter=1, random_state=0, algorithm=algorithm,
        solver=str(rng.choice(["adamw", "sgd"])), on_divergence="stop",
    )  # fmt: skip
    try:
        clf.fit(X, y).predict(X)
    except MemoryError as error:
        if not str(error).startswith("Network: memory must hold"):
            raise
        return "refused"
    return "done"
