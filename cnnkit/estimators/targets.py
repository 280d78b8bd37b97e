"""The contract of classifier and regressor: targets, outputs and loss."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from cnnkit.data.scaling import INPUT
from cnnkit.graph.graph import Graph
from cnnkit.losses import Loss
from cnnkit.network.weights import Weights
from cnnkit.validate.arrays import check_unmasked

if TYPE_CHECKING:
    from cnnkit.estimators.inputs import TrainingData
    from cnnkit.typing import Shape


class Targets:
    """The contract between `BaseCNN` and its subclasses.

    `BaseCNN`, and the functions of this folder that it calls, use only these attributes and methods
    of a subclass. A method without a default raises NotImplementedError. The order of calls is
    `_check_given`, `_check_y`, `_learn`, `_check_learnt`, `_encode`, `_for_loss`, `_class_weights`,
    then for the network `_scales`, `_output_shape`, `_check_ending`, `_loss_for`, which calls
    `_loss`.

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
    _faster : int, default=1
        Factor for ``learning_rate_init="auto"``.
    _has_image_targets : bool, default=False
        Whether a target is an image as large as its image of X: see `image_targets.py`.
    _learned_of_targets : tuple of str, default=()
        Which of the attributes ``classes_``, ``multilabel_`` and ``has_channels_`` are learned.
    """

    _target_options: ClassVar[dict[str, Any]] = {}
    _output_word: ClassVar[str] = "output"
    _dropout: ClassVar[float] = 0.0
    _longer: ClassVar[int] = 1
    _faster: ClassVar[int] = 1
    _has_image_targets: ClassVar[bool] = False
    _learned_of_targets: ClassVar[tuple[str, ...]] = ()

    def _check_given(self, y: Any, name: str = "y") -> None:
        """Raise if NumPy would change y, as the user gave it, when it makes an array of it."""
        owner = type(self).__name__
        check_unmasked(y, name, owner)
        if not self._has_image_targets and getattr(y, "ndim", 0) > 2:
            raise ValueError(
                f"{owner}: {name} must be (n,) or (n, n_outputs), got shape {y.shape}: for a class "
                f"of every pixel there is CNNSegmenter, for numbers CNNImageRegressor."
            )

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
        """Return y as the loss takes it: class indices (n,), or numbers (n, n_outputs).

        Targets that are images are class indices (n, H, W), or numbers (n, H, W, n_outputs).
        """
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

    def _output_shape(self, input_shape: Shape, n_outputs: int) -> Shape:
        """Return the shape in which the network must end, for images of `input_shape`."""
        return (n_outputs,)

    def _check_ending(self, graph: Graph) -> None:
        """Raise if the graph ends in a layer whose outputs the loss cannot use."""

    def _loss(self, learnt: dict[str, Any], weights: Weights) -> Loss:
        """Return the loss of training; `weights` are those of the network, with the scales."""
        raise NotImplementedError(f"{type(self).__name__} has no _loss")

    def _loss_for(self, data: TrainingData, weights: Weights) -> Loss:
        """Return the loss of training with `data`, by default that of what was learned from y."""
        return self._loss(data.learnt | data.for_loss, weights)
