"""
What generalises: heads, dropout, and one more ReLU
===================================================

Two sentences of a tutorial on 1x1 convolutions, tested on scikit-learn's digits:

- "The problem with linear layers is they easily overfit during training requiring dropout." One
  convolutional body gets three heads: fully connected, the same with dropout, and a 1x1
  convolution with global average pooling. They learn from 50, 100, 300 and 1,000 images.
  A network overfits if it is right about its training images and not about others. The example
  therefore measures accuracy on test images, and their cross-entropy, which also counts how sure a
  network is of its mistakes.
- A 1x1 convolution that keeps the number of maps is worth its ReLU, since "the additional
  non-linearities will further force the network to learn a more complex mapping [...] thereby
  enabling the network to generalize better". The tutorial's own network is trained without its
  third layer, with the 1x1 convolution alone, and with the convolution and its ReLU, on the 1,000
  images.

Every seed draws its images, their order and the initial weights; networks that are compared get the
same images. The 1,000 images are the same for every seed, and so are the 797 test images.
Differences are taken seed by seed, and their intervals are those of a paired t test: they say what
other seeds would give on these test images, not what other test images would give. One of twenty
such intervals excludes zero by chance.
"""

from itertools import product
from textwrap import fill

import numpy as np
from endings import PICTURES, save_picture, timed
from joblib import Parallel, delayed
from scipy import stats
from sklearn.datasets import load_digits
from sklearn.metrics import log_loss
from sklearn.model_selection import train_test_split

from cnnkit import (
    CNNClassifier,
    Conv,
    Conv1x1,
    Dense,
    Dropout,
    Flatten,
    GlobalAvgPool,
    MaxPool,
    ReLU,
    set_num_threads,
)

POOL = 1000
NUMBERS = (50, 100, 300, POOL)
SEEDS, RELU_SEEDS = range(8), range(12)
EPOCHS = 40  # epochs of the tutorial's network; the others have the estimator's default
FC, DROPOUT, GAP = "fully connected", "with dropout", "1x1 + average pooling"
BODY = [Conv(16, 3), ReLU(), Conv(16, 3), ReLU(), MaxPool(2), Conv(32, 3), ReLU()]
HEADS = {
    FC: [*BODY, Flatten(), Dense(64), ReLU(), Dense(None)],
    DROPOUT: [*BODY, Flatten(), Dense(64), ReLU(), Dropout(0.5), Dense(None)],
    GAP: [*BODY, Conv1x1(None), GlobalAvgPool()],
}
WITHOUT, LINEAR, EXTRA = "without layer 3", "with 1x1 alone", "with 1x1 and ReLU"
TUTORIAL = [Conv(3, 3), MaxPool(2), ReLU(), Conv(8, 3), MaxPool(2), ReLU()]
VARIANTS = {
    name: [*TUTORIAL, *layers, Flatten(), Dense(None)]
    for name, layers in {WITHOUT: [], LINEAR: [Conv1x1(8)], EXTRA: [Conv1x1(8), ReLU()]}.items()
}
COLORS = {FC: "#d55e00", DROPOUT: "#666666", GAP: "#0072b2"}  # colour-blind safe
MARKERS = {FC: "s", DROPOUT: "^", GAP: "o"}
PICTURE = PICTURES / "generalisation.png"


# %%
# One fit, and all of them, two at a time.


def train(layers, max_iter, seed, number, data):
    """Return accuracy on training images, and accuracy and cross-entropy on test images."""
    set_num_threads(1)
    X, X_test, y, y_test = data
    if number < len(X):
        X, _, y, _ = train_test_split(X, y, train_size=number, stratify=y, random_state=seed)
    clf = CNNClassifier(layers, max_iter=max_iter, random_state=seed).fit(X, y)
    proba = clf.predict_proba(X_test).astype(np.float64)
    proba /= proba.sum(axis=1, keepdims=True)
    return clf.score(X, y), np.mean(proba.argmax(axis=1) == y_test), log_loss(y_test, proba)


