"""What `import cnnkit` does besides."""

import ast
from graphlib import TopologicalSorter
from pathlib import Path

from oracles import python

import cnnkit

CODE = """if True:
    import os, sys
    touched = []

    def watch(event, args):
        if event == "open" and args[2] & (os.O_WRONLY | os.O_RDWR | os.O_CREAT):
            touched.append(args[0])
        if event.startswith(("socket.", "subprocess.", "os.mkdir", "os.rename", "urllib.")):
            touched.append(event)

    import sklearn.base  # which brings pandas where it is installed
    sys.addaudithook(watch)
    before = set(sys.modules)
    import cnnkit
    print(touched)
    roots = {name.partition(".")[0] for name in set(sys.modules) - before}
    print(sorted(roots & {"matplotlib", "torch", "tensorflow", "pandas", "rich", "onnx", "dask"}))
    print(len(set(sys.modules) - before) > 10)
"""


def test_import_writes_nothing_and_brings_no_extras():
    done = python(CODE)
    assert (done.stdout, done.stderr) == ("[]\n[]\nTrue\n", "")


def test_training_brings_no_extras():
    code = """if True:
    import sys
    from cnnkit import CNNClassifier, CNNRegressor, CNNFeatures, lr_find
    CNNClassifier(max_iter=1).fit([[0.0], [1.0]], [0, 1]).predict([[0.0]])
    print(sorted({"matplotlib", "rich", "dask", "sklearn.callback"} & set(sys.modules)))
    """
    done = python(code)
    assert (done.stdout, done.stderr) == ("[]\n", "")


def test_star_import_is_the_public_names():
    code = "before = set(dir()); from cnnkit import *; print(sorted(set(dir()) - before))"
    done = python(code)
    names = sorted([*cnnkit.__all__, "before"])
    assert done.stdout == f"{names}\n"
    assert cnnkit.__version__


def test_dir_has_all_before_it_is_used():
    done = python("import cnnkit; print(set(cnnkit.__all__) - set(dir(cnnkit)), len(dir(cnnkit)))")
    missing, _, count = done.stdout.strip().rpartition(" ")
    assert missing == "set()"
    assert int(count) > len(cnnkit.__all__)


def test_imports_point_one_way():
    """Modules, and packages taken as one, import one another without a circle."""
    root = Path(cnnkit.__file__).parent
    graph = {}
    for path in root.rglob("*.py"):
        first = path.relative_to(root).with_suffix("").parts[0]
        if first == "__init__":
            continue
        for node in ast.parse(path.read_text()).body:
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("cnnkit"):
                parts = node.module.split(".")[1:2] or [alias.name for alias in node.names]
                graph.setdefault(first, set()).update(part for part in parts if part != first)
    order = list(TopologicalSorter(graph).static_order())
    levels = ["shapes", "layers", "graph", "network", "estimators", "io"]
    assert [part for part in order if part in levels] == levels
    below = order[: order.index("estimators")]
    assert {"training", "lbfgs", "watch", "prediction", "losses", "optimizers"} <= set(below)
