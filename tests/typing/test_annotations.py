"""All that is public is annotated; ``make lint`` checks whether the annotations are true."""

import importlib
import inspect
from pathlib import Path

import pytest
from oracles import python

import cnnkit
from cnnkit import _native
from cnnkit.estimators.base import BaseCNN
from cnnkit.estimators.options import Shared

PACKAGE = Path(cnnkit.__file__).parent
FLAT = [path.stem for path in PACKAGE.glob("*.py") if path.stem[0] != "_"]  # public modules
FOLDERS = ("augmentation", "display", "functional", "graph", "layers")  # with an ``__all__``
HOMES = ["cnnkit", *(f"cnnkit.{name}" for name in (*FOLDERS, *FLAT))]
# what public methods return, or give to methods of users
RESULTS = [
    *("estimators.lr_find.RateRange", "graph.summary.Row", "graph.summary.Summary"),
    *("layers.composite.Resolved", "network.weights.Weights", "training.stopping.Epoch"),
]


def public(home):
    """Return the public names of a module: those of ``__all__``, or all that are its own."""
    module = importlib.import_module(home)
    own = [name for name, thing in vars(module).items() if is_of(thing, home) and name[0] != "_"]
    return [(module, name) for name in getattr(module, "__all__", own)]


def is_of(thing, home):
    return getattr(thing, "__module__", "").startswith(home)


def functions(thing):
    """Return the functions of cnnkit behind a public name, which a user may call, by name."""
    if not inspect.isclass(thing):
        return {thing.__name__: thing} if inspect.isfunction(thing) else {}
    found = {}
    for name, _ in inspect.getmembers(thing):
        method = inspect.getattr_static(thing, name)
        method = getattr(method, "fget", None) or getattr(method, "__func__", method)
        method = getattr(method, "fn", method)  # of scikit-learn's available_if
        callable_by_users = name[0] != "_" or name in ("__init__", "__call__")
        if callable_by_users and inspect.isfunction(method) and is_of(method, "cnnkit"):
            found[name] = method
    return found


def unannotated(function):
    """Return the names of the parameters without an annotation, and "return"."""
    signature = inspect.signature(function)
    found = [
        name
        for name, parameter in signature.parameters.items()
        if parameter.annotation is parameter.empty and name not in ("self", "cls")
    ]
    return found + ["return"] * (signature.return_annotation is signature.empty)


PUBLIC = [
    *(entry for home in HOMES for entry in public(home)),
    *(
        (importlib.import_module(f"cnnkit.{home}"), name)
        for home, _, name in (result.rpartition(".") for result in RESULTS)
    ),
]


@pytest.mark.parametrize(
    ("module", "name"), PUBLIC, ids=lambda value: getattr(value, "__name__", value)
)
def test_public_names_are_annotated(module, name):
    thing = getattr(module, name)
    if inspect.isclass(thing) and issubclass(thing, BaseCNN):
        assert unannotated(thing) == ["return"]
    missing = {key: unannotated(method) for key, method in functions(thing).items()}
    assert {key: names for key, names in missing.items() if names and key != "__init__"} == {}
    if "__init__" in missing:
        assert [word for word in missing["__init__"] if word != "return"] == []


def test_many_functions_are_found():
    found = [method for module, name in PUBLIC for method in functions(getattr(module, name))]
    assert len(found) > 500
    assert {"partial_fit", "transform", "output_shape", "from_estimator", "x"} <= set(found)


def test_a_missing_annotation_is_found():
    def some(self, a: int, b, *, c=0, **others): ...

    assert unannotated(some) == ["b", "c", "others", "return"]
    assert unannotated(lambda: 0) == ["return"]


def test_shared_hyperparameters_have_the_types_of_the_base():
    parameters = list(inspect.signature(BaseCNN.__init__).parameters.values())[2:]
    shared = {name: hint.__forward_arg__ for name, hint in Shared.__annotations__.items()}
    assert shared == {parameter.name: parameter.annotation for parameter in parameters}


def test_a_type_checker_finds_the_annotations():
    assert (PACKAGE / "py.typed").exists()
    stubs = {path.stem for path in (PACKAGE / "_native").glob("*.pyi")}
    assert stubs == set(_native.MODULES)


def test_annotations_import_nothing():
    code = "import sys, cnnkit; cnnkit.CNNClassifier; print('cnnkit.typing' in sys.modules)"
    assert python(code).stdout == "False\n"
