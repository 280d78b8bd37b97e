"""Layers and blocks, and the same in PyTorch."""

from typing import NamedTuple

import layer_cases

from cnnkit import (
    Add,
    AvgPool,
    BatchNorm,
    Concat,
    Conv,
    Conv1x1,
    Dense,
    DepthwiseConv,
    Flatten,
    GlobalAvgPool,
    GlobalMaxPool,
    HardSwish,
    LeakyReLU,
    LocalResponseNorm,
    MaxPool,
    Multiply,
    Pad,
    ReLU,
    ReLU6,
    Reshape,
    Residual,
    Sigmoid,
    SiLU,
    Softmax,
    Tanh,
    UpSample,
    layers,
)

BATCH = 3
IMAGE, WIDE, ROW = (7, 6, 5), (5, 8, 17), (12,)


class Case(NamedTuple):
    """What `build` makes of sources of these shapes, and what `twin` makes of them in PyTorch.

    `twin` is given a `Twin` and tensors of images (N, C, H, W) or rows (N, C).
    """

    build: object
    twin: object
    shapes: tuple = (IMAGE,)
    training: bool = True


class Twin:
    """PyTorch's operations on the weights of a network, by the names of its nodes."""

    def __init__(self, network):
        import torch

        self.torch, self.F = torch, torch.nn.functional
        self.training = network.training
        self.weights = {
            path: torch.tensor(w, dtype=getattr(torch, w.dtype.name))
            for path, w in network.weights.items()
        }
        for path, spec in network.weights.specs.items():
            self.weights[path].requires_grad_(spec.trained and self.training)

    def conv(self, x, name="conv1", *, pad=0, **options):
        """A convolution; `pad` is (left, right, top, bottom) where the sides differ."""
        if pad:
            x = self.F.pad(x, pad if isinstance(pad, tuple) else (pad,) * 4)
        w, b = self.weights[f"{name}/w"], self.weights.get(f"{name}/b")
        return self.F.conv2d(x, w.permute(3, 2, 0, 1), b, **options)

    def depthwise(self, x, name="depthwiseconv1", **options):
        return self.conv(x, name, groups=x.shape[1], **options)

    def dense(self, x, name="dense1"):
        return self.F.linear(x, self.weights[f"{name}/w"].T, self.weights[f"{name}/b"])

    def norm(self, x, name="batchnorm1", momentum=0.1, eps=1e-5):
        mean, var, gamma, beta = (
            self.weights[f"{name}/{part}"] for part in ("mean", "var", "gamma", "beta")
        )
        return self.F.batch_norm(x, mean, var, gamma, beta, self.training, momentum, eps)

    def flat(self, x):
        return x.permute(0, 2, 3, 1).flatten(1)


def same(name, **options):
    """A function of `torch.nn.functional` on the only tensor."""
    return lambda t, x: getattr(t.F, name)(x, **options)


def residual(t, x):
    y = t.F.relu(t.norm(t.conv(x, "residual1/body/conv1", pad=1), "residual1/body/batchnorm1"))
    y = t.norm(t.conv(y, "residual1/body/conv2", pad=1), "residual1/body/batchnorm2")
    return t.F.relu(y + x)


def projected(t, x):
    names = [f"residual1/body/conv1x1_{i}" for i in (1, 2)]
    y = t.F.relu(t.norm(t.conv(x, names[0], stride=2), "residual1/body/batchnorm1"))
    y = t.F.relu(t.norm(t.conv(y, "residual1/body/conv1", pad=1), "residual1/body/batchnorm2"))
    y = t.norm(t.conv(y, names[1]), "residual1/body/batchnorm3")
    short = t.conv(x, "residual1/shortcut/conv1x1_1", stride=2)
    return t.F.relu(y + t.norm(short, "residual1/shortcut/batchnorm1"))


