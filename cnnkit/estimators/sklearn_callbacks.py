"""Support for `sklearn.callback`, which scikit-learn has from 1.9 on.

`sklearn.callback` is imported only when an estimator with callbacks trains, since it imports rich
if that is installed.
"""

from __future__ import annotations

from functools import partial
from typing import Any, Self

from cnnkit.callbacks import Callback
from cnnkit.estimators.snapshot import all_at_once

HOOKS = ("setup", "on_fit_task_begin", "on_fit_task_end", "teardown")


class CallbackSupport:
    """Mixin: `sklearn.callback.CallbackSupportMixin` for all versions of scikit-learn."""

    @all_at_once
    def set_callbacks(self, *callbacks: Any) -> Self:
        """Set the callbacks that listen to `fit`.

        Parameters
        ----------
        *callbacks : Callback or sklearn.callback.FitCallback
            Without arguments, all callbacks are removed. The classes of `sklearn.callback` exist
            from scikit-learn 1.9 on. Callbacks are not hyper-parameters: from scikit-learn 1.9 on,
            `clone` passes them on by reference.

        Returns
        -------
        self : estimator
            The estimator itself.

        Examples
        --------
        >>> import numpy as np
        >>> from cnnkit import CNNClassifier
        >>> from cnnkit.callbacks import Timer
        >>> X, y = np.random.default_rng(0).random((20, 8, 8)), np.repeat([0, 1], 10)
        >>> timer = Timer()
        >>> clf = CNNClassifier(max_iter=3, random_state=0).set_callbacks(timer).fit(X, y)
        >>> len(timer.epochs)
        3
        """
        for callback in callbacks:
            if isinstance(callback, type) or not all(hasattr(callback, hook) for hook in HOOKS):
                raise TypeError(
                    f"{type(self).__name__}.set_callbacks: callbacks must be instances of "
                    f"cnnkit.callbacks.Callback or follow sklearn.callback.FitCallback, "
                    f"got {callback!r}."
                )
        if callbacks:
            self._skl_callbacks = list(callbacks)
        else:
            vars(self).pop("_skl_callbacks", None)
        return self


def train(estimator, run, watch, *, display, epochs, given, fitted):
    """Call `run` while the estimator's callbacks listen to `watch`.

    Parameters
    ----------
    estimator : estimator
    run : callable
        Function that trains.
    watch : Watch
    display : list of Callback
        Callbacks for `verbose`.
    epochs : int
        Largest number of epochs.
    given : dict
        X, y and metadata of `fit`.
    fitted : callable
        Returns the attributes with which a copy of the estimator would be fitted now.
    """
    callbacks = getattr(estimator, "_skl_callbacks", [])
    ours = display + [callback for callback in callbacks if isinstance(callback, Callback)]
    if ours:
        watch.listeners.append(CallbackListener(estimator, ours))
    if display:
        run = partial(run_alone, estimator, run, display)
    if not callbacks:
        return run()
    try:
        from sklearn.callback import with_callbacks
    except ImportError:
        return run_alone(estimator, run, callbacks)

    def run_in_context(estimator):
        from sklearn.callback import CallbackSupportMixin

        context = CallbackSupportMixin._init_callback_context(estimator, max_subtasks=epochs)
        context.call_on_fit_task_begin(estimator=estimator, **given)
        watch.listeners.append(TaskListener(estimator, context, given, fitted))
        run()
        context.call_on_fit_task_end(estimator=estimator, **given, reconstruction_attributes=fitted)

    return with_callbacks(run_in_context)(estimator)


def run_alone(estimator, run, callbacks):
    """Train under callbacks with a scikit-learn that has no contexts for them."""
    begun = []
    try:
        for callback in callbacks:
            begun.append(callback)
            callback.setup(estimator, None)
        run()
    finally:
        for callback in begun:
            callback.teardown(estimator, None)


class CallbackListener:
    """A listener of `Watch` that calls the callbacks of cnnkit."""

    def __init__(self, estimator, callbacks):
        self.estimator = estimator
        self.callbacks = callbacks

    def resume(self, epochs):
        """Call `on_resume` with the epochs before a checkpoint."""
        for callback in self.callbacks:
            callback.on_resume(self.estimator, epochs)

    def begin(self):
        """Do nothing: cnnkit's callbacks have no method for the start of an epoch."""

    def end(self, epoch):
        """Call `on_epoch_end`; return whether a callback wants to stop."""
        told = [callback.on_epoch_end(self.estimator, epoch) for callback in self.callbacks]
        return any(told)


class TaskListener:
    """A listener of `Watch` that makes every epoch a task of scikit-learn."""

    def __init__(self, estimator, context, given, fitted):
        self.estimator = estimator
        self.context = context
        self.given = given
        self.fitted = fitted

    def resume(self, epochs):
        """Do nothing: epochs of another process are not tasks of this one."""

    def begin(self):
        """Open the task of an epoch."""
        self.task = self.context.subcontext(task_name="epoch")
        self.task.call_on_fit_task_begin(estimator=self.estimator, **self.given)

    def end(self, epoch):
        """Close the task; return whether a callback wants to stop."""
        return self.task.call_on_fit_task_end(
            estimator=self.estimator, **self.given, reconstruction_attributes=self.fitted
        )
