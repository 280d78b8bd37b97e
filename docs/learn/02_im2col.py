"""
2. Convolution as a product of matrices
=======================================

A convolution written as loops is slow. *im2col* ("image to columns") copies every window of the
picture to one row of a matrix; then a single product of matrices computes all results, and there
are very fast programs for that. This page draws im2col and its way back with all numbers, compares
its time with loops and with Winograd's algorithm, and says what it costs in memory.

It follows page 1, 01_convolution. The program im2col.py of the gallery measures more.
"""

import tracemalloc
from time import perf_counter

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.patches import Rectangle
from threadpoolctl import threadpool_limits

from cnnkit import set_num_threads
from cnnkit.functional import col2im, conv2d, conv2d_backward, im2col

# a colour for each window
TINTS = ["#cfe4f3", "#fbdcc4", "#cdeadf", "#f2d7e6"]
MIDDLE = {"ha": "center", "va": "center"}

# %%
# Windows become rows
# -------------------
#
# A picture of 3x3 has four windows of 2x2. ``im2col`` writes each as a row. The filter, read row by
# row, becomes a column. Row times column is the sum of products of that window: one number of the
# result.

x = np.arange(1.0, 10).reshape(1, 3, 3, 1)  # (N, H, W, C)
w = np.arange(1.0, 5).reshape(2, 2, 1, 1)  # (KH, KW, C, F)

cols = im2col(x, 2)
column = w.reshape(4, 1)
product = cols @ column
y = product.reshape(1, 2, 2, 1)
assert np.array_equal(y, conv2d(x, w))


def sheet(width, height):
    """Return axes on which squares of side 1 are drawn, with y downwards."""
    _, ax = plt.subplots(figsize=(8, 8 * height / width), layout="constrained")
    ax.set(xlim=(-0.1, width), ylim=(height, 0), aspect="equal")
    ax.axis("off")
    return ax


def box(ax, x, y, side=1, **style):
    ax.add_patch(Rectangle((x, y), side, side, **style))


def cells(ax, table, x, y, title="", tints=None):
    """Draw a table of numbers as squares; its upper left corner is at (x, y)."""
    for (i, j), number in np.ndenumerate(table):
        tint = "white" if tints is None else tints[i][j]
        box(ax, x + j, y + i, facecolor=tint, edgecolor="#777777")
        ax.text(x + j + 0.5, y + i + 0.5, f"{number:g}", fontsize=13, **MIDDLE)
    middle = x + len(table[0]) / 2
    ax.text(middle, y - 0.3, title, ha="center", fontsize=12)


def signs(ax, y, places):
    for x, sign in places.items():
        ax.text(x, y, sign, fontsize=15, **MIDDLE)


ax = sheet(19.2, 5.3)
cells(ax, x[0, :, :, 0], 0, 1.5, "picture")
for k, colour in enumerate(["#0072b2", "#d55e00", "#009e73", "#cc79a7"]):
    inset = 0.06 + 0.06 * k
    left, top, side = k % 2 + inset, 1.5 + k // 2 + inset, 2 - 2 * inset
    box(ax, left, top, side, fill=False, edgecolor=colour, linewidth=2)
rows = [[t] * 4 for t in TINTS]
cells(ax, cols, 4.4, 1, "im2col: a row per window", rows)
cells(ax, column, 9.6, 1, "filter")
cells(ax, product, 12.2, 1, "product", rows)
cells(ax, y[0, :, :, 0], 15.8, 2, "as a picture", [TINTS[:2], TINTS[2:]])
signs(ax, 3, {3.7: "→", 9.0: "@", 11.4: "=", 14.5: "→"})

# %%
# With channels, a row holds all channels of the window: :math:`KH \cdot KW \cdot C` numbers. With
# :math:`F` filters there are :math:`F` columns, and the product has :math:`F` columns, one for each
# channel of the result. For the first layer of AlexNet, 96 filters of 11x11 at stride 4 on pictures
# of 227x227x3:

