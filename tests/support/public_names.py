"""The public names of cnnkit: those in ``__all__`` of the package and of its public modules."""

import importlib
import inspect
import pkgutil
from typing import NamedTuple

import pytest

import cnnkit

NEEDED = {  # packages of extras, by the modules that import them
    "cnnkit.display.": "matplotlib",
    "cnnkit.files.onnx.writing.": "onnx",
    "cnnkit.estimators.onnx_converters": "skl2onnx",
}


class Public(NamedTuple):
    """A public class, function or method, and the path by which users reach it."""

    path: str
    thing: object
    is_method: bool = False


def module(name):
    """Import a module of cnnkit, or skip the test where an extra that it needs is not there."""
    for start, package in NEEDED.items():
        if name.startswith(start):
            pytest.importorskip(package)
    return importlib.import_module(name)


def public_modules():
    """Return the names of the modules and packages that have public names."""
    names = [entry.name for entry in pkgutil.iter_modules(cnnkit.__path__)]
    public = [f"cnnkit.{name}" for name in names if name[0] != "_"]
    listed = [name for name in public if hasattr(importlib.import_module(name), "__all__")]
    return [*listed, "cnnkit"]


def is_code(thing, name):
    """Say whether `thing` is a class or function of this name, not a module or another's alias."""
    is_function = inspect.isroutine(thing) or type(thing).__name__ == "cython_function_or_method"
    return (inspect.isclass(thing) or is_function) and thing.__name__ == name


def function_of(member):
    """Return the function behind a member of a class, or None if it is none."""
    for name in ("__func__", "fn", "method"):  # class methods; available_if; ImageReader.fit
        member = getattr(member, name, member)
    return member if inspect.isfunction(member) else None


def methods(kind):
    """Yield name and function of the methods of a class that users call, with a text of cnnkit."""
    for name in dir(kind):
        owner = next((base for base in kind.__mro__ if name in vars(base)), None)
        if name[0] == "_" and name != "__call__":
            continue
        if owner is None or not owner.__module__.startswith("cnnkit"):
            continue
        function = function_of(vars(owner)[name])
        if function is not None and function.__doc__:
            yield name, function


def parameters(thing):
    """Return the names of the parameters of a function, or of the constructor of a class."""
    found = inspect.signature(thing).parameters.values()
    stars = {inspect.Parameter.VAR_POSITIONAL: "*", inspect.Parameter.VAR_KEYWORD: "**"}
    return [stars.get(entry.kind, "") + entry.name for entry in found if entry.name != "self"]


def public_things():
    """Return all public classes and functions, and methods, each once."""
    found, seen = [], set()
    for home in public_modules():
        for name in importlib.import_module(home).__all__:
            thing = getattr(importlib.import_module(home), name)
            if id(thing) in seen or not is_code(thing, name):
                continue
            seen.add(id(thing))
            found.append(Public(f"{home}.{name}", thing))
            for method, function in methods(thing) if inspect.isclass(thing) else ():
                if id(function) not in seen:
                    seen.add(id(function))
                    found.append(Public(f"{home}.{name}.{method}", function, True))
    return found
