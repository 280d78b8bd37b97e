"""ONNX files that nobody should give: sound models with parts of them changed."""

import sys
import time

import numpy as np
from onnx_cases import collect
from seeded import generator

from cnnkit import onnx
from cnnkit.exceptions import ModelFormatError

BASES = [
    "Conv",
    "MaxPool",
    "AveragePool",
    "Gemm",
    "MatMul",
    "BatchNormalization",
    "Resize",
    "Pad",
    "Slice",
    "Split",
    "Concat",
    "Reshape",
    "Transpose",
    "Flatten",
    "Softmax",
    "Clip",
    "Add",
    "Mul",
    "Div",
    "ReduceMean",
    "LRN",
    "GlobalAveragePool",
    "Expand",
    "Gather",
    "DepthToSpace",
    "SpaceToDepth",
    "PRelu",
    "Unsqueeze",
    "Squeeze",
    "Shape",
    "Cast",
    "Upsample",
    "Pow",
    "Where",
]
NUMBERS = [
    *(0, 1, 2, 3, 5, 7, 16, 255, 1000, 1_000_003, -1, -2, -7, 2**20, 2**31 - 1, 2**31, 2**32),
    *(2**40, 2**46, 2**53, 2**62, 2**63 - 1, -(2**31), -(2**63)),
]
FLOATS = [0.0, -1.0, 0.5, 1e-30, 1e30, 3e38, float("inf"), float("nan"), 1e-320]
TEXTS = ["", "x", "y", "w", "input", "a/b", "../../etc/passwd", "/dev/zero", "\0", "e" * 2000]
DOMAINS = ["", "ai.onnx", "com.microsoft", "ai.onnx.ml"]
MORE = 64 << 20  # bytes that reading may take besides the file
LONGEST = 2.0  # seconds


def chain(rng):
    """Return a model of layers one after another, with shape arithmetic between them."""
    from onnx import TensorProto, helper, numpy_helper

    width = int(rng.integers(1, 6))
    w = rng.standard_normal((width, 3, 3, 3)).astype(np.float32)
    dense = rng.standard_normal((width * 16, 4)).astype(np.float32)
    nodes = [
        helper.make_node("Conv", ["x", "w"], ["a"], pads=[1, 1, 1, 1], name="conv"),
        helper.make_node("Relu", ["a"], ["b"]),
        helper.make_node("MaxPool", ["b"], ["c"], kernel_shape=[2, 2], strides=[2, 2]),
        helper.make_node("Shape", ["c"], ["s"]),
        helper.make_node("Gather", ["s", "zero"], ["n"], axis=0),
        helper.make_node("Concat", ["n", "rest"], ["t"], axis=0),
        helper.make_node("Reshape", ["c", "t"], ["d"]),
        helper.make_node("MatMul", ["d", "dense"], ["e"]),
        helper.make_node("Softmax", ["e"], ["y"], axis=1),
    ]
    constants = {"w": w, "dense": dense, "zero": np.array([0]), "rest": np.array([-1])}
    value = helper.make_tensor_value_info
    graph = helper.make_graph(
        nodes,
        "chain",
        [value("x", TensorProto.FLOAT, ["N", 3, 8, 8])],
        [value("y", TensorProto.FLOAT, ["N", 4])],
        [numpy_helper.from_array(array, name) for name, array in constants.items()],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)])


def bases():
    """Return models to change: chains, and the node tests with all but one input constant."""
    from onnx_cases import with_constants

    found = [chain(generator(i)) for i in range(8)]
    for case in collect(BASES):
        if sum(np.asarray(a).nbytes for a in case.data_sets[0][0][1:]) < 1 << 16:
            try:
                found.append(with_constants(case.model, case.data_sets[0][0]))
            except (TypeError, ValueError, NotImplementedError):
                continue  # sequences and other types
    return found


def messages(message, found):
    """Collect a protobuf message and all in it."""
    found.append(message)
    for field, value in message.ListFields():
        if field.message_type is not None:
            repeated = hasattr(value, "__len__")
            for part in value if repeated else [value]:
                messages(part, found)
    return found


