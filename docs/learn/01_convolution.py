"""
1. What a convolution is
========================

A convolution slides a small table of numbers, the *filter*, over a picture. At every place it
multiplies the numbers that lie over one another and adds them up: one number for each place. This
page shows the arithmetic, the words around it (padding, stride, dilation, channels), what filters
do to a photo, and which filters a network finds by itself.

You need Python and matrices. The photo needs the package Pillow.
"""

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.patches import Rectangle
from scipy.signal import convolve2d, correlate2d
from sklearn.datasets import load_digits, load_sample_image
from sklearn.model_selection import train_test_split

from cnnkit import (
    CNNClassifier,
    Conv,
    Dense,
    Flatten,
    MaxPool,
    ReLU,
    Sequential,
    gap_head,
)
from cnnkit.display import FeatureMapDisplay, FilterDisplay
from cnnkit.functional import conv2d, max_pool2d

BLUE, ORANGE, GREEN = "#cfe4f3", "#fbdcc4", "#cdeadf"  # tints of cells
# sphinx_gallery_thumbnail_number = 4
GREY = "#e4e4e4"
MIDDLE = {"ha": "center", "va": "center"}

# %%
# A window slides over a picture
# ------------------------------
#
# A grey picture is a table of numbers, one for each *pixel*. Here it has 5 rows and 5 columns, and
# the filter has 3 rows and 3 columns. The filter fits into the picture at :math:`3 \times 3`
# places, so the result has 3 rows and 3 columns. With :math:`x` the picture, :math:`w` the filter
# and :math:`y` the result,
#
# .. math:: y_{ij} = \sum_{k=0}^{2} \sum_{l=0}^{2} x_{i+k,\,j+l} \; w_{kl}

image = np.array(
    [
        [1, 2, 0, 1, 3],
        [0, 4, 1, 2, 1],
        [3, 1, 2, 0, 2],
        [2, 0, 1, 3, 1],
        [1, 2, 0, 1, 4],
    ],
    float,
)
kernel = np.array([[1, 0, -1], [2, 0, -2], [1, 0, -1]], float)

result = np.zeros((3, 3))
for i in range(3):
    for j in range(3):
        result[i, j] = (image[i : i + 3, j : j + 3] * kernel).sum()
print(result)

# %%
# The window of row 0 and column 1 of the result (rows and columns count from 0), with all numbers
# that the filter does not multiply by 0:

window = image[0:3, 1:4]
pairs = zip(window.flat, kernel.flat, strict=True)
terms = [f"{x:g}*({w:g})" for x, w in pairs if w]
print(" + ".join(terms), "=", f"{result[0, 1]:g}")


def sheet(width, height):
    """Return axes on which squares of side 1 are drawn, with y downwards."""
    _, ax = plt.subplots(figsize=(8, 8 * height / width), layout="constrained")
    ax.set(xlim=(-0.1, width), ylim=(height, 0), aspect="equal")
    ax.axis("off")
    return ax


def cells(ax, table, x, y, title="", tints=None):
    """Draw a table of numbers or words as squares; its upper left corner is at (x, y)."""
    for (i, j), number in np.ndenumerate(table):
        tint = "white" if tints is None else tints[i][j]
        style = {"facecolor": tint, "edgecolor": "#777777"}
        ax.add_patch(Rectangle((x + j, y + i), 1, 1, **style))
        word = number if isinstance(number, str) else f"{number:g}"
        ax.text(x + j + 0.5, y + i + 0.5, word, fontsize=13, **MIDDLE)
    middle = x + len(table[0]) / 2
    ax.text(middle, y - 0.3, title, ha="center", fontsize=12)


def tint(shape, rows, columns, colour=BLUE):
    """Return a table of colours: white, but at some rows and columns."""
    tints = np.full(shape, "#ffffff")
    tints[np.ix_(rows, columns)] = colour
    return tints


