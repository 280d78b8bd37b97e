"""
What a 1x1 convolution computes
===============================

A filter of a 1x1 convolution has one weight for every channel. Its output is the weighted sum of
the channels, for each pixel by itself. Five ways to see it:

- an image of one channel: the filter is one number, such as 4, and the image becomes 4 times as
  bright;
- one pixel of three channels under two filters;
- a colour image under the weights with which eyes perceive red, green and blue: its grey image;
- 192 maps of 28x28 under a filter of 1x1x192. One might expect 28x28x192: that is the product of
  every pixel with the filter, and its sum over the channels is 28x28x1. K filters give 28x28xK;
- the same as one matrix product: `im2col(x, 1)` only reshapes the image to a row for every pixel.

Every result is compared with the arithmetic written out.
"""

import numpy as np
from endings import PICTURES, save_picture, timed
from sklearn.datasets import load_digits

from cnnkit.functional import conv2d, im2col, relu

FOUR = np.array([[1, 0, 2, 1], [3, 5, 1, 0], [2, 4, 0, 1], [0, 1, 3, 2]], float)
PIXEL = np.array([0.9, 0.3, 0.6])
FILTERS = np.array([[1.0, 0.5], [-0.5, -1.0], [0.5, -1.0]])  # a column for every filter
BARS = {  # the colour bars of television, from light to dark
    "white": (1, 1, 1),
    "yellow": (1, 1, 0),
    "cyan": (0, 1, 1),
    "green": (0, 1, 0),
    "magenta": (1, 0, 1),
    "red": (1, 0, 0),
    "blue": (0, 0, 1),
}
GREY = {"red": 0.299, "green": 0.587, "blue": 0.114}  # ITU-R BT.601
SHOWN = 10  # number of the 192 maps that are drawn
PICTURE = PICTURES / "one_by_one.png"


def conv1x1(x, filters):
    """Convolve an image (H, W, C) with a column of C weights for every filter."""
    filters = np.asarray(filters, x.dtype)
    return conv2d(x[None], filters.reshape(1, 1, *filters.shape))[0]


# %%
# One channel, one pixel, and colours.


def four_times():
    y = conv1x1(FOUR[..., None], [[4]])[..., 0]
    np.testing.assert_array_equal(y, 4 * FOUR)
    return y


def one_pixel():
    y = conv1x1(PIXEL.reshape(1, 1, 3), FILTERS)[0, 0]
    np.testing.assert_allclose(y, PIXEL @ FILTERS)
    return y


def print_pixel(y):
    print(f"\nA pixel with the channels {PIXEL} under two filters:")
    for k, value in enumerate(y):
        terms = " ".join(f"{w:+.1f} * {x:.1f}" for w, x in zip(FILTERS[:, k], PIXEL, strict=True))
        print(f"  output channel {k}: {terms} = {value:+.2f}")


def grey_bars():
    """Return the colour bars as an image (40, 70, 3), and its grey image."""
    image = np.empty((40, 10 * len(BARS), 3))
    for k, color in enumerate(BARS.values()):
        image[:, 10 * k : 10 * (k + 1)] = color
    grey = conv1x1(image, np.reshape(list(GREY.values()), (3, 1)))[..., 0]
    r, g, b = np.moveaxis(image, -1, 0)
    np.testing.assert_allclose(grey, 0.299 * r + 0.587 * g + 0.114 * b)
    return image, grey


def print_grey(grey):
    weights = ", ".join(f"{w} {name}" for name, w in GREY.items())
    print(f"\nColours to grey by one filter, {weights}:")
    found = (f"{name} {y:.3f}" for name, y in zip(BARS, grey[0, ::10], strict=True))
    print("  " + ", ".join(found))


# %%
# 192 maps to one: a digit, enlarged, under 192 random 3x3 filters.


def maps_192():
    """Return an image (28, 28, 192) and a filter (192, 1)."""
    rng = np.random.default_rng(0)
    digit = load_digits().images[3].astype(np.float32) / 16
    large = digit.repeat(4, axis=0).repeat(4, axis=1)[None, 2:-2, 2:-2, None]
    w = rng.normal(size=(3, 3, 1, 192)).astype(np.float32) / 3
    x = relu(conv2d(large, w, padding="same"))[0]
    filters = rng.normal(size=(192, 1)).astype(np.float32) / 192**0.5
    return x, filters - filters.mean()


def print_192(x, w):
    product = x * w[:, 0]
    y = conv1x1(x, w)
    np.testing.assert_allclose(product.sum(axis=2), y[..., 0], rtol=1e-4, atol=1e-5)
    print("\n192 maps to one, and to K by K filters:")
    print(f"  image {by(x)}, filter 1x1x192, product of both {by(product)}")
    print(f"  its sum over the channels {by(product.sum(axis=2, keepdims=True))}: the convolution")
    rng = np.random.default_rng(1)
    for k in (1, 3, 32):
        print(f"  K = {k}: {by(conv1x1(x, rng.normal(size=(192, k))))}")
    cols = im2col(x[None], 1)
    same = np.array_equal(cols, x.reshape(-1, 192))
    print(f"  im2col(x, 1) is {by(cols)}, x reshaped: {same}")
    again = (cols @ w).reshape(28, 28, 1)
    print(f"  columns times filter, reshaped: {by(again)}, off by {np.abs(again - y).max():.0e}")
    return y


