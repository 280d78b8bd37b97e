"""Image files as a container: the images of a list of files, decoded when they are asked for."""

import os
import warnings
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import numpy as np

from cnnkit.data.containers import fingerprint_of, state_of
from cnnkit.data.decoding import GREY, MODES, check_form, decode, read_header
from cnnkit.validate import shapes

NAMED = 5  # files that a warning names


class ImageFiles:
    """Images of one form in files, or frames of them.

    Parameters
    ----------
    paths : list of str
    form : Form
        Its size must be known.
    frames : array of int, default=None
        Frame of each image in its file; None means the first.

    Attributes
    ----------
    shape : tuple
        (n, H, W, C).
    dtype : numpy.dtype
    """

    def __init__(self, paths, form, frames=None):
        channels, dtype = MODES[form.mode]
        self.paths, self.form, self.frames = paths, form, frames
        self.shape = (len(paths), *form.size, channels)
        self.dtype = np.dtype(dtype)

    def __getitem__(self, key):
        rows = np.arange(self.shape[0])[key]
        found = np.empty((len(rows), *self.shape[1:]), self.dtype)
        for image, row in zip(found, rows, strict=True):
            pixels = decode(
                self.paths[row], self.form, None if self.frames is None else int(self.frames[row])
            )
            if pixels.shape != image.shape:
                raise ValueError(
                    f"{self.paths[row]}: must have the size {_size(self.shape[1:])} of the others, "
                    f"got {_size(pixels.shape)}: give a size to which all are brought."
                )
            image[...] = pixels
        return found

    def fingerprint(self):
        """Return a text that is another one if a file, or the form, has changed."""
        times = [state_of(path) for path in self.paths]
        frames = None if self.frames is None else self.frames.tolist()
        return fingerprint_of(self.paths, times, self.form, frames)

    def __repr__(self):
        return f"{self.shape[0]} image files"


def settled(files, size, mode, fit, fill, readers, owner, faults=None):
    """Return the `Form` of all images: files are looked at where size or mode is None.

    A file that cannot be read is an error, which goes to the dict `faults`, by name, if given.
    """
    check_form(size, "L" if mode is None else mode, fit, 0 if mode is None else fill, owner)
    if size is None or mode is None:
        headers = headers_of(files, readers, faults)
        if not headers:
            raise ValueError(f"{owner}: none of {len(files)} image files can be read.")
        try:
            mode = _common_mode(headers) if mode is None else mode
            size = _common_size(headers) if size is None else size
        except ValueError as error:
            raise ValueError(f"{owner}: {error}") from None
    return check_form(size, mode, fit, fill, owner)


def headers_of(files, readers, faults=None):
    """Return the `Header` of every file by name, but those that go to `faults`: see `settled`.

    With `faults` every file is decoded, so that a damaged one has no say in size and mode.
    """
    work = read_header if faults is None else _caught(partial(read_header, whole=True), faults)
    found = dict(zip(files, beside(work, files, readers), strict=True))
    return {file: header for file, header in found.items() if header is not None}


def readable(images, files, faults):
    """Return the rows of a lazy array of image files that can be read; all are, once.

    The others get the error in the dict `faults`, by name.
    """
    row_of = {file: row for row, file in enumerate(files)}
    left = [file for file in row_of if file not in faults]
    beside(_caught(lambda file: images.read([row_of[file]]), faults), left, images.n_jobs)
    return np.array([row for row, file in enumerate(files) if file not in faults], np.intp)


def _caught(work, faults):
    """Return a function like `work` that gives None for an error, which goes to `faults`."""

    def tried(file):
        try:
            return work(file)
        except (OSError, ValueError) as error:
            faults[file] = error
            return None

    return tried


def warn_of_skipped(faults, count, owner):
    """Warn of the files that are left out, with the reasons."""
    if not faults:
        return
    named = "; ".join(str(faults[file]) for file in sorted(faults)[:NAMED])
    more = f"; and {len(faults) - NAMED} more" if len(faults) > NAMED else ""
    warnings.warn(
        f"{owner}: {len(faults)} of {count} image files are left out: {named}{more}.",
        UserWarning,
        stacklevel=3,
    )


def check_jobs(n_jobs, owner):
    """Return a number of threads; None means one for each core that this process may use."""
    if n_jobs is None:
        usable = getattr(os, "sched_getaffinity", None)
        return len(usable(0)) if usable else os.cpu_count() or 1
    return shapes.as_int(n_jobs, "n_jobs", owner, 1)


def beside(work, files, readers):
    """Return the results of ``work(file)`` for all files, by several threads."""
    with ThreadPoolExecutor(readers) as threads:
        return list(threads.map(work, files))


def first_of_each(headers, kind):
    """Return the first path of each kind that ``kind(header)`` tells apart, by kind."""
    found = {}
    for path, header in headers.items():
        found.setdefault(kind(header), path)
    return found


def _mode_of(header):
    """Return the mode in which an image keeps its numbers."""
    if header.mode in GREY:
        return "L"
    return "F" if header.mode == "F" else "I;16" if header.mode.startswith("I") else "RGB"


def _common_mode(headers):
    """Return the mode in which images of all the headers can be read, or raise an error.

    `headers` is a dict by path.
    """
    kinds = first_of_each(headers, _mode_of)
    if kinds.keys() == {"L", "RGB"}:
        return "RGB"
    if len(kinds) > 1:
        (a, one), (b, other) = list(kinds.items())[-2:]
        raise ValueError(
            f"mode must be given for images of several kinds, got {one} in {a!r} and {other} in "
            f"{b!r}."
        )
    return next(iter(kinds))


def _common_size(headers):
    """Return the height and width that all images have, or raise an error."""
    sizes = first_of_each(headers, lambda header: header.size)
    if len(sizes) > 1:
        (a, one), (b, other) = list(sizes.items())[:2]
        raise ValueError(
            f"size must be given for images of several sizes, got {one} of {_size(a)} and {other} "
            f"of {_size(b)}."
        )
    return next(iter(sizes))


def _size(shape):
    return " x ".join(map(str, shape[:2]))
