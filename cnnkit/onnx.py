"""Networks from and to ONNX files.

Writing needs the onnx package: ``pip install 'cnnkit[onnx]'``. Reading needs no other.
"""

from __future__ import annotations

import importlib
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from cnnkit.data import scaling
from cnnkit.estimators import (
    CNNClassifier,
    CNNFeatures,
    CNNImageRegressor,
    CNNRegressor,
    CNNSegmenter,
)
from cnnkit.estimators.exported import exported, input_scales, target_scales
from cnnkit.exceptions import ModelFormatError
from cnnkit.files.onnx.reading.conversion import FileWeights, find
from cnnkit.graph.graph import Graph
from cnnkit.network.network import Network
from cnnkit.validate.values import as_choice, short

if TYPE_CHECKING:
    from numpy.typing import DTypeLike

    from cnnkit.typing import Estimator, FilePath, InputShape

__all__ = ["load", "read", "register_skl2onnx", "write"]

OWNER = "onnx.write"
ESTIMATORS = (CNNClassifier, CNNRegressor, CNNSegmenter, CNNFeatures)
BEYOND = 64 << 20  # bytes that weights may take more than twice the file: some are one number there
OUTPUTS = ("probabilities", "logits")  # of a classifier


def read(
    path: FilePath,
    *,
    input_shape: InputShape | None = None,
    batched: bool = True,
    outputs: str | Sequence[str] | None = None,
) -> tuple[Graph, dict[str, Any]]:
    """Return the network of an ONNX file as a graph and its weights.

    The graph has the channels last, whatever the file has, and no transposes but those that move
    numbers. The file may come from anywhere: nothing in it is run, no other file is opened, and
    numbers stay in the file's bytes, read once.

    Parameters
    ----------
    path : str, bytes or path-like
        An ONNX file.
    input_shape : tuple or dict of tuple, default=None
        ``(H, W, C)`` of one sample, needed where the file leaves it open; of several inputs a dict
        of them by name.
    batched : bool, default=True
        Whether the first axis of arrays in the file are samples. If not, an array is one sample.
    outputs : str or list of str, default=None
        Names of the outputs in the file that are wanted. None are those of real numbers, or all
        where there are none: of a classifier's file the probabilities without the labels. What
        only other outputs need is not looked at.

    Returns
    -------
    graph : Graph
        Images are ``(H, W, C)``, also as outputs. Names of nodes are those of the file, with ``.``
        in the place of ``/``.
    weights : dict of arrays by path
        As `Network` has them, read-only. With ``input/mean`` and ``input/scale``, so that a network
        that starts from them takes images in the scale that the file wants. An estimator's
        `initial_weights` takes from it what its layers have, and leaves the rest.

    Raises
    ------
    ModelFormatError
        If anything about the file is wrong, or there are nodes that no layers express: then all
        of them are named, with operator, attribute and value.
    OSError
        If the file cannot be read.

    See Also
    --------
    load : A network that is ready to run.
    cnnkit.Graph.with_head : Another end for a graph.

    Notes
    -----
    Operators of opsets 7 to 28. Integers are computed as real numbers, exact up to 2**24, and do
    not wrap around. Constants that are no weights of a layer become a `Affine` that is not trained.

    Examples
    --------
    >>> import tempfile, numpy as np
    >>> from cnnkit import CNNClassifier, Conv, GlobalAvgPool, Sequential, gap_head, onnx
    >>> there = Sequential([Conv(4, 3, padding="valid"), GlobalAvgPool()])
    >>> weights = {"conv1/w": np.ones((3, 3, 1, 4)), "conv1/b": np.zeros(4)}
    >>> with tempfile.NamedTemporaryFile(suffix=".onnx") as file:
    ...     onnx.write((there, weights, (8, 8, 1)), file.name)
    ...     graph, weights = onnx.read(file.name)
    >>> sorted(weights)
    ['conv1/b', 'conv1/w', 'input/mean', 'input/scale']
    >>> clf = CNNClassifier(graph.with_head(gap_head()), initial_weights=weights)
    """
    found = find(path, "onnx.read", input_shape, batched, outputs)
    return found.graph, FileWeights(found.weights | _scales(found))


