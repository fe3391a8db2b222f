"""The documentation's build: no network, and every warning is an error (``make docs``)."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent))

from docs.executed import write_tutorial  # noqa: E402  # The repository is no package.
from docs.generated import write_reference  # noqa: E402
from smithers_nb import __version__  # noqa: E402

project = "smithers_nb"
author = "the smithers_nb developers"
copyright = author
version = release = __version__

extensions = ["myst_nb", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
exclude_patterns = ["_build"]
nitpicky = False
smartquotes = False

html_title = f"smithers_nb {version}"
html_theme = "pydata_sphinx_theme"
html_static_path = ["_static"]
html_css_files = ["docs.css"]
html_favicon = "_static/icon.svg"
html_context = {"default_mode": "auto"}  # Without it the theme logs an error on a reader's first page.
html_show_sourcelink = False
html_copy_source = False
html_theme_options = {
    "show_prev_next": True,
    "navigation_with_keys": False,
    "secondary_sidebar_items": ["page-toc"],
    "footer_start": ["copyright"],
    "footer_end": [],
}

# The notebooks come executed (executed.py). The page of a run takes the place of its widget, which needs a kernel.
nb_execution_mode = "off"
nb_ipywidgets_js: dict[str, Any] = {}
nb_mime_priority_overrides = [("html", "text/html", 0), ("html", "application/vnd.jupyter.widget-view+json", None)]
nb_merge_streams = True
myst_enable_extensions = ["colon_fence", "deflist"]
myst_heading_anchors = 3

autodoc_typehints = "none"
autodoc_member_order = "alphabetical"
napoleon_use_rtype = False
napoleon_custom_sections = [("Props", "params_style"), ("Handlers", "params_style")]


def setup(app: Any) -> None:
    write_tutorial(HERE / "tutorial")
    write_reference(HERE / "reference")
