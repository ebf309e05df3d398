"""How the site is built: Sphinx, with MyST for Markdown and notebooks, and the theme of the PyData projects.

Nothing is run here: the tests run every example and every notebook, and the pages show what is stored.
"""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE))

import columns  # noqa: E402
import generated  # noqa: E402

project = "pop3frames"
author = "the pop3frames authors"
html_title = "pop3frames"
extensions = ["myst_nb", "sphinx.ext.autodoc", "sphinx_copybutton"]
exclude_patterns = ["_build", "gallery/README.md"]

myst_enable_extensions = ["colon_fence", "substitution"]
myst_heading_anchors = 3
myst_substitutions = {"columns": columns.table()}
nb_execution_mode = "off"
nb_mime_priority_overrides = [("html", "text/html", 0), ("html", "image/png", 10)]

smartquotes = False

html_theme = "pydata_sphinx_theme"
html_theme_options = {
    "navigation_with_keys": False,
    "show_prev_next": True,
    "secondary_sidebar_items": ["page-toc"],
    "footer_start": [],
    "footer_end": [],
}
html_static_path = ["_static"]
html_css_files = ["pop3frames.css"]
html_sidebars = {"index": []}
html_copy_source = False
html_show_sourcelink = False
copybutton_exclude = ".linenos, .gp, .go"

autodoc_member_order = "bysource"
autodoc_preserve_defaults = True
autodoc_typehints = "signature"
autodoc_typehints_format = "short"
python_maximum_signature_line_length = 88
nitpicky = False

_ROW = re.compile(r"^(\S(?:\S| (?! ))*)(?: {2,}(\S.*))?$")


def docstring_as_rst(_app, _what, _name, _obj, _options, lines: list[str]) -> None:
    """Our docstrings are plain text: `code` in single backticks, and tables of "name   what it is"."""
    shown: list[str] = []
    for line in lines:
        text = re.sub(r"`([^`]+)`", r"``\1``", line.replace("\\", "\\\\").replace("*", r"\*"))
        row = _ROW.match(text)
        if row and row[2]:
            shown += [*([""] if shown and shown[-1] else []), f"{row[1]}", f"    {row[2].strip()}"]
        elif text.startswith("    ") and shown and (shown[-1].startswith("    ") or not shown[-1]):
            shown.append(f"    {text.strip()}" if shown[-1] else f"| {text.strip()}")
        else:
            if text and shown and shown[-1].startswith("    "):
                shown.append("")
            shown.append(text)
    lines[:] = shown


def link_gallery() -> None:
    """The notebooks as they are committed, beside the pages."""
    gallery = HERE / "gallery"
    gallery.mkdir(exist_ok=True)
    for notebook in (HERE.parent / "notebooks").glob("*.ipynb"):
        target = gallery / notebook.name
        if not target.exists():
            target.symlink_to(os.path.relpath(notebook, gallery))
    for link in gallery.glob("*.ipynb"):
        if not link.exists():
            link.unlink()


def without_empty_globs(_app, _name: str, source: list[str]) -> None:
    """The navigation has room for pages that are not there yet."""
    source[0] = re.sub(
        r"^([a-z-]+)\*\n",
        lambda glob: glob[0] if list(HERE.glob(f"{glob[1]}*.md")) else "",
        source[0],
        flags=re.MULTILINE,
    )


def write_generated() -> None:
    """Pages made from the code; only when they changed, or every build would render them again."""
    for name, page in (("reference.md", generated.reference()), ("commands.md", generated.commands())):
        path = HERE / name
        if not path.exists() or path.read_text(encoding="utf-8") != page:
            path.write_text(page, encoding="utf-8")


def setup(app) -> None:
    """Called by Sphinx."""
    link_gallery()
    write_generated()
    app.connect("source-read", without_empty_globs)
    app.connect("autodoc-process-docstring", docstring_as_rst)
