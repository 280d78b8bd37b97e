"""What stands before and behind the layers of a network: images as users hold them, and answers."""

from math import prod
from typing import NamedTuple

import numpy as np

from cnnkit.files.onnx.writing.values import FIRST, FLAT, LAST, Value

CHANNELS_LAST, CHANNELS_FIRST, ROWS = "channels_last", "channels_first", "rows"
FORMS = {CHANNELS_LAST: LAST, CHANNELS_FIRST: FIRST, ROWS: FLAT}


class Output(NamedTuple):
    """An output of a model: its name, its tensor, the type of its numbers, a sample's shape."""

    name: str
    tensor: str
    dtype: np.dtype
    shape: tuple


def input_sides(shape, data_format):
    """Return the shape of one sample as it is given in a format."""
    if data_format == ROWS:
        return (prod(shape),)
    return (shape[2], *shape[:2]) if data_format == CHANNELS_FIRST and len(shape) == 3 else shape


def read_input(builder, name, shape, options, scales):
    """Return the input `name` as the network reads it, ``(X - mean) * factor``, in its type.

    Parameters
    ----------
    builder : Builder
    name : str
    shape : tuple
        Of one sample, channels last.
    options : Options
        The format and the type of what is given.
    scales : (mean, factor)
        Of every channel: arrays, or one number for all. A mean is subtracted in the wider of both
        types, so that what lies between integers too large for float32 is kept.
    """
    (mean, factor), dtype = scales, options.input_dtype
    form = FORMS[options.data_format]
    x = Value(builder, shape, form if len(shape) == 3 or form == FLAT else LAST, name)
    if x.form == FLAT and np.size(mean) > 1 and shape[:-1] != (1, 1):
        x = Value(builder, shape, LAST, x.last())
    sides = (-1, 1, 1) if x.form == FIRST and np.ndim(mean) else np.shape(mean)
    tensor, centred = x.tensor, np.any(mean)
    wide = np.result_type(dtype, builder.dtype) if centred else builder.dtype
    if dtype != wide:
        tensor = builder.cast(tensor, wide, f"{name}/float")
    if centred:
        centre = builder.constant(f"{name}/mean", np.reshape(mean, sides), wide)
        tensor = builder.node("Sub", [tensor, centre], f"{name}/centred")
        if wide != builder.dtype:
            tensor = builder.cast(tensor, builder.dtype, f"{name}/narrowed")
    if np.any(factor != 1):
        by = builder.constant(f"{name}/factor", np.reshape(factor, sides))
        tensor = builder.node("Mul", [tensor, by], f"{name}/scaled")
    return Value(builder, shape, x.form, tensor)


class Logits:
    """What the network of a classifier gives: a number for every class or label.

    Parameters
    ----------
    data_format : str, default="channels_last"
        Of the input, and of logits that are images.
    """

    names = ("logits",)

    def __init__(self, data_format=CHANNELS_LAST):
        self.data_format = data_format

    def write(self, builder, value):
        """Return the outputs of the model, given those of the network."""
        return [as_input_is("logits", builder, value, self.data_format)]


class Classes:
    """The labels of a classifier, and the probability of every class.

    Parameters
    ----------
    classes : array of shape (n_classes,)
    multilabel : bool
        Labels then are an indicator (N, n_classes), and probabilities each on its own.
    """

    names = ("label", "probabilities")

    def __init__(self, classes, multilabel):
        self.classes = classes
        self.multilabel = multilabel

    def write(self, builder, value):
        """Return the outputs of the model, given those of the network."""
        logits = value.last()
        if self.multilabel:
            shares = builder.node("Sigmoid", [logits], "sigmoid")
            return [
                Output("label", self._indicator(builder, logits), np.dtype(np.int64), value.shape),
                Output("probabilities", shares, builder.dtype, value.shape),
            ]
        shares = builder.node("Softmax", [logits], "softmax", axis=1)
        kind = label_dtype(self.classes)
        return [
            Output("label", self._labels(builder, logits, kind), kind, ()),
            Output("probabilities", shares, builder.dtype, value.shape),
        ]

    def _indicator(self, builder, logits):
        positive = builder.node("Greater", [logits, builder.constant("zero", 0)], "positive")
        return builder.cast(positive, np.int64, "indicator")

    def _labels(self, builder, logits, kind):
        best = builder.node("ArgMax", [logits], "best", axis=1, keepdims=0)
        if kind == np.int64 and np.array_equal(self.classes, np.arange(len(self.classes))):
            return best
        classes = builder.constant("classes", self.classes, kind)
        return builder.node("Gather", [classes, best], "labels", axis=0)


