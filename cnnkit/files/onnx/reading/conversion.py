"""An ONNX file as a graph of layers and its weights."""

import os
from collections import Counter
from dataclasses import dataclass
from math import isfinite

import numpy as np

from cnnkit.exceptions import ModelFormatError
from cnnkit.files.atomic import file_name
from cnnkit.files.onnx.reading import forms, numbers, patterns, rows, tensors, windows, wire
from cnnkit.files.onnx.reading.building import (
    ANY_BATCH,
    MOST_MADE,
    WIDE,
    Budget,
    Builder,
    Operator,
    UnsupportedError,
)
from cnnkit.files.onnx.reading.layout import Value, axes_of
from cnnkit.files.onnx.reading.table import TABLE
from cnnkit.files.parts import open_at_once
from cnnkit.graph.graph import Graph
from cnnkit.layers import Identity
from cnnkit.validate.pickles import FAULTS
from cnnkit.validate.shapes import check_product, sample_shape
from cnnkit.validate.values import short

LARGEST = (1 << 31) - 1  # bytes: what protocol buffers allow
OPSETS = range(7, 29)
VERSIONS = range(3, 16)  # of the format
MOST_INPUTS = 64
MOST_NODES = 10_000
REALS = {1, 10, 11, 16}  # data types: float, float16, double, bfloat16
KEPT = ("", "ai.onnx")  # names of the one domain
FIELDS = {1: "f", 2: "i", 3: "s", 4: "t", 6: "floats", 7: "ints", 8: "strings"}
EMPTY = {"f": 0.0, "i": 0, "s": b""}
FAMILIES = (forms, numbers, windows)  # their functions are in the table


@dataclass
class Input:
    """One input of the file: its name, data_type, and sizes, None where the file leaves them."""

    name: str
    kind: int
    sizes: list


@dataclass
class Found:
    """What a file holds.

    Attributes
    ----------
    graph : Graph
    weights : dict of arrays by path
    input_shapes : dict of tuple
        Of one sample, by the names of the graph's inputs.
    dtype : dtype
    file_names : dict of str
        Names of inputs and outputs in the file, by those of the graph.
    orders : dict of tuple
        How the axes of one sample of the file's array lie in that of an input or output.
    size : int
        Bytes of the file.
    """

    graph: Graph
    weights: dict
    input_shapes: dict
    dtype: np.dtype
    file_names: dict
    orders: dict
    size: int


class FileWeights(dict):
    """Weights by path, some of which a network may not have: see `onnx.read`.

    Its arrays are read-only, so that a copy of it is itself.
    """

    partial = True

    def __copy__(self):
        return self

    def __deepcopy__(self, memo):
        return self

    def __sklearn_clone__(self):
        return self


def read_file(path, owner):
    """Return the bytes of a file, all of them read once, and its name."""
    name = file_name(path, owner)
    with open(name, "rb", opener=open_at_once) as file:
        size = os.fstat(file.fileno()).st_size
        if not 0 < size <= LARGEST:
            raise ModelFormatError(
                f"{owner}: {name!r}: a file must have 1 to 2**31 - 1 bytes, got {size}."
            )
        data = bytearray(size)  # where matrices are turned: see `rows`
        count = file.readinto(data)
    if count != size:
        raise ModelFormatError(f"{owner}: {name!r}: a file must not shrink while it is read.")
    return data, name


def find(path, owner, input_shape=None, batched=True, outputs=None):
    """Return the `Found` of a file; anything wrong is a ModelFormatError that names the file."""
    data, name = read_file(path, owner)
    try:
        return convert(data, input_shape, batched, outputs)
    except FAULTS as error:
        text = str(error).removeprefix("onnx: ") or repr(error)
        raise ModelFormatError(f"{owner}: {name!r}: {text}") from error


def convert(data, input_shape=None, batched=True, outputs=None):
    """Return the `Found` of the bytes of a file."""
    model = wire.parse(data)
    version = _check_model(model)
    graph = model.graph
    graph["output"] = _wanted(graph.output, outputs)
    constants = {tensor.name: tensor for tensor in graph.initializer}
    inputs = [_input(value) for value in graph.input if value.name not in constants]
    if not 1 <= len(inputs) <= MOST_INPUTS:
        raise ModelFormatError(f"onnx: there must be 1 to {MOST_INPUTS} inputs, got {len(inputs)}.")
    names = [value.name for value in graph.output]
    nodes = patterns.joined(_needed(graph.node, names), constants, names)
    read = {name for node in nodes for name in node.input}
    read |= {value.name for value in graph.output}
    inputs = [entry for entry in inputs if entry.name in read]
    if not inputs:
        raise ModelFormatError("onnx: outputs must depend on the data, got constants.")
    batch = _batch(inputs) if batched else None
    best = error = None
    for last in (True, False):
        try:
            shapes = _shapes(inputs, batch, input_shape, last)
            budget = Budget(MOST_MADE)
            found = _Conversion(
                graph, nodes, constants, version, inputs, shapes, batch, last, budget
            )
        except FAULTS as fault:
            error = error or fault.with_traceback(None)  # which holds all that was made
            continue
        if best is None or found.build.moves < best.build.moves:
            best = found
        if not best.build.moves:
            break
    if best is None:
        raise error
    return best.found(len(data))


