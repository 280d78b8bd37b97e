"""CNNRegressor."""

from numbers import Real

import numpy as np
from sklearn.base import RegressorMixin
from sklearn.utils import column_or_1d
from sklearn.utils._param_validation import Interval, StrOptions
from sklearn.utils.metaestimators import available_if

from cnnkit.estimators.base import BaseCNN
from cnnkit.estimators.classifier import takes_steps
from cnnkit.estimators.options import extends
from cnnkit.losses import AbsoluteError, Huber, SquaredError


@extends(BaseCNN)
class CNNRegressor(RegressorMixin, BaseCNN):
    """Convolutional network regressor: one number or several for every image.

    The words for hyper-parameters are those of scikit-learn's MLPRegressor and
    GradientBoostingRegressor. Targets far from the order of 1 are learnt slowly: put the estimator
    in `sklearn.compose.TransformedTargetRegressor`.

    Parameters
    ----------
    {parameters}
    loss : {"squared_error", "absolute_error", "huber"}, default="squared_error"
        What is averaged over samples and targets: half the squared residual, its size, or half its
        square up to `huber_delta` and a straight line beyond.
    huber_delta : float, default=1.0
        For "huber" only, in units of y.

    Attributes
    ----------
    n_outputs_ : int
        Targets.
    {attributes}

    Examples
    --------
    >>> import numpy as np
    >>> from cnnkit import CNNRegressor
    >>> X = np.random.default_rng(0).random((200, 6, 6))
    >>> y = X.mean(axis=(1, 2)) * 10
    >>> reg = CNNRegressor(learning_rate_init=0.01, random_state=0)
    >>> reg.fit(X, y).score(X, y) > 0.8
    True
    """

    _parameter_constraints = {  # noqa: RUF012
        **BaseCNN._parameter_constraints,
        "loss": [StrOptions({"squared_error", "absolute_error", "huber"})],
        "huber_delta": [Interval(Real, 0, None, closed="neither")],
    }
    _target_options = {"multi_output": True, "y_numeric": True}  # noqa: RUF012
    _output_word = "target"

    def __init__(self, layers=None, *, loss="squared_error", huber_delta=1.0, **shared):
        super().__init__(layers, **shared)
        self.loss = loss
        self.huber_delta = huber_delta

    @available_if(takes_steps)
    def partial_fit(self, X, y, sample_weight=None):
        """Train for one epoch over the samples given, starting from the weights there are.

        What ends training early (`early_stopping`, `tol`, `max_time`) and callbacks are for `fit`.
        Where an error or Ctrl-C ends it, the estimator is as before the call.

        Parameters
        ----------
        X, y :
            As in `fit`.
        sample_weight : array of shape (n,), default=None

        Returns
        -------
        self : CNNRegressor
        """
        return self._partial_fit(X, y, sample_weight)

    def predict(self, X):
        """Return the targets of every sample.

        Parameters
        ----------
        X : array of shape (n, H, W, C), (n, H, W) or (n, features)
            Images of the shape given to `fit`.

        Returns
        -------
        y : array of shape (n,) or (n, n_outputs), as it was in `fit`
        """
        outputs = self._outputs(X)
        return outputs[:, 0] if self.n_outputs_ == 1 else outputs

    # Targets

    def _check_y(self, y):
        """Return y as numbers, of shape (n,) or (n, several)."""
        y = np.asarray(y)
        return column_or_1d(y, warn=True) if y.ndim == 2 and y.shape[1] == 1 else y

    def _learn(self, y, classes=None, part=False):
        """Return what y teaches about the outputs."""
        return {"n_outputs_": 1 if y.ndim == 1 else y.shape[1]}

    def _check_learnt(self, learnt):
        """Raise unless the outputs are those there are."""
        if learnt["n_outputs_"] != self.n_outputs_:
            raise ValueError(
                f"CNNRegressor: y must have {self.n_outputs_} targets, as before, "
                f"got {learnt['n_outputs_']}."
            )

    def _encode(self, y, learnt, name="y"):
        """Return y as a loss takes it."""
        y = y[:, None] if y.ndim == 1 else y
        if y.shape[1:] != (learnt["n_outputs_"],):
            raise ValueError(
                f"CNNRegressor: {name} must have {learnt['n_outputs_']} targets as y has, "
                f"got shape {y.shape}."
            )
        return y.astype(np.float64)

    def _class_weights(self, y, targets, learnt, weights):
        return None

    def _loss(self, learnt):
        if self.loss == "huber":
            return Huber(self.huber_delta)
        return {"squared_error": SquaredError, "absolute_error": AbsoluteError}[self.loss]()
