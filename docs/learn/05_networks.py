"""
5. The networks built from them
===============================

3x3 and 1x1 convolutions, pooling, sums: most networks for pictures are built from these few parts.
This page takes seven ideas, each with its drawing, and what it costs beside a plain convolution.
Then all are trained in small form on the digits and compared.

It follows page 4, 04_heads. The names are those of ``cnnkit.blocks`` and ``cnnkit.models``. The
program architectures.py of the gallery trains whole networks of the literature.
"""

from time import perf_counter

import matplotlib.pyplot as plt
import numpy as np
from scipy import stats
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

from cnnkit import (
    BatchNorm,
    CNNClassifier,
    Concat,
    Conv,
    Conv1x1,
    Dense,
    GlobalAvgPool,
    Graph,
    Input,
    MaxPool,
    ReLU,
    Residual,
    Sequential,
    gap_head,
    models,
    set_num_threads,
)
from cnnkit.blocks import (
    bottleneck,
    channel_attention,
    depthwise_separable,
    feature_pyramid,
    fire,
    inception,
    mlpconv,
)
from cnnkit.display import plot_graph

# sphinx_gallery_thumbnail_number = 3


def costs(shape, **blocks):
    """Print weights and multiply-adds of blocks on a picture of some shape."""
    print(f"{'on ' + by(shape):20}{'result':>15}{'weights':>10}", end="")
    print(f"{'multiply-adds':>16}")
    for name, block in blocks.items():
        summary = Sequential([block]).summary(shape)
        result = by(summary.rows[-1].output_shape)
        name = name.replace("_", " ")
        print(f"{name:20}{result:>15}{summary.weights:>10,}", end="")
        print(f"{summary.multiply_adds:>16,}")


def by(shape):
    return " x ".join(map(str, shape))


# %%
# Network in Network: a small network at every pixel
# --------------------------------------------------
#
# After a convolution come 1x1 convolutions, each with a ReLU. Together they are a small network
# that looks at one window at a time, so a map can stand for a more complex thing than one filter
# can find (Lin et al., 2013). The same paper ends the network in global average pooling.

ax = plot_graph(mlpconv([192, 160, 96], 5), (32, 32, 3))

# %%
# The first block of the paper. The 1x1 convolutions have more weights than the 5x5 one, since that
# reads 3 channels only:

costs(
    (32, 32, 3),
    plain_5x5=Conv(192, 5),
    mlpconv=mlpconv([192, 160, 96], 5),
)

# %%
# SqueezeNet: the fire module
# ---------------------------
#
# Few 1x1 filters *squeeze* the channels; then 1x1 and 3x3 filters side by side *expand* them, and
# both results are stacked. The 3x3 filters read few channels, and half of the maps have no 3x3
# filter at all. The aim was a small file: as accurate as AlexNet with 50 times fewer weights
# (Iandola et al., 2016).

ax = plot_graph(fire(16, 64), (55, 55, 96))

# %%

costs((55, 55, 96), plain_3x3=Conv(128, 3), fire=fire(16, 64))

# %%
# Inception: several sizes at once
# --------------------------------
#
# What is the right size of a filter? GoogLeNet (Szegedy et al., 2015) takes 1x1, 3x3, 5x5 and a
# pooling side by side, and lets the next layer choose. 1x1 convolutions reduce the channels before
# the large filters, or it would be far too much work. The results are stacked as channels.

module = inception(64, 96, 128, 16, 32, 32)
figure, ax = plt.subplots(figsize=(8, 5.6), layout="constrained")
ax = plot_graph(Sequential([("inception", module)]), (28, 28, 192), ax=ax)

# %%
# The same module without its reductions shows what they save:

pooling = MaxPool(3, stride=1, padding="same")
naive = Concat([Conv1x1(64), Conv(128, 3), Conv(32, 5), pooling])
costs(
    (28, 28, 192),
    plain_3x3=Conv(256, 3),
    without_reductions=naive,
    inception=module,
)

