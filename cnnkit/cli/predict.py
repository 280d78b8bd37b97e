"""``python -m cnnkit predict``."""

import csv
import io
import sys

import numpy as np

from cnnkit.cli.data import unlabelled
from cnnkit.cli.options import add_command

EPILOG = """DATA is image files, folders of them, one .npz file with X (and y, for the accuracy), or
the word digits. Image files are brought to the size and the channels of the model (needs Pillow:
pip install cnnkit[image]).

The result is CSV. Of a classifier: name, class, probability; of several labels: name and the
probability of each; of a regressor: name and value. The score, if DATA has y, goes to stderr.

Photos are turned as their EXIF data say. A file that cannot be read has no row: it is named on
stderr with the reason, the others are predicted, and the exit code is 1.

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
        description="Predict with a model that train, or cnnkit.save, wrote.",
        epilog=EPILOG,
    )
    parser.add_argument("model", metavar="MODEL", help="a file that train or cnnkit.save wrote")
    parser.add_argument("data", metavar="DATA", nargs="+", help="see below")
    parser.add_argument(
        "--proba", action="store_true", help="a column of probabilities for every class"
    )


def run(options):
    """Predict and write a table."""
    from cnnkit.io import load

    model = load(options.model)
    if not hasattr(model, "predict"):
        raise ValueError(f"predict needs a classifier or a regressor, got {type(model).__name__}.")
    if options.proba and not hasattr(model, "predict_proba"):
        options.refuse("argument --proba: needs a classifier")
    names, X, y, left_out = unlabelled(options.data, model.input_shape_)
    header, rows, found = _table(model, X, options.proba)
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="surrogateescape")  # for file names that are not UTF-8
    table = csv.writer(sys.stdout, lineterminator="\n")
    table.writerow(["name", *header])
    table.writerows([name, *row] for name, row in zip(names, rows, strict=True))
    sys.stdout.flush()
    if y is not None:
        print(_score(model, y, found), file=sys.stderr)
    if left_out:
        raise ValueError(f"{left_out} of {left_out + len(names)} image files are left out.")


def _table(model, X, every_class):
    """Return the names of the columns, the rows, and the predictions."""
    if not hasattr(model, "predict_proba"):
        found = model.predict(X)
        columns = found.reshape(len(found), -1)
        count = columns.shape[1]
        header = ["value"] if count == 1 else [f"value {k}" for k in range(count)]
        return header, [[f"{value:.6g}" for value in row] for row in columns], found
    proba = model.predict_proba(X)
    cells = [[f"{p:.4f}" for p in row] for row in proba]
    if model.multilabel_:
        return list(model.classes_), cells, (proba > 0.5).astype(int)
    best = proba.argmax(axis=1)
    found = model.classes_[best]
    rows = [[k, row[i]] for k, row, i in zip(found, cells, best, strict=True)]
    if not every_class:
        return ["class", "probability"], rows, found
    rows = [row + more for row, more in zip(rows, cells, strict=True)]
    return ["class", "probability", *model.classes_], rows, found


def _score(model, y, found):
    """Return a line with the score of the predictions."""
    if not hasattr(model, "predict_proba"):
        from sklearn.metrics import r2_score

        return f"R2 {r2_score(y, found):.4f}"
    right = found == y
    count = int(np.sum(right.all(axis=1) if right.ndim == 2 else right))
    return f"accuracy {count / len(found):.4f} ({count} of {len(found)})"
