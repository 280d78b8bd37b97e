"""Networks of the literature at 224x224: inference and training steps beside PyTorch.

Run::

    python benchmarks/networks.py [--rounds 7] [--threads 2] [--torch-python PATH]

``infer NAME, batch B``
    Milliseconds for one forward pass of a network in inference mode, random weights and images.
``step NAME, batch B``
    Milliseconds for forward, backward from a given gradient of the outputs, and a step of SGD with
    momentum.

The networks are those of `cnnkit.models` and the same written with `torch.nn`; the number of
weights beside each figure shows that they are the same.
"""

import functools

import harness

INFERENCE = {
    "squeezenet_1_1": (1, 8),
    "mobilenet_v1": (1, 8),
    "resnet18": (1,),
    "resnet50": (1,),
    "vgg16": (1,),
}
TRAINING = {"squeezenet_1_1": (8,), "mobilenet_v1": (8,), "resnet18": (8,)}
REPEATS = 2


def rows_of(infer, train):
    """The rows of the table.

    Parameters
    ----------
    infer, train : callable, (name, batch) -> (callable without arguments, number of weights)
    """

    @functools.lru_cache(maxsize=1)  # one network at a time in memory
    def prepared(make, name, batch):
        return make(name, batch)

    def one_round(*what):
        call, weights = prepared(*what)
        seconds, _ = harness.clock(call, REPEATS)
        return seconds, f"{weights:,} weights"

    return {
        f"{kind} {name}, batch {batch}": functools.partial(one_round, make, name, batch)
        for kind, make, table in (("infer", infer, INFERENCE), ("step", train, TRAINING))
        for name, batches in table.items()
        for batch in batches
    }


def with_cnnkit():
    import numpy as np

    from cnnkit import Network, models
    from cnnkit.layers.base import count_weights
    from cnnkit.optimizers import SGD

    def network(name, batch, training):
        rng = np.random.default_rng(0)
        graph = getattr(models, name)()
        net = Network(graph, (224, 224, 3), 1000, batch_size=batch, training=training, rng=rng)
        scale = 0.01
        net.weights.flat[:] = scale * rng.standard_normal(net.weights.flat.size, np.float32)
        for path in net.weights:
            if path.endswith(("gamma", "var")):
                net.weights[path] = 1
        images = rng.random((batch, 224, 224, 3), dtype=np.float32)
        return net, images, count_weights(net.weights.specs, trained=True)

    def infer(name, batch):
        net, images, weights = network(name, batch, False)

        def call():
            net.x[...] = images
            net.forward(batch)

        return call, weights

    def train(name, batch):
        net, images, weights = network(name, batch, True)
        optimizer = SGD(net.weights, 1e-4)

        def call():
            net.x[...] = images
            net.forward(batch)
            net.doutput[...] = 1e-4
            net.backward(batch)
            optimizer.step(net.grads, batch)

        return call, weights

    return rows_of(infer, train)


def with_torch(memory_format):
    import torch
    from torch import nn

    memory_format = getattr(torch, memory_format)

    def network(name, batch):
        torch.manual_seed(0)
        net = torch_network(name, nn).to(memory_format=memory_format)
        images = torch.rand(batch, 3, 224, 224).contiguous(memory_format=memory_format)
        return net, images, sum(weight.numel() for weight in net.parameters())

    def infer(name, batch):
        net, images, weights = network(name, batch)
        net.eval()

        def call():
            with torch.inference_mode():
                net(images)

        return call, weights

    def train(name, batch):
        net, images, weights = network(name, batch)
        optimizer = torch.optim.SGD(net.parameters(), lr=1e-4, momentum=0.9, nesterov=True)

        def call():
            optimizer.zero_grad()
            outputs = net(images)
            outputs.backward(torch.full_like(outputs, 1e-4))
            optimizer.step()

        return call, weights

    return rows_of(infer, train)


