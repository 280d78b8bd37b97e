"""Learned attributes of an estimator, besides the weights, as JSON and tensors.

Attributes that follow from others are not kept, but computed again.
"""

from math import isfinite, prod

import numpy as np

from cnnkit.validate.values import short

PREFIX = "learned:"  # start of names of tensors
LABELS = ("classes_", "feature_names_in_")
CURVES = ("loss_curve_", "validation_loss_curve_", "validation_scores_")
NAMED = "score_curves_"  # by name
NUMBER = "best_validation_score_"  # may be NaN, which JSON does not allow
FLAGS = ("multilabel_", "has_channels_")
LINK = "link_"
LINKS = ("identity", "log")
OF_TARGETS = ("classes_", *FLAGS, LINK)  # which of them there are depends on the estimator
NAMES = (*LABELS, *CURVES, NAMED, NUMBER, *FLAGS, LINK)
LATER = (NAMED, LINK, "has_channels_")  # missing in files of before
ENDS = ":ends"  # end of the name of a tensor with the byte positions where texts end
CODE = ("utf-8", "surrogatepass")  # encoding of texts
MOST = {  # most numbers or texts: 8 bytes each in a file, 32 to 64 as objects
    **dict.fromkeys(LABELS, 300_000),
    "loss_curve_": 1_000_000,
    **dict.fromkeys(("validation_loss_curve_", "validation_scores_"), 250_000),
    NUMBER: 1,
    NAMED: 250_000,  # together
}
MOST_LETTERS = 6_000_000  # in all texts, and in an array of str as wide as the longest
FOLLOWING = ("input_shape_", "n_features_in_", "n_outputs_", "n_iter_", "loss_")
FITTED = {"network_", *NAMES, *FOLLOWING}  # if one is there, all must be
FITTED -= {"n_features_in_", "feature_names_in_"}  # set by scikit-learn's checks of X


def encode(estimator, tensors):
    """Return learned attributes as JSON; arrays, lists of floats and texts are put into `tensors`.

    The JSON has their kind in their place: "numbers", or "str" and "object" for texts.
    """
    found = {name: getattr(estimator, name, None) for name in (*FLAGS, LINK)}
    curves = getattr(estimator, NAMED, None)
    found[NAMED] = list(curves) if curves else None
    if curves and sum(map(len, curves.values())) > MOST[NAMED]:
        raise ValueError(f"save: {NAMED} must have at most {MOST[NAMED]} scores, got more.")
    for name, curve in (curves or {}).items():
        tensors[PREFIX + NAMED + name] = np.array(curve, np.float64)
    for name in (*LABELS, *CURVES, NUMBER):
        value = getattr(estimator, name, None)
        found[name] = None
        if value is None:
            continue
        array = np.array(value, np.float64).reshape(-1) if name not in LABELS else value
        if len(array) > MOST[name]:
            raise ValueError(f"save: {name} must be at most {MOST[name]}, got {len(array)}.")
        if array.dtype.kind in "biuf" and array.dtype.itemsize <= 8:
            found[name] = "numbers"
            tensors[PREFIX + name] = array
        elif all(isinstance(text, str) for text in array):
            found[name] = "str" if array.dtype.kind == "U" else "object"
            texts = [text.encode(*CODE) for text in array]
            ends = np.cumsum([*map(len, texts)], dtype=np.int64)
            _check_letters(name, found[name], ends, "save")
            tensors[PREFIX + name] = np.frombuffer(b"".join(texts), np.uint8)
            tensors[PREFIX + name + ENDS] = ends
        else:
            raise ValueError(f"save: {name} must be numbers or text, got {short(value)}.")
    return found


def decode(data, network, of_targets, take):
    """Return the attributes from the result of `encode`, and those that follow; check all of them.

    `of_targets` is the estimator's `_learned_of_targets`. ``take(name, sizes)`` returns a tensor,
    whose size must lie in the range `sizes`. Anything wrong is a ValueError.
    """
    data = dict.fromkeys(LATER) | data
    if data.keys() != set(NAMES):
        raise ValueError(f"load: learned must have {sorted(NAMES)}, got {short(sorted(data))}.")
    counts = {"classes_": network.n_outputs, "feature_names_in_": prod(network.input_shape)}
    found = {name: _labels(name, data[name], take, counts[name]) for name in LABELS}
    found |= {name: _floats(name, data[name], take, MOST[name]) for name in CURVES}
    found[NAMED] = _named(data[NAMED], take)
    score = _floats(NUMBER, data[NUMBER], take, 1)
    found |= {NUMBER: score and score[0]} | {name: data[name] for name in (*FLAGS, LINK)}
    if not found["loss_curve_"]:
        raise ValueError("load: loss_curve_ must have a loss for every epoch, got none.")
    found |= _following(network, found["loss_curve_"])
    if found["feature_names_in_"] is None:
        del found["feature_names_in_"]
    if LINK in of_targets and found[LINK] is None:
        found[LINK] = LINKS[0]
    for name in OF_TARGETS:
        if name not in of_targets and found[name] is None:
            del found[name]
    check(found, network, of_targets)
    return found


