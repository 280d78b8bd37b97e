"""
A bottleneck before a 3x3 convolution
=====================================

A 3x3 convolution from 256 channels to 256 has a weight for every pair of channels at each of nine
places: 9 * 256 * 256. Most of its work is mixing channels, for which one place is enough. A
bottleneck mixes first: a 1x1 convolution sums the 256 channels of every pixel into 64, and the 3x3
convolution then reads 64 channels instead of 256. The output has the same shape, with less than a
third of the weights and of the multiply-adds; the price is that the 3x3 convolution reads only 64
channels.

A worked comparison in NumPy loops, one small product per output pixel, took 1.05 s with the
bottleneck and 3.4 s without, for one image of 96x96 pixels with 256 channels. Here the same loop
runs on this machine, and then cnnkit by three algorithms, to distinguish what the bottleneck saves
from what the implementation saves: "auto", the default, which may compute a 3x3 convolution by
Winograd's algorithm, in fewer multiplications than there are multiply-adds; "exact", the same
without Winograd's; and "im2col", which copies patches to columns, for 3x3 every pixel nine times,
and multiplies them by BLAS. The loop is in float64, as is usual in NumPy, and cnnkit in float32.
All run on one thread.

The published loop has a mistake that does not show with one image: it reshapes windows (N, C, 3, 3)
to (C * 9, N), which is a transposition only for N = 1. For more images it mixes their pixels.
"""

from functools import cache
from textwrap import fill
from time import perf_counter

import numpy as np
from endings import PICTURES, save_picture, timed
from threadpoolctl import threadpool_limits

from cnnkit import Conv, Conv1x1, Network, Sequential, set_num_threads
from cnnkit.functional import conv2d

SHAPE = (96, 96, 256)
REPEATS = 7
PLAIN, BOTTLENECK = "plain 3x3", "bottleneck"
BLOCKS = {
    PLAIN: Sequential([Conv(256, 3)]),
    BOTTLENECK: Sequential([Conv1x1(64), Conv(256, 3)]),
}
POINT = "its 1x1 alone"  # timed, too, to tell which part of the bottleneck an algorithm speeds up
REPORTED, LOOP = "loop, as reported", "loop, this machine"
REPORTED_SECONDS = {PLAIN: 3.4, BOTTLENECK: 1.05}
ALGORITHMS = ("auto", "exact", "im2col")
COLORS = {PLAIN: "#d55e00", BOTTLENECK: "#0072b2"}  # distinct for colour-blind readers, too
PICTURE = PICTURES / "bottleneck.png"


# %%
# The loop, in the layout of the comparison: x is (N, C, H, W), w is (F, C, k, k).


def as_published(windows):
    """Reshape windows (N, C, k, k) to (C * k * k, N), which is right for one image only."""
    return windows.reshape(-1, len(windows))


def transposed(windows):
    """Return windows (N, C, k, k) as (C * k * k, N), a column for every image."""
    return windows.reshape(len(windows), -1).T


def loop_conv(x, w, b, columns):
    """Convolve ("same") by one product per output pixel."""
    filters, size = len(w), w.shape[2]
    edge = size // 2
    padded = np.pad(x, ((0, 0), (0, 0), (edge, edge), (edge, edge)))
    rows = w.reshape(filters, -1)
    y = np.empty((len(x), filters, *x.shape[2:]), x.dtype)
    for i in range(x.shape[2]):
        for j in range(x.shape[3]):
            windows = padded[:, :, i : i + size, j : j + size]
            y[:, :, i, j] = (rows @ columns(windows)).T + b
    return y


def two_images(columns):
    """Return the largest difference between the loop and cnnkit for two images."""
    rng = np.random.default_rng(0)
    x, w, b = rng.normal(size=(2, 8, 6, 6)), rng.normal(size=(4, 8, 3, 3)), rng.normal(size=4)
    right = conv2d(x, w, b, padding="same", data_format="channels_first")
    return np.abs(loop_conv(x, w, b, columns) - right).max()


# %%
# The same blocks in cnnkit: networks bound once, of which only `forward` is timed.


def networks(algorithm):
    """Return networks of the blocks and of the bottleneck's 1x1, with weights and an image."""
    found = {}
    for name, block in {**BLOCKS, POINT: Sequential([Conv1x1(64)])}.items():
        network = Network(block, SHAPE, 256, algorithm=algorithm)
        network.weights.initialise(np.random.default_rng(0))
        network.x[...] = image()
        found[name] = network
    return found


@cache
def image():
    return np.random.default_rng(1).normal(size=SHAPE).astype(np.float32)


def run_loop(network):
    """Return the result of the loop with the network's weights and image, channels last."""
    x = image().astype(np.float64).transpose(2, 0, 1)[None]
    for name in dict.fromkeys(path.partition("/")[0] for path in network.weights):
        w, b = (network.weights[f"{name}/{kind}"].astype(np.float64) for kind in "wb")
        x = loop_conv(x, w.transpose(3, 2, 0, 1), b, transposed)
    return x[0].transpose(1, 2, 0)


def seconds(call):
    start = perf_counter()
    result = call()
    return perf_counter() - start, result


def forward(network):
    """Run a network on the image, which the last run may have overwritten."""
    network.x[...] = image()
    return seconds(lambda: network.forward(1))


