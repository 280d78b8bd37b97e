"""Images and labels from the sources that the command line accepts."""

import unicodedata
from collections import Counter
from pathlib import Path
from typing import NamedTuple

import numpy as np

from cnnkit.cli import photos
from cnnkit.cli.messages import shown, warn
from cnnkit.data.folders import SUFFIXES, image_files, is_hidden


class Samples(NamedTuple):
    """The input of ``predict``: `y` is None if unknown, `left_out` counts unreadable files."""

    names: list
    X: np.ndarray
    y: np.ndarray | None = None
    left_out: int = 0


def check_source(source):
    """Raise unless `source` exists and ``train`` can read its kind."""
    path, rule = Path(source), "must be 'digits', an .npz file or a folder"
    if source == "digits" or path.is_dir():
        return
    if not path.exists():
        raise FileNotFoundError(f"{shown(path)} {rule}, and does not exist.")
    if path.suffix != ".npz":
        raise ValueError(f"{shown(path)} {rule}, got a file of another kind.")


def labelled(source, size=None, channels=None):
    """Return X and y from the source given to ``train``.

    Parameters
    ----------
    source : str
        ``digits``, an ``.npz`` file or a folder of folders.
    size : pair of ints, default=None
        Height and width to which image files are resized.
    channels : {1, 3}, default=None
        Of image files: see `photos.read`.

    Returns
    -------
    X : array of shape (n, H, W, C), (n, H, W) or (n, features)
    y : array of shape (n,)
    """
    check_source(source)
    if source == "digits":
        return _digits()
    path = Path(source)
    if path.is_dir():
        return _folder(path, size, channels)
    X, y = _npz(path)
    if y is None:
        raise ValueError(f"{shown(path)} must hold arrays X and y, got no y.")
    return X, y


def unlabelled(sources, input_shape):
    """Return the `Samples` from the sources given to ``predict``.

    Image files are converted to the size and channels of `input_shape`, (H, W, C).
    """
    if sources == ["digits"]:
        X, y = _digits()
        return Samples(_numbers(X), X, y)
    paths = [Path(source) for source in sources]
    arrays = [path for path in paths if path.suffix in (".npy", ".npz") and not path.is_dir()]
    if arrays and (len(paths) > 1 or arrays[0].suffix == ".npy"):
        raise ValueError(f"DATA must be image files or one .npz file, got {shown(arrays[0])}.")
    if arrays:
        X, y = _npz(paths[0])
        if y is not None and np.shape(y)[:1] != X.shape[:1]:
            raise ValueError(
                f"{shown(paths[0])} must hold a y for each of {len(X)} images, got {np.shape(y)}."
            )
        return Samples(_numbers(X), X, y)
    files = []
    for path in paths:
        files += image_files(path) if path.is_dir() else [path]
    if not files:
        raise ValueError(f"{', '.join(map(shown, sources))} must hold images, got none.")
    X, kept = photos.read(files, input_shape[:2], input_shape[2])
    return Samples([str(files[k]) for k in kept], X, left_out=len(files) - len(kept))


def _numbers(X):
    return [str(i) for i in range(len(X))]


def _digits():
    from sklearn.datasets import load_digits

    found = load_digits()
    return (found.images / 16).astype(np.float32)[..., None], found.target


def _npz(path):
    """Return X, with an axis for the samples, and y, or None, of an .npz file."""
    with open(path, "rb") as file:
        try:
            with np.load(file, allow_pickle=False) as arrays:
                names = sorted(arrays)
                found = {name: arrays[name] for name in ("X", "y") if name in names}
        except Exception as error:  # a damaged archive can lead to any error
            reason = str(error) or type(error).__name__
            raise ValueError(
                f"{shown(path)} cannot be read as .npz without pickle: {reason}"
            ) from None
    found = {name: value for name, value in found.items() if isinstance(value, np.ndarray)}
    if "X" not in found:
        raise ValueError(f"{shown(path)} must hold an array X, got {names}.")
    if found["X"].ndim not in (2, 3, 4):
        raise ValueError(
            f"{shown(path)} must hold X of shape (n, features), (n, H, W) or (n, H, W, C), "
            f"got {found['X'].shape}."
        )
    return found["X"], found.get("y")


def _folder(path, size, channels):
    """Return the images of a folder with a folder for each class."""
    inside = sorted(p for p in path.iterdir() if not is_hidden(p.name))
    classes = [p for p in inside if p.is_dir()]
    files = {folder.name: image_files(folder) for folder in classes}
    _check_classes(path, files, [p for p in inside if not p.is_dir()])
    every = [file for found in files.values() for file in found]
    X, kept = photos.read(every, size, channels)
    y = np.repeat(list(files), [len(found) for found in files.values()])[kept]
    if len(kept) < len(every):
        warn(f"{len(every) - len(kept)} of {len(every)} image files are left out.")
    unread = sorted(files.keys() - {*y.tolist()})
    if unread:
        raise ValueError(f"no image of the classes {', '.join(map(shown, unread))} can be read.")
    return X, y


def _check_classes(path, files, others):
    """Raise if the folders in `path` cannot be classes; warn if they may not be.

    `files` has the images of every class, `others` has the other entries of `path`.
    """
    loose = [p for p in others if p.suffix.lower() in SUFFIXES]
    lost = [p for p in others if p not in loose and not p.exists()]
    empty = [shown(name) for name, found in files.items() if not found]
    if lost:
        raise FileNotFoundError(f"{shown(lost[0])} is a link that leads nowhere.")
    if len(files) < 2 or empty:
        beside = f" and {len(loose)} images beside them" if loose else ""
        raise ValueError(
            f"{shown(path)} must hold a folder of images for each of at least two classes, got "
            + (f"none in {', '.join(empty)}." if empty else f"{len(files)} folders{beside}.")
        )
    for name in files:
        if any("\ud800" <= letter <= "\udfff" for letter in name):  # bytes that are not valid text
            raise ValueError(f"{shown(path)} must hold folders named in UTF-8, got {shown(name)}.")
    if loose:
        warn(f"{len(loose)} images in {shown(path)} itself are of no class and left out.")
    alike = {name: unicodedata.normalize("NFC", name).casefold() for name in files}
    for key, count in Counter(alike.values()).items():
        if count > 1:
            names = ", ".join(shown(name) for name in files if alike[name] == key)
            warn(f"{names} are classes that differ only in case or in how accents are written.")