def torch_network(name, nn):
    """Return a network of `cnnkit.models`, as large, with `torch.nn`."""

    class Sum(nn.Module):
        def __init__(self, body, shortcut):
            super().__init__()
            self.body, self.shortcut, self.relu = body, shortcut, nn.ReLU(inplace=True)

        def forward(self, x):
            return self.relu(self.body(x) + self.shortcut(x))

    class Join(nn.Module):
        def __init__(self, *branches):
            super().__init__()
            self.branches = nn.ModuleList(branches)

        def forward(self, x):
            import torch

            return torch.cat([branch(x) for branch in self.branches], 1)

    def conv(c, f, kernel, stride=1, padding=None, groups=1, norm=False, relu=True):
        padding = kernel // 2 if padding is None else padding
        parts = [nn.Conv2d(c, f, kernel, stride, padding, groups=groups, bias=not norm)]
        parts += [nn.BatchNorm2d(f)] if norm else []
        return nn.Sequential(*parts, *([nn.ReLU(inplace=True)] if relu else []))

    def fire(c, squeeze, expand):
        branches = Join(conv(squeeze, expand, 1), conv(squeeze, expand, 3))
        return nn.Sequential(conv(c, squeeze, 1), branches)

    def residual(c, f, stride, deep):
        out = 4 * f if deep else f
        if deep:
            steps = (c, f, 1, stride), (f, f, 3, 1), (f, out, 1, 1)
        else:
            steps = (c, f, 3, stride), (f, f, 3, 1)
        *inner, last = steps
        body = nn.Sequential(
            *(conv(*s, norm=True) for s in inner), conv(*last, norm=True, relu=False)
        )
        same = stride == 1 and c == out
        return Sum(
            nn.Sequential(*body),
            nn.Identity() if same else conv(c, out, 1, stride, norm=True, relu=False),
        )

    def resnet(counts, deep):
        parts, c = [conv(3, 64, 7, 2, norm=True), nn.MaxPool2d(3, 2, 1)], 64
        for stage, count in enumerate(counts):
            for i in range(count):
                f = 64 * 2**stage
                parts.append(residual(c, f, 2 if stage and not i else 1, deep))
                c = 4 * f if deep else f
        return [*parts, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(c, 1000)]

    def separable(c, f, stride):
        return [conv(c, c, 3, stride, groups=c, norm=True), conv(c, f, 1, norm=True)]

    if name == "squeezenet_1_1":
        pool = functools.partial(nn.MaxPool2d, 3, 2, ceil_mode=True)
        parts = [conv(3, 64, 3, 2, 0), pool(), fire(64, 16, 64), fire(128, 16, 64), pool()]
        parts += [fire(128, 32, 128), fire(256, 32, 128), pool(), fire(256, 48, 192)]
        parts += [fire(384, 48, 192), fire(384, 64, 256), fire(512, 64, 256), nn.Dropout()]
        parts += [conv(512, 1000, 1, relu=False), nn.AdaptiveAvgPool2d(1), nn.Flatten()]
    elif name in ("resnet18", "resnet50"):
        deep = name == "resnet50"
        parts = resnet((3, 4, 6, 3) if deep else (2, 2, 2, 2), deep)
    elif name == "mobilenet_v1":
        parts, c = [conv(3, 32, 3, 2, norm=True)], 32
        widths = [64, 128, 128, 256, 256, *[512] * 6, 1024, 1024]
        for i, f in enumerate(widths):
            parts += separable(c, f, 2 if i in (1, 3, 5, 11) else 1)
            c = f
        parts += [nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(1024, 1000)]
    else:
        parts, c = [], 3
        for f, count in ((64, 2), (128, 2), (256, 3), (512, 3), (512, 3)):
            for _ in range(count):
                parts.append(conv(c, f, 3))
                c = f
            parts.append(nn.MaxPool2d(2))
        parts += [nn.Flatten(), nn.Linear(25088, 4096), nn.ReLU(inplace=True), nn.Dropout()]
        parts += [nn.Linear(4096, 4096), nn.ReLU(inplace=True), nn.Dropout(), nn.Linear(4096, 1000)]
    return nn.Sequential(*parts)


CONTENDERS = harness.beside_torch(with_cnnkit, with_torch)

if __name__ == "__main__":
    harness.run(__doc__, CONTENDERS)
