"""
The networks of the literature, small, on the digits
====================================================

Every network of `cnnkit.models` has a small form: fewer filters, and only as many strides and
poolings as 8x8 images allow. Here each network is trained on half of scikit-learn's digits and
tested on the other half, with the defaults of the estimator, which choose a learning rate for each.
(VGG-19 and EfficientNet-Lite0 are left out: they are built as VGG-16 and MobileNet v2, with more
layers, and take the longest.)

Deep networks, and those of many 1x1 convolutions, learn slowly at first, so a comparison after a
few epochs shows how easily a network trains rather than what it can reach. Each is therefore
trained twice, for a short and for a long budget of epochs, each with a learning rate that rises and
falls within it. The gain from the longer training shows whether the shorter was enough; a network
that gains much may gain more from an even longer one. Two networks are fitted at a time, each on
one thread.
"""

from textwrap import fill
from time import perf_counter

import numpy as np
from endings import PICTURES, save_picture, timed
from joblib import Parallel, delayed
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

from cnnkit import CNNClassifier, models, set_num_threads

SHORT, LONG = 5, 20  # epochs
LEFT_OUT = {"vgg19", "efficientnet_lite0"}
NETWORKS = [name for name in models.MODELS if name not in LEFT_OUT]
MUCH = 0.02  # a gain in accuracy from the longer budget above this is large
COLORS = {"short": "#d55e00", "long": "#0072b2"}  # distinct for colour-blind readers, too
PICTURE = PICTURES / "architectures.png"


# %%
# One fit, and all of them. The networks with most work come first, so that both processes end at
# about the same time.


def train(name, epochs, X_train, X_test, y_train, y_test):
    """Return test accuracy, seconds, and the cost of one network."""
    set_num_threads(1)
    clf = CNNClassifier(models.small(name, (8, 8, 1)), max_iter=epochs, random_state=0)
    start = perf_counter()
    clf.fit(X_train, y_train)
    seconds = perf_counter() - start
    cost = clf.summary()
    return clf.score(X_test, y_test), seconds, cost.weights, cost.multiply_adds


def train_all(data):
    """Return a dict of figures for every network."""
    work = {n: models.small(n, (8, 8, 1), 10).summary((8, 8, 1)).multiply_adds for n in NETWORKS}
    fits = [(n, epochs) for epochs in (LONG, SHORT) for n in sorted(work, key=work.get)[::-1]]
    results = Parallel(n_jobs=2, batch_size=1)(delayed(train)(*fit, *data) for fit in fits)
    found = dict(zip(fits, results, strict=True))
    return {
        name: {
            "short": found[name, SHORT][0],
            "long": found[name, LONG][0],
            "seconds": found[name, LONG][1],
            "weights": found[name, LONG][2],
            "work": found[name, LONG][3],
        }
        for name in NETWORKS
    }


# %%
# The table, best first, and what it shows.


def ranked(rows, budget="long"):
    return sorted(rows, key=lambda name: -rows[name][budget])


def print_table(rows):
    print(f"{'':<18}{'accuracy after':>17}{'':>11}{'':>15}{'seconds for':>12}")
    print(f"{'network':<18}{SHORT:>8}{LONG:>9}{'weights':>11}{'multiply-adds':>15}{LONG:>12}")
    for name in ranked(rows):
        row = rows[name]
        print(f"{name:<18}{row['short']:>8.3f}{row['long']:>9.3f}{row['weights']:>11,}", end="")
        print(f"{row['work']:>15,}{row['seconds']:>12.1f}")


def chance(accuracy, images):
    """Return the half width of a 95% interval for an accuracy on `images` images."""
    return 1.96 * (accuracy * (1 - accuracy) / images) ** 0.5