def train_all(networks, max_iter, seeds, numbers, data):
    """Return arrays (seeds, 3) of the results of `train`, by network and number of images."""
    keys = [(name, number) for name in networks for number in numbers]
    fits = (
        delayed(train)(networks[name], max_iter, seed, number, data)
        for name, number in keys
        for seed in seeds
    )
    found = np.reshape(Parallel(n_jobs=2)(fits), (len(keys), len(seeds), 3))
    return dict(zip(keys, found, strict=True))


# %%
# Intervals of a mean over seeds, such as the mean of differences seed by seed.


def interval(values):
    """Return the mean, and the half width of its 95% interval."""
    error = values.std(ddof=1) / np.sqrt(len(values))
    return values.mean(), stats.t.ppf(0.975, len(values) - 1) * error


def print_comparisons(found, pairs, numbers):
    """Print the advantage of `a` over `b` for every pair (a, b) and number of images."""
    print(f"\n{'':<46}{'images':>7}{'accuracy, points':>18}{'':<16}{'cross-entropy':>18}")
    for (a, b), number in product(pairs, numbers):
        difference = found[a, number] - found[b, number]
        points, half = interval(100 * difference[:, 1])
        loss, half_loss = interval(difference[:, 2])
        said = f"{points:+.2f} +- {half:.2f}", f"{loss:+.3f} +- {half_loss:.3f}"
        print(f"{f'{a} against {b}':<46}{number:>7,}{said[0]:>18}", end="")
        print(f"  {verdict(points, half):<14}{said[1]:>18}  {verdict(-loss, half_loss)}")


def verdict(gain, half):
    """Return the meaning of an interval in words; a positive `gain` is better."""
    if abs(gain) <= half:
        return "not told apart"
    return "better" if gain > 0 else "worse"


# %%
# The tables, and what they show.


def print_table(found):
    print(f"{'network':<23}{'images':>7}{'training':>10}{'test':>17}{'cross-entropy':>20}")
    for (name, number), runs in found.items():
        accuracy, half = interval(runs[:, 1])
        loss, half_loss = interval(runs[:, 2])
        print(f"{name:<23}{number:>7,}{runs[:, 0].mean():>10.3f}", end="")
        print(f"{accuracy:>9.3f} +- {half:.3f}{loss:>12.3f} +- {half_loss:.3f}")


def head_conclusions(found):
    gaps = {n: 100 * np.mean(found[FC, n][:, 0] - found[FC, n][:, 1]) for n in NUMBERS}
    listed = ", ".join(f"{gap:.1f} points at {n:,} images" for n, gap in gaps.items())
    yield f"The {FC} network is better on its training images than on others by {listed}."
    for name in (DROPOUT, GAP):
        said = {number: told_apart(found, name, FC, number) for number in NUMBERS}
        listed = "; ".join(f"{word} at {number:,} images" for number, word in said.items())
        yield f"By accuracy, {name} against {FC}: {listed}."


def told_apart(found, a, b, number):
    return verdict(*interval(found[a, number][:, 1] - found[b, number][:, 1]))


def relu_conclusions(found):
    said = {
        "better": "generalises better than",
        "worse": "generalises worse than",
        "not told apart": "is not told apart by accuracy from",
    }
    for name in (WITHOUT, LINEAR):
        yield (
            f"The tutorial's network {EXTRA} {said[told_apart(found, EXTRA, name, POOL)]} "
            f"the one {name} ({len(RELU_SEEDS)} seeds, {EPOCHS} epochs)."
        )


# %%
# The picture.


