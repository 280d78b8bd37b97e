"""Types of options that several commands have."""

import argparse

Formatter = argparse.RawDescriptionHelpFormatter  # keeps the line breaks of the examples

DATA = """DATA is one of
  digits       scikit-learn's 1,797 handwritten digits, 8x8
  FILE.npz     with X, images (n, H, W, C), (n, H, W) or flat rows, and y, their classes
  FOLDER       with a folder of images for each class (needs Pillow: pip install cnnkit[image])"""


def add_command(commands, name, run, *, help, description, epilog):
    """Add a command and return its parser."""
    found = commands.add_parser(
        name, help=help, description=description, epilog=epilog, formatter_class=Formatter
    )
    found.set_defaults(run=run, refuse=found.error)
    return found


def sizes(text):
    """Return ``8x8x1`` as (8, 8, 1)."""
    try:
        found = tuple(int(side) for side in text.lower().split("x"))
    except ValueError:
        found = ()
    if len(found) not in (2, 3) or min(found) < 1:
        raise argparse.ArgumentTypeError(f"must be sizes such as 64x64 or 64x64x3, got {text!r}")
    return found


def side_sizes(text):
    """Return ``64x48`` as (64, 48)."""
    found = sizes(text)
    if len(found) != 2:
        raise argparse.ArgumentTypeError(f"must be a height and width such as 64x64, got {text!r}")
    return found


def positive(kind, *, auto=False):
    """Return a type of option: a positive number of `kind`, or the word "auto" if `auto`."""
    rule = f"{'auto or ' if auto else ''}a positive {kind.__name__}"

    def convert(text):
        if auto and text == "auto":
            return text
        try:
            value = kind(text)
        except ValueError:
            value = 0
        if not 0 < value < float("inf"):
            raise argparse.ArgumentTypeError(f"must be {rule}, got {text!r}")
        return value

    return convert


def folds(text):
    """Return a number of folds, at least 2."""
    try:
        value = int(text)
    except ValueError:
        value = 0
    if value < 2:
        raise argparse.ArgumentTypeError(f"must be an int of at least 2, got {text!r}")
    return value


def share(text):
    """Return a number from 0 to below 1."""
    try:
        value = float(text)
    except ValueError:
        value = -1
    if not 0 <= value < 1:
        raise argparse.ArgumentTypeError(f"must be at least 0 and below 1, got {text!r}")
    return value


def model_names():
    """Return the names of the networks in `cnnkit.models`."""
    from cnnkit import models

    return sorted(models.MODELS)


def preprocessing_words(*more):
    """Return the words for what images are put through, and `more`."""
    from cnnkit.data.scaling import PREPROCESSING

    return [*PREPROCESSING, *more]
