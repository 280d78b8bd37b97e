"""
Features of one task for another
================================

A network that was trained on some classes has learned features that may be useful for others. Here
a network learns the digits 0 to 4. Then a linear model learns the digits 5 to 9, which the network
has never seen, from a few images of each: once from the pixels, once from the network's last hidden
layer, `network_.activations(X, ["features"])`, 64 numbers for an image. As a control, a third model
learns from the same layer of a network with random, untrained weights. Its gain over pixels comes
from the architecture of the network; only the further gain of the trained network was learned from
the other digits.

The images are scikit-learn's digits, 8x8 pixels, centred; and the same digits, each at a random
place of an image of 12x12. Centred digits are easy for a linear model of pixels, because a pixel
has the same meaning in every image. This is no longer true when digits move. Features that are
means over the image do not depend on the place of a digit. This helps with moved digits, and loses
information if the place matters. Every seed draws its own places, networks, labelled images and
test half, which are the same for all three models.
"""

import numpy as np
from endings import PICTURES, save_picture, timed
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import train_test_split
from threadpoolctl import threadpool_limits

from cnnkit import (
    CNNClassifier,
    Conv,
    Dense,
    GlobalAvgPool,
    MaxPool,
    Network,
    ReLU,
    Sequential,
    set_num_threads,
)

LAYERS = [
    ("conv_a", Conv(16, 3)),
    ("relu_a", ReLU()),
    ("conv_b", Conv(32, 3)),
    ("relu_b", ReLU()),
    ("pool", MaxPool(2)),
    ("conv_c", Conv(64, 3)),
    ("relu_c", ReLU()),
    ("features", GlobalAvgPool()),
    ("scores", Dense(None)),
]
SEEDS = range(6)
PER_CLASS = (5, 10, 20, 50)
CENTRED, MOVED = "centred digits", "moved digits"
SIZES = {CENTRED: 8, MOVED: 12}
PIXELS, UNTRAINED, TRAINED = "pixels", "untrained network", "network trained on 0-4"
COLORS = {PIXELS: "#d55e00", UNTRAINED: "#666666", TRAINED: "#0072b2"}  # colour-blind safe
MARKERS = {PIXELS: "s", UNTRAINED: "^", TRAINED: "o"}
PICTURE = PICTURES / "transfer.png"


# %%
# The images, and three descriptions of them.


def placed(images, size, rng):
    """Return every 8x8 image at a random place of an empty image of `size` x `size`."""
    canvas = np.zeros((len(images), size, size), np.float32)
    for image, into in zip(images, canvas, strict=True):
        i, j = rng.integers(size - 8, size=2, endpoint=True)
        into[i : i + 8, j : j + 8] = image
    return canvas


def networks(X, y, seed):
    """Return a network that is trained on X and y, and an untrained one."""
    clf = CNNClassifier(LAYERS, random_state=seed)
    trained = clf.fit(X, y).network_
    untrained = Network(
        Sequential(LAYERS), trained.input_shape, trained.n_outputs, scales=["input"]
    )
    untrained.weights.initialise(np.random.default_rng(seed))
    for name in ("input/mean", "input/scale"):  # both standardise images alike
        untrained.weights[name] = trained.weights[name]
    return {UNTRAINED: untrained, TRAINED: trained}


def features(network, X):
    """Return rows of the last hidden layer, scaled to the mean square of the pixels.

    Logistic regression is regularised, so its result depends on the scale of its features. The
    scale is therefore the same for all descriptions. It needs no labels.
    """
    rows = network.activations(X, ["features"])["features"]
    return rows * np.sqrt(np.square(X).sum() / np.square(rows).sum())


def descriptions(X_known, y_known, X_new, seed):
    found = {PIXELS: X_new.reshape(len(X_new), -1)}
    for name, network in networks(X_known, y_known, seed).items():
        found[name] = features(network, X_new)
    return found


# %%
# Accuracy on the new digits by description and number of labelled images.


