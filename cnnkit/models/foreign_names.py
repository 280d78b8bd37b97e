"""Names that torchvision, timm and Keras give the layers of our networks.

A rule is a pattern of our paths, and a function of a `Places` and the parts of the path that the
pattern names; it returns the name there.
"""

import re
from dataclasses import dataclass, field
from itertools import accumulate

from cnnkit.models import MODELS
from cnnkit.models.mobile import EFFICIENTNET_LITE0, MOBILENET_V2


@dataclass(frozen=True)
class Source:
    """Where weights come from.

    Attributes
    ----------
    rules : list of (pattern, function)
    eps : float or None
        Of batch norms there; None means that it is ours.
    needs : dict of (attribute, value) by path
        Hyper-parameters without which the weights mean something else.
    preprocessing : str or None
        A word of `cnnkit.data.scaling.PREPROCESSING` for their images; None means that no word is
        that of all weights with these names.
    """

    rules: list
    eps: float | None = 1e-5
    needs: dict = field(default_factory=dict)
    preprocessing: str | None = "imagenet"


def _listed(places, name):
    return places[name]


LISTED = {"torchvision": Source([(r"(\w+)", _listed)])}  # features.0, classifier.0 and so on
BODY, SHORTCUT = r"conv(\d)_(\d+)/residual/body", r"conv(\d)_(\d+)/residual/shortcut"
RESNET = [
    ("conv1", lambda _: "conv1"),
    ("batchnorm1", lambda _: "bn1"),
    (rf"{BODY}/conv(?:1x1_)?(\d)", lambda _, s, i, k: f"layer{s - 1}.{i - 1}.conv{k}"),
    (rf"{BODY}/batchnorm(\d)", lambda _, s, i, k: f"layer{s - 1}.{i - 1}.bn{k}"),
    (rf"{SHORTCUT}/conv1", lambda _, s, i: f"layer{s - 1}.{i - 1}.downsample.0"),
    (rf"{SHORTCUT}/batchnorm1", lambda _, s, i: f"layer{s - 1}.{i - 1}.downsample.1"),
    ("dense1", lambda _: "fc"),
]
VGG_KERAS = [
    (r"conv(\d)_(\d)", lambda _, s, i: f"block{s}_conv{i}"),
    (r"fc(6|7)", lambda _, i: f"fc{i - 5}"),
    ("fc8", lambda _: "predictions"),
]
VGG = LISTED | {"Keras": Source(VGG_KERAS, preprocessing=None)}
SQUEEZENET = {
    "torchvision": Source(
        [
            (r"(fire\d)/squeeze", lambda places, fire: f"{places[fire]}.squeeze"),
            (
                r"(fire\d)/expand/expand_(\dx\d)/conv\w*",
                lambda places, fire, kernel: f"{places[fire]}.expand{kernel}",
            ),
            (r"(\w+)", _listed),
        ]
    )
}
MOBILENET_V1 = [
    ("conv1", lambda _: "conv1"),
    ("batchnorm1", lambda _: "conv1_bn"),
    (r"separable(\d+)/depthwise", lambda _, i: f"conv_dw_{i}"),
    (r"separable(\d+)/batchnorm1", lambda _, i: f"conv_dw_{i}_bn"),
    (r"separable(\d+)/pointwise", lambda _, i: f"conv_pw_{i}"),
    (r"separable(\d+)/batchnorm2", lambda _, i: f"conv_pw_{i}_bn"),
    ("dense1", lambda _: "conv_preds"),
]
BLOCK = r"block(\d+)/(?:residual/body/)?(expand|depthwise|project)"
PARTS = ("expand", "depthwise", "project")


def _torchvision_v2(old):
    """Return the rules of MobileNetV2; `old` names are those before torchvision 0.3."""

    def name(i, part, norm):
        place = PARTS.index(part) - (i == 1)  # the first block does not expand
        if old:
            return f"features.{i}.conv.{3 * place + norm}"
        if part == "project":
            return f"features.{i}.conv.{place + norm}"
        return f"features.{i}.conv.{place}.{norm}"

    return [
        ("conv1", lambda _: "features.0.0"),
        ("norm1", lambda _: "features.0.1"),
        (BLOCK, lambda _, i, part: name(i, part, 0)),
        (rf"{BLOCK}_norm", lambda _, i, part: name(i, part, 1)),
        ("conv2", lambda _: "features.18.0"),
        ("norm2", lambda _: "features.18.1"),
        ("dense1", lambda _: "classifier" if old else "classifier.1"),
    ]


