"""One moment of an estimator, which other threads may train or change while it answers."""

import os
from contextlib import contextmanager
from functools import wraps
from threading import RLock

CHANGING = RLock()  # held while attributes take the place of those there are
if hasattr(os, "register_at_fork"):  # whoever holds it in the parent does not live in the child
    os.register_at_fork(after_in_child=CHANGING._at_fork_reinit)


def snapshot(estimator):
    """Return an estimator of the same class with the attributes that it has now.

    They are read at once; what they refer to is not copied.
    """
    found = object.__new__(type(estimator))
    found.__dict__ = vars(estimator).copy()
    return found


def set_learned(estimator, learnt):
    """Put `learnt` in the place of what an estimator had learnt, all at once.

    Whoever looks at it meanwhile, a signal's handler or another thread, finds it before or after.
    """
    with CHANGING:
        kept = vars(estimator).copy()
        for name in ("feature_names_in_", "_training"):
            kept.pop(name, None)
        estimator.__dict__ = kept | learnt


@contextmanager
def training_of(estimator, moment):
    """Give this thread alone what `partial_fit` goes on with from a moment of an estimator.

    That is None where there is none, or where another thread has it. An error gives it back, unless
    the estimator has learnt something else since.
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
    """Return a method that answers from a `snapshot`: all that it reads is of one model."""

    @wraps(method)
    def answer(self, *args, **kwargs):
        return method(snapshot(self), *args, **kwargs)

    return answer


def all_at_once(method):
    """Return a method that changes attributes, all of them or, where it raises, none."""

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
        """Set hyper-parameters by the names of `get_params`: all of them or, in an error, none."""
        return super().set_params(**params)
