"""Tests mirror sources: tests/<folder>/test_<stem>.py, or test_<stem>_<topic>.py.

Tests of the reliability folder are of promises across modules; helpers are in tests/support.
"""

from pathlib import Path

import pytest

TESTS = Path(__file__).parent
ROOT = TESTS.parent
MOST_LINES = 400
# folders whose sources are elsewhere than in cnnkit/ of the same name
SOURCES = {
    "docs": (ROOT / "docs", ".md"),
    "examples": (ROOT / "examples", ".py"),
    "examples/deploy_browser": (ROOT / "examples" / "deploy_browser", ".py"),
    "native": (ROOT / "src", ".pyx", ".pxd", ".c"),
}
# Tests of no one source
ACROSS = {
    "cli/test_commands.py": "help, usage and failures of all commands",
    "display/test_conventions.py": "what all displays have in common",
    "display/test_moments.py": "all displays of an estimator that is fitted meanwhile",
    "docs/test_docstrings.py": "docstrings of the package",
    "docs/test_learn.py": "all pages of docs/learn",
    "docs/test_numpydoc.py": "docstrings of the package",
    "docs/test_pages.py": "README.md and all pages of docs",
    "docs/test_site.py": "docs/conf.py and what makes pages of the rest",
    "estimators/test_composition.py": "inside scikit-learn's own estimators and tools",
    "estimators/test_contract.py": "scikit-learn's checks",
    "estimators/test_distributed.py": "searches on other machines",
    "estimators/test_divergence.py": "losses and weights that are no finite numbers",
    "estimators/test_ranges.py": "numbers beyond a type, from X to probabilities",
    "examples/test_examples.py": "all examples",
    "layers/test_layer_cases.py": "the table of layers that feeds other tests",
    "test_build.py": "setup.py",
    "test_import.py": "import of the package",
    "test_models.py": "all networks of cnnkit/models",
    "test_models_im2col.py": "all networks of cnnkit/models",
    "test_tree.py": "this file",
    "typing/test_annotations.py": "annotations of all that is public",
}
FILES = sorted(path.relative_to(TESTS) for path in TESTS.rglob("*.py"))


def stems(folder):
    """Return the stems of the sources that a folder of tests mirrors."""
    root, *suffixes = SOURCES.get(folder, (ROOT / "cnnkit" / folder, ".py"))
    paths = root.rglob("*") if folder in ("docs", "native") else root.glob("*")
    return {path.stem for path in paths if path.suffix in suffixes}


def test_every_test_file_has_a_source():
    tests = [path for path in FILES if path.name.startswith("test_")]
    tests = [path for path in tests if path.parts[0] not in ("reliability", "support")]
    alone = set()
    for path in tests:
        words = path.stem.removeprefix("test_").split("_")
        names = {"_".join(words[:end]) for end in range(1, len(words) + 1)}
        if not names & stems(path.parent.as_posix()):
            alone.add(path.as_posix())
    assert alone == set(ACROSS)


@pytest.mark.parametrize("path", FILES, ids=str)
def test_files_are_short(path):
    assert len((TESTS / path).read_text().splitlines()) <= MOST_LINES
