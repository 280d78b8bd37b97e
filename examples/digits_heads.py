"""
Two heads on one convolutional body
===================================

A convolutional body turns an image into feature maps; a head turns the maps into one number per
class. The classical head is fully connected: `Flatten`, a hidden `Dense` layer, and a `Dense` layer
with one unit per class. Each hidden unit has a weight for every pixel of every map, so this head
grows with the image and has most of a small network's weights. The head of "Network in network"
(Lin et al., 2013) is a 1x1 convolution with one filter per class, the same weighted sum of channels
at every pixel, followed by global average pooling: the mean of map k is the score of class k. It
does not grow with the image, since all pixels share the same weights.

Both heads are trained here on scikit-learn's digits, from the same splits and with the defaults of
the estimator, which choose a learning rate for each network. Three things are worth a look: how
fast the training loss falls, which is not the same as the accuracy that the network reaches; how
much the seeds differ, with which any difference between the heads must be compared; and the cost of
each head in weights and multiply-adds. The accuracy is measured after the last epoch, on images
held out of training; no epoch is selected by it.
"""

from dataclasses import dataclass
from textwrap import fill
from time import perf_counter

import numpy as np
from endings import PICTURES, save_picture, timed
from scipy import stats
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

from cnnkit import (
    CNNClassifier,
    Conv,
    Conv1x1,
    Dense,
    Flatten,
    GlobalAvgPool,
    MaxPool,
    ReLU,
)
from cnnkit.callbacks import Timer

SEEDS = range(5)
EPOCHS = 20
PREDICTIONS = 20
TEST_SIZE = 0.25
FC, GAP = "fully connected", "1x1 + average pooling"
COLORS = {FC: "#d55e00", GAP: "#0072b2"}  # distinct for colour-blind readers, too
MARKERS = {FC: "s", GAP: "o"}
PICTURE = PICTURES / "digits_heads.png"

# %%
# The networks: only the head differs. ``None`` stands for one unit or filter per class.

BODY = [Conv(16, 3), ReLU(), Conv(16, 3), ReLU(), MaxPool(2), Conv(64, 3), ReLU()]
HEADS = {
    FC: [Flatten(), Dense(64), ReLU(), Dense(None)],
    GAP: [Conv1x1(None), GlobalAvgPool()],
}


# %%
# Training, every epoch timed and scored.


@dataclass
class Run:
    """Figures of one network: accuracy by epoch, and times of epochs and predictions in ms."""

    clf: CNNClassifier
    accuracy: list
    epoch_ms: list
    predict_ms: list


def train(head, seed, X, y):
    X_train, X_test, y_train, y_test = train_test_split(
        X, y, test_size=TEST_SIZE, stratify=y, random_state=seed
    )
    clf = CNNClassifier(BODY + HEADS[head], max_iter=EPOCHS, random_state=seed)
    timer = Timer()
    clf.set_callbacks(timer).fit(X_train, y_train, X_val=X_test, y_val=y_test)
    predict_ms = []
    for _ in range(PREDICTIONS):
        start = perf_counter()
        clf.predict(X_test)
        predict_ms.append(1e3 * (perf_counter() - start))
    epoch_ms = [1e3 * seconds for seconds in timer.epochs]
    return Run(clf, clf.validation_scores_, epoch_ms, predict_ms)


# %%
# The figures: one number per seed for each head.


def final_accuracy(runs):
    return np.array([run.accuracy[-1] for run in runs])


def median_ms(runs, what):
    return np.array([np.median(getattr(run, what)) for run in runs])


def print_table(runs):
    print(f"\n{'head':<22}{'accuracy':>9}{'std':>8}{'min - max':>17}", end="")
    print(f"{'weights':>9}{'multiply-adds':>15}{'epoch ms':>10}{'predict ms':>12}")
    for head in HEADS:
        accuracy, cost = final_accuracy(runs[head]), runs[head][0].clf.summary()
        spread = f"{accuracy.min():.4f} - {accuracy.max():.4f}"
        epoch, predict = (np.median(median_ms(runs[head], w)) for w in ("epoch_ms", "predict_ms"))
        print(f"{head:<22}{accuracy.mean():>9.4f}{accuracy.std(ddof=1):>8.4f}{spread:>17}", end="")
        print(f"{cost.weights:>9,}{cost.multiply_adds:>15,}{epoch:>10.1f}{predict:>12.1f}")


# %%
# What they show. The seeds share images, so their differences are not independent and a plain
# paired t interval would be too narrow; Nadeau and Bengio (2003) widen it by n_test / n_train.


