"""Single layers other than convolutions, and the loss: cnnkit beside PyTorch.

Run::

    python benchmarks/layers.py [--rounds 4] [--threads 2] [--torch-python PATH]
                                [--only PATTERN] [--json PATH]

Images are written ``N,C,H,W``: N of H x W pixels and C channels; ``3x3 s2 p1`` is a window of 3x3,
a stride of 2 and one pixel of padding; logits are written ``N,classes``.

``LAYER: forward SHAPE``
    Milliseconds for the output. cnnkit runs the op of its layer on arrays made once; PyTorch runs
    the function of `torch.nn.functional` in inference mode and returns a new tensor. Nothing is
    fused and nothing is in place here, although in networks cnnkit computes most ReLUs inside a
    convolution, and at inference batch norms, too.
``LAYER: forward + backward SHAPE``
    Milliseconds for the output, with the arrays that backward needs, and the gradients to x and to
    weights, in PyTorch by `torch.autograd.grad`. The loss gives its value and the gradient to the
    logits.

Inputs are the same numbers for all contenders, and the mean absolute values beside each figure
show that they computed the same.
"""

import functools
from typing import NamedTuple

import harness
from ops import bound


class Case(NamedTuple):
    """A layer on images (or logits) of `shape`, (N, C, H, W), with `arguments` for its windows."""

    layer: str
    shape: tuple
    kernel: int = 0
    stride: int = 0
    padding: int = 0

    @property
    def name(self):
        images = ",".join(map(str, self.shape))
        if not self.kernel:
            return images
        padding = f" p{self.padding}" if self.padding else ""
        return f"{images} {self.kernel}x{self.kernel} s{self.stride}{padding}"


IMAGES = ((32, 16, 8, 8), (64, 32, 28, 28), (8, 64, 112, 112), (8, 256, 28, 28))
CASES = (
    Case("max pooling", (32, 32, 8, 8), 2, 2),
    Case("max pooling", (64, 32, 28, 28), 2, 2),
    Case("max pooling", (8, 64, 112, 112), 3, 2, 1),
    Case("max pooling", (1, 128, 55, 55), 3, 2),
    Case("average pooling", (64, 16, 14, 14), 2, 2),
    Case("average pooling", (8, 128, 56, 56), 2, 2),
    Case("average pooling", (8, 256, 28, 28), 3, 1, 1),
    Case("global average pooling", (32, 10, 4, 4)),
    Case("global average pooling", (8, 512, 7, 7)),
    Case("global average pooling", (8, 1000, 13, 13)),
    *(Case("ReLU", shape) for shape in IMAGES),
    *(Case("batch norm, training", shape) for shape in IMAGES),
    *(Case("batch norm, inference", shape) for shape in IMAGES),
    *(
        Case("softmax cross-entropy", shape)
        for shape in ((32, 10), (128, 10), (64, 1000), (256, 1000))
    ),
)


def rows_of(prepare):
    """The rows of the tables.

    Parameters
    ----------
    prepare : callable, (case, x, dy, backward) -> callable that computes and returns y, or (y, dx)
        x is (N, H, W, C); dy has at least as many numbers and is cut to the shape of y. For the
        loss they are logits and class indices. If it returns None, the row is left out.
    """
    import numpy as np

    @functools.lru_cache(maxsize=1)
    def prepared(case, backward):
        rng = np.random.default_rng(0)
        n, c, *sides = case.shape
        x = rng.standard_normal((n, *sides, c), np.float32)
        dy = rng.standard_normal(x.size, np.float32) if sides else rng.integers(c, size=n)
        return prepare(case, x, dy, backward)

    def one_round(case, backward):
        seconds, results = harness.clock_for(prepared(case, backward), 0.05)
        results = results if isinstance(results, tuple) else (results,)
        means = (
            f"{name} {float(abs(result).mean()):.4g}"
            for name, result in zip(("y", "dx"), results, strict=False)
        )
        return harness.Turn(seconds, " ".join(means))

    return {
        f"{case.layer}: {direction} {case.name}": functools.partial(one_round, case, backward)
        for case in CASES
        for direction, backward in (("forward", False), ("forward + backward", True))
        if not (backward and case.layer == "batch norm, inference")
    }


