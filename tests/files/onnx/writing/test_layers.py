"""Every layer in an ONNX file gives what it gives here."""

import layer_cases
import pytest
from onnx_runs import check, images, network_of, onnx_package
from seeded import generator

from cnnkit import (
    ELU,
    GELU,
    SELU,
    Add,
    Affine,
    AvgPool,
    BatchNorm,
    ChannelShuffle,
    Clip,
    Concat,
    Conv,
    Conv1x1,
    ConvTranspose,
    Dense,
    DepthwiseConv,
    Dropout,
    Flatten,
    GlobalAvgPool,
    GlobalMaxPool,
    GroupNorm,
    HardSigmoid,
    HardSwish,
    Identity,
    LayerNorm,
    LeakyReLU,
    LocalResponseNorm,
    LogSoftmax,
    MatMul,
    MaxPool,
    Mish,
    Multiply,
    Pad,
    Permute,
    PReLU,
    ReLU,
    ReLU6,
    Reshape,
    Resize,
    Sequential,
    Sigmoid,
    SiLU,
    Slice,
    Softmax,
    Softplus,
    SpatialDropout,
    Tanh,
    UpSample,
)
from cnnkit.files.onnx.writing.layers import TABLE as WRITTEN
from cnnkit.files.onnx.writing.model import NEWEST, OLDEST
from cnnkit.layers import KINDS

SIDES = ((0, 1), (2, 0))
IMAGE, ROW = (7, 5, 4), (12,)

