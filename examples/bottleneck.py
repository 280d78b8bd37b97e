"""
A bottleneck before a 3x3 convolution
=====================================

A 3x3 convolution from 256 channels to 256 has a weight for every pair of channels at each of nine
places: 9 * 256 * 256. Most of its work goes into mixing channels, for which one place is enough. A
bottleneck mixes first: a 1x1 convolution sums the 256 channels of every pixel into 64, and the 3x3
convolution then reads 64 channels instead of 256. The output has the same shape, at less than a
third of the weights and of the multiply-adds; the price is that everything the 3x3 convolution
sees has passed through 64 channels.

A worked comparison in NumPy loops, one small product per output pixel, took 1.05 s with the
bottleneck and 3.4 s without, for one image of 96x96 pixels with 256 channels. Here the same loop
runs on this machine, and then cnnkit, so that what the bottleneck saves can be told from what the
implementation saves. The loop is in float64, as NumPy users have it; cnnkit is in float32.
"""

from pathlib import Path
from time import perf_counter

import numpy as np
from threadpoolctl import threadpool_limits

from cnnkit import Conv, Conv1x1, Sequential, num_threads
from cnnkit.functional import conv2d

SHAPE = (96, 96, 256)
REPEATS = 9
PLAIN, BOTTLENECK = "plain 3x3", "bottleneck"
BLOCKS = {
    PLAIN: Sequential([Conv(256, 3)]),
    BOTTLENECK: Sequential([Conv1x1(64), Conv(256, 3)]),
}
REPORTED, LOOP, CNNKIT = "loop, as reported", "loop, this machine", "cnnkit"
REPORTED_SECONDS = {PLAIN: 3.4, BOTTLENECK: 1.05}
COLORS = {PLAIN: "#d55e00", BOTTLENECK: "#0072b2"}  # apart for colour-blind readers too
PICTURE = Path(__file__).parent / "pictures" / "bottleneck.png"


# %%
# Two ways to compute the same thing: the loop of the worked comparison, and cnnkit.


def loop_conv(x, w, b):
    """Convolve ("same") by one product per output pixel."""
    size = w.shape[0]
    edge = size // 2
    padded = np.pad(x, ((0, 0), (edge, edge), (edge, edge), (0, 0)))
    filters = w.reshape(-1, w.shape[3])
    y = np.empty((*x.shape[:3], w.shape[3]), x.dtype)
    for i in range(x.shape[1]):
        for j in range(x.shape[2]):
            window = padded[:, i : i + size, j : j + size]
            y[:, i, j] = window.reshape(len(x), -1) @ filters + b
    return y


def cnnkit_conv(x, w, b):
    return conv2d(x, w, b, padding="same")


def random_weights(block, rng):
    """Return (w, b) of every convolution of a block, scaled to keep the variance of its input."""
    weights, channels = [], SHAPE[2]
    for row, layer in zip(block.summary(SHAPE).rows, block.layers, strict=True):
        size = 1 if isinstance(layer, Conv1x1) else 3
        filters = row.output_shape[2]
        w = rng.normal(0, (size * size * channels) ** -0.5, (size, size, channels, filters))
        weights.append((w.astype(np.float32), np.zeros(filters, np.float32)))
        channels = filters
    return weights


def run(conv, x, weights):
    for w, b in weights:
        x = conv(x, w, b)
    return x


def seconds(conv, x, weights):
    start = perf_counter()
    run(conv, x, weights)
    return perf_counter() - start


