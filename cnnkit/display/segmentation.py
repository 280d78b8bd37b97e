"""Images, true masks and predicted masks, side by side or over the images."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from cnnkit.display.figures import (
    FONT,
    Tiles,
    as_images,
    fitted_network,
    import_matplotlib,
    visible,
)
from cnnkit.estimators.snapshot import snapshot
from cnnkit.validate import shapes
from cnnkit.validate.values import as_real, short

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from numpy.typing import ArrayLike

    from cnnkit.typing import Array, Estimator

# of Okabe & Ito (2008), which the colour-blind can tell apart, grey for what comes first
COLOURS = ("#d9d9d9", "#e69f00", "#56b4e9", "#009e73", "#cc79a7", "#0072b2", "#d55e00", "#f0e442")
NOTHING = "#000000"  # of pixels that do not count
MOST_INCHES = 100
LEGEND = 0.35  # inches for the legend, for each of its rows


class SegmentationDisplay:
    """Images, and beside each its true and its predicted mask.

    Parameters
    ----------
    images : array of shape (n, H, W, C)
        Images in any scale.
    y_pred : array of shape (n, H, W)
        Predicted labels.
    y_true : array of shape (n, H, W), default=None
        True labels.
    classes : array of shape (n_classes,), default=None
        Labels in the order of their colours; None means those that occur. Pixels with another
        label, such as that of `CNNSegmenter.ignore_label`, are black.
    class_names : list of str, default=None
        Names for the legend, one for each class; None means the labels.

    Attributes
    ----------
    ax_ : matplotlib.axes.Axes
    images_, masks_ : lists of matplotlib.image.AxesImage
    legend_ : matplotlib.legend.Legend
    figure_ : matplotlib.figure.Figure

    Examples
    --------
    >>> import numpy as np
    >>> from cnnkit.display import SegmentationDisplay
    >>> X = np.random.default_rng(0).random((2, 8, 8))
    >>> y = (X > 0.5).astype(int)
    >>> display = SegmentationDisplay.from_predictions(X, y, y)
    >>> len(display.masks_)
    4
    """

    def __init__(
        self,
        images: Array,
        y_pred: Array,
        y_true: Array | None = None,
        *,
        classes: ArrayLike | None = None,
        class_names: Sequence[str] | None = None,
    ) -> None:
        self.images = images
        self.y_pred = y_pred
        self.y_true = y_true
        self.classes = classes
        self.class_names = class_names

    @classmethod
    def from_estimator(
        cls,
        estimator: Estimator,
        X: ArrayLike,
        y: ArrayLike | None = None,
        *,
        class_names: Sequence[str] | None = None,
        ax: Axes | None = None,
        **kwargs: Any,
    ) -> Self:
        """Predict the masks of a few images and draw them.

        Parameters
        ----------
        estimator : CNNSegmenter, fitted
            What was fitted; it is not changed.
        X : array of shape (n, H, W, C), (n, H, W) or (n, features)
            A few images in the form given to `fit`.
        y : array of shape (n, H, W), default=None
            True labels.
        class_names : list of str, default=None
            Names of ``estimator.classes_`` for the legend.
        ax : matplotlib.axes.Axes, default=None
            Axes to draw on; None makes a new figure.
        **kwargs :
            Arguments of `plot`.

        Returns
        -------
        display : SegmentationDisplay

        Examples
        --------
        >>> import numpy as np
        >>> from cnnkit import CNNSegmenter
        >>> from cnnkit.display import SegmentationDisplay
        >>> X = np.random.default_rng(0).random((20, 8, 8))
        >>> y = (X > 0.5).astype(int)
        >>> model = CNNSegmenter(max_iter=1, random_state=0).fit(X, y)
        >>> display = SegmentationDisplay.from_estimator(model, X[:3], y[:3])
        >>> len(display.masks_)  # a true and a predicted one for each image
        6
        """
        fitted_network(estimator, cls)
        estimator = snapshot(estimator)
        if not getattr(estimator, "_labels_pixels", False):
            raise ValueError(
                f"SegmentationDisplay: estimator must be a CNNSegmenter, got {estimator!r}."
            )
        y_pred: Any = estimator.predict(X)
        images = as_images(X, estimator.network_.input_shape, "SegmentationDisplay")
        known = estimator.classes_
        return cls.from_predictions(
            images, y, y_pred, classes=known, class_names=class_names, ax=ax, **kwargs
        )

    @classmethod
    def from_predictions(
        cls,
        X: ArrayLike,
        y_true: ArrayLike | None,
        y_pred: ArrayLike,
        *,
        classes: ArrayLike | None = None,
        class_names: Sequence[str] | None = None,
        ax: Axes | None = None,
        **kwargs: Any,
    ) -> Self:
        """Draw images with masks that are known.

        Parameters
        ----------
        X : array of shape (n, H, W, C) or (n, H, W)
            Images in any scale.
        y_true : array of shape (n, H, W) or None
            True labels.
        y_pred : array of shape (n, H, W)
            Predicted labels.
        classes : array of shape (n_classes,), default=None
            Labels in the order of their colours; None means those that occur.
        class_names : list of str, default=None
            Names for the legend, one for each class; None means the labels.
        ax : matplotlib.axes.Axes, default=None
            Axes to draw on; None makes a new figure.
        **kwargs :
            Arguments of `plot`.

        Returns
        -------
        display : SegmentationDisplay

        Examples
        --------
        >>> import numpy as np
        >>> from cnnkit.display import SegmentationDisplay
        >>> X, y = np.zeros((2, 8, 8)), np.eye(8, dtype=int)[None].repeat(2, axis=0)
        >>> display = SegmentationDisplay.from_predictions(X, None, y, class_names=["rest", "line"])
        >>> [text.get_text() for text in display.legend_.get_texts()]
        ['rest', 'line']
        """
        X, y_pred = np.asarray(X), np.asarray(y_pred)
        y_true = None if y_true is None else np.asarray(y_true)
        if X.ndim not in (3, 4):
            raise ValueError(
                f"SegmentationDisplay: X must be (n, H, W) or (n, H, W, C), got shape {X.shape}."
            )
        for name, y in (("y_pred", y_pred), ("y_true", y_true)):
            if y is not None and y.shape != X.shape[:3]:
                raise ValueError(
                    f"SegmentationDisplay: {name} must be a label for each pixel of X, "
                    f"{X.shape[:3]}, got shape {y.shape}."
                )
        images = as_images(X, (*X.shape[1:], 1)[:3], "SegmentationDisplay")
        display = cls(images, y_pred, y_true, classes=classes, class_names=class_names)
        return display.plot(ax, **kwargs)

    def plot(
        self,
        ax: Axes | None = None,
        *,
        columns: int = 2,
        alpha: float = 1.0,
        colors: Sequence[Any] = COLOURS,
        inch: float = 1.3,
    ) -> Self:
        """Draw on `ax`, or on a new figure when None, and return the display.

        Parameters
        ----------
        ax : matplotlib.axes.Axes, default=None
            Axes to draw on; None makes a new figure.
        columns : int, default=2
            Images side by side, each with its masks.
        alpha : float, default=1.0
            Opacity of the masks: below 1 the image is seen through them.
        colors : list of colours
            Colours of the classes, taken anew from the start if there are more.
        inch : float, default=1.3
            Length of the longer side of an image, in a new figure.

        Returns
        -------
        self : SegmentationDisplay
            This display, with its attributes.

        Examples
        --------
        >>> import numpy as np
        >>> from cnnkit.display import SegmentationDisplay
        >>> masks = np.eye(8, dtype=int)[None]
        >>> display = SegmentationDisplay(np.zeros((1, 8, 8, 1)), masks)
        >>> len(display.plot(alpha=0.5, colors=["white", "red"]).masks_)
        1
        """
        columns = shapes.as_int(columns, "columns", "SegmentationDisplay")
        alpha = as_real(alpha, "alpha", "SegmentationDisplay", least=0, most=1)
        inch = as_real(inch, "inch", "SegmentationDisplay", above=0, most=MOST_INCHES)
        if not isinstance(colors, (list, tuple)) or not colors:
            raise ValueError(
                f"SegmentationDisplay: colors must be a list of colours, got {short(colors)}."
            )
        import_matplotlib("SegmentationDisplay")
        known = self._classes()
        masks = {} if self.y_true is None else {"true": self.y_true}
        masks["predicted"] = self.y_pred
        n, each = len(self.images), 1 + len(masks)
        if not n:
            raise ValueError("SegmentationDisplay: there must be images, got none.")
        rows = -(-n // columns)
        across = -(-n // rows) * each
        height, width = self.images.shape[1:3]
        tiles = Tiles(rows * across, height, width, across, titles=["predicted"], inch=inch)
        self.ax_ = ax = tiles.axes(ax, "SegmentationDisplay", top=0.1 + LEGEND)
        self.figure_ = ax.figure
        self.images_, self.masks_ = [], []
        for k, image in enumerate(self.images):
            drawn = visible(np.asarray(image, float))
            self.images_.append(tiles.draw(ax, each * k, drawn, "image", cmap="gray"))
            for place, (title, mask) in enumerate(masks.items(), each * k + 1):
                if alpha < 1:
                    tiles.draw(ax, place, drawn, cmap="gray")
                painted = _painted(np.asarray(mask)[k], known, colors)
                self.masks_.append(tiles.draw(ax, place, painted, title, alpha=alpha))
        self.legend_ = self._legend(ax, known, colors, tiles)
        return self

    def _classes(self):
        """Return the labels that have colours, in order."""
        if self.classes is not None:
            return np.asarray(self.classes)
        found = np.unique(self.y_pred)
        return found if self.y_true is None else np.union1d(found, self.y_true)

    def _legend(self, ax, known, colors, tiles):
        """Draw and return the legend of the classes."""
        from matplotlib.patches import Patch

        given = self.class_names
        names = [str(name) for name in (known if given is None else np.atleast_1d(given))]
        if len(names) != len(known):
            raise ValueError(
                f"SegmentationDisplay: class_names must be {len(known)} names, one for each class, "
                f"got {self.class_names!r}."
            )
        patches = [
            Patch(facecolor=colors[i % len(colors)], edgecolor="#777777", label=name)
            for i, name in enumerate(names)
        ]
        return ax.legend(
            handles=patches,
            loc="lower center",
            bbox_to_anchor=(0.5, 1.0),
            ncols=len(patches),
            fontsize=FONT * tiles.scale,
            frameon=False,
            borderaxespad=0.1,
            handlelength=1.2,
            columnspacing=1.2,
        )


def _painted(mask, known, colors):
    """Return a mask as colours (H, W, 3)."""
    from matplotlib.colors import to_rgb

    found = np.tile(to_rgb(NOTHING), (*mask.shape, 1))
    for i, label in enumerate(known):
        found[mask == label] = to_rgb(colors[i % len(colors)])
    return found