def load(
    path: FilePath,
    *,
    input_shape: InputShape | None = None,
    batched: bool = True,
    outputs: str | Sequence[str] | None = None,
) -> Network:
    """Return the network of an ONNX file, ready for prediction.

    `CNNFeatures` takes it in the place of an estimator: a transformer that needs no training.

    Parameters
    ----------
    path : str, bytes or path-like
        An ONNX file.
    input_shape : tuple or dict of tuple, default=None
        As for `read`.
    batched : bool, default=True
        As for `read`.
    outputs : str or list of str, default=None
        As for `read`.

    Returns
    -------
    network : Network
        For one sample at a time; ``network.resized(n)`` is for more. What it computes with is
        float32, float64 where the file's inputs are. Images are taken as they are, uint8 too.

    Raises
    ------
    ModelFormatError
        As for `read`; also if the weights are far larger than the file.
    MemoryError
        If they are larger than the memory there is.

    Examples
    --------
    >>> import tempfile, numpy as np
    >>> from cnnkit import CNNFeatures, Conv, GlobalAvgPool, Sequential, onnx
    >>> there = Sequential([Conv(4, 3, padding="valid"), GlobalAvgPool()])
    >>> weights = {"conv1/w": np.ones((3, 3, 1, 4)), "conv1/b": np.zeros(4)}
    >>> with tempfile.NamedTemporaryFile(suffix=".onnx") as file:
    ...     onnx.write((there, weights, (8, 8, 1)), file.name)
    ...     network = onnx.load(file.name)
    >>> features = CNNFeatures(network, node="conv1").fit(np.ones((1, 8, 8)))
    >>> features.transform(np.ones((5, 8, 8))).shape
    (5, 144)
    """
    found = find(path, "onnx.load", input_shape, batched, outputs)
    itemsize = found.dtype.itemsize
    size = sum(array.size for array in found.weights.values()) * itemsize
    if size > 2 * found.size + BEYOND:
        raise ModelFormatError(
            f"onnx.load: weights must be in the file, got {size} bytes of them in a file of "
            f"{found.size}: onnx.read takes such a file."
        )
    shapes = found.input_shapes
    scales = _scales(found)
    network = Network(
        found.graph,
        shapes if len(shapes) > 1 else shapes["input"],
        None,
        dtype=found.dtype,
        scales=(scaling.INPUT,) if scales else (),
    )
    for path_, array in (found.weights | scales).items():
        network.weights[path_] = array
    network.weights.check_numbers("onnx.load")
    return network


