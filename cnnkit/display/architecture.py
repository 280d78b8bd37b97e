"""Graphs drawn with matplotlib."""

from __future__ import annotations

from typing import TYPE_CHECKING, Self

from cnnkit.display.boxes import boxes_of
from cnnkit.display.figures import check_axes, fitted_network, import_matplotlib, text_width
from cnnkit.display.picture import Picture

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from cnnkit.layers.base import Layer
    from cnnkit.typing import Estimator, InputShape, Layers


class ArchitectureDisplay:
    """Drawing of a network: every layer a box, from top to bottom.

    A drawing higher than a screen is set in several columns, from left to right.

    Parameters
    ----------
    graph : Graph, Layer or list of layers
        What is drawn.
    input_shape : tuple, default=None
        ``(H, W, C)`` of one image; with it every box has its output shape.
    n_outputs : int, default=None
        Number that ``filters=None`` and ``units=None`` stand for.

    Attributes
    ----------
    ax_ : matplotlib.axes.Axes
    figure_ : matplotlib.figure.Figure

    See Also
    --------
    plot_graph : the same as a function.

    Examples
    --------
    >>> from cnnkit import models
    >>> from cnnkit.display import ArchitectureDisplay
    >>> display = ArchitectureDisplay(models.convnet(), (28, 28, 1), n_outputs=10).plot()
    """

    def __init__(
        self,
        graph: Layer | Layers,
        input_shape: InputShape | None = None,
        *,
        n_outputs: int | None = None,
    ) -> None:
        self.graph = graph
        self.input_shape = input_shape
        self.n_outputs = n_outputs

    @classmethod
    def from_estimator(cls, estimator: Estimator, *, ax: Axes | None = None) -> Self:
        """Draw the network of a fitted estimator.

        Parameters
        ----------
        estimator : CNNClassifier or another of cnnkit's, fitted
            What was fitted; it is not changed.
        ax : matplotlib.axes.Axes, default=None
            Axes to draw on; None makes a new figure, as large as the graph needs.

        Returns
        -------
        display : ArchitectureDisplay

        Examples
        --------
        >>> from sklearn.datasets import load_digits
        >>> from cnnkit import CNNClassifier
        >>> from cnnkit.display import ArchitectureDisplay
        >>> X, y = load_digits().images, load_digits().target
        >>> clf = CNNClassifier(max_iter=1, random_state=0).fit(X[:200], y[:200])
        >>> display = ArchitectureDisplay.from_estimator(clf)
        >>> display.input_shape
        (8, 8, 1)
        """
        network = fitted_network(estimator, cls)
        display = cls(network.graph, network.input_shape, n_outputs=network.n_outputs)
        return display.plot(ax)

    def plot(self, ax: Axes | None = None) -> Self:
        """Draw the network, and return the display.

        Parameters
        ----------
        ax : matplotlib.axes.Axes, default=None
            Axes to draw on; None makes a new figure, as large as the graph needs.

        Returns
        -------
        self : ArchitectureDisplay
            This display, with its attributes.

        Examples
        --------
        >>> from cnnkit import Conv, ReLU, Sequential
        >>> from cnnkit.display import ArchitectureDisplay
        >>> display = ArchitectureDisplay(Sequential([Conv(8), ReLU()]), (8, 8, 1)).plot()
        >>> display.ax_.axison
        False
        """
        self.ax_ = plot_graph(self.graph, self.input_shape, n_outputs=self.n_outputs, ax=ax)
        self.figure_ = self.ax_.figure
        return self


def plot_graph(
    graph: Layer | Layers,
    input_shape: InputShape | None = None,
    *,
    n_outputs: int | None = None,
    ax: Axes | None = None,
) -> Axes:
    """Draw a graph with matplotlib, from top to bottom.

    Every layer is a box with its class and settings, its name and, given `input_shape`, the shape
    of its output. Nested graphs and branches are shaded, outputs have a bold frame. A drawing
    higher than a screen is set in several columns, from left to right.

    Parameters
    ----------
    graph : Graph, Layer or list of layers
        What is drawn.
    input_shape : tuple, default=None
        ``(H, W, C)`` of one sample.
    n_outputs : int, default=None
        Number that ``filters=None`` and ``units=None`` stand for.
    ax : matplotlib.axes.Axes, default=None
        Axes to draw on; None makes a new figure, as large as the graph needs. On smaller axes the
        text is smaller, in as many columns as keep it largest.

    Returns
    -------
    ax : matplotlib.axes.Axes
        The axes that were drawn on.

    Examples
    --------
    >>> from cnnkit import Conv, GlobalAvgPool, ReLU
    >>> from cnnkit.display import plot_graph
    >>> ax = plot_graph([Conv(16), ReLU(), Conv(10, 1), GlobalAvgPool()], (8, 8, 1))
    """
    import_matplotlib("plot_graph")
    check_axes(ax, "plot_graph")
    return Picture(boxes_of(graph, input_shape, n_outputs), text_width).draw(ax)
