"""What `import cnnkit` does besides."""

import ast
import shutil
import subprocess
import sys
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


# what stands below imports nothing of what stands above it; docs/design/architecture.md says why
ORDER = [
    *("exceptions", "validate", "_native", "_versions", "functional", "schedules", "augmentation"),
    *("layers", "graph", "blocks", "heads", "models", "files", "data", "network", "losses"),
    "metrics",
    *("training", "callbacks", "estimators", "typing", "io", "onnx", "display", "cli"),
    "__main__",
]


def run_nodes(node):
    """Yield all nodes of a syntax tree but those that only a type checker reads."""
    yield node
    hidden = []
    if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
        hidden = node.body
    for child in ast.iter_child_nodes(node):
        if child not in hidden:
            yield from run_nodes(child)


def imports(root):
    """Return what every module below `root` but its ``__init__`` imports of cnnkit, by name.

    Imports within functions count, too; those that only a type checker reads, below
    ``if TYPE_CHECKING:``, do not. A module is named as it is written, ``cnnkit.io``.
    """
    names = {
        ".".join((root.name, *path.relative_to(root).with_suffix("").parts)): path
        for path in root.rglob("*.py")
    }
    names = {name.removesuffix(".__init__"): path for name, path in names.items()}
    found = {}
    for module, path in names.items():
        read = set()
        for node in run_nodes(ast.parse(path.read_text())):
            if isinstance(node, ast.Import):
                read |= {alias.name for alias in node.names}
            elif isinstance(node, ast.ImportFrom):
                assert not node.level, f"{module}: an import must be absolute."
                whole = {alias.name: f"{node.module}.{alias.name}" for alias in node.names}
                read |= {part if part in names else node.module for part in whole.values()}
        found[module] = {name for name in read if name.partition(".")[0] == root.name} - {module}
    del found[root.name]  # which may import anything
    return found


def part_of(module):
    return [*module.split("."), "cnnkit"][1]


def upward(found, order):
    """Return the imports that run up, as ``a -> b``; cnnkit itself is above all parts."""
    rank = {part: i for i, part in enumerate([*order, "cnnkit"])}
    return [
        f"{module} -> {read}"
        for module, names in sorted(found.items())
        for read in sorted(names)
        if rank[part_of(read)] > rank[part_of(module)]
    ]


def circles(found):
    """Return the sets of modules each of which imports, over others, all the others."""
    reach = {module: set(names) for module, names in found.items()}
    for by in found:
        for names in reach.values():
            if by in names:
                names |= reach[by]
    whole = {
        frozenset(b for b in reach[a] if a in reach.get(b, ())) for a in found if a in reach[a]
    }
    return [sorted(circle) for circle in whole]


class TestImports:
    """Which modules import which."""

    found = imports(Path(cnnkit.__file__).parent)

    def test_all_parts_have_a_place(self):
        assert sorted(ORDER) == sorted({part_of(module) for module in self.found})

    def test_they_point_one_way(self):
        assert upward(self.found, ORDER) == []

    def test_no_circle_is_larger_than_a_pair(self):
        assert [circle for circle in circles(self.found) if len(circle) > 2] == []

    def test_wrong_ones_are_found(self, tmp_path):
        root = tmp_path / "cnnkit"
        texts = {
            "__init__": "from cnnkit import high",
            "low/__init__": "",
            "low/a": "def f():\n    from cnnkit.high import x",
            "low/typed": "if TYPE_CHECKING:\n    from cnnkit.high import x",
            "low/b": "from cnnkit.low.c import x",
            "low/c": "import cnnkit.low.d\nfrom os import path",
            "low/d": "class A:\n    def f(self):\n        from cnnkit.low import b",
            "high": "from cnnkit import f\nfrom cnnkit.low import a",
        }
        for name, text in texts.items():
            path = root / f"{name}.py"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        found = imports(root)
        assert upward(found, ["low", "high"]) == [
            "cnnkit.high -> cnnkit",
            "cnnkit.low.a -> cnnkit.high",
        ]
        assert sorted(circles(found)) == [
            ["cnnkit.high", "cnnkit.low.a"],
            ["cnnkit.low.b", "cnnkit.low.c", "cnnkit.low.d"],
        ]


@pytest.mark.parametrize(
    ("code", "wanted"),
    [
        ("Graph.from_json(net.to_json()).output_shape((4, 4, 1))", "(4, 4, 1)"),
        ("net.to_dot((4, 4, 1))[:9]", "digraph {"),
    ],
)
def test_forms_of_a_graph_need_no_other_import(code, wanted):
    done = python(
        "from cnnkit.graph import Graph; from cnnkit.layers import ReLU; "
        f"net = Graph([('a', ReLU(), 'input')]); print({code})"
    )
    assert done.stdout == f"{wanted}\n"


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
