"""Prediction in batches."""

import numpy as np

from cnnkit.images import load_batch

PREDICT_BATCH = 256  # most samples of one batch, and most memory of its activations
PREDICT_BYTES = 64 << 20


def inference_network(network, samples, weights=None, node=None):
    """Return a network for inference of `samples`, a few at a time; of one node, if given."""
    each = max(1, network.activation_bytes // network.batch_size)
    size = max(1, min(samples, PREDICT_BATCH, PREDICT_BYTES // each))
    return network.resized(size, None if node is None else (node,), weights)


def predict(network, X, rows=None, augment=None):
    """Return the network's outputs for every sample of `X`, or for some rows of it, in batches."""
    count = len(X) if rows is None else len(rows)
    outputs = np.empty((count, *network.output.shape[1:]), network.dtype)
    for start in range(0, count, network.batch_size):
        batch = slice(start, start + network.batch_size)
        n = load_batch(X, batch if rows is None else rows[batch], network.x)
        if augment is not None:
            augment(network.x[:n], None)
        outputs[batch] = network.forward(n)
    return outputs
