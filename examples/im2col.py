"""
Convolution as one product of matrices
======================================

A convolution lays a filter over every place of an image, multiplies the numbers that lie over one
another, and adds them up. The result is the dot product of a patch of the image with the filter.
im2col writes every patch as a row of a matrix; a filter becomes a column; and one product of the
two gives all dot products at once. In the order of the patches they are the output image. (Some
texts have patches as columns. The product is then transposed: `w.T @ cols.T`.)

Backward, the product gives a gradient for every number of the matrix. Patches overlap, so a pixel
is in several rows, and its gradient is the sum over these. Adding the rows to the pixels from which
they were taken is col2im: not the inverse of im2col, but its adjoint.

Processors compute products of matrices fast, but the matrix takes memory: every pixel is copied as
often as patches contain it. Small images show the way forward and back with all their numbers. An
image of 227x227x3 under 96 filters of 11x11 at stride 4, the first layer of AlexNet, shows the cost
in time and memory: with the whole matrix, in blocks of rows, and by cnnkit's default.
"""

import tracemalloc
from textwrap import fill
from time import perf_counter

import numpy as np
from endings import PICTURES, save_picture, timed
from threadpoolctl import threadpool_limits

from cnnkit import set_num_threads
from cnnkit.functional import col2im, conv2d, conv2d_backward, im2col

ALEXNET = {"image": (1, 227, 227, 3), "filters": (11, 11, 3, 96), "stride": 4}
ROUNDS = 15
TINTS = ["#cfe4f3", "#fbdcc4", "#cdeadf", "#f2d7e6"]  # colours of the patches of the 3x3 image
EDGES = ["#0072b2", "#d55e00", "#009e73", "#cc79a7"]
CHANNELS = ["#c1272d", "#007a3d", "#1f4e9c"]  # text colours of red, green and blue
PICTURE = PICTURES / "im2col.png"


# %%
# Forward: patches, columns, product, image. The image has 3x3 pixels, the filter 2x2.


def forward(x, w):
    """Return the matrix of patches, its product with the filters, and the output image."""
    cols = im2col(x, w.shape[:2])
    product = cols @ w.reshape(-1, w.shape[3])
    H, W = x.shape[1] - w.shape[0] + 1, x.shape[2] - w.shape[1] + 1
    y = product.reshape(len(x), H, W, w.shape[3])
    assert np.array_equal(y, conv2d(x, w))
    return cols, product, y


def small():
    """Return an image of 3x3 and a filter of 2x2."""
    return np.arange(1.0, 10).reshape(1, 3, 3, 1), np.arange(1.0, 5).reshape(2, 2, 1, 1)


def colourful():
    """Return an image of 4x4 with three channels and a filter of 2x2x3."""
    x = np.arange(48.0).reshape(4, 4, 3) % 10
    return x[None], np.array([1.0, 0, -1] * 4).reshape(2, 2, 3, 1)


def side_by_side(**tables):
    """Print tables of whole numbers side by side, each below its name."""
    blocks = []
    for name, table in tables.items():
        lines = [" ".join(f"{number:3.0f}" for number in row) for row in np.atleast_2d(table)]
        width = max(len(name), *map(len, lines))
        blocks.append([text.ljust(width) for text in (name.replace("_", " "), *lines)])
    for i in range(max(map(len, blocks))):
        print("   ".join(b[i] if i < len(b) else " " * len(b[0]) for b in blocks).rstrip())


def print_forward():
    x, w = small()
    cols, product, y = forward(x, w)
    print(f"An image of 3x3 under a filter of 2x2 has {len(cols)} patches:\n")
    side_by_side(
        image=x[0, :, :, 0], patches=cols, filter=w.reshape(-1, 1), product=product, y=y[0, :, :, 0]
    )
    x, w = colourful()
    cols, product, y = forward(x, w)
    print(f"\nAn image of 4x4x3 under a filter of 2x2x3 has {len(cols)}, each of {cols.shape[1]}")
    print("numbers. In a row, the channels of a pixel stand together: red, green, blue.\n")
    side_by_side(patches=cols, filter=w.reshape(-1, 1), product=product, y=y[0, :, :, 0])


