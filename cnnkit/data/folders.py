"""Folders of images: found, looked at, and given as a lazy array."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np
from sklearn.utils import Bunch

from cnnkit.data.decoding import read_header
from cnnkit.data.image_files import (
    ImageFiles,
    beside,
    check_jobs,
    readable,
    settled,
    warn_of_skipped,
)
from cnnkit.data.lazy import LazyArray
from cnnkit.validate.values import as_choice, short

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cnnkit.typing import FilePath

SUFFIXES = {
    *(".avif", ".bmp", ".gif", ".heic", ".heif", ".jfif", ".jpeg", ".jpg", ".pgm", ".png"),
    *(".ppm", ".tif", ".tiff", ".webp"),
}


def load_image_folder(
    path: FilePath,
    *,
    size: int | Sequence[int] | None = None,
    mode: Literal["L", "RGB", "RGBA", "I;16", "F"] | None = None,
    fit: Literal["stretch", "crop", "pad"] = "stretch",
    fill: float | Sequence[float] | Literal["reflect"] = 0,
    on_error: Literal["raise", "skip"] = "raise",
    follow_links: bool = False,
    cache: Literal["memory"] | FilePath | None = None,
    n_jobs: int | None = None,
) -> Bunch:
    """Return the images of a folder that has a folder of images for each class.

    As `sklearn.datasets.load_files` does for texts. Images are read, decoded and resized when they
    are needed: `data` is a `LazyArray`, which `fit`, `predict` and cross-validation take. Folders
    in the folder of a class belong to the class. Hidden files and folders are passed over.

    Parameters
    ----------
    path : str or path-like
        A folder that has a folder of images for each class.
    size : int or (height, width), default=None
        Size to which all images are brought. None needs images of one size.
    mode : {"L", "RGB", "RGBA", "I;16", "F"}, default=None
        Pixels as Pillow names them: grey or colours of 8 bits, colours and alpha, grey of 16 bits,
        grey as floats. None means the mode of the images: "L" if all are grey, "RGB" if some are.
        Without alpha, what is transparent is white.
    fit : {"stretch", "crop", "pad"}, default="stretch"
        How an image gets another shape: by stretching it; by cutting off what is too long, the same
        on both sides; or by padding what is too short.
    fill : number, one for each channel, or "reflect", default=0
        What lies around a padded image.
    on_error : {"raise", "skip"}, default="raise"
        What happens with a file that cannot be read. "raise" raises an error that names it, when it
        is needed. "skip" decodes all files once, now, leaves such files out, and warns of them.
    follow_links : bool, default=False
        Whether links may lead out of the folder.
    cache : "memory" or path, default=None
        Where decoded images are kept: see `LazyArray`.
    n_jobs : int, default=None
        Threads that decode; None means one for each core.

    Returns
    -------
    found : Bunch
        ``data``, a `LazyArray` of shape (n, H, W, C); ``target``, an array of int (n,);
        ``target_names``, the names of the folders, sorted; ``filenames``, an array of str (n,); and
        ``skipped``, the names of files that were left out.

    Raises
    ------
    ImportError
        If Pillow is not installed: ``pip install cnnkit[image]``.
    ValueError
        If there are no two folders with images, if a link leads out of the folder, or if images
        differ in size or kind and `size` or `mode` is not given.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> from PIL import Image
    >>> from cnnkit.data import load_image_folder
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     for colour in ("blue", "red"):
    ...         Path(folder, colour).mkdir()
    ...         Image.new("RGB", (40, 30), colour).save(Path(folder, colour, "1.png"))
    ...     photos = load_image_folder(folder, size=(24, 32))
    ...     photos.data, photos.target, photos.target_names
    (LazyArray(2 x 24 x 32 x 3, uint8), array([0, 1]), ['blue', 'red'])
    """
    owner = "load_image_folder"
    as_choice(on_error, "on_error", owner, ("raise", "skip"))
    classes = {
        name: files for name, files in image_folders(path, follow_links, owner).items() if files
    }
    if len(classes) < 2:
        raise ValueError(
            f"{owner}: path must hold a folder of images for each of at least two classes, got "
            f"{len(classes)} in {os.fspath(path)!r}."
        )
    names = sorted(classes)
    files = [file for name in names for file in classes[name]]
    target = np.repeat(np.arange(len(names)), [len(classes[name]) for name in names])
    readers = check_jobs(n_jobs, owner)
    faults: dict[str, Exception] | None = {} if on_error == "skip" else None
    form = settled(files, size, mode, fit, fill, readers, owner, faults)
    data = LazyArray(ImageFiles(files, form), n_jobs=readers, cache=cache)
    if faults is not None:
        kept = readable(data, files, faults)
        for k in np.setdiff1d(np.arange(len(names)), target[kept]):
            raise ValueError(f"{owner}: no image of the class {names[k]!r} can be read.")
        warn_of_skipped(faults, len(files), owner)
        data, target, files = data[kept], target[kept], [files[row] for row in kept]
    return Bunch(
        data=data,
        target=target,
        target_names=names,
        filenames=np.array(files),
        skipped=sorted(faults or {}),
    )


def load_image_stack(
    path: FilePath | Sequence[FilePath],
    *,
    size: int | Sequence[int] | None = None,
    mode: Literal["L", "RGB", "RGBA", "I;16", "F"] | None = None,
    fit: Literal["stretch", "crop", "pad"] = "stretch",
    fill: float | Sequence[float] | Literal["reflect"] = 0,
    cache: Literal["memory"] | FilePath | None = None,
    n_jobs: int | None = None,
) -> LazyArray:
    """Return all frames of image files, such as multi-page TIFFs, as images one after another.

    Parameters
    ----------
    path : str, path-like, or list of them
        One stack, or several, whose frames follow one another.
    size : int or (height, width), default=None
        Size to which all frames are brought. None needs frames of one size.
    mode : {"L", "RGB", "RGBA", "I;16", "F"}, default=None
        Pixels as Pillow names them: see `load_image_folder`.
    fit : {"stretch", "crop", "pad"}, default="stretch"
        How a frame gets another shape: see `load_image_folder`.
    fill : number, one for each channel, or "reflect", default=0
        What lies around a padded frame.
    cache : "memory" or path, default=None
        Where decoded frames are kept: see `LazyArray`.
    n_jobs : int, default=None
        Threads that decode; None means one for each core.

    Returns
    -------
    images : LazyArray of shape (n, H, W, C)
        All frames in order.

    Raises
    ------
    ImportError
        If Pillow is not installed: ``pip install cnnkit[image]``.
    ValueError
        If frames differ in size or kind and `size` or `mode` is not given.

    Examples
    --------
    >>> import tempfile
    >>> from PIL import Image
    >>> from cnnkit.data import load_image_stack
    >>> frames = [Image.new("L", (40, 30), grey) for grey in (0, 100, 200)]
    >>> with tempfile.NamedTemporaryFile(suffix=".tif") as file:
    ...     frames[0].save(file.name, save_all=True, append_images=frames[1:])
    ...     load_image_stack(file.name)
    LazyArray(3 x 30 x 40 x 1, uint8)
    """
    owner = "load_image_stack"
    paths = [path] if isinstance(path, (str, bytes, os.PathLike)) else list(path)
    if not paths:
        raise ValueError(f"{owner}: path must name at least one file, got none.")
    files = [os.path.abspath(os.fsdecode(file)) for file in paths]
    readers = check_jobs(n_jobs, owner)
    form = settled(files, size, mode, fit, fill, readers, owner)
    headers = beside(read_header, files, readers)
    counts = [header.frames for header in headers]
    frames = np.concatenate([np.arange(count) for count in counts])
    every = [file for file, count in zip(files, counts, strict=True) for _ in range(count)]
    return LazyArray(ImageFiles(every, form, frames), n_jobs=readers, cache=cache)


def image_folders(path: FilePath, follow_links: bool, owner: str) -> dict[str, list[str]]:
    """Return the image files of every folder in a folder, by its name."""
    root = Path(os.fsdecode(path))
    if not root.is_dir():
        rule = "must be a folder" if root.exists() else "must exist"
        raise (ValueError if root.exists() else FileNotFoundError)(
            f"{owner}: path {rule}, got {short(os.fspath(path))}."
        )
    found = {}
    for folder in sorted(root.iterdir()):
        if not is_hidden(folder.name) and folder.is_dir():
            found[folder.name] = list(map(str, image_files(folder)))
            if not follow_links:
                _check_inside(root, [str(folder), *found[folder.name]], owner)
    return found


def is_hidden(name: str) -> bool:
    """Say whether a file or folder belongs to the system, not to the user."""
    return name.startswith(".") or name == "__MACOSX"


def image_files(folder: FilePath) -> list[Path]:
    """Return the image files of a folder and its subfolders, sorted, without hidden ones.

    A broken link is included, so that reading it names it. A folder without permission to read is
    an OSError.
    """

    def refuse(error):
        raise error

    found = []
    for root, folders, files in os.walk(os.fsdecode(folder), onerror=refuse):
        folders[:] = [name for name in folders if not is_hidden(name)]
        paths = [Path(root, name) for name in files if not is_hidden(name)]
        found += [path for path in paths if path.suffix.lower() in SUFFIXES]
    return sorted(path for path in found if path.is_file() or not path.exists())


def _check_inside(root, names, owner):
    """Raise unless all names lie in the folder `root`, wherever links lead."""
    inside = os.path.realpath(root)
    for name in names:
        real = os.path.realpath(name)
        if os.path.commonpath([inside, real]) != inside:
            raise ValueError(
                f"{owner}: links must not lead out of the folder, got {name!r}, which leads to "
                f"{real!r}: follow_links=True allows it."
            )
