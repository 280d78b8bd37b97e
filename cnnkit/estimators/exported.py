"""Fitted estimators as what other programs run: a network, and what stands before and behind it."""

from dataclasses import replace

import numpy as np
from sklearn.utils.validation import check_is_fitted

from cnnkit.data import images, scaling
from cnnkit.estimators.features import CNNFeatures
from cnnkit.estimators.snapshot import snapshot
from cnnkit.network.network import needed


def exported(model, owner):
    """Return the network of a fitted estimator, the estimator as it is now, and the part wanted.

    Parameters
    ----------
    model : CNNClassifier, CNNRegressor or CNNFeatures
        Of `CNNFeatures` the estimator is the one whose network it uses, and the part, as
        `Resolved`, ends in its node; that of the others is the whole network.
    owner : str
        What errors start with.

    Raises
    ------
    NotFittedError
    ValueError
        If predictions are means over changes that are drawn.
    """
    check_is_fitted(model)
    estimator = snapshot(model)  # another thread may train it meanwhile
    if isinstance(estimator, CNNFeatures):
        trained = snapshot(estimator.estimator_)
        whole, outputs = trained.network_.resolved, (estimator.node_,)
        part = replace(whole, nodes=needed(whole.nodes, outputs), outputs=outputs)
        return trained.network_, trained, part
    if estimator.test_time_augmentation:
        raise ValueError(
            f"{owner}: test_time_augmentation must be 0, since its changes are random, got "
            f"{estimator.test_time_augmentation}: set_params(test_time_augmentation=0)."
        )
    return estimator.network_, estimator, estimator.network_.resolved


def input_scales(network, input_dtype, dtype):
    """Return (mean, factor) by which images become what the network reads, as `Network.load` does.

    They are of the type `dtype`; the input is ``(X - mean) * factor``.
    """
    weights, dtype = network.weights, np.dtype(dtype)
    if scaling.INPUT not in scaling.kept(weights):
        return 0, dtype.type(1 / images.unit(input_dtype))
    mean, scale = (weights[f"input/{name}"].astype(dtype) for name in ("mean", "scale"))
    return mean, 1 / scale


def target_scales(network):
    """Return (mean, scale) by which outputs become targets, or None where they are targets."""
    weights = network.weights
    if scaling.TARGETS not in scaling.kept(weights):
        return None
    return weights["targets/mean"], weights["targets/scale"]