def accuracies(X, y, seed):
    """Return an array of accuracies, a row for every description."""
    new = y > 4
    y_new = y[new]
    pool, test = train_test_split(
        np.arange(len(y_new)), test_size=0.5, stratify=y_new, random_state=seed
    )
    found = descriptions(X[~new], y[~new], X[new], seed)
    scores = np.empty((len(found), len(PER_CLASS)))
    for k, n in enumerate(PER_CLASS):
        few = np.concatenate([pool[y_new[pool] == digit][:n] for digit in range(5, 10)])
        for row, rows in zip(scores, found.values(), strict=True):
            model = LogisticRegression(C=10, max_iter=1000).fit(rows[few], y_new[few])
            row[k] = model.score(rows[test], y_new[test])
    return scores


# %%
# The table, and what it shows; `scores` is (seeds, descriptions, numbers of images) by task.


def print_table(scores):
    for task, values in scores.items():
        print(f"\n{task + ', images of each':<27}{''.join(f'{n:>18}' for n in PER_CLASS)}")
        means, spreads = values.mean(axis=0), values.std(axis=0, ddof=1)
        for name, mean, spread in zip(COLORS, means, spreads, strict=True):
            cells = zip(mean, spread, strict=True)
            print(f"{name:<27}{''.join(f'{m:>9.3f} +- {s:.3f}' for m, s in cells)}")


def conclusions(scores):
    for task, values in scores.items():
        pixels, untrained, trained = np.moveaxis(values, 1, 0)
        for k in (0, -1):
            yield (
                f"{task.capitalize()}, {PER_CLASS[k]} of each: the trained network's features are "
                f"{gain(trained[:, k], pixels[:, k])} on pixels and "
                f"{gain(trained[:, k], untrained[:, k])} on the untrained one's."
            )
    means = {task: values.mean(axis=0) for task, values in scores.items()}
    lost = means[CENTRED] - means[MOVED]
    yield (
        f"Moving the digits costs pixels {100 * lost[0].mean():.0f} points on average, the trained "
        f"network's features {100 * lost[2].mean():.0f}."
    )


def gain(ours, theirs):
    points = 100 * (ours - theirs)
    return f"{points.mean():+.1f} points (better in {(points > 0).sum()} of {len(points)} seeds)"


# %%
# The picture.


def draw(scores):
    from matplotlib.figure import Figure

    figure = Figure(figsize=(12, 5), layout="constrained")
    axes = figure.subplots(1, len(scores), sharey=True)
    for ax, (task, values) in zip(axes, scores.items(), strict=True):
        for k, name in enumerate(COLORS):
            at = np.array(PER_CLASS) * 1.05 ** (k - 1)  # marks lie side by side
            style = {"color": COLORS[name], "marker": MARKERS[name]}
            mean = values[:, k].mean(axis=0)
            ax.plot(at, mean, linewidth=2, markersize=8, label=name, **style)
            for n, column in zip(at, values[:, k].T, strict=True):
                ax.scatter(np.full(len(column), n), column, s=12, alpha=0.4, **style)
        ax.axhline(0.2, color="black", linestyle="--", linewidth=1)
        ax.set(title=f"{task.capitalize()}, {SIZES[task]}x{SIZES[task]}", xscale="log", ylim=(0, 1))
        ax.set_xlabel("labelled images of each class (5 to 9)")
        ax.set_xticks(PER_CLASS, PER_CLASS)
        ax.set_xticks([], minor=True)
        ax.grid(alpha=0.3)
        ax.spines[["top", "right"]].set_visible(False)
    axes[0].text(PER_CLASS[0], 0.21, "chance")
    axes[0].set_ylabel("test accuracy")
    axes[0].legend(frameon=False, loc="lower right")
    figure.suptitle(
        "Logistic regression on digits the network has not seen "
        f"(lines: mean of {len(SEEDS)} seeds; small marks: seeds)"
    )
    return figure


def main():
    set_num_threads(1)  # of cnnkit, and then of BLAS: models this small are too small to share work
    threadpool_limits(1)
    digits = load_digits()
    images, y = (digits.images / 16).astype(np.float32), digits.target
    scores = {}
    for task, size in SIZES.items():
        scores[task] = np.array(
            [
                accuracies(placed(images, size, np.random.default_rng(seed)), y, seed)
                for seed in SEEDS
            ]
        )
    print_table(scores)
    print("", *conclusions(scores), "", sep="\n")
    return save_picture(PICTURE, draw, scores)


if __name__ == "__main__":
    timed(main)