ax = sheet(14.2, 6.3)
cells(ax, image, 0, 1, "picture x", tint((5, 5), [0, 1, 2], [1, 2, 3]))
cells(ax, kernel, 6.6, 2, "filter w")
cells(ax, result, 11.1, 2, "result y", tint((3, 3), [0], [1]))
for x, sign in ((5.8, "*"), (10.35, "=")):
    ax.text(x, 3.5, sign, fontsize=18, **MIDDLE)

# %%
# The same by cnnkit. Its arrays have four axes, because it takes a whole batch of pictures:
# ``(N, H, W, C)`` are the number of pictures, their height and width in pixels, and their channels
# (a grey picture has one, a colour picture three: red, green, blue). Filters are
# ``(KH, KW, C, F)``: height, width, channels of the picture, and the number of filters.

y = conv2d(image[None, :, :, None], kernel[:, :, None, None])
print(y.shape, "is (N, OH, OW, F)")
assert np.array_equal(y[0, :, :, 0], result)

# %%
# Padding, stride, dilation
# -------------------------
#
# Three settings say where the window goes.
#
# - *Padding* puts rows and columns of zeros around the picture, so that the result need not be
#   smaller than the picture.
# - *Stride* is the step of the window: with stride 2 it visits every second place only.
# - *Dilation* spreads the filter: with dilation 2 it reads every second pixel.

ax = sheet(23.2, 9.3)
padded = np.pad(np.full((5, 5), " "), 1, constant_values="0")
tints = np.where(padded == "0", GREY, "#ffffff")
tints[:3, :3] = BLUE
cells(ax, padded, 0, 1.2, "padding 1: 7 x 7 from 5 x 5", tints)
tints = tint((7, 7), [0, 1, 2], [0, 1, 2])
tints[:3, 2:5] = ORANGE
tints[:3, 2] = "#d9c7d6"  # read by both windows
cells(ax, np.full((7, 7), " "), 8, 1.2, "stride 2: two windows", tints)
taps = tint((7, 7), [0, 2, 4], [0, 2, 4], GREEN)
cells(ax, np.full((7, 7), " "), 16, 1.2, "dilation 2: nine pixels", taps)

# %%
# How large is the result? Let the picture have :math:`n` pixels along an axis, the filter
# :math:`k`, the padding :math:`p` on each side, the stride :math:`s` and the dilation :math:`d`.
# The filter reaches over :math:`d(k-1)+1` pixels, so there are
#
# .. math:: o = \left\lfloor \frac{n + 2p - d(k-1) - 1}{s} \right\rfloor + 1
#
# places. The brackets round down: a window that does not fit as a whole is left out.


def output_size(n, k, p=0, s=1, d=1):
    return (n + 2 * p - d * (k - 1) - 1) // s + 1


print("   n   k   p   s   d   result")
for n, k, p, s, d in [
    (5, 3, 0, 1, 1),
    (5, 3, 1, 1, 1),
    (227, 11, 0, 4, 1),
    (224, 7, 3, 2, 1),
    (8, 3, 0, 2, 1),
    (32, 3, 2, 1, 2),
]:
    x, w = np.zeros((1, n, n, 1)), np.zeros((k, k, 1, 1))
    y = conv2d(x, w, stride=s, padding=p, dilation=d)
    assert y.shape == (1, output_size(n, k, p, s, d), y.shape[1], 1)
    print(f"{n:4}{k:4}{p:4}{s:4}{d:4}{y.shape[1]:9}")

# %%
# *Pooling* also slides a window over a picture. It has no weights: it takes the largest number of
# the window (max pooling) or the mean. Convolutions always round down. Poolings round down or up:
# some networks, such as GoogLeNet, have a last window that reaches beyond the border. In cnnkit
# this is ``ceil_mode=True``.

x = np.arange(64.0).reshape(1, 8, 8, 1)
floor = max_pool2d(x, 3, stride=2)[0, :, :, 0]
ceil = max_pool2d(x, 3, stride=2, ceil_mode=True)[0, :, :, 0]
print("8 pixels, windows of 3, stride 2: (8 - 3) / 2 + 1 = 3.5")
print("rounded down:", floor.shape, " rounded up:", ceil.shape)

