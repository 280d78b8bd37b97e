"""The contract of classifier and regressor: targets, outputs and loss."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np

from cnnkit.data.scaling import INPUT
from cnnkit.graph.graph import Graph
from cnnkit.losses import Loss
from cnnkit.network.weights import Weights
from cnnkit.validate.arrays import check_unmasked


class Targets:
    """The contract between `BaseCNN` and its subclasses.

    `BaseCNN`, and the functions of this folder that it calls, use only these attributes and methods
    of a subclass. A method without a default raises NotImplementedError. The order of calls is
    `_check_given`, `_check_y`, `_learn`, `_check_learnt`, `_encode`, `_for_loss`, `_class_weights`,
    then for the network `_scales`, `_check_ending`, `_loss`.

    Attributes
    ----------
    _target_options : dict, default={}
        Options of scikit-learn's `check_X_y` that say which y may be given.
    _output_word : str, default="output"
        The word for an output in errors, such as "class".
    _dropout : float, default=0.0
        Rate of the dropout layer in the default network; 0 leaves it out.
    _longer : int, default=1
        Factor for the epochs of ``max_iter="auto"``, if X is images.
    """

    _target_options: ClassVar[dict[str, Any]] = {}
    _output_word: ClassVar[str] = "output"
    _dropout: ClassVar[float] = 0.0
    _longer: ClassVar[int] = 1

    def _check_given(self, y: Any, name: str = "y") -> None:
        """Raise if NumPy would change y, as the user gave it, when it makes an array of it."""
        check_unmasked(y, name, type(self).__name__)

    def _check_y(self, y: np.ndarray) -> np.ndarray:
        """Return y, an array from scikit-learn's checks, as (n,) or (n, several); or raise."""
        raise NotImplementedError(f"{type(self).__name__} has no _check_y")

    def _learn(self, y: np.ndarray, classes: Any = None, part: bool = False) -> dict[str, Any]:
        """Return the learned attributes that follow from y alone, ``n_outputs_`` among them.

        `classes` are those of `partial_fit`; `part` says whether `partial_fit` is called.
        """
        raise NotImplementedError(f"{type(self).__name__} has no _learn")

    def _check_learnt(self, learnt: dict[str, Any]) -> None:
        """Raise unless `learnt`, the result of `_learn`, fits the attributes learned before."""
        raise NotImplementedError(f"{type(self).__name__} has no _check_learnt")

    def _encode(self, y: np.ndarray, learnt: dict[str, Any], name: str = "y") -> np.ndarray:
        """Return y as the loss takes it: class indices (n,), or numbers (n, n_outputs)."""
        raise NotImplementedError(f"{type(self).__name__} has no _encode")

    def _for_loss(
        self, targets: np.ndarray, learnt: dict[str, Any], weights: np.ndarray | None
    ) -> dict[str, Any]:
        """Return what `_loss` gets besides `learnt`, and in it; `targets` are of all samples."""
        return {}

    def _class_weights(
        self,
        y: np.ndarray,
        targets: np.ndarray,
        learnt: dict[str, Any],
        weights: np.ndarray | None,
    ) -> np.ndarray | None:
        """Return a factor (n,) for the weights of the samples, or None for none."""
        return None

    def _scales(self, graph: Graph) -> tuple[str, ...]:
        """Return the names of arrays that the network standardises: see `scales` of `Network`."""
        return (INPUT,)

    def _check_ending(self, graph: Graph) -> None:
        """Raise if the graph ends in a layer whose outputs the loss cannot use."""

    def _loss(self, learnt: dict[str, Any], weights: Weights) -> Loss:
        """Return the loss of training; `weights` are those of the network, with the scales."""
        raise NotImplementedError(f"{type(self).__name__} has no _loss")