# %%
# ResNet: a shortcut around a bottleneck
# --------------------------------------
#
# A block computes a *change* and adds it to its input. If the change is 0, the input passes
# unharmed, and so does the gradient on its way back; that is why networks of a hundred layers can
# be trained (He et al., 2016). In the deep ones the block is a bottleneck: 1x1 down, 3x3, 1x1 up.

ax = plot_graph(bottleneck(64, channels=256), (56, 56, 256))

# %%

costs(
    (56, 56, 256),
    plain_3x3=Conv(256, 3),
    bottleneck=bottleneck(64, channels=256),
)

# %%
# MobileNet: depthwise, then pointwise
# ------------------------------------
#
# A depthwise convolution has one 3x3 filter for each channel and looks at neighbours; a 1x1
# convolution mixes the channels. Together they read the same pixels as a full convolution, for an
# eighth to a ninth of the work from 64 filters on (page 3). It was made for telephones (Howard et
# al., 2017).

ax = plot_graph(depthwise_separable(64), (56, 56, 32))

# %%

costs((56, 56, 32), plain_3x3=Conv(64, 3), separable=depthwise_separable(64))

# %%
# Squeeze and excitation: attention for channels
# ----------------------------------------------
#
# Which maps matter for *this* picture? The means of all maps go through two small dense layers,
# which give a number from 0 to 1 for each; the maps are multiplied by these. It costs next to
# nothing and can be put behind any block (Hu et al., 2018). (The table counts the two dense layers;
# the means and the products with the maps are a little work, too.)

ax = plot_graph(channel_attention(64), (28, 28, 64))

# %%

costs(
    (28, 28, 64),
    plain_3x3=Conv(64, 3),
    channel_attention=channel_attention(64),
)

# %%
# Feature pyramid: large maps that know what small maps know
# ----------------------------------------------------------
#
# Deep in a network the maps are small but say *what* is there; early maps are large but only know
# edges. A pyramid goes from the smallest map up: it is enlarged, and the larger map is added, after
# a 1x1 convolution that gives both the same channels. Every sum is a map to find objects of one
# size (Lin et al., 2017).

x = Input((64, 64, 3))
C2 = Conv(16, stride=4)(x)
C3 = Conv(32, stride=2)(C2)
C4 = Conv(64, stride=2)(C3)
pyramid = Graph.from_outputs(feature_pyramid([C2, C3, C4], 32))
ax = plot_graph(pyramid, (64, 64, 3))

# %%

print(pyramid.summary((64, 64, 3)))

# %%
# The whole networks
# ------------------
#
# ``cnnkit.models`` has the networks of the papers. All for pictures of 224x224 and 1000 classes,
# beside two older ones:

NETWORKS = [
    "alexnet",
    "vgg16",
    "googlenet",
    "resnet50",
    "squeezenet_1_0",
    "squeezenet_1_1",
    "mobilenet_v1",
    "mobilenet_v2",
]
shape = (224, 224, 3)
published = {}
for name in NETWORKS:
    published[name] = models.MODELS[name](1000, shape).summary(shape)
print(f"{'network':18}{'weights':>14}{'multiply-adds':>17}")
for name, summary in published.items():
    print(f"{name:18}{summary.weights:>14,}{summary.multiply_adds:>17,}")

places = {
    "squeezenet_1_1": (0, -15),
    "mobilenet_v2": (-8, 8),
    "mobilenet_v1": (8, 8),
}
figure, ax = plt.subplots(figsize=(8, 4), layout="constrained")
for name, summary in published.items():
    at = summary.weights / 1e6, summary.multiply_adds / 1e9
    ax.scatter(*at, color="#0072b2", zorder=2)
    offset = places.get(name, (0, 8))
    ax.annotate(name, at, offset, textcoords="offset points", ha="center")
ax.set(xscale="log", xlim=(0.7, 300), xlabel="million weights")
ax.set(yscale="log", ylim=(0.2, 30), ylabel="billion multiply-adds")
ax.set_title("One picture of 224x224, 1000 classes")
ax.set_xticks([1, 3, 10, 30, 100], ["1", "3", "10", "30", "100"])
ax.set_yticks([0.3, 1, 3, 10], ["0.3", "1", "3", "10"])
ax.grid(alpha=0.3)

