"""Weights of labels: factors for the losses of each label of a multilabel y."""

from collections.abc import Mapping

import numpy as np

from cnnkit.validate.values import as_real, short


def label_weights(class_weight, targets, weights):
    """Return an array (2, n_labels): factors where a label is not there, and where it is.

    Parameters
    ----------
    class_weight : "balanced" or list of dict
        "balanced" gives both values of a label the same total weight, ``n / (2 count)`` as in
        scikit-learn; a dict for every label says the weight of 0 and of 1, by default 1.
    targets : array of shape (n, n_labels), bool
    weights : array of shape (n,) or None
        Weights of the samples.
    """
    if isinstance(class_weight, str):
        return _balanced(targets, weights)
    count = targets.shape[1]
    listed = isinstance(class_weight, (list, tuple)) and len(class_weight) == count
    if not listed or not all(map(_is_of_one_label, class_weight)):
        raise ValueError(
            f"CNNClassifier: class_weight must be 'balanced' or a list of a dict such as "
            f"{{0: 1, 1: 5}} for each of the {count} labels of a multilabel y, "
            f"got {short(class_weight)}."
        )
    found = np.ones((2, count))
    for label, given in enumerate(class_weight):
        for value, weight in given.items():
            name = f"class_weight[{label}] of {value!r}"
            found[int(value), label] = as_real(weight, name, "CNNClassifier", least=0)
    if not found.any():
        raise ValueError("CNNClassifier: class_weight must leave a label a weight, got zeros.")
    return found


def _is_of_one_label(given):
    return isinstance(given, Mapping) and all(value in (0, 1) for value in given)


def _balanced(targets, weights):
    yes = np.average(targets, axis=0, weights=weights)
    shares = np.stack([1 - yes, yes])
    kinds = (shares > 0).sum(axis=0)  # 1 where all samples are alike in a label
    return np.divide(1 / kinds, shares, out=np.zeros_like(shares), where=shares > 0)
