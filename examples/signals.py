"""
Signals: a convolutional network against a random forest
========================================================

A signal of L numbers is an image of one row, `image_shape=(1, L)`. Six kinds of signals are drawn
by a formula: tones that rise or fall, one burst or two, and periodic waves in the form of a saw or
of a roof. Everything that does not tell the kind is random: where a signal begins, how fast it is,
how strong, and noise that is stronger than the signal.

A forest gets the raw numbers, and then what an engineer would compute first: moments, crossings of
zero, the energy in bands of frequencies and in quarters of the time. The networks get the raw
numbers. One has them as a row of a table, without an order, as it is without `image_shape`; one is
the default for signals; one is written by hand, of kernels (1, 9), which see nine moments at a
time. A kind is the same wherever in time it begins: convolutions and the pooling at the end
know that, a table does not.
"""

from time import perf_counter

import numpy as np
from endings import PICTURES, save_picture, timed
from sklearn.ensemble import RandomForestClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

from cnnkit import BatchNorm, CNNClassifier, Conv, Dense, GlobalAvgPool, MaxPool, ReLU

LENGTH = 256
KINDS = np.array(["rising tone", "falling tone", "one burst", "two bursts", "saw", "roof"])
N_TRAIN, N_TEST = 1000, 1000
NOISE = 1.0  # deviation of the noise; signals have about 0.7
TREES = 200
HAND = [
    *(Conv(16, (1, 9)), BatchNorm(), ReLU(), MaxPool((1, 4))),
    *(Conv(32, (1, 9)), BatchNorm(), ReLU(), MaxPool((1, 4))),
    *(Conv(64, (1, 9)), BatchNorm(), ReLU(), GlobalAvgPool(), Dense(None)),
]
PICTURE = PICTURES / "signals.png"


# %%
# Signals by their formulas


def tone(t, rng, rises):
    """A tone whose frequency rises, or falls, by a factor of two to ten."""
    low, high = rng.uniform(0.01, 0.03), rng.uniform(0.05, 0.1)
    first, last = (low, high) if rises else (high, low)
    return np.sin(2 * np.pi * (rng.random() + first * t + (last - first) * t**2 / 2 / LENGTH))


def bursts(t, rng, count):
    """One oscillation that swells and fades, or two, of together the same energy."""
    centre, width = rng.uniform(60, LENGTH - 60), rng.uniform(10, 14)
    apart = [0] if count == 1 else [-45, 45]
    swell = sum(np.exp(-(((t - centre - shift) / width) ** 2)) for shift in apart)
    oscillation = np.sin(2 * np.pi * (rng.random() + rng.uniform(0.08, 0.12) * t))
    return 2 / np.sqrt(count) * swell * oscillation


def wave(t, rng, roof):
    """A periodic wave that goes up and down alike, or jumps back."""
    phase = (rng.uniform(0.015, 0.03) * t + rng.random()) % 1
    return 1.2 * (2 * np.abs(2 * phase - 1) - 1) if roof else rng.choice([-1, 1]) * (2 * phase - 1)


FORMULAS = [(tone, True), (tone, False), (bursts, 1), (bursts, 2), (wave, False), (wave, True)]


def signals(n, seed, noise):
    """Return n signals (n, LENGTH) and the names of their kinds."""
    rng, t = np.random.default_rng(seed), np.arange(LENGTH)
    kinds = rng.integers(0, len(KINDS), n)
    X = np.empty((n, LENGTH), np.float32)
    for row, kind in enumerate(kinds):
        formula, form = FORMULAS[kind]
        X[row] = rng.uniform(0.7, 1.3) * formula(t, rng, form)
    return X + noise * rng.standard_normal(X.shape, np.float32), KINDS[kinds]


