"""A safetensors file with a JSON text in its metadata: the form of everything cnnkit writes.

What a file holds is checked by whoever reads it; here it is made sure that there is a header of a
sane size, that tensors lie within the file, and that the text is JSON of the expected format.
"""

import importlib.metadata
import json
import os
from contextlib import contextmanager
from pathlib import Path

from cnnkit import atomic, plain
from cnnkit.exceptions import ModelFormatError

KEY = "cnnkit"  # of the metadata
MAX_HEADER = 8 << 20  # bytes of names, shapes and metadata


def write(path, tensors, data, form, owner):
    """Write a file that takes the place of the one there is when it is whole and on the disk.

    Parameters
    ----------
    path : str or Path
    tensors : dict of arrays by name
    data : dict
        What JSON can hold.
    form : str
        Name and version of what the file is.
    owner : str
        What errors start with.
    """
    safetensors = import_safetensors()
    text = json.dumps({"format": form, "version": _version()} | data, allow_nan=False)
    if len(text) > plain.MAX_CHARACTERS:
        raise ValueError(
            f"{owner}: architecture, labels and curves must fit {plain.MAX_CHARACTERS} characters "
            f"of JSON, got {len(text)}."
        )
    # its own save_file writes a temporary file elsewhere, and renames it before it is on the disk
    content = safetensors.numpy.save(tensors, metadata={KEY: text})
    atomic.replace(path, lambda file: file.write(content), owner)


@contextmanager
def reading(path, form, keys, owner):
    """Give the data and the open safetensors file of a path; the data have the `keys`.

    Anything wrong is a ModelFormatError, also where the body of the ``with`` finds it.
    """
    safetensors = import_safetensors()
    _check_size(path, owner)
    try:
        with safetensors.safe_open(os.fspath(path), framework="numpy") as file:
            yield _data(file, form, keys, owner), file
    except safetensors.SafetensorError as error:
        raise ModelFormatError(
            f"{owner}: {path} must be a safetensors file, got: {error}."
        ) from None
    except (ValueError, TypeError, OverflowError, MemoryError) as error:
        if isinstance(error, ModelFormatError):
            raise
        raise ModelFormatError(f"{owner}: {path} must hold a sound model, got: {error}") from error


def import_safetensors():
    """Return the package, whose functions for NumPy are imported too."""
    try:
        import safetensors
        import safetensors.numpy
    except ImportError as error:
        raise ImportError("Model files need safetensors: pip install cnnkit[io]") from error
    return safetensors


def _version():
    try:
        return importlib.metadata.version("cnnkit")
    except importlib.metadata.PackageNotFoundError:
        return "unknown"


def _check_size(path, owner):
    """Raise unless the header, whose length the file starts with, is in the file and not huge."""
    path = Path(path)
    with open(path, "rb") as file:
        header = int.from_bytes(file.read(8), "little")
        size = os.fstat(file.fileno()).st_size
    if size < 8 or header > min(size - 8, MAX_HEADER):
        raise ModelFormatError(
            f"{owner}: {path} must be a safetensors file whose header is in it and has at most "
            f"{MAX_HEADER} bytes, got {size} bytes that name a header of {header}."
        )


def _data(file, form, keys, owner):
    """Return what the metadata hold; raise if it is not of the format."""
    text = (file.metadata() or {}).get(KEY)
    if text is None:
        raise ModelFormatError(
            f"{owner}: the metadata must have {KEY!r}, got a file of another kind."
        )
    data = plain.parse(text, owner)
    if not isinstance(data, dict) or data.get("format") != form:
        found = data.get("format") if isinstance(data, dict) else data
        raise ModelFormatError(f"{owner}: format must be {form!r}, got {str(found)[:80]!r}.")
    keys = {"format", "version", *keys}
    if data.keys() != keys:
        raise ModelFormatError(f"{owner}: a file must have {sorted(keys)}, got {sorted(data)}.")
    return data
