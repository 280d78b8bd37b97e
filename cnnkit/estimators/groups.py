"""A validation split that keeps groups whole: patients, scenes, films."""

import numpy as np
from sklearn.utils import check_array, check_consistent_length


def group_numbers(groups, X, owner):
    """Return `groups`, one label for every sample of X, as numbers from 0; or raise."""
    groups = check_array(groups, ensure_2d=False, dtype=None, input_name="groups")
    if groups.ndim != 1:
        raise ValueError(
            f"{owner}: groups must be one label for every sample, got shape {groups.shape}."
        )
    check_consistent_length(X, groups)
    try:
        return np.unique(groups, return_inverse=True)[1]
    except TypeError:  # objects that cannot be sorted
        kinds = sorted({type(group).__name__ for group in groups})
        raise ValueError(f"{owner}: groups must be all numbers or all text, got {kinds}.") from None


def split_groups(estimator, rows, targets, groups, rng):
    """Return rows for training and rows for validation, of other groups.

    Groups come to validation in a random order, each that brings the shares of all classes (or
    labels; for numbers the share of the samples) nearer to `validation_fraction`; if none does, as
    groups are few, the one that brings them nearest. Of every class a group stays to train on.
    """
    share, found = estimator.validation_fraction, groups[rows]
    known, numbers = np.unique(found, return_inverse=True)
    kinds = _kinds(targets[rows])
    counts = np.zeros((len(known), kinds.shape[1]))
    np.add.at(counts, numbers, kinds)
    counts /= counts.sum(axis=0)
    left = (counts > 0).sum(axis=0)  # groups of every class, to train on
    held, kept = np.zeros(len(known), bool), np.zeros(counts.shape[1])
    order = rng.permutation(len(known))
    for group in order:
        there = counts[group] > 0
        if (left[there] > 1).all() and _off(kept + counts[group], share) < _off(kept, share):
            held[group], kept, left = True, kept + counts[group], left - there
    if not held.any():
        free = [group for group in order if (left[counts[group] > 0] > 1).all()]
        if free:
            held[min(free, key=lambda group: _off(counts[group], share))] = True
    if not held.any():
        raise ValueError(
            f"{type(estimator).__name__}: validation_fraction must leave groups of every class to "
            f"train on, got {share} of {len(known)} groups, none of which can be held back."
        )
    return rows[~held[numbers]], rows[held[numbers]]


def _off(shares, wanted):
    return ((shares - wanted) ** 2).sum()


def _kinds(targets):
    """Return columns whose shares are kept: the samples of every class, or all samples."""
    if targets.ndim == 1:
        return np.eye(targets.max() + 1)[targets][:, np.bincount(targets) > 0]
    samples = np.ones((len(targets), 1))
    if targets.dtype != bool:
        return samples
    return np.hstack([samples, targets[:, targets.any(axis=0)]])
