"""Files of `torch.save` written by hand: pickles of state dicts, in a zip archive or as before."""

import io
import pickle
import struct
import zipfile

import numpy as np

STORAGES = {
    "f8": "DoubleStorage",
    "f4": "FloatStorage",
    "f2": "HalfStorage",
    "i8": "LongStorage",
    "i4": "IntStorage",
    "i2": "ShortStorage",
    "i1": "CharStorage",
    "u1": "ByteStorage",
    "?": "BoolStorage",
}
OLD = 0x1950A86A20F9469CFC6C
CONSTANTS = {"protocol_version": 1001, "little_endian": True, "type_sizes": {"short": 2}}


class Name:
    """Stands for a class or function that is not here."""

    def __init__(self, module, name):
        self.text = f"c{module}\n{name}\n".encode()


class Numbers:
    """A storage: its type, key and numbers."""

    def __init__(self, key, array, kind=None, size=None):
        self.key, self.array = key, np.ascontiguousarray(array).reshape(-1)
        self.kind = Name(
            "torch", kind or STORAGES[np.dtype(array.dtype).str[1:].replace("b1", "?")]
        )
        self.size = self.array.size if size is None else size


class View:
    """A tensor: a part of a storage."""

    def __init__(self, numbers, offset, shape, strides):
        self.args = numbers, offset, shape, strides


def tensor(key, array):
    """A tensor that has a storage for itself and lies in it as in memory."""
    numbers = Numbers(key, array)
    strides = tuple(stride // array.itemsize for stride in np.array(array, order="C").strides)
    return View(numbers, 0, array.shape, strides)


def state(arrays):
    """A state dict of arrays by name."""
    return {name: tensor(str(i), np.asarray(a)) for i, (name, a) in enumerate(arrays.items())}


def pickled(value):
    """The pickle of dicts, lists, tuples, views and plain values, as torch writes it."""
    found = {}
    return b"\x80\x02" + _code(value, found) + b".", found


def _code(value, found):
    if isinstance(value, dict):
        items = b"".join(_code(key, found) + _code(entry, found) for key, entry in value.items())
        return b"ccollections\nOrderedDict\n)R(" + items + b"u"
    if isinstance(value, tuple):
        return b"(" + b"".join(_code(entry, found) for entry in value) + b"t"
    if isinstance(value, list):
        return b"](" + b"".join(_code(entry, found) for entry in value) + b"e"
    if isinstance(value, Name):
        return value.text
    if isinstance(value, Numbers):
        found[value.key] = value
        entry = ("storage", value.kind, value.key, "cpu", value.size)
        return _code(entry, found) + b"Q"
    if isinstance(value, View):
        args = (*value.args, False, {})
        return b"ctorch._utils\n_rebuild_tensor_v2\n" + _code(args, found) + b"R"
    return pickle.dumps(value, 2)[2:-1]


def zipped(value, *, compression=zipfile.ZIP_STORED, others=(), folder="archive"):
    """The bytes of a file in the form of PyTorch 1.6 and later."""
    code, storages = pickled(value)
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", compression) as archive:
        archive.writestr(f"{folder}/data.pkl", code)
        for key, numbers in storages.items():
            archive.writestr(f"{folder}/data/{key}", numbers.array.tobytes())
        for name, data in others:
            archive.writestr(f"{folder}/{name}", data)
    return file.getvalue()


def old(value, constants=CONSTANTS):
    """The bytes of a file in the form before PyTorch 1.6."""
    code, storages = pickled(value)
    parts = [pickle.dumps(part, 2) for part in (OLD, 1001, constants)]
    parts += [code, pickle.dumps(sorted(storages), 2)]
    for key in sorted(storages):
        array = storages[key].array
        parts += [struct.pack("<q", array.size), array.tobytes()]
    return b"".join(parts)
