"""What setup.py is asked for by CNNKIT_BUILD."""

import os
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

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
