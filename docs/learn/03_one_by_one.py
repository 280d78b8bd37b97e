"""
3. What a 1x1 convolution does
==============================

A filter of 1x1 reads one pixel at a time. That sounds useless, until one remembers the channels: it
reads *all channels* of the pixel, one weight for each, and adds them up. This page shows what that
computes, and the four uses that made it part of nearly every network: fewer channels, fusion of
maps, more depth, and less work for larger filters.

It follows page 2, 02_im2col. The programs one_by_one.py, pointwise.py and bottleneck.py of the
gallery measure more. The photo needs the package Pillow.
"""

from time import perf_counter

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_sample_image

from cnnkit import (
    Conv,
    Conv1x1,
    DepthwiseConv,
    Network,
    ReLU,
    Sequential,
    set_num_threads,
)
from cnnkit.blocks import bottleneck, feature_fusion
from cnnkit.functional import conv2d, im2col, relu

# sphinx_gallery_thumbnail_number = 2

# %%
# Two channels become one
# -----------------------
#
# The smallest example: ``M`` has two channels of 2x2 pixels, and the filter has the weights 2 and
# 3. Each pixel of the result is 2 times the first channel plus 3 times the second.

M = np.array([[[1.0, 2], [3, 4]], [[5, 6], [7, 8]]])  # (C, H, W)
W = np.array([2.0, 3]).reshape(1, 2, 1, 1)  # (F, C, KH, KW)
y = conv2d(M[None], W, data_format="channels_first")[0, 0]
print(y)
assert np.array_equal(y, 2 * M[0] + 3 * M[1])

tables = {"channel 0": M[0], "channel 1": M[1], "result": y}
colours = {"channel 0": "#cfe4f3", "channel 1": "#fbdcc4", "result": "#cdeadf"}
figure, axes = plt.subplots(1, 3, figsize=(8, 2.5))
figure.subplots_adjust(
    left=0.12, right=0.98, top=0.82, bottom=0.06, wspace=0.6
)
signs = ["2 x", "+ 3 x", "="]
for ax, sign, (name, table) in zip(axes, signs, tables.items(), strict=True):
    words = [[f"{number:g}" for number in row] for row in table]
    tints = [[colours[name]] * 2] * 2
    whole = [0, 0, 1, 1]  # of the axes
    drawn = ax.table(words, tints, cellLoc="center", bbox=whole)
    drawn.set_fontsize(14)
    ax.text(-0.27, 0.5, sign, ha="center", va="center", fontsize=15)
    ax.set_title(name, fontsize=11)
    ax.set_box_aspect(1)
    ax.axis("off")

# %%
# A product of matrices for the channels of each pixel
# ----------------------------------------------------
#
# With :math:`F` filters, the weights are a matrix :math:`W` of :math:`C \times F`, and the channels
# of a pixel are a row of :math:`C` numbers:
#
# .. math:: y_{ij} = x_{ij}\,W + b .
#
# The same matrix for every pixel. A window of 1x1 is the pixel itself, so im2col does not copy
# anything: its matrix *is* the picture, with one row for each pixel.

rng = np.random.default_rng(0)
x = rng.normal(size=(1, 28, 28, 192))
w = rng.normal(size=(192, 32))
assert np.array_equal(im2col(x, 1), x.reshape(-1, 192))
y = (x.reshape(-1, 192) @ w).reshape(1, 28, 28, 32)
print(y.shape, np.allclose(y, conv2d(x, w.reshape(1, 1, 192, 32))))

# %%
# A common puzzle: 28x28x192 numbers meet one filter of 1x1x192. Is the result not 28x28x192? That
# is the product number by number. The convolution also *adds* over the channels, which leaves one
# map.

one_filter = w[:, 0]
product = x * one_filter
added = product.sum(axis=-1, keepdims=True)
print("product", product.shape, "-> sum over the channels", added.shape)
assert np.allclose(added, conv2d(x, one_filter.reshape(1, 1, 192, 1)))
for K in (1, 3, 32):
    filters = rng.normal(size=(1, 1, 192, K))
    print(f"{K:2} filters of 1x1x192 make", conv2d(x, filters).shape[1:])

# %%
# On a photo, the channels are red, green and blue. One filter makes the picture grey, with the
# weights of the eye for the three colours (ITU-R BT.601). Another one takes the mean of red and
# green from blue: it finds what is blue.

photo = load_sample_image("china.jpg")[::2, ::2] / 255
grey_and_blue = np.array([[0.299, -0.5], [0.587, -0.5], [0.114, 1.0]])
maps = conv2d(photo[None], grey_and_blue.reshape(1, 1, 3, 2))[0]