class PixelClasses(Classes):
    """The label of every pixel of a segmenter, and the probability of every class.

    Parameters
    ----------
    classes : array of shape (n_classes,)
    data_format : str
        Of the probabilities: that of the input.
    """

    def __init__(self, classes, data_format):
        super().__init__(classes, False)
        self.data_format = data_format

    def write(self, builder, value):
        """Return the outputs of the model, given those of the network."""
        logits, kind = value.first(), label_dtype(self.classes)
        shares = builder.node("Softmax", [logits], "softmax", axis=1)
        shares = Value(builder, value.shape, FIRST, shares)
        return [
            Output("label", self._labels(builder, logits, kind), kind, value.shape[:2]),
            as_input_is("probabilities", builder, shares, self.data_format),
        ]


def label_dtype(classes):
    """Return the type of labels in a model: int64 for integers that it holds, object for texts."""
    kind = classes.dtype.kind
    if kind in "iu" and np.can_cast(classes.dtype, np.int64):
        return np.dtype(np.int64)
    return classes.dtype if kind in "fbu" else np.dtype(object)


class Targets:
    """The targets of a regressor in their own units: (N,) where there is one, as `predict`.

    Parameters
    ----------
    scales : (mean, scale), default=None
        By which outputs become targets, ``output * scale + mean``.
    link : {"identity", "log"}, default="identity"
        With "log", exp(output) is in the place of the output.
    """

    names = ("prediction",)

    def __init__(self, scales=None, link="identity"):
        self.scales = scales
        self.link = link

    def write(self, builder, value):
        """Return the outputs of the model, given those of the network."""
        tensor, shape = value.last(), value.shape
        if self.link == "log":
            tensor = builder.node("Exp", [tensor], "targets/exp")
        if self.scales is not None:
            mean = builder.constant("targets/mean", self.scales[0])
            scale = builder.constant("targets/scale", self.scales[1])
            tensor = builder.node("Mul", [tensor, scale], "targets/scaled")
            tensor = builder.node("Add", [tensor, mean], "targets/moved")
        if shape == (1,):
            tensor = builder.node("Squeeze", [tensor, builder.ints("targets/axis", 1)], "target")
            shape = ()
        return [Output("prediction", tensor, builder.dtype, shape)]


class PixelTargets:
    """The targets of a regressor of images, in their own units.

    Parameters
    ----------
    scales : (mean, scale) or None
        By which outputs become targets, ``output * scale + mean``, channel by channel.
    has_channels : bool
        Whether targets have an axis for channels.
    data_format : str
        Of targets with channels: that of the input.
    """

    names = ("prediction",)

    def __init__(self, scales, has_channels, data_format):
        self.scales = scales
        self.has_channels = has_channels
        self.data_format = data_format

    def write(self, builder, value):
        """Return the outputs of the model, given those of the network."""
        tensor = value.first()
        if self.scales is not None:
            mean, scale = (np.reshape(numbers, (-1, 1, 1)) for numbers in self.scales)
            scale = builder.constant("targets/scale", scale)
            tensor = builder.node("Mul", [tensor, scale], "targets/scaled")
            mean = builder.constant("targets/mean", mean)
            tensor = builder.node("Add", [tensor, mean], "targets/moved")
        if self.has_channels:
            value = Value(builder, value.shape, FIRST, tensor)
            return [as_input_is("prediction", builder, value, self.data_format)]
        tensor = builder.node("Squeeze", [tensor, builder.ints("targets/axis", 1)], "target")
        return [Output("prediction", tensor, builder.dtype, value.shape[:2])]


def as_input_is(name, builder, value, data_format):
    """Return an output: images in the format of the input, all else as it is."""
    first = data_format == CHANNELS_FIRST and len(value.shape) == 3
    tensor = value.first() if first else value.last()
    sides = input_sides(value.shape, CHANNELS_FIRST if first else CHANNELS_LAST)
    return Output(name, tensor, builder.dtype, sides)


class Features:
    """What a layer gives as flat rows, as `CNNFeatures.transform`."""

    names = ("features",)

    def write(self, builder, value):
        """Return the outputs of the model, given those of the network."""
        return [Output("features", value.flat(), builder.dtype, (prod(value.shape),))]


class Arrays:
    """What nodes of a network give: images in the format of its input, all else as it is.

    Parameters
    ----------
    names : tuple of str
        Paths of the nodes.
    data_format : str
        Of the input.
    """

    def __init__(self, names, data_format):
        self.names = names
        self.data_format = data_format

    def write(self, builder, *values):
        """Return the outputs of the model, given those of the network."""
        return [
            as_input_is(name, builder, value, self.data_format)
            for name, value in zip(self.names, values, strict=True)
        ]
