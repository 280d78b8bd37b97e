"""The network that ``train`` starts from: ``--model``, ``--weights``, ``--freeze``."""

from pathlib import Path
from typing import NamedTuple

from cnnkit.cli import files
from cnnkit.cli.messages import shown
from cnnkit.data import scaling

AUTO, FROM_DATA, AS_THEY_ARE = "auto", "data", "none"  # words of --preprocessing
VARIANTS = {  # other forms of networks, which some weights need
    "resnet50": [{"strided": "3x3"}],
    "mobilenet_v2": [{"padding": "same"}],
    "efficientnet_lite0": [{"padding": "symmetric"}],
}
PHOTOS = 3  # channels of the images that weights of other libraries were trained with


class Start(NamedTuple):
    """Hyper-parameters of the classifier that is trained."""

    layers: object = None
    initial_weights: dict | None = None
    frozen: list | None = None


def check(options):
    """Refuse what would be ignored, before anything is read."""
    if options.weights is None:
        for name in ("freeze", "preprocessing"):
            if getattr(options, name):
                options.refuse(f"argument --{name}: needs --weights")
        return
    path = Path(options.weights)
    if not path.is_file():
        raise FileNotFoundError(f"--weights: {shown(path)} must be a file, and is none.")
    kind, word = files.kind(path), options.preprocessing
    if kind == files.WEIGHTS:
        if options.model in (None, "default"):
            options.refuse("argument --weights: needs the --model that the weights are of")
        if word == AS_THEY_ARE:
            options.refuse("argument --preprocessing: none needs an ONNX file")
        return
    for name in ("model", "width"):
        if getattr(options, name) is not None:
            options.refuse(f"argument --{name}: needs --weights without a network, not {kind}")
    if kind == files.OWN and word is not None:
        options.refuse("argument --preprocessing: needs weights of another library")
    if kind == files.ONNX and word in (None, AUTO):
        options.refuse(
            f"argument --preprocessing: must be {AS_THEY_ARE}, {FROM_DATA} or one of "
            f"{list(scaling.PREPROCESSING)} for an ONNX file, which does not say it"
        )


def read(options):
    """Return what the file of ``--weights`` holds, None where there is none.

    Its attribute `channels` is the number that images must have, None for any, and
    ``start(options, shape)`` returns the `Start` for images of a shape.
    """
    if options.weights is None:
        return Named()
    return {files.WEIGHTS: Foreign, files.OWN: Own, files.ONNX: OfOnnx}[
        files.kind(options.weights)
    ](options.weights)


class Named:
    """No weights: a network of `cnnkit.models`, or the default one."""

    channels = None

    def start(self, options, shape):
        if options.model in (None, "default") and options.width is None:
            return Start()
        return Start(network(options, shape))


class Foreign:
    """Weights of another library, for a network of `cnnkit.models`."""

    channels = PHOTOS

    def __init__(self, path):
        from cnnkit import io

        self.mapping = io.read_weights(path)

    def start(self, options, shape):
        errors = []
        for variant in ({}, *VARIANTS.get(options.model, ())):
            try:
                layers = network(options, shape, **variant)
                return started(options, layers, self.converted(layers, options, shape), shape)
            except ValueError as error:
                errors.append(error)
        raise errors[0]

    def converted(self, layers, options, shape):
        """Return the weights by path, without those of the head, and the preprocessing."""
        from cnnkit import io

        word = options.preprocessing or AUTO
        word = None if word == FROM_DATA else word
        try:
            return io.convert_weights(self.mapping, layers, shape, head=False, preprocessing=word)
        except ValueError as error:
            if word != AUTO or "preprocessing must be" not in str(error):
                raise
            raise ValueError(
                f"--preprocessing must be {FROM_DATA} or one of {list(scaling.PREPROCESSING)} for "
                f"these weights, whose names do not say it."
            ) from None


class Own:
    """A model that ``train`` wrote: its network, without the head."""

    def __init__(self, path):
        from cnnkit import io

        model = io.load(path)
        self.network = getattr(model, "estimator_", model).network_
        self.channels = self.network.input_shape[-1]

    def start(self, options, shape):
        from cnnkit.estimators.setup import per_output_layers

        heads = {*per_output_layers(self.network.graph), scaling.TARGETS}
        weights = {
            path: array
            for path, array in self.network.weights.items()
            if path.rpartition("/")[0] not in heads
        }
        return started(options, self.network.graph, weights, shape)


class OfOnnx:
    """A network of an ONNX file, with another head."""

    channels = PHOTOS

    def __init__(self, path):
        self.path = path

    def start(self, options, shape):
        from cnnkit import onnx
        from cnnkit.layers import Dense, Flatten, GlobalAvgPool, Identity

        graph, weights = onnx.read(self.path, input_shape=shape)
        ends_in = graph.with_head(Identity()).resolve(shape, 1).output_shapes[0]
        pooled = GlobalAvgPool() if len(ends_in) == 3 else Flatten()
        graph = graph.with_head([pooled, Dense()])
        if options.preprocessing in scaling.PREPROCESSING:
            weights = weights | scaling.fixed(options.preprocessing, shape[-1], "train")
        elif options.preprocessing == FROM_DATA:
            weights = {path: a for path, a in weights.items() if not path.startswith("input/")}
        used = {*graph.resolve(shape, 1).weight_specs, *scaling.specs(["input"], shape[-1], 1)}
        weights = {path: a for path, a in weights.items() if path in used}
        return started(options, graph, weights, shape)


def network(options, shape, **variant):
    """Return the network of ``--model`` and ``--width``, for images of a shape."""
    from cnnkit import models

    build = models.MODELS[options.model or "default"]
    return build(None, shape, width=options.width or 1, **variant)


def started(options, layers, weights, shape):
    """Return the `Start` of a network, with ``--freeze`` all layers that have weights frozen."""
    specs = layers.resolve(shape, 1).specs
    known = {path for path, parts in specs.items() for part in parts if f"{path}/{part}" in weights}
    return Start(layers, weights, sorted(known) if options.freeze else None)
