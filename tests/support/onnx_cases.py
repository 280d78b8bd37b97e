"""The node tests of the onnx package, and models of files run by a `Network`."""

import contextlib
import io
import warnings

import numpy as np

from cnnkit import Network
from cnnkit.files.onnx.reading import conversion

OPERATORS = [
    "Add",
    "AveragePool",
    "BatchNormalization",
    "Clip",
    "Concat",
    "Conv",
    "Div",
    "Dropout",
    "Flatten",
    "Gemm",
    "GlobalAveragePool",
    "GlobalMaxPool",
    "HardSwish",
    "Identity",
    "LRN",
    "LeakyRelu",
    "MatMul",
    "MaxPool",
    "Mul",
    "Pad",
    "ReduceMean",
    "Relu",
    "Reshape",
    "Resize",
    "Sigmoid",
    "Softmax",
    "Squeeze",
    "Sub",
    "Sum",
    "Swish",
    "Tanh",
    "Transpose",
    "Unsqueeze",
    "Upsample",
]
LATER = ["ConvTranspose", "Elu", "HardSigmoid", "LogSoftmax", "PRelu", "Selu", "Softplus"]


def collect(operators):
    """Return the node tests of operators: pairs of a name and a case."""
    from onnx.backend.test.case.node import collect_testcases

    with contextlib.redirect_stdout(io.StringIO()), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # numbers too large for a type are what some cases test
        found = collect_testcases(None)
    return [
        case
        for case in found
        if len(case.model.graph.node) == 1 and case.model.graph.node[0].op_type in operators
    ]


def with_constants(model, arrays):
    """Return a model of which all inputs but the first are constants."""
    from onnx import numpy_helper

    found = type(model)()
    found.CopyFrom(model)
    for value, array in zip(model.graph.input[1:], arrays[1:], strict=True):
        found.graph.initializer.append(numpy_helper.from_array(np.asarray(array), value.name))
    return found


def run(data, arrays, batched=True, input_shape=None, outputs=None):
    """Return the outputs of a model, given as bytes, as the file has them, for arrays by name."""
    found = conversion.convert(data, input_shape, batched, outputs)
    inputs = list(found.input_shapes)
    given = {}
    for name in inputs:
        array = np.asarray(arrays[found.file_names[name]])
        array = array if batched else array[None]
        order = found.orders[name]
        array = array.transpose(0, *(side + 1 for side in order))
        given[name] = array.reshape(len(array), *found.input_shapes[name])
    count = len(next(iter(given.values())))
    shapes = found.input_shapes if len(inputs) > 1 else found.input_shapes[inputs[0]]
    network = Network(found.graph, shapes, None, batch_size=count, dtype=found.dtype)
    for path, array in found.weights.items():
        network.weights[path] = array
    for name, array in given.items():
        network.xs[name][...] = array
    network.forward(count)
    outputs = {}
    for name, output in zip(found.graph.output_names(), network.outputs, strict=True):
        order = found.orders[name]
        back = np.argsort(order)
        shaped = output if order else output.reshape(len(output))
        shaped = shaped.transpose(0, *(side + 1 for side in back))
        outputs[found.file_names[name]] = shaped if batched else shaped[0]
    return outputs


def outcome(case):
    """Return "right", "wrong", or the reason for which a node test is refused."""
    reasons = []
    arrays, wanted = case.data_sets[0]
    names = [value.name for value in case.model.graph.input]
    results = [value.name for value in case.model.graph.output]
    for batched in (True, False):
        for constant in (True, False):
            if not constant and len(arrays) == 1:
                continue
            model = with_constants(case.model, arrays) if constant else case.model
            try:
                given = dict(zip(names, arrays, strict=True))
                got = run(model.SerializeToString(), given, batched, outputs=results)
            except ValueError as error:
                reasons.append(str(error))
                continue
            return "right" if agree([got[name] for name in results], wanted) else "wrong"
    return reasons[0]


def agree(got, wanted, rtol=1e-3, within=1e-5):
    """Say whether arrays have the same shapes, and the same numbers as onnx's own runner asks.

    A difference of a share `within` of the largest number is none.
    """
    for found, want in zip(got, wanted, strict=True):
        want = np.asarray(want).astype(np.float64)
        if found.shape != want.shape:
            return False
        atol = within * np.abs(want).max(initial=1)
        if not np.allclose(found, want, rtol=rtol, atol=atol):
            return False
    return True