rng = np.random.default_rng(0)
picture = rng.normal(size=(1, 227, 227, 3))
filters = rng.normal(size=(11, 11, 3, 96))
side = (227 - 11) // 4 + 1
patches = im2col(picture, 11, stride=4)
print(f"windows: (227 - 11) / 4 + 1 = {side} each way, {side**2:,} in all")
print(f"numbers in a window: 11 * 11 * 3 = {11 * 11 * 3}")
print("matrix of windows:", patches.shape)
maps = patches @ filters.reshape(-1, 96)
print("times filters:", filters.reshape(-1, 96).shape, "=", maps.shape)
print("as a picture:", maps.reshape(side, side, 96).shape)

# %%
# *The other convention.* Some courses write every window as a *column*: a matrix of 363 x 3025,
# with the filters as rows, 96 x 363, and the product 96 x 3025. It is the same product, transposed:
# :math:`(P\,W)^T = W^T P^T`. Where channels come first in memory, ``(N, C, H, W)``, the numbers of
# a window are in another order, too; the sums are the same.

flipped = filters.reshape(-1, 96).T @ patches.T
same = np.allclose(flipped.T, maps)
print("transposed:", patches.T.shape, "gives", flipped.shape, same)

first = picture.transpose(0, 3, 1, 2)  # (N, C, H, W)
rows = im2col(first, 11, stride=4, data_format="channels_first")
print("channels first, the same numbers in a row:", end=" ")
print(np.array_equal(np.sort(rows[0]), np.sort(patches[0])))
print("and in the same order:", np.array_equal(rows[0], patches[0]))

# %%
# The way back
# ------------
#
# To train, a network needs gradients: how the loss changes with each weight and each pixel. Let
# :math:`dy` be the gradient for the result, as a matrix with a row per window. For a product of
# matrices :math:`y = P\,W` they are
#
# .. math:: dW = P^T\,dy, \qquad dP = dy\,W^T .
#
# :math:`dP` has a number for each number of the matrix of windows. But a pixel was copied to
# several rows, so its gradient is the sum over all its copies. Adding the rows back to the pixels
# from which they came is *col2im*. (Some courses also call the last step forward "col2im", from the
# product to a picture. That step only gives the numbers a new shape.) Below, with 1 for every
# number of :math:`dy`; the bold frames are the middle pixel and its copies.

dy = np.ones((4, 1))
dw = (cols.T @ dy).reshape(w.shape)
dcols = dy @ column.T
dx = col2im(dcols, x.shape, 2)
theirs = conv2d_backward(dy.reshape(y.shape), x, w)
assert np.array_equal(dx, theirs[0])
assert np.array_equal(dw, theirs[1])

count = col2im(np.ones_like(cols), x.shape, 2)

ax = sheet(19.2, 5.6)
cells(ax, dcols, 0, 1.2, "gradient of the matrix", [[t] * 4 for t in TINTS])
cells(ax, dx[0, :, :, 0], 6.2, 1.7, "col2im")
cells(ax, count[0, :, :, 0], 11, 1.7, "copies of a pixel")
cells(ax, dw[:, :, 0, 0], 16, 2.2, "dW")
for corner in [(3 - i, 1.2 + i) for i in range(4)] + [(7.2, 2.7), (12, 2.7)]:
    box(ax, *corner, fill=False, edgecolor="black", linewidth=2.4)
signs(ax, 3.2, {5.1: "→"})
terms = " + ".join(f"{dcols[i, 3 - i]:g}" for i in range(4))
print(f"the middle pixel: {terms} = {dx[0, 1, 1, 0]:g}")

# %%
# Is it true? Change one pixel a little and see how much the sum of the result changes:

step = np.zeros_like(x)
step[0, 1, 1, 0] = 1e-4
change = (conv2d(x + step, w).sum() - conv2d(x - step, w).sum()) / 2e-4
print(f"measured {change:.6f}, by col2im {dx[0, 1, 1, 0]:.6f}")

# %%
# Not the inverse, but the adjoint
# --------------------------------
#
# col2im after im2col does not give the picture back: it gives every pixel times its number of
# copies. Only where windows do not overlap is that the picture.

back = col2im(im2col(x, 2), x.shape, 2)
print("picture\n", x[0, :, :, 0])
print("im2col, then col2im\n", back[0, :, :, 0])
assert np.array_equal(back, x * count)
apart = np.arange(16.0).reshape(1, 4, 4, 1)
again = col2im(im2col(apart, 2, stride=2), apart.shape, 2, stride=2)
same = np.array_equal(again, apart)
print("windows of 2 at stride 2, the picture again:", same)

