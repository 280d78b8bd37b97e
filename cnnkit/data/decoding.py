"""Image files as arrays: decoded, turned upright, in one mode of pixels, brought to one size.

All functions may be called by several threads at once.
"""

import os
import warnings
from operator import index
from typing import NamedTuple

import numpy as np

from cnnkit.validate.values import short

# modes of Pillow in which images are read: channels, and type of their numbers
MODES = {
    "L": (1, np.uint8),
    "RGB": (3, np.uint8),
    "RGBA": (4, np.uint8),
    "I;16": (1, np.uint16),
    "F": (1, np.float32),
}
FITS = ("stretch", "crop", "pad")
DEEP = ("I", "F")  # starts of the modes with more than 8 bits a channel
GREY = ("1", "L", "LA", "La")
TURNED = (5, 6, 7, 8)  # values of EXIF's orientation with height and width exchanged
ORIENTATION = 0x0112
STILLS = ("MPO",)  # a format of photos from phones: the other frames are previews
FINER = 2  # how many times finer than asked for a JPEG is decoded before it is resized


class Form(NamedTuple):
    """The form to which all images are brought.

    Attributes
    ----------
    size : (int, int) or None
        Height and width; None leaves them.
    mode : str
        A key of `MODES`.
    fit : {"stretch", "crop", "pad"}
        How an image of another shape gets that size.
    fill : "reflect", number or tuple
        What lies around an image that is padded.
    """

    size: tuple[int, int] | None
    mode: str
    fit: str
    fill: object


class Header(NamedTuple):
    """What a file says of its image: upright height and width, mode of Pillow, and frames."""

    size: tuple[int, int]
    mode: str
    frames: int


def pillow():
    """Return Pillow's module `Image`; an ImportError names the extra that brings it."""
    try:
        from PIL import Image
    except ImportError as error:
        raise ImportError("Image files need Pillow: pip install cnnkit[image]") from error
    return Image


def read_header(path, whole=False):
    """Return the `Header` of an image file, which is decoded, for errors alone, if `whole`."""
    with _opened(path) as image:
        if whole:
            _load(image, path)
        height, width = image.size[::-1]
        if _orientation(image) in TURNED:
            height, width = width, height
        stack = image.format not in STILLS
        return Header((height, width), image.mode, getattr(image, "n_frames", 1) if stack else 1)


def decode(path, form, frame=None):
    """Return one frame of an image file as an array (H, W, C), in the `Form` asked for.

    If `frame` is None it is the first, and a warning says so if there are more.

    Raises
    ------
    OSError
        If the file cannot be read or decoded; it names the file.
    ValueError
        If the image cannot be in that mode without losing numbers, or is too large.
    """
    with _opened(path) as image:
        if frame is None:
            _warn_of_frames(image, path)
        elif frame:
            try:
                image.seek(frame)
            except (EOFError, ValueError) as error:
                raise ValueError(f"{path}: there is no frame {frame}.") from error
        turn = _orientation(image)
        if image.format == "JPEG" and form.size is not None and form.mode in ("L", "RGB"):
            _draft(image, form, turn in TURNED)
        _load(image, path)
        from PIL import ImageOps

        image = _in_mode(ImageOps.exif_transpose(image) if turn > 1 else image, form.mode, path)
        return _sized(image, form)


def reason(error):
    """Return why a file cannot be read, without its name."""
    from PIL import UnidentifiedImageError

    if isinstance(error, UnidentifiedImageError):
        return "it is no image, or of a kind that Pillow does not read"
    return getattr(error, "strerror", None) or str(error) or type(error).__name__


def _load(image, path):
    """Decode an image."""
    try:
        image.load()
    except Exception as error:  # a damaged file can lead to any error in a decoder
        raise _naming(path, error) from error


def _naming(path, error):
    """Return an OSError that names the file, with the reason of an error."""
    errno = getattr(error, "errno", None)
    if errno is None:
        return OSError(f"{os.fspath(path)}: {reason(error)}")
    return OSError(errno, reason(error), os.fspath(path))


def check_form(size, mode, fit, fill, owner):
    """Return the `Form` that a user's arguments mean, or raise an error."""
    if size is not None:
        given = size
        try:
            size = (size, size) if isinstance(size, (int, np.integer)) else tuple(map(index, size))
        except (TypeError, ValueError):
            size = ()
        if len(size) != 2 or min(size) < 1 or isinstance(given, bool):
            raise ValueError(
                f"{owner}: size must be (height, width), two positive ints, or None, "
                f"got {short(given)}."
            )
    if mode not in MODES:
        raise ValueError(f"{owner}: mode must be one of {list(MODES)}, got {short(mode)}.")
    if fit not in FITS:
        raise ValueError(f"{owner}: fit must be one of {list(FITS)}, got {short(fit)}.")
    channels, dtype = MODES[mode]
    most = np.inf if np.dtype(dtype).kind == "f" else np.iinfo(dtype).max
    if fill != "reflect":
        try:
            colour = np.asarray(fill, np.float64)
        except (TypeError, ValueError):
            colour = np.empty((0,))
        if colour.shape not in ((), (channels,)) or not ((colour >= 0) & (colour <= most)).all():
            raise ValueError(
                f'{owner}: fill must be "reflect", a number or {channels} numbers, one a channel, '
                f"from 0 to {most}, got {short(fill)}."
            )
    return Form(size, mode, fit, fill)


