"""Compiled modules, built from src/."""

import sys
from importlib.machinery import EXTENSION_SUFFIXES
from pathlib import Path

MODULES = (
    "activation",
    "conv",
    "depthwise",
    "im2col",
    "loss",
    "norm",
    "optimizer",
    "pool",
    "resize",
    "runtime",
    "shared_context",
)


def _check(folder):
    """Raise an error that says what to do, unless `folder` has all modules for this Python."""
    files = {file.name for file in folder.iterdir()}
    ours = [f"{name}{suffix}" for name in MODULES for suffix in EXTENSION_SUFFIXES]
    built = {file.partition(".")[0] for file in files.intersection(ours)}
    missing = [name for name in MODULES if name not in built]
    if not missing:
        return
    others = {file.split(".")[1] for file in files if file.endswith((".so", ".pyd"))}
    others -= {suffix.split(".")[1] for suffix in EXTENSION_SUFFIXES}
    root = folder.parent.parent
    if built:
        found = f"lacks the compiled modules {', '.join(missing)}: a build that did not end"
    elif others:
        version = ".".join(map(str, sys.version_info[:3]))
        this = EXTENSION_SUFFIXES[0].split(".")[1]
        found = (
            f"has modules compiled for {', '.join(sorted(others))}, and this Python, {version}, "
            f"takes those for {this}"
        )
    else:
        found = "has no compiled modules"
    if (root / "pyproject.toml").exists():
        advice = (
            f"It is the source of cnnkit. If cnnkit is installed, this folder hides it: run Python "
            f"in another folder, or as `python -P`. To import it from here, build it: "
            f"`{sys.executable} -m pip install -e {root}`."
        )
    else:
        again = f"{sys.executable} -m pip install --force-reinstall cnnkit"
        advice = f"Install cnnkit again: `{again}`."
    raise ImportError(f"cnnkit: {folder} {found}. {advice}", name=__name__, path=str(folder))


_check(Path(__file__).parent)