def conclusions(rows, images):
    best = ranked(rows)[0]
    top = rows[best]["long"]
    apart = 2**0.5 * chance(top, images)
    near = [name for name in ranked(rows) if rows[name]["long"] >= top - apart]
    lightest = min(near, key=lambda name: rows[name]["weights"])
    yield (
        f"After {LONG} epochs {best} is the most accurate, {top:.1%} of {images} test images. "
        f"Chance alone makes differences of {100 * apart:.1f} points; of the {len(near)} of "
        f"{len(rows)} that are so near to it, itself included, {lightest} has the fewest weights, "
        f"{rows[lightest]['weights']:,}."
    )
    gains = {name: row["long"] - row["short"] for name, row in rows.items()}
    most = max(gains, key=gains.get)
    yield (
        f"From {SHORT} to {LONG} epochs {most} gains most, {100 * gains[most]:.1f} points, and the "
        f"median network {100 * np.median(list(gains.values())):.1f}. {changed_rank(rows)}"
    )
    much = [name for name in ranked(rows) if gains[name] > MUCH]
    if much:
        yield (
            f"More than {100 * MUCH:.0f} points were gained by {', '.join(much)}: {SHORT} epochs "
            f"were too few for them, and {LONG} may be."
        )


def changed_rank(rows):
    """Return a sentence on the network whose rank the budget changes most."""
    early, late = ranked(rows, "short"), ranked(rows)
    moved = max(rows, key=lambda name: abs(early.index(name) - late.index(name)))
    if early == late:
        return "It does not change how they rank."
    return (
        f"It changes the rank of {moved} most, from {early.index(moved) + 1} to "
        f"{late.index(moved) + 1} of {len(rows)}."
    )


# %%
# The picture, with a row for every network.


def draw(rows, images):
    from matplotlib.figure import Figure

    figure = Figure(figsize=(10.5, 5.8), layout="constrained")
    ax, counts = figure.subplots(1, 2, sharey=True, width_ratios=[3.2, 1])
    names = ranked(rows)[::-1]
    least = 0.5 / images  # the logit scale has no place for 0 and 1
    for k, name in enumerate(names):
        row = rows[name]
        ends = np.clip([row["short"], row["long"]], least, 1 - least)
        ax.plot(ends, [k, k], color="#999999", linewidth=1, zorder=1)
        for budget, epochs, value in zip(COLORS, (SHORT, LONG), ends, strict=True):
            half = chance(value, images)
            low, high = np.clip([value - half, value + half], least, 1 - least)
            ax.errorbar(
                value,
                k,
                xerr=[[value - low], [high - value]],
                fmt="o",
                color=COLORS[budget],
                mfc="white" if budget == "short" else None,
                elinewidth=1,
                markersize=7,
                label=f"after {epochs} epochs" if k == 0 else None,
            )
        for column, what in ((0.4, "weights"), (1, "work")):
            counts.text(column, k, f"{row[what]:,}", ha="right", va="center")
    for column, what in ((0.4, "weights"), (1, "multiply-adds")):
        counts.text(column, len(names) - 0.4, what, ha="right")
    counts.set_axis_off()
    ax.set_yticks(range(len(names)), names)
    ax.set(xscale="logit", xlabel=f"accuracy on {images} test images, and 95% intervals")
    ticks = [0.1, 0.2, 0.5, 0.8, 0.9, 0.95, 0.98, 0.99]
    ax.set_xticks(ticks, [f"{tick:g}" for tick in ticks])
    ax.set_xticks([], minor=True)
    ax.grid(alpha=0.3)
    ax.spines[["top", "right"]].set_visible(False)
    figure.legend(loc="outside lower left", ncols=2, frameon=False)
    figure.suptitle(f"Small forms on the digits, trained for {SHORT} and for {LONG} epochs")
    return figure


def main():
    digits = load_digits()
    X, y = digits.images.astype("float32"), digits.target
    data = train_test_split(X, y, test_size=0.5, stratify=y, random_state=0)
    print(f"{len(data[0])} images to train on, for {SHORT} epochs and for {LONG}\n")
    rows, images = train_all(data), len(data[1])
    print_table(rows)
    for sentence in conclusions(rows, images):
        print("\n" + fill(sentence, 100))
    print()
    return save_picture(PICTURE, draw, rows, images)


if __name__ == "__main__":
    timed(main)
