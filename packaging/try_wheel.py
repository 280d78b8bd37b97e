"""Try a wheel as a person without a compiler would meet it.

    python packaging/try_wheel.py [WHEEL]

Installs it, by default the one in dist/ for this processor, in clean environments of the oldest
and the newest Python with the oldest and the newest NumPy, SciPy and scikit-learn. Nothing but
Python is on PATH. Prints what it weighs installed, how long `import cnnkit` takes beside that of
scikit-learn's `MLPClassifier`, and the accuracy that the digits example of README.md prints; a
picture must come out.
"""

import json
import os
import platform
import re
import shutil
import subprocess
import sys
from pathlib import Path

from environments import ROOT, dotted, environment, install, pythons, versions

FOLDER = ROOT / "build" / "try"
IMPORT = "import time; start = time.perf_counter(); {}; print(time.perf_counter() - start)"


def alone(python, *words, cwd):
    """Run a Python that finds no other program; return what it prints."""
    found = {name: os.environ[name] for name in ("HOME", "LANG", "TMPDIR") if name in os.environ}
    variables = found | {"PATH": str(python.parent), "MPLBACKEND": "agg"}
    command = [python, "-P", *words]
    return subprocess.run(
        command, cwd=cwd, env=variables, capture_output=True, text=True, check=True
    ).stdout


def import_time(python, statement, cwd):
    """Return the fewest seconds of five that an import takes in a new process."""
    return min(float(alone(python, "-c", IMPORT.format(statement), cwd=cwd)) for _ in range(5))


def installed_size(python, cwd):
    code = (
        "import json, importlib.metadata as m; "
        "print(json.dumps([str(f.locate()) for f in m.files('cnnkit')]))"
    )
    files = map(Path, json.loads(alone(python, "-c", code, cwd=cwd)))
    return sum(path.stat().st_size for path in files if path.suffix != ".pyc")


def try_wheel(python, age, version, wheel, example):
    """Return a line on a wheel in a new environment."""
    folder = FOLDER / f"{dotted(version)}-{age}"
    own = environment(folder, python)
    install(own, age, version, f"{wheel}[plot]")
    work = folder / "work"
    work.mkdir()
    (work / "example.py").write_text(example)
    megabytes = installed_size(own, work) / 1e6
    ours = import_time(own, "import cnnkit", work)
    theirs = import_time(own, "from sklearn.neural_network import MLPClassifier", work)
    accuracy, *_ = alone(own, "example.py", cwd=work).splitlines()
    if not (work / "digits.png").stat().st_size or float(accuracy.split()[1]) < 0.95:
        sys.exit(f"{folder.name}: {accuracy}")
    return (
        f"{folder.name}: {versions(own)}: {megabytes:.1f} MB, import {ours:.2f} s "
        f"(MLPClassifier {theirs:.2f} s), {accuracy}"
    )


def main():
    here = f"*{platform.machine()}.whl"
    wheels = sys.argv[1:] or sorted((ROOT / "dist").glob(here))
    if len(wheels) != 1:
        sys.exit(f"usage: {sys.argv[0]} WHEEL ({len(wheels)} found that match dist/{here})")
    shutil.rmtree(FOLDER, ignore_errors=True)
    FOLDER.mkdir(parents=True)
    (example, *_) = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)
    for version, python in pythons().items():
        for age in ("oldest", "newest"):
            wheel = Path(wheels[0]).resolve()
            print(try_wheel(python, age, version, wheel, example), flush=True)


if __name__ == "__main__":
    main()