def _opened(path):
    """Return the image of a file, not yet decoded; it must be closed."""
    image = pillow()
    try:
        found = image.open(path)
    except image.DecompressionBombError as error:
        raise ValueError(f"{os.fspath(path)}: {error}") from error
    except Exception as error:
        raise _naming(path, error) from error
    return found


def _warn_of_frames(image, path):
    count = 1 if image.format in STILLS else getattr(image, "n_frames", 1)
    if count > 1:
        warnings.warn(
            f"{path} has {count} frames, of which the first is taken; "
            f"cnnkit.data.load_image_stack takes all.",
            UserWarning,
            stacklevel=2,
        )


def _orientation(image):
    """Return the orientation that EXIF says, from 1, upright, to 8."""
    try:
        found = image.getexif().get(ORIENTATION, 1)
    except Exception:  # damaged EXIF data say nothing
        return 1
    return found if found in range(1, 9) else 1


def _draft(image, form, turned):
    """Let the decoder make a JPEG smaller, but not as small as it is wanted."""
    height, width = form.size[::-1] if turned else form.size
    ratios = height / image.height, width / image.width
    if form.fit != "stretch":
        ratios = (max(ratios) if form.fit == "crop" else min(ratios),) * 2
    wanted = [FINER * side * ratio for side, ratio in zip(image.size, ratios[::-1], strict=True)]
    image.draft(None, tuple(int(np.ceil(side)) for side in wanted))


def _in_mode(image, mode, path):
    """Return an image in a mode; transparent pixels of one without alpha become white."""
    if image.mode == mode:
        return image
    deep = image.mode.startswith(DEEP)
    if mode == "I;16":
        if image.mode not in ("1", "L", "I", "I;16", "I;16B", "I;16L"):
            raise ValueError(f"{path}: must have one channel of integers, got mode {image.mode}.")
        least, most = image.getextrema()
        if least < 0 or most > 65535:
            raise ValueError(
                f"{path}: must have numbers from 0 to 65535 for mode='I;16', got {least} to "
                f"{most}: read it with mode='F'."
            )
        return image if deep else image.convert("I")
    if mode == "F":
        if not deep and image.mode not in GREY:
            raise ValueError(
                f"{path}: must have one channel, got mode {image.mode}: read it with mode='RGB'."
            )
        return image if deep else image.convert("F")
    if deep:
        wide = "'F'" if image.mode == "F" else "'I;16' or 'F'"
        raise ValueError(
            f"{path}: must have 8 bits a channel for mode={mode!r}, got mode {image.mode}: read it "
            f"with mode={wide}."
        )
    transparent = image.mode in ("RGBA", "LA", "PA", "La", "RGBa") or "transparency" in image.info
    if transparent:
        image = image.convert("RGBA")
        if mode != "RGBA":
            ground = pillow().new("RGBA", image.size, (255, 255, 255, 255))
            image = pillow().alpha_composite(ground, image)
    return image.convert(mode)


def _sized(image, form):
    """Return the pixels of an image, brought to the size of the form."""
    if form.size is None or image.size == form.size[::-1]:
        return _pixels(image, form.mode)
    if MODES[form.mode][1] != np.uint8:  # Pillow resizes more than 8 bits as floats alone
        image = pillow().fromarray(_pixels(image, "F")[..., 0])
    height, width = form.size
    box, inner = None, (height, width)
    if form.fit != "stretch":
        ratios = height / image.height, width / image.width
        ratio = max(ratios) if form.fit == "crop" else min(ratios)
        if form.fit == "pad":
            sides = image.height * ratio, image.width * ratio
            inner = tuple(
                min(most, max(1, round(side))) for most, side in zip(form.size, sides, strict=True)
            )
        else:
            spare = image.width - width / ratio, image.height - height / ratio
            left, top = (max(0.0, side / 2) for side in spare)
            box = (left, top, image.width - left, image.height - top)
    bilinear = pillow().Resampling.BILINEAR
    gap = 3.0 if image.mode != "F" else None  # first by whole pixels where much smaller
    found = _pixels(image.resize(inner[::-1], bilinear, box, gap), form.mode)
    return found if inner == form.size else _padded(found, form)


def _padded(pixels, form):
    """Return pixels in the middle of an image of the size of the form."""
    spare = [side - found for side, found in zip(form.size, pixels.shape, strict=False)]
    around = [(side // 2, side - side // 2) for side in spare]
    if form.fill == "reflect":
        # one pixel cannot be reflected about its middle
        mode = "reflect" if min(pixels.shape[:2]) > 1 else "edge"
        return np.pad(pixels, (*around, (0, 0)), mode)
    found = np.empty((*form.size, pixels.shape[2]), pixels.dtype)
    found[...] = np.asarray(form.fill)
    (top, _), (left, _) = around
    found[top : top + pixels.shape[0], left : left + pixels.shape[1]] = pixels
    return found


def _pixels(image, mode):
    """Return the numbers of an image as (H, W, C), in the type of a mode."""
    found = np.asarray(image)
    found = found[..., None] if found.ndim == 2 else found
    dtype = np.dtype(MODES[mode][1])
    if dtype == np.uint16 and found.dtype != dtype:
        found = np.clip(np.rint(found), 0, 65535)
    return found.astype(dtype, copy=False)