def with_cnnkit():
    import numpy as np

    from cnnkit import layers
    from cnnkit.functional import softmax_cross_entropy
    from cnnkit.losses import SoftmaxCrossEntropy

    def layer_of(case):
        if case.layer == "ReLU":
            return layers.ReLU()
        if case.layer.startswith("batch norm"):
            return layers.BatchNorm()
        if case.layer == "global average pooling":
            return layers.GlobalAvgPool()
        pool = layers.MaxPool if case.layer == "max pooling" else layers.AvgPool
        return pool(case.kernel, stride=case.stride, padding=case.padding)

    def prepare_loss(logits, targets, backward):
        if not backward:
            return lambda: np.float64(softmax_cross_entropy(logits, targets))
        loss, dlogits = SoftmaxCrossEntropy(), np.empty_like(logits)
        return lambda: (np.float64(loss(logits, targets, dlogits)), dlogits)

    def prepare(case, x, dy, backward):
        if case.layer == "softmax cross-entropy":
            return prepare_loss(x, dy, backward)
        training = backward or case.layer == "batch norm, training"
        op, slots = bound(layer_of(case), x, training)
        if training:
            slots.dy[...] = dy[: slots.dy.size].reshape(slots.dy.shape)

        def forward():
            op.forward(len(x))
            return slots.y

        def forward_backward():
            op.forward(len(x))
            op.backward(len(x))
            return slots.y, slots.dx

        return forward_backward if backward else forward

    return rows_of(prepare)


def with_torch(memory_format):
    import torch
    from torch.nn import functional

    memory_format = getattr(torch, memory_format)

    def function_of(case, x):
        if case.layer == "ReLU":
            return functional.relu, ()
        if case.layer == "global average pooling":
            return lambda x: functional.adaptive_avg_pool2d(x, 1), ()
        if case.layer.startswith("batch norm"):
            beta, mean = torch.zeros(2, x.shape[1])
            gamma, variance = torch.ones(2, x.shape[1])
            training = case.layer == "batch norm, training"
            weights = gamma.requires_grad_(), beta.requires_grad_()
            return lambda x: functional.batch_norm(x, mean, variance, *weights, training), weights
        windows = case.kernel, case.stride, case.padding
        if case.layer == "max pooling":
            return lambda x: functional.max_pool2d(x, *windows), ()
        return lambda x: functional.avg_pool2d(x, *windows, count_include_pad=False), ()

    def prepare(case, x, dy, backward):
        x = torch.from_numpy(x)
        if case.layer == "softmax cross-entropy":
            targets = torch.from_numpy(dy)
            function, weights, dy = lambda x: functional.cross_entropy(x, targets), (), None
        else:
            x = x.permute(0, 3, 1, 2).contiguous(memory_format=memory_format)
            function, weights = function_of(case, x)
            n, c, *sides = function(x).shape
            dy = torch.from_numpy(dy[: n * c * sides[0] * sides[1]].reshape(n, *sides, c))
            dy = dy.permute(0, 3, 1, 2).contiguous(memory_format=memory_format)
        x.requires_grad_(backward)

        def forward():
            with torch.inference_mode():
                return function(x)

        def forward_backward():
            y = function(x)
            dx, *_ = torch.autograd.grad(y, (x, *weights), dy)
            return y.detach(), dx

        return forward_backward if backward else forward

    return rows_of(prepare)


CONTENDERS = harness.beside_torch(with_cnnkit, with_torch)

if __name__ == "__main__":
    harness.run(__doc__, CONTENDERS, rounds=4, rest=0.2)