def by(array):
    return "x".join(map(str, array.shape))


# %%
# The picture, with a row for each way.


def draw(four, pixel, bars, maps):
    from matplotlib.figure import Figure

    figure = Figure(figsize=(13, 14), layout="constrained")
    parts = figure.subfigures(4, 1, height_ratios=[1.1, 1, 0.85, 1.15], hspace=0.04)
    draw_four(parts[0], four)
    draw_pixel(parts[1], pixel)
    draw_grey(parts[2], *bars)
    draw_192(parts[3], *maps)
    return figure


def numbers(ax, matrix, title, most, form="{:g}"):
    """Draw a matrix with its numbers, zero in white and `most` in dark grey."""
    ax.imshow(matrix, cmap="Greys", vmin=0, vmax=1.6 * most)
    for (i, j), value in np.ndenumerate(matrix):
        ax.text(j, i, form.format(value), ha="center", va="center", fontsize=13)
    bare(ax, title)


def bare(ax, title):
    ax.set_title(title)
    ax.set_xticks([])
    ax.set_yticks([])


def between(ax, text):
    ax.set_axis_off()
    ax.text(0.5, 0.5, text, ha="center", va="center", fontsize=20, transform=ax.transAxes)


def draw_four(figure, y):
    figure.suptitle("One channel: the filter is one number, and every pixel is multiplied by it")
    axes = figure.subplots(1, 5, width_ratios=[4, 0.5, 1, 0.5, 4])
    numbers(axes[0], FOUR, "image", y.max())
    between(axes[1], "*")
    numbers(axes[2], np.array([[4.0]]), "filter", y.max())
    between(axes[3], "=")
    numbers(axes[4], y, "4 times the image", y.max())


def draw_pixel(figure, y):
    figure.suptitle("One pixel: every output is a weighted sum of the inputs")
    inputs, kernel, outputs = figure.subplots(1, 3)
    inputs.bar_label(inputs.bar(range(3), PIXEL, 0.6, color="#666666"), fmt="%.1f", padding=2)
    inputs.set(title="Input channels", xlabel="channel", ylabel="value", ylim=(0, 1.1))
    inputs.set_xticks(range(3))
    kernel.imshow(FILTERS.T, cmap="PuOr", vmin=-1.2, vmax=1.2, aspect="auto")
    for (c, f), w in np.ndenumerate(FILTERS):
        color = "white" if abs(w) > 0.8 else "black"
        kernel.text(c, f, f"{w:+.1f}", ha="center", va="center", fontsize=13, color=color)
    kernel.set(title="Weights: a row for every filter", xlabel="input channel")
    kernel.set_xticks(range(3))
    kernel.set_yticks(range(2), ["filter 0", "filter 1"])
    outputs.bar_label(outputs.bar(range(2), y, 0.5, color="#666666"), fmt="%+.2f", padding=2)
    outputs.axhline(0, color="black", linewidth=0.8)
    outputs.set(title="Output channels", xlabel="channel", ylabel="value")
    outputs.margins(x=0.3, y=0.2)
    outputs.set_xticks(range(2))
    for ax in (inputs, outputs):
        ax.spines[["top", "right"]].set_visible(False)


def draw_grey(figure, image, grey):
    figure.suptitle("Colours: red, green and blue are three channels, one filter makes them grey")
    axes = figure.subplots(1, 5)
    axes[0].imshow(image)
    bare(axes[0], "colour bars")
    for k, (name, weight) in enumerate(GREY.items()):
        axes[k + 1].imshow(image[..., k], cmap="gray", vmin=0, vmax=1)
        bare(axes[k + 1], f"{name}, times {weight}")
    axes[4].imshow(grey, cmap="gray", vmin=0, vmax=1)
    bare(axes[4], "the sum: grey")


def draw_192(figure, x, w, y):
    figure.suptitle("28x28x192 under one filter of 1x1x192: 28x28x1")
    above, below = figure.subfigures(2, 1, height_ratios=[1, 1.6])
    axes = above.subplots(1, SHOWN)
    for k, ax in enumerate(axes):
        ax.imshow(x[..., k], cmap="gray_r", vmin=0, vmax=x[..., :SHOWN].max())
        bare(ax, f"map {k}\n{w[k, 0]:+.2f} times")
    weights, result = below.subplots(1, 2, width_ratios=[2.6, 1])
    colors = np.where(w[:, 0] > 0, "#542788", "#b35806")
    weights.bar(range(192), w[:, 0], 1.0, color=colors)
    weights.axhline(0, color="black", linewidth=0.8)
    weights.set(title="the filter: a weight for each of the 192 maps", xlabel="map", xlim=(-1, 192))
    weights.spines[["top", "right"]].set_visible(False)
    result.imshow(y[..., 0], cmap="PuOr", vmin=-np.abs(y).max(), vmax=np.abs(y).max())
    bare(result, "the sum of all: one map\n(orange: negative)")


def main():
    four = four_times()
    print("The filter 4 makes of the image 4 times the image: the row")
    print(f"  {FOUR[1]} becomes {four[1]}")
    pixel = one_pixel()
    print_pixel(pixel)
    bars = grey_bars()
    print_grey(bars[1])
    x, w = maps_192()
    y = print_192(x, w)
    print()
    return save_picture(PICTURE, draw, four, pixel, bars, (x, w, y), dpi=110)


if __name__ == "__main__":
    timed(main)
