"""The site has every public name and every page, and its links lead to pages."""

import importlib.util
import re
import sys
from pathlib import Path

import pytest
from public_names import public_modules

import cnnkit

DOCS = Path(__file__).parents[2] / "docs"
pytestmark = pytest.mark.skipif(not DOCS.exists(), reason="the pages are not installed")


@pytest.fixture
def extension(monkeypatch):
    """Return a function that imports a module of docs/_extensions."""

    def imported(name):
        spec = importlib.util.spec_from_file_location(name, DOCS / "_extensions" / f"{name}.py")
        module = importlib.util.module_from_spec(spec)
        monkeypatch.setitem(sys.modules, name, module)
        spec.loader.exec_module(module)
        return module

    return imported


def test_the_reference_has_every_public_name(extension):
    pytest.importorskip("matplotlib")
    reference = extension("reference")
    modules = public_modules()
    assert {module for _, module, _ in reference.FAMILIES.values()} == set(modules)
    shown = {name for family in reference.FAMILIES for name in reference.names_of(family)}
    shown |= {module.rpartition(".")[2] for module in modules}
    assert [name for name in cnnkit.__all__ if name not in shown] == []
    page = (DOCS / "reference" / "index.md").read_text()
    listed = re.findall(r"generated/api/(\w+)", page)
    assert sorted(listed) == sorted(reference.FAMILIES)


def test_an_index_leads_to_every_page():
    for folder in ("guides", "design", "reference"):
        index = (DOCS / folder / "index.md").read_text()
        pages = {path.stem for path in (DOCS / folder).glob("*.md")} - {"index"}
        listed = set(re.findall(r"^(?:.*<)?(\w+)>?$", index, re.MULTILINE))
        assert pages - listed == set()
    for file in ("guides", "design", "reference"):
        assert f"<{file}/index>" in (DOCS / "index.md").read_text()


@pytest.mark.parametrize(
    ("link", "page"),
    [
        ("../../examples/im2col.py", "/generated/gallery/im2col.rst"),
        ("../learn/02_im2col.py", "/generated/course/02_im2col.rst"),
        ("../../CHANGELOG.md", "/generated/project/changelog.md"),
        ("../../README.md#install", "/index.md#install"),
        ("training.md#losses", "training.md#losses"),
    ],
)
def test_links_to_files_lead_to_pages_of_the_site(extension, link, page):
    root_pages = extension("root_pages")
    assert root_pages.on_the_site(f"see [this]({link}).") == f"see [this]({page})."