# %%
# What it is: the *adjoint* (the transpose, if both are written as matrices). For any picture
# :math:`x` and any matrix :math:`c` of the shape of the columns,
#
# .. math:: \langle \mathrm{im2col}(x),\, c \rangle = \langle x,\, \mathrm{col2im}(c) \rangle ,
#
# where the brackets are the sum of products. This is exactly what a gradient needs, and it is a
# good test of a program: whole numbers make it exact.

many = rng.integers(-9, 9, (2, 7, 6, 3)).astype(float)
setting = {"kernel_size": 3, "stride": 2, "padding": 1}
c = rng.integers(-9, 9, im2col(many, **setting).shape).astype(float)
left = (im2col(many, **setting) * c).sum()
right = (many * col2im(c, many.shape, **setting)).sum()
print(f"<im2col(x), c> = {left:g}, <x, col2im(c)> = {right:g}")
assert left == right

# %%
# How often a pixel is copied depends on size and stride. The left picture has windows of 3x3 at
# stride 1, the right one windows of 5x5 at stride 3.

figure, axes = plt.subplots(1, 2, figsize=(8, 3.9), layout="constrained")
for ax, (k, s) in zip(axes, [(3, 1), (5, 3)], strict=True):
    shape = (1, 11, 11, 1)
    ones = np.ones_like(im2col(np.zeros(shape), k, s))
    copies = col2im(ones, shape, k, s)[0, :, :, 0]
    ax.imshow(copies, cmap="Blues", vmin=0, vmax=14)
    for (i, j), number in np.ndenumerate(copies):
        ax.text(j, i, f"{number:g}", fontsize=9, **MIDDLE)
    ax.set_title(f"copies: windows of {k}x{k}, stride {s}", fontsize=11)
    ax.axis("off")

# %%
# Fewer multiplications: Winograd's algorithm
# -------------------------------------------
#
# A filter of three numbers gives two neighbouring results from four pixels:
#
# .. math:: y_0 = d_0 g_0 + d_1 g_1 + d_2 g_2, \qquad y_1 = d_1 g_0 + d_2 g_1 + d_3 g_2 .
#
# That is six multiplications. Winograd found that four are enough. Take
#
# .. math:: m_1 = (d_0 - d_2)\, g_0, \qquad m_2 = (d_1 + d_2)\, (g_0 + g_1 + g_2) / 2,
#
# .. math:: m_3 = (d_2 - d_1)\, (g_0 - g_1 + g_2) / 2, \qquad m_4 = (d_1 - d_3)\, g_2 .
#
# Multiply out and you find :math:`m_2 + m_3 = d_1 g_1 + d_2 (g_0 + g_2)` and
# :math:`m_2 - m_3 = d_1 (g_0 + g_2) + d_2 g_1`, so that
#
# .. math:: y_0 = m_1 + m_2 + m_3, \qquad y_1 = m_2 - m_3 - m_4 .
#
# The sums of :math:`g` are computed once for a filter and used for all of the picture. This is
# called :math:`F(2, 3)`: two results, three weights. In numbers:

d = np.array([1.0, 2, 3, 4])
g = np.array([2.0, 1, 4])
m = [
    (d[0] - d[2]) * g[0],
    (d[1] + d[2]) * (g[0] + g[1] + g[2]) / 2,
    (d[2] - d[1]) * (g[0] - g[1] + g[2]) / 2,
    (d[1] - d[3]) * g[2],
]
print("m:", *(f"{number:g}" for number in m))
print(f"y0 = {m[0]:g} + {m[1]:g} + {m[2]:g} = {m[0] + m[1] + m[2]:g}")
print(f"y1 = {m[1]:g} - {m[2]:g} - ({m[3]:g}) = {m[1] - m[2] - m[3]:g}")
print("six multiplications give", d[:3] @ g, d[1:] @ g)

# %%
# As matrices it is :math:`y = A^T\,[(G\,g) \odot (B^T d)]`, where :math:`\odot` multiplies number
# by number. For pictures the same is done along rows and along columns:
# :math:`Y = A^T\,[(G\,g\,G^T) \odot (B^T d\,B)]\,A`. So :math:`F(2 \times 2, 3 \times 3)` has
# :math:`4 \cdot 4 = 16` multiplications in the place of 36, and
# :math:`F(4 \times 4, 3 \times 3)`, whose matrices are in the paper of Lavin and Gray ("Fast
# algorithms for convolutional neural networks", 2016), has :math:`6 \cdot 6 = 36` in the place of
# 144.