def write(
    model: Estimator | CNNFeatures | Network | tuple[Graph, Mapping[str, Any], InputShape],
    path: FilePath,
    *,
    output: Literal["probabilities", "logits"] | None = None,
    data_format: Literal["channels_last", "channels_first", "rows"] | None = None,
    input_dtype: DTypeLike | None = None,
    dtype: DTypeLike = "float32",
    opset: int | None = None,
) -> None:
    """Write a network as an ONNX file, which other programs run.

    What the estimator does to images is part of the model: standardisation with the statistics of
    its training set, uint8 divided by 255 where there are none, and on the other side labels and
    probabilities, or targets in their own units. The number of samples is left free. In the file
    images have channels first; transposes are at the input alone, and only where it has channels
    last and more than one.

    Parameters
    ----------
    model : estimator, Network or (graph, weights, input_shape)
        An estimator is fitted: a CNNClassifier, CNNRegressor, CNNSegmenter, CNNImageRegressor or
        CNNFeatures. Weights are a mapping of path to array; several inputs have a dict of shapes by
        name.
    path : str, bytes or path-like
        By custom ``.onnx``. A file that is there is replaced, by a whole one or not at all.
    output : {"probabilities", "logits"}, default=None
        Of a classifier or segmenter: the outputs ``label`` and ``probabilities``, when None, too,
        or ``logits`` alone, what comes before softmax or, of several labels, the sigmoid.
    data_format : {"channels_last", "channels_first", "rows"}, default=None
        Of images: (N, H, W, C), (N, C, H, W), or flat rows of their numbers with channels last.
        None is "rows" for an estimator with `image_shape` or a network for images of one pixel,
        which have tables or flat rows as a rule, else "channels_last". Outputs that are images have
        the same format; they have channels last where the input is rows.
    input_dtype : dtype, default=None
        Of the images that the model takes, such as ``"uint8"``; `dtype` when None.
    dtype : {"float32", "float64"}, default="float32"
        Of weights and arithmetic. ONNX Runtime computes no convolutions in float64: networks that
        were trained in it are written in float32, too, unless "float64" is asked for.
    opset : int, default=None
        Version of ONNX's operators, from 13 to 24 and no newer than the onnx package; 17 when None.

    Raises
    ------
    ImportError
        Without the onnx package.
    TypeError, ValueError
        If an argument, or a layer of one's own without a method `to_onnx`, cannot be written; if
        the estimator predicts with `test_time_augmentation`, whose changes are random; if weights
        are not finite in `dtype`.
    NotFittedError
        If an estimator is not fitted.
    OSError
        If the file cannot be written.

    Notes
    -----
    Outputs are ``label`` (N,), of type int64 for integers, text for text, and ``probabilities`` (N,
    n_classes) of a classifier; of several labels both are (N, n_classes). A regressor has
    ``prediction``, (N,) or (N, n_targets), `CNNFeatures` has ``features`` (N, n_features). Of a
    segmenter labels are (N, H, W), and probabilities images of n_classes channels; predictions of a
    regressor of images are (N, H, W), or images where y had channels. A `Network` has an output
    with the path of each node that is one. The input is called ``input``, or has the name it has in
    a graph of several.

    Examples
    --------
    >>> import tempfile, numpy as np
    >>> from cnnkit import CNNClassifier, onnx
    >>> X, y = np.random.default_rng(0).random((20, 8, 8)), np.repeat(["a", "b"], 10)
    >>> clf = CNNClassifier(max_iter=1, random_state=0).fit(X, y)
    >>> import onnxruntime
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     onnx.write(clf, f"{folder}/model.onnx")
    ...     session = onnxruntime.InferenceSession(f"{folder}/model.onnx")
    >>> images = X[..., None].astype("float32")
    >>> label, probabilities = session.run(None, {"input": images})
    >>> label.shape, probabilities.shape
    ((20,), (20, 2))
    """
    files = _needing_onnx("cnnkit.files.onnx.writing.model", OWNER)
    made = _model(files, model, output, data_format, input_dtype, dtype, opset)
    files.write(made, path)


def register_skl2onnx() -> None:
    """Register converters of the estimators with skl2onnx, for pipelines with a network in them.

    Afterwards ``skl2onnx.to_onnx`` takes what holds a `CNNClassifier`, `CNNRegressor` or
    `CNNFeatures`: a Pipeline, a CalibratedClassifierCV, a VotingClassifier, ... Options of a
    classifier are those that users know: ``zipmap``, ``nocl``, ``output_class_labels`` and
    ``raw_scores``, what `decision_function` gives. Inputs are flat rows (N, features) or, of an
    estimator alone, images (N, H, W, C). Networks compute in float32; from float64 as input their
    outputs are made float64.

    Raises
    ------
    ImportError
        Without the package skl2onnx.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from sklearn.pipeline import make_pipeline
    >>> from sklearn.preprocessing import StandardScaler
    >>> from cnnkit import CNNClassifier, onnx
    >>> X, y = load_digits(return_X_y=True)
    >>> clf = CNNClassifier(image_shape=(8, 8), max_iter=1, random_state=0)
    >>> pipeline = make_pipeline(StandardScaler(), clf).fit(X, y)
    >>> onnx.register_skl2onnx()
    >>> from skl2onnx import to_onnx
    >>> model = to_onnx(pipeline, X[:1].astype("float32"))
    >>> [output.name for output in model.graph.output]
    ['output_label', 'output_probability']
    """
    _needing_onnx("cnnkit.estimators.onnx_converters", "onnx.register_skl2onnx").register()