figure, axes = plt.subplots(1, 3, figsize=(8, 2.2), layout="constrained")
axes[0].imshow(photo)
axes[1].imshow(maps[..., 0], cmap="gray", vmin=0, vmax=1)
axes[2].imshow(maps[..., 1], cmap="PuOr", vmin=-0.5, vmax=0.5)
titles = ["three channels", "grey", "blue (purple is positive)"]
for ax, title in zip(axes, titles, strict=True):
    ax.set_title(title, fontsize=11)
    ax.axis("off")

# %%
# Use 1: fewer channels
# ---------------------
#
# Pooling makes maps smaller in height and width. A 1x1 convolution makes them *fewer*: 512 maps
# become 32, each a weighted sum of all. A 3x3 convolution could do that, too, and would look at
# neighbours, but for nine times the weights and the work. ``summary`` counts both. (A
# *multiply-add* is one multiplication and one addition.)


def count(name, shape, *layers):
    """Print and return what layers cost on a picture of some shape."""
    cost = Sequential(layers).summary(shape)
    print(f"{name:14}{cost.weights:10,} weights", end="")
    print(f"{cost.multiply_adds:15,} multiply-adds")
    return cost


shape = (12, 12, 512)
narrow = {k: count(f"{k}x{k}", shape, Conv(32, k)) for k in (1, 3)}
print(f"by hand: 1x1 {512 * 32 + 32:,}, 3x3 {512 * 32 * 9 + 32:,}")

# %%
# A tutorial says that 1x1 is "approximately 23 times faster" here. The work is nine times less, so
# anything else is due to the program. Let us measure, with three algorithms of cnnkit (page 2) on
# one thread:


def bound(layers, shape, algorithm):
    """Return a network of layers with a random picture and random weights."""
    network = Network(Sequential(layers), shape, 1, algorithm=algorithm)
    network.x[:] = rng.normal(size=network.x.shape)
    for weights in network.weights.values():
        weights[...] = rng.normal(size=weights.shape) / 30
    return network


def milliseconds(cases, turns):
    """Return the shortest time of every case; the cases take turns."""
    networks = {name: bound(*case) for name, case in cases.items()}
    shortest = dict.fromkeys(cases, np.inf)
    set_num_threads(1)
    for _ in range(turns):
        for name, network in networks.items():
            start = perf_counter()
            network.forward(1)
            took = 1e3 * (perf_counter() - start)
            shortest[name] = min(shortest[name], took)
    set_num_threads(None)
    return shortest


ALGORITHMS = ("im2col", "exact", "auto")
cases = {(a, k): ([Conv(32, k)], shape, a) for a in ALGORITHMS for k in (1, 3)}
took = milliseconds(cases, 100)
for a in ALGORITHMS:
    ratio = took[a, 3] / took[a, 1]
    print(f"{a:7} 1x1 {took[a, 1]:6.3f} ms, 3x3 {took[a, 3]:6.3f} ms,", end="")
    print(f"{ratio:5.1f} times as long")

# %%
# Use 2: fusion of maps
# ---------------------
#
# When branches of a network meet, their maps are stacked as channels; a 1x1 convolution mixes them
# into new maps. Here four branches look for edges in four directions. Their sum, by one filter of
# ones, answers to edges of any direction. In a network the four weights are learnt.

sobel = np.array([[1.0, 0, -1], [2, 0, -2], [1, 0, -1]])
directions = np.stack([sobel, -sobel, sobel.T, -sobel.T], axis=-1)[:, :, None]
branches = relu(conv2d(maps[None, ..., :1], directions, padding=1))
fused = conv2d(branches, np.ones((1, 1, 4, 1)))[0, ..., 0]

titles = [
    "bright to dark,\nleft to right",
    "dark to bright,\nleft to right",
    "bright to dark,\ntop to bottom",
    "dark to bright,\ntop to bottom",
    "fused",
]
figure, axes = plt.subplots(1, 5, figsize=(8, 1.75), layout="constrained")
shown = [*np.moveaxis(branches[0], -1, 0), fused]
for ax, picture, title in zip(axes, shown, titles, strict=True):
    ax.imshow(picture, cmap="gray", vmin=0, vmax=1.5)
    ax.set_title(title, fontsize=9)
    ax.axis("off")
print("cnnkit.blocks.feature_fusion(1) is such a layer:", feature_fusion(1))