def measure():
    """Return the shortest seconds by implementation and block, and the largest difference."""
    by_algorithm = {algorithm: networks(algorithm) for algorithm in ALGORITHMS}
    times = {REPORTED: REPORTED_SECONDS, LOOP: {}}
    difference = 0.0
    for name in BLOCKS:
        with threadpool_limits(1):
            times[LOOP][name], y = seconds(lambda name=name: run_loop(by_algorithm["auto"][name]))
        outputs = [forward(found[name])[1][0] for found in by_algorithm.values()]
        difference = max(difference, *(np.abs(y - output).max() for output in outputs))
    # All take turns, so that other work of the machine affects all of them.
    turns = [
        {(how, name): forward(n)[0] for how in ALGORITHMS for name, n in by_algorithm[how].items()}
        for _ in range(REPEATS)
    ]
    for how in ALGORITHMS:
        times[how] = {name: min(turn[how, name] for turn in turns) for name in by_algorithm[how]}
    return times, difference


# %%
# The table, and what it shows.


def print_table(times, costs):
    print(f"\n{'':<20}{PLAIN:>16}{BOTTLENECK:>16}{'ratio':>8}{POINT:>16}")
    for what in ("weights", "multiply_adds"):
        plain, bottleneck = (getattr(costs[name], what) for name in (PLAIN, BOTTLENECK))
        point = getattr(costs[BOTTLENECK].rows[0], what)
        print(f"{what.replace('_', '-'):<20}{plain:>16,}{bottleneck:>16,}", end="")
        print(f"{plain / bottleneck:>8.2f}{point:>16,}")
    for how, took in times.items():
        plain, narrow = took[PLAIN], took[BOTTLENECK]
        print(f"{how:<20}{plain:>14.4f} s{narrow:>14.4f} s{plain / narrow:>8.2f}", end="")
        print(f"{took[POINT]:>14.4f} s" if POINT in took else "")


def conclusions(times, costs):
    work = costs[PLAIN].multiply_adds / costs[BOTTLENECK].multiply_adds
    ratio = {how: took[PLAIN] / took[BOTTLENECK] for how, took in times.items()}
    ours = ", ".join(f"{ratio[how]:.2f} ({how})" for how in ALGORITHMS)
    yield (
        f"The bottleneck divides the work by {work:.2f}. The time it divides by {ours} in cnnkit; "
        f"in the loop by {ratio[LOOP]:.2f} on this machine, by {ratio[REPORTED]:.2f} as reported."
    )
    yield why_auto_differs(times, ratio)
    slow = {name: times["im2col"][name] / times["auto"][name] for name in BLOCKS}
    yield (
        f"im2col takes {slow[PLAIN]:.1f} times as long as auto in the plain block, "
        f"{slow[BOTTLENECK]:.1f} times in the other."
    )
    gain = {name: times[LOOP][name] / times["auto"][name] for name in BLOCKS}
    matters = "more" if min(gain.values()) > ratio["auto"] else "no more"
    yield (
        f"The implementation matters {matters} than the bottleneck: cnnkit is {gain[PLAIN]:.0f} "
        f"times as fast as the loop in the plain block, {gain[BOTTLENECK]:.0f} times in the other."
    )


def why_auto_differs(times, ratio):
    plain, narrow, point = (
        times["exact"][name] / times["auto"][name] for name in (PLAIN, BOTTLENECK, POINT)
    )
    found = (
        f"Without Winograd's algorithm (exact over auto) the plain 3x3 takes {plain:.2f} times as "
        f"long, the bottleneck {narrow:.2f} times, its 1x1 alone {point:.2f} times"
    )
    if ratio["auto"] < ratio["exact"] and plain > narrow > point:
        return f"{found}: it speeds 3x3 up and not 1x1, so the bottleneck saves less of its time."
    return f"{found}. These times do not show that it speeds 3x3 up more than 1x1."


# %%
# The picture.


def draw(times, costs):
    from matplotlib.figure import Figure

    figure = Figure(figsize=(13, 4.6), layout="constrained")
    time, weights, work = figure.subplots(1, 3, width_ratios=[3, 1, 1])
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
            bar = ax.bar([k], [value], 0.7, color=COLORS[name])
            ax.bar_label(bar, [text.format(value)], padding=2)
    ratios = [took[PLAIN] / took[BOTTLENECK] for took in times.values()]
    names = [
        how.replace(", ", "\n") if how.startswith("loop") else f"cnnkit\n{how}" for how in times
    ]
    labels = [f"{name}\nratio {r:.2f}" for name, r in zip(names, ratios, strict=True)]
    time.set(title="Time for one image", ylabel="seconds (log scale)", yscale="log")
    time.set_xticks(range(len(times)), labels)
    every = [took[name] for took in times.values() for name in BLOCKS]
    time.set_ylim(min(every) / 3, max(every) * 4)
    time.legend(frameon=False)
    work_ratio = costs[PLAIN].multiply_adds / costs[BOTTLENECK].multiply_adds
    weights.set(title="Weights", ylabel="thousands")
    work.set(title=f"Multiply-adds: ratio {work_ratio:.2f}", ylabel="billions")
    for ax in (weights, work):
        ax.set_xticks(range(len(BLOCKS)), BLOCKS)
        ax.margins(y=0.1)
    for ax in (time, weights, work):
        ax.spines[["top", "right"]].set_visible(False)
    figure.suptitle("256 to 256 channels: plain 3x3, or 1x1 to 64 and then 3x3")
    return figure


def main():
    set_num_threads(1)
    costs = {name: block.summary(SHAPE) for name, block in BLOCKS.items()}
    for name in BLOCKS:
        print(f"{name}\n{costs[name]}\n")
    print(
        f"Two images: the loop as published is wrong by up to {two_images(as_published):.1f}, "
        f"with its windows transposed by {two_images(transposed):.0e}."
    )
    times, difference = measure()
    print(f"Loop and cnnkit give the same numbers: they differ by at most {difference:.1e}.")
    print_table(times, costs)
    for sentence in conclusions(times, costs):
        print("\n" + fill(sentence, 100))
    print()
    return save_picture(PICTURE, draw, times, costs)


if __name__ == "__main__":
    timed(main)