MATRICES = {  # B transposed, G, A transposed
    2: (
        [[1, 0, -1, 0], [0, 1, 1, 0], [0, -1, 1, 0], [0, 1, 0, -1]],
        [[1, 0, 0], [0.5, 0.5, 0.5], [0.5, -0.5, 0.5], [0, 0, 1]],
        [[1, 1, 1, 0], [0, 1, -1, -1]],
    ),
    4: (
        [
            [4, 0, -5, 0, 1, 0],
            [0, -4, -4, 1, 1, 0],
            [0, 4, -4, -1, 1, 0],
            [0, -2, -1, 2, 1, 0],
            [0, 2, -1, -2, 1, 0],
            [0, 4, 0, -5, 0, 1],
        ],
        np.array(
            [
                [6, 0, 0],
                [-4, -4, -4],
                [-4, 4, -4],
                [1, 2, 4],
                [1, -2, 4],
                [0, 0, 24],
            ]
        )
        / 24,
        [
            [1, 1, 1, 1, 1, 0],
            [0, 1, -1, 2, -2, 0],
            [0, 1, 1, 4, 4, 0],
            [0, 1, -1, 8, -8, 1],
        ],
    ),
}

print("results   pixels   multiplications        direct   times fewer")
for m, matrices in MATRICES.items():
    B_T, G, A_T = (np.array(matrix, float) for matrix in matrices)
    tile, kernel = rng.normal(size=(m + 2, m + 2)), rng.normal(size=(3, 3))
    Y = A_T @ ((G @ kernel @ G.T) * (B_T @ tile @ B_T.T)) @ A_T.T
    direct = conv2d(tile[None, :, :, None], kernel[:, :, None, None])
    assert np.allclose(Y, direct[0, :, :, 0])
    few, all_ = (m + 2) ** 2, m**2 * 9
    print(f"{m}x{m}{m + 2:>10}x{m + 2}", end="")
    print(f"{few:18}{all_:14}{all_ / few:14.2f}")

# %%
# Larger tiles would save more, but their matrices hold large and small numbers side by side, and
# rounding errors grow. cnnkit uses 4x4 results a tile where that pays. In float32, against the
# same convolution in float64:

big = rng.normal(size=(1, 32, 32, 64))
kernels = rng.normal(size=(3, 3, 64, 64))
truth = conv2d(big, kernels, algorithm="im2col")
for algorithm in ("im2col", "winograd"):
    found = conv2d(big.astype("f"), kernels.astype("f"), algorithm=algorithm)
    error = np.abs(found - truth).max() / truth.std()
    print(f"{algorithm:9} largest error {error:.0e} of a typical result")

# %%
# Time
# ----
#
# Four ways to convolve with 3x3 filters, on one thread: a loop over pixels and filters; a loop over
# pixels, with all filters at once; the whole matrix and one product; and cnnkit's own algorithms:
# ``"im2col"`` in blocks, ``"exact"``, the fastest without Winograd's algorithm (as a rule it reads
# the windows where they are, with no copies), and ``"auto"``, which may use Winograd's. (On a
# processor without fast vector instructions all three are im2col.)


def loop_over_all(x, w):
    H, W, F = x.shape[1] - 2, x.shape[2] - 2, w.shape[3]
    y = np.empty((1, H, W, F), x.dtype)
    for i in range(H):
        for j in range(W):
            window = x[0, i : i + 3, j : j + 3]
            for f in range(F):
                y[0, i, j, f] = (window * w[..., f]).sum()
    return y


def loop_over_pixels(x, w):
    H, W = x.shape[1] - 2, x.shape[2] - 2
    matrix = w.reshape(-1, w.shape[3])
    y = np.empty((1, H, W, w.shape[3]), x.dtype)
    for i in range(H):
        for j in range(W):
            y[0, i, j] = x[0, i : i + 3, j : j + 3].ravel() @ matrix
    return y


def whole_matrix(x, w):
    shape = (1, x.shape[1] - 2, x.shape[2] - 2, w.shape[3])
    return (im2col(x, 3) @ w.reshape(-1, w.shape[3])).reshape(shape)