# %%
# Backward: y = cols @ w has the gradients dw = cols.T @ dy and dcols = dy @ w.T. The first is the
# gradient to the filter; the second has a number for each number of the rows, and col2im adds them.


def backward(dy, x, w):
    """Return dcols and the gradients to the image and to the filters."""
    rows, filters = dy.reshape(-1, w.shape[3]), w.reshape(-1, w.shape[3])
    dcols = rows @ filters.T
    dx = col2im(dcols, x.shape, w.shape[:2])
    dw = (im2col(x, w.shape[:2]).T @ rows).reshape(w.shape)
    for ours, cnnkits in zip((dx, dw), conv2d_backward(dy, x, w), strict=False):
        assert np.array_equal(ours, cnnkits)
    return dcols, dx, dw


def readers(shape, size, stride):
    """Return the number of patches that contain each pixel, which is col2im of ones."""
    ones = np.ones_like(im2col(np.zeros(shape), size, stride))
    return col2im(ones, shape, size, stride)[0, :, :, 0]


def print_backward():
    x, w = small()
    dy = np.ones((1, 2, 2, 1))
    dcols, dx, dw = backward(dy, x, w)
    print("\nBackwards from a gradient of 1 for every number of y:\n")
    side_by_side(dcols=dcols, dx=dx[0, :, :, 0], dw=dw[:, :, 0, 0])
    count = readers(x.shape, 2, 1)
    terms = " + ".join(f"{dcols[i, 3 - i]:.0f}" for i in range(4))
    print(
        f"\nThe pixel in the middle is in {count[1, 1]:.0f} patches, so that its gradient is "
        f"{terms} = {dx[0, 1, 1, 0]:.0f}.\nHow many patches hold each pixel, col2im of ones says:\n"
    )
    side_by_side(patches=count)


# %%
# Time and memory. The slow ways are loops: over pixels and filters, with a dot product for each; or
# over pixels, with a product of a patch and all filters. Many courses teach the latter loop, with
# channels first, and often for one image only:
#
#     window = x[:, :, top:bottom, left:right].reshape(C * K * K, N)  # mixes images if N > 1
#     y[:, :, i, j] = w.reshape(F, -1).dot(window).T + b
#
# The numbers of an image are contiguous in memory, so they are a row of the reshaped array, never a
# column. `reshape(N, C * K * K).T` would be right.


def loop_over_all(x, w, stride):
    K, F = len(w), w.shape[3]
    side = (x.shape[1] - K) // stride + 1  # windows that do not fit as a whole are left out
    y = np.empty((1, side, side, F), x.dtype)
    for i in range(side):
        for j in range(side):
            patch = x[0, i * stride : i * stride + K, j * stride : j * stride + K]
            for f in range(F):
                y[0, i, j, f] = (patch * w[..., f]).sum()
    return y


def loop_over_pixels(x, w, stride):
    K, F = len(w), w.shape[3]
    side = (x.shape[1] - K) // stride + 1
    filters = w.reshape(-1, F)
    y = np.empty((len(x), side, side, F), x.dtype)
    for i in range(side):
        for j in range(side):
            patch = x[:, i * stride : i * stride + K, j * stride : j * stride + K]
            y[:, i, j] = patch.reshape(len(x), -1) @ filters
    return y


def whole_matrix(x, w, stride):
    side = (x.shape[1] - len(w)) // stride + 1
    return (im2col(x, w.shape[:2], stride) @ w.reshape(-1, w.shape[3])).reshape(1, side, side, -1)


WAYS = {
    "loop over pixels and filters": loop_over_all,
    "loop over pixels": loop_over_pixels,
    "im2col, whole": whole_matrix,
    "im2col, in blocks": lambda x, w, stride: conv2d(x, w, stride=stride, algorithm="im2col"),
    "default": lambda x, w, stride: conv2d(x, w, stride=stride),
}
LOOP, PIXELS, WHOLE, BLOCKS, DEFAULT = WAYS