def accuracy_sentence(runs):
    points = 100 * (final_accuracy(runs[GAP]) - final_accuracy(runs[FC]))
    error = points.std(ddof=1) * np.sqrt(1 / len(points) + TEST_SIZE / (1 - TEST_SIZE))
    half = stats.t.ppf(0.975, len(points) - 1) * error
    low, mean, high = points.mean() + half * np.array([-1, 0, 1])
    if low <= 0 <= high:
        claim = "These seeds do not tell the heads apart by accuracy"
    else:
        claim = f"The {GAP if mean > 0 else FC} head is the more accurate"
    return (
        f"{claim}: on the same splits, {GAP} minus {FC} is {mean:+.2f} percentage points "
        f"(95% interval {low:+.2f} to {high:+.2f})."
    )


def compare_times(runs, what):
    gap, fc = median_ms(runs[GAP], what), median_ms(runs[FC], what)
    if gap.max() < fc.min():
        verdict = "faster for every seed"
    elif gap.min() > fc.max():
        verdict = "slower for every seed"
    else:
        verdict = "no difference beyond the spread of the runs"
    return f"{np.median(gap):.1f} ms against {np.median(fc):.1f} ms ({verdict})"


def cost_sentence(runs):
    gap, fc = (runs[head][0].clf.summary() for head in (GAP, FC))
    return (
        f"The network with {GAP} has {gap.weights / fc.weights:.0%} of the weights and "
        f"{gap.multiply_adds / fc.multiply_adds:.0%} of the multiply-adds of the {FC} one; "
        f"an epoch takes {compare_times(runs, 'epoch_ms')}, "
        f"predicting the test set {compare_times(runs, 'predict_ms')}."
    )


# %%
# The picture.


def draw(runs):
    from matplotlib.figure import Figure

    figure = Figure(figsize=(13, 4.6), layout="constrained")
    loss, accuracy, cost = figure.subplots(1, 3)
    for head in HEADS:
        plot_curves(loss, head, [run.clf.loss_curve_ for run in runs[head]])
        plot_curves(accuracy, head, [run.accuracy for run in runs[head]])
        plot_spread(cost, head, runs[head][0].clf.summary().weights, final_accuracy(runs[head]))
    loss.set(title="Training loss", xlabel="epoch", ylabel="cross-entropy", yscale="log")
    loss.legend(frameon=False)
    accuracy.set(title="Test accuracy", xlabel="epoch", ylabel="accuracy", ylim=(0.9, 1.003))
    cost.set(title="Test accuracy against weights", xlabel="weights", ylabel="accuracy")
    cost.set(xscale="log", xlim=(4e3, 2.5e5))
    cost.set_xticks([5e3, 1e4, 2e4, 5e4, 1e5, 2e5], ["5k", "10k", "20k", "50k", "100k", "200k"])
    cost.set_xticks([], minor=True)
    cost.margins(y=0.3)
    for ax in (loss, accuracy, cost):
        ax.grid(alpha=0.3)
        ax.spines[["top", "right"]].set_visible(False)
    figure.suptitle("Two heads on one convolutional body: scikit-learn's digits", fontsize=14)
    figure.supxlabel(
        f"Lines and large marks: mean of {len(SEEDS)} seeds. Bands: lowest to highest. "
        "Bars: standard deviation. Dots: seeds, after the last epoch.",
        fontsize=10,
    )
    return figure


def plot_curves(ax, head, curves):
    epochs = np.arange(1, EPOCHS + 1)
    low, mean, high = np.min(curves, axis=0), np.mean(curves, axis=0), np.max(curves, axis=0)
    ax.plot(epochs, mean, color=COLORS[head], linewidth=2, label=head)
    ax.fill_between(epochs, low, high, color=COLORS[head], alpha=0.2, linewidth=0)


def plot_spread(ax, head, weights, accuracy):
    """Draw mean and standard deviation, and beside them a dot for every seed."""
    style = {"color": COLORS[head], "fmt": MARKERS[head], "markersize": 9, "capsize": 6}
    ax.errorbar(weights, accuracy.mean(), yerr=accuracy.std(ddof=1), **style)
    ax.scatter(weights * np.linspace(1.12, 1.4, len(accuracy)), accuracy, s=14, color=COLORS[head])
    ax.text(
        weights,
        0.9,
        f"{head}\n{weights:,} weights",
        transform=ax.get_xaxis_transform(),
        color=COLORS[head],
        ha="center",
    )


def main():
    digits = load_digits()
    X, y = digits.images.astype(np.float32), digits.target
    runs = {head: [] for head in HEADS}
    for seed in SEEDS:
        for head in HEADS:
            runs[head].append(train(head, seed, X, y))
        scores = ", ".join(f"{head} {runs[head][-1].accuracy[-1]:.4f}" for head in HEADS)
        print(f"seed {seed}: {scores}", flush=True)

    print_table(runs)
    for sentence in (accuracy_sentence(runs), cost_sentence(runs)):
        print("\n" + fill(sentence, 100))
    print()
    return save_picture(PICTURE, draw, runs)


if __name__ == "__main__":
    timed(main)
