"""What an estimator's network gives for X: all images, all sizes, augmented copies."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
from sklearn.utils.validation import check_is_fitted

from cnnkit.augmentation import Augment
from cnnkit.data.scaling import warn_of_another_scale
from cnnkit.estimators.inputs import check_images
from cnnkit.estimators.options import AUGMENTATION
from cnnkit.estimators.setup import draw_seed, generators
from cnnkit.estimators.sizes import by_size
from cnnkit.exceptions import overflow_allowed
from cnnkit.network.prediction import check_outputs, inference_network, predict

if TYPE_CHECKING:
    from cnnkit.estimators.scoring import Known
    from cnnkit.network.network import Network
    from cnnkit.typing import Shape

MOST_COPIES = 1000  # copies of an image for one prediction


class Outputs:
    """The part of `BaseCNN` that predicts, without a word on what outputs mean."""

    if TYPE_CHECKING:
        network_: Network
        input_shape_: Shape
        augmentation: Any
        test_time_augmentation: int
        random_state: Any

    _known: Known | None = None  # of an estimator that scorers are given

    def _outputs(self, X):
        """Return the network's outputs for all samples, an array of shape (n, n_outputs)."""
        check_is_fitted(self)
        if self._known is not None and X is self._known.samples:
            return self._known.outputs_for(type(self).__name__)
        parts = by_size(self, X)
        if parts is not None:
            found = [likeness._outputs(images) for _, images, likeness in parts]
            outputs = np.empty((len(X), *found[0].shape[1:]), found[0].dtype)
            for (rows, *_), some in zip(parts, found, strict=True):
                outputs[rows] = some
            return outputs
        X = check_images(self, X, self.network_.dtype)
        warn_of_another_scale(X, self.network_.weights, type(self).__name__, stacklevel=5)
        copies = self.test_time_augmentation
        network = inference_network(self.network_, len(X), passes=1 + copies)
        outputs = predict(network, X)
        if copies:
            augmentation = self._test_augmentation(self.input_shape_)
            rng = generators(draw_seed(self.random_state))["augmentation"]
            self._average_copies(network, X, outputs, augmentation, rng)
        check_outputs(outputs, type(self).__name__)
        return outputs

    def _average_copies(self, network, X, outputs, augmentation, rng):
        """Replace outputs by their means with those of augmented copies of X."""
        augment = partial(augmentation.apply, targets=None, rng=rng)
        with overflow_allowed():
            for _ in range(self.test_time_augmentation):
                outputs += predict(network, X, augment=augment)
        outputs /= outputs.dtype.type(1 + self.test_time_augmentation)

    def _test_augmentation(self, shape):
        """Return the augmentation for prediction, without steps that change targets, or None.

        An error is raised if `augmentation` does not fit images of `shape`.
        """
        copies = self.test_time_augmentation
        if not 0 <= copies <= MOST_COPIES:  # `fit` does not check it for an unpickled estimator
            raise ValueError(
                f"{type(self).__name__}: test_time_augmentation must be at most {MOST_COPIES}, "
                f"got {copies}."
            )
        found = self._augmentation()
        if found is not None:
            found.check(shape)
            found = found.without_mixing()
        if self.test_time_augmentation and found is None:
            raise ValueError(
                f"{type(self).__name__}: test_time_augmentation must be 0 without an augmentation "
                f"that leaves targets alone, got {self.test_time_augmentation} and "
                f"augmentation={self.augmentation!r}."
            )
        return found

    def _augmentation(self):
        """Return `augmentation` as an `Augmentation`, or None."""
        found = self.augmentation
        if found is None:
            return None
        several = isinstance(found, (list, tuple))
        for entry in found if several else [found]:
            if not AUGMENTATION.is_satisfied_by(entry):
                raise ValueError(
                    f"{type(self).__name__}: augmentation must be {AUGMENTATION}, or a list of "
                    f"them, got {entry!r}."
                )
        if not several:
            return found
        return Augment(found) if found else None
