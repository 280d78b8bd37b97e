"""Layers and blocks against PyTorch: live where it is installed, and by stored figures.

The figures were made by PyTorch in float64; after a change of a case, make them anew with

    PYTHONPATH=tests/support python tests/reliability/test_torch_agreement.py
"""

from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
from layer_oracles import bound, sources

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
)

SEED = 2024
BATCH = 3
TOLERANCE = {"float32": 1e-4, "float64": 1e-10}
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


def setup(case, dtype):
    """The network of a case with weights and sources drawn, and gradients of its outputs."""
    network = bound(
        case.build,
        *case.shapes,
        batch=BATCH,
        dtype=dtype,
        training=case.training,
        seed=SEED,
        draws=np.random.default_rng,  # as the stored figures, whatever the tests' seed
    )
    rng = np.random.default_rng(SEED + 1)
    return network, [rng.standard_normal(y.shape).astype(dtype) for y in network.outputs]


def joined(arrays):
    return np.concatenate([np.ravel(array).astype(np.float64) for array in arrays])


def chosen(network, weights, gradients):
    """Running statistics, and gradients to sources and to other weights, each in one row."""
    specs = network.weights.specs
    running = [path for path in specs if not specs[path].trained]
    own = [path for path in specs if specs[path].trained and not path.endswith("/x")]
    if not network.training:
        return {}
    found = {"dx": joined(sources(gradients))}
    if own:
        found["dw"] = joined(gradients[path] for path in own)
    if running:
        found["running"] = joined(weights[path] for path in running)
    return found


def ours(case, dtype):
    """Output, gradients and running statistics after one step, each in one row."""
    network, dys = setup(case, dtype)
    network.forward(BATCH)
    y = joined(network.outputs)
    if case.training:
        for doutput, dy in zip(network.doutputs, dys, strict=True):
            doutput[...] = dy
        network.backward(BATCH)
    return {"y": y, **chosen(network, network.weights, network.grads)}


def theirs(case, dtype):
    """The same by PyTorch."""
    network, dys = setup(case, dtype)
    twin = Twin(network)
    torch = twin.torch
    xs = [x.permute(0, 3, 1, 2) if x.ndim == 4 else x for x in sources(twin.weights)]
    ys = case.twin(twin, *xs)
    ys = ys if isinstance(ys, list) else [ys]
    ys = [y.permute(0, 2, 3, 1) if y.ndim == 4 else y for y in ys]
    if case.training:
        sum((y * torch.from_numpy(dy)).sum() for y, dy in zip(ys, dys, strict=True)).backward()
    gradients = {path: w.grad for path, w in twin.weights.items()}
    weights = {path: w.detach() for path, w in twin.weights.items()}
    return {"y": joined(y.detach() for y in ys), **chosen(network, weights, gradients)}