def mixing():
    """Return the error of the loop that is written for one image, for one image and for two."""
    off = []
    for n in (1, 2):
        rng = np.random.default_rng(0)
        window, filters = rng.normal(size=(n, 3, 2, 2)), rng.normal(size=(4, 12))
        wrong, right = window.reshape(12, n), window.reshape(n, 12).T
        off.append(np.abs(filters @ wrong - filters @ right).max())
    return off


def memory(way, arguments):
    """Return the bytes that a way needs, apart from its arguments and results."""
    tracemalloc.start()
    y = way(**arguments)
    most = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return most - y.nbytes


def measure():
    """Return the seconds of the fastest run, and the bytes, by way, on one thread."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=ALEXNET["image"]).astype(np.float32)
    w = rng.normal(size=ALEXNET["filters"]).astype(np.float32)
    arguments = {"x": x, "w": w, "stride": ALEXNET["stride"]}
    set_num_threads(1)
    seconds = dict.fromkeys(WAYS, np.inf)
    with threadpool_limits(1):
        wanted = conv2d(x.astype(float), w.astype(float), stride=ALEXNET["stride"])
        for i in range(ROUNDS):
            for name, way in WAYS.items():
                if name == LOOP and i:
                    continue
                start = perf_counter()
                y = way(**arguments)
                seconds[name] = min(seconds[name], perf_counter() - start)
                np.testing.assert_allclose(y, wanted, atol=2e-4)
        taken = {name: memory(way, arguments) for name, way in WAYS.items()}
    return seconds, taken


def print_costs(seconds, taken):
    cols = im2col(np.zeros(ALEXNET["image"]), 11, ALEXNET["stride"]).shape
    image, filters = np.prod(ALEXNET["image"]) * 4 / 1e6, np.prod(ALEXNET["filters"]) * 4 / 1e6
    print("\n227x227x3 under 96 filters of 11x11 at stride 4: (227 - 11) / 4 + 1 = 55 places each")
    print(f"way, {cols[0]:,} patches of {cols[1]} numbers. In float32 the matrix takes", end=" ")
    print(
        f"{np.prod(cols) * 4 / 1e6:.2f} MB,\nthe image {image:.2f} and the filters {filters:.2f}."
    )
    print(f"\n{'one thread':<30}{'time':>12}{'speed-up':>10}{'memory besides':>17}")
    for name, took in seconds.items():
        ratio = seconds[LOOP] / took
        print(f"{name:<30}{1e3 * took:>9.1f} ms{ratio:>10.0f}{taken[name] / 1e6:>14.2f} MB")


def conclusions(seconds, taken):
    gain = {name: seconds[LOOP] / took for name, took in seconds.items()}
    share = seconds[PIXELS] / seconds[WHOLE]
    yield (
        f"One product in the place of {55 * 55 * 96:,} dot products is {gain[WHOLE]:.0f} times as "
        f"fast (a tutorial says 200 or more), and {share:.0f} times as fast as one for each pixel."
    )
    yield (
        f"In blocks of rows it is {gain[BLOCKS]:.0f} times as fast as the loop, with "
        f"{taken[BLOCKS] / 1e6:.2f} MB in the place of {taken[WHOLE] / 1e6:.2f}."
    )
    against = seconds[BLOCKS] / seconds[DEFAULT]
    verdict = (
        f"{against:.1f} times as fast as im2col in blocks"
        if against > 1.1
        else "about as fast as im2col in blocks"
        if against > 0.9
        else f"slower than im2col in blocks here ({1 / against:.1f} times)"
    )
    yield (
        f"The default, which for such a layer need not write patches down, is {verdict} and "
        f"takes {taken[DEFAULT] / 1e6:.2f} MB."
    )
    one, two = mixing()
    yield (
        f"The loop that reshapes for one image is off by {one:.0f} for one image of random "
        f"numbers, and by up to {two:.1f} for two."
    )


# %%
# The picture.


def numbers(ax, table, title, *, tints=None, inks=None, size=12):
    """Draw a table of whole numbers as cells, with colours of cells and texts."""
    table = np.atleast_2d(table)
    for (i, j), number in np.ndenumerate(table):
        tint = "white" if tints is None else tints[i][j]
        box = {"facecolor": tint, "edgecolor": "#888888", "linewidth": 0.8}
        ax.add_patch(rectangle(j, i, **box))
        ink = "black" if inks is None else inks[i][j]
        ax.text(
            j + 0.5, i + 0.5, f"{number:.0f}", ha="center", va="center", fontsize=size, color=ink
        )
    ax.set(xlim=(-0.1, table.shape[1] + 0.1), ylim=(table.shape[0] + 0.1, -0.1), aspect="equal")
    ax.set_title(title, fontsize=11)
    ax.axis("off")


def rectangle(x, y, width=1.0, height=1.0, **style):
    from matplotlib.patches import Rectangle

    return Rectangle((x, y), width, height, **style)


def sign(ax, text):
    ax.text(0.5, 0.5, text, ha="center", va="center", fontsize=20)
    ax.axis("off")


def draw_forward(figure):
    x, w = small()
    cols, product, y = forward(x, w)
    axes = figure.subplots(1, 8, width_ratios=[3, 0.6, 4, 0.4, 1.3, 0.4, 1.3, 2.6])
    image, to, rows, times, column, equals, result, back = axes
    numbers(image, x[0, :, :, 0], "image, four patches")
    for k, edge in enumerate(EDGES):
        inset = 0.06 + 0.045 * k
        at = k % 2 + inset, k // 2 + inset
        side = 2 - 2 * inset
        image.add_patch(rectangle(*at, side, side, fill=False, edgecolor=edge, linewidth=2.2))
    by_patch = [[tint] * 4 for tint in TINTS]
    numbers(rows, cols, "im2col: a patch a row", tints=by_patch)
    numbers(column, w.reshape(-1, 1), "filter")
    numbers(result, product, "product", tints=by_patch)
    numbers(back, y[0, :, :, 0], "as an image", tints=[TINTS[:2], TINTS[2:]])
    for ax, text in ((to, "→"), (times, "\N{MULTIPLICATION SIGN}"), (equals, "=")):
        sign(ax, text)


def draw_colourful(figure):
    x, w = colourful()
    cols, product, y = forward(x, w)
    *planes, rows, column, result, back = figure.subplots(
        1, 7, width_ratios=[2.4, 2.4, 2.4, 6.6, 1, 1, 2.2]
    )
    held = "#fff2b3"  # colour of the patch in the middle
    for c, (ax, name) in enumerate(zip(planes, ("red", "green", "blue"), strict=True)):
        tints = [[held if {i, j} <= {1, 2} else "white" for j in range(4)] for i in range(4)]
        numbers(ax, x[0, :, :, c], name, tints=tints, inks=[[CHANNELS[c]] * 4] * 4, size=11)
    tints = [[held if i == 4 else "white"] * 12 for i in range(9)]
    numbers(
        rows, cols, "9 patches of 2 x 2 x 3 numbers", tints=tints, inks=[CHANNELS * 4] * 9, size=9
    )
    numbers(column, w.reshape(-1, 1), "filter", inks=[[ink] for ink in CHANNELS * 4], size=8)
    numbers(result, product, "product", tints=tints, size=9)
    middle = [[held if i == j == 1 else "white" for j in range(3)] for i in range(3)]
    numbers(back, y[0, :, :, 0], "as an image", tints=middle, size=11)


def draw_backward(figure):
    x, w = small()
    dcols, dx, _ = backward(np.ones((1, 2, 2, 1)), x, w)
    rows, to, image, count, large = figure.subplots(1, 5, width_ratios=[2.8, 0.4, 2.2, 2.2, 4.2])
    numbers(rows, dcols, "gradient to the patches", tints=[[t] * 4 for t in TINTS])
    numbers(image, dx[0, :, :, 0], "col2im: to the image")
    marked = {"fill": False, "edgecolor": "black", "linewidth": 2.2}
    for i in range(4):  # the places of the pixel in the middle in the rows
        rows.add_patch(rectangle(3 - i + 0.08, i + 0.08, 0.84, 0.84, **marked))
    image.add_patch(rectangle(1.08, 1.08, 0.84, 0.84, **marked))
    sign(to, "→")
    held = readers(x.shape, 2, 1)
    greys = [[f"{1 - 0.1 * number:.1f}" for number in row] for row in held]
    numbers(count, held, "col2im of ones: a count", tints=greys)
    draw_readers(large, readers(ALEXNET["image"], 11, ALEXNET["stride"]))


def draw_readers(ax, held):
    from matplotlib.colors import BoundaryNorm

    levels = np.unique(held)
    bounds = np.append(levels - 0.5, levels[-1] + 0.5)
    shown = ax.imshow(held[:32, :32], cmap="Greys", norm=BoundaryNorm(bounds, 256))
    bar = ax.figure.colorbar(shown, ax=ax, spacing="uniform")
    bar.set_ticks((bounds[1:] + bounds[:-1]) / 2, labels=[f"{level:.0f}" for level in levels])
    bar.minorticks_off()
    ax.set_title(
        "patches of 11x11 at stride 4 that hold a pixel,\nin a corner of 227x227", fontsize=11
    )
    ax.set(xticks=[], yticks=[])


def draw_costs(figure, seconds, taken):
    time, room = figure.subplots(1, 2, sharey=True)
    at = np.arange(len(WAYS))
    loops = ["#999999"] * 2 + ["#0072b2"] * 2 + ["#d55e00"]
    for ax, values, unit, title in (
        (time, {k: 1e3 * v for k, v in seconds.items()}, "ms", "Time, one thread (log scale)"),
        (room, {k: v / 1e6 for k, v in taken.items()}, "MB", "Memory besides image and result"),
    ):
        bars = ax.barh(at, values.values(), color=loops)
        digits = 1 if unit == "ms" else 2
        texts = [f"{value:,.{digits}f} {unit}" for value in values.values()]
        ax.bar_label(bars, texts, padding=3)
        ax.set_title(title, fontsize=11)
        ax.spines[["top", "right"]].set_visible(False)
    time.set_yticks(at, WAYS)
    time.set(xscale="log", xlim=(min(seconds.values()) * 300, max(seconds.values()) * 9e3))
    time.invert_yaxis()
    room.set_xlim(0, max(taken.values()) / 1e6 * 1.2)


def draw(seconds, taken):
    from matplotlib.figure import Figure

    figure = Figure(figsize=(13, 16), layout="constrained")
    parts = figure.subfigures(4, 1, height_ratios=[1, 1.35, 1.35, 1], hspace=0.04)
    draw_forward(parts[0])
    draw_colourful(parts[1])
    draw_backward(parts[2])
    draw_costs(parts[3], seconds, taken)
    parts[0].suptitle("There: every patch a row, one product, and back to an image", weight="bold")
    parts[1].suptitle("Three channels: one patch marked on its way", weight="bold")
    parts[2].suptitle("Back: patches overlap, so col2im adds up", weight="bold")
    parts[3].suptitle("227x227x3 under 96 filters of 11x11 at stride 4", weight="bold")
    return figure


def main():
    print_forward()
    print_backward()
    seconds, taken = measure()
    print_costs(seconds, taken)
    print("", *(fill(text, 95) for text in conclusions(seconds, taken)), "", sep="\n")
    return save_picture(PICTURE, draw, seconds, taken, dpi=110)


if __name__ == "__main__":
    timed(main)