def _check_model(model):
    """Raise unless a model is one that may be read; return its version of the operators."""
    if model.ir_version not in VERSIONS:
        raise ModelFormatError(
            f"onnx: a file must be of IR version {VERSIONS[0]} to {VERSIONS[-1]}, got "
            f"{model.ir_version}."
        )
    for name in ("functions", "training_info"):
        if model[name]:
            raise ModelFormatError(f"onnx: a model must have no {name}, got {len(model[name])}.")
    found = [entry.version for entry in model.opset_import if (entry.domain or "") in KEPT]
    if len(found) != 1 or found[0] not in OPSETS:
        raise ModelFormatError(
            f"onnx: operators must be of one opset from {OPSETS[0]} to {OPSETS[-1]}, got "
            f"{short(found)}."
        )
    graph = model.graph
    if graph is None or not graph.node or not graph.output:
        raise ModelFormatError("onnx: a model must have a graph with nodes and outputs, got none.")
    if len(graph.node) > MOST_NODES:
        raise ModelFormatError(
            f"onnx: a graph must have at most {MOST_NODES} nodes, got {len(graph.node)}."
        )
    if graph.sparse_initializer:
        raise ModelFormatError("onnx: tensors must be dense, got sparse ones.")
    return found[0]


def _input(value):
    """Return the `Input` of a ValueInfoProto."""
    kind = value.type.tensor_type if value.type is not None else None
    if kind is None or kind.shape is None or not value.name:
        raise ModelFormatError(f"onnx: input {short(value.name)} must be a tensor with a shape.")
    sizes = [side.value if side.value and side.value > 0 else None for side in kind.shape.dim]
    if kind.elem_type not in tensors.DTYPES or len(sizes) > tensors.MAX_DIMENSIONS:
        raise ModelFormatError(
            f"onnx: input {short(value.name)} must be a tensor of numbers, got type "
            f"{kind.elem_type} of {len(sizes)} axes."
        )
    return Input(value.name, kind.elem_type, sizes)


def _wanted(found, names):
    """Return the outputs of a file that have one of `names`, in their order.

    None are all of real numbers, or where there are none of these, all.
    """
    if names is None:
        return [value for value in found if is_real(value)] or found
    names = [names] if isinstance(names, str) else list(names)
    known = {value.name: value for value in found}
    texts = all(isinstance(name, str) for name in names)
    if not names or not texts or len(set(names)) < len(names) or not set(names) <= set(known):
        raise ModelFormatError(
            f"onnx: outputs must be some of {short(list(known))}, each once, got {short(names)}."
        )
    return [known[name] for name in names]


def is_real(value):
    """Say whether a ValueInfoProto is a tensor of real numbers, or does not say of what."""
    kind = value.type.tensor_type if value.type is not None else None
    return kind is not None and (not kind.elem_type or kind.elem_type in REALS)


def _needed(nodes, outputs):
    """Return the nodes that the outputs follow from."""
    wanted, kept = set(outputs), []
    for node in reversed(nodes):
        if wanted.intersection(node.output):
            kept.append(node)
            wanted.update(node.input)
    return kept[::-1]


def _batch(inputs):
    """Return how many samples the arrays of a file have, a number that stands for any if open."""
    if any(not entry.sizes for entry in inputs):
        raise ModelFormatError("onnx: an input must have an axis for the batch, got none.")
    found = {entry.sizes[0] for entry in inputs}
    if len(found) > 1:
        raise ModelFormatError(f"onnx: inputs must be of the same batch, got {short(found)}.")
    return found.pop() or ANY_BATCH


