"""For users who bring a follow-up: what changes on a page when the book is built with theirs.

It is built so when the environment names a follow-up. Every page then says so at its top. A figure whose
cell bears the tag ``follow-up`` is SUPPLIED instead of SYNTHETIC, in caption and alternative text. And
what holds for one of the two books only is written as ``{synthetic}`words``` or ``{supplied}`words```,
in prose, captions and alternative texts; a whole passage stands in ``{only} supplied`` or ``{only} not supplied``.
"""

from __future__ import annotations

import hashlib
import os
import re
from html import escape
from pathlib import Path

from cache_key import ENVIRONMENT
from docutils import nodes
from sphinx.application import Sphinx
from sphinx.config import Config
from sphinx.transforms import SphinxTransform
from sphinx.util.docutils import SphinxRole

SUPPLIED, SYNTHETIC = "SUPPLIED", "SYNTHETIC"
FIGURE_TAG = "tag_follow-up"  # the class that myst-nb gives to a cell with the tag `follow-up`
ROLE = re.compile(r"\{(synthetic|supplied)\}`([^`]*)`")


def supplied_file() -> Path | None:
    """Return the follow-up that the environment names, or None."""
    path = os.environ.get(ENVIRONMENT)
    return Path(path) if path else None


class OnlyInRole(SphinxRole):
    """Words that stand in one of the two books, and are left out in the other."""

    def __init__(self, kind: str) -> None:
        super().__init__()
        self.kind = kind

    def run(self) -> tuple[list[nodes.Node], list[nodes.system_message]]:
        """Return the words if this is their book."""
        words: list[nodes.Node] = [nodes.Text(self.text)]
        return (words if self.kind == _kind() else []), []


class KindOfFigures(SphinxTransform):
    """Choose the words of alternative texts, and in the SUPPLIED book the kind of the marked figures."""

    default_priority = 400

    def apply(self, **_: object) -> None:
        """Change the page in place, before titles of figures are gathered for references."""
        for image in self.document.findall(nodes.image):
            if "alt" in image:
                image["alt"] = ROLE.sub(lambda role: role[2] if role[1] == _kind().lower() else "", image["alt"])
        if _kind() == SUPPLIED:
            for cell in self.document.findall(nodes.container):
                if FIGURE_TAG in cell["classes"]:
                    _rename(cell)


def _kind() -> str:
    return SUPPLIED if supplied_file() else SYNTHETIC


def _rename(cell: nodes.Element) -> None:
    for image in cell.findall(nodes.image):
        image["alt"] = image.get("alt", "").replace(SYNTHETIC, SUPPLIED)
    for caption in cell.findall(nodes.caption):
        for text in list(caption.findall(nodes.Text)):
            text.parent.replace(text, nodes.Text(text.astext().replace(SYNTHETIC, SUPPLIED)))


def announce(_: Sphinx, config: Config) -> None:
    """Say at the top of every page with which file the book was built, and read all pages again for another one."""
    path = supplied_file()
    if path is None:
        return
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    config.follow_up_sha256 = digest
    config.html_theme_options["announcement"] = (
        f"<strong>{SUPPLIED}</strong>: this book was built with a user's follow-up, "
        f"{escape(path.name)}, sha256 {digest[:12]}. It is not the published edition."
    )


def setup(app: Sphinx) -> dict[str, bool | str]:
    """Register with Sphinx."""
    app.add_config_value("follow_up_sha256", "", "env", str)
    app.add_role("synthetic", OnlyInRole(SYNTHETIC))
    app.add_role("supplied", OnlyInRole(SUPPLIED))
    app.add_transform(KindOfFigures)
    if supplied_file():
        app.tags.add("supplied")
    app.connect("config-inited", announce)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
