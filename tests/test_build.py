"""What is built, and by which words: pyproject.toml and setup.py."""

import os
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

import cnnkit

ROOT = Path(__file__).resolve().parent.parent


def test_progress_bars_come_with_what_notebooks_need():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extra = project["optional-dependencies"]["progress"]
    assert [entry.partition(">")[0] for entry in extra] == ["rich[jupyter]"]


def test_an_unknown_build_is_refused_by_name():
    pytest.importorskip("Cython")
    pytest.importorskip("setuptools")
    done = subprocess.run(
        [sys.executable, "setup.py", "--name"],
        cwd=ROOT,
        env={**os.environ, "CNNKIT_BUILD": "fast"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 1
    message = "CNNKIT_BUILD must be one of debug, sanitize, coverage, or empty, got 'fast'.\n"
    assert done.stderr.endswith(message)


def test_the_version_is_written_once_and_packages_are_found():
    expand = pytest.importorskip("setuptools.config.expand")
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    assert project["project"]["dynamic"] == ["version"]
    dynamic = project["tool"]["setuptools"]["dynamic"]["version"]["attr"]
    assert expand.read_attr(dynamic, root_dir=ROOT) == cnnkit.__version__
    options = project["tool"]["setuptools"]["packages"]["find"]
    found = expand.find_packages(root_dir=ROOT, **options)
    folders = {path.parent.relative_to(ROOT) for path in ROOT.glob("cnnkit/**/__init__.py")}
    assert set(found) == {".".join(path.parts) for path in folders}
