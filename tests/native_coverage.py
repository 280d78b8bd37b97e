"""Which lines of the native code a run on the coverage build went through.

    python tests/native_coverage.py

A line counts once, and as covered where any object that holds it ran it: kernels are compiled for
each instruction set and real type, a .pxd file into several modules. What Cython adds of its own
(tables, conversions, the making of types) has no lines in src/ and does not count.
"""

import json
import re
import subprocess
import sys
from collections import defaultdict
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
BUILD = ROOT / "build" / "coverage"
LEAST = 95
# What Cython writes above the C of a line, and above the end of a function
MARK = re.compile(r'\s*/\* "(.+)":(\d+)$')
EXIT = "  /* function exit code */"


def counts():
    """Return how often each line of each file of src/ ran."""
    found = defaultdict(lambda: defaultdict(int))
    for notes in BUILD.rglob("*.gcno"):
        done = subprocess.run(
            ["gcov", "--json-format", "--stdout", notes],
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=True,
        )
        for file in json.loads(done.stdout)["files"]:
            path = Path(file["file"])
            if path.is_absolute():
                continue  # a header of Python or of the system
            source = str(path).removeprefix("src/")
            origins = written_lines(path) if path.is_relative_to("build") else None
            for line in file["lines"]:
                number = line["line_number"]
                where = (source, number) if origins is None else origins.get(number)
                if where:
                    found[where[0]][where[1]] += line["count"]
    return found


def written_lines(path):
    """Return file and line in src/ for the lines of a C file that Cython made of one."""
    found, mark = {}, None
    for number, text in enumerate((ROOT / path).read_text().splitlines(), 1):
        match = MARK.match(text)
        if match:
            name = match[1].removeprefix("src/")
            mark = (name, int(match[2])) if (ROOT / "src" / name).is_file() else None
        elif text == "}" or text == EXIT:
            mark = None
        elif mark:
            found[number] = mark
    return found


def ranges(numbers):
    """Return numbers of lines as text: 3-5, 9."""
    runs = []
    for number in numbers:
        if runs and number == runs[-1][1] + 1:
            runs[-1][1] = number
        else:
            runs.append([number, number])
    return ", ".join(f"{a}-{b}" if a < b else str(a) for a, b in runs)


def main():
    lines = covered = 0
    for path, file in sorted(counts().items()):
        missing = ranges(sorted(number for number, count in file.items() if not count))
        ran = sum(1 for count in file.values() if count)
        print(f"{path:30} {len(file):5} {100 * ran / len(file):6.1f}%  {missing}")
        lines, covered = lines + len(file), covered + ran
    if not lines:
        sys.exit(f"tests/native_coverage.py: no counters in {BUILD}.")
    share = 100 * covered / lines
    print(f"{'all':30} {lines:5} {share:6.1f}%")
    sys.exit(f"less than {LEAST}% of native lines are covered" if share < LEAST else 0)


if __name__ == "__main__":
    main()
