"""``python -m cnnkit train``."""

import time
from pathlib import Path

import numpy as np

from cnnkit.cli import weights
from cnnkit.cli.cross_validation import cross_validate
from cnnkit.cli.data import check_source, labelled
from cnnkit.cli.messages import check_output
from cnnkit.cli.options import (
    DATA,
    add_command,
    folds,
    model_names,
    positive,
    preprocessing_words,
    share,
    side_sizes,
    sizes,
)
from cnnkit.cli.progress import EpochProgress, duration

EPILOG = f"""{DATA}

Photos are turned as their EXIF data say. A file that cannot be read is named on stderr with the
reason and left out; hidden files and folders are passed over.

The model file holds no code and no pickle; it may be loaded wherever it comes from. One that is
there already is replaced with --force alone.

--weights starts from a network that was trained before: weights of torchvision, timm or Keras for
--model (.pth, .pt, .safetensors), or a model file or an ONNX file, which hold their network. Its
last layer is replaced by a new one, drawn at random, for the classes in DATA. With --freeze only
that is trained: all layers with weights of the file stay as they are, and batch norms use the
statistics they have. --preprocessing says what images are put through first, (X - mean) / scale,
and the model keeps it: imagenet, inception (-1 to 1), lite, unit (0 to 1); data is the mean and the
deviation of the images in DATA; auto, the default, is what is known of weights with these names; a
model file has its own; none, of an ONNX file, is numbers as they are. Photos are read in colour.

--cv 5 says how well the model will do: it trains five more, each without a fifth of the images,
which it then predicts. It prints the accuracy of each, a report by classes, and writes a picture of
the confusion matrix beside the model, MODEL.confusion.png (needs matplotlib: pip install
cnnkit[plot]). These trainings have no validation images, and no --early-stopping. The model itself
is trained as without --cv.

examples:
  python -m cnnkit train digits --output digits.safetensors
  python -m cnnkit train photos/ --size 64x64 --model resnet18 --width 0.25 --epochs 30
  python -m cnnkit train data.npz --image-shape 28x28x1 --solver sgd --learning-rate 0.05
  python -m cnnkit train digits --epochs 100 --early-stopping --force
  python -m cnnkit train photos/ --size 224x224 --model resnet18 --weights FILE.pth --freeze"""

SCHEDULES = {"cosine": "Cosine", "one-cycle": "OneCycle"}  # classes of cnnkit.schedules
FROM_DATA = "default: auto, from the images and the network"


def add_to(commands):
    """Add the command to the parsers `commands`."""
    parser = add_command(
        commands,
        "train",
        run,
        help="train a classifier and write it to a file",
        description="Train a classifier of images and write it to a file.",
        epilog=EPILOG,
    )
    add = parser.add_argument
    add("data", metavar="DATA", help="digits, FILE.npz or FOLDER, see below")
    add("--output", metavar="FILE", default="model.safetensors", help="default: %(default)s")
    add("-f", "--force", action="store_true", help="replace the file of --output")
    add(
        "--model",
        choices=model_names(),
        metavar="NAME",
        help="a network of cnnkit.models: %(choices)s; default: default, which follows the "
        "size of the images",
    )
    width = "factor of all filters of --model, default: 1"
    add("--width", type=positive(float), metavar="W", help=width)
    add("--size", type=side_sizes, metavar="HxW", help="bring image files to this size")
    add("--image-shape", type=sizes, metavar="HxWxC", help="of flat rows in an .npz file")
    add("--weights", metavar="FILE", help="start from a trained network, see above")
    add("--freeze", action="store_true", help="train its new last layer alone")
    parts = "first train K times without a K-th of the images, and say how well these are predicted"
    add("--cv", type=folds, metavar="K", help=parts)
    add(
        "--preprocessing",
        choices=preprocessing_words(weights.AUTO, weights.FROM_DATA, weights.AS_THEY_ARE),
        metavar="WORD",
        help="what images are put through for --weights: %(choices)s",
    )
    add_training(add)


def add_training(add):
    """Add the options of training by `add`, the method of a parser."""
    most = "default: auto, fewer the more images there are"
    add("--epochs", type=positive(int, auto=True), default="auto", metavar="N", help=most)
    add("--batch-size", type=positive(int, auto=True), default="auto", metavar="N", help=FROM_DATA)
    add(
        "--learning-rate",
        type=positive(float, auto=True),
        default="auto",
        metavar="R",
        help=f"the highest there is; {FROM_DATA}",
    )
    add(
        "--schedule",
        choices=["auto", "constant", *SCHEDULES],
        default="auto",
        metavar="NAME",
        help="how the learning rate changes: %(choices)s; default: auto, which is one-cycle; with "
        "constant, training ends before --epochs once the loss has stopped falling",
    )
    add("--solver", choices=["adamw", "adam", "sgd"], default="adamw", help="default: %(default)s")
    add("--seed", type=int, default=0, metavar="N", help="default: %(default)s")
    add(
        "--validation-fraction",
        type=share,
        default=0.1,
        metavar="F",
        help="part of the images that is kept from training and predicted after every epoch; "
        "default: %(default)s",
    )
    add(
        "--early-stopping",
        action="store_true",
        help="end once the validation score has stopped rising, with the weights that did best",
    )
    add(
        "--scoring",
        metavar="NAME",
        help="scorer of scikit-learn for the validation score, such as f1_macro; default: accuracy",
    )