def _timm(table):
    """Return the rules of a network of inverted residuals by timm."""
    ends = list(accumulate(depth for _, _, depth, *_ in table))

    def block(i):
        stage = next(k for k, end in enumerate(ends) if i <= end)
        return f"blocks.{stage}.{i - 1 - (ends[stage - 1] if stage else 0)}"

    def conv(_, i, part):
        names = ("conv_dw", "conv_pw") if i == 1 else ("conv_pw", "conv_dw", "conv_pwl")
        return f"{block(i)}.{names[PARTS.index(part) - (i == 1)]}"

    def norm(_, i, part):
        return f"{block(i)}.bn{PARTS.index(part) + (i > 1)}"

    return [
        ("conv1", lambda _: "conv_stem"),
        ("norm1", lambda _: "bn1"),
        (BLOCK, conv),
        (rf"{BLOCK}_norm", norm),
        ("conv2", lambda _: "conv_head"),
        ("norm2", lambda _: "bn2"),
        ("dense1", lambda _: "classifier"),
    ]


def _keras_v2(_, i, part, norm=""):
    return f"{'expanded_conv' if i == 1 else f'block_{i - 1}'}_{part}{norm}"


MOBILENET_V2_KERAS = [
    ("conv1", lambda _: "Conv1"),
    ("norm1", lambda _: "bn_Conv1"),
    (BLOCK, _keras_v2),
    (rf"{BLOCK}_norm", lambda _, i, part: _keras_v2(_, i, part, "_BN")),
    ("conv2", lambda _: "Conv_1"),
    ("norm2", lambda _: "Conv_1_bn"),
    ("dense1", lambda _: "predictions"),
]
EFFICIENTNET_PYTORCH = [
    ("conv1", lambda _: "_conv_stem"),
    ("norm1", lambda _: "_bn0"),
    (BLOCK, lambda _, i, part: f"_blocks.{i - 1}._{part}_conv"),
    (rf"{BLOCK}_norm", lambda _, i, part: f"_blocks.{i - 1}._bn{PARTS.index(part)}"),
    ("conv2", lambda _: "_conv_head"),
    ("norm2", lambda _: "_bn1"),
    ("dense1", lambda _: "_fc"),
]
SYMMETRIC = {"block2/depthwise": ("padding", 1)}
SAME = {"block2/depthwise": ("padding", "same")}
AT_3X3 = {"conv3_1/residual/body/conv1": ("stride", 1)}

SOURCES = {  # by network, in the order in which they are tried
    "alexnet": LISTED,
    "vgg16": VGG,
    "vgg19": VGG,
    "squeezenet_1_0": SQUEEZENET,
    "squeezenet_1_1": SQUEEZENET,
    "resnet18": {"torchvision": Source(RESNET)},
    "resnet50": {"torchvision": Source(RESNET, needs=AT_3X3)},
    "mobilenet_v1": {"Keras": Source(MOBILENET_V1, 1e-3, preprocessing="inception")},
    "mobilenet_v2": {
        "torchvision": Source(_torchvision_v2(old=False), needs=SYMMETRIC),
        "torchvision, old": Source(_torchvision_v2(old=True), needs=SYMMETRIC),
        "timm": Source(_timm(MOBILENET_V2), needs=SYMMETRIC),
        "Keras": Source(MOBILENET_V2_KERAS, 1e-3, SAME, "inception"),
    },
    "efficientnet_lite0": {
        "EfficientNet-PyTorch": Source(EFFICIENTNET_PYTORCH, 1e-3, SAME, "lite"),
        "timm": Source(_timm(EFFICIENTNET_LITE0), None, preprocessing=None),
    },
}


def tables():
    """Yield for every network and source ``(network, source, its Source, names by our path)``."""
    for model, sources in SOURCES.items():
        graph = MODELS[model]()
        places = _places([node.name for node in graph.wiring()])
        paths = [node.name for node in graph.flattened(1) if has_weights(node.layer)]
        for word, source in sources.items():
            yield model, word, source, {path: _name(path, source, places) for path in paths}


def has_weights(layer):
    return hasattr(layer, "bias") or hasattr(layer, "eps")


def _name(path, source, places):
    for pattern, function in source.rules:
        found = re.fullmatch(pattern, path)
        if found:
            parts = [int(part) if part.isdigit() else part for part in found.groups()]
            return function(places, *parts)
    raise KeyError(f"no name for {path}")


def _places(names):
    """Return the names of the layers in torchvision's lists of features and of the classifier."""
    start = len(names)
    if "flatten1" in names:
        start = names.index("flatten1") + 1
    elif "dropout1" in names:
        start = names.index("dropout1")
    return {
        name: f"features.{i}" if i < start else f"classifier.{i - start}"
        for i, name in enumerate(names)
    }
