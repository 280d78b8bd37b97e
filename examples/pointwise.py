"""
1x1 against 3x3 convolution
===========================

A 1x1 convolution looks at one pixel at a time: each of its filters is one weight per channel, and
what it gives is the weighted sum of the pixel's channels. It can therefore change how many
channels there are, and mix them, but sees no neighbour. A 3x3 convolution has nine such weights,
one for each place of its window, and costs nine times as many multiply-adds.

Two layers show what that means in weights and in time, each as 1x1 and as 3x3: one that reduces
512 feature maps of 12x12 to 32, and one that takes 64 maps of 32x32 to 128. Of the first, a
tutorial says that 1x1 is "approximately 23 times faster". The work differs by nine, so a measured
ratio that is far from nine tells about the implementation, not about the convolution. Each layer
is bound to its arrays once, runs on one thread, and the fastest of many runs counts: whatever else
the machine does can only add to it.
"""

from pathlib import Path
from time import perf_counter

import numpy as np

from cnnkit import Conv, Network, Sequential, set_num_threads
from cnnkit.functional import conv2d

LAYERS = {"512 to 32 at 12x12": ((12, 12, 512), 32), "64 to 128 at 32x32": ((32, 32, 64), 128)}
ROUNDS = 500
CLAIM = 23
COLORS = {1: "#0072b2", 3: "#d55e00"}  # apart for colour-blind readers too
PICTURE = Path(__file__).parent / "pictures" / "pointwise.png"


# %%
# Weights and multiply-adds from the summary of the layer, time from runs that take turns.


def costs(shape, filters):
    return {size: Sequential([Conv(filters, size)]).summary(shape) for size in (1, 3)}


def bound(size, shape, filters):
    """Return a network of one convolution, with one random image and random weights."""
    network = Network(Sequential([Conv(filters, size)]), shape, filters)
    rng = np.random.default_rng(0)
    network.x[:] = rng.normal(size=network.x.shape)
    w = network.weights["conv1/w"]
    w[:] = rng.normal(size=w.shape)
    return network


def measure():
    """Return the shortest time in microseconds by layer and kernel size."""
    networks = {(name, size): bound(size, *LAYERS[name]) for name in LAYERS for size in (1, 3)}
    shortest = dict.fromkeys(networks, np.inf)
    for _ in range(ROUNDS):
        for key, network in networks.items():
            start = perf_counter()
            network.forward(1)
            shortest[key] = min(shortest[key], 1e6 * (perf_counter() - start))
    return shortest


# %%
# The table, and what it shows.


def print_table(times):
    print(f"{'layer':<20}{'kernel':>7}{'weights':>10}{'multiply-adds':>15}{'time':>14}")
    for name, layer in LAYERS.items():
        cost = costs(*layer)
        for size in (1, 3):
            print(f"{name:<20}{f'{size}x{size}':>7}{cost[size].weights:>10,}", end="")
            print(f"{cost[size].multiply_adds:>15,}{times[name, size]:>11.0f} us")
        weights = cost[3].weights / cost[1].weights
        work = cost[3].multiply_adds / cost[1].multiply_adds
        time = times[name, 3] / times[name, 1]
        print(f"{name:<20}{'ratio':>7}{weights:>10.2f}{work:>15.2f}{time:>14.2f}")


def conclusions(times):
    ratios = {name: times[name, 3] / times[name, 1] for name in LAYERS}
    for name, ratio in ratios.items():
        yield f"{name}: 3x3 takes {ratio:.1f} times as long as 1x1, for 9 times the multiply-adds."
    name, ratio = next(iter(ratios.items()))
    verdict = "bear out" if CLAIM / 1.25 < ratio < CLAIM * 1.25 else "do not bear out"
    yield f"These times {verdict} that 1x1 is about {CLAIM} times as fast for {name}."


# %%
# What one 1x1 layer does to one pixel: two filters, each a weight for each of three channels.


def one_pixel():
    pixel = np.array([0.9, 0.3, 0.6])
    weights = np.array([[1.0, 0.5], [-0.5, -1.0], [0.5, -1.0]])
    y = conv2d(pixel.reshape(1, 1, 1, 3), weights.reshape(1, 1, 3, 2))
    return pixel, weights, y[0, 0, 0]


def print_pixel(pixel, weights, y):
    for k, value in enumerate(y):
        terms = " ".join(f"{w:+.1f} * {x:.1f}" for w, x in zip(weights[:, k], pixel, strict=True))
        print(f"output channel {k}: {terms} = {value:+.2f}")


