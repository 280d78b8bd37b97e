"""Learning-rate schedules.

A `Schedule` is plain data like a layer: it works with ``clone``, ``==``, ``repr`` and grid
searches. `Schedule.bind` returns an object that gives the rate of every step of a fit::

    run = Cosine(warmup_epochs=2).bind(0.01, steps_per_epoch=43, epochs=30)
    run.rate(0)  # rate of the first step of the fit; steps count from 0 over all epochs
    run.report(loss)  # once at the end of every epoch
"""

from __future__ import annotations

from collections.abc import Sequence
from math import cos, inf, pi
from typing import Any, cast

from sklearn.base import clone

from cnnkit.validate import shapes
from cnnkit.validate.pickles import Checked
from cnnkit.validate.values import as_real

__all__ = [
    "Constant",
    "Cosine",
    "Exponential",
    "OneCycle",
    "ReduceOnPlateau",
    "Schedule",
    "Step",
]


class Schedule(Checked):
    """Base class of the schedules.

    A subclass defines `multiplier`, and `check` if it has hyper-parameters. It sets `planned` if
    the rates depend on the number of epochs: the fit then runs to its last epoch, whatever the
    training loss does, and `partial_fit` refuses the schedule.

    Examples
    --------
    >>> from cnnkit.schedules import Schedule
    >>> class Halving(Schedule):
    ...     def multiplier(self, step, run):
    ...         return 0.5 ** (step // run.steps_per_epoch)
    >>> run = Halving().bind(0.1, steps_per_epoch=10, epochs=3)
    >>> [run.rate(step) for step in (0, 9, 10, 20)]
    [0.1, 0.1, 0.05, 0.025]
    """

    planned: bool = False

    def bind(self, learning_rate_init: float, steps_per_epoch: int, epochs: int) -> Run:
        """Check the hyper-parameters and return the `Run` of one fit.

        Parameters
        ----------
        learning_rate_init : float
            The highest rate in all schedules of this module.
        steps_per_epoch : int
            Number of batches of an epoch.
        epochs : int
            Largest number of epochs of the fit.

        Returns
        -------
        run : Run
            It has copies of the hyper-parameters: later changes of the schedule do not change it.

        Raises
        ------
        ValueError, TypeError
            If a hyper-parameter is out of range, or does not fit the length of the fit.

        Examples
        --------
        >>> from cnnkit.schedules import Cosine
        >>> run = Cosine().bind(0.1, steps_per_epoch=10, epochs=5)
        >>> run.steps, run.rate(0)
        (50, 0.1)
        """
        owner = type(self).__name__
        fit = (
            as_real(learning_rate_init, "learning_rate_init", owner, above=0),
            shapes.as_int(steps_per_epoch, "steps_per_epoch", owner),
            shapes.as_int(epochs, "epochs", owner),
        )
        self.check(self._run(self, *fit))
        return self._run(clone(self), *fit)

    def check(self, run: Run) -> None:
        """Raise if a hyper-parameter is out of range or does not fit the length of `run`.

        Parameters
        ----------
        run : Run
            The fit: its `steps_per_epoch`, `epochs` and `steps`.

        Raises
        ------
        ValueError, TypeError
            The error names the class, the hyper-parameter and the rule.

        Examples
        --------
        >>> from cnnkit.schedules import Step
        >>> Step(factor=2.0).bind(0.1, steps_per_epoch=10, epochs=5)  # calls check
        Traceback (most recent call last):
        ...
        ValueError: Step: factor must be a finite number above 0 and at most 1, got 2.0.
        """

    def multiplier(self, step: int, run: Run) -> float:
        """Return the factor for `learning_rate_init` at a step, counted from 0.

        Parameters
        ----------
        step : int
            Number of the step, counted from 0 over the whole fit.
        run : Run
            The fit: its `steps_per_epoch`, `epochs` and `steps`.

        Returns
        -------
        factor : float
            At least 0; 1 is the rate `learning_rate_init`.

        Examples
        --------
        >>> from cnnkit.schedules import Cosine, Run
        >>> schedule = Cosine()
        >>> round(schedule.multiplier(5, Run(schedule, 0.1, steps_per_epoch=10, epochs=1)), 3)
        0.5
        """
        raise NotImplementedError(f"{type(self).__name__} has no multiplier")

    def _run(self, *args):
        return Run(*args)

    def __eq__(self, other: Any) -> bool:
        return type(self) is type(other) and self.get_params(False) == other.get_params(False)

    __hash__ = None  # type: ignore[assignment]


