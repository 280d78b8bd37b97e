"""Which lines of the native code a run on the coverage build went through.

    python tests/native_coverage.py

A line counts once, and as covered where any object that holds it ran it: kernels are compiled for
each instruction set and real type, a .pxd file into several modules. What Cython adds of its own
(tables, conversions, the making of types) has no lines in src/ and does not count.
"""

import json
import subprocess
import sys
from collections import defaultdict
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
BUILD = ROOT / "build" / "coverage"
LEAST = 95
# Functions of a .pyx file in its C file. Others are Cython's own, and their lines would be counted
# on from the line that was last named.
WRITTEN = ("__pyx_f_", "__pyx_pf_", "__pyx_pw_", "__pyx_fuse_", "__pyx_pymod_exec_")


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
        for line in done.stdout.splitlines():
            for file in json.loads(line)["files"]:
                # Cython names a .pxd file as it was found, by the folder it looked in
                path = next((p for p in (file["file"], f"src/{file['file']}") if is_ours(p)), None)
                for each in file["lines"] if path else []:
                    if path.endswith(".c") or each.get("function_name", "").startswith(WRITTEN):
                        found[path][each["line_number"]] += each["count"]
    return found


def is_ours(path):
    return path.startswith("src/") and (ROOT / path).is_file()


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
