"""Helpers of the displays: matplotlib, axes, and images side by side on one pair of axes."""

import re
from functools import cache
from math import ceil

import numpy as np

from cnnkit.data import images as image_arrays
from cnnkit.estimators.snapshot import snapshot

INCH = 0.95  # length of the longer side of an image
BETWEEN = 0.1  # distance of images, as a part of their longer side
TITLE = 0.24  # inches that the first line of a title takes
LINE = 0.14  # inches that each further line takes
FONT = 8  # size of text in points
WIDER = 1.08  # letters on the grid of pixels are up to so much wider than `text_width`
WORD = 2.0  # inches: words up to this width are not broken in titles
SIGNED = "PuOr"  # orange is negative, purple positive; it reads the same to the colour-blind


def import_matplotlib(owner):
    """Return pyplot, or raise an error that names the extra which installs matplotlib."""
    try:
        from matplotlib import pyplot
    except ImportError as error:
        raise ImportError(f"{owner} needs matplotlib: pip install cnnkit[plot]") from error
    return pyplot


def check_axes(ax, owner):
    """Raise unless `ax` is a pair of matplotlib's axes or None."""
    from matplotlib.axes import Axes

    if ax is not None and not isinstance(ax, Axes):
        raise TypeError(f"{owner}: ax must be axes of matplotlib or None, got {ax!r}.")


def axes_or_new(ax, owner, figsize):
    """Return `ax`, or the axes of a new figure of so many inches."""
    pyplot = import_matplotlib(owner)
    check_axes(ax, owner)
    if ax is None:
        _, ax = pyplot.subplots(figsize=figsize, layout="constrained")
    return ax


def fitted_network(estimator, display):
    """Return the network of a fitted estimator of cnnkit."""
    network = getattr(estimator, "network_", None)
    if network is None:
        raise ValueError(
            f"{display.__name__}: estimator must be one of cnnkit's and fitted, got {estimator!r}."
        )
    return network


def fitted_classifier(estimator, display):
    """Return a fitted classifier of cnnkit as it is now, safe from changes by other threads."""
    fitted_network(estimator, display)
    if not hasattr(estimator, "predict_proba") or estimator._has_image_targets:
        raise ValueError(f"{display.__name__}: estimator must be a classifier, got {estimator!r}.")
    return snapshot(estimator)


def check_node(network, path, display):
    """Raise unless `path` is a node of the network whose output is images."""
    shapes = network.resolved.shapes
    found = [node.name for node in network.resolved.nodes if len(shapes[node.name]) == 3]
    if path not in found:
        raise ValueError(f"{display.__name__}: node must be one of {found}, got {path!r}.")


def as_images(X, input_shape, owner):
    """Return `X`, in any form an estimator takes, as floats of shape (n, H, W, C)."""
    X = np.asarray(X)
    image_arrays.check_input_shape(X, input_shape, owner)
    found = X.reshape(len(X), *input_shape).astype(np.float64)
    return found / 255 if X.dtype == np.uint8 else found


def visible(image):
    """Return an image (H, W, C) as matplotlib draws it: (H, W) in grey, or (H, W, 3) from 0 to 1.

    Colours outside of 0 to 1 are rescaled to it. Other numbers of channels than one and three are
    replaced by their mean.
    """
    if image.shape[-1] != 3:
        return image.mean(axis=-1)
    low, high = image.min(), image.max()
    if low < 0 or high > 1:
        image = (image - low) / (high - low)
    return image


def add_colorbar(ax, drawn, label):
    """Add a slim colour bar beside `ax`."""
    bar = ax.figure.colorbar(drawn, ax=ax, label=label, shrink=0.8, aspect=25, fraction=0.05)
    bar.solids.set_alpha(1)
    return bar


@cache
def text_width(text, size):
    """Return the width in inches of a text at a size in points."""
    import_matplotlib("cnnkit.display")  # titles are measured before there are axes
    from matplotlib.font_manager import FontProperties
    from matplotlib.textpath import text_to_path

    font = FontProperties(size=size)
    return text_to_path.get_text_width_height_descent(text, font, False)[0] / 72