# %%
# Weights and work are different things: a dense layer has many weights and does one multiply-add
# with each; a filter of a convolution is used at every pixel.
#
# Small forms on the digits
# -------------------------
#
# A fair comparison changes one thing only. All networks below have the same frame: a convolution
# with 32 filters, a block, a pooling, a block, and the head of 1x1 and average. Only the block
# differs; each makes 64 maps. (The pyramid has a frame of its own.) A *batch normalisation* after
# the block, where it has none inside, brings the maps to mean 0 and spread 1, which makes training
# easier.


def framed(first, second=None):
    second = first if second is None else second
    start = [Conv(32, 3, bias=False), BatchNorm(), ReLU()]
    return Sequential([*start, *first, MaxPool(2), *second, gap_head()])


def pyramid_network():
    x = Input((8, 8, 1))
    large = ReLU()(BatchNorm()(Conv(32, 3, bias=False)(x)))
    small = ReLU()(BatchNorm()(Conv(64, 3, bias=False)(MaxPool(2)(large))))
    levels = feature_pyramid([large, small], 32)
    means = [GlobalAvgPool()(level) for level in levels]
    return Graph.from_outputs(Dense()(Concat()(*means)))


plain = [Conv(64, 3, bias=False), BatchNorm(), ReLU()]
small = {
    "plain 3x3": framed(plain),
    "Network in Network": framed([mlpconv([64, 64, 64], 3), BatchNorm()]),
    "fire": framed([fire(16, 32), BatchNorm()]),
    "inception": framed([inception(16, 24, 32, 4, 8, 8), BatchNorm()]),
    "bottleneck": framed([bottleneck(16, channels=32)], [bottleneck(16)]),
    "separable": framed([depthwise_separable(64)]),
    "plain + attention": framed([*plain, channel_attention(64, 8)]),
    "pyramid": pyramid_network(),
}

# %%
# As on page 4, training sets that share no picture: three of 400 digits, and 597 others to test.

digits = load_digits()
X, y = digits.images.astype(np.float32), digits.target
pool, X_test, y_pool, y_test = train_test_split(
    X, y, train_size=1200, stratify=y, random_state=0
)

accuracy, seconds, summaries = {}, {}, {}
set_num_threads(1)  # so that the times compare
for name, layers in small.items():
    scores, times = [], []
    for k in range(3):
        part = slice(400 * k, 400 * (k + 1))
        clf = CNNClassifier(layers, max_iter=12, random_state=k)
        start = perf_counter()
        clf.fit(pool[part], y_pool[part])
        times.append(perf_counter() - start)
        scores.append(100 * clf.score(X_test, y_test))
    accuracy[name], seconds[name] = np.array(scores), min(times)
    summaries[name] = clf.summary()
set_num_threads(None)

print("block               weights  multiply-adds  seconds   accuracy in %")
for name, cost in summaries.items():
    print(f"{name:18}{cost.weights:>9,}{cost.multiply_adds:>15,}", end="")
    print(f"{seconds[name]:>9.2f}  ", *(f"{a:.1f}" for a in accuracy[name]))

order = sorted(small, key=lambda name: accuracy[name].mean())
style = {"figsize": (8, 4), "sharey": True, "layout": "constrained"}
figure, axes = plt.subplots(1, 3, **style)
for at, name in enumerate(order):
    values = accuracy[name]
    axes[0].scatter(values, [at] * 3, color="#0072b2", s=22, alpha=0.7)
    axes[0].scatter(values.mean(), at, marker="|", s=220, color="black")
millions = [summaries[name].multiply_adds / 1e6 for name in order]
took = [seconds[name] for name in order]
for ax, values in ((axes[1], millions), (axes[2], took)):
    bars = ax.barh(range(len(order)), values, color="#56b4e9")
    ax.bar_label(bars, fmt="%.2f", padding=3, fontsize=9)
    ax.margins(x=0.25)
