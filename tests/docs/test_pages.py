"""The Python on README.md and on the pages of docs runs as it is written; links lead to files.

Pages with a test file of their own are not run here.
"""

import re
import warnings
from pathlib import Path

import pytest
from pages import PAGES as DOCS
from pages import running

from cnnkit.layers import KINDS

ROOT = DOCS.parent
README = ROOT / "README.md"
PAGES = sorted(
    page
    for page in [*ROOT.glob("*.md"), *DOCS.rglob("*.md")]
    if "generated" not in page.relative_to(ROOT).parts
)
TESTED = {path.stem.removeprefix("test_") for path in Path(__file__).parent.glob("test_*.py")}
RUN = [
    page
    for page in PAGES
    if (page.parent.name in ("guides", "reference") or page == DOCS / "index.md")
    and "```python\n" in page.read_text()
    and page.stem not in {*TESTED, "onnx"}  # which begins with a file of the reader's
]
NUMBER = re.compile(r"[-+]?\d[\d,]*(\.\d+)?(e-?\d+)?")
pytestmark = pytest.mark.skipif(not README.exists(), reason="the pages are not installed")


def words(text):
    """Return lines without their numbers, which may differ by rounding or by the machine."""
    return [" ".join(NUMBER.sub("#", line).split()) for line in text.splitlines()]


@pytest.mark.parametrize("page", RUN, ids=lambda page: page.stem)
def test_the_code_of_a_page_runs_and_prints_what_is_shown(page, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    if page.stem in ("index", "masks"):  # which draw
        pytest.importorskip("matplotlib").use("Agg")
    with warnings.catch_warnings(), running(page, outputs=True) as shown:
        for text in shown:
            out = capsys.readouterr().out
            if text is not None:
                assert words(out) == words(text)


def test_readme_shows_what_it_prints(pyplot, tmp_path, monkeypatch, capsys):
    """The accuracy may differ by rounding, the algorithms of the summary by the processor."""
    monkeypatch.chdir(tmp_path)
    with running(README):
        found = capsys.readouterr().out.splitlines()
    (shown,) = re.findall(r"```text\n(.*?)```", README.read_text(), re.DOTALL)
    accuracy, header, *rows = shown.splitlines()
    assert float(found[0].split()[1]) == pytest.approx(float(accuracy.split()[1]), abs=0.01)
    assert found[1] == header
    end = header.index("forward")
    assert [row[:end].rstrip() for row in found[2:]] == [row[:end].rstrip() for row in rows]
    assert (tmp_path / "digits.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_links_lead_to_files(page):
    links = re.findall(r"\]\((?!http)([^)#]+)\)", page.read_text())
    assert [link for link in links if not (page.parent / link).exists()] == []


def test_readme_leads_to_the_pages_of_the_root_and_to_the_indices():
    """The indices lead to the others: test_site.py."""
    text = README.read_text()
    indices = [DOCS / folder / "index.md" for folder in ("guides", "reference", "design")]
    assert set(indices) <= set(PAGES)
    wanted = [str(page.relative_to(ROOT)) for page in [*ROOT.glob("*.md"), *indices]]
    assert [page for page in wanted if page != "README.md" and f"({page})" not in text] == []


def test_the_page_of_layers_has_them_all():
    text = (DOCS / "reference" / "layers.md").read_text()
    assert [name for name in KINDS if f"`{name}(" not in text and f"`{name}`" not in text] == []