CASES = [  # layers, and shapes of their input
    (Conv(6), IMAGE),
    (Conv(6, (3, 2), stride=(2, 1), padding=SIDES, dilation=(1, 2), groups=2, bias=False), IMAGE),
    (Conv(3, 4, stride=3), IMAGE),
    (Conv(3, 2, padding=((3, 0), (0, 4))), IMAGE),
    (Conv(2, (7, 5), padding="valid"), IMAGE),
    (Conv1x1(5, stride=2, groups=1), IMAGE),
    (DepthwiseConv((3, 5), depth_multiplier=2), IMAGE),
    (DepthwiseConv(2, stride=2, padding="valid", bias=False), IMAGE),
    (MaxPool(2), IMAGE),
    (MaxPool((3, 2), stride=(2, 1), padding=((1, 0), (1, 1)), ceil_mode=True), IMAGE),
    (MaxPool(2, stride=3, padding=((0, 1), (1, 0)), ceil_mode=True), IMAGE),
    (MaxPool(3, stride=2, padding="same"), IMAGE),
    (MaxPool((3, 2), stride=(2, 1), padding=SIDES, ceil_mode=True, dilation=2), IMAGE),
    (AvgPool(2), IMAGE),
    (AvgPool(3, stride=2, padding="same"), IMAGE),
    (AvgPool(3, stride=2, padding=1, ceil_mode=True), (8, 6, 4)),
    (AvgPool(3, stride=2, padding=((1, 0), (0, 2)), ceil_mode=True, count_include_pad=True), IMAGE),
    (AvgPool(4, stride=3, ceil_mode=True, count_include_pad=True), (9, 8, 4)),
    (AvgPool(3, stride=1, padding=1, count_include_pad=True), IMAGE),
    (GlobalAvgPool(), IMAGE),
    (GlobalMaxPool(), IMAGE),
    (BatchNorm(), IMAGE),
    (BatchNorm(eps=0.01), ROW),
    (BatchNorm(), (5, 4)),
    *[(LocalResponseNorm(size, alpha=0.1, k=2.0), IMAGE) for size in (1, 2, 3, 4, 5, 10, 11)],
    *[
        (layer, shape)
        for layer in (
            *(ReLU(), ReLU6(), LeakyReLU(0.2), Sigmoid(), Tanh(), SiLU(), HardSwish(), Softmax()),
            *(Dropout(), Identity()),
        )
        for shape in (IMAGE, ROW, (3, 4))
    ],
    *[
        (layer, shape)
        for layer in (
            *(ELU(0.3), SELU(), GELU(), GELU(approximate="tanh"), Mish(), Softplus(2.0)),
            *(HardSigmoid(), LogSoftmax(), PReLU(), GroupNorm(2, eps=0.01), LayerNorm()),
            *(ChannelShuffle(2),),
        )
        for shape in (IMAGE, ROW, (3, 4))
    ],
    (SpatialDropout(), IMAGE),
    (ConvTranspose(6), IMAGE),
    (ConvTranspose(4, (3, 2), stride=(2, 3), groups=2, bias=False), IMAGE),
    (ConvTranspose(4, 2, stride=3), IMAGE),
    (ConvTranspose(4, 3, stride=3, padding=SIDES, output_padding=(2, 1), dilation=2), IMAGE),
    (ConvTranspose(4, 3, stride=2, padding="valid"), IMAGE),
    (Sequential([Conv(4), Flatten(), PReLU(), LayerNorm(), Dense(3)]), IMAGE),
    (Sequential([Conv(4), Flatten(), GroupNorm(5), ChannelShuffle(7), Dense(3)]), IMAGE),
    (Dense(5), ROW),
    (Dense(5, bias=False), ROW),
    (Flatten(), IMAGE),
    (Flatten(), ROW),
    (Sequential([Conv(3), Flatten(), BatchNorm(), ReLU(), Softmax(), Dense(4)]), IMAGE),
    (Sequential([Conv(3), Flatten(), Dense(4, bias=False)]), IMAGE),
    (Sequential([Conv(3), Flatten()]), IMAGE),
    (Sequential([Conv(1), Flatten(), Dense(4)]), IMAGE),
    (Sequential([Conv(3), Flatten(), Concat([Dense(2), ReLU()]), Dense(3)]), IMAGE),
    (Sequential([Conv(3), Concat([Flatten(), [Conv(2), Flatten()], GlobalAvgPool()])]), IMAGE),
    (Sequential([Conv(3), Add([Flatten(), [Conv(3), Flatten()]]), Dense(2)]), IMAGE),
    (Sequential([Conv(3), Multiply([Flatten(), [Flatten(), Dense(105)]])]), IMAGE),
    (Add([Conv(3), Conv1x1(3), Conv(3, 5)]), IMAGE),
    (Add([ReLU(), Tanh()]), (3, 4)),
    (Multiply([None, [GlobalAvgPool(), Dense(4)]]), IMAGE),
    (Multiply([[GlobalAvgPool(), Reshape((1, 1, 4)), Conv1x1(4)], Conv(4)]), IMAGE),
    (Multiply([None, [Flatten(), Dense(4)]]), (3, 4)),
    (Multiply([None, Sigmoid()]), ROW),
    (Concat([Conv(3), None, Conv1x1(2)]), IMAGE),
    (Concat([None, ReLU()]), (3, 4)),
    (Concat([None, Dense(3)]), ROW),
    (Add([None, [GlobalAvgPool(), Dense(4)], [GlobalMaxPool()]]), IMAGE),
    (Sequential([Conv(3), Flatten(), Affine(), Clip(minimum=-0.5), Slice(3, 50, 2)]), IMAGE),
    (Sequential([Conv(3), Affine((0, 2)), Slice(-2, None, -2, axis=0)]), IMAGE),
    (Affine((0,)), (3, 4)),
    (Slice(None, None, -1, axis=0), (3, 4)),
    *[
        (Sequential([Conv(3), Permute(order), Conv(2)]), IMAGE)
        for order in ((0, 2, 1), (1, 0, 2), (1, 2, 0), (2, 0, 1), (2, 1, 0))
    ],
    (Permute((1, 0)), (3, 4)),
    (MatMul([Conv(4), [Conv(4), Permute((0, 2, 1)), Conv(5)]]), (5, 4, 5)),
    (Resize((14, 15), scale=(2.0, 3.0), coordinates="asymmetric", rounding="floor"), IMAGE),
    (Resize((9, 4), method="bilinear", coordinates="align_corners"), IMAGE),
    (Pad(SIDES), IMAGE),
    (Pad(2), IMAGE),
    (UpSample(2), IMAGE),
    (UpSample((2, 3), method="bilinear"), IMAGE),
    (UpSample(4, method="bilinear"), (1, 1, 2)),
    (Reshape((1, 1, -1)), ROW),
    (Reshape((3, 4)), ROW),
    (Reshape((2, 3, 2)), ROW),
    (Reshape((-1,)), IMAGE),
    (Reshape(IMAGE), IMAGE),
    (Reshape((5, 7, 4)), IMAGE),
    (Sequential([Conv(6), Reshape((5, 14, 3)), Conv(2)]), IMAGE),
    (Sequential([Reshape((2, 3, 2)), Conv(2), Flatten(), Reshape((12,)), Dense(2)]), ROW),
    (Sequential([Conv(2), Flatten(), Reshape((7, 5, 2)), Conv(3)]), IMAGE),
    (Sequential([Reshape((1, 3, 4)), Reshape((12, 1, 1)), Conv(2)]), ROW),
]


