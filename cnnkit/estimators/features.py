"""The transformer."""

from __future__ import annotations

import warnings
from math import prod
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np
from sklearn.base import TransformerMixin, clone
from sklearn.utils.validation import _check_feature_names_in, check_is_fitted

from cnnkit.data.scaling import warn_of_another_scale
from cnnkit.estimators.base import BaseCNN
from cnnkit.estimators.classifier import CNNClassifier
from cnnkit.estimators.inputs import check_images
from cnnkit.estimators.snapshot import OfOneMoment, of_one_moment, set_learned, snapshot
from cnnkit.network.network import Network
from cnnkit.network.prediction import check_outputs, inference_network, predict
from cnnkit.validate.guesses import answering
from cnnkit.validate.pickles import Checked

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    from cnnkit.typing import Array, Estimator, Floats, RandomState, Shape

FITTED = {"estimator_", "node_", "feature_shape_"}  # if a pickle has one of them, it must have all


class CNNFeatures(TransformerMixin, OfOneMoment, Checked):
    """Features of images: the output of a layer of a trained network, as flat rows.

    Parameters
    ----------
    estimator : CNNClassifier, CNNRegressor, FrozenEstimator of one or Network, default=None
        `fit` trains a clone of it, and warns if it is fitted. A fitted estimator in a
        `sklearn.frozen.FrozenEstimator` is used as it is, and so is a `cnnkit.Network` of one
        input, such as `cnnkit.onnx.load` returns. None means ``CNNClassifier()``.
    node : str, default=None
        Name of a layer, as `summary` shows it. None means the layer that is the input of the last
        layer with weights: the features for the head of the network.
    random_state : int, RandomState instance or None, default=None
        Set in the estimator that `fit` trains, unless None.

    Attributes
    ----------
    estimator_ : CNNClassifier or CNNRegressor
        The fitted estimator; of a network an object that has it as ``network_``.
    node_ : str
        Name of the layer whose output is used.
    feature_shape_ : tuple
        Shape of the layer's output for one image: (H, W, C), or (units,).
    n_features_in_ : int
        Count of numbers in one image.
    feature_names_in_ : array of shape (``n_features_in_``,)
        Names of the columns if X was a data frame.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from sklearn.frozen import FrozenEstimator
    >>> from sklearn.linear_model import LogisticRegression
    >>> from sklearn.pipeline import make_pipeline
    >>> from cnnkit import CNNClassifier, CNNFeatures
    >>> X, y = load_digits(return_X_y=True)
    >>> clf = CNNClassifier(image_shape=(8, 8), max_iter=2, random_state=0).fit(X / 16, y)
    >>> features = CNNFeatures(FrozenEstimator(clf), node="maxpool1")
    >>> model = make_pipeline(features, LogisticRegression(max_iter=500))
    >>> model.fit(X[:200] / 16, y[:200]).score(X[200:] / 16, y[200:]) > 0.8
    True
    """

    estimator_: Estimator
    node_: str
    feature_shape_: Shape
    n_features_in_: int
    feature_names_in_: Array

    _parameter_constraints: ClassVar[dict[str, Any]] = {
        "estimator": "no_validation",  # checked by `fit`
        "node": [None, str],
        "random_state": ["random_state"],
    }

    def __init__(
        self, estimator: Any = None, *, node: str | None = None, random_state: RandomState = None
    ) -> None:
        self.estimator = estimator
        self.node = node
        self.random_state = random_state

    @answering
    def fit(
        self, X: ArrayLike, y: ArrayLike | None = None, sample_weight: ArrayLike | None = None
    ) -> Self:
        """Train the network, unless it is frozen.

        Parameters
        ----------
        X : array of shape (n, H, W, C), (n, H, W) or (n, features)
            As for the estimator.
        y : array of shape (n,) or (n, n_outputs)
            Needed unless the estimator is frozen.
        sample_weight : array of shape (n,), default=None
            Weights of the samples, as for the estimator.

        Returns
        -------
        self : CNNFeatures
            The transformer itself, fitted.

        Examples
        --------
        >>> from sklearn.datasets import load_digits
        >>> from cnnkit import CNNClassifier, CNNFeatures
        >>> X, y = load_digits().images, load_digits().target
        >>> features = CNNFeatures(CNNClassifier(max_iter=1, random_state=0))
        >>> features.fit(X[:200], y[:200]).node_
        'globalavgpool1'
        """
        moment = snapshot(self)
        moment._validate_params()
        estimator = CNNClassifier() if moment.estimator is None else moment.estimator
        inner = getattr(estimator, "estimator", estimator)
        if isinstance(estimator, Network):
            inner = GivenNetwork(estimator)
        elif not isinstance(inner, BaseCNN):
            raise ValueError(
                f"CNNFeatures: estimator must be a CNNClassifier, a CNNRegressor, a "
                f"FrozenEstimator of one, or a Network, got {moment.estimator!r}."
            )
        if inner is estimator:
            weighted = {} if sample_weight is None else {"sample_weight": sample_weight}
            if hasattr(estimator, "network_"):
                warnings.warn(
                    "CNNFeatures: estimator is fitted, and a clone of it is trained anew: "
                    "sklearn.frozen.FrozenEstimator(estimator) is used as it is.",
                    UserWarning,
                    stacklevel=3,
                )
            inner = clone(estimator)
            if moment.random_state is not None:
                inner.set_params(random_state=moment.random_state)
            inner.fit(X, y, **weighted)
            found = snapshot(inner)
        else:
            if not isinstance(inner, GivenNetwork):
                check_is_fitted(inner)
            found = snapshot(inner)
            check_images(found, X, found.network_.dtype)
        return self._adopt(inner, moment._find_node(found.network_), found)

    def _adopt(self, inner, node, moment=None):
        """Become fitted, with `node` of a fitted estimator, as it is at a `moment`."""
        moment = inner if moment is None else moment
        row = next(row for row in moment.summary().rows if row.name == node)
        learnt = {
            "estimator_": inner,
            "node_": node,
            "feature_shape_": tuple(row.output_shape),
            "n_features_in_": moment.n_features_in_,
        }
        if hasattr(moment, "feature_names_in_"):
            learnt["feature_names_in_"] = moment.feature_names_in_
        set_learned(self, learnt)
        return self

    def transform(self, X: ArrayLike) -> Floats:
        """Return the features of every image as a flat row.

        Parameters
        ----------
        X : array of shape (n, H, W, C), (n, H, W) or (n, features)
            Images of the shape given to `fit`.

        Returns
        -------
        features : array of shape (n, n_features_out)
            The numbers of the layer's output, channels last.

        Examples
        --------
        >>> from sklearn.datasets import load_digits
        >>> from cnnkit import CNNClassifier, CNNFeatures
        >>> X, y = load_digits().images, load_digits().target
        >>> features = CNNFeatures(CNNClassifier(max_iter=1, random_state=0))
        >>> features.fit(X[:200], y[:200]).transform(X[:5]).shape
        (5, 64)
        """
        check_is_fitted(self)
        self.estimator_ = snapshot(self.estimator_)
        network = self.estimator_.network_
        X = check_images(self, X, network.dtype)
        warn_of_another_scale(X, network.weights, "CNNFeatures", stacklevel=5)
        found = predict(inference_network(network, len(X), node=self.node_), X)
        check_outputs(found, "CNNFeatures")
        return found.reshape(len(X), -1)

    if TYPE_CHECKING:  # scikit-learn has no annotations

        def fit_transform(
            self, X: ArrayLike, y: ArrayLike | None = None, **fit_params: Any
        ) -> Floats: ...

    @of_one_moment
    def get_feature_names_out(self, input_features: ArrayLike | None = None) -> NDArray[np.object_]:
        """Return names such as ``maxpool1_0_3_15``: layer, row, column and channel.

        Parameters
        ----------
        input_features : array of str, default=None
            Not used. If given, they must be the names of X's columns.

        Returns
        -------
        names : array of str, shape (n_features_out,)
            One name for each column of `transform`.

        Examples
        --------
        >>> from sklearn.datasets import load_digits
        >>> from cnnkit import CNNClassifier, CNNFeatures
        >>> X, y = load_digits().images, load_digits().target
        >>> features = CNNFeatures(CNNClassifier(max_iter=1, random_state=0), node="maxpool1")
        >>> features.fit(X[:200], y[:200]).get_feature_names_out()[:3].tolist()
        ['maxpool1_0_0_0', 'maxpool1_0_0_1', 'maxpool1_0_0_2']
        """
        check_is_fitted(self)
        _check_feature_names_in(self, input_features, generate_names=False)
        indices = np.ndindex(*self.feature_shape_)
        return np.array([f"{self.node_}_{'_'.join(map(str, at))}" for at in indices], object)

    @property
    def _n_features_out(self):
        return prod(self.feature_shape_)

    @property
    def input_shape_(self) -> Shape:
        """(H, W, C) of one image."""
        return self.estimator_.input_shape_

    def _find_node(self, network):
        nodes = network.resolved.nodes
        names = [node.name for node in nodes]
        if self.node is not None:
            if self.node not in names:
                raise ValueError(f"CNNFeatures: node must be one of {names}, got {self.node!r}.")
            return self.node
        heavy = [
            n
            for n in nodes
            if any(path.startswith(n.name + "/") for path in network.weights)
            and getattr(n.layer, "trained", True)  # an Affine may hold constants
        ]
        layers = {node.name: node for node in nodes}
        source = heavy[-1].inputs[0] if heavy else "input"
        while source in layers and layers[source].layer.training_only:
            source = layers[source].inputs[0]
        return source if source in names else names[0]

    def _check_pickled(self, parts):
        if FITTED.isdisjoint(parts):
            return
        if not isinstance(self.estimator_, (BaseCNN, GivenNetwork)):
            raise TypeError(f"estimator_ must be a CNN, got {self.estimator_!r}")
        found = self.node_, self.feature_shape_, self.n_features_in_
        self._adopt(self.estimator_, self.node_)
        if found != (self.node_, self.feature_shape_, self.n_features_in_):
            raise ValueError(f"node, shape and number of features must go together, got {found}")

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.three_d_array = True
        tags.target_tags.required = True
        tags.transformer_tags.preserves_dtype = ["float64", "float32"]
        return tags


class GivenNetwork(TransformerMixin, Checked):
    """A network that is used as it is, in the place of a fitted estimator."""

    def __init__(self, network_):
        if isinstance(network_.input_shape, dict):
            raise ValueError(
                f"CNNFeatures: estimator must read one input, got a network that reads "
                f"{list(network_.input_shape)}."
            )
        self.network_ = network_
        self.input_shape_ = network_.input_shape
        self.n_features_in_ = prod(network_.input_shape)

    def summary(self):
        """Return a table of the network's layers."""
        return self.network_.summary()


# Wraps scikit-learn's wrapper, which names the columns of the output.
CNNFeatures.transform = of_one_moment(CNNFeatures.transform)  # type: ignore[method-assign]
