"""Networks from image to image, which end in maps of the input's size: U-Net and FCN."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

from cnnkit.graph.graph import Graph, Sequential
from cnnkit.graph.symbols import Input
from cnnkit.layers import (
    Add,
    BatchNorm,
    Concat,
    Conv,
    Conv1x1,
    ConvTranspose,
    Dropout,
    MaxPool,
    ReLU,
)
from cnnkit.models.form import SMALLEST, Form
from cnnkit.validate import shapes

DEEPEST = 10  # poolings of a U-Net at most
DEFAULT_FILTERS, DEFAULT_DEPTH = 16, 4  # of `default_unet`
HALVED = 8  # pixels a side: `default_unet` halves maps of this and larger sizes


def unet(
    n_outputs: int | None = None,
    image_shape: Sequence[int] = (572, 572, 1),
    *,
    width: float = 1,
    depth: int = 4,
    norm: bool = False,
) -> Graph:
    """Return the U-Net: convolutions at every size of the maps, down and up again.

    Ronneberger et al. (2015), "U-Net: convolutional networks for biomedical image segmentation",
    figure 1. At every size there are two 3x3 convolutions with ReLU, with 64 filters first and
    twice as many after each max pooling. On the way up a transposed 2x2 convolution doubles the
    size, and the maps of the same size from the way down are put beside its own. The last layer is
    a 1x1 convolution with one filter per output.

    Convolutions are padded, so that the output has the size of the input; those of the paper are
    not, and leave 388 of 572 pixels. The weights are as many. Sides may have any number of pixels:
    a pooling of an odd side keeps its last pixel, and the transposed convolution leaves out the
    pixel that is too much.

    Parameters
    ----------
    n_outputs : int, default=None
        Number of outputs; None means one per class or target, which ``fit`` fills in.
    image_shape : tuple, default=(572, 572, 1)
        (H, W, C) or (H, W) of the images. Sides below 4 pixels are not halved; a side of one pixel
        has kernels of one pixel.
    width : float, default=1
        Factor for the numbers of filters and units: see `cnnkit.models`.
    depth : int, default=4
        Number of poolings, from 0 to 10; fewer if the images are too small for so many.
    norm : bool, default=False
        Whether a batch norm follows each 3x3 convolution, in the place of its bias.

    Returns
    -------
    network : Graph
        It ends in maps of the size of the images, one per output.

    Raises
    ------
    ValueError, TypeError
        If the shape is none of images, or a parameter is out of range.

    Examples
    --------
    >>> from cnnkit import models
    >>> models.unet(2).summary((572, 572, 1)).weights
    31030658
    >>> models.unet(3, (50, 41), width=1 / 8).output_shape((50, 41, 1))
    (50, 41, 3)
    """
    form = Form("unet", image_shape, width, 0)
    depth = shapes.as_int(depth, "depth", "unet", 0, DEEPEST)
    if not isinstance(norm, bool):
        raise TypeError(f"unet: norm must be a bool, got {norm!r}.")
    return _unet(form, n_outputs, 64, depth, 2 * SMALLEST, norm)


def default_unet(
    n_outputs: int | None = None, image_shape: Sequence[int] = (64, 64, 3), *, width: float = 1
) -> Graph:
    """Return the network of estimators of images without `layers`: a small `unet`.

    It has a quarter of the filters of the published one, 16 to 256, batch norm, and a pooling as
    long as a side has 8 pixels, at most four. docs/guides/defaults.md says how this was chosen.

    Parameters
    ----------
    n_outputs : int, default=None
        Number of outputs; None means one per class or target, which ``fit`` fills in.
    image_shape : tuple, default=(64, 64, 3)
        (H, W, C) or (H, W) of the images: see `cnnkit.models`.
    width : float, default=1
        Factor for the numbers of filters and units: see `cnnkit.models`.

    Returns
    -------
    network : Graph
        It ends in maps of the size of the images, one per output.

    Raises
    ------
    ValueError, TypeError
        If the shape is none of images, or a parameter is out of range.

    Examples
    --------
    >>> from cnnkit import models
    >>> models.default_unet(4, (64, 64, 3)).summary((64, 64, 3)).weights < 2_000_000
    True
    """
    form = Form("default_unet", image_shape, width, 0)
    return _unet(form, n_outputs, DEFAULT_FILTERS, DEFAULT_DEPTH, HALVED, True)


def _unet(form, n_outputs, first, depth, halved, norm):
    """Return a U-Net; a side is halved if it has at least `halved` pixels."""
    H, W, _ = form.image_shape

    def block(filters, name, x):
        kernel = (1 if H == 1 else 3, 1 if W == 1 else 3)
        conv = [Conv(filters, kernel, bias=not norm), *([BatchNorm()] if norm else []), ReLU()]
        return Sequential(2 * conv)(x, name=name)

    x, passed = Input(), []
    for level in range(depth):
        stride = tuple(2 if side >= halved else 1 for side in (H, W))
        if stride == (1, 1):
            break
        x = block(form(first * 2**level), f"down{level + 1}", x)
        passed.append((x, (H, W), stride))
        x = MaxPool(stride, ceil_mode=True)(x, name=f"pool{level + 1}")
        H, W = -(-H // stride[0]), -(-W // stride[1])
    x = block(form(first * 2 ** len(passed)), "bottom", x)
    for level, (skip, (H, W), stride) in reversed([*enumerate(passed)]):
        filters = form(first * 2**level)
        odd = tuple((0, side % step) for side, step in zip((H, W), stride, strict=True))
        up = ConvTranspose(filters, stride, stride=stride, padding=odd)(x, name=f"up{level + 1}")
        both = Concat()(skip, up, name=f"both{level + 1}")
        x = block(filters, f"merge{level + 1}", both)
    return Graph.from_outputs(Conv1x1(n_outputs)(x, name="head"))


STAGES = ((2, 64), (2, 128), (3, 256), (3, 512), (3, 512))  # convolutions and filters of VGG-16
FUSED = {8: 3, 16: 4, 32: 5}  # stage with whose scores the last sum is made, by `stride`


def fcn(
    n_outputs: int | None = None,
    image_shape: Sequence[int] = (500, 500, 3),
    *,
    width: float = 1,
    stride: int = 8,
) -> Graph:
    """Return the fully convolutional network: VGG-16 whose dense layers are convolutions.

    Long et al. (2015), "Fully convolutional networks for semantic segmentation", FCN-8s, -16s and
    -32s: the scores of the last maps, a 32nd of the image's size, are doubled by transposed
    convolutions, scores of the maps before the fourth and the third pooling are added, and the sum
    is brought to the size of the image. The convolutions have the names that they have in `vgg16`,
    so that its weights are `initial_weights` here.

    The paper pads images by 100 pixels and crops the scores; here the convolutions are padded, and
    sides may have any number of pixels.

    Parameters
    ----------
    n_outputs : int, default=None
        Number of outputs; None means one per class or target, which ``fit`` fills in.
    image_shape : tuple, default=(500, 500, 3)
        (H, W, C) or (H, W) of the images: see `cnnkit.models`.
    width : float, default=1
        Factor for the numbers of filters and units: see `cnnkit.models`.
    stride : {8, 16, 32}, default=8
        By how much the last scores are enlarged at once. 8 adds scores of both earlier poolings, 16
        those of the fourth, 32 none.

    Returns
    -------
    network : Graph
        It ends in maps of the size of the images, one per output.

    Raises
    ------
    ValueError, TypeError
        If the shape is none of images, or a parameter is out of range.

    Examples
    --------
    >>> from cnnkit import models
    >>> models.fcn(21).summary((500, 500, 3)).weights
    134489759
    >>> models.fcn(3, (50, 41), width=1 / 16).output_shape((50, 41, 1))
    (50, 41, 3)
    """
    form = Form("fcn", image_shape, width, 5)
    if isinstance(stride, (bool, list)) or stride not in FUSED:
        raise ValueError(f"fcn: stride must be 8, 16 or 32, got {stride!r}.")
    kept = FUSED[stride]
    sizes = [form.image_shape[:2]]
    x, ends = Input(), []
    for stage, ((depth, filters), step) in enumerate(zip(STAGES, form.strides, strict=True), 1):
        for i in range(1, depth + 1):
            x = Conv(form(filters), 3)(x, name=f"conv{stage}_{i}")
            x = ReLU()(x, name=f"relu{stage}_{i}")
        if step > 1:
            x = MaxPool(2, ceil_mode=True)(x, name=f"pool{stage}")
        sizes.append(tuple(-(-side // step) for side in sizes[-1]))
        ends.append(x)
    for name, kernel in (("fc6", 7), ("fc7", 1)):
        x = ReLU()(Conv(form(4096), kernel)(x, name=name), name=f"relu_{name}")
        x = Dropout(0.5)(x, name=f"drop_{name}")
    x = Conv1x1(n_outputs)(x, name="score")
    for stage in range(4, kept - 1, -1):
        x = _enlarged(x, n_outputs, form.strides[stage], sizes[stage + 1], sizes[stage], stage)
        score = Conv1x1(n_outputs)(ends[stage - 1], name=f"score_pool{stage}")
        x = Add()(x, score, name=f"sum{stage}")
    x = _enlarged(x, n_outputs, prod(form.strides[:kept]), sizes[kept], sizes[0], "")
    return Graph.from_outputs(x)


def _enlarged(x, n_outputs, step, before, after, number):
    """Return scores, enlarged `step` times from size `before` to `after`; as they are for 1."""
    if step == 1:
        return x
    cut = [(side + 1) * step - wanted for side, wanted in zip(before, after, strict=True)]
    padding = tuple((pixels // 2, pixels - pixels // 2) for pixels in cut)
    layer = ConvTranspose(n_outputs, 2 * step, stride=step, padding=padding, bias=False)
    return layer(x, name=f"upscore{number}")
