"""The sdist on the oldest and the newest of what it supports.

    python packaging/matrix.py

Builds the sdist, and a wheel from it with the oldest and the newest Python found on PATH and among
pyenv's. In clean environments with the oldest and the newest NumPy, SciPy and scikit-learn it then
passes the tests that the sdist carries. Everything lies in build/matrix.
"""

import shutil
import tarfile
import time

from environments import ROOT, dotted, environment, install, pip, pythons, run, versions

FOLDER = ROOT / "build" / "matrix"


def build_sdist(builder):
    pip(builder, "install", "build")
    run(builder, "-m", "build", "-q", "--sdist", "--outdir", FOLDER, ROOT)
    (sdist,) = FOLDER.glob("cnnkit-*.tar.gz")
    with tarfile.open(sdist) as archive:
        archive.extractall(FOLDER / "unpacked", filter="data")
    (unpacked,) = (FOLDER / "unpacked").iterdir()
    return sdist, unpacked


def check(name, python, age, version, wheel, unpacked):
    """Pass the tests in a new environment; return a line of what was used."""
    start = time.perf_counter()
    own = environment(FOLDER / name, python)
    install(own, age, version, f"{wheel}[test]")
    run(own, "-P", "-m", "pytest", cwd=unpacked)
    return f"{name}: {versions(own)}: passed, {time.perf_counter() - start:.0f} s"


def main():
    shutil.rmtree(FOLDER, ignore_errors=True)
    FOLDER.mkdir(parents=True)
    found = pythons()
    builders = {v: environment(FOLDER / dotted(v), python) for v, python in found.items()}
    sdist, unpacked = build_sdist(builders[min(builders)])
    lines = []
    for version, python in found.items():
        number = dotted(version)
        folder = FOLDER / f"{number}-wheel"
        pip(builders[version], "wheel", "--no-deps", "--wheel-dir", folder, sdist)
        (wheel,) = folder.glob("*.whl")
        for age in ("oldest", "newest"):
            lines.append(check(f"{number}-{age}", python, age, version, wheel, unpacked))
            print(f"== {lines[-1]}", flush=True)
    print(*lines, sep="\n")


if __name__ == "__main__":
    main()