def measure():
    """Return seconds by implementation and block, and the largest difference of their outputs."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(1, *SHAPE)).astype(np.float32)
    weights = {name: random_weights(block, rng) for name, block in BLOCKS.items()}
    looped, difference = {}, 0.0
    for name in BLOCKS:
        doubles = [(w.astype(np.float64), b.astype(np.float64)) for w, b in weights[name]]
        with threadpool_limits(1):  # products as small as the loop's lose by a second thread
            start = perf_counter()
            y = run(loop_conv, x.astype(np.float64), doubles)
            looped[name] = perf_counter() - start
        # This is also cnnkit's first call, which the median below leaves out.
        difference = max(difference, np.abs(y - run(cnnkit_conv, x, weights[name])).max())
    # The blocks take turns, so that whatever else the machine does falls on both.
    rounds = [[seconds(cnnkit_conv, x, weights[name]) for name in BLOCKS] for _ in range(REPEATS)]
    ours = dict(zip(BLOCKS, np.median(rounds, axis=0), strict=True))
    return {REPORTED: REPORTED_SECONDS, LOOP: looped, CNNKIT: ours}, difference


# %%
# The table, and what it shows.


def print_table(times, costs):
    print(f"\n{'':<20}{PLAIN:>16}{BOTTLENECK:>16}{'ratio':>8}")
    for what in ("weights", "multiply_adds"):
        plain, bottleneck = (getattr(costs[name], what) for name in (PLAIN, BOTTLENECK))
        print(
            f"{what.replace('_', '-'):<20}{plain:>16,}{bottleneck:>16,}{plain / bottleneck:>8.2f}"
        )
    for how, took in times.items():
        plain, narrow = took[PLAIN], took[BOTTLENECK]
        print(f"{how:<20}{plain:>14.4f} s{narrow:>14.4f} s{plain / narrow:>8.2f}")


def conclusions(times, costs):
    work = costs[PLAIN].multiply_adds / costs[BOTTLENECK].multiply_adds
    ratio = {how: took[PLAIN] / took[BOTTLENECK] for how, took in times.items()}
    gain = {name: times[LOOP][name] / times[CNNKIT][name] for name in BLOCKS}
    rate = {name: costs[name].multiply_adds / times[CNNKIT][name] / 1e9 for name in BLOCKS}
    yield (
        f"The bottleneck divides the work by {work:.2f}. The time it divides by "
        f"{ratio[CNNKIT]:.2f} in cnnkit, {ratio[LOOP]:.2f} in the loop on this machine and "
        f"{ratio[REPORTED]:.2f} in the loop as reported."
    )
    matters = "more" if min(gain.values()) > ratio[CNNKIT] else "less"
    yield (
        f"The implementation matters {matters} than the bottleneck: cnnkit is {gain[PLAIN]:.0f} "
        f"times as fast as the loop in the plain block, {gain[BOTTLENECK]:.0f} times in the other."
    )
    yield (
        f"cnnkit did {rate[PLAIN]:.0f} billion multiply-adds per second in the plain block and "
        f"{rate[BOTTLENECK]:.0f} in the bottleneck ({num_threads()} threads)."
    )


# %%
# The picture.


def draw(times, costs):
    from matplotlib.figure import Figure

    figure = Figure(figsize=(13, 4.4), layout="constrained")
    time, weights, work = figure.subplots(1, 3, width_ratios=[2.2, 1, 1])
    for k, name in enumerate(BLOCKS):
        at = np.arange(len(times)) + 0.38 * (k - 0.5)
        took = [times[how][name] for how in times]
        bars = time.bar(at, took, 0.36, color=COLORS[name], label=name)
        texts = [f"{t:.2f} s" if t > 0.5 else f"{1e3 * t:.0f} ms" for t in took]
        time.bar_label(bars, texts, padding=3)
        for ax, what, unit, text in (
            (weights, "weights", 1e3, "{:.0f}"),
            (work, "multiply_adds", 1e9, "{:.2f}"),
        ):
            value = getattr(costs[name], what) / unit
            ax.bar_label(
                ax.bar([k], [value], 0.7, color=COLORS[name]), [text.format(value)], padding=2
            )
    time.set(title="Time for one image", ylabel="seconds (log scale)", yscale="log")
    time.set_xticks(range(len(times)), times)
    every = [t for took in times.values() for t in took.values()]
    time.set_ylim(min(every) / 3, max(every) * 4)
    time.legend(frameon=False)
    weights.set(title="Weights", ylabel="thousands")
    work.set(title="Multiply-adds", ylabel="billions")
    for ax in (weights, work):
        ax.set_xticks(range(len(BLOCKS)), BLOCKS)
        ax.margins(y=0.1)
    for ax in (time, weights, work):
        ax.spines[["top", "right"]].set_visible(False)
    figure.suptitle("256 to 256 channels at 96x96: plain 3x3, or 1x1 to 64 and then 3x3")
    PICTURE.parent.mkdir(exist_ok=True)
    figure.savefig(PICTURE, dpi=120)


def main():
    costs = {name: block.summary(SHAPE) for name, block in BLOCKS.items()}
    for name in BLOCKS:
        print(f"{name}\n{costs[name]}\n")
    times, difference = measure()
    print(f"Loop and cnnkit give the same numbers: they differ by at most {difference:.1e}.")
    print_table(times, costs)
    print("", *conclusions(times, costs), "", sep="\n")
    try:
        draw(times, costs)
    except ModuleNotFoundError:
        print("No picture: `pip install cnnkit[plot]` brings matplotlib, which would draw it.")
    else:
        print(f"Picture: {PICTURE}")


if __name__ == "__main__":
    main()
