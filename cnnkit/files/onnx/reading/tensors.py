"""The tensors of an ONNX file as arrays: views of the file's bytes."""

from math import prod

import numpy as np

from cnnkit.exceptions import ModelFormatError
from cnnkit.validate.values import short

MAX_DIMENSIONS = 16
MOST_JOINED = 4 << 20  # bytes of numbers that lie in several places, and are put together
LITTLE = {  # data_type -> dtype, little-endian as in a file
    1: "<f4",
    2: "u1",
    3: "i1",
    4: "<u2",
    5: "<i2",
    6: "<i4",
    7: "<i8",
    9: "?",
    10: "<f2",
    11: "<f8",
    12: "<u4",
    13: "<u8",
}
DTYPES = {code: np.dtype(text) for code, text in LITTLE.items()}
NAMES = {
    **{code: dtype.name for code, dtype in DTYPES.items()},
    0: "undefined",
    8: "string",
    14: "complex64",
    15: "complex128",
    16: "bfloat16",
}
LISTS = {  # where numbers lie that are no raw_data
    "float_data": (1,),
    "double_data": (11,),
    "int32_data": (2, 3, 4, 5, 6, 9, 10),
    "int64_data": (7,),
    "uint64_data": (12, 13),
}


def array(tensor):
    """Return the array of a TensorProto; raise a ModelFormatError unless it is all there."""
    name = f"tensor {short(tensor.name)}" if tensor.name else "a tensor"
    if tensor.external_data or tensor.data_location not in (None, 0):
        raise ModelFormatError(
            f"onnx: {name} must lie in the file itself, got external data: write the model to "
            f"one file, as onnx.save(model, path) does."
        )
    dtype = DTYPES.get(tensor.data_type)
    if dtype is None or tensor.segment is not None or tensor.string_data:
        got = NAMES.get(tensor.data_type, tensor.data_type)
        raise ModelFormatError(f"onnx: {name} must hold whole numbers or real ones, got {got}.")
    dims = tensor.dims
    if len(dims) > MAX_DIMENSIONS or not all(0 <= side < 1 << 40 for side in dims):
        raise ModelFormatError(
            f"onnx: {name} must have at most {MAX_DIMENSIONS} sizes of at least 0, got "
            f"{short(dims)}."
        )
    numbers = _numbers(tensor, dtype)
    if len(numbers) != prod(dims):
        raise ModelFormatError(
            f"onnx: {name} must hold {prod(dims)} numbers of {dtype.name} for its shape "
            f"{short(dims)}, got {len(numbers)}."
        )
    return numbers.reshape(dims)


def _numbers(tensor, dtype):
    """Return the numbers of a tensor in one row, from the one place where they lie."""
    given = [name for name in ("raw_data", *LISTS) if tensor[name]]
    if not given:
        return np.empty(0, dtype)
    place = given[0]
    if len(given) > 1 or (place != "raw_data" and tensor.data_type not in LISTS[place]):
        raise ModelFormatError(
            f"onnx: a tensor of {dtype.name} must have its numbers in one place, got {given}."
        )
    if place == "raw_data":
        return _view(tensor.raw_data, dtype)
    if place in ("float_data", "double_data"):
        parts = [_view(part, dtype) for part in tensor[place]]
        size = sum(part.nbytes for part in parts)
        if len(parts) > 1 and size > MOST_JOINED:
            raise ModelFormatError(
                f"onnx: a tensor in {len(parts)} parts must have at most {MOST_JOINED} bytes, got "
                f"{size}."
            )
        return parts[0] if len(parts) == 1 else np.concatenate(parts)
    values = np.array(tensor[place], np.int64 if place != "uint64_data" else object)
    if tensor.data_type == 10:
        return values.astype(np.uint16).view(np.float16)
    if place == "uint64_data":
        values = np.array([int(value) % (1 << 64) for value in values], np.uint64)
    return values.astype(dtype)


def _view(data, dtype):
    if len(data) % dtype.itemsize:
        raise ModelFormatError(
            f"onnx: numbers of {dtype.name} must take {dtype.itemsize} bytes each, got "
            f"{len(data)} bytes."
        )
    found = np.frombuffer(data, dtype)
    if dtype.kind == "b" and len(found) and found.view(np.uint8).max() > 1:
        raise ModelFormatError("onnx: numbers of bool must be 0 or 1, got others.")
    return found
