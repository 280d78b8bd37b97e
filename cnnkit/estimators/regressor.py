"""The regressor."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Literal, Self, Unpack

import numpy as np
from sklearn.base import RegressorMixin, clone
from sklearn.utils import column_or_1d
from sklearn.utils._param_validation import StrOptions

from cnnkit.data.scaling import INPUT, TARGETS, from_standard, kept
from cnnkit.estimators.base import BaseCNN
from cnnkit.estimators.classifier import for_steps
from cnnkit.estimators.options import Reals, Shared, extends
from cnnkit.estimators.snapshot import of_one_moment
from cnnkit.estimators.warnings import gives_any_number
from cnnkit.exceptions import overflow_allowed
from cnnkit.losses import (
    AbsoluteError,
    GammaDeviance,
    Huber,
    Loss,
    OwnLoss,
    Pinball,
    PoissonDeviance,
    SquaredError,
    inverse_link,
)
from cnnkit.network.prediction import check_outputs

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

    from cnnkit.graph.graph import Graph
    from cnnkit.typing import Floats, Layers, Model, RegressionLoss

LOSSES: dict[str, type[Loss]] = {
    "squared_error": SquaredError,
    "absolute_error": AbsoluteError,
    "huber": Huber,
    "quantile": Pinball,
    "poisson": PoissonDeviance,
    "gamma": GammaDeviance,
}


@extends(BaseCNN)
class CNNRegressor(RegressorMixin, BaseCNN):
    """Convolutional network regressor: one number or several for every image.

    Hyper-parameters have the names of scikit-learn's MLPRegressor and GradientBoostingRegressor.
    Targets may have any scale.

    Parameters
    ----------
    {parameters}
    loss : {"squared_error", "absolute_error", "huber", "quantile", "poisson", "gamma"} or Loss, \
            default="squared_error"
        The loss of a residual, averaged over samples and targets: half its square, its absolute
        value, or half its square up to `huber_delta` and a straight line beyond. "quantile" is the
        pinball loss, least at the `quantile` of y. "poisson" and "gamma" are half the deviance of
        these distributions, for counts (y at least 0) and for positive y: the network gives the
        logarithm of the prediction, which is always positive. Your own loss is an instance of
        `cnnkit.losses.Loss`, averaged over samples; predictions are then the outputs of the
        network, or their exponentials if its `link` is "log", and `save` refuses the estimator.
    huber_delta : float, default=1.0
        For "huber" only, in units of y.
    quantile : float, default=0.5
        For "quantile" only, above 0 and below 1: 0.9 is exceeded by a tenth of y. The score of
        `early_stopping` is then minus the loss, unless `scoring` says another.
    standardize_targets : bool, default=True
        Train on ``(y - mean) / deviation`` of every target, for "poisson" and "gamma" on
        ``y / mean``, and predict in units of y. This is done only if the network ends in a layer
        without an activation, whose outputs may be any number. Losses and their curves are those of
        standardised targets.

    Attributes
    ----------
    n_outputs_ : int
        Number of targets.
    link_ : {"identity", "log"}
        Whether predictions are the outputs of the network or their exponentials, in units of y.
    {attributes}

    Examples
    --------
    >>> import numpy as np
    >>> from cnnkit import CNNRegressor
    >>> X = np.random.default_rng(0).random((200, 6, 6))
    >>> y = X.mean(axis=(1, 2)) * 10
    >>> reg = CNNRegressor(random_state=0)
    >>> reg.fit(X, y).score(X, y) > 0.8
    True
    """

    n_outputs_: int
    link_: Literal["identity", "log"]

    _parameter_constraints: ClassVar[dict[str, Any]] = {
        **BaseCNN._parameter_constraints,
        "loss": [StrOptions({*LOSSES}), Loss],
        "huber_delta": [Reals(0, None, closed="neither")],
        "quantile": [Reals(0, 1, closed="neither")],
        "standardize_targets": ["boolean"],
    }
    _target_options: ClassVar[dict[str, Any]] = {"multi_output": True, "y_numeric": True}
    _learned_of_targets: ClassVar[tuple[str, ...]] = ("link_",)
    _output_word = "target"
    _longer = 2  # times the epochs of a classifier: regression still improves then
    _dropout = 0.0  # dropout would shift the mean of the last layer's input

    def __init__(
        self,
        layers: Layers | Graph | Model | None = None,
        *,
        loss: RegressionLoss | Loss = "squared_error",
        huber_delta: float = 1.0,
        quantile: float = 0.5,
        standardize_targets: bool = True,
        **shared: Unpack[Shared],
    ) -> None:
        super().__init__(layers, **shared)
        self.loss = loss
        self.huber_delta = huber_delta
        self.quantile = quantile
        self.standardize_targets = standardize_targets

    @for_steps
    def partial_fit(
        self, X: ArrayLike, y: ArrayLike, sample_weight: ArrayLike | None = None
    ) -> Self:
        """Train for one epoch over the samples given, starting from the present weights.

        Early ends of training (`early_stopping`, `tol`, `max_time`) and callbacks are for `fit`
        only. If an error or Ctrl-C ends the call, the estimator is as it was before.

        Parameters
        ----------
        X : array of shape (n, H, W, C), (n, H, W) or (n, features)
            As in `fit`.
        y : array of shape (n,) or (n, n_outputs)
            As in `fit`.
        sample_weight : array of shape (n,), default=None
            As in `fit`.

        Returns
        -------
        self : CNNRegressor
            The estimator itself.

        Examples
        --------
        >>> import numpy as np
        >>> from cnnkit import CNNRegressor
        >>> rng, reg = np.random.default_rng(0), CNNRegressor(random_state=0)
        >>> for part in range(3):
        ...     images = rng.random((20, 6, 6))
        ...     reg = reg.partial_fit(images, images.mean(axis=(1, 2)))
        >>> reg.n_iter_
        3
        """
        return self._partial_fit(X, y, sample_weight)

    @of_one_moment
    def predict(self, X: ArrayLike) -> Floats:
        """Return the targets of every sample.

        Parameters
        ----------
        X : array of shape (n, H, W, C), (n, H, W) or (n, features)
            Images of the shape given to `fit`.

        Returns
        -------
        y : array of shape (n,) or (n, n_outputs)
            In the units and with the axes of y in `fit`.

        Raises
        ------
        NotFittedError
            If the estimator is not fitted.
        ValueError, TypeError
            If X is no array of finite real numbers of a shape that the network takes.

        Examples
        --------
        >>> import numpy as np
        >>> from cnnkit import CNNRegressor
        >>> X = np.random.default_rng(0).random((100, 6, 6))
        >>> reg = CNNRegressor(max_iter=2, random_state=0).fit(X, X.mean(axis=(1, 2)))
        >>> reg.predict(X[:5]).shape
        (5,)
        """
        with overflow_allowed():
            outputs = self._outputs(X)  # raises unless fitted
            outputs = from_standard(inverse_link(self.link_, outputs), self.network_.weights)
        check_outputs(outputs, type(self).__name__)
        return outputs[:, 0] if self.n_outputs_ == 1 else outputs

    if TYPE_CHECKING:  # scikit-learn has no annotations

        def score(
            self, X: ArrayLike, y: ArrayLike, sample_weight: ArrayLike | None = None
        ) -> float: ...

    # Targets

    def _check_y(self, y):
        y = np.asarray(y)
        return column_or_1d(y, warn=True) if y.ndim == 2 and y.shape[1] == 1 else y

    def _learn(self, y, classes=None, part=False):
        return {"n_outputs_": 1 if y.ndim == 1 else y.shape[1], "link_": self._link()}

    def _link(self):
        """Return the link of the loss."""
        found = self.loss if isinstance(self.loss, Loss) else LOSSES.get(self.loss, Loss)
        if found.link not in ("identity", "log"):
            raise ValueError(
                f"{type(self).__name__}: link of {found!r} must be 'identity' or 'log', got "
                f"{found.link!r}."
            )
        return found.link

    def _check_learnt(self, learnt):
        if learnt["n_outputs_"] != self.n_outputs_:
            raise ValueError(
                f"CNNRegressor: y must have {self.n_outputs_} targets, as before, "
                f"got {learnt['n_outputs_']}."
            )
        self._check_link(learnt)

    def _check_link(self, learnt):
        if learnt["link_"] != self.link_:
            raise ValueError(
                f"{type(self).__name__}: loss must keep the link {self.link_!r} of the outputs "
                f"learnt before, got {self.loss!r}, whose link is {learnt['link_']!r}."
            )

    def _encode(self, y, learnt, name="y"):
        y = y[:, None] if y.ndim == 1 else y
        if y.shape[1:] != (learnt["n_outputs_"],):
            raise ValueError(
                f"CNNRegressor: {name} must have {learnt['n_outputs_']} targets as y has, "
                f"got shape {y.shape}."
            )
        y = y.astype(np.float64)
        self._check_sign(y, name)
        return y

    def _check_sign(self, y, name):
        """Raise if y has numbers of which a distribution has none."""
        owner = type(self).__name__
        if self.loss in ("poisson", "gamma") and (y < 0).any():
            raise ValueError(
                f"{owner}: {name} must not be negative with loss={self.loss!r}, got {y.min()}."
            )
        if self.loss == "gamma" and (y == 0).any():
            raise ValueError(f"{owner}: {name} must be above 0 with loss='gamma', got 0.")

    def _scales(self, graph):
        if self.standardize_targets and gives_any_number(graph):
            return (INPUT, TARGETS)
        return (INPUT,)

    def _loss(self, learnt, weights):
        if isinstance(self.loss, Loss):
            return OwnLoss(clone(self.loss), SquaredError())
        if self.loss == "huber":
            scale = weights["targets/scale"] if TARGETS in kept(weights) else 1
            return Huber(self.huber_delta / scale)
        if self.loss == "quantile":
            return Pinball(self.quantile)
        return LOSSES[self.loss]()
