"""Class activation maps: where in an image the evidence for a class lies."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from cnnkit.display.figures import (
    FONT,
    LINE,
    SIGNED,
    Tiles,
    add_colorbar,
    as_images,
    check_node,
    fitted_classifier,
    visible,
    wrapped,
)
from cnnkit.graph.graph import Graph
from cnnkit.layers import BatchNorm, DepthwiseConv
from cnnkit.network.network import Network
from cnnkit.validate import shapes

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from numpy.typing import ArrayLike

    from cnnkit.typing import Array, Estimator, Floats

WHOLE = "\N{NO-BREAK SPACE}x\N{NO-BREAK SPACE}"
FEW = 4  # maps with fewer pixels a side say too little about an image


class ClassActivationDisplay:
    """Images, and maps of where the evidence for a class lies.

    Parameters
    ----------
    images : array of shape (n, H, W, C)
        Images in any scale.
    maps : array of shape (n, H', W')
        See `class_activation_maps`. They are drawn over the images, stretched to their size; the
        title of the axes gives the size of the maps.
    titles : list of str, default=None
        Titles of the maps, one for every image.
    image_titles : list of str, default=None
        Titles of the images.
    node : str, default=None
        Name of the layer whose maps are weighed, for the title of the axes.

    Attributes
    ----------
    ax_ : matplotlib.axes.Axes
    images_, maps_ : lists of matplotlib.image.AxesImage
    figure_ : matplotlib.figure.Figure

    Examples
    --------
    >>> import numpy as np
    >>> from cnnkit.display import ClassActivationDisplay
    >>> rng = np.random.default_rng(0)
    >>> display = ClassActivationDisplay(rng.random((3, 8, 8, 1)), rng.normal(size=(3, 4, 4)))
    >>> len(display.plot().maps_)
    3
    """

    def __init__(
        self,
        images: Array,
        maps: Array,
        *,
        titles: Sequence[str] | None = None,
        image_titles: Sequence[str] | None = None,
        node: str | None = None,
    ) -> None:
        self.images = images
        self.maps = maps
        self.titles = titles
        self.image_titles = image_titles
        self.node = node

    @classmethod
    def from_estimator(
        cls,
        estimator: Estimator,
        X: ArrayLike,
        y: ArrayLike | None = None,
        *,
        classes: ArrayLike | None = None,
        node: str | None = None,
        ax: Axes | None = None,
        **kwargs: Any,
    ) -> Self:
        """Compute the maps of a fitted classifier and draw them.

        Parameters
        ----------
        estimator : CNNClassifier, fitted
            What was fitted; it is not changed.
        X : array of shape (n, H, W, C), (n, H, W) or (n, features)
            A few images: each one needs its own backward pass.
        y : array of shape (n,), default=None
            True classes, for the titles of the images.
        classes : array of shape (n,), default=None
            The class that each map shows evidence for; None means the predicted class.
        node : str, default=None
            Name of the layer whose maps are weighed, as ``estimator.summary()`` shows it; None
            means the last layer whose maps have more than one pixel. Maps of fewer than 4 pixels a
            side are drawn with a warning that names a layer with larger maps.
        ax : matplotlib.axes.Axes, default=None
            Axes to draw on; None makes a new figure.
        **kwargs :
            Arguments of `plot`.

        Returns
        -------
        display : ClassActivationDisplay

        Examples
        --------
        >>> from sklearn.datasets import load_digits
        >>> from cnnkit import CNNClassifier
        >>> from cnnkit.display import ClassActivationDisplay
        >>> X, y = load_digits().images, load_digits().target
        >>> clf = CNNClassifier(max_iter=1, random_state=0).fit(X[:200], y[:200])
        >>> display = ClassActivationDisplay.from_estimator(clf, X[:3], y[:3])
        >>> display.maps.shape
        (3, 4, 4)
        """
        estimator = fitted_classifier(estimator, cls)
        network = estimator.network_
        X = np.asarray(X)
        images = as_images(X, network.input_shape, "ClassActivationDisplay")
        known = np.asarray(estimator.classes_)
        proba = estimator.predict_proba(X)
        wanted = known[proba.argmax(axis=1)] if classes is None else np.array(classes)
        if wanted.shape != (len(X),) or not np.isin(wanted, known).all():
            raise ValueError(
                f"ClassActivationDisplay: classes must be one of {known} for each of the {len(X)} "
                f"images, got {classes!r}."
            )
        targets = np.searchsorted(known, wanted)
        node = _last_node(network) if node is None else node
        maps = class_activation_maps(network, X, targets, node)
        _warn_of_few_pixels(network, node, maps.shape[1:])
        shares = proba[np.arange(len(X)), targets]
        display = cls(
            images,
            maps,
            titles=[f"{label} ({p:.0%})" for label, p in zip(wanted, shares, strict=True)],
            image_titles=None if y is None else [f"true: {label}" for label in np.asarray(y)],
            node=node,
        )
        return display.plot(ax, **kwargs)

    def plot(
        self,
        ax: Axes | None = None,
        *,
        columns: int = 6,
        cmap: Any = SIGNED,
        alpha: float = 0.8,
        colorbar: bool = True,
    ) -> Self:
        """Draw on `ax`, or on a new figure when None, and return the display.

        Parameters
        ----------
        ax : matplotlib.axes.Axes, default=None
            Axes to draw on; None makes a new figure.
        columns : int, default=6
            Images side by side.
        cmap : str or Colormap, default="PuOr"
            Purple speaks for the class, orange against it.
        alpha : float, default=0.8
            Opacity of the maps where they are strongest; where they are zero, only the image is
            seen.
        colorbar : bool, default=True
            Whether the colours are explained at the side.

        Returns
        -------
        self : ClassActivationDisplay
            This display, with its attributes.

        Examples
        --------
        >>> import numpy as np
        >>> from cnnkit.display import ClassActivationDisplay
        >>> display = ClassActivationDisplay(np.zeros((3, 8, 8, 1)), np.ones((3, 4, 4)))
        >>> len(display.plot(columns=3, alpha=0.5).images_)
        3
        """
        columns = shapes.as_int(columns, "columns", "ClassActivationDisplay")
        n = len(self.images)
        for titles in (self.titles, self.image_titles):
            if not n or len(titles or self.images) != n:
                raise ValueError(
                    "ClassActivationDisplay: there must be images, and a title for each or none, "
                    f"got {n} images and {titles!r}."
                )
        rows = max(1, -(-n // columns))
        columns = max(1, -(-n // rows))
        titles = [*(self.titles or ()), *(self.image_titles or ())]
        height, width = self.images[0].shape[:2]
        tiles = Tiles(2 * columns * rows, height, width, columns, titles=titles)
        title = self._title(tiles)
        top = 0.2 + LINE * title.count("\n")
        self.ax_ = ax = tiles.axes(
            ax, "ClassActivationDisplay", right=0.9 if colorbar else 0, top=top
        )
        ax.set_title(title, fontsize=(FONT + 1) * tiles.scale, parse_math=False)
        self.figure_ = ax.figure
        self.images_, self.maps_ = [], []
        style = {"cmap": cmap, "vmin": -1, "vmax": 1, "interpolation": "bilinear"}
        faded = {"cmap": "gray", "vmin": 0, "vmax": 1}
        for k, (image, found) in enumerate(zip(self.images, self.maps, strict=True)):
            above = 2 * columns * (k // columns) + k % columns
            below = above + columns
            drawn = visible(np.asarray(image, float))
            title = self.image_titles[k] if self.image_titles else ""
            self.images_.append(tiles.draw(ax, above, drawn, title, cmap="gray"))
            # light images keep the colours of the maps clear
            pale = 0.6 + 0.4 * drawn.reshape(*image.shape[:2], -1).mean(-1)
            tiles.draw(ax, below, pale, **faded)
            part = found / (abs(found).max() or 1.0)
            title = self.titles[k] if self.titles else ""
            style["alpha"] = alpha * np.sqrt(abs(part))
            self.maps_.append(tiles.draw(ax, below, part, title, **style))
        if colorbar:
            add_colorbar(ax, self.maps_[0], "evidence, relative")
        return self

    def _title(self, tiles):
        """Return the layer and the size of the maps as text, in lines as wide as the tiles."""
        name = f"{self.node}: " if self.node else ""
        maps, image = np.shape(self.maps)[1:], self.images[0].shape[:2]
        sizes = [WHOLE.join(map(str, size)) for size in (maps, image)]
        title = "{}maps of {} over images of {}".format(name, *sizes)
        title = wrapped(title, tiles.columns * tiles.step_x * tiles.inch, FONT + 1)
        return title.replace(WHOLE, " x ")


def class_activation_maps(
    network: Network, X: ArrayLike, targets: ArrayLike, node: str | None = None
) -> Floats:
    """Return maps that show where in each image the evidence for an output lies.

    This is Grad-CAM (Selvaraju et al., 2017) without its ReLU: a sum of the maps of a layer, each
    weighed by the mean gradient of the output with respect to it. If only global average pooling
    and layers without an activation follow, it is the class activation map of Zhou et al. (2016),
    and its sum is the output before softmax, except for biases.

    Parameters
    ----------
    network : Network
        Trained.
    X : array of shape (n, H, W, C), or of flat rows
        Images in any real dtype and the scale of training.
    targets : array of int of shape (n,)
        Index of the output that each map shows evidence for.
    node : str, default=None
        Name of the layer; None means the last layer whose maps have more than one pixel.

    Returns
    -------
    maps : array of shape (n, H', W')
        Positive where the evidence speaks for the output, negative where against it.

    Raises
    ------
    ValueError
        If there are no maps of more than one pixel, or if the output also depends on layers before
        `node` by a way around it.

    Examples
    --------
    >>> import numpy as np
    >>> from cnnkit import Conv1x1, GlobalAvgPool, Network, Sequential
    >>> from cnnkit.display import class_activation_maps
    >>> network = Network(Sequential([Conv1x1(3), GlobalAvgPool()]), (4, 4, 2), 3)
    >>> _ = network.weights.initialise(np.random.default_rng(0))
    >>> X = np.random.default_rng(1).random((2, 4, 4, 2))
    >>> maps = class_activation_maps(network, X, [0, 2])
    >>> scores = network.activations(X, ["globalavgpool1"])["globalavgpool1"]
    >>> np.allclose(maps.sum(axis=(1, 2)), [scores[0, 0], scores[1, 2]], atol=1e-5)
    True
    """
    if not isinstance(network, Network):
        raise TypeError(f"class_activation_maps: network must be a Network, got {network!r}.")
    node = _last_node(network) if node is None else node
    check_node(network, node, ClassActivationDisplay)
    maps = network.activations(X, [node])[node]
    rest, gate = _rest(network, node, maps.shape[1:])
    targets, n = np.array(targets), rest.output.shape[1]  # a copy: what is checked is what is used
    whole = targets.dtype.kind in "iu" and targets.shape == (len(maps),)
    if not whole or not ((targets >= 0) & (targets < n)).all():
        raise ValueError(
            f"class_activation_maps: targets must be {len(maps)} ints from 0 to {n - 1}, one for "
            f"every image, got {targets!r}."
        )
    found = np.empty(maps.shape[:3], maps.dtype)
    for image, target, out in zip(maps, targets, found, strict=True):
        rest.x[0] = image
        rest.forward(1)
        rest.doutput[...] = 0
        rest.doutput[0, target] = 1
        rest.backward(1)
        # A bias is added at every pixel: its gradient is the sum of the gradients of its map.
        out[...] = image @ rest.grads[gate + "/b"] / (image.shape[0] * image.shape[1])
    return found


def _last_node(network):
    """Return the name of the last layer whose maps have more than one pixel."""
    rows = [row for row in network.summary().rows if len(row.output_shape) == 3]
    large = [row.name for row in rows if row.output_shape[:2] != (1, 1)]
    if not large:
        raise ValueError(
            "ClassActivationDisplay: a layer must give maps of more than one pixel, "
            f"got a network for images of shape {network.input_shape}."
        )
    return large[-1]


def _warn_of_few_pixels(network, node, size):
    """Warn if maps are so small that they distinguish only a few parts of an image."""
    image = network.input_shape[:2]

    def enough(size):
        return all(side >= min(FEW, whole) for side, whole in zip(size, image, strict=True))

    if enough(size):
        return
    rows = [row for row in network.summary().rows if len(row.output_shape) == 3]
    larger = [row for row in rows if enough(row.output_shape[:2])]
    sides = "{} x {}".format
    advice = (
        f"; node={larger[-1].name!r} gives maps of {sides(*larger[-1].output_shape[:2])}"
        if larger
        else ""
    )
    warnings.warn(
        f"ClassActivationDisplay: the maps of {node!r} have {sides(*size)} pixels, stretched over "
        f"images of {sides(*image)}{advice}.",
        stacklevel=3,
    )


def _rest(network, node, shape):
    """Return a network of the layers after `node`, for training, and the layer it starts with.

    That layer multiplies every map by 1 and adds 0: the gradients of its weights are those of the
    maps. All layers work as in prediction: batch norm uses running statistics, and dropout is left
    out.
    """
    gate = "gate"
    nodes, names = [(gate, DepthwiseConv(1), ("input",))], {node: gate}
    weights = {f"{gate}/w": 1.0}
    for path, layer, inputs in network.resolved.nodes:
        if path == node or not any(entry in names for entry in inputs):
            continue
        if not all(entry in names for entry in inputs):
            raise ValueError(
                f"ClassActivationDisplay: what follows node must depend on {node!r} alone, "
                f"got {path!r}, which reads {inputs}."
            )
        reads = tuple(names[entry] for entry in inputs)
        if layer.training_only:
            names[path] = reads[0]
            continue
        names[path] = name = f"layer{len(nodes)}"
        arrays = network.weights.of(path)
        if isinstance(layer, BatchNorm):
            scale = arrays["gamma"] / np.sqrt(arrays["var"] + layer.eps)
            arrays = {"w": scale, "b": arrays["beta"] - arrays["mean"] * scale}
            layer = DepthwiseConv(1)
        nodes.append((name, layer, reads))
        weights |= {f"{name}/{key}": value for key, value in arrays.items()}
    output = network.resolved.outputs[0]
    if output not in names:
        raise ValueError(
            f"ClassActivationDisplay: the output must depend on node, got {node!r}, "
            f"which {output!r} does not."
        )
    graph = Graph(nodes, outputs=names[output])
    rest = Network(graph, shape, network.n_outputs, dtype=network.dtype, training=True)
    for path, value in weights.items():
        rest.weights[path] = (
            np.reshape(value, rest.weights[path].shape) if np.ndim(value) else value
        )
    return rest, gate
