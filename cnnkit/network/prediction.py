"""Prediction in batches."""

import numpy as np

from cnnkit.data.scaling import from_standard
from cnnkit.exceptions import DivergenceError, overflow_allowed

PREDICT_BATCH = 256  # most samples of one batch, and most memory of its activations
PREDICT_BYTES = 64 << 20


def inference_network(network, samples, weights=None, node=None, *, passes=1, changing=False):
    """Return a network for inference of `samples`, a few at a time.

    Parameters
    ----------
    network : Network
    samples : int
        How many there are.
    weights : Weights, default=None
        In the place of the network's.
    node : str, default=None
        The node whose output is wanted, if not the network's.
    passes : int, default=1
        How often the samples are predicted.
    changing : bool, default=False
        Whether the weights change while the network is in use. If not, they are packed once for
        all batches, where there are more than one.
    """
    each = max(1, network.activation_bytes // network.batch_size)
    size = max(1, min(samples, PREDICT_BATCH, PREDICT_BYTES // each))
    packed = not changing and samples * passes > size
    return network.resized(size, None if node is None else (node,), weights, packed=packed)


def predict(network, X, rows=None, augment=None):
    """Return the network's outputs for every sample of `X`, or for some rows of it, in batches.

    ``augment(images)`` changes every batch in place. Where numbers become too large, outputs are
    infinite or NaN: see `check_outputs`.
    """
    count = len(X) if rows is None else len(rows)
    outputs = np.empty((count, *network.output.shape[1:]), network.dtype)
    for start in range(0, count, network.batch_size):
        batch = slice(start, start + network.batch_size)
        n = network.load(X, batch if rows is None else rows[batch], augment)
        with overflow_allowed():
            outputs[batch] = network.forward(n)
    return outputs


def gives_finite(network, weights, X, rows=None):
    """Say whether a network gives finite numbers, in units of the targets, with some weights."""
    count = len(X) if rows is None else len(rows)
    outputs = predict(inference_network(network, count, weights), X, rows)
    with overflow_allowed():
        return bool(np.isfinite(from_standard(outputs, weights)).all())


def check_outputs(outputs, owner):
    """Raise where a network gave a sample infinity or NaN: no label, no number follows from it."""
    finite = np.isfinite(outputs)
    if not finite.all():
        row = int(np.argwhere(~finite)[0][0])
        raise DivergenceError(
            f"{owner}: predictions must be finite numbers, got {outputs[row][~finite[row]][0]} for "
            f"X[{row}]: its numbers, or the weights of the network, are too large."
        )
