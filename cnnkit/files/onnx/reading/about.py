"""What an ONNX file says about itself: who wrote it, its outputs, the labels of a classifier."""

from typing import NamedTuple

import numpy as np

from cnnkit.exceptions import ModelFormatError
from cnnkit.files.onnx.reading import tensors, wire
from cnnkit.files.onnx.reading.conversion import is_real, read_file
from cnnkit.validate.pickles import FAULTS

TEXT, LABELS = 8, (6, 7, 8)  # data types: string; int32, int64 and string
PASSED = ("Cast", "Flatten", "Identity", "Reshape", "Squeeze", "Unsqueeze")  # they keep labels
CHOSEN = ("Gather", "ArrayFeatureExtractor")  # they take labels, by numbers, of a constant


class About(NamedTuple):
    """What a file says.

    Attributes
    ----------
    producer : str or None
        The program that wrote it.
    outputs : list of str
        Names of the outputs of real numbers.
    labels : array or None
        Of a classifier whose file gives labels: ints or texts, by the numbers of classes.
    """

    producer: str | None
    outputs: list
    labels: np.ndarray | None


def about(path, owner):
    """Return the `About` of a file; anything wrong is a ModelFormatError that names the file."""
    data, name = read_file(path, owner)
    try:
        model = wire.parse(data)
        if model.graph is None:
            raise ModelFormatError("onnx: a model must have a graph, got none.")
        outputs = [value.name or "" for value in model.graph.output if is_real(value)]
        return About(model.producer_name, outputs, _labels(model.graph))
    except FAULTS as error:
        text = str(error).removeprefix("onnx: ") or repr(error)
        raise ModelFormatError(f"{owner}: {name!r}: {text}") from error


def _labels(graph):
    """Return the constant from which an output of labels is taken, or None."""
    makers = {output: node for node in graph.node for output in node.output}
    constants = {tensor.name: tensor for tensor in graph.initializer}
    for value in graph.output:
        kind = value.type.tensor_type if value.type is not None else None
        node = makers.get(value.name) if kind is not None and kind.elem_type in LABELS else None
        for _ in range(len(graph.node)):  # there may be a circle
            if node is None or node.op_type not in PASSED or not node.input:
                break
            node = makers.get(node.input[0])
        if node is not None and node.op_type in CHOSEN and node.input:
            tensor = constants.get(node.input[0])
            if tensor is not None:
                return _array(tensor).reshape(-1)
    return None


def _array(tensor):
    """Return a tensor of numbers or texts."""
    if tensor.data_type != TEXT:
        return tensors.array(tensor)
    return np.array([bytes(text).decode() for text in tensor.string_data])