class Run:
    """A schedule bound to the length of a fit, which `Schedule.bind` returns.

    Parameters
    ----------
    schedule : Schedule
        A copy of the schedule.
    learning_rate_init : float
        The rate that its factors multiply.
    steps_per_epoch : int
        Number of batches of an epoch.
    epochs : int
        Largest number of epochs of the fit.

    Attributes
    ----------
    steps : int
        Number of steps in all epochs.

    Examples
    --------
    >>> from cnnkit.schedules import Exponential
    >>> run = Exponential(0.5).bind(0.4, steps_per_epoch=10, epochs=3)
    >>> run.steps, run.rate(29)
    (30, 0.1)
    """

    def __init__(
        self, schedule: Any, learning_rate_init: float, steps_per_epoch: int, epochs: int
    ) -> None:
        self.schedule = schedule
        self.learning_rate_init = learning_rate_init
        self.steps_per_epoch = steps_per_epoch
        self.epochs = epochs
        self.steps = steps_per_epoch * epochs

    def rate(self, step: int) -> float:
        """Return the learning rate of a step, counted from 0 over the whole fit.

        A fit that goes on beyond its `epochs` keeps the schedule's last rate.

        Parameters
        ----------
        step : int
            Number of the step.

        Returns
        -------
        rate : float
            `learning_rate_init` times the factor of the schedule.

        Examples
        --------
        >>> from cnnkit.schedules import Step
        >>> run = Step(every=1, factor=0.5).bind(0.4, steps_per_epoch=10, epochs=3)
        >>> run.rate(0), run.rate(10)
        (0.4, 0.2)
        """
        return self.learning_rate_init * self.schedule.multiplier(step, self)

    def report(self, loss: float) -> None:
        """Record the loss of the epoch that ends.

        Parameters
        ----------
        loss : float
            Mean training loss of the epoch.

        Examples
        --------
        >>> from cnnkit.schedules import ReduceOnPlateau
        >>> run = ReduceOnPlateau(0.5, patience=0).bind(0.4, steps_per_epoch=1, epochs=9)
        >>> run.report(1.0)
        >>> run.report(2.0)  # did not fall
        >>> run.rate(2)
        0.2
        """


def is_planned(schedule: object) -> bool:
    """Say whether the rates of a schedule depend on the number of epochs.

    For an object of another class than `Schedule` without `planned`, the answer is no.
    """
    return getattr(schedule, "planned", False)


class Constant(Schedule):
    """The same rate at every step.

    Examples
    --------
    >>> from cnnkit.schedules import Constant
    >>> Constant().bind(0.01, steps_per_epoch=10, epochs=5).rate(49)
    0.01
    """

    def multiplier(self, step: int, run: Run) -> float:
        return 1.0


