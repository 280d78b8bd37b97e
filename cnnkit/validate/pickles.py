"""The base class of all objects with hyper-parameters, which checks pickles and arguments.

The state in a pickle has a version number, and is checked before it is used. This protects against
other versions and damage, not against attacks: a pickle can run any code. Files of strangers belong
in `cnnkit.load`.
"""

from __future__ import annotations

from contextlib import contextmanager, suppress
from functools import partial
from inspect import Parameter, Signature
from typing import TYPE_CHECKING, Any, Self

from sklearn.utils._pprint import _EstimatorPrettyPrinter

from cnnkit.exceptions import ModelFormatError
from cnnkit.validate import guesses, nesting

if TYPE_CHECKING:

    class BaseEstimator:
        """The methods that scikit-learn's class, which has no annotations, gives to `Checked`."""

        def __init__(self) -> None: ...
        def __repr__(self, N_CHAR_MAX: int = 700) -> str: ...
        def get_params(self, deep: bool = True) -> dict[str, Any]: ...
        def set_params(self, **params: Any) -> Self: ...
        def _get_param_names(self) -> list[str]: ...
        def _validate_params(self) -> None: ...

else:
    from sklearn.base import BaseEstimator

KEY = "cnnkit_pickle"
VERSION = 1  # version of the states
FAULTS = (  # errors of damaged parts; a signal handler may raise others
    *(ArithmeticError, AttributeError, LookupError, MemoryError, NotImplementedError),
    *(RecursionError, StopIteration, TypeError, ValueError),
)


def stamped(state):
    """Return a state with the version number added."""
    return {**state, KEY: VERSION}


@contextmanager
def checking(state, owner):
    """Return a context with the state without its version; errors become a ModelFormatError."""
    found = state.get(KEY) if isinstance(state, dict) else None
    if type(found) is not int or found != VERSION:
        raise ModelFormatError(
            f"{owner}: a pickle must be of version {VERSION}, got {str(found)[:80]!r}: it was "
            f"written by another version of cnnkit, or is damaged."
        )
    try:
        yield {name: value for name, value in state.items() if name != KEY}
    except ModelFormatError:
        raise
    except FAULTS as error:
        raise ModelFormatError(f"{owner}: a pickle must be sound, got: {error!r}") from error


def check_parts(state, parts, owner):
    """Raise unless a state has exactly the parts named, each of the type given for it."""
    if state.keys() != parts.keys():
        raise ModelFormatError(f"{owner}: a pickle must have {list(parts)}, got {list(state)}.")
    for name, kinds in parts.items():
        if not isinstance(state[name], kinds) or (isinstance(state[name], bool) and kinds is int):
            raise ModelFormatError(
                f"{owner}: {name} in a pickle must be of {kinds}, got {str(state[name])[:80]!r}."
            )


class Checked(BaseEstimator):
    """Base class of objects with hyper-parameters: pickles are checked when they are read.

    The error for an unknown argument or a wrong value names the right word if
    `cnnkit.validate.words` has it.
    """

    if not TYPE_CHECKING:  # a type checker compares arguments with those of the constructor

        def __new__(cls, *args, **kwargs):
            guesses.check_arguments(cls, args, kwargs)
            return super().__new__(cls)

        # the signature of a class that has no constructor
        __new__.__signature__ = Signature([Parameter("cls", Parameter.POSITIONAL_ONLY)])

    @classmethod
    def _get_param_names(cls):
        """Return the names of hyper-parameters; the cache saves scikit-learn's inspection."""
        if "_param_names" not in vars(cls):
            cls._param_names = tuple(super()._get_param_names())
        return list(cls._param_names)

    def __repr__(self, N_CHAR_MAX: int = 700) -> str:
        return nesting.shown(self, partial(super().__repr__, N_CHAR_MAX))

    def __sklearn_clone__(self):
        nesting.check(self)
        return super().__sklearn_clone__()

    def set_params(self, **params: Any) -> Self:
        """Set hyper-parameters by name, and return the object.

        Parameters
        ----------
        **params : object
            Values by the names of hyper-parameters.

        Returns
        -------
        self : object
            The object itself.

        Raises
        ------
        ValueError
            If there is no hyper-parameter of such a name.

        Examples
        --------
        >>> from cnnkit import Conv
        >>> Conv(16).set_params(filters=32, stride=2)
        Conv(filters=32, stride=2)
        """
        try:
            return super().set_params(**params)
        except ValueError as error:
            message = guesses.advised_name(self, params, str(error))
            if message == str(error):
                raise
            raise ValueError(message) from None

    def _validate_params(self):
        try:
            super()._validate_params()
        except ValueError as error:  # scikit-learn's InvalidParameterError
            raise type(error)(guesses.advised(self, str(error))) from None

    def __getstate__(self):
        return stamped(super().__getstate__())

    def __setstate__(self, state):
        with checking(state, type(self).__name__) as parts:
            super().__setstate__(parts)
            self.get_params(deep=False)  # raises where one is missing
            self._check_pickled(parts)

    def _check_pickled(self, parts):
        """Raise unless the other parts of the state fit one another."""


with suppress(AttributeError, KeyError):  # scikit-learn's printer then breaks long lines
    _dispatch = _EstimatorPrettyPrinter._dispatch
    _dispatch[Checked.__repr__] = _dispatch[BaseEstimator.__repr__]
