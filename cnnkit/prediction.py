"""Prediction in batches."""

import numpy as np

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

    ``augment(images)`` changes every batch in place.
    """
    count = len(X) if rows is None else len(rows)
    outputs = np.empty((count, *network.output.shape[1:]), network.dtype)
    for start in range(0, count, network.batch_size):
        batch = slice(start, start + network.batch_size)
        n = network.load(X, batch if rows is None else rows[batch], augment)
        outputs[batch] = network.forward(n)
    return outputs
