"""Reading parts of a file, and numbers that NumPy has no type for."""

import os
import stat
from contextlib import contextmanager

import numpy as np

from cnnkit.exceptions import ModelFormatError
from cnnkit.files.atomic import file_name
from cnnkit.validate.arrays import pieces
from cnnkit.validate.pickles import FAULTS

BFLOAT16 = np.dtype([("bfloat16", "<u2")])  # the upper half of a float32


@contextmanager
def opened(path, owner, faults=FAULTS):
    """Return a context with a regular file, open for reading, and its size.

    Anything wrong is a ModelFormatError that names the file, also if the body of the ``with``
    raises it.
    """
    name = file_name(path, owner)
    with open(name, "rb", opener=open_at_once) as file:
        try:
            found = os.fstat(file.fileno())
            if not stat.S_ISREG(found.st_mode):
                raise ModelFormatError("it must be a regular file, got a device or a pipe.")
            yield file, found.st_size
        except faults as error:
            text = str(error).removeprefix(f"{owner}: ")
            raise ModelFormatError(f"{owner}: {name!r}: {text}") from error


def read_into(file, buffer, owner):
    """Fill a contiguous buffer with the next bytes of a file."""
    if file.readinto(buffer) != memoryview(buffer).nbytes:
        raise ModelFormatError(f"{owner}: a file must not shrink while it is read.")


def widened(array):
    """Return an array of bfloat16 as float32; any other is returned as it is."""
    if array.dtype != BFLOAT16:
        return array
    wide = np.empty(array.shape, np.float32)
    bits, flat = wide.reshape(-1).view("u4"), array.reshape(-1)["bfloat16"]
    for piece in pieces(flat.size):
        np.left_shift(flat[piece], 16, out=bits[piece], dtype="u4")
    return wide


def open_at_once(name, flags):
    """Open a file without waiting: a pipe may have no writer."""
    return os.open(name, flags | os.O_NONBLOCK)
