"""Curves: the loss over a fit, and over learning rates."""

import numpy as np

from cnnkit.display.figures import axes_or_new

TRAINING, VALIDATION, SCORE = "#0072b2", "#d55e00", "#009e73"  # colour-blind safe


class LossCurveDisplay:
    """Loss of every epoch; validation loss and score where there are any.

    Parameters
    ----------
    loss_curve : array of shape (n_epochs,)
    validation_loss_curve : array of shape (n_epochs,), default=None
    validation_scores : array of shape (n_epochs,), default=None
        On an axis of their own, at the right.
    score_name : str, default="validation score"
    estimator_name : str, default=None
        The title.

    Attributes
    ----------
    ax_ : matplotlib.axes.Axes
    score_ax_ : matplotlib.axes.Axes or None
        The axis of the scores.
    lines_ : list of matplotlib.lines.Line2D
        Loss, validation loss and score, those there are.
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
        loss_curve,
        *,
        validation_loss_curve=None,
        validation_scores=None,
        score_name="validation score",
        estimator_name=None,
    ):
        self.loss_curve = loss_curve
        self.validation_loss_curve = validation_loss_curve
        self.validation_scores = validation_scores
        self.score_name = score_name
        self.estimator_name = estimator_name

    @classmethod
    def from_estimator(cls, estimator, *, ax=None, **kwargs):
        """Draw the curves of a fitted estimator.

        Parameters
        ----------
        estimator : CNNClassifier or another that has `loss_curve_`
            `validation_loss_curve_` and `validation_scores_` are drawn where it has them.
        ax : matplotlib.axes.Axes, default=None
            What to draw on; a new figure when None.
        **kwargs :
            Of matplotlib's ``plot``, for all lines.

        Returns
        -------
        display : LossCurveDisplay
        """
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
        )
        return display.plot(ax, **kwargs)

    def plot(self, ax=None, **kwargs):
        """Draw on `ax`, or on a new figure when None, and return the display."""
        self.ax_ = ax = axes_or_new(ax, "LossCurveDisplay", (5.5, 3.6))
        self.figure_ = ax.figure
        self.score_ax_ = None
        self.lines_ = _curve(ax, self.loss_curve, "training", TRAINING, kwargs)
        style = {"linestyle": "--", **kwargs}
        self.lines_ += _curve(ax, self.validation_loss_curve, "validation", VALIDATION, style)
        ax.set(xlabel="epoch", ylabel="loss")
        ax.xaxis.get_major_locator().set_params(integer=True)
        ax.grid(alpha=0.3)
        ax.spines["top"].set_visible(False)
        if _has(self.validation_scores):
            self.score_ax_ = beside = ax.twinx()
            style = {"linestyle": ":", "linewidth": 2, **kwargs}
            self.lines_ += _curve(beside, self.validation_scores, self.score_name, SCORE, style)
            beside.set_ylabel(self.score_name, color=SCORE)
            beside.tick_params(axis="y", colors=SCORE)
            beside.spines["top"].set_visible(False)
        else:
            ax.spines["right"].set_visible(False)
        if len(self.lines_) > 1:
            above = {"loc": "lower center", "bbox_to_anchor": (0.5, 1), "ncols": len(self.lines_)}
            ax.legend(handles=self.lines_, frameon=False, **above)
        ax.set_title(self.estimator_name or "", pad=26 if len(self.lines_) > 1 else None)
        return self


class LearningRateDisplay:
    """Loss at rising learning rates, and the rate that it suggests.

    Smith (2017), "Cyclical learning rates for training neural networks".

    Parameters
    ----------
    learning_rates : array of shape (n_steps,)
        Rising.
    losses : array of shape (n_steps,)
    suggestion : float, default=None
        The rate to mark; none when None.

    Attributes
    ----------
    ax_ : matplotlib.axes.Axes
    line_, suggestion_line_ : matplotlib.lines.Line2D
        The latter None without a suggestion.
    figure_ : matplotlib.figure.Figure

    Examples
    --------
    >>> import numpy as np
    >>> from cnnkit.display import LearningRateDisplay
    >>> rates = np.geomspace(1e-5, 1, 60)
    >>> losses = 2.3 - 2 / (1 + (0.01 / rates) ** 2) + (rates / 0.3) ** 3
    >>> display = LearningRateDisplay.from_losses(rates, losses)
    >>> 0.003 < display.suggestion < 0.01
    True
    """

    def __init__(self, learning_rates, losses, *, suggestion=None):
        self.learning_rates = learning_rates
        self.losses = losses
        self.suggestion = suggestion

    @classmethod
    def from_losses(cls, learning_rates, losses, *, ax=None, **kwargs):
        """Suggest a rate (see `steepest_rate`) and draw.

        Parameters
        ----------
        learning_rates, losses : arrays of shape (n_steps,)
        ax : matplotlib.axes.Axes, default=None
            What to draw on; a new figure when None.
        **kwargs :
            Of matplotlib's ``plot``.

        Returns
        -------
        display : LearningRateDisplay
        """
        suggestion = steepest_rate(learning_rates, losses)
        return cls(learning_rates, losses, suggestion=suggestion).plot(ax, **kwargs)

    def plot(self, ax=None, **kwargs):
        """Draw on `ax`, or on a new figure when None, and return the display."""
        self.ax_ = ax = axes_or_new(ax, "LearningRateDisplay", (5.5, 3.6))
        self.figure_ = ax.figure
        losses = np.asarray(self.losses, float)
        style = {"color": TRAINING, **kwargs}
        (self.line_,) = ax.plot(self.learning_rates, losses, **style)
        finite = losses[np.isfinite(losses)]
        if len(finite):  # what comes after it diverged would flatten the rest
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


def steepest_rate(learning_rates, losses):
    """Return the rate at which the smoothed loss falls fastest per decade, before its lowest.

    Parameters
    ----------
    learning_rates, losses : arrays of shape (n_steps,)
        Rates rise; losses are smoothed over a tenth of the steps.

    Returns
    -------
    rate : float or None
        None where there are fewer than four losses or they never fall.

    Examples
    --------
    >>> from cnnkit.display import steepest_rate
    >>> steepest_rate([1e-4, 1e-3, 1e-2, 1e-1, 1], [2.3, 2.2, 1.2, 1.0, 9.0])
    0.01
    """
    rates, losses = np.asarray(learning_rates, float), np.asarray(losses, float)
    if rates.shape != losses.shape or rates.ndim != 1:
        raise ValueError(
            "steepest_rate: learning_rates and losses must be of one length, "
            f"got shapes {rates.shape} and {losses.shape}."
        )
    known = np.isfinite(losses)
    rates, losses = rates[known], losses[known]
    if len(rates) < 4:
        return None
    width = max(1, len(losses) // 10) // 2 * 2 + 1
    smooth = np.convolve(np.pad(losses, width // 2, "edge"), np.full(width, 1 / width), "valid")
    lowest = smooth.argmin()
    slopes = np.gradient(smooth, np.log10(rates))[: lowest + 1]
    at = slopes.argmin()
    return float(rates[at]) if slopes[at] < 0 else None


def _has(curve):
    return curve is not None and len(curve) > 0


def _curve(ax, curve, label, color, style):
    if not _has(curve):
        return []
    marker = {"marker": "o", "markersize": 4} if len(curve) == 1 else {}
    epochs = np.arange(1, len(curve) + 1)
    return ax.plot(epochs, curve, **{"label": label, "color": color, **marker, **style})