# %%
# Channels and filters
# --------------------
#
# A filter reaches through all channels of the picture. It has a table of its own for each channel;
# all products are added to *one* number, and a constant, the *bias* :math:`b`, is added too:
#
# .. math:: y_{ijf} = b_f + \sum_{k,l,c} x_{i+k,\,j+l,\,c} \; w_{klcf}
#
# The drawing shows one window of a colour picture and one filter of 3x3x3 numbers.

rng = np.random.default_rng(1)
patch = rng.integers(0, 5, (3, 3, 3)).astype(float)
taps = rng.integers(-1, 2, (3, 3, 3)).astype(float)
sums = (patch * taps).sum(axis=(0, 1))
bias = 2.0

ax = sheet(18, 10.6)
colours = {"red": ORANGE, "green": GREEN, "blue": BLUE}
for c, (name, colour) in enumerate(colours.items()):
    left = 4.2 * c + 0.2
    cells(ax, patch[:, :, c], left, 1.1, name, np.full((3, 3), colour))
    cells(ax, taps[:, :, c], left, 5.4, f"filter, {name}")
    cells(ax, [[sums[c]]], left + 1, 9.5, "sum", [[colour]])
    ax.text(left + 1.5, 4.42, "*", fontsize=16, **MIDDLE)
    if c < 2:
        ax.text(left + 3.6, 10, "+", fontsize=15, **MIDDLE)
cells(ax, [[bias]], 13.4, 9.5, "bias", [[GREY]])
cells(ax, [[sums.sum() + bias]], 16.1, 9.5, "result")
ax.text(12.4, 10, "+", fontsize=15, **MIDDLE)
ax.text(15.25, 10, "=", fontsize=15, **MIDDLE)
value = conv2d(patch[None], taps[..., None], [bias])
assert value.item() == sums.sum() + bias

# %%
# The *channels of the result* are one for each filter. Four filters on two colour pictures:

x, w, b = np.ones((2, 6, 8, 3)), np.ones((3, 3, 3, 4)), np.zeros(4)
print("pictures", x.shape, "filters", w.shape, "result", conv2d(x, w, b).shape)
print("weights:", w.size, "+", b.size, "biases")

# %%
# Known filters on a photo
# ------------------------
#
# Long before networks, people wrote filters by hand. Here are six, as six filters of one
# convolution; a filter of 3x3 is put in the middle of 5x5 zeros.

photo = load_sample_image("china.jpg")[::2, ::2].mean(axis=2) / 255

sobel = np.array([[1, 0, -1], [2, 0, -2], [1, 0, -1]])
filters = {
    "the photo": np.pad([[1]], 2),
    "blur": np.ones((5, 5)) / 25,
    "sharper": np.pad([[0, -1, 0], [-1, 5, -1], [0, -1, 0]], 1),
    "edges, left to right": np.pad(sobel, 1),
    "edges, top to bottom": np.pad(sobel.T, 1),
    "edges, all": np.pad([[0, 1, 0], [1, -4, 1], [0, 1, 0]], 1),
}
bank = np.stack(list(filters.values()), axis=-1)[:, :, None, :].astype(float)
maps = conv2d(photo[None, :, :, None], bank, padding=2)[0]

figure, axes = plt.subplots(2, 3, figsize=(8, 3.9), layout="constrained")
for k, (ax, name) in enumerate(zip(axes.flat, filters, strict=True)):
    shown = np.abs(maps[..., k]) if "edges" in name else maps[..., k]
    ax.imshow(shown, cmap="gray", vmin=0, vmax=1)
    ax.set_title(name, fontsize=11)
    ax.axis("off")

# %%
# The weights of the blur add up to 1: it keeps an even area as it is. Those of the edge filters add
# up to 0: an even area becomes 0, and only changes remain (the picture shows their size without the
# sign). Each result is called a *feature map*: it says where in the picture something is.

for k, name in enumerate(filters):
    print(f"{name:22} sum of weights {bank[..., k].sum():5.2f}")

