"""A network as an ONNX model."""

import numpy as np
import onnx
from onnx import helper

from cnnkit.files import atomic, tensors
from cnnkit.files.onnx.writing import ends, layers
from cnnkit.files.onnx.writing.builder import Builder
from cnnkit.files.onnx.writing.step import Step
from cnnkit.validate import shapes
from cnnkit.validate.arrays import check_range
from cnnkit.validate.values import as_choice

OWNER = "onnx.write"
OLDEST, NEWEST, USUAL = 13, 24, 17  # versions of ONNX's operators
DTYPES = ("float32", "float64")
LARGEST = (1 << 31) - (1 << 20)  # bytes of a file, which protobuf limits to 2 GiB
BATCH = "batch"  # name of the first axis, which may have any length


class Options:
    """How a model is written: checked, and the same for all kinds of model.

    Parameters
    ----------
    data_format : {"channels_last", "channels_first", "rows"}
    input_dtype : dtype
        Of the images that the model takes.
    dtype : {"float32", "float64"}
        What it computes in.
    opset : int
    """

    def __init__(self, data_format, input_dtype=None, dtype="float32", opset=USUAL):
        self.data_format = as_choice(data_format, "data_format", OWNER, tuple(ends.FORMS))
        name = dtype if isinstance(dtype, str) else np.dtype(dtype).name
        self.dtype = np.dtype(as_choice(name, "dtype", OWNER, DTYPES))
        self.input_dtype = self.dtype if input_dtype is None else as_numbers(input_dtype)
        newest = min(NEWEST, onnx.defs.onnx_opset_version())
        self.opset = shapes.as_int(opset, "opset", OWNER, OLDEST, newest)


def as_numbers(dtype):
    """Return a type of real numbers as a dtype of NumPy."""
    try:
        found = np.dtype(dtype)
    except TypeError:
        found = None
    if found is None or found.kind not in "fiub" or found.itemsize > 8:
        raise TypeError(
            f"{OWNER}: input_dtype must be a type of real numbers such as 'uint8', got {dtype!r}."
        )
    return found.newbyteorder("=")


def network_model(resolved, weights, options, answer, scales):
    """Return the `onnx.ModelProto` of a network.

    Parameters
    ----------
    resolved : Resolved
        Its graph.
    weights : mapping of path to array
    options : Options
    answer : Logits, Classes, Targets, Features or Arrays
        What the outputs of the network become.
    scales : (mean, factor)
        What is done to the input, or to each of several: see `read_input`.
    """
    check_layers(resolved.nodes)
    weights = converted(weights, options.dtype)
    builder = Builder(options.dtype, options.opset)
    for name in (*resolved.inputs, *answer.names):
        builder.name(name)
    given = {name: resolved.shapes[name] for name in resolved.inputs}
    found = {
        name: ends.read_input(builder, name, shape, options, scales)
        for name, shape in given.items()
    }
    for node in resolved.nodes:
        xs = [found[entry] for entry in node.inputs]
        own = {name: weights[f"{node.name}/{name}"] for name in resolved.specs[node.name]}
        step = Step(builder, node, xs, resolved.shapes[node.name], own)
        found[node.name] = layers.write(step)
    answers = answer.write(builder, *(found[path] for path in resolved.outputs))
    for each in answers:
        builder.output(each.tensor, each.name)
    formats = {name: ends.input_sides(shape, options.data_format) for name, shape in given.items()}
    graph = helper.make_graph(
        builder.nodes,
        "cnnkit",
        [tensor_info(name, options.input_dtype, shape) for name, shape in formats.items()],
        [tensor_info(each.name, each.dtype, each.shape) for each in answers],
        builder.constants,
    )
    opsets = [helper.make_opsetid("", options.opset)]
    return helper.make_model(
        graph,
        opset_imports=opsets,
        ir_version=helper.find_min_ir_version_for(opsets),
        producer_name="cnnkit",
        producer_version=tensors.version(),
    )


def converted(weights, dtype):
    """Return the weights of a network in another type, as a dict by path."""
    size = sum(array.size for array in weights.values()) * dtype.itemsize
    if size > LARGEST:
        raise ValueError(
            f"{OWNER}: weights must take at most 2 GiB, as an ONNX file does, got {size} bytes."
        )
    for path, array in weights.items():
        check_range(array, dtype, path, OWNER, always=True)
    return {path: array.astype(dtype) for path, array in weights.items()}


def check_layers(nodes):
    """Raise where layers are of classes that nobody can write, and name all of them."""
    strange = {type(layer).__name__: name for name, layer, _ in nodes if not layers.is_known(layer)}
    if strange:
        listed = ", ".join(f"{kind} at {name!r}" for kind, name in strange.items())
        raise ValueError(
            f"{OWNER}: layers must be cnnkit's own or have a method to_onnx, got {listed}."
        )


def tensor_info(name, dtype, shape):
    """Return the type of an input or output, for any number of samples."""
    kind = helper.np_dtype_to_tensor_dtype(np.dtype(dtype))
    return helper.make_tensor_value_info(name, kind, [BATCH, *shape])


def write(model, path):
    """Write a model to a file, whole or not at all, once onnx's checker has passed it."""
    content = model.SerializeToString()
    onnx.checker.check_model(content)
    atomic.replace(path, lambda file: file.write(content), OWNER)
