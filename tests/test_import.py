"""What `import cnnkit` does besides."""

import ast
import shutil
import subprocess
import sys
from graphlib import TopologicalSorter
from importlib.machinery import EXTENSION_SUFFIXES
from pathlib import Path

import pytest
from oracles import python

import cnnkit
from cnnkit import _native

ROOT = Path(__file__).resolve().parent.parent

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
    levels = ["validate", "layers", "graph", "network", "training", "estimators", "io"]
    assert [part for part in order if part in levels] == levels
    assert "losses" in order[: order.index("estimators")]


class TestWithoutCompiledModules:
    """The source folder hides an installed cnnkit from a Python that runs in it."""

    @pytest.fixture
    def root(self, tmp_path):
        """A folder with the package as it is in a checkout, nothing compiled."""
        shutil.copytree(
            Path(cnnkit.__file__).parent,
            tmp_path / "cnnkit",
            ignore=shutil.ignore_patterns("*.so", "__pycache__"),
        )
        (tmp_path / "pyproject.toml").touch()
        return tmp_path

    def error(self, root, code="import cnnkit"):
        """Return the last line that Python writes when it runs in `root`."""
        command = [sys.executable, "-c", code]
        done = subprocess.run(command, cwd=root, capture_output=True, text=True, check=False)
        assert done.returncode == 1
        return done.stderr.splitlines()[-1]

    @pytest.mark.parametrize(
        "code", ["import cnnkit", "from cnnkit import CNNClassifier", "import cnnkit.io"]
    )
    def test_the_error_says_what_to_do(self, root, code):
        error = self.error(root, code)
        assert error.startswith(
            f"ImportError: cnnkit: {root / 'cnnkit' / '_native'} has no compiled modules. It is the"
            " source of cnnkit. If cnnkit is installed, this folder hides it: run Python in another"
            " folder, or as `python -P`."
        )
        assert error.endswith(f"build it: `{sys.executable} -m pip install -e {root}`.")

    def test_the_command_line_says_so_too(self, root):
        command = [sys.executable, "-m", "cnnkit", "versions"]
        done = subprocess.run(command, cwd=root, capture_output=True, text=True, check=False)
        assert done.returncode == 1
        assert "has no compiled modules. It is the source of cnnkit." in done.stderr

    def test_half_a_build(self, root):
        for name in _native.MODULES[2:]:
            (root / "cnnkit" / "_native" / f"{name}{EXTENSION_SUFFIXES[0]}").touch()
        message = "_native lacks the compiled modules activation, conv: a build that did not end."
        assert message in self.error(root)

    def test_a_build_for_another_python(self, root):
        for name in _native.MODULES:
            (root / "cnnkit" / "_native" / f"{name}.cpython-39-x86_64-linux-gnu.so").touch()
        version = ".".join(map(str, sys.version_info[:3]))
        error = self.error(root)
        assert "has modules compiled for cpython-39-x86_64-linux-gnu, and this Python, " in error
        assert f" {version}, takes those for {EXTENSION_SUFFIXES[0].split('.')[1]}. " in error

    def test_no_source_folder(self, root):
        (root / "pyproject.toml").unlink()
        assert "Install cnnkit again: `" in self.error(root)

    def test_modules_are_those_of_the_sources(self):
        assert sorted(_native.MODULES) == sorted(path.stem for path in ROOT.glob("src/*/*.pyx"))
