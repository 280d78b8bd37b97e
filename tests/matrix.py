"""The sdist on the oldest and the newest of what it supports.

    python tests/matrix.py

Builds the sdist, and a wheel from it with the oldest and the newest Python found on PATH and among
pyenv's. In clean environments with the oldest and the newest NumPy, SciPy and scikit-learn it then
passes the tests that the sdist carries. Everything lies in build/matrix.
"""

import json
import os
import re
import shutil
import subprocess
import sys
import tarfile
import time
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
FOLDER = ROOT / "build" / "matrix"
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


def run(*command, cwd=FOLDER):
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
        sys.exit("tests/matrix.py: no Python of 3.11 or newer with pip and headers was found.")
    return {version: found[version] for version in (min(found), max(found))}


def bounds(version):
    """Return the oldest dependencies for a Python, as constraints of pip."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    oldest = dict(dependency.split(">=") for dependency in project["dependencies"])
    oldest |= FIRST_WHEELS.get(version[:2], {})
    return [f"{name}=={number}" for name, number in oldest.items()]


def dotted(version):
    return ".".join(map(str, version))


def environment(name, python):
    """Return the Python of a new, empty environment."""
    run(python, "-m", "venv", FOLDER / name)
    return FOLDER / name / "bin" / "python"


def build_sdist(builder):
    pip(builder, "install", "build")
    run(builder, "-m", "build", "-q", "--sdist", "--outdir", FOLDER, ROOT)
    (sdist,) = FOLDER.glob("cnnkit-*.tar.gz")
    with tarfile.open(sdist) as archive:
        archive.extractall(FOLDER / "unpacked", filter="data")
    (unpacked,) = (FOLDER / "unpacked").iterdir()
    return sdist, unpacked


def check(name, python, wheel, constraints, unpacked):
    """Pass the tests in a new environment; return a line of what was used."""
    start = time.perf_counter()
    own = environment(name, python)
    listed = FOLDER / f"{name}.txt"
    listed.write_text("\n".join(constraints))
    pip(own, "install", "--only-binary=:all:", "-c", listed, f"{wheel}[test]")
    run(own, "-P", "-m", "pytest", cwd=unpacked)
    versions = "; ".join(
        f"print({module}.__name__, {module}.__version__, end=' ')"
        for module in ("numpy", "scipy", "sklearn")
    )
    code = f"import numpy, scipy, sklearn; {versions}"
    used = subprocess.run([own, "-P", "-c", code], capture_output=True, text=True, check=True)
    return f"{name}: {used.stdout}passed, {time.perf_counter() - start:.0f} s"


def main():
    shutil.rmtree(FOLDER, ignore_errors=True)
    FOLDER.mkdir(parents=True)
    found = pythons()
    builders = {version: environment(dotted(version), found[version]) for version in found}
    sdist, unpacked = build_sdist(builders[min(builders)])
    lines = []
    for version, python in found.items():
        number = dotted(version)
        pip(
            builders[version],
            "wheel",
            "--no-deps",
            "--wheel-dir",
            FOLDER / f"{number}-wheel",
            sdist,
        )
        (wheel,) = (FOLDER / f"{number}-wheel").glob("*.whl")
        for age, constraints in (("oldest", bounds(version)), ("newest", [])):
            lines.append(check(f"{number}-{age}", python, wheel, constraints, unpacked))
            print(f"== {lines[-1]}", flush=True)
    print(*lines, sep="\n")


if __name__ == "__main__":
    main()
