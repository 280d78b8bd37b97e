"""``python -m cnnkit predict``."""

import csv
import io
import sys

import numpy as np

from cnnkit.cli import files
from cnnkit.cli.data import unlabelled
from cnnkit.cli.messages import check_output, shown
from cnnkit.cli.options import add_command, positive, preprocessing_words, sizes
from cnnkit.files import atomic

EPILOG = """DATA is image files, folders of them, one .npz file with X (and y, for the accuracy), or
the word digits. Image files are brought to the size and the channels of the model (needs Pillow:
pip install cnnkit[image]).

The result is CSV. Of a classifier: name, class, probability, and with --top 3 those of the next two
classes, too; of several labels: name and the probability of each; of a regressor: name and value.
The score, if DATA has y, goes to stderr.

MODEL may be an ONNX file of any program. One that export wrote holds all that predictions need. Of
another, --preprocessing says what images are put through, (X - mean) / scale: imagenet for networks
of torchvision and most of timm, inception for -1 to 1, lite for EfficientNet-Lite, unit for 0 to 1,
none for their numbers as they are. It is a classifier if it ends in softmax, or where --labels or
--top is given, and then softmax makes probabilities of its numbers. Otherwise all its numbers are
values. Classes without names are numbers from 0, and so may y be.

Photos are turned as their EXIF data say. A file that cannot be read has no row: it is named on
stderr with the reason, the others are predicted, and the exit code is 1.

examples:
  python -m cnnkit predict digits.safetensors digits
  python -m cnnkit predict model.safetensors new/*.png > classes.csv
  python -m cnnkit predict model.safetensors photos/ --proba --csv classes.csv
  python -m cnnkit predict mobilenetv2.onnx photos/ --preprocessing imagenet --labels names.txt"""


def add_to(commands):
    """Add the command to the parsers `commands`."""
    parser = add_command(
        commands,
        "predict",
        run,
        help="predict with a model that train wrote, or with an ONNX file",
        description="Predict with a model that train, or cnnkit.save, wrote, or with an ONNX file.",
        epilog=EPILOG,
    )
    add = parser.add_argument
    add("model", metavar="MODEL", help="a file that train or cnnkit.save wrote, or an ONNX file")
    add("data", metavar="DATA", nargs="+", help="see below")
    add("--proba", action="store_true", help="a column of probabilities for every class")
    add("--csv", metavar="FILE", help="write the table to a file, not to stdout")
    add("-f", "--force", action="store_true", help="replace the file of --csv")
    add("--top", type=positive(int), metavar="K", help="the K likeliest classes, default: 1")
    of_onnx = parser.add_argument_group("of an ONNX file").add_argument
    of_onnx("--labels", metavar="FILE", help="names of the classes, one on a line")
    words = preprocessing_words("none")
    of_onnx("--preprocessing", choices=words, metavar="WORD", help=f"one of {', '.join(words)}")
    open_sizes = "of images, where the file leaves it open or takes flat rows"
    of_onnx("--image-shape", type=sizes, metavar="HxWxC", help=open_sizes)
    of_onnx("--output-name", metavar="NAME", help="which output, where there are several")


def run(options):
    """Predict and write a table."""
    if options.csv is not None:
        check_output(options.csv, "--csv", options.force)
    model = _model(options)
    if not hasattr(model, "predict") or getattr(model, "_has_image_targets", False):
        raise ValueError(f"predict needs a classifier or a regressor, got {type(model).__name__}.")
    if options.proba and not hasattr(model, "predict_proba"):
        options.refuse("argument --proba: needs a classifier")
    if options.top and getattr(model, "multilabel_", True):
        options.refuse("argument --top: needs a classifier of one label for each image")
    names, X, y, left_out = unlabelled(options.data, model.input_shape_)
    header, rows, found = _table(model, X, options)
    lines = [["name", *header], *([name, *row] for name, row in zip(names, rows, strict=True))]
    if options.csv is None:
        if isinstance(sys.stdout, io.TextIOWrapper):
            sys.stdout.reconfigure(errors="surrogateescape")  # for file names that are not UTF-8
        _write(lines, sys.stdout)
        sys.stdout.flush()
    else:
        text = io.StringIO(newline="")
        _write(lines, text)
        content = text.getvalue().encode(errors="surrogateescape")
        atomic.replace(options.csv, lambda file: file.write(content), "--csv")
        print(f"{shown(options.csv)}: {len(rows)} rows")
    if y is not None:
        print(_score(model, y, found), file=sys.stderr)
    if left_out:
        raise ValueError(f"{left_out} of {left_out + len(names)} image files are left out.")


def _write(lines, file):
    csv.writer(file, lineterminator="\n").writerows(lines)


def _model(options):
    """Return the estimator of a file, or the network of an ONNX file in the form of one."""
    if files.kind(options.model) == files.ONNX:
        from cnnkit.cli import onnx_models

        return onnx_models.load(options)
    for name in ("labels", "preprocessing", "image_shape", "output_name"):
        if getattr(options, name) is not None:
            options.refuse(f"argument --{name.replace('_', '-')}: needs an ONNX file")
    from cnnkit.io import load

    return load(options.model)


def _table(model, X, options):
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
    best = np.argsort(-proba, axis=1, kind="stable")[:, : options.top or 1]
    header, rows = [], [[] for _ in proba]
    for k, column in enumerate(best.T, 1):
        header += ["class", "probability"] if k == 1 else [f"class {k}", f"probability {k}"]
        for i, place in enumerate(column):
            rows[i] += [model.classes_[place], cells[i][place]]
    if options.proba:
        header += list(model.classes_)
        rows = [row + more for row, more in zip(rows, cells, strict=True)]
    return header, rows, model.classes_[best[:, 0]]


def _score(model, y, found):
    """Return a line with the score of the predictions."""
    if not hasattr(model, "predict_proba"):
        from sklearn.metrics import r2_score

        return f"R2 {r2_score(y, found):.4f}"
    named = model.classes_.dtype.kind in "UO" and not model.multilabel_
    if named and y.dtype.kind in "iu" and y.size and 0 <= y.min() <= y.max() < len(model.classes_):
        y = model.classes_[y]  # numbers of the classes
    right = found == y
    count = int(np.sum(right.all(axis=1) if right.ndim == 2 else right))
    return f"accuracy {count / len(found):.4f} ({count} of {len(found)})"