def change(message, rng):
    """Change one field of a message: to another value, another count, or nothing."""
    fields = message.DESCRIPTOR.fields
    field = fields[rng.integers(len(fields))]
    value = getattr(message, field.name)
    repeated = hasattr(value, "append") or hasattr(value, "add")
    if rng.random() < 0.1:
        message.ClearField(field.name)
        return
    if field.message_type is not None:
        if repeated and len(value) and rng.random() < 0.5:
            at = int(rng.integers(len(value)))
            if rng.random() < 0.5:
                del value[at]
            else:
                value.add().CopyFrom(value[at])
        elif repeated:
            value.add()
        else:
            value.SetInParent()
        return
    new = scalar(field, rng)
    try:
        if not repeated:
            setattr(message, field.name, new)
        elif len(value) and rng.random() < 0.6:
            value[int(rng.integers(len(value)))] = new
        elif len(value) and rng.random() < 0.3:
            value.pop()
        else:
            value.extend([new] * int(rng.choice([1, 1, 2, 40])))
    except (ValueError, TypeError, OverflowError):
        pass  # a number too long for the field


def scalar(field, rng):
    """Return a value for a field of a message, as likely as not an unreasonable one."""
    kind = field.cpp_type
    if kind == field.CPPTYPE_STRING:
        if field.type == field.TYPE_BYTES:
            return bytes(rng.integers(0, 256, int(rng.choice([0, 1, 4, 8, 64])), dtype=np.uint8))
        pool = DOMAINS if field.name == "domain" else [*TEXTS, *BASES, "a", "b", "c", "s", "t"]
        return pool[rng.integers(len(pool))]
    if kind in (field.CPPTYPE_FLOAT, field.CPPTYPE_DOUBLE):
        return FLOATS[rng.integers(len(FLOATS))]
    if kind == field.CPPTYPE_ENUM or rng.random() < 0.3:
        return int(rng.integers(0, 24))
    return NUMBERS[rng.integers(len(NUMBERS))]


def hostile(models, rng):
    """Return the bytes of a model with a few changes, of its parts or of its bytes."""
    from google.protobuf.message import EncodeError

    model = models[rng.integers(len(models))]
    found = type(model)()
    found.CopyFrom(model)
    for _ in range(rng.choice([1, 1, 2, 3, 6])):
        parts = messages(found, [])
        change(parts[rng.integers(len(parts))], rng)
    try:
        data = found.SerializePartialToString()
    except (EncodeError, ValueError):
        data = model.SerializeToString()
    if rng.random() < 0.25:
        data = bytearray(data)
        for _ in range(rng.choice([1, 2, 8])):
            at = int(rng.integers(len(data)))
            how = rng.integers(4)
            if how == 0:
                data[at] = int(rng.integers(256))
            elif how == 1:
                del data[at : at + int(rng.integers(1, 20))]
            elif how == 2:
                data[at:at] = bytes(rng.integers(0, 256, int(rng.integers(1, 12)), dtype=np.uint8))
            else:
                del data[at:]
            if not data:
                break
    return bytes(data)


def peak():
    """Return the most memory that this process has used so far, in bytes."""
    import resource

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss << 10


def outcome(path):
    """Load a file: return "read", or "refused" where that is the documented error."""
    try:
        onnx.load(path)
    except (ModelFormatError, MemoryError) as error:
        text = str(error)
        if isinstance(error, MemoryError) and "must hold" not in text:
            raise
        if not text.startswith(("onnx.load: ", "Network: ")):
            raise AssertionError(f"an error must say who found it, got {text!r}") from error
        return "refused"
    return "read"


def trial(data, path, opened):
    """Read a file of `data`: raise if anything happens but a network or the documented error.

    Returns what came of it: "read", or "refused".
    """
    path.write_bytes(data)
    before, start = peak(), time.process_time()
    opened.clear()
    said = outcome(path)
    seconds = time.process_time() - start
    if seconds >= LONGEST:  # once more: the machine may have been busy
        start = time.process_time()
        outcome(path)
        seconds = time.process_time() - start
    assert seconds < LONGEST, f"took {seconds} s"
    assert peak() - before < len(data) + MORE, f"took {peak() - before} bytes"
    strange = [name for name in opened if name != str(path)]
    assert not strange, f"opened {strange}"
    return said


def watched():
    """Return a list to which the names of all files that are opened are added."""
    opened = []

    def hook(event, arguments):
        if event == "open" and isinstance(arguments[0], (str, bytes)):
            name = arguments[0]
            if not str(name).endswith((".py", ".pyc", ".so")) and not str(name).startswith(
                ("/proc/", "/sys/")
            ):
                opened.append(str(name))

    sys.addaudithook(hook)
    return opened
