"""
Choosing a head, a width and a depth by grid search
===================================================

A `CNNClassifier` is a scikit-learn estimator and its layers are a parameter, so GridSearchCV can
choose an architecture like any other parameter: the grid has lists of layers, made by a function of
the quantities to be chosen. Here these are the head (fully connected, or a 1x1 convolution and
global average pooling), the number of filters of the first convolution, and the number of
convolutions.

The number of epochs is in the grid, too, because it decides the comparison: a head of a 1x1
convolution and average pooling has few weights, learns more slowly than a fully connected one, and
looks worse than it is if training ends early. The heads are compared after the longer training; the
shorter one shows how misleading an early comparison would be.

The scores are means over three folds. Candidates also differ by chance, and the best of many was
probably lucky; so look beyond the first row for networks whose score is within the spread of the
folds and whose cost is a fraction. The usual rule is to take the smallest within one standard error
of the best (Breiman et al., 1984).
"""

from itertools import product
from textwrap import fill

import numpy as np
from endings import PICTURES, save_picture, timed
from sklearn.datasets import load_digits
from sklearn.model_selection import GridSearchCV, StratifiedKFold

from cnnkit import (
    CNNClassifier,
    Conv,
    Conv1x1,
    Dense,
    Flatten,
    GlobalAvgPool,
    MaxPool,
    ReLU,
    Sequential,
)

FC, GAP = "fully connected", "1x1 + average pooling"
WIDTHS, DEPTHS = (8, 16, 32), (2, 3)
SHORT, LONG = 8, 28  # epochs
FOLDS = 3
COLORS = {FC: "#d55e00", GAP: "#0072b2"}  # distinct for colour-blind readers, too
MARKERS = {2: "o", 3: "^"}
SIZES = {8: 5, 16: 8, 32: 12}
PICTURE = PICTURES / "grid_search_heads.png"


# %%
# A candidate: two convolutions, pooling, and at depth 3 a convolution of twice the width.


def layers(head, width, depth):
    body = [Conv(width, 3), ReLU(), Conv(width, 3), ReLU(), MaxPool(2)]
    if depth > 2:
        body += [Conv(2 * width, 3), ReLU()]
    if head == FC:
        return [*body, Flatten(), Dense(32), ReLU(), Dense(None)]
    return [*body, Conv1x1(None), GlobalAvgPool()]


CANDIDATES = list(product((FC, GAP), WIDTHS, DEPTHS))


def search(X, y):
    """Return a row of figures for every candidate, in the order of the grid."""
    networks = [layers(*candidate) for candidate in CANDIDATES]
    grid = GridSearchCV(
        CNNClassifier(random_state=0),
        {"max_iter": [SHORT, LONG], "layers": networks},
        cv=StratifiedKFold(FOLDS, shuffle=True, random_state=0),
        n_jobs=2,  # two fits at a time, each on one thread
        refit=False,
    ).fit(X, y)
    found = grid.cv_results_
    means = found["mean_test_score"]
    at = {
        (params["max_iter"], networks.index(params["layers"])): row
        for row, params in enumerate(found["params"])
    }
    return [
        {
            "head": head,
            "width": width,
            "depth": depth,
            "short": means[at[SHORT, k]],
            "mean": means[at[LONG, k]],
            "std": found["std_test_score"][at[LONG, k]] * np.sqrt(FOLDS / (FOLDS - 1)),
            "seconds": found["mean_fit_time"][at[LONG, k]],
            "weights": Sequential(layers(head, width, depth)).summary((8, 8, 1), 10).weights,
        }
        for k, (head, width, depth) in enumerate(CANDIDATES)
    ]


# %%
# The table, best first, and what it shows.


def print_table(rows):
    after = f"after {SHORT}"
    print(f"{'head':<22}{'width':>6}{'depth':>6}{after:>9}{f'after {LONG}':>10}{'std':>8}", end="")
    print(f"{'weights':>10}{'fit s':>8}")
    for row in sorted(rows, key=lambda row: -row["mean"]):
        print(f"{row['head']:<22}{row['width']:>6}{row['depth']:>6}{row['short']:>9.4f}", end="")
        print(f"{row['mean']:>10.4f}{row['std']:>8.4f}{row['weights']:>10,}{row['seconds']:>8.2f}")


def describe(row):
    return f"{row['head']}, width {row['width']}, depth {row['depth']}"


def best_and_enough(rows):
    """Return the best row, and the score one standard error below its score."""
    best = max(rows, key=lambda row: row["mean"])
    return best, best["mean"] - best["std"] / np.sqrt(FOLDS)