WAYS = {
    "loop over pixels and filters": loop_over_all,
    "loop over pixels": loop_over_pixels,
    "whole matrix": whole_matrix,
    "cnnkit, im2col": lambda x, w: conv2d(x, w, algorithm="im2col"),
    "cnnkit, exact": lambda x, w: conv2d(x, w, algorithm="exact"),
    "cnnkit, auto": conv2d,
}
# pixels a side, and channels, which are also the number of filters
SIZES = [(8, 16), (16, 32), (32, 64), (64, 64)]

milliseconds = {name: [] for name in WAYS}
set_num_threads(1)
with threadpool_limits(1):
    for pixels, channels in SIZES:
        x = rng.normal(size=(1, pixels, pixels, channels)).astype(np.float32)
        w = rng.normal(size=(3, 3, channels, channels)).astype(np.float32)
        shortest = dict.fromkeys(WAYS, np.inf)
        # The ways take turns, so that other work disturbs all of them.
        for turn in range(9):
            for name, way in WAYS.items():
                if "filters" in name and (turn or pixels == 64):
                    continue  # slow: once, and not for the largest picture
                start = perf_counter()
                y = way(x, w)
                took = 1e3 * (perf_counter() - start)
                shortest[name] = min(shortest[name], took)
                assert np.allclose(y, whole_matrix(x, w), atol=1e-2)
        for name, took in shortest.items():
            milliseconds[name].append(took)
set_num_threads(None)

STYLES = ["#999999", "#666666", "#cc79a7", "#009e73", "#0072b2", "#d55e00"]
figure, ax = plt.subplots(figsize=(8, 4.4), layout="constrained")
for name, colour, marker in zip(WAYS, STYLES, "xv^osD", strict=True):
    took = np.array(milliseconds[name])
    took[np.isinf(took)] = np.nan  # left out
    ax.plot(range(4), took, color=colour, marker=marker, label=name)
labels = [f"{n}x{n}x{c}\n{c} filters" for n, c in SIZES]
ax.set_xticks(range(4), labels)
ax.set(yscale="log", ylabel="milliseconds (log scale)")
ax.set_title("One picture, filters of 3x3")
ax.legend(loc="upper left", bbox_to_anchor=(1, 1), frameon=False)
ax.grid(alpha=0.3)

# %%
# How many times as fast as the loop over pixels, on the machine that ran this page:

print(f"{'':30}" + "".join(f"{f'{n}x{n}x{c}':>12}" for n, c in SIZES))
for name, took in milliseconds.items():
    gains = np.array(milliseconds["loop over pixels"]) / took
    words = [f"{gain:12.3g}" if gain else f"{'-':>12}" for gain in gains]
    print(f"{name:30}{''.join(words)}")

# %%
# Course notes on im2col promise "200x or more" against loops. From the slowest loop to the whole
# matrix it is, for the three sizes that both have computed:

slow, fast = (milliseconds[name][:3] for name in list(WAYS)[:3:2])
print(", ".join(f"{a / b:.0f} times" for a, b in zip(slow, fast, strict=True)))

# %%
# The work of the last size is :math:`62 \cdot 62 \cdot 9 \cdot 64 \cdot 64` multiply-adds, the same
# for all but Winograd's algorithm. What differs is the way to the numbers. A loop in Python spends
# its time between the products; one large product reads each number from memory once and uses it
# many times.
#
# Memory, and blocks
# ------------------
#
# The matrix of windows holds every pixel as often as windows contain it: nine times for 3x3 at
# stride 1. For large pictures that is much more memory than picture and result together, and more
# than the processor's fast memory (cache) holds.

