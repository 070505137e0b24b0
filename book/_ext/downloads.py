"""For readers who compute on: every table as CSV, and the notebook that a page was made from.

A table carries its CSV inside its link (see ``survaudit.figures.tables``). In the finished site the
files are laid beside the page, since a phone may refuse to save what a link holds.
"""

from __future__ import annotations

import base64
import re
from pathlib import Path

from docutils import nodes
from sphinx import addnodes
from sphinx.application import Sphinx
from sphinx.transforms import SphinxTransform

BEFORE_SUMS = 900
TABLE = re.compile(r'download="(?P<name>[a-z0-9-]+)\.csv" href="data:text/csv;base64,(?P<content>[A-Za-z0-9+/=]*)"')


class NotebookLink(SphinxTransform):
    """Offer under the title of a notebook's page the ``.ipynb`` that lies beside its source."""

    default_priority = 500

    def apply(self, **_: object) -> None:
        """Add the link; pages without such a file stay as they are."""
        notebook = Path(self.env.doc2path(self.env.docname)).with_suffix(".ipynb")
        title = next(self.document.findall(nodes.title), None)
        if title is None or not notebook.is_file():
            return
        link = addnodes.download_reference(
            "", "", nodes.Text(notebook.name), reftarget=notebook.name, refdoc=self.env.docname, reftype="download"
        )
        line = nodes.paragraph(
            "", "This page as a notebook, to run in a copy of the repository: ", link, classes=["notebook-download"]
        )
        title.parent.insert(title.parent.index(title) + 1, line)


def lay_out_tables(page: Path) -> None:
    """Write the tables of a finished page as files into a folder with the page's name, and link to them."""
    folder = page.with_suffix("")
    written: dict[str, str] = {}

    def lay_out(link: re.Match[str]) -> str:
        name, number = link["name"], 1
        while written.setdefault(name, link["content"]) != link["content"]:  # the name of another table
            number += 1
            name = f"{link['name']}-{number}"
        folder.mkdir(exist_ok=True)
        (folder / f"{name}.csv").write_bytes(base64.b64decode(link["content"]))
        return f'download="{name}.csv" href="{folder.name}/{name}.csv"'

    text = page.read_text(encoding="utf-8")
    linked = TABLE.sub(lay_out, text)
    if linked != text:
        page.write_text(linked, encoding="utf-8", newline="\n")


def lay_out_all(app: Sphinx, exception: Exception | None) -> None:
    """Lay out the tables of every page of the site; a book on one page keeps them in its links."""
    if exception is None and app.builder.name == "html":
        for name in sorted(app.env.found_docs):
            lay_out_tables(Path(app.outdir) / f"{name}.html")


def setup(app: Sphinx) -> dict[str, bool | str]:
    """Register with Sphinx."""
    app.add_transform(NotebookLink)
    app.connect("build-finished", lay_out_all, priority=BEFORE_SUMS)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
