"""Image files: finding and reading them."""

import os
import warnings
from pathlib import Path

import numpy as np

from cnnkit.cli.messages import shown, warn

SUFFIXES = {
    *(".avif", ".bmp", ".gif", ".heic", ".heif", ".jfif", ".jpeg", ".jpg", ".pgm", ".png"),
    *(".ppm", ".tif", ".tiff", ".webp"),
}
STILLS = ("MPO",)  # a format of photos from phones: the other frames are previews


def is_hidden(name):
    """Say whether a file or folder belongs to the system, not to the user."""
    return name.startswith(".") or name == "__MACOSX"


def image_files(folder):
    """Return the image files of a folder and its subfolders, sorted, without hidden ones.

    A broken link is included, so that reading it names it. A folder without permission to read is
    an OSError.
    """

    def refuse(error):
        raise error

    found = []
    for root, folders, files in os.walk(folder, onerror=refuse):
        folders[:] = [name for name in folders if not is_hidden(name)]
        paths = [Path(root, name) for name in files if not is_hidden(name)]
        found += [path for path in paths if path.suffix.lower() in SUFFIXES]
    return sorted(path for path in found if path.is_file() or not path.exists())


def read(files, size=None, channels=None):
    """Return image files as an array, and the indices of those that it holds.

    A file that cannot be read is left out, with a warning that names it.

    Parameters
    ----------
    files : list of Path
    size : pair of ints, default=None
        Height and width to which all images are resized.
    channels : {1, 3}, default=None
        None means 1 if all images are grey, else 3.

    Returns
    -------
    X : array of shape (n, H, W, C) of uint8
    kept : list of int
    """
    try:
        import PIL.Image  # noqa: F401
    except ImportError as error:
        raise ImportError("Image files need Pillow: pip install cnnkit[image]") from error
    if channels not in (None, 1, 3):
        raise ValueError(
            f"image files can be read in 1 or 3 channels, the model needs {channels}: use .npz."
        )
    found, kept, grey = [], [], True
    for k, file in enumerate(files):
        try:
            pixels, is_grey = _pixels(file, size)
        except Exception as error:  # a damaged file can lead to any error in a decoder
            warn(f"{shown(file)} is left out: {_reason(error)}")
            continue
        found.append(pixels)
        kept.append(k)
        grey = grey and is_grey
        if pixels.shape != found[0].shape:
            raise ValueError(
                f"images must be of one size: {shown(files[kept[0]])} has {_size(found[0])}, "
                f"{shown(file)} has {_size(pixels)}; --size 64x64, say, brings all to one."
            )
    if not found:
        raise ValueError(f"none of {len(files)} image files can be read.")
    X = np.stack(found)
    if channels == 3 or (channels is None and not grey):
        return X, kept
    if grey:
        return X[..., :1], kept
    weights = np.array([0.299, 0.587, 0.114], np.float32)  # luma of ITU-R BT.601, as Pillow's "L"
    return np.rint(X @ weights).astype(np.uint8)[..., None], kept


def _pixels(file, size):
    """Return the upright pixels of an image, (H, W, 3), and whether it is grey."""
    from PIL import Image, ImageOps

    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        with Image.open(file) as image:
            if image.mode.startswith(("I", "F")):
                raise ValueError(
                    f"it must have 8 bits a channel, got mode {image.mode}; deeper images can be "
                    "given as .npz"
                )
            if getattr(image, "is_animated", False) and image.format not in STILLS:
                warn(f"{shown(file)} has {image.n_frames} frames, of which the first is taken.")
            grey = image.mode in ("1", "L", "LA")
            image = ImageOps.exif_transpose(image).convert("RGB")
    for warning in told:
        if issubclass(warning.category, (UserWarning, RuntimeWarning)):
            warn(f"{shown(file)}: {warning.message}")
    if size is not None and image.size != size[::-1]:
        image = image.resize(size[::-1], Image.Resampling.BILINEAR)
    return np.asarray(image), grey


def _reason(error):
    """Return the reason why a file cannot be read, without its name."""
    from PIL import UnidentifiedImageError

    if isinstance(error, UnidentifiedImageError):
        return "it is no image, or of a kind that Pillow does not read"
    return getattr(error, "strerror", None) or str(error) or type(error).__name__


def _size(image):
    return f"{image.shape[0]}x{image.shape[1]}"
