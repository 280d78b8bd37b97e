"""Whether a fit goes on from a checkpoint, and whether it is the same fit."""

import zlib

import numpy as np

from cnnkit import plain
from cnnkit.callbacks import Checkpoint

BLOCK = 64 << 20  # bytes of samples that are summed at once


def state_to_resume(estimator):
    """Return the `State` that the estimator's next fit goes on from, None where it begins anew."""
    found = [
        callback
        for callback in getattr(estimator, "_skl_callbacks", [])
        if isinstance(callback, Checkpoint) and callback.resume
    ]
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
    return found[0].read() if found else None


def describe(estimator, seed, data, validation):
    """Return what must be the same where a fit goes on: hyper-parameters, and sums of the data.

    How long to train may differ, unless a schedule spreads over it.

    Parameters
    ----------
    estimator : estimator
    seed : int
        What `random_state` gave.
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
    params = estimator.get_params(deep=False)
    free = {"max_time", "random_state", "verbose", "n_iter_no_change", "test_time_augmentation"}
    if params["learning_rate"] == "constant":
        free.add("max_iter")
    found = {name: _text(params[name]) for name in sorted(params.keys() - free)}
    found["random_state"] = f"one that gives {seed}"
    for name, array in arrays.items():
        found[name] = "None"
        if array is not None:
            found[name] = f"{array.dtype} {array.shape}, sum {_sum(array):08x}"
    return found


def check_same(found, wanted):
    """Raise unless the fit in a checkpoint, as described, is this one; name what differs."""
    differing = [name for name in wanted if found.get(name) != wanted[name]]
    if differing or found.keys() != wanted.keys():
        name = differing[0] if differing else sorted(found.keys() - wanted.keys())[0]
        raise ValueError(
            f"Checkpoint: to go on from it, it must be of the same fit, got another {name}: "
            f"{str(found.get(name))[:80]} in the place of {str(wanted.get(name))[:80]}. Remove the "
            f"file to begin anew."
        )


def _text(value):
    """Return a text that is the same for the same hyper-parameter in another process."""
    try:
        return repr(plain.encode(value, "", "Checkpoint", plain.PARAMETERS))
    except ValueError:
        return f"a {type(value).__qualname__}"


def _sum(array):
    """Return a checksum of the numbers of an array, in order."""
    found = 0
    rows = max(1, BLOCK // max(1, array[:1].nbytes))
    for start in range(0, len(array), rows):
        found = zlib.crc32(np.ascontiguousarray(array[start : start + rows]), found)
    return found
