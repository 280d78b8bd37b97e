"""Pages that lie in the root of the project, and links to them and to examples."""

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PAGES = {
    "CHANGELOG.md": "changelog",
    "CONTRIBUTING.md": "contributing",
    "CODE_OF_CONDUCT.md": "code_of_conduct",
    "ROADMAP.md": "roadmap",
    "SECURITY.md": "security",
}
# what the path of a link stands for on the site
RULES = {
    **{rf"(\.\./)+{file}": f"/generated/project/{page}.md" for file, page in PAGES.items()},
    r"(\.\./)+README.md": "/index.md",
    r"(\.\./)+examples/(?P<stem>\w+)\.py": "/generated/gallery/{stem}.rst",
    r"(\.\./)+cnnkit/functional": "/generated/api/functional.rst",
    r"(\.\./)+learn": "/generated/course/index.rst",
    r"(\.\./)+learn/(?P<stem>\w+)\.py": "/generated/course/{stem}.rst",
}


def on_the_site(text):
    """Return a page whose links to files lead to pages of the site."""

    def changed(link):
        path, mark, part = link[1].partition("#")
        for pattern, page in RULES.items():
            found = re.fullmatch(pattern, path)
            if found:
                return f"]({page.format(**found.groupdict())}{mark}{part})"
        return link[0]

    return re.sub(r"\]\(([^)\s]+)\)", changed, text)


def write_pages(app, config):
    folder = Path(app.srcdir) / "generated" / "project"
    folder.mkdir(parents=True, exist_ok=True)
    for file, page in PAGES.items():
        text = (ROOT / file).read_text()
        text = re.sub(r"\]\(docs/", "](/", text)  # pages of docs lie beside the site's root
        text = re.sub(r"\]\(([A-Z_]+\.md)", r"](../\1", text)
        target = folder / f"{page}.md"
        if not target.exists() or target.read_text() != text:
            target.write_text(text)


def change_links(app, name, source):
    source[0] = on_the_site(source[0])


def setup(app):
    app.connect("config-inited", write_pages)  # before Sphinx looks for pages
    app.connect("source-read", change_links)
    return {"parallel_read_safe": True}
