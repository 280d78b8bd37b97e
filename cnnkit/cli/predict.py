"""``python -m cnnkit predict``."""

import csv
import sys

import numpy as np

from cnnkit.cli.data import unlabelled
from cnnkit.cli.options import add_command

EPILOG = """DATA is image files, folders of them, one .npz file with X (and y, for the accuracy), or
the word digits. Image files are brought to the size and the channels of the model (needs Pillow:
pip install cnnkit[image]).

The result is CSV: name, class, probability. The accuracy goes to stderr.

examples:
  python -m cnnkit predict digits.safetensors digits
  python -m cnnkit predict model.safetensors new/*.png > classes.csv"""


def add_to(commands):
    """Add the command to the parsers `commands`."""
    parser = add_command(
        commands,
        "predict",
        run,
        help="predict with a model that train wrote",
        description="Predict the classes of images with a model that train wrote.",
        epilog=EPILOG,
    )
    parser.add_argument("model", metavar="MODEL", help="a file that train wrote")
    parser.add_argument("data", metavar="DATA", nargs="+", help="see below")
    parser.add_argument(
        "--proba", action="store_true", help="a column of probabilities for every class"
    )


def run(options):
    """Predict and write a table."""
    from cnnkit import io

    clf = io.load(options.model)
    names, X, y = unlabelled(options.data, clf.input_shape_)
    proba = clf.predict_proba(X)
    best = proba.argmax(axis=1)
    table = csv.writer(sys.stdout, lineterminator="\n")
    more = list(clf.classes_) if options.proba else []
    table.writerow(["name", "class", "probability", *more])
    for name, row, k in zip(names, proba, best, strict=True):
        cells = [f"{p:.4f}" for p in row] if options.proba else []
        table.writerow([name, clf.classes_[k], f"{row[k]:.4f}", *cells])
    if y is not None:
        sys.stdout.flush()
        right = int(np.sum(clf.classes_[best] == y))
        print(f"accuracy {right / len(X):.4f} ({right} of {len(X)})", file=sys.stderr)
