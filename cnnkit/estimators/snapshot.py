"""Snapshots of an estimator, which other threads may train or change during a call."""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import contextmanager
from functools import wraps
from threading import RLock
from typing import TYPE_CHECKING, Any, Self, TypeVar, cast

S = TypeVar("S")
M = TypeVar("M", bound=Callable[..., Any])

if TYPE_CHECKING:
    from sklearn.base import BaseEstimator

    from cnnkit.validate.pickles import Checked

    class Hyperparameters(Checked, BaseEstimator):
        """The base class of estimators, on which the mixins for hyper-parameters rely."""

else:
    Hyperparameters = object

CHANGING = RLock()  # held while attributes are replaced
if hasattr(os, "register_at_fork"):  # its holder in the parent does not exist in the child
    os.register_at_fork(after_in_child=CHANGING._at_fork_reinit)  # type: ignore[attr-defined]


def snapshot(estimator: S) -> S:
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


def of_one_moment(method: M) -> M:
    """Return a method that works on a `snapshot`: all attributes it reads are of one model."""

    @wraps(method)
    def answer(self, *args, **kwargs):
        return method(snapshot(self), *args, **kwargs)

    return cast(M, answer)


def all_at_once(method: M) -> M:
    """Return a method that changes all attributes at once, or none if it raises."""

    @wraps(method)
    def change(self, *args, **kwargs):
        with CHANGING:
            changed = snapshot(self)
            method(changed, *args, **kwargs)
            self.__dict__ = vars(changed)
        return self

    return cast(M, change)


class OfOneMoment(Hyperparameters):
    """Mixin: hyper-parameters are read, and set, all at once."""

    @of_one_moment
    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """Return the hyper-parameters; if `deep`, with those of their parts.

        Parameters
        ----------
        deep : bool, default=True
            Whether hyper-parameters of parts are included, such as ``estimator__max_iter``.

        Returns
        -------
        params : dict of str to object
            Values by name.

        Examples
        --------
        >>> from cnnkit import CNNClassifier, CNNFeatures
        >>> CNNFeatures(CNNClassifier(max_iter=5)).get_params()["estimator__max_iter"]
        5
        """
        return super().get_params(deep=deep)

    @all_at_once
    def set_params(self, **params: Any) -> Self:
        """Set hyper-parameters by the names of `get_params`: all, or none if one is wrong.

        Parameters
        ----------
        **params : object
            Values by name.

        Returns
        -------
        self : estimator
            The estimator itself.

        Raises
        ------
        ValueError
            If there is no hyper-parameter of such a name.

        Examples
        --------
        >>> from cnnkit import CNNClassifier, CNNFeatures
        >>> CNNFeatures(CNNClassifier()).set_params(estimator__max_iter=5, node="conv1")
        CNNFeatures(estimator=CNNClassifier(max_iter=5), node='conv1')
        """
        return super().set_params(**params)
