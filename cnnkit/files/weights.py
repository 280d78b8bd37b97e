"""Weights of networks that were trained elsewhere, by the names they have there."""

from __future__ import annotations

import os
from pathlib import PurePath

import numpy as np

from cnnkit.exceptions import ModelFormatError
from cnnkit.files import tensors
from cnnkit.files.atomic import file_name
from cnnkit.files.torch import state_dict

READERS = {
    ".safetensors": tensors.read_any,
    ".pt": state_dict.read,
    ".pth": state_dict.read,
}


def read_weights(path: str | bytes | os.PathLike[str]) -> dict[str, np.ndarray]:
    """Return the arrays in a file of weights that another library wrote.

    The file may come from anywhere: nothing in it is run, and no memory is taken for more than it
    holds.

    Parameters
    ----------
    path : str, bytes or path-like
        A safetensors file of any writer, ``.safetensors``, or a state dict that ``torch.save``
        wrote, ``.pt`` or ``.pth``, alone or as ``"state_dict"`` of a checkpoint. A
        whole model that ``torch.save`` wrote is code, and refused.

    Returns
    -------
    weights : dict of arrays
        Arrays by the names in the file. Numbers keep their type; bfloat16, which NumPy does not
        have, becomes float32. Arrays of a state dict may be views of the same memory.

    Raises
    ------
    ModelFormatError
        If anything about the file is wrong; the message says what.
    OSError
        If the file cannot be read.

    See Also
    --------
    convert_weights : The names and axes of a network of cnnkit for such weights.

    Examples
    --------
    >>> import json, tempfile
    >>> from cnnkit import io
    >>> header = {"fc.bias": {"dtype": "F16", "shape": [2], "data_offsets": [0, 4]}}
    >>> text = json.dumps(header).encode()
    >>> with tempfile.NamedTemporaryFile(suffix=".safetensors") as file:
    ...     _ = file.write(len(text).to_bytes(8, "little") + text + bytes(4))
    ...     file.flush()
    ...     weights = io.read_weights(file.name)
    >>> weights["fc.bias"].shape
    (2,)
    """
    suffix = PurePath(file_name(path, "read_weights")).suffix.lower()
    if suffix not in READERS:
        raise ModelFormatError(
            f"read_weights: the name of a file must end in one of {list(READERS)}, got "
            f"{str(path)!r}."
        )
    return READERS[suffix](path, "read_weights")
