"""Filters of convolutions, and feature maps."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self

import numpy as np

from cnnkit.display.figures import (
    SIGNED,
    Tiles,
    add_colorbar,
    as_images,
    check_node,
    fitted_network,
    visible,
)
from cnnkit.layers import Conv
from cnnkit.validate import shapes

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from numpy.typing import ArrayLike

    from cnnkit.typing import Array, Estimator


class FilterDisplay:
    """Filters of a convolution as small images.

    Filters of one channel are drawn in two colours, of three channels as colours; of any other
    number of channels a row shows one filter, channel by channel, with the channels' numbers above.

    Parameters
    ----------
    filters : array of shape (KH, KW, C, F)
        As in ``network_.weights["conv1/w"]``.
    node : str, default=None
        Name of the convolution, for the title.
    max_filters : int, default=64
        Largest number of filters of one or three channels. Of other filters at most 16 are drawn,
        and of each at most 16 channels.

    Attributes
    ----------
    ax_ : matplotlib.axes.Axes
    images_ : list of matplotlib.image.AxesImage
    figure_ : matplotlib.figure.Figure

    Examples
    --------
    >>> import numpy as np
    >>> from cnnkit.display import FilterDisplay
    >>> filters = np.random.default_rng(0).standard_normal((3, 3, 1, 16))
    >>> len(FilterDisplay(filters).plot().images_)
    16
    """

    def __init__(self, filters: Array, *, node: str | None = None, max_filters: int = 64) -> None:
        self.filters = filters
        self.node = node
        self.max_filters = max_filters

    @classmethod
    def from_estimator(
        cls,
        estimator: Estimator,
        *,
        node: str | None = None,
        max_filters: int = 64,
        ax: Axes | None = None,
        **kwargs: Any,
    ) -> Self:
        """Draw the filters of a fitted estimator.

        Parameters
        ----------
        estimator : CNNClassifier or another of cnnkit's, fitted
            What was fitted; it is not changed.
        node : str, default=None
            Name of a convolution as ``estimator.summary()`` shows it; None means the first whose
            kernel is larger than one pixel.
        max_filters : int, default=64
            As for the class.
        ax : matplotlib.axes.Axes, default=None
            Axes to draw on; None makes a new figure.
        **kwargs :
            Arguments of `plot`.

        Returns
        -------
        display : FilterDisplay

        Examples
        --------
        >>> from sklearn.datasets import load_digits
        >>> from cnnkit import CNNClassifier
        >>> from cnnkit.display import FilterDisplay
        >>> X, y = load_digits().images, load_digits().target
        >>> clf = CNNClassifier(max_iter=1, random_state=0).fit(X[:200], y[:200])
        >>> display = FilterDisplay.from_estimator(clf)
        >>> display.node, display.filters.shape
        ('conv1', (3, 3, 1, 32))
        """
        weights = fitted_network(estimator, cls).weights
        found = [path[:-2] for path in weights if path.endswith("/w") and weights[path].ndim == 4]
        if node is None and found:
            node = next(
                (n for n in found if weights[n + "/w"].size > _pixels(weights, n)), found[0]
            )
        if node is None or node not in found:
            raise ValueError(f"FilterDisplay: node must be one of {found}, got {node!r}.")
        display = cls(np.array(weights[node + "/w"]), node=node, max_filters=max_filters)
        return display.plot(ax, **kwargs)

    def plot(
        self, ax: Axes | None = None, *, columns: int = 8, cmap: Any = SIGNED, colorbar: bool = True
    ) -> Self:
        """Draw on `ax`, or on a new figure when None, and return the display.

        Parameters
        ----------
        ax : matplotlib.axes.Axes, default=None
            Axes to draw on; None makes a new figure.
        columns : int, default=8
            Number of columns for filters of one or three channels.
        cmap : str or Colormap, default="PuOr"
            Colours, symmetric about zero.
        colorbar : bool, default=True
            Whether the colours are explained at the side.

        Returns
        -------
        self : FilterDisplay
            This display, with its attributes.

        Examples
        --------
        >>> import numpy as np
        >>> from cnnkit.display import FilterDisplay
        >>> display = FilterDisplay(np.ones((3, 3, 1, 16))).plot(columns=4, cmap="gray")
        >>> len(display.images_)
        16
        """
        columns = shapes.as_int(columns, "columns", "FilterDisplay")
        shapes.as_int(self.max_filters, "max_filters", "FilterDisplay")
        filters = np.asarray(self.filters, float)
        most = abs(filters).max() or 1.0
        in_colour = filters.shape[2] == 3
        if in_colour:
            shown = np.moveaxis(filters[..., : self.max_filters], -1, 0) / (2 * most) + 0.5
            titles = [""] * len(shown)
        else:
            shown, columns, titles = _planes(filters, self.max_filters, columns)
        room = {"lines": 0.7, "inch": 0.45} if any(titles) else {"lines": 0}
        height, width = filters.shape[:2]
        tiles = Tiles(len(shown), height, width, columns, **room)
        right = 0.9 if colorbar and not in_colour else 0.0
        self.ax_ = ax = tiles.axes(ax, "FilterDisplay", right=right)
        self.figure_ = ax.figure
        style = {} if in_colour else {"cmap": cmap, "vmin": -most, "vmax": most}
        self.images_ = [
            tiles.draw(ax, k, image, title, **style)
            for k, (image, title) in enumerate(zip(shown, titles, strict=True))
        ]
        if colorbar and not in_colour:
            add_colorbar(ax, self.images_[0], "weight")
        size = " x ".join(map(str, filters.shape[:3]))
        name = f"{self.node}: " if self.node else ""
        ax.set_title(f"{name}{filters.shape[3]} filters of {size}", fontsize=10)
        return self


class FeatureMapDisplay:
    """Feature maps: the output of a layer for one image.

    Parameters
    ----------
    maps : array of shape (H, W, K)
        Output of a layer for one image.
    image : array of shape (H, W, C), default=None
        The image, which is drawn first.
    node : str, default=None
        Name of the layer, for the title.
    max_maps : int, default=16
        Only the strongest maps are drawn, in their order.

    Attributes
    ----------
    ax_ : matplotlib.axes.Axes
    images_ : list of matplotlib.image.AxesImage
        The image if it is drawn, and then the maps.
    shown_ : array of int
        Indices of the maps that are drawn.
    figure_ : matplotlib.figure.Figure

    Examples
    --------
    >>> import numpy as np
    >>> from cnnkit.display import FeatureMapDisplay
    >>> maps = np.random.default_rng(0).random((8, 8, 32))
    >>> len(FeatureMapDisplay(maps, max_maps=12).plot().images_)
    12
    """

    def __init__(
        self,
        maps: Array,
        *,
        image: Array | None = None,
        node: str | None = None,
        max_maps: int = 16,
    ) -> None:
        self.maps = maps
        self.image = image
        self.node = node
        self.max_maps = max_maps

    @classmethod
    def from_estimator(
        cls,
        estimator: Estimator,
        image: ArrayLike,
        *,
        node: str | None = None,
        max_maps: int = 16,
        ax: Axes | None = None,
        **kwargs: Any,
    ) -> Self:
        """Draw the output of a fitted estimator's layer for an image.

        Parameters
        ----------
        estimator : CNNClassifier or another of cnnkit's, fitted
            What was fitted; it is not changed.
        image : array of shape (H, W, C), (H, W) or (features,)
            One image, in the form of a sample of X.
        node : str, default=None
            Name of a layer as ``estimator.summary()`` shows it. None means the first convolution,
            or the last layer of the same size after it, such as its ReLU.
        max_maps : int, default=16
            As for the class.
        ax : matplotlib.axes.Axes, default=None
            Axes to draw on; None makes a new figure.
        **kwargs :
            Arguments of `plot`.

        Returns
        -------
        display : FeatureMapDisplay

        Examples
        --------
        >>> from sklearn.datasets import load_digits
        >>> from cnnkit import CNNClassifier
        >>> from cnnkit.display import FeatureMapDisplay
        >>> X, y = load_digits().images, load_digits().target
        >>> clf = CNNClassifier(max_iter=1, random_state=0).fit(X[:200], y[:200])
        >>> display = FeatureMapDisplay.from_estimator(clf, X[0])
        >>> display.node, display.maps.shape
        ('relu1', (8, 8, 32))
        """
        network = fitted_network(estimator, cls)
        X = np.asarray(image)[None]
        pixels = as_images(X, network.input_shape, "FeatureMapDisplay")[0]
        if node is None:
            node = _first_maps(network)
        check_node(network, node, cls)
        maps = network.activations(X, [node])[node][0]
        return cls(maps, image=pixels, node=node, max_maps=max_maps).plot(ax, **kwargs)

    def plot(
        self,
        ax: Axes | None = None,
        *,
        columns: int = 8,
        cmap: Any = "viridis",
        colorbar: bool = True,
    ) -> Self:
        """Draw on `ax`, or on a new figure when None, and return the display.

        Parameters
        ----------
        ax : matplotlib.axes.Axes, default=None
            Axes to draw on; None makes a new figure.
        columns : int, default=8
            Maps side by side.
        cmap : str or Colormap, default="viridis"
            If maps have negative numbers, "PuOr", symmetric about zero, is used instead.
        colorbar : bool, default=True
            Whether the colours are explained at the side.

        Returns
        -------
        self : FeatureMapDisplay
            This display, with its attributes.

        Examples
        --------
        >>> import numpy as np
        >>> from cnnkit.display import FeatureMapDisplay
        >>> display = FeatureMapDisplay(np.ones((8, 8, 16))).plot(columns=4, cmap="gray")
        >>> len(display.images_)
        16
        """
        columns = shapes.as_int(columns, "columns", "FeatureMapDisplay")
        shapes.as_int(self.max_maps, "max_maps", "FeatureMapDisplay")
        maps = np.moveaxis(np.asarray(self.maps, float), -1, 0)
        strength = abs(maps).sum(axis=(1, 2))
        self.shown_ = np.sort(strength.argsort(kind="stable")[::-1][: self.max_maps])
        with_image = self.image is not None
        height, width = maps.shape[1:]
        tiles = Tiles(len(self.shown_) + with_image, height, width, columns)
        self.ax_ = ax = tiles.axes(ax, "FeatureMapDisplay", right=0.9 if colorbar else 0)
        self.figure_ = ax.figure
        shown = maps[self.shown_]
        low, high = shown.min(), shown.max()
        style = {"cmap": cmap, "vmin": 0, "vmax": high or 1.0}
        if low < 0:
            most = max(-low, high)
            style = {"cmap": SIGNED, "vmin": -most, "vmax": most}
        self.images_ = []
        if with_image:
            image = visible(np.asarray(self.image, float))
            self.images_.append(tiles.draw(ax, 0, image, "image", cmap="gray"))
        for k, channel in enumerate(self.shown_, with_image):
            drawn = tiles.draw(ax, k, maps[channel], str(channel), **style)
            self.images_.append(drawn)
        if colorbar:
            add_colorbar(ax, self.images_[-1], "activation")
        name = f"{self.node}: " if self.node else ""
        few = f"{len(shown)} strongest of " if len(shown) < len(maps) else ""
        ax.set_title(f"{name}{few}{len(maps)} maps", fontsize=10)
        return self


def _pixels(weights, node):
    """Return the number of weights that a convolution would have with a kernel of one pixel."""
    return weights[node + "/w"][0, 0].size


def _planes(filters, max_filters, columns):
    """Return single channels of filters, the number in a row, and their titles."""
    channels = filters.shape[2]
    if channels == 1:
        shown = np.moveaxis(filters[:, :, 0, :max_filters], -1, 0)
        return shown, columns, [""] * len(shown)
    few = filters[:, :, :16, : min(max_filters, 16)]
    shown = few.transpose(3, 2, 0, 1).reshape(-1, *filters.shape[:2])
    titles = [f"{k}" if k < few.shape[2] else "" for k in range(len(shown))]
    return shown, few.shape[2], titles


def _first_maps(network):
    """Return the path of the first convolution, or of the last layer of its size after it."""
    nodes, shapes = network.resolved.nodes, network.resolved.shapes
    for name, layer, _ in nodes:
        if isinstance(layer, Conv):
            for reader, following, inputs in nodes:
                kind = type(following).__module__.rpartition(".")[2]
                if inputs == (name,) and kind in ("activation", "norm"):
                    name = reader
            return name
    return next((node.name for node in nodes if len(shapes[node.name]) == 3), None)
