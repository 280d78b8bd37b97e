"""Misclassified images."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from cnnkit.display.figures import Tiles, as_images, fitted_classifier, visible
from cnnkit.validate import shapes

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from numpy.typing import ArrayLike

    from cnnkit.typing import Array, Estimator


class MisclassifiedDisplay:
    """Misclassified images, those with the highest confidence first.

    Parameters
    ----------
    images : array of shape (n_wrong, H, W, C)
        The images that were misclassified.
    y_true : array of shape (n_wrong,)
        Their true classes.
    y_pred : array of shape (n_wrong,)
        Their predicted classes.
    confidence : array of shape (n_wrong,), default=None
        Probability of the predicted class.
    n_samples : int, default=None
        Number of predicted images, for the title.
    max_images : int, default=24
        Largest number of images that are drawn.
    names : array of shape (n_wrong,), default=None
        Names of the images, such as those of their files, drawn above their labels.

    Attributes
    ----------
    ax_ : matplotlib.axes.Axes
    images_ : list of matplotlib.image.AxesImage
    figure_ : matplotlib.figure.Figure

    Examples
    --------
    >>> import numpy as np
    >>> from cnnkit.display import MisclassifiedDisplay
    >>> X = np.random.default_rng(0).random((4, 8, 8))
    >>> display = MisclassifiedDisplay.from_predictions(X, [0, 1, 2, 3], [0, 1, 3, 2])
    >>> display.y_true.tolist(), display.y_pred.tolist()
    ([2, 3], [3, 2])
    """

    def __init__(
        self,
        images: Array,
        y_true: Array,
        y_pred: Array,
        *,
        confidence: Array | None = None,
        n_samples: int | None = None,
        max_images: int = 24,
        names: Array | None = None,
    ) -> None:
        self.images = images
        self.y_true = y_true
        self.y_pred = y_pred
        self.confidence = confidence
        self.n_samples = n_samples
        self.max_images = max_images
        self.names = names

    @classmethod
    def from_estimator(
        cls,
        estimator: Estimator,
        X: ArrayLike,
        y: ArrayLike,
        *,
        names: ArrayLike | None = None,
        max_images: int = 24,
        ax: Axes | None = None,
        **kwargs: Any,
    ) -> Self:
        """Predict, and draw the images that a fitted classifier gets wrong.

        Parameters
        ----------
        estimator : CNNClassifier, fitted
            What was fitted; it is not changed.
        X : array of shape (n, H, W, C), (n, H, W) or (n, features)
            Images in the form given to `fit`.
        y : array of shape (n,)
            True classes.
        names : array of shape (n,), default=None
            Names of the images, such as those of their files.
        max_images : int, default=24
            As for the class.
        ax : matplotlib.axes.Axes, default=None
            Axes to draw on; None makes a new figure.
        **kwargs :
            Arguments of `plot`.

        Returns
        -------
        display : MisclassifiedDisplay

        Examples
        --------
        >>> from sklearn.datasets import load_digits
        >>> from cnnkit import CNNClassifier
        >>> from cnnkit.display import MisclassifiedDisplay
        >>> X, y = load_digits().images, load_digits().target
        >>> clf = CNNClassifier(max_iter=1, random_state=0).fit(X[:200], y[:200])
        >>> display = MisclassifiedDisplay.from_estimator(clf, X[200:300], y[200:300], max_images=8)
        >>> bool((display.y_true != display.y_pred).all()), len(display.images_)
        (True, 8)
        """
        estimator = fitted_classifier(estimator, cls)
        proba = estimator.predict_proba(X)
        return cls.from_predictions(
            X,
            y,
            np.asarray(estimator.classes_)[proba.argmax(axis=1)],
            confidence=proba.max(axis=1),
            image_shape=estimator.input_shape_,
            names=names,
            max_images=max_images,
            ax=ax,
            **kwargs,
        )

    @classmethod
    def from_predictions(
        cls,
        X: ArrayLike,
        y_true: ArrayLike,
        y_pred: ArrayLike,
        *,
        confidence: ArrayLike | None = None,
        image_shape: Sequence[int] | None = None,
        names: ArrayLike | None = None,
        max_images: int = 24,
        ax: Axes | None = None,
        **kwargs: Any,
    ) -> Self:
        """Draw the images whose true and predicted labels differ.

        Parameters
        ----------
        X : array of shape (n, H, W, C), (n, H, W) or (n, features)
            Images in any scale.
        y_true : array of shape (n,)
            True classes.
        y_pred : array of shape (n,)
            Predicted classes.
        confidence : array of shape (n,), default=None
            Probability of the predicted class; if given, the highest comes first.
        image_shape : tuple (H, W, C), default=None
            Needed for flat rows.
        names : array of shape (n,), default=None
            Names of the images, such as those of their files.
        max_images : int, default=24
            As for the class.
        ax : matplotlib.axes.Axes, default=None
            Axes to draw on; None makes a new figure.
        **kwargs :
            Arguments of `plot`.

        Returns
        -------
        display : MisclassifiedDisplay

        Examples
        --------
        >>> import numpy as np
        >>> from cnnkit.display import MisclassifiedDisplay
        >>> X, names = np.zeros((3, 8, 8)), ["a.png", "b.png", "c.png"]
        >>> display = MisclassifiedDisplay.from_predictions(X, [0, 1, 1], [0, 0, 0], names=names)
        >>> display.names.tolist()
        ['b.png', 'c.png']
        """
        X, y_true, y_pred = np.asarray(X), np.asarray(y_true), np.asarray(y_pred)
        if y_true.ndim != 1 or not len(X) == len(y_true) == len(y_pred) or y_pred.ndim != 1:
            raise ValueError(
                "MisclassifiedDisplay: y_true and y_pred must be one label for each of the "
                f"{len(X)} images, got shapes {y_true.shape} and {y_pred.shape}."
            )
        if image_shape is None and X.ndim not in (3, 4):
            raise ValueError(
                "MisclassifiedDisplay: image_shape must be given where X has flat rows, "
                f"got X of shape {X.shape}."
            )
        if names is not None:
            names = np.asarray(names)
            if names.shape != (len(X),):
                raise ValueError(
                    f"MisclassifiedDisplay: names must be one for each of the {len(X)} images, "
                    f"got shape {names.shape}."
                )
        shape = (*X.shape[1:], 1)[:3] if image_shape is None else tuple(image_shape)
        wrong = np.flatnonzero(y_true != y_pred)
        if confidence is not None:
            confidence = np.asarray(confidence)
            wrong = wrong[np.argsort(-confidence[wrong], kind="stable")]
        display = cls(
            as_images(X[wrong], (*shape, 1)[:3], "MisclassifiedDisplay"),
            y_true[wrong],
            y_pred[wrong],
            confidence=None if confidence is None else confidence[wrong],
            n_samples=len(X),
            max_images=max_images,
            names=None if names is None else names[wrong],
        )
        return display.plot(ax, **kwargs)

    def plot(self, ax: Axes | None = None, *, columns: int = 8, cmap: Any = "gray") -> Self:
        """Draw on `ax`, or on a new figure when None, and return the display.

        Parameters
        ----------
        ax : matplotlib.axes.Axes, default=None
            Axes to draw on; None makes a new figure.
        columns : int, default=8
            Images side by side.
        cmap : str or Colormap, default="gray"
            Colours of images that have one channel.

        Returns
        -------
        self : MisclassifiedDisplay
            This display, with its attributes.

        Examples
        --------
        >>> import numpy as np
        >>> from cnnkit.display import MisclassifiedDisplay
        >>> display = MisclassifiedDisplay(np.zeros((2, 8, 8, 1)), [0, 1], [1, 0], n_samples=10)
        >>> len(display.plot(columns=2).images_)
        2
        """
        columns = shapes.as_int(columns, "columns", "MisclassifiedDisplay")
        most = shapes.as_int(self.max_images, "max_images", "MisclassifiedDisplay", 0)
        count = min(len(self.images), most)
        height, width = self.images.shape[1:3] if count else (1, 4)
        titles = [f"{self.y_true[k]} as {self.y_pred[k]}" for k in range(count)]
        tiles = Tiles(count, height, width, columns)
        if any("\n" in tiles.fitting(title) for title in titles):
            titles = [f"{self.y_true[k]}\nas {self.y_pred[k]}" for k in range(count)]
        if self.confidence is not None:
            titles = [f"{title}\n{self.confidence[k]:.0%} sure" for k, title in enumerate(titles)]
        if self.names is not None:
            titles = [f"{self.names[k]}\n{title}" for k, title in enumerate(titles)]
        tiles = Tiles(count, height, width, columns, titles=titles)
        self.ax_ = ax = tiles.axes(ax, "MisclassifiedDisplay")
        self.figure_ = ax.figure
        self.images_ = []
        for k in range(count):
            image = visible(np.asarray(self.images[k], float))
            self.images_.append(tiles.draw(ax, k, image, titles[k], cmap=cmap))
        of = "" if self.n_samples is None else f" of {self.n_samples}"
        shown = f" ({count} shown)" if count < len(self.images) else ""
        ax.set_title(f"{len(self.images)}{of} wrong{shown}", fontsize=10)
        return self
