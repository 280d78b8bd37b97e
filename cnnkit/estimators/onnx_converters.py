"""Converters of skl2onnx: a pipeline with a network in it becomes one ONNX model."""

import numpy as np
from onnx import TensorProto
from skl2onnx import update_registered_converter
from skl2onnx.common import data_types as types

from cnnkit.estimators.classifier import CNNClassifier
from cnnkit.estimators.exported import exported, input_scales, target_scales
from cnnkit.estimators.features import CNNFeatures
from cnnkit.estimators.regressor import CNNRegressor
from cnnkit.files.onnx.writing import ends, model

OWNER = "register_skl2onnx"
FORMATS = {2: ends.ROWS, 4: ends.CHANNELS_LAST}  # by the number of axes of the input
TYPES = {
    types.FloatTensorType: "float32",
    types.DoubleTensorType: "float64",
    types.Int64TensorType: "int64",
    types.Int32TensorType: "int32",
    types.UInt8TensorType: "uint8",
    types.Int8TensorType: "int8",
    types.BooleanTensorType: "bool",
}


def register():
    """Register the converters of all estimators."""
    options = {
        "zipmap": [True, False, "columns"],
        "nocl": [True, False],
        "output_class_labels": [False, True],
        "raw_scores": [True, False],
    }
    add = update_registered_converter
    add(CNNClassifier, "CnnkitCNNClassifier", classifier_shapes, convert, options=options)
    add(CNNRegressor, "CnnkitCNNRegressor", row_shapes, convert)
    add(CNNFeatures, "CnnkitCNNFeatures", row_shapes, convert)


def classifier_shapes(operator):
    """Set types and shapes of labels and probabilities."""
    classifier, (given,) = operator.raw_operator, operator.inputs
    n, k = given.get_first_dimension(), len(classifier.classes_)
    is_text = classifier.classes_.dtype.kind in "UO" and not options_of(operator)["nocl"]
    kind = types.StringTensorType if is_text else types.Int64TensorType
    operator.outputs[0].set_type(kind([n, k] if classifier.multilabel_ else [n]))
    operator.outputs[1].set_type(float_type(given)([n, k]))


def row_shapes(operator):
    """Set type and shape of targets or features: (N, 1) where there is one."""
    estimator, (given,) = operator.raw_operator, operator.inputs
    is_regressor = isinstance(estimator, CNNRegressor)
    k = estimator.n_outputs_ if is_regressor else int(np.prod(estimator.feature_shape_))
    operator.outputs[0].set_type(float_type(given)([given.get_first_dimension(), k]))


def float_type(variable):
    """Return the type of numbers that are computed from a variable."""
    return type(types.guess_tensor_type(variable.type))


def options_of(operator):
    """Return the options of a classifier."""
    wanted = {"nocl": False, "raw_scores": False}
    found = operator.scope_inst.get_options(operator.raw_operator, wanted, fail=False)
    return wanted | found


def convert(scope, operator, container):
    """Put the nodes of an estimator into a model; it computes in float32 whatever it is given."""
    estimator, (given,) = operator.raw_operator, operator.inputs
    network, moment, part = exported(estimator, OWNER)
    rank = len(given.type.shape)
    if rank not in FORMATS or type(given.type) not in TYPES:
        raise ValueError(
            f"{OWNER}: the input must be numbers of shape (N, features) or (N, H, W, C), "
            f"got {given.type}."
        )
    opset = min(container.target_opset_any_domain(""), model.NEWEST)
    options = model.Options(FORMATS[rank], TYPES[type(given.type)], opset=opset)
    dtype = np.dtype(TYPES[type(operator.outputs[-1].type)])
    scales = input_scales(network, options.input_dtype, options.dtype)
    answer = _answer(operator, moment, dtype)
    made = model.network_model(part, network.weights, options, answer, scales)
    insert(made, scope, operator, container)
    container.node_domain_version_pair_sets.add(("", opset))


def _answer(operator, estimator, dtype):
    """Return what the outputs of the network become in a model of skl2onnx."""
    if isinstance(operator.raw_operator, CNNFeatures):
        return Converted(ends.Features(), dtype)
    if isinstance(estimator, CNNRegressor):
        scales = target_scales(estimator.network_)
        return Converted(ends.Targets(scales, estimator.link_), dtype)
    options, classes = options_of(operator), estimator.classes_
    if options["nocl"]:
        if estimator.multilabel_:
            raise ValueError(f"{OWNER}: option nocl must be False for a multilabel classifier.")
        classes = np.arange(len(classes))
    elif classes.dtype.kind in "fbu":
        classes = as_int64(classes)
    return Converted(ends.Classes(classes, estimator.multilabel_), dtype, options["raw_scores"])


def as_int64(classes):
    """Return labels as integers: skl2onnx has no others but texts."""
    found = classes.astype(np.int64)
    if (found != classes).any():
        raise ValueError(f"{OWNER}: classes must be text or whole numbers, got {classes[:5]}.")
    return found


class Converted:
    """Outputs as skl2onnx has them: numbers in the type it gave the variable, rows of targets.

    Parameters
    ----------
    answer : Classes, Targets or Features
    dtype : dtype
        Of numbers.
    raw_scores : bool, default=False
        What `decision_function` gives in the place of probabilities: of two classes (N, 2), the
        second column being it and the first its negative.
    """

    def __init__(self, answer, dtype, raw_scores=False):
        self.names = answer.names
        self.answer = answer
        self.dtype = dtype
        self.raw_scores = raw_scores

    def write(self, builder, value):
        """Return the outputs of the model, given those of the network."""
        *labels, numbers = self.answer.write(builder, value)
        tensor = numbers.tensor
        if self.raw_scores:
            tensor = self._scores(builder, value)
        if numbers.shape == ():
            tensor = builder.node("Unsqueeze", [tensor, builder.ints("targets/axis", 1)], "column")
        if self.dtype != builder.dtype:
            tensor = builder.cast(tensor, self.dtype, "widened")
        return [*labels, numbers._replace(tensor=tensor, dtype=self.dtype)]

    def _scores(self, builder, value):
        logits = value.last()
        if value.shape != (2,) or self.answer.multilabel:
            return logits
        signs = builder.constant("signs", [[1, -1], [-1, 1]])
        return builder.node("MatMul", [logits, signs], "scores")


def insert(made, scope, operator, container):
    """Put nodes and constants of a model into another under names that are free there."""
    graph = made.graph
    names = dict(zip([i.name for i in graph.input], operator.input_full_names, strict=True))
    names |= dict(zip([o.name for o in graph.output], operator.output_full_names, strict=True))

    def name(old):
        if old not in names:
            names[old] = scope.get_unique_variable_name(f"cnnkit/{old}")
        return names[old]

    for constant in graph.initializer:
        copy = TensorProto()
        copy.CopyFrom(constant)
        copy.name = name(constant.name)
        container.initializers.append(copy)
    for node in graph.node:
        node.input[:] = [name(old) for old in node.input]
        node.output[:] = [name(old) for old in node.output]
        node.name = scope.get_unique_operator_name(f"cnnkit/{node.name}")
        container.nodes.append(node)
