"""What an estimator has learnt besides weights: as JSON and tensors, and back.

Attributes that follow from others are not kept but made again.
"""

from math import isfinite, prod

import numpy as np

from cnnkit import plain

PREFIX = "learned:"  # of names of tensors
LABELS = ("classes_", "feature_names_in_")
CURVES = ("loss_curve_", "validation_loss_curve_", "validation_scores_")
NUMBER = "best_validation_score_"  # which may be NaN, as JSON may not
FLAG = "multilabel_"
NAMES = (*LABELS, *CURVES, NUMBER, FLAG)
FOLLOWING = ("input_shape_", "n_features_in_", "n_outputs_", "n_iter_", "loss_")
FITTED = {"network_", *NAMES, *FOLLOWING}  # any of them: all are needed
FITTED -= {"n_features_in_", "feature_names_in_"}  # scikit-learn's checks of X set these


def encode(estimator, tensors):
    """Return learnt attributes as JSON; what is an array of numbers goes to `tensors`.

    That is ``{"tensor": name}`` in the JSON, an array of texts ``{"labels": list, "dtype": name}``.
    """
    found = {}
    for name in NAMES:
        value = getattr(estimator, name, None)
        if value is None or name == FLAG:
            found[name] = value
        elif name in (*CURVES, NUMBER):
            tensors[PREFIX + name] = np.array(value, np.float64).reshape(-1)
            found[name] = {"tensor": PREFIX + name}
        elif value.dtype.kind in "biuf":
            native = value.dtype.newbyteorder("=")
            tensors[PREFIX + name] = np.ascontiguousarray(value, native)
            found[name] = {"tensor": PREFIX + name}
        elif all(isinstance(label, str) for label in value.tolist()):
            dtype = "str" if value.dtype.kind == "U" else "object"
            found[name] = {"labels": value.tolist(), "dtype": dtype}
        else:
            raise ValueError(f"save: {name} must be numbers or text, got {value!r}.")
    return found


def decode(data, network, is_classifier, take):
    """Return the attributes that `encode` was given, and those that follow; check all of them.

    `take` returns a tensor by its name. Anything wrong is a ValueError.
    """
    if data.keys() != set(NAMES):
        raise ValueError(
            f"load: learned must have {sorted(NAMES)}, got {plain.short(sorted(data))}."
        )
    found = {name: _labels(name, data[name], take) for name in LABELS}
    found |= {name: _curve(name, data[name], take) for name in CURVES}
    score = _curve(NUMBER, data[NUMBER], take)
    if score is not None and len(score) != 1:
        raise ValueError(f"load: {NUMBER} must be one number, got {len(score)}.")
    found |= {NUMBER: score and score[0], FLAG: data[FLAG]}
    if not found["loss_curve_"]:
        raise ValueError("load: loss_curve_ must have a loss for every epoch, got none.")
    found |= _following(network, found["loss_curve_"])
    if found["feature_names_in_"] is None:
        del found["feature_names_in_"]
    if not is_classifier and found["classes_"] is None and found["multilabel_"] is None:
        del found["classes_"], found["multilabel_"]
    check(found, network, is_classifier)
    return found


def check(found, network, is_classifier):
    """Raise a ValueError unless learnt attributes go with one another and with the network."""
    for name in CURVES:
        curve = found[name]
        if curve is None and name != "loss_curve_":
            continue
        if not isinstance(curve, list) or not all(isinstance(x, float) for x in curve):
            raise ValueError(f"{name} must be a list of floats, got {plain.short(curve)}.")
        if name == "loss_curve_" and not all(map(isfinite, curve)):
            raise ValueError(f"{name} must be finite, got {plain.short(curve)}.")
    for name, value in _following(network, found["loss_curve_"]).items():
        if found[name] != value:
            raise ValueError(f"{name} must be {value}, got {plain.short(found[name])}.")
    if found[NUMBER] is not None and not isinstance(found[NUMBER], float):
        raise ValueError(f"{NUMBER} must be a float or None, got {plain.short(found[NUMBER])}.")
    _check_classes(found, network.n_outputs, is_classifier)
    columns = found.get("feature_names_in_")
    if columns is not None and (
        columns.dtype != object or columns.shape != (found["n_features_in_"],)
    ):
        raise ValueError(
            f"feature_names_in_ must be {found['n_features_in_']} texts, got {columns.shape} of "
            f"{columns.dtype}."
        )


def _following(network, loss_curve):
    """Return the attributes that follow from a network and the losses it was trained with."""
    shape = network.input_shape
    values = shape, prod(shape), network.n_outputs, len(loss_curve), loss_curve[-1]
    return dict(zip(FOLLOWING, values, strict=True))


def _labels(name, data, take):
    """Return an array of labels, or None."""
    if data is None:
        return None
    if isinstance(data, dict) and data.keys() == {"tensor"}:
        labels = take(name, data["tensor"])
        if labels.ndim == 1 and labels.dtype.kind in "biuf":
            return labels
        raise ValueError(f"load: {name} must be of one dimension, got {labels.shape}.")
    if isinstance(data, dict) and data.keys() == {"labels", "dtype"}:
        labels, dtype = data["labels"], {"str": np.str_, "object": object}.get(str(data["dtype"]))
        if (
            isinstance(labels, list)
            and labels
            and all(isinstance(x, str) for x in labels)
            and dtype
        ):
            return np.array(labels, dtype)
    raise ValueError(f"load: {name} must be labels, got {plain.short(data)}.")


def _curve(name, data, take):
    """Return a list of floats, or None."""
    if data is None:
        return None
    if isinstance(data, dict) and data.keys() == {"tensor"}:
        curve = take(name, data["tensor"])
        if curve.dtype == np.float64 and curve.ndim == 1:
            return curve.tolist()
    raise ValueError(f"load: {name} must be a tensor of float64, got {plain.short(data)}.")


def _check_classes(found, n_outputs, is_classifier):
    """Raise unless classes are those of `n_outputs` outputs; a regressor has none."""
    classes, multilabel = found.get("classes_"), found.get("multilabel_")
    if not is_classifier:
        if "classes_" in found or "multilabel_" in found:
            raise ValueError(f"classes_ must be None for a regressor, got {classes!r}.")
        return
    if not isinstance(multilabel, bool):
        raise ValueError(f"multilabel_ must be true or false, got {multilabel!r}.")
    wanted = classes
    if multilabel:
        wanted = np.arange(n_outputs)
    elif classes is not None:
        wanted = np.unique(classes)  # sorted: labels are looked up by bisection
    if classes is None or len(classes) != n_outputs or not np.array_equal(classes, wanted):
        got = plain.short(None if classes is None else classes.tolist())
        raise ValueError(
            f"classes_ must be one for each of the {n_outputs} outputs, in order, got {got}."
        )