def inception(t, x):
    relu, at = t.F.relu, "concat1/branch"
    small = relu(t.conv(relu(t.conv(x, f"{at}2/conv1x1_1")), f"{at}2/conv1", pad=1))
    large = relu(t.conv(relu(t.conv(x, f"{at}3/conv1x1_1")), f"{at}3/conv1", pad=2))
    pooled = relu(t.conv(t.F.max_pool2d(x, 3, 1, 1), f"{at}4/conv1x1_1"))
    return t.torch.cat([relu(t.conv(x, f"{at}1/conv1x1_1")), small, large, pooled], 1)


def separable(t, x):
    y = t.F.relu6(t.norm(t.depthwise(x, stride=2, pad=1)))
    return t.F.relu6(t.norm(t.conv(y, "conv1x1_1"), "batchnorm2"))


def squeeze_excite(x):
    y = Conv(8, 3)(x)
    gate = Sigmoid()(Dense(8)(ReLU()(Dense(2)(GlobalAvgPool()(y)))))
    return ReLU()(Add()(Multiply()(y, gate), Conv1x1(8)(x)))


def squeeze_excite_twin(t, x):
    y = t.conv(x, pad=1)
    gate = t.torch.sigmoid(t.dense(t.F.relu(t.dense(y.mean((2, 3)))), "dense2"))
    return t.F.relu(y * gate[:, :, None, None] + t.conv(x, "conv1x1_1"))


def pyramid(x):
    low = ReLU()(Conv(4, 3, padding=1)(x))
    high = ReLU()(Conv(6, 3, stride=2, padding=1)(low))
    top = Conv1x1(5)(high)
    merged = Add()(Conv1x1(5)(low), UpSample(2)(top))
    return [top, Conv(5, 3)(merged)]


def pyramid_twin(t, x):
    low = t.F.relu(t.conv(x, pad=1))
    high = t.F.relu(t.conv(low, "conv2", stride=2, pad=1))
    top = t.conv(high, "conv1x1_1")
    merged = t.conv(low, "conv1x1_2") + t.F.interpolate(top, scale_factor=2)
    return [top, t.conv(merged, "conv3", pad=1)]


def fire(t, x):
    y = t.F.relu(t.conv(x, "conv1x1_1"))
    wide = [t.conv(y, "concat1/branch1"), t.conv(y, "concat1/branch2", pad=1)]
    return t.F.relu(t.torch.cat(wide, 1))


def mlpconv(t, x):
    y = t.F.relu(t.conv(x, pad=2))
    y = t.F.relu(t.conv(y, "conv1x1_1"))
    return t.conv(y, "conv1x1_2").mean((2, 3))


def classifier(t, x):
    y = t.F.max_pool2d(t.F.relu(t.norm(t.conv(x, pad=1))), 2)
    return t.dense(t.F.relu(t.dense(t.flat(y))), "dense2")


CLASSIFIER = [
    *(Conv(6, 3), BatchNorm(), ReLU(), MaxPool(2)),
    *(Flatten(), Dense(9), ReLU(), Dense(4)),
]
CORNERS = {"kernel_size": (3, 2), "padding": ((1, 0), (0, 2)), "stride": (1, 2)}
RESIDUAL = [Conv(5, 3), BatchNorm(), ReLU(), Conv(5, 3), BatchNorm()]
BOTTLENECK = [
    *(Conv1x1(3, stride=2), BatchNorm(), ReLU(), Conv(3, 3), BatchNorm(), ReLU()),
    *(Conv1x1(9), BatchNorm()),
]
SEPARABLE = [
    *(DepthwiseConv(3, stride=2, padding=1, bias=False), BatchNorm(), ReLU6()),
    *(Conv1x1(9, bias=False), BatchNorm(), ReLU6()),
]
INCEPTION = Concat(
    [
        [Conv1x1(3), ReLU()],
        [Conv1x1(2), ReLU(), Conv(4, 3), ReLU()],
        [Conv1x1(2), ReLU(), Conv(3, 5), ReLU()],
        [MaxPool(3, stride=1, padding=1), Conv1x1(2), ReLU()],
    ]
)