# %%
# Use 3: more depth, more than weighted sums
# ------------------------------------------
#
# After a 1x1 convolution stands, as a rule, a ReLU. Two such layers are a small network that runs
# at every pixel ("Network in network", Lin et al., 2013), and it can compute what no weighted sum
# can. Two maps say "here is left" and "here is top". Wanted: *one but not both*. The best weighted
# sum with a bias, by least squares, is 0.5 everywhere, but two layers do it:
#
# .. math:: |a - b| = \mathrm{relu}(a - b) + \mathrm{relu}(b - a) .

left, top = np.zeros((2, 20, 20))
left[:, :10] = 1
top[:10] = 1
wanted = (left != top).astype(float)
stack = np.stack([left, top], axis=-1)[None]

inputs = np.column_stack([stack.reshape(-1, 2), np.ones(400)])
best = np.linalg.lstsq(inputs, wanted.ravel(), rcond=None)[0]
linear = (inputs @ best).reshape(20, 20)
differences = np.array([[1.0, -1], [-1, 1]])
hidden = relu(conv2d(stack, differences.reshape(1, 1, 2, 2)))
deep = conv2d(hidden, np.ones((1, 1, 2, 1)))[0, ..., 0]
print(f"one layer: from {linear.min():.2f} to {linear.max():.2f}")
print("two layers with ReLU are exact:", np.array_equal(deep, wanted))

pictures = {
    "left": left,
    "top": top,
    "wanted": wanted,
    "one 1x1 layer": linear,
    "two, with ReLU": deep,
}
figure, axes = plt.subplots(1, 5, figsize=(8, 1.9), layout="constrained")
for ax, (title, picture) in zip(axes, pictures.items(), strict=True):
    ax.imshow(picture, cmap="Blues", vmin=0, vmax=1.3)
    ax.set_title(title, fontsize=10)
    ax.set_xticks([])
    ax.set_yticks([])

# %%
# What does depth cost? At 12x12x512, one more layer that keeps the 512 maps:

for size in (1, 3):
    count(f"{size}x{size}", shape, Conv(512, size), ReLU())

# %%
# Whether a network with one more 1x1 layer is better on new pictures is a question for an
# experiment; generalisation.py in the gallery makes one.
#
# Use 4: a bottleneck before a large filter
# -----------------------------------------
#
# 256 maps of 96x96 are to become 256 new maps by 3x3 filters. A bottleneck first makes 64 maps of
# the 256, by 1x1, and only these meet the 3x3 filters.

shape = (96, 96, 256)
PLAIN, NARROW = "plain 3x3", "1x1, then 3x3"
blocks = {PLAIN: [Conv(256, 3)], NARROW: [Conv1x1(64), Conv(256, 3)]}
costs = {name: count(name, shape, *layers) for name, layers in blocks.items()}
work = costs[PLAIN].multiply_adds / costs[NARROW].multiply_adds
print(f"the work is {work:.2f} times less")

# %%
# And the time? A set of course notes measured 3.4 s against 1.05 s, with a loop in Python: 3.2
# times less. Here, on one thread:

both = [(a, name) for a in ALGORITHMS for name in blocks]
cases = {(a, name): (blocks[name], shape, a) for a, name in both}
took = milliseconds(cases, 6)

figure, ax = plt.subplots(figsize=(8, 3.2), layout="constrained")
figure.get_layout_engine().set(w_pad=0.1)
colours = {PLAIN: "#d55e00", NARROW: "#0072b2"}
for k, (name, colour) in enumerate(colours.items()):
    values = [took[a, name] for a in ALGORITHMS]
    at = np.arange(3) + 0.38 * k
    bars = ax.barh(at, values, 0.36, color=colour, label=name)
    ax.bar_label(bars, [f"{value:.0f} ms" for value in values], padding=3)
ratios = {a: took[a, PLAIN] / took[a, NARROW] for a in ALGORITHMS}
names = [f"{a}\nratio {ratio:.1f}" for a, ratio in ratios.items()]
ax.set_yticks(np.arange(3) + 0.19, names)
ax.invert_yaxis()
ax.margins(x=0.12)
ax.set_xlabel("milliseconds")
ax.set_title(f"256 to 256 maps of 96x96: the work is {work:.2f} times less")
ax.legend(frameon=False, loc="lower right")
ax.spines[["top", "right"]].set_visible(False)

