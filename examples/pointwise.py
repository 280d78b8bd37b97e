"""
1x1 against 3x3 convolution: weights and time
=============================================

A 1x1 convolution looks at one pixel at a time: each of its filters is one weight per channel. A 3x3
convolution has nine such weights, one for each place of its window, and costs nine times as many
multiply-adds. (What a 1x1 filter computes is shown by one_by_one.py.)

Two layers show what that means in weights and in time, each as 1x1 and as 3x3: one that reduces
512 feature maps of 12x12 to 32, and one that takes 64 maps of 32x32 to 128. Of the first, a
tutorial says that 1x1 is "approximately 23 times faster". The work differs by nine, so a measured
ratio that is far from nine is due to the implementation, not to the convolution. Three algorithms
are compared: "auto", the default, which may compute 3x3 by Winograd's algorithm, in
fewer multiplications than there are multiply-adds; "exact", the same without Winograd's; and
"im2col", which copies patches to columns and multiplies them by BLAS. Each layer is bound to its
arrays once and runs on one thread. The fastest of many runs counts, since other work of the machine
can only make a run slower.
"""

from textwrap import fill
from time import perf_counter

import numpy as np
from endings import PICTURES, save_picture, timed

from cnnkit import Conv, Network, Sequential, set_num_threads

LAYERS = {"512 to 32 at 12x12": ((12, 12, 512), 32), "64 to 128 at 32x32": ((32, 32, 64), 128)}
ALGORITHMS = ("auto", "exact", "im2col")
ROUNDS = 300
CLAIM = 23
COLORS = {1: "#0072b2", 3: "#d55e00"}  # distinct for colour-blind readers, too
PICTURE = PICTURES / "pointwise.png"


# %%
# Weights and multiply-adds from the summary of the layer, time from runs that take turns.


def costs(shape, filters):
    return {size: Sequential([Conv(filters, size)]).summary(shape) for size in (1, 3)}


def bound(shape, filters, size, algorithm):
    """Return a network of one convolution, with one random image and random weights."""
    network = Network(Sequential([Conv(filters, size)]), shape, filters, algorithm=algorithm)
    rng = np.random.default_rng(0)
    network.x[:] = rng.normal(size=network.x.shape)
    w = network.weights["conv1/w"]
    w[:] = rng.normal(size=w.shape)
    return network


def measure():
    """Return the shortest time in microseconds by layer, algorithm and kernel size."""
    networks = {
        (name, algorithm, size): bound(*layer, size, algorithm)
        for name, layer in LAYERS.items()
        for algorithm in ALGORITHMS
        for size in (1, 3)
    }
    shortest = dict.fromkeys(networks, np.inf)
    for _ in range(ROUNDS):
        for key, network in networks.items():
            start = perf_counter()
            network.forward(1)
            shortest[key] = min(shortest[key], 1e6 * (perf_counter() - start))
    return shortest


def time_ratio(times, name, algorithm):
    return times[name, algorithm, 3] / times[name, algorithm, 1]


# %%
# The table, and what it shows.


def print_table(times):
    print(f"{'layer':<20}{'':<14}{'1x1':>12}{'3x3':>12}{'ratio':>8}")
    for name, layer in LAYERS.items():
        cost = costs(*layer)
        for what in ("weights", "multiply_adds"):
            one, nine = (getattr(cost[size], what) for size in (1, 3))
            print(f"{name:<20}{what.replace('_', '-'):<14}{one:>12,}{nine:>12,}{nine / one:>8.2f}")
        for algorithm in ALGORITHMS:
            one, nine = (times[name, algorithm, size] for size in (1, 3))
            print(f"{name:<20}{algorithm:<14}{one:>9.0f} us{nine:>9.0f} us{nine / one:>8.2f}")


def conclusions(times):
    for name in LAYERS:
        ratios = ", ".join(f"{time_ratio(times, name, how):.1f} ({how})" for how in ALGORITHMS)
        yield f"{name}: 3x3 does 9 times the work of 1x1 and takes so many times as long: {ratios}."
        yield winograd(times, name)
    name = next(iter(LAYERS))
    found = [time_ratio(times, name, algorithm) for algorithm in ALGORITHMS]
    near = any(CLAIM / 1.25 < ratio < CLAIM * 1.25 for ratio in found)
    verdict = "bear out" if near else "do not bear out"
    yield (
        f"These times {verdict} that 1x1 is about {CLAIM} times as fast for {name}: the ratios are "
        f"{min(found):.1f} to {max(found):.1f}, and the work is 9 times less."
    )


