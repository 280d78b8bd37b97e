"""Examples in docstrings run, and every public name has a docstring."""

import doctest
import importlib
import inspect
import pkgutil
import re

import pytest

import cnnkit
import cnnkit.estimators
import cnnkit.functional

MODULES = ["cnnkit"] + [
    module.name
    for module in pkgutil.walk_packages(cnnkit.__path__, "cnnkit.")
    if not module.name.startswith("cnnkit._native.")
]
PUBLIC = [
    *((cnnkit, name) for name in cnnkit.__all__),
    *((cnnkit.functional, name) for name in cnnkit.functional.__all__),
]


NEEDED = {  # packages of extras, by the modules that import them
    "cnnkit.display.": "matplotlib",
    "cnnkit.files.onnx.writing.": "onnx",
    "cnnkit.estimators.onnx_converters": "skl2onnx",
}


def module(name):
    """Import a module of cnnkit, or skip the test where an extra that it needs is not there."""
    for start, package in NEEDED.items():
        if name.startswith(start):
            pytest.importorskip(package)
    return importlib.import_module(name)


@pytest.mark.parametrize("name", MODULES)
def test_examples(name):
    cnnkit.set_num_threads(1)
    try:
        results = doctest.testmod(module(name))
    finally:
        cnnkit.set_num_threads(None)
    assert results.failed == 0


def test_there_are_examples():
    finder = doctest.DocTestFinder(exclude_empty=True)
    always = [name for name in MODULES if not name.startswith(tuple(NEEDED))]
    found = [t for m in always for t in finder.find(importlib.import_module(m)) if t.examples]
    assert len(found) > 15


@pytest.mark.parametrize(("home", "name"), PUBLIC, ids=lambda value: getattr(value, "__name__", 0))
def test_public_names_are_documented(home, name):
    thing = getattr(home, name)
    assert inspect.getdoc(thing).splitlines()[0].endswith((".", ":"))
    if inspect.isclass(thing):
        methods = [m for m, _ in inspect.getmembers(thing, inspect.isfunction) if m[0] != "_"]
        own = [m for m in methods if getattr(thing, m).__module__.startswith("cnnkit")]
        assert [m for m in own if not inspect.getdoc(getattr(thing, m))] == []


@pytest.mark.parametrize("name", MODULES)
def test_public_functions_and_classes_have_examples(name):
    home = module(name)
    public = {n: getattr(home, n) for n in getattr(home, "__all__", ())}
    things = {n: t for n, t in public.items() if inspect.isclass(t) or inspect.isfunction(t)}
    assert [n for n, thing in things.items() if ">>> " not in inspect.getdoc(thing)] == []


@pytest.mark.parametrize("name", MODULES)
def test_modules_are_documented(name):
    assert module(name).__doc__


@pytest.mark.parametrize("name", cnnkit.estimators.__all__)
def test_every_parameter_of_an_estimator_has_an_entry(name):
    """Tables of parameters, as scikit-learn shows them in notebooks, read docstrings by entry."""
    kind = getattr(cnnkit, name)
    parameters = inspect.getdoc(kind).split("Parameters\n----------\n")[1].split("\n\n")[0]
    entries = re.findall(r"^([\w, ]+) : ", parameters, re.MULTILINE)
    assert entries == list(inspect.signature(kind).parameters)


@pytest.mark.parametrize(
    "name",
    [
        name
        for name in cnnkit.__all__
        if inspect.isclass(getattr(cnnkit, name))
        and inspect.signature(getattr(cnnkit, name)).parameters
    ],
)
def test_every_parameter_is_documented(name):
    kind = getattr(cnnkit, name)
    documented = inspect.getdoc(kind).replace(",", " :")
    assert [p for p in inspect.signature(kind).parameters if f"{p} :" not in documented] == []
