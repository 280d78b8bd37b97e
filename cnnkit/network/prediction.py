"""Prediction in batches."""

import numpy as np

from cnnkit.data.reading import read_ahead
from cnnkit.data.scaling import from_standard
from cnnkit.exceptions import DivergenceError, overflow_allowed

PREDICT_BATCH = 256  # most samples in a batch, most memory for its activations
PREDICT_BYTES = 64 << 20


def inference_network(network, samples, weights=None, node=None, *, passes=1, changing=False):
    """Return a network for inference of `samples` samples in batches.

    Parameters
    ----------
    network : Network
    samples : int
        Number of samples.
    weights : Weights, default=None
        Used instead of the weights of the network.
    node : str, default=None
        Node whose output is wanted, instead of the output of the network.
    passes : int, default=1
        Number of times that the samples are predicted.
    changing : bool, default=False
        Whether the weights change while the network is in use. If not, and if there are several
        batches, the weights are packed once for all batches.
    """
    each = max(1, network.activation_bytes // network.batch_size)
    size = max(1, min(samples, PREDICT_BATCH, PREDICT_BYTES // each))
    packed = not changing and samples * passes > size
    return network.resized(size, None if node is None else (node,), weights, packed=packed)


def predict(network, X, rows=None, augment=None):
    """Return the network's outputs for all samples of `X`, or for `rows` of it, in batches.

    ``augment(images)`` changes every batch in place. If numbers become too large, outputs are
    infinite or NaN: see `check_outputs`.
    """
    count = len(X) if rows is None else len(rows)
    outputs = np.empty((count, *network.output.shape[1:]), network.dtype)
    with read_ahead(X, rows) as images:
        for start in range(0, count, network.batch_size):
            batch = slice(start, start + network.batch_size)
            n = network.load(images, batch if rows is None else rows[batch], augment)
            with overflow_allowed():
                outputs[batch] = network.forward(n)
    return outputs


def gives_finite(network, weights, X, rows=None):
    """Say whether a network gives finite numbers, in units of the targets, with `weights`."""
    count = len(X) if rows is None else len(rows)
    outputs = predict(inference_network(network, count, weights), X, rows)
    with overflow_allowed():
        return bool(np.isfinite(from_standard(outputs, weights)).all())


def check_outputs(outputs, owner):
    """Raise if outputs of a network are infinite or NaN, which cannot be a prediction."""
    finite = np.isfinite(outputs)
    if not finite.all():
        row = int(np.argwhere(~finite)[0][0])
        raise DivergenceError(
            f"{owner}: predictions must be finite numbers, got {outputs[row][~finite[row]][0]} for "
            f"X[{row}]: its numbers, or the weights of the network, are too large."
        )
