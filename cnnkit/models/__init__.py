"""Networks of the literature, under their usual names.

A function returns a `Sequential` that ends in one number per output, before any softmax::

    model(n_outputs=None, image_shape=<published shape>, *, width=1)

n_outputs : int, default=None
    None means one per class or target, which ``fit`` fills in.
image_shape : tuple (H, W, C) or (H, W)
    Shape of the images. If they are too small for all strides and poolings of 2, the first of these
    are left out, so that the last maps have at least 2 pixels a side, apart from borders
    that are lost. A first convolution whose stride is left out has a 3x3 kernel, as in the networks
    of He et al. (2016) for CIFAR-10.
width : float, default=1
    Factor for the numbers of filters and units, except the outputs, as the width multiplier of
    MobileNet; it makes none smaller than 8.

`small` chooses a width with which a network is trained on the digits in seconds.

`unet`, `default_unet` and `fcn` end in maps of the size of the image, one per output, for
`CNNSegmenter` and `CNNImageRegressor`; they return a `Graph`.

>>> from cnnkit import models
>>> models.resnet18(1000).summary((224, 224, 3)).weights  # 9,600 of them running statistics
11699112
>>> models.resnet18(10, (28, 28, 1), width=0.25).output_shape((28, 28, 1))
(10,)
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from cnnkit.graph.graph import Graph, Sequential
from cnnkit.models.branches import googlenet, squeezenet_1_0, squeezenet_1_1
from cnnkit.models.chains import (
    alexnet,
    convnet,
    default,
    lenet5,
    network_in_network,
    vgg16,
    vgg19,
)
from cnnkit.models.form import IMAGENET as IMAGENET
from cnnkit.models.images import default_unet, fcn, unet
from cnnkit.models.mobile import efficientnet_lite0, mobilenet_v1, mobilenet_v2
from cnnkit.models.residual import resnet18, resnet50

MODELS = {
    model.__name__: model
    for model in (
        default,
        lenet5,
        convnet,
        network_in_network,
        alexnet,
        vgg16,
        vgg19,
        squeezenet_1_0,
        squeezenet_1_1,
        googlenet,
        resnet18,
        resnet50,
        mobilenet_v1,
        mobilenet_v2,
        efficientnet_lite0,
    )
}

# networks that end in maps of the size of the image
IMAGE_MODELS = {model.__name__: model for model in (default_unet, unet, fcn)}

__all__ = [*MODELS, *IMAGE_MODELS, "find", "small"]


def find(model: object) -> Callable[..., Graph] | None:
    """Return the function of this module that `model` is or names, or None.

    Parameters
    ----------
    model : str or callable
        A name, or the function itself.

    Returns
    -------
    function : callable or None
        None for anything else.

    Examples
    --------
    >>> from cnnkit import models
    >>> models.find("resnet18") is models.find(models.resnet18) is models.resnet18
    True
    """
    known: dict[str, Callable[..., Graph]] = {**MODELS, **IMAGE_MODELS}
    found = known.get(model if isinstance(model, str) else getattr(model, "__name__", ""))
    return found if isinstance(model, str) or found is model else None


SMALL_WIDTHS = {  # widths; the others have an eighth
    "default": 1,
    "lenet5": 1,
    "convnet": 1,
    "network_in_network": 1 / 4,
    "squeezenet_1_0": 1 / 4,
    "squeezenet_1_1": 1 / 4,
}


def small(
    name: str, image_shape: Sequence[int] = (8, 8, 1), n_outputs: int | None = None
) -> Sequential:
    """Return a network of this module narrow enough to train on small images in seconds.

    The width is an eighth. It is a quarter for Network in Network and SqueezeNet, whose 1x1
    convolutions are narrow already, and 1 for LeNet-5, `convnet` and `default`.

    Parameters
    ----------
    name : str
        Name of a function of this module.
    image_shape : tuple, default=(8, 8, 1)
        (H, W, C) or (H, W) of the images.
    n_outputs : int, default=None
        Number of outputs; None means one per class or target, which ``fit`` fills in.

    Returns
    -------
    network : Sequential
        What the function returns for this width.

    Raises
    ------
    ValueError
        If there is no function of that name.

    Examples
    --------
    >>> from cnnkit import models
    >>> models.small("squeezenet_1_1", (28, 28, 1), 10).summary((28, 28, 1)).weights < 100_000
    True
    """
    if name not in MODELS:
        raise ValueError(f"small: name must be one of {sorted(MODELS)}, got {name!r}.")
    return MODELS[name](n_outputs, image_shape, width=SMALL_WIDTHS.get(name, 1 / 8))