def conclusions(rows):
    best, enough = best_and_enough(rows)
    good = [row for row in rows if row["mean"] >= enough]
    smallest = min(good, key=lambda row: row["weights"])
    yield (
        f"Best after {LONG} epochs: {describe(best)}, {best['mean']:.4f} with {best['weights']:,} "
        "weights."
    )
    if smallest is best:
        yield "No smaller network is within one standard error of it."
    else:
        yield (
            f"Smallest within one standard error of it: {describe(smallest)}, "
            f"{smallest['mean']:.4f} with {smallest['weights']:,} weights, "
            f"{smallest['weights'] / best['weights']:.0%} of the best one's."
        )
    yield from budgets(rows)


def budgets(rows):
    """Yield sentences on the gain from the longer training, and on the heads within each."""
    gains = {
        head: 100 * np.mean([row["mean"] - row["short"] for row in rows if row["head"] == head])
        for head in (FC, GAP)
    }
    yield (
        f"From {SHORT} to {LONG} epochs {GAP} gains {gains[GAP]:+.1f} points on average, {FC} "
        f"{gains[FC]:+.1f}."
    )
    for epochs, score in ((SHORT, "short"), (LONG, "mean")):
        at = {(row["head"], row["width"], row["depth"]): row[score] for row in rows}
        points = {
            (width, depth): 100 * (at[GAP, width, depth] - at[FC, width, depth])
            for width, depth in product(WIDTHS, DEPTHS)
        }
        each = ", ".join(f"{p:+.1f} (width {w}, depth {d})" for (w, d), p in points.items())
        better = sum(p > 0 for p in points.values())
        yield (
            f"After {epochs} epochs, {GAP} minus {FC} in points: {each}; the former is better in "
            f"{better} of {len(points)}."
        )


# %%
# The picture.


def draw(rows):
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9.5, 5.6), layout="constrained")
    ax = figure.subplots()
    for row in rows:
        color = COLORS[row["head"]]
        style = {"marker": MARKERS[row["depth"]], "markersize": SIZES[row["width"]]}
        ax.plot(row["weights"], row["short"], color=color, mfc="white", **style)
        ax.plot([row["weights"]] * 2, [row["short"], row["mean"]], color=color, zorder=1, alpha=0.3)
        ax.errorbar(
            row["weights"],
            row["mean"],
            yerr=row["std"],
            color=color,
            capsize=4,
            elinewidth=1,
            **style,
        )
    best, enough = best_and_enough(rows)
    ax.axhline(enough, color="black", linestyle="--", linewidth=1)
    ax.annotate(
        "one standard error below the best",
        (0.01, enough),
        xycoords=ax.get_yaxis_transform(),
        xytext=(0, 4),
        textcoords="offset points",
    )
    ax.set(xscale="log", yscale="logit", xlabel="weights")
    ax.set_ylabel(f"mean accuracy of {FOLDS} folds (logit scale)")
    accuracies = [0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.98, 0.99]
    ax.set_yticks(accuracies, [f"{a:g}" for a in accuracies])
    ax.set_yticks([], minor=True)
    ax.grid(alpha=0.3)
    ax.spines[["top", "right"]].set_visible(False)
    ax.legend(handles=legend(), loc="lower right", frameon=False)
    ax.set_title(
        f"{len(rows)} candidates on the digits, trained for {SHORT} and for {LONG} epochs\n"
        f"best after {LONG}: {describe(best)} (bars: standard deviation of the folds)"
    )
    return figure


def legend():
    """Return a mark for every colour, shape, size and filling."""
    from matplotlib.lines import Line2D

    keys = [Line2D([], [], color=c, linewidth=4, label=head) for head, c in COLORS.items()]
    blank = {"color": "#555555", "linestyle": ""}
    for depth, marker in MARKERS.items():
        keys.append(Line2D([], [], marker=marker, label=f"{depth} convolutions", **blank))
    for width, size in SIZES.items():
        keys.append(Line2D([], [], marker="o", markersize=size, label=f"width {width}", **blank))
    for epochs, fill_of in ((SHORT, "white"), (LONG, None)):
        keys.append(Line2D([], [], marker="o", mfc=fill_of, label=f"{epochs} epochs", **blank))
    return keys


def main():
    digits = load_digits()
    rows = search(digits.images.astype(np.float32), digits.target)
    print_table(rows)
    for sentence in conclusions(rows):
        print("\n" + fill(sentence, 100))
    print()
    return save_picture(PICTURE, draw, rows)


if __name__ == "__main__":
    timed(main)
