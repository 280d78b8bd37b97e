"""Advice on wrong arguments and values: which word is the right one in cnnkit.

All classes with hyper-parameters use this; `cnnkit.validate.words` has the words.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable
from difflib import get_close_matches
from functools import wraps
from typing import Any, TypeVar, cast
from weakref import WeakKeyDictionary

from cnnkit.validate.words import ARGUMENTS, NAMES, VALUES

M = TypeVar("M", bound=Callable[..., Any])

_ACCEPTED: WeakKeyDictionary[type, Any] = WeakKeyDictionary()  # results of `accepted`
_POSITIONAL = inspect.Parameter.POSITIONAL_OR_KEYWORD


def accepted(cls):
    """Return the names of a class's arguments and how many may be positional.

    The names are None if all names are accepted, the number is None if any number is.
    """
    if cls not in _ACCEPTED:
        found = [] if cls.__init__ is object.__init__ else _parameters(cls.__init__)[1:]
        kinds = [entry.kind for entry in found]
        named = {entry.name: None for entry in found if entry.kind is not entry.VAR_POSITIONAL}
        _ACCEPTED[cls] = (
            None if inspect.Parameter.VAR_KEYWORD in kinds else named.keys(),
            None if inspect.Parameter.VAR_POSITIONAL in kinds else kinds.count(_POSITIONAL),
        )
    return _ACCEPTED[cls]


def _parameters(function):
    return list(inspect.signature(function).parameters.values())


def check_arguments(cls, args, kwargs):
    """Raise a TypeError that names the right word unless a class takes such arguments."""
    names, most = accepted(cls)
    if names is not None and not kwargs.keys() <= names:
        raise TypeError(_unknown(cls, cls.__name__, kwargs, names))
    if most is not None and len(args) > most:
        first = [entry.name for entry in _parameters(cls.__init__)[1 : 1 + most]] if most else []
        rule = f"at most {most} ({', '.join(first)})" if most else "none"
        message = f"{cls.__name__}: arguments without a name must be {rule}, got {len(args)}."
        raise TypeError(ended(message, "layers go into one list" if first == ["layers"] else None))


def answering(method: M) -> M:
    """Return a method that names the right word if it gets an unknown argument."""
    names = inspect.signature(method).parameters.keys()

    @wraps(method)
    def checked(self, *args, **kwargs):
        if not kwargs.keys() <= names:
            owner = f"{type(self).__name__}.{method.__name__}"
            raise TypeError(_unknown(type(self), owner, kwargs, list(names)[1:], method.__name__))
        return method(self, *args, **kwargs)

    return cast(M, checked)


def _unknown(cls, owner, given, names, method=""):
    """Return the error text for arguments of which some are not among `names`."""
    said = []
    for name in given:
        if name not in names:
            found = _for_method(cls, name, method) if method else for_argument(cls, name)
            said.append(f"{name!r}: {found or _nearest(name, names)}")
    return _ended(f"{owner}: arguments must be names it knows, got {'; '.join(said)}")


def for_argument(cls, name, method=""):
    """Return the advice for an unknown argument of a class or of its method, or None."""
    words = {name.lower(), name.lower().rpartition("__")[2]}  # skorch's optimizer__weight_decay
    for kind in cls.__mro__:
        for advice, guessed in ARGUMENTS.get(f"{kind.__name__}{method}", {}).items():
            if not words.isdisjoint(guessed.split()):
                return advice
    return None


def _for_method(cls, name, method):
    """Return the advice for an argument of a method that may be a hyper-parameter, or None."""
    found = for_argument(cls, name, f".{method}")
    if found is None and name in (accepted(cls)[0] or ()):
        return f"it is a hyper-parameter, {cls.__name__}({name}=...)"
    if found is None and (found := for_argument(cls, name)):
        return f"for {cls.__name__}(...), {found}"
    return found


def _nearest(name, names):
    """Return a question with the name nearest to `name`, or all names."""
    close = get_close_matches(name.lower(), names, 1)
    return f"did you mean {close[0]}?" if close else f"there are {', '.join(names) or 'none'}"


def for_value(name, value, choices=()):
    """Return the advice for a wrong value of the hyper-parameter `name`, or None."""
    known = VALUES.get(name, {})
    if isinstance(value, str):
        close = get_close_matches(value.lower(), choices, 1)
        if value.lower() in known:
            return known[value.lower()]
        if close:
            return f"did you mean {close[0]!r}?"
    names = {kind.__name__ for kind in type(value).__mro__}
    for key, advice in known.items():
        fits = key in names if isinstance(key, str) else isinstance(value, key)
        if fits and (key is bool or not isinstance(value, bool)):
            return advice.format(value=value)
    return None


def for_layer(name):
    """Return the name here of a layer that others call `name`, or None."""
    return next((ours for ours, words in NAMES.items() if name.lower() in words.split()), None)


def ended(sentence, advice):
    """Return a sentence, with the advice at its end unless it is None."""
    return sentence if advice is None else _ended(f"{sentence.removesuffix('.')}: {advice}")


def _ended(text):
    return text if text.endswith("?") else f"{text}."


def advised(estimator, message):
    """Return scikit-learn's message about a hyper-parameter's value, with advice if known."""
    found = re.match(r"The '(\w+)' parameter of ", message)
    if found is None:
        return message
    rules = estimator._parameter_constraints.get(found[1], ())
    choices = [entry for rule in rules for entry in getattr(rule, "options", ())]
    value, own = getattr(estimator, found[1], None), f"{type(estimator).__name__}.{found[1]}"
    return ended(message, for_value(own if own in VALUES else found[1], value, choices))


def advised_name(estimator, params, message):
    """Return scikit-learn's message about an unknown hyper-parameter, with advice if known."""
    for key in params:
        name = key.partition("__")[0]
        if message.startswith(
            f"Invalid parameter {name!r} for estimator {type(estimator).__name__}("
        ):
            return ended(message, for_argument(type(estimator), name))
    return message
