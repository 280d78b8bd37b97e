"""The regressor whose targets are images."""

from __future__ import annotations

from typing import TYPE_CHECKING, Unpack

import numpy as np

from cnnkit.data.scaling import from_standard
from cnnkit.estimators.base import BaseCNN
from cnnkit.estimators.image_targets import ImageTargets
from cnnkit.estimators.options import Shared, extends
from cnnkit.estimators.regressor import CNNRegressor
from cnnkit.estimators.snapshot import of_one_moment
from cnnkit.exceptions import overflow_allowed
from cnnkit.losses import inverse_link
from cnnkit.metrics import pixel_r2
from cnnkit.network.prediction import check_outputs
from cnnkit.validate.arrays import real_dtype

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

    from cnnkit.graph.graph import Graph
    from cnnkit.losses import Loss
    from cnnkit.typing import Floats, Layers, Model, RegressionLoss


@extends(BaseCNN)
class CNNImageRegressor(ImageTargets, CNNRegressor):
    """Convolutional network from image to image: numbers for every pixel, as in denoising.

    It is a `CNNRegressor` whose samples are pixels: y has the size of X, and any number of
    channels. Other tasks of the kind are autoencoders (y is X), colours of grey images, and sharper
    images, where X was enlarged to the size of y.

    Parameters
    ----------
    {parameters}
    loss : {"squared_error", "absolute_error", "huber", "quantile", "poisson", "gamma"} or Loss, \
            default="squared_error"
        As in `CNNRegressor`, averaged over pixels and channels. The samples of your own loss are
        the pixels.
    huber_delta : float, default=1.0
        For "huber" only, in units of y.
    quantile : float, default=0.5
        For "quantile" only.
    standardize_targets : bool, default=True
        Train on ``(y - mean) / deviation`` of every channel, and predict in units of y. This is
        done only if the network ends in a layer without an activation, whose outputs may be any
        number. Losses and their curves are those of standardised targets.

    Attributes
    ----------
    n_outputs_ : int
        Number of channels of y.
    has_channels_ : bool
        Whether y had an axis for channels; predictions then have it, too.
    {attributes}

    Notes
    -----
    The network must end in maps as large as the images, one per channel of y; ``layers=None`` means
    `cnnkit.models.default_unet`. Augmentations that move pixels move those of y, too; what they
    bring in from outside of an image does not count.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.datasets import load_digits
    >>> from cnnkit import CNNImageRegressor
    >>> clean = load_digits().images[:600]
    >>> noisy = clean + np.random.default_rng(0).normal(0, 4, clean.shape)
    >>> reg = CNNImageRegressor(max_iter=10, random_state=0).fit(noisy[:500], clean[:500])
    >>> reg.predict(noisy[500:]).shape
    (100, 8, 8)
    >>> reg.score(noisy[500:], clean[500:]) > 0.8
    True
    """

    has_channels_: bool

    _output_word = "channel of y"
    _learned_of_targets = ("has_channels_", "link_")
    _longer = 1

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
        super().__init__(
            layers,
            loss=loss,
            huber_delta=huber_delta,
            quantile=quantile,
            standardize_targets=standardize_targets,
            **shared,
        )

    @of_one_moment
    def predict(self, X: ArrayLike) -> Floats:
        """Return the image that belongs to every image of X.

        Parameters
        ----------
        X : array of shape (n, H, W, C), (n, H, W) or (n, features)
            Images of the shape given to `fit`.

        Returns
        -------
        y : array of shape (n, H, W) or (n, H, W, n_outputs)
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
        >>> from cnnkit import CNNImageRegressor
        >>> X = np.random.default_rng(0).random((20, 8, 8))
        >>> reg = CNNImageRegressor(max_iter=2, random_state=0).fit(X, 1 - X)
        >>> reg.predict(X[:5]).shape
        (5, 8, 8)
        """
        with overflow_allowed():
            outputs = self._outputs(X)  # raises unless fitted
            outputs = from_standard(inverse_link(self.link_, outputs), self.network_.weights)
        check_outputs(outputs, type(self).__name__)
        return outputs if self.has_channels_ else outputs[..., 0]

    @of_one_moment
    def score(self, X: ArrayLike, y: ArrayLike, sample_weight: ArrayLike | None = None) -> float:
        """Return R^2 over all pixels, the mean over the channels.

        Parameters
        ----------
        X : array of shape (n, H, W, C), (n, H, W) or (n, features)
            Images of the shape given to `fit`.
        y : array of shape (n, H, W) or (n, H, W, n_outputs)
            True numbers; NaN do not count.
        sample_weight : array of shape (n,), default=None
            Weights of the images' pixels.

        Returns
        -------
        score : float
            At most 1: see `cnnkit.metrics.pixel_r2`.

        Examples
        --------
        >>> import numpy as np
        >>> from cnnkit import CNNImageRegressor
        >>> X = np.random.default_rng(0).random((20, 8, 8))
        >>> reg = CNNImageRegressor(max_iter=2, random_state=0).fit(X, 1 - X)
        >>> reg.score(X, 1 - X) <= 1
        True
        """
        return pixel_r2(y, self.predict(X), sample_weight=sample_weight)

    # Targets

    def _check_y(self, y):
        y = np.asarray(y)
        if y.ndim not in (3, 4):
            raise ValueError(
                f"{type(self).__name__}: y must be images, (n, H, W) or (n, H, W, C), got shape "
                f"{y.shape}."
            )
        if y.dtype == object:
            y = y.astype(np.float64)
        real_dtype(y.dtype, "y", type(self).__name__)
        return y

    def _learn(self, y, classes=None, part=False):
        channels = y.shape[3] if y.ndim == 4 else 1
        return {"n_outputs_": channels, "has_channels_": y.ndim == 4, "link_": self._link()}

    def _check_learnt(self, learnt):
        found = learnt["n_outputs_"], learnt["has_channels_"]
        if found != (self.n_outputs_, self.has_channels_):
            raise ValueError(
                f"{type(self).__name__}: y must be {self._form(vars(self))}, as before, got "
                f"{self._form(learnt)}."
            )
        self._check_link(learnt)

    @staticmethod
    def _form(learnt):
        """Return the form of targets as text."""
        return f"(n, H, W, {learnt['n_outputs_']})" if learnt["has_channels_"] else "(n, H, W)"

    def _encode(self, y, learnt, name="y"):
        if y.ndim == 3 and not learnt["has_channels_"]:
            y = y[..., None]
        if y.shape[3:] != (learnt["n_outputs_"],) or y.ndim == 3:
            raise ValueError(
                f"{type(self).__name__}: {name} must be {self._form(learnt)} as y is, got shape "
                f"{y.shape}."
            )
        self._check_sign(y, name)
        # float32 where it holds all numbers: y may be large
        return y.astype(np.result_type(y.dtype, np.float32))
