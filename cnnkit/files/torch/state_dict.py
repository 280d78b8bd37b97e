"""PyTorch's files of weights: state dicts that ``torch.save`` wrote.

There are two forms. Since PyTorch 1.6 a file is a zip archive: a pickle, in which every tensor
names its storage, and an entry with the numbers of each storage. Before, it was five pickles in a
row (three of them of constants, the object, the keys of its storages), and then the storages.
"""

import struct
import sys

import numpy as np

from cnnkit.exceptions import ModelFormatError
from cnnkit.files.parts import BFLOAT16, opened, read_into, widened
from cnnkit.files.torch import unpickler
from cnnkit.files.torch.archive import Archive
from cnnkit.validate.pickles import FAULTS
from cnnkit.validate.values import short

OLD = 0x1950A86A20F9469CFC6C  # first pickle of an old file
OLD_VERSION = 1001
NESTED = ("state_dict", "model_state_dict", "model")  # keys of state dicts in checkpoints


def read(path, owner):
    """Return the arrays of a file by name.

    Anything wrong is a ModelFormatError that names the file.
    """
    with opened(path, owner, (*FAULTS, struct.error)) as (file, size):
        form = _Zipped if file.read(2) == b"PK" else _Old
        source = form(file, size, owner)
        state = _state_dict(source.value, owner)
        found, total = {}, 0
        for tensor in state.values():
            storage = tensor.storage
            if storage.key not in found:
                total += storage.size * _dtype(storage).itemsize
                if total > size:
                    raise ModelFormatError(f"{owner}: storages must lie in the file side by side.")
                found[storage.key] = _numbers(source, storage, owner)
        return {name: _view(tensor, found[tensor.storage.key]) for name, tensor in state.items()}


class _Zipped:
    """A file that is an archive: `value` is its object."""

    def __init__(self, file, size, owner):
        self.owner = owner
        self.archive = Archive(file, size, owner)
        sizes = self.archive.sizes
        pickles = [name for name in sizes if name.count("/") == 1 and name.endswith("/data.pkl")]
        if len(pickles) != 1 or sizes[pickles[0]] > unpickler.MAX_BYTES:
            raise ModelFormatError(
                f"{owner}: an archive must hold a data.pkl of at most {unpickler.MAX_BYTES} bytes, "
                f"got {short(pickles)}."
            )
        self.folder = pickles[0].partition("/")[0]
        order = f"{self.folder}/byteorder"
        if order in sizes and (sizes[order] > 9 or self.archive.read(order) != b"little"):
            raise ModelFormatError(f"{owner}: numbers must be little-endian, got others.")
        self.value, *_ = unpickler.load(self.archive.read(pickles[0]), owner)

    def fill(self, storage, array):
        name = f"{self.folder}/data/{storage.key}"
        if self.archive.sizes.get(name) != array.nbytes:
            raise ModelFormatError(
                f"{self.owner}: the entry {short(name)} must have {array.nbytes} bytes, got "
                f"{self.archive.sizes.get(name)}."
            )
        self.archive.read_into(name, array)


class _Old:
    """A file in the form before PyTorch 1.6: `value` is its object."""

    def __init__(self, file, size, owner):
        self.file, self.size, self.owner = file, size, owner
        self.place = 0
        mark = self._load()[0] if size else None
        if type(mark) is not int or mark != OLD:
            raise ModelFormatError(f"{owner}: it must be a file of torch.save, got another.")
        version, constants = self._load()[0], self._load()[0]
        sound = type(version) is int and version == OLD_VERSION and type(constants) is dict
        if not sound or constants.get("little_endian") is not True:
            raise ModelFormatError(f"{owner}: numbers must be little-endian, of version 1001.")
        self.value, storages = self._load()
        keys, _ = self._load()
        if type(keys) is not list or not all(type(key) is str for key in keys):
            raise ModelFormatError(f"{owner}: keys of storages must be a list of texts.")
        self.places = {}
        for key in keys:
            self.places[key] = self.place + 8
            self.place += 8 + storages[key].size * _dtype(storages[key]).itemsize
        if len(self.places) != len(keys) or self.place != size:
            raise ModelFormatError(
                f"{owner}: a file of these storages must have {self.place} bytes, got {size}."
            )

    def _load(self):
        """Return the object of the next pickle, and its storages."""
        self.file.seek(self.place)
        data = self.file.read(unpickler.MAX_BYTES)
        value, end, storages = unpickler.load(data, self.owner)
        self.place += end
        return value, storages

    def fill(self, storage, array):
        self.file.seek(self.places[storage.key] - 8)
        if int.from_bytes(self.file.read(8), "little") != storage.size:
            raise ModelFormatError(f"{self.owner}: a storage must have the size that is named.")
        read_into(self.file, array, self.owner)


def _state_dict(value, owner):
    """Return the tensors by name, of a state dict or of one within a checkpoint."""
    for key in NESTED:
        if type(value) is dict and type(value.get(key)) is dict:
            value = value[key]
            break
    names = list(value) if type(value) is dict else []
    others = [name for name in names if type(value[name]) is not unpickler.Tensor]
    if others or not names or not all(type(name) is str for name in names):
        raise ModelFormatError(
            f"{owner}: a file must hold a state dict, tensors by name, alone or as one of "
            f"{list(NESTED)}, got {short(others or names or type(value).__name__)}."
        )
    return value


def _dtype(storage):
    kind = storage.kind.numbers
    return BFLOAT16 if kind == "bfloat16" else np.dtype(kind)


def _numbers(source, storage, owner):
    """Return all numbers of a storage."""
    array = np.empty(storage.size, _dtype(storage))
    bits = array.view(np.uint8)
    source.fill(storage, bits)
    if array.dtype == bool and array.size and bits.max() > 1:
        raise ModelFormatError(f"{owner}: a storage of truth values must be of zeros and ones.")
    if sys.byteorder == "big":
        array.byteswap(inplace=True)
    return widened(array)


def _view(tensor, numbers):
    """Return a tensor as a view of the numbers of its storage."""
    size = numbers.itemsize
    strides = tuple(size * stride for stride in tensor.strides)
    if 0 in tensor.shape:
        return np.empty(tensor.shape, numbers.dtype)
    return np.ndarray(tensor.shape, numbers.dtype, numbers, size * tensor.offset, strides)