def chain(layers):
    """Layers one after another as a function of a symbol, named without a prefix."""

    def build(x):
        for layer in layers:
            x = layer(x)
        return x

    return build


CASES = {
    "Conv": Case(Conv(4, 3), lambda t, x: t.conv(x, pad=1)),
    "Conv, wide": Case(Conv(33, 3), lambda t, x: t.conv(x, pad=1), (WIDE,)),
    "Conv, corners": Case(
        Conv(4, **CORNERS), lambda t, x: t.conv(x, pad=(0, 2, 1, 0), stride=(1, 2))
    ),
    "Conv, dilated": Case(
        Conv(4, (3, 2), dilation=(2, 3), stride=2, padding="valid", bias=False),
        lambda t, x: t.conv(x, dilation=(2, 3), stride=2),
    ),
    "Conv, groups": Case(Conv(10, 3, groups=5, padding=1), lambda t, x: t.conv(x, pad=1, groups=5)),
    "Conv1x1": Case(Conv1x1(33), lambda t, x: t.conv(x, "conv1x1_1"), (WIDE,)),
    "Conv1x1, strided": Case(
        Conv1x1(4, stride=(2, 3)), lambda t, x: t.conv(x, "conv1x1_1", stride=(2, 3))
    ),
    "DepthwiseConv": Case(DepthwiseConv(3), lambda t, x: t.depthwise(x, pad=1), (WIDE,)),
    "DepthwiseConv, corners": Case(
        DepthwiseConv(**CORNERS, dilation=(2, 1)),
        lambda t, x: t.depthwise(x, pad=(0, 2, 1, 0), stride=(1, 2), dilation=(2, 1)),
    ),
    "DepthwiseConv, multiplier": Case(
        DepthwiseConv(3, stride=2, padding=1, depth_multiplier=2),
        lambda t, x: t.depthwise(x, pad=1, stride=2),
    ),
    "Dense": Case(Dense(7), lambda t, x: t.dense(x), (ROW,)),
    "Flatten": Case(chain([Flatten(), Dense(3)]), lambda t, x: t.dense(t.flat(x))),
    "Reshape": Case(
        chain([Reshape((3, 14, 5)), Conv1x1(2)]),
        lambda t, x: t.conv(t.flat(x).reshape(BATCH, 3, 14, 5).permute(0, 3, 1, 2), "conv1x1_1"),
    ),
    "BatchNorm": Case(BatchNorm(), lambda t, x: t.norm(x)),
    "BatchNorm, rows": Case(
        BatchNorm(momentum=0.3, eps=0.1), lambda t, x: t.norm(x, momentum=0.3, eps=0.1), (ROW,)
    ),
    "BatchNorm, inference": Case(BatchNorm(), lambda t, x: t.norm(x), training=False),
    "LocalResponseNorm": Case(
        LocalResponseNorm(5, alpha=0.3, beta=0.6, k=2.0),
        same("local_response_norm", size=5, alpha=0.3, beta=0.6, k=2.0),
        (WIDE,),
    ),
    "LocalResponseNorm, even": Case(
        LocalResponseNorm(4, alpha=0.5), same("local_response_norm", size=4, alpha=0.5), (WIDE,)
    ),
    "MaxPool": Case(MaxPool(2), same("max_pool2d", kernel_size=2)),
    "MaxPool, padded": Case(
        MaxPool(3, stride=2, padding=1, ceil_mode=True),
        same("max_pool2d", kernel_size=3, stride=2, padding=1, ceil_mode=True),
    ),
    "AvgPool": Case(AvgPool((3, 2)), same("avg_pool2d", kernel_size=(3, 2))),
    "AvgPool, padded": Case(
        AvgPool(3, stride=2, padding=1, ceil_mode=True),
        same(
            "avg_pool2d",
            kernel_size=3,
            stride=2,
            padding=1,
            ceil_mode=True,
            count_include_pad=False,
        ),
    ),
    "AvgPool, padding counted": Case(
        AvgPool(3, stride=(1, 2), padding=1, ceil_mode=True, count_include_pad=True),
        same("avg_pool2d", kernel_size=3, stride=(1, 2), padding=1, ceil_mode=True),
    ),
    "GlobalAvgPool": Case(GlobalAvgPool(), lambda t, x: x.mean((2, 3))),
    "GlobalMaxPool": Case(GlobalMaxPool(), lambda t, x: x.amax((2, 3))),
    "UpSample": Case(UpSample((2, 3)), same("interpolate", scale_factor=(2, 3))),
    "UpSample, bilinear": Case(
        UpSample((2, 3), method="bilinear"),
        same("interpolate", scale_factor=(2, 3), mode="bilinear", align_corners=False),
    ),
    "Pad": Case(Pad(((1, 0), (0, 2))), same("pad", pad=(0, 2, 1, 0))),
    "ReLU": Case(ReLU(), same("relu")),
    "ReLU6": Case(chain([Conv1x1(9), ReLU6()]), lambda t, x: t.F.relu6(t.conv(x, "conv1x1_1"))),
    "LeakyReLU": Case(LeakyReLU(0.2), same("leaky_relu", negative_slope=0.2)),
    "HardSwish": Case(
        chain([Conv1x1(9), HardSwish()]), lambda t, x: t.F.hardswish(t.conv(x, "conv1x1_1"))
    ),
    "Sigmoid": Case(Sigmoid(), same("sigmoid")),
    "Tanh": Case(Tanh(), same("tanh")),
    "SiLU": Case(SiLU(), same("silu")),
    "Softmax": Case(Softmax(), same("softmax", dim=1)),
    "Softmax, rows": Case(Softmax(), same("softmax", dim=1), (ROW,)),
    "Add": Case(Add(), lambda t, a, b, c: a + b + c, (IMAGE,) * 3),
    "Multiply": Case(Multiply(), lambda t, a, b: a * b, (IMAGE,) * 2),
    "Multiply, by channels": Case(
        Multiply(), lambda t, a, b: a * b[:, :, None, None], (IMAGE, IMAGE[2:])
    ),
    "Concat": Case(Concat(), lambda t, a, b: t.torch.cat([a, b], 1), (IMAGE, (7, 6, 3))),
    "residual block": Case(chain([Residual(RESIDUAL), ReLU()]), residual),
    "residual block, inference": Case(
        chain([Residual(RESIDUAL), ReLU()]), residual, training=False
    ),
    "bottleneck, projected": Case(
        chain([Residual(BOTTLENECK, [Conv1x1(9, stride=2), BatchNorm()]), ReLU()]), projected
    ),
    "inception block": Case(INCEPTION, inception),
    "fire block": Case(chain([Conv1x1(3), ReLU(), Concat([Conv1x1(4), Conv(5, 3)]), ReLU()]), fire),
    "mlpconv": Case(
        chain([Conv(6, 5), ReLU(), Conv1x1(5), ReLU(), Conv1x1(4), GlobalAvgPool()]), mlpconv
    ),
    "separable block": Case(chain(SEPARABLE), separable),
    "separable block, inference": Case(chain(SEPARABLE), separable, training=False),
    "squeeze and excitation": Case(squeeze_excite, squeeze_excite_twin),
    "feature pyramid": Case(pyramid, pyramid_twin, ((6, 8, 3),)),
    "classifier": Case(chain(CLASSIFIER), classifier),
    "classifier, inference": Case(chain(CLASSIFIER), classifier, training=False),
}


for name, case in layer_cases.CASES.items():
    if case.torch is not None:
        for i, layer in enumerate(case.small or (layers.KINDS[name](),), 1):
            CASES[f"{name}, {i} of the table"] = Case(
                layer, lambda t, x, case=case, layer=layer: case.torch(t, layer, x), case.shapes
            )
