"""Images and labels from where a user of the command line has them."""

import zipfile
from pathlib import Path

import numpy as np

SUFFIXES = {".bmp", ".gif", ".jpeg", ".jpg", ".pgm", ".png", ".ppm", ".tif", ".tiff", ".webp"}


def labelled(source, size=None):
    """Return X and y of what ``train`` is given.

    Parameters
    ----------
    source : str
        ``digits``, an ``.npz`` file or a folder of folders.
    size : pair of ints, default=None
        Height and width that image files are brought to.

    Returns
    -------
    X : array of shape (n, H, W, C), (n, H, W) or (n, features)
    y : array of shape (n,)
    """
    if source == "digits":
        return _digits()
    path = Path(source)
    if path.is_dir():
        return _folder(path, size)
    X, y = _npz(path)
    if y is None:
        raise ValueError(f"{path} must hold arrays X and y, got no y.")
    return X, y


def unlabelled(sources, input_shape):
    """Return names, X and y (None where unknown) of what ``predict`` is given.

    Image files are brought to the size and channels of `input_shape`, (H, W, C).
    """
    if sources == ["digits"]:
        X, y = _digits()
        return [str(i) for i in range(len(X))], X, y
    paths = [Path(source) for source in sources]
    if len(paths) == 1 and paths[0].suffix == ".npz":
        X, y = _npz(paths[0])
        return [str(i) for i in range(len(X))], X, y
    files = []
    for path in paths:
        files += _images_in(path, "**/*") if path.is_dir() else [path]
    if not files:
        raise ValueError(f"{', '.join(sources)} must hold images, got none.")
    return [str(file) for file in files], _read(files, input_shape[:2], input_shape[2]), None


def _digits():
    from sklearn.datasets import load_digits

    found = load_digits()
    return (found.images / 16).astype(np.float32)[..., None], found.target


def _npz(path):
    if path.suffix != ".npz":
        rule = "must be 'digits', an .npz file or a folder"
        raise ValueError(f"{path} {rule}" + ("." if path.exists() else ", and does not exist."))
    try:
        with open(path, "rb") as file, np.load(file, allow_pickle=False) as arrays:
            found = {name: arrays[name] for name in ("X", "y") if name in arrays}
            names = sorted(arrays)
    except (zipfile.BadZipFile, ValueError, EOFError, AttributeError) as error:
        raise ValueError(f"{path} cannot be read as .npz without pickle: {error}") from None
    if "X" not in found:
        raise ValueError(f"{path} must hold an array X, got {names}.")
    return found["X"], found.get("y")


def _folder(path, size):
    """Return the images of a folder with a folder for each class."""
    classes = sorted(p for p in path.iterdir() if p.is_dir() and p.name[0] != ".")
    files = {folder.name: _images_in(folder, "**/*") for folder in classes}
    empty = [name for name, found in files.items() if not found]
    if len(files) < 2 or empty:
        raise ValueError(
            f"{path} must hold a folder of images for each of at least two classes, "
            + (f"got none in {', '.join(empty)}." if empty else f"got {len(files)} folders.")
        )
    X = _read([file for found in files.values() for file in found], size)
    return X, np.repeat(list(files), [len(found) for found in files.values()])


def _images_in(folder, pattern):
    return sorted(p for p in folder.glob(pattern) if p.suffix.lower() in SUFFIXES and p.is_file())


def _read(files, size=None, channels=None):
    """Return image files as an array (n, H, W, C) of uint8.

    Without `channels` it is 1 where all images are grey and else 3.
    """
    try:
        from PIL import Image
    except ImportError as error:
        raise ImportError("Image files need Pillow: pip install cnnkit[image]") from error
    if channels not in (None, 1, 3):
        raise ValueError(
            f"image files can be read in 1 or 3 channels, the model needs {channels}: use .npz."
        )
    found, grey = [], True
    for file in files:
        try:
            with Image.open(file) as image:
                if image.mode.startswith(("I", "F")):
                    raise ValueError(f"{file} must have 8 bits a channel, got mode {image.mode}.")
                grey = grey and image.mode in ("1", "L", "LA")
                image = image.convert("RGB")
        except OSError as error:
            raise ValueError(f"{file} cannot be read as an image: {error}") from None
        if size is not None and image.size != size[::-1]:
            image = image.resize(size[::-1], Image.Resampling.BILINEAR)
        found.append(np.asarray(image))
        if found[-1].shape != found[0].shape:
            raise ValueError(
                f"images must be of one size: {files[0]} has {_size(found[0])}, {file} has "
                f"{_size(found[-1])}; --size 64x64, say, brings all to one."
            )
    X = np.stack(found)
    if channels == 3 or (channels is None and not grey):
        return X
    if grey:
        return X[..., :1]
    weights = np.array([0.299, 0.587, 0.114], np.float32)  # luma of ITU-R BT.601, as Pillow's "L"
    return np.rint(X @ weights).astype(np.uint8)[..., None]


def _size(image):
    return f"{image.shape[0]}x{image.shape[1]}"
