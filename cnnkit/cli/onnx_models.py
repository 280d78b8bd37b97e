"""Networks of ONNX files, with what ``predict`` uses of an estimator."""

from math import prod
from pathlib import Path

import numpy as np

from cnnkit import functional, onnx
from cnnkit.cli import files
from cnnkit.cli.messages import shown, warn
from cnnkit.data import images, scaling
from cnnkit.data.reading import opened
from cnnkit.exceptions import ModelFormatError
from cnnkit.files.onnx.reading.about import about
from cnnkit.layers import Flatten, Identity, LogSoftmax, Reshape, Sigmoid, Softmax
from cnnkit.network.prediction import check_outputs, inference_network, predict
from cnnkit.validate.arrays import real_dtype

OWNER = "predict"
PROBABILITIES = "probabilities"  # the output of a classifier in a file of `cnnkit.onnx.write`
OURS = "cnnkit"  # who wrote such a file
AS_THEY_ARE = "none"  # word of --preprocessing
PASSED = (Flatten, Identity, Reshape)  # layers that leave numbers as they are


class Values:
    """A network that gives a row of numbers for each image.

    Parameters
    ----------
    network : Network
        It reads images or flat rows, and has one output.
    input_shape : tuple
        ``(H, W, C)`` of an image.
    """

    def __init__(self, network, input_shape):
        self.network = network
        self.input_shape_ = input_shape

    def predict(self, X):
        """Return the numbers of all images, (n, outputs)."""
        real_dtype(X.dtype, "X", OWNER)
        if not len(X) or not np.isfinite(X).all():
            got = "NaN or infinite ones" if len(X) else "no images"
            raise ValueError(f"{OWNER}: X must hold finite numbers, got {got}.")
        reads_rows = len(self.network.input_shape) == 1
        if not reads_rows or prod(X.shape[1:]) != prod(self.input_shape_):
            images.check_input_shape(X, self.input_shape_, OWNER, reason="as the file says")
        X = opened(X, OWNER)
        scaling.warn_of_another_scale(X, self.network.weights, OWNER, 2, "see --preprocessing")
        outputs = predict(inference_network(self.network, len(X)), X)
        check_outputs(outputs, OWNER)
        return outputs.reshape(len(X), -1)


class Classes(Values):
    """A network whose numbers are, or become, probabilities of classes.

    Parameters
    ----------
    network, input_shape :
        As for `Values`.
    last : Layer
        What the network ends in.
    classes : array of shape (n_classes,)
    """

    def __init__(self, network, input_shape, last, classes):
        super().__init__(network, input_shape)
        self.last = last
        self.classes_ = classes
        self.multilabel_ = isinstance(last, Sigmoid)

    def predict_proba(self, X):
        """Return probabilities of all images, (n, n_classes)."""
        outputs = self.predict(X)
        if isinstance(self.last, (Softmax, Sigmoid)):
            return outputs
        return functional.softmax(outputs)


def load(options):
    """Return the network of the ONNX file that ``predict`` is given, as `Values` or `Classes`."""
    path = Path(options.model)
    said = about(path, "onnx.load")
    output = _output(options, said.outputs)
    network = _network(path, options.image_shape and (*options.image_shape, 1)[:3], output)
    shape = _image_shape(network, options)
    if options.preprocessing in scaling.PREPROCESSING:
        for name, array in scaling.fixed(options.preprocessing, shape[-1], OWNER).items():
            network.weights[name] = np.resize(array, network.weights[name].shape)  # rows: repeated
    elif options.preprocessing is None and said.producer != OURS:
        warn(
            f"{shown(path)} does not say how images are scaled: it is given their numbers as they "
            f"are, 0 to 255 of image files, unless --preprocessing says another way."
        )
    last, count = _last_layer(network), network.output[0].size
    gives_classes = options.labels is not None or options.top is not None
    if isinstance(last, (Softmax, LogSoftmax)) or output == PROBABILITIES or gives_classes:
        return Classes(network, shape, last, _classes(options, said.labels, count))
    return Values(network, shape)


def _output(options, names):
    """Return the name of the output that is wanted, or None for the only one."""
    if options.output_name is None and len(names) > 1:
        options.refuse(f"argument --output-name: must be one of {names}, as the file has several")
    if options.output_name is None and names == [PROBABILITIES]:
        return PROBABILITIES
    return options.output_name


def _network(path, given, output):
    """Return the network of a file; `given` is ``(H, W, C)`` where the file leaves that open."""
    try:
        network = onnx.load(path, outputs=output)
    except ModelFormatError:
        if given is None:
            raise
        network = onnx.load(path, input_shape=given, outputs=output)
    if isinstance(network.input_shape, dict):
        raise ValueError(
            f"{shown(path)} must read one array of images, got {list(network.input_shape)}."
        )
    if network.output[0].size != network.output.shape[-1]:
        raise ValueError(
            f"{shown(path)} must give a row of numbers for each image, got an output of shape "
            f"{network.output.shape[1:]}: cnnkit.onnx.load runs it in Python."
        )
    return network


def _image_shape(network, options):
    """Return ``(H, W, C)`` of the images: of flat rows it is given, or a row is one pixel."""
    shape, given = network.input_shape, options.image_shape and (*options.image_shape, 1)[:3]
    if len(shape) == 1:
        wanted = given or (1, 1, *shape)
        if prod(wanted) != prod(shape):
            options.refuse(
                f"argument --image-shape: must multiply to the {prod(shape)} numbers of a row"
            )
        return wanted
    if len(shape) > 3:
        raise ValueError(f"{shown(options.model)} must read images, got arrays of shape {shape}.")
    shape = (*shape, 1)[:3]
    if given not in (None, shape):
        options.refuse(
            f"argument --image-shape: must be {'x'.join(map(str, shape))}, as the file says"
        )
    return shape


def _last_layer(network):
    """Return the layer that the output of a network comes from."""
    nodes = {node.name: node for node in network.resolved.nodes}
    node = nodes[network.resolved.outputs[0]]
    while isinstance(node.layer, PASSED) and node.inputs[0] in nodes:
        node = nodes[node.inputs[0]]
    return node.layer


def _classes(options, found, count):
    """Return the names of classes: of --labels, or in the file, or their numbers."""
    if options.labels is not None:
        names = files.labels(options.labels)
        if len(names) != count:
            raise ValueError(
                f"--labels: {shown(options.labels)} must have a line for each of {count} classes, "
                f"got {len(names)}."
            )
        return np.array(names)
    return np.arange(count) if found is None or len(found) != count else found