def each(rows):
    """Return layers and the shapes of their inputs, those of several by name."""
    for layer, shapes in rows:
        names = [f"x{i}" for i in range(len(shapes))]
        yield layer, shapes[0] if len(shapes) == 1 else dict(zip(names, shapes, strict=True))


TABLE = [*each(layer_cases.small()), *each(layer_cases.large())]


def test_every_layer_can_be_written():
    assert set(WRITTEN) == set(KINDS.values())


@pytest.mark.parametrize("data_format", ["channels_last", "channels_first", "float64"])
@pytest.mark.parametrize(("layer", "shape"), [*TABLE, *CASES], ids=str)
def test_a_layer(layer, shape, data_format, tmp_path):
    dtype = "float64" if data_format == "float64" else "float32"
    if isinstance(layer, ConvTranspose) and dtype == "float64" and layer.groups > 1:
        pytest.skip("the reference of onnx fails for groups of several filters")
    if isinstance(layer, (Resize, UpSample)) and dtype == "float64" and shape[0] > 10:
        pytest.skip("the reference of onnx takes minutes to resize large images")
    if isinstance(layer, Resize) and dtype == "float64" and layer.method == "bicubic":
        pytest.skip("the reference of onnx takes cubic kernels in float32")
    rng = generator(1)
    network = network_of(layer, shape, rng, dtype)
    X = images(shape, rng, dtype)
    options = {} if data_format == "float64" else {"data_format": data_format}
    check(network, X, tmp_path / "model.onnx", dtype, **options)


@pytest.mark.parametrize("opset", range(OLDEST, NEWEST + 1))
def test_every_opset(opset, tmp_path):
    if opset > onnx_package.defs.onnx_opset_version():
        pytest.skip(f"the onnx package that is installed knows no opset {opset}")
    rng, path = generator(2), tmp_path / "model.onnx"
    for layer, shape in each(layer_cases.small()):
        model = check(network_of(layer, shape, rng), images(shape, rng), path, opset=opset)
        assert model.opset_import[0].version == opset


@pytest.mark.parametrize("counted", [False, True])
def test_dilated_means_need_opset_19(counted, tmp_path):
    layer = AvgPool(3, stride=2, padding=1, ceil_mode=True, count_include_pad=counted, dilation=2)
    rng, path = generator(3), tmp_path / "model.onnx"
    network, X = network_of(layer, (10, 8, 4), rng), images((10, 8, 4), rng)
    check(network, X, path, opset=19)
    with pytest.raises(ValueError, match="opset must be at least 19 for AvgPool with dilation 2"):
        check(network, X, path, opset=18)


@pytest.mark.parametrize(
    ("layer", "opset"),
    [
        (Resize(3, method="bilinear", antialias=True), 18),
        (Resize(9, coordinates="half_pixel_symmetric"), 19),
    ],
)
def test_newer_settings_of_resize_need_newer_opsets(layer, opset, tmp_path):
    rng, path = generator(4), tmp_path / "model.onnx"
    network, X = network_of(layer, IMAGE, rng), images(IMAGE, rng)
    check(network, X, path, opset=opset)
    with pytest.raises(ValueError, match=f"opset must be at least {opset} for Resize"):
        check(network, X, path, opset=opset - 1)


def test_a_scale_that_gives_another_size_is_refused(tmp_path):
    network = network_of(Resize((30, 12), scale=(1.5, 0.6)), IMAGE, generator(5))
    with pytest.raises(ValueError, match="scale of Resize"):
        check(network, images(IMAGE, generator(5)), tmp_path / "model.onnx")
