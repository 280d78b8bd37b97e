"""The Python on README.md and on the pages of docs runs as it is written; links lead to files.

Pages with a test file of their own are not run here.
"""

import re

import pytest
from pages import PAGES as DOCS
from pages import running

from cnnkit.layers import KINDS

ROOT = DOCS.parent
README = ROOT / "README.md"
GUIDES = [
    DOCS / "reference" / "layers.md",
    *(
        DOCS / "guides" / f"{name}.md"
        for name in ("masks", "pretrained", "saving", "signals", "training")
    ),
]
PAGES = sorted([*ROOT.glob("*.md"), *DOCS.rglob("*.md")])
pytestmark = pytest.mark.skipif(not README.exists(), reason="the pages are not installed")


@pytest.mark.parametrize("page", GUIDES, ids=lambda page: page.stem)
def test_the_code_of_a_page_runs(page, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    if page.stem == "masks":  # which draws
        pytest.importorskip("matplotlib").use("Agg")
    with running(page) as module:
        assert hasattr(module, "y")


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


def test_readme_leads_to_every_page():
    text = README.read_text()
    pages = [str(page.relative_to(ROOT)) for page in PAGES if page != README]
    assert [page for page in pages if f"({page})" not in text] == []


def test_the_page_of_layers_has_them_all():
    text = (DOCS / "reference" / "layers.md").read_text()
    assert [name for name in KINDS if f"`{name}(" not in text and f"`{name}`" not in text] == []
