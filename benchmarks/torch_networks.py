"""Networks of `cnnkit.models` for the benchmarks, written with `torch.nn`."""

import functools


def torch_network(name, nn):
    """Return a network of `cnnkit.models`, of the same size, written with `torch.nn`."""
    return nn.Sequential(*getattr(Networks(nn), name)())


class Networks:
    """Lists of modules of `nn`, by the names of `cnnkit.models`, and the parts they are made of."""

    def __init__(self, nn):
        self.nn = nn
        self.Sum, self.Join = merging(nn)

    def conv(self, c, f, kernel, stride=1, padding=None, groups=1, norm=False, relu=True):
        nn = self.nn
        padding = kernel // 2 if padding is None else padding
        parts = [nn.Conv2d(c, f, kernel, stride, padding, groups=groups, bias=not norm)]
        parts += [nn.BatchNorm2d(f)] if norm else []
        return nn.Sequential(*parts, *([nn.ReLU(inplace=True)] if relu else []))

    def end(self, channels):
        nn = self.nn
        return [nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(channels, 1000)]

    def fire(self, c, squeeze, expand):
        branches = self.Join(self.conv(squeeze, expand, 1), self.conv(squeeze, expand, 3))
        return self.nn.Sequential(self.conv(c, squeeze, 1), branches)

    def squeezenet_1_1(self):
        nn, conv, fire = self.nn, self.conv, self.fire
        pool = functools.partial(nn.MaxPool2d, 3, 2, ceil_mode=True)
        parts = [conv(3, 64, 3, 2, 0), pool(), fire(64, 16, 64), fire(128, 16, 64), pool()]
        parts += [fire(128, 32, 128), fire(256, 32, 128), pool(), fire(256, 48, 192)]
        parts += [fire(384, 48, 192), fire(384, 64, 256), fire(512, 64, 256), nn.Dropout()]
        return [*parts, conv(512, 1000, 1, relu=False), nn.AdaptiveAvgPool2d(1), nn.Flatten()]

    def residual(self, c, f, stride, deep):
        out = 4 * f if deep else f
        if deep:
            steps = (c, f, 1, stride), (f, f, 3, 1), (f, out, 1, 1)
        else:
            steps = (c, f, 3, stride), (f, f, 3, 1)
        *inner, last = steps
        body = [self.conv(*step, norm=True) for step in inner]
        body.append(self.conv(*last, norm=True, relu=False))
        if stride == 1 and c == out:
            shortcut = self.nn.Identity()
        else:
            shortcut = self.conv(c, out, 1, stride, norm=True, relu=False)
        return self.Sum(self.nn.Sequential(*body), shortcut)

    def resnet(self, counts, deep):
        parts, c = [self.conv(3, 64, 7, 2, norm=True), self.nn.MaxPool2d(3, 2, 1)], 64
        for stage, count in enumerate(counts):
            for i in range(count):
                f = 64 * 2**stage
                parts.append(self.residual(c, f, 2 if stage and not i else 1, deep))
                c = 4 * f if deep else f
        return [*parts, *self.end(c)]

    def resnet18(self):
        return self.resnet((2, 2, 2, 2), deep=False)

    def resnet50(self):
        return self.resnet((3, 4, 6, 3), deep=True)

    def mobilenet_v1(self):
        parts, c = [self.conv(3, 32, 3, 2, norm=True)], 32
        widths = [64, 128, 128, 256, 256, *[512] * 6, 1024, 1024]
        for i, f in enumerate(widths):
            stride = 2 if i in (1, 3, 5, 11) else 1
            parts.append(self.conv(c, c, 3, stride, groups=c, norm=True))
            parts.append(self.conv(c, f, 1, norm=True))
            c = f
        return [*parts, *self.end(1024)]

    def vgg16(self):
        nn, parts, c = self.nn, [], 3
        for f, count in ((64, 2), (128, 2), (256, 3), (512, 3), (512, 3)):
            for _ in range(count):
                parts.append(self.conv(c, f, 3))
                c = f
            parts.append(nn.MaxPool2d(2))
        parts += [nn.Flatten(), nn.Linear(25088, 4096), nn.ReLU(inplace=True), nn.Dropout()]
        parts += [nn.Linear(4096, 4096), nn.ReLU(inplace=True), nn.Dropout()]
        return [*parts, nn.Linear(4096, 1000)]


def merging(nn):
    """Return the modules that add a shortcut, and that join branches along the channels."""

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

    return Sum, Join
