"""Curves: the loss over a fit, and over learning rates."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from cnnkit.display.figures import axes_or_new
from cnnkit.estimators.base import BaseCNN
from cnnkit.estimators.lr_find import RateRange, lr_find
from cnnkit.estimators.snapshot import snapshot

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from numpy.typing import ArrayLike

    from cnnkit.typing import Estimator

TRAINING, VALIDATION, SCORE = "#0072b2", "#d55e00", "#009e73"  # colour-blind safe
SCORES = (SCORE, "#cc79a7", "#56b4e9", "#e69f00", "#000000")
LEGEND_COLUMNS = 3


class LossCurveDisplay:
    """Loss of every epoch, and validation loss and scores if there are any.

    Parameters
    ----------
    loss_curve : array of shape (n_epochs,)
        Mean training loss of every epoch.
    validation_loss_curve : array of shape (n_epochs,), default=None
        Mean validation loss of every epoch; None draws none.
    validation_scores : array of shape (n_epochs,), default=None
        Score of every epoch; drawn on an axis of its own, at the right.
    score_name : str, default="validation score"
        Name of `validation_scores` in the legend.
    estimator_name : str, default=None
        The title.
    score_curves : dict of str to array of shape (n_epochs,), default=None
        Several scores by name, such as ``"validation_f1"`` and ``"train_f1"``, which are drawn in
        the place of `validation_scores`, those of training thinner.

    Attributes
    ----------
    ax_ : matplotlib.axes.Axes
    score_ax_ : matplotlib.axes.Axes or None
        The axis of the scores.
    lines_ : list of matplotlib.lines.Line2D
        Loss, and validation loss and scores if drawn.
    figure_ : matplotlib.figure.Figure

    Examples
    --------
    >>> from cnnkit.display import LossCurveDisplay
    >>> display = LossCurveDisplay([2.1, 1.4, 1.0], validation_loss_curve=[2.0, 1.5, 1.3]).plot()
    >>> display.ax_.get_xlabel()
    'epoch'
    """

    def __init__(
        self,
        loss_curve: ArrayLike,
        *,
        validation_loss_curve: ArrayLike | None = None,
        validation_scores: ArrayLike | None = None,
        score_name: str = "validation score",
        estimator_name: str | None = None,
        score_curves: Mapping[str, ArrayLike] | None = None,
    ) -> None:
        self.loss_curve = loss_curve
        self.validation_loss_curve = validation_loss_curve
        self.validation_scores = validation_scores
        self.score_name = score_name
        self.estimator_name = estimator_name
        self.score_curves = score_curves

    @classmethod
    def from_estimator(cls, estimator: Any, *, ax: Axes | None = None, **kwargs: Any) -> Self:
        """Draw the curves of a fitted estimator.

        Parameters
        ----------
        estimator : CNNClassifier or another that has `loss_curve_`
            `validation_loss_curve_`, and `score_curves_` or `validation_scores_`, are drawn if it
            has them.
        ax : matplotlib.axes.Axes, default=None
            Axes to draw on; None makes a new figure.
        **kwargs :
            Arguments of matplotlib's ``plot``, for all lines.

        Returns
        -------
        display : LossCurveDisplay

        Examples
        --------
        >>> from sklearn.datasets import load_digits
        >>> from cnnkit import CNNClassifier
        >>> from cnnkit.display import LossCurveDisplay
        >>> X, y = load_digits().images, load_digits().target
        >>> clf = CNNClassifier(max_iter=1, random_state=0).fit(X[:200], y[:200])
        >>> display = LossCurveDisplay.from_estimator(clf, linewidth=3)
        >>> len(display.lines_)
        1
        """
        if isinstance(estimator, BaseCNN):  # another thread may fit it at the same time
            estimator = snapshot(estimator)
        loss_curve = getattr(estimator, "loss_curve_", None)
        if loss_curve is None:
            raise ValueError(
                f"LossCurveDisplay: estimator must be fitted and have a loss_curve_, "
                f"got {estimator!r}."
            )
        display = cls(
            loss_curve,
            validation_loss_curve=getattr(estimator, "validation_loss_curve_", None),
            validation_scores=getattr(estimator, "validation_scores_", None),
            estimator_name=type(estimator).__name__,
            score_curves=getattr(estimator, "score_curves_", None),
        )
        return display.plot(ax, **kwargs)

    def plot(self, ax: Axes | None = None, **kwargs: Any) -> Self:
        """Draw on `ax`, or on a new figure when None, and return the display.

        Parameters
        ----------
        ax : matplotlib.axes.Axes, default=None
            Axes to draw on; None makes a new figure.
        **kwargs : object
            Arguments of matplotlib's ``plot``, for all lines.

        Returns
        -------
        self : LossCurveDisplay
            This display, with its attributes.

        Examples
        --------
        >>> from cnnkit.display import LossCurveDisplay
        >>> display = LossCurveDisplay([2.1, 1.4], validation_scores=[0.5, 0.7]).plot(linewidth=3)
        >>> display.score_ax_.get_ylabel()
        'validation score'
        """
        curves = self._scores()
        size = (5.5, 3.6) if len(curves) < 2 else (7.5, 4.2)  # a legend of several rows
        self.ax_ = ax = axes_or_new(ax, "LossCurveDisplay", size)
        self.figure_ = ax.figure
        self.score_ax_ = None
        self.lines_ = _curve(ax, self.loss_curve, "training", TRAINING, kwargs)
        style = {"linestyle": "--", **kwargs}
        self.lines_ += _curve(ax, self.validation_loss_curve, "validation", VALIDATION, style)
        ax.set(xlabel="epoch", ylabel="loss")
        ax.xaxis.get_major_locator().set_params(integer=True)
        ax.grid(alpha=0.3)
        ax.spines["top"].set_visible(False)
        if curves:
            self.score_ax_ = beside = ax.twinx()
            for name, (curve, style) in curves.items():
                self.lines_ += _curve(beside, curve, name, SCORE, style | kwargs)
            beside.set_ylabel(next(iter(curves)) if len(curves) == 1 else "score", color=SCORE)
            beside.tick_params(axis="y", colors=SCORE)
            beside.spines["top"].set_visible(False)
        else:
            ax.spines["right"].set_visible(False)
        rows = -(-len(self.lines_) // LEGEND_COLUMNS) if len(self.lines_) > 1 else 0
        if rows:
            columns = min(len(self.lines_), LEGEND_COLUMNS)
            above = {"loc": "lower center", "bbox_to_anchor": (0.5, 1), "ncols": columns}
            ax.legend(handles=self.lines_, frameon=False, fontsize=9 if rows > 1 else None, **above)
        ax.set_title(self.estimator_name or "", pad=8 + 18 * rows if rows else None)
        return self

    def _scores(self):
        """Return the curves of scores and their styles, by label."""
        usual = {"linestyle": ":", "linewidth": 2, "color": SCORE}
        if not self.score_curves:
            found = {self.score_name: self.validation_scores}
            return {name: (curve, usual) for name, curve in found.items() if _has(curve)}
        found, colors = {}, {}
        for name, curve in self.score_curves.items():
            kind, _, score = name.partition("_")
            color = colors.setdefault(score, SCORES[len(colors) % len(SCORES)])
            thin = {"linewidth": 1} if kind == "train" else {}
            found[f"{kind} {score}".strip()] = curve, usual | {"color": color} | thin
        return found


class LearningRateDisplay:
    """Loss at rising learning rates, and the suggested rate.

    Smith (2017), "Cyclical learning rates for training neural networks".

    Parameters
    ----------
    learning_rates : array of shape (n_steps,)
        In rising order.
    losses : array of shape (n_steps,)
        Loss at each of them.
    suggestion : float, default=None
        The rate to mark; None marks none.

    Attributes
    ----------
    ax_ : matplotlib.axes.Axes
    line_, suggestion_line_ : matplotlib.lines.Line2D
        `suggestion_line_` is None without a suggestion.
    figure_ : matplotlib.figure.Figure

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from cnnkit import CNNClassifier
    >>> from cnnkit.display import LearningRateDisplay
    >>> X, y = load_digits(return_X_y=True)
    >>> clf = CNNClassifier(image_shape=(8, 8), random_state=0)
    >>> display = LearningRateDisplay.from_estimator(clf, X / 16, y)
    >>> 1e-4 < display.suggestion < 0.1
    True
    """

    def __init__(
        self, learning_rates: ArrayLike, losses: ArrayLike, *, suggestion: float | None = None
    ) -> None:
        self.learning_rates = learning_rates
        self.losses = losses
        self.suggestion = suggestion

    @classmethod
    def from_estimator(
        cls,
        estimator: Estimator,
        X: ArrayLike,
        y: ArrayLike,
        *,
        low: float = 1e-5,
        high: float = 1.0,
        steps: int = 100,
        sample_weight: ArrayLike | None = None,
        ax: Axes | None = None,
        **kwargs: Any,
    ) -> Self:
        """Find rates with `cnnkit.lr_find`, and draw.

        Parameters
        ----------
        estimator : CNNClassifier or another of cnnkit's
            As for `cnnkit.lr_find`; it is not changed.
        X : array of shape (n, H, W, C), (n, H, W) or (n, features)
            As in `fit`.
        y : array of shape (n,), or as in `fit`
            As in `fit`.
        low : float, default=1e-5
            First rate.
        high : float, default=1.0
            Last rate.
        steps : int, default=100
            Number of rates between them.
        sample_weight : array of shape (n,), default=None
            As in `fit`.
        ax : matplotlib.axes.Axes, default=None
            Axes to draw on; None makes a new figure.
        **kwargs :
            Arguments of matplotlib's ``plot``.

        Returns
        -------
        display : LearningRateDisplay

        Examples
        --------
        >>> from sklearn.datasets import load_digits
        >>> from cnnkit import CNNClassifier
        >>> from cnnkit.display import LearningRateDisplay
        >>> X, y = load_digits(return_X_y=True)
        >>> clf = CNNClassifier(image_shape=(8, 8), random_state=0)
        >>> display = LearningRateDisplay.from_estimator(clf, X, y, steps=20)
        >>> display.ax_.get_xscale()
        'log'
        """
        found = lr_find(
            estimator, X, y, low=low, high=high, steps=steps, sample_weight=sample_weight
        )
        return cls.from_range(found, ax=ax, **kwargs)

    @classmethod
    def from_range(cls, found: RateRange, *, ax: Axes | None = None, **kwargs: Any) -> Self:
        """Draw what `cnnkit.lr_find` returned.

        Parameters
        ----------
        found : cnnkit.estimators.lr_find.RateRange
            Rates, losses and the suggested rate.
        ax : matplotlib.axes.Axes, default=None
            Axes to draw on; None makes a new figure.
        **kwargs :
            Arguments of matplotlib's ``plot``.

        Returns
        -------
        display : LearningRateDisplay

        Examples
        --------
        >>> from sklearn.datasets import load_digits
        >>> from cnnkit import CNNClassifier, lr_find
        >>> from cnnkit.display import LearningRateDisplay
        >>> X, y = load_digits(return_X_y=True)
        >>> clf = CNNClassifier(image_shape=(8, 8), random_state=0)
        >>> found = lr_find(clf, X, y, steps=20)
        >>> LearningRateDisplay.from_range(found).suggestion == found.suggestion
        True
        """
        rates, losses, suggestion = found
        return cls(rates, losses, suggestion=suggestion).plot(ax, **kwargs)

    def plot(self, ax: Axes | None = None, **kwargs: Any) -> Self:
        """Draw on `ax`, or on a new figure when None, and return the display.

        Parameters
        ----------
        ax : matplotlib.axes.Axes, default=None
            Axes to draw on; None makes a new figure.
        **kwargs : object
            Arguments of matplotlib's ``plot``.

        Returns
        -------
        self : LearningRateDisplay
            This display, with its attributes.

        Examples
        --------
        >>> from cnnkit.display import LearningRateDisplay
        >>> display = LearningRateDisplay([1e-4, 1e-3, 1e-2], [2.3, 2.1, 2.5]).plot()
        >>> display.ax_.get_xlabel()
        'learning rate'
        """
        self.ax_ = ax = axes_or_new(ax, "LearningRateDisplay", (5.5, 3.6))
        self.figure_ = ax.figure
        losses = np.asarray(self.losses, float)
        style = {"color": TRAINING, **kwargs}
        (self.line_,) = ax.plot(self.learning_rates, losses, **style)
        finite = losses[np.isfinite(losses)]
        if len(finite):  # losses after divergence would flatten the curve
            low, high = finite.min(), max(finite[0], np.median(finite))
            room = max(high - low, 1e-3 * max(abs(high), 1e-12))
            ax.set_ylim(low - 0.1 * room, high + 0.4 * room)
        self.suggestion_line_ = None
        if self.suggestion is not None:
            label = f"suggested: {self.suggestion:.2g}"
            self.suggestion_line_ = ax.axvline(
                self.suggestion, color=VALIDATION, linestyle="--", label=label
            )
            ax.legend(frameon=False)
        ax.set(xscale="log", xlabel="learning rate", ylabel="loss")
        ax.grid(alpha=0.3)
        ax.spines[["top", "right"]].set_visible(False)
        return self


def _has(curve):
    return curve is not None and len(curve) > 0


def _curve(ax, curve, label, color, style):
    if not _has(curve):
        return []
    marker = {"marker": "o", "markersize": 4} if len(curve) == 1 else {}
    epochs = np.arange(1, len(curve) + 1)
    return ax.plot(epochs, curve, **{"label": label, "color": color, **marker, **style})