def check(found, network, of_targets):
    """Raise a ValueError unless learned attributes fit one another and the network."""
    check_one_input(network)
    curves = found.get(NAMED)
    if curves is not None and not (isinstance(curves, dict) and all(map(_is_name, curves))):
        raise ValueError(f"{NAMED} must be a dict of curves by name, got {short(curves)}.")
    curves = {name: found[name] for name in CURVES} | (curves or {})
    for name, curve in curves.items():
        if curve is None and name != "loss_curve_":
            continue
        if not isinstance(curve, list) or not all(isinstance(x, float) for x in curve):
            raise ValueError(f"{name} must be a list of floats, got {short(curve)}.")
        if name == "loss_curve_" and not all(map(isfinite, curve)):
            raise ValueError(f"{name} must be finite, got {short(curve)}.")
    for name, value in _following(network, found["loss_curve_"]).items():
        if found[name] != value:
            raise ValueError(f"{name} must be {value}, got {short(found[name])}.")
    if found[NUMBER] is not None and not isinstance(found[NUMBER], float):
        raise ValueError(f"{NUMBER} must be a float or None, got {short(found[NUMBER])}.")
    _check_classes(found, network.n_outputs, of_targets)
    if LINK in of_targets and found.get(LINK) not in LINKS:
        raise ValueError(f"{LINK} must be one of {LINKS}, got {short(found.get(LINK))}.")
    columns = found.get("feature_names_in_")
    if columns is not None and (
        columns.dtype != object or columns.shape != (found["n_features_in_"],)
    ):
        raise ValueError(
            f"feature_names_in_ must be {found['n_features_in_']} texts, got {columns.shape} of "
            f"{columns.dtype}."
        )


def _is_name(value):
    return isinstance(value, str)


def check_one_input(network):
    """Raise a ValueError if a network has several inputs: estimators have one."""
    if isinstance(network.input_shape, dict):
        raise ValueError(f"network_ must have one input, got {list(network.input_shape)}.")


def _following(network, loss_curve):
    """Return the attributes that follow from a network and its loss curve."""
    shape = network.input_shape
    values = shape, prod(shape), network.n_outputs, len(loss_curve), loss_curve[-1]
    return dict(zip(FOLLOWING, values, strict=True))


def _labels(name, kind, take, count):
    """Return an array of `count` labels, or None."""
    if kind is None:
        return None
    if kind == "numbers":
        return take(name, range(count, count + 1))
    if kind not in ("str", "object"):
        raise ValueError(f"load: {name} must be numbers, str or object, got {short(kind)}.")
    if count > MOST[name]:
        raise ValueError(f"load: {name} must be at most {MOST[name]}, got {count}.")
    ends = take(name + ENDS, range(count, count + 1))
    letters = take(name, range(MOST_LETTERS + 1))
    if ends.dtype != np.int64 or letters.dtype != np.uint8 or len(ends) == 0:
        raise ValueError(f"load: {name} must be bytes and where each text ends.")
    starts = np.concatenate(([0], ends[:-1]))
    if (starts > ends).any() or starts.min() < 0 or ends[-1] != len(letters):
        raise ValueError(f"load: {name} must be texts that follow one another.")
    _check_letters(name, kind, ends, "load")
    texts, start = np.empty(count, object), 0
    for i, end in enumerate(ends):
        texts[i] = str(letters[start:end].data, *CODE)
        start = end
    return texts.astype(np.str_) if kind == "str" else texts


def _check_letters(name, kind, ends, owner):
    """Raise if texts that end at `ends` are too long, together or as an array of str."""
    widest = int(np.diff(ends, prepend=0).max(initial=0))
    for size, what in ((int(ends[-1]), "in all"), (len(ends) * widest, "as dtype str")):
        if size > MOST_LETTERS and (what == "in all" or kind == "str"):
            raise ValueError(
                f"{owner}: {name} must take at most {MOST_LETTERS} letters {what}, got {size}."
            )


def _floats(name, kind, take, most):
    """Return a list of floats, or None."""
    if kind is None:
        return None
    array = take(name, range(1, most + 1))
    if kind != "numbers" or array.dtype != np.float64:
        raise ValueError(f"load: {name} must be numbers of float64, got {short(kind)}.")
    return array.tolist()


def _named(names, take):
    """Return lists of floats by name, or None."""
    if names is None:
        return None
    sound = isinstance(names, list) and all(isinstance(name, str) for name in names)
    if not names or not sound or len(set(names)) < len(names):
        raise ValueError(f"load: {NAMED} must have names, got {short(names)}.")
    most = MOST[NAMED] // len(names)
    return {name: _floats(NAMED + name, "numbers", take, max(most, 1)) for name in names}


def _check_classes(found, n_outputs, of_targets):
    """Raise unless the attributes `of_targets` are there alone, and fit `n_outputs` outputs."""
    for name in OF_TARGETS:
        if name not in of_targets and name in found:
            got = short(found[name])
            raise ValueError(f"{name} must be None for such an estimator, got {got}.")
        if name in of_targets and name in FLAGS and not isinstance(found.get(name), bool):
            raise ValueError(f"{name} must be true or false, got {short(found.get(name))}.")
    if found.get("has_channels_") is False and n_outputs != 1:
        raise ValueError(f"has_channels_ must be true for {n_outputs} channels, got false.")
    if "classes_" not in of_targets:
        return
    classes, multilabel = found["classes_"], found.get("multilabel_", False)
    sound = isinstance(classes, np.ndarray) and classes.shape == (n_outputs,)
    # classes must be sorted: labels are searched by bisection
    sound = sound and bool((classes[1:] > classes[:-1]).all())
    if sound and multilabel:
        sound = classes.dtype.kind in "iu" and (classes[0], classes[-1]) == (0, n_outputs - 1)
    if not sound:
        got = classes[:5] if isinstance(classes, np.ndarray) else classes
        raise ValueError(
            f"classes_ must be one for each of the {n_outputs} outputs, in order, got {short(got)}."
        )
