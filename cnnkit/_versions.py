"""Versions and settings for a bug report."""

from __future__ import annotations

import importlib.metadata
import platform
import sys

from cnnkit._native import runtime


def show_versions() -> None:
    """Print versions, instruction set and threads, to be pasted into a bug report.

    Examples
    --------
    >>> from cnnkit import show_versions
    >>> show_versions()  # doctest: +ELLIPSIS, +NORMALIZE_WHITESPACE
    python: 3...
    cnnkit: ...
    threads: ...
    """
    for name, value in versions().items():
        print(f"{name:>22}: {value}")


def versions() -> dict[str, str]:
    """Return what `show_versions` prints as a dict."""
    packages = ("cnnkit", "numpy", "scipy", "scikit-learn", "joblib", "threadpoolctl")
    return {
        "python": sys.version.replace("\n", ""),
        "machine": platform.platform(),
        **{name: _version(name) for name in packages},
        "instruction set": f"{runtime.instruction_set} of {', '.join(runtime.INSTRUCTION_SETS)}",
        "BLAS": f"{_blas()}, of SciPy, for algorithm 'im2col'",
        "OpenMP": "not used: cnnkit has a thread pool of its own",
        "threads": runtime.num_threads(),
    }


def _blas():
    """Return name and version of the BLAS that SciPy was built with."""
    import scipy

    try:
        blas = scipy.show_config(mode="dicts")["Build Dependencies"]["blas"]
        return f"{blas['name']} {blas['version']}"
    except (AttributeError, KeyError, TypeError):  # SciPy does not promise the form of this dict
        return "unknown"


def _version(name):
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return "not installed"