# %%
# Convolution and correlation
# ---------------------------
#
# What networks call convolution, mathematics calls *cross-correlation*: the filter is laid on the
# picture as it is. The convolution of mathematics turns the filter by 180 degrees first. A picture
# with a single 1 shows the difference.

dot = np.zeros((5, 5))
dot[2, 2] = 1
numbers = np.arange(1.0, 10).reshape(3, 3)
ours = conv2d(dot[None, :, :, None], numbers[:, :, None, None], padding=1)[
    0, :, :, 0
]
assert np.array_equal(ours, correlate2d(dot, numbers, mode="same"))

ax = sheet(22.6, 6.6)
cells(ax, dot, 0, 1.2, "picture")
cells(ax, numbers, 6.4, 2.2, "filter")
cells(ax, ours, 10.8, 1.2, "correlation", tint((5, 5), [1, 2, 3], [1, 2, 3]))
turned = convolve2d(dot, numbers, mode="same")
tints = tint((5, 5), [1, 2, 3], [1, 2, 3], ORANGE)
cells(ax, turned, 17.2, 1.2, "convolution", tints)

# %%
# A network *learns* its filters, so it does not matter: it would learn the turned filter instead.
# It matters where filters are taken from a book, or from one program to another.
#
# What a first layer learns
# -------------------------
#
# scikit-learn's digits are 1,797 pictures of 8x8 pixels. A small network is trained on three
# quarters of them. Its first layer has 16 filters of 3x3, which start as random numbers.

digits = load_digits()
X_train, X_test, y_train, y_test = train_test_split(
    digits.images, digits.target, stratify=digits.target, random_state=0
)
layers = [Conv(16, 3), ReLU(), MaxPool(2), Conv(32, 3), ReLU(), gap_head()]
clf = CNNClassifier(layers, max_iter=20, random_state=0).fit(X_train, y_train)
score = clf.score(X_test, y_test)
print(f"accuracy on {len(X_test)} other digits: {score:.3f}")

display = FilterDisplay.from_estimator(clf)

# %%
# Purple weights are positive, orange ones negative. Nobody wrote these filters. Several have a
# purple side and an orange side: they answer to edges of strokes, each in its own direction. The
# feature maps of one digit, after the ReLU (negative numbers become 0):

display = FeatureMapDisplay.from_estimator(clf, X_test[3])

# %%
# Do not read too much into such a picture. Random filters have edges, too: of the sum of squares of
# nine random numbers of mean 0, their mean explains one ninth, 0.11, on average, and the rest is
# differences. For a blur it explains all, for a Sobel filter nothing. For the learnt filters:

w = clf.network_.weights["conv1/w"][:, :, 0, :]
share = 9 * w.mean(axis=(0, 1)) ** 2 / (w**2).sum(axis=(0, 1))
print(np.round(np.sort(share), 2), f"average {share.mean():.2f}")

# %%
# Why weights are shared
# ----------------------
#
# A *fully connected* layer has a weight from every input number to every output number. A
# convolution is such a layer with two rules: an output reads only the pixels near it, and all
# outputs of a filter use the same weights. Below, the convolution of the first drawing as a
# matrix, a row for each of its 9 outputs and a column for each of its 25 pixels: each row holds the
# same nine numbers, further to the right.

pixels = np.eye(25).reshape(25, 5, 5, 1)  # 25 pictures, each with a single 1
matrix = conv2d(pixels, kernel[:, :, None, None]).reshape(25, 9).T
assert np.array_equal(matrix @ image.ravel(), result.ravel())

figure, ax = plt.subplots(figsize=(8, 3.4), layout="constrained")
ax.imshow(matrix, cmap="PuOr", vmin=-2.5, vmax=2.5)
for (i, j), number in np.ndenumerate(matrix):
    if number:
        ink = "white" if abs(number) > 1 else "black"
        ax.text(j, i, f"{number:g}", fontsize=9, color=ink, **MIDDLE)
ax.set(xlabel="pixel of the picture", ylabel="output")
ax.set_title("A convolution as a matrix")
ax.set_xticks(range(0, 25, 5))
ax.set_yticks(range(9))
print(np.count_nonzero(matrix), "of", matrix.size, "numbers are not 0")