def run(options):
    """Train, write the model and print the result."""
    from sklearn.base import clone

    from cnnkit import io
    from cnnkit.data import images
    from cnnkit.estimators import CNNClassifier
    from cnnkit.estimators.setup import choose

    check_source(options.data)
    _refuse_what_would_be_ignored(options)
    keep = "--force replaces it, --output NAME keeps it"
    check_output(options.output, "--output", options.force, keep)
    origin = weights.read(options)
    X, y = labelled(options.data, options.size, origin.channels)
    shape = images.input_shape(X, options.image_shape, "train")
    whole = X, y
    X, y, X_val, y_val = _split(X, y, options)
    clf = CNNClassifier(
        **origin.start(options, shape)._asdict(),
        image_shape=options.image_shape,
        solver=options.solver,
        batch_size=options.batch_size,
        learning_rate=_schedule(options),
        learning_rate_init=options.learning_rate,
        max_iter=options.epochs,
        early_stopping=options.early_stopping,
        scoring=options.scoring,
        random_state=options.seed,
    )
    if options.cv is not None:
        cross_validate(clone(clf).set_params(early_stopping=False), *whole, options)
    size = "x".join(map(str, shape))
    classes = len(np.unique(y))
    print(f"{len(X)} images of {size} in {classes} classes, {len(X_val)} more to validate")
    settings = choose(clf, shape, classes, len(X))
    print(settings)
    start = time.monotonic()
    validation = {"X_val": X_val, "y_val": y_val} if len(X_val) else {}
    clf.set_callbacks(EpochProgress(settings.epochs)).fit(X, y, **validation)
    if options.early_stopping:
        name = options.scoring or "accuracy"
        print(f"validation {name} of the weights kept: {clf.best_validation_score_:.4f}")
    count = clf.network_.weights.trained if options.freeze else clf.summary().weights
    print(f"{count:,} weights trained in {duration(time.monotonic() - start)}")
    io.save(clf.set_params(initial_weights=None), options.output)
    print(f"model: {options.output}")


def _refuse_what_would_be_ignored(options):
    weights.check(options)
    is_folder = options.data != "digits" and Path(options.data).is_dir()
    if options.size is not None and not is_folder:
        options.refuse(f"argument --size: needs a folder of image files, got {options.data}")
    if options.early_stopping and not options.validation_fraction:
        options.refuse("argument --early-stopping: needs a --validation-fraction above 0")
    if options.scoring is not None and not options.validation_fraction:
        options.refuse("argument --scoring: needs a --validation-fraction above 0")
    if options.image_shape is not None and (is_folder or options.data == "digits"):
        options.refuse("argument --image-shape: needs an .npz file")


def _schedule(options):
    """Return the `learning_rate` of ``--schedule``."""
    if options.schedule not in SCHEDULES:
        return options.schedule
    from cnnkit import schedules

    return getattr(schedules, SCHEDULES[options.schedule])()


def _split(X, y, options):
    """Return the images to train on, their labels, and those to validate with."""
    from sklearn.model_selection import train_test_split

    if len(X) != len(y) or np.ndim(y) != 1:
        raise ValueError(f"y must be one class for each of {len(X)} images, got {np.shape(y)}.")
    kept = round(options.validation_fraction * len(X))
    if not kept:
        return X, y, X[:0], y[:0]
    _, first, counts = np.unique(y, return_index=True, return_counts=True)
    even = counts.min() > 1 and min(kept, len(X) - kept) >= len(counts)
    free = np.arange(len(X)) if even else np.delete(np.arange(len(X)), first)
    if len(free) <= kept:
        raise ValueError(
            f"--validation-fraction must leave an image of every class to train on, "
            f"got {options.validation_fraction} of {len(X)} images in {len(counts)} classes."
        )
    _, others = train_test_split(
        free, test_size=kept, stratify=y if even else None, random_state=options.seed
    )
    rows = np.setdiff1d(np.arange(len(X)), others)  # every class keeps at least one image
    return X[rows], y[rows], X[others], y[others]
