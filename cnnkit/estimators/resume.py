"""Resuming a fit from a checkpoint, which must be of the same fit."""

import re
import zlib
from collections.abc import Mapping, Set
from numbers import Integral, Real

import numpy as np

from cnnkit.callbacks import Checkpoint
from cnnkit.data.stream import Stream, StreamTargets
from cnnkit.estimators.defaults import is_auto
from cnnkit.estimators.scoring import count_named
from cnnkit.training.checkpoints import check_length

FREE = {  # may differ; `describe_start` covers initial_weights and warm_start
    *("initial_weights", "max_time", "n_iter_no_change", "random_state"),
    *("test_time_augmentation", "verbose", "warm_start"),
}
ADDED = {  # hyper-parameters that files of before do not name, and what they stand for there
    "scoring": "None",
    "return_train_score": "False",
    "focal_gamma": "2",
    "quantile": "0.5",
}
VALIDATED = ("validation_loss", "validation_score")
MANY = 1000  # if a hyper-parameter has more parts, only a checksum is kept
BLOCK = 64 << 20  # bytes of samples that are added to a checksum at once


def state_to_resume(estimator, again, validated):
    """Return the `State` from which the estimator's next fit goes on, or None if it begins anew.

    A fit that starts `again` from learned weights goes on only from a fit with the same start. If
    the file is of another fit, as a rule of the one that gave those weights, the fit begins anew.

    An error is raised if a Checkpoint cannot be of this fit, whose epochs are `validated` or not.
    """
    callbacks = getattr(estimator, "_skl_callbacks", [])
    found = [callback for callback in callbacks if isinstance(callback, Checkpoint)]
    for callback in found:
        epochs = 0 if is_auto(estimator.max_iter) else estimator.max_iter
        before = len(estimator.loss_curve_) if again else 0
        check_length(epochs, before, count_named(estimator, validated))
        if callback.monitor in VALIDATED and not validated:
            raise ValueError(
                f"Checkpoint: monitor {callback.monitor!r} must be known, give "
                f"{type(estimator).__name__} early_stopping=True or fit X_val and y_val."
            )
    found = [callback for callback in found if callback.resume]
    if len(found) > 1:
        raise ValueError(
            f"{type(estimator).__name__}: one Checkpoint at most must have resume=True, "
            f"got {len(found)}."
        )
    if found and estimator.solver == "lbfgs":
        raise ValueError(
            f"{type(estimator).__name__}: a Checkpoint must have resume=False with solver='lbfgs', "
            f"each of whose steps hangs on all before it."
        )
    state = found[0].read() if found else None
    if state is not None and again:
        start = describe_start(estimator.network_.weights, estimator.loss_curve_)
        return state if state.fit.get("start") == start else None
    return state


def describe(estimator, seed, start, data, validation):
    """Return a description of a fit, which must be the same for a fit that goes on.

    It has the class, the hyper-parameters with all their parts, and checksums of weights and data.
    The number of epochs may differ, unless a schedule depends on it.

    Parameters
    ----------
    estimator : estimator
    seed : int
        Seed drawn from `random_state`.
    start : str
        Result of `describe_start`.
    data : TrainingData
    validation : dict or None
        The arguments of a `Validation`.

    Returns
    -------
    description : dict of str
    """
    arrays = {"X": data.X, "targets": data.targets, "weights of samples": data.weights}
    if validation is not None and validation["X"] is not data.X:
        arrays |= {"X_val": validation["X"], "targets of X_val": validation["targets"]}
    if data.groups is not None:
        arrays["groups"] = data.groups
    found = {"estimator": _kind(estimator)}
    for name, value in sorted(estimator.get_params(deep=False).items()):
        if name not in FREE and (name != "max_iter" or estimator.learning_rate != "constant"):
            found |= _parts(value, name)
    found["random_state"] = f"one that gives {seed}"
    for name, array in arrays.items():
        found[name] = "None"
        if isinstance(array, (Stream, StreamTargets)):
            found[name] = f"{array.dtype} {array.shape} in batches"
        elif array is not None:
            found[name] = f"{array.dtype} {array.shape}, sum {_sum(array):08x}"
    return found | {"start": start}


def describe_start(weights, curve):
    """Return a text that identifies the start of a fit: its weights, and losses before."""
    found = zlib.crc32(np.array(curve, np.float64))
    for path, array in weights.items():
        found = _sum(array, zlib.crc32(f"{path} {array.shape}".encode(), found))
    return f"{weights.flat.dtype} weights after {len(curve)} epochs, sum {found:08x}"


def go_on(state, run, watch, fit):
    """Bring a run to a state, which must be valid and of the fit that `fit` describes."""
    _check_same(state.fit, fit)
    state.apply(run, watch)
    for weights in (run.network.weights, run.weights):
        weights.check_numbers("Checkpoint")
    run.optimizer.check_moments("Checkpoint")


def _check_same(found, wanted):
    """Raise an error that names the differences, unless two descriptions of fits are equal."""
    found = {name: text for name, text in ADDED.items() if name in wanted} | found
    differing = [name for name in wanted if found.get(name) != wanted[name]]
    if differing or found.keys() != wanted.keys():
        name = differing[0] if differing else sorted(found.keys() - wanted.keys())[0]
        raise ValueError(
            f"Checkpoint: to go on from it, it must be of the same fit, got another {name}: "
            f"{str(found.get(name))[:80]} in the place of {str(wanted.get(name))[:80]}. Remove the "
            f"file to begin anew. All fits of a search write to one file: there, give none "
            f"resume=True."
        )


def _parts(value, name):
    """Return texts by name, equal in all processes, for a hyper-parameter and its parts."""
    if isinstance(value, Mapping):
        text, parts = f"{len(value)} entries", {f"[{_text(k)}]": v for k, v in value.items()}
    elif isinstance(value, (list, tuple)):
        text, parts = f"{len(value)} entries", {f"[{i}]": v for i, v in enumerate(value)}
    elif hasattr(value, "get_params") and not isinstance(value, type):
        params = value.get_params(deep=False)
        text, parts = _kind(value), {f".{param}": v for param, v in params.items()}
    else:
        text, parts = _text(value), {}
    found = {name: text}
    for part, entry in parts.items():
        found |= _parts(entry, name + part)
    if len(found) > MANY:
        return {name: f"{text}, sum {zlib.crc32(repr(found).encode()):08x}"}
    return found


def _text(value):
    """Return a text for a value without parts."""
    if isinstance(value, (bool, np.bool_)):
        return str(value)
    if isinstance(value, Integral):
        return repr(int(value))
    if isinstance(value, Real):
        return repr(float(value)).removesuffix(".0")
    if isinstance(value, Set):
        return f"{type(value).__name__} of {sorted(map(_text, value))}"
    if isinstance(value, np.ndarray) and value.dtype != object:
        return f"{value.dtype} {value.shape}, sum {_sum(np.atleast_1d(value)):08x}"
    return re.sub(" at 0x[0-9a-fA-F]+", "", repr(value))  # addresses differ between processes


def _kind(value):
    return f"{type(value).__module__}.{type(value).__qualname__}"


def _sum(array, found=0):
    """Return a checksum of the numbers of an array, in order, continued from `found`."""
    rows = max(1, BLOCK // max(1, array[:1].nbytes))
    for start in range(0, len(array), rows):
        found = zlib.crc32(np.ascontiguousarray(array[start : start + rows]), found)
    return found