print("       picture        filters  picture MB  matrix MB  times")
for shape, k, s, f in [
    ((1, 227, 227, 3), 11, 4, 96),
    ((1, 56, 56, 64), 3, 1, 64),
    ((1, 224, 224, 64), 3, 1, 64),
    ((1, 56, 56, 256), 1, 1, 64),
]:
    padding = 1 if k == 3 else 0
    rows = ((shape[1] + 2 * padding - k) // s + 1) ** 2
    matrix = 4 * rows * k * k * shape[3]  # bytes in float32
    size = 4 * np.prod(shape)
    name = "x".join(map(str, shape[1:]))
    print(f"{name:>14} {f'{f} of {k}x{k}':>14}", end=" ")
    print(f"{size / 1e6:11.2f} {matrix / 1e6:10.2f} {matrix / size:6.1f}")

# %%
# The remedy: no need to have the whole matrix at once. A few rows of the result need a few rows of
# windows; their block of the matrix is made, multiplied, and overwritten by the next.


def in_blocks(x, w, height):
    """Convolve with 3x3 filters, `height` rows of the result at a time."""
    H, W, F = x.shape[1] - 2, x.shape[2] - 2, w.shape[3]
    y = np.empty((H, W, F), x.dtype)
    matrix = w.reshape(-1, F)
    for top in range(0, H, height):
        strip = x[:, top : top + height + 2]
        block = im2col(strip, 3)
        np.matmul(block, matrix, out=y[top : top + height].reshape(-1, F))
    return y[None]


x = rng.normal(size=(1, 66, 66, 64)).astype(np.float32)
w = rng.normal(size=(3, 3, 64, 64)).astype(np.float32)
reference = conv2d(x, w)
print("rows at a time   memory besides x, w, y      time")
for height in (64, 16, 4, 1):
    tracemalloc.start()
    y = in_blocks(x, w, height)
    peak = tracemalloc.get_traced_memory()[1] - y.nbytes
    tracemalloc.stop()
    assert np.allclose(y, reference, atol=1e-2)
    times = []
    with threadpool_limits(1):
        for _ in range(5):
            start = perf_counter()
            in_blocks(x, w, height)
            times.append(1e3 * (perf_counter() - start))
    print(f"{height:14}{peak / 1e6:20.2f} MB {min(times):14.1f} ms")

# %%
# ``algorithm="im2col"`` of cnnkit works in blocks like these.
#
# Questions
# ---------
#
# 1. What is in one row of the im2col matrix, and what is in one column?
# 2. Which shape has the matrix for 8 pictures of 32x32x16 under 3x3 filters with padding 1?
# 3. A result has a gradient of 1 everywhere, the windows are 3x3 at stride 1, the picture is 5x5
#    with one channel. How many terms has the gradient of the pixel in the middle? In the corner?
# 4. When is col2im the inverse of im2col?
# 5. Compute :math:`F(2, 3)` by hand for d = (1, 0, 2, 1) and g = (1, 2, 1).
# 6. How many multiplications has :math:`F(6 \times 6, 3 \times 3)`, and how many times fewer is
#    that? Why is it not used everywhere?
# 7. The filter is 1x1. What does im2col do?
# 8. Write the loop over all as seven nested loops in Python (pictures, rows, columns, filters, and
#    three inside the window). Which loop should be innermost in C, and why?
#
# Answers
# -------
#
# 1. A row is a window: all numbers that make one pixel of the result. A column is what one weight
#    is multiplied by, over all windows.
# 2. and 3. computed:

print("2.", im2col(np.zeros((8, 32, 32, 16)), 3, padding=1).shape)
shape = (1, 5, 5, 1)
terms = col2im(np.ones_like(im2col(np.zeros(shape), 3)), shape, 3)[0, :, :, 0]
print(f"3. {terms[2, 2]:g} in the middle, {terms[0, 0]:g} in the corner")

# %%
# 4. When every pixel is in exactly one window, so that the stride is the size of the window, and
#    the windows cover the picture.
# 5. and 6. computed:

d, g = np.array([1, 0, 2, 1]), np.array([1, 2, 1])
B_T, G, A_T = (np.array(matrix, float) for matrix in MATRICES[2])
print("5. m =", (G @ g) * (B_T @ d), "y =", A_T @ ((G @ g) * (B_T @ d)))
print(f"6. 64 in the place of {6 * 6 * 9}, {6 * 6 * 9 / 64:.2f} times fewer")

# %%
# To question 6: its matrices have larger numbers still, so float32 loses more digits; and the sums
# before and after the products are work, too.
#
# 7. Nothing but a new shape: each pixel is a window of its own, so the matrix is the picture with
#    one row per pixel. That is the subject of the next page, 03_one_by_one.
# 8. The one over channels or over filters, if these stand next to one another in memory, as in
#    ``(H, W, C)`` and ``(KH, KW, C, F)``: processors load neighbouring numbers together and
#    multiply several at a time.
