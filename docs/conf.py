"""The documentation as a site: `nox -s docs` builds it from the Markdown that the repository shows.

The source folder is the repository's top folder, so links between the README, the pages below docs/ and our files
are the same in both. The order of the pages is that of docs/index.md. No page holds anything for Sphinx alone.
"""

from __future__ import annotations

import os
import re
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

from docutils import nodes
from pygments.lexers.special import TextLexer
from sphinx.addnodes import download_reference

import kiejobs

if TYPE_CHECKING:
    from sphinx.application import Sphinx

ROOT = Path(__file__).parents[1]
FILES = ""
"""Where our files can be read, as the workflow knows; without it links to them are downloads."""
if "GITHUB_REPOSITORY" in os.environ:
    FILES = "{GITHUB_SERVER_URL}/{GITHUB_REPOSITORY}/blob/HEAD".format_map(os.environ)

project = "kiejobs"
author = "the kiejobs maintainers"
html_title = f"kiejobs {kiejobs.__version__}"

root_doc = "README"
include_patterns = ["*.md", "docs/**.md"]
exclude_patterns = [path.name for path in ROOT.iterdir() if path.is_dir() and path.name != "docs"]
extensions = ["myst_parser"]
myst_heading_anchors = 6
nitpicky = True
smartquotes = False  # what a page says is what is typed
suppress_warnings = ["misc.highlighting_failure"]  # pages show files that are wrong on purpose

html_theme = "furo"
html_static_path = ["site"]
html_css_files = ["site.css"]
html_copy_source = False
html_show_copyright = False
html_show_sphinx = False
html_use_index = False
html_theme_options = (
    {"source_view_link": f"{FILES}/{{filename}}", "top_of_page_buttons": ["view"]} if FILES else {}
)

SECTIONS = {
    "Tutorial": "docs/tutorial",
    "How-to guides": "docs/how-to",
    "Reference": "docs/reference",
    "Explanation": "docs/explanation",
}


def setup(app: Sphinx) -> None:
    app.add_lexer("csv", TextLexer)
    app.connect("source-read", add_contents)
    app.connect("doctree-resolved", link_files)
    app.connect("build-finished", add_front_page)


def add_contents(_app: Sphinx, page: str, source: list[str]) -> None:
    """The sidebar: the pages of each kind in the order in which docs/index.md links to them."""
    if page == root_doc:
        index = (ROOT / "docs" / "index.md").read_text(encoding="utf-8")
        linked = [f"docs/{name}" for name in re.findall(r"\]\(([\w/-]+)\.md[)#]", index)]
        source[0] += contents("", ["docs/index"])
        for caption, folder in SECTIONS.items():
            source[0] += contents(caption, [name for name in linked if name.startswith(f"{folder}/")])
        source[0] += contents("Project", ["CONTRIBUTING", "SECURITY", "CHANGELOG"])


def contents(caption: str, names: list[str]) -> str:
    options = [":hidden:", ":titlesonly:", *([f":caption: {caption}"] if caption else [])]
    return "\n".join(["", "```{toctree}", *options, "", *names, "```", ""])


def link_files(_app: Sphinx, tree: nodes.document, page: str) -> None:
    """Links to our files lead to the repository, where it is known."""
    for link in list(tree.findall(download_reference)) if FILES else ():
        path = Path(os.path.relpath((ROOT / page).parent / link["reftarget"], ROOT)).as_posix()
        link.replace_self(nodes.reference("", "", *link.children, refuri=f"{FILES}/{path}"))


def add_front_page(app: Sphinx, error: Exception | None) -> None:
    """GitHub shows README.md; a web server looks for index.html."""
    if error is None:
        shutil.copyfile(app.outdir / "README.html", app.outdir / "index.html")