def _shapes(inputs, batch, given, last):
    """Return the ONNX shape of one sample of every input; `given` says what the file leaves open.

    With `last` the given shapes have the channels last where the file's have them first.
    """
    found = []
    for entry in inputs:
        sizes = entry.sizes if batch is None else entry.sizes[1:]
        shape = given
        if isinstance(given, dict):
            shape = given.get(entry.name)
        if shape is not None:
            said = sample_shape(shape, "onnx")
            shape = list(said)
            shape = shape[-1:] + shape[:-1] if last and len(sizes) > 1 else shape
            fits = len(shape) == len(sizes) and all(
                old in (None, new) for old, new in zip(sizes, shape, strict=True)
            )
            if not fits:
                raise ModelFormatError(
                    f"onnx: input_shape must fit that of {entry.name!r} in the file, "
                    f"{_word(sizes)} with the channels where they are there, got {said}."
                )
            sizes = shape
        if None in sizes:
            raise ModelFormatError(
                f"onnx: input_shape must be given, as {entry.name!r} is of any size in the file, "
                f"{_word(sizes)}."
            )
        check_product(sizes, "input shape", tuple(sizes), "onnx")
        found.append(sample_shape(sizes or [1], "onnx")[: len(sizes)])
    return found


def _word(sizes):
    return f"({', '.join('any' if size is None else str(size) for size in sizes)})"


class _Conversion:
    """The nodes of a file turned to layers, for inputs with the channels last or as in the file."""

    def __init__(self, graph, nodes, constants, version, inputs, shapes, batch, last, budget):
        self.budget = budget
        self.constants = constants
        self.version = version
        self.last = last
        self.build = Builder(batch, {entry.name for entry in inputs} | {"input"})
        self.values = {}
        self.again = Counter()  # by node of the graph: how often it is read after the first time
        self.faults = []
        self.inputs, self.orders, self.file_names = {}, {}, {}
        for entry, sizes in zip(inputs, shapes, strict=True):
            self._add_input(entry, sizes, len(inputs) == 1)
        self.read = Counter(name for node in nodes for name in node.input)
        self.read.update(value.name for value in graph.output)
        for i, node in enumerate(nodes):
            self._add(node, i)
        if self.faults:
            raise ModelFormatError(_listed(self.faults))
        self.outputs = [self._output(value.name) for value in graph.output]
        self.dtype = np.dtype(np.float64 if any(e.kind in WIDE for e in inputs) else np.float32)

    def _add_input(self, entry, sizes, alone):
        name = "input" if alone else entry.name.replace("/", ".")
        if name in self.inputs:
            raise ModelFormatError(f"onnx: inputs must have different names, got {name!r} twice.")
        dims, _ = axes_of(sizes)
        sides = _channels_last(len(dims)) if self.last else tuple(range(len(dims)))
        order = tuple(axis for side in sides for axis in dims[side])
        shape = tuple(sizes[side] for side in sides) or (1,)
        self.values[entry.name] = Value(name, shape, dims, order, entry.kind)
        self.inputs[name], self.orders[name], self.file_names[name] = shape, sides, entry.name

    def _get(self, name):
        """Return what an operator reads by name: a value, a constant, or None for nothing."""
        if not name:
            return None
        if name not in self.values and name in self.constants:
            self.values[name] = tensors.array(self.constants[name])
        if name not in self.values:
            raise ModelFormatError(f"onnx: a node must read what is there, got {name!r}.")
        return self.values[name]

    def _add(self, node, place):
        """Add the layers of one node, or take note why there are none."""
        name = node.name or f"{(node.op_type or 'node').lower()}{place + 1}"
        inputs = [self._get(entry) for entry in node.input]
        for output in node.output:
            self.values[output] = FAULTY
        outputs = [output if output in self.read else "" for output in node.output]
        while outputs and not outputs[-1]:
            outputs.pop()
        values = [found for found in inputs if isinstance(found, Value)]
        alone = not any(self.again[value.node] for value in values)
        kind = node.op_type or ""
        op = Operator(name, kind, self.version, {}, inputs, outputs, self.budget, alone)
        try:
            if (node.domain or "") not in KEPT or node.overload:
                raise UnsupportedError(f"the domain must be ONNX's own, got {short(node.domain)}")
            op.attributes = {a.name: _attribute(a) for a in node.attribute}
            known = all(not isinstance(entry, _Faulty) for entry in inputs)
            found = self._run(op) if known else _check_known(op)
            left = set(op.attributes) - op.used
            if known and left:
                attribute = min(left)
                value = short(op.attributes[attribute])
                raise UnsupportedError(f"attribute {attribute!r} must not be there, got {value}")
        except (UnsupportedError, ValueError, TypeError, AttributeError, MemoryError) as error:
            if isinstance(error, ModelFormatError):
                raise
            self.faults.append(f"{name!r} ({op.kind}): {error}")
            return
        if known:
            for output, value in zip(node.output, found, strict=False):
                if output:
                    self.values[output] = value
                if isinstance(value, Value):
                    self.again[value.node] += max(0, self.read[output] - 1)

    def _run(self, op):
        """Return the outputs of an operator."""
        if op.kind == "Shape" and isinstance(op.inputs[0], Value):
            return [forms.shape_of(self.build, op)]
        if not any(isinstance(entry, Value) for entry in op.inputs):
            return forms.folded(op)
        _check_known(op)
        found = TABLE[op.kind](self.build, op)
        return found if isinstance(found, list) else [found]

    def _output(self, name):
        """Return the name of the node that gives an output of the file, in the order of axes."""
        value = self._get(name)
        if not isinstance(value, Value):
            raise ModelFormatError(
                f"onnx: output {name!r} must depend on the data, got a constant."
            )
        op = Operator(f"{name}.output", "", self.version, {}, [value], [name], self.budget)
        rank = len(value.dims)
        sides = tuple(range(rank))
        held = 1 if not self.build.batched and rank == 4 and not value.dims[0] else 0
        last = (*sides[:held], *(side + held for side in _channels_last(rank - held)))
        for choice in (last, sides) if rank > 2 else (sides, last):
            if value.order == tuple(axis for side in choice for axis in value.dims[side]):
                sides = choice
                break
        else:
            value = self.build.plain(op, value)
        value = self.build.reshaped(op, value, [value.sizes[side] for side in sides])
        node = value.node
        if node in self.inputs or node in self.orders:
            node, _ = self.build.emit(op.name, Identity(), [value])
        self.orders[node], self.file_names[node] = sides, name
        return node

    def found(self, size):
        """Return the `Found` of a file of so many bytes."""
        nodes, wanted = [], set(self.outputs)
        for node in reversed(self.build.nodes):
            if node[0] in wanted:
                nodes.append(node)
                wanted.update(node[2])
        kept = {node[0] for node in nodes}
        weights = {
            path: array
            for path, array in self.build.weights.items()
            if path.rpartition("/")[0] in kept
        }
        weights = rows.settled(weights, self.budget)
        for path, array in weights.items():
            _check_finite(path, array)
            array.flags.writeable = False
        names = None if "input" in self.inputs else list(self.inputs)
        outputs = self.outputs[0] if len(self.outputs) == 1 else self.outputs
        graph = Graph(nodes[::-1], outputs, names)
        graph.wiring()
        return Found(graph, weights, self.inputs, self.dtype, self.file_names, self.orders, size)


