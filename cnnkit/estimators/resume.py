"""Whether a fit goes on from a checkpoint, and whether it is the same fit."""

import re
import zlib
from collections.abc import Mapping, Set
from numbers import Integral, Real

import numpy as np

from cnnkit.callbacks import Checkpoint
from cnnkit.estimators.defaults import is_auto
from cnnkit.training.checkpoints import check_length

FREE = {  # what may differ; `describe_start` says what initial_weights and warm_start come to
    *("initial_weights", "max_time", "n_iter_no_change", "random_state"),
    *("test_time_augmentation", "verbose", "warm_start"),
}
VALIDATED = ("validation_loss", "validation_score")
MANY = 1000  # parts of one hyper-parameter: of more, only a sum is kept
BLOCK = 64 << 20  # bytes of samples that are summed at once


def state_to_resume(estimator, again, validated):
    """Return the `State` that the estimator's next fit goes on from, None where it begins anew.

    A fit that starts `again` from what was learnt goes on from a fit with that start alone. Where
    the file is of another, most often of the one that ended in what was learnt, it begins anew.

    Raises where a Checkpoint cannot be one of this fit, in which epochs are `validated` or not.
    """
    callbacks = getattr(estimator, "_skl_callbacks", [])
    found = [callback for callback in callbacks if isinstance(callback, Checkpoint)]
    for callback in found:
        epochs = 0 if is_auto(estimator.max_iter) else estimator.max_iter
        check_length(epochs, len(estimator.loss_curve_) if again else 0)
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
    """Return what must be the same where a fit goes on.

    That is the class, hyper-parameters with all they consist of, and sums of weights and data. How
    long to train may differ, unless a schedule spreads over it.

    Parameters
    ----------
    estimator : estimator
    seed : int
        What `random_state` gave.
    start : str
        What `describe_start` gave.
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
    found = {"estimator": _kind(estimator)}
    for name, value in sorted(estimator.get_params(deep=False).items()):
        if name not in FREE and (name != "max_iter" or estimator.learning_rate != "constant"):
            found |= _parts(value, name)
    found["random_state"] = f"one that gives {seed}"
    for name, array in arrays.items():
        found[name] = "None"
        if array is not None:
            found[name] = f"{array.dtype} {array.shape}, sum {_sum(array):08x}"
    return found | {"start": start}


def describe_start(weights, curve):
    """Return a text that tells apart what fits start from: weights, and losses before."""
    found = zlib.crc32(np.array(curve, np.float64))
    for path, array in weights.items():
        found = _sum(array, zlib.crc32(f"{path} {array.shape}".encode(), found))
    return f"{weights.flat.dtype} weights after {len(curve)} epochs, sum {found:08x}"


def go_on(state, run, watch, fit):
    """Bring a run to a state, which must be of the fit described by `fit` and sound."""
    _check_same(state.fit, fit)
    state.apply(run, watch)
    for weights in (run.network.weights, run.weights):
        weights.check_numbers("Checkpoint")
    run.optimizer.check_moments("Checkpoint")


def _check_same(found, wanted):
    """Raise unless the fit in a checkpoint, as described, is this one; name what differs."""
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
    """Return texts by name, the same in another process, for a hyper-parameter and its parts."""
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
    """Return a text for what has no parts."""
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
    return re.sub(" at 0x[0-9a-fA-F]+", "", repr(value))  # addresses are of this process


def _kind(value):
    return f"{type(value).__module__}.{type(value).__qualname__}"


def _sum(array, found=0):
    """Return a checksum of the numbers of an array, in order, after that of others."""
    rows = max(1, BLOCK // max(1, array[:1].nbytes))
    for start in range(0, len(array), rows):
        found = zlib.crc32(np.ascontiguousarray(array[start : start + rows]), found)
    return found
