"""Examples in docstrings run, and public names have texts with all sections of a reference."""

import doctest
import importlib
import inspect
import pkgutil
import re
import sys

import pytest
from public_names import NEEDED, function_of, module, parameters, public_things

import cnnkit
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
THINGS = public_things()
CODE = [thing for thing in THINGS if not thing.is_method]
METHODS = [thing for thing in THINGS if thing.is_method]
FOR_EXAMPLES = {  # packages of extras that only examples need, by module
    "cnnkit.data.folders": ["PIL"],
    "cnnkit.data.reader": ["PIL", "pandas"],
    "cnnkit.estimators.onnx_converters": ["skl2onnx"],
    "cnnkit.onnx": ["onnx", "onnxruntime", "skl2onnx"],
}
# called by scikit-learn alone
HOOKS = ("setup", "teardown", "on_fit_task_begin", "on_fit_task_end")


def path(thing):
    return getattr(thing, "path", None)


def examples_of(home):
    """Return the examples of a module, those of members too that doctest takes for no methods."""
    finder = doctest.DocTestFinder(exclude_empty=True)
    found = finder.find(home, home.__name__)
    known = {test.docstring for test in found}
    for name, kind in vars(home).items():
        if not inspect.isclass(kind) or kind.__module__ != home.__name__:
            continue
        for method, member in vars(kind).items():
            function = function_of(member)
            if function is not None and function.__doc__ not in known:
                found += finder.find(function, f"{home.__name__}.{name}.{method}", home)
    return found


def failures(tests):
    """Run examples with one thread, and return how many lines fail."""
    runner = doctest.DocTestRunner(optionflags=doctest.ELLIPSIS)
    cnnkit.set_num_threads(1)
    try:
        for test in tests:
            runner.run(test)
    finally:
        cnnkit.set_num_threads(None)
        if "matplotlib.pyplot" in sys.modules:
            sys.modules["matplotlib.pyplot"].close("all")
    return runner.summarize(verbose=False).failed


@pytest.mark.parametrize("name", MODULES)
def test_examples(name):
    home = module(name)
    for package in FOR_EXAMPLES.get(name, ()):
        pytest.importorskip(package)
    assert failures(examples_of(home)) == 0


@pytest.mark.parametrize("public", [t for t in CODE if t.thing.__module__ not in MODULES], ids=path)
def test_examples_of_compiled_functions(public):
    assert failures(doctest.DocTestFinder().find(public.thing, public.path, False)) == 0


def test_there_are_examples():
    always = [name for name in MODULES if not name.startswith(tuple(NEEDED))]
    found = [test for name in always for test in examples_of(importlib.import_module(name))]
    assert len([test for test in found if test.examples]) > 150


def test_examples_of_hidden_members_are_found():
    from cnnkit.estimators import classifier

    names = [test.name for test in examples_of(classifier) if test.examples]
    assert "cnnkit.estimators.classifier.CNNClassifier.partial_fit" in names


@pytest.mark.parametrize(("home", "name"), PUBLIC, ids=lambda value: getattr(value, "__name__", 0))
def test_public_names_are_documented(home, name):
    thing = getattr(home, name)
    assert inspect.getdoc(thing).splitlines()[0].endswith((".", ":"))
    if inspect.isclass(thing):
        methods = [m for m, _ in inspect.getmembers(thing, inspect.isfunction) if m[0] != "_"]
        own = [m for m in methods if getattr(thing, m).__module__.startswith("cnnkit")]
        assert [m for m in own if not inspect.getdoc(getattr(thing, m))] == []


@pytest.mark.parametrize("name", MODULES)
def test_modules_are_documented(name):
    assert module(name).__doc__


def section(thing, title):
    """Return the lines of a section of the docstring of `thing`."""
    text = inspect.cleandoc(thing.__doc__ or "")
    body = re.split(rf"^{title}\n-+\n", text, maxsplit=1, flags=re.MULTILINE)[1:]
    return re.split(r"^[A-Z][\w ]+\n-+\n", "".join(body), maxsplit=1, flags=re.MULTILINE)[0]


def entries(thing):
    """Return what stands before the colons of the section Parameters."""
    lines = section(thing, "Parameters").splitlines()
    return [line.partition(" :")[0] for line in lines if line and line[0] != " "]


def takes_arguments(public):
    """Say whether `public` is code whose parameters users give."""
    return not (inspect.isclass(public.thing) and issubclass(public.thing, BaseException))


@pytest.mark.parametrize("public", [t for t in CODE if takes_arguments(t)], ids=path)
def test_every_parameter_has_an_entry_of_its_own(public):
    assert entries(public.thing) == parameters(public.thing)


@pytest.mark.parametrize("public", [t for t in METHODS if entries(t.thing)], ids=path)
def test_every_parameter_of_a_method_has_an_entry_of_its_own(public):
    assert entries(public.thing) == [name for name in parameters(public.thing) if name != "cls"]


def needs_example(public):
    if not public.is_method:
        return True
    name = public.path.rpartition(".")[2]
    return name not in HOOKS and set(parameters(public.thing)) - {"cls"}


@pytest.mark.parametrize("public", filter(needs_example, THINGS), ids=path)
def test_there_is_an_example(public):
    text = section(public.thing, "Examples")
    assert ">>>" in text or text.startswith("See `")