# %%
# A bottleneck divides the *work* by this factor, and the time by about that where the program
# spends its time on multiply-adds. Winograd's algorithm (in "auto") makes 3x3 filters cheaper and
# leaves 1x1 as it is, so with it a bottleneck can save less of the time than of the work. (Other
# work on the machine disturbs such times, long runs more than short ones.)
#
# ResNet's bottleneck goes down, looks around, and up again: 1x1, 3x3, 1x1, with a shortcut.

print(bottleneck(64, channels=256).summary((56, 56, 256)))

# %%
# Depthwise and pointwise
# -----------------------
#
# A convolution does two things at once: it looks at neighbours, and it mixes channels. MobileNet
# (Howard et al., 2017) takes them apart. A *depthwise* convolution has one filter of
# :math:`k \times k` for each channel and mixes nothing; a *pointwise* (1x1) convolution mixes and
# looks at no neighbour. For :math:`C` channels, :math:`F` filters and :math:`P` pixels, the work is
#
# .. math:: \frac{P\,C\,k^2 + P\,C\,F}{P\,C\,F\,k^2} = \frac{1}{F} + \frac{1}{k^2}
#
# of that of a full convolution.

shape = (32, 32, 64)
depthwise = DepthwiseConv(3, bias=False)
pointwise = Conv1x1(128, bias=False)
full = count("full", shape, Conv(128, 3, bias=False))
separable = count("separable", shape, depthwise, pointwise)
print(separable)
ratio = separable.multiply_adds / full.multiply_adds
print(f"ratio {ratio:.4f}, formula {1 / 128 + 1 / 9:.4f}")
share = separable.rows[1].multiply_adds / separable.multiply_adds
print(f"{share:.0%} of the separable work is the 1x1 convolution")

filters = np.geomspace(8, 1024, 8)
figure, ax = plt.subplots(figsize=(8, 3.2), layout="constrained")
styles = {3: ("#0072b2", "o"), 5: ("#d55e00", "s"), 7: ("#009e73", "^")}
for k, (colour, marker) in styles.items():
    gain = 1 / (1 / filters + 1 / k**2)
    ax.plot(filters, gain, color=colour, marker=marker, label=f"{k}x{k}")
    ax.axhline(k * k, color=colour, linestyle=":", linewidth=1)
ax.set(xscale="log", xlabel="filters F", ylabel="times less work")
ax.set_title("What depthwise and pointwise save; dotted: the limit k²")
ax.set_xticks(filters, [f"{number:.0f}" for number in filters])
ax.set_xticks([], minor=True)
ax.legend(title="filter", frameon=False)
ax.grid(alpha=0.3)

# %%
# Questions
# ---------
#
# 1. What does a filter of a 1x1 convolution read, and what does it write?
# 2. Compute the result of the first example for the weights (1, -1).
# 3. How many weights takes it from 192 maps to 16 by 1x1, and by 5x5, with biases?
# 4. Inception computes 32 maps of 5x5 filters from 28x28x192. With 16 maps by 1x1 in between, how
#    many times less work is that?
# 5. For which number of maps does the bottleneck of this page do as much work as the plain 3x3?
# 6. Two 1x1 layers without a ReLU between them: what do they compute?
# 7. Why can a 1x1 convolution never find edges? And what about the layer after it?
# 8. A depthwise convolution saves nine tenths of the work, yet often takes more than a tenth of the
#    time. Why?
#
# Answers
# -------
#
# 1. It reads all channels of one pixel and writes one number for that pixel: their weighted sum,
#    and a bias.
# 2. to 5. are computed:

print("2.", (M[0] - M[1]).tolist())
shape = (28, 28, 192)
for k in (1, 5):
    count(f"3. {k}x{k}", shape, Conv(16, k))
direct = count("4. direct", shape, Conv(32, 5)).multiply_adds
reduced = count("4. reduced", shape, Conv1x1(16), Conv(32, 5)).multiply_adds
print(f"4. {direct / reduced:.1f} times less")
print("5. m (256 + 9 * 256) = 9 * 256 * 256, so m =", 9 * 256 / 10)

# %%
# 6. One 1x1 convolution: the product of the two matrices is a matrix. If the layer between has few
#    maps, it is one of low rank, with fewer weights.
# 7. An edge is a difference between *neighbouring* pixels, and it reads one pixel. The layer after
#    it can find edges, if its filters are larger than one pixel, and it finds them in the mixed
#    maps, such as "what is blue".
# 8. Per number that it loads from memory it does little: nine multiply-adds for a pixel of a
#    channel, where a full convolution does nine for *each filter*. It is limited by memory, not by
#    arithmetic.
#
# The next page, 04_heads, uses a 1x1 convolution to end a network.
