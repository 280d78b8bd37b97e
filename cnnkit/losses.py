"""What training makes small."""

from cnnkit._native.loss import cross_entropy, softmax


class SoftmaxCrossEntropy:
    """``-log softmax(logits)[target]``, for targets that are class indices."""

    def __call__(self, logits, targets, dlogits):
        """Return the mean over the rows and write its gradient to `dlogits`."""
        total = cross_entropy(logits, targets, None, dlogits)
        dlogits *= dlogits.dtype.type(1 / len(logits))
        return total / len(logits)

    def outputs(self, logits, out):
        """Write the probabilities the logits stand for to `out`."""
        softmax(logits, out)
