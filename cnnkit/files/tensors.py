"""Safetensors files with a JSON text in the metadata: the format of all files of cnnkit.

The first eight bytes are the length of the header. The header is JSON with dtype, shape and place
of every tensor; the numbers follow, without gaps. Tensors are read into the arrays that need them
and written from the arrays that have them, one after the other. The safetensors package, with which
the tests compare, makes a copy of all tensors in both directions, and maps the file, so that the
process ends if the file is cut off meanwhile.

This module checks that there is a header of a limited size, that tensors fill the file, that the
text is JSON of the expected format, and that no bit has changed since it was written: the metadata
hold a checksum of all bytes of the file after the first eight, computed with zeros in the place of
the checksum. A file of another tool, without a checksum, is not checked for changed bits. The
content of the JSON and of the tensors is checked by the caller.
"""

import hashlib
import importlib.metadata
import json
import os
import sys
from contextlib import contextmanager
from math import prod

import numpy as np

from cnnkit.exceptions import ModelFormatError
from cnnkit.files import json_text
from cnnkit.files.atomic import replace
from cnnkit.files.parts import BFLOAT16, opened, read_into, widened
from cnnkit.validate.values import short

KEY = "cnnkit"  # key in the metadata
CHECKSUM = "checksum"
NO_SUM = b"0" * 32  # in the place of the checksum while it is computed
CHUNK = 1 << 20  # bytes that are added to the checksum at a time
MAX_HEADER = 4 << 20  # bytes: names, shapes and metadata
MAX_DIMENSIONS = 32
KINDS = {
    "BOOL": "?",
    **{f"U{8 * size}": f"u{size}" for size in (1, 2, 4, 8)},
    **{f"I{8 * size}": f"i{size}" for size in (1, 2, 4, 8)},
    **{f"F{8 * size}": f"f{size}" for size in (2, 4, 8)},
}
DTYPES = {kind: np.dtype(code) for kind, code in KINDS.items()}
NAMES = {dtype: kind for kind, dtype in DTYPES.items()}
FOREIGN = DTYPES | {"BF16": BFLOAT16}  # in files of other tools


def write(path, tensors, data, form, owner):
    """Write a file, which replaces an existing one when it is whole and on the disk.

    Parameters
    ----------
    path : str or path-like
    tensors : dict of arrays by name
    data : dict
        Values that JSON can hold.
    form : str
        Name and version of the format.
    owner : str
        Start of errors.
    """
    data = {"format": form, "version": version()} | data
    text = json.dumps(data, allow_nan=False, separators=(",", ":"))
    # Arrays of the widest type come first, so that every array is aligned to its type.
    names = sorted(tensors, key=lambda name: -tensors[name].itemsize)
    header, end = {"__metadata__": {CHECKSUM: NO_SUM.decode(), KEY: text}}, 0
    for name in names:
        start, end = end, end + tensors[name].nbytes
        kind = NAMES[tensors[name].dtype.newbyteorder("=")]
        shape = list(tensors[name].shape)
        header[name] = {"dtype": kind, "shape": shape, "data_offsets": [start, end]}
    content = json.dumps(header, separators=(",", ":")).encode()
    content += b" " * (-len(content) % 8)
    try:
        json_text.check_size(text, owner)
        json_text.check_size(content.decode(), owner, MAX_HEADER)
    except ValueError as error:
        got = str(error).removeprefix(f"{owner}: ")
        raise ValueError(
            f"{owner}: architecture, labels and names must fit the header of a file, got: {got}"
        ) from None

    def fill(file):
        found = _sum(content)
        file.write(len(content).to_bytes(8, "little"))
        file.write(content)
        for name in names:
            array = np.ascontiguousarray(tensors[name], tensors[name].dtype.newbyteorder("<"))
            numbers = array.reshape(-1).view(np.uint8)
            file.write(numbers)
            found.update(numbers)
        file.seek(8 + content.index(NO_SUM))
        file.write(found.hexdigest().encode())

    replace(path, fill, owner)


@contextmanager
def reading(path, form, keys, owner):
    """Return a context with the data and the `Tensors` of a file; the data have the `keys`.

    Anything wrong is a ModelFormatError that names the file, also if the body of the ``with``
    raises it.
    """
    with opened(path, owner) as (file, size):
        header, content = _header(file, size, owner)
        metadata = header.pop("__metadata__", None)
        data = _data(metadata, form, keys, owner)
        found = Tensors(file, header, 8 + len(content), owner)
        if CHECKSUM in metadata:
            _check_sum(file, content, metadata[CHECKSUM], owner)
        yield data, found


def is_own(path, owner):
    """Say whether a safetensors file has the metadata that `write` writes, whatever they hold."""
    with opened(path, owner) as (file, size):
        header, _ = _header(file, size, owner, foreign=True)
        metadata = header.get("__metadata__")
        return isinstance(metadata, dict) and KEY in metadata


def read_any(path, owner):
    """Return the arrays by name of a file of any tool; its metadata are left out.

    Anything wrong is a ModelFormatError that names the file. Numbers of bfloat16 become float32.
    """
    with opened(path, owner) as (file, size):
        header, content = _header(file, size, owner, foreign=True)
        header.pop("__metadata__", None)
        found = Tensors(file, header, 8 + len(content), owner, FOREIGN)
        return {name: widened(found.read(name)) for name in header}


