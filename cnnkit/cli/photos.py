"""Image files of the command line, as a lazy array of those that can be read."""

import warnings
from math import prod

from cnnkit.cli.messages import shown, warn
from cnnkit.data.decoding import GREY, Form, pillow
from cnnkit.data.image_files import (
    ImageFiles,
    check_jobs,
    first_of_each,
    headers_of,
    readable,
)
from cnnkit.data.lazy import LazyArray
from cnnkit.validate.available_memory import available_memory

KEPT = 4  # images are kept in memory where they take this part of what is free
FRAMES = ".* frames, of which the first is taken"


def read(files, size=None, channels=None):
    """Return image files as a lazy array, and the indices of those that it holds.

    All are read once, and a file that cannot be read is left out, with a warning that names it.

    Parameters
    ----------
    files : list of Path
    size : pair of ints, default=None
        Height and width to which all images are brought.
    channels : {1, 3}, default=None
        None means 1 if all images are grey, else 3.

    Returns
    -------
    X : LazyArray of shape (n, H, W, C) of uint8
    kept : array of int
    """
    pillow()
    if channels not in (None, 1, 3):
        raise ValueError(
            f"image files can be read in 1 or 3 channels, the model needs {channels}: use .npz."
        )
    names, readers, faults = list(map(str, files)), check_jobs(None, "photos"), {}
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        if size is None or channels is None:
            headers = headers_of(names, readers, faults)
            size = _common_size(headers) if size is None else size
            grey = all(header.mode in GREY for header in headers.values())
            channels = (1 if grey else 3) if channels is None else channels
        X = ImageFiles(names, Form(size, "L" if channels == 1 else "RGB", "stretch", 0))
        free = available_memory()
        small = free is not None and prod(X.shape) * KEPT < free
        X = LazyArray(X, n_jobs=readers, cache="memory" if small else None)
        kept = readable(X, names, faults)
    warnings.filterwarnings("ignore", FRAMES)  # in every epoch again
    for text in dict.fromkeys(str(warning.message) for warning in told):
        warn(text)
    for name in sorted(faults):
        warn(f"{shown(name)} is left out: {_reason(faults[name], name)}")
    if not len(kept):
        raise ValueError(f"none of {len(files)} image files can be read.")
    return X[kept], kept


def _reason(error, name):
    """Return the reason why a file cannot be read, without its name."""
    return getattr(error, "strerror", None) or str(error).removeprefix(f"{name}: ")


def _common_size(headers):
    """Return the height and width that all images have, or raise an error."""
    sizes = first_of_each(headers, lambda header: header.size)
    if not sizes:
        return 1, 1  # no file can be read
    if len(sizes) > 1:
        (a, one), (b, other) = list(sizes.items())[:2]
        raise ValueError(
            f"images must be of one size: {shown(one)} has {a[0]}x{a[1]}, {shown(other)} has "
            f"{b[0]}x{b[1]}; --size 64x64, say, brings all to one."
        )
    return next(iter(sizes))