def words_of(text):
    """Return the unbreakable parts of a line: they end with blanks, hyphens and the like."""
    return re.findall("[^ _/.-]*[ _/.-]*", text)[:-1]


def wrapped(text, width, size=FONT):
    """Return a text in lines of at most `width` inches; words are broken only if necessary."""
    lines = []
    for line in text.split("\n"):
        found = [""]
        for word in words_of(line):
            if found[-1] and text_width((found[-1] + word).rstrip(), size) > width:
                found.append("")
            for letter in [word] if text_width(word.rstrip(), size) <= width else word:
                if found[-1] and text_width((found[-1] + letter).rstrip(), size) > width:
                    found.append("")
                found[-1] += letter
        lines += [part.rstrip() for part in found]
    return "\n".join(lines)


class Tiles:
    """Images in rows on one pair of axes; the longer side of each is 1 long.

    Parameters
    ----------
    count : int
    height, width : int
        Pixels of one image.
    columns : int
        Largest number of columns; fewer are used if that fills the last row better.
    titles : list of str, default=()
        Titles of all images. Each image has room for the title with most lines and for the longest
        word.
    lines : float, default=1
        Least number of lines of a title.
    inch : float, default=INCH
        Length of the longer side of an image, in a figure made for it.
    """

    def __init__(self, count, height, width, columns, *, titles=(), lines=1, inch=INCH):
        longer = max(height, width)
        self.height, self.width = height / longer, width / longer
        self.rows = max(1, ceil(count / columns))
        self.columns = max(1, ceil(count / self.rows))
        self.inch = inch
        self.scale = 1.0
        lines_of_all = [line for title in titles for line in title.split("\n")]
        words = [word.rstrip() for line in lines_of_all for word in words_of(line)]
        widest = WIDER * max((text_width(word, FONT) for word in words), default=0.0)
        self.step_x = max(self.width, 0.5, min(widest, WORD) / inch) + BETWEEN
        lines = max([lines, *(1 + self.fitting(title).count("\n") for title in titles)])
        self.above = (min(lines, 1) * TITLE + max(lines - 1, 0) * LINE) / inch
        self.step_y = self.height + self.above + BETWEEN

    def figsize(self, *, right=0.0, top=0.35):
        """Return the size in inches of a figure for these images, with some space around them."""
        width = self.columns * self.step_x * self.inch + 0.25 + right
        return max(width, 2.2), self.rows * self.step_y * self.inch + 0.15 + top

    def axes(self, ax, owner, **room):
        """Return `ax`, or new axes, laid out for these images."""
        width, height = self.columns * self.step_x * self.inch, self.rows * self.step_y * self.inch
        if ax is not None:
            check_axes(ax, owner)
            window, dpi = ax.get_window_extent(), ax.figure.dpi
            self.scale = min(1.0, window.width / dpi / width, window.height / dpi / height)
        ax = axes_or_new(ax, owner, self.figsize(**room))
        ax.set(
            xlim=(-BETWEEN, self.columns * self.step_x),
            ylim=(self.rows * self.step_y - self.above, -self.above - BETWEEN / 2),
            aspect="equal",
        )
        ax.set_axis_off()
        return ax

    def extent(self, k):
        """Return left, right, bottom and top of image `k`."""
        left = (k % self.columns) * self.step_x + (self.step_x - BETWEEN - self.width) / 2
        top = (k // self.columns) * self.step_y
        return left, left + self.width, top + self.height, top

    def fitting(self, text):
        """Return a title in lines that fit above an image."""
        return wrapped(text, (self.step_x - BETWEEN / 2) * self.inch / WIDER)

    def draw(self, ax, k, image, title="", **style):
        """Draw image `k` and its title, and return matplotlib's image."""
        limits = ax.get_xlim(), ax.get_ylim()
        extent = self.extent(k)
        drawn = ax.imshow(image, extent=extent, **{"interpolation": "nearest", **style})
        ax.set(xlim=limits[0], ylim=limits[1])
        middle = (extent[0] + extent[1]) / 2
        ax.text(
            middle,
            extent[3] - 0.04 / self.inch,
            self.fitting(title),
            fontsize=FONT * self.scale,
            ha="center",
            va="bottom",
            parse_math=False,
        )
        return drawn