def winograd(times, name):
    """Return a sentence on the effect of Winograd's algorithm."""
    one, nine = (times[name, "exact", size] / times[name, "auto", size] for size in (1, 3))
    auto, exact = (time_ratio(times, name, how) for how in ("auto", "exact"))
    found = (
        f"Without Winograd's algorithm 3x3 takes {nine:.2f} times as long and 1x1 {one:.2f} times"
    )
    if auto < 0.9 * exact:
        return f"{found}: it is what pulls auto's ratio down to {auto:.1f} from {exact:.1f}."
    if auto > 1.1 * exact:
        return f"{found}: it does not pay here, and auto's ratio is above exact's."
    return f"{found}: it hardly changes the ratio."


# %%
# The picture.


def draw(times):
    from matplotlib.figure import Figure

    figure = Figure(figsize=(13, 4.8), layout="constrained")
    weights, time, ratio = figure.subplots(1, 3, width_ratios=[1, 1.6, 1.4])
    draw_weights(weights)
    draw_times(time, times)
    draw_ratios(ratio, times)
    for ax in (weights, time, ratio):
        ax.spines[["top", "right"]].set_visible(False)
    figure.suptitle("The same layer as 1x1 and as 3x3")
    return figure


def draw_weights(ax):
    at = np.arange(len(LAYERS))
    for size in (1, 3):
        counts = [costs(*layer)[size].weights / 1e3 for layer in LAYERS.values()]
        style = {"color": COLORS[size], "label": f"{size}x{size}"}
        bars = ax.bar(at + 0.19 * (size - 2), counts, 0.36, **style)
        ax.bar_label(bars, [f"{n:.1f}" for n in counts], padding=2)
    ax.set(title="Weights: ratio 9", ylabel="thousands")
    ax.set_xticks(at, [name.replace(" at", "\nat") for name in LAYERS])
    ax.legend(frameon=False, loc="upper right")
    ax.margins(y=0.12)


def places():
    """Return the places of the bars of every layer and algorithm, in groups."""
    keys = [(name, algorithm) for name in LAYERS for algorithm in ALGORITHMS]
    return {key: k + 0.6 * list(LAYERS).index(key[0]) for k, key in enumerate(keys)}


def draw_times(ax, times):
    for (name, algorithm), at in places().items():
        for size in (1, 3):
            took = times[name, algorithm, size]
            bar = ax.bar([at + 0.2 * (size - 2)], [took], 0.38, color=COLORS[size])
            ax.bar_label(bar, [f"{took:.0f}"], padding=2, fontsize=9)
    ax.set(title="Time for one image", ylabel="microseconds")
    ax.margins(y=0.08)
    name_bars(ax)


def draw_ratios(ax, times):
    found = {key: time_ratio(times, *key) for key in places()}
    for key, at in places().items():
        bar = ax.bar([at], [found[key]], 0.7, color="#666666")
        ax.bar_label(bar, [f"{found[key]:.1f}"], label_type="center", color="white")
    right = max(places().values()) + 0.6
    for height, text in ((9, "work: 9"), (CLAIM, f"a tutorial's\nclaim for\n12x12: {CLAIM}")):
        ax.axhline(height, color="black", linestyle="--", linewidth=1)
        ax.text(right, height, text, ha="left", va="center")
    ax.set_xlim(-0.6, right)
    ax.set(title="Time of 3x3 over time of 1x1", ylim=(0, max(27, 1.15 * max(found.values()))))
    name_bars(ax)


def name_bars(ax):
    """Write the algorithm below every bar, and the layer below its three."""
    at = places()
    ax.set_xticks(list(at.values()), [algorithm for _, algorithm in at])
    ax.tick_params(axis="x", length=0)
    for name in LAYERS:
        middle = np.mean([at[name, algorithm] for algorithm in ALGORITHMS])
        ax.annotate(
            name,
            (middle, 0),
            xycoords=ax.get_xaxis_transform(),
            xytext=(0, -22),
            textcoords="offset points",
            ha="center",
            va="top",
        )


def main():
    set_num_threads(1)
    times = measure()
    print_table(times)
    for sentence in conclusions(times):
        print("\n" + fill(sentence, 100))
    print()
    return save_picture(PICTURE, draw, times)


if __name__ == "__main__":
    timed(main)
