"""What a classifier or a regressor must say of its targets is declared in one class."""

import ast
import inspect
from pathlib import Path

import numpy as np
import pytest

import cnnkit
from cnnkit import CNNClassifier, CNNRegressor
from cnnkit.estimators.base import BaseCNN
from cnnkit.estimators.targets import Targets
from cnnkit.losses import SquaredError

HOME = Path(cnnkit.__file__).parent
METHODS = [name for name, member in vars(Targets).items() if inspect.isfunction(member)]
NEEDED = ["_check_y", "_learn", "_check_learnt", "_encode", "_loss"]
OF_INSTANCES = {"_training", "_skl_callbacks"}  # attributes that calls set
HOLDERS = {"self", "estimator", "moment"}


def private_names_asked(path):
    """Names such as `_loss` that the functions of a module ask an estimator for."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            name = node.attr
            if node.value.id in HOLDERS and name.startswith("_") and not name.startswith("__"):
                yield name


@pytest.mark.parametrize("stem", ["defaults", "inputs", "setup", "lr_find", "resume", "warnings"])
def test_what_is_asked_of_an_estimator_is_declared(stem):
    known = {name for kind in BaseCNN.__mro__ for name in vars(kind)}
    path = HOME / "estimators" / f"{stem}.py"
    tree = ast.parse(path.read_text())
    own = {  # of the classes of the module itself
        node.attr
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store)
    } | {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}
    assert set(private_names_asked(path)) - own - known - OF_INSTANCES == set()


@pytest.mark.parametrize("name", METHODS)
def test_every_member_is_typed_and_documented(name):
    method = getattr(Targets, name)
    signature = inspect.signature(method)
    untyped = [p for p in list(signature.parameters.values())[1:] if p.annotation is p.empty]
    assert untyped == []
    assert signature.return_annotation is not signature.empty
    assert inspect.getdoc(method)


@pytest.mark.parametrize("kind", [CNNClassifier, CNNRegressor])
def test_both_estimators_say_what_they_must(kind):
    for name in NEEDED:
        assert name in vars(kind), name
        wanted = list(inspect.signature(getattr(Targets, name)).parameters)
        assert list(inspect.signature(getattr(kind, name)).parameters) == wanted


class Bare(BaseCNN):
    """An estimator that says nothing of its targets."""


def test_what_is_not_said_is_an_error_that_names_it():
    with pytest.raises(NotImplementedError, match=r"^Bare has no _check_y$"):
        Bare().fit(np.ones((4, 3, 3)), np.arange(4))


class Plainest(BaseCNN):
    """An estimator of one number, with no more than what has no default."""

    def _check_y(self, y):
        return y

    def _learn(self, y, classes=None, part=False):
        return {"n_outputs_": 1}

    def _check_learnt(self, learnt):
        pass

    def _encode(self, y, learnt, name="y"):
        return y[:, None].astype(float)

    def _loss(self, learnt, weights):
        return SquaredError()


def test_what_must_be_said_is_enough():
    X = np.random.default_rng(0).random((40, 3, 3))
    y = X.mean(axis=(1, 2))
    found = Plainest(max_iter=3, random_state=0).fit(X, y)
    same = CNNRegressor(max_iter=3, standardize_targets=False, random_state=0).fit(X, y)
    assert found.loss_curve_ == same.loss_curve_
    assert (found._outputs(X)[:, 0] == same.predict(X)).all()
