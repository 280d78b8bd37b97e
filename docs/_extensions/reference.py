"""Pages of the reference: one for each family of public names, taken from `__all__`."""

import importlib
import re
from pathlib import Path

# A page: its title, the module that exports the names, and the template of the pages of classes
FAMILIES = {
    "estimators": ("Estimators", "cnnkit.estimators", "class"),
    "heads": ("Heads, and a search for the learning rate", "cnnkit", "class"),
    "layers": ("Layers", "cnnkit.layers", "plain"),
    "graph": ("Graphs", "cnnkit.graph", "class"),
    "network": ("Networks", "cnnkit.network", "class"),
    "blocks": ("Blocks", "cnnkit.blocks", "class"),
    "models": ("Networks of the literature", "cnnkit.models", "class"),
    "losses": ("Losses", "cnnkit.losses", "class"),
    "schedules": ("Schedules of the learning rate", "cnnkit.schedules", "class"),
    "augmentation": ("Augmentation", "cnnkit.augmentation", "class"),
    "callbacks": ("Callbacks", "cnnkit.callbacks", "class"),
    "metrics": ("Metrics", "cnnkit.metrics", "class"),
    "data": ("Folders, stacks and larger arrays", "cnnkit.data", "class"),
    "io": ("Model files and weights", "cnnkit.io", "class"),
    "onnx": ("ONNX", "cnnkit.onnx", "class"),
    "display": ("Drawings", "cnnkit.display", "class"),
    "functional": ("Operations on arrays", "cnnkit.functional", "class"),
    "exceptions": ("Errors", "cnnkit.exceptions", "class"),
}
FULL = {"Layer", "Op", "Slots", "WeightSpec"}  # layers whose methods a reader needs


def names_of(family):
    """Return the names on a page: of `cnnkit` itself those that are in no other module."""
    _, module, _ = FAMILIES[family]
    names = importlib.import_module(module).__all__
    if module != "cnnkit":
        return sorted(names, key=str.lower)
    others = {name for key in FAMILIES if FAMILIES[key][1] != module for name in names_of(key)}
    pages = {key.rpartition(".")[2] for _, key, _ in FAMILIES.values()}
    return sorted(set(names) - others - pages, key=str.lower)


def listing(names, template):
    """Return a table of names that lead to pages of their own."""
    rows = "\n".join(f"   {name}" for name in names)
    options = f"   :toctree: .\n   :template: autosummary/{template}.rst\n   :nosignatures:"
    return f".. autosummary::\n{options}\n\n{rows}\n\n" if names else ""


def write_pages(app, config):
    folder = Path(app.srcdir) / "generated" / "api"
    folder.mkdir(parents=True, exist_ok=True)
    for family, (title, module, template) in FAMILIES.items():
        names = names_of(family)
        full = [name for name in names if name in FULL] if template == "plain" else []
        text = f"{title}\n{'=' * len(title)}\n\n.. currentmodule:: {module}\n\n"
        text += listing([name for name in names if name not in full], template)
        text += listing(full, "class")
        page = folder / f"{family}.rst"
        if not page.exists() or page.read_text() != text:
            page.write_text(text)


LABEL = re.compile(r":(?:ref|term):`([^<`]+?)(?:\s*<[^>]+>)?`")  # of scikit-learn's own site
PAGE = re.compile(r"docs/((?:guides|reference|design)/\w+)\.md")


def change_links(app, what, name, obj, options, lines):
    """Take labels out of docstrings that are inherited, and make links of names of our pages."""
    lines[:] = [PAGE.sub(r":doc:`/\1`", LABEL.sub(r"\1", line)) for line in lines]


def setup(app):
    app.connect("autodoc-process-docstring", change_links)
    app.connect("config-inited", write_pages)  # before Sphinx looks for pages
    return {"parallel_read_safe": True}
