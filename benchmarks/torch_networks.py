"""Networks of `cnnkit.models` for the benchmarks, written with `torch.nn`."""

import functools


def torch_network(name, nn):
    """Return a network of `cnnkit.models`, of the same size, written with `torch.nn`."""

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