def features(X):
    """Return what describes a signal in 25 numbers."""
    centred = X - X.mean(axis=1, keepdims=True)
    deviation = centred.std(axis=1)
    moments = [(centred**power).mean(axis=1) / deviation**power for power in (3, 4)]
    crossings = (np.diff(np.sign(X), axis=1) != 0).mean(axis=1)
    energy = np.abs(np.fft.rfft(X, axis=1)[:, 1:65]) ** 2
    bands = np.log(energy.reshape(len(X), 16, 4).sum(axis=2))
    quarters = X.reshape(len(X), 4, -1).std(axis=2)
    return np.c_[X.mean(axis=1), deviation, *moments, crossings, bands, quarters]


# %%
# What is compared


def models():
    """Return the classifiers by name."""
    forest = RandomForestClassifier(TREES, random_state=0, n_jobs=-1)
    return {
        "forest, raw numbers": forest,
        "forest, 25 features": make_pipeline(FunctionTransformer(features), forest),
        "network, as a table": CNNClassifier(image_shape=(1, 1, LENGTH), random_state=0),
        "network, default": CNNClassifier(image_shape=(1, LENGTH), random_state=0),
        "network, by hand": CNNClassifier(HAND, image_shape=(1, LENGTH), random_state=0),
    }


def compare(X, y, X_test, y_test):
    """Fit all, print a table, and return the fitted models and their accuracy by name."""
    print(f"{len(X)} signals of {LENGTH} numbers to learn from, {len(X_test)} others\n")
    print(f"{'':22}accuracy  seconds of fit")
    fitted, accuracy = {}, {}
    for name, model in models().items():
        start = perf_counter()
        fitted[name] = model.fit(X, y)
        seconds = perf_counter() - start
        accuracy[name] = model.score(X_test, y_test)
        print(f"{name:22}{accuracy[name]:8.3f}  {seconds:14.1f}")
    return fitted, accuracy


def conclusion(accuracy):
    """Return a sentence that follows from the accuracy of the models by name."""
    networks = {name: accuracy[name] for name in ("network, default", "network, by hand")}
    others = {name: value for name, value in accuracy.items() if name not in networks}
    best, rival = max(networks, key=networks.get), max(others, key=others.get)
    gap = networks[best] - others[rival]
    if gap <= 0:
        return f"Convolutions do not help here: {rival} is right as often as {best}."
    return (
        f"Of 100 signals, {best} is right about {100 * gap:.0f} more than the best without "
        f"convolutions ({rival})."
    )


def draw(X, y, predicted, truth):
    """Return a figure: a signal of each kind, and which kinds are taken for which."""
    from matplotlib import pyplot
    from sklearn.metrics import ConfusionMatrixDisplay

    clean, kinds = signals(200, 2, 0)
    figure = pyplot.figure(figsize=(11, 5), layout="constrained")
    grid = figure.add_gridspec(len(KINDS), 2, width_ratios=[1.2, 1])
    for row, kind in enumerate(KINDS):
        ax = figure.add_subplot(grid[row, 0])
        ax.plot(X[np.argmax(y == kind)], color="0.75", linewidth=0.8)
        ax.plot(clean[np.argmax(kinds == kind)], color="#0072b2")
        ax.set(yticks=[], xticks=[])
        ax.set_ylabel(kind, rotation=0, ha="right", va="center")
    figure.axes[0].set_title("with noise (grey), and another without", fontsize=10)
    ax = figure.add_subplot(grid[:, 1])
    ConfusionMatrixDisplay.from_predictions(
        truth, predicted, labels=KINDS, xticks_rotation=30, cmap="Blues", colorbar=False, ax=ax
    )
    ax.set_title("what the default network makes of test signals", fontsize=10)
    return figure


def main():
    X, y = signals(N_TRAIN, 0, NOISE)
    X_test, y_test = signals(N_TEST, 1, NOISE)
    fitted, accuracy = compare(X, y, X_test, y_test)
    print(f"\n{conclusion(accuracy)}")
    predicted = fitted["network, default"].predict(X_test)
    return save_picture(PICTURE, draw, X, y, predicted, y_test)


if __name__ == "__main__":
    timed(main)