# %%
# The count for the first layer of our network, against a fully connected layer with the same number
# of outputs:

conv = Sequential([Conv(16, 3)]).summary((8, 8, 1))
dense = Sequential([Flatten(), Dense(8 * 8 * 16)]).summary((8, 8, 1))
print(f"convolution:     {conv.weights:7,} weights")
print(f"fully connected: {dense.weights:7,} weights")
print(f"{dense.weights / conv.weights:.0f} times as many")

# %%
# Sharing has a second gain. If the picture moves, the feature map moves with it (the layer is
# *equivariant* to shifts), so a stroke that was learnt in one corner is known in all others.

picture = np.zeros((1, 12, 12, 1))
picture[0, 2:10, 1:9, 0] = X_test[3]
moved = np.roll(picture, 2, axis=2)  # two pixels to the right
w4 = w[:, :, None, :].astype(float)
before, after = conv2d(picture, w4), conv2d(moved, w4)
same = np.allclose(before[:, :, :-2], after[:, :, 2:])
print("maps of the moved picture are the moved maps:", same)

# %%
# Questions
# ---------
#
# 1. What do padding, stride and dilation change? One sentence for each.
# 2. A picture of 32x32 meets a filter of 5x5 with padding 2 and stride 2. How large is the result?
# 3. Which padding keeps the size under a filter of 7x7 and stride 1? And with dilation 2?
# 4. How many weights has a layer of 64 filters of 5x5 on 32 channels, with biases? How many if the
#    picture is twice as high and wide?
# 5. Max pooling with windows of 3 and stride 2 over 112 pixels: how large is the result, rounded
#    down and rounded up?
# 6. Compute by hand: the window [[1, 2, 0], [0, 1, 3], [2, 0, 1]] under the filter "edges, all",
#    [[0, 1, 0], [1, -4, 1], [0, 1, 0]].
# 7. Two 3x3 convolutions follow one another, with nothing between. Which single filter does the
#    same, and why do networks put a ReLU between them?
# 8. The maps move with the picture. Does the *class* that a network predicts stay the same when the
#    digit moves?
#
# Answers
# -------
#
# 1. Padding adds zeros around the picture; stride is the step from window to window; dilation is
#    the distance of the pixels that a filter reads.
# 2. to 6. are computed below.

print("2.", output_size(32, 5, p=2, s=2))
for d in (1, 2):
    keeps = [p for p in range(9) if output_size(50, 7, p, d=d) == 50]
    print("3. padding", *keeps, "with dilation", d)
for side in (16, 32):
    cost = Sequential([Conv(64, 5)]).summary((side, side, 32))
    print(f"4. {cost.weights:,} for a picture of {side}x{side}")
line = np.zeros((1, 112, 1, 1))
for up in (False, True):
    size = max_pool2d(line, (3, 1), 2, ceil_mode=up).shape[1]
    print("5.", size, "rounded up" if up else "rounded down")
patch = np.array([[1, 2, 0], [0, 1, 3], [2, 0, 1]])
laplace = np.array([[0, 1, 0], [1, -4, 1], [0, 1, 0]])
print("6. 2 + 0 - 4*1 + 3 + 0 =", (patch * laplace).sum())

# %%
# 7. One filter of 5x5, the convolution (in the sense of mathematics) of the two:

first, second = numbers, kernel
both = convolve2d(first, second)
x = rng.normal(size=(1, 9, 9, 1))
w1, w2, w12 = (w[:, :, None, None] for w in (first, second, both))
print(both.shape, np.allclose(conv2d(conv2d(x, w1), w2), conv2d(x, w12)))

# %%
# Without a ReLU, two layers can do no more than one. With it, the second layer can ask for
# combinations: "an edge here, *and* one there".
#
# 8. Not exactly. Poolings with a stride see the picture on a grid, so a shift by one pixel changes
#    which numbers meet in a window; and at the border parts of the digit are lost. Try it with
#    ``np.roll`` on ``X_test``.
#
# The next page, 02_im2col, shows how a convolution is computed fast.