# %%
# The picture.


def draw(times, pixel, weights, y):
    from matplotlib.figure import Figure

    figure = Figure(figsize=(13, 7.4), layout="constrained")
    above, below = figure.subfigures(2, 1, height_ratios=[1.15, 1])
    draw_ratios(above.subplots(1, 3), times)
    draw_pixel(below.subplots(1, 3), pixel, weights, y)
    above.suptitle("The same layer as 1x1 and as 3x3")
    below.suptitle("A 1x1 convolution at one pixel: every output is a weighted sum of the inputs")
    PICTURE.parent.mkdir(exist_ok=True)
    figure.savefig(PICTURE, dpi=120)


def draw_ratios(axes, times):
    weights, time, ratio = axes
    at = np.arange(len(LAYERS))
    for size in (1, 3):
        x = at + 0.19 * (size - 2)
        style = {"color": COLORS[size], "label": f"{size}x{size}"}
        counts = [costs(*layer)[size].weights for layer in LAYERS.values()]
        took = [times[name, size] for name in LAYERS]
        weights.bar_label(
            weights.bar(x, counts, 0.36, **style), [f"{n:,}" for n in counts], padding=2
        )
        time.bar_label(time.bar(x, took, 0.36, **style), [f"{t:.0f}" for t in took], padding=2)
    ratios = [times[name, 3] / times[name, 1] for name in LAYERS]
    bars = ratio.bar(at, ratios, 0.45, color="#666666")
    texts = [f"{r:.1f}" for r in ratios]
    ratio.bar_label(bars, texts, label_type="center", color="white", fontsize=13)
    for height, text in (
        (9, "multiply-adds: 9"),
        (CLAIM, f"a tutorial's claim for 12x12: {CLAIM}"),
    ):
        ratio.axhline(height, color="black", linestyle="--", linewidth=1)
        ratio.text(1.45, height + 0.3, text, ha="right", va="bottom")
    weights.set(title="Weights")
    weights.yaxis.set_major_formatter("{x:,.0f}")
    time.set(title="Time for one image", ylabel="microseconds")
    ratio.set(title="Time of 3x3 over time of 1x1", ylim=(0, max(27, 1.15 * max(ratios))))
    weights.legend(frameon=False, loc="upper right")
    weights.margins(y=0.12)
    time.margins(y=0.12)
    for ax in axes:
        ax.set_xticks(at, LAYERS)
        ax.set_xlim(-0.5, 1.5)
        ax.spines[["top", "right"]].set_visible(False)


def draw_pixel(axes, pixel, weights, y):
    inputs, kernel, outputs = axes
    inputs.bar_label(inputs.bar(range(3), pixel, 0.6, color="#666666"), fmt="%.1f", padding=2)
    inputs.set(title="Input channels", xlabel="channel", ylabel="value", ylim=(0, 1.1))
    inputs.set_xticks(range(3))
    kernel.imshow(weights.T, cmap="PuOr", vmin=-1.2, vmax=1.2, aspect="auto")
    for (c, f), w in np.ndenumerate(weights):
        color = "white" if abs(w) > 0.8 else "black"
        kernel.text(c, f, f"{w:+.1f}", ha="center", va="center", fontsize=13, color=color)
    kernel.set(title="Weights: a row for every filter", xlabel="input channel")
    kernel.set_xticks(range(3))
    kernel.set_yticks(range(2), ["filter 0", "filter 1"])
    outputs.bar_label(outputs.bar(range(2), y, 0.5, color="#666666"), fmt="%+.2f", padding=2)
    outputs.axhline(0, color="black", linewidth=0.8)
    outputs.set(title="Output channels", xlabel="channel", ylabel="value")
    outputs.margins(y=0.2)
    outputs.set_xticks(range(2))
    for ax in (inputs, outputs):
        ax.spines[["top", "right"]].set_visible(False)


def main():
    set_num_threads(1)
    times = measure()
    print_table(times)
    print("", *conclusions(times), "", sep="\n")
    pixel, weights, y = one_pixel()
    print(f"A 1x1 convolution of a pixel with the channels {pixel}:")
    print_pixel(pixel, weights, y)
    print()
    try:
        draw(times, pixel, weights, y)
    except ModuleNotFoundError:
        print("No picture: `pip install cnnkit[plot]` brings matplotlib, which would draw it.")
    else:
        print(f"Picture: {PICTURE}")


if __name__ == "__main__":
    main()