axes[0].set_yticks(range(len(order)), order)
axes[0].set(title="accuracy: three sets,\nand their mean", xlabel="%")
axes[0].grid(alpha=0.3)
axes[1].set(title="million\nmultiply-adds")
axes[2].set(title="seconds\nof training")
for ax in axes:
    ax.spines[["top", "right"]].set_visible(False)

# %%
# Does any block differ from the plain one in accuracy? The differences on the same sets, with 95%
# intervals:

for name in small:
    if name != "plain 3x3":
        points = accuracy[name] - accuracy["plain 3x3"]
        half = stats.t.ppf(0.975, 2) * points.std(ddof=1) / 3**0.5
        mean = points.mean()
        verdict = "not told apart" if abs(mean) <= half else "differs"
        print(f"{name:20}{mean:+5.1f} +- {half:4.1f} points: {verdict}")

# %%
# Three sets are few, so the intervals are wide; and of seven intervals, one may exclude 0 by
# chance. On pictures this easy the blocks differ in cost more than in accuracy. The work does not
# tell the time: several small layers take longer than one large layer with as many multiply-adds.

print("relative to plain    work   time")
for name in small:
    work = summaries[name].multiply_adds
    rate = work / summaries["plain 3x3"].multiply_adds
    time = seconds[name] / seconds["plain 3x3"]
    print(f"{name:18}{rate:7.2f}{time:7.2f}")

# %%
# Whole networks in small form are built by ``models.small("resnet50", (8, 8, 1))`` and trained in
# the same way. Deep ones need more epochs; see architectures.py.
#
# Questions
# ---------
#
# 1. Which of the seven ideas use a 1x1 convolution, and for what?
# 2. Count by hand the weights of the fire module on 96 channels, with 16 squeeze filters and 64
#    expand filters of each kind, with biases.
# 3. How many channels has the result of the inception module above, and why can its branches be
#    stacked at all?
# 4. The body of a residual block returns 0 everywhere. What does the block return (its last ReLU
#    left aside)? Why is a good start of training close to that?
# 5. How many weights does squeeze and excitation add to 256 channels, at ratio 16?
# 6. Why does the pyramid need 1x1 convolutions before its sums?
# 7. SqueezeNet 1.0 has far fewer weights than AlexNet. Does it do less work?
# 8. Build a fire module with a shortcut, for 64 channels, and count its weights.
#
# Answers
# -------
#
# 1. All. Network in Network: more depth at each pixel. Fire, inception and bottleneck: fewer
#    channels before a larger filter (and more after it). Separable: mixing channels. Attention: its
#    two dense layers are 1x1 convolutions of a picture of one pixel. Pyramid: the same number of
#    channels.
# 2. and 3. and 5. with numbers:

parts = [96 * 16 + 16, 16 * 64 + 64, 9 * 16 * 64 + 64]
print("2.", " + ".join(map(str, parts)), "=", sum(parts))
print("   by summary:", fire(16, 64).summary((55, 55, 96)).weights)
print("3. 64 + 128 + 32 + 32 =", module.output_shape((28, 28, 192))[-1])
print("5.", channel_attention(256, 16).summary((14, 14, 256)).weights)

# %%
# The branches of question 3 can be stacked because all keep height and width: stride 1, and padding
# to the same size.
#
# 4. The block returns its input. A network that starts as "do nothing" passes pictures and
#    gradients through all its layers, and each block only has to learn what to add.
#
# 6. Maps can only be added if they have the same number of channels.
# 7. It does more multiply-adds, though it has fewer weights (a factor below 1 means more):

for what in ("weights", "multiply_adds"):
    a = getattr(published["alexnet"], what)
    s = getattr(published["squeezenet_1_0"], what)
    print(f"7. {what}: {a:,} in AlexNet, {s:,} here, a factor of {a / s:.1f}")

# %%
# 8. The result must have the shape of the input: 32 + 32 = 64 maps.

own = Sequential([Residual(fire(16, 32)), ReLU()])
cost = own.summary((28, 28, 64))
print("8.", own.output_shape((28, 28, 64)), f"{cost.weights:,} weights")

# %%
# This was the last page. From here: a network of your own on your own pictures, as the guides show.
