"""The site: `make docs` builds it from the pages, the examples and the docstrings."""

import sys
from pathlib import Path

DOCS = Path(__file__).parent
sys.path[:0] = [str(DOCS / "_extensions"), str(DOCS.parent / "examples")]

import cnnkit  # noqa: E402  what is installed is what is described

project = "cnnkit"
author = "the cnnkit developers"
version = release = cnnkit.__version__
language = "en"

extensions = [
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "numpydoc",
    "myst_parser",
    "sphinx_copybutton",
    "sphinx_design",
    "sphinx_gallery.gen_gallery",
    "mathml",  # these three lie in _extensions
    "reference",
    "root_pages",
]
exclude_patterns = ["learn/*", "_*", "generated/**/*.ipynb", "generated/**/*.py"]
suppress_warnings = ["config.cache"]
source_suffix = {".rst": "restructuredtext", ".md": "markdown"}
default_role = "literal"
templates_path = ["_templates"]

myst_enable_extensions = ["colon_fence", "dollarmath"]
myst_heading_anchors = 3

autosummary_generate = True
autodoc_default_options = {"member-order": "bysource"}
autodoc_typehints = "none"  # the docstrings have the types, in words
numpydoc_show_class_members = False

sphinx_gallery_conf = {
    "examples_dirs": ["learn", "../examples"],
    "gallery_dirs": ["generated/course", "generated/gallery"],
    "image_scrapers": ["matplotlib", "pictures.saved"],
    # all are shown; all run but those that need a cluster, or weights of others
    "filename_pattern": r"/(learn|examples)/(?!distributed_grid|pretrained)",
    "ignore_pattern": r"endings\.py",
    "within_subsection_order": "FileNameSortKey",
    "download_all_examples": False,
    "default_thumb_file": str(DOCS / "pictures" / "digits.png"),
    "thumbnail_size": (460, 320),
    "remove_config_comments": True,
    "show_memory": False,
    "write_computation_times": False,
    "min_reported_time": 1e9,
    "copyfile_regex": r".*\.rst",
}

html_math_renderer = "mathml"
html_theme = "pydata_sphinx_theme"
html_title = "cnnkit"
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_show_sourcelink = False
html_copy_source = False
html_search_scorer = str(DOCS / "_extensions" / "scorer.js")
html_theme_options = {
    "logo": {"text": "cnnkit"},
    "navbar_align": "left",
    "navbar_end": ["theme-switcher"],
    "show_prev_next": False,
    "secondary_sidebar_items": ["page-toc"],
    "footer_start": ["copyright"],
    "footer_end": [],
    "navigation_with_keys": False,
    "pygments_light_style": "a11y-high-contrast-light",
    "pygments_dark_style": "a11y-high-contrast-dark",
}
html_sidebars = {"index": [], "generated/gallery/*": []}
copyright = "the cnnkit developers, BSD-3"