def draw(heads, variants):
    from matplotlib.figure import Figure

    figure = Figure(figsize=(13, 8), layout="constrained")
    axes = figure.subplots(2, 2, width_ratios=[1.5, 1])
    draw_heads(axes[0, 0], heads, 1, "Error on test images", "error (log scale)")
    draw_heads(axes[1, 0], heads, 2, "Cross-entropy on test images", "cross-entropy (log scale)")
    draw_differences(axes[0, 1], heads)
    draw_variants(axes[1, 1], variants)
    axes[0, 0].legend(frameon=False)
    for ax in axes.flat:
        ax.grid(alpha=0.3)
        ax.spines[["top", "right"]].set_visible(False)
    figure.suptitle("What generalises, on the digits (bars: 95% intervals over seeds)")
    return figure


def beside(k):
    """Return the numbers of images, shifted so that three marks lie side by side."""
    return np.array(NUMBERS) * 1.06 ** (k - 1)


def draw_heads(ax, found, column, title, label):
    for k, name in enumerate(HEADS):
        values = [found[name, number][:, column] for number in NUMBERS]
        means, halves = np.transpose([interval(1 - v if column == 1 else v) for v in values])
        low = np.minimum(halves, 0.9 * means)  # the scale has no place for zero
        style = {"color": COLORS[name], "marker": MARKERS[name], "capsize": 4, "label": name}
        ax.errorbar(beside(k), means, yerr=[low, halves], **style)
    ax.set(title=title, ylabel=label, xlabel="training images", xscale="log", yscale="log")
    name_numbers(ax)
    ticks = [0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1]
    limits = ax.get_ylim()
    ax.set_yticks(ticks, [f"{tick:g}" for tick in ticks])
    ax.set_yticks([], minor=True)
    ax.set_ylim(limits)


def draw_differences(ax, found):
    for k, name in ((0, DROPOUT), (2, GAP)):
        points = [100 * (found[name, n][:, 1] - found[FC, n][:, 1]) for n in NUMBERS]
        means, halves = np.transpose([interval(p) for p in points])
        style = {"color": COLORS[name], "fmt": MARKERS[name], "capsize": 4, "label": name}
        ax.errorbar(beside(k), means, yerr=halves, **style)
    ax.axhline(0, color=COLORS[FC], linewidth=2)
    ax.set(title=f"Accuracy less that of {FC}", ylabel="percentage points", xscale="log")
    ax.set_xlabel("training images")
    name_numbers(ax)


def name_numbers(ax):
    ax.set_xticks(NUMBERS, [f"{number:,}" for number in NUMBERS])
    ax.set_xticks([], minor=True)


def draw_variants(ax, found):
    for k, name in enumerate(VARIANTS):
        accuracy = found[name, POOL][:, 1]
        mean, half = interval(accuracy)
        ax.errorbar(k, mean, yerr=half, fmt="o", color="black", capsize=6, markersize=8)
        at = k + 0.12 + 0.25 * np.linspace(0, 1, len(accuracy))
        ax.scatter(at, accuracy, s=14, color="#666666")
    ax.set_xticks(range(len(VARIANTS)), VARIANTS)
    ax.set(title="The tutorial's network: one more ReLU \n(small dots: seeds)", xlim=(-0.5, 2.6))
    ax.set_ylabel("test accuracy")


def main():
    digits = load_digits()
    X, y = digits.images.astype(np.float32), digits.target
    data = train_test_split(X, y, train_size=POOL, stratify=y, random_state=0)
    heads = train_all(HEADS, "auto", SEEDS, NUMBERS, data)
    variants = train_all(VARIANTS, EPOCHS, RELU_SEEDS, (POOL,), data)
    print_table(heads)
    print_comparisons(heads, ((DROPOUT, FC), (GAP, FC), (GAP, DROPOUT)), NUMBERS)
    print("", *(fill(sentence, 100) for sentence in head_conclusions(heads)), "", sep="\n")
    print_table(variants)
    print_comparisons(variants, ((EXTRA, WITHOUT), (EXTRA, LINEAR)), (POOL,))
    print("", *(fill(sentence, 100) for sentence in relu_conclusions(variants)), "", sep="\n")
    return save_picture(PICTURE, draw, heads, variants, dpi=110)


if __name__ == "__main__":
    timed(main)
