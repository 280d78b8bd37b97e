"""Snapshots of an estimator, which other threads may train or change during a call."""

import os
from contextlib import contextmanager
from functools import wraps
from threading import RLock

CHANGING = RLock()  # held while attributes are replaced
if hasattr(os, "register_at_fork"):  # its holder in the parent does not exist in the child
    os.register_at_fork(after_in_child=CHANGING._at_fork_reinit)


def snapshot(estimator):
    """Return an estimator of the same class with the attributes that it has now.

    The attributes are read at once; the objects in them are not copied.
    """
    found = object.__new__(type(estimator))
    found.__dict__ = vars(estimator).copy()
    return found


def set_learned(estimator, learnt):
    """Replace all learned attributes of an estimator by `learnt`, at once.

    A signal handler or another thread sees the state before or after, never a mixture.
    """
    with CHANGING:
        kept = vars(estimator).copy()
        for name in ("feature_names_in_", "_training"):
            kept.pop(name, None)
        estimator.__dict__ = kept | learnt


@contextmanager
def training_of(estimator, moment):
    """Return a context in which this thread alone has the training run of `partial_fit`.

    The run is None if `moment` has none, or if another thread has it. After an error it is given
    back, unless the estimator has learned something else since.
    """
    with CHANGING:
        found = moment._training
        if found is not None and estimator._training is found:
            del vars(estimator)["_training"]
        else:
            found = None
    try:
        yield found
    except BaseException:
        with CHANGING:
            if found is not None and estimator.network_ is moment.network_:
                estimator._training = found
        raise


def of_one_moment(method):
    """Return a method that works on a `snapshot`: all attributes it reads are of one model."""

    @wraps(method)
    def answer(self, *args, **kwargs):
        return method(snapshot(self), *args, **kwargs)

    return answer


def all_at_once(method):
    """Return a method that changes all attributes at once, or none if it raises."""

    @wraps(method)
    def change(self, *args, **kwargs):
        with CHANGING:
            changed = snapshot(self)
            method(changed, *args, **kwargs)
            self.__dict__ = vars(changed)
        return self

    return change


class OfOneMoment:
    """Mixin: hyper-parameters are read, and set, all at once."""

    @of_one_moment
    def get_params(self, deep=True):
        """Return the hyper-parameters as a dict; if `deep`, with those of their parts."""
        return super().get_params(deep=deep)

    @all_at_once
    def set_params(self, **params):
        """Set hyper-parameters by the names of `get_params`: all, or none if one is wrong."""
        return super().set_params(**params)
