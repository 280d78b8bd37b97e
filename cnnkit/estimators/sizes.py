"""Prediction of images that are larger or smaller than those of training."""

import warnings

import numpy as np

from cnnkit.data import images
from cnnkit.estimators.snapshot import snapshot
from cnnkit.network.network import Network

FAR = 2  # a side so many times as long, or as short, as in training gives a warning


def by_size(estimator, X):
    """Return pairs of rows and estimator's likeness with their images, or None.

    It is None where X is no array, or list of arrays, of images of other sizes than in training,
    with as many channels. A likeness is for one size; it shares the weights of the estimator.
    """
    parts = _parts(X, estimator.input_shape_)
    if parts is None:
        return None
    found = [(rows, part, _resized(estimator, part, len(parts) > 1)) for rows, part in parts]
    _warn_of_far_sizes(estimator, [likeness.input_shape_ for _, _, likeness in found])
    return found


def _parts(X, wanted):
    """Return pairs of rows and an array of images of one size, or None if all are `wanted`."""
    if isinstance(X, (list, tuple)) or (isinstance(X, np.ndarray) and X.dtype == object):
        shapes = {}
        for row, image in enumerate(X):
            shapes.setdefault(getattr(image, "shape", None), []).append(row)
        if len(shapes) < 2 or not all(shape and _is_size(shape, wanted) for shape in shapes):
            return None
        return [(np.array(rows), np.stack([X[row] for row in rows])) for rows in shapes.values()]
    shape = getattr(X, "shape", ())
    if not isinstance(shape, tuple) or len(shape) < 3 or shape[1:] == wanted[: len(shape) - 1]:
        return None
    try:
        images.check_axis(shape, wanted, "")
    except ValueError:  # one image, without an axis for the samples
        return None
    return [(slice(None), X)] if _is_size(shape[1:], wanted) else None


def _is_size(shape, wanted):
    """Say whether a shape may be that of an image with the channels of another."""
    if len(shape) == 2:
        return wanted[2] == 1 and shape[1] > 1  # (height, width) of an image, not (width, channels)
    return len(shape) == 3 and shape[2] == wanted[2]


def _warn_of_far_sizes(estimator, shapes):
    """Warn of images far larger or smaller than in training: what is in them may be so, too."""
    wanted = estimator.input_shape_
    for shape in shapes:
        ratios = [side / usual for side, usual in zip(shape[:2], wanted[:2], strict=True)]
        if max(ratios) >= FAR or min(ratios) <= 1 / FAR:
            warnings.warn(
                f"{type(estimator).__name__}: X has images of {shape[0]} x {shape[1]} pixels, "
                f"training had {wanted[0]} x {wanted[1]}: if they show the same things larger or "
                f"smaller, bring them to that size.",
                UserWarning,
                stacklevel=6,
            )
            return


def _resized(estimator, part, several):
    """Return an estimator for images of the size of `part`, or raise an error that says why not."""
    found, network = snapshot(estimator), estimator.network_
    found.input_shape_ = (*part.shape[1:], 1)[:3]
    if found.input_shape_ == estimator.input_shape_:
        return found
    reason = None
    if several and estimator._has_image_targets:
        raise ValueError(
            f"{type(estimator).__name__}: X must hold images of one size, whose predictions are "
            f"images of that size, too, got several."
        )
    try:
        resolved = network.graph.resolve(found.input_shape_, network.n_outputs)
    except ValueError as error:
        reason = str(error)
    else:
        needed, specs = resolved.weight_specs, network.resolved.weight_specs
        shapes = {path: (specs[path].shape, needed[path].shape) for path in specs}
        for path, (there, wanted) in shapes.items():
            if there != wanted:
                reason = f"{path} has the shape {there}, and would need {wanted}"
                break
        outputs = estimator._output_shape(found.input_shape_, network.n_outputs)
        if reason is None and resolved.output_shapes != (outputs,):
            reason = f"the outputs would have the shape {resolved.output_shapes[0]}"
    if reason is not None:
        raise ValueError(
            f"{type(estimator).__name__}: X must hold images of shape {estimator.input_shape_}, "
            f"as in fit, got {'some of ' if several else ''}shape {part.shape}, which a network "
            f"that ends in global pooling could predict: {reason.removesuffix('.')}."
        )
    found.network_ = Network(
        resolved,
        dtype=network.dtype,
        algorithm=network.algorithm,
        weights=network.weights,
        frozen=network.frozen,
    )
    return found
