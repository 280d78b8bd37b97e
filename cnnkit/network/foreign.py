"""Weights of networks that were trained elsewhere, under our paths and with our axes."""

from __future__ import annotations

import inspect
import re
from collections.abc import Mapping, Sequence
from contextlib import suppress
from math import prod
from typing import Any

import numpy as np

from cnnkit import models
from cnnkit.data import scaling
from cnnkit.graph.graph import Graph, Sequential
from cnnkit.layers import BatchNorm, Dense, Flatten, GlobalAvgPool, GlobalMaxPool
from cnnkit.models.foreign_names import has_weights, tables
from cnnkit.validate.arrays import real_dtype
from cnnkit.validate.values import short

OWNER = "convert_weights"
AXES = (2, 3, 1, 0), (1, 2, 3, 0)  # of (F, C, KH, KW), and of (F, KH, KW, C), as MLX has it
WIDE = (Dense, GlobalAvgPool, GlobalMaxPool)  # behind them a row is no image
PARTS = {  # what the arrays of a layer are, by the ends of their names; the first are PyTorch's
    "weight": "weight",
    "bias": "bias",
    "running_mean": "mean",
    "running_var": "var",
    "num_batches_tracked": None,
    "kernel": "kernel",
    "depthwise_kernel": "kernel",
    "gamma": "weight",
    "beta": "bias",
    "moving_mean": "mean",
    "moving_variance": "var",
}
NAMES = {"w": "weight", "b": "bias", "gamma": "weight", "beta": "bias"}
MOST = 8  # names in an error


def convert_weights(
    mapping: Mapping[str, Any],
    layers: Any,
    image_shape: Sequence[int] | None = None,
    *,
    head: bool = True,
    preprocessing: str | Sequence[Any] | None = None,
) -> dict[str, np.ndarray]:
    """Return weights of another library by the paths of one of our networks, with our axes.

    Names of torchvision, timm and Keras are known for the networks of `cnnkit.models`. For another
    network, every layer must have the name there that it has here, or be the only one of its shape.
    The result is for `initial_weights` of an estimator, and for ``Network.weights.take``.

    Parameters
    ----------
    mapping : dict of arrays
        Arrays by their names there, as from `read_weights`. Convolutions have the axes (F, C, KH,
        KW) of PyTorch, (KH, KW, C, F) of Keras if they are called ``kernel``, or (F, KH, KW, C).
    layers : str, function, list or Graph
        The network here, as for an estimator.
    image_shape : tuple (H, W, C), default=None
        Shape of the images; None means the published shape of a model.
    head : bool, default=True
        Whether the layers with one filter or unit per output are part of the result. Without them,
        another task starts from the others.
    preprocessing : str or (mean, scale), default=None
        What is done to images with numbers from 0 to 255: the mean is subtracted, and the rest
        divided by the scale, each a number or one per channel. It becomes ``input/mean`` and
        ``input/scale`` of the result, which an estimator uses in the place of the statistics of its
        training images. A word is one of `cnnkit.data.scaling.PREPROCESSING`: "imagenet" for
        torchvision and most of timm, "inception" for -1 to 1, "lite" for EfficientNet-Lite, "unit"
        for 0 to 1; or "auto" for the one that weights with these names were trained with, where
        there is one.

    Returns
    -------
    weights : dict of arrays
        Arrays by path, such as ``"conv1/w"``.

    Raises
    ------
    ValueError
        If layers are missing or left over, or have another shape; the error lists all. If
        `preprocessing` is not known.

    See Also
    --------
    read_weights : The mapping of a file.

    Examples
    --------
    >>> import numpy as np
    >>> from cnnkit import Dense, GlobalAvgPool, Conv, io
    >>> there = {"conv.weight": np.ones((4, 3, 5, 5)), "conv.bias": np.ones(4)}
    >>> there |= {"fc.weight": np.ones((2, 4)), "fc.bias": np.ones(2)}
    >>> here = [Conv(4, 5), GlobalAvgPool(), Dense(2)]
    >>> weights = io.convert_weights(there, here, (8, 8, 3), preprocessing="imagenet")
    >>> {path: array.shape for path, array in weights.items() if "/w" in path}
    {'conv1/w': (5, 5, 3, 4), 'dense1/w': (4, 2)}
    """
    modules = _modules(mapping)
    graph, image_shape = _graph(layers, image_shape)
    heads = {node.name for node in graph.flattened() if _is_head(node.layer)}
    if not head:
        modules = _without_heads(modules, graph, heads)
    source, names = _known(graph, heads, modules)
    n_outputs = _count(modules, [names[path] for path in heads if path in names])
    resolved = graph.resolve(image_shape, n_outputs, OWNER)
    paths = [path for path, specs in resolved.specs.items() if specs]
    paths = [path for path in paths if head or path not in heads]
    faults = []
    for axes in AXES:
        named = {path: names[path] for path in paths} if names else None
        found, problems = _converted(paths, named, modules, resolved, source, axes)
        if not problems:
            break
        faults.append(problems)
    else:
        raise ValueError(f"{OWNER}: mapping must have the weights of layers, got {faults[0]}.")
    _check_needs(source, graph)
    if preprocessing is not None:
        found |= scaling.fixed(_settled(preprocessing, source), image_shape[-1], OWNER)
    return found


