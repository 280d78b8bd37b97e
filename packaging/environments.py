"""Clean environments of the oldest and the newest Python, NumPy, SciPy and scikit-learn."""

import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
OLDEST_PYTHON = (3, 11)
# The oldest wheels for a Python that is younger than the lower bounds of pyproject.toml
FIRST_WHEELS = {
    (3, 12): {"scipy": "1.11.2"},
    (3, 13): {"numpy": "2.1.0", "scipy": "1.14.1"},
    (3, 14): {"numpy": "2.3.2", "scipy": "1.16.1", "scikit-learn": "1.7.2"},
}
PROBE = """
import ensurepip, json, os, sys, sysconfig, venv
assert os.path.exists(os.path.join(sysconfig.get_path("include"), "Python.h"))
print(json.dumps(sys.version_info[:3]))
"""


def run(*command, cwd=None):
    """Run a command in an environment that no other Python leaks into."""
    environment = {k: v for k, v in os.environ.items() if not k.startswith("PYTHON")}
    subprocess.run([str(word) for word in command], cwd=cwd, env=environment, check=True)


def pip(python, *arguments):
    run(python, "-m", "pip", "-q", "--disable-pip-version-check", *arguments)


def pythons():
    """Return the oldest and the newest Python that can build, by version."""
    folders = [Path(folder) for folder in os.environ.get("PATH", "").split(os.pathsep) if folder]
    if shutil.which("pyenv"):
        root = subprocess.run(["pyenv", "root"], capture_output=True, text=True, check=True).stdout
        folders += sorted(Path(root.strip()).glob("versions/3.*/bin"))
    found = {}
    for folder in folders:
        for path in folder.glob("python3.*"):
            if not re.fullmatch(r"python3\.\d+", path.name):
                continue
            done = subprocess.run([path, "-c", PROBE], capture_output=True, text=True)
            version = tuple(json.loads(done.stdout)) if done.returncode == 0 else ()
            if version >= OLDEST_PYTHON:
                found.setdefault(version, path)
    if not found:
        sys.exit("no Python of 3.11 or newer with pip and headers was found.")
    return {version: found[version] for version in (min(found), max(found))}


def bounds(version):
    """Return the oldest dependencies for a Python, as constraints of pip."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    oldest = dict(dependency.split(">=") for dependency in project["dependencies"])
    oldest |= FIRST_WHEELS.get(version[:2], {})
    return [f"{name}=={number}" for name, number in oldest.items()]


def dotted(version):
    return ".".join(map(str, version))


def environment(folder, python):
    """Return the Python of a new environment in `folder`, with nothing but pip in it."""
    run(python, "-m", "venv", folder)
    return folder / "bin" / "python"


def install(python, age, version, *wheels):
    """Install wheels with the oldest or the newest of what they need."""
    listed = python.parent.parent / "constraints.txt"
    listed.write_text("\n".join(bounds(version) if age == "oldest" else []))
    pip(python, "install", "--only-binary=:all:", "-c", listed, *wheels)


def versions(python):
    """Return what is installed, in a line."""
    listing = subprocess.run(
        [python, "-m", "pip", "list", "--format=json"], capture_output=True, text=True, check=True
    )
    found = {row["name"]: row["version"] for row in json.loads(listing.stdout)}
    return ", ".join(f"{name} {found[name]}" for name in ("numpy", "scipy", "scikit-learn"))