def _needing_onnx(module, owner):
    """Import a module of ours that needs onnx or skl2onnx, or say how to install them."""
    try:
        return importlib.import_module(module)
    except ImportError as error:
        advice = {"onnx": "cnnkit[onnx]", "skl2onnx": "skl2onnx"}.get(error.name)
        if advice is None:
            raise
        raise ImportError(
            f"{owner} needs the package {error.name}: pip install {advice}"
        ) from error


def _model(files, model, output, data_format, input_dtype, dtype, opset):
    """Return the `onnx.ModelProto` of what `write` takes."""
    network, estimator, part = _parts(model)
    if data_format is None:
        data_format = "channels_last" if estimator is None else _usual_format(estimator, network)
    opset = files.USUAL if opset is None else opset
    options = files.Options(data_format, input_dtype, dtype, opset)
    answer = _answer(files, model, estimator, network, output, data_format)
    scales = input_scales(network, options.input_dtype, options.dtype)
    return files.network_model(part, network.weights, options, answer, scales)


def _parts(model):
    """Return the network of a model, its estimator or None, and the part of it that is wanted."""
    if isinstance(model, tuple) and len(model) == 3:
        model = _bound(*model)
    if isinstance(model, Network):
        return model, None, model.resolved
    if isinstance(model, ESTIMATORS):
        return exported(model, OWNER)
    raise TypeError(
        f"{OWNER}: model must be a CNNClassifier, CNNRegressor, CNNSegmenter, CNNImageRegressor, "
        f"CNNFeatures, Network or (graph, weights, input_shape), got {short(model)}."
    )


def _bound(graph, weights, input_shape):
    """Return a graph with its weights as a network."""
    if not isinstance(graph, Graph):
        raise TypeError(f"{OWNER}: graph must be one, got {short(graph)}.")
    if not isinstance(weights, Mapping):
        raise TypeError(
            f"{OWNER}: weights must be a mapping of path to array, got {short(weights)}."
        )
    double = any(np.asarray(array).dtype == np.float64 for array in weights.values())
    dtype = np.float64 if double else np.float32
    network = Network(graph, input_shape, None, dtype=dtype, scales=scaling.kept(weights))
    network.weights.take(weights, OWNER)
    return network


def _usual_format(estimator, network):
    """Return the format in which an estimator is given images, as a rule."""
    flat = estimator.image_shape is not None or network.input_shape[:2] == (1, 1)
    return "rows" if flat else "channels_last"


def _answer(files, model, estimator, network, output, data_format):
    """Return what the outputs of the network become."""
    ends = files.ends
    if isinstance(model, (CNNClassifier, CNNSegmenter)):
        output = "probabilities" if output is None else output
        if as_choice(output, "output", OWNER, OUTPUTS) == "logits":
            return ends.Logits(data_format)
        if isinstance(model, CNNSegmenter):
            return ends.PixelClasses(estimator.classes_, data_format)
        return ends.Classes(estimator.classes_, estimator.multilabel_)
    if output is not None:
        raise ValueError(
            f"{OWNER}: output must be None for all but a CNNClassifier or CNNSegmenter, got "
            f"{output!r}."
        )
    if isinstance(model, CNNImageRegressor):
        return ends.PixelTargets(target_scales(network), estimator.has_channels_, data_format)
    if isinstance(model, CNNRegressor):
        return ends.Targets(target_scales(network), estimator.link_)
    if isinstance(model, CNNFeatures):
        return ends.Features()
    return ends.Arrays(network.resolved.outputs, data_format)


def _scales(found):
    """Return the statistics of a network that takes its one input as it is; none of several."""
    if len(found.input_shapes) > 1:
        return {}
    channels = found.input_shapes["input"][-1:]
    numbers = {"input/mean": 0.0, "input/scale": 1.0}
    return {
        path: np.broadcast_to(found.dtype.type(number), channels)
        for path, number in numbers.items()
    }
