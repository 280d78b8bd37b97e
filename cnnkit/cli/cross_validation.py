"""Cross-validation of ``train --cv``: a table of folds, a report, and a confusion matrix."""

from pathlib import Path

import numpy as np

from cnnkit.cli.messages import shown, warn


def cross_validate(clf, X, y, options):
    """Print how well classifiers do on the part of the images that each has not seen.

    Parameters
    ----------
    clf : CNNClassifier
        It is cloned.
    X, y : arrays
    options : namespace
        ``cv``, the number of folds; ``seed``, of the split; ``output``, the file of the model,
        beside which the picture of the confusion matrix is written.
    """
    from sklearn.base import clone
    from sklearn.metrics import classification_report
    from sklearn.model_selection import StratifiedKFold

    names, counts = np.unique(y, return_counts=True)
    folds = options.cv
    if counts.min() < folds:
        raise ValueError(
            f"--cv must be at most the images of the smallest class, {counts.min()} of "
            f"{shown(names[counts.argmin()])}, got {folds}."
        )
    found, scores = np.empty_like(y), []
    split = StratifiedKFold(folds, shuffle=True, random_state=options.seed).split(
        np.zeros(len(y)), y
    )
    print("fold  images  accuracy")
    for k, (train, test) in enumerate(split):
        found[test] = clone(clf).fit(X[train], y[train]).predict(X[test])
        scores.append(np.mean(found[test] == y[test]))
        print(f"{k + 1:4}  {len(test):6}  {scores[-1]:8.4f}", flush=True)
    print(f"mean          {np.mean(scores):8.4f}, standard deviation {np.std(scores):.4f}\n")
    print(classification_report(y, found, digits=4, zero_division=0))
    _draw(y, found, Path(options.output).with_suffix(".confusion.png"))


def _draw(y, found, path):
    """Write a picture of the confusion matrix, if matplotlib is installed."""
    try:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
    except ImportError:
        warn("no picture of the confusion matrix without matplotlib: pip install cnnkit[plot]")
        return
    from sklearn.metrics import ConfusionMatrixDisplay

    side = max(4.0, 1.5 + 0.5 * len(np.unique(y)))
    figure = Figure(figsize=(side, side), layout="constrained")
    FigureCanvasAgg(figure)
    ConfusionMatrixDisplay.from_predictions(
        y,
        found,
        ax=figure.add_subplot(),
        cmap="Purples",
        colorbar=False,
        xticks_rotation="vertical",
    )
    figure.savefig(path, dpi=150)
    print(f"confusion matrix: {shown(path)}")