def figures(row):
    """Sum, weighted sum and two entries of a row, and what their errors are measured by."""
    weights = np.cos(np.arange(row.size))
    entries = row[[row.size // 3, 2 * row.size // 3]]
    sizes = [abs(row).sum(), abs(weights * row).sum(), *[np.sqrt(np.mean(row**2))] * 2]
    return np.array([row.sum(), weights @ row, *entries]), np.array(sizes)


each_case = pytest.mark.parametrize("name", CASES)
both_dtypes = pytest.mark.parametrize("dtype", TOLERANCE)


@both_dtypes
@each_case
def test_agreement_with_stored_figures(name, dtype):
    found = ours(CASES[name], dtype)
    assert found.keys() == FIGURES[name].keys()
    for key, row in found.items():
        numbers, sizes = figures(row)
        errors = abs(numbers - FIGURES[name][key]) / sizes
        assert (errors <= TOLERANCE[dtype]).all(), (key, errors)


@both_dtypes
@each_case
def test_agreement_with_pytorch(name, dtype):
    pytest.importorskip("torch")
    found, wanted = ours(CASES[name], dtype), theirs(CASES[name], dtype)
    assert found.keys() == wanted.keys()
    for key, row in found.items():
        assert row.shape == wanted[key].shape
        assert abs(row - wanted[key]).max() <= TOLERANCE[dtype] * abs(wanted[key]).max(), key


def test_figures_are_those_of_the_cases():
    assert FIGURES.keys() == CASES.keys()


def rewrite_figures():
    """Replace everything below the marker of this file by what PyTorch gives now."""
    lines = []
    for name, case in CASES.items():
        lines.append(f'    "{name}": {{')
        for key, row in theirs(case, "float64").items():
            numbers = ", ".join(f"{number:.12g}" for number in figures(row)[0])
            lines.append(f'        "{key}": ({numbers}),')
        lines.append("    },")
    path = Path(__file__)
    kept, marker, _ = path.read_text().partition("\n# FIGURES\n")
    table = "\n".join(["FIGURES = {", *lines, "}"])
    command = '\n\nif __name__ == "__main__":\n    rewrite_figures()\n'
    path.write_text(f"{kept}{marker}{table}\n{command}")


# FIGURES
FIGURES = {
    "Conv": {
        "y": (-77.218684798, 105.16703505, -0.385182063016, 2.02407422108),
        "dx": (-39.4956489088, 5.54142587928, 7.55428628877, -2.99393092837),
        "dw": (209.789340456, -173.02210425, 9.61085742352, 8.85664814166),
    },
    "Conv, wide": {
        "y": (-267.286567299, -236.028927518, 3.13431805729, -1.59932680232),
        "dx": (-265.873878561, -857.639465722, -15.2539095292, 4.59783653782),
        "dw": (120.257283171, -696.560148756, 8.94022379315, -3.63125184183),
    },
    "Conv, corners": {
        "y": (-130.972218006, 33.9870430785, -2.78405930711, 2.98902641633),
        "dx": (5.51784434094, -37.8662840787, 5.77495873913, -0.605877513518),
        "dw": (-52.2939835955, 34.0520051858, -9.63619884058, -5.67016909567),
    },
    "Conv, dilated": {
        "y": (15.4872897106, 34.8548688251, -2.72896615965, 0.963498312464),
        "dx": (22.667183306, 23.1586586371, 1.41649551254, 0.644454013436),
        "dw": (24.1434553296, 16.2143721883, -0.6894759351, -0.631237703615),
    },
    "Conv, groups": {
        "y": (-498.953988871, 122.95930795, 0.740212731003, 0.278239737142),
        "dx": (-114.124363314, -41.9515102365, 3.95227615735, -1.33181903687),
        "dw": (34.8837427975, 15.995369711, 2.57834939328, -10.1286728384),
    },
    "Conv1x1": {
        "y": (-116.542329409, -78.514037694, -0.73852303723, 0.538240135077),
        "dx": (126.831761918, -146.732415621, 3.10253176321, -9.96915744887),
        "dw": (2.19189356232, 469.028475499, -15.4032813847, 23.0496880938),
    },
    "Conv1x1, strided": {
        "y": (-41.7782788927, 0.759721736941, -4.97100556039, -3.38071730162),
        "dx": (15.2051487188, 9.6235772429, 0.644454013436, 3.48592484644),
        "dw": (-16.6416358, 11.559476092, -5.43080604993, 0.733886561752),
    },
    "DepthwiseConv": {
        "y": (36.999129946, -36.3471638268, 2.22550261968, 0.963791666995),
        "dx": (-41.1129012308, -72.7574802883, -3.15522402843, 0.0591604150294),
        "dw": (-38.8858817638, 121.680206086, -1.55164547582, -6.2412667392),
    },
    "DepthwiseConv, corners": {
        "y": (85.8917471679, -29.9551291524, 0.394130378668, 0.211583395332),
        "dx": (-30.1821165662, -15.5096319322, 1.55339950398, 0.557649274634),
        "dw": (-85.9948943008, 36.6731670455, -2.64942623206, -17.4246251845),
    },
    "DepthwiseConv, multiplier": {
        "y": (-147.142805245, 18.2940501942, 0.740212731003, 0.278239737142),
        "dx": (-91.8768776866, 6.66734140115, 0.658051244145, -2.12860214819),
        "dw": (-79.5345952779, 8.36186957421, 4.00968450019, -1.84508742066),
    },
    "Dense": {
        "y": (-2.20317675593, 6.98088076856, 1.06560164668, -2.54591411551),
        "dx": (2.95358954402, 2.96379045183, -2.57313503864, 0.968827761771),
        "dw": (-50.0505914372, 4.16644077718, 0.640689671528, -3.9750674584),
    },
    "Flatten": {
        "y": (91.1381433611, -32.2113634921, 34.7415073882, -10.0817237291),
        "dx": (110.925954115, 13.8346615057, 1.50201565872, 1.99605927883),
        "dw": (1.02503525455, -50.7512232407, -0.0429839197371, -0.547493115312),
    },
    "Reshape": {
        "y": (-41.1965486843, 45.827355686, -0.506594517716, -0.43838315374),
        "dx": (6.94503098409, -11.2567189035, -0.419704623601, 2.0584784134),
        "dw": (-57.245874955, 5.12060173981, 7.83603712588, -6.59454404331),
    },
    "BatchNorm": {
        "y": (39.5333305233, -19.7925495491, 0.260241456635, 0.0970617478218),
        "dx": (1.7763568394e-15, -2.44172383775, -0.911901013623, -1.10058094761),
        "dw": (27.9341961908, 11.32790971, -0.87840252179, 11.3470943717),
        "running": (4.10066427162, 0.663668847435, -0.259289674294, 1.19252599935),
    },
    "BatchNorm, rows": {
        "y": (7.69998776885, 0.451516416719, -0.771716542371, -0.953275805416),
        "dx": (-5.66820895775e-16, 1.23319170703, 0.304958818247, -0.487719633194),
        "dw": (-4.74578567009, -6.3001016992, 0.768577117653, -2.47889869913),
        "running": (10.6253887821, 0.847557902468, 0.586138466707, 1.17985813841),
    },
    "BatchNorm, inference": {
        "y": (-284.915373142, -29.3476375545, -0.943378370639, -1.11822212952),
    },
    "LocalResponseNorm": {
        "y": (-31.5682413231, 8.30257853438, -0.371352888622, 0.30002649188),
        "dx": (-33.3194297861, -12.1454507409, 0.649495369068, -0.222398911481),
    },
    "LocalResponseNorm, even": {
        "y": (-42.0223384586, 7.32671202091, -0.527139199216, 0.439315943336),
        "dx": (-34.2762195364, -12.2603280189, 0.837674840798, -0.349192356301),
    },
    "MaxPool": {
        "y": (134.882144516, 1.72172039527, 0.048755370486, 1.91189408325),
        "dx": (-1.21205165193, -4.64273904654, 0, 0),
    },
    "MaxPool, padded": {
        "y": (270.820328667, -3.66728894168, 0.048755370486, 1.91189408325),
        "dx": (-9.77157759077, 7.63319904731, 0, 0),
    },
    "AvgPool": {
        "y": (0.353254515504, 3.7790097861, -0.374438940751, 0.183911047068),
        "dx": (5.24898947736, -0.880458011773, -0.0258519208629, 0.0584391259747),
    },
    "AvgPool, padded": {
        "y": (-0.095657680181, -0.722282011789, -0.533648250924, 0.398603675858),
        "dx": (-9.77157759077, 3.26564333188, 0.461813114945, 0.0645954766841),
    },
    "AvgPool, padding counted": {
        "y": (0.928330865097, 4.37655099683, -0.237177000411, 0.17715718927),
        "dx": (-0.213161449013, 2.76099815113, 0.159620130042, 0.10565694934),
    },
    "GlobalAvgPool": {
        "y": (0.114420398285, 0.0914780864645, 0.0129701873178, 0.0844283742042),
        "dx": (-5.11063616848, 0.139659519342, 0.0182236048372, -0.00471650199624),
    },
    "GlobalMaxPool": {
        "y": (33.9905034215, 4.08078658476, 1.74949673155, 1.91189408325),
        "dx": (-5.11063616848, -0.699908335319, 0, -0),
    },
    "UpSample": {
        "y": (28.8339403678, 36.9903022502, -0.374523713266, -0.274341731274),
        "dx": (-39.8990716186, 0.137629608693, -0.280706674822, -0.972571070741),
    },
    "UpSample, bilinear": {
        "y": (28.8339403678, 15.2100123177, -0.374523713266, -0.274341731274),
        "dx": (-39.8990716186, -42.0384761136, -1.26471611075, -1.34990129808),
    },
    "Pad": {
        "y": (4.80565672796, -0.790563495328, 0, 0),
        "dx": (-0.0485941447015, 28.9907301517, 1.47341637113, 1.03108038352),
    },
    "ReLU": {
        "y": (249.950742459, -14.7439137773, 0, 0),
        "dx": (9.68897892186, 1.79098487956, 0, 0),
    },
    "ReLU6": {
        "y": (1020.63424485, -26.9387977384, 0, 0),
        "dx": (-20.9892304222, 70.7248915362, -0.254597862744, -0.545338449009),
        "dw": (-90.3469869312, -10.0619699163, -0.0846442399046, -0.749938284432),
    },
    "LeakyReLU": {
        "y": (200.921725312, -14.726315545, -0.0749047426532, -0.0548683462548),
        "dx": (11.6927549591, 0.676644916328, 0.104353013101, 0.129101613576),
    },
    "HardSwish": {
        "y": (836.216446014, -27.7425491673, -0, -0),
        "dx": (-4.54839795657, 66.0343048314, 1.22333066691, -1.32371130074),
        "dw": (-86.3253513466, 13.5331894337, 1.54003888618, -2.03316400397),
    },
    "Sigmoid": {
        "y": (316.563502247, -1.47373452044, 0.407448386881, 0.431841518412),
        "dx": (3.73515929977, -1.81458698836, 0.125971930609, 0.158378258496),
    },
    "Tanh": {
        "y": (6.51774981571, -2.566170274, -0.357942205537, -0.267660180707),
        "dx": (10.3308039861, -7.49689895452, 0.45491515698, 0.599262596738),
    },
    "SiLU": {
        "y": (131.475559555, -12.9203431366, -0.152599082819, -0.118472149797),
        "dx": (10.822439539, -0.509471074358, 0.165412859052, 0.235307418549),
    },
    "Softmax": {
        "y": (126, -2.51658348927, 0.0486329682529, 0.126947579359),
        "dx": (-9.99200722163e-16, -0.266312174232, 0.0813965009359, 0.0410524711968),
    },
    "Softmax, rows": {
        "y": (3, 0.221210911805, 0.0233648360799, 0.027715063013),
        "dx": (1.45716771982e-16, -0.0245630320997, 0.0163320928469, 0.0453554117958),
    },
    "Add": {
        "y": (-29.6853330541, -34.6989466511, 1.23094280193, -1.4820750997),
        "dx": (59.1235773245, -2.91300744991, -2.22125387575, -2.22125387575),
    },
    "Multiply": {
        "y": (-35.6821624729, -12.4249889916, 0.0123010535975, 0.499696825717),
        "dx": (17.8189462466, 6.63122724754, -1.175753798, -0.195413389785),
    },
    "Multiply, by channels": {
        "y": (-25.1623719506, 2.80336774116, 0.147736323734, 0.189032529822),
        "dx": (-8.29150820559, -3.76188398349, 0.538429229092, -0.484491758145),
    },
    "Concat": {
        "y": (12.1341456896, -1.14372536832, -0.374523713266, -0.274341731274),
        "dx": (-4.97733702298, 24.1811011366, -0.201022422675, -0.121694172602),
    },
    "residual block": {
        "y": (269.774270208, -9.59585599235, 0, 0),
        "dx": (22.8863771108, -3.36837153001, -0.488307597196, 0.152908802145),
        "dw": (37.009926663, 34.7503979121, -0.348756554174, -0.281665142787),
        "running": (57.6567446364, -2.71601979584, 4.34692824117, -1.78410205675),
    },
    "residual block, inference": {
        "y": (9421.90688719, -125.866161584, 0, 1.75628182794),
    },
    "bottleneck, projected": {
        "y": (460.266603014, -6.04874263861, 0, 0),
        "dx": (0, -11.0677453978, 0.189767652577, 3.82857338341),
        "dw": (67.2394945792, 80.392391718, 0.0084170061816, 1.93361413722),
        "running": (40.188400547, -9.98556140704, 0.481814407476, 1.07302210735),
    },
    "inception block": {
        "y": (2830.77953526, 242.141825207, 3.18132911599, 0.264505347596),
        "dx": (-21.1908046998, 53.6046092897, -1.58228595021, 0.119227215714),
        "dw": (132.085731896, 27.8136823764, 3.18043610631, 11.7254843407),
    },
    "fire block": {
        "y": (1725.46167609, 80.572944761, 3.3370495913, 2.99033886074),
        "dx": (41.5021194963, -92.4472626892, -4.18656039615, -3.07438820739),
        "dw": (-51.7718523392, -157.671790725, 15.3076637988, -32.760550554),
    },
    "mlpconv": {
        "y": (-249.628239846, -15.3661204134, -41.7811424699, -55.0234543079),
        "dx": (-58.6404539414, -10.9379667402, 0.914930199874, -0.159596464341),
        "dw": (-17.2622853331, 50.4791799657, -0.293191719926, 0.0487794218601),
    },
    "separable block": {
        "y": (141.737471019, -1.51037094156, 0.795933228697, 1.46535794994),
        "dx": (9.75425107285, 4.6945245742, 0.19899803381, 0.329775181159),
        "dw": (46.8791737816, -46.412351482, 0, 11.8349763595),
        "running": (20.4448108568, 7.08863619031, 1.27153347855, -0.594755487464),
    },
    "separable block, inference": {
        "y": (498.456364397, -0.199754102422, 5.78479806809, 6),
    },
    "squeeze and excitation": {
        "y": (1106.82424787, 59.8976431202, 0, 0),
        "dx": (-275.029804931, 120.963612465, 1.08505399062, 2.532225726),
        "dw": (-113.556447834, 57.6455874875, -0.74066107347, 2.90020641775),
    },
    "feature pyramid": {
        "y": (24279.7010766, -2350.09564658, -104.850120247, 82.0779240025),
        "dx": (-2556.10077186, -1864.54221145, -60.5557518317, 183.842920607),
        "dw": (14623.9824059, 4366.1621547, -186.896710633, 132.795339621),
    },
    "classifier": {
        "y": (-331.331085925, -35.6622433829, -67.089215303, -72.2593764939),
        "dx": (13.6594619811, 13.2402909837, 0.178283678756, 0.386039157431),
        "dw": (1082.17619105, -261.965662131, -1.7763568394e-15, 4.77740774114),
        "running": (27.1974873197, -0.0334720511595, 1.37308781356, 3.55080908241),
    },
    "classifier, inference": {
        "y": (-678.962760767, -161.781471561, -155.741271123, -131.321945148),
    },
}


if __name__ == "__main__":
    rewrite_figures()