class Tensors:
    """The tensors of an open file; their numbers are read when they are needed.

    Parameters
    ----------
    file : binary file
    header : dict of dict
        Entries by name, as in the file.
    start : int
        Position of the first tensor.
    owner : str
        Start of errors.
    kinds : dict of dtype, default=DTYPES
        The types that numbers may have, by their names in the file.

    Attributes
    ----------
    names : set of str
    shapes : dict of tuple
    dtypes : dict of dtype
    """

    def __init__(self, file, header, start, owner, kinds=DTYPES):
        self.file = file
        self.owner = owner
        self.kinds = kinds
        self.shapes, self.dtypes, self._places = {}, {}, {}
        for name, entry in header.items():
            self._place(name, entry)
        end = 0
        for begin, behind in sorted(self._places.values()):
            if begin != end:
                raise ModelFormatError(f"{owner}: tensors must lie side by side, got a gap.")
            end = behind
        self._places = {name: start + place[0] for name, place in self._places.items()}
        size = os.fstat(file.fileno()).st_size
        if start + end != size:
            raise ModelFormatError(
                f"{owner}: a file of these tensors must have {start + end} bytes, got {size}."
            )

    def _place(self, name, entry):
        """Record one tensor; raise unless its place is as long as its numbers."""
        if not isinstance(entry, dict) or entry.keys() != {"dtype", "shape", "data_offsets"}:
            raise ModelFormatError(
                f"{self.owner}: a tensor must have dtype, shape and data_offsets, got "
                f"{short(entry)}."
            )
        dtype = self.kinds.get(entry["dtype"]) if isinstance(entry["dtype"], str) else None
        shape, place = entry["shape"], entry["data_offsets"]
        if dtype is None:
            raise ModelFormatError(
                f"{self.owner}: dtype must be one of {list(self.kinds)}, got "
                f"{short(entry['dtype'])}."
            )
        if not _are_counts(shape) or len(shape) > MAX_DIMENSIONS:
            raise ModelFormatError(
                f"{self.owner}: shape must be at most {MAX_DIMENSIONS} sizes, got {short(shape)}."
            )
        nbytes = prod(shape) * dtype.itemsize
        if not _are_counts(place) or len(place) != 2 or place[1] - place[0] != nbytes:
            raise ModelFormatError(
                f"{self.owner}: data_offsets must be {nbytes} bytes apart, got {short(place)}."
            )
        self.shapes[name], self.dtypes[name] = tuple(shape), dtype
        self._places[name] = tuple(place)

    @property
    def names(self):
        return set(self.shapes)

    def read(self, name):
        """Return a tensor as a new array."""
        array = np.empty(self.shapes[name], self.dtypes[name])
        self.read_into(name, array)
        return array

    def read_into(self, name, array):
        """Copy a tensor to a contiguous array of its shape and dtype."""
        self.file.seek(self._places[name])
        numbers = array.reshape(-1).view(np.uint8)
        read_into(self.file, numbers, self.owner)
        if array.dtype == bool and numbers.any() and numbers.max() > 1:
            raise ModelFormatError(f"{self.owner}: {name} must be of zeros and ones.")
        if sys.byteorder == "big":
            array.byteswap(inplace=True)


def _are_counts(value):
    return isinstance(value, list) and all(type(x) is int and 0 <= x < 1 << 63 for x in value)


def version():
    """Return the version of cnnkit that writes a file, "unknown" where it is not installed."""
    try:
        return importlib.metadata.version("cnnkit")
    except importlib.metadata.PackageNotFoundError:
        return "unknown"


def _header(file, size, owner, foreign=False):
    """Return the content of the header, and its bytes."""
    length = int.from_bytes(file.read(8), "little")
    if size < 8 or length > min(size - 8, MAX_HEADER):
        raise ModelFormatError(
            f"{owner}: it must be a safetensors file whose header is in it and has at most "
            f"{MAX_HEADER} bytes, got {size} bytes that name a header of {length}."
        )
    content = file.read(length)
    # `write` escapes other letters, which would take four bytes each
    if not foreign and not content.isascii():
        raise ModelFormatError(f"{owner}: the header must be ASCII, got other bytes.")
    header = json_text.parse(content.decode(), owner, MAX_HEADER)
    if not isinstance(header, dict):
        raise ModelFormatError(f"{owner}: the header must be a JSON object, got {short(header)}.")
    return header, content


def _sum(content):
    """Return a checksum of the bytes of a header, to be updated with those of the tensors."""
    return hashlib.blake2b(content, digest_size=len(NO_SUM) // 2)


def _check_sum(file, content, wanted, owner):
    """Raise unless the bytes of a file, whose header was read, match its checksum."""
    sound = isinstance(wanted, str) and content.count(wanted.encode()) == 1
    if sound:
        found = _sum(content.replace(wanted.encode(), NO_SUM))
        file.seek(8 + len(content))
        while chunk := file.read(CHUNK):
            found.update(chunk)
        sound = found.hexdigest() == wanted
    if not sound:
        raise ModelFormatError(
            f"{owner}: the checksum must be that of the file: it was damaged after it was written."
        )


def _data(metadata, form, keys, owner):
    """Return the data in the metadata; raise if they do not have the format."""
    text = metadata.get(KEY) if isinstance(metadata, dict) else None
    if not isinstance(text, str) or not metadata.keys() <= {KEY, CHECKSUM}:
        raise ModelFormatError(
            f"{owner}: the metadata must have {KEY!r} alone, or with a {CHECKSUM}, got a file of "
            f"another kind."
        )
    data = json_text.parse(text, owner)
    if not isinstance(data, dict) or data.get("format") != form:
        found = data.get("format") if isinstance(data, dict) else data
        raise ModelFormatError(f"{owner}: format must be {form!r}, got {short(found)}.")
    keys = {"format", "version", *keys}
    if data.keys() != keys:
        raise ModelFormatError(
            f"{owner}: a file must have {sorted(keys)}, got {short(sorted(data))}."
        )
    if not isinstance(data["version"], str):
        raise ModelFormatError(f"{owner}: version must be a text, got {short(data['version'])}.")
    return data
