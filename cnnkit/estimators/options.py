"""How the estimators share hyper-parameters: names, rules and documentation are written once."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from numbers import Real
from typing import TYPE_CHECKING, Literal, TypedDict, TypeVar

from sklearn.utils._param_validation import HasMethods, Interval

from cnnkit import models

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

    from cnnkit.augmentation import Augmentation
    from cnnkit.schedules import Schedule
    from cnnkit.typing import Algorithm, Estimator, RandomState, Scoring

C = TypeVar("C", bound=type)


class Shared(TypedDict, total=False):
    """Types of the hyper-parameters that a subclass takes as ``**shared``: those of `BaseCNN`."""

    image_shape: Sequence[int] | None
    standardize: bool
    solver: Literal["adamw", "adam", "sgd", "lbfgs"]
    alpha: float | Literal["auto"]
    batch_size: int | Literal["auto"]
    learning_rate: Literal["auto", "constant"] | Schedule
    learning_rate_init: float | Literal["auto"]
    max_iter: int | Literal["auto"]
    max_time: float | None
    shuffle: bool
    random_state: RandomState
    tol: float
    n_iter_no_change: int
    early_stopping: bool
    validation_fraction: float
    scoring: Scoring
    return_train_score: bool
    warm_start: bool
    initial_weights: Mapping[str, ArrayLike] | Estimator | None
    frozen: Sequence[str] | None
    augmentation: Augmentation | Sequence[Augmentation] | None
    test_time_augmentation: int
    clip_norm: float | None
    ema_decay: float | None
    on_divergence: Literal["raise", "stop"]
    momentum: float
    nesterovs_momentum: bool
    beta_1: float
    beta_2: float
    epsilon: float
    algorithm: Algorithm
    verbose: int


class InstanceWithMethods(HasMethods):
    """A constraint on hyper-parameters: an object with some methods, described in words."""

    def __init__(self, methods, words):
        super().__init__(methods)
        self.words = words

    def is_satisfied_by(self, value):
        return not isinstance(value, type) and super().is_satisfied_by(value)

    def __str__(self):
        return self.words


class Reals(Interval):
    """A constraint on hyper-parameters: a number that lies in a range, also as a float."""

    def __init__(self, left, right, *, closed):
        super().__init__(Real, left, right, closed=closed)

    def is_satisfied_by(self, value):
        try:
            return isinstance(value, Real) and super().is_satisfied_by(float(value))
        except OverflowError:  # an int of hundreds of digits
            return False


class Model(HasMethods):
    """A constraint on hyper-parameters: a function of `cnnkit.models`, or its name."""

    options = (*models.MODELS, *models.IMAGE_MODELS)

    def __init__(self):
        super().__init__(["__call__"])

    def is_satisfied_by(self, value):
        return models.find(value) is not None

    def __str__(self):
        return f"a function of cnnkit.models or its name among {{{', '.join(self.options)}}}"


MODEL = Model()
SCHEDULE = InstanceWithMethods(["bind"], "a schedule such as cnnkit.schedules.Cosine()")
AUGMENTATION = InstanceWithMethods(
    ["check", "apply", "without_mixing"], "an augmentation such as cnnkit.augmentation.Flip()"
)
ESTIMATOR = InstanceWithMethods(["fit", "predict"], "a fitted estimator")


def extends(base: type) -> Callable[[C], C]:
    """Return a decorator that gives a subclass the hyper-parameters of `base`, and their text.

    The subclass's ``__init__(self, layers=None, *, own=default, **shared)`` passes ``shared`` on;
    the signature that scikit-learn, help() and completion see has all names. ``{parameters}`` and
    ``{attributes}`` in the docstring become those sections of the docstring of `base`.
    """

    def decorate(cls: C) -> C:
        own = inspect.signature(vars(cls)["__init__"]).parameters
        shared = inspect.signature(vars(base)["__init__"]).parameters
        own_last = [
            entry for entry in own.values() if entry.kind is entry.KEYWORD_ONLY
        ]  # after the parameters of the base
        vars(cls)["__init__"].__signature__ = inspect.Signature([*shared.values(), *own_last])
        if cls.__doc__ is not None and base.__doc__ is not None:  # is None with python -OO
            # indentation is removed, as Python itself does from 3.13 on
            text, whole = inspect.cleandoc(base.__doc__), inspect.cleandoc(cls.__doc__)
            for title in ("Parameters", "Attributes"):
                section = text.partition(f"{title}\n{'-' * len(title)}\n")[2].partition("\n\n")[0]
                whole = whole.replace("{" + title.lower() + "}", section)
            cls.__doc__ = whole
        return cls

    return decorate