class Step(Schedule):
    """Multiply the rate by a factor after every `every` epochs, or at given epochs.

    As ``StepLR`` and ``MultiStepLR`` of PyTorch, with one step an epoch.

    Parameters
    ----------
    every : int or list of int, default=10
        Number of epochs between drops; or a list of epochs, counted from 0, that start with a drop.
    factor : float, default=0.1
        Above 0, at most 1.

    Examples
    --------
    >>> from cnnkit.schedules import Step
    >>> run = Step(every=[2, 3], factor=0.5).bind(0.4, steps_per_epoch=1, epochs=4)
    >>> [run.rate(step) for step in range(4)]
    [0.4, 0.4, 0.2, 0.1]
    """

    def __init__(self, every: int | Sequence[int] = 10, *, factor: float = 0.1) -> None:
        self.every = every
        self.factor = factor

    def check(self, run: Run) -> None:
        as_real(self.factor, "factor", "Step", above=0, most=1)
        if not isinstance(self.every, (list, tuple)):
            shapes.as_int(self.every, "every", "Step")
            return
        drops = [shapes.as_int(epoch, "every", "Step") for epoch in self.every]
        if not drops or sorted(set(drops)) != drops:
            raise ValueError(f"Step: every must be epochs in rising order, got {self.every!r}.")

    def multiplier(self, step: int, run: Run) -> float:
        epoch = step // run.steps_per_epoch
        if isinstance(self.every, (list, tuple)):
            return self.factor ** sum(epoch >= drop for drop in self.every)
        return self.factor ** (epoch // cast(int, self.every))


class Exponential(Schedule):
    """Multiply the rate by a factor after every epoch (``ExponentialLR`` of PyTorch).

    Parameters
    ----------
    factor : float, default=0.95
        Above 0, at most 1.

    Examples
    --------
    >>> from cnnkit.schedules import Exponential
    >>> run = Exponential(0.5).bind(0.4, steps_per_epoch=10, epochs=3)
    >>> [run.rate(step) for step in (0, 9, 10, 20)]
    [0.4, 0.4, 0.2, 0.1]
    """

    def __init__(self, factor: float = 0.95) -> None:
        self.factor = factor

    def check(self, run: Run) -> None:
        as_real(self.factor, "factor", "Exponential", above=0, most=1)

    def multiplier(self, step: int, run: Run) -> float:
        return self.factor ** (step // run.steps_per_epoch)


class Cosine(Schedule):
    """Half a cosine from the rate to a part of it, after a linear warm-up.

    Loshchilov & Hutter (2017), "SGDR: stochastic gradient descent with warm restarts", equation 5,
    with one period as long as the fit. The warm-up is that of Goyal et al. (2017), "Accurate, large
    minibatch SGD". As ``LinearLR`` and then ``CosineAnnealingLR`` of PyTorch, stepped once a batch.

    Parameters
    ----------
    warmup_epochs : int, default=0
        Epochs in which the rate rises; fewer than the epochs of the fit.
    warmup_factor : float, default=0.1
        Start of the rise, as a part of the rate: above 0, at most 1.
    final_factor : float, default=0.0
        End of the cosine, as a part of the rate: at least 0, at most 1. The step after the last one
        would reach it.

    Examples
    --------
    >>> from cnnkit.schedules import Cosine
    >>> run = Cosine(warmup_epochs=1).bind(0.1, steps_per_epoch=100, epochs=11)
    >>> [round(run.rate(step), 3) for step in (0, 50, 100, 600, 1099)]
    [0.01, 0.055, 0.1, 0.05, 0.0]
    """

    planned = True

    def __init__(
        self, warmup_epochs: int = 0, *, warmup_factor: float = 0.1, final_factor: float = 0.0
    ) -> None:
        self.warmup_epochs = warmup_epochs
        self.warmup_factor = warmup_factor
        self.final_factor = final_factor

    def check(self, run: Run) -> None:
        warmup = shapes.as_int(self.warmup_epochs, "warmup_epochs", "Cosine", 0)
        if warmup >= run.epochs:
            raise ValueError(
                f"Cosine: warmup_epochs must be below the {run.epochs} epochs there are, "
                f"got {warmup}."
            )
        as_real(self.warmup_factor, "warmup_factor", "Cosine", above=0, most=1)
        as_real(self.final_factor, "final_factor", "Cosine", least=0, most=1)

    def multiplier(self, step: int, run: Run) -> float:
        warmup = self.warmup_epochs * run.steps_per_epoch
        if step < warmup:
            return self.warmup_factor + (1 - self.warmup_factor) * step / warmup
        return _half_cosine(1.0, self.final_factor, (step - warmup) / (run.steps - warmup))


class OneCycle(Schedule):
    """Rise to the rate and fall to almost zero, both along half a cosine.

    Smith & Topin (2018), "Super-convergence: very fast training of neural networks using large
    learning rates". As ``OneCycleLR`` of PyTorch with `learning_rate_init` as ``max_lr`` and one
    step a batch; the momentum is not changed.

    Parameters
    ----------
    pct_start : float, default=0.3
        Part of the fit in which the rate rises: above 0, below 1.
    div_factor : float, default=25.0
        The first rate is the highest divided by this: at least 1.
    final_div_factor : float, default=1e4
        The last rate is the first divided by this: at least 1.

    Examples
    --------
    >>> from cnnkit.schedules import OneCycle
    >>> run = OneCycle().bind(0.1, steps_per_epoch=100, epochs=10)
    >>> [round(run.rate(step), 4) for step in (0, 150, 299, 999)]
    [0.004, 0.0523, 0.1, 0.0]
    """

    planned = True

    def __init__(
        self, pct_start: float = 0.3, *, div_factor: float = 25.0, final_div_factor: float = 1e4
    ) -> None:
        self.pct_start = pct_start
        self.div_factor = div_factor
        self.final_div_factor = final_div_factor

    def check(self, run: Run) -> None:
        as_real(self.pct_start, "pct_start", "OneCycle", above=0, below=1)
        as_real(self.div_factor, "div_factor", "OneCycle", least=1)
        as_real(self.final_div_factor, "final_div_factor", "OneCycle", least=1)

    def multiplier(self, step: int, run: Run) -> float:
        top = max(0.0, self.pct_start * run.steps - 1)  # step with the highest rate
        first = 1 / self.div_factor
        if step < top:
            return _half_cosine(first, 1.0, step / top)
        down = run.steps - 1 - top
        return _half_cosine(1.0, first / self.final_div_factor, (step - top) / down if down else 0)


class ReduceOnPlateau(Schedule):
    """Multiply the rate by a factor when the loss has stopped falling.

    As ``ReduceLROnPlateau`` of PyTorch. The loss has fallen if it is below ``(1 - tol)`` times the
    lowest loss so far.

    Parameters
    ----------
    factor : float, default=0.1
        Above 0, below 1.
    patience : int, default=10
        Number of epochs without a fall that are tolerated; the rate drops after one more.
    tol : float, default=1e-4
        At least 0, below 1.
    cooldown : int, default=0
        Number of epochs after a drop that are not counted.
    min_factor : float, default=0.0
        Least rate, as a part of the first rate: at least 0, at most 1.

    Examples
    --------
    >>> from cnnkit.schedules import ReduceOnPlateau
    >>> run = ReduceOnPlateau(0.5, patience=1).bind(0.4, steps_per_epoch=1, epochs=5)
    >>> for epoch, loss in enumerate([2.0, 1.0, 1.0, 1.5, 0.5]):
    ...     print(run.rate(epoch))
    ...     run.report(loss)
    0.4
    0.4
    0.4
    0.4
    0.2
    """

    def __init__(
        self,
        factor: float = 0.1,
        *,
        patience: int = 10,
        tol: float = 1e-4,
        cooldown: int = 0,
        min_factor: float = 0.0,
    ) -> None:
        self.factor = factor
        self.patience = patience
        self.tol = tol
        self.cooldown = cooldown
        self.min_factor = min_factor

    def check(self, run: Run) -> None:
        as_real(self.factor, "factor", "ReduceOnPlateau", above=0, below=1)
        shapes.as_int(self.patience, "patience", "ReduceOnPlateau", 0)
        as_real(self.tol, "tol", "ReduceOnPlateau", least=0, below=1)
        shapes.as_int(self.cooldown, "cooldown", "ReduceOnPlateau", 0)
        as_real(self.min_factor, "min_factor", "ReduceOnPlateau", least=0, most=1)

    def multiplier(self, step: int, run: Any) -> float:
        return run.reduced

    def _run(self, *args):
        return PlateauRun(*args)


class PlateauRun(Run):
    """A `ReduceOnPlateau` bound to a fit.

    Attributes
    ----------
    best : float
        Lowest loss reported.
    waited, cooling : int
        Epochs since the loss fell, and epochs that are still not counted.
    reduced : float
        Factor for the rate.
    """

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.best, self.waited, self.cooling, self.reduced = inf, 0, 0, 1.0

    def report(self, loss: float) -> None:
        """Record the loss of the epoch that ends, which may lower the rate of later steps."""
        schedule = self.schedule
        if loss < self.best * (1 - schedule.tol):
            self.best, self.waited = loss, 0
        else:
            self.waited += 1
        if self.cooling:
            self.cooling, self.waited = self.cooling - 1, 0
        if self.waited > schedule.patience:
            self.reduced = max(self.reduced * schedule.factor, schedule.min_factor)
            self.waited, self.cooling = 0, schedule.cooldown


def _half_cosine(start, end, part):
    """Return the point at `part` of the way from `start` to `end`; `end` if `part` exceeds 1."""
    return end + (start - end) / 2 * (1 + cos(pi * min(part, 1.0)))