def _settled(preprocessing, source):
    """Return what images are put through; "auto" is what the weights of the source need."""
    if not isinstance(preprocessing, str) or preprocessing != "auto":
        return preprocessing
    word = source.preprocessing if source is not None else None
    if word is None:
        raise ValueError(
            f"{OWNER}: preprocessing must be one of {list(scaling.PREPROCESSING)} or (mean, scale) "
            f"for these weights, whose names do not say it, got 'auto'."
        )
    return word


def _modules(mapping):
    """Return the arrays by layer and part there, with their names: ``{layer: {part: name}}``."""
    if not isinstance(mapping, Mapping) or not all(isinstance(name, str) for name in mapping):
        raise TypeError(f"{OWNER}: mapping must have arrays by name, got {short(mapping)}.")
    start = "module." if all(name.startswith("module.") for name in mapping) else ""
    modules, strange = {}, []
    for name in mapping:
        layer, _, end = re.sub(r":0$", "", name.removeprefix(start)).rpartition(
            "/" if "/" in name else "."
        )
        if end not in PARTS:
            strange.append(name)
        elif PARTS[end] is not None:
            layer = layer.rpartition("/")[2]  # Keras names a layer and its variables alike
            array = np.asarray(mapping[name])
            real_dtype(array.dtype, name, OWNER)
            modules.setdefault(layer, {})[PARTS[end]] = (name, array)
    if strange:
        raise ValueError(f"{OWNER}: names must end in one of {list(PARTS)}, got {_some(strange)}.")
    return modules


def _graph(layers, image_shape):
    """Return `layers` as a graph, and the shape of its images."""
    model = models.find(layers)
    if model is None:
        if image_shape is None:
            raise ValueError(f"{OWNER}: image_shape must be given for layers of your own.")
        return layers if isinstance(layers, Graph) else Sequential(layers), tuple(image_shape)
    if image_shape is None:
        image_shape = inspect.signature(model).parameters["image_shape"].default
    return model(None, image_shape), tuple(image_shape)


def _is_head(layer):
    return layer.per_output is not None and getattr(layer, layer.per_output) is None


def _known(graph, heads, modules):
    """Return the `Source` and the names there by path of the best table, or None and {}."""
    paths = {node.name for node in graph.flattened(1) if has_weights(node.layer)}
    best, most = (None, {}), 0
    for _, _, source, names in tables():
        if paths - heads <= names.keys():
            count = sum(names[path] in modules for path in paths - heads)
            if 2 * count > len(paths) and count > most:
                best, most = (source, names), count
    return best


def _count(modules, names):
    """Return the number of outputs: that of the layers there with these names."""
    for name in names:
        kind, (_, array) = next(iter(modules.get(name, {"bias": ("", np.zeros(1))}).items()))
        return array.shape[-1] if kind == "kernel" else array.shape[0]
    return 1


def _without_heads(modules, graph, heads):
    """Return the layers there without those that the tables name for `heads`."""
    _, names = _known(graph, heads, modules)
    return {
        name: parts
        for name, parts in modules.items()
        if name not in {names.get(path) for path in heads}
    }