class _Faulty:
    """In the place of what a node gives that has no layer."""


FAULTY = _Faulty()


def _channels_last(rank):
    return (*range(1, rank), 0) if rank > 1 else tuple(range(rank))


def _check_known(op):
    if op.kind not in TABLE and op.kind not in forms.FOLDS:
        raise UnsupportedError("the operator must be one of those that layers express, got another")


def _attribute(attribute):
    """Return the value of an AttributeProto: a number, a list, a memoryview or a tensor."""
    kind = attribute.type
    if not kind:
        given = [code for code, name in FIELDS.items() if attribute[name]]
        kind = given[0] if given else 2
    if kind not in FIELDS or attribute.ref_attr_name:
        raise UnsupportedError(
            f"attribute {short(attribute.name)} must be a number, text, tensor or a list of them, "
            f"got type {kind}"
        )
    value = attribute[FIELDS[kind]]
    if value is None:
        value = EMPTY.get(FIELDS[kind])
    if isinstance(value, float) and not isfinite(value):
        raise UnsupportedError(f"attribute {short(attribute.name)} must be finite, got {value}")
    return value


def _check_finite(path, array):
    """Raise unless weights are finite; of one number spread over a shape, that is looked at."""
    some = array[tuple(0 if step == 0 else slice(None) for step in array.strides)]
    if some.dtype.kind not in "fiu" or (
        some.size and not np.isfinite([some.min(), some.max()]).all()
    ):
        raise ModelFormatError(f"onnx: {path} must be finite numbers, got others.")
    if path.endswith("/var") and some.size and some.min() < 0:
        raise ModelFormatError(f"onnx: {path} must be at least 0, got {some.min()}.")


def _listed(faults, most=20):
    """Return one text about all nodes that have no layers."""
    more = f"\n  and {len(faults) - most} more" if len(faults) > most else ""
    lines = "".join(f"\n  node {fault[:300]}" for fault in faults[:most])
    return (
        f"every node must be one that layers express, got {len(faults)} that are not:{lines}{more}"
    )