def _converted(paths, names, modules, resolved, source, axes):
    """Return the arrays by path, and a text of what is wrong, empty if nothing is."""
    nodes = {node.name: node for node in resolved.nodes}
    found, wrong, missing = {}, [], []

    def fitting(path, name):
        flat = _flattened(nodes[path], nodes, resolved.shapes)
        return _arrays(nodes[path].layer, resolved.specs[path], modules[name], flat, source, axes)

    if names is None:
        names = _by_shape(paths, modules, fitting)
    for path in paths:
        name = names.get(path)
        if name not in modules:
            missing.append(f"{path} ({name})" if name else path)
            continue
        try:
            found |= {f"{path}/{part}": a for part, a in fitting(path, name).items()}
        except ValueError as error:
            wrong.append(f"{path} from {name}: {error}")
    left = sorted(modules.keys() - {names.get(path) for path in paths})
    kinds = {"missing": missing, "left over": left, "wrong": wrong}
    return found, "; ".join(f"{kind} {_some(names)}" for kind, names in kinds.items() if names)


def _by_shape(paths, modules, fitting):
    """Return the names there by path: equal names, then layers that alone have a shape."""
    names = {path: name for path in paths for name in (path.replace("/", "."),) if name in modules}
    fits = {}
    for path in paths:
        for name in modules:
            with suppress(ValueError):
                fitting(path, name)
                fits.setdefault(path, set()).add(name)
    names = {path: name for path, name in names.items() if name in fits.get(path, ())}
    while True:
        used = set(names.values())
        alone = {
            path: min(free)
            for path in paths
            if path not in names and len(free := fits.get(path, set()) - used) == 1
        }
        if not alone or len(set(alone.values())) < len(alone):
            return names
        names |= alone


def _arrays(layer, specs, parts, flat, source, axes):
    """Return the arrays of a layer with our axes; raise a ValueError with what is wrong."""
    found, parts = {}, dict(parts)
    for name, spec in specs.items():
        kind = "kernel" if name == "w" and "kernel" in parts else NAMES.get(name, name)
        if kind not in parts:
            raise ValueError(f"no {kind}")
        _, array = parts.pop(kind)
        if name == "w":
            array = _with_our_axes(array, spec.shape, kind == "kernel", flat, axes)
        if array.shape != tuple(spec.shape):
            raise ValueError(f"{name} must have shape {tuple(spec.shape)}, got {array.shape}")
        found[name] = array
    if parts:
        raise ValueError(f"a {min(parts)} besides")
    if isinstance(layer, BatchNorm) and source is not None and source.eps not in (None, layer.eps):
        var = found["var"].astype(np.float64)
        change = np.sqrt((var + layer.eps) / (var + source.eps))
        found["gamma"] = (found["gamma"] * change).astype(found["gamma"].dtype)
    return found


def _with_our_axes(array, shape, keras, flat, axes):
    """Return the weights of a convolution or dense layer with our axes."""
    if keras:
        same = array.size == prod(shape) and array.ndim == 4
        return array.reshape(shape) if same and array.shape[:2] in (shape[:2], (1, 1)) else array
    if array.ndim == 2 and flat and axes == AXES[0] and array.shape[1] == prod(flat):
        H, W, C = flat
        array = array.reshape(-1, C, H, W)
    if array.ndim == 4:
        array = array.transpose(axes)
    elif array.ndim == 2:
        array = array.T[None, None]
    if array.ndim == 4 and len(shape) == 2:
        array = array.reshape(-1, array.shape[-1])
    return array


def _flattened(node, nodes, shapes):
    """Return the shape of the images that a dense layer reads as a row, or None."""
    if not isinstance(node.layer, Dense):
        return None
    while node is not None:
        before = nodes.get(node.inputs[0])
        if isinstance(node.layer, Flatten):
            return shapes[node.inputs[0]]
        if node.inputs and before is not None and isinstance(before.layer, WIDE):
            return None
        node = before
    return None


def _check_needs(source, graph):
    """Raise unless the network has the hyper-parameters without which the weights mislead."""
    layers = {node.name: node.layer for node in graph.flattened(1)}
    for path, (name, wanted) in (source.needs if source else {}).items():
        got = getattr(layers[path], name)
        if got != wanted:
            raise ValueError(
                f"{OWNER}: these weights need {name}={wanted!r} of {path}, got {got!r}: the "
                f"network of cnnkit.models has a parameter for it."
            )


def _some(names):
    return f"{names[:MOST]}" + (f" and {len(names) - MOST} more" if len(names) > MOST else "")
